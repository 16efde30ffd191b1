/* The one heap: what pCPUs have is merged by TSC with it, periods are judged by deadline. Private to parse/. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct heap_key {
    uint64_t at;  /* smallest first */
    uint32_t who; /* breaks ties, smallest first */
};

/* keys[0] is the first; {0} is an empty one. */
struct heap {
    struct heap_key *keys;
    uint32_t n, room;
};

static inline bool heap_is_before(const struct heap_key *a, const struct heap_key *b)
{
    return a->at < b->at || (a->at == b->at && a->who < b->who);
}

static inline void heap_sift_down(struct heap *h, uint32_t i)
{
    struct heap_key *keys = h->keys, moved = keys[i];

    for (uint32_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && heap_is_before(&keys[child + 1], &keys[child]))
            child++;
        if (!heap_is_before(&keys[child], &moved))
            break;
        keys[i] = keys[child];
    }
    keys[i] = moved;
}

/* Appends; heap_order() or heap_push() puts it in its place. */
static inline void heap_add(struct heap *h, uint64_t at, uint32_t who)
{
    if (G_UNLIKELY(h->n == h->room)) {
        h->room = MAX(2 * h->room, 64);
        h->keys = g_renew(struct heap_key, h->keys, h->room);
    }
    h->keys[h->n++] = (struct heap_key){ at, who };
}

static inline void heap_order(struct heap *h)
{
    for (uint32_t i = h->n / 2; i-- > 0;)
        heap_sift_down(h, i);
}

static inline void heap_push(struct heap *h, uint64_t at, uint32_t who)
{
    heap_add(h, at, who);
    struct heap_key *keys = h->keys, moved = keys[h->n - 1];
    uint32_t i = h->n - 1;
    for (; i && heap_is_before(&moved, &keys[(i - 1) / 2]); i = (i - 1) / 2)
        keys[i] = keys[(i - 1) / 2];
    keys[i] = moved;
}

/* The first one's place in the order is at now. */
static inline void heap_replace(struct heap *h, uint64_t at)
{
    h->keys[0].at = at;
    heap_sift_down(h, 0);
}

/* The first one goes. */
static inline void heap_remove(struct heap *h)
{
    h->keys[0] = h->keys[--h->n];
    if (h->n)
        heap_sift_down(h, 0);
}

static inline void heap_clear(struct heap *h)
{
    g_clear_pointer(&h->keys, g_free);
}
