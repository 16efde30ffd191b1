#include "parse/survey.h"

#include <stdlib.h>
#include <string.h>

#include "parse/error.h"
#include "parse/frequency.h"
#include "parse/heap.h"
#include "parse/parallel.h"
#include "parse/survey-private.h"

#define SAMPLE_MEMORY (8u << 20) /* of all pCPUs together */
#define MAX_HELPERS 7
#define STRETCH_BYTES (1u << 20) /* of the file: from a pCPU's first window of a turn to its last */

struct surveyor {
    struct xt_survey *survey;
    const struct xt_source *source;
    const struct xt_layout_index *layouts;
    const struct xt_trace_options *options;
    unsigned n_layouts, n_workers;
    struct findings_of_worker *workers;
    struct survey_reader **readers; /* by slot */
    GMutex lock; /* of all that follows */
    struct heap next;  /* the pCPUs that nobody reads just now, by where their next windows begin */
    uint64_t stop;     /* what begins there or behind need not be read any more */
};

static void clear_note(gpointer data)
{
    g_free(((struct survey_note *)data)->text);
}

static void begin_worker(struct surveyor *r, struct findings_of_worker *w)
{
    *w = (struct findings_of_worker){
        .layout_counts = g_new0(uint64_t, r->n_layouts),
        .damage = { UINT64_MAX, NULL },
        .cut_at = UINT64_MAX,
        .notes = g_array_new(FALSE, FALSE, sizeof(struct survey_note)),
    };
    g_array_set_clear_func(w->notes, clear_note);
}

static void end_worker(struct findings_of_worker *w)
{
    g_free(w->layout_counts);
    g_free(w->damage.what);
    g_array_unref(w->notes);
    g_clear_error(&w->error);
}

/* Before any worker is at work. */
static void begin_pcpus(struct surveyor *r)
{
    struct xt_survey *s = r->survey;
    struct xt_series_spill *samples =
        xt_series_spill_new(sizeof(struct xt_replenish_sample), SAMPLE_MEMORY, r->options->spool_dir);
    struct findings_of_worker *w = &r->workers[0];

    g_ptr_array_add(s->spills, samples);
    g_mutex_init(&r->lock);
    r->readers = g_new0(struct survey_reader *, s->n_pcpus + 1);
    for (uint32_t i = 0; i < s->n_pcpus && !w->error; i++) {
        r->readers[i] = survey_reader_new(s, i, r->source, r->layouts, samples);
        heap_add(&r->next, survey_reader_next(r->readers[i], &w->error), i);
    }
    heap_order(&r->next);
    r->stop = w->error ? 0 : UINT64_MAX;
}

/* When all have done theirs. */
static void end_pcpus(struct surveyor *r)
{
    for (uint32_t i = 0; i < r->survey->n_pcpus && r->readers[i]; i++)
        survey_reader_end(r->readers[i], &r->workers[0]);
    g_free(r->readers);
    heap_clear(&r->next);
    g_mutex_clear(&r->lock);
}

static void progress(const struct surveyor *r, uint64_t done)
{
    if (r->options->progress)
        r->options->progress(r->options->user, MIN(done, r->survey->bytes), r->survey->bytes);
}

/* Reads the windows of a pCPU that begin before end. Where the next one begins; UINT64_MAX if there is none to go on with. */
static uint64_t read_stretch(struct survey_reader *reader, uint64_t end, struct findings_of_worker *w)
{
    uint64_t next;

    do {
        if (!survey_reader_window(reader, w))
            return UINT64_MAX;
        next = survey_reader_next(reader, &w->error);
    } while (next < end);
    return next;
}

/* Reads stretches, the first in the file first, as long as there are any that no other worker reads. */
static void work(gpointer user, unsigned worker)
{
    struct surveyor *r = user;
    struct findings_of_worker *w = &r->workers[worker];

    g_mutex_lock(&r->lock);
    while (r->next.n && r->next.keys[0].at < r->stop) {
        struct heap_key first = r->next.keys[0];
        heap_remove(&r->next);
        g_mutex_unlock(&r->lock);
        if (worker == 0)
            progress(r, first.at);
        uint64_t next = read_stretch(r->readers[first.who], first.at + STRETCH_BYTES, w);
        g_mutex_lock(&r->lock);
        if (next != UINT64_MAX)
            heap_push(&r->next, next, first.who);
        r->stop = w->error ? 0 : MIN(r->stop, w->damage.offset);
    }
    g_mutex_unlock(&r->lock);
}

