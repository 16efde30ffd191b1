#include "parse/server.h"

#include <string.h>

#include "parse/snapshot.h"

#define READY_TIMES 16
/* Xen's own lower bound; shorter reservations from outside are refused. */
#define MIN_REFERENCE_NS 10000
#define MAX_DEADLINE_NS (INT64_MAX / 4) /* beyond this a deadline is damage, and sums would overflow */

/* A finished piece of a VCPU's time. */
struct span {
    int64_t ts, end_ts;
    uint8_t state; /* enum xt_state */
    bool extra;    /* ran at a lower priority level */
};

/* Who held a pCPU from ts until the next occupancy begins. */
struct occupancy {
    int64_t ts;
    struct vstate *v; /* NULL: unknown */
    int64_t deadline; /* ts; INT64_MIN unknown */
    bool extra;       /* at a lower priority level */
};

/* A queue in an array whose front moves; elements before it are dropped in bulk. */
struct deque {
    GArray *items;
    guint front;
};

struct period {
    struct vstate *v;
    int64_t release, deadline; /* ts */
    int64_t period_ns, budget_ns;
    bool reference;
};

struct server {
    struct deque spans;   /* of struct span */
    int64_t longest;      /* period so far: how far back spans are needed */
    int64_t ready[READY_TIMES]; /* the last times that it became ready (blocked or offline -> runnable), a ring */
    unsigned n_ready;
    GArray *deferred;     /* of struct period: its state at their deadlines is not known yet */
    int64_t split_ts;     /* of the present piece, what lies before is in spans already */
    bool extra;           /* priority level above 0 */
    int64_t deadline;     /* ts of the present one, INT64_MIN unknown */
    bool have_deadline_now;
    int64_t last_deadline_now;
    bool reference;       /* judged by a reservation from outside: periods follow each other from ts 0 */
    int64_t period_ns, budget_ns; /* of that */
    bool affinity_known;
    struct xt_pcpu_set *usable; /* hard affinity within its pool, else where it ran so far */
};

struct servers {
    struct xt_learned learned;
    GArray *heap;             /* of struct period, by deadline: not yet judged */
    GHashTable *by_vcpu;      /* struct vstate -> struct server */
    struct deque *occupancy;  /* by slot, of struct occupancy */
    int64_t longest;          /* of all servers: how far back occupancies are needed */
    int64_t tolerance;
    GArray *parts;            /* of struct xt_blame_part, scratch */
};

static gpointer deque_at(const struct deque *q, guint i, gsize size)
{
    return q->items->data + (q->front + i) * size;
}

static guint deque_length(const struct deque *q)
{
    return q->items->len - q->front;
}

static void deque_pop(struct deque *q)
{
    q->front++;
    if (q->front >= 64 && q->front * 2 >= q->items->len) {
        g_array_remove_range(q->items, 0, q->front);
        q->front = 0;
    }
}

static bool earlier(const struct period *a, const struct period *b)
{
    if (a->deadline != b->deadline)
        return a->deadline < b->deadline;
    return a->v->id.index < b->v->id.index;
}

static void heap_push(GArray *heap, const struct period *period)
{
    g_array_append_val(heap, *period);
    struct period *p = (struct period *)(void *)heap->data;
    for (guint i = heap->len - 1; i && earlier(&p[i], &p[(i - 1) / 2]); i = (i - 1) / 2) {
        struct period swap = p[i];
        p[i] = p[(i - 1) / 2];
        p[(i - 1) / 2] = swap;
    }
}

static struct period heap_pop(GArray *heap)
{
    struct period *p = (struct period *)(void *)heap->data, top = p[0];
    guint n = heap->len - 1;

    p[0] = p[n];
    g_array_set_size(heap, n);
    for (guint i = 0, child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && earlier(&p[child + 1], &p[child]))
            child++;
        if (!earlier(&p[child], &p[i]))
            break;
        struct period swap = p[i];
        p[i] = p[child];
        p[child] = swap;
    }
    return top;
}

static void free_server(gpointer data)
{
    struct server *s = data;

    g_array_unref(s->spans.items);
    g_array_unref(s->deferred);
    g_free(s->usable);
    g_free(s);
}

