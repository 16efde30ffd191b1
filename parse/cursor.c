#include "parse/cursor.h"

#include "parse/error.h"

#define ALL_BYTES (8u << 20) /* of all cursors together */
#define WORTH_READING 4096u   /* what lies between two windows costs less than to read once more */
#define MIN_BYTES 1024u
#define MAX_BYTES (64u << 10) /* with its neighbours it stays in a core's cache */

size_t xt_cursor_capacity(uint32_t n)
{
    return CLAMP(ALL_BYTES / MAX(n, 1), MIN_BYTES, MAX_BYTES) & ~(size_t)7;
}

void xt_cursor_init(struct xt_cursor *c, const struct xt_source *source, const struct xt_survey *survey, uint32_t slot,
                    size_t capacity)
{
    *c = (struct xt_cursor){ .source = source, .survey = survey, .slot = slot, .capacity = capacity };
}

void xt_cursor_clear(struct xt_cursor *c)
{
    g_clear_pointer(&c->buffer, g_free);
}

void xt_cursor_rewind(struct xt_cursor *c, uint64_t window)
{
    *c = (struct xt_cursor){
        .source = c->source,
        .survey = c->survey,
        .slot = c->slot,
        .next_window = window,
        .buffer = c->buffer,
        .at = c->buffer,
        .safe_end = c->buffer,
        .window_stop = c->buffer,
        .capacity = c->capacity,
    };
}

/* Buffers what stands from offset on, if there is room n bytes and the rest of a damaged record that crosses their end. */
static bool read_at(struct xt_cursor *c, uint64_t offset, uint64_t n, GError **error)
{
    if (!c->buffer)
        c->buffer = g_malloc(c->capacity + XT_MAX_RECORD_BYTES); /* a head may be looked at before it is known whole */
    n = MIN(n + XT_MAX_RECORD_BYTES, c->capacity);
    int64_t got = xt_source_read(c->source, offset, c->buffer, n, error);
    if (got < 0)
        return false;
    c->offset = offset;
    c->have = (size_t)got;
    c->at = c->buffer;
    return true;
}

static const struct xt_window *ahead(const struct xt_cursor *c)
{
    return &c->ahead[XT_CURSOR_AHEAD - c->n_ahead];
}

int xt_cursor_peek(struct xt_cursor *c, struct xt_window *window, GError **error)
{
    const struct xt_series *windows = &c->survey->pcpus[c->slot].windows;

    if (!c->n_ahead) {
        unsigned n = (unsigned)MIN(windows->n - c->next_window, XT_CURSOR_AHEAD);
        if (n && !xt_series_read(windows, c->next_window, n, &c->ahead[XT_CURSOR_AHEAD - n], error))
            return -1;
        c->n_ahead = n;
    }
    if (!c->n_ahead)
        return 0;
    *window = *ahead(c);
    return 1;
}

/* How much to read for a window, and for those behind it that are not far. */
static uint64_t worth_reading(const struct xt_cursor *c, const struct xt_window *window)
{
    uint64_t end = window->offset + window->bytes;

    for (unsigned i = 0; i < c->n_ahead; i++) {
        const struct xt_window *then = &ahead(c)[i];
        if (then->offset > end + WORTH_READING || then->offset + then->bytes - window->offset > c->capacity)
            break;
        end = then->offset + then->bytes;
    }
    return end - window->offset;
}

/* Enters the next window. 1, 0 if there is none, -1 with error. */
static int next_window(struct xt_cursor *c, GError **error)
{
    struct xt_window window;
    int found = xt_cursor_peek(c, &window, error);

    if (found <= 0)
        return found;
    c->next_window++;
    c->n_ahead--;
    if (c->buffer && window.offset >= c->offset && window.offset + XT_CPU_CHANGE_BYTES <= c->offset + c->have)
        c->at = c->buffer + (window.offset - c->offset);
    else if (!read_at(c, window.offset, worth_reading(c, &window), error))
        return -1;
    if (c->have - (size_t)(c->at - c->buffer) < XT_CPU_CHANGE_BYTES)
        return 0;
    c->window_end = MIN(window.offset + window.bytes, c->survey->data_end);
    c->at += XT_CPU_CHANGE_BYTES;
    return 1;
}

static void find_ends(struct xt_cursor *c)
{
    uint64_t window = c->window_end - MIN(c->window_end, c->offset), stop = MIN(c->have, window);

    c->window_stop = c->buffer + stop;
    c->safe_end = c->buffer + (stop >= XT_MAX_RECORD_BYTES ? stop - XT_MAX_RECORD_BYTES + 1 : 0);
}

int xt_cursor_load(struct xt_cursor *c, GError **error)
{
    while (xt_cursor_offset(c) >= c->window_end) {
        int found = next_window(c, error);
        if (found <= 0)
            return found;
    }
    size_t left = c->have - (size_t)(c->at - c->buffer);
    if (left < XT_MAX_RECORD_BYTES && c->offset + c->have < MIN(c->window_end + XT_MAX_RECORD_BYTES, c->source->bytes)) {
        if (!read_at(c, xt_cursor_offset(c), c->window_end - xt_cursor_offset(c), error))
            return -1;
        left = c->have;
    }
    find_ends(c);
    if (left < 4)
        return 0;
    if (left < xt_record_bytes(xt_load_word(c->at))) {
        if (c->offset + c->have >= c->source->bytes)
            return 0;
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: changed while it was read: at offset %" G_GUINT64_FORMAT " a record is cut", c->source->name,
                    xt_cursor_offset(c));
        return -1;
    }
    return 1;
}

/* 32-bit hypervisors wrote only its lower half. */
uint64_t xt_gap_start(const char *record, uint64_t tsc, uint64_t previous)
{
    const char *word = record + (XT_HAS_TSC(xt_load_word(record)) ? 12 : 4) + 8;
    uint64_t first = xt_load_word(word) | (uint64_t)xt_load_word(word + 4) << 32;

    if (first >> 32 == 0 && tsc >> 32) {
        first |= tsc & ~0xffffffffull;
        if (first > tsc)
            first -= 1ull << 32;
    }
    return CLAMP(first, MIN(previous, tsc), tsc);
}
