/* Questions in SQL that cannot change anything: for `xentrail query` and whoever lets people type SQL. */
#pragma once

#include "db/db.h"

struct sqlite3_stmt;

/* A question under way. */
struct xt_query;

/* Prepares sql (one statement) on db, which should be open for reading. :run, where sql has it, is bound to
 * run, or to NULL if that is 0. NULL and XT_ERROR_USAGE with line and column if it is no SQL, or would do
 * anything but read: writing, attaching, loading extensions, changing settings. From then on the connection
 * refuses all that. */
struct xt_query *xt_query_new(struct xt_db *db, const char *sql, int64_t run, GError **error);
void xt_query_free(struct xt_query *query);

/* Binds another parameter of sql, if it has it. */
void xt_query_bind_int(struct xt_query *query, const char *parameter, int64_t value);

/* Next row; false at the end or with error. Read its columns with sqlite3_column_* of xt_query_stmt. */
bool xt_query_next(struct xt_query *query, GError **error);
struct sqlite3_stmt *xt_query_stmt(struct xt_query *query);

/* Questions that people ask first. */
struct xt_named_query {
    const char *name;
    const char *what; /* one line */
    const char *sql;  /* uses :run so that NULL means all runs */
};
extern const struct xt_named_query xt_named_queries[]; /* ends with name NULL */
const struct xt_named_query *xt_named_query(const char *name); /* NULL if there is none */
