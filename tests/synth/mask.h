/* A set of pCPU numbers below 256. */
#ifndef SYNTH_MASK_H
#define SYNTH_MASK_H

#include <stdbool.h>
#include <stdint.h>

#define SY_MAX_PCPUS 256u
#define SY_NO_PCPU 256u

struct sy_mask {
    uint64_t w[SY_MAX_PCPUS / 64];
};

static inline void sy_mask_set(struct sy_mask *m, unsigned i)
{
    m->w[i / 64] |= 1ull << (i % 64);
}

static inline void sy_mask_clear(struct sy_mask *m, unsigned i)
{
    m->w[i / 64] &= ~(1ull << (i % 64));
}

static inline bool sy_mask_test(const struct sy_mask *m, unsigned i)
{
    return m->w[i / 64] >> (i % 64) & 1;
}

static inline struct sy_mask sy_mask_and(const struct sy_mask *a, const struct sy_mask *b)
{
    struct sy_mask r;
    for (int i = 0; i < 4; i++)
        r.w[i] = a->w[i] & b->w[i];
    return r;
}

static inline struct sy_mask sy_mask_andnot(const struct sy_mask *a, const struct sy_mask *b)
{
    struct sy_mask r;
    for (int i = 0; i < 4; i++)
        r.w[i] = a->w[i] & ~b->w[i];
    return r;
}

static inline bool sy_mask_empty(const struct sy_mask *m)
{
    return !(m->w[0] | m->w[1] | m->w[2] | m->w[3]);
}

static inline unsigned sy_mask_count(const struct sy_mask *m)
{
    unsigned n = 0;
    for (int i = 0; i < 4; i++)
        n += (unsigned)__builtin_popcountll(m->w[i]);
    return n;
}

/* The first member at or after i, else SY_NO_PCPU. */
static inline unsigned sy_mask_from(const struct sy_mask *m, unsigned i)
{
    while (i < SY_MAX_PCPUS) {
        uint64_t rest = m->w[i / 64] >> (i % 64);
        if (rest)
            return i + (unsigned)__builtin_ctzll(rest);
        i = (i / 64 + 1) * 64;
    }
    return SY_NO_PCPU;
}

/* The next member after i, going round; i itself comes last. SY_NO_PCPU if the set is empty. */
static inline unsigned sy_mask_cycle(const struct sy_mask *m, unsigned i)
{
    unsigned n = sy_mask_from(m, i + 1);
    return n == SY_NO_PCPU ? sy_mask_from(m, 0) : n;
}

static inline unsigned sy_mask_test_or_cycle(const struct sy_mask *m, unsigned i)
{
    return sy_mask_test(m, i) ? i : sy_mask_cycle(m, i);
}

#endif
