/* A batch of rows as SQLite sees it: a virtual table, so that one statement inserts them all. Bound one by
 * one, a row costs twice as much. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#define XT_BATCH_WORDS 16384 /* 128 KiB: about a thousand rows, small enough for a cache that cores share */
#define XT_BATCH_MAX_COLUMNS 16

struct xt_batch {
    int table;             /* enum xt_table_id */
    unsigned n_columns, n; /* n: rows */
    int64_t words[XT_BATCH_WORDS];
};

/* Makes table xentrail_batch (a0, a1, …) on db: the rows of *batch at the time of the query, XT_NULL as
 * NULL. */
bool xt_batch_register(sqlite3 *db, struct xt_batch *const *batch);
void xt_batch_unregister(sqlite3 *db);
