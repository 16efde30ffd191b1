#include "cli/cli.h"
#include "collect/live.h"
#include "collect/record.h"
#include "parse/error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char about[] =
    "Records what a Xen host's scheduler does, with a snapshot of the host, into one folder. Without a limit "
    "it records\n"
    "until Ctrl-C. With a command, until that ends:  xentrail record -o NAME -- ./experiment.sh";

struct arguments {
    char *folder, *target, *events, *size, *policy, *comment;
    double duration_s;
    int buffer_pages, poll_ms, compression;
    char **reservations, **guests;
    gboolean dry_run, quiet, live;
};

struct view {
    bool terminal, quiet, line_open;
    struct xt_live *live; /* NULL: no table */
    double table_at_s;    /* when the last table was made */
};

static void end_line(struct view *view)
{
    if (view->line_open)
        fputc('\n', stderr);
    view->line_open = false;
}

static void say(void *user, const char *message)
{
    struct view *view = user;
    end_line(view);
    if (!view->quiet)
        fprintf(stderr, "xentrail record: %s\n", message);
}

static void print_line(const struct xt_record_progress *p)
{
    const struct xt_tally *t = p->tally;
    fprintf(stderr,
            "%7.1f s  %" G_GUINT64_FORMAT " records (%.0f/s)  %.2f MB (%.2f MB on disk)  %" G_GUINT64_FORMAT
            " lost  ",
            p->elapsed_s, t->records, p->elapsed_s > 0 ? (double)t->records / p->elapsed_s : 0.0,
            (double)t->bytes / 1e6, (double)p->stored_bytes / 1e6, t->lost_records);
}

/* As many of the table's lines as the terminal has room for. */
static void print_table(const char *table)
{
    struct winsize size = { .ws_row = 24 };
    char **rows = g_strsplit(table, "\n", -1);

    ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
    for (int i = 0; rows[i] && *rows[i] && (i + 3 < size.ws_row || !isatty(STDERR_FILENO)); i++)
        fprintf(stderr, "%s\n", rows[i]);
    g_strfreev(rows);
}

static void show_live(struct view *view, const struct xt_record_progress *p)
{
    const double every_s = 2;
    char *table;

    if (p->elapsed_s - view->table_at_s < every_s || !(table = xt_live_table(view->live)))
        return;
    view->table_at_s = p->elapsed_s;
    if (view->terminal)
        fputs("\033[H\033[J", stderr); /* home, clear */
    print_line(p);
    fputs("\n\n", stderr);
    print_table(table);
    fflush(stderr);
    g_free(table);
}

static void progress(void *user, const struct xt_record_progress *p)
{
    struct view *view = user;
    if (view->live) {
        show_live(view, p);
        return;
    }
    if (view->quiet || !view->terminal)
        return;
    fputc('\r', stderr);
    print_line(p);
    fflush(stderr);
    view->line_open = true;
}

static void observe(void *user, const void *data, size_t bytes, const struct xt_tally *tally)
{
    struct view *view = user;
    if (view->live)
        xt_live_add(view->live, data, bytes, tally);
}

static bool parse_bytes(const char *text, uint64_t *bytes)
{
    static const struct {
        const char *unit;
        double factor;
    } units[] = { { "", 1 }, { "k", 1e3 }, { "M", 1e6 }, { "G", 1e9 } };
    char *end;
    double number = g_ascii_strtod(text, &end);

    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        if (end != text && strcmp(end, units[i].unit) == 0 && number > 0 && number * units[i].factor < 1e18) {
            *bytes = (uint64_t)(number * units[i].factor);
            return true;
        }
    }
    return false;
}

static bool take_policy(const char *text, struct xt_record_options *o)
{
    char *name;

    if (!text)
        return true;
    xt_policy_split(text, &name, &o->periodic);
    o->policy = xt_policy_find(name);
    g_free(name);
    return o->policy != NULL;
}

static bool complete(const struct arguments *a, char **command, struct xt_record_options *o, GError **error)
{
    *o = (struct xt_record_options){
        .folder = a->folder,
        .target = a->target,
        .event_names = a->events ? a->events : "sched",
        .duration_s = a->duration_s,
        .buffer_pages = (unsigned)a->buffer_pages,
        .poll_ms = (unsigned)a->poll_ms,
        .compression = a->compression,
        .comment = a->comment,
        .reservations = (const char *const *)a->reservations,
        .guests = (const char *const *)a->guests,
        .command = command && command[0] ? command : NULL,
    };
    const char *wrong = NULL;
    if (!a->folder || !*a->folder)
        wrong = "name the folder to make with -o";
    else if (!isfinite(a->duration_s) || a->duration_s < 0 || a->duration_s > 1e7)
        wrong = "-T takes seconds, 0 for no limit";
    else if (a->size && !parse_bytes(a->size, &o->max_bytes))
        wrong = "--size takes a number of bytes with k, M or G, such as 500M";
    else if (a->buffer_pages < 0 || a->buffer_pages > 65535)
        wrong = "--buffer-pages takes 1 to 65535 pages of 4 KiB, 0 for a size that fits the host";
    else if (a->poll_ms < 0 || a->poll_ms > 10000)
        wrong = "--poll takes 1 to 10000 milliseconds, 0 to measure";
    else if (a->compression < 0 || a->compression > 19)
        wrong = "--compress takes 0 (none) to 19";
    else if (!take_policy(a->policy, o))
        wrong = "--policy is one of gEDF, pEDF, credit, credit2, null, arinc653, each with +periodic if a background "
                "task keeps every guest busy";
    if (wrong) {
        g_set_error_literal(error, XT_ERROR, XT_ERROR_USAGE, wrong);
        return false;
    }
    return xt_event_mask_parse(o->event_names, &o->event_mask, error);
}

