/* The database as renderers and reports read it. Writing is db/import.h, questions in SQL are db/query.h;
 * what is in the tables and views is said in db/schema.sql. A struct xt_db is for one thread at a time. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "parse/sink.h"
#include "parse/stats.h"

struct sqlite3;
struct xt_db;

enum xt_db_mode {
    XT_DB_READ,   /* must exist */
    XT_DB_WRITE,  /* must exist */
    XT_DB_CREATE, /* made if it does not exist; removed again at xt_db_close if nothing was committed */
};

/* Opens path. NULL and XT_ERROR_INPUT if it is missing, no database of ours, or of another schema version
 * (the message says which and the way out); XT_ERROR_SYSTEM if the system does not let us. What an
 * interrupted import left behind is rolled back, also when only reading. */
struct xt_db *xt_db_open(const char *path, enum xt_db_mode mode, GError **error);
void xt_db_close(struct xt_db *db); /* NULL is fine; rolls back what is not committed */

/* The SQLite handle, for queries of one's own; stays db's. */
struct sqlite3 *xt_db_sqlite(struct xt_db *db);
const char *xt_db_path(const struct xt_db *db);

/* One imported run. Strings may be NULL where the view `runs` has NULL; times and units as there. */
struct xt_db_run {
    int64_t id;
    char *name, *policy, *server, *scheduler, *xen_version, *tsc_hz_source, *tool_version;
    char *group; /* what is compared: the policy or "unknown", with "+periodic" or "+mixed" if its servers are so */
    int64_t duration_ns, tsc_hz;
    uint64_t start_tsc;
    uint64_t records, lost_records;
    int64_t now_offset_ns;   /* system time minus ts, INT64_MIN unknown */
    int64_t now_residual_ns; /* error bar of releases and deadlines */
    int64_t tolerance_ns;
    int64_t share_ns; /* width of the bins of xt_db_each_share; 0: the run is short, it has none */
    uint32_t pcpus;
    bool emulated, core_scheduling;
};
void xt_db_run_free(struct xt_db_run *run);

/* All runs in order of import: array of struct xt_db_run *, freed with g_ptr_array_unref. */
GPtrArray *xt_db_runs(struct xt_db *db, GError **error);

/* The run of that name, or of that number if no run has that name. text NULL: the only run. NULL and
 * XT_ERROR_USAGE if there is none (the message lists what there is). Free with xt_db_run_free. */
struct xt_db_run *xt_db_run_find(struct xt_db *db, const char *text, GError **error);

/* One VCPU of a run. 0 where a parameter is unknown or not set; totals as in view vcpu_stats. */
struct xt_db_vcpu {
    int64_t id; /* what the filters below take */
    uint16_t domid, vcpu;
    bool in_trace;
    char *domain;        /* name, hostile text; NULL unknown */
    char *hard_affinity; /* as xl prints it, NULL unknown */
    char *cpupool;
    int64_t period_ns, budget_ns;         /* the scheduler's own */
    int64_t ref_period_ns, ref_budget_ns; /* reference reservation */
    int64_t running_ns, runnable_ns, blocked_ns, offline_ns, unknown_ns;
    uint64_t dispatches, preemptions, depletions, migrations, periods, periods_judged, period_misses;
};
void xt_db_vcpu_free(struct xt_db_vcpu *vcpu);

/* VCPUs of a run by (domid, vcpu), idle ones last: array of struct xt_db_vcpu *, freed with
 * g_ptr_array_unref. */
GPtrArray *xt_db_vcpus(struct xt_db *db, int64_t run, GError **error);

/* pCPU numbers of a run, ascending: array of int32_t, freed with g_array_unref. */
GArray *xt_db_pcpus(struct xt_db *db, int64_t run, GError **error);

/* Windows. Each function calls back for every row of the run that overlaps [from, to) in ts, at a cost that
 * depends on the window and not on the run; INT64_MIN, INT64_MAX: all of it. vcpu: struct xt_db_vcpu.id, 0
 * all. Rows come in the order in which they ended, nearly; what they point to lives until the callback
 * returns. The callback returns false to stop early (no error). The functions return false with error set if
 * the database cannot be read. */

/* Runstate intervals; parts that lasted 0 ns are left out. An instant of a VCPU is in exactly one. */
struct xt_db_interval {
    int64_t vcpu; /* struct xt_db_vcpu.id */
    int64_t ts, end_ts;
    enum xt_state state;
    enum xt_reason reason; /* running: why it ended, else: why it began */
    int32_t pcpu;          /* XT_NO_PCPU unless running */
    bool open;             /* goes beyond the run */
};
bool xt_db_each_interval(struct xt_db *db, int64_t run, int64_t from, int64_t to, int64_t vcpu,
                         bool (*each)(void *user, const struct xt_db_interval *interval), void *user,
                         GError **error);

