/* The statistics sink: everything a run says in numbers, in bounded memory, without a database.
 * `xentrail stats TRACE` prints it; db/ stores it beside the rows, so that both tell the same. */
#pragma once

#include "parse/sink.h"

/* Per VCPU; counts are those of the records present (lost ones cannot be counted). */
struct xt_vcpu_stats {
    const struct xt_vcpu *vcpu;
    int64_t state_ns[XT_NO_STATE]; /* time in each enum xt_state; sums to the run's duration */
    uint64_t changes;              /* runstate-change records; 0: only named by other records */
    uint64_t dispatches;           /* changes to running */
    uint64_t wakeups;              /* blocked -> runnable */
    uint64_t preemptions;          /* running -> runnable, neither depletion nor yield */
    uint64_t depletions;
    uint64_t yields;               /* running -> runnable after a yield record */
    uint64_t migrations;
    uint64_t by_reason[XT_N_REASONS]; /* changes away from running, by why */
    uint64_t no_burn;              /* preemptions assumed without a burn record (RTDS) */
    uint64_t inconsistencies;      /* records whose old state contradicts the one before */
    uint64_t replenishments;
    int64_t period_ns, budget_ns; /* learned: what most of its periods and replenishments had; 0 none. Refers to the
                                     scheduler's own servers, not to reference reservations */
    uint64_t periods;        /* server periods: distinct deadlines */
    uint64_t periods_judged; /* those whose deadline lies in the run and that no unknown time touches */
    uint64_t period_misses;  /* judged and missed */
};

/* Overheads: pCPU time spent by the hypervisor. Latencies: time that a VCPU waited. Never mixed in one figure. */
enum xt_metric {
    XT_METRIC_DECISION,          /* decisions of both kinds */
    XT_METRIC_DECISION_SWITCH,   /* first record of a decision -> its switch record */
    XT_METRIC_DECISION_CONTINUE, /* first record of a decision -> its continue record */
    XT_METRIC_DECISION_NO_BURN,  /* RTDS decisions that lack a burn record: kept apart from the three above */
    XT_METRIC_CONTEXT_SWITCH,    /* switch record -> the next VCPU's change to running */
    XT_METRIC_FORK_SCHED_LATENCY, /* these five as RT-Xen's own overhead records state them */
    XT_METRIC_FORK_CONTEXT_SWITCH,
    XT_METRIC_FORK_CONTEXT_SAVED,
    XT_METRIC_FORK_WAKE,
    XT_METRIC_FORK_SLEEP,
    XT_METRIC_WAKE_LATENCY,      /* wakeup -> next dispatch of that VCPU */
    XT_METRIC_PREEMPT_LATENCY,   /* preemption -> next dispatch */
    XT_METRIC_REPLENISH_LATENCY, /* depleted and runnable: replenishment -> next dispatch */
    XT_N_METRICS
};
const char *xt_metric_name(enum xt_metric metric);   /* "decision", "context_switch", "wake_latency", … */
const char *xt_metric_meaning(enum xt_metric metric); /* one line: from which record to which */
bool xt_metric_is_latency(enum xt_metric metric);

/* Exact distribution of non-negative ns values in bounded memory (spills sorted chunks to a temporary file). */
struct xt_distribution;
uint64_t xt_distribution_n(const struct xt_distribution *d);
uint64_t xt_distribution_dropped(const struct xt_distribution *d); /* samples touched by lost records or without a start */
int64_t xt_distribution_min(const struct xt_distribution *d);  /* -1 if n is 0, likewise below */
int64_t xt_distribution_max(const struct xt_distribution *d);
double xt_distribution_mean(const struct xt_distribution *d);
/* Nearest rank: the ceil(p*n)-th smallest, 0 < p <= 1. Call after the run has ended. */
int64_t xt_distribution_quantile(const struct xt_distribution *d, double p);
/* Calls each(user, value_ns, count) in ascending order of value. */
void xt_distribution_foreach(const struct xt_distribution *d, void (*each)(void *user, int64_t value_ns, uint64_t count),
                             void *user);

struct xt_stats;
struct xt_stats *xt_stats_new(void);
void xt_stats_free(struct xt_stats *stats);
/* The sink that fills stats; belongs to stats. */
const struct xt_sink *xt_stats_sink(struct xt_stats *stats);

/* After the run has ended. */
const struct xt_run *xt_stats_run(const struct xt_stats *stats);
uint32_t xt_stats_n_vcpus(const struct xt_stats *stats); /* idle VCPUs included, by xt_vcpu.index */
const struct xt_vcpu_stats *xt_stats_vcpu(const struct xt_stats *stats, uint32_t index);
const struct xt_distribution *xt_stats_metric(const struct xt_stats *stats, enum xt_metric metric);
