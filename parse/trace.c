/* Merging: one cursor per pCPU reads its windows in file order; the one with the smallest TSC is next. */
#include "parse/record.h"

#include "parse/cursor.h"
#include "parse/error.h"
#include "parse/heap.h"

/* What stands at the head of a pCPU's cursor. */
struct head {
    struct xt_cursor cursor;
    uint32_t header, bytes;
    bool gap; /* a lost-records record whose gap has not been handed out yet */
};

struct xt_trace {
    struct xt_trace_options options;
    struct xt_source source;
    struct xt_layout_index *layouts;
    struct xt_survey *survey;
    struct head *heads; /* by slot */
    struct heap merge;
    bool advance; /* the record handed out last still has to be passed over */
    bool started;
    int selected; /* slot, -1 all */
    bool is_view; /* source, layouts and survey belong to another trace */
    uint32_t words[7];
};

void xt_trace_rewind(struct xt_trace *trace)
{
    for (uint32_t i = 0; i < trace->survey->n_pcpus; i++)
        xt_cursor_rewind(&trace->heads[i].cursor, 0);
    trace->merge.n = 0;
    trace->started = trace->advance = false;
}

void xt_trace_select(struct xt_trace *trace, int slot)
{
    trace->selected = slot;
    xt_trace_rewind(trace);
}

/* Makes the next record of the cursor the head. 1, 0 at the end of this pCPU, -1 with error. */
static int load(struct head *h, GError **error)
{
    struct xt_cursor *c = &h->cursor;
    int loaded = c->at < c->safe_end ? 1 : xt_cursor_load(c, error);

    if (loaded <= 0)
        return loaded;
    h->header = xt_load_word(c->at);
    h->bytes = xt_record_bytes(h->header);
    if (XT_HAS_TSC(h->header))
        c->tsc = xt_load_tsc(c->at);
    h->gap = xt_is_lost_records(h->header);
    return 1;
}

/* What orders the head. previous: the TSC of the record before it. */
static uint64_t key_of(const struct xt_trace *trace, const struct head *h, uint64_t previous)
{
    uint64_t tsc = h->gap ? xt_gap_start(h->cursor.at, h->cursor.tsc, previous) : h->cursor.tsc;

    return xt_corrected_tsc(&trace->survey->pcpus[h->cursor.slot], tsc);
}

static bool start(struct xt_trace *trace, GError **error)
{
    for (uint32_t i = 0; i < trace->survey->n_pcpus; i++) {
        if (trace->selected >= 0 && (uint32_t)trace->selected != i)
            continue;
        int loaded = load(&trace->heads[i], error);
        if (loaded < 0)
            return false;
        if (loaded)
            heap_add(&trace->merge,
                      key_of(trace, &trace->heads[i], xt_raw_tsc(&trace->survey->pcpus[i], trace->survey->first_tsc)), i);
    }
    heap_order(&trace->merge);
    trace->started = true;
    return true;
}

/* Passes over what was handed out last and puts its cursor back in order. */
static bool advance(struct xt_trace *trace, GError **error)
{
    struct head *h = &trace->heads[trace->merge.keys[0].who];
    uint64_t previous = h->cursor.tsc;
    int loaded = 1;

    trace->advance = false;
    if (h->gap) {
        h->gap = false;
    } else {
        h->cursor.at += h->bytes;
        loaded = load(h, error);
    }
    if (loaded < 0)
        return false;
    if (loaded)
        heap_replace(&trace->merge, key_of(trace, h, previous));
    else
        heap_remove(&trace->merge);
    return true;
}

bool xt_trace_next_or_gap(struct xt_trace *trace, struct xt_record *record, GError **error)
{
    if (!trace->started && !start(trace, error))
        return false;
    if (trace->advance && !advance(trace, error))
        return false;
    if (trace->merge.n == 0)
        return false;
    trace->advance = true;

    struct head *h = &trace->heads[trace->merge.keys[0].who];
    uint32_t header = h->header, slot = h->cursor.slot;
    record->tsc = trace->merge.keys[0].at;
    record->offset = xt_cursor_offset(&h->cursor);
    record->event = XT_EVENT(header);
    record->slot = slot;
    record->pcpu = trace->survey->pcpus[slot].pcpu;
    record->n_words = (uint8_t)XT_N_WORDS(header);
    record->has_tsc = XT_HAS_TSC(header);
    record->gap = h->gap;
    record->words = xt_load_words(h->cursor.at, header, trace->words);
    return true;
}

