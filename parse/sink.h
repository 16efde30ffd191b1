/* What reconstruction hands on. A sink is a struct of functions; parse/ calls them in the order of the merged trace.
 * db/ is one sink, the statistics of `xentrail stats` another, tests have their own. Nothing here knows who listens.
 *
 * Times are int64 ns since the run's first record (`ts`), durations ns. `tsc` is raw. Pointers handed to a sink live
 * until the call returns, but struct xt_vcpu and struct xt_run stay valid until the sink's end() has returned. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define XT_IDLE_DOMID 32767 /* Xen's idle domain; its VCPU number is the pCPU that it idles on */
#define XT_NO_PCPU (-1)

enum xt_state { /* the first four as Xen numbers them in runstate records */
    XT_RUNNING = 0,
    XT_RUNNABLE = 1,
    XT_BLOCKED = 2,
    XT_OFFLINE = 3,
    XT_UNKNOWN = 4, /* inside or behind lost records */
    XT_NO_STATE = 5,
};
const char *xt_state_name(enum xt_state state);

/* Why an interval is what it is: for a running interval why it ended, for every other why it began. */
enum xt_reason {
    XT_REASON_NONE = 0,    /* nothing in the trace says why (first interval, lost records) */
    XT_REASON_BLOCKED,     /* the guest gave up the pCPU: running -> blocked */
    XT_REASON_OFFLINE,     /* paused, destroyed, parked or being migrated: -> offline */
    XT_REASON_PREEMPTED,   /* running -> runnable with budget left, another VCPU took over */
    XT_REASON_DEPLETED,    /* RTDS: the burn of that decision reports 0 budget left */
    XT_REASON_YIELDED,     /* a yield record of that VCPU preceded the switch */
    XT_REASON_EXTRATIME,   /* RTDS: the burn refilled the budget at a lower priority level; a preemption */
    XT_REASON_TIMESLICE,   /* credit, credit2: the slice armed at dispatch had run out; a preemption */
    XT_REASON_TASKLET,     /* displaced by a hypervisor tasklet; a preemption */
    XT_REASON_BLOCK_ABORT, /* blocked, but a wake-up came while the switch was decided; a preemption */
    XT_REASON_WAKEUP,      /* blocked -> runnable */
    XT_REASON_ONLINE,      /* offline -> runnable: unpaused, created, migration finished */
    XT_REASON_DISPATCHED,  /* X -> running in the way that is not covered above (core scheduling) */
    XT_N_REASONS
};
const char *xt_reason_name(enum xt_reason reason);

/* A VCPU of the run. index counts from 0 in order of first appearance, so sinks can use arrays. */
struct xt_vcpu {
    uint32_t index;
    uint16_t domid;
    uint16_t vcpu;
};

static inline bool xt_vcpu_is_idle(const struct xt_vcpu *v)
{
    return v->domid == XT_IDLE_DOMID;
}

/* Where the TSC frequency comes from. */
enum xt_hz_source { XT_HZ_TRACE, XT_HZ_XL_INFO, XT_HZ_USER };
const char *xt_hz_source_name(enum xt_hz_source source);

enum xt_scheduler {
    XT_SCHED_UNKNOWN,
    XT_SCHED_CREDIT,
    XT_SCHED_CREDIT2,
    XT_SCHED_RTDS,
    XT_SCHED_NULL,
    XT_SCHED_ARINC653,
    XT_SCHED_RTXEN2, /* RT-Xen 2.0's rt-global / rt-partition */
    XT_N_SCHEDULERS
};
const char *xt_scheduler_name(enum xt_scheduler scheduler); /* as `xl info` spells it; "unknown" */

static inline int64_t xt_cycles_ns(int64_t cycles, int64_t hz)
{
    return (int64_t)((__int128)cycles * 1000000000 / hz);
}

/* One pCPU that wrote a window. */
struct xt_pcpu {
    int32_t pcpu;
    enum xt_scheduler scheduler; /* the one with most class records on this pCPU */
    uint64_t records;            /* hypervisor records, wrap and lost-records included */
    uint64_t lost_records;       /* sum of the counts in its lost-records records */
    uint64_t windows;
    uint64_t first_tsc, last_tsc; /* as in the records */
    int64_t tsc_offset;          /* cycles added to its TSCs, since order proves them off (parse/skew.h) */
    int64_t tsc_offset_min, tsc_offset_max; /* what order proves of it beside run.tsc_reference; INT64_MIN, INT64_MAX:
                                               not bounded, or not looked */
    double hz;           /* this pCPU's own estimate from its switch_infprev chain; 0: none */
    double hz_error_ppm; /* standard error of that estimate */
    int64_t now_offset_ns; /* system time minus ts, from replenishments on this pCPU (INT64_MIN: unknown) */
    bool now_joined;       /* its replenishments join the run's common system-time line */
};

