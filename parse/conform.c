#include "parse/conform-private.h"

#define MS 1000000
#define KEPT_NS 1000          /* a budget that differs by less was kept */
#define MIN_REACTIONS 20      /* fewer tell nothing of the host */
#define CANDIDATE_MEMORY (1u << 20)

static const struct {
    const char *name, *meaning, *unit;
    int64_t limit;
    bool by_reaction; /* the limit grows with the time that this host's pCPUs take to react */
} rules[XT_N_RULES] = {
    [XT_RULE_RUNSTATE_CHAIN] = { "runstate-chain",
                                 "the old state of every runstate change is the new state of the one before", "", 0 },
    [XT_RULE_ONE_PCPU] = { "one-pcpu", "a VCPU runs on one pCPU at a time, and a pCPU runs one VCPU at a time", "", 0 },
    [XT_RULE_TSC_MONOTONIC] = { "tsc-monotonic", "the TSC never steps back on a pCPU", "cycles", 0 },
    [XT_RULE_PIN] = { "pin", "a VCPU runs only on pCPUs of its hard affinity and cpupool", "", 0 },
    [XT_RULE_PRIORITY_ORDER] = { "priority-order",
                                 "no VCPU with budget waits while one with a later deadline (deadline-monotonic: a longer "
                                 "period) holds a pCPU that it could use", "ns", MS / 2, true },
    [XT_RULE_WORK_CONSERVING] = { "work-conserving", "no VCPU with budget waits while a pCPU that it could use idles",
                                  "ns", MS / 2, true },
    [XT_RULE_BUDGET] = { "budget", "between two replenishments a VCPU runs no longer than its budget", "ns", MS / 2, true },
    [XT_RULE_REPLENISHMENT] = { "replenishment",
                                "a VCPU that is ready at its deadline is replenished then, and never before its release",
                                "ns", MS / 2, true },
    [XT_RULE_TICKLE] = { "tickle", "a pCPU that was asked to reschedule does", "ns", MS / 2, true },
    [XT_RULE_TIMER] = { "timer", "a pCPU decides when the slice that it armed has run out", "ns", MS / 2, true },
    [XT_RULE_CAP] = { "cap", "over three seconds a domain runs no more than its cap (percent over it)", "percent", 10 },
    [XT_RULE_WEIGHT] = { "weight",
                         "over three seconds, domains that never stop competing for the same pCPUs run in proportion to "
                         "their weights and number of VCPUs (percent off)", "percent", 30 },
};

const char *xt_rule_name(enum xt_rule rule)
{
    return rules[rule].name;
}

const char *xt_rule_meaning(enum xt_rule rule)
{
    return rules[rule].meaning;
}

const char *xt_rule_unit(enum xt_rule rule)
{
    return rules[rule].unit;
}

int64_t xt_rule_default_limit(enum xt_rule rule)
{
    return rules[rule].limit;
}

static int64_t limit_of(const struct machine *m, enum xt_rule rule)
{
    return m->conform->results[rule].limit;
}

static bool check_if(struct machine *m, const struct xt_violation *violation, bool if_kept, bool if_in_step,
                     GError **error)
{
    struct xt_rule_result *r = &m->conform->results[violation->rule];

    if (conform_passes(m, violation->rule, violation->value))
        return true;
    r->checked++;
    r->worst = MAX(r->worst, violation->value);
    struct candidate candidate = {
        .violation = *violation,
        .vcpu = violation->vcpu ? violation->vcpu->index : XT_NOBODY,
        .other = violation->other ? violation->other->index : XT_NOBODY,
        .if_kept = if_kept,
        .if_in_step = if_in_step,
    };
    return xt_spill_append(m->conform->candidates, &candidate, 1, error);
}

bool conform_check(struct machine *m, const struct xt_violation *violation, GError **error)
{
    return check_if(m, violation, false, false, error);
}

static bool react(struct machine *m, int64_t ns, GError **error)
{
    return xt_distribution_add(m->conform->reactions, ns, error);
}

