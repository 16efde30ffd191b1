/* The TSC's frequency from chains of ns figures whose truth is made up here: wraps, outliers, breaks, single pCPUs that lie. */
#include <math.h>

#include "parse/frequency.h"

struct host {
    GRand *rand;
    double hz, jitter_ns; /* of the instant that a figure was taken, against its record's TSC */
    double now_ns, last_ns, run_start_ns;
};

static uint64_t tsc_of(const struct host *h)
{
    return 5000000000u + (uint64_t)(h->now_ns * h->hz / 1e9);
}

/* What Xen would write after another dt_ns: ns since the last switch, 32 bits. */
static void step(struct host *h, struct xt_chain *chain, double dt_ns, bool is_switch)
{
    h->now_ns += dt_ns;
    double said = floor(h->now_ns - g_rand_double_range(h->rand, 0, h->jitter_ns + 1e-9));
    uint32_t run = (uint32_t)(uint64_t)(said - h->run_start_ns);
    if (is_switch) {
        xt_chain_infprev(chain, tsc_of(h), run);
        h->run_start_ns = said;
    } else {
        xt_chain_infcont(chain, tsc_of(h), run);
    }
}

static double ppm(double hz, double truth)
{
    return (hz / truth - 1) * 1e6;
}

static struct xt_frequency chain_of(double hz, double jitter_ns, unsigned n, double longest_ns, unsigned outlier_every,
                                    unsigned break_every, unsigned seed)
{
    struct host h = { .rand = g_rand_new_with_seed(seed), .hz = hz, .jitter_ns = jitter_ns, .now_ns = 1e9 };
    struct xt_chain *chain = xt_chain_new();

    h.run_start_ns = h.now_ns;
    for (unsigned i = 0; i < n; i++) {
        step(&h, chain, g_rand_double_range(h.rand, 10000, longest_ns), i % 5 != 0);
        if (outlier_every && i % outlier_every == outlier_every - 1)
            h.now_ns += 2e5; /* the TSC runs on while Xen's clock stands: an outer host stole the pCPU */
        if (outlier_every && i % outlier_every == outlier_every - 1)
            h.run_start_ns += 2e5;
        if (break_every && i % break_every == break_every - 1) {
            xt_chain_break(chain);
            h.now_ns += 123456789;
        }
    }
    struct xt_frequency f = xt_chain_estimate(chain);
    xt_chain_free(chain);
    g_rand_free(h.rand);
    return f;
}

static void test_clean(void)
{
    static const double frequencies[] = { 62.5e6, 999999977, 2.596148e9, 3392218347.0, 5e9 };

    for (unsigned i = 0; i < G_N_ELEMENTS(frequencies); i++) {
        struct xt_frequency f = chain_of(frequencies[i], 50, 20000, 500000, 0, 0, i);
        g_test_message("%.0f: %.3f, off by %.3f ppm, says %.3f", frequencies[i], f.hz, ppm(f.hz, frequencies[i]), f.error_ppm);
        g_assert_cmpfloat(fabs(ppm(f.hz, frequencies[i])), <, 1);
        g_assert_cmpfloat(f.error_ppm, >, 0);
        g_assert_cmpfloat(f.error_ppm, <, 5);
    }
}

/* Idle for many times 4.29 s: the figures wrap once, twice, ten times. */
static void test_wraps(void)
{
    struct host h = { .rand = g_rand_new_with_seed(9), .hz = 2.8e9, .jitter_ns = 50, .now_ns = 1e9, .run_start_ns = 1e9 };
    struct xt_chain *chain = xt_chain_new();

    for (unsigned i = 0; i < 2000; i++)
        step(&h, chain, i % 10 ? g_rand_double_range(h.rand, 30000, 3e6) : g_rand_double_range(h.rand, 4e9, 5e10), true);
    struct xt_frequency f = xt_chain_estimate(chain);
    g_assert_cmpfloat(fabs(ppm(f.hz, h.hz)), <, 1);
    xt_chain_free(chain);
    g_rand_free(h.rand);
}

static void test_breaks(void)
{
    struct xt_frequency f = chain_of(2.4e9, 50, 20000, 500000, 0, 50, 11);

    g_assert_cmpfloat(fabs(ppm(f.hz, 2.4e9)), <, 5);
}

