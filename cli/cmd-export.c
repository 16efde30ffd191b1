/* xentrail export: a trace, or a database, in the formats of other people's tools. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/output-folder.h"
#include "parse/babeltrace/babeltrace.h"
#include "parse/babeltrace/members.h"
#include "parse/clock.h"
#include "parse/error.h"
#include "parse/survey.h"

#define MAX_WORDS 7
#define CELL_BYTES 24 /* 20 digits and a sign, or the name of a runstate */
#define PROGRESS_RECORDS 2000000u

/* How one kind of record is written: which column each of its members has. */
struct event_row {
    unsigned n_members;
    struct xt_member members[XT_MAX_MEMBERS];
    unsigned column[XT_MAX_MEMBERS];
};

/* Records as rows of text. Members of the same name in different events share a column. */
struct rows {
    FILE *out;
    struct xt_trace *trace;
    const struct xt_survey *survey;
    const struct xt_layout_index *layouts;
    bool have_hz;
    struct xt_clock clock;
    GPtrArray *columns;         /* of char *: names */
    struct event_row *events;   /* by layout number * (MAX_WORDS + 1) + words */
    char (*cells)[CELL_BYTES];  /* by column, of the present record; empty: it has no such member */
};

static const char *const fixed_columns[] = { "ts_ns", "tsc", "has_tsc", "pcpu", "offset", "id", "event", NULL };

static unsigned column_of(GPtrArray *columns, const char *member)
{
    char *name = g_strconcat(g_strv_contains(fixed_columns, member) ? "field_" : "", member, NULL);

    for (guint i = 0; i < columns->len; i++) {
        if (!strcmp(g_ptr_array_index(columns, i), name)) {
            g_free(name);
            return i;
        }
    }
    g_ptr_array_add(columns, name);
    return columns->len - 1;
}

static void add_event(struct rows *r, const struct xt_layout *layout, unsigned number, unsigned n_words)
{
    struct event_row *row = &r->events[number * (MAX_WORDS + 1) + n_words];

    row->n_members = xt_members_of(layout, n_words, row->members);
    for (unsigned i = 0; i < row->n_members; i++)
        row->column[i] = column_of(r->columns, row->members[i].name);
}

/* Columns for what occurs in this trace, known from its survey. */
static void find_columns(struct rows *r)
{
    const struct xt_layout *layout;
    unsigned n_layouts = 0;

    while (xt_layout_nth(r->layouts, n_layouts))
        n_layouts++;
    r->columns = g_ptr_array_new_with_free_func(g_free);
    r->events = g_new0(struct event_row, (n_layouts + 1) * (MAX_WORDS + 1));
    for (unsigned i = 0; (layout = xt_layout_nth(r->layouts, i)); i++)
        for (unsigned n = layout->min_words; r->survey->layout_counts[i] && n <= layout->max_words; n++)
            add_event(r, layout, i, n);
    r->cells = g_malloc0_n(r->columns->len + 1, CELL_BYTES);
}

static void format_member(char cell[CELL_BYTES], const struct xt_member *member, int64_t value)
{
    if (member->type == XT_MEMBER_STATE)
        g_strlcpy(cell, xt_state_name((enum xt_state)value), CELL_BYTES);
    else if (member->type == XT_MEMBER_INT)
        g_snprintf(cell, CELL_BYTES, "%" G_GINT64_FORMAT, value);
    else
        g_snprintf(cell, CELL_BYTES, "%" G_GUINT64_FORMAT, (uint64_t)value);
}

static const struct event_row *row_of(const struct rows *r, const struct xt_layout *layout, unsigned n_words)
{
    return &r->events[xt_layout_number(r->layouts, layout) * (MAX_WORDS + 1) + n_words];
}

static void write_words(struct rows *r, const struct xt_record *record, char separator)
{
    for (unsigned i = 0; i < record->n_words; i++) {
        if (i)
            putc(separator, r->out);
        fprintf(r->out, "%u", record->words[i]);
    }
}

static void write_csv_header(struct rows *r)
{
    for (unsigned i = 0; fixed_columns[i]; i++)
        fprintf(r->out, "%s%s", i ? "," : "", fixed_columns[i]);
    for (guint i = 0; i < r->columns->len; i++)
        fprintf(r->out, ",%s", (char *)g_ptr_array_index(r->columns, i));
    fputs(",words\r\n", r->out);
}

