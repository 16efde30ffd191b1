/* Shares of time: sums by bin against counting nanosecond by nanosecond; bins as they are and merged, time in order and
 * not, rows in memory and in a file. */
#include <glib.h>
#include <string.h>

#include "db/leb128.h"
#include "db/shares.h"

#define DURATION 20000
#define N_VCPUS 4
#define N_PCPUS 3
#define MOST_BINS 1024

struct instant {
    uint8_t state; /* + 1, 0 nothing */
    uint8_t pcpu;  /* + 1, likewise */
    bool begins;
};

struct sums {
    int64_t running_ns, runnable_ns, unknown_ns, on[N_PCPUS];
    uint64_t intervals;
};

struct walk {
    struct sums got[N_VCPUS][MOST_BINS];
    unsigned n, parts;
};

static bool take_share(void *user, const struct xt_share *s, GError **error)
{
    struct walk *w = user;
    struct sums *sums = &w->got[s->vcpu][s->bin];
    const uint8_t *at = s->pcpus, *end = at + s->pcpus_bytes;
    uint64_t pcpu = 0, ns = 0;

    g_assert_cmpuint(s->vcpu, <, N_VCPUS);
    g_assert_cmpuint(s->bin, <, MOST_BINS);
    g_assert_cmpint(s->running_ns + s->runnable_ns + s->unknown_ns, >, 0);
    w->parts += sums->running_ns + sums->runnable_ns + sums->unknown_ns > 0;
    w->n++;
    sums->running_ns += s->running_ns;
    sums->runnable_ns += s->runnable_ns;
    sums->unknown_ns += s->unknown_ns;
    sums->intervals += s->intervals;
    while (at < end) {
        g_assert_true(xt_take_leb128(&at, end, &pcpu) && xt_take_leb128(&at, end, &ns));
        g_assert_cmpuint(pcpu, <, N_PCPUS);
        sums->on[pcpu] += (int64_t)ns;
    }
    return true;
}

static bool stop(void *user, const struct xt_share *s, GError **error)
{
    unsigned *calls = user;

    if (++*calls < 3)
        return true;
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "no more");
    return false;
}

static struct sums count(const struct instant *line, int64_t from, int64_t to)
{
    struct sums sums = { 0 };

    for (int64_t t = from; t < MIN(to, DURATION); t++) {
        sums.running_ns += line[t].state == XT_RUNNING + 1;
        sums.runnable_ns += line[t].state == XT_RUNNABLE + 1;
        sums.unknown_ns += line[t].state == XT_UNKNOWN + 1;
        sums.intervals += line[t].begins;
        if (line[t].pcpu)
            sums.on[line[t].pcpu - 1]++;
    }
    return sums;
}

static void add(struct xt_shares *s, struct instant *line, unsigned v, int64_t ts, int64_t end, GRand *rand)
{
    enum xt_state state = (enum xt_state)g_rand_int_range(rand, 0, XT_NO_STATE);
    int32_t pcpu = state == XT_RUNNING ? g_rand_int_range(rand, -1, N_PCPUS) : XT_NO_PCPU; /* core scheduling: nowhere */
    bool kept = state == XT_RUNNING || state == XT_RUNNABLE || state == XT_UNKNOWN;

    g_assert_true(xt_shares_add(s, v, state, pcpu < 0 ? XT_NO_PCPU : pcpu, ts, end, NULL));
    for (int64_t t = MAX(ts, 0); t < end; t++)
        line[t] = (struct instant){ (uint8_t)(state + 1), (uint8_t)MAX(pcpu + 1, 0), false };
    if (kept && end > MAX(ts, 0))
        line[MAX(ts, 0)].begins = true;
}

/* in_order: else the second half of each VCPU's time comes first. */
static struct xt_shares *fill(struct instant lines[N_VCPUS][DURATION], bool in_order)
{
    struct xt_shares *s = xt_shares_new(DURATION);
    GRand *rand = g_rand_new_with_seed(7);

    for (unsigned turn = 0; turn < 2; turn++) {
        int64_t from = (turn == 0) == in_order ? -5 : DURATION / 2, to = (turn == 0) == in_order ? DURATION / 2 : DURATION;

        for (unsigned v = 0; v < N_VCPUS; v++) {
            for (int64_t ts = from, end; ts < to; ts = end) {
                end = ts + g_rand_int_range(rand, 1, 1 << g_rand_int_range(rand, 1, 12));
                end = MIN(end, to);
                add(s, lines[v], v, ts, end, rand);
            }
        }
    }
    g_rand_free(rand);
    return s;
}

