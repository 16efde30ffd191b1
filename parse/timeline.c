/* Runstates of each VCPU, from runstate-change records alone, cut where records were lost.
 *
 * A lost window of pCPU p makes every state unknown that a record of p could have changed: all but that of a VCPU which
 * runs elsewhere. Behind it a state is known again from the next change record of that VCPU, whose old state reaches
 * back to the end of the last window that matters. */
#include <string.h>

#include "parse/conform.h"
#include "parse/machine.h"
#include "parse/server.h"

static void known_add(struct machine *m, struct vstate *v)
{
    if (v->known_at != UINT32_MAX)
        return;
    v->known_at = m->known->len;
    g_ptr_array_add(m->known, v);
}

static void known_remove(struct machine *m, struct vstate *v)
{
    if (v->known_at == UINT32_MAX)
        return;
    struct vstate *last = g_ptr_array_index(m->known, m->known->len - 1);
    g_ptr_array_index(m->known, v->known_at) = last;
    last->known_at = v->known_at;
    g_ptr_array_set_size(m->known, (int)m->known->len - 1);
    v->known_at = UINT32_MAX;
}

static bool flush_piece(struct machine *m, struct vstate *v, struct piece *piece, bool open_end, GError **error)
{
    if (!piece->have)
        return true;
    piece->have = false;
    struct xt_interval out = {
        .vcpu = &v->id,
        .ts = piece->ts,
        .end_ts = piece->end_ts,
        .state = piece->state,
        .reason = piece->reason,
        .open_start = piece->open_start,
        .open_end = open_end,
    };
    return out.ts == out.end_ts || XT_EMIT(m, interval, &out, error);
}

static bool flush_pieces(struct machine *m, struct vstate *v, bool open_end, GError **error)
{
    bool wait = v->wait.have;

    return flush_piece(m, v, &v->off, open_end && !wait, error) && flush_piece(m, v, &v->wait, open_end, error);
}

/* A running piece ends: together with what it waited for it makes a dispatch. */
static bool emit_dispatch(struct machine *m, struct vstate *v, int64_t end_ts, GError **error)
{
    struct xt_dispatch *d = &v->dispatch;

    d->vcpu = &v->id;
    d->pcpu = m->run.core_scheduling ? XT_NO_PCPU : v->pcpu;
    d->run_ts = d->ready_ts = d->off_ts = v->since;
    d->end_ts = end_ts;
    d->off_state = XT_NO_STATE;
    d->off_reason = d->ready_reason = XT_REASON_NONE;
    if (v->open_start)
        d->flags |= XT_D_OPEN_START;
    if (v->wait.have) {
        d->ready_ts = d->off_ts = v->wait.ts;
        d->ready_reason = v->wait.reason;
        d->flags |= v->wait.open_start ? XT_D_OPEN_START : 0;
    }
    if (v->off.have) {
        d->off_ts = v->off.ts;
        d->off_state = v->off.state;
        d->off_reason = v->off.reason;
        d->flags |= v->off.open_start ? XT_D_OPEN_START : 0;
    }
    v->off.have = v->wait.have = false;
    return XT_EMIT(m, dispatch, d, error);
}

/* The present piece of v ends at end_ts. */
static bool finish_piece(struct machine *m, struct vstate *v, int64_t end_ts, GError **error)
{
    servers_piece(m, v, v->state, v->since, end_ts);
    if (v->state == XT_RUNNING)
        return emit_dispatch(m, v, end_ts, error);
    if ((v->wait.have || (v->off.have && v->state != XT_RUNNABLE)) && !flush_pieces(m, v, false, error))
        return false;
    struct piece *piece = v->state == XT_RUNNABLE ? &v->wait : &v->off;
    piece->have = true;
    piece->state = v->state;
    piece->reason = v->reason;
    piece->ts = v->since;
    piece->end_ts = end_ts;
    piece->open_start = v->open_start;
    return true;
}

static void begin_dispatch(struct vstate *v)
{
    static const struct xt_dispatch nothing_known = {
        .decision_ts = -1,
        .decision_ns = -1,
        .switch_ns = -1,
        .budget_left_ns = -1,
        .latency_ns = -1,
    };

    memcpy(&v->dispatch, &nothing_known, sizeof(nothing_known)); /* compilers make slow loops of an initializer */
    v->dispatch.from_pcpu = v->last_pcpu;
}

static void begin_piece(struct vstate *v, enum xt_state state, enum xt_reason reason, int64_t ts, int32_t pcpu)
{
    v->state = state;
    v->reason = reason;
    v->since = ts;
    v->open_start = false;
    v->pcpu = state == XT_RUNNING ? pcpu : XT_NO_PCPU;
    if (state == XT_RUNNING)
        begin_dispatch(v);
}

