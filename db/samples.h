/* Table sample: every sample of a metric as (value, count) pairs, packed. */
#pragma once

#include <glib.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* Walks the pairs of one (run, metric) in ascending order of value, one row of the table in memory at a
 * time. */
struct xt_sample_cursor {
    sqlite3_stmt *stmt;
    const uint8_t *at, *end; /* inside the current row's pairs */
    int64_t value_ns;
    uint64_t count;
};

bool xt_sample_open(struct xt_sample_cursor *cursor, sqlite3 *db, int64_t run, int metric, GError **error);
/* Next pair; false at the end, or with error set if the database cannot be read or the pairs are damaged. */
bool xt_sample_next(struct xt_sample_cursor *cursor, GError **error);
void xt_sample_close(struct xt_sample_cursor *cursor);
