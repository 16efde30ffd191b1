/* Exact quantiles in bounded memory, against a sorted array; and the spilling array under them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parse/distribution.h"
#include "parse/error.h"
#include "parse/spill.h"
#include "parse/stats.h"

static int compare_values(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* ceil(num * n / den), 1 for the first */
static uint64_t rank_of(uint64_t num, uint64_t den, uint64_t n)
{
    return MAX((num * n + den - 1) / den, 1);
}

struct listing {
    const int64_t *values;
    uint64_t at, n;
};

static void check_listed(void *user, int64_t value_ns, uint64_t count)
{
    struct listing *l = user;

    g_assert_cmpuint(count, >, 0);
    g_assert_cmpuint(l->at + count, <=, l->n);
    g_assert_cmpint(l->values[l->at], ==, value_ns);
    g_assert_cmpint(l->values[l->at + count - 1], ==, value_ns);
    g_assert_true(l->at + count == l->n || l->values[l->at + count] != value_ns);
    l->at += count;
}

static void check_all(int64_t *values, uint64_t n)
{
    struct xt_distribution *d = xt_distribution_new();
    GError *error = NULL;
    double sum = 0;

    for (uint64_t i = 0; i < n; i++) {
        g_assert_true(xt_distribution_add(d, values[i], &error));
        sum += (double)values[i];
    }
    g_assert_true(xt_distribution_finish(d, &error));
    qsort(values, n, sizeof(*values), compare_values);
    g_assert_cmpuint(xt_distribution_n(d), ==, n);
    g_assert_cmpint(xt_distribution_min(d), ==, values[0]);
    g_assert_cmpint(xt_distribution_max(d), ==, values[n - 1]);
    g_assert_cmpfloat(fabs(xt_distribution_mean(d) - sum / (double)n), <=, 1e-12 * sum);
    for (uint64_t permille = 1; permille <= 1000; permille++)
        g_assert_cmpint(xt_distribution_quantile(d, (double)permille / 1000), ==,
                        values[rank_of(permille, 1000, n) - 1]);
    g_assert_cmpint(xt_distribution_quantile(d, 1e-12), ==, values[0]);
    struct listing listing = { values, 0, n };
    xt_distribution_foreach(d, check_listed, &listing);
    g_assert_cmpuint(listing.at, ==, n);
    xt_distribution_free(d);
}

/* Magnitudes as they occur: most below 65.536 us, a tail up to seconds, many ties. */
static int64_t draw(GRand *rand)
{
    double exponent = g_rand_double_range(rand, 0, 10);

    return (int64_t)pow(10, g_rand_boolean(rand) ? exponent / 2 : exponent);
}

static void test_sizes(void)
{
    static const unsigned sizes[] = { 1, 2, 3, 7, 10, 99, 100, 101, 1000, 65535, 65536, 65537, 200000 };
    GRand *rand = g_rand_new_with_seed(2);

    for (unsigned s = 0; s < G_N_ELEMENTS(sizes); s++) {
        int64_t *values = g_new(int64_t, sizes[s]);
        for (unsigned i = 0; i < sizes[s]; i++)
            values[i] = draw(rand);
        check_all(values, sizes[s]);
        g_free(values);
    }
    g_rand_free(rand);
}

/* A million different values above what is counted one by one: sixteen sorted runs, merged beyond memory. */
static void test_million(void)
{
    enum { N = 1000000 };
    GRand *rand = g_rand_new_with_seed(3);
    int64_t *values = g_new(int64_t, N);

    for (unsigned i = 0; i < N; i++)
        values[i] = 65536 + (int64_t)g_rand_int(rand);
    check_all(values, N);
    for (unsigned i = 0; i < N; i++)
        values[i] = 65535 + (int64_t)(i % 3); /* around the border, every value many times */
    check_all(values, N);
    g_free(values);
    g_rand_free(rand);
}

/* p * n is a whole number, p no double: the rank must be that number, not the next. */
static void test_many(void)
{
    enum { N = 200000000 };
    struct xt_distribution *d = xt_distribution_new();

    for (int64_t i = 0; i < N; i++)
        xt_distribution_add(d, i < N / 10 * 9 ? 1 : 2, NULL);
    g_assert_true(xt_distribution_finish(d, NULL));
    g_assert_cmpint(xt_distribution_quantile(d, 0.9), ==, 1);
    xt_distribution_free(d);
}

static void test_empty(void)
{
    struct xt_distribution *d = xt_distribution_new();

    xt_distribution_drop(d);
    g_assert_true(xt_distribution_finish(d, NULL));
    g_assert_cmpuint(xt_distribution_n(d), ==, 0);
    g_assert_cmpuint(xt_distribution_dropped(d), ==, 1);
    g_assert_cmpint(xt_distribution_quantile(d, 0.5), ==, -1);
    g_assert_cmpint(xt_distribution_min(d), ==, -1);
    g_assert_cmpint(xt_distribution_max(d), ==, -1);
    g_assert_cmpfloat(xt_distribution_mean(d), ==, -1);
    xt_distribution_free(d);
}

static void test_spill(void)
{
    struct item {
        uint64_t a;
        uint32_t b[5];
    } items[1000], got[2500];
    struct xt_spill *spill = xt_spill_new(sizeof(struct item), 100000, NULL);
    GRand *rand = g_rand_new_with_seed(4);
    uint64_t n = 0;

    while (n < 100000) {
        uint64_t chunk = (uint64_t)g_rand_int_range(rand, 1, 1000);
        memset(items, 0, sizeof(items));
        for (uint64_t i = 0; i < chunk; i++)
            items[i] = (struct item){ n + i, { (uint32_t)(n + i) * 7 } };
        g_assert_true(xt_spill_append(spill, items, chunk, NULL));
        n += chunk;
    }
    g_assert_cmpuint(xt_spill_count(spill), ==, n);
    for (int k = 0; k < 1000; k++) {
        uint64_t chunk = (uint64_t)g_rand_int_range(rand, 0, 2500);
        uint64_t first = g_rand_int(rand) % (n - chunk + 1);
        g_assert_true(xt_spill_read(spill, first, chunk, got, NULL));
        for (uint64_t i = 0; i < chunk; i++) {
            g_assert_cmpuint(got[i].a, ==, first + i);
            g_assert_cmpuint(got[i].b[0], ==, (uint32_t)(first + i) * 7);
        }
    }
    xt_spill_free(spill);
    g_rand_free(rand);
}

static void test_no_room(void)
{
    struct xt_spill *spill = xt_spill_new(8, 65536, "/nonexistent/folder");
    uint64_t items[1000] = { 0 };
    GError *error = NULL;

    while (xt_spill_append(spill, items, G_N_ELEMENTS(items), &error))
        g_assert_cmpuint(xt_spill_count(spill), <=, 65536 / 8);
    g_assert_error(error, XT_ERROR, XT_ERROR_SYSTEM);
    g_assert_nonnull(strstr(error->message, "/nonexistent/folder"));
    g_error_free(error);
    xt_spill_free(spill);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/distribution/sizes", test_sizes);
    g_test_add_func("/distribution/million", test_million);
    g_test_add_func("/distribution/many", test_many);
    g_test_add_func("/distribution/empty", test_empty);
    g_test_add_func("/spill/any-order", test_spill);
    g_test_add_func("/spill/no-room", test_no_room);
    return g_test_run();
}
