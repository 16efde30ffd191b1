/* One pCPU's records, read for the survey window by window. The loop sees every record of the file: it counts and checks,
 * and leaves whatever can be told from the counts to the end. */
#include "parse/survey-private.h"

#include "parse/frequency.h"

/* Kinds of records of which more than their number counts. */
#define OF_INTEREST \
    (1u << XT_EV_INFPREV | 1u << XT_EV_INFCONT | 1u << XT_EV_BURN | 1u << XT_EV_REPLENISH | \
     1u << XT_EV_SCHEDULE | 1u << XT_EV_TICKLE | 1u << XT_EV_LOST)

struct survey_reader {
    struct xt_cursor cursor;
    const struct xt_layout_index *layouts;
    struct xt_pcpu_survey *out;
    struct findings_of_worker *worker; /* whose turn it is */
    struct xt_chain *chain;
    uint64_t odd_up_to; /* a TSC that is not above it is one to look at: its predecessor's, or all for the first */
    uint32_t running; /* packed, who runs as far as runstates told; for telling the two packings apart */
    bool running_known;
    unsigned malformed_notes;
};

void damage_found(struct damage *damage, uint64_t offset, char *what)
{
    if (offset >= damage->offset) {
        g_free(what);
        return;
    }
    g_free(damage->what);
    *damage = (struct damage){ offset, what };
}

static void note(struct survey_reader *r, bool malformed, const char *format, ...) G_GNUC_PRINTF(3, 4);
static void note(struct survey_reader *r, bool malformed, const char *format, ...)
{
    struct survey_note note = { .offset = xt_cursor_offset(&r->cursor), .malformed = malformed };
    va_list args;

    va_start(args, format);
    note.text = g_strdup_vprintf(format, args);
    va_end(args);
    g_array_append_val(r->worker->notes, note);
}

/* The first TSC, or one that is not above its predecessor's. */
static void see_odd_tsc(struct survey_reader *r, uint64_t tsc)
{
    struct xt_pcpu_survey *out = r->out;
    uint64_t before = r->cursor.tsc;

    if (!out->has_tsc) {
        out->has_tsc = true;
        out->first_tsc = tsc;
    } else if (tsc < before) {
        if (out->steps_back++ == 0)
            note(r, false, "record at offset %" G_GUINT64_FORMAT ": the TSC of pCPU %d steps back by %" G_GUINT64_FORMAT
                 " cycles; file order is kept",
                 xt_cursor_offset(&r->cursor), out->pcpu, before - tsc);
        out->first_tsc = MIN(out->first_tsc, tsc);
        out->last_tsc = MAX(out->last_tsc, before);
    }
}

static void see_unknown(struct survey_reader *r, uint32_t header)
{
    bool known;

    xt_layout_find(r->layouts, XT_EVENT(header), XT_N_WORDS(header), &known);
    r->worker->unknown_records += !known;
    r->worker->malformed_records += known;
    if (known && r->malformed_notes++ < SURVEY_MALFORMED_NOTES)
        note(r, true, "record at offset %" G_GUINT64_FORMAT ": event 0x%05x with %u words fits no known layout",
             xt_cursor_offset(&r->cursor), XT_EVENT(header), XT_N_WORDS(header));
}

/* RTDS burns name the VCPU that runs: whichever packing agrees is this Xen's. */
static void weigh_packing(struct survey_reader *r, uint32_t word)
{
    uint32_t swapped = xt_swap_halves(word);

    if (!r->running_known || word == swapped)
        return;
    r->worker->new_packing += word == r->running;
    r->worker->old_packing += swapped == r->running;
}

static inline void see_runstate(struct survey_reader *r, uint32_t header, uint32_t id)
{
    if (id >> 16 == XT_IDLE_DOMID && (id & 0xffff) != (uint32_t)r->out->pcpu)
        r->out->foreign_idle++;
    if ((header >> 4 & 3) == XT_RUNNING) {
        r->running = id;
        r->running_known = true;
    }
}

static bool see_replenishment(struct survey_reader *r, const struct xt_layout *layout, const uint32_t *words)
{
    struct xt_replenish_sample sample = {
        .tsc = r->cursor.tsc,
        .deadline = (uint64_t)xt_slot_of_words(layout, XT_SLOT_DEADLINE, words, false),
        .budget = (uint64_t)xt_slot_of_words(layout, XT_SLOT_BUDGET, words, false),
        .domid_vcpu = words[0],
    };

    return xt_series_append(&r->out->samples, &sample, &r->worker->error);
}

static bool see_record(struct survey_reader *r, const struct xt_layout_key *key, uint32_t header)
{
    const struct xt_layout *layout = key->layout;
    uint64_t tsc = r->cursor.tsc;
    uint32_t copy[7];
    const uint32_t *words = xt_load_words(r->cursor.at, header, copy);

    switch ((enum xt_event_kind)key->kind) {
    case XT_EV_INFPREV:
        xt_chain_infprev(r->chain, tsc, (uint32_t)xt_slot_of_words(layout, XT_SLOT_RUN, words, false));
        return true;
    case XT_EV_INFCONT:
        xt_chain_infcont(r->chain, tsc, (uint32_t)xt_slot_of_words(layout, XT_SLOT_RUN, words, false));
        return true;
    case XT_EV_BURN:
        if (layout->scheduler != XT_SCHED_RTDS)
            return true;
        weigh_packing(r, words[0]);
        xt_chain_burn(r->chain, tsc, words[0], (int32_t)xt_slot_of_words(layout, XT_SLOT_DELTA, words, false));
        r->worker->has_extratime |= xt_slot_of_words(layout, XT_SLOT_LEVEL, words, false) > 0;
        return true;
    case XT_EV_REPLENISH:
        return see_replenishment(r, layout, words);
    case XT_EV_SCHEDULE:
        r->out->schedule_records += layout->scheduler != XT_SCHED_UNKNOWN;
        return true;
    case XT_EV_TICKLE: /* only Xen 4.5 and 4.6 wrote it without a TSC, see count_packing() */
        r->worker->old_packing += layout->event == 0x22801 && !XT_HAS_TSC(header) ? 1000 : 0;
        return true;
    case XT_EV_LOST:
        r->out->lost_windows++;
        r->out->lost_records += words[0];
        xt_chain_break(r->chain);
        r->running_known = false;
        return true;
    default:
        return true;
    }
}

