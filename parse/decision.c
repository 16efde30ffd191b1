/* Scheduling decisions of each pCPU: when they begin and end, what they say of who leaves and who comes. */
#include "parse/conform.h"
#include "parse/machine.h"
#include "parse/server.h"

/* With no schedule record the first of its other records begins a decision, unless that record may merely be the first
 * that was not lost, or not cut off by the start of the trace. */
static void begin(struct machine *m, struct pstate *p, enum xt_scheduler scheduler, bool announced)
{
    const struct xt_pcpu_survey *survey = &m->survey->pcpus[p->info - m->run.pcpus];
    bool cut = p->lost_since_decision || (!p->decided && survey->schedule_records);

    p->decision = (struct decision){
        .open = true,
        .start_known = announced || !cut,
        .scheduler = scheduler,
        .ts = m->now,
        .slice_ns = -1,
        .budget_ns = -1,
    };
}

static void ensure_begun(struct machine *m, struct pstate *p, enum xt_scheduler scheduler)
{
    if (!p->decision.open)
        begin(m, p, scheduler, false);
    if (p->decision.scheduler == XT_SCHED_UNKNOWN)
        p->decision.scheduler = scheduler;
}

static enum xt_scheduler scheduler_of(const struct pstate *p, const struct decision *d)
{
    return d->scheduler ? d->scheduler : p->info->scheduler;
}

/* RTDS burns the budget of whoever runs at the start of every decision, except when time seems to have stepped back. */
static bool lacks_burn(const struct pstate *p, const struct decision *d, const struct vstate *v)
{
    return scheduler_of(p, d) == XT_SCHED_RTDS && v && !xt_vcpu_is_idle(&v->id) &&
           !(d->open && d->burnt && d->burnt_vcpu == vcpu_key(v));
}

static int64_t sample(const struct machine *m, const struct decision *d)
{
    return d->open && d->start_known && !m->run.core_scheduling ? m->now - d->ts : -1;
}

/* A slice that was armed when the last decision began has run out when this one begins. */
static bool slice_over(const struct pstate *p, const struct decision *d)
{
    return d->open && p->slice_end >= 0 && d->ts >= p->slice_end;
}

static void close_decision(struct pstate *p)
{
    const struct decision *d = &p->decision;

    p->slice_end = d->open && d->slice_ns > 0 && !d->ratelimited ? d->ts + d->slice_ns : -1;
    p->decision.open = false;
    p->lost_since_decision = false;
    p->decided = true;
}

/* A switch whose change to running never came. */
static bool flush_switch(struct machine *m, struct pstate *p, GError **error)
{
    if (!p->switching)
        return true;
    p->switching = false;
    struct xt_decision out = {
        .pcpu = p->info->pcpu,
        .ts = p->switch_decision_ns >= 0 ? p->switch_ts - p->switch_decision_ns : p->switch_ts,
        .dur_ns = p->switch_decision_ns,
        .is_switch = true,
        .no_burn = p->switch_no_burn,
        .tickled = p->switch_decision.tickled,
        .prev = &p->switch_prev->id,
        .next = &p->switch_next->id,
    };
    return XT_EMIT(m, decision, &out, error);
}

static bool switched(struct machine *m, struct pstate *p, const int64_t *slots, GError **error)
{
    struct vstate *prev = machine_vcpu(m, (uint32_t)slots[XT_SLOT_DOMID], (uint32_t)slots[XT_SLOT_VCPU], error);
    struct vstate *next = prev ? machine_vcpu(m, (uint32_t)slots[XT_SLOT_NEXT_DOMID],
                                              (uint32_t)slots[XT_SLOT_NEXT_VCPU], error) : NULL;

    if (!next || !flush_switch(m, p, error) || (m->conform && !conform_decision(m, p, error)))
        return false;
    p->switching = true;
    p->switch_decision = p->decision;
    p->switch_prev = prev;
    p->switch_next = next;
    p->switch_ts = m->now;
    p->switch_decision_ns = sample(m, &p->decision);
    p->switch_yielded = p->yielded == vcpu_key(prev);
    p->switch_aborted = p->blocking == vcpu_key(prev);
    p->switch_slice_over = slice_over(p, &p->decision);
    p->switch_no_burn = lacks_burn(p, &p->decision, prev);
    p->yielded = p->blocking = XT_NOBODY;
    close_decision(p);
    return true;
}