/* What is known of a run before the first interval. */
struct xt_run {
    uint64_t start_tsc, end_tsc; /* smallest and largest TSC of any record */
    int64_t duration_ns;
    int64_t tsc_hz; /* the one frequency used for every ts of this run */
    enum xt_hz_source hz_source;
    double hz_error_ppm;
    double trace_hz;       /* the trace's own estimate, 0 if none; kept whichever was chosen */
    double trace_hz_error_ppm;
    double xl_info_hz;     /* `xl info` cpu_mhz, 0 if none */
    uint64_t records;      /* every hypervisor record, wrap and lost-records included, CPU_CHANGE not */
    uint64_t lost_records; /* sum of counts in lost-records records */
    uint64_t lost_windows; /* how many such records */
    uint64_t unknown_records;   /* event id in no table */
    uint64_t malformed_records; /* known event id with a word count that fits no known layout */
    uint64_t tsc_steps_back;    /* records whose TSC is before their predecessor's on the same pCPU */
    uint64_t contradictions; /* runstate changes that TSCs of different pCPUs put before what must precede them */
    int32_t tsc_reference;   /* pCPU whose TSC is taken to be right then; XT_NO_PCPU: not looked, or no offsets found */
    bool tsc_corrected;      /* and offsets of pCPUs made all of them fit; else instants of different pCPUs are doubtful */
    uint64_t bytes;             /* of the (decompressed) trace */
    uint64_t truncated_bytes;   /* at its end that form no whole record */
    enum xt_scheduler scheduler;
    bool core_scheduling; /* pCPUs, migrations and overhead are undefined: XT_NO_PCPU, and no samples */
    char generation[64];  /* what the layouts tell of the Xen version, e.g. "4.10-4.17" */
    int64_t now_offset_ns;      /* system time minus ts on the reference pCPU; INT64_MIN if unknown */
    int64_t now_residual_ns;    /* spread of that mapping: an error bar on releases and deadlines */
    int32_t now_reference_pcpu; /* XT_NO_PCPU if unknown */
    uint32_t n_pcpus;
    const struct xt_pcpu *pcpus; /* ascending pCPU number */
};

/* Since when a dispatched VCPU had been eligible to run. */
enum xt_latency {
    XT_LATENCY_NONE,
    XT_LATENCY_WAKE,      /* since blocked -> runnable */
    XT_LATENCY_PREEMPT,   /* since it was preempted */
    XT_LATENCY_REPLENISH, /* depleted before; since its budget was replenished */
};

/* One finished dispatch of a VCPU: it left a pCPU, became eligible, ran, left again.
 *   [off_ts, ready_ts)  off_state: blocked, offline, unknown, or nothing (off_ts == ready_ts) if it never was ineligible
 *   [ready_ts, run_ts)  runnable
 *   [run_ts, end_ts)    running on pcpu
 * These three are intervals of the run; what does not fit the pattern comes as xt_interval. */
struct xt_dispatch {
    const struct xt_vcpu *vcpu;
    int64_t off_ts, ready_ts, run_ts, end_ts;
    enum xt_state off_state;     /* XT_NO_STATE: no such part */
    enum xt_reason off_reason;   /* why the off part began */
    enum xt_reason ready_reason; /* why it became eligible */
    enum xt_reason end_reason;   /* why it stopped running; XT_REASON_NONE with XT_D_OPEN_END or XT_D_CUT_END */
    uint32_t flags;              /* XT_D_* */
    int32_t pcpu;                /* XT_NO_PCPU with core scheduling */
    int32_t from_pcpu;           /* pCPU of its previous running interval, XT_NO_PCPU if none */
    const struct xt_vcpu *prev;  /* who left the pCPU to it (may be idle), NULL unknown */
    const struct xt_vcpu *next;  /* who took the pCPU from it (may be idle), NULL unknown */
    int64_t decision_ts;         /* start of the decision that dispatched it, -1 unknown */
    int64_t decision_ns;         /* from there to its switch record, -1: no sample */
    int64_t switch_ns;           /* switch record -> its change to running, -1: no sample (bookkeeping, not registers) */
    int64_t budget_left_ns;      /* RTDS: what the burn at the end reports, -1 if none */
    enum xt_latency latency_kind; /* what it waited after */
    int64_t latency_ns;           /* from then to this dispatch, -1: nothing to measure, or touched by lost records */
};
enum xt_dispatch_flag {
    XT_D_OPEN_START = 1u << 0,    /* its first part is open: it began before the run */
    XT_D_OPEN_END = 1u << 1,      /* still running at the run's end */
    XT_D_CUT_START = 1u << 2,     /* the running part begins at the end of a lost window, not at a dispatch */
    XT_D_CUT_END = 1u << 3,       /* the running part ends at the start of a lost window */
    XT_D_MIGRATED = 1u << 4,      /* pcpu differs from from_pcpu */
    XT_D_ACROSS_LOSS = 1u << 5,   /* lost records lie between this and the previous running interval */
    XT_D_NO_BURN = 1u << 6,       /* RTDS, left runnable, and no burn record in that decision */
    XT_D_DECISION_NO_BURN = 1u << 7, /* the decision that dispatched it lacked the burn of a non-idle prev: kept apart */
    XT_D_NO_DISPATCH = 1u << 8,   /* no change to running was recorded (open or cut start): not counted as a dispatch */
    XT_D_TICKLED = 1u << 9,       /* the deciding pCPU had been tickled */
};

