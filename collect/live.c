#include "collect/live.h"

#include "parse/format.h"
#include "parse/reconstruct.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_BYTES = 64 << 20, NAME_WIDTH = 24 };

struct row {
    uint16_t domid, vcpu;
    int64_t running_ns;
    int64_t supplied_ns, promised_ns; /* over the judged periods */
    uint64_t preemptions, migrations, judged, missed;
    GArray *wake_ns; /* of int64_t */
};

struct xt_live {
    char *folder;
    struct xt_recording *recording; /* NULL until the first table */
    GByteArray *bytes;              /* from the start of a window on */
    uint64_t base;                  /* its offset in the trace */
    uint64_t whole;                 /* the last table was made from the bytes up to here */
    uint64_t start_tsc, until_tsc;  /* of the trace; of the last table. 0: there was none */
};

/* What one table is made from: the bytes that are kept, of which it tells what came after from_ts, until to_ts. What lies
 * before is there for its sake: where a VCPU ran last, when its period began. */
struct view {
    GPtrArray *rows; /* of struct row, by xt_vcpu.index */
    uint64_t from_tsc, to_tsc, start_tsc;
    int64_t from_ts, to_ts, tsc_hz;
};

struct xt_live *xt_live_new(const char *folder)
{
    struct xt_live *live = g_new0(struct xt_live, 1);
    live->folder = g_strdup(folder);
    live->bytes = g_byte_array_new();
    return live;
}

void xt_live_free(struct xt_live *live)
{
    if (!live)
        return;
    g_clear_pointer(&live->recording, xt_recording_free);
    g_byte_array_unref(live->bytes);
    g_free(live->folder);
    g_free(live);
}

/* Drops what lies before an offset of the trace. */
static void forget(struct xt_live *live, uint64_t until)
{
    guint n = (guint)(until - live->base);
    g_byte_array_remove_range(live->bytes, 0, MIN(n, live->bytes->len));
    live->base = until;
}

void xt_live_add(struct xt_live *live, const void *data, size_t bytes, const struct xt_tally *tally)
{
    g_byte_array_append(live->bytes, data, (guint)bytes);
    if (live->bytes->len > MAX_BYTES && tally->last_window > live->base)
        forget(live, tally->last_window);
}

static void free_row(gpointer data)
{
    struct row *row = data;
    g_array_unref(row->wake_ns);
    g_free(row);
}

static struct row *row_of(void *self, const struct xt_vcpu *vcpu)
{
    const struct view *view = self;
    return g_ptr_array_index(view->rows, vcpu->index);
}

static int64_t ns_between(uint64_t from_tsc, uint64_t to_tsc, int64_t hz)
{
    return (int64_t)((double)(to_tsc - from_tsc) * 1e9 / (double)hz);
}

static bool take_run(void *self, const struct xt_run *run, GError **error)
{
    struct view *view = self;
    view->start_tsc = run->start_tsc;
    view->tsc_hz = run->tsc_hz;
    view->from_tsc = MAX(view->from_tsc, run->start_tsc);
    view->from_ts = ns_between(run->start_tsc, view->from_tsc, run->tsc_hz);
    view->to_ts = view->from_ts + (view->to_tsc > view->from_tsc ? ns_between(view->from_tsc, view->to_tsc, run->tsc_hz) : 0);
    return true;
}

static bool is_within(const struct view *view, int64_t ts)
{
    return ts > view->from_ts && ts <= view->to_ts;
}

static int64_t overlap(const struct view *view, int64_t from_ts, int64_t to_ts)
{
    return MAX(MIN(to_ts, view->to_ts) - MAX(from_ts, view->from_ts), 0);
}

static bool take_vcpu(void *self, const struct xt_vcpu *vcpu, GError **error)
{
    struct view *view = self;
    struct row *row = g_new0(struct row, 1);
    row->domid = vcpu->domid;
    row->vcpu = vcpu->vcpu;
    row->wake_ns = g_array_new(FALSE, FALSE, sizeof(int64_t));
    g_ptr_array_add(view->rows, row);
    return true;
}

static bool take_dispatch(void *self, const struct xt_dispatch *d, GError **error)
{
    struct row *row = row_of(self, d->vcpu);
    row->running_ns += overlap(self, d->run_ts, d->end_ts);
    if (d->latency_kind == XT_LATENCY_WAKE && d->latency_ns >= 0 && is_within(self, d->run_ts))
        g_array_append_val(row->wake_ns, d->latency_ns);
    return true;
}

