/* Building an xt_distribution (read through stats.h): exact counts of small values in a table, the rest as sorted
 * (value, count) runs that go to a temporary file when they outgrow memory. */
#pragma once

#include "parse/stats.h"

#define XT_SMALL_VALUES 16384 /* ns that are counted one by one: nearly every overhead sample */

struct xt_distribution {
    uint64_t *small;  /* counts by value; NULL as long as there are none */
    uint64_t n_small, small_end; /* how many samples those are, and behind the last value that occurs; once finished */
    uint64_t n, dropped; /* n without the small ones until finished, likewise sum, min and max */
    unsigned __int128 sum;
    int64_t min, max;
    int64_t *buffer;
    unsigned n_buffer;
    struct xt_spill *runs; /* of values with counts, each run ascending */
    GArray *run_starts;    /* of uint64_t */
    struct xt_spill *sorted;
    bool finished;
};

struct xt_distribution *xt_distribution_new(void);
void xt_distribution_free(struct xt_distribution *d);
/* A value that the table cannot count yet. */
bool xt_distribution_add_other(struct xt_distribution *d, int64_t value_ns, uint64_t count, GError **error);
static inline bool xt_distribution_add(struct xt_distribution *d, int64_t value_ns, GError **error)
{
    if (G_UNLIKELY(!d->small || (uint64_t)value_ns >= XT_SMALL_VALUES))
        return xt_distribution_add_other(d, value_ns, 1, error);
    d->small[value_ns]++;
    return true;
}
void xt_distribution_drop(struct xt_distribution *d); /* a sample that could not be measured */
/* Adds all samples of other, which must be finished. */
bool xt_distribution_add_all(struct xt_distribution *d, const struct xt_distribution *other, GError **error);
/* No more samples; must precede every question. */
bool xt_distribution_finish(struct xt_distribution *d, GError **error);
