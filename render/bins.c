/* Bins of histograms. */
#include <math.h>

#include "render/axis.h"
#include "render/plot.h"

#define PER_DECADE 20
#define MOST_BINS 200

/* All groups of a set as one. */
static struct xt_samples *pool(const struct xt_sample_set *set)
{
    struct xt_samples *all = xt_samples_new("", NULL, 0);
    for (unsigned g = 0; g < set->groups->len; g++) {
        const struct xt_samples *group = set->groups->pdata[g];
        for (unsigned i = 0; i < group->values->len; i++) {
            const struct xt_sample *s = &g_array_index(group->values, struct xt_sample, i);
            xt_samples_add(all, s->ns, s->count);
        }
    }
    xt_samples_finish(all);
    return all;
}

void xt_bins_choose(struct xt_bins *bins, const struct xt_sample_set *set, bool logarithmic)
{
    struct xt_samples *all = pool(set);
    double lo = 0, hi = 1;

    bins->logarithmic = logarithmic;
    if (all->n > 0) {
        lo = (double)g_array_index(all->values, struct xt_sample, 0).ns;
        hi = (double)g_array_index(all->values, struct xt_sample, all->values->len - 1).ns;
    }
    if (logarithmic) {
        bins->width = 1.0 / PER_DECADE;
        bins->first = floor(log10(MAX(lo, 1)) / bins->width + 1e-9) * bins->width;
        bins->n = (unsigned)floor((log10(MAX(hi, 1)) - bins->first) / bins->width + 1e-9) + 1;
    } else {
        double spread =
            all->n > 0 ? (double)(xt_samples_quantile(all, 0.75) - xt_samples_quantile(all, 0.25)) : 0;
        double width = 2 * spread / cbrt((double)MAX(all->n, 1));
        width = MAX(width, (hi - lo) / MOST_BINS);
        bins->width = MAX(1, xt_nice_below(MAX(width, 1)));
        if ((hi - lo) / bins->width > MOST_BINS)
            bins->width = xt_nice_below(bins->width * 2.5);
        bins->first = floor(lo / bins->width) * bins->width;
        bins->n = (unsigned)floor((hi - bins->first) / bins->width) + 1;
    }
    xt_samples_free(all);
}

double xt_bins_edge(const struct xt_bins *bins, unsigned k)
{
    double edge = bins->first + k * bins->width;
    return bins->logarithmic ? pow(10, edge) : edge;
}

static unsigned bin_of(const struct xt_bins *bins, int64_t ns)
{
    double at = bins->logarithmic ? (log10(MAX((double)ns, 1)) - bins->first) / bins->width + 1e-9
                                  : ((double)ns - bins->first) / bins->width;
    return at <= 0 ? 0 : MIN((unsigned)at, bins->n - 1);
}

uint64_t *xt_bins_count(const struct xt_bins *bins, const struct xt_samples *samples)
{
    uint64_t *counts = g_new0(uint64_t, bins->n);
    for (unsigned i = 0; i < samples->values->len; i++) {
        const struct xt_sample *s = &g_array_index(samples->values, struct xt_sample, i);
        counts[bin_of(bins, s->ns)] += s->count;
    }
    return counts;
}
