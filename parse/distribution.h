/* Building an xt_distribution (read through stats.h): exact counts of small values in a table, the rest as sorted
 * (value, count) runs that go to a temporary file when they outgrow memory. */
#pragma once

#include "parse/stats.h"

struct xt_distribution *xt_distribution_new(void);
void xt_distribution_free(struct xt_distribution *d);
bool xt_distribution_add(struct xt_distribution *d, int64_t value_ns, GError **error);
void xt_distribution_drop(struct xt_distribution *d); /* a sample that could not be measured */
/* Adds all samples of other, which must be finished. */
bool xt_distribution_add_all(struct xt_distribution *d, const struct xt_distribution *other, GError **error);
/* No more samples; must precede every question but n and dropped. */
bool xt_distribution_finish(struct xt_distribution *d, GError **error);
