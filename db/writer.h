/* Rows on their way into the tables that grow with the trace, on a thread of their own: reconstruction and
 * insertion overlap. Rows are arrays of int64 in batches; a bounded number of batches keeps memory flat. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct sqlite3;

#define XT_NULL INT64_MIN /* SQL NULL in a row */

enum xt_table_id {
    XT_T_DISPATCH, /* those up to XT_N_CHUNKED have chunks */
    XT_T_INTERVAL,
    XT_T_DECISION,
    XT_T_OVERHEAD,
    XT_T_REPLENISHMENT,
    XT_T_PERIOD,
    XT_N_CHUNKED,
    XT_T_LOSS = XT_N_CHUNKED,
    XT_T_CHUNK,
    XT_T_BLAME,
    XT_N_TABLES,
};

/* Name of a table. */
const char *xt_table_name(enum xt_table_id table);

struct xt_writer;

/* db must be in a transaction and belongs to the writer until xt_writer_finish. */
struct xt_writer *xt_writer_new(struct sqlite3 *db, bool threaded, GError **error);

/* Room for one row of table: its columns in the order of schema.sql, without the id of tables that have one
 * (ids are consecutive); chunk.kind is an enum xt_table_id, blame_part.blame an enum xt_blame. To be filled
 * before the next call. NULL if an earlier row could not be written: xt_writer_finish says why. */
int64_t *xt_writer_row(struct xt_writer *writer, enum xt_table_id table);

/* Waits until every row is in its table. false with XT_ERROR_SYSTEM if one is not. */
bool xt_writer_finish(struct xt_writer *writer, GError **error);

/* Stops the thread without writing what waits, and frees. */
void xt_writer_free(struct xt_writer *writer);
