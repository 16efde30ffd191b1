#include "workload.h"

#include <time.h>
#include <x86intrin.h>

uint64_t mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t tsc_now(void)
{
    return __rdtsc();
}

void clock_map_sample(struct clock_map *map)
{
    enum { TRIES = 5 };
    const uint64_t disturbed_ns = 20000,
                   apart_ns = 50000000; /* closer together, the reading's noise would tilt the line */
    struct anchor best = { 0, 0 };
    uint64_t best_width = UINT64_MAX, best_took_ns = 0;

    if (map->n == map->max)
        return;
    for (int i = 0; i < TRIES; i++) {
        uint64_t m0 = mono_ns();
        uint64_t before = tsc_now();
        uint64_t m = mono_ns();
        uint64_t after = tsc_now();
        if (after - before < best_width) {
            best_width = after - before;
            best_took_ns = m - m0;
            best = (struct anchor){ m, before + (after - before) / 2 };
        }
    }
    if (map->n > 0) {
        const struct anchor *last = &map->anchors[map->n - 1];
        if (best_took_ns > disturbed_ns || best.mono_ns < last->mono_ns + apart_ns || best.tsc <= last->tsc)
            return;
    }
    map->anchors[map->n++] = best;
}

static double slope(const struct anchor *a, const struct anchor *b)
{
    return (double)(b->tsc - a->tsc) / (double)(b->mono_ns - a->mono_ns);
}

uint64_t clock_map_hz(const struct clock_map *map)
{
    return (uint64_t)(slope(&map->anchors[0], &map->anchors[map->n - 1]) * 1e9 + 0.5);
}

uint64_t clock_map_tsc(const struct clock_map *map, uint64_t at_mono_ns)
{
    size_t i = 0;
    while (i + 2 < map->n && map->anchors[i + 1].mono_ns <= at_mono_ns)
        i++;
    const struct anchor *a = &map->anchors[i];
    double cycles = slope(a, a + 1) * ((double)at_mono_ns - (double)a->mono_ns);
    return (uint64_t)((int64_t)a->tsc + (int64_t)cycles);
}

uint64_t clock_map_mono_ns(const struct clock_map *map, uint64_t at_tsc)
{
    size_t i = 0;
    while (i + 2 < map->n && map->anchors[i + 1].tsc <= at_tsc)
        i++;
    const struct anchor *a = &map->anchors[i];
    double ns = ((double)at_tsc - (double)a->tsc) / slope(a, a + 1);
    return (uint64_t)((int64_t)a->mono_ns + (int64_t)ns);
}
