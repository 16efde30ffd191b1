#include "parse/survey.h"

#include <stdlib.h>
#include <string.h>

#include "parse/error.h"
#include "parse/format.h"
#include "parse/frequency.h"

#define BUFFER_BYTES (256u << 10) /* stays in a core's cache */
#define INDEX_MEMORY (8u << 20)
#define SAMPLE_MEMORY (8u << 20)
#define MAX_MALFORMED_NOTES 5

/* One pCPU while it is being read. */
struct pcpu {
    struct xt_pcpu_survey out;
    struct xt_chain *chain;
    uint64_t tsc; /* of its latest record */
    uint32_t running; /* packed, who runs as far as runstates told; for telling the two packings apart */
    bool running_known;
};

struct reader {
    const struct xt_source *source;
    const struct xt_layout_index *layouts;
    const struct xt_trace_options *options;
    struct xt_survey *survey;
    char *buffer;
    uint64_t offset;  /* in the file, of buffer[0] */
    size_t have, pos; /* bytes in buffer, read position */
    GPtrArray *pcpus; /* of struct pcpu, by first appearance */
    GHashTable *by_number;
    struct pcpu *current;
    uint64_t old_packing, new_packing; /* evidence */
};

static void free_pcpu(gpointer data)
{
    struct pcpu *p = data;

    if (p->out.windows.blocks)
        g_array_unref(p->out.windows.blocks);
    xt_chain_free(p->chain);
    g_free(p);
}

/* Makes n bytes available at the read position, or as many as there are. -1 and error, else what is available. */
static int64_t ensure(struct reader *r, size_t n, GError **error)
{
    if (r->have - r->pos >= n)
        return (int64_t)(r->have - r->pos);
    memmove(r->buffer, r->buffer + r->pos, r->have - r->pos);
    r->offset += r->pos;
    r->have -= r->pos;
    r->pos = 0;
    int64_t got = xt_source_read(r->source, r->offset + r->have, r->buffer + r->have, BUFFER_BYTES - r->have, error);
    if (got < 0)
        return -1;
    r->have += (size_t)got;
    if (r->options->progress)
        r->options->progress(r->options->user, r->offset + r->have, r->source->bytes);
    return (int64_t)r->have;
}

static uint64_t here(const struct reader *r)
{
    return r->offset + r->pos;
}

static uint32_t word_at(const struct reader *r, size_t n)
{
    uint32_t w;

    memcpy(&w, r->buffer + r->pos + 4 * n, 4);
    return GUINT32_FROM_LE(w);
}

static struct pcpu *find_pcpu(struct reader *r, uint32_t number)
{
    struct pcpu *p = g_hash_table_lookup(r->by_number, GUINT_TO_POINTER(number));

    if (!p) {
        p = g_new0(struct pcpu, 1);
        p->out.pcpu = (int32_t)number;
        p->out.windows.blocks = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        p->chain = xt_chain_new();
        g_ptr_array_add(r->pcpus, p);
        g_hash_table_insert(r->by_number, GUINT_TO_POINTER(number), p);
    }
    return p;
}

static bool add_window(struct reader *r, struct pcpu *p, uint64_t offset, GError **error)
{
    struct xt_window_list *list = &p->out.windows;

    if (list->n_tail == XT_WINDOW_BLOCK) {
        uint32_t number = (uint32_t)xt_spill_count(r->survey->window_blocks);
        if (!xt_spill_append(r->survey->window_blocks, list->tail, 1, error))
            return false;
        g_array_append_val(list->blocks, number);
        list->n_tail = 0;
    }
    list->tail[list->n_tail++] = offset;
    list->n_windows++;
    return true;
}

