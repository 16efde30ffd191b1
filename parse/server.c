#include "parse/server-private.h"

#include <string.h>

guint server_first_span(const struct server *s, int64_t ts)
{
    guint i = s->spans.length;

    while (i && deque_at(&s->spans, struct span, i - 1)->end_ts > ts)
        i--;
    return i;
}

static void free_server(struct server *s)
{
    if (!s)
        return;
    deque_clear(&s->spans);
    deque_clear(&s->open);
    deque_clear(&s->deferred);
    g_free(s->usable);
    g_free(s);
}

bool server_snapshot_pcpus(const struct machine *m, const struct xt_host_vcpu *host, struct xt_pcpu_set *set)
{
    if (!host || !host->hard_affinity || host->affinity_changed || host->affinity_late ||
        !xt_pcpu_set_parse(set, host->hard_affinity))
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

    s->deadline = INT64_MIN;
    s->usable = g_new0(struct xt_pcpu_set, 1);
    s->affinity_known = server_snapshot_pcpus(m, host, s->usable);
    if (!s->affinity_known)
        memset(s->usable, 0, sizeof(*s->usable));
    v->server = s;
    return s;
}

static bool has_reference(const struct xt_host_vcpu *host)
{
    return host && host->ref_period_ns >= MIN_REFERENCE_NS && host->ref_budget_ns > 0 &&
           host->ref_period_ns <= MAX_DEADLINE_NS;
}

static bool any_reference(const struct xt_recording *recording)
{
    for (guint i = 0; recording && i < recording->vcpus->len; i++)
        if (has_reference(g_ptr_array_index(recording->vcpus, i)))
            return true;
    return false;
}

struct servers *servers_new(struct machine *m, GError **error)
{
    struct servers *servers = g_new0(struct servers, 1);

    if (!xt_learn(&servers->learned, &m->run, m->survey, &m->clock, m->recording, error)) {
        xt_learned_clear(&servers->learned);
        g_free(servers);
        return NULL;
    }
    servers->blame = m->blame && (servers->learned.servers.n || any_reference(m->recording));
    servers->parts = g_array_new(FALSE, FALSE, sizeof(struct xt_blame_part));
    servers->held = g_array_new(FALSE, FALSE, sizeof(struct held));
    servers->occupancy = g_new0(struct deque, m->run.n_pcpus + 1);
    servers->tolerance = m->options ? m->options->tolerance_ns : XT_DEFAULT_TOLERANCE_NS;
    return servers;
}

void servers_free(struct machine *m)
{
    struct servers *servers = m->servers;

    if (!servers)
        return;
    for (uint32_t i = 0; i < m->run.n_pcpus; i++)
        deque_clear(&servers->occupancy[i]);
    g_free(servers->occupancy);
    heap_clear(&servers->open);
    g_array_unref(servers->parts);
    g_array_unref(servers->held);
    for (guint i = 0; i < m->vcpus->len; i++)
        free_server(((struct vstate *)g_ptr_array_index(m->vcpus, i))->server);
    xt_learned_clear(&servers->learned);
    g_free(servers);
    m->servers = NULL;
}

/* Deadlines in the order of unsigned numbers. */
static uint64_t deadline_key(int64_t deadline)
{
    return (uint64_t)deadline ^ (uint64_t)1 << 63;
}

static void note_next(struct machine *m)
{
    const struct heap *open = &m->servers->open;

    m->next_deadline = open->n ? (int64_t)(open->keys[0].at ^ (uint64_t)1 << 63) : INT64_MAX;
}

/* Deadlines of a server come in ascending order. */
static void add_period(struct machine *m, struct vstate *v, const struct period *period)
{
    struct server *s = v->server;

    s->longest = MAX(s->longest, period->period_ns);
    m->servers->longest = MAX(m->servers->longest, period->period_ns);
    *deque_push(&s->open, struct period) = *period;
    heap_push(&m->servers->open, deadline_key(period->deadline), v->id.index);
    note_next(m);
}

/* Takes the period with the earliest deadline. */
static struct period take_period(struct machine *m, struct vstate **v)
{
    *v = g_ptr_array_index(m->vcpus, m->servers->open.keys[0].who);
    struct period period = *deque_at(&(*v)->server->open, struct period, 0);

    deque_pop(&(*v)->server->open);
    heap_remove(&m->servers->open);
    note_next(m);
    return period;
}

void servers_vcpu(struct machine *m, struct vstate *v)
{
    const struct xt_host_vcpu *host =
        m->recording ? xt_recording_vcpu(m->recording, v->id.domid, v->id.vcpu) : NULL;
    const GArray *reservations = xt_learned_of(&m->servers->learned, vcpu_key(v));

    if (reservations) { /* a server of its own; a reservation from outside does not replace that */
        struct server *s = make_server(m, v);
        s->reservations = reservations;
        s->longest = MIN(xt_reservations_longest(reservations), MAX_DEADLINE_NS);
        m->servers->longest = MAX(m->servers->longest, s->longest);
    } else if (!xt_vcpu_is_idle(&v->id) && has_reference(host)) {
        struct server *s = make_server(m, v);
        s->reference = true;
        s->period_ns = host->ref_period_ns;
        s->budget_ns = host->ref_budget_ns;
        add_period(m, v, &(struct period){ 0, s->period_ns, s->period_ns, s->budget_ns });
    }
}

