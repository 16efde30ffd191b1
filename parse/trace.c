/* Merging: one cursor per pCPU reads its windows in file order; a heap yields the cursor with the smallest TSC. */
#include "parse/record.h"

#include <string.h>

#include "parse/error.h"
#include "parse/format.h"
#include "parse/survey.h"

#define CURSOR_MEMORY (8u << 20) /* of all cursors together */
#define MIN_CURSOR_BYTES 4096u
#define MAX_CURSOR_BYTES (128u << 10)

struct cursor {
    uint32_t slot;
    uint64_t next_window, window_end; /* number of the next window; end of the present one */
    uint64_t offset;                  /* in the file, of buffer[0] */
    size_t have, pos;                 /* bytes in buffer, of the record at the head */
    uint32_t header, bytes;           /* of the record at the head, likewise below */
    uint64_t tsc;
    bool gap;                         /* a lost-records record whose gap has not been handed out yet */
    char *buffer;
    size_t capacity;
};

/* What the heap orders by; kept apart from the cursors to stay in few cache lines. */
struct key {
    uint64_t tsc;
    uint32_t slot;
};

struct xt_trace {
    struct xt_trace_options options;
    struct xt_source source;
    struct xt_layout_index *layouts;
    struct xt_survey *survey;
    struct cursor *cursors; /* by slot */
    struct key *heap;
    uint32_t n_heap;
    bool advance; /* the record handed out last still has to be passed over */
    bool started;
    int selected; /* slot, -1 all */
    bool is_view; /* source, layouts and survey belong to another trace */
    uint32_t words[7];
};

static void free_buffers(struct xt_trace *trace)
{
    for (uint32_t i = 0; i < trace->survey->n_pcpus; i++)
        g_clear_pointer(&trace->cursors[i].buffer, g_free);
}

void xt_trace_rewind(struct xt_trace *trace)
{
    uint32_t n = trace->survey->n_pcpus;
    size_t capacity = CLAMP(CURSOR_MEMORY / MAX(n, 1), MIN_CURSOR_BYTES, MAX_CURSOR_BYTES);

    for (uint32_t i = 0; i < n; i++) {
        char *buffer = trace->cursors[i].buffer;
        trace->cursors[i] = (struct cursor){ .slot = i, .buffer = buffer, .capacity = capacity };
    }
    trace->n_heap = 0;
    trace->started = trace->advance = false;
}

void xt_trace_select(struct xt_trace *trace, int slot)
{
    trace->selected = slot;
    xt_trace_rewind(trace);
}

static uint32_t head_word(const struct cursor *c, unsigned n)
{
    uint32_t w;

    memcpy(&w, c->buffer + c->pos + 4 * n, 4);
    return GUINT32_FROM_LE(w);
}

static void parse_head(struct cursor *c)
{
    c->header = head_word(c, 0);
    c->bytes = xt_record_bytes(c->header);
    if (XT_HAS_TSC(c->header)) {
        uint64_t tsc;
        memcpy(&tsc, c->buffer + c->pos + 4, 8);
        c->tsc = GUINT64_FROM_LE(tsc);
    }
    c->gap = XT_EVENT(c->header) == XT_ID_LOST_RECORDS && XT_N_WORDS(c->header) == 4;
}

/* Makes a whole record stand at the head. Returns 0 at the end of this pCPU, -1 with error. */
static int load(struct xt_trace *trace, struct cursor *c, GError **error)
{
    const struct xt_survey *s = trace->survey;
    uint32_t header;

    while (c->offset + c->pos >= c->window_end) {
        if (c->next_window == s->pcpus[c->slot].windows.n_windows)
            return 0;
        uint64_t at, end = c->offset + c->have;
        if (!xt_survey_window(s, c->slot, c->next_window, &at, error))
            return -1;
        c->next_window++;
        /* a short window of another pCPU may lie between, all in the buffer */
        if (!c->buffer)
            c->buffer = g_malloc(c->capacity + XT_MAX_RECORD_BYTES); /* a head may be looked at before it is known whole */
        if (at >= c->offset && at + XT_CPU_CHANGE_BYTES <= end) {
            c->pos = at - c->offset;
        } else {
            int64_t got = xt_source_read(&trace->source, at, c->buffer, c->capacity, error);
            if (got < 0)
                return -1;
            c->offset = at;
            c->have = (size_t)got;
            c->pos = 0;
        }
        if (c->have - c->pos < XT_CPU_CHANGE_BYTES)
            return 0;
        memcpy(&header, c->buffer + c->pos + 8, 4);
        c->pos += XT_CPU_CHANGE_BYTES;
        c->window_end = MIN(at + XT_CPU_CHANGE_BYTES + GUINT32_FROM_LE(header), s->data_end);
    }
    if (c->have - c->pos < XT_MAX_RECORD_BYTES && c->offset + c->have < c->window_end) {
        uint64_t at = c->offset + c->pos;
        int64_t got = xt_source_read(&trace->source, at, c->buffer, c->capacity, error);
        if (got < 0)
            return -1;
        c->offset = at;
        c->have = (size_t)got;
        c->pos = 0;
    }
    if (c->have - c->pos < 4)
        return 0;
    parse_head(c);
    if (c->have - c->pos < c->bytes) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: changed while it was read: at offset %" G_GUINT64_FORMAT " a record is cut", trace->source.name,
                    c->offset + c->pos);
        return -1;
    }
    return 1;
}

/* The next record, if it lies wholly in the buffer as nearly all do. */
static bool load_fast(struct cursor *c)
{
    if (c->have - c->pos < XT_MAX_RECORD_BYTES || c->offset + c->pos >= c->window_end)
        return false;
    parse_head(c);
    return true;
}

