/* xentrail query: questions to a database, by name or in SQL. */
#include <stdio.h>

#include "cli/answer.h"
#include "cli/cli.h"
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

static bool print_alone(struct xt_query *query, enum xt_format format, GError **error)
{
    struct xt_tables *out = xt_tables_new(stdout, format);
    bool ok = xt_print_answer(out, NULL, NULL, query, error);

    /* what was printed before an error stays well-formed */
    return xt_tables_finish(out, ok ? error : NULL) && ok;
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

    if (o->run && !xt_find_run(db, o->run, &run, error))
        return false;
    query = xt_query_new(db, sql, run, error);
    ok = query && print_alone(query, xt_format_of(&o->format), error);
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
