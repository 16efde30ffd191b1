/* What ledger.c (accounts of states, files) and ledger-periods.c (server periods) share. */
#ifndef SYNTH_LEDGER_INTERNAL_H
#define SYNTH_LEDGER_INTERNAL_H

#include "ledger.h"

/* Something that happened to a VCPU's server at a time when the VCPU's state was not known yet to a reader.
 */
struct mark {
    int64_t ts;
    bool replenish;
    unsigned level;
    int64_t deadline, budget, period;
};

/* One server period, [from, to) in ts, as it fills up. */
struct period {
    int64_t to_sys, from, to;
    int64_t length; /* ns */
    bool replenished, unknown;
    int64_t budget, ran, extra, waited;
};

struct sy_ledger_vcpu {
    bool seen;
    int64_t since; /* ts of the last visible change */
    enum sy_state state;
    int pcpu, last_pcpu; /* running on, ran on last; -1 unknown */
    int64_t acc;         /* ts up to which `period` is filled */
    struct period period;
    int64_t period_ns;                    /* of the reservation, by the last replenishment */
    int64_t early_deadline, early_budget; /* replenished by a pCPU whose system time is ahead, 0 = not */
    unsigned level;                       /* priority level that the records show, up to `acc`, and */
    unsigned last_level;                  /* in the last record */
    GArray *marks;                        /* of struct mark, owned */
    bool yield_pending;
    int64_t total_ns[5];
    uint64_t dispatches, wakeups, preemptions, depletions, no_burn, migrations, yields, yield_switches;
    uint64_t replenishments, periods, periods_judged, period_misses;
    /* regardless of losses */
    uint64_t truth_since, truth_cycles[4];
    uint64_t truth_dispatches, truth_wakeups;
};

/* Something to enter into the accounts at its time. */
struct op {
    enum { OP_CHANGE, OP_MARK, OP_LOSS, OP_LOSS_END } kind;
    int64_t ts;
    struct sy_vcpu *v;
    int pcpu;
    enum sy_state old, new_state;
    struct mark mark;
};

/* [from, to] in ts; to is INT64_MAX while it lasts. */
struct window {
    int pcpu;
    int64_t from, to;
};

struct sy_ledger {
    FILE *intervals, *periods, *faults, *acts, *waits; /* owned, may be NULL */
    GArray *windows;                                   /* of struct window, owned */
    int *open;                                         /* per pCPU: index of its open window, -1 */
    struct sy_ledger_vcpu *idle;                       /* per pCPU, owned */
    unsigned open_windows;
    int64_t longest; /* of the windows that are over */
    GArray *ops;     /* of struct op by time, owned; the first ops_done are entered */
    unsigned ops_done;
    uint64_t fault_rows;
    int64_t end_ts;
    int64_t base_skew;
};

/* ns since the first record. */
int64_t sy_ledger_ts(struct sy_sim *sim, uint64_t clk);

void sy_period_open(struct sy_sim *sim, struct sy_ledger_vcpu *l, int64_t to_sys, int64_t length);
/* Writes it down if a replenishment opened it; `judged` false: it cannot be. */
void sy_period_close(struct sy_sim *sim, struct sy_vcpu *v, enum sy_state state, bool judged);
/* The VCPU was in `state` from where its account of periods stands until `to`, and that is known. */
void sy_period_known(struct sy_sim *sim, struct sy_vcpu *v, int64_t to, enum sy_state state);

#endif
