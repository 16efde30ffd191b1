#include "ledger-internal.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>

#include "options.h"
#include "ring.h"
#include "writer.h"

#define ROW_HEADER "kind,from_ts,to_ts,pcpu,domid,vcpu,other_domid,other_vcpu,amount,unit,deadline_sys,note"

static const char *const state_name[] = {"running", "runnable", "blocked", "offline", "unknown"};

int64_t sy_ledger_ts(struct sy_sim *sim, uint64_t clk)
{
    return sy_ts(sim, clk - (uint64_t)sim->ledger->base_skew);
}

static int64_t ts_of_tsc(struct sy_sim *sim, uint64_t tsc)
{
    return sy_ts(sim, tsc - sim->start_tsc + sim->t0 - (uint64_t)sim->ledger->base_skew);
}

static FILE *create(const char *dir, const char *name, const char *header, GError **error)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    FILE *f = fopen(path, "w");

    if (!f) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "cannot write %s: %s", path,
                    g_strerror(errno));
        return NULL;
    }
    fprintf(f, "%s\n", header);
    return f;
}

static void vcpu_ledger_init(struct sy_ledger_vcpu *l)
{
    *l = (struct sy_ledger_vcpu){.pcpu = -1, .last_pcpu = -1};
    l->marks = g_array_new(FALSE, FALSE, sizeof(struct mark));
}

struct sy_ledger *sy_ledger_new(struct sy_sim *sim, const char *dir, GError **error)
{
    struct sy_ledger *l = g_new0(struct sy_ledger, 1);

    sim->ledger = l;
    l->windows = g_array_new(FALSE, FALSE, sizeof(struct window));
    l->ops = g_array_new(FALSE, FALSE, sizeof(struct op));
    l->open = g_new(int, sim->pcpus);
    l->idle = g_new0(struct sy_ledger_vcpu, sim->pcpus);
    for (unsigned i = 0; i < sim->pcpus; i++) {
        l->open[i] = -1;
        l->base_skew = MIN(l->base_skew, sim->pcpu[i].skew);
        vcpu_ledger_init(&l->idle[i]);
        sim->pcpu[i].idle->led = &l->idle[i];
    }
    l->faults = create(dir, "ledger-faults.csv", ROW_HEADER, error);
    l->acts = l->faults ? create(dir, "ledger-acts.csv", ROW_HEADER, error) : NULL;
    if (!l->acts)
        return NULL;
    if (sim->opt->audit && !(l->waits = create(dir, "ledger-waits.csv", ROW_HEADER, error)))
        return NULL;
    if (sim->opt->no_intervals)
        return l;
    l->intervals = create(dir, "ledger-intervals.csv", "domid,vcpu,state,pcpu,ts,dur,open", error);
    l->periods = l->intervals ? create(dir, "ledger-periods.csv",
                                       "domid,vcpu,release_sys,deadline_sys,release,deadline,budget_ns,"
                                       "supplied_ns,extratime_ns,judged,missed,short_ns",
                                       error)
                              : NULL;
    return l->periods ? l : NULL;
}

void sy_ledger_vcpu_new(struct sy_vcpu *v)
{
    v->led = g_new0(struct sy_ledger_vcpu, 1);
    vcpu_ledger_init(v->led);
}

void sy_ledger_free(struct sy_sim *sim)
{
    struct sy_ledger *l = sim->ledger;

    if (!l)
        return;
    for (unsigned i = 0; i < sim->pcpus; i++)
        g_array_free(l->idle[i].marks, TRUE);
    for (unsigned i = 0; i < sim->vcpus; i++) {
        g_array_free(sim->vcpu[i]->led->marks, TRUE);
        g_clear_pointer(&sim->vcpu[i]->led, g_free);
    }
    FILE *const f[] = {l->intervals, l->periods, l->faults, l->acts, l->waits};
    for (unsigned i = 0; i < G_N_ELEMENTS(f); i++)
        if (f[i])
            fclose(f[i]);
    g_array_free(l->windows, TRUE);
    g_array_free(l->ops, TRUE);
    g_free(l->open);
    g_free(l->idle);
    g_clear_pointer(&sim->ledger, g_free);
}