/* No scheduler can be faster than the pCPUs answer: on a slow (emulated) host the limits follow them. */
static bool settle_limits(struct machine *m, GError **error)
{
    struct xt_distribution *reactions = m->conform->reactions;

    if (!xt_distribution_finish(reactions, error))
        return false;
    uint64_t n = xt_distribution_n(reactions);
    int64_t p95 = n ? xt_distribution_quantile(reactions, 0.95) : 0;
    for (int r = 0; r < XT_N_RULES && n >= MIN_REACTIONS; r++) {
        struct xt_rule_result *result = &m->conform->results[r];
        bool by_user = m->options && m->options->rule_limits[r] > 0;
        if (!rules[r].by_reaction || by_user || XT_REACTION_FACTOR * p95 <= result->limit)
            continue;
        result->limit = XT_REACTION_FACTOR * p95;
        result->reactions = n;
        result->reaction_p95_ns = p95;
    }
    return true;
}

static const struct xt_vcpu *vcpu_at(const struct machine *m, uint32_t index)
{
    return index == XT_NOBODY ? NULL : &((const struct vstate *)g_ptr_array_index(m->vcpus, index))->id;
}

/* More than a tenth out of step is no slip of a periodic replenishment. */
static bool is_in_step(const struct conform_vcpu *c)
{
    return 10 * c->out_of_step <= c->in_step;
}

static bool is_void(const struct machine *m, const struct candidate *c)
{
    const struct conform_vcpu *v =
        c->vcpu == XT_NOBODY ? NULL : ((const struct vstate *)g_ptr_array_index(m->vcpus, c->vcpu))->conform;

    return v && ((c->if_kept && (v->fell || !v->kept)) || (c->if_in_step && !is_in_step(v)));
}

static bool hand_out_servers(struct machine *m, GError **error)
{
    for (guint i = 0; i < m->vcpus->len; i++) {
        const struct vstate *v = g_ptr_array_index(m->vcpus, i);
        const struct conform_vcpu *c = v->conform;
        if (!c || !v->server || v->server->reference)
            continue;
        struct xt_server out = {
            .vcpu = &v->id,
            .kept = c->kept,
            .fell = c->fell,
            .in_step = c->in_step,
            .out_of_step = c->out_of_step,
        };
        if (!is_in_step(c))
            out.kind = XT_SERVER_SPORADIC;
        else if (c->fell > c->kept)
            out.kind = XT_SERVER_PERIODIC;
        else if (c->kept)
            out.kind = XT_SERVER_DEFERRABLE;
        if (!XT_EMIT(m, server, &out, error))
            return false;
    }
    return true;
}

static bool hand_out(struct machine *m, GError **error)
{
    struct candidate c;

    for (uint64_t i = 0; i < xt_spill_count(m->conform->candidates); i++) {
        if (!xt_spill_read(m->conform->candidates, i, 1, &c, error))
            return false;
        struct xt_rule_result *result = &m->conform->results[c.violation.rule];
        if (c.violation.value <= result->limit || is_void(m, &c))
            continue;
        result->broken++;
        c.violation.limit = result->limit;
        c.violation.vcpu = vcpu_at(m, c.vcpu);
        c.violation.other = vcpu_at(m, c.other);
        if (!XT_EMIT(m, violation, &c.violation, error))
            return false;
    }
    for (int r = 0; r < XT_N_RULES; r++)
        if (m->conform->results[r].checked && !XT_EMIT(m, rule, &m->conform->results[r], error))
            return false;
    return true;
}

struct conform *conform_new(struct machine *m)
{
    struct conform *c = g_new0(struct conform, 1);

    c->running = g_new0(struct vstate *, m->run.n_pcpus + 1);
    c->tickled = g_new0(int64_t, m->run.n_pcpus + 1);
    c->candidates = xt_spill_new(sizeof(struct candidate), CANDIDATE_MEMORY, NULL);
    c->reactions = xt_distribution_new();
    for (uint32_t i = 0; i < m->run.n_pcpus; i++)
        c->tickled[i] = -1;
    for (int r = 0; r < XT_N_RULES; r++) {
        c->results[r].rule = (enum xt_rule)r;
        c->results[r].worst = -1;
        c->results[r].limit = rules[r].limit;
        if (m->options && m->options->rule_limits[r] > 0)
            c->results[r].limit = m->options->rule_limits[r];
    }
    /* deadlines are laid over the TSC with this error */
    c->results[XT_RULE_REPLENISHMENT].limit += MAX(m->run.now_residual_ns, 0);
    for (uint32_t i = 0; i < m->run.n_pcpus; i++)
        c->results[XT_RULE_TSC_MONOTONIC].checked += m->survey->pcpus[i].tsc_records;
    if (conform_has_shares(m))
        m->next_window = XT_SHARE_WINDOW_NS;
    return c;
}

