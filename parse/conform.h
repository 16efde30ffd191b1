/* Conformance rules, checked while a trace is replayed. Private to parse/; the hooks are called by the other rooms of
 * the machine. */
#pragma once

#include "parse/machine.h"

struct conform *conform_new(struct machine *m);
void conform_free(struct conform *conform);

/* A change record of v on p: before it is applied. */
bool conform_change(struct machine *m, struct pstate *p, struct vstate *v, enum xt_state old_state,
                    enum xt_state new_state, bool inconsistent, GError **error);
/* A burn record: budget left, priority level after it. */
bool conform_burn(struct machine *m, struct vstate *v, int64_t budget_ns, int64_t level, GError **error);
/* A replenishment, before the server takes it over. */
bool conform_replenish(struct machine *m, struct vstate *v, int64_t deadline, int64_t budget_ns, GError **error);
void conform_tickle(struct machine *m, int64_t pcpu);
bool conform_decision(struct machine *m, struct pstate *p, GError **error);
/* What is known of v ends now: records were lost. */
bool conform_cut(struct machine *m, struct vstate *v, GError **error);
void conform_gap(struct machine *m, struct pstate *p);
bool conform_end(struct machine *m, GError **error);
