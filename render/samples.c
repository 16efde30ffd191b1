#include "render/samples.h"

#include <math.h>
#include <stdlib.h>

struct xt_samples *xt_samples_new(const char *label, const char *policy, unsigned index)
{
    struct xt_samples *samples = g_new0(struct xt_samples, 1);
    samples->label = g_strdup(label);
    samples->policy = g_strdup(policy);
    samples->index = index;
    samples->values = g_array_new(FALSE, FALSE, sizeof(struct xt_sample));
    return samples;
}

void xt_samples_free(struct xt_samples *samples)
{
    if (!samples)
        return;
    g_free(samples->label);
    g_free(samples->policy);
    g_array_unref(samples->values);
    g_free(samples);
}

static int compare_samples(const void *a, const void *b)
{
    const struct xt_sample *x = a, *y = b;
    return x->ns < y->ns ? -1 : x->ns > y->ns;
}

/* Where the count of ns is, or is to be: values are the slots of a hash table, free where count is 0. */
static struct xt_sample *slot_of(GArray *values, int64_t ns)
{
    unsigned mask = values->len - 1, at = (unsigned)(((uint64_t)ns * 0x9e3779b97f4a7c15u) >> 32) & mask;
    struct xt_sample *slots = (struct xt_sample *)values->data;

    while (slots[at].count > 0 && slots[at].ns != ns)
        at = (at + 1) & mask;
    return &slots[at];
}

static void grow(struct xt_samples *samples)
{
    GArray *old = samples->values;
    samples->values = g_array_sized_new(FALSE, TRUE, sizeof(struct xt_sample), MAX(old->len * 2, 64));
    g_array_set_size(samples->values, MAX(old->len * 2, 64));
    for (unsigned i = 0; i < old->len; i++) {
        const struct xt_sample *s = &g_array_index(old, struct xt_sample, i);
        if (s->count > 0)
            *slot_of(samples->values, s->ns) = *s;
    }
    g_array_unref(old);
}

/* Few values repeat often: memory follows their number, not n. */
void xt_samples_add(struct xt_samples *samples, int64_t ns, uint64_t count)
{
    if (count == 0)
        return;
    if (samples->n_values * 4 >= samples->values->len * 3)
        grow(samples);
    struct xt_sample *slot = slot_of(samples->values, ns);
    samples->n_values += slot->count == 0;
    slot->ns = ns;
    slot->count += count;
    samples->n += count;
    samples->n_all += count;
}

void xt_samples_finish(struct xt_samples *samples)
{
    struct xt_sample *v = (struct xt_sample *)samples->values->data;
    unsigned kept = 0;

    for (unsigned i = 0; i < samples->values->len; i++)
        if (v[i].count > 0)
            v[kept++] = v[i];
    g_array_set_size(samples->values, kept);
    if (kept > 0)
        qsort(v, kept, sizeof(*v), compare_samples);
}

int64_t xt_samples_quantile(const struct xt_samples *samples, double p)
{
    /* The smallest rank that is at least p*n; the factor keeps 0.9 * 10 at 9. */
    uint64_t rank = (uint64_t)ceil(p * (double)samples->n * (1 - 1e-12)), seen = 0;
    rank = CLAMP(rank, 1, MAX(samples->n, 1));

    for (unsigned i = 0; i < samples->values->len; i++) {
        const struct xt_sample *s = &g_array_index(samples->values, struct xt_sample, i);
        seen += s->count;
        if (seen >= rank)
            return s->ns;
    }
    return -1;
}

uint64_t xt_samples_below(const struct xt_samples *samples, int64_t ns)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < samples->values->len; i++) {
        const struct xt_sample *s = &g_array_index(samples->values, struct xt_sample, i);
        if (s->ns > ns)
            break;
        seen += s->count;
    }
    return seen;
}

/* SplitMix64: small, and the same everywhere. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void xt_samples_thin(struct xt_samples *samples, uint64_t n, uint64_t seed)
{
    uint64_t left = samples->n, wanted = n, state = seed;
    unsigned kept = 0;

    if (n >= samples->n)
        return;
    /* Selection sampling (Knuth, algorithm S): each sample is taken with probability wanted / left. */
    for (unsigned i = 0; i < samples->values->len; i++) {
        struct xt_sample s = g_array_index(samples->values, struct xt_sample, i);
        uint64_t taken = 0;
        for (uint64_t k = 0; k < s.count && wanted > 0; k++, left--) {
            if ((uint64_t)(((unsigned __int128)next_random(&state) * left) >> 64) >= wanted)
                continue;
            taken++;
            wanted--;
        }
        if (taken > 0)
            g_array_index(samples->values, struct xt_sample, kept++) = (struct xt_sample){s.ns, taken};
    }
    g_array_set_size(samples->values, kept);
    samples->n = n;
}

void xt_sample_set_free(struct xt_sample_set *set)
{
    if (!set)
        return;
    g_free(set->metric);
    g_free(set->meaning);
    g_ptr_array_unref(set->groups);
    g_free(set);
}

uint64_t xt_sample_set_equalise(struct xt_sample_set *set, uint64_t seed)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < set->groups->len; i++) {
        const struct xt_samples *group = set->groups->pdata[i];
        if (group->n > 0)
            least = MIN(least, group->n);
    }
    for (unsigned i = 0; i < set->groups->len; i++)
        xt_samples_thin(set->groups->pdata[i], least, seed + i);
    return least == UINT64_MAX ? 0 : least;
}