static bool continued(struct machine *m, struct pstate *p, const int64_t *slots, GError **error)
{
    struct vstate *v = machine_vcpu(m, (uint32_t)slots[XT_SLOT_DOMID], (uint32_t)slots[XT_SLOT_VCPU], error);

    if (!v || !flush_switch(m, p, error))
        return false;
    if (m->conform && !conform_decision(m, p, error)) /* no schedule record before 4.8 */
        return false;
    struct xt_decision out = {
        .pcpu = p->info->pcpu,
        .dur_ns = sample(m, &p->decision),
        .no_burn = lacks_burn(p, &p->decision, v),
        .tickled = p->decision.open && p->decision.tickled,
        .prev = &v->id,
        .next = &v->id,
    };
    out.ts = out.dur_ns >= 0 ? p->decision.ts : m->now;
    p->blocking = XT_NOBODY; /* a yield stays: it applies to the VCPU's next switch */
    close_decision(p);
    return XT_EMIT(m, decision, &out, error);
}

static bool burnt(struct machine *m, struct pstate *p, const int64_t *slots, GError **error)
{
    struct vstate *v = machine_vcpu(m, (uint32_t)slots[XT_SLOT_DOMID], (uint32_t)slots[XT_SLOT_VCPU], error);
    struct decision *d = &p->decision;

    if (!v || (m->conform && !conform_burn(m, v, slots[XT_SLOT_BUDGET], slots[XT_SLOT_DELTA], slots[XT_SLOT_LEVEL], error)))
        return false;
    d->burnt = true;
    d->burnt_vcpu = vcpu_key(v);
    d->budget_ns = slots[XT_SLOT_BUDGET];
    d->raised = v->level >= 0 && slots[XT_SLOT_LEVEL] > v->level;
    v->level = slots[XT_SLOT_LEVEL];
    servers_level(m, v, v->level);
    return true;
}

static bool picked(struct machine *m, const int64_t *slots, GError **error)
{
    struct vstate *v = machine_vcpu(m, (uint32_t)slots[XT_SLOT_DOMID], (uint32_t)slots[XT_SLOT_VCPU], error);

    if (v && m->conform)
        conform_pick(m, v, slots[XT_SLOT_BUDGET]);
    return v != NULL;
}

bool decision_record(struct machine *m, struct pstate *p, const struct xt_layout *layout, const int64_t *slots,
                     GError **error)
{
    uint32_t key = (uint32_t)slots[XT_SLOT_DOMID] << 16 | (uint32_t)(slots[XT_SLOT_VCPU] & 0xffff);

    switch (layout->kind) {
    case XT_EV_SCHEDULE:
        if (!flush_switch(m, p, error) || (m->conform && !conform_decision(m, p, error)))
            return false;
        begin(m, p, layout->scheduler, true);
        p->decision.tickled = slots[XT_SLOT_TICKLED] != 0;
        return true;
    case XT_EV_YIELD:
        p->yielded = key;
        return true;
    case XT_EV_BLOCK:
        p->blocking = key;
        return true;
    case XT_EV_BURN:
        ensure_begun(m, p, layout->scheduler);
        return burnt(m, p, slots, error);
    case XT_EV_PICK:
        ensure_begun(m, p, layout->scheduler);
        return layout->scheduler != XT_SCHED_RTDS || layout->max_words == 0 || picked(m, slots, error);
    case XT_EV_TASKLET:
        ensure_begun(m, p, layout->scheduler);
        p->decision.tasklet = true;
        return true;
    case XT_EV_RATELIMIT:
        p->decision.ratelimited = true;
        return true;
    case XT_EV_INFPREV:
        ensure_begun(m, p, XT_SCHED_UNKNOWN);
        return true;
    case XT_EV_INFNEXT:
        p->decision.slice_ns = slots[XT_SLOT_SLICE];
        return true;
    case XT_EV_INFCONT:
        ensure_begun(m, p, XT_SCHED_UNKNOWN);
        p->decision.slice_ns = slots[XT_SLOT_SLICE];
        return m->survey->has_continue || continued(m, p, slots, error);
    case XT_EV_CONTINUE:
        return continued(m, p, slots, error);
    case XT_EV_SWITCH:
        return switched(m, p, slots, error);
    default:
        return true;
    }
}