static int compare_notes(const void *a, const void *b)
{
    const struct survey_note *x = a, *y = b;

    return (x->offset > y->offset) - (x->offset < y->offset);
}

static void tell_notes(struct surveyor *r)
{
    GArray *all = g_array_new(FALSE, FALSE, sizeof(struct survey_note));
    unsigned malformed = 0;

    for (unsigned i = 0; i < r->n_workers; i++)
        g_array_append_vals(all, r->workers[i].notes->data, r->workers[i].notes->len);
    g_array_sort(all, compare_notes);
    for (guint i = 0; i < all->len; i++) {
        const struct survey_note *note = &g_array_index(all, struct survey_note, i);
        if (!note->malformed || malformed++ < SURVEY_MALFORMED_NOTES)
            xt_trace_note(r->options, "%s: %s", r->source->name, note->text);
    }
    g_array_unref(all);
}

static uint64_t count(const struct surveyor *r, uint32_t event, unsigned n_words)
{
    bool known;
    const struct xt_layout *layout = xt_layout_find(r->layouts, event, n_words, &known);

    return layout ? r->survey->layout_counts[xt_layout_number(r->layouts, layout)] : 0;
}

/* What the layouts present tell of the Xen that wrote them; the first row that applies decides. */
static const char *generation(const struct surveyor *r)
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

/* Xen 4.5 and 4.6 alone write these; else the burns' own evidence counts. */
static bool is_old_packing(const struct surveyor *r)
{
    uint64_t old_packing = 1000 * (count(r, 0x22802, 0) + count(r, 0x22805, 5)), new_packing = 0;

    for (unsigned i = 0; i < r->n_workers; i++) {
        old_packing += r->workers[i].old_packing;
        new_packing += r->workers[i].new_packing;
    }
    return old_packing > new_packing;
}

static void add_up_pcpus(struct xt_survey *s)
{
    struct xt_frequency *estimates = g_new0(struct xt_frequency, s->n_pcpus + 1);

    for (uint32_t i = 0; i < s->n_pcpus; i++) {
        const struct xt_pcpu_survey *p = &s->pcpus[i];
        estimates[i] = p->frequency;
        s->records += p->records;
        s->lost_records += p->lost_records;
        s->lost_windows += p->lost_windows;
        s->steps_back += p->steps_back;
        s->core_scheduling |= p->foreign_idle > 0;
        if (!p->has_tsc)
            continue;
        s->first_tsc = s->has_tsc ? MIN(s->first_tsc, p->first_tsc) : p->first_tsc;
        s->last_tsc = MAX(s->last_tsc, p->last_tsc);
        s->has_tsc = true;
    }
    s->frequency = xt_frequency_combine(estimates, s->n_pcpus);
    g_free(estimates);
}

static void add_up(struct surveyor *r)
{
    struct xt_survey *s = r->survey;
    const struct xt_layout *layout;

    add_up_pcpus(s);
    for (unsigned i = 0; i < r->n_workers; i++) {
        const struct findings_of_worker *w = &r->workers[i];
        for (unsigned l = 0; l < r->n_layouts; l++)
            s->layout_counts[l] += w->layout_counts[l];
        s->unknown_records += w->unknown_records;
        s->malformed_records += w->malformed_records;
        s->has_extratime |= w->has_extratime;
        s->data_end = MIN(s->data_end, w->cut_at);
    }
    for (unsigned l = 0; (layout = xt_layout_nth(r->layouts, l)); l++) {
        s->runstate_changes += layout->kind == XT_EV_RUNSTATE ? s->layout_counts[l] : 0;
        s->has_continue |= layout->kind == XT_EV_CONTINUE && s->layout_counts[l];
    }
    s->vd = is_old_packing(r);
    g_strlcpy(s->generation, generation(r), sizeof(s->generation));
}

static bool read_pcpus(struct surveyor *r, struct damage *damage, GError **error)
{
    struct xt_survey *s = r->survey;
    bool ok = true;

    r->n_workers = 1 + xt_parallel_helpers(MIN(MAX_HELPERS, MAX(s->n_pcpus, 1) - 1));
    r->workers = g_new0(struct findings_of_worker, r->n_workers);
    for (unsigned i = 0; i < r->n_workers; i++)
        begin_worker(r, &r->workers[i]);
    begin_pcpus(r);
    xt_parallel_run(r->n_workers, work, r);
    end_pcpus(r);
    progress(r, s->bytes);
    for (unsigned i = 0; i < r->n_workers; i++) {
        struct findings_of_worker *w = &r->workers[i];
        if (w->error && ok)
            g_propagate_error(error, g_error_copy(w->error));
        ok &= !w->error;
        if (w->damage.offset != UINT64_MAX)
            damage_found(damage, w->damage.offset, g_steal_pointer(&w->damage.what));
    }
    if (ok && damage->offset == UINT64_MAX) {
        add_up(r);
        tell_notes(r);
    }
    for (unsigned i = 0; i < r->n_workers; i++)
        end_worker(&r->workers[i]);
    g_free(r->workers);
    return ok;
}