/* Its ring is full: what nobody can ask for any more goes, and the oldest if all servers together keep too many. */
static void forget_spans(struct machine *m, struct server *s)
{
    /* a period that begins at most its length ago may still be opened, and deferred ones are still to be judged */
    int64_t horizon = m->now - 2 * s->longest - LATE_NS;

    if (s->deferred.length)
        horizon = MIN(horizon, deque_at(&s->deferred, struct period, 0)->release);
    while (s->spans.length && deque_at(&s->spans, struct span, 0)->end_ts < horizon)
        deque_pop(&s->spans);
    deque_keep_within(&s->spans, &m->servers->more_spans, MAX_SPANS);
}

static void add_span(struct machine *m, struct server *s, enum xt_state state, int64_t ts, int64_t end_ts, bool extra)
{
    if (ts >= end_ts)
        return;
    if (G_UNLIKELY(s->spans.length == s->spans.room))
        forget_spans(m, s);
    *deque_push(&s->spans, struct span) = (struct span){ ts, end_ts, (uint8_t)state, extra };
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
    bool was_known = v->level >= 0;

    v->level = level;
    if (!s || (was_known && s->extra == (level > 0)))
        return;
    if (v->state == XT_RUNNING) {
        add_span(m, s, XT_RUNNING, MAX(v->since, s->split_ts), m->now, s->extra);
        s->split_ts = m->now;
    }
    s->extra = level > 0;
    blame_reoccupy(m, v);
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

    if (m->run.core_scheduling || !m->servers->blame)
        return;
    blame_occupy(m, (uint32_t)(p->info - m->run.pcpus), v);
    if (s && !s->affinity_known)
        s->usable->words[pcpu / 64] |= (uint64_t)1 << (pcpu % 64);
}

void servers_gap(struct machine *m, struct pstate *p)
{
    if (m->servers->blame)
        blame_gap(m, (uint32_t)(p->info - m->run.pcpus));
}

/* What became of one period, from the spans inside it. */
struct verdict {
    int64_t run, extra, waited, ready_ts;
    int64_t seen; /* how much of the period is accounted for */
    bool unknown, ready;
};

static void look_at(struct verdict *verdict, const struct period *period, const struct span *span)
{
    int64_t from = MAX(span->ts, MAX(period->release, 0)), to = MIN(span->end_ts, period->deadline);

    if (from >= to)
        return;
    verdict->unknown |= span->state == XT_UNKNOWN;
    verdict->seen += to - from;
    verdict->ready = span->state == XT_RUNNING || span->state == XT_RUNNABLE;
    if (span->state == XT_RUNNING) {
        verdict->run += to - from;
        verdict->extra += span->extra ? to - from : 0;
    } else if (span->state == XT_RUNNABLE) {
        verdict->waited += MAX(to - MAX(from, verdict->ready_ts), 0);
    }
}

/* The present piece of v as a span up to the deadline. */
static struct span present_span(const struct machine *m, const struct vstate *v, const struct period *period)
{
    const struct server *s = v->server;

    return (struct span){ MAX(v->since, s->split_ts), MIN(MAX(m->now, v->since), period->deadline), (uint8_t)v->state,
                          v->state == XT_RUNNING && s->extra };
}

static struct verdict judge(const struct machine *m, const struct vstate *v, const struct period *period)
{
    const struct server *s = v->server;
    struct verdict verdict = { .ready_ts = MAX(period->release, 0) };

    for (unsigned i = 1; i <= MIN(s->n_ready, READY_TIMES); i++) {
        int64_t ready = s->ready[(s->n_ready - i) % READY_TIMES];
        if (ready >= period->deadline)
            continue;
        verdict.ready_ts = MAX(verdict.ready_ts, ready);
        break;
    }
    for (guint i = server_first_span(s, MAX(period->release, 0)); i < s->spans.length; i++)
        look_at(&verdict, period, deque_at(&s->spans, struct span, i));
    struct span present = present_span(m, v, period);
    look_at(&verdict, period, &present);
    return verdict;
}

static void blame_span(struct machine *m, const struct vstate *v, const struct period *period,
                       const struct verdict *verdict, const struct span *span, int64_t blame_ns[XT_N_BLAMES])
{
    struct rank rank = { v, period->deadline, period->period_ns, v->server->reference };
    int64_t from = MAX(span->ts, verdict->ready_ts), to = MIN(span->end_ts, period->deadline);

    if (span->state == XT_RUNNABLE && from < to)
        blame_wait(m, &rank, from, to, blame_ns);
}

