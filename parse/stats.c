#include "parse/stats.h"

#include "parse/distribution.h"

#define MAX_TALLIED 64 /* different values; a VCPU whose reservation changes more often has none of note */

struct tally {
    int64_t value;
    uint64_t count;
};

struct vcpu {
    struct xt_vcpu_stats out;
    GArray *periods, *budgets; /* of struct tally, as they first occurred */
};

struct xt_stats {
    struct xt_sink sink;
    struct xt_run run;
    struct xt_pcpu *pcpus;
    GPtrArray *vcpus; /* of struct vcpu, by index */
    struct xt_distribution *metrics[XT_N_METRICS];
};

static const struct {
    const char *name, *meaning;
} metrics[XT_N_METRICS] = {
    [XT_METRIC_DECISION] = { "decision", "first record of a scheduling decision -> its switch or continue record" },
    [XT_METRIC_DECISION_SWITCH] = { "decision_switch", "the decisions that end in a switch record" },
    [XT_METRIC_DECISION_CONTINUE] = { "decision_continue", "the decisions that go on with the same VCPU" },
    [XT_METRIC_DECISION_NO_BURN] = { "decision_no_burn", "RTDS decisions without a burn record (time stepped back); "
                                                         "kept apart from the other decision metrics" },
    [XT_METRIC_CONTEXT_SWITCH] = { "context_switch", "switch record -> the next VCPU's change to running (bookkeeping, "
                                                     "not the register switch)" },
    [XT_METRIC_FORK_SCHED_LATENCY] = { "fork_sched_latency", "RT-Xen's own record: the scheduling function" },
    [XT_METRIC_FORK_CONTEXT_SWITCH] = { "fork_context_switch", "RT-Xen's own record: entry of the context switch -> state "
                                                               "loaded" },
    [XT_METRIC_FORK_CONTEXT_SAVED] = { "fork_context_saved", "RT-Xen's own record: the policy's work after a switch" },
    [XT_METRIC_FORK_WAKE] = { "fork_wake", "RT-Xen's own record: the wake-up function" },
    [XT_METRIC_FORK_SLEEP] = { "fork_sleep", "RT-Xen's own record: the sleep function" },
    [XT_METRIC_WAKE_LATENCY] = { "wake_latency", "blocked -> runnable until the VCPU's next dispatch" },
    [XT_METRIC_PREEMPT_LATENCY] = { "preempt_latency", "preemption until the VCPU's next dispatch" },
    [XT_METRIC_REPLENISH_LATENCY] = { "replenish_latency", "replenishment of a depleted, runnable VCPU until its next "
                                                           "dispatch" },
};

const char *xt_metric_name(enum xt_metric metric)
{
    return metrics[metric].name;
}

const char *xt_metric_meaning(enum xt_metric metric)
{
    return metrics[metric].meaning;
}

bool xt_metric_is_latency(enum xt_metric metric)
{
    return metric >= XT_METRIC_WAKE_LATENCY;
}

static struct vcpu *vcpu_of(struct xt_stats *s, const struct xt_vcpu *vcpu)
{
    return g_ptr_array_index(s->vcpus, vcpu->index);
}

static struct xt_vcpu_stats *stats_of(struct xt_stats *s, const struct xt_vcpu *vcpu)
{
    return &vcpu_of(s, vcpu)->out;
}

static void tally(GArray *values, int64_t value)
{
    for (guint i = 0; i < values->len; i++) {
        struct tally *t = &g_array_index(values, struct tally, i);
        if (t->value == value) {
            t->count++;
            return;
        }
    }
    if (values->len < MAX_TALLIED) {
        struct tally first = { value, 1 };
        g_array_append_val(values, first);
    }
}

/* The earliest of those that occurred most often; 0 if there are none. */
static int64_t most_common(const GArray *values)
{
    struct tally most = { 0, 0 };

    for (guint i = 0; i < values->len; i++)
        if (g_array_index(values, struct tally, i).count > most.count)
            most = g_array_index(values, struct tally, i);
    return most.value;
}

