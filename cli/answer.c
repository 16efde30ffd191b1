#include "cli/answer.h"

#include <sqlite3.h>

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

bool xt_print_answer(struct xt_tables *out, const char *key, const char *title, struct xt_query *query, GError **error)
{
    sqlite3_stmt *stmt = xt_query_stmt(query);
    int n = sqlite3_column_count(stmt);
    struct xt_column *columns = g_new0(struct xt_column, (gsize)n);
    GError *failed = NULL;

    for (int i = 0; i < n; i++)
        columns[i].name = sqlite3_column_name(stmt, i);
    xt_table_begin(out, key, title, columns, (unsigned)n);
    while (xt_query_next(query, &failed)) {
        for (int i = 0; i < n; i++)
            print_cell(out, stmt, i);
    }
    xt_table_end(out);
    g_free(columns);
    if (failed)
        g_propagate_error(error, failed);
    return !failed;
}

bool xt_print_stored(struct xt_db *db, const struct xt_stored_table *tables, unsigned n, int64_t run, int64_t show,
                     enum xt_format format, GError **error)
{
    struct xt_tables *out = xt_tables_new(stdout, format);
    bool ok = true;

    for (unsigned i = 0; ok && i < n; i++) {
        struct xt_query *q = xt_query_new(db, tables[i].sql, run, error);
        if (q)
            xt_query_bind_int(q, ":show", show);
        ok = q && xt_print_answer(out, tables[i].key, tables[i].title, q, error);
        xt_query_free(q);
    }
    return xt_tables_finish(out, ok ? error : NULL) && ok;
}

bool xt_find_run(struct xt_db *db, const char *name, int64_t *run, GError **error)
{
    struct xt_db_run *found = xt_db_run_find(db, name, error);

    if (!found)
        return false;
    *run = found->id;
    xt_db_run_free(found);
    return true;
}
