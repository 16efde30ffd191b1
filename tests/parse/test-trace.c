/* The record reader: order of the merge, selection, seeking, gaps, and what holds for a random file whose records are known. */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parse/error.h"
#include "parse/format.h"
#include "parse/record.h"
#include "parse/survey.h"

#define WAKE 0x28004u

/* A trace while it is written: one record after the other, a window whenever the pCPU changes or ends. */
struct writer {
    GByteArray *bytes;
    guint window; /* offset of the present window's header, G_MAXUINT none */
    int32_t pcpu;
};

static void put_word(struct writer *w, uint32_t word)
{
    word = GUINT32_TO_LE(word);
    g_byte_array_append(w->bytes, (const guint8 *)&word, 4);
}

static void end_window(struct writer *w)
{
    if (w->window == G_MAXUINT)
        return;
    uint32_t size = GUINT32_TO_LE(w->bytes->len - w->window - XT_CPU_CHANGE_BYTES);
    memcpy(w->bytes->data + w->window + 8, &size, 4);
    w->window = G_MAXUINT;
}

static void begin_window(struct writer *w, int32_t pcpu)
{
    end_window(w);
    w->window = w->bytes->len;
    w->pcpu = pcpu;
    put_word(w, XT_CPU_CHANGE_HEADER);
    put_word(w, (uint32_t)pcpu);
    put_word(w, 0);
}

static void put_record(struct writer *w, int32_t pcpu, uint32_t event, const uint64_t *tsc, unsigned n, const uint32_t *words)
{
    if (w->window == G_MAXUINT || w->pcpu != pcpu)
        begin_window(w, pcpu);
    put_word(w, event | n << 28 | (tsc ? 1u << 31 : 0));
    if (tsc) {
        put_word(w, (uint32_t)*tsc);
        put_word(w, (uint32_t)(*tsc >> 32));
    }
    for (unsigned i = 0; i < n; i++)
        put_word(w, words[i]);
}

/* A wake record, marked by a number of its own. */
static void put_wake(struct writer *w, int32_t pcpu, uint64_t tsc, uint32_t mark)
{
    const uint32_t words[2] = { 1, mark };

    put_record(w, pcpu, WAKE, &tsc, 2, words);
}

static struct writer writer_new(void)
{
    return (struct writer){ g_byte_array_new(), G_MAXUINT, 0 };
}

static struct xt_trace *try_to_open(struct writer *w, GError **error)
{
    char *path;
    int fd = g_file_open_tmp("xentrail-test-XXXXXX", &path, NULL);

    end_window(w);
    g_assert_cmpint(write(fd, w->bytes->data, w->bytes->len), ==, w->bytes->len);
    close(fd);
    g_byte_array_unref(w->bytes);
    struct xt_trace *trace = xt_trace_open(path, NULL, error);
    g_unlink(path);
    g_free(path);
    return trace;
}

static struct xt_trace *open_written(struct writer *w)
{
    GError *error = NULL;
    struct xt_trace *trace = try_to_open(w, &error);

    g_assert_no_error(error);
    return trace;
}

