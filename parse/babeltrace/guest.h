/* Reading what guests logged of their jobs, through libbabeltrace2: CTF traces (xentrail-workload's own, LTTng's) and
 * LITMUS^RT's sched_trace. What events mean is said in docs/ctf.md. */
#pragma once

#include "parse/jobs.h"
#include "parse/recording.h"

/* Reads guests/NAME/ of a recording, with all traces in it, and the pairs of clock readings in guests/NAME.clock and
 * guests/NAME.jobs.csv. Free with xt_job_log_free. NULL without error: there is no such folder, or no trace in it. NULL and
 * XT_ERROR_INPUT: a trace is damaged; XT_ERROR_SYSTEM: libbabeltrace2's plugins are missing, or no memory. */
struct xt_job_log *xt_guest_read(const struct xt_recording *recording, const char *guest, GError **error);