/* Is the record at the head, which is no known one or crosses the end of its window, damage? */
static bool is_damage(struct survey_reader *r, uint32_t header)
{
    const struct xt_cursor *c = &r->cursor;
    uint64_t left = c->window_end - xt_cursor_offset(c);
    char *what = NULL;

    if (header == XT_CPU_CHANGE_HEADER)
        what = g_strdup("a window begins inside another one, whose size must be wrong");
    else if (xt_record_bytes(header) > left)
        what = g_strdup_printf("a record of %u bytes (event 0x%05x) does not fit into the %" G_GUINT64_FORMAT
                               " bytes left of its window", xt_record_bytes(header), XT_EVENT(header), left);
    if (what)
        damage_found(&r->worker->damage, xt_cursor_offset(c), what);
    return what;
}

/* Is there more of the present window, and something behind it? */
static bool goes_on(const struct xt_cursor *c)
{
    return xt_cursor_offset(c) < c->window_end && c->window_end < c->survey->data_end;
}

bool survey_reader_window(struct survey_reader *r, struct findings_of_worker *worker)
{
    struct xt_cursor *c = &r->cursor;
    uint64_t *counts = worker->layout_counts, by_scheduler[XT_N_SCHEDULERS] = { 0 };
    uint64_t records = 0, without_tsc = 0, odd_up_to = r->odd_up_to;
    bool ok = true, entered = false;

    r->worker = worker;
    while (ok) {
        bool safe = c->at < c->safe_end;
        if (!safe) {
            if (entered && xt_cursor_offset(c) >= c->window_end)
                break;
            int loaded = xt_cursor_load(c, &r->worker->error);
            entered = true;
            ok = loaded >= 0;
            if (loaded == 0 && goes_on(c)) /* the file ends within that record, but its window ends before */
                ok = !is_damage(r, xt_load_word(c->at));
            if (loaded <= 0)
                break;
        }
        const char *at = c->at;
        uint32_t header = xt_load_word(at), bytes = xt_record_bytes(header);
        const struct xt_layout_key *key = xt_layout_lookup(r->layouts, header);
        if (G_UNLIKELY(!key || (!safe && bytes > (size_t)(c->window_stop - at))) && is_damage(r, header)) {
            ok = false;
            break;
        }
        records++;
        if (G_LIKELY(XT_HAS_TSC(header))) {
            uint64_t tsc = xt_load_tsc(at);
            if (G_UNLIKELY(tsc <= odd_up_to))
                see_odd_tsc(r, tsc);
            c->tsc = odd_up_to = tsc;
        } else {
            without_tsc++;
        }
        if (G_UNLIKELY(!key)) {
            see_unknown(r, header);
        } else {
            counts[key->row]++;
            by_scheduler[key->scheduler]++;
            if (key->kind == XT_EV_RUNSTATE)
                see_runstate(r, header, xt_load_word(at + 4 + 8 * XT_HAS_TSC(header)));
            else if (OF_INTEREST >> key->kind & 1)
                ok = see_record(r, key, header);
        }
        c->at = at + bytes;
    }
    for (int i = XT_SCHED_UNKNOWN + 1; i < XT_N_SCHEDULERS; i++)
        r->out->class_records[i] += by_scheduler[i];
    r->odd_up_to = odd_up_to;
    r->out->records += records;
    r->out->tsc_records += records - without_tsc;
    r->out->last_tsc = MAX(r->out->last_tsc, c->tsc);
    return ok;
}

struct survey_reader *survey_reader_new(struct xt_survey *survey, uint32_t slot, const struct xt_source *source,
                                        const struct xt_layout_index *layouts, struct xt_series_spill *samples)
{
    struct survey_reader *r = g_new0(struct survey_reader, 1);

    r->layouts = layouts;
    r->out = &survey->pcpus[slot];
    r->chain = xt_chain_new();
    r->odd_up_to = UINT64_MAX;
    xt_series_init(&r->out->samples, sizeof(struct xt_replenish_sample), samples);
    xt_cursor_init(&r->cursor, source, survey, slot, xt_cursor_capacity(survey->n_pcpus));
    return r;
}

uint64_t survey_reader_next(struct survey_reader *r, GError **error)
{
    struct xt_window window;

    return xt_cursor_peek(&r->cursor, &window, error) > 0 ? window.offset : UINT64_MAX;
}

void survey_reader_end(struct survey_reader *r, struct findings_of_worker *worker)
{
    if (xt_cursor_offset(&r->cursor) < r->cursor.window_end)
        worker->cut_at = MIN(worker->cut_at, xt_cursor_offset(&r->cursor));
    r->out->frequency = xt_chain_estimate(r->chain);
    xt_chain_free(r->chain);
    xt_cursor_clear(&r->cursor);
    g_free(r);
}
