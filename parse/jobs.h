/* Jobs inside guests: what a guest logged of its tasks, first in the guest's own clocks, then laid over the time line of
 * the run. Who reads logs (parse/babeltrace/guest.c) fills a log; this file knows what clocks and jobs mean. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "parse/supply.h"

/* How a guest's clock is tied to the host's TSC. */
enum xt_guest_clock {
    XT_GUEST_TSC,      /* the guest stamps with the TSC itself */
    XT_GUEST_ANCHORED, /* pairs of (guest clock, TSC) that the guest noted */
    XT_GUEST_FITTED,   /* offset found by laying its execution marks into the intervals in which its VCPUs ran */
    XT_GUEST_UNTIED,   /* not at all: its jobs have no place in the run */
};
const char *xt_guest_clock_name(enum xt_guest_clock clock);

struct xt_job {
    const char *task; /* hostile text, lives as long as the jobs */
    int64_t number;
    int64_t release, deadline;   /* ts of the run */
    int64_t start, completion;   /* INT64_MIN: not logged, none */
    int64_t log_end;             /* what had not happened by then is not known: the log ends, or its tracer lost events
                                  * from then on; INT64_MIN: unknown */
    int64_t busy_since;          /* release of the first job since when the guest always had an unfinished one */
};
/* Sorts jobs (of struct xt_job) by release and finds busy_since of each. */
void xt_jobs_sort(GArray *jobs);

/* Does the log fit the run? A guest can only execute while its VCPUs run. */
struct xt_fit {
    enum xt_guest_clock clock;
    int64_t offset_ns;      /* FITTED: ts minus guest clock. ANCHORED: what had to be added to let the marks fit */
    int64_t offset_error_ns; /* half the width of the offsets that fit as well, 0 if none was looked for */
    int64_t wander_ns;      /* the clock does not keep pace with the TSC: the offset moves within this range, and offset_ns
                             * is its middle; 0: it keeps */
    double tsc_hz;          /* as the guest measured it, 0: it does not say */
    uint64_t marks;         /* instants at which the guest executed, as far as the run tells whether its VCPU ran then */
    uint64_t running;       /* of them while it ran */
    double share;           /* running / marks; 0 without marks */
    double chance;          /* what marks without any relation to the run would show: the share of the time in which its
                             * VCPUs ran; of a clock that wanders, the best share at places where it cannot be */
    bool evidence;          /* the fit is good enough to believe the jobs' times */
    char *why;              /* if not: what is wrong and what to do */
};

struct xt_guest_jobs {
    GArray *jobs;      /* of struct xt_job, in order of release */
    GStringChunk *names;
    uint64_t incomplete; /* jobs without release or deadline: left out */
    uint64_t lost;       /* events that the guest's tracer lost, as far as it says how many */
    struct xt_fit fit;
};
void xt_guest_jobs_free(struct xt_guest_jobs *jobs);

/* A log being read. */
struct xt_job_log;
struct xt_job_log *xt_job_log_new(void);
void xt_job_log_free(struct xt_job_log *log);

/* A clock that times of the log are in: cycles of the TSC, or (is_tsc false) a clock of that frequency which all logs of
 * the guest with is_tsc false share up to their frequency: CLOCK_MONOTONIC. hz of a TSC: as the guest measured it. */
unsigned xt_job_log_clock(struct xt_job_log *log, bool is_tsc, double hz);
/* The guest measured its TSC at hz, whatever clock it stamps with. */
void xt_job_log_tsc_hz(struct xt_job_log *log, double hz);
/* At TSC tsc, CLOCK_MONOTONIC stood at mono_ns. */
void xt_job_log_anchor(struct xt_job_log *log, int64_t mono_ns, uint64_t tsc);

enum xt_job_moment { XT_JOB_RELEASE, XT_JOB_START, XT_JOB_COMPLETION, XT_JOB_DEADLINE };
/* What became of a job at time (of the clock). The first start counts, and the last completion and deadline. A second
 * release at another time begins another job of that number: the task was started again. */
void xt_job_log_moment(struct xt_job_log *log, unsigned clock, const char *task, int64_t number,
                       enum xt_job_moment moment, int64_t time);
/* The guest executed then; vcpu -1 if it does not say on which. */
void xt_job_log_mark(struct xt_job_log *log, unsigned clock, int vcpu, int64_t time);
/* The tracer lost n events (0: it does not say how many) between these times; what is not logged may have happened then. */
void xt_job_log_loss(struct xt_job_log *log, unsigned clock, int64_t from, int64_t to, uint64_t n);
/* The log reaches this far. */
void xt_job_log_reach(struct xt_job_log *log, unsigned clock, int64_t time);
uint64_t xt_job_log_n_jobs(const struct xt_job_log *log);

/* Why a job was late. */
enum xt_job_cause {
    XT_CAUSE_SUPPLY, /* its domain did not get what it was promised */
    XT_CAUSE_GUEST,  /* it did, and still */
    XT_CAUSE_UNKNOWN /* its clock fits badly, or the job lies outside of the run */
};
const char *xt_job_cause_name(enum xt_job_cause cause);
struct xt_job_miss {
    int64_t supplied_ns; /* time that the domain's VCPUs ran together in [release, deadline) */
    int64_t waited_ns;   /* time that at least one stood runnable since the guest was busy, until it was through */
    unsigned periods_judged, period_misses; /* server periods of them that overlap that */
    enum xt_job_cause cause;
};

/* Explains a missed job from what happened since its guest was busy without a break until it completed (the log's end if it
 * did not). Where server periods are judged (the scheduler's, or reference reservations), supply is the cause if one of them
 * was missed; where there are none, if VCPUs stood runnable for at least as long as the job was late: without that it
 * would have been in time. */
struct xt_job_miss xt_job_explain(const struct xt_job *job, const struct xt_fit *fit, const struct xt_supply *supply,
                                  int domid);

/* Lays the log over the run and says how well it fits; supply must have seen the domain's dispatches. Where the guest's
 * clock wanders each job is moved as a whole, so that its response time and lateness stay what the guest measured.
 * domid -1: unknown, then only native TSC and anchors can tie it and nothing can be verified. Never fails: what cannot be
 * believed says why. */
struct xt_guest_jobs *xt_job_log_place(const struct xt_job_log *log, uint64_t start_tsc, int64_t tsc_hz,
                                       const struct xt_supply *supply, int domid);