bool xt_survey_window(const struct xt_survey *survey, uint32_t slot, uint64_t n, uint64_t *offset, GError **error)
{
    const struct xt_window_list *list = &survey->pcpus[slot].windows;
    uint64_t block[XT_WINDOW_BLOCK];

    g_assert(n < list->n_windows);
    if (n / XT_WINDOW_BLOCK == list->blocks->len) {
        *offset = list->tail[n % XT_WINDOW_BLOCK];
        return true;
    }
    if (!xt_spill_read(survey->window_blocks, g_array_index(list->blocks, uint32_t, n / XT_WINDOW_BLOCK), 1, block,
                       error))
        return false;
    *offset = block[n % XT_WINDOW_BLOCK];
    return true;
}

/* RTDS burns name the VCPU that runs: whichever packing agrees is this Xen's. */
static void weigh_packing(struct reader *r, uint32_t word)
{
    uint32_t swapped = word << 16 | word >> 16;

    if (!r->current->running_known || word == swapped)
        return;
    r->new_packing += word == r->current->running;
    r->old_packing += swapped == r->current->running;
}

static bool see_rtds(struct reader *r, const struct xt_record *record, const struct xt_layout *layout, GError **error)
{
    const uint32_t *w = record->words;

    switch (layout->kind) {
    case XT_EV_BURN:
        weigh_packing(r, w[0]);
        xt_chain_burn(r->current->chain, record->tsc, w[0], (int32_t)w[3]);
        return true;
    case XT_EV_REPLENISH: {
        int64_t slots[XT_N_SLOTS] = { 0 };
        xt_decode(layout, record, false, slots);
        struct xt_replenish_sample sample = {
            .tsc = record->tsc,
            .deadline = (uint64_t)slots[XT_SLOT_DEADLINE],
            .budget = (uint64_t)slots[XT_SLOT_BUDGET],
            .domid_vcpu = w[0],
            .pcpu = (uint32_t)r->current->out.pcpu,
        };
        return xt_spill_append(r->survey->replenishments, &sample, 1, error);
    }
    default:
        return true;
    }
}

static void see_runstate(struct reader *r, const struct xt_record *record)
{
    struct pcpu *p = r->current;
    uint32_t id = record->words[0];

    r->survey->runstate_changes++;
    if (id >> 16 == XT_IDLE_DOMID && (id & 0xffff) != (uint32_t)p->out.pcpu)
        p->out.foreign_idle++;
    if ((record->event >> 4 & 3) == XT_RUNNING) {
        p->running = id;
        p->running_known = true;
    }
}

static void note_malformed(struct reader *r, const struct xt_record *record)
{
    if (r->survey->malformed_records++ < MAX_MALFORMED_NOTES)
        xt_trace_note(r->options,
                      "%s: record at offset %" G_GUINT64_FORMAT ": event 0x%05x with %u words fits no known layout",
                      r->source->name, record->offset, record->event, record->n_words);
}

static bool see_record(struct reader *r, const struct xt_record *record, GError **error)
{
    struct xt_survey *s = r->survey;
    struct pcpu *p = r->current;
    bool known;
    const struct xt_layout *layout = xt_layout_find(r->layouts, record->event, record->n_words, &known);

    s->records++;
    p->out.records++;
    if (record->has_tsc) {
        if (p->out.has_tsc && record->tsc < p->tsc && p->out.steps_back++ == 0)
            xt_trace_note(r->options,
                          "%s: record at offset %" G_GUINT64_FORMAT ": the TSC of pCPU %d steps back by %" G_GUINT64_FORMAT
                          " cycles; file order is kept",
                          r->source->name, record->offset, p->out.pcpu, p->tsc - record->tsc);
        p->tsc = record->tsc;
        p->out.first_tsc = p->out.has_tsc ? MIN(p->out.first_tsc, record->tsc) : record->tsc;
        p->out.last_tsc = MAX(p->out.last_tsc, record->tsc);
        p->out.has_tsc = true;
    }
    if (!layout) {
        if (known)
            note_malformed(r, record);
        else
            s->unknown_records++;
        return true;
    }
    s->layout_counts[xt_layout_number(r->layouts, layout)]++;
    if (layout->scheduler) {
        p->out.class_records[layout->scheduler]++;
        p->out.schedule_records += layout->kind == XT_EV_SCHEDULE;
    }
    switch (layout->kind) {
    case XT_EV_LOST:
        s->lost_windows++;
        p->out.lost_windows++;
        p->out.lost_records += record->words[0];
        xt_chain_break(p->chain);
        p->running_known = false;
        return true;
    case XT_EV_RUNSTATE:
        see_runstate(r, record);
        return true;
    case XT_EV_CONTINUE:
        s->has_continue = true;
        return true;
    case XT_EV_INFPREV:
        xt_chain_infprev(p->chain, record->tsc, record->words[record->n_words - 1]);
        return true;
    case XT_EV_INFCONT:
        xt_chain_infcont(p->chain, record->tsc, record->words[2]);
        return true;
    case XT_EV_PICK:
    case XT_EV_TICKLE:
    case XT_EV_OTHER:
        /* only Xen 4.5 and 4.6 write these */
        if ((record->event == 0x22802 && record->n_words == 0) || (record->event == 0x22805 && record->n_words == 5) ||
            (record->event == 0x22801 && !record->has_tsc))
            r->old_packing += 1000;
        return true;
    default:
        return layout->scheduler == XT_SCHED_RTDS ? see_rtds(r, record, layout, error) : true;
    }
}

