/* Job logs that guests write themselves (guests/NAME.jobs.csv in a recording):
 *     #tpu 1000.000                               TSC ticks per us, as the guest measured them
 *     #clock mono 42178763512 tsc 75441890098     the guest's CLOCK_MONOTONIC (ns) and the TSC at one instant
 *     job,TASK,NUMBER,release,start,completion,deadline,missed      ns of CLOCK_MONOTONIC
 * The guest writes a clock line when all jobs are over; it may come after them. An empty start or completion is "none". */
#pragma once

#include "parse/jobs.h"

/* Free with xt_job_log_free. NULL and XT_ERROR_INPUT with line number if the file is damaged or has no clock line. */
struct xt_job_log *xt_jobs_csv_read(const char *path, GError **error);
