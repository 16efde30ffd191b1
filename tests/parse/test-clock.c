/* ts = floor((tsc - start) * 10^9 / hz), exactly, whatever the frequency. */
#include "parse/clock.h"

static int64_t divided(uint64_t start, uint64_t hz, uint64_t tsc)
{
    return tsc <= start ? 0 : (int64_t)((unsigned __int128)(tsc - start) * 1000000000u / hz);
}

static void check(uint64_t start, uint64_t hz, uint64_t tsc)
{
    struct xt_clock clock;

    xt_clock_init(&clock, start, hz);
    g_assert_cmpint(xt_clock_ts(&clock, tsc), ==, divided(start, hz, tsc));
}

static uint64_t random_bits(GRand *rand, unsigned bits)
{
    uint64_t value = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);

    return bits >= 64 ? value : value & ((1ull << bits) - 1);
}

/* Random magnitudes; ticks stay within the 73 years that a run may span. */
static void test_random(void)
{
    GRand *rand = g_rand_new_with_seed(1);

    for (int i = 0; i < 2000000; i++) {
        uint64_t hz = 1000 + random_bits(rand, (unsigned)g_rand_int_range(rand, 1, 40));
        unsigned __int128 longest = (unsigned __int128)(INT64_MAX / 4) * hz / 1000000000u;
        uint64_t ticks = random_bits(rand, (unsigned)g_rand_int_range(rand, 1, 65));
        if (ticks > longest)
            ticks %= (uint64_t)longest + 1;
        uint64_t start = random_bits(rand, (unsigned)g_rand_int_range(rand, 1, 65));
        start = MIN(start, UINT64_MAX - ticks);
        check(start, hz, start + ticks);
    }
    g_rand_free(rand);
}

/* Where a rounded quotient would be one off: around whole ns and whole seconds. */
static void test_edges(void)
{
    static const uint64_t frequencies[] = { 1000, 24000000, 999999999, 1000000000, 1000000001, 2596148000, 2893437123,
                                            3392218347, 999999999989, 1000000000000 };

    for (unsigned f = 0; f < G_N_ELEMENTS(frequencies); f++) {
        uint64_t hz = frequencies[f];
        for (uint64_t seconds = 0; seconds < 5000000; seconds = seconds * 3 + 1)
            for (int64_t off = -3; off <= 3; off++)
                check(1000, hz, 1000 + hz * seconds + (uint64_t)off);
        for (uint64_t ns = 1; ns < INT64_MAX / 8; ns = ns * 5 + 3) {
            uint64_t ticks = (uint64_t)((unsigned __int128)ns * hz / 1000000000u);
            for (int64_t off = -2; off <= 2; off++)
                check(0, hz, ticks + (uint64_t)MAX(off, -(int64_t)MIN(ticks, 2)));
        }
    }
}

static void test_before_start(void)
{
    check(1000, 1000000000, 1000);
    check(1000, 1000000000, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clock/random", test_random);
    g_test_add_func("/clock/edges", test_edges);
    g_test_add_func("/clock/before-start", test_before_start);
    return g_test_run();
}