static bool take_interval(void *self, const struct xt_interval *i, GError **error)
{
    if (i->state == XT_RUNNING)
        row_of(self, i->vcpu)->running_ns += overlap(self, i->ts, i->end_ts);
    return true;
}

static bool is_preemption(enum xt_reason reason)
{
    return reason != XT_REASON_DEPLETED && reason != XT_REASON_YIELDED;
}

static bool take_change(void *self, const struct xt_change *c, GError **error)
{
    struct row *row = row_of(self, c->vcpu);
    if (!is_within(self, c->ts))
        return true;
    row->migrations += c->migrated;
    row->preemptions += c->old_state == XT_RUNNING && c->new_state == XT_RUNNABLE && is_preemption(c->reason);
    return true;
}

static bool take_period(void *self, const struct xt_period *p, GError **error)
{
    struct row *row = row_of(self, p->vcpu);
    if (!p->judged || !is_within(self, p->deadline))
        return true;
    row->judged++;
    row->missed += p->missed;
    row->supplied_ns += p->supplied_ns;
    row->promised_ns += p->budget_ns;
    return true;
}

/* The parser reads files: the bytes go into one that has no name. */
static struct xt_trace *open_bytes(const guint8 *data, size_t bytes, int *fd)
{
    struct xt_trace_options options = { .salvage = true };
    struct xt_trace *trace = NULL;
    char *path;

    *fd = memfd_create("xentrail-live", MFD_CLOEXEC);
    if (*fd < 0)
        return NULL;
    path = g_strdup_printf("/proc/self/fd/%d", *fd);
    if (write(*fd, data, bytes) == (ssize_t)bytes)
        trace = xt_trace_open(path, &options, NULL);
    g_free(path);
    return trace;
}

static bool reconstruct(struct xt_live *live, const guint8 *data, size_t bytes, struct view *view)
{
    const struct xt_sink sink = { .self = view,
                                  .begin = take_run,
                                  .vcpu = take_vcpu,
                                  .dispatch = take_dispatch,
                                  .interval = take_interval,
                                  .change = take_change,
                                  .period = take_period };
    const struct xt_sink *const sinks[] = { &sink };
    struct xt_reconstruct_options options = { .tolerance_ns = XT_DEFAULT_TOLERANCE_NS };
    int fd;
    struct xt_trace *trace = open_bytes(data, bytes, &fd);
    bool good = false;

    if (!live->recording)
        live->recording = xt_recording_open(live->folder, NULL);
    GError *error = NULL;
    while (trace && !(good = xt_reconstruct(trace, live->recording, &options, sinks, 1, NULL, &error)) &&
           xt_reconstruct_again(&error))
        g_ptr_array_set_size(view->rows, 0);
    g_clear_error(&error);
    if (trace)
        xt_trace_free(trace);
    if (fd >= 0)
        close(fd);
    return good && view->to_ts > view->from_ts;
}

static int by_running(gconstpointer a, gconstpointer b)
{
    const struct row *x = *(const struct row *const *)a, *y = *(const struct row *const *)b;
    return (x->running_ns < y->running_ns) - (x->running_ns > y->running_ns);
}

