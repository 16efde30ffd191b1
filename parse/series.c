#include "parse/series.h"

#include <string.h>

struct xt_series_spill {
    GMutex lock; /* while a block is added */
    struct xt_spill *blocks;
};

struct xt_series_spill *xt_series_spill_new(size_t item_bytes, size_t memory_bytes, const char *dir)
{
    struct xt_series_spill *spill = g_new0(struct xt_series_spill, 1);

    g_mutex_init(&spill->lock);
    spill->blocks = xt_spill_new(XT_SERIES_BLOCK * item_bytes, memory_bytes, dir);
    return spill;
}

void xt_series_spill_free(struct xt_series_spill *spill)
{
    if (!spill)
        return;
    xt_spill_free(spill->blocks);
    g_mutex_clear(&spill->lock);
    g_free(spill);
}

static bool add_block(struct xt_series_spill *spill, const void *block, uint32_t *number, GError **error)
{
    g_mutex_lock(&spill->lock);
    *number = (uint32_t)xt_spill_count(spill->blocks);
    bool ok = xt_spill_append(spill->blocks, block, 1, error);
    g_mutex_unlock(&spill->lock);
    return ok;
}

void xt_series_init(struct xt_series *s, size_t item_bytes, struct xt_series_spill *spill)
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
        uint32_t number;
        if (!add_block(s->spill, s->tail, &number, error))
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
            if (!xt_spill_read(s->spill->blocks, g_array_index(s->blocks, uint32_t, number), 1, block, error))
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
