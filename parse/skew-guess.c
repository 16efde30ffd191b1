/* Where TSCs are far off, nobody knows any more which change of a VCPU follows which. Two things still tell. xentrace writes
 * the windows of all pCPUs in turn, so their order in the file gives each offset a range. And a VCPU that becomes able to run,
 * or leaves one pCPU, often starts on another one within microseconds: of all the distances between such moments on two
 * pCPUs, that which occurs far more often than others is how far their TSCs are apart. */
#include <stdlib.h>

#include "parse/cursor.h"
#include "parse/heap.h"
#include "parse/skew.h"

#define MAX_MOMENTS (1u << 19) /* 8 MiB */
#define FAR (INT64_C(1) << 50)  /* cycles: no bound, yet sums stay within 64 bits */
#define N_BINS (1u << 16)
#define NARROW 4096    /* cycles, a microsecond or two: less than what follows from an offset takes */
#define LEAST_VOTES 12 /* for the most frequent distance */
#define FAR_MORE 4     /* times as many as the mean distance has */

/* A VCPU becomes able to run on a pCPU, or starts to. */
struct moment {
    uint64_t tsc;
    uint32_t id;
    uint32_t slot : 31;
    uint32_t starts : 1;
};

struct pcpu {
    struct xt_cursor cursor;
    uint64_t latest;     /* its largest TSC so far; 0: none yet */
    uint64_t reference_at_read; /* that of the reference when this pCPU's last window was read; 0: none was */
    uint64_t at_reference_read; /* that of this pCPU when the reference's last window was read */
    int64_t min, max;    /* range of its offset by the order of windows */
    int64_t offset;      /* beside the reference, in cycles */
    bool aligned;
};

/* All moments of one VCPU on one pCPU. */
struct stretch {
    uint32_t id, slot;
    guint first, end;
};

struct guess {
    const struct xt_survey *survey;
    uint32_t n, reference; /* slot: the one that wrote most */
    struct pcpu *pcpus;
    GArray *moments;   /* of struct moment, by VCPU, pCPU and time */
    GArray *stretches; /* of struct stretch */
    uint32_t *votes;   /* by bin */
};

/* The pCPU wrote records from first to last while its last window was waited for. */
static void bound_by_window(struct guess *g, uint32_t slot, uint64_t first, uint64_t last)
{
    struct pcpu *p = &g->pcpus[slot], *reference = &g->pcpus[g->reference];

    if (slot != g->reference) {
        if (p->reference_at_read)
            p->min = MAX(p->min, (int64_t)(p->reference_at_read - first));
        p->latest = MAX(p->latest, last);
        p->reference_at_read = reference->latest;
        return;
    }
    p->latest = MAX(p->latest, last);
    for (uint32_t i = 0; i < g->n; i++) {
        struct pcpu *other = &g->pcpus[i];
        if (other->at_reference_read)
            other->max = MIN(other->max, (int64_t)(first - other->at_reference_read));
        other->at_reference_read = other->latest;
    }
}

static void see_record(struct guess *g, uint32_t slot, const char *record, uint32_t header)
{
    uint32_t copy[7], event = XT_EVENT(header);

    if (!xt_is_runstate(event) || XT_N_WORDS(header) != 1)
        return;
    struct moment moment = {
        .tsc = xt_load_tsc(record),
        .id = xt_load_words(record, header, copy)[0],
        .slot = slot,
        .starts = (event >> 4 & 3) == XT_RUNNING,
    };
    if (moment.id >> 16 != XT_IDLE_DOMID && (moment.starts || (event >> 4 & 3) == XT_RUNNABLE))
        g_array_append_val(g->moments, moment);
}