/* Damage at offset: either an error or, with salvage, the end of what is used. */
static bool damaged(struct reader *r, uint64_t offset, const char *what, GError **error)
{
    if (!r->options->salvage) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: damaged at offset %" G_GUINT64_FORMAT ": %s (--salvage uses the %" G_GUINT64_FORMAT
                    " bytes before it)",
                    r->source->name, offset, what, offset);
        return false;
    }
    xt_trace_note(r->options, "%s: damaged at offset %" G_GUINT64_FORMAT ": %s; the %" G_GUINT64_FORMAT
                  " bytes from there on are not used",
                  r->source->name, offset, what, r->source->bytes - offset);
    r->survey->data_end = offset;
    return true;
}

/* The file ends at offset or behind it with less than a record; its window would end at end. */
static void truncated(struct reader *r, uint64_t offset, uint64_t end)
{
    r->survey->data_end = offset;
    r->survey->truncated_bytes = r->source->bytes - offset;
    r->survey->cut_window_end = end;
}

/* Reads the records of one window that ends at end. */
static bool read_window(struct reader *r, uint64_t end, GError **error)
{
    uint32_t words[7];

    while (here(r) < end) {
        uint64_t at = here(r), left = end - at;
        int64_t have = ensure(r, XT_MAX_RECORD_BYTES, error);
        if (have < 0)
            return false;
        if (have < 4) {
            truncated(r, at, end);
            return true;
        }
        uint32_t header = word_at(r, 0), bytes = xt_record_bytes(header);
        if (header == XT_CPU_CHANGE_HEADER)
            return damaged(r, at, "a window begins inside another one, whose size must be wrong", error);
        if (bytes > left) {
            char *what = g_strdup_printf("a record of %u bytes (event 0x%05x) does not fit into the %" G_GUINT64_FORMAT
                                         " bytes left of its window", bytes, XT_EVENT(header), left);
            bool ok = damaged(r, at, what, error);
            g_free(what);
            return ok;
        }
        if (have < bytes) {
            truncated(r, at, end);
            return true;
        }
        struct xt_record record = {
            .offset = at,
            .event = XT_EVENT(header),
            .pcpu = r->current->out.pcpu,
            .n_words = (uint8_t)XT_N_WORDS(header),
            .has_tsc = XT_HAS_TSC(header),
            .words = words,
        };
        size_t first = record.has_tsc ? 3 : 1;
        record.tsc = record.has_tsc ? word_at(r, 1) | (uint64_t)word_at(r, 2) << 32 : r->current->tsc;
        for (unsigned i = 0; i < record.n_words; i++)
            words[i] = word_at(r, first + i);
        if (!see_record(r, &record, error))
            return false;
        r->pos += bytes;
    }
    r->survey->whole_windows++;
    return true;
}

