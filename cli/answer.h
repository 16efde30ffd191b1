/* Answers of the database as tables. */
#pragma once

#include "cli/table.h"
#include "db/query.h"

/* Prints all rows of query as one table; key and title as for xt_table_begin. */
bool xt_print_answer(struct xt_tables *out, const char *key, const char *title, struct xt_query *query, GError **error);

/* Tables that a database answers: sql may use :run (NULL: all runs) and :show. */
struct xt_stored_table {
    const char *key, *title, *sql;
};

/* Prints tables to stdout as one document; run 0: all runs. */
bool xt_print_stored(struct xt_db *db, const struct xt_stored_table *tables, unsigned n, int64_t run, int64_t show,
                     enum xt_format format, GError **error);

/* Id of the run of that name. XT_ERROR_USAGE if there is none. */
bool xt_find_run(struct xt_db *db, const char *name, int64_t *run, GError **error);
