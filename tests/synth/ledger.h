/* What really happened, written down as it happens, and summed up by the definitions of docs/design.md.
 *
 * `visible` says whether the record of an event is in the file: counts are of records present, and where
 * records were lost a state is known only as far as a reader of the file can know it. `truth_*` figures
 * ignore losses. */
#ifndef SYNTH_LEDGER_H
#define SYNTH_LEDGER_H

#include "synth.h"

struct sy_ledger *sy_ledger_new(struct sy_sim *sim, const char *dir, GError **error);
void sy_ledger_free(struct sy_sim *sim);

void sy_ledger_vcpu_new(struct sy_vcpu *v);
/* A VCPU that comes up while tracing. */
void sy_ledger_vcpu_start(struct sy_sim *sim, struct sy_vcpu *v);
/* Tracing begins. */
void sy_ledger_start(struct sy_sim *sim);
/* Tracing has ended and every ring is drained: closes all, writes ledger.json. */
bool sy_ledger_finish(struct sy_sim *sim, const char *dir, GError **error);

void sy_ledger_runstate(struct sy_pcpu *c, struct sy_vcpu *v, enum sy_state old, enum sy_state new_state,
                        bool visible);
void sy_ledger_decision(struct sy_pcpu *c, bool continued);
void sy_ledger_burn(struct sy_pcpu *c, struct sy_vcpu *v, int64_t budget, unsigned level, bool visible);
void sy_ledger_replenish(struct sy_pcpu *c, struct sy_vcpu *v, int64_t deadline, int64_t budget,
                         bool visible);
void sy_ledger_yield(struct sy_pcpu *c, struct sy_vcpu *v, bool visible);
void sy_ledger_loss_begins(struct sy_sim *sim, struct sy_pcpu *c, uint64_t clk);
void sy_ledger_loss_ends(struct sy_sim *sim, struct sy_pcpu *c, uint64_t clk, uint32_t count);
/* No record before `clk` will be written any more: what happened before it can be entered. */
void sy_ledger_settle(struct sy_sim *sim, uint64_t clk);

/* One row of ledger-faults.csv; times in cycles of the model, `amount` in ns or records, v and other may be
 * NULL. */
struct sy_fault_row {
    const char *kind, *note;
    uint64_t from, to;
    int pcpu;
    const struct sy_vcpu *v, *other;
    int64_t amount;
    const char *unit;
    int64_t deadline_ns; /* system time, 0 = none */
};
void sy_ledger_fault(struct sy_sim *sim, const struct sy_fault_row *row);
/* Likewise of ledger-waits.csv (--audit): who waited although it should have run; short waits are left out.
 */
void sy_ledger_wait(struct sy_sim *sim, const struct sy_fault_row *row);
/* Likewise of ledger-acts.csv: what an administrator did. */
void sy_ledger_act(struct sy_sim *sim, const struct sy_fault_row *row);

#endif
