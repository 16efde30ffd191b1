/* A real trace, cut or changed at random places: reconstruction keeps its promises or refuses with a message, and what it
 * says of the time before the damage is what it said of the whole.
 *
 *     test-damage TRACE
 *
 * FAULTS_SEED sets the seed (printed), FAULTS_DAMAGES how many places (10,000). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "parse/error.h"
#include "parse/reconstruct.h"
#include "tests/parse/timelines.h"

#define BYTES (96u << 10) /* of the trace, so that 10,000 go in a minute or two */
#define HZ 1000000000

/* Dispatches in the order in which they ended: VCPU, when it began and ceased to run, where. */
struct ran {
    uint16_t domid, vcpu;
    int32_t pcpu;
    int64_t run_ts, end_ts;
};

static char *good;
static size_t good_bytes;
static GArray *good_ran;

static bool on_dispatch(void *self, const struct xt_dispatch *d, GError **error)
{
    struct ran ran = { d->vcpu->domid, d->vcpu->vcpu, d->pcpu, d->run_ts, d->end_ts };

    g_array_append_val((GArray *)self, ran);
    return true;
}

static void check_error(GError *error)
{
    g_assert_nonnull(error);
    g_assert_true(error->domain == XT_ERROR && error->code == XT_ERROR_INPUT && *error->message);
    if (strstr(error->message, "changed while")) /* it did not */
        g_error("%s", error->message);
    g_error_free(error);
}

/* NULL if the trace is refused. timelines aborts where what it hears is inconsistent. */
static GArray *reconstruct(struct xt_trace *trace, bool *again)
{
    struct xt_reconstruct_options options = { .tsc_hz = HZ, .tolerance_ns = XT_DEFAULT_TOLERANCE_NS };
    struct timelines *timelines = timelines_new(NULL, NULL);
    GArray *ran = g_array_new(FALSE, TRUE, sizeof(struct ran));
    const struct xt_sink dispatches = { .self = ran, .dispatch = on_dispatch };
    const struct xt_sink *sinks[] = { timelines_sink(timelines), &dispatches };
    GError *error = NULL;
    bool ok = xt_reconstruct(trace, NULL, &options, sinks, G_N_ELEMENTS(sinks), NULL, &error);

    *again = !ok && xt_reconstruct_again(&error);
    if (!ok && !*again)
        check_error(error);
    timelines_free(timelines);
    if (!ok)
        g_clear_pointer(&ran, g_array_unref);
    return ran;
}

static GArray *read_trace(const char *bytes, size_t n, bool salvage)
{
    struct xt_trace_options options = { .salvage = salvage };
    int fd = memfd_create("trace", MFD_CLOEXEC);
    GError *error = NULL;
    char path[64];

    g_assert_cmpint(write(fd, bytes, n), ==, (ssize_t)n);
    g_snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct xt_trace *trace = xt_trace_open(path, &options, &error);
    GArray *ran = NULL;
    bool again = trace != NULL;
    if (!trace)
        check_error(error);
    while (again)
        ran = reconstruct(trace, &again);
    xt_trace_free(trace);
    close(fd);
    return ran;
}

/* In a cut trace everything up to the cut stands as in the whole. Windows of pCPUs follow each other in the file, so the
 * first instant that can be missing is the earliest last one of any pCPU; dispatches that end before it must be there. */
static void compare_beginnings(const GArray *cut, int64_t sure_ts)
{
    for (guint i = 0, k = 0; i < good_ran->len; i++) {
        const struct ran *want = &g_array_index(good_ran, struct ran, i);
        if (want->end_ts >= sure_ts)
            continue;
        while (k < cut->len && memcmp(want, &g_array_index(cut, struct ran, k), sizeof(*want)))
            k++;
        if (k == cut->len)
            g_error("the dispatch of d%uv%u at %" G_GINT64_FORMAT " is missing, sure is what is before %" G_GINT64_FORMAT,
                    want->domid, want->vcpu, want->run_ts, sure_ts);
    }
}

