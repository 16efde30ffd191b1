/* TSC -> ns since the run's first record, exactly floor((tsc - start) * 1e9 / hz), without a division per record. */
#pragma once

#include <stdint.h>

#include "parse/survey.h"
#include "parse/recording.h"
#include "parse/reconstruct.h"

struct xt_clock {
    uint64_t start_tsc, hz;
    uint64_t multiplier; /* floor(1e9 * 2^shift / hz) */
    unsigned shift;
};

void xt_clock_init(struct xt_clock *clock, uint64_t start_tsc, uint64_t hz);

/* 0 for a TSC before the start. */
static inline int64_t xt_clock_ts(const struct xt_clock *clock, uint64_t tsc)
{
    if (tsc <= clock->start_tsc)
        return 0;
    uint64_t ticks = tsc - clock->start_tsc;
    uint64_t ns = (uint64_t)((unsigned __int128)ticks * clock->multiplier >> clock->shift);
    /* the quotient is at most a few too small; what is left of it decides, modulo 2^64 */
    uint64_t rest = ticks * 1000000000u - ns * clock->hz;
    while (rest >= clock->hz) {
        rest -= clock->hz;
        ns++;
    }
    return (int64_t)ns;
}

/* Describes the run before its first interval: frequency (user's, else the better of the trace's own and `xl info`),
 * counts, pCPUs. XT_ERROR_INPUT if nothing tells the frequency. pcpus belong to the caller (g_free). */
bool xt_run_init(struct xt_run *run, const struct xt_survey *survey, const struct xt_recording *recording,
                 const struct xt_reconstruct_options *options, const char *name, GError **error);
