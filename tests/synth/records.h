/* Every record that the model writes, in the layout of the Xen version asked for. Each advances the pCPU's
 * clock by the cost of a record and returns whether the record is in the file (false: lost, or tracing is
 * off). */
#ifndef SYNTH_RECORDS_H
#define SYNTH_RECORDS_H

#include "synth.h"

bool rec_runstate(struct sy_pcpu *c, struct sy_vcpu *v, enum sy_state new_state);
bool rec_continue(struct sy_pcpu *c, const struct sy_vcpu *v);
bool rec_sleep(struct sy_pcpu *c, const struct sy_vcpu *v);
bool rec_wake(struct sy_pcpu *c, const struct sy_vcpu *v);
bool rec_yield(struct sy_pcpu *c, const struct sy_vcpu *v);
bool rec_block(struct sy_pcpu *c, const struct sy_vcpu *v);
bool rec_adjdom(struct sy_pcpu *c, uint32_t domid);
bool rec_dom_add(struct sy_pcpu *c, uint32_t domid, unsigned vcpus);
bool rec_dom_rem(struct sy_pcpu *c, uint32_t domid);
bool rec_switch(struct sy_pcpu *c, const struct sy_vcpu *prev, const struct sy_vcpu *next);
bool rec_infprev(struct sy_pcpu *c, const struct sy_vcpu *prev, int64_t run_ns);
bool rec_infnext(struct sy_pcpu *c, const struct sy_vcpu *next, int64_t wait_ns, int64_t slice_ns);
bool rec_infcont(struct sy_pcpu *c, const struct sy_vcpu *v, int64_t run_ns, int64_t slice_ns);

bool rec_rtds_schedule(struct sy_pcpu *c, bool tickled, bool idle);
bool rec_rtds_tickle(struct sy_pcpu *c, unsigned cpu);
bool rec_rtds_pick(struct sy_pcpu *c, const struct sy_vcpu *v, int64_t deadline, int64_t budget);
bool rec_rtds_burn(struct sy_pcpu *c, const struct sy_vcpu *v, int64_t budget, int64_t delta, unsigned level);
bool rec_rtds_replenish(struct sy_pcpu *c, const struct sy_vcpu *v, int64_t deadline, int64_t budget);
/* 4.5 and 4.6 only: the decision, named sched_tasklet. */
bool rec_rtds_decision(struct sy_pcpu *c, const struct sy_vcpu *next, int64_t deadline, int64_t budget);

bool rec_credit_schedule(struct sy_pcpu *c, bool idle);
bool rec_credit_account(struct sy_pcpu *c, bool start, const struct sy_vcpu *v, unsigned active);
bool rec_credit_stolen(struct sy_pcpu *c, unsigned peer, const struct sy_vcpu *v);
bool rec_credit_picked(struct sy_pcpu *c, const struct sy_vcpu *v, unsigned cpu);
bool rec_credit_tickle(struct sy_pcpu *c, unsigned cpu);
bool rec_credit_boost(struct sy_pcpu *c, bool start, const struct sy_vcpu *v);
bool rec_credit_ratelimit(struct sy_pcpu *c, const struct sy_vcpu *v, int64_t run_ns);
bool rec_credit_steal_check(struct sy_pcpu *c, unsigned peer, bool checked);

bool rec_null_schedule(struct sy_pcpu *c, const struct sy_vcpu *assigned);
bool rec_null_assign(struct sy_pcpu *c, unsigned event, const struct sy_vcpu *v, unsigned cpu);

/* Any record: event id and words. */
bool rec_raw(struct sy_pcpu *c, uint32_t event, unsigned n, const uint32_t *words);

#define REC(c, event, ...) \
    rec_raw(c, event, sizeof((uint32_t[]){__VA_ARGS__}) / 4, (const uint32_t[]){__VA_ARGS__})
#define REC_LO(x) (uint32_t)(uint64_t)(x)
#define REC_HI(x) (uint32_t)((uint64_t)(x) >> 32)

static inline uint32_t rec_dv(const struct sy_vcpu *v)
{
    return (uint32_t)v->domid << 16 | v->id;
}

#endif
