/* Figures of numbers: histograms, distribution functions, bars, curves. */
#pragma once

#include "render/figure.h"
#include "render/samples.h"

enum xt_plot_kind { XT_PLOT_HIST, XT_PLOT_CDF, XT_PLOT_CCDF };

struct xt_plot_options {
    enum xt_plot_kind kind;
    int log_x, log_y; /* 1 logarithmic, 0 linear, -1 what suits the data */
    bool equal_n;     /* samples were thinned, with this seed: said in the caption */
    uint64_t seed;
    const char *by;     /* what the groups are, for the caption: "policy" */
    const char *source; /* runs and versions, for the caption; copied */
};

/* One panel per metric, its groups in it, a table of n and quantiles below. Takes the sets over. */
struct xt_figure *xt_plot_new(const struct xt_theme *theme, const struct xt_plot_options *options,
                              struct xt_sample_set *const *sets, unsigned n_sets);

/* Bins of a histogram: width by Freedman and Diaconis over all groups, rounded to 1-2-5 steps, or twenty per
 * decade on a logarithmic axis. The k-th bin is [edge(k), edge(k+1)). */
struct xt_bins {
    bool logarithmic;
    double first, width; /* log: of log10 */
    unsigned n;
};
void xt_bins_choose(struct xt_bins *bins, const struct xt_sample_set *set, bool logarithmic);
double xt_bins_edge(const struct xt_bins *bins, unsigned k);
/* Samples per bin; caller frees. Their sum is the group's n. */
uint64_t *xt_bins_count(const struct xt_bins *bins, const struct xt_samples *samples);

/* A value with a confidence interval, for bars. */
struct xt_bar {
    char *label; /* hostile text; taken over */
    char *policy;
    double value, low, high; /* low = high = value: no interval */
    char *note;              /* printed over the bar: the count behind it; taken over */
};
struct xt_bars {
    char *title, *axis; /* taken over, like bars */
    bool percent;
    GArray *bars; /* struct xt_bar */
};
/* One panel each. Takes them over. caption is copied. */
struct xt_figure *xt_bars_new(const struct xt_theme *theme, struct xt_bars *const *panels, unsigned n_panels,
                              const char *caption);
void xt_bars_free(struct xt_bars *bars);
struct xt_bars *xt_bars_begin(const char *title, const char *axis, bool percent);

/* Wilson's score interval at 95 % for k of n. */
void xt_wilson(uint64_t k, uint64_t n, double *low, double *high);

/* A curve of a schedulability plot: points by ascending x. */
struct xt_curve_point {
    double x, y;
    uint64_t n; /* runs behind it */
};
struct xt_curve {
    char *label, *policy; /* taken over */
    GArray *points;       /* struct xt_curve_point */
};
struct xt_figure *xt_curves_new(const struct xt_theme *theme, struct xt_curve *const *curves,
                                unsigned n_curves, const char *x_label, const char *y_label,
                                const char *caption);