/* The pCPUs that v may use by the host snapshot: its hard affinity within its pool. */
static bool snapshot_pcpus(const struct machine *m, const struct xt_host_vcpu *host, struct xt_pcpu_set *set)
{
    if (!host || !host->hard_affinity || host->affinity_changed || !xt_pcpu_set_parse(set, host->hard_affinity))
        return false;
    for (guint i = 0; host->cpupool && i < m->recording->cpupools->len; i++) {
        const struct xt_host_cpupool *pool = g_ptr_array_index(m->recording->cpupools, i);
        if (!pool->name || strcmp(pool->name, host->cpupool) || !pool->pcpus->len)
            continue;
        struct xt_pcpu_set *within = g_new0(struct xt_pcpu_set, 1);
        for (guint p = 0; p < pool->pcpus->len; p++) {
            int32_t pcpu = g_array_index(pool->pcpus, int32_t, p);
            if (pcpu >= 0 && (uint32_t)pcpu < XT_MAX_PCPUS)
                within->words[pcpu / 64] |= (uint64_t)1 << (pcpu % 64);
        }
        for (unsigned w = 0; w < G_N_ELEMENTS(set->words); w++)
            set->words[w] &= within->words[w];
        g_free(within);
    }
    return true;
}

static struct server *make_server(struct machine *m, struct vstate *v)
{
    struct server *s = g_new0(struct server, 1);
    const struct xt_host_vcpu *host =
        m->recording ? xt_recording_vcpu(m->recording, v->id.domid, v->id.vcpu) : NULL;

    s->spans.items = g_array_new(FALSE, FALSE, sizeof(struct span));
    s->deferred = g_array_new(FALSE, FALSE, sizeof(struct period));
    s->deadline = INT64_MIN;
    s->usable = g_new0(struct xt_pcpu_set, 1);
    s->affinity_known = snapshot_pcpus(m, host, s->usable);
    if (!s->affinity_known)
        memset(s->usable, 0, sizeof(*s->usable));
    g_hash_table_insert(m->servers->by_vcpu, v, s);
    v->server = s;
    return s;
}

struct servers *servers_new(struct machine *m, GError **error)
{
    struct servers *servers = g_new0(struct servers, 1);

    if (!xt_learn(&servers->learned, &m->run, m->survey, &m->clock, m->recording, error)) {
        xt_learned_clear(&servers->learned);
        g_free(servers);
        return NULL;
    }
    servers->heap = g_array_new(FALSE, FALSE, sizeof(struct period));
    servers->by_vcpu = g_hash_table_new_full(NULL, NULL, NULL, free_server);
    servers->parts = g_array_new(FALSE, FALSE, sizeof(struct xt_blame_part));
    servers->occupancy = g_new0(struct deque, m->run.n_pcpus + 1);
    for (uint32_t i = 0; i < m->run.n_pcpus; i++)
        servers->occupancy[i].items = g_array_new(FALSE, FALSE, sizeof(struct occupancy));
    servers->tolerance = m->options ? m->options->tolerance_ns : XT_DEFAULT_TOLERANCE_NS;
    return servers;
}

void servers_free(struct machine *m)
{
    struct servers *servers = m->servers;

    if (!servers)
        return;
    for (uint32_t i = 0; i < m->run.n_pcpus; i++)
        g_array_unref(servers->occupancy[i].items);
    g_free(servers->occupancy);
    g_array_unref(servers->heap);
    g_array_unref(servers->parts);
    g_hash_table_unref(servers->by_vcpu);
    xt_learned_clear(&servers->learned);
    g_free(servers);
    m->servers = NULL;
}

static void add_period(struct machine *m, struct server *s, struct period period)
{
    s->longest = MAX(s->longest, period.period_ns);
    m->servers->longest = MAX(m->servers->longest, period.period_ns);
    heap_push(m->servers->heap, &period);
}

