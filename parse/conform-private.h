/* What conform.c and conform-shares.c share. */
#pragma once

#include "parse/conform.h"
#include "parse/distribution.h"
#include "parse/server-private.h"
#include "parse/spill.h"

/* Caps and weights are looked at over this long: many turns of Credit's 30 ms slices for every VCPU. */
#define XT_SHARE_WINDOW_NS 3000000000ll

/* What conformance must know of a VCPU beside its timeline. */
struct conform_vcpu {
    bool pinned;               /* usable is what the snapshot says */
    bool repinned;             /* the snapshot shows that it changed while it was traced: where it could run is not known */
    struct xt_pcpu_set *usable;
    int64_t budget_since;      /* its last replenishment, -1 none; not known any more if records were lost since */
    int64_t budget, left;      /* as replenished; as last stated */
    int64_t ran, run_since;    /* since the replenishment, up to run_since; -1: does not run */
    bool raised;               /* runs on extratime: its budget was used up in order */
    bool overrun_told, late_told;
    int64_t ready_since;       /* -1: not ready, or not known */
    int64_t wait_since;        /* -1: not eligible */
    bool wait_after_block;     /* the budget it waits with may have fallen while it was blocked */
    int64_t blocked_at;        /* -1: its budget was stated since */
    uint64_t kept, fell, in_step, out_of_step; /* struct xt_server */
    int64_t window_ran;        /* caps and weights */
    bool window_paused;        /* was not ready all through the window */
};

/* Beyond the default limit; whether beyond the run's own is known only at its end. */
struct candidate {
    struct xt_violation violation;
    uint32_t vcpu, other; /* indices, XT_NOBODY none */
    bool if_kept;     /* holds only if budgets are kept while blocked */
    bool if_in_step;  /* holds only if replenishments follow the periods */
};

struct conform {
    struct xt_rule_result results[XT_N_RULES];
    struct xt_spill *candidates;
    struct xt_distribution *reactions;
    struct vstate **running;   /* by slot: who runs there by its runstate, NULL nobody known */
    int64_t *tickled;          /* by slot: since when a tickle is unanswered, -1 */
};

static inline const struct xt_host_vcpu *conform_host(const struct machine *m, const struct vstate *v)
{
    return m->recording ? xt_recording_vcpu(m->recording, v->id.domid, v->id.vcpu) : NULL;
}

static inline bool is_ready(enum xt_state state)
{
    return state == XT_RUNNING || state == XT_RUNNABLE;
}

/* Counts a check whose value is within the rule's limit; false if it is not: the violation is to be checked. */
static inline bool conform_passes(struct machine *m, enum xt_rule rule, int64_t value)
{
    struct xt_rule_result *r = &m->conform->results[rule];

    if (G_UNLIKELY(value > r->limit))
        return false;
    r->checked++;
    r->worst = MAX(r->worst, value);
    return true;
}

/* Counts a check, and keeps it if its value exceeds the rule's default limit. */
bool conform_check(struct machine *m, const struct xt_violation *violation, GError **error);

/* conform-shares.c: does the host snapshot tell caps or weights? */
bool conform_has_shares(const struct machine *m);
