/* The records of one pCPU made steps. Private to parse/. */
#pragma once

#include "parse/clock.h"
#include "parse/cursor.h"
#include "parse/step.h"

/* What the records of a scheduling decision told so far. */
struct decision {
    bool open, start_known, tickled, tasklet, ratelimited;
    enum xt_scheduler scheduler;
    int64_t ts;
    int64_t slice_ns;    /* as armed by infnext or infcont, -1 none */
    uint32_t burnt_vcpu; /* XT_NOBODY: no burn record came */
    uint32_t burn;       /* its number */
    int64_t budget_ns;   /* that it left */
};

struct decider {
    struct xt_cursor cursor;
    const struct step_options *options;
    const struct xt_layout_index *layouts;
    const struct xt_pcpu_survey *survey; /* of this pCPU */
    enum xt_scheduler scheduler;         /* of this pCPU */
    bool vd, has_continue, core_scheduling, burns; /* of the run; whether burns become steps */

    uint64_t top; /* largest TSC so far, as in the records */
    uint64_t now_top, now_tsc; /* now_tsc: now_top on the time line that all pCPUs share */
    int64_t now;               /* ts of that */
    uint32_t n_burns;
    bool ended;

    struct decision decisions[2], *decision, *other; /* the present one; that of the last switch */
    bool lost_since_decision, decided; /* since the last decision; any decision so far */
    uint32_t yielded, blocking;        /* VCPU of a yield or block record not yet spent, XT_NOBODY */
    int64_t slice_end;                 /* when the armed slice runs out, -1 */

    bool switching; /* a switch record was read, the change to running of its next VCPU not yet */
    uint32_t switch_prev, switch_next;
    int64_t switch_ts, switch_decision_ns;
    bool switch_yielded, switch_aborted, switch_slice_over, switch_no_burn;

    struct step *out; /* where the next step goes */
    uint64_t *out_tsc;
};

void decider_init(struct decider *d, const struct xt_trace *trace, const struct step_options *options, uint32_t slot,
                  size_t buffer_bytes);
void decider_clear(struct decider *d);

/* Makes up to n steps, n being at least DECIDER_MIN_STEPS, and tells the TSC of each, by which pCPUs are merged: the largest so
 * far on this one. Returns how many. Fewer than n - DECIDER_MIN_STEPS only at the
 * end, or with error set. */
#define DECIDER_MIN_STEPS 4u
unsigned decider_fill(struct decider *d, struct step *steps, uint64_t *tscs, unsigned n, GError **error);