void servers_vcpu(struct machine *m, struct vstate *v)
{
    const struct xt_host_vcpu *host =
        m->recording ? xt_recording_vcpu(m->recording, v->id.domid, v->id.vcpu) : NULL;
    int64_t longest = xt_learned_longest(&m->servers->learned, vcpu_key(v));

    if (longest >= 0) { /* a server of its own; a reservation from outside does not replace that */
        struct server *s = make_server(m, v);
        s->longest = MIN(longest, MAX_DEADLINE_NS);
        m->servers->longest = MAX(m->servers->longest, s->longest);
    } else if (!xt_vcpu_is_idle(&v->id) && host && host->ref_period_ns >= MIN_REFERENCE_NS && host->ref_budget_ns > 0 &&
               host->ref_period_ns <= MAX_DEADLINE_NS) {
        struct server *s = make_server(m, v);
        s->reference = true;
        s->period_ns = host->ref_period_ns;
        s->budget_ns = host->ref_budget_ns;
        add_period(m, s, (struct period){ v, 0, s->period_ns, s->period_ns, s->budget_ns, true });
    }
}

static void occupy(struct machine *m, uint32_t slot, struct vstate *v)
{
    struct servers *servers = m->servers;
    struct deque *q = &servers->occupancy[slot];
    const struct server *s = v ? v->server : NULL;
    struct occupancy now = {
        .ts = m->now,
        .v = v,
        .deadline = s ? s->deadline : INT64_MIN,
        .extra = s && s->extra,
    };

    g_array_append_val(q->items, now);
    /* the last one that began before the horizon still covers it */
    while (deque_length(q) > 1 &&
           ((struct occupancy *)deque_at(q, 1, sizeof(now)))->ts < m->now - 2 * servers->longest)
        deque_pop(q);
}

/* A deadline or level of v changed: if it runs, its occupancy goes on under the new one. */
static void reoccupy(struct machine *m, struct vstate *v)
{
    for (uint32_t slot = 0; v->state == XT_RUNNING && slot < m->run.n_pcpus; slot++)
        if (m->run.pcpus[slot].pcpu == v->pcpu)
            occupy(m, slot, v);
}

static void add_span(struct machine *m, struct server *s, enum xt_state state, int64_t ts, int64_t end_ts, bool extra)
{
    struct span span = { ts, end_ts, (uint8_t)state, extra };

    if (ts >= end_ts)
        return;
    g_array_append_val(s->spans.items, span);
    /* a period that begins at most its length ago may still be opened */
    while (deque_length(&s->spans) &&
           ((struct span *)deque_at(&s->spans, 0, sizeof(span)))->end_ts < m->now - 2 * s->longest)
        deque_pop(&s->spans);
}

void servers_piece(struct machine *m, struct vstate *v, enum xt_state state, int64_t ts, int64_t end_ts)
{
    struct server *s = v->server;

    if (s)
        add_span(m, s, state, MAX(ts, s->split_ts), end_ts, state == XT_RUNNING && s->extra);
}

void servers_level(struct machine *m, struct vstate *v, int64_t level)
{
    struct server *s = v->server;

    if (!s || s->extra == (level > 0))
        return;
    if (v->state == XT_RUNNING) {
        add_span(m, s, XT_RUNNING, MAX(v->since, s->split_ts), m->now, s->extra);
        s->split_ts = m->now;
    }
    s->extra = level > 0;
    reoccupy(m, v);
}

void servers_ready(struct machine *m, struct vstate *v)
{
    struct server *s = v->server;

    if (s)
        s->ready[s->n_ready++ % READY_TIMES] = m->now;
}

void servers_dispatched(struct machine *m, struct pstate *p, struct vstate *v)
{
    struct server *s = v->server;
    int32_t pcpu = p->info->pcpu;

    if (m->run.core_scheduling)
        return;
    occupy(m, (uint32_t)(p->info - m->run.pcpus), v);
    if (s && !s->affinity_known)
        s->usable->words[pcpu / 64] |= (uint64_t)1 << (pcpu % 64);
}

void servers_gap(struct machine *m, struct pstate *p)
{
    occupy(m, (uint32_t)(p->info - m->run.pcpus), NULL);
}

