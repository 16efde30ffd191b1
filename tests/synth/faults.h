/* Seeded faults: each is armed at an instant, happens at the first occasion after it, and is written to the
 * ledger when it is over, with what really came of it. */
#ifndef SYNTH_FAULTS_H
#define SYNTH_FAULTS_H

#include "synth.h"

/* specs: "KIND[:COUNT[:MICROSECONDS]]", NULL-terminated. False with a message if one is not understood. */
bool sy_faults_new(struct sy_sim *sim, char *const *specs, unsigned lost, GError **error);
void sy_faults_start(struct sy_sim *sim);
void sy_faults_finish(struct sy_sim *sim);
void sy_faults_free(struct sy_sim *sim);

/* Shall v's replenishment at `deadline` be forgotten until a period later? */
bool sy_fault_drop_replenish(struct sy_sim *sim, struct sy_vcpu *v, int64_t deadline, uint64_t clk);
/* Shall `curr` stay although `next` goes before it? */
bool sy_fault_hold(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *curr, struct sy_vcpu *next,
                   int64_t curr_budget, int64_t next_deadline);
/* May v run here although its affinity says no? */
bool sy_fault_unpinned(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v);
/* A decision was made (NULL: idle). */
void sy_fault_decided(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *next);
/* How much too late the budget timer shall come, cycles. */
uint64_t sy_fault_overrun(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v, int64_t budget,
                          int64_t to_deadline);
void sy_fault_burnt(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v, int64_t before, int64_t delta);

#endif