void conform_free(struct machine *m)
{
    if (!m->conform)
        return;
    for (guint i = 0; i < m->vcpus->len; i++) {
        struct vstate *v = g_ptr_array_index(m->vcpus, i);
        if (v->conform)
            g_free(v->conform->usable);
        g_free(v->conform);
    }
    xt_spill_free(m->conform->candidates);
    xt_distribution_free(m->conform->reactions);
    g_free(m->conform->running);
    g_free(m->conform->tickled);
    g_free(m->conform);
    m->conform = NULL;
}

static struct conform_vcpu *conform_of(struct machine *m, struct vstate *v)
{
    if (v->conform)
        return v->conform;
    struct conform_vcpu *c = v->conform = g_new0(struct conform_vcpu, 1);
    const struct xt_host_vcpu *host = conform_host(m, v);
    c->budget_since = c->run_since = c->ready_since = c->wait_since = c->blocked_at = -1;
    if (host && host->hard_affinity) {
        c->usable = g_new0(struct xt_pcpu_set, 1);
        c->pinned = server_snapshot_pcpus(m, host, c->usable);
        c->repinned = !c->pinned;
    }
    return c;
}

static bool gap_since(const struct machine *m, int64_t ts)
{
    return m->open_gaps || m->last_gap_end >= ts;
}

/* A replenishment of any VCPU can be among the records that any pCPU lost. */
static bool is_budget_known(const struct machine *m, const struct conform_vcpu *c)
{
    return c->budget_since >= 0 && !gap_since(m, c->budget_since);
}

/* Since when v is ready without a break, -1: it is not, or not known. While its runstate is unknown, a burn tells it, up
 * to the next lost records. */
static int64_t ready_since(const struct machine *m, const struct vstate *v)
{
    const struct conform_vcpu *c = v->conform;

    return v->state == XT_UNKNOWN && gap_since(m, c->ready_since) ? -1 : c->ready_since;
}

/* Priority order. */

/* The longest time without a break that pCPUs showed this blame, and the longest single hold in it. */
static int64_t longest_blame(const GArray *held, enum xt_blame blame, int64_t *from, const struct held **worst)
{
    int64_t start = 0, end = INT64_MIN, longest = 0;

    *worst = NULL;
    for (;;) {
        /* holds come pCPU by pCPU, so grow the stretch until nothing touches it any more */
        const struct held *next = NULL;
        for (guint i = 0; i < held->len; i++) {
            const struct held *h = &g_array_index(held, struct held, i);
            if (h->blame == blame && h->end_ts > end && (!next || h->ts < next->ts))
                next = h;
        }
        if (!next)
            return longest;
        if (next->ts > end)
            start = next->ts;
        end = next->end_ts;
        if (end - start > longest) {
            longest = end - start;
            *from = start;
            if (!*worst || next->end_ts - next->ts > (*worst)->end_ts - (*worst)->ts || (*worst)->end_ts <= start)
                *worst = next;
        }
    }
}

static bool check_order(struct machine *m, const struct vstate *v, int64_t since, enum xt_rule rule,
                        enum xt_blame blame, GError **error)
{
    const struct held *worst;
    int64_t from = since, longest = longest_blame(m->servers->held, blame, &from, &worst);
    struct xt_violation violation = {
        .rule = rule,
        .vcpu = &v->id,
        .other = worst && worst->by ? &worst->by->id : NULL,
        .pcpu = worst ? worst->pcpu : XT_NO_PCPU,
        .ts = from,
        .end_ts = from + longest,
        .value = longest,
    };

    return check_if(m, &violation, v->conform->wait_after_block, false, error);
}