bool servers_replenished(struct machine *m, struct vstate *v, int64_t deadline_now_ns, int64_t budget_ns,
                         GError **error)
{
    struct servers *servers = m->servers;
    struct server *s = v->server;

    if (!s || s->reference || !servers->learned.have_offset || deadline_now_ns < 0 || deadline_now_ns > MAX_DEADLINE_NS)
        return true;
    if (s->have_deadline_now && deadline_now_ns <= s->last_deadline_now)
        return true; /* the same period again */
    const struct xt_reservation *r = xt_learned_find(&servers->learned, vcpu_key(v), deadline_now_ns);
    s->have_deadline_now = true;
    s->last_deadline_now = deadline_now_ns;
    s->deadline = deadline_now_ns - m->run.now_offset_ns;
    servers_level(m, v, 0);
    reoccupy(m, v);
    if (!r || r->period_ns <= 0)
        return true;
    struct period period = { v, s->deadline - r->period_ns, s->deadline, r->period_ns, budget_ns, false };
    add_period(m, s, period);
    return servers_advance(m, m->now, error);
}

/* What became of one period, from the spans inside it. */
struct verdict {
    int64_t run, extra, waited, ready_ts;
    bool covered, unknown, ready;
};

static void look_at(struct verdict *verdict, const struct period *period, const struct span *span)
{
    int64_t from = MAX(span->ts, MAX(period->release, 0)), to = MIN(span->end_ts, period->deadline);

    if (from >= to)
        return;
    verdict->unknown |= span->state == XT_UNKNOWN;
    verdict->covered = span->end_ts >= period->deadline;
    verdict->ready = span->state == XT_RUNNING || span->state == XT_RUNNABLE;
    if (span->state == XT_RUNNING) {
        verdict->run += to - from;
        verdict->extra += span->extra ? to - from : 0;
    } else if (span->state == XT_RUNNABLE) {
        verdict->waited += MAX(to - MAX(from, verdict->ready_ts), 0);
    }
}

/* The present piece of v as a span up to the deadline. */
static struct span present_span(const struct machine *m, const struct period *period)
{
    const struct vstate *v = period->v;
    const struct server *s = v->server;

    return (struct span){ MAX(v->since, s->split_ts), MIN(MAX(m->now, v->since), period->deadline), (uint8_t)v->state,
                          v->state == XT_RUNNING && s->extra };
}

static struct verdict judge(const struct machine *m, const struct period *period)
{
    const struct server *s = period->v->server;
    struct verdict verdict = { .ready_ts = MAX(period->release, 0) };

    for (unsigned i = 0; i < MIN(s->n_ready, READY_TIMES); i++)
        if (s->ready[i] < period->deadline)
            verdict.ready_ts = MAX(verdict.ready_ts, s->ready[i]);
    for (guint i = 0; i < deque_length(&s->spans); i++)
        look_at(&verdict, period, deque_at(&s->spans, i, sizeof(struct span)));
    struct span present = present_span(m, period);
    look_at(&verdict, period, &present);
    return verdict;
}

/* Blame. For each instant of waiting the pCPUs that v could have used are looked at: an idle one is the scheduler's
 * latency; else one with later-deadline work an inversion; else one of which nothing is known makes the cause unknown;
 * else all had earlier or equal deadlines: overload. */
static const enum xt_blame blame_order[XT_N_BLAMES] = { XT_BLAME_LATENCY, XT_BLAME_INVERSION, XT_BLAME_UNKNOWN,
                                                        XT_BLAME_OVERLOAD };

struct blame_step {
    int64_t ts;
    enum xt_blame from, to; /* XT_N_BLAMES: the pCPU was not looked at */
};

static int compare_steps(const void *a, const void *b)
{
    const struct blame_step *x = a, *y = b;

    return (x->ts > y->ts) - (x->ts < y->ts);
}

static void add_part(struct machine *m, enum xt_blame blame, int32_t pcpu, const struct vstate *v, int64_t dur_ns)
{
    GArray *parts = m->servers->parts;
    const struct xt_vcpu *id = v ? &v->id : NULL;

    for (guint i = 0; i < parts->len; i++) {
        struct xt_blame_part *part = &g_array_index(parts, struct xt_blame_part, i);
        if (part->blame == blame && part->pcpu == pcpu && part->vcpu == id) {
            part->dur_ns += dur_ns;
            return;
        }
    }
    struct xt_blame_part part = { blame, pcpu, id, dur_ns };
    g_array_append_val(parts, part);
}

