/* The replenishments that the survey kept, in order of time. */
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
    r->n = (unsigned)MIN(r->pcpu->n_samples - r->next, capacity);
    if (r->n && !xt_spill_read(r->pcpu->samples, r->pcpu->first_sample + r->next, r->n, r->items, error))
        return false;
    r->next += r->n;
    return true;
}

static bool is_earlier(const struct reader *a, const struct reader *b)
{
    uint64_t x = xt_corrected_tsc(a->pcpu, a->items[a->at].tsc), y = xt_corrected_tsc(b->pcpu, b->items[b->at].tsc);

    return x != y ? x < y : a->pcpu->pcpu < b->pcpu->pcpu;
}

static void sift_down(struct reader *heap, uint32_t n, uint32_t i)
{
    struct reader moved = heap[i];

    for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && is_earlier(&heap[child + 1], &heap[child]))
            child++;
        if (!is_earlier(&heap[child], &moved))
            break;
        heap[i] = heap[child];
    }
    heap[i] = moved;
}

bool xt_survey_each_replenishment(const struct xt_survey *survey,
                                  void (*each)(void *user, const struct xt_replenish_sample *sample), void *user,
                                  GError **error)
{
    unsigned capacity = CLAMP(MERGE_MEMORY / (unsigned)sizeof(struct xt_replenish_sample) / MAX(survey->n_pcpus, 1),
                              MIN_ITEMS, MAX_ITEMS);
    struct reader *heap = g_new0(struct reader, survey->n_pcpus + 1);
    struct xt_replenish_sample *items = g_new(struct xt_replenish_sample, (size_t)capacity * (survey->n_pcpus + 1));
    uint32_t n = 0;
    bool ok = true;

    for (uint32_t i = 0; ok && i < survey->n_pcpus; i++) {
        heap[n] = (struct reader){ .pcpu = &survey->pcpus[i], .items = items + (size_t)capacity * i };
        ok = load(&heap[n], capacity, error);
        n += heap[n].n > 0;
    }
    for (uint32_t i = n / 2; ok && i-- > 0;)
        sift_down(heap, n, i);
    while (ok && n) {
        each(user, &heap[0].items[heap[0].at++]);
        ok = load(&heap[0], capacity, error);
        if (heap[0].n == 0)
            heap[0] = heap[--n];
        sift_down(heap, n, 0);
    }
    g_free(items);
    g_free(heap);
    return ok;
}

bool xt_pcpu_each_replenishment(const struct xt_pcpu_survey *pcpu,
                                void (*each)(void *user, const struct xt_replenish_sample *sample), void *user,
                                GError **error)
{
    struct xt_replenish_sample items[MAX_ITEMS];
    struct reader r = { .pcpu = pcpu, .items = items };

    while (load(&r, MAX_ITEMS, error)) {
        if (r.n == 0)
            return true;
        each(user, &items[r.at++]);
    }
    return false;
}