static bool add_sample(struct xt_stats *s, enum xt_metric metric, int64_t ns, GError **error)
{
    if (ns >= 0)
        return xt_distribution_add(s->metrics[metric], ns, error);
    xt_distribution_drop(s->metrics[metric]);
    return true;
}

static bool add_decision(struct xt_stats *s, int64_t ns, bool is_switch, bool no_burn, GError **error)
{
    if (no_burn)
        return add_sample(s, XT_METRIC_DECISION_NO_BURN, ns, error);
    return add_sample(s, is_switch ? XT_METRIC_DECISION_SWITCH : XT_METRIC_DECISION_CONTINUE, ns, error);
}

static void free_vcpu(gpointer data)
{
    struct vcpu *v = data;

    g_free((struct xt_vcpu *)v->out.vcpu);
    g_array_unref(v->periods);
    g_array_unref(v->budgets);
    g_free(v);
}

static bool on_begin(void *self, const struct xt_run *run, GError **error)
{
    struct xt_stats *s = self;

    s->run = *run;
    s->run.pcpus = s->pcpus = g_memdup2(run->pcpus, sizeof(*run->pcpus) * run->n_pcpus);
    return true;
}

static bool on_vcpu(void *self, const struct xt_vcpu *vcpu, GError **error)
{
    struct xt_stats *s = self;
    struct vcpu *v = g_new0(struct vcpu, 1);

    v->out.vcpu = g_memdup2(vcpu, sizeof(*vcpu)); /* outlives the run */
    v->periods = g_array_new(FALSE, FALSE, sizeof(struct tally));
    v->budgets = g_array_new(FALSE, FALSE, sizeof(struct tally));
    g_ptr_array_add(s->vcpus, v);
    return true;
}

static bool add_latency(struct xt_stats *s, const struct xt_dispatch *d, GError **error)
{
    static const enum xt_metric latency_metric[] = {
        [XT_LATENCY_WAKE] = XT_METRIC_WAKE_LATENCY,
        [XT_LATENCY_PREEMPT] = XT_METRIC_PREEMPT_LATENCY,
        [XT_LATENCY_REPLENISH] = XT_METRIC_REPLENISH_LATENCY,
    };

    if (d->latency_kind == XT_LATENCY_NONE || xt_vcpu_is_idle(d->vcpu))
        return true;
    return add_sample(s, latency_metric[d->latency_kind], d->latency_ns, error);
}

static bool add_overhead(struct xt_stats *s, const struct xt_dispatch *d, GError **error)
{
    if (!d->prev) /* no switch record */
        return true;
    return add_decision(s, d->decision_ns, true, d->flags & XT_D_DECISION_NO_BURN, error) &&
           (d->flags & XT_D_DECISION_NO_BURN || add_sample(s, XT_METRIC_CONTEXT_SWITCH, d->switch_ns, error));
}

static bool on_dispatch(void *self, const struct xt_dispatch *d, GError **error)
{
    struct xt_stats *s = self;
    struct xt_vcpu_stats *v = stats_of(s, d->vcpu);

    if (d->off_state != XT_NO_STATE)
        v->state_ns[d->off_state] += d->ready_ts - d->off_ts;
    v->state_ns[XT_RUNNABLE] += d->run_ts - d->ready_ts;
    v->state_ns[XT_RUNNING] += d->end_ts - d->run_ts;
    return add_latency(s, d, error) && add_overhead(s, d, error);
}

static bool on_interval(void *self, const struct xt_interval *interval, GError **error)
{
    stats_of(self, interval->vcpu)->state_ns[interval->state] += interval->end_ts - interval->ts;
    return true;
}

static bool on_change(void *self, const struct xt_change *c, GError **error)
{
    struct xt_vcpu_stats *v = stats_of(self, c->vcpu);

    v->changes++;
    v->inconsistencies += c->inconsistent;
    v->migrations += c->migrated;
    v->dispatches += c->new_state == XT_RUNNING;
    v->wakeups += c->old_state == XT_BLOCKED && c->new_state == XT_RUNNABLE;
    if (c->old_state != XT_RUNNING)
        return true;
    v->by_reason[c->reason]++;
    if (c->new_state != XT_RUNNABLE)
        return true;
    v->no_burn += c->no_burn;
    v->depletions += c->reason == XT_REASON_DEPLETED;
    v->yields += c->reason == XT_REASON_YIELDED;
    v->preemptions += c->reason != XT_REASON_DEPLETED && c->reason != XT_REASON_YIELDED;
    return true;
}

