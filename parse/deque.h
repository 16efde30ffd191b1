/* A queue of equal items in a ring that grows; {0} is an empty one. Private to parse/. */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <string.h>

struct deque {
    void *items;
    guint front, length, room; /* room is a power of two */
};

/* Item i from the front. */
#define deque_at(q, type, i) (&((type *)(q)->items)[((q)->front + (i)) & ((q)->room - 1)])

static inline void deque_grow(struct deque *q, gsize item_bytes)
{
    guint room = MAX(2 * q->room, 32), first = q->room ? q->front & (q->room - 1) : 0, until_end = q->room - first;
    char *items = g_malloc(room * item_bytes), *old = q->items;

    if (old) {
        memcpy(items, old + first * item_bytes, until_end * item_bytes);
        memcpy(items + until_end * item_bytes, old, first * item_bytes);
    }
    g_free(old);
    *q = (struct deque){ items, 0, q->length, room };
}

/* Room for one more item at the end. */
#define deque_push(q, type) \
    ({ \
        if (G_UNLIKELY((q)->length == (q)->room)) \
            deque_grow(q, sizeof(type)); \
        (q)->length++; \
        deque_at(q, type, (q)->length - 1); \
    })

static inline void deque_pop(struct deque *q)
{
    q->front++;
    q->length--;
}

/* Before an item is added, of queues that together may grow by `most` items beyond their first room: *more is by how many they
 * have. Where there is no room left, the front goes. */
static inline void deque_keep_within(struct deque *q, uint64_t *more, uint64_t most)
{
    if (!q->length || q->length < q->room)
        return;
    if (*more + q->room > most)
        deque_pop(q);
    else
        *more += q->room;
}

static inline void deque_clear(struct deque *q)
{
    g_clear_pointer(&q->items, g_free);
    *q = (struct deque){ 0 };
}