/* ---- intervals ---- */

static void interval(struct sy_sim *sim, struct sy_vcpu *v, enum sy_state state, int pcpu, int64_t from,
                     int64_t to, bool open)
{
    struct sy_ledger_vcpu *l = v->led;

    sy_period_known(sim, v, to, state);
    l->total_ns[state] += to - from;
    FILE *f = sim->ledger->intervals;
    if (!f)
        return;
    if (state == SY_RUNNING)
        fprintf(f, "%u,%u,running,%d,%" PRId64 ",%" PRId64 ",%d\n", v->domid, v->id, pcpu, from, to - from,
                open);
    else
        fprintf(f, "%u,%u,%s,,%" PRId64 ",%" PRId64 ",%d\n", v->domid, v->id, state_name[state], from,
                to - from, open);
}

/* What one end of a span tells: a state, and on which pCPU if running. UNKNOWN: nothing. */
struct end {
    enum sy_state state;
    int pcpu;
};

/* Lost windows that overlap [from, to] and cut what `e` tells: as one hull, false if there are none. Who runs
 * on one pCPU cannot leave it without a record there, so only that pCPU's losses matter to it. */
static bool cut(struct sy_sim *sim, int64_t from, int64_t to, struct end e, int64_t *first, int64_t *last)
{
    const GArray *w = sim->ledger->windows;
    bool any = false;

    for (unsigned i = w->len; i-- > 0;) {
        const struct window *x = &g_array_index(w, struct window, i);
        if (x->from + sim->ledger->longest <= from && !sim->ledger->open_windows)
            break;
        if (x->to <= from || x->from >= to || (e.state == SY_RUNNING && x->pcpu != e.pcpu))
            continue;
        *first = any ? MIN(*first, x->from) : x->from;
        *last = any ? MAX(*last, x->to) : x->to;
        any = true;
    }
    *first = any ? CLAMP(*first, from, to) : to;
    *last = any ? CLAMP(*last, from, to) : from;
    return any;
}

/* From one visible change (or an end of the run) to the next, cut at what was lost between. */
static void span(struct sy_sim *sim, struct sy_vcpu *v, int64_t from, int64_t to, struct end forward,
                 struct end backward, bool open)
{
    int64_t until = to, since = from, unused;

    if (sim->ledger->windows->len) {
        cut(sim, from, to, forward, &until, &unused);
        cut(sim, from, to, backward, &unused, &since);
    }
    if (forward.state == SY_UNKNOWN)
        until = from;
    if (backward.state == SY_UNKNOWN)
        since = to;
    since = MAX(since, until);
    /* Of no length, an interval is kept if a change opened it. */
    if (forward.state != SY_UNKNOWN)
        interval(sim, v, forward.state, forward.pcpu, from, until, open);
    if (since > until)
        interval(sim, v, SY_UNKNOWN, -1, until, since, false);
    if (to > since)
        interval(sim, v, backward.state, backward.pcpu, since, to, open);
}

static void count_change(struct sy_pcpu *c, struct sy_vcpu *v, enum sy_state old, enum sy_state new_state)
{
    struct sy_ledger_vcpu *l = v->led;

    if (old == SY_RUNNING)
        l->last_pcpu = (int)c->id;
    if (new_state == SY_RUNNING) {
        l->dispatches++;
        l->migrations += l->last_pcpu >= 0 && l->last_pcpu != (int)c->id;
        l->last_pcpu = (int)c->id;
    }
    l->wakeups += old == SY_BLOCKED && new_state == SY_RUNNABLE;
    if (old != SY_RUNNING)
        return;
    if (new_state == SY_RUNNABLE) {
        bool rtds = v->pool && v->pool->policy == &sy_policy_rtds;
        if (l->yield_pending) {
            l->yield_switches++;
        } else if (rtds && c->burn_seen && c->burn_zero) {
            l->depletions++;
        } else {
            l->preemptions++;
            l->no_burn += rtds && !c->burn_seen;
        }
    }
    l->yield_pending = false;
}

