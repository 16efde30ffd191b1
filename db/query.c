/* SQL from people, fenced in. See query.h. */
#include "db/query.h"

#include <string.h>

#include "db/internal.h"
#include "parse/error.h"

struct xt_query {
    struct xt_db *db;
    sqlite3_stmt *stmt;
};

/* Pragmas that only tell. */
static bool harmless_pragma(const char *name)
{
    static const char *const harmless[] = {
        "table_info",     "table_xinfo",     "table_list",       "index_list",
        "index_info",     "index_xinfo",     "foreign_key_list", "function_list",
        "collation_list", "compile_options", "database_list",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(harmless); i++) {
        if (g_ascii_strcasecmp(name, harmless[i]) == 0)
            return true;
    }
    return false;
}

/* Functions that reach beyond the database: code, and addresses in this process. */
static bool harmless_function(const char *name)
{
    return g_ascii_strcasecmp(name, "load_extension") != 0 && g_ascii_strcasecmp(name, "fts3_tokenizer") != 0;
}

static int authorize(void *unused, int action, const char *first, const char *second, const char *third,
                     const char *fourth)
{
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return harmless_function(second) ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_PRAGMA:
        return harmless_pragma(first) ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

/* What SQLite says of sql, with the place in it if it knows one. */
static void set_sql_error(sqlite3 *handle, const char *sql, GError **error)
{
    int offset = sqlite3_error_offset(handle), line = 1, column = 1;

    if (sqlite3_errcode(handle) == SQLITE_AUTH) {
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "%s: a query may only read the database",
                    sqlite3_errmsg(handle));
        return;
    }
    if (offset < 0 || (size_t)offset > strlen(sql)) {
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "in the SQL: %s", sqlite3_errmsg(handle));
        return;
    }
    for (int i = 0; i < offset; i++) {
        column = sql[i] == '\n' ? 1 : column + 1;
        line += sql[i] == '\n';
    }
    g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "in the SQL, line %d column %d: %s", line, column,
                sqlite3_errmsg(handle));
}

/* Whether there is more SQL behind the first statement. */
static bool more_follows(sqlite3 *handle, const char *tail)
{
    sqlite3_stmt *next = NULL;
    bool more;

    more = sqlite3_prepare_v2(handle, tail, -1, &next, NULL) != SQLITE_OK || next;
    sqlite3_finalize(next);
    return more;
}

static bool check(sqlite3 *handle, sqlite3_stmt *stmt, const char *tail, GError **error)
{
    if (!stmt) {
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "no SQL given");
        return false;
    }
    if (!sqlite3_stmt_readonly(stmt) || sqlite3_column_count(stmt) == 0) {
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "a query may only read the database");
        return false;
    }
    if (more_follows(handle, tail)) {
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "one SQL statement at a time: more follows the first");
        return false;
    }
    return true;
}

/* json_each, which reads what tally gives, declares its columns at its first use; the authorizer would refuse that. */
static bool admit_json(sqlite3 *handle, GError **error)
{
    return xt_db_exec(handle, "SELECT 1 FROM json_each('[]')", error);
}

struct xt_query *xt_query_new(struct xt_db *db, const char *sql, int64_t run, GError **error)
{
    sqlite3 *handle = xt_db_sqlite(db);
    sqlite3_stmt *stmt = NULL;
    const char *tail = NULL;
    struct xt_query *query;
    int parameter;

    if (!admit_json(handle, error))
        return NULL;
    sqlite3_set_authorizer(handle, authorize, NULL);
    if (sqlite3_prepare_v2(handle, sql, -1, &stmt, &tail) != SQLITE_OK) {
        set_sql_error(handle, sql, error);
        return NULL;
    }
    if (!check(handle, stmt, tail, error)) {
        sqlite3_finalize(stmt);
        return NULL;
    }
    parameter = sqlite3_bind_parameter_index(stmt, ":run");
    if (parameter > 0 && run > 0)
        sqlite3_bind_int64(stmt, parameter, run);
    query = g_new0(struct xt_query, 1);
    query->db = db;
    query->stmt = stmt;
    return query;
}

void xt_query_bind_int(struct xt_query *query, const char *parameter, int64_t value)
{
    int at = sqlite3_bind_parameter_index(query->stmt, parameter);

    if (at > 0)
        sqlite3_bind_int64(query->stmt, at, value);
}

void xt_query_free(struct xt_query *query)
{
    if (!query)
        return;
    sqlite3_finalize(query->stmt);
    g_free(query);
}

bool xt_query_next(struct xt_query *query, GError **error)
{
    sqlite3 *handle = xt_db_sqlite(query->db);
    int rc = sqlite3_step(query->stmt);

    if (rc == SQLITE_ROW)
        return true;
    if (rc == SQLITE_DONE)
        return false;
    if ((rc & 0xff) == SQLITE_ERROR)
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "in the SQL: %s", sqlite3_errmsg(handle));
    else
        xt_db_set_error(handle, "reading the database", error);
    return false;
}

sqlite3_stmt *xt_query_stmt(struct xt_query *query)
{
    return query->stmt;
}

const struct xt_named_query *xt_named_query(const char *name)
{
    for (const struct xt_named_query *q = xt_named_queries; q->name; q++) {
        if (strcmp(q->name, name) == 0)
            return q;
    }
    return NULL;
}
