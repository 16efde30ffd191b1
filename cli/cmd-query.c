/* xentrail query: questions to a database, by name or in SQL. */
#include <sqlite3.h>
#include <stdio.h>

#include "cli/cli.h"
#include "db/query.h"
#include "parse/error.h"

struct query_options {
    char *db, *name, *run;
    gboolean list;
    struct xt_format_options format;
};

static int list_questions(const struct query_options *o)
{
    static const struct xt_column columns[] = { { .name = "name" }, { .name = "what" } };
    struct xt_tables *out = xt_tables_new(stdout, xt_format_of(&o->format));
    GError *error = NULL;

    xt_table_begin(out, NULL, NULL, columns, G_N_ELEMENTS(columns));
    for (const struct xt_named_query *q = xt_named_queries; q->name; q++) {
        xt_cell_text(out, q->name);
        xt_cell_text(out, q->what);
    }
    xt_table_end(out);
    return xt_tables_finish(out, &error) ? XT_EXIT_OK : xt_fail("query", error);
}

static void print_cell(struct xt_tables *out, sqlite3_stmt *stmt, int column)
{
    char *hex;

    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_INTEGER:
        xt_cell_int(out, sqlite3_column_int64(stmt, column));
        break;
    case SQLITE_FLOAT:
        xt_cell_real(out, sqlite3_column_double(stmt, column));
        break;
    case SQLITE_TEXT:
        xt_cell_text(out, (const char *)sqlite3_column_text(stmt, column));
        break;
    case SQLITE_BLOB:
        hex = g_strdup_printf("blob of %d bytes", sqlite3_column_bytes(stmt, column));
        xt_cell_text(out, hex);
        g_free(hex);
        break;
    default:
        xt_cell_null(out);
    }
}

static bool print_answer(struct xt_query *query, enum xt_format format, GError **error)
{
    sqlite3_stmt *stmt = xt_query_stmt(query);
    struct xt_tables *out = xt_tables_new(stdout, format);
    int n = sqlite3_column_count(stmt);
    struct xt_column *columns = g_new0(struct xt_column, (gsize)n);
    GError *failed = NULL;

    for (int i = 0; i < n; i++)
        columns[i].name = sqlite3_column_name(stmt, i);
    xt_table_begin(out, NULL, NULL, columns, (unsigned)n);
    while (xt_query_next(query, &failed)) {
        for (int i = 0; i < n; i++)
            print_cell(out, stmt, i);
    }
    xt_table_end(out);
    g_free(columns);
    if (!xt_tables_finish(out, failed ? NULL : &failed) && failed) {
        g_propagate_error(error, failed);
        return false;
    }
    if (failed)
        g_propagate_error(error, failed);
    return !failed;
}

static const char *choose_sql(const struct query_options *o, const char *sql, GError **error)
{
    const struct xt_named_query *named;

    if (!o->name)
        return sql;
    named = xt_named_query(o->name);
    if (!named)
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "there is no question named \"%s\"; --list shows what there is",
                    o->name);
    return named ? named->sql : NULL;
}

static bool ask(struct xt_db *db, const struct query_options *o, const char *sql, GError **error)
{
    struct xt_query *query;
    int64_t run = 0;
    bool ok;

    if (o->run) {
        struct xt_db_run *found = xt_db_run_find(db, o->run, error);

        if (!found)
            return false;
        run = found->id;
        xt_db_run_free(found);
    }
    query = xt_query_new(db, sql, run, error);
    ok = query && print_answer(query, xt_format_of(&o->format), error);
    xt_query_free(query);
    return ok;
}

static int run_query(const struct query_options *o, const char *sql)
{
    GError *error = NULL;
    const char *chosen = choose_sql(o, sql, &error);
    struct xt_db *db = chosen ? xt_db_open(o->db, XT_DB_READ, &error) : NULL;
    int status = XT_EXIT_OK;

    if (!db || !ask(db, o, chosen, &error))
        status = xt_fail("query", error);
    xt_db_close(db);
    return status;
}

int xt_cmd_query(int argc, char **argv)
{
    struct query_options o = { 0 };
    const GOptionEntry entries[] = {
        { "db", 0, 0, G_OPTION_ARG_FILENAME, &o.db, "Database to ask", "FILE" },
        { "name", 0, 0, G_OPTION_ARG_STRING, &o.name, "Ask the question of that name instead of SQL", "NAMED" },
        { "list", 0, 0, G_OPTION_ARG_NONE, &o.list, "List the named questions", NULL },
        { "run", 0, 0, G_OPTION_ARG_STRING, &o.run, "Only about this run (:run in SQL); default all", "NAME" },
        XT_FORMAT_ENTRIES(o.format),
        { 0 },
    };
    int status = xt_parse_options(&argc, &argv, entries, "[SQL]",
        "Answers a question about the runs of a database. SQL may only read; it has quantile(x, p) besides what SQLite\n"
        "offers. Tables and views are described in xentrail-query(1).");

    if (status < 0) {
        if (o.list && argc < 2 && !o.name)
            status = list_questions(&o);
        else if (!o.db)
            status = xt_fail_usage("query", "which database? Give --db FILE");
        else if (argc > 2)
            status = xt_fail_usage("query", "one SQL statement, in quotes, please");
        else if ((argc == 2) == (o.name != NULL))
            status = xt_fail_usage("query", "ask either in SQL or by --name; --list shows the names");
        else
            status = run_query(&o, argv[1]);
    }
    g_free(o.db);
    g_free(o.name);
    g_free(o.run);
    return status;
}