static void change(struct sy_sim *sim, const struct op *o)
{
    struct sy_ledger_vcpu *l = o->v->led;
    struct end backward = {o->old, o->pcpu};

    if (l->seen)
        span(sim, o->v, l->since, o->ts, (struct end){l->state, l->pcpu}, backward, false);
    else
        span(sim, o->v, 0, o->ts, (struct end){SY_UNKNOWN, -1}, backward, true);
    l->seen = true;
    l->since = o->ts;
    l->state = o->new_state;
    l->pcpu = o->new_state == SY_RUNNING ? o->pcpu : -1;
    if (o->new_state == SY_RUNNABLE && (o->old == SY_BLOCKED || o->old == SY_OFFLINE))
        l->period.waited = 0;
}

static void remember(struct sy_sim *sim, const struct op *o)
{
    struct sy_ledger_vcpu *l = o->v->led;

    g_array_append_val(l->marks, o->mark);
    /* Nothing was ever lost: what a reader knows now, it will not unlearn. */
    if (l->seen && sim->ledger->windows->len == 0)
        sy_period_known(sim, o->v, o->ts, l->state);
}

static void loss_begins(struct sy_sim *sim, const struct op *o)
{
    struct sy_ledger *l = sim->ledger;
    struct window w = {.pcpu = o->pcpu, .from = o->ts, .to = INT64_MAX};

    l->open[o->pcpu] = (int)l->windows->len;
    l->open_windows++;
    g_array_append_val(l->windows, w);
}

static void loss_ends(struct sy_sim *sim, const struct op *o)
{
    struct sy_ledger *l = sim->ledger;
    struct window *w = &g_array_index(l->windows, struct window, (unsigned)l->open[o->pcpu]);

    w->to = o->ts;
    l->longest = MAX(l->longest, w->to - w->from);
    l->open[o->pcpu] = -1;
    l->open_windows--;
}

/* What pCPUs do in one step of the model overlaps in time; the accounts are kept in the order of time. */
static void later(struct sy_sim *sim, struct op o)
{
    GArray *a = sim->ledger->ops;

    g_array_append_val(a, o);
    struct op *x = &g_array_index(a, struct op, 0);
    unsigned i = a->len - 1;
    for (; i > sim->ledger->ops_done && x[i - 1].ts > o.ts; i--)
        x[i] = x[i - 1];
    x[i] = o;
}

void sy_ledger_settle(struct sy_sim *sim, uint64_t clk)
{
    static void (*const apply_op[])(struct sy_sim *, const struct op *) = {
        [OP_CHANGE] = change, [OP_MARK] = remember, [OP_LOSS] = loss_begins, [OP_LOSS_END] = loss_ends};
    struct sy_ledger *l = sim->ledger;

    if (l->ops->len - l->ops_done < 256 && clk != UINT64_MAX)
        return;
    int64_t until = clk == UINT64_MAX ? INT64_MAX : sy_ledger_ts(sim, clk);
    while (l->ops_done < l->ops->len) {
        struct op o = g_array_index(l->ops, struct op, l->ops_done);
        if (o.ts >= until)
            break;
        l->ops_done++;
        apply_op[o.kind](sim, &o);
    }
    g_array_remove_range(l->ops, 0, l->ops_done);
    l->ops_done = 0;
}

void sy_ledger_runstate(struct sy_pcpu *c, struct sy_vcpu *v, enum sy_state old, enum sy_state new_state,
                        bool visible)
{
    struct sy_sim *sim = c->sim;
    struct sy_ledger_vcpu *l = v->led;

    if (!sim->tracing)
        return;
    l->truth_cycles[old] += c->clk - l->truth_since;
    l->truth_since = c->clk;
    l->truth_dispatches += new_state == SY_RUNNING;
    l->truth_wakeups += old == SY_BLOCKED && new_state == SY_RUNNABLE;
    if (!visible)
        return;
    count_change(c, v, old, new_state);
    later(sim, (struct op){.kind = OP_CHANGE,
                           .ts = sy_ledger_ts(sim, c->clk),
                           .v = v,
                           .pcpu = (int)c->id,
                           .old = old,
                           .new_state = new_state});
}