/* An interval that no dispatch carries. */
struct xt_interval {
    const struct xt_vcpu *vcpu;
    int64_t ts, end_ts;
    enum xt_state state;
    enum xt_reason reason;
    bool open_start, open_end;
};

/* A change of runstate, counted from the record's own old and new state (an inconsistency does not hide it).
 * reason as of the new interval; for running -> runnable it says preemption, depletion or yield. */
struct xt_change {
    const struct xt_vcpu *vcpu;
    int64_t ts;
    enum xt_state old_state, new_state;
    enum xt_reason reason;
    bool no_burn;      /* preemption assumed because Xen wrote no burn record */
    bool inconsistent; /* old_state is not what the previous record of this VCPU said, and no record was lost */
    bool migrated;     /* a dispatch on another pCPU than before */
    int32_t pcpu;      /* that wrote the record */
};

/* A scheduling decision that dispatches nobody: the pCPU goes on with the same VCPU, or its switch has no change to
 * running in the trace. Decisions that dispatch are in struct xt_dispatch. */
struct xt_decision {
    int32_t pcpu;
    int64_t ts;     /* start; the end if the start is not in the trace */
    int64_t dur_ns; /* -1: no sample (start missing, or touched by lost records) */
    bool is_switch;
    bool no_burn;
    bool tickled;
    const struct xt_vcpu *prev, *next; /* the same for a continue */
};

/* RT-Xen forks measure overheads themselves (class 0x24000); used as they are. */
enum xt_fork_overhead {
    XT_FORK_SCHED_LATENCY,
    XT_FORK_CONTEXT_SWITCH,
    XT_FORK_CONTEXT_SAVED,
    XT_FORK_WAKE,
    XT_FORK_SLEEP,
    XT_N_FORK_OVERHEADS
};
struct xt_overhead {
    enum xt_fork_overhead kind;
    int32_t pcpu;
    int64_t ts, dur_ns;
    const struct xt_vcpu *prev, *next; /* next NULL for the one-VCPU kinds */
    bool migrated;
};

struct xt_replenish {
    const struct xt_vcpu *vcpu;
    int32_t pcpu;
    int64_t ts;
    int64_t deadline_now_ns; /* absolute, Xen system time, as in the record */
    int64_t budget_ns;
};

/* Who held a pCPU that a VCPU could have used while it waited for what it was promised. */
enum xt_blame {
    XT_BLAME_OVERLOAD,  /* work with an earlier or equal deadline */
    XT_BLAME_INVERSION, /* work with a later deadline, or beyond its budget */
    XT_BLAME_LATENCY,   /* nobody: the pCPU was idle */
    XT_BLAME_UNKNOWN,   /* lost records, or no deadline to compare */
    XT_N_BLAMES
};
const char *xt_blame_name(enum xt_blame blame);
struct xt_blame_part {
    enum xt_blame blame;
    int32_t pcpu;
    const struct xt_vcpu *vcpu; /* who ran there; NULL unknown */
    int64_t dur_ns;             /* pCPU time inside the waiting of that period */
};

/* One server period, handed over when it is complete. Definitions: docs/design.md, items 6 to 8. */
struct xt_period {
    const struct xt_vcpu *vcpu;
    int64_t release, deadline; /* ts; release may be before 0 (clipped for judging) */
    int64_t period_ns, budget_ns;
    int64_t supplied_ns;       /* run in [release, deadline) out of its own budget */
    int64_t extratime_ns;      /* run beyond it, at a lower priority level */
    int64_t ready_ts;          /* w: since when it was ready without a break, -1 if not ready at the deadline */
    int64_t short_ns;          /* min(budget - run, runnable in [w, deadline)) if ready at the deadline, else 0 */
    bool reference;            /* reservation given from outside (DESIGN item 8), not learned from replenishments */
    bool judged;               /* false: deadline beyond the run, or unknown time touches the period */
    bool missed;               /* judged and short_ns > tolerance */
    int64_t blame_ns[XT_N_BLAMES]; /* of a miss, if a sink wants blame: waiting time in [w, deadline) by its cause; sums to
                                      the time runnable */
    uint32_t n_parts;
    const struct xt_blame_part *parts; /* only for misses */
};