static void write_csv(struct rows *r, const struct xt_record *record, const struct xt_layout *layout, const char *name)
{
    const struct event_row *row = layout ? row_of(r, layout, record->n_words) : NULL;

    if (r->have_hz)
        fprintf(r->out, "%" G_GINT64_FORMAT, xt_clock_ts(&r->clock, record->tsc));
    fprintf(r->out, ",%" G_GUINT64_FORMAT ",%d,%d,%" G_GUINT64_FORMAT ",0x%x,%s", record->tsc, record->has_tsc,
            record->pcpu, record->offset, record->event, name);
    for (unsigned i = 0; row && i < row->n_members; i++)
        format_member(r->cells[row->column[i]], &row->members[i],
                      xt_member_value(&row->members[i], record, r->survey->vd));
    for (guint i = 0; i < r->columns->len; i++) {
        putc(',', r->out);
        if (r->cells[i][0])
            fputs(r->cells[i], r->out);
    }
    for (unsigned i = 0; row && i < row->n_members; i++)
        r->cells[row->column[i]][0] = 0;
    putc(',', r->out);
    if (!layout)
        write_words(r, record, ' ');
    fputs("\r\n", r->out);
}

static void write_jsonl(struct rows *r, const struct xt_record *record, const struct xt_layout *layout, const char *name)
{
    const struct event_row *row = layout ? row_of(r, layout, record->n_words) : NULL;
    char cell[CELL_BYTES];

    if (r->have_hz)
        fprintf(r->out, "{\"ts_ns\":%" G_GINT64_FORMAT, xt_clock_ts(&r->clock, record->tsc));
    else
        fputs("{\"ts_ns\":null", r->out);
    fprintf(r->out, ",\"tsc\":%" G_GUINT64_FORMAT ",\"has_tsc\":%s,\"pcpu\":%d,\"offset\":%" G_GUINT64_FORMAT
            ",\"id\":\"0x%x\",\"event\":\"%s\",\"fields\":{",
            record->tsc, record->has_tsc ? "true" : "false", record->pcpu, record->offset, record->event, name);
    for (unsigned i = 0; row && i < row->n_members; i++) {
        const struct xt_member *m = &row->members[i];
        const char *quote = m->type == XT_MEMBER_STATE ? "\"" : "";
        format_member(cell, m, xt_member_value(m, record, r->survey->vd));
        fprintf(r->out, "%s\"%s\":%s%s%s", i ? "," : "", m->name, quote, cell, quote);
    }
    if (!layout) {
        fputs("\"words\":[", r->out);
        write_words(r, record, ',');
        putc(']', r->out);
    }
    fputs("}}\n", r->out);
}