/* v stops being eligible under its present deadline: was it passed over meanwhile? */
static bool end_wait(struct machine *m, struct vstate *v, GError **error)
{
    struct conform_vcpu *c = v->conform;
    int64_t since = c->wait_since;
    struct rank rank = { .v = v };

    c->wait_since = -1;
    if (since < 0)
        return true;
    if (m->now - since <= MIN(limit_of(m, XT_RULE_PRIORITY_ORDER), limit_of(m, XT_RULE_WORK_CONSERVING))) {
        m->conform->results[XT_RULE_PRIORITY_ORDER].checked++;
        m->conform->results[XT_RULE_WORK_CONSERVING].checked++;
        return true;
    }
    rank.deadline = v->server->deadline;
    rank.period_ns = v->server->period_ns;
    blame_collect(m, &rank, since, m->now);
    return check_order(m, v, since, XT_RULE_PRIORITY_ORDER, XT_BLAME_INVERSION, error) &&
           check_order(m, v, since, XT_RULE_WORK_CONSERVING, XT_BLAME_LATENCY, error);
}

static void begin_wait(struct machine *m, struct vstate *v)
{
    const struct server *s = v->server;
    struct conform_vcpu *c = v->conform;

    c->wait_after_block = c->blocked_at >= 0;
    if (s && !s->reference && !s->extra && s->deadline != INT64_MIN && is_budget_known(m, c) && c->left > 0 &&
        !c->repinned && !m->run.core_scheduling)
        c->wait_since = m->now;
}

/* Budgets. */

static bool check_budget(struct machine *m, struct vstate *v, GError **error)
{
    struct conform_vcpu *c = v->conform;

    if (c->run_since >= 0) {
        c->ran += m->now - c->run_since;
        c->run_since = m->now;
    }
    if (!is_budget_known(m, c) || c->raised || c->overrun_told)
        return true;
    int64_t over = c->ran - c->budget;
    if (over <= limit_of(m, XT_RULE_BUDGET))
        return true;
    c->overrun_told = true;
    struct xt_violation violation = {
        .rule = XT_RULE_BUDGET,
        .vcpu = &v->id,
        .pcpu = v->pcpu,
        .ts = m->now - over,
        .end_ts = m->now,
        .value = over,
    };
    return conform_check(m, &violation, error);
}

/* The budget with which v was dispatched after blocking, where none was replenished meanwhile. */
static void state_budget(struct machine *m, struct vstate *v, int64_t budget_ns)
{
    struct conform_vcpu *c = v->conform;

    if (c->blocked_at < 0)
        return;
    if (is_budget_known(m, c)) {
        c->kept += ABS(c->left - budget_ns) <= KEPT_NS;
        c->fell += c->left - budget_ns > KEPT_NS;
    }
    c->blocked_at = -1;
}

void conform_pick(struct machine *m, struct vstate *v, int64_t budget_ns)
{
    conform_of(m, v);
    state_budget(m, v, budget_ns);
    v->conform->left = budget_ns;
}

bool conform_burn(struct machine *m, struct vstate *v, int64_t budget_ns, int64_t delta_ns, int64_t level,
                  GError **error)
{
    struct conform_vcpu *c = conform_of(m, v);

    if (budget_ns > 0 && level == 0)
        state_budget(m, v, budget_ns + delta_ns);
    if (!check_budget(m, v, error))
        return false;
    if (v->state == XT_UNKNOWN && ready_since(m, v) < 0 && !m->run.core_scheduling)
        c->ready_since = m->now; /* who never leaves its pCPU has no runstate change, but it burns */
    c->left = budget_ns;
    c->raised |= level > 0;
    return true;
}

/* Replenishments. */

/* A VCPU that was ready at its deadline is due a replenishment; it comes now, or will not come any more. */
static bool check_due(struct machine *m, struct vstate *v, GError **error)
{
    const struct server *s = v->server;
    struct conform_vcpu *c = v->conform;
    int64_t ready = ready_since(m, v);

    if (!s || s->reference || !s->have_deadline_now || c->late_told || ready < 0 || ready > s->deadline ||
        m->now < s->deadline || gap_since(m, s->deadline))
        return true;
    c->late_told = true;
    struct xt_violation violation = {
        .rule = XT_RULE_REPLENISHMENT,
        .vcpu = &v->id,
        .pcpu = XT_NO_PCPU,
        .ts = s->deadline,
        .end_ts = m->now,
        .value = m->now - s->deadline,
    };
    return check_if(m, &violation, false, true, error);
}

