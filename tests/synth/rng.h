/* PCG32 (O'Neill 2014, XSH-RR): small, seedable, the same on every machine. */
#ifndef SYNTH_RNG_H
#define SYNTH_RNG_H

#include <stdint.h>

struct sy_rng {
    uint64_t state, inc;
};

static inline uint32_t sy_rng_u32(struct sy_rng *r)
{
    uint64_t old = r->state;
    r->state = old * 6364136223846793005ull + r->inc;
    uint32_t x = (uint32_t)(((old >> 18) ^ old) >> 27);
    unsigned rot = (unsigned)(old >> 59);
    return (x >> rot) | (x << ((32 - rot) & 31));
}

static inline void sy_rng_seed(struct sy_rng *r, uint64_t seed, uint64_t stream)
{
    r->state = 0;
    r->inc = stream << 1 | 1;
    sy_rng_u32(r);
    r->state += seed;
    sy_rng_u32(r);
}

/* Uniform in [0, n); n = 0 gives 0. The bias of the multiply method is below 2^-32. */
static inline uint32_t sy_rng_below(struct sy_rng *r, uint32_t n)
{
    return (uint32_t)((uint64_t)sy_rng_u32(r) * n >> 32);
}

/* Uniform in [0, 1). */
static inline double sy_rng_unit(struct sy_rng *r)
{
    return sy_rng_u32(r) * 0x1p-32;
}

/* Exponential with the given mean. */
double sy_rng_exp(struct sy_rng *r, double mean);

#endif
