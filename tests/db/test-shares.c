/* Shares of time: sums by bin against adding up nanosecond by nanosecond, also after bins had to be merged. */
#include <glib.h>

#include "db/shares.h"

#define DURATION 20000
#define N_VCPUS 4
#define N_PCPUS 3

struct truth {
    uint8_t vcpu[N_VCPUS][DURATION]; /* state + 1, 0 nothing */
    uint8_t pcpu[N_PCPUS][DURATION]; /* domain + 1 */
};

struct walk {
    const struct truth *truth;
    int64_t bin_ns, seen_ns, intervals;
    unsigned last_bin, n;
};

static int64_t count(const uint8_t *line, int64_t from, int64_t to, int wanted)
{
    int64_t n = 0;

    for (int64_t t = from; t < MIN(to, DURATION); t++)
        n += line[t] == wanted + 1;
    return n;
}

static bool check_share(void *user, const struct xt_share *s)
{
    struct walk *w = user;
    int64_t from = s->bin * w->bin_ns, to = from + w->bin_ns;

    g_assert_cmpuint(s->bin, >=, w->last_bin);
    w->last_bin = s->bin;
    w->n++;
    if (s->is_pcpu) {
        g_assert_cmpint(s->running_ns, ==, count(w->truth->pcpu[s->pcpu], from, to, s->domid));
        g_assert_cmpint(s->running_ns, >, 0);
        return true;
    }
    g_assert_cmpint(s->running_ns, ==, count(w->truth->vcpu[s->vcpu], from, to, XT_RUNNING));
    g_assert_cmpint(s->runnable_ns, ==, count(w->truth->vcpu[s->vcpu], from, to, XT_RUNNABLE));
    g_assert_cmpint(s->unknown_ns, ==, count(w->truth->vcpu[s->vcpu], from, to, XT_UNKNOWN));
    w->seen_ns += s->running_ns + s->runnable_ns + s->unknown_ns;
    w->intervals += (int64_t)s->intervals;
    return true;
}

static struct xt_shares *fill(struct truth *truth, unsigned max_cells, int64_t *added, int64_t *intervals)
{
    struct xt_shares *s = xt_shares_new(DURATION, max_cells);
    GRand *rand = g_rand_new_with_seed(max_cells);

    for (unsigned v = 0; v < N_VCPUS; v++) {
        for (int64_t ts = -5, end; ts < DURATION; ts = end) {
            enum xt_state state = (enum xt_state)g_rand_int_range(rand, 0, XT_NO_STATE);

            end = ts + g_rand_int_range(rand, 1, 1 << g_rand_int_range(rand, 1, 12));
            end = MIN(end, DURATION);
            xt_shares_add_vcpu(s, v, state, ts, end);
            for (int64_t t = MAX(ts, 0); t < end; t++)
                truth->vcpu[v][t] = (uint8_t)(state + 1);
            if (state != XT_BLOCKED && state != XT_OFFLINE) {
                *added += MAX(end, 0) - MAX(ts, 0);
                *intervals += end > MAX(ts, 0);
            }
        }
    }
    for (int p = 0; p < N_PCPUS; p++) {
        for (int64_t ts = 0, end; ts < DURATION; ts = end) {
            uint16_t domid = (uint16_t)g_rand_int_range(rand, 0, 3);

            end = ts + g_rand_int_range(rand, 1, 300);
            end = MIN(end, DURATION);
            xt_shares_add_pcpu(s, p, domid, ts, end);
            for (int64_t t = ts; t < end; t++)
                truth->pcpu[p][t] = (uint8_t)(domid + 1);
        }
    }
    g_rand_free(rand);
    return s;
}

static void test_sums(gconstpointer max_cells)
{
    struct truth *truth = g_new0(struct truth, 1);
    int64_t added = 0, intervals = 0;
    struct xt_shares *s = fill(truth, GPOINTER_TO_UINT(max_cells), &added, &intervals);
    struct walk w = { .truth = truth, .bin_ns = xt_shares_bin_ns(s) };

    g_assert_true(xt_shares_each(s, check_share, &w));
    g_assert_cmpint(w.seen_ns, ==, added);
    g_assert_cmpint(w.intervals, ==, intervals);
    g_assert_cmpuint(w.n, <=, GPOINTER_TO_UINT(max_cells));

    g_assert_true(xt_shares_shrink(s, 200, 8));
    w = (struct walk){ .truth = truth, .bin_ns = xt_shares_bin_ns(s) };
    g_assert_true(xt_shares_each(s, check_share, &w));
    g_assert_cmpint(w.seen_ns, ==, added);
    g_assert_cmpint(w.intervals, ==, intervals);
    g_assert_cmpuint(w.n, <=, 200);

    g_assert_false(xt_shares_shrink(s, 10, 8)); /* not in so few cells */
    w.n = 0;
    g_assert_true(xt_shares_each(s, check_share, &w));
    g_assert_cmpuint(w.n, ==, 0);
    xt_shares_free(s);
    g_free(truth);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/shares/room", GUINT_TO_POINTER(1u << 16), test_sums);
    g_test_add_data_func("/shares/merged", GUINT_TO_POINTER(1u << 10), test_sums);
    return g_test_run();
}
