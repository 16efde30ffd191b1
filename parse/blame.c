/* Who held the pCPUs that a VCPU could have used while it waited. */
#include "parse/server-private.h"

#include <stdlib.h>

/* Replenishments, which raise the deadline and end extratime, come at deadlines; any pCPU can have lost one. Levels go
 * down where the VCPU runs. */
static int64_t doubt_ts(const struct machine *m, const struct vstate *v)
{
    const struct server *s = v->server;

    if (v->level < 0 && !s->extra && m->survey->has_extratime)
        return m->now;
    return m->open_gaps || m->last_gap_end >= s->told_ts ? MAX(m->now, s->deadline) : INT64_MAX;
}

/* The ring is full: what nobody can ask for any more goes, and the oldest if all pCPUs together keep too many. */
static void forget_occupancies(struct machine *m, struct deque *q)
{
    struct servers *servers = m->servers;

    /* the last one that began before the horizon still covers it */
    while (q->length > 1 && deque_at(q, struct occupancy, 1)->ts < m->now - 2 * servers->longest - LATE_NS)
        deque_pop(q);
    deque_keep_within(q, &servers->more_occupancies, MAX_OCCUPANCIES);
}

void blame_occupy(struct machine *m, uint32_t slot, struct vstate *v)
{
    struct deque *q = &m->servers->occupancy[slot];
    const struct server *s = v ? v->server : NULL;
    struct occupancy now = {
        .ts = m->now,
        .v = v,
        .deadline = s ? s->deadline : INT64_MIN,
        .extra = s && s->extra,
        .doubt_ts = s ? doubt_ts(m, v) : INT64_MAX,
    };

    if (G_UNLIKELY(q->length == q->room))
        forget_occupancies(m, q);
    *deque_push(q, struct occupancy) = now;
}

void blame_reoccupy(struct machine *m, struct vstate *v)
{
    for (uint32_t slot = 0; m->servers->blame && v->state == XT_RUNNING && slot < m->run.n_pcpus; slot++)
        if (m->run.pcpus[slot].pcpu == v->pcpu)
            blame_occupy(m, slot, v);
}

void blame_gap(struct machine *m, uint32_t slot)
{
    for (uint32_t i = 0; i < m->run.n_pcpus; i++) {
        struct deque *q = &m->servers->occupancy[i];
        if (!q->length || i == slot)
            continue;
        struct occupancy *o = deque_at(q, struct occupancy, q->length - 1);
        o->doubt_ts = MIN(o->doubt_ts, MAX(m->now, o->deadline));
    }
    blame_occupy(m, slot, NULL);
}

static int64_t ran_between(const struct server *s, int64_t from, int64_t to)
{
    int64_t ran = 0;

    for (guint i = server_first_span(s, from); i < s->spans.length; i++) {
        const struct span *span = deque_at(&s->spans, struct span, i);
        if (span->state == XT_RUNNING)
            ran += MAX(MIN(span->end_ts, to) - MAX(span->ts, from), 0);
    }
    return ran;
}

/* Reservations from outside: work within one counts by its deadline, all other is later than any. Returns how far the
 * answer holds, at most to end. */
static int64_t classify_reference(const struct rank *rank, const struct server *x, int64_t ts, int64_t end,
                                  enum xt_blame *blame)
{
    *blame = XT_BLAME_INVERSION;
    if (!x || !x->reference)
        return end;
    int64_t release = ts / x->period_ns * x->period_ns, deadline = release + x->period_ns;
    int64_t left = x->budget_ns - ran_between(x, release, ts);
    if (left <= 0)
        return MIN(end, deadline);
    if (deadline <= rank->deadline)
        *blame = XT_BLAME_OVERLOAD;
    return MIN(MIN(end, deadline), ts + left);
}

/* Who has a later deadline, or a longer period, goes after rank->v even if it was replenished meanwhile. */
static bool ranks_later(const struct machine *m, const struct rank *rank, const struct occupancy *o)
{
    if (m->options && m->options->deadline_monotonic)
        return o->v->server->period_ns > rank->period_ns;
    return o->deadline > rank->deadline;
}

/* What it means for rank->v that o holds a pCPU at ts. Returns how far the answer holds, at most to end. */
static int64_t classify(const struct machine *m, const struct rank *rank, const struct occupancy *o, int64_t ts,
                        int64_t end, enum xt_blame *blame)
{
    const struct server *x = o->v ? o->v->server : NULL;

    if (!o->v) {
        *blame = XT_BLAME_UNKNOWN;
    } else if (xt_vcpu_is_idle(&o->v->id)) {
        *blame = XT_BLAME_LATENCY;
    } else if (rank->reference) {
        return classify_reference(rank, x, ts, end, blame);
    } else if (o->deadline != INT64_MIN && ranks_later(m, rank, o)) {
        *blame = XT_BLAME_INVERSION;
    } else if (ts >= o->doubt_ts || (o->deadline == INT64_MIN && !o->extra)) {
        *blame = XT_BLAME_UNKNOWN;
    } else {
        *blame = o->extra ? XT_BLAME_INVERSION : XT_BLAME_OVERLOAD;
        return MIN(end, o->doubt_ts);
    }
    return end;
}

