/* The replenishments that the survey kept, in order of time. */
#include "parse/heap.h"
#include "parse/survey.h"

#define MERGE_MEMORY (2u << 20)
#define MIN_ITEMS 8u
#define MAX_ITEMS 256u

/* One pCPU's samples, from its own place in them on. */
struct reader {
    const struct xt_pcpu_survey *pcpu;
    uint64_t next; /* to be read into items */
    struct xt_replenish_sample *items;
    unsigned at, n;
};

static bool load(struct reader *r, unsigned capacity, GError **error)
{
    if (r->at < r->n)
        return true;
    r->at = 0;
    r->n = (unsigned)MIN(r->pcpu->samples.n - r->next, capacity);
    if (r->n && !xt_series_read(&r->pcpu->samples, r->next, r->n, r->items, error))
        return false;
    r->next += r->n;
    return true;
}

static uint64_t key_of(const struct reader *r)
{
    return xt_corrected_tsc(r->pcpu, r->items[r->at].tsc);
}

bool xt_survey_each_replenishment(const struct xt_survey *survey,
                                  void (*each)(void *user, const struct xt_replenish_sample *sample), void *user,
                                  GError **error)
{
    unsigned capacity = CLAMP(MERGE_MEMORY / (unsigned)sizeof(struct xt_replenish_sample) / MAX(survey->n_pcpus, 1),
                              MIN_ITEMS, MAX_ITEMS);
    struct reader *readers = g_new0(struct reader, survey->n_pcpus + 1);
    struct xt_replenish_sample *items = g_new(struct xt_replenish_sample, (size_t)capacity * (survey->n_pcpus + 1));
    struct heap merge = { 0 };
    bool ok = true;

    for (uint32_t i = 0; ok && i < survey->n_pcpus; i++) {
        readers[i] = (struct reader){ .pcpu = &survey->pcpus[i], .items = items + (size_t)capacity * i };
        ok = load(&readers[i], capacity, error);
        if (readers[i].n)
            heap_add(&merge, key_of(&readers[i]), i);
    }
    heap_order(&merge);
    while (ok && merge.n) {
        struct reader *r = &readers[merge.keys[0].who];
        each(user, &r->items[r->at++]);
        ok = load(r, capacity, error);
        if (r->n)
            heap_replace(&merge, key_of(r));
        else
            heap_remove(&merge);
    }
    heap_clear(&merge);
    g_free(items);
    g_free(readers);
    return ok;
}

bool xt_pcpu_each_replenishment(const struct xt_pcpu_survey *pcpu,
                                bool (*each)(void *user, const struct xt_replenish_sample *sample), void *user,
                                GError **error)
{
    struct xt_replenish_sample items[MAX_ITEMS];
    struct reader r = { .pcpu = pcpu, .items = items };

    while (load(&r, MAX_ITEMS, error)) {
        if (r.n == 0 || !each(user, &items[r.at++]))
            return true;
    }
    return false;
}
