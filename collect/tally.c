#include "collect/tally.h"

#include <glib.h>
#include <string.h>

#include "parse/format.h"

G_STATIC_ASSERT(sizeof((struct xt_tally *)0)->rest >= XT_MAX_RECORD_BYTES);

static uint32_t word_at(const uint8_t *data)
{
    uint32_t word;
    memcpy(&word, data, sizeof word);
    return GUINT32_FROM_LE(word);
}

/* Bytes that the record at data has; 0 if even its header is not whole. */
static unsigned size_of(const uint8_t *data, size_t bytes)
{
    return bytes < 4 ? 0 : xt_record_bytes(word_at(data));
}

static void count(struct xt_tally *t, const uint8_t *record, uint64_t offset)
{
    uint32_t header = word_at(record);

    if (XT_EVENT(header) == XT_ID_CPU_CHANGE) {
        t->last_window = offset;
        return;
    }
    t->records++;
    if (XT_EVENT(header) == XT_ID_LOST_RECORDS && XT_N_WORDS(header) > 0)
        t->lost_records += word_at(record + 4 + 8 * XT_HAS_TSC(header));
}

/* Completes the record that the piece before broke off. Returns how many bytes that took. */
static size_t complete_rest(struct xt_tally *t, const uint8_t *data, size_t bytes)
{
    size_t taken = 0;

    while (t->rest_bytes > 0 && taken < bytes) {
        unsigned size = size_of(t->rest, t->rest_bytes);
        t->rest[t->rest_bytes++] = data[taken++];
        size = size ? size : size_of(t->rest, t->rest_bytes);
        if (size == 0 || t->rest_bytes < size)
            continue;
        count(t, t->rest, t->bytes + taken - size);
        t->rest_bytes = 0;
    }
    return taken;
}

void xt_tally_add(struct xt_tally *t, const void *piece, size_t bytes)
{
    const uint8_t *data = piece;
    size_t at = complete_rest(t, data, bytes);

    while (at < bytes) {
        unsigned size = size_of(data + at, bytes - at);
        if (size == 0 || size > bytes - at) {
            t->rest_bytes = (unsigned)(bytes - at);
            memcpy(t->rest, data + at, bytes - at);
            break;
        }
        count(t, data + at, t->bytes + at);
        at += size;
    }
    t->bytes += bytes;
}