/* Dispatches: the same and more, one row each. Overlap is judged from the begin of its off part. */
struct xt_db_dispatch {
    int64_t id;
    int64_t vcpu, prev, next;             /* struct xt_db_vcpu.id; 0 unknown */
    int64_t off_ts, ready_ts, run_ts, end_ts;
    enum xt_state off_state;              /* XT_NO_STATE: no such part */
    enum xt_reason off_reason, ready_reason, end_reason;
    uint32_t flags;                       /* enum xt_dispatch_flag */
    int32_t pcpu, from_pcpu;
    int64_t decision_ts, decision_ns, switch_ns; /* -1 unknown, as in struct xt_dispatch */
    int64_t budget_left_ns;                      /* -1 none */
    enum xt_latency latency_kind;                /* what it waited after, for latency_ns; -1 none */
    int64_t latency_ns;
};
bool xt_db_each_dispatch(struct xt_db *db, int64_t run, int64_t from, int64_t to, int64_t vcpu,
                         bool (*each)(void *user, const struct xt_db_dispatch *dispatch), void *user,
                         GError **error);

/* Server periods; overlap of [release, deadline]. */
struct xt_db_period {
    int64_t id, vcpu;
    int64_t release, deadline;
    int64_t period_ns, budget_ns, supplied_ns, extratime_ns, short_ns;
    int64_t ready_ts; /* -1 if not ready at the deadline */
    bool reference, judged, missed;
    int64_t blame_ns[XT_N_BLAMES];
};
bool xt_db_each_period(struct xt_db *db, int64_t run, int64_t from, int64_t to, int64_t vcpu,
                       bool (*each)(void *user, const struct xt_db_period *period), void *user,
                       GError **error);

/* One period by its id, which must be one that the functions above and below gave. */
bool xt_db_period_get(struct xt_db *db, int64_t id, struct xt_db_period *period, GError **error);

/* Missed periods of a run with a deadline in [from, to), in the order of their numbers; reading them costs little, also
 * where there are many periods. Array of struct xt_db_miss, freed with g_array_unref. */
struct xt_db_miss {
    int64_t id, vcpu;
    int64_t release, deadline, short_ns;
    int number; /* in the run, from 1: by deadline, then VCPU */
    bool reference;
};
GArray *xt_db_misses(struct xt_db *db, int64_t run, int64_t from, int64_t to, GError **error);

struct xt_db_replenish {
    int64_t vcpu;
    int64_t ts, deadline; /* deadline INT64_MIN if the run's system time could not be mapped */
    int64_t budget_ns;
    int32_t pcpu;
};
bool xt_db_each_replenish(struct xt_db *db, int64_t run, int64_t from, int64_t to, int64_t vcpu,
                          bool (*each)(void *user, const struct xt_db_replenish *replenish), void *user,
                          GError **error);

/* Lost records: overlap of [ts, end_ts]. */
bool xt_db_each_loss(struct xt_db *db, int64_t run, int64_t from, int64_t to,
                     bool (*each)(void *user, const struct xt_loss *loss), void *user, GError **error);

/* Jobs inside guests: overlap of [release, max(completion, deadline)], in order of release; domid -1: all. */
struct xt_db_job {
    int domid;          /* -1 unknown */
    const char *domain; /* hostile text, like task */
    const char *task;
    int64_t job;
    int64_t release, deadline;
    int64_t start, completion; /* INT64_MIN: not logged, none */
    int missed;                /* 1, 0; -1 the log ends before the deadline */
};
bool xt_db_each_job(struct xt_db *db, int64_t run, int64_t from, int64_t to, int domid,
                    bool (*each)(void *user, const struct xt_db_job *job), void *user, GError **error);

/* How VCPUs spent their time, bin by bin: what an overview needs of a long run, at a cost that does not grow with it.
 * Bin b is [b * share_ns, (b + 1) * share_ns); those from from_bin up to, not with, to_bin come, by bin. A bin in which
 * a VCPU did none of this does not come. Nothing comes if the run has no share_ns. */
struct xt_db_place {
    int32_t pcpu;
    int64_t running_ns;
};
struct xt_db_share {
    int64_t bin;
    int64_t vcpu; /* struct xt_db_vcpu.id, never an idle one */
    int64_t running_ns, runnable_ns, unknown_ns;
    uint64_t intervals; /* in these three states, that began in the bin */
    const struct xt_db_place *places; /* where it ran; a pCPU can come twice. None under core scheduling. */
    unsigned n_places;
};
bool xt_db_each_share(struct xt_db *db, int64_t run, int64_t from_bin, int64_t to_bin,
                      bool (*each)(void *user, const struct xt_db_share *share), void *user, GError **error);

/* Every sample of a metric (name as in the views) in ascending order of value; nothing if it has none. */
bool xt_db_each_sample(struct xt_db *db, int64_t run, const char *metric,
                       bool (*each)(void *user, int64_t value_ns, uint64_t count), void *user,
                       GError **error);

/* Every sample of a metric in a run with where and whom it is of, in no order that means anything. Nothing of a metric that
 * the hypervisor measured itself. */
struct xt_db_measure {
    int64_t ns;
    int64_t vcpu; /* that waited, or that the decision or switch was for; struct xt_db_vcpu.id, 0 unknown */
    int32_t pcpu; /* XT_NO_PCPU unknown */
    bool migrated;
};
bool xt_db_each_measure(struct xt_db *db, int64_t run, enum xt_metric metric,
                        bool (*each)(void *user, const struct xt_db_measure *measure), void *user, GError **error);