static int64_t ran_between(const struct server *s, int64_t from, int64_t to)
{
    int64_t ran = 0;

    for (guint i = 0; i < deque_length(&s->spans); i++) {
        const struct span *span = deque_at(&s->spans, i, sizeof(*span));
        if (span->state == XT_RUNNING)
            ran += MAX(MIN(span->end_ts, to) - MAX(span->ts, from), 0);
    }
    return ran;
}

/* How far from ts on the running VCPU x keeps the class that *blame is set to, at most to end. */
static int64_t classify(const struct period *period, const struct occupancy *o, int64_t ts, int64_t end,
                        enum xt_blame *blame)
{
    const struct server *x = o->v ? o->v->server : NULL;

    if (!o->v) {
        *blame = XT_BLAME_UNKNOWN;
        return end;
    }
    if (xt_vcpu_is_idle(&o->v->id)) {
        *blame = XT_BLAME_LATENCY;
        return end;
    }
    if (period->reference) {
        *blame = XT_BLAME_INVERSION; /* no reservation, or beyond it */
        if (!x || !x->reference)
            return end;
        int64_t release = ts / x->period_ns * x->period_ns;
        int64_t left = x->budget_ns - ran_between(x, release, ts);
        int64_t until = MIN(end, release + x->period_ns);
        if (left <= 0)
            return until;
        if (release + x->period_ns <= period->deadline)
            *blame = XT_BLAME_OVERLOAD;
        return MIN(until, ts + left);
    }
    if (o->extra)
        *blame = XT_BLAME_INVERSION;
    else if (o->deadline == INT64_MIN)
        *blame = XT_BLAME_UNKNOWN;
    else
        *blame = o->deadline <= period->deadline ? XT_BLAME_OVERLOAD : XT_BLAME_INVERSION;
    return end;
}

/* The steps of one pCPU during [from, to). */
static void walk_pcpu(struct machine *m, const struct period *period, uint32_t slot, int64_t from, int64_t to,
                      GArray *steps)
{
    const struct deque *q = &m->servers->occupancy[slot];
    const struct occupancy nobody = { .ts = INT64_MIN, .deadline = INT64_MIN }, *o = &nobody;
    enum xt_blame before = XT_N_BLAMES;
    guint i = 0;

    for (int64_t ts = from; ts < to;) {
        while (i < deque_length(q) && ((const struct occupancy *)deque_at(q, i, sizeof(*o)))->ts <= ts)
            o = deque_at(q, i++, sizeof(*o));
        int64_t end = to;
        if (i < deque_length(q))
            end = MIN(to, ((const struct occupancy *)deque_at(q, i, sizeof(*o)))->ts);
        enum xt_blame blame;
        int64_t until = classify(period, o, ts, end, &blame);
        add_part(m, blame, m->run.pcpus[slot].pcpu, o->v, until - ts);
        if (blame != before) {
            struct blame_step step = { ts, before, blame };
            g_array_append_val(steps, step);
            before = blame;
        }
        ts = until;
    }
    struct blame_step last = { to, before, XT_N_BLAMES };
    g_array_append_val(steps, last);
}

static void blame_wait(struct machine *m, const struct period *period, int64_t from, int64_t to,
                       int64_t blame_ns[XT_N_BLAMES])
{
    const struct server *s = period->v->server;
    GArray *steps = g_array_new(FALSE, FALSE, sizeof(struct blame_step));
    unsigned present[XT_N_BLAMES + 1] = { 0 };
    bool any = false;

    for (uint32_t slot = 0; slot < m->run.n_pcpus; slot++)
        any |= xt_pcpu_set_has(s->usable, m->run.pcpus[slot].pcpu);
    for (uint32_t slot = 0; slot < m->run.n_pcpus; slot++)
        if (!any || xt_pcpu_set_has(s->usable, m->run.pcpus[slot].pcpu))
            walk_pcpu(m, period, slot, from, to, steps);
    g_array_sort(steps, compare_steps);
    int64_t ts = from;
    for (guint i = 0; i < steps->len; i++) {
        const struct blame_step *step = &g_array_index(steps, struct blame_step, i);
        for (unsigned b = 0; step->ts > ts && b < XT_N_BLAMES; b++) {
            if (!present[blame_order[b]])
                continue;
            blame_ns[blame_order[b]] += step->ts - ts;
            break;
        }
        ts = step->ts;
        if (step->from != XT_N_BLAMES)
            present[step->from]--;
        if (step->to != XT_N_BLAMES)
            present[step->to]++;
    }
    g_array_unref(steps);
}