void sy_ledger_decision(struct sy_pcpu *c, bool continued)
{
    c->burn_seen = c->burn_zero = false;
}

static void mark(struct sy_pcpu *c, struct sy_vcpu *v, struct mark m)
{
    m.ts = sy_ledger_ts(c->sim, c->clk);
    v->led->last_level = m.level;
    later(c->sim, (struct op){.kind = OP_MARK, .ts = m.ts, .v = v, .mark = m});
}

void sy_ledger_burn(struct sy_pcpu *c, struct sy_vcpu *v, int64_t budget, unsigned level, bool visible)
{
    if (!c->sim->tracing || !visible)
        return;
    c->burn_seen = true;
    c->burn_zero = budget == 0;
    if (level != v->led->last_level)
        mark(c, v, (struct mark){.level = level});
}

void sy_ledger_replenish(struct sy_pcpu *c, struct sy_vcpu *v, int64_t deadline, int64_t budget, bool visible)
{
    if (!c->sim->tracing || !visible)
        return;
    v->led->replenishments++;
    mark(c, v, (struct mark){.replenish = true, .deadline = deadline, .budget = budget, .period = v->period});
}

void sy_ledger_yield(struct sy_pcpu *c, struct sy_vcpu *v, bool visible)
{
    if (!c->sim->tracing || !visible)
        return;
    v->led->yields++;
    v->led->yield_pending = true;
}

void sy_ledger_loss_begins(struct sy_sim *sim, struct sy_pcpu *c, uint64_t clk)
{
    /* What was said before the loss does not count for what comes after it. */
    c->curr->led->yield_pending = false;
    c->burn_seen = c->burn_zero = false;
    c->lost_from = clk;
    later(sim, (struct op){.kind = OP_LOSS, .ts = sy_ledger_ts(sim, clk), .pcpu = (int)c->id});
}

void sy_ledger_loss_ends(struct sy_sim *sim, struct sy_pcpu *c, uint64_t clk, uint32_t count)
{
    later(sim, (struct op){.kind = OP_LOSS_END, .ts = sy_ledger_ts(sim, clk), .pcpu = (int)c->id});
    sy_ledger_fault(sim, &(struct sy_fault_row){.kind = "lost",
                                                .from = c->lost_from,
                                                .to = clk,
                                                .pcpu = (int)c->id,
                                                .amount = count,
                                                .unit = "records"});
}

static void write_row(struct sy_sim *sim, FILE *f, const struct sy_fault_row *r)
{
    fprintf(f, "%s,%" PRId64 ",%" PRId64 ",", r->kind, sy_ledger_ts(sim, r->from), sy_ledger_ts(sim, r->to));
    if (r->pcpu >= 0)
        fprintf(f, "%d", r->pcpu);
    if (r->v)
        fprintf(f, ",%u,%u", r->v->domid, r->v->id);
    else
        fprintf(f, ",,");
    if (r->other)
        fprintf(f, ",%u,%u", r->other->domid, r->other->id);
    else
        fprintf(f, ",,");
    fprintf(f, ",%" PRId64 ",%s,", r->amount, r->unit ? r->unit : "");
    if (r->deadline_ns)
        fprintf(f, "%" PRId64, r->deadline_ns);
    fprintf(f, ",%s\n", r->note ? r->note : "");
}

void sy_ledger_fault(struct sy_sim *sim, const struct sy_fault_row *row)
{
    sim->ledger->fault_rows++;
    write_row(sim, sim->ledger->faults, row);
}

void sy_ledger_wait(struct sy_sim *sim, const struct sy_fault_row *row)
{
    struct sy_fault_row r = *row;

    r.amount = sy_ns(sim, r.to) - sy_ns(sim, r.from);
    r.unit = "ns";
    if (sim->tracing && r.amount >= (int64_t)(sim->opt->audit * 1000))
        write_row(sim, sim->ledger->waits, &r);
}

