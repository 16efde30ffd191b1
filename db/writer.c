/* Batches of rows and the thread that inserts them. See writer.h. */
#include "db/writer.h"

#include <sqlite3.h>

#include "db/batch.h"
#include "db/flush.h"
#include "db/internal.h"
#include "parse/sink.h"

#define BYTES_PER_VALUE 3 /* in the file, about */
#define N_BATCHES 24 /* one is being filled for each table, the others are on their way */

static const struct {
    const char *name;
    unsigned n_columns;
    bool has_id;
} tables[XT_N_TABLES] = {
    [XT_T_DISPATCH] = { "dispatch", 14, true },
    [XT_T_INTERVAL] = { "interval", 4, true },
    [XT_T_DECISION] = { "decision", 6, true },
    [XT_T_OVERHEAD] = { "overhead", 7, true },
    [XT_T_REPLENISHMENT] = { "replenishment", 5, true },
    [XT_T_PERIOD] = { "period", 13, true },
    [XT_T_LOSS] = { "loss", 5, true },
    [XT_T_CHUNK] = { "chunk", 6, false },
    [XT_T_BLAME] = { "blame_part", 6, false },
};

const char *xt_table_name(enum xt_table_id table)
{
    g_return_val_if_fail(table < XT_N_TABLES, NULL);
    return tables[table].name;
}

struct xt_writer {
    sqlite3 *db;
    sqlite3_stmt *insert[XT_N_TABLES];
    struct xt_batch *filling[XT_N_TABLES];
    struct xt_batch *inserting; /* what the virtual table shows */
    GThread *thread;            /* NULL: rows are inserted by the caller's own thread */
    struct xt_flush *flush;     /* NULL: the commit does that alone */
    GAsyncQueue *full, *empty;  /* of struct xt_batch *; a batch without rows ends the thread */
    int failed;    /* atomic: error is set, further rows are dropped */
    int abandoned; /* atomic: nobody wants the rows any more */
    GError *error;
};

static void insert_batch(struct xt_writer *w, struct xt_batch *batch)
{
    sqlite3_stmt *insert = w->insert[batch->table];

    if (batch->n && !g_atomic_int_get(&w->failed) && !g_atomic_int_get(&w->abandoned)) {
        w->inserting = batch;
        sqlite3_step(insert);
        if (sqlite3_reset(insert) != SQLITE_OK) {
            xt_db_set_error(w->db, "storing rows", &w->error);
            g_atomic_int_set(&w->failed, 1);
        }
        if (w->flush)
            xt_flush_more(w->flush, batch->n * batch->n_columns * BYTES_PER_VALUE);
    }
    batch->n = 0;
}

static gpointer run_thread(gpointer data)
{
    struct xt_writer *w = data;
    struct xt_batch *batch;

    while ((batch = g_async_queue_pop(w->full))->n) {
        insert_batch(w, batch);
        g_async_queue_push(w->empty, batch);
    }
    g_async_queue_push(w->empty, batch);
    return NULL;
}

static const char *blame_name(int blame)
{
    return xt_blame_name((enum xt_blame)blame);
}

static const char *kind_name(int table)
{
    return tables[table].name;
}

/* Rows are numbers; where the table has a word, the number is that of an enumeration. */
static void append_words(GString *sql, unsigned column, int n, const char *(*name)(int))
{
    g_string_append_printf(sql, "CASE a%u", column);
    for (int i = 0; i < n; i++)
        g_string_append_printf(sql, " WHEN %d THEN '%s'", i, name(i));
    g_string_append(sql, " END");
}

static void append_column(GString *sql, enum xt_table_id table, unsigned column)
{
    if (column)
        g_string_append(sql, ", ");
    if (table == XT_T_CHUNK && column == 0)
        append_words(sql, column, XT_N_CHUNKED, kind_name);
    else if (table == XT_T_BLAME && column == 2)
        append_words(sql, column, XT_N_BLAMES, blame_name);
    else
        g_string_append_printf(sql, "a%u", column);
}