bool conform_replenish(struct machine *m, struct vstate *v, int64_t deadline_now_ns, int64_t budget_ns, GError **error)
{
    struct conform_vcpu *c = conform_of(m, v);
    const struct server *s = v->server;

    if (!check_budget(m, v, error) || !check_due(m, v, error) || !end_wait(m, v, error))
        return false;
    const struct xt_reservation *r =
        s && s->reservations ? xt_reservation_at(s->reservations, deadline_now_ns) : NULL;
    if (r && xt_reservation_is_sure(r) && s->have_deadline_now && deadline_now_ns > s->last_deadline_now &&
        m->run.now_offset_ns != INT64_MIN) {
        int64_t release = deadline_now_ns - m->run.now_offset_ns - r->period_ns;
        struct xt_violation early = {
            .rule = XT_RULE_REPLENISHMENT,
            .vcpu = &v->id,
            .pcpu = XT_NO_PCPU,
            .ts = m->now,
            .end_ts = release,
            .value = release - m->now,
        };
        if (early.value > limit_of(m, XT_RULE_REPLENISHMENT) && !check_if(m, &early, false, true, error))
            return false;
        bool in_step = (deadline_now_ns - s->last_deadline_now) % r->period_ns == 0;
        c->in_step += in_step;
        c->out_of_step += !in_step;
    }
    c->budget_since = m->now;
    c->blocked_at = -1;
    c->budget = c->left = budget_ns;
    c->ran = 0;
    c->raised = c->overrun_told = c->late_told = false;
    m->conform->results[XT_RULE_BUDGET].checked++;
    return true;
}

void conform_eligible(struct machine *m, struct vstate *v)
{
    if (v->state == XT_RUNNABLE)
        begin_wait(m, v);
}

/* Runstates. */

/* A rule that v breaks on p at this instant, beside other, or does not. */
static bool check_now(struct machine *m, enum xt_rule rule, bool broken, const struct pstate *p, const struct vstate *v,
                      const struct vstate *other, GError **error)
{
    if (conform_passes(m, rule, broken))
        return true;
    struct xt_violation violation = {
        .rule = rule,
        .vcpu = &v->id,
        .other = other ? &other->id : NULL,
        .pcpu = p->info->pcpu,
        .ts = m->now,
        .end_ts = m->now,
        .value = broken,
    };
    return conform_check(m, &violation, error);
}

static bool check_places(struct machine *m, struct pstate *p, struct vstate *v, GError **error)
{
    uint32_t slot = (uint32_t)(p->info - m->run.pcpus);
    struct vstate *there = m->conform->running[slot];
    struct conform_vcpu *c = v->conform;
    bool twice = v->seen && v->state == XT_RUNNING && v->pcpu != p->info->pcpu;
    bool taken = there && there != v && there->state == XT_RUNNING && there->pcpu == p->info->pcpu;

    m->conform->running[slot] = v;
    if (!check_now(m, XT_RULE_ONE_PCPU, twice || taken, p, v, taken ? there : NULL, error))
        return false;
    return !c->pinned || check_now(m, XT_RULE_PIN, !xt_pcpu_set_has(c->usable, p->info->pcpu), p, v, NULL, error);
}

bool conform_change(struct machine *m, struct pstate *p, struct vstate *v, enum xt_state old_state,
                    enum xt_state new_state, GError **error)
{
    struct conform_vcpu *c = conform_of(m, v);
    bool known = v->seen && v->state != XT_UNKNOWN;

    if (known && !check_now(m, XT_RULE_RUNSTATE_CHAIN, v->state != old_state, p, v, NULL, error))
        return false;
    if (new_state == XT_RUNNING && !m->run.core_scheduling && !check_places(m, p, v, error))
        return false;
    if (c->run_since >= 0 || old_state == XT_RUNNING) {
        if (!check_budget(m, v, error))
            return false;
        if (c->run_since >= 0 && m->next_window != INT64_MAX)
            c->window_ran += m->now - MAX(v->since, m->next_window - XT_SHARE_WINDOW_NS);
        c->run_since = -1;
    }
    if (!end_wait(m, v, error) || (!is_ready(new_state) && !check_due(m, v, error)))
        return false;
    if (new_state == XT_RUNNING)
        c->run_since = m->now;
    else if (new_state == XT_RUNNABLE)
        begin_wait(m, v);
    if (new_state == XT_BLOCKED && is_budget_known(m, c))
        c->blocked_at = m->now;
    if (!is_ready(new_state)) {
        c->ready_since = -1;
        c->window_paused = true;
    } else if (ready_since(m, v) < 0 || !is_ready(old_state)) {
        c->ready_since = m->now;
    }
    return true;
}

