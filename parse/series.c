#include "parse/series.h"

#include <string.h>

struct xt_spill *xt_series_spill_new(size_t item_bytes, size_t memory_bytes, const char *dir)
{
    return xt_spill_new(XT_SERIES_BLOCK * item_bytes, memory_bytes, dir);
}

void xt_series_init(struct xt_series *s, size_t item_bytes, struct xt_spill *spill)
{
    g_assert(item_bytes <= XT_SERIES_MAX_ITEM);
    *s = (struct xt_series){ spill, item_bytes, 0, g_array_new(FALSE, FALSE, sizeof(uint32_t)), NULL };
}

void xt_series_clear(struct xt_series *s)
{
    g_clear_pointer(&s->blocks, g_array_unref);
    g_clear_pointer(&s->tail, g_free);
}

bool xt_series_append(struct xt_series *s, const void *item, GError **error)
{
    uint64_t at = s->n - (uint64_t)s->blocks->len * XT_SERIES_BLOCK;

    if (!s->tail)
        s->tail = g_malloc(XT_SERIES_BLOCK * s->item_bytes);
    if (at == XT_SERIES_BLOCK) {
        uint32_t number = (uint32_t)xt_spill_count(s->spill);
        if (!xt_spill_append(s->spill, s->tail, 1, error))
            return false;
        g_array_append_val(s->blocks, number);
        at = 0;
    }
    memcpy(s->tail + at * s->item_bytes, item, s->item_bytes);
    s->n++;
    return true;
}

bool xt_series_read(const struct xt_series *s, uint64_t first, uint64_t n, void *out, GError **error)
{
    char *to = out, block[XT_SERIES_BLOCK * XT_SERIES_MAX_ITEM];

    g_assert(first + n <= s->n);
    while (n) {
        uint64_t number = first / XT_SERIES_BLOCK, at = first % XT_SERIES_BLOCK, chunk = MIN(n, XT_SERIES_BLOCK - at);
        const char *from = s->tail;
        if (number < s->blocks->len) {
            if (!xt_spill_read(s->spill, g_array_index(s->blocks, uint32_t, number), 1, block, error))
                return false;
            from = block;
        }
        memcpy(to, from + at * s->item_bytes, chunk * s->item_bytes);
        first += chunk;
        n -= chunk;
        to += chunk * s->item_bytes;
    }
    return true;
}