/* Records lost on one pCPU: nothing is known of it in [ts, end_ts]. */
struct xt_loss {
    int32_t pcpu;
    int64_t ts, end_ts;
    uint64_t lost_records;
};

/* Conformance: what a trace must keep if its scheduler does what it promises. xt_rule_meaning() explains each. */
enum xt_rule {
    XT_RULE_RUNSTATE_CHAIN,
    XT_RULE_ONE_PCPU,
    XT_RULE_TSC_MONOTONIC,
    XT_RULE_PIN,
    XT_RULE_PRIORITY_ORDER,
    XT_RULE_WORK_CONSERVING,
    XT_RULE_BUDGET,
    XT_RULE_REPLENISHMENT,
    XT_RULE_TICKLE,
    XT_RULE_TIMER,
    XT_RULE_CAP,
    XT_RULE_WEIGHT,
    XT_N_RULES
};
const char *xt_rule_name(enum xt_rule rule);    /* "priority-order", … */
const char *xt_rule_meaning(enum xt_rule rule); /* one line */
const char *xt_rule_unit(enum xt_rule rule);    /* of value and limit: "ns", "cycles", "percent" or "" */
int64_t xt_rule_default_limit(enum xt_rule rule);

/* A rule broken at one instant, or from ts to end_ts. */
struct xt_violation {
    enum xt_rule rule;
    const struct xt_vcpu *vcpu;  /* whom it happened to; NULL none */
    const struct xt_vcpu *other; /* who ran instead, NULL none */
    int32_t pcpu;                /* where, XT_NO_PCPU none */
    int64_t ts, end_ts;
    int64_t value, limit;        /* what was found and what is allowed, in the rule's unit */
};

/* How a rule fared over the run; handed out for every rule that something was checked by, before end(). */
struct xt_rule_result {
    enum xt_rule rule;
    uint64_t checked, broken;
    int64_t worst; /* largest value found, broken or not; -1 none */
    int64_t limit;
    /* Where the limit comes from: 0 reactions: the default, or the user. Else it is XT_REACTION_FACTOR times the p95 of
     * how long this host's pCPUs took to answer tickles and timers, since no scheduler can be faster than they are. */
    uint64_t reactions;
    int64_t reaction_p95_ns;
};
#define XT_REACTION_FACTOR 10

/* What kind of server a VCPU is, told from what becomes of its budget while it is blocked. */
enum xt_server_kind { XT_SERVER_UNKNOWN, XT_SERVER_DEFERRABLE, XT_SERVER_PERIODIC, XT_SERVER_SPORADIC };
const char *xt_server_kind_name(enum xt_server_kind kind);
struct xt_server {
    const struct xt_vcpu *vcpu;
    enum xt_server_kind kind;
    uint64_t kept, fell;     /* returns from blocking within a period: budget as before; less by the time blocked */
    uint64_t in_step, out_of_step; /* replenishments whose deadline is a whole number of periods after the last one's */
};

/* Every function may be NULL. false means stop: the function has set error. self is the sink's own. */
struct xt_sink {
    void *self;
    bool blame; /* wants blame_ns and parts of periods */
    bool (*begin)(void *self, const struct xt_run *run, GError **error);
    bool (*vcpu)(void *self, const struct xt_vcpu *vcpu, GError **error); /* first appearance */
    bool (*dispatch)(void *self, const struct xt_dispatch *dispatch, GError **error);
    bool (*interval)(void *self, const struct xt_interval *interval, GError **error);
    bool (*change)(void *self, const struct xt_change *change, GError **error);
    bool (*decision)(void *self, const struct xt_decision *decision, GError **error);
    bool (*overhead)(void *self, const struct xt_overhead *overhead, GError **error);
    bool (*replenish)(void *self, const struct xt_replenish *replenish, GError **error);
    bool (*period)(void *self, const struct xt_period *period, GError **error);
    bool (*loss)(void *self, const struct xt_loss *loss, GError **error);
    bool (*violation)(void *self, const struct xt_violation *violation, GError **error);
    bool (*server)(void *self, const struct xt_server *server, GError **error); /* before the first violation */
    bool (*rule)(void *self, const struct xt_rule_result *result, GError **error);
    bool (*end)(void *self, GError **error); /* only if all went well */
};