/* "INSERT INTO loss SELECT NULL, a0, a1, … FROM xentrail_batch" */
static bool prepare(struct xt_writer *w, enum xt_table_id table, GError **error)
{
    GString *sql = g_string_new(NULL);

    g_string_printf(sql, "INSERT INTO %s SELECT %s", tables[table].name,
                    tables[table].has_id ? "NULL, " : "");
    for (unsigned i = 0; i < tables[table].n_columns; i++)
        append_column(sql, table, i);
    g_string_append(sql, " FROM xentrail_batch");
    if (sqlite3_prepare_v3(w->db, sql->str, -1, SQLITE_PREPARE_PERSISTENT, &w->insert[table], NULL) !=
        SQLITE_OK)
        xt_db_set_error(w->db, "preparing the tables", error);
    g_string_free(sql, TRUE);
    return w->insert[table] != NULL;
}

struct xt_writer *xt_writer_new(sqlite3 *db, bool threaded, GError **error)
{
    struct xt_writer *w = g_new0(struct xt_writer, 1);
    bool ok = xt_batch_register(db, &w->inserting);

    w->db = db;
    w->full = g_async_queue_new();
    w->empty = g_async_queue_new_full(g_free);
    if (!ok)
        xt_db_set_error(db, "preparing the tables", error);
    for (int i = 0; ok && i < XT_N_TABLES; i++)
        ok = prepare(w, (enum xt_table_id)i, error);
    if (!ok) {
        xt_writer_free(w);
        return NULL;
    }
    for (int i = 0; i < N_BATCHES; i++) {
        struct xt_batch *batch = g_new(struct xt_batch, 1);

        batch->n = 0;
        g_async_queue_push(w->empty, batch);
    }
    if (threaded) {
        w->flush = xt_flush_new(db);
        w->thread = g_thread_new("xentrail-writer", run_thread, w);
    }
    return w;
}

static void hand_over(struct xt_writer *w, enum xt_table_id table)
{
    struct xt_batch *batch = w->filling[table];

    w->filling[table] = NULL;
    if (w->thread) {
        g_async_queue_push(w->full, batch);
    } else {
        insert_batch(w, batch);
        g_async_queue_push(w->empty, batch);
    }
}

int64_t *xt_writer_row(struct xt_writer *w, enum xt_table_id table)
{
    struct xt_batch *batch = w->filling[table];
    unsigned n_columns = tables[table].n_columns;

    if (!batch) {
        if (g_atomic_int_get(&w->failed))
            return NULL;
        batch = w->filling[table] = g_async_queue_pop(w->empty);
        batch->table = table;
        batch->n_columns = n_columns;
    } else if ((batch->n + 1) * n_columns > XT_BATCH_WORDS) {
        hand_over(w, table);
        return xt_writer_row(w, table);
    }
    return batch->words + batch->n++ * n_columns;
}

static void stop(struct xt_writer *w)
{
    for (int i = 0; i < XT_N_TABLES; i++) {
        if (w->filling[i])
            hand_over(w, (enum xt_table_id)i);
    }
    if (!w->thread)
        return;
    g_async_queue_push(w->full, g_async_queue_pop(w->empty));
    g_thread_join(w->thread);
    w->thread = NULL;
    if (w->flush && !xt_flush_end(w->flush, w->error ? NULL : &w->error))
        g_atomic_int_set(&w->failed, 1);
    w->flush = NULL;
}

bool xt_writer_finish(struct xt_writer *w, GError **error)
{
    stop(w);
    if (!w->error)
        return true;
    g_propagate_error(error, g_steal_pointer(&w->error));
    return false;
}

void xt_writer_free(struct xt_writer *w)
{
    if (!w)
        return;
    g_atomic_int_set(&w->abandoned, 1);
    stop(w);
    for (int i = 0; i < XT_N_TABLES; i++)
        sqlite3_finalize(w->insert[i]);
    xt_batch_unregister(w->db);
    g_async_queue_unref(w->full);
    g_async_queue_unref(w->empty);
    g_clear_error(&w->error);
    g_free(w);
}
