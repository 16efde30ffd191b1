/* From the database to bars and schedulability curves. */
#pragma once

#include "db/db.h"
#include "render/plot.h"

enum xt_rate {
    XT_RATE_PREEMPTIONS,
    XT_RATE_MIGRATIONS,
    XT_RATE_PERIOD_MISSES,
    XT_RATE_JOB_MISSES,
    XT_N_RATES
};
const char *xt_rate_name(enum xt_rate rate); /* "preemptions", "migrations", "period-misses", "job-misses" */

/* One bar per policy, or per run. Rates are per second over all VCPUs; with several runs of a policy the
 * whiskers are its lowest and highest run. Ratios have Wilson's 95 % interval. A group with nothing to count
 * has no bar. */
struct xt_bars *xt_rates_query(struct xt_db *db, enum xt_rate rate, bool by_run, const char *const *runs,
                               GError **error);

/* Fraction of runs without a missed period against the utilisation that their guests' servers reserve (the
 * sum of budget / period, in pCPUs, rounded to multiples of *width; dom0 left out), a curve per policy.
 * *skipped counts runs without judged periods. Array of struct xt_curve *; the caller frees it, and hands its
 * elements to xt_curves_new. */
GPtrArray *xt_schedulability_query(struct xt_db *db, const char *const *runs, unsigned *skipped,
                                   double *width, GError **error);
