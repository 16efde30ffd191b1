/* Server periods: what was promised, what was supplied, and whether that was a miss. */
#include "ledger-internal.h"

#include "options.h"

void sy_period_open(struct sy_sim *sim, struct sy_ledger_vcpu *l, int64_t to_sys, int64_t length)
{
    int64_t off = sy_ledger_ts(sim, sy_at_now(sim, to_sys));
    l->period = (struct period){.to_sys = to_sys, .length = length, .to = off, .from = off - length};
    if (l->early_deadline != to_sys)
        return;
    l->period.replenished = true;
    l->period.budget = l->early_budget;
}

void sy_period_close(struct sy_sim *sim, struct sy_vcpu *v, enum sy_state state, bool judged)
{
    struct sy_ledger_vcpu *l = v->led;
    struct period *p = &l->period;

    if (!p->replenished)
        return;
    l->periods++;
    judged = judged && !p->unknown && p->to >= 0;
    bool ready = state == SY_RUNNING || state == SY_RUNNABLE;
    int64_t short_by = MIN(p->budget - p->ran - p->extra, p->waited);
    bool missed = judged && ready && short_by > sim->opt->tolerance_ns;
    l->periods_judged += judged;
    l->period_misses += missed;
    FILE *f = sim->ledger->periods;
    if (f)
        fprintf(f,
                "%u,%u,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
                ",%d,%s,%" PRId64 "\n",
                v->domid, v->id, p->to_sys - p->length, p->to_sys, p->from, p->to, p->budget, p->ran,
                p->extra, judged, judged ? (missed ? "1" : "0") : "", ready ? short_by : 0);
}

static void period_add(struct sy_ledger_vcpu *l, int64_t span, enum sy_state state)
{
    struct period *p = &l->period;

    if (span <= 0)
        return;
    if (state == SY_RUNNING && l->level == 0)
        p->ran += span;
    else if (state == SY_RUNNING)
        p->extra += span;
    else if (state == SY_RUNNABLE)
        p->waited += span;
    else if (state == SY_UNKNOWN)
        p->unknown = true;
}

static void fill(struct sy_sim *sim, struct sy_vcpu *v, int64_t to, enum sy_state state)
{
    struct sy_ledger_vcpu *l = v->led;
    struct period *p = &l->period;

    while (p->length && to >= p->to) {
        int64_t end = p->to;
        period_add(l, end - l->acc, state);
        sy_period_close(sim, v, state, end <= sim->ledger->end_ts);
        sy_period_open(sim, l, p->to_sys + l->period_ns, l->period_ns);
        l->acc = MAX(l->acc, end);
    }
    period_add(l, to - l->acc, state);
    l->acc = MAX(l->acc, to);
}

static void apply(struct sy_sim *sim, struct sy_vcpu *v, const struct mark *m, enum sy_state state)
{
    struct sy_ledger_vcpu *l = v->led;
    struct period *p = &l->period;

    l->level = m->level;
    if (!m->replenish)
        return;
    l->period_ns = m->period;
    if (p->length && m->deadline - m->period >= p->to_sys) {
        l->early_deadline = m->deadline;
        l->early_budget = m->budget;
        return;
    }
    if (p->to_sys !=
        m->deadline) { /* a new grid: parameters changed, or a server whose periods follow activations */
        sy_period_close(sim, v, state, false);
        struct period was = *p;
        sy_period_open(sim, l, m->deadline, m->period);
        if (m->deadline - m->period == was.to_sys - was.length) { /* only longer or shorter */
            p->unknown = was.unknown;
            p->ran = was.ran;
            p->extra = was.extra;
            p->waited = was.waited;
        }
    }
    p->replenished = true;
    p->budget = m->budget;
}

/* The state from l->acc to `to` is known now. */
void sy_period_known(struct sy_sim *sim, struct sy_vcpu *v, int64_t to, enum sy_state state)
{
    struct sy_ledger_vcpu *l = v->led;
    unsigned i = 0;

    if (v->is_idle)
        return;
    for (; i < l->marks->len; i++) {
        const struct mark *m = &g_array_index(l->marks, struct mark, i);
        if (m->ts > to)
            break;
        fill(sim, v, m->ts, state);
        apply(sim, v, m, state);
    }
    if (i)
        g_array_remove_range(l->marks, 0, i);
    fill(sim, v, to, state);
}
