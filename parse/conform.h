/* Conformance rules, checked while a trace is replayed if any sink asks for them. Private to parse/; the other rooms of
 * the machine call the hooks, if m->conform is there, before they apply what they read. */
#pragma once

#include "parse/machine.h"

struct conform *conform_new(struct machine *m);
void conform_free(struct machine *m);

/* Windows of caps and weights end by themselves: all that end now or before. */
bool conform_windows(struct machine *m, GError **error);
static inline bool conform_advance(struct machine *m, GError **error)
{
    return G_LIKELY(m->next_window > m->now) || conform_windows(m, error);
}

/* The TSC of p stepped back by so many cycles, to ts. */
bool conform_tsc_back(struct machine *m, struct pstate *p, int64_t ts, uint64_t cycles, GError **error);
/* A change record of v on p. */
bool conform_change(struct machine *m, struct pstate *p, struct vstate *v, enum xt_state old_state,
                    enum xt_state new_state, GError **error);
/* A burn record: budget left and priority level after it, time burnt by it. */
bool conform_burn(struct machine *m, struct vstate *v, int64_t budget_ns, int64_t delta_ns, int64_t level, GError **error);
/* A record states the budget of v without burning it. */
void conform_pick(struct machine *m, struct vstate *v, int64_t budget_ns);
bool conform_replenish(struct machine *m, struct vstate *v, int64_t deadline_now_ns, int64_t budget_ns, GError **error);
/* After the server took the replenishment over: v may wait under its new deadline. */
void conform_eligible(struct machine *m, struct vstate *v);
void conform_tickle(struct machine *m, int64_t pcpu);
/* A decision begins on p, or one without a beginning ends; slice_end: when the slice armed before it runs out, -1. */
bool conform_schedule(struct machine *m, struct pstate *p, int64_t slice_end, GError **error);
/* What is known of v ends now: records were lost. */
bool conform_cut(struct machine *m, struct vstate *v, GError **error);
void conform_gap(struct machine *m, struct pstate *p);
bool conform_end(struct machine *m, GError **error);