/* Number of the last occupancy that begins at or before ts; 0 if there is none. */
static guint last_occupancy(const struct deque *q, int64_t ts)
{
    guint i = q->length;

    while (i && deque_at(q, struct occupancy, i - 1)->ts > ts)
        i--;
    return i ? i - 1 : 0;
}

static void collect_pcpu(struct machine *m, const struct rank *rank, uint32_t slot, int64_t from, int64_t to)
{
    const struct deque *q = &m->servers->occupancy[slot];
    const struct occupancy nobody = { .ts = INT64_MIN, .deadline = INT64_MIN }, *o = &nobody;
    guint i = last_occupancy(q, from), n = q->length;

    for (int64_t ts = from; ts < to;) {
        while (i < n && deque_at(q, struct occupancy, i)->ts <= ts)
            o = deque_at(q, struct occupancy, i++);
        struct held held = { .ts = ts, .end_ts = to, .pcpu = m->run.pcpus[slot].pcpu, .by = o->v };
        if (i < n)
            held.end_ts = MIN(to, deque_at(q, struct occupancy, i)->ts);
        held.end_ts = classify(m, rank, o, ts, held.end_ts, &held.blame);
        g_array_append_val(m->servers->held, held);
        ts = held.end_ts;
    }
}

void blame_collect(struct machine *m, const struct rank *rank, int64_t from, int64_t to)
{
    const struct xt_pcpu_set *usable = rank->v->server->usable;
    bool any = false;

    g_array_set_size(m->servers->held, 0);
    for (uint32_t slot = 0; slot < m->run.n_pcpus; slot++)
        any |= xt_pcpu_set_has(usable, m->run.pcpus[slot].pcpu);
    for (uint32_t slot = 0; slot < m->run.n_pcpus; slot++)
        if (!any || xt_pcpu_set_has(usable, m->run.pcpus[slot].pcpu))
            collect_pcpu(m, rank, slot, from, to);
}

static void add_part(GArray *parts, const struct held *held)
{
    const struct xt_vcpu *id = held->by ? &held->by->id : NULL;
    int64_t dur_ns = held->end_ts - held->ts;

    for (guint i = 0; i < parts->len; i++) {
        struct xt_blame_part *part = &g_array_index(parts, struct xt_blame_part, i);
        if (part->blame == held->blame && part->pcpu == held->pcpu && part->vcpu == id) {
            part->dur_ns += dur_ns;
            return;
        }
    }
    struct xt_blame_part part = { held->blame, held->pcpu, id, dur_ns };
    g_array_append_val(parts, part);
}

/* At an instant where pCPUs differ, the first of these that one of them shows is the cause: an idle pCPU is the
 * scheduler's latency; else later work an inversion; else a pCPU of which nothing is known makes it unknown; else all
 * had earlier or equal deadlines: overload. */
static const enum xt_blame blame_order[XT_N_BLAMES] = { XT_BLAME_LATENCY, XT_BLAME_INVERSION, XT_BLAME_UNKNOWN,
                                                        XT_BLAME_OVERLOAD };

struct edge {
    int64_t ts;
    enum xt_blame blame;
    int change; /* +1: a pCPU begins to show it, -1 ends */
};

static int compare_edges(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;

    return (x->ts > y->ts) - (x->ts < y->ts);
}

void blame_wait(struct machine *m, const struct rank *rank, int64_t from, int64_t to, int64_t blame_ns[XT_N_BLAMES])
{
    int present[XT_N_BLAMES] = { 0 };
    int64_t ts = from;

    blame_collect(m, rank, from, to);
    guint n = m->servers->held->len;
    struct edge *edges = g_new(struct edge, 2 * n + 1);
    for (guint i = 0; i < n; i++) {
        const struct held *held = &g_array_index(m->servers->held, struct held, i);
        edges[2 * i] = (struct edge){ held->ts, held->blame, 1 };
        edges[2 * i + 1] = (struct edge){ held->end_ts, held->blame, -1 };
        add_part(m->servers->parts, held);
    }
    qsort(edges, 2 * n, sizeof(*edges), compare_edges);
    for (guint i = 0; i < 2 * n; i++) {
        for (unsigned b = 0; edges[i].ts > ts && b < XT_N_BLAMES; b++) {
            if (!present[blame_order[b]])
                continue;
            blame_ns[blame_order[b]] += edges[i].ts - ts;
            break;
        }
        ts = edges[i].ts;
        present[edges[i].blame] += edges[i].change;
    }
    g_free(edges);
}
