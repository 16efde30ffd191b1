/* What a Gantt chart shows, in ns and numbers: no lengths, no database. db queries fill it (scene-query.h),
 * or a test does by hand; gantt.h draws it. One run, one window. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "parse/sink.h"

struct xt_scene_vcpu {
    int domid, vcpu;
    char *domain;                 /* name as it came, hostile text; NULL unknown. The scene's. */
    int64_t period_ns, budget_ns; /* 0 none */
    bool reference;               /* these are a reference reservation: the scheduler does not know them */
    int64_t running_ns;           /* in the window */
    bool hidden;                  /* no row of its own: not selected, or quiet in the window */
};

struct xt_scene_interval {
    int vcpu; /* index into vcpus, likewise below */
    enum xt_state state;
    enum xt_reason reason; /* why a running interval ended */
    int pcpu;              /* XT_NO_PCPU */
    int64_t ts, end_ts;
    bool no_end; /* cut off: open at the run's end, or by lost records; no mark there */
};

struct xt_scene_migration {
    int vcpu;
    int from_pcpu, to_pcpu;
    int64_t left_ts, ts; /* last instant on from_pcpu (-1 unknown), first on to_pcpu */
};

struct xt_scene_period {
    int vcpu;
    int64_t release, deadline;
    int64_t budget_ns, supplied_ns;
    bool judged, missed, reference;
    int number; /* of the miss within the run, from 1; 0 none */
};

struct xt_scene_miss {
    int vcpu;
    int64_t release, deadline;
    int number; /* within the run, from 1 */
};

struct xt_scene_replenish {
    int vcpu;
    int64_t ts, budget_ns;
};

struct xt_scene_loss {
    int pcpu;
    int64_t ts, end_ts;
    uint64_t records;
};

struct xt_scene_job {
    char *domain, *task; /* the scene's */
    int64_t number;
    int64_t release, start, completion, deadline; /* start, completion -1: none */
    bool missed;
};

/* A level of a server's budget; straight lines between points, a new sawtooth begins where starts is set. */
struct xt_scene_level {
    int vcpu;
    int64_t ts;
    int64_t left_ns;
    bool starts;
};

/* Density: how much of each column of time was spent how. Owners of a pCPU row are domids; of a VCPU row pCPUs if those
 * give the colour, else all 0. Columns are column_ns long, counted from origin; the window cuts the first and the last:
 * column c covers [column_ts(c), column_ts(c + 1)). */
enum { XT_SHARE_RUNNABLE = -2, XT_SHARE_UNKNOWN = -3, XT_SHARE_MISSES = -4 };
struct xt_density {
    int64_t from, to;
    int64_t origin, column_ns;
    unsigned n_columns;
    GPtrArray *rows; /* by number: NULL, or GPtrArray of int64_t[n_columns] by owner, counted from XT_SHARE_MISSES */
};

struct xt_scene {
    /* The run; strings are the scene's, hostile text, NULL unknown. */
    char *run, *policy, *xen_version, *scheduler;
    bool emulated;
    bool core_scheduling; /* pCPUs are undefined: no rows of them */
    int64_t run_ns;       /* its duration */
    int64_t hz_error_ppb; /* of the time axis, -1 unknown */
    uint64_t run_misses, run_lost_records;

    int64_t from, to; /* window, ns since the run's start */
    char *note;       /* said in the caption: what the window was chosen for; NULL none */

    GArray *vcpus;  /* struct xt_scene_vcpu, in row order; idle ones never */
    GArray *pcpus;  /* int, ascending */
    unsigned quiet; /* VCPUs hidden because they neither ran nor waited in the window */

    GArray *intervals;  /* struct xt_scene_interval, touching the window; running, runnable and unknown */
    GArray *migrations; /* struct xt_scene_migration */
    GArray *periods;    /* struct xt_scene_period, by deadline */
    GArray *misses;     /* struct xt_scene_miss, by deadline; only of an overview */
    GArray *levels;     /* struct xt_scene_level, by VCPU and time */
    unsigned without_levels; /* servers whose budget is not drawn, as it falls while they are blocked, too */
    GArray *losses;          /* struct xt_scene_loss */
    GArray *jobs;            /* struct xt_scene_job, by domain, task, release */

    struct xt_density *density; /* instead of intervals, migrations, levels; NULL: exact */
    uint64_t n_intervals;       /* that the picture stands for, exact or not */
};

struct xt_scene *xt_scene_new(int64_t from, int64_t to);
void xt_scene_free(struct xt_scene *scene);

/* Budget over time of one VCPU, appended to scene->levels. replenishments and intervals of that VCPU in time
 * order, beginning with the last replenishment before the window if there is one: budget is what it was set
 * to, falls by one ns per ns run, stays at 0. Nothing is drawn before the first replenishment, nor from
 * unknown time on until the next. */
void xt_scene_add_levels(struct xt_scene *scene, int vcpu, const struct xt_scene_replenish *replenish,
                         unsigned n_replenish, const struct xt_scene_interval *intervals,
                         unsigned n_intervals);

/* origin <= from */
struct xt_density *xt_density_new(int64_t from, int64_t to, int64_t origin, int64_t column_ns);
void xt_density_free(struct xt_density *density);
int64_t xt_density_column_ts(const struct xt_density *density, unsigned column);
/* Adds the part of [ts, end_ts) inside the window to row's share of owner, column by column: the sum is
 * exact, whatever the lengths. Rows are numbered by the caller, owners too (from 0 up, or XT_SHARE_*). */
void xt_density_add(struct xt_density *density, int row, int owner, int64_t ts, int64_t end_ts);
/* Adds n (time, or a count of events) to the column that holds ts; outside the window nothing. */
void xt_density_add_at(struct xt_density *density, int row, int owner, int64_t ts, int64_t n);
/* NULL: nothing. */
const int64_t *xt_density_share(const struct xt_density *density, int row, int owner);
int64_t xt_density_sum(const struct xt_density *density, const int64_t *share);
/* Who (>= 0) has a share of a row: array of struct xt_owner, the caller's. The first *n_first, those with the most that are
 * seen at all, can have a colour of their own and come by number; the rest is better pooled. */
struct xt_owner {
    int owner;
    bool seen; /* somewhere high enough for a colour */
    int64_t sum;
};
GArray *xt_density_ranked(const struct xt_density *density, int row, unsigned *n_first);
/* The shares of those from first on together; caller frees. */
int64_t *xt_density_pool(const struct xt_density *density, int row, const GArray *ranked, unsigned first);
/* Row numbers: pCPUs and VCPUs share one table. */
static inline int xt_density_row_pcpu(int pcpu)
{
    return 2 * pcpu;
}
static inline int xt_density_row_vcpu(int index)
{
    return 2 * index + 1;
}
