/* Server periods, misses and blame, while a trace is replayed. Private to parse/.
 *
 * timeline.c reports every finished piece of a VCPU's time and every dispatch, reconstruct.c every replenishment and the
 * passing of time; a period is judged when its deadline passes, from the pieces inside it. */
#pragma once

#include "parse/machine.h"

struct servers *servers_new(struct machine *m, GError **error);
void servers_free(struct machine *m);

/* Judges every period whose deadline is at or before now; before a record at now is applied. */
bool servers_judge(struct machine *m, int64_t now, GError **error);
static inline bool servers_advance(struct machine *m, int64_t now, GError **error)
{
    return G_LIKELY(m->next_deadline > now) || servers_judge(m, now, error);
}

bool servers_replenished(struct machine *m, struct vstate *v, int64_t deadline_now_ns, int64_t budget_ns,
                         GError **error);
/* v appears for the first time. */
void servers_vcpu(struct machine *m, struct vstate *v);
/* v's state, unknown since some lost window, is known again up to now: judges what waited for that. */
bool servers_known(struct machine *m, struct vstate *v, GError **error);
/* [ts, end_ts) of v is finished. */
void servers_piece(struct machine *m, struct vstate *v, enum xt_state state, int64_t ts, int64_t end_ts);
/* v became ready (blocked or offline -> runnable) now. */
void servers_ready(struct machine *m, struct vstate *v);
/* v runs on p from now on. */
void servers_dispatched(struct machine *m, struct pstate *p, struct vstate *v);
/* A record told the priority level of v now. */
void servers_level(struct machine *m, struct vstate *v, int64_t level);
/* Nothing is known of p from now until the next dispatch there. */
void servers_gap(struct machine *m, struct pstate *p);
/* The run is over: hands out what is left. */
bool servers_end(struct machine *m, GError **error);