static bool not_a_trace(struct reader *r, size_t have, GError **error)
{
    const char *guess = xt_source_guess((const unsigned char *)r->buffer, MIN(have, 512));

    if (have == 0)
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: is empty (0 bytes): nothing was traced, or the copy failed", r->source->name);
    else if (guess)
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s: is no xentrace file: at offset 0 it looks like %s",
                    r->source->name, guess);
    else if (have < XT_CPU_CHANGE_BYTES)
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: is no xentrace file: it ends at offset %zu, inside the first window header of %u bytes",
                    r->source->name, have, XT_CPU_CHANGE_BYTES);
    else
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: is no xentrace file: at offset 0 stands 0x%08x, not the window header 0x%08x", r->source->name,
                    word_at(r, 0), XT_CPU_CHANGE_HEADER);
    return false;
}

static bool read_windows(struct reader *r, GError **error)
{
    struct xt_survey *s = r->survey;
    int64_t have = ensure(r, BUFFER_BYTES, error);

    if (have < 0)
        return false;
    if (have < XT_CPU_CHANGE_BYTES || word_at(r, 0) != XT_CPU_CHANGE_HEADER)
        return not_a_trace(r, (size_t)have, error);
    while (here(r) < s->data_end) {
        uint64_t at = here(r);
        have = ensure(r, XT_CPU_CHANGE_BYTES, error);
        if (have < 0)
            return false;
        if (have < XT_CPU_CHANGE_BYTES) {
            truncated(r, at, at + XT_CPU_CHANGE_BYTES);
            return true;
        }
        uint32_t header = word_at(r, 0), pcpu = word_at(r, 1), size = word_at(r, 2);
        if (header != XT_CPU_CHANGE_HEADER)
            return damaged(r, at, "a window header is expected here (0x2001f003)", error);
        if (pcpu >= XT_MAX_PCPUS)
            return damaged(r, at, "the window header names an impossible pCPU", error);
        if (size % 4)
            return damaged(r, at, "the window's size is not a multiple of 4", error);
        r->current = find_pcpu(r, pcpu);
        if (!add_window(r, r->current, at, error))
            return false;
        r->pos += XT_CPU_CHANGE_BYTES;
        if (!read_window(r, at + XT_CPU_CHANGE_BYTES + size, error))
            return false;
    }
    return true;
}

static uint64_t count(const struct reader *r, uint32_t event, unsigned n_words)
{
    bool known;
    const struct xt_layout *layout = xt_layout_find(r->layouts, event, n_words, &known);

    return layout ? r->survey->layout_counts[xt_layout_number(r->layouts, layout)] : 0;
}

