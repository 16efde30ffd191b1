/* Job logs that guests write themselves (guests/NAME.jobs.csv in a recording):
 *     #tpu 1000.000                               TSC ticks per us, as the guest measured them
 *     #clock mono 42178763512 tsc 75441890098     the guest's CLOCK_MONOTONIC (ns) and the TSC at one instant
 *     job,TASK,NUMBER,release,start,completion,deadline,missed      ns of CLOCK_MONOTONIC
 * The clock line may come after the jobs. An empty start or completion is "none". */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct xt_csv_job {
    const char *task; /* until the callback returns; hostile text */
    int64_t number;
    int64_t release, deadline; /* ts of the run */
    int64_t start, completion; /* INT64_MIN: none */
};

struct xt_csv_jobs {
    GArray *jobs;    /* of struct xt_csv_job; their task points into names */
    GStringChunk *names;
    int64_t log_end; /* ts of the clock line, which the guest writes when all jobs are over */
    double tpu;      /* 0 if not said */
};

/* Reads path and maps its times to ts: the instant of the clock line by its TSC, all others by their distance
 * in ns. NULL and XT_ERROR_INPUT with line number if the file is damaged, has no clock line, or if its #tpu
 * differs from tsc_hz by more than 1 % (the guest's TSC is not the host's: its times cannot be mapped). */
struct xt_csv_jobs *xt_csv_jobs_read(const char *path, uint64_t start_tsc, int64_t tsc_hz, GError **error);
void xt_csv_jobs_free(struct xt_csv_jobs *jobs);
