/* The windows of a trace, found by hopping from header to header in file order. */
#include "parse/survey-private.h"

#include <stdlib.h>

#include "parse/error.h"

#define INDEX_MEMORY (8u << 20)
#define HOP_BYTES (128u << 10)
#define SMALL_WINDOW (2u << 10) /* where they are smaller, many are read at once, else only their headers: as long takes a call */

struct hopper {
    struct xt_survey *survey;
    const struct xt_source *source;
    struct xt_series_spill *index; /* of windows */
    char buffer[HOP_BYTES];
    uint64_t offset; /* in the file, of buffer[0] */
    size_t have;
    uint64_t usual_bytes; /* of a window hereabouts */
    GPtrArray *pcpus; /* of struct xt_pcpu_survey, by first appearance */
    GHashTable *by_number;
};

/* The header at offset, or what there is of it: *n bytes. NULL with error. */
static const char *header_at(struct hopper *h, uint64_t offset, size_t *n, GError **error)
{
    if (offset < h->offset || offset + XT_CPU_CHANGE_BYTES > h->offset + h->have) {
        size_t at_once = h->usual_bytes < SMALL_WINDOW ? sizeof(h->buffer) : XT_CPU_CHANGE_BYTES;
        int64_t got = xt_source_read(h->source, offset, h->buffer, at_once, error);
        if (got < 0)
            return NULL;
        h->offset = offset;
        h->have = (size_t)got;
    }
    *n = MIN(h->have - (offset - h->offset), XT_CPU_CHANGE_BYTES);
    return h->buffer + (offset - h->offset);
}

static struct xt_pcpu_survey *find_pcpu(struct hopper *h, uint32_t number)
{
    struct xt_pcpu_survey *p = g_hash_table_lookup(h->by_number, GUINT_TO_POINTER(number));

    if (!p) {
        p = g_new0(struct xt_pcpu_survey, 1);
        p->pcpu = (int32_t)number;
        p->tsc_offset = XT_NO_TSC_OFFSET;
        xt_series_init(&p->windows, sizeof(struct xt_window), h->index);
        g_ptr_array_add(h->pcpus, p);
        g_hash_table_insert(h->by_number, GUINT_TO_POINTER(number), p);
    }
    return p;
}

static bool not_a_trace(const struct hopper *h, size_t n, GError **error)
{
    const char *name = h->source->name;
    const char *guess = xt_source_guess((const unsigned char *)h->buffer, MIN(h->have, 512));

    if (h->have == 0)
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s: is empty (0 bytes): nothing was traced, or the copy failed",
                    name);
    else if (guess)
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s: is no xentrace file: at offset 0 it looks like %s", name,
                    guess);
    else if (n < XT_CPU_CHANGE_BYTES)
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: is no xentrace file: it ends at offset %zu, inside the first window header of %u bytes", name, n,
                    XT_CPU_CHANGE_BYTES);
    else
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: is no xentrace file: at offset 0 stands 0x%08x, not the window header 0x%08x", name,
                    xt_load_word(h->buffer), XT_CPU_CHANGE_HEADER);
    return false;
}

static const char *what_is_wrong(const char *header)
{
    if (xt_load_word(header) != XT_CPU_CHANGE_HEADER)
        return "a window header is expected here (0x2001f003)";
    if (xt_load_word(header + 4) >= XT_MAX_PCPUS)
        return "the window header names an impossible pCPU";
    return xt_load_word(header + 8) % 4 ? "the window's size is not a multiple of 4" : NULL;
}

static bool hop(struct hopper *h, struct damage *damage, GError **error)
{
    struct xt_survey *s = h->survey;

    for (uint64_t at = 0; at < s->data_end;) {
        size_t n;
        const char *header = header_at(h, at, &n, error);
        if (!header)
            return false;
        if (at == 0 && (n < XT_CPU_CHANGE_BYTES || xt_load_word(header) != XT_CPU_CHANGE_HEADER))
            return not_a_trace(h, n, error);
        if (n < XT_CPU_CHANGE_BYTES) {
            s->cut_window_end = at + XT_CPU_CHANGE_BYTES;
            s->data_end = at;
            return true;
        }
        const char *wrong = what_is_wrong(header);
        if (wrong) {
            damage_found(damage, at, g_strdup(wrong));
            return true;
        }
        struct xt_pcpu_survey *p = find_pcpu(h, xt_load_word(header + 4));
        struct xt_window window = { at, (uint64_t)XT_CPU_CHANGE_BYTES + xt_load_word(header + 8) };
        uint64_t end = at + window.bytes;
        if (!xt_series_append(&p->windows, &window, error))
            return false;
        p->bytes += window.bytes;
        h->usual_bytes = (7 * h->usual_bytes + window.bytes) / 8;
        s->whole_windows += end <= s->data_end;
        if (end > h->source->bytes)
            s->cut_window_end = end;
        at = end;
    }
    return h->source->bytes > 0 || not_a_trace(h, 0, error);
}

static int compare_pcpus(const void *a, const void *b)
{
    const struct xt_pcpu_survey *x = *(struct xt_pcpu_survey *const *)a, *y = *(struct xt_pcpu_survey *const *)b;

    return (x->pcpu > y->pcpu) - (x->pcpu < y->pcpu);
}

bool survey_windows(struct xt_survey *survey, const struct xt_source *source, const char *spool_dir, struct damage *damage,
                    GError **error)
{
    struct hopper *h = g_new0(struct hopper, 1);

    h->survey = survey;
    h->source = source;
    h->index = xt_series_spill_new(sizeof(struct xt_window), INDEX_MEMORY, spool_dir);
    g_ptr_array_add(survey->spills, h->index);
    h->pcpus = g_ptr_array_new_with_free_func(g_free);
    h->by_number = g_hash_table_new(NULL, NULL);
    bool ok = hop(h, damage, error);
    g_ptr_array_sort(h->pcpus, compare_pcpus);
    survey->n_pcpus = h->pcpus->len;
    survey->pcpus = g_new0(struct xt_pcpu_survey, survey->n_pcpus + 1);
    for (uint32_t i = 0; i < survey->n_pcpus; i++)
        survey->pcpus[i] = *(struct xt_pcpu_survey *)g_ptr_array_index(h->pcpus, i);
    g_ptr_array_unref(h->pcpus);
    g_hash_table_unref(h->by_number);
    g_free(h);
    return ok;
}