static void report_progress(void *user, uint64_t done, uint64_t total)
{
    if (total < PROGRESS_RECORDS || !isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\rexport %3.0f %%%s", 100.0 * (double)done / (double)total, done < total ? "" : "\r\033[K");
}

static bool write_records(struct rows *r, bool csv, const volatile int *cancel, GError **error)
{
    struct xt_record record;
    GError *read_error = NULL;
    uint64_t done = 0;
    bool known;

    if (csv)
        write_csv_header(r);
    while (!ferror(r->out) && xt_trace_next(r->trace, &record, &read_error)) {
        const struct xt_layout *layout = xt_layout_find(r->layouts, record.event, record.n_words, &known);
        char *odd = layout ? NULL : xt_odd_event_name(r->layouts, record.event, known);
        (csv ? write_csv : write_jsonl)(r, &record, layout, layout ? layout->name : odd);
        g_free(odd);
        if (++done % 65536 == 0) {
            report_progress(NULL, done, r->survey->records);
            if (*cancel) {
                g_set_error_literal(error, XT_ERROR, XT_ERROR_SYSTEM, "interrupted");
                return false;
            }
        }
    }
    if (read_error) {
        g_propagate_error(error, read_error);
        return false;
    }
    return true;
}

static bool flushed(FILE *out, GError **error)
{
    if (!fflush(out) && !ferror(out))
        return true;
    if (errno == EPIPE)
        return true; /* the reader has seen enough */
    g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot write: %s", g_strerror(errno));
    return false;
}

/* Pipes and devices cannot be replaced by a finished file. */
static bool is_special(const char *path)
{
    struct stat st;

    return !stat(path, &st) && !S_ISREG(st.st_mode);
}

static bool cannot_write(const char *path, GError **error)
{
    g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: cannot write: %s", path, g_strerror(errno));
    return false;
}

static bool export_to_stream(struct rows *r, bool csv, FILE *out, GError **error)
{
    r->out = out;
    return write_records(r, csv, xt_catch_signals(), error) && flushed(out, error);
}

/* A file that appears when it is complete. */
static bool export_to_file(struct rows *r, bool csv, const char *path, GError **error)
{
    bool special = is_special(path);
    char *temporary = special ? g_strdup(path) : g_strdup_printf("%s.partial-XXXXXX", path);
    int fd = special ? open(path, O_WRONLY | O_CLOEXEC) : g_mkstemp_full(temporary, O_RDWR | O_CLOEXEC, 0666);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    bool ok = out ? export_to_stream(r, csv, out, error) : cannot_write(path, error);

    if (out && fclose(out) && ok)
        ok = cannot_write(path, error);
    if (!special && ok && rename(temporary, path))
        ok = cannot_write(path, error);
    if (!special && !ok)
        unlink(temporary);
    g_free(temporary);
    return ok;
}

static bool export_rows(struct xt_input *input, const char *name, bool csv, const char *path, GError **error)
{
    struct rows r = {
        .trace = input->trace,
        .survey = xt_trace_survey(input->trace),
        .layouts = xt_trace_layouts(input->trace),
    };
    struct xt_run run;

    r.have_hz = xt_run_init(&run, r.survey, input->recording, &input->options, name, NULL);
    if (r.have_hz) {
        xt_clock_init(&r.clock, run.start_tsc, (uint64_t)run.tsc_hz);
        g_free((struct xt_pcpu *)run.pcpus);
    }
    find_columns(&r);
    bool ok = path ? export_to_file(&r, csv, path, error) : export_to_stream(&r, csv, stdout, error);
    g_ptr_array_unref(r.columns);
    g_free(r.events);
    g_free(r.cells);
    return ok;
}

static bool export_ctf(struct xt_input *input, const char *name, const char *path, GError **error)
{
    struct xt_output_folder folder;
    struct xt_run run;

    if (!xt_run_init(&run, xt_trace_survey(input->trace), input->recording, &input->options, name, error))
        return false;
    bool ok = xt_output_folder_begin(&folder, path, error);
    if (ok) {
        ok = xt_ctf_export(input->trace, input->recording, &run, folder.content, xt_catch_signals(), report_progress, NULL,
                           error);
        ok = xt_output_folder_end(&folder, ok, error);
    }
    g_free((struct xt_pcpu *)run.pcpus);
    return ok;
}

/* All columns of a view that say something of its rows, and only the rows of one run if that is asked for. */
static char *question_of(sqlite3 *sqlite, const char *view, int64_t run)
{
    GString *sql = g_string_new("SELECT ");
    bool has_run = false;
    sqlite3_stmt *stmt;

    if (sqlite3_prepare_v2(sqlite, "SELECT name FROM pragma_table_info(?1)", -1, &stmt, NULL) != SQLITE_OK)
        return g_string_free(sql, TRUE);
    sqlite3_bind_text(stmt, 1, view, -1, SQLITE_STATIC);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *column = (const char *)sqlite3_column_text(stmt, 0);
        has_run |= !strcmp(column, "run");
        if (!g_str_has_prefix(column, "chunk_")) /* where rows lie, not what they say */
            g_string_append_printf(sql, "%s\"%s\"", sql->len > 7 ? ", " : "", column);
    }
    sqlite3_finalize(stmt);
    g_string_append_printf(sql, " FROM \"%s\"%s", view, has_run && run ? " WHERE run = :run" : "");
    return g_string_free(sql, FALSE);
}

static bool write_view(struct xt_db *db, const char *view, const char *sql, int64_t run, bool csv, const char *folder,
                       GError **error)
{
    char *path = g_strdup_printf("%s/%s.%s", folder, view, csv ? "csv" : "json");
    FILE *out = fopen(path, "wex");
    struct xt_query *query = out ? xt_query_new(db, sql, run, error) : NULL;
    bool ok = query != NULL;

    if (!out)
        cannot_write(path, error);
    if (ok) {
        struct xt_tables *tables = xt_tables_new(out, csv ? XT_FORMAT_CSV : XT_FORMAT_JSON);
        ok = xt_print_answer(tables, NULL, NULL, query, error);
        ok = xt_tables_finish(tables, ok ? error : NULL) && ok;
    }
    if (out && fclose(out) && ok)
        ok = cannot_write(path, error);
    xt_query_free(query);
    g_free(path);
    return ok;
}

/* A file for each view. The names are read before: from the first question on, the connection takes nothing else. */
static bool write_views(struct xt_db *db, int64_t run, bool csv, const char *folder, GError **error)
{
    static const char list[] = "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name";
    GPtrArray *views = g_ptr_array_new_with_free_func(g_free), *questions = g_ptr_array_new_with_free_func(g_free);
    const volatile int *cancel = xt_catch_signals();
    sqlite3 *sqlite = xt_db_sqlite(db);
    sqlite3_stmt *stmt;
    bool ok = true;

    if (sqlite3_prepare_v2(sqlite, list, -1, &stmt, NULL) == SQLITE_OK)
        while (sqlite3_step(stmt) == SQLITE_ROW)
            g_ptr_array_add(views, g_strdup((const char *)sqlite3_column_text(stmt, 0)));
    sqlite3_finalize(stmt);
    for (guint i = 0; i < views->len; i++)
        g_ptr_array_add(questions, question_of(sqlite, views->pdata[i], run));
    if (mkdir(folder, 0777))
        ok = cannot_write(folder, error);
    for (guint i = 0; ok && i < views->len; i++) {
        ok = !*cancel && write_view(db, views->pdata[i], questions->pdata[i], run, csv, folder, error);
        if (*cancel)
            g_set_error_literal(error, XT_ERROR, XT_ERROR_SYSTEM, "interrupted: nothing was written");
    }
    g_ptr_array_unref(views);
    g_ptr_array_unref(questions);
    return ok;
}

static int export_database(const char *path, const char *run_name, const char *format, const char *output)
{
    struct xt_output_folder folder;
    GError *error = NULL;
    int64_t run = 0;

    if (strcmp(format, "csv") && strcmp(format, "json"))
        return xt_fail_usage("export", "--to %s: of a database csv and json can be had", format);
    if (!output)
        return xt_fail_usage("export", "--db needs a folder to write: -o FOLDER");
    struct xt_db *db = xt_db_open(path, XT_DB_READ, &error);
    bool ok = db && (!run_name || xt_find_run(db, run_name, &run, &error)) &&
              xt_output_folder_begin(&folder, output, &error);
    if (ok) {
        ok = write_views(db, run, !strcmp(format, "csv"), folder.content, &error);
        ok = xt_output_folder_end(&folder, ok, &error);
    }
    xt_db_close(db);
    return ok ? XT_EXIT_OK : xt_fail("export", error);
}

static int export_trace(const char *path, const struct xt_input_options *options, const char *format, const char *output)
{
    struct xt_input input;
    GError *error = NULL;
    bool ctf = !strcmp(format, "ctf"), csv = !strcmp(format, "csv");

    if (!ctf && !csv && strcmp(format, "jsonl"))
        return xt_fail_usage("export", "--to %s: of a trace ctf, csv and jsonl can be had", format);
    if (ctf && !output)
        return xt_fail_usage("export", "--to ctf needs a folder to write: -o FOLDER");
    if (!xt_input_open(&input, "export", path, options, &error))
        return xt_fail("export", error);
    bool ok = ctf ? export_ctf(&input, path, output, &error) : export_rows(&input, path, csv, output, &error);
    xt_input_close(&input);
    return ok ? XT_EXIT_OK : xt_fail("export", error);
}

int xt_cmd_export(int argc, char **argv)
{
    struct xt_input_options input_options = { 0 };
    char *format = NULL, *output = NULL, *db = NULL, *run = NULL;
    const GOptionEntry entries[] = {
        { "to", 0, 0, G_OPTION_ARG_STRING, &format, "ctf: a CTF trace; csv, jsonl: a row a record; of a database csv, json",
          "FORMAT" },
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "Folder (ctf, --db) or file to write (default: standard output)",
          "PATH" },
        { "db", 0, 0, G_OPTION_ARG_FILENAME, &db, "Export the views of this database, a file each", "FILE" },
        { "run", 0, 0, G_OPTION_ARG_STRING, &run, "With --db: only this run", "NAME" },
        XT_INPUT_ENTRIES(input_options),
        { 0 },
    };
    int status = xt_parse_options(&argc, &argv, entries, "RECORDING|TRACE",
                                  "Writes a trace, or a database, in a format that other people's tools read.");

    if (status < 0 && argc != (db ? 1 : 2))
        status = xt_fail_usage("export", "expects one recording or trace, or - for standard input; or --db FILE alone");
    if (status < 0 && !format)
        status = xt_fail_usage("export", "--to is missing: expects ctf, csv or jsonl, or with --db csv or json");
    if (status < 0)
        status = db ? export_database(db, run, format, output) : export_trace(argv[1], &input_options, format, output);
    g_free(input_options.tsc_hz);
    g_free(format);
    g_free(output);
    g_free(db);
    g_free(run);
    return status;
}
