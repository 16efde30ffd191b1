/* Distributions as figures need them: groups of samples, exact quantiles, equal counts. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct xt_sample {
    int64_t ns;
    uint64_t count;
};

/* One group of one metric: all samples of a policy, a run, a VCPU … */
struct xt_samples {
    char *label;  /* hostile text; the group's */
    char *policy; /* gives the colour; NULL: by index */
    unsigned index;
    GArray *values; /* struct xt_sample, ascending and distinct once finished; before, slots of a hash table */
    unsigned n_values; /* distinct, before that */
    uint64_t n;
    uint64_t n_all;   /* before a subsample was taken */
    uint64_t dropped; /* not sampled: no start in the trace, or touched by lost records */
};

struct xt_samples *xt_samples_new(const char *label, const char *policy, unsigned index);
void xt_samples_free(struct xt_samples *samples);
void xt_samples_add(struct xt_samples *samples, int64_t ns, uint64_t count);
/* Sorts and merges; call once after the last add and before everything below. */
void xt_samples_finish(struct xt_samples *samples);

/* Nearest rank: the ceil(p*n)-th smallest, 0 < p <= 1; -1 if there is none. */
int64_t xt_samples_quantile(const struct xt_samples *samples, double p);
/* Samples that are <= ns. */
uint64_t xt_samples_below(const struct xt_samples *samples, int64_t ns);

/* Leaves n of the samples, drawn uniformly without replacement; the same seed and data give the same choice.
 */
void xt_samples_thin(struct xt_samples *samples, uint64_t n, uint64_t seed);

/* One metric with its groups. */
struct xt_sample_set {
    char *metric, *meaning;
    bool is_latency;
    GPtrArray *groups; /* struct xt_samples * */
    unsigned pooled;   /* groups that are in the last one, "others"; 0 */
};
void xt_sample_set_free(struct xt_sample_set *set);

/* Thins every group of a set to the smallest of their counts (groups of none stay out of it). Returns that
 * count. */
uint64_t xt_sample_set_equalise(struct xt_sample_set *set, uint64_t seed);