bool xt_trace_next(struct xt_trace *trace, struct xt_record *record, GError **error)
{
    while (xt_trace_next_or_gap(trace, record, error))
        if (!record->gap)
            return true;
    return false;
}

/* Number of the last window of a pCPU whose first record is before tsc (0 if none is). */
static bool find_window(struct xt_trace *trace, uint32_t slot, uint64_t tsc, uint64_t *window, GError **error)
{
    uint64_t lo = 0, hi = trace->survey->pcpus[slot].windows.n;

    while (hi - lo > 1) {
        uint64_t mid = lo + (hi - lo) / 2;
        struct head *h = &trace->heads[slot];
        xt_cursor_rewind(&h->cursor, mid);
        int loaded = load(h, error);
        while (loaded > 0 && !XT_HAS_TSC(h->header)) {
            h->cursor.at += h->bytes;
            loaded = load(h, error);
        }
        if (loaded < 0)
            return false;
        if (loaded && xt_corrected_tsc(&trace->survey->pcpus[slot], h->cursor.tsc) < tsc)
            lo = mid;
        else
            hi = mid;
    }
    *window = lo;
    return true;
}

bool xt_trace_seek(struct xt_trace *trace, uint64_t tsc, GError **error)
{
    xt_trace_rewind(trace);
    for (uint32_t i = 0; i < trace->survey->n_pcpus; i++) {
        uint64_t window;
        if (trace->selected >= 0 && (uint32_t)trace->selected != i)
            continue;
        if (!find_window(trace, i, tsc, &window, error))
            return false;
        xt_cursor_rewind(&trace->heads[i].cursor, window);
    }
    if (!start(trace, error))
        return false;
    while (trace->merge.n && trace->merge.keys[0].at < tsc)
        if (!advance(trace, error))
            return false;
    return true;
}

static void prepare_cursors(struct xt_trace *trace)
{
    uint32_t n = trace->survey->n_pcpus;

    trace->heads = g_new0(struct head, n + 1);
    for (uint32_t i = 0; i < n; i++)
        xt_cursor_init(&trace->heads[i].cursor, &trace->source, trace->survey, i, xt_cursor_capacity(n));
}

struct xt_trace *xt_trace_view_new(const struct xt_trace *trace, int slot)
{
    struct xt_trace *view = g_new0(struct xt_trace, 1);

    view->options = trace->options;
    view->source = trace->source;
    view->layouts = trace->layouts;
    view->survey = trace->survey;
    view->selected = slot;
    view->is_view = true;
    prepare_cursors(view);
    return view;
}

struct xt_trace *xt_trace_open(const char *path, const struct xt_trace_options *options, GError **error)
{
    struct xt_trace *trace = g_new0(struct xt_trace, 1);

    if (options)
        trace->options = *options;
    trace->selected = -1;
    trace->source.fd = -1;
    trace->layouts = xt_layout_index_new();
    if (!xt_source_open(&trace->source, path, &trace->options, error) ||
        !(trace->survey = xt_survey_new(&trace->source, trace->layouts, &trace->options, error))) {
        xt_trace_free(trace);
        return NULL;
    }
    prepare_cursors(trace);
    return trace;
}

void xt_trace_free(struct xt_trace *trace)
{
    if (!trace)
        return;
    for (uint32_t i = 0; trace->heads && i < trace->survey->n_pcpus; i++)
        xt_cursor_clear(&trace->heads[i].cursor);
    g_free(trace->heads);
    heap_clear(&trace->merge);
    if (!trace->is_view) {
        xt_survey_free(trace->survey);
        xt_layout_index_free(trace->layouts);
        xt_source_close(&trace->source);
    }
    g_free(trace);
}

const struct xt_trace_options *xt_trace_options(const struct xt_trace *trace)
{
    return &trace->options;
}

const char *xt_trace_path(const struct xt_trace *trace)
{
    return trace->source.name;
}

const struct xt_survey *xt_trace_survey(const struct xt_trace *trace)
{
    return trace->survey;
}

const struct xt_layout_index *xt_trace_layouts(const struct xt_trace *trace)
{
    return trace->layouts;
}

const struct xt_source *xt_trace_source(const struct xt_trace *trace)
{
    return &trace->source;
}
