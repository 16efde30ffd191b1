/* The records of one pCPU in file order: hops from window to window of the survey's index. Private to parse/; the hot
 * loops of the survey and of the decisions read the buffer themselves, everything else calls xt_cursor_load. */
#pragma once

#include <string.h>

#include "parse/format.h"
#include "parse/record.h"
#include "parse/source.h"
#include "parse/survey.h"

#define XT_CURSOR_AHEAD 16

struct xt_cursor {
    const struct xt_source *source;
    const struct xt_survey *survey;
    uint32_t slot;
    uint64_t next_window, window_end; /* number of the next window; end of the present one in the file */
    struct xt_window ahead[XT_CURSOR_AHEAD]; /* the last n_ahead of them are the windows from next_window on */
    unsigned n_ahead;
    uint64_t offset;                  /* in the file, of buffer[0] */
    const char *at;                   /* the record at the head */
    const char *safe_end;             /* a record that begins before it lies wholly in the buffer and in the window */
    const char *window_stop;          /* end of the window, or of the buffer if that comes first */
    char *buffer;
    size_t have, capacity;
    uint64_t tsc;                     /* of the record at the head, or of its predecessor if it carries none */
};

/* How much each of n cursors may buffer. */
size_t xt_cursor_capacity(uint32_t n);

void xt_cursor_init(struct xt_cursor *cursor, const struct xt_source *source, const struct xt_survey *survey,
                    uint32_t slot, size_t capacity);
void xt_cursor_clear(struct xt_cursor *cursor);
/* Back to before a window of this pCPU (0: the first); keeps the buffer. */
void xt_cursor_rewind(struct xt_cursor *cursor, uint64_t window);

/* The next window. 1; 0 if there is none; -1 with error. */
int xt_cursor_peek(struct xt_cursor *cursor, struct xt_window *window, GError **error);

/* Where cursor->at is not before safe_end: makes a record stand at the head. 1: it does, whole; 0: no more records, or
 * less than a whole one before the end of what is used of the file; -1: error. */
int xt_cursor_load(struct xt_cursor *cursor, GError **error);

static inline uint64_t xt_cursor_offset(const struct xt_cursor *cursor)
{
    return cursor->offset + (uint64_t)(cursor->at - cursor->buffer);
}

static inline uint32_t xt_load_word(const char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return GUINT32_FROM_LE(word);
}

static inline uint64_t xt_load_tsc(const char *record)
{
    uint64_t tsc;

    memcpy(&tsc, record + 4, sizeof(tsc));
    return GUINT64_FROM_LE(tsc);
}

/* The payload in host byte order; words has room for it where that must be made. */
static inline const uint32_t *xt_load_words(const char *record, uint32_t header, uint32_t words[7])
{
    const uint32_t *payload = (const uint32_t *)(const void *)(record + 4 + 8 * XT_HAS_TSC(header));

    if (G_BYTE_ORDER == G_LITTLE_ENDIAN)
        return payload; /* records are whole words and buffers are aligned */
    for (unsigned i = 0; i < XT_N_WORDS(header); i++)
        words[i] = GUINT32_FROM_LE(payload[i]);
    return words;
}

static inline bool xt_is_lost_records(uint32_t header)
{
    return XT_EVENT(header) == XT_ID_LOST_RECORDS && XT_N_WORDS(header) == 4;
}

/* The TSC of the first record that a lost-records record with tsc reports; previous: that of the record before. */
uint64_t xt_gap_start(const char *record, uint64_t tsc, uint64_t previous);
