/* A heap that merges what several pCPUs have by TSC, then by slot (slots ascend with pCPU numbers). Private to parse/. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct merge_key {
    uint64_t tsc; /* of what stands at the head of this pCPU */
    uint32_t slot;
};

/* keys has room for all pCPUs and belongs to the user; keys[0] is the earliest once merge_order() was called. */
struct merge {
    struct merge_key *keys;
    uint32_t n;
};

static inline bool merge_is_earlier(const struct merge_key *a, const struct merge_key *b)
{
    return a->tsc != b->tsc ? a->tsc < b->tsc : a->slot < b->slot;
}

static inline void merge_sift_down(struct merge *m, uint32_t i)
{
    struct merge_key *keys = m->keys, moved = keys[i];

    for (uint32_t child; (child = 2 * i + 1) < m->n; i = child) {
        if (child + 1 < m->n && merge_is_earlier(&keys[child + 1], &keys[child]))
            child++;
        if (!merge_is_earlier(&keys[child], &moved))
            break;
        keys[i] = keys[child];
    }
    keys[i] = moved;
}

/* Before it is ordered. */
static inline void merge_add(struct merge *m, uint64_t tsc, uint32_t slot)
{
    m->keys[m->n++] = (struct merge_key){ tsc, slot };
}

static inline void merge_order(struct merge *m)
{
    for (uint32_t i = m->n / 2; i-- > 0;)
        merge_sift_down(m, i);
}

/* The head of the earliest pCPU has tsc now. */
static inline void merge_replace(struct merge *m, uint64_t tsc)
{
    m->keys[0].tsc = tsc;
    merge_sift_down(m, 0);
}

/* The earliest pCPU has nothing more. */
static inline void merge_remove(struct merge *m)
{
    m->keys[0] = m->keys[--m->n];
    if (m->n)
        merge_sift_down(m, 0);
}