static bool read_window(struct guess *g, uint32_t slot, GError **error)
{
    struct xt_cursor *c = &g->pcpus[slot].cursor;
    uint64_t first = 0, last = 0;

    for (bool entered = false; !entered || c->at < c->safe_end || xt_cursor_offset(c) < c->window_end; entered = true) {
        int loaded = c->at < c->safe_end ? 1 : xt_cursor_load(c, error);
        if (loaded < 0)
            return false;
        if (!loaded)
            break;
        uint32_t header = xt_load_word(c->at);
        if (XT_HAS_TSC(header)) {
            last = MAX(last, xt_load_tsc(c->at));
            first = first ? first : last;
            see_record(g, slot, c->at, header);
        }
        c->at += xt_record_bytes(header);
    }
    if (first)
        bound_by_window(g, slot, first, last);
    return true;
}

/* As much of the file as it takes. */
static bool read_moments(struct guess *g, GError **error)
{
    struct heap next = { 0 };
    struct xt_window window;
    int found = 0;

    for (uint32_t i = 0; i < g->n && found >= 0; i++)
        if ((found = xt_cursor_peek(&g->pcpus[i].cursor, &window, error)) > 0)
            heap_add(&next, window.offset, i);
    heap_order(&next);
    while (found >= 0 && next.n && g->moments->len < MAX_MOMENTS) {
        struct xt_cursor *c = &g->pcpus[next.keys[0].who].cursor;
        if (!read_window(g, next.keys[0].who, error))
            found = -1;
        else if ((found = xt_cursor_peek(c, &window, error)) > 0)
            heap_replace(&next, window.offset);
        else if (!found)
            heap_remove(&next);
    }
    heap_clear(&next);
    return found >= 0;
}

static int compare_moments(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;

    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    if (x->slot != y->slot)
        return x->slot < y->slot ? -1 : 1;
    return (x->tsc > y->tsc) - (x->tsc < y->tsc);
}

static void find_stretches(struct guess *g)
{
    g_array_sort(g->moments, compare_moments);
    for (guint i = 0; i < g->moments->len; i++) {
        const struct moment *moment = &g_array_index(g->moments, struct moment, i);
        struct stretch *s = g->stretches->len ? &g_array_index(g->stretches, struct stretch, g->stretches->len - 1) : NULL;
        if (!s || s->id != moment->id || s->slot != moment->slot)
            g_array_append_val(g->stretches, ((struct stretch){ moment->id, moment->slot, i, i }));
        g_array_index(g->stretches, struct stretch, g->stretches->len - 1).end = i + 1;
    }
}

/* Distances in [from, from + N_BINS * width) from the moments of a VCPU on one pCPU to those on an aligned one. */
static void vote(struct guess *g, const struct stretch *a, const struct stretch *b, int64_t from, int64_t width)
{
    const struct moment *moments = (const struct moment *)(const void *)g->moments->data;
    int64_t offset = g->pcpus[b->slot].offset, to = from + (int64_t)N_BINS * width;
    guint low = b->first;

    for (guint i = a->first; i < a->end; i++) {
        while (low < b->end && (int64_t)(moments[low].tsc - moments[i].tsc) + offset < from)
            low++;
        for (guint j = low; j < b->end; j++) {
            int64_t distance = (int64_t)(moments[j].tsc - moments[i].tsc) + offset;
            if (distance >= to)
                break;
            if (moments[i].starts != moments[j].starts)
                g->votes[(distance - from) / width]++;
        }
    }
}

/* The distance that most are for, of two bins side by side; false if no distance stands out. */
static bool count_votes(const struct guess *g, int64_t from, int64_t width, int64_t *distance)
{
    uint64_t all = 0, most = 0;
    uint32_t best = 0;

    for (uint32_t i = 0; i + 1 < N_BINS; i++) {
        all += g->votes[i];
        if (g->votes[i] + (uint64_t)g->votes[i + 1] <= most)
            continue;
        most = g->votes[i] + (uint64_t)g->votes[i + 1];
        best = i;
    }
    *distance = from + (int64_t)(best + 1) * width;
    return most >= LEAST_VOTES && most > FAR_MORE * 2 * all / N_BINS;
}