bool conform_cut(struct machine *m, struct vstate *v, GError **error)
{
    struct conform_vcpu *c = conform_of(m, v);

    if (!check_budget(m, v, error) || !end_wait(m, v, error))
        return false;
    c->budget_since = -1;
    c->run_since = c->ready_since = c->blocked_at = -1;
    c->window_paused = true;
    return true;
}

void conform_gap(struct machine *m, struct pstate *p)
{
    uint32_t slot = (uint32_t)(p->info - m->run.pcpus);

    m->conform->running[slot] = NULL;
    m->conform->tickled[slot] = -1;
}

/* Tickles. */

static uint32_t slot_of(const struct machine *m, int64_t pcpu)
{
    uint32_t lo = 0, hi = m->run.n_pcpus;

    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (m->run.pcpus[mid].pcpu < pcpu)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < m->run.n_pcpus && m->run.pcpus[lo].pcpu == pcpu ? lo : UINT32_MAX;
}

void conform_tickle(struct machine *m, int64_t pcpu)
{
    uint32_t slot = slot_of(m, pcpu);

    if (slot != UINT32_MAX && !m->pcpus[slot].in_gap && m->conform->tickled[slot] < 0)
        m->conform->tickled[slot] = m->now;
}

static bool check_tickle(struct machine *m, uint32_t slot, bool answered, GError **error)
{
    int64_t since = m->conform->tickled[slot];
    struct xt_violation violation = {
        .rule = XT_RULE_TICKLE,
        .pcpu = m->run.pcpus[slot].pcpu,
        .ts = since,
        .end_ts = m->now,
        .value = m->now - since,
    };

    m->conform->tickled[slot] = -1;
    if (since >= 0 && !react(m, violation.value, error))
        return false;
    if (since < 0 || (!answered && violation.value <= limit_of(m, XT_RULE_TICKLE)))
        return true;
    return conform_check(m, &violation, error);
}

static bool check_timer(struct machine *m, const struct pstate *p, int64_t slice_end, GError **error)
{
    struct xt_violation violation = {
        .rule = XT_RULE_TIMER,
        .pcpu = p->info->pcpu,
        .ts = slice_end,
        .end_ts = m->now,
        .value = m->now - slice_end,
    };

    return react(m, violation.value, error) && conform_check(m, &violation, error);
}

bool conform_schedule(struct machine *m, struct pstate *p, int64_t slice_end, GError **error)
{
    uint32_t slot = (uint32_t)(p->info - m->run.pcpus);

    if (slice_end >= 0 && m->now >= slice_end && !m->run.core_scheduling && !check_timer(m, p, slice_end, error))
        return false;
    return m->conform->tickled[slot] < 0 || check_tickle(m, slot, true, error);
}

bool conform_tsc_back(struct machine *m, struct pstate *p, int64_t ts, uint64_t cycles, GError **error)
{
    struct xt_violation violation = {
        .rule = XT_RULE_TSC_MONOTONIC,
        .pcpu = p->info->pcpu,
        .ts = ts,
        .end_ts = m->now,
        .value = (int64_t)MIN(cycles, (uint64_t)INT64_MAX),
    };

    m->conform->results[XT_RULE_TSC_MONOTONIC].checked--; /* all were counted in advance */
    return conform_check(m, &violation, error);
}

bool conform_end(struct machine *m, GError **error)
{
    for (guint i = 0; i < m->vcpus->len; i++) {
        struct vstate *v = g_ptr_array_index(m->vcpus, i);
        if (!v->conform)
            continue;
        if (!check_budget(m, v, error) || !end_wait(m, v, error))
            return false;
        /* what is due within the last moments may still have come */
        const struct server *s = v->server;
        if (s && s->deadline != INT64_MIN && m->now - s->deadline > limit_of(m, XT_RULE_REPLENISHMENT) &&
            !check_due(m, v, error))
            return false;
    }
    for (uint32_t slot = 0; slot < m->run.n_pcpus; slot++)
        if (m->conform->tickled[slot] >= 0 && !check_tickle(m, slot, false, error))
            return false;
    return settle_limits(m, error) && hand_out_servers(m, error) && hand_out(m, error);
}