/* The cure depends on what can still be changed: the buffers' size cannot, until the next boot. */
static void warn_of_losses(const struct xt_record_result *result)
{
    double share = 100.0 * (double)result->lost_records / (double)(result->lost_records + result->records);
    fprintf(stderr,
            "xentrail record: Xen lost %" G_GUINT64_FORMAT
            " records (%.2f %%): its buffers were full between two looks at them. ",
            result->lost_records, share);
    if (result->poll_ms > 1)
        fprintf(stderr, "Look more often: --poll %u. Or ", MAX(result->poll_ms / 4, 1));
    fprintf(stderr, "reboot the host and begin with larger buffers: --buffer-pages %u.\n",
            MIN(result->buffer_pages * 4, 65535));
}

static int report(const struct xt_record_options *o, const struct xt_record_result *result, GError *error)
{
    if (result->kept)
        fprintf(stderr,
                "xentrail record: %s: %" G_GUINT64_FORMAT " records in %.1f s, %.2f MB, %.2f MB on disk%s\n",
                o->folder, result->records, result->capture.elapsed_s, (double)result->capture.bytes / 1e6,
                (double)result->stored_bytes / 1e6, error ? "; it can be read up to there" : "");
    if (result->lost_records)
        warn_of_losses(result);
    if (error)
        return xt_fail("record", error);
    if (o->command && result->capture.end == XT_CAPTURE_COMMAND && result->capture.command_status != 0) {
        fprintf(stderr, "xentrail record: the recording is whole, but %s ended with status %d\n",
                o->command[0], result->capture.command_status);
        return XT_EXIT_FOUND;
    }
    return XT_EXIT_OK;
}

static int run(const struct arguments *a, char **command, GError **error)
{
    struct view view = { .terminal = isatty(STDERR_FILENO), .quiet = a->quiet };
    struct xt_record_options options;
    struct xt_record_result result;
    GError *failure = NULL;

    if (!complete(a, command, &options, error))
        return -1;
    if (a->dry_run) {
        char *plan = xt_record_plan(&options, error);
        if (!plan)
            return -1;
        fputs(plan, stdout);
        g_free(plan);
        return XT_EXIT_OK;
    }
    options.say = say;
    options.progress = progress;
    options.observe = observe;
    options.user = &view;
    if (a->live)
        view.live = xt_live_new(a->folder);
    xt_record(&options, &result, &failure);
    end_line(&view);
    xt_live_free(view.live);
    return report(&options, &result, failure);
}

int xt_cmd_record(int argc, char **argv)
{
    struct arguments a = { .compression = 3 };
    const GOptionEntry entries[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &a.folder, "Make the recording in this new folder",
          "FOLDER" },
        { "time", 'T', 0, G_OPTION_ARG_DOUBLE, &a.duration_s, "Stop after this time", "SECONDS" },
        { "size", 'S', 0, G_OPTION_ARG_STRING, &a.size, "Stop after this much of events (before compression)",
          "BYTES" },
        { "host", 'H', 0, G_OPTION_ARG_STRING, &a.target, "Record that host, over ssh", "root@HOST" },
        { "events", 'e', 0, G_OPTION_ARG_STRING, &a.events, "sched (default), sched+irq, all, … or a mask",
          "NAMES" },
        { "policy", 0, 0, G_OPTION_ARG_STRING, &a.policy,
          "What is measured: gEDF, pEDF, credit, credit2, null, arinc653; +periodic", "POLICY" },
        { "reservation", 0, 0, G_OPTION_ARG_STRING_ARRAY, &a.reservations,
          "Judge a VCPU or domain by this under any scheduler, e.g. vm1=10ms/4ms", "VCPU=P/B" },
        { "guest", 0, 0, G_OPTION_ARG_STRING_ARRAY, &a.guests, "Take a guest's job trace along, at the end",
          "NAME=FOLDER" },
        { "comment", 0, 0, G_OPTION_ARG_STRING, &a.comment, "A sentence to keep with it", "TEXT" },
        { "buffer-pages", 0, 0, G_OPTION_ARG_INT, &a.buffer_pages, "Xen's trace buffer per pCPU, 4 KiB pages",
          "N" },
        { "poll", 0, 0, G_OPTION_ARG_INT, &a.poll_ms,
          "Empty the buffers this often (default: by the measured rate)", "MS" },
        { "compress", 0, 0, G_OPTION_ARG_INT, &a.compression, "zstd level, 0 for none (default 3)", "LEVEL" },
        { "live", 'l', 0, G_OPTION_ARG_NONE, &a.live, "Show meanwhile what every VCPU does, like top", NULL },
        { "dry-run", 'n', 0, G_OPTION_ARG_NONE, &a.dry_run, "Check the host and print what would be done",
          NULL },
        { "quiet", 'q', 0, G_OPTION_ARG_NONE, &a.quiet, "Only say what went wrong", NULL },
        { NULL },
    };
    GError *error = NULL;
    int status = xt_parse_options(&argc, &argv, entries, "-o FOLDER [OPTION…] [-- COMMAND…]", about);

    if (status < 0)
        status = run(&a, argv + 1, &error);
    g_free(a.folder);
    g_free(a.target);
    g_free(a.events);
    g_free(a.size);
    g_free(a.policy);
    g_free(a.comment);
    g_strfreev(a.reservations);
    g_strfreev(a.guests);
    return status >= 0 ? status : xt_fail("record", error);
}