/* Looks for the offset of a pCPU beside those that are aligned, from a wide range to a narrow one. */
static bool align(struct guess *g, uint32_t slot)
{
    struct pcpu *p = &g->pcpus[slot];
    int64_t from = p->min, width = MAX((p->max - p->min) / N_BINS + 1, NARROW);

    for (;; width = MAX(width / (N_BINS / 4), NARROW)) {
        memset(g->votes, 0, N_BINS * sizeof(*g->votes));
        for (guint i = 0; i < g->stretches->len; i++) {
            const struct stretch *a = &g_array_index(g->stretches, struct stretch, i);
            if (a->slot != slot)
                continue;
            guint first = i;
            while (first && g_array_index(g->stretches, struct stretch, first - 1).id == a->id)
                first--;
            for (guint j = first; j < g->stretches->len; j++) {
                const struct stretch *b = &g_array_index(g->stretches, struct stretch, j);
                if (b->id != a->id)
                    break;
                if (g->pcpus[b->slot].aligned)
                    vote(g, a, b, from, width);
            }
        }
        if (!count_votes(g, from, width, &p->offset))
            return false;
        if (width == NARROW)
            return true;
        from = p->offset - 2 * width;
    }
}

static void align_all(struct guess *g)
{
    bool progress = true;

    g->pcpus[g->reference].aligned = true;
    while (progress) {
        progress = false;
        for (uint32_t i = 0; i < g->n; i++)
            if (!g->pcpus[i].aligned && align(g, i))
                progress = g->pcpus[i].aligned = true;
    }
}

/* Without a range by windows, any offset by which the pCPU shares some of its time with the reference. */
static void complete_range(const struct guess *g, uint32_t slot)
{
    const struct xt_pcpu_survey *p = &g->survey->pcpus[slot], *reference = &g->survey->pcpus[g->reference];
    struct pcpu *out = &g->pcpus[slot];

    if (out->min > out->max) /* clocks that drift */
        out->min = -FAR;
    if (out->min == -FAR)
        out->min = (int64_t)(reference->first_tsc - p->last_tsc);
    if (out->max == FAR)
        out->max = (int64_t)(reference->last_tsc - p->first_tsc);
    out->min = CLAMP(out->min, -FAR, FAR);
    out->max = CLAMP(out->max, out->min, FAR);
}

bool xt_skew_guess(const struct xt_trace *trace, int64_t offsets[], GError **error)
{
    struct guess g = { .survey = xt_trace_survey(trace), .n = xt_trace_survey(trace)->n_pcpus };

    g.pcpus = g_new0(struct pcpu, g.n);
    g.moments = g_array_new(FALSE, FALSE, sizeof(struct moment));
    g.stretches = g_array_new(FALSE, FALSE, sizeof(struct stretch));
    g.votes = g_new(uint32_t, N_BINS);
    for (uint32_t i = 0; i < g.n; i++) {
        g.pcpus[i].min = -FAR;
        g.pcpus[i].max = FAR;
        xt_cursor_init(&g.pcpus[i].cursor, xt_trace_source(trace), g.survey, i, xt_cursor_capacity(g.n));
        if (g.survey->pcpus[i].bytes > g.survey->pcpus[g.reference].bytes)
            g.reference = i;
    }
    bool ok = read_moments(&g, error);
    if (ok) {
        find_stretches(&g);
        for (uint32_t i = 0; i < g.n; i++)
            complete_range(&g, i);
        align_all(&g);
    }
    for (uint32_t i = 0; i < g.n; i++) {
        offsets[i] = g.pcpus[i].aligned ? g.pcpus[i].offset : 0;
        xt_cursor_clear(&g.pcpus[i].cursor);
    }
    g_free(g.votes);
    g_array_unref(g.stretches);
    g_array_unref(g.moments);
    g_free(g.pcpus);
    return ok;
}