static void find_blame(struct machine *m, const struct vstate *v, const struct period *period,
                       const struct verdict *verdict, struct xt_period *out)
{
    const struct server *s = v->server;
    GArray *parts = m->servers->parts;

    g_array_set_size(parts, 0);
    for (guint i = server_first_span(s, verdict->ready_ts); i < s->spans.length; i++)
        blame_span(m, v, period, verdict, deque_at(&s->spans, struct span, i), out->blame_ns);
    struct span present = present_span(m, v, period);
    blame_span(m, v, period, verdict, &present, out->blame_ns);
    out->n_parts = parts->len;
    out->parts = (const struct xt_blame_part *)(const void *)parts->data;
}

static bool hand_out(struct machine *m, struct vstate *v, const struct period *period, bool complete, GError **error)
{
    struct verdict verdict = judge(m, v, period);
    struct xt_period out = {
        .vcpu = &v->id,
        .release = period->release,
        .deadline = period->deadline,
        .period_ns = period->period_ns,
        .budget_ns = period->budget_ns,
        .supplied_ns = verdict.run - verdict.extra,
        .extratime_ns = verdict.extra,
        .ready_ts = verdict.ready ? verdict.ready_ts : -1,
        .reference = v->server->reference,
        .judged = complete && !verdict.unknown && period->deadline >= 0 &&
                  verdict.seen == period->deadline - MAX(period->release, 0),
    };

    if (verdict.ready)
        out.short_ns = MAX(MIN(period->budget_ns - verdict.run, verdict.waited), 0);
    out.missed = out.judged && out.short_ns > m->servers->tolerance;
    if (out.missed && m->servers->blame)
        find_blame(m, v, period, &verdict, &out);
    return XT_EMIT(m, period, &out, error);
}

static void next_reference(struct machine *m, struct vstate *v, const struct period *period)
{
    struct period next = *period;

    next.release = period->deadline;
    next.deadline += next.period_ns;
    if (next.deadline <= m->run.duration_ns)
        add_period(m, v, &next);
}

/* The next change record of v may still tell, backward, what became of it. */
static void defer(struct machine *m, struct vstate *v, const struct period *period)
{
    *deque_push(&v->server->deferred, struct period) = *period;
    m->servers->n_deferred++;
}

bool servers_judge(struct machine *m, int64_t now, GError **error)
{
    while (m->next_deadline <= now) {
        struct vstate *v;
        struct period period = take_period(m, &v);
        if (v->server->reference)
            next_reference(m, v, &period);
        if (v->state == XT_UNKNOWN && m->servers->n_deferred < MAX_PERIODS)
            defer(m, v, &period);
        else if (!hand_out(m, v, &period, true, error))
            return false;
    }
    return true;
}

/* Damaged deadlines lie ahead in any number: the earliest are handed out unjudged. */
static bool bound_open(struct machine *m, GError **error)
{
    struct vstate *v;

    if (m->servers->open.n <= MAX_PERIODS)
        return true;
    struct period period = take_period(m, &v);
    return hand_out(m, v, &period, false, error);
}

bool servers_replenished(struct machine *m, struct vstate *v, int64_t deadline_now_ns, int64_t budget_ns,
                         GError **error)
{
    struct servers *servers = m->servers;
    struct server *s = v->server;

    if (!s || s->reference || !servers->learned.have_offset || deadline_now_ns < 0 || deadline_now_ns > MAX_DEADLINE_NS ||
        budget_ns < 0 || budget_ns > MAX_DEADLINE_NS)
        return true;
    if (s->have_deadline_now && deadline_now_ns <= s->last_deadline_now)
        return true; /* the same period again */
    const struct xt_reservation *r = xt_reservation_at(s->reservations, deadline_now_ns);
    s->have_deadline_now = true;
    s->last_deadline_now = deadline_now_ns;
    s->told_ts = m->now;
    s->period_ns = r->period_ns;
    s->budget_ns = budget_ns;
    s->deadline = deadline_now_ns - m->run.now_offset_ns;
    servers_level(m, v, 0);
    blame_reoccupy(m, v);
    if (r->period_ns <= 0)
        return true;
    add_period(m, v, &(struct period){ s->deadline - r->period_ns, s->deadline, r->period_ns, budget_ns });
    return bound_open(m, error) && servers_advance(m, m->now, error);
}

bool servers_known(struct machine *m, struct vstate *v, GError **error)
{
    struct server *s = v->server;

    for (; s && s->deferred.length; deque_pop(&s->deferred), m->servers->n_deferred--)
        if (!hand_out(m, v, deque_at(&s->deferred, struct period, 0), true, error))
            return false;
    return true;
}

bool servers_end(struct machine *m, GError **error)
{
    for (guint i = 0; i < m->vcpus->len; i++)
        if (!servers_known(m, g_ptr_array_index(m->vcpus, i), error))
            return false;
    while (m->servers->open.n) {
        struct vstate *v;
        struct period period = take_period(m, &v);
        if (!v->server->reference && !hand_out(m, v, &period, false, error))
            return false;
    }
    return true;
}