/* Reads what stands before limit. */
static struct xt_survey *read_until(const struct xt_source *source, uint64_t limit, const struct xt_layout_index *layouts,
                                    const struct xt_trace_options *options, struct damage *damage, GError **error)
{
    struct xt_survey *s = g_new0(struct xt_survey, 1);
    struct surveyor r = { .survey = s, .source = source, .layouts = layouts, .options = options };

    while (xt_layout_nth(layouts, r.n_layouts))
        r.n_layouts++;
    s->layout_counts = g_new0(uint64_t, r.n_layouts);
    s->bytes = source->bytes;
    s->data_end = limit;
    s->spills = g_ptr_array_new_with_free_func((GDestroyNotify)xt_series_spill_free);
    if (survey_windows(s, source, options->spool_dir, damage, error) && read_pcpus(&r, damage, error))
        return s;
    xt_survey_free(s);
    return NULL;
}

/* Damage: either an error or, with salvage, the end of what is used. */
static struct xt_survey *read_up_to_damage(const struct xt_source *source, const struct xt_layout_index *layouts,
                                           const struct xt_trace_options *options, const struct damage *damage,
                                           GError **error)
{
    struct damage none = { UINT64_MAX, NULL };

    if (!options->salvage) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: damaged at offset %" G_GUINT64_FORMAT ": %s (--salvage uses the %" G_GUINT64_FORMAT
                    " bytes before it)",
                    source->name, damage->offset, damage->what, damage->offset);
        return NULL;
    }
    xt_trace_note(options, "%s: damaged at offset %" G_GUINT64_FORMAT ": %s; the %" G_GUINT64_FORMAT
                  " bytes from there on are not used",
                  source->name, damage->offset, damage->what, source->bytes - damage->offset);
    struct xt_survey *s = read_until(source, damage->offset, layouts, options, &none, error);
    if (s)
        s->cut_window_end = 0;
    g_free(none.what);
    return s;
}

static bool is_of_use(const struct xt_survey *s, const struct xt_source *source, GError **error)
{
    if (s->whole_windows == 0 && s->runstate_changes == 0)
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: cut at offset %" G_GUINT64_FORMAT " within its first window, before anything could be reconstructed "
                    "(record or copy it again)", source->name, s->data_end);
    else if (s->records == 0)
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: holds no whole record: it ends at offset %" G_GUINT64_FORMAT, source->name, source->bytes);
    else
        return true;
    return false;
}

struct xt_survey *xt_survey_new(const struct xt_source *source, const struct xt_layout_index *layouts,
                                const struct xt_trace_options *options, GError **error)
{
    struct damage damage = { UINT64_MAX, NULL };
    struct xt_survey *s = read_until(source, source->bytes, layouts, options, &damage, error);

    if (s && damage.offset != UINT64_MAX) {
        xt_survey_free(s);
        s = read_up_to_damage(source, layouts, options, &damage, error);
    } else if (s) {
        s->truncated_bytes = s->bytes - s->data_end;
    }
    g_free(damage.what);
    if (!s)
        return NULL;
    if (!is_of_use(s, source, error)) {
        xt_survey_free(s);
        return NULL;
    }
    if (s->cut_window_end)
        xt_trace_note(options, "%s: cut at offset %" G_GUINT64_FORMAT ": the last window should go on to offset %"
                      G_GUINT64_FORMAT "; its whole records are used", source->name, s->data_end, s->cut_window_end);
    return s;
}

void xt_survey_free(struct xt_survey *survey)
{
    if (!survey)
        return;
    for (unsigned i = 0; i < survey->n_pcpus; i++) {
        xt_series_clear(&survey->pcpus[i].windows);
        xt_series_clear(&survey->pcpus[i].samples);
    }
    g_free(survey->pcpus);
    g_free(survey->layout_counts);
    g_ptr_array_unref(survey->spills);
    g_free(survey);
}