/* The TSC of the first lost record. 32-bit hypervisors wrote only its lower half. */
static uint64_t gap_start(const struct cursor *c, uint64_t previous)
{
    unsigned word = (XT_HAS_TSC(c->header) ? 3 : 1) + 2;
    uint64_t first = head_word(c, word) | (uint64_t)head_word(c, word + 1) << 32;

    if (first >> 32 == 0 && c->tsc >> 32) {
        first |= c->tsc & ~0xffffffffull;
        if (first > c->tsc)
            first -= 1ull << 32;
    }
    return CLAMP(first, MIN(previous, c->tsc), c->tsc);
}

static bool key_less(const struct key *a, const struct key *b)
{
    return a->tsc != b->tsc ? a->tsc < b->tsc : a->slot < b->slot; /* slots ascend with pCPU numbers */
}

static void sift_down(struct xt_trace *trace, uint32_t i)
{
    struct key *heap = trace->heap, moved = heap[i];

    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= trace->n_heap)
            break;
        if (child + 1 < trace->n_heap && key_less(&heap[child + 1], &heap[child]))
            child++;
        if (!key_less(&heap[child], &moved))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = moved;
}

static void set_key(struct key *key, struct cursor *c, uint64_t previous)
{
    key->slot = c->slot;
    key->tsc = c->gap ? gap_start(c, previous) : c->tsc;
}

static bool start(struct xt_trace *trace, GError **error)
{
    for (uint32_t i = 0; i < trace->survey->n_pcpus; i++) {
        if (trace->selected >= 0 && (uint32_t)trace->selected != i)
            continue;
        int loaded = load(trace, &trace->cursors[i], error);
        if (loaded < 0)
            return false;
        if (loaded)
            set_key(&trace->heap[trace->n_heap++], &trace->cursors[i], trace->survey->first_tsc);
    }
    for (uint32_t i = trace->n_heap / 2; i-- > 0;)
        sift_down(trace, i);
    trace->started = true;
    return true;
}

/* Passes over what was handed out last and puts its cursor back in order. */
static bool advance(struct xt_trace *trace, GError **error)
{
    struct cursor *c = &trace->cursors[trace->heap[0].slot];
    uint64_t previous = c->tsc;

    trace->advance = false;
    if (c->gap) {
        c->gap = false;
        trace->heap[0].tsc = c->tsc;
    } else {
        c->pos += c->bytes;
        int loaded = load_fast(c) ? 1 : load(trace, c, error);
        if (loaded < 0)
            return false;
        if (loaded)
            set_key(&trace->heap[0], c, previous);
        else
            trace->heap[0] = trace->heap[--trace->n_heap];
    }
    if (trace->n_heap)
        sift_down(trace, 0);
    return true;
}

bool xt_trace_next_or_gap(struct xt_trace *trace, struct xt_record *record, GError **error)
{
    if (!trace->started && !start(trace, error))
        return false;
    if (trace->advance && !advance(trace, error))
        return false;
    if (trace->n_heap == 0)
        return false;
    trace->advance = true;

    struct cursor *c = &trace->cursors[trace->heap[0].slot];
    uint32_t header = c->header;
    record->tsc = trace->heap[0].tsc;
    record->offset = c->offset + c->pos;
    record->event = XT_EVENT(header);
    record->slot = c->slot;
    record->pcpu = trace->survey->pcpus[c->slot].pcpu;
    record->n_words = (uint8_t)XT_N_WORDS(header);
    record->has_tsc = XT_HAS_TSC(header);
    record->gap = c->gap;
    const uint32_t *words = (const uint32_t *)(const void *)(c->buffer + c->pos + (record->has_tsc ? 12 : 4));
    if (G_BYTE_ORDER == G_LITTLE_ENDIAN) {
        record->words = words;
    } else {
        for (unsigned i = 0; i < record->n_words; i++)
            trace->words[i] = GUINT32_FROM_LE(words[i]);
        record->words = trace->words;
    }
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
    uint64_t lo = 0, hi = trace->survey->pcpus[slot].windows.n_windows;

    while (hi - lo > 1) {
        uint64_t mid = lo + (hi - lo) / 2;
        struct cursor *c = &trace->cursors[slot];
        char *buffer = c->buffer;
        *c = (struct cursor){ .slot = slot, .buffer = buffer, .capacity = c->capacity, .next_window = mid };
        int loaded = load(trace, c, error);
        while (loaded > 0 && !XT_HAS_TSC(c->header)) {
            c->pos += c->bytes;
            loaded = load(trace, c, error);
        }
        if (loaded < 0)
            return false;
        if (loaded && c->tsc < tsc)
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
        struct cursor *c = &trace->cursors[i];
        if (trace->selected >= 0 && (uint32_t)trace->selected != i)
            continue;
        if (!find_window(trace, i, tsc, &window, error))
            return false;
        *c = (struct cursor){ .slot = i, .buffer = c->buffer, .capacity = c->capacity, .next_window = window };
    }
    if (!start(trace, error))
        return false;
    while (trace->n_heap && trace->heap[0].tsc < tsc)
        if (!advance(trace, error))
            return false;
    return true;
}

static void prepare_cursors(struct xt_trace *trace)
{
    trace->cursors = g_new0(struct cursor, trace->survey->n_pcpus + 1);
    trace->heap = g_new0(struct key, trace->survey->n_pcpus + 1);
    xt_trace_rewind(trace);
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
    if (trace->survey && trace->cursors)
        free_buffers(trace);
    g_free(trace->cursors);
    g_free(trace->heap);
    if (!trace->is_view) {
        xt_survey_free(trace->survey);
        xt_layout_index_free(trace->layouts);
        xt_source_close(&trace->source);
    }
    g_free(trace);
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
