/* xentrail import: recordings and traces become runs in a database. */
#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "db/import.h"
#include "parse/error.h"

#define PROGRESS_AFTER_US 500000 /* imports that are done by then need none */

struct import_options {
    char *db, *name, *policy;
    gboolean again, one_thread;
    struct xt_input_options input;
    struct xt_format_options format;
};

struct progress {
    int64_t begun_us, shown_us;
    bool shown;
};

static void clear_progress(struct progress *p)
{
    if (p->shown)
        fputs("\r\033[K", stderr);
    p->shown = false;
}

static void on_progress(void *user, const char *doing, double part)
{
    struct progress *p = user;
    int64_t now_us = g_get_monotonic_time();

    if (now_us - p->begun_us < PROGRESS_AFTER_US || now_us - p->shown_us < 100000 || !isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[K%s %3.0f %%", doing, 100 * part);
    p->shown_us = now_us;
    p->shown = true;
}

static void on_note(void *user, const char *message)
{
    char *printable = xt_printable(message);

    clear_progress(user);
    fprintf(stderr, "xentrail import: %s\n", printable);
    g_free(printable);
}

static void print_share(const char *what, uint64_t missed, uint64_t of)
{
    if (of)
        fprintf(stderr, ", %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " %s missed", missed, of, what);
}

/* One line for people; names are hostile. */
static void print_line(const struct xt_import_summary *s)
{
    char *name = xt_printable(s->name), *policy = xt_printable(s->policy ? s->policy : "policy unknown");

    fprintf(stderr, "%s: %s%s%s (%s), %.3f s, %" G_GUINT64_FORMAT " records, %" G_GUINT64_FORMAT " VCPUs, %"
            G_GUINT64_FORMAT " dispatches", name, policy, s->server ? "+" : "", s->server ? s->server : "", s->scheduler, (double)s->duration_ns / 1e9, s->records, s->vcpus,
            s->dispatches);
    print_share("judged periods", s->period_misses, s->periods_judged);
    print_share("jobs", s->job_misses, s->jobs);
    if (s->lost_records)
        fprintf(stderr, ", %" G_GUINT64_FORMAT " records lost", s->lost_records);
    if (s->unknown_records || s->malformed_records)
        fprintf(stderr, ", %" G_GUINT64_FORMAT " unknown and %" G_GUINT64_FORMAT " malformed", s->unknown_records,
                s->malformed_records);
    fprintf(stderr, " (imported in %.2f s)\n", s->seconds);
    g_free(name);
    g_free(policy);
}

static const struct xt_column columns[] = {
    { .name = "run" }, { .name = "name" }, { .name = "policy" }, { .name = "server" }, { .name = "scheduler" }, { .name = "duration_ns" },
    { .name = "tsc_hz" }, { .name = "records" }, { .name = "lost_records" }, { .name = "unknown_records" },
    { .name = "malformed_records" }, { .name = "vcpus" }, { .name = "dispatches" }, { .name = "periods_judged" },
    { .name = "period_misses" }, { .name = "jobs" }, { .name = "job_misses" }, { .name = "seconds" },
};

static void print_row(struct xt_tables *out, const struct xt_import_summary *s)
{
    xt_cell_int(out, s->run);
    xt_cell_text(out, s->name);
    xt_cell_text(out, s->policy);
    xt_cell_text(out, s->server);
    xt_cell_text(out, s->scheduler);
    xt_cell_int(out, s->duration_ns);
    xt_cell_int(out, s->tsc_hz);
    xt_cell_int(out, (int64_t)s->records);
    xt_cell_int(out, (int64_t)s->lost_records);
    xt_cell_int(out, (int64_t)s->unknown_records);
    xt_cell_int(out, (int64_t)s->malformed_records);
    xt_cell_int(out, (int64_t)s->vcpus);
    xt_cell_int(out, (int64_t)s->dispatches);
    xt_cell_int(out, (int64_t)s->periods_judged);
    xt_cell_int(out, (int64_t)s->period_misses);
    xt_cell_int(out, (int64_t)s->jobs);
    xt_cell_int(out, (int64_t)s->job_misses);
    xt_cell_real(out, s->seconds);
}

static bool import_one(struct xt_db *db, const char *path, const struct import_options *o, const volatile int *cancel,
                       struct xt_import_summary *summary, GError **error)
{
    struct progress progress = { .begun_us = g_get_monotonic_time() };
    struct xt_input input;
    bool ok;

    if (!xt_input_prepare(&input, "import", path, &o->input, error))
        return false;
    struct xt_import_options options = {
        .name = o->name,
        .policy = o->policy,
        .again = o->again,
        .salvage = o->input.salvage,
        .one_thread = o->one_thread,
        .tsc_hz = input.options.tsc_hz,
        .tolerance_ns = input.options.tolerance_ns,
        .note = on_note,
        .progress = on_progress,
        .user = &progress,
        .cancel = cancel,
    };
    ok = xt_import(db, input.recording, &options, summary, error);
    clear_progress(&progress);
    xt_input_close(&input);
    return ok;
}

/* Each recording is a transaction of its own: one that fails does not keep the others out. */
static int import_all(struct xt_db *db, char **paths, const struct import_options *o, struct xt_tables *out)
{
    const volatile int *cancel = xt_catch_signals();
    int status = XT_EXIT_OK;

    for (; *paths && !*cancel; paths++) {
        struct xt_import_summary summary = { 0 };
        GError *error = NULL;
        int failed;

        if (import_one(db, *paths, o, cancel, &summary, &error)) {
            print_line(&summary);
            if (out)
                print_row(out, &summary);
        } else {
            failed = xt_fail("import", error);
            status = MAX(status, failed);
        }
        xt_import_summary_clear(&summary);
    }
    return status;
}

/* SQLite makes the file when it is opened: without an import nothing of it stays. */
static void remove_if_empty(const char *path)
{
    GStatBuf st;

    if (g_stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
        g_unlink(path);
}

static int run_import(char **paths, const struct import_options *o)
{
    GError *error = NULL;
    bool existed = g_file_test(o->db, G_FILE_TEST_EXISTS);
    struct xt_tables *out = NULL;
    struct xt_db *db = xt_db_open(o->db, XT_DB_CREATE, &error);
    int status;

    if (!db)
        return xt_fail("import", error);
    if (o->format.json || o->format.csv) {
        out = xt_tables_new(stdout, xt_format_of(&o->format));
        xt_table_begin(out, NULL, NULL, columns, G_N_ELEMENTS(columns));
    }
    status = import_all(db, paths, o, out);
    xt_db_close(db);
    if (!existed)
        remove_if_empty(o->db);
    if (out) {
        xt_table_end(out);
        if (!xt_tables_finish(out, &error))
            status = xt_fail("import", error);
    }
    return status;
}

int xt_cmd_import(int argc, char **argv)
{
    struct import_options o = { 0 };
    const GOptionEntry entries[] = {
        { "db", 0, 0, G_OPTION_ARG_FILENAME, &o.db, "Database to import into; made if it is missing", "FILE" },
        { "name", 0, 0, G_OPTION_ARG_STRING, &o.name, "Name of the run (default: the recording's)", "NAME" },
        { "policy", 0, 0, G_OPTION_ARG_STRING, &o.policy, "gEDF, pEDF, credit, … instead of what the host says", "POLICY" },
        { "again", 0, 0, G_OPTION_ARG_NONE, &o.again, "Import also what is in the database already", NULL },
        { "one-thread", 0, 0, G_OPTION_ARG_NONE, &o.one_thread, "Insert rows on the reading thread", NULL },
        XT_INPUT_ENTRIES(o.input),
        XT_SERVER_ENTRIES(o.input),
        XT_FORMAT_ENTRIES(o.format),
        { 0 },
    };
    int status = xt_parse_options(&argc, &argv, entries, "RECORDING|TRACE...",
        "Rebuilds every VCPU's timeline from recordings or xentrace files (\"-\": standard input) and stores it as runs\n"
        "of an SQLite database. Each import is all there or not at all.");

    if (status < 0) {
        if (argc < 2)
            status = xt_fail_usage("import", "which recording? Give a recording's folder or a trace file");
        else if (!o.db)
            status = xt_fail_usage("import", "into which database? Give --db FILE");
        else if (o.name && argc > 2)
            status = xt_fail_usage("import", "--name is for one recording, not for %d", argc - 1);
        else if (o.name && !*o.name)
            status = xt_fail_usage("import", "--name: a run needs a name");
        else
            status = run_import(argv + 1, &o);
    }
    g_free(o.db);
    g_free(o.name);
    g_free(o.policy);
    g_free(o.input.tsc_hz);
    g_free(o.input.tolerance);
    g_strfreev(o.input.reservations);
    return status;
}