static uint32_t word(const char *at)
{
    uint32_t w;

    memcpy(&w, at, 4);
    return GUINT32_FROM_LE(w);
}

/* Of a whole trace cut to n bytes: until when nothing is missing, and when it begins. Reads the format by itself. */
static int64_t sure_until(const char *bytes, size_t n)
{
    uint64_t last[256] = { 0 }, first = UINT64_MAX, least = UINT64_MAX;
    bool seen[256] = { false };

    for (size_t at = 0; at + 12 <= good_bytes;) {
        size_t end = at + 12 + word(bytes + at + 8);
        uint32_t pcpu = word(bytes + at + 4);
        g_assert_cmpuint(pcpu, <, 256);
        seen[pcpu] = true;
        for (at += 12; at < end && at + 12 <= n;) {
            uint32_t header = word(bytes + at);
            size_t size = 4 + (header >> 31 ? 8 : 0) + 4 * (header >> 28 & 7);
            if (at + size > n)
                break;
            if (header >> 31) {
                uint64_t tsc = word(bytes + at + 4) | (uint64_t)word(bytes + at + 8) << 32;
                last[pcpu] = MAX(last[pcpu], tsc);
                first = MIN(first, tsc);
            }
            at += size;
        }
        at = end;
    }
    for (unsigned i = 0; i < 256; i++)
        least = seen[i] ? MIN(least, last[i]) : least;
    return least < first ? 0 : (int64_t)(least - first);
}

static void test_cut(size_t n)
{
    GArray *ran = read_trace(good, n, false);

    if (!ran)
        return;
    compare_beginnings(ran, sure_until(good, n));
    g_array_unref(ran);
}

static void test_changed(GRand *random)
{
    char *bytes = g_memdup2(good, good_bytes);
    unsigned n = (unsigned)g_rand_int_range(random, 1, 4);

    for (unsigned i = 0; i < n; i++)
        bytes[g_rand_int_range(random, 0, (gint32)good_bytes)] ^= (char)(1 << g_rand_int_range(random, 0, 8));
    GArray *ran = read_trace(bytes, good_bytes, g_rand_boolean(random));
    if (ran)
        g_array_unref(ran);
    g_free(bytes);
}

/* Up to the end of the last whole window. */
static void load_good(const char *path)
{
    gsize length;
    GError *error = NULL;

    if (!g_file_get_contents(path, &good, &length, &error))
        g_error("%s", error->message);
    length = MIN(length, BYTES);
    for (size_t at = 0; at + 12 <= length;) {
        at += 12 + word(good + at + 8);
        if (at <= length)
            good_bytes = at;
    }
    good_ran = read_trace(good, good_bytes, false);
    g_assert_nonnull(good_ran);
    g_assert_cmpuint(good_ran->len, >, 100);
}

static guint32 number(const char *variable, guint32 otherwise)
{
    const char *text = g_getenv(variable);

    return text ? (guint32)g_ascii_strtoull(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    guint32 seed = number("FAULTS_SEED", g_random_int()), damages = number("FAULTS_DAMAGES", 10000);
    GRand *random = g_rand_new_with_seed(seed);

    g_assert_cmpint(argc, ==, 2);
    load_good(argv[1]);
    printf("# seed %u, %u damages of %zu bytes with %u dispatches\n", seed, damages, good_bytes, good_ran->len);
    fflush(stdout);
    for (guint32 i = 0; i < damages; i++) {
        if (i % 2)
            test_changed(random);
        else
            test_cut((size_t)g_rand_int_range(random, 0, (gint32)good_bytes));
    }
    printf("ok 1 - damaged at %u random places (seed %u)\n1..1\n", damages, seed);
    g_rand_free(random);
    g_array_unref(good_ran);
    g_free(good);
    return 0;
}