void sy_ledger_act(struct sy_sim *sim, const struct sy_fault_row *row)
{
    write_row(sim, sim->ledger->acts, row);
}

void sy_ledger_vcpu_start(struct sy_sim *sim, struct sy_vcpu *v)
{
    struct sy_ledger_vcpu *l = v->led;

    l->truth_since = sim->t0;
    l->level = 0;
    if (v->is_idle || v->pool->policy != &sy_policy_rtds)
        return;
    /* The period under way: that of the last replenishment, or of the one that has not come yet. */
    int64_t now = sy_now(sim, sim->t0), to = v->deadline;
    l->period_ns = v->period;
    if (to <= now)
        to += ((now - to) / v->period + 1) * v->period;
    sy_period_open(sim, l, to, v->period);
}

void sy_ledger_start(struct sy_sim *sim)
{
    sim->ledger->end_ts = INT64_MAX;
    for (unsigned i = 0; i < sim->vcpus; i++)
        sy_ledger_vcpu_start(sim, sim->vcpu[i]);
    for (unsigned i = 0; i < sim->pcpus; i++)
        sy_ledger_vcpu_start(sim, sim->pcpu[i].idle);
}

static void finish_vcpu(struct sy_sim *sim, struct sy_vcpu *v, uint64_t end_clk)
{
    struct sy_ledger_vcpu *l = v->led;

    if (end_clk > l->truth_since)
        l->truth_cycles[v->state] += end_clk - l->truth_since;
    if (!l->seen)
        return;
    span(sim, v, l->since, sim->ledger->end_ts, (struct end){l->state, l->pcpu}, (struct end){SY_UNKNOWN, -1},
         true);
    sy_period_close(sim, v, l->state, false);
}

static void write_vcpu(FILE *f, const struct sy_vcpu *v, const struct sy_ledger_vcpu *l)
{
    fprintf(f,
            "    {\"domid\": %u, \"vcpu\": %u, \"period_ns\": %" PRId64 ", \"budget_ns\": %" PRId64
            ", \"extratime\": %s, \"weight\": %u, \"cap\": %u,\n",
            v->domid, v->id, v->first_period, v->first_budget, v->extratime ? "true" : "false",
            v->dom->weight, v->dom->cap);
    fprintf(f,
            "     \"running_ns\": %" PRId64 ", \"runnable_ns\": %" PRId64 ", \"blocked_ns\": %" PRId64
            ", \"offline_ns\": %" PRId64 ", \"unknown_ns\": %" PRId64 ",\n",
            l->total_ns[0], l->total_ns[1], l->total_ns[2], l->total_ns[3], l->total_ns[4]);
    fprintf(f,
            "     \"truth_running_cycles\": %" PRIu64 ", \"truth_runnable_cycles\": %" PRIu64
            ", \"truth_blocked_cycles\": %" PRIu64 ", \"truth_offline_cycles\": %" PRIu64
            ", \"truth_dispatches\": %" PRIu64 ", \"truth_wakeups\": %" PRIu64 ",\n",
            l->truth_cycles[0], l->truth_cycles[1], l->truth_cycles[2], l->truth_cycles[3],
            l->truth_dispatches, l->truth_wakeups);
    fprintf(f,
            "     \"dispatches\": %" PRIu64 ", \"wakeups\": %" PRIu64 ", \"preemptions\": %" PRIu64
            ", \"depletions\": %" PRIu64 ", \"no_burn\": %" PRIu64 ", \"yields\": %" PRIu64
            ", \"yield_switches\": %" PRIu64 ", \"migrations\": %" PRIu64 ",\n",
            l->dispatches, l->wakeups, l->preemptions, l->depletions, l->no_burn, l->yields,
            l->yield_switches, l->migrations);
    fprintf(f,
            "     \"replenishments\": %" PRIu64 ", \"periods\": %" PRIu64 ", \"periods_judged\": %" PRIu64
            ", \"period_misses\": %" PRIu64 "}",
            l->replenishments, l->periods, l->periods_judged, l->period_misses);
}