/* One figure in a thousand is off by 200 us. */
static void test_outliers(void)
{
    struct xt_frequency f = chain_of(2.4e9, 50, 20000, 500000, 1000, 0, 12);

    g_test_message("off by %.3f ppm, says %.3f", ppm(f.hz, 2.4e9), f.error_ppm);
    g_assert_cmpfloat(fabs(ppm(f.hz, 2.4e9)), <, MAX(10 * f.error_ppm, 5));
}

static void test_burns(void)
{
    struct xt_chain *chain = xt_chain_new();
    uint64_t tsc = 1000000;

    g_assert_cmpfloat(xt_chain_estimate(chain).hz, ==, 0);
    for (unsigned i = 0; i < 200; i++) {
        int32_t delta = (int32_t)(1000000 + i * 1000);
        xt_chain_burn(chain, tsc += (uint64_t)delta * 3, 1 << 16, delta);
        if (i % 10 == 0) /* a replenishment in between shortens it */
            xt_chain_burn(chain, tsc += 30000000, 1 << 16, 2000000);
    }
    g_assert_cmpfloat(fabs(ppm(xt_chain_estimate(chain).hz, 3e9)), <, 1);
    xt_chain_free(chain);
}

/* Whatever damaged records say, an estimate is a frequency that a counter can have, or none. */
static void test_nonsense(void)
{
    GRand *rand = g_rand_new_with_seed(13);

    for (unsigned k = 0; k < 2000; k++) {
        struct xt_chain *chain = xt_chain_new();
        unsigned shift = (unsigned)g_rand_int_range(rand, 0, 63);
        for (unsigned i = 0; i < 300; i++) {
            uint64_t tsc = ((uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand)) >> shift;
            uint32_t ns = g_rand_int(rand) >> g_rand_int_range(rand, 0, 32);
            switch (g_rand_int_range(rand, 0, 4)) {
            case 0: xt_chain_infprev(chain, tsc, ns); break;
            case 1: xt_chain_infcont(chain, tsc, ns); break;
            case 2: xt_chain_burn(chain, tsc, ns & 3, (int32_t)ns); break;
            default: xt_chain_break(chain); break;
            }
        }
        struct xt_frequency f = xt_chain_estimate(chain), combined = xt_frequency_combine(&f, 1);
        g_assert_true(f.hz == 0 || (f.hz >= 1e3 && f.hz <= 1e12 && f.error_ppm > 0));
        g_assert_true(isfinite(combined.hz) && combined.hz >= 0 && combined.hz <= 1e12);
        xt_chain_free(chain);
    }
    g_rand_free(rand);
}

static void test_combine(void)
{
    const struct xt_frequency estimates[] = { { 2.4e9 + 1200, 1 }, { 2.4e9 - 1200, 1 }, { 2.4e9, 0.5 }, { 2.7e9, 0.01 }, { 0, 0 } };
    struct xt_frequency f = xt_frequency_combine(estimates, G_N_ELEMENTS(estimates));

    g_assert_cmpfloat(fabs(ppm(f.hz, 2.4e9)), <, 0.2);
    /* those that disagree beyond their errors make the result worse, not better */
    const struct xt_frequency apart[] = { { 2.4e9 + 120000, 1 }, { 2.4e9 - 120000, 1 }, { 2.4e9, 1 } };
    f = xt_frequency_combine(apart, G_N_ELEMENTS(apart));
    g_assert_cmpfloat(fabs(ppm(f.hz, 2.4e9)), <, 1);
    g_assert_cmpfloat(f.error_ppm, >, 10);
    g_assert_cmpfloat(xt_frequency_combine(estimates + 4, 1).hz, ==, 0);
    g_assert_cmpfloat(xt_frequency_combine(NULL, 0).hz, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/frequency/clean", test_clean);
    g_test_add_func("/frequency/wraps", test_wraps);
    g_test_add_func("/frequency/breaks", test_breaks);
    g_test_add_func("/frequency/outliers", test_outliers);
    g_test_add_func("/frequency/burns", test_burns);
    g_test_add_func("/frequency/nonsense", test_nonsense);
    g_test_add_func("/frequency/combine", test_combine);
    return g_test_run();
}
