#include "collect/live.h"

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
};

/* What one table is made from. */
struct view {
    GPtrArray *rows; /* of struct row, by xt_vcpu.index */
    int64_t duration_ns;
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

static bool take_run(void *self, const struct xt_run *run, GError **error)
{
    struct view *view = self;
    view->duration_ns = run->duration_ns;
    return true;
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
    row->running_ns += d->end_ts - d->run_ts;
    if (d->latency_kind == XT_LATENCY_WAKE && d->latency_ns >= 0)
        g_array_append_val(row->wake_ns, d->latency_ns);
    return true;
}

static bool take_interval(void *self, const struct xt_interval *i, GError **error)
{
    if (i->state == XT_RUNNING)
        row_of(self, i->vcpu)->running_ns += i->end_ts - i->ts;
    return true;
}

static bool is_preemption(enum xt_reason reason)
{
    return reason != XT_REASON_DEPLETED && reason != XT_REASON_YIELDED;
}

static bool take_change(void *self, const struct xt_change *c, GError **error)
{
    struct row *row = row_of(self, c->vcpu);
    row->migrations += c->migrated;
    row->preemptions += c->old_state == XT_RUNNING && c->new_state == XT_RUNNABLE && is_preemption(c->reason);
    return true;
}

static bool take_period(void *self, const struct xt_period *p, GError **error)
{
    struct row *row = row_of(self, p->vcpu);
    if (!p->judged)
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
    if (trace)
        good = xt_reconstruct(trace, live->recording, &options, sinks, 1, NULL, NULL);
    if (trace)
        xt_trace_free(trace);
    if (fd >= 0)
        close(fd);
    return good && view->duration_ns > 0;
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

    g_string_append_printf(text, "%-*s %7s %9s %11s %9s %9s %13s\n", NAME_WIDTH, "VCPU", "CPU %", "budget %",
                           "missed", "preempt/s", "migrate/s", "wake p99 (us)");
    g_ptr_array_sort(view->rows, by_running);
    for (guint i = 0; i < view->rows->len; i++) {
        const struct row *row = g_ptr_array_index(view->rows, i);
        if (row->domid != XT_IDLE_DOMID)
            print_row(live, row, (double)view->duration_ns / 1e9, text);
    }
    return g_string_free(text, FALSE);
}

/* Where the last window of the kept bytes begins; it may not be whole yet. */
static uint64_t whole_until(const struct xt_live *live)
{
    struct xt_tally tally = { 0 };
    xt_tally_add(&tally, live->bytes->data, live->bytes->len);
    return live->base + tally.last_window;
}

char *xt_live_table(struct xt_live *live)
{
    uint64_t until = whole_until(live);
    struct view view = { .rows = g_ptr_array_new_with_free_func(free_row) };
    char *table = NULL;

    if (until > live->base) {
        if (reconstruct(live, live->bytes->data, until - live->base, &view))
            table = print(live, &view);
        forget(live, until);
    }
    g_ptr_array_unref(view.rows);
    return table;
}