static void check_sums(struct xt_shares *s, struct instant lines[N_VCPUS][DURATION], unsigned max_rows, unsigned bins,
                       bool in_order)
{
    struct walk *w = g_new0(struct walk, 1);
    int64_t bin_ns = xt_shares_bin_ns(s);

    g_assert_cmpint(bin_ns, ==, (DURATION + MOST_BINS - 1) / MOST_BINS * (MOST_BINS / bins));
    g_assert_true(xt_shares_each(s, take_share, w, NULL));
    for (unsigned v = 0; v < N_VCPUS; v++) {
        for (int64_t bin = 0; bin < MOST_BINS; bin++) {
            struct sums want = count(lines[v], bin * bin_ns, (bin + 1) * bin_ns);

            g_assert_cmpmem(&w->got[v][bin], sizeof(want), &want, sizeof(want));
        }
    }
    g_assert_cmpuint(w->n, <=, max_rows);
    g_assert_true(!in_order || w->parts == 0);
    g_free(w);
}

static void check(unsigned max_rows, unsigned bins, bool in_order)
{
    struct instant(*lines)[DURATION] = g_malloc0(sizeof(*lines) * N_VCPUS);
    struct xt_shares *s = fill(lines, in_order);
    bool fits;

    g_assert_true(xt_shares_finish(s, max_rows, 8, &fits, NULL));
    g_assert_true(fits);
    check_sums(s, lines, max_rows + 2 * N_VCPUS, bins, in_order); /* a bin per VCPU may be cut at either turn */
    xt_shares_free(s);
    g_free(lines);
}

static void test_as_they_are(void)
{
    check(MOST_BINS * N_VCPUS, MOST_BINS, true);
}

static void test_merged(void)
{
    check(MOST_BINS * N_VCPUS / 32, MOST_BINS / 32, true);
}

static void test_out_of_order(void)
{
    check(MOST_BINS * N_VCPUS, MOST_BINS, false);
    check(MOST_BINS * N_VCPUS / 8, MOST_BINS / 8, false);
}

static void test_too_many(void)
{
    struct instant(*lines)[DURATION] = g_malloc0(sizeof(*lines) * N_VCPUS);
    struct xt_shares *s = fill(lines, true);
    bool fits;

    g_assert_true(xt_shares_finish(s, 10, 8, &fits, NULL));
    g_assert_false(fits);
    xt_shares_free(s);
    g_free(lines);
}

static void test_stops(void)
{
    struct instant(*lines)[DURATION] = g_malloc0(sizeof(*lines) * N_VCPUS);
    struct xt_shares *s = fill(lines, true);
    GError *error = NULL;
    unsigned calls = 0;
    bool fits;

    g_assert_true(xt_shares_finish(s, MOST_BINS * N_VCPUS, 8, &fits, NULL));
    g_assert_false(xt_shares_each(s, stop, &calls, &error));
    g_assert_cmpuint(calls, ==, 3);
    g_assert_nonnull(error);
    g_clear_error(&error);
    xt_shares_free(s);
    g_free(lines);
}

/* More rows than stay in memory, of more pCPUs than a reading buffer holds. */
static bool sum_up(void *user, const struct xt_share *s, GError **error)
{
    int64_t *sum = user;

    *sum += s->running_ns;
    return true;
}

/* VCPU 0 runs on very many pCPUs in a bin, the others fill many bins. */
static void test_large(void)
{
    const int64_t bin_ns = 1 << 20;
    struct xt_shares *s = xt_shares_new(bin_ns * MOST_BINS);
    int64_t sum = 0, added = 0;
    bool fits;

    for (int64_t ts = 0; ts < 2 * bin_ns; ts += bin_ns / (1 << 14), added += bin_ns / (1 << 14))
        g_assert_true(xt_shares_add(s, 0, XT_RUNNING, (int32_t)(ts % bin_ns), ts, ts + bin_ns / (1 << 14), NULL));
    for (uint32_t v = 1; v < 100; v++) {
        for (int64_t ts = 0; ts < bin_ns * MOST_BINS; ts += bin_ns / 8, added += bin_ns / 8)
            g_assert_true(xt_shares_add(s, v, XT_RUNNING, (int32_t)(ts % 7), ts, ts + bin_ns / 8, NULL));
    }
    g_assert_true(xt_shares_finish(s, 100 * MOST_BINS, 8, &fits, NULL));
    g_assert_true(fits);
    g_assert_true(xt_shares_each(s, sum_up, &sum, NULL));
    g_assert_cmpint(sum, ==, added);
    xt_shares_free(s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/shares/as-they-are", test_as_they_are);
    g_test_add_func("/shares/merged", test_merged);
    g_test_add_func("/shares/out-of-order", test_out_of_order);
    g_test_add_func("/shares/too-many", test_too_many);
    g_test_add_func("/shares/stops", test_stops);
    g_test_add_func("/shares/large", test_large);
    return g_test_run();
}