static void blame_span(struct machine *m, const struct period *period, const struct verdict *verdict,
                       const struct span *span, int64_t blame_ns[XT_N_BLAMES])
{
    int64_t from = MAX(span->ts, verdict->ready_ts), to = MIN(span->end_ts, period->deadline);

    if (span->state == XT_RUNNABLE && from < to)
        blame_wait(m, period, from, to, blame_ns);
}

static void find_blame(struct machine *m, const struct period *period, const struct verdict *verdict,
                       int64_t blame_ns[XT_N_BLAMES])
{
    const struct server *s = period->v->server;

    for (guint i = 0; i < deque_length(&s->spans); i++)
        blame_span(m, period, verdict, deque_at(&s->spans, i, sizeof(struct span)), blame_ns);
    struct span present = present_span(m, period);
    blame_span(m, period, verdict, &present, blame_ns);
}

static bool hand_out(struct machine *m, const struct period *period, bool complete, GError **error)
{
    struct verdict verdict = judge(m, period);
    struct xt_period out = {
        .vcpu = &period->v->id,
        .release = period->release,
        .deadline = period->deadline,
        .period_ns = period->period_ns,
        .budget_ns = period->budget_ns,
        .supplied_ns = verdict.run - verdict.extra,
        .extratime_ns = verdict.extra,
        .ready_ts = verdict.ready ? verdict.ready_ts : -1,
        .reference = period->reference,
        .judged = complete && verdict.covered && !verdict.unknown && period->deadline >= 0,
    };

    if (verdict.ready)
        out.short_ns = MAX(MIN(period->budget_ns - verdict.run, verdict.waited), 0);
    out.missed = out.judged && out.short_ns > m->servers->tolerance;
    g_array_set_size(m->servers->parts, 0);
    if (out.missed)
        find_blame(m, period, &verdict, out.blame_ns);
    out.n_parts = m->servers->parts->len;
    out.parts = (const struct xt_blame_part *)(const void *)m->servers->parts->data;
    return XT_EMIT(m, period, &out, error);
}

static void next_reference(struct machine *m, const struct period *period)
{
    struct period next = *period;

    next.release = period->deadline;
    next.deadline += next.period_ns;
    if (next.deadline <= m->run.duration_ns)
        heap_push(m->servers->heap, &next);
}

bool servers_advance(struct machine *m, int64_t now, GError **error)
{
    GArray *heap = m->servers->heap;

    while (heap->len && g_array_index(heap, struct period, 0).deadline <= now) {
        struct period period = heap_pop(heap);
        if (period.reference)
            next_reference(m, &period);
        /* its next change record may still tell, backward */
        if (period.v->state == XT_UNKNOWN)
            g_array_append_val(period.v->server->deferred, period);
        else if (!hand_out(m, &period, true, error))
            return false;
    }
    return true;
}

bool servers_known(struct machine *m, struct vstate *v, GError **error)
{
    struct server *s = v->server;

    for (guint i = 0; s && i < s->deferred->len; i++)
        if (!hand_out(m, &g_array_index(s->deferred, struct period, i), true, error))
            return false;
    if (s)
        g_array_set_size(s->deferred, 0);
    return true;
}

bool servers_end(struct machine *m, GError **error)
{
    for (guint i = 0; i < m->vcpus->len; i++)
        if (!servers_known(m, g_ptr_array_index(m->vcpus, i), error))
            return false;
    while (m->servers->heap->len) {
        struct period period = heap_pop(m->servers->heap);
        if (!period.reference && !hand_out(m, &period, false, error))
            return false;
    }
    return true;
}