/* Since when old_state, which a record of p states, is known: the end of the last lost window that could have hidden a
 * change to it. */
static int64_t known_since(const struct machine *m, const struct pstate *p, enum xt_state old_state)
{
    if (old_state == XT_RUNNING && !m->run.core_scheduling)
        return p->in_gap ? m->now : p->gap_end;
    return m->open_gaps ? m->now : m->last_gap_end;
}

static void ran_on(struct machine *m, struct vstate *v, int32_t pcpu)
{
    v->last_pcpu = m->run.core_scheduling ? XT_NO_PCPU : pcpu;
    v->lost_since_run = false;
}

/* The piece that a change record ends, seen backward from it, where nothing forward is known. */
static bool recover(struct machine *m, struct pstate *p, struct vstate *v, enum xt_state old_state, GError **error)
{
    int64_t from = v->since, known = CLAMP(known_since(m, p, old_state), from, m->now);
    bool open = v->open_start;

    if (known > from) {
        if (!finish_piece(m, v, known, error))
            return false;
        open = false;
    }
    begin_piece(v, old_state, XT_REASON_NONE, known, p->info->pcpu);
    v->open_start = open;
    if (old_state == XT_RUNNING) {
        v->dispatch.flags = XT_D_NO_DISPATCH | (open ? 0 : XT_D_CUT_START);
        if (v->last_pcpu != XT_NO_PCPU && v->last_pcpu != p->info->pcpu)
            v->dispatch.flags |= XT_D_ACROSS_LOSS;
        ran_on(m, v, p->info->pcpu);
    }
    /* the dispatch that it waited for is among the lost records: there is no sample to drop */
    if (old_state == XT_RUNNING || old_state == XT_BLOCKED)
        v->waiting_for = XT_LATENCY_NONE;
    return true;
}

/* Why v leaves a pCPU: the decision's own records know all but whether its burn raised the priority level. */
static enum xt_reason reason_of(const struct pstate *p, const struct step *step)
{
    uint32_t ago = p->n_burns - step->burn;
    bool raised = step->burn && ago < 64 && p->raised >> ago & 1;

    if (!raised || step->old_state != XT_RUNNING || step->new_state != XT_RUNNABLE || step->reason == XT_REASON_NONE ||
        step->reason == XT_REASON_YIELDED || step->reason == XT_REASON_DEPLETED)
        return (enum xt_reason)step->reason;
    return XT_REASON_EXTRATIME;
}

/* What the VCPU waits for from now on, for latencies. */
static void start_waiting(struct machine *m, struct vstate *v, enum xt_state old_state, enum xt_state new_state,
                          enum xt_reason reason)
{
    if (new_state == XT_RUNNABLE && old_state != XT_RUNNING)
        servers_ready(m, v);
    if (new_state == XT_BLOCKED || old_state == XT_RUNNING || old_state == XT_BLOCKED)
        v->wait_lost = false;
    if (new_state == XT_RUNNABLE && old_state == XT_BLOCKED) {
        v->waiting_for = XT_LATENCY_WAKE;
        v->eligible_since = m->now;
    } else if (new_state == XT_RUNNABLE && old_state == XT_RUNNING) {
        v->waiting_for = reason == XT_REASON_DEPLETED ? XT_LATENCY_REPLENISH
                         : reason == XT_REASON_YIELDED || reason == XT_REASON_NONE ? XT_LATENCY_NONE
                                                                                   : XT_LATENCY_PREEMPT;
        v->eligible_since = reason == XT_REASON_DEPLETED ? -1 : m->now;
    }
}

void timeline_eligible(struct machine *m, struct vstate *v)
{
    if (v->waiting_for == XT_LATENCY_REPLENISH && v->eligible_since < 0)
        v->eligible_since = m->now;
}

/* Who is named by id in a step; NULL with *ok false if a sink refused it. */
static const struct xt_vcpu *who(struct machine *m, uint32_t id, bool *ok, GError **error)
{
    struct vstate *v = id == XT_NOBODY || !*ok ? NULL : machine_vcpu(m, id, error);

    *ok &= v || id == XT_NOBODY;
    return v ? &v->id : NULL;
}