static bool on_decision(void *self, const struct xt_decision *d, GError **error)
{
    struct xt_stats *s = self;

    if (d->is_switch)
        xt_distribution_drop(s->metrics[XT_METRIC_CONTEXT_SWITCH]);
    return add_decision(s, d->dur_ns, d->is_switch, d->no_burn, error);
}

static bool on_overhead(void *self, const struct xt_overhead *o, GError **error)
{
    return add_sample(self, (enum xt_metric)(XT_METRIC_FORK_SCHED_LATENCY + o->kind), o->dur_ns, error);
}

static bool on_replenish(void *self, const struct xt_replenish *r, GError **error)
{
    struct vcpu *v = vcpu_of(self, r->vcpu);

    v->out.replenishments++;
    tally(v->budgets, r->budget_ns);
    return true;
}

static bool on_period(void *self, const struct xt_period *p, GError **error)
{
    struct vcpu *v = vcpu_of(self, p->vcpu);

    v->out.periods++;
    v->out.periods_judged += p->judged;
    v->out.period_misses += p->missed;
    if (!p->reference)
        tally(v->periods, p->period_ns);
    return true;
}

static bool on_end(void *self, GError **error)
{
    struct xt_stats *s = self;
    struct xt_distribution *both = s->metrics[XT_METRIC_DECISION];

    for (int m = 0; m < XT_N_METRICS; m++)
        if (m != XT_METRIC_DECISION && !xt_distribution_finish(s->metrics[m], error))
            return false;
    for (guint i = 0; i < s->vcpus->len; i++) {
        struct vcpu *v = g_ptr_array_index(s->vcpus, i);
        v->out.period_ns = most_common(v->periods);
        v->out.budget_ns = most_common(v->budgets);
    }
    return xt_distribution_add_all(both, s->metrics[XT_METRIC_DECISION_SWITCH], error) &&
           xt_distribution_add_all(both, s->metrics[XT_METRIC_DECISION_CONTINUE], error) &&
           xt_distribution_finish(both, error);
}

struct xt_stats *xt_stats_new(void)
{
    struct xt_stats *s = g_new0(struct xt_stats, 1);

    s->sink = (struct xt_sink){
        .self = s,
        .begin = on_begin,
        .vcpu = on_vcpu,
        .dispatch = on_dispatch,
        .interval = on_interval,
        .change = on_change,
        .decision = on_decision,
        .overhead = on_overhead,
        .replenish = on_replenish,
        .period = on_period,
        .end = on_end,
    };
    s->vcpus = g_ptr_array_new_with_free_func(free_vcpu);
    for (int m = 0; m < XT_N_METRICS; m++)
        s->metrics[m] = xt_distribution_new();
    return s;
}

void xt_stats_free(struct xt_stats *stats)
{
    if (!stats)
        return;
    g_free(stats->pcpus);
    g_ptr_array_unref(stats->vcpus);
    for (int m = 0; m < XT_N_METRICS; m++)
        xt_distribution_free(stats->metrics[m]);
    g_free(stats);
}

const struct xt_sink *xt_stats_sink(struct xt_stats *stats)
{
    return &stats->sink;
}

const struct xt_run *xt_stats_run(const struct xt_stats *stats)
{
    return &stats->run;
}

uint32_t xt_stats_n_vcpus(const struct xt_stats *stats)
{
    return stats->vcpus->len;
}

const struct xt_vcpu_stats *xt_stats_vcpu(const struct xt_stats *stats, uint32_t index)
{
    return &((const struct vcpu *)g_ptr_array_index(stats->vcpus, index))->out;
}

const struct xt_distribution *xt_stats_metric(const struct xt_stats *stats, enum xt_metric metric)
{
    return stats->metrics[metric];
}
