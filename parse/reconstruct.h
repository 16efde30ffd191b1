/* records -> typed events -> timelines, handed to sinks. */
#pragma once

#include "parse/record.h"
#include "parse/recording.h"
#include "parse/sink.h"

struct xt_reconstruct_options {
    int64_t tsc_hz;       /* 0: measure */
    int64_t tolerance_ns; /* of the period miss test; XT_DEFAULT_TOLERANCE_NS */
    int64_t rule_limits[XT_N_RULES]; /* of conformance rules, in their unit; 0: xt_rule_default_limit() */
    bool deadline_monotonic; /* servers have static priorities, the shorter period the higher; else EDF */
};
#define XT_DEFAULT_TOLERANCE_NS 50000 /* hides Xen's own switching time, never a scheduling error */

/* xt_reconstruct() failed, but only because what it read contradicts itself; by now TSCs that prove to be off are corrected:
 * clears error and returns true. Call it again then, with new sinks, as these saw what was in a wrong order. */
bool xt_reconstruct_again(GError **error);

#define XT_MAX_SINKS 8u

/* Reads trace from its first record to the end and calls the sinks, XT_MAX_SINKS at most, in turn. recording may be NULL: then servers are
 * learned from the trace alone, and there are no reference reservations. false and error on unreadable input, or what a
 * sink said. Checks *cancel (may be NULL) often and stops with XT_ERROR_SYSTEM "interrupted" when it becomes non-zero. */
bool xt_reconstruct(struct xt_trace *trace, const struct xt_recording *recording,
                    const struct xt_reconstruct_options *options, const struct xt_sink *const *sinks, unsigned n_sinks,
                    const volatile int *cancel, GError **error);