static void write_run(FILE *f, struct sy_sim *sim, int64_t end_ts, uint64_t end_tsc)
{
    uint64_t records = 0, lost = 0, lost_records = 0, tail = 0, first = sim->start_tsc;
    unsigned seen = 0;

    for (unsigned i = 0; i < sim->pcpus; i++) {
        const struct sy_ring *r = sim->pcpu[i].ring;
        seen += r->records > 0;
        records += r->records;
        lost += r->lost_total;
        lost_records += r->lost_records;
        tail += r->lost;
    }
    first += (uint64_t)sim->ledger->base_skew;
    fprintf(f,
            "  \"run\": {\"scheduler\": \"%s\", \"policy\": \"%s\", \"server\": \"%s\", \"xen\": \"%s\", "
            "\"seed\": %" PRIu64 ",\n    \"hz\": %" PRIu64 ", \"start_tsc\": %" PRIu64
            ", \"end_tsc\": %" PRIu64 ", \"duration_ns\": %" PRId64
            ",\n    \"pcpus\": %u, \"pcpus_modelled\": %u, \"pools\": %u, \"vcpus\": %u, \"bytes\": %" PRIu64
            ", \"records\": %" PRIu64 ", \"lost_records\": %" PRIu64 ", \"lost_record_records\": %" PRIu64
            ", \"lost_unannounced\": %" PRIu64 ",\n    \"now_at_start_ns\": %" PRId64
            ", \"miss_tolerance_ns\": %" PRId64 ", \"faults\": %" PRIu64 "},\n",
            sim->pool[0].policy->xl_name, sim->opt->policy, sim->opt->server, sim->opt->xen, sim->opt->seed,
            sim->hz, first, end_tsc, end_ts, seen, sim->pcpus, sim->pools, sim->vcpus,
            sy_writer_bytes(sim->writer), records, lost, lost_records, tail, sy_now(sim, sim->t0),
            sim->opt->tolerance_ns, sim->ledger->fault_rows);
}

bool sy_ledger_finish(struct sy_sim *sim, const char *dir, GError **error)
{
    struct sy_ledger *l = sim->ledger;
    uint64_t end_tsc = 0;
    bool first = true;

    for (unsigned i = 0; i < sim->pcpus; i++)
        end_tsc = MAX(end_tsc, sim->pcpu[i].ring->last_tsc);
    sy_ledger_settle(sim, UINT64_MAX);
    l->end_ts = ts_of_tsc(sim, end_tsc);
    uint64_t end_clk = end_tsc - sim->start_tsc + sim->t0;

    g_autofree char *path = g_build_filename(dir, "ledger.json", NULL);
    FILE *f = fopen(path, "w");
    if (!f) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "cannot write %s: %s", path,
                    g_strerror(errno));
        return false;
    }
    fprintf(f, "{\n");
    write_run(f, sim, l->end_ts, end_tsc);
    fprintf(f, "  \"vcpu\": [\n");
    for (unsigned i = 0; i < sim->vcpus; i++) {
        finish_vcpu(sim, sim->vcpu[i], end_clk);
        fprintf(f, "%s", first ? "" : ",\n");
        write_vcpu(f, sim->vcpu[i], sim->vcpu[i]->led);
        first = false;
    }
    for (unsigned i = 0; i < sim->pcpus; i++)
        finish_vcpu(sim, sim->pcpu[i].idle, end_clk);
    fprintf(f, "\n  ],\n  \"idle_ns\": [");
    for (unsigned i = 0; i < sim->pcpus; i++)
        fprintf(f, "%s%" PRId64, i ? ", " : "", l->idle[i].total_ns[SY_RUNNING]);
    fprintf(f, "]\n}\n");
    if (ferror(f) | fclose(f)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "cannot write %s", path);
        return false;
    }
    return true;
}