static int by_value(gconstpointer a, gconstpointer b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static char *name_of(const struct xt_live *live, const struct row *row)
{
    const struct xt_host_vcpu *host =
        live->recording ? xt_recording_vcpu(live->recording, row->domid, row->vcpu) : NULL;
    char *escaped = host && host->domain ? g_strescape(host->domain, NULL) : g_strdup("");
    char *name = g_strdup_printf("d%uv%u %.*s", row->domid, row->vcpu, NAME_WIDTH - 10, escaped);
    g_free(escaped);
    return name;
}

static void print_row(const struct xt_live *live, const struct row *row, double seconds, GString *text)
{
    char *name = name_of(live, row);

    g_string_append_printf(text, "%-*s %7.2f", NAME_WIDTH, name,
                           100.0 * (double)row->running_ns / 1e9 / seconds);
    if (row->judged)
        g_string_append_printf(text, " %9.1f %5" G_GUINT64_FORMAT "/%-5" G_GUINT64_FORMAT,
                               100.0 * (double)row->supplied_ns / (double)row->promised_ns, row->missed,
                               row->judged);
    else
        g_string_append_printf(text, " %9s %11s", "-", "-");
    g_string_append_printf(text, " %9.1f %9.1f", (double)row->preemptions / seconds,
                           (double)row->migrations / seconds);
    if (row->wake_ns->len > 0) {
        guint rank = (row->wake_ns->len * 99 + 99) / 100; /* nearest rank */
        g_array_sort(row->wake_ns, by_value);
        g_string_append_printf(text, " %13.1f", (double)g_array_index(row->wake_ns, int64_t, rank - 1) / 1e3);
    } else {
        g_string_append_printf(text, " %13s", "-");
    }
    g_string_append_c(text, '\n');
    g_free(name);
}

static char *print(const struct xt_live *live, const struct view *view)
{
    GString *text = g_string_new(NULL);
    double seconds = (double)(view->to_ts - view->from_ts) / 1e9;
    double at_s = (double)ns_between(live->start_tsc, view->from_tsc, view->tsc_hz) / 1e9;

    g_string_append_printf(text, "From %.3f to %.3f s of the trace:\n", at_s, at_s + seconds);
    g_string_append_printf(text, "%-*s %7s %9s %11s %9s %9s %13s\n", NAME_WIDTH, "VCPU", "CPU %", "budget %",
                           "missed", "preempt/s", "migrate/s", "wake p99 (us)");
    g_ptr_array_sort(view->rows, by_running);
    for (guint i = 0; i < view->rows->len; i++) {
        const struct row *row = g_ptr_array_index(view->rows, i);
        if (row->domid != XT_IDLE_DOMID)
            print_row(live, row, seconds, text);
    }
    return g_string_free(text, FALSE);
}

/* xentrace goes round the pCPUs, and what a pCPU writes after its turn comes only with the next round. But whatever happened
 * before a round began is there once it is over. */
struct rounds {
    uint64_t whole;      /* offset behind the last round that is over */
    uint64_t known_tsc;  /* nothing before this is missing there */
    uint64_t before_tsc; /* latest in the rounds before the present one */
    uint64_t latest_tsc;
    int64_t pcpu; /* of the present window */
};

static void enter_window(struct rounds *r, uint64_t offset, uint32_t pcpu)
{
    if (r->pcpu >= pcpu) {
        r->whole = offset;
        r->known_tsc = r->before_tsc;
        r->before_tsc = r->latest_tsc;
    }
    r->pcpu = pcpu;
}

static void find_rounds(const GByteArray *bytes, struct rounds *r)
{
    uint32_t words[XT_MAX_RECORD_BYTES / 4];

    *r = (struct rounds){ .pcpu = -1 };
    for (guint at = 0, n; at + 4 <= bytes->len; at += n) {
        memcpy(words, bytes->data + at, 4);
        n = xt_record_bytes(GUINT32_FROM_LE(words[0]));
        if (n > bytes->len - at)
            break;
        memcpy(words, bytes->data + at, n);
        for (guint i = 0; i < n / 4; i++)
            words[i] = GUINT32_FROM_LE(words[i]);
        if (XT_EVENT(words[0]) == XT_ID_CPU_CHANGE && XT_N_WORDS(words[0]) > 0)
            enter_window(r, at, words[1]);
        else if (XT_HAS_TSC(words[0]))
            r->latest_tsc = MAX(r->latest_tsc, xt_u64(words + 1));
    }
}

char *xt_live_table(struct xt_live *live)
{
    struct view view = { .rows = g_ptr_array_new_with_free_func(free_row), .from_tsc = live->until_tsc };
    struct rounds rounds;
    char *table = NULL;

    find_rounds(live->bytes, &rounds);
    view.to_tsc = rounds.known_tsc;
    if (view.to_tsc > view.from_tsc && reconstruct(live, live->bytes->data, rounds.whole, &view)) {
        if (!live->start_tsc)
            live->start_tsc = view.start_tsc;
        table = print(live, &view);
        live->until_tsc = view.to_tsc;
        rounds.whole += live->base;
        forget(live, MAX(live->whole, live->base));
        live->whole = rounds.whole;
    }
    g_ptr_array_unref(view.rows);
    return table;
}