static bool describe_dispatch(struct machine *m, struct pstate *p, struct vstate *v, const struct step *step,
                              bool *migrated, GError **error)
{
    struct xt_dispatch *d = &v->dispatch;
    bool ok = true;

    d->prev = who(m, step->prev, &ok, error);
    d->decision_ns = step->change.decision_ns;
    d->switch_ns = step->change.switch_ns;
    if (d->decision_ns >= 0)
        d->decision_ts = m->now - d->switch_ns - d->decision_ns;
    d->flags |= (step->flags & STEP_F_NO_BURN ? XT_D_DECISION_NO_BURN : 0) |
                (step->flags & STEP_F_TICKLED ? XT_D_TICKLED : 0);
    *migrated = !m->run.core_scheduling && v->last_pcpu != XT_NO_PCPU && v->last_pcpu != p->info->pcpu;
    d->flags |= (*migrated ? XT_D_MIGRATED : 0) | (v->lost_since_run ? XT_D_ACROSS_LOSS : 0);
    if (v->waiting_for != XT_LATENCY_NONE && (v->wait_lost || v->eligible_since >= 0)) {
        d->latency_kind = v->waiting_for;
        d->latency_ns = v->wait_lost ? -1 : m->now - v->eligible_since;
    }
    v->waiting_for = XT_LATENCY_NONE;
    ran_on(m, v, p->info->pcpu);
    servers_dispatched(m, p, v);
    return ok;
}

static bool cut(struct machine *m, struct vstate *v, GError **error)
{
    if (m->conform && !conform_cut(m, v, error))
        return false;
    if (v->state == XT_RUNNING) {
        v->dispatch.end_reason = XT_REASON_NONE;
        v->dispatch.flags |= XT_D_CUT_END;
    }
    if (!finish_piece(m, v, m->now, error))
        return false;
    known_remove(m, v);
    begin_piece(v, XT_UNKNOWN, XT_REASON_NONE, m->now, XT_NO_PCPU);
    v->lost_since_run = true;
    v->wait_lost = true;
    v->level = -1;
    return true;
}

/* The present piece of v, if it runs, ends by this step. */
static bool describe_end(struct machine *m, struct vstate *v, const struct step *step, enum xt_reason reason,
                         GError **error)
{
    bool ok = true;

    if (v->state != XT_RUNNING)
        return true;
    v->dispatch.end_reason = reason;
    v->dispatch.next = who(m, step->next, &ok, error);
    v->dispatch.budget_left_ns = step->change.budget_left_ns;
    v->dispatch.flags |= step->flags & STEP_F_LEFT_NO_BURN ? XT_D_NO_BURN : 0;
    return ok;
}

bool timeline_change(struct machine *m, struct pstate *p, struct vstate *v, const struct step *step, GError **error)
{
    enum xt_state old_state = (enum xt_state)step->old_state, new_state = (enum xt_state)step->new_state;
    enum xt_reason reason = reason_of(p, step);
    bool inconsistent = false, migrated = false;

    if (m->conform && !conform_change(m, p, v, old_state, new_state, error))
        return false;
    if (!v->seen || v->state == XT_UNKNOWN) {
        v->seen = true;
        if (!recover(m, p, v, old_state, error) || !servers_known(m, v, error))
            return false;
    } else if (v->state != old_state) {
        inconsistent = true;
        if (!machine_doubt(m, error))
            return false;
    }
    if (!describe_end(m, v, step, reason, error) || !finish_piece(m, v, m->now, error))
        return false;
    begin_piece(v, new_state, reason, m->now, p->info->pcpu);
    known_add(m, v);
    if (new_state != XT_RUNNING)
        start_waiting(m, v, old_state, new_state, reason);
    else if (!describe_dispatch(m, p, v, step, &migrated, error))
        return false;
    struct xt_change change = {
        .vcpu = &v->id,
        .ts = m->now,
        .old_state = old_state,
        .new_state = new_state,
        .reason = reason,
        .no_burn = step->flags & STEP_F_LEFT_NO_BURN,
        .inconsistent = inconsistent,
        .migrated = migrated,
        .pcpu = p->info->pcpu,
    };
    if (!XT_EMIT(m, change, &change, error))
        return false;
    /* a window of this or another pCPU is open: what begins now is unknown at once, unless it runs here */
    if (m->open_gaps && (new_state != XT_RUNNING || m->run.core_scheduling))
        return cut(m, v, error);
    return true;
}

bool timeline_gap(struct machine *m, struct pstate *p, GError **error)
{
    for (uint32_t i = m->known->len; i-- > 0;) {
        struct vstate *v = g_ptr_array_index(m->known, i);
        if (v->state == XT_RUNNING && v->pcpu != p->info->pcpu && !m->run.core_scheduling)
            continue;
        if (!cut(m, v, error))
            return false;
    }
    return true;
}

bool timeline_end(struct machine *m, GError **error)
{
    for (uint32_t i = 0; i < m->vcpus->len; i++) {
        struct vstate *v = g_ptr_array_index(m->vcpus, i);
        if (!v->seen)
            continue;
        if (v->state == XT_RUNNING) {
            v->dispatch.end_reason = XT_REASON_NONE;
            v->dispatch.flags |= XT_D_OPEN_END;
        }
        if (!finish_piece(m, v, m->run.duration_ns, error) || !flush_pieces(m, v, true, error))
            return false;
    }
    return true;
}