enum xt_reason decision_reason(struct machine *m, struct pstate *p, const struct vstate *v, bool *no_burn,
                               int64_t *budget_ns)
{
    bool is_switch = p->switching && p->switch_prev == v;
    const struct decision *d = is_switch ? &p->switch_decision : &p->decision;
    bool burnt_here = d->open && d->burnt && d->burnt_vcpu == vcpu_key(v);
    bool yielded = is_switch ? p->switch_yielded : p->yielded == vcpu_key(v);
    enum xt_scheduler scheduler = d->open ? scheduler_of(p, d) : p->info->scheduler;

    *no_burn = false;
    *budget_ns = burnt_here ? d->budget_ns : -1;
    if (xt_vcpu_is_idle(&v->id))
        return XT_REASON_NONE;
    if (yielded)
        return XT_REASON_YIELDED;
    if (burnt_here && d->budget_ns == 0)
        return XT_REASON_DEPLETED;
    *no_burn = scheduler == XT_SCHED_RTDS && !burnt_here;
    if (burnt_here && d->raised)
        return XT_REASON_EXTRATIME;
    if (d->open && d->tasklet)
        return XT_REASON_TASKLET;
    if (is_switch ? p->switch_aborted : p->blocking == vcpu_key(v))
        return XT_REASON_BLOCK_ABORT;
    if ((scheduler == XT_SCHED_CREDIT || scheduler == XT_SCHED_CREDIT2) &&
        (is_switch ? p->switch_slice_over : slice_over(p, d)))
        return XT_REASON_TIMESLICE;
    return XT_REASON_PREEMPTED;
}

void decision_dispatched(struct machine *m, struct pstate *p, const struct vstate *v, struct xt_dispatch *dispatch)
{
    dispatch->decision_ts = dispatch->decision_ns = dispatch->switch_ns = -1;
    dispatch->prev = NULL;
    if (!p->switching || p->switch_next != v || m->run.core_scheduling)
        return;
    p->switching = false;
    dispatch->prev = &p->switch_prev->id;
    dispatch->decision_ns = p->switch_decision_ns;
    dispatch->decision_ts = p->switch_decision_ns >= 0 ? p->switch_ts - p->switch_decision_ns : -1;
    dispatch->switch_ns = m->now - p->switch_ts;
    if (p->switch_no_burn)
        dispatch->flags |= XT_D_DECISION_NO_BURN;
    if (p->switch_decision.tickled)
        dispatch->flags |= XT_D_TICKLED;
}

const struct xt_vcpu *decision_next(const struct pstate *p, const struct vstate *v)
{
    return p->switching && p->switch_prev == v ? &p->switch_next->id : NULL;
}

bool decision_gap(struct machine *m, struct pstate *p, GError **error)
{
    p->decision.open = false;
    p->lost_since_decision = true;
    p->yielded = p->blocking = XT_NOBODY;
    p->slice_end = -1;
    return flush_switch(m, p, error);
}

bool decision_end(struct machine *m, struct pstate *p, GError **error)
{
    return flush_switch(m, p, error);
}