static void expect_marks(struct xt_trace *trace, const uint32_t *marks, unsigned n)
{
    struct xt_record record;
    GError *error = NULL;

    for (unsigned i = 0; i < n; i++) {
        g_assert_true(xt_trace_next(trace, &record, &error));
        g_assert_cmpuint(record.words[record.n_words - 1], ==, marks[i]);
    }
    g_assert_false(xt_trace_next(trace, &record, &error));
    g_assert_no_error(error);
}
#define EXPECT(trace_, ...) \
    expect_marks(trace_, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

static void test_ties(void)
{
    struct writer w = writer_new();

    put_wake(&w, 2, 100, 1);
    put_wake(&w, 2, 100, 2);
    put_wake(&w, 0, 100, 3);
    put_wake(&w, 0, 200, 4);
    put_wake(&w, 1, 50, 5);
    put_wake(&w, 1, 100, 6);
    put_wake(&w, 0, 200, 7);
    struct xt_trace *trace = open_written(&w);
    EXPECT(trace, 5, 3, 6, 1, 2, 4, 7);
    xt_trace_rewind(trace);
    EXPECT(trace, 5, 3, 6, 1, 2, 4, 7);
    xt_trace_select(trace, 0);
    EXPECT(trace, 3, 4, 7);
    xt_trace_select(trace, 2);
    EXPECT(trace, 1, 2);
    xt_trace_select(trace, -1);
    EXPECT(trace, 5, 3, 6, 1, 2, 4, 7);
    g_assert_cmpuint(xt_trace_survey(trace)->n_pcpus, ==, 3);
    g_assert_cmpuint(xt_trace_survey(trace)->first_tsc, ==, 50);
    g_assert_cmpuint(xt_trace_survey(trace)->last_tsc, ==, 200);
    xt_trace_free(trace);
}

/* Within a pCPU file order holds, also where its TSC steps back. */
static void test_steps_back(void)
{
    struct writer w = writer_new();

    put_wake(&w, 0, 100, 1);
    put_wake(&w, 0, 90, 2);
    put_wake(&w, 0, 95, 3);
    put_wake(&w, 0, 300, 4);
    put_wake(&w, 1, 80, 5);
    put_wake(&w, 1, 97, 6);
    put_wake(&w, 1, 200, 7);
    struct xt_trace *trace = open_written(&w);
    EXPECT(trace, 5, 6, 1, 2, 3, 7, 4);
    g_assert_cmpuint(xt_trace_survey(trace)->steps_back, ==, 1);
    g_assert_cmpuint(xt_trace_survey(trace)->first_tsc, ==, 80);
    xt_trace_free(trace);
}

/* A record without TSC stays behind its predecessor. */
static void test_without_tsc(void)
{
    struct writer w = writer_new();
    const uint32_t words[2] = { 1, 2 }, first[2] = { 1, 9 };
    struct xt_record record;

    put_record(&w, 0, WAKE, NULL, 2, first);
    put_wake(&w, 0, 100, 1);
    put_record(&w, 0, WAKE, NULL, 2, words);
    put_wake(&w, 0, 200, 3);
    put_wake(&w, 1, 150, 4);
    struct xt_trace *trace = open_written(&w);
    EXPECT(trace, 9, 1, 2, 4, 3);
    xt_trace_rewind(trace);
    g_assert_true(xt_trace_next(trace, &record, NULL) && !record.has_tsc && record.tsc == 0);
    g_assert_true(xt_trace_next(trace, &record, NULL) && record.has_tsc && record.tsc == 100);
    g_assert_true(xt_trace_next(trace, &record, NULL) && !record.has_tsc && record.tsc == 100);
    xt_trace_free(trace);
}

static void put_lost(struct writer *w, int32_t pcpu, const uint64_t *tsc, uint32_t n, uint64_t first)
{
    const uint32_t words[4] = { n, 32767, (uint32_t)first, (uint32_t)(first >> 32) };

    put_record(w, pcpu, XT_ID_LOST_RECORDS, tsc, 4, words);
}

static void expect_record(struct xt_trace *trace, uint64_t tsc, int32_t pcpu, bool gap)
{
    struct xt_record record;

    g_assert_true(xt_trace_next_or_gap(trace, &record, NULL));
    g_assert_cmpuint(record.tsc, ==, tsc);
    g_assert_cmpint(record.pcpu, ==, pcpu);
    g_assert_cmpint(record.gap, ==, gap);
}

/* Where losses begin is told in time order; never before what their pCPU wrote last, also by records without TSC. */
static void test_gaps(void)
{
    struct writer w = writer_new();
    const uint64_t at_500 = 500, at_900 = 900, high = 0x500000500;

    put_wake(&w, 0, 100, 1);
    put_lost(&w, 0, &at_500, 3, 300);
    put_wake(&w, 0, 600, 2);
    put_lost(&w, 0, &at_900, 3, 550); /* damaged: before the record that precedes it */
    put_lost(&w, 0, NULL, 1, 700);
    put_wake(&w, 1, 400, 3);
    put_wake(&w, 1, 0x500000000, 4);
    put_lost(&w, 1, &high, 1, 0x100); /* of a 32-bit Xen: the lower half only */
    struct xt_trace *trace = open_written(&w);
    expect_record(trace, 100, 0, false);
    expect_record(trace, 300, 0, true);
    expect_record(trace, 400, 1, false);
    expect_record(trace, 500, 0, false);
    expect_record(trace, 600, 0, false);
    expect_record(trace, 600, 0, true);
    expect_record(trace, 900, 0, false);
    expect_record(trace, 900, 0, true); /* every lost-records record is announced */
    expect_record(trace, 900, 0, false);
    expect_record(trace, 0x500000000, 1, false);
    expect_record(trace, 0x500000100, 1, true);
    expect_record(trace, 0x500000500, 1, false);
    struct xt_record record;
    g_assert_false(xt_trace_next_or_gap(trace, &record, NULL));
    g_assert_cmpuint(xt_trace_survey(trace)->lost_records, ==, 8);
    g_assert_cmpuint(xt_trace_survey(trace)->lost_windows, ==, 4);
    xt_trace_free(trace);
}

struct known {
    uint64_t tsc;
    int32_t pcpu;
    uint32_t mark;
};

static int compare_known(const void *a, const void *b)
{
    const struct known *x = a, *y = b;

    if (x->tsc != y->tsc)
        return x->tsc < y->tsc ? -1 : 1;
    if (x->pcpu != y->pcpu)
        return x->pcpu < y->pcpu ? -1 : 1;
    return (x->mark > y->mark) - (x->mark < y->mark);
}

/* Thousands of windows of all sizes over sparse pCPU numbers, against a sorted array; then from any instant on. */
static void test_random(void)
{
    enum { N = 60000, PCPUS = 7 };
    static const int32_t pcpus[PCPUS] = { 0, 1, 5, 63, 64, 1000, 16383 };
    GRand *rand = g_rand_new_with_seed(5);
    struct known *known = g_new(struct known, N);
    uint64_t tsc[PCPUS] = { 0 };
    struct writer w = writer_new();
    struct xt_record record;

    for (uint32_t n = 0; n < N;) {
        unsigned p = (unsigned)g_rand_int_range(rand, 0, PCPUS);
        int in_window = g_rand_int_range(rand, 0, 10) ? g_rand_int_range(rand, 1, 6) : g_rand_int_range(rand, 1, 2000);
        begin_window(&w, pcpus[p]);
        for (int i = 0; i < in_window && n < N; i++, n++) {
            tsc[p] += (uint64_t)g_rand_int_range(rand, 0, 40);
            known[n] = (struct known){ tsc[p], pcpus[p], n };
            put_wake(&w, pcpus[p], tsc[p], n);
        }
    }
    struct xt_trace *trace = open_written(&w);
    qsort(known, N, sizeof(*known), compare_known);
    for (unsigned i = 0; i < N; i++) {
        g_assert_true(xt_trace_next(trace, &record, NULL));
        g_assert_cmpuint(record.words[1], ==, known[i].mark);
        g_assert_cmpuint(record.tsc, ==, known[i].tsc);
        g_assert_cmpint(record.pcpu, ==, known[i].pcpu);
    }
    g_assert_false(xt_trace_next(trace, &record, NULL));
    for (int k = 0; k < 300; k++) {
        uint64_t from = (uint64_t)g_rand_int_range(rand, -10, (gint32)known[N - 1].tsc + 10);
        from = (int64_t)from < 0 ? 0 : from;
        unsigned i = 0;
        while (i < N && known[i].tsc < from)
            i++;
        g_assert_true(xt_trace_seek(trace, from, NULL));
        for (unsigned end = MIN(i + 50, N); i < end; i++) {
            g_assert_true(xt_trace_next(trace, &record, NULL));
            g_assert_cmpuint(record.words[1], ==, known[i].mark);
        }
    }
    xt_trace_free(trace);
    g_free(known);
    g_rand_free(rand);
}

/* Ends a window of so many bytes with a record of which only part lies in it. Returns where that stands. */
static guint put_cut_window(struct writer *w, guint bytes, guint part)
{
    const uint32_t words[7] = { 0 };
    uint64_t tsc = 1000;

    begin_window(w, 0);
    while (w->bytes->len + part + 52 <= bytes)
        put_wake(w, 0, tsc++, 0);
    put_record(w, 0, WAKE, NULL, 4, words);
    put_record(w, 0, WAKE, NULL, (bytes - part - w->bytes->len) / 4 - 1, words);
    guint at = w->bytes->len;
    put_word(w, WAKE | 7u << 28 | 1u << 31);
    while (w->bytes->len < bytes)
        put_word(w, 0x10000000);
    return at;
}

/* The last record of a window reaches into the next one, wherever what is read at once ends. */
static void test_record_across_windows(void)
{
    const guint at_once = 64u << 10;

    for (guint bytes = at_once - 80; bytes <= at_once + 80; bytes += 4) {
        for (guint part = 4; part < 40; part += 4) {
            struct writer w = writer_new();
            GError *error = NULL;
            guint at = put_cut_window(&w, bytes, part);
            put_wake(&w, 1, 1, 1);
            put_wake(&w, 1, 2, 2);
            g_assert_null(try_to_open(&w, &error));
            char *want = g_strdup_printf("damaged at offset %u: a record of 40 bytes", at);
            if (!strstr(error->message, want))
                g_error("%s, not: %s", want, error->message);
            g_free(want);
            g_error_free(error);
        }
    }
}

/* A damaged size with which a window would end where it begins, if it were added up in 32 bits. */
static void test_longest_window(void)
{
    const uint32_t longest = GUINT32_TO_LE(UINT32_MAX - XT_CPU_CHANGE_BYTES + 1);
    struct writer w = writer_new();

    put_wake(&w, 0, 1, 1);
    put_wake(&w, 1, 2, 2);
    guint at = w.window;
    end_window(&w);
    memcpy(w.bytes->data + at + 8, &longest, 4);
    struct xt_trace *trace = open_written(&w);
    g_assert_cmpuint(xt_trace_survey(trace)->cut_window_end, ==, at + (UINT64_C(1) << 32));
    EXPECT(trace, 1, 2);
    xt_trace_free(trace);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/trace/ties", test_ties);
    g_test_add_func("/trace/steps-back", test_steps_back);
    g_test_add_func("/trace/without-tsc", test_without_tsc);
    g_test_add_func("/trace/gaps", test_gaps);
    g_test_add_func("/trace/random", test_random);
    g_test_add_func("/trace/record-across-windows", test_record_across_windows);
    g_test_add_func("/trace/longest-window", test_longest_window);
    return g_test_run();
}