/* What the layouts present tell of the Xen that wrote them; the first row that applies decides. */
static const char *generation(const struct reader *r)
{
    const struct {
        bool evidence;
        const char *version;
    } rows[] = {
        { count(r, 0x24001, 6) && count(r, 0x2800e, 2), "RT-Xen 2.0 (overhead records)" },
        { count(r, 0x24001, 6) > 0, "4.9 with RT-Xen overhead records" },
        { count(r, 0x22806, 5) || count(r, 0x2280a, 5), "4.7-based mode-change kernel" },
        { count(r, 0x22805, 5) || count(r, 0x22802, 0) || r->survey->vd, "4.5-4.6" },
        { count(r, 0x2800e, 2) > 0, "-4.7" },
        { count(r, 0x22803, 6) || count(r, 0x22804, 6) || count(r, 0x22a05, 2) || count(r, 0x22203, 4), "4.10-" },
        { count(r, 0x28011, 4) > 0, "4.9-" },
        { count(r, 0x2800e, 3) > 0, "4.8-" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
        if (rows[i].evidence)
            return rows[i].version;
    return "unknown";
}

static int compare_pcpus(const void *a, const void *b)
{
    const struct pcpu *x = *(struct pcpu *const *)a, *y = *(struct pcpu *const *)b;

    return (x->out.pcpu > y->out.pcpu) - (x->out.pcpu < y->out.pcpu);
}

static void finish(struct reader *r)
{
    struct xt_survey *s = r->survey;
    struct xt_frequency *estimates = g_new0(struct xt_frequency, r->pcpus->len + 1);

    g_ptr_array_sort(r->pcpus, compare_pcpus);
    s->n_pcpus = r->pcpus->len;
    s->pcpus = g_new0(struct xt_pcpu_survey, s->n_pcpus + 1);
    for (unsigned i = 0; i < s->n_pcpus; i++) {
        struct pcpu *p = g_ptr_array_index(r->pcpus, i);
        p->out.frequency = estimates[i] = xt_chain_estimate(p->chain);
        s->pcpus[i] = p->out;
        p->out.windows.blocks = NULL; /* moved */
        s->lost_records += p->out.lost_records;
        s->steps_back += p->out.steps_back;
        s->core_scheduling |= p->out.foreign_idle > 0;
        if (!p->out.has_tsc)
            continue;
        s->first_tsc = s->has_tsc ? MIN(s->first_tsc, p->out.first_tsc) : p->out.first_tsc;
        s->last_tsc = MAX(s->last_tsc, p->out.last_tsc);
        s->has_tsc = true;
    }
    s->frequency = xt_frequency_combine(estimates, s->n_pcpus);
    s->vd = r->old_packing > r->new_packing;
    g_strlcpy(s->generation, generation(r), sizeof(s->generation));
    g_free(estimates);
}

struct xt_survey *xt_survey_new(const struct xt_source *source, const struct xt_layout_index *layouts,
                                const struct xt_trace_options *options, GError **error)
{
    struct xt_survey *s = g_new0(struct xt_survey, 1);
    struct reader r = {
        .source = source,
        .layouts = layouts,
        .options = options,
        .survey = s,
        .buffer = g_malloc(BUFFER_BYTES),
        .pcpus = g_ptr_array_new_with_free_func(free_pcpu),
        .by_number = g_hash_table_new(NULL, NULL),
    };
    unsigned n_layouts = 0;

    while (xt_layout_nth(layouts, n_layouts))
        n_layouts++;
    s->layout_counts = g_new0(uint64_t, n_layouts);
    s->bytes = s->data_end = source->bytes;
    s->window_blocks = xt_spill_new(sizeof(uint64_t) * XT_WINDOW_BLOCK, INDEX_MEMORY, options->spool_dir);
    s->replenishments = xt_spill_new(sizeof(struct xt_replenish_sample), SAMPLE_MEMORY, options->spool_dir);
    bool ok = read_windows(&r, error);
    if (ok)
        finish(&r);
    if (ok && s->whole_windows == 0 && s->runstate_changes == 0) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: cut at offset %" G_GUINT64_FORMAT " within its first window, before anything could be reconstructed "
                    "(record or copy it again)", source->name, s->data_end);
        ok = false;
    } else if (ok && s->records == 0) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: holds no whole record: it ends at offset %" G_GUINT64_FORMAT, source->name, source->bytes);
        ok = false;
    } else if (ok && s->cut_window_end) {
        xt_trace_note(options, "%s: cut at offset %" G_GUINT64_FORMAT ": the last window should go on to offset %"
                      G_GUINT64_FORMAT "; its whole records are used", source->name, s->data_end, s->cut_window_end);
    }
    g_ptr_array_unref(r.pcpus);
    g_hash_table_unref(r.by_number);
    g_free(r.buffer);
    if (!ok) {
        xt_survey_free(s);
        return NULL;
    }
    return s;
}

void xt_survey_free(struct xt_survey *survey)
{
    if (!survey)
        return;
    for (unsigned i = 0; i < survey->n_pcpus; i++)
        g_array_unref(survey->pcpus[i].windows.blocks);
    g_free(survey->pcpus);
    g_free(survey->layout_counts);
    xt_spill_free(survey->window_blocks);
    xt_spill_free(survey->replenishments);
    g_free(survey);
}
