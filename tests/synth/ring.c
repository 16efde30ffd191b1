#include "ring.h"

#include <glib.h>
#include <string.h>

#define EV_LOST 0x1f001u
#define EV_WRAP 0x1f002u
#define EV_CPU_CHANGE 0x1f003u
#define LOST_BYTES 28u
#define MAX_WORDS 7u

struct sy_ring *sy_ring_new(unsigned pages)
{
    struct sy_ring *r = g_new0(struct sy_ring, 1);

    r->size = pages * 4096u - 8u; /* Xen keeps prod and cons in front of the data */
    r->data = g_malloc0(r->size);
    return r;
}

void sy_ring_free(struct sy_ring *r)
{
    if (!r)
        return;
    g_free(r->data);
    g_free(r);
}

static uint32_t to_wrap(const struct sy_ring *r)
{
    uint32_t at = r->prod >= r->size ? r->prod - r->size : r->prod;
    return r->size - at;
}

static void insert(struct sy_ring *r, uint32_t event, bool with_tsc, uint64_t tsc, unsigned n,
                   const uint32_t *words)
{
    uint32_t at = r->prod >= r->size ? r->prod - r->size : r->prod;
    uint32_t *p = (uint32_t *)(void *)(r->data + at);
    uint32_t bytes = 4 + (with_tsc ? 8 : 0) + 4 * n;

    *p++ = event | n << 28 | (with_tsc ? 1u << 31 : 0);
    if (with_tsc) {
        *p++ = (uint32_t)tsc;
        *p++ = (uint32_t)(tsc >> 32);
    }
    if (words) /* a wrap record keeps what stood there before, as Xen's does */
        memcpy(p, words, 4 * n);
    r->prod += bytes;
    if (r->prod >= 2 * r->size)
        r->prod -= 2 * r->size;
    r->records++;
    if (with_tsc && tsc > r->last_tsc)
        r->last_tsc = tsc;
}

static void insert_wrap(struct sy_ring *r, uint64_t tsc)
{
    unsigned n = to_wrap(r) / 4 - 1;
    bool with_tsc = n > MAX_WORDS;

    insert(r, EV_WRAP, with_tsc, tsc, with_tsc ? n - 2 : n, NULL);
}

unsigned sy_ring_put(struct sy_ring *r, uint32_t event, bool with_tsc, uint64_t tsc, unsigned n,
                     const uint32_t *words, uint32_t vd, uint64_t lost_tsc)
{
    uint32_t bytes = 4 + (with_tsc ? 8 : 0) + 4 * n, need = 0, left = to_wrap(r);

    if (r->lost) {
        if (LOST_BYTES > left) {
            need += left;
            left = r->size;
        }
        need += LOST_BYTES;
        left -= LOST_BYTES;
        if (left == 0)
            left = r->size;
    }
    if (bytes > left)
        need += left;
    need += bytes;
    if (r->drop || need > r->size - sy_ring_unread(r)) {
        if (++r->lost == 1)
            r->lost_first_tsc = tsc;
        return 0;
    }

    unsigned result = SY_PUT_OK;
    if (r->lost) {
        uint32_t w[4] = {r->lost, vd, (uint32_t)r->lost_first_tsc, (uint32_t)(r->lost_first_tsc >> 32)};
        if (LOST_BYTES > to_wrap(r))
            insert_wrap(r, lost_tsc);
        insert(r, EV_LOST, true, lost_tsc, 4, w);
        r->lost_total += r->lost;
        r->lost_records++;
        r->lost = 0;
        result |= SY_PUT_AFTER_LOSS;
    }
    if (bytes > to_wrap(r))
        insert_wrap(r, tsc);
    insert(r, event, with_tsc, tsc, n, words);
    return result;
}

int64_t sy_ring_drain(struct sy_ring *r, unsigned pcpu, FILE *out)
{
    uint32_t size = sy_ring_unread(r);

    if (!size)
        return 0;
    uint32_t head[3] = {EV_CPU_CHANGE | 2u << 28, pcpu, size};
    uint32_t at = r->cons >= r->size ? r->cons - r->size : r->cons;
    uint32_t first = MIN(size, r->size - at);
    if (fwrite(head, 1, sizeof(head), out) != sizeof(head) || fwrite(r->data + at, 1, first, out) != first ||
        fwrite(r->data, 1, size - first, out) != size - first)
        return -1;
    r->cons = r->prod;
    return (int64_t)sizeof(head) + size;
}
