/* xentrail misses: the missed server periods, the worst first, each with the way to see it for oneself. */
#include <sqlite3.h>
#include <string.h>

#include "cli/answer.h"
#include "cli/cli.h"
#include "parse/error.h"

#define DEFAULT_SHOWN 20
#define MARGIN_NS 1000000 /* before the release and behind the deadline, for the records */

/* Worst first. Window functions over the view come first, so numbers do not depend on what is selected. */
static const char sql[] =
    "SELECT r.name, r.path, m.miss, m.domid, m.vcpu, m.domain, m.release, m.deadline, m.period_ns, m.budget_ns,"
    " m.supplied_ns, m.short_ns, m.overload_ns, m.inversion_ns, m.latency_ns, m.unknown_ns, m.reference, m.line"
    " FROM misses m JOIN runs r USING (run) WHERE m.period IN (SELECT period FROM misses WHERE run = coalesce(:run, run)"
    " ORDER BY short_ns DESC, run, miss LIMIT :show) ORDER BY m.short_ns DESC, m.run, m.miss";

enum { NAME, PATH, MISS, DOMID, VCPU, DOMAIN, RELEASE, DEADLINE, LINE = 17 };

static char *draw_command(const char *db, sqlite3_stmt *row)
{
    char *file = g_shell_quote(db), *run = g_shell_quote((const char *)sqlite3_column_text(row, NAME));
    char *command = g_strdup_printf("xentrail gantt --db %s --run %s --miss %lld -o miss-%lld.png", file, run,
                                    sqlite3_column_int64(row, MISS), sqlite3_column_int64(row, MISS));

    g_free(file);
    g_free(run);
    return command;
}

static char *records_command(sqlite3_stmt *row)
{
    const char *path = (const char *)sqlite3_column_text(row, PATH);
    int64_t from = MAX(sqlite3_column_int64(row, RELEASE) - MARGIN_NS, 0);
    char *quoted = path ? g_shell_quote(path) : NULL, *command = NULL;

    if (quoted)
        command = g_strdup_printf("xentrail dump %s --from %" G_GINT64_FORMAT "ns --to %lldns", quoted, from,
                                  sqlite3_column_int64(row, DEADLINE) + MARGIN_NS);
    g_free(quoted);
    return command;
}

static void cell(struct xt_tables *out, char *text)
{
    xt_cell_text(out, text);
    g_free(text);
}

static void print_numbers(struct xt_tables *out, sqlite3_stmt *row)
{
    xt_cell_text(out, (const char *)sqlite3_column_text(row, NAME));
    xt_cell_int(out, sqlite3_column_int64(row, MISS));
    cell(out, g_strdup_printf("d%dv%d", sqlite3_column_int(row, DOMID), sqlite3_column_int(row, VCPU)));
    xt_cell_text(out, (const char *)sqlite3_column_text(row, DOMAIN));
    for (int i = RELEASE; i < LINE; i++)
        xt_cell_int(out, sqlite3_column_int64(row, i));
}

static bool print_misses(struct xt_tables *out, const char *db, struct xt_query *query, bool numbers, GError **error)
{
    static const struct xt_column all[] = {
        { .name = "run" }, { .name = "miss" }, { .name = "vcpu" }, { .name = "domain" }, { .name = "release" },
        { .name = "deadline" }, { .name = "period_ns" }, { .name = "budget_ns" }, { .name = "supplied_ns" },
        { .name = "short_ns" }, { .name = "overload_ns" }, { .name = "inversion_ns" }, { .name = "latency_ns" },
        { .name = "unknown_ns" }, { .name = "reference" }, { .name = "line" }, { .name = "draw" }, { .name = "records" },
    };
    static const struct xt_column few[] = {
        { .name = "run" }, { .name = "miss" }, { .name = "line", .title = "what" }, { .name = "draw" }, { .name = "records" },
    };
    sqlite3_stmt *row = xt_query_stmt(query);
    GError *failed = NULL;

    xt_table_begin(out, NULL, NULL, numbers ? all : few, numbers ? G_N_ELEMENTS(all) : G_N_ELEMENTS(few));
    while (xt_query_next(query, &failed)) {
        if (numbers) {
            print_numbers(out, row);
        } else {
            xt_cell_text(out, (const char *)sqlite3_column_text(row, NAME));
            xt_cell_int(out, sqlite3_column_int64(row, MISS));
        }
        xt_cell_text(out, (const char *)sqlite3_column_text(row, LINE));
        cell(out, draw_command(db, row));
        cell(out, records_command(row));
    }
    xt_table_end(out);
    if (failed)
        g_propagate_error(error, failed);
    return !failed;
}

static int list_misses(const char *path, const char *run_name, int most, enum xt_format format)
{
    GError *error = NULL;
    struct xt_db *db = xt_db_open(path, XT_DB_READ, &error);
    int64_t run = 0;
    struct xt_query *query = NULL;
    bool ok = db && (!run_name || xt_find_run(db, run_name, &run, &error)) &&
              (query = xt_query_new(db, sql, run, &error));

    if (ok) {
        struct xt_tables *out = xt_tables_new(stdout, format);
        xt_query_bind_int(query, ":show", most);
        ok = print_misses(out, path, query, format != XT_FORMAT_TABLE, &error);
        ok = xt_tables_finish(out, ok ? &error : NULL) && ok;
    }
    xt_query_free(query);
    xt_db_close(db);
    return ok ? XT_EXIT_OK : xt_fail("misses", error);
}

int xt_cmd_misses(int argc, char **argv)
{
    struct xt_format_options format = { 0 };
    char *db = NULL, *run = NULL;
    int most = DEFAULT_SHOWN;
    const GOptionEntry entries[] = {
        { "db", 0, 0, G_OPTION_ARG_FILENAME, &db, "The database", "FILE" },
        { "run", 0, 0, G_OPTION_ARG_STRING, &run, "Only this run", "NAME" },
        { "show", 0, 0, G_OPTION_ARG_INT, &most, "How many misses to list (default 20)", "N" },
        XT_FORMAT_ENTRIES(format),
        { 0 },
    };
    int status = xt_parse_options(&argc, &argv, entries, "--db FILE",
                                  "Lists missed server periods, the worst first: what the VCPU got, what it waited for, and "
                                  "the commands that draw that moment and print its records.");

    if (status < 0 && (!db || argc != 1))
        status = xt_fail_usage("misses", "expects --db FILE and no other arguments");
    if (status < 0 && most < 0)
        status = xt_fail_usage("misses", "--show %d: expects a number from 0", most);
    if (status < 0)
        status = list_misses(db, run, most, xt_format_of(&format));
    g_free(db);
    g_free(run);
    return status;
}
