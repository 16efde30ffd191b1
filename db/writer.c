/* Batches of rows and the thread that inserts them. See writer.h. */
#include "db/writer.h"

#include <sqlite3.h>

#include "db/internal.h"
#include "parse/sink.h"

#define BATCH_WORDS 16384 /* 128 KiB: about a thousand rows, small enough to stay in cache between the two cores */
#define N_BATCHES 16

static const struct {
    const char *sql;
    int n_columns;
} tables[XT_N_TABLES] = {
    [XT_T_DISPATCH] = { "INSERT INTO dispatch VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", 16 },
    [XT_T_INTERVAL] = { "INSERT INTO interval VALUES (?,?,?,?,?)", 5 },
    [XT_T_DECISION] = { "INSERT INTO decision VALUES (?,?,?,?,?,?,?,?,?)", 9 },
    [XT_T_OVERHEAD] = { "INSERT INTO overhead VALUES (?,?,?,?,?,?,?,?)", 8 },
    [XT_T_REPLENISHMENT] = { "INSERT INTO replenishment VALUES (?,?,?,?,?,?)", 6 },
    [XT_T_PERIOD] = { "INSERT INTO period VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", 12 },
    [XT_T_CHUNK + XT_T_DISPATCH] = { "INSERT INTO chunk VALUES ('dispatch',?,?,?,?,?)", 5 },
    [XT_T_CHUNK + XT_T_INTERVAL] = { "INSERT INTO chunk VALUES ('interval',?,?,?,?,?)", 5 },
    [XT_T_CHUNK + XT_T_DECISION] = { "INSERT INTO chunk VALUES ('decision',?,?,?,?,?)", 5 },
    [XT_T_CHUNK + XT_T_OVERHEAD] = { "INSERT INTO chunk VALUES ('overhead',?,?,?,?,?)", 5 },
    [XT_T_CHUNK + XT_T_REPLENISHMENT] = { "INSERT INTO chunk VALUES ('replenishment',?,?,?,?,?)", 5 },
    [XT_T_CHUNK + XT_T_PERIOD] = { "INSERT INTO chunk VALUES ('period',?,?,?,?,?)", 5 },
    [XT_T_LOSS] = { "INSERT INTO loss VALUES (NULL,?,?,?,?,?)", 5 },
    [XT_T_BLAME + XT_BLAME_OVERLOAD] = { "INSERT INTO blame_part VALUES (?,?,'overload',?,?,?)", 5 },
    [XT_T_BLAME + XT_BLAME_INVERSION] = { "INSERT INTO blame_part VALUES (?,?,'inversion',?,?,?)", 5 },
    [XT_T_BLAME + XT_BLAME_LATENCY] = { "INSERT INTO blame_part VALUES (?,?,'latency',?,?,?)", 5 },
    [XT_T_BLAME + XT_BLAME_UNKNOWN] = { "INSERT INTO blame_part VALUES (?,?,'unknown',?,?,?)", 5 },
};
G_STATIC_ASSERT(XT_N_BLAMES == 4);

static const char *const chunked_names[XT_N_CHUNKED] = {
    [XT_T_DISPATCH] = "dispatch", [XT_T_INTERVAL] = "interval",           [XT_T_DECISION] = "decision",
    [XT_T_OVERHEAD] = "overhead", [XT_T_REPLENISHMENT] = "replenishment", [XT_T_PERIOD] = "period",
};

const char *xt_table_name(enum xt_table_id table)
{
    g_return_val_if_fail(table < XT_N_CHUNKED, NULL);
    return chunked_names[table];
}

struct batch {
    unsigned used;
    int64_t words[BATCH_WORDS]; /* table, values, table, values, … */
};

struct xt_writer {
    sqlite3 *db;
    sqlite3_stmt *insert[XT_N_TABLES];
    struct batch *batch; /* being filled */
    GThread *thread;     /* NULL: rows are inserted by the caller's own thread */
    GAsyncQueue *full, *empty; /* of struct batch *; a batch with no words ends the thread */
    int failed;    /* atomic: the error is set, further rows are dropped */
    int abandoned; /* atomic: nobody wants the rows any more */
    GError *error;
};

static bool insert_row(struct xt_writer *w, enum xt_table_id table, const int64_t *values)
{
    sqlite3_stmt *insert = w->insert[table];

    for (int i = 0; i < tables[table].n_columns; i++) {
        if (values[i] == XT_NULL)
            sqlite3_bind_null(insert, i + 1);
        else
            sqlite3_bind_int64(insert, i + 1, values[i]);
    }
    sqlite3_step(insert);
    if (sqlite3_reset(insert) == SQLITE_OK)
        return true;
    xt_db_set_error(w->db, "storing rows", &w->error);
    return false;
}

static void insert_batch(struct xt_writer *w, struct batch *batch)
{
    unsigned at = 0;

    while (at < batch->used && !g_atomic_int_get(&w->failed) && !g_atomic_int_get(&w->abandoned)) {
        enum xt_table_id table = (enum xt_table_id)batch->words[at];

        if (!insert_row(w, table, batch->words + at + 1))
            g_atomic_int_set(&w->failed, 1);
        at += 1 + (unsigned)tables[table].n_columns;
    }
    batch->used = 0;
}

static gpointer run_thread(gpointer data)
{
    struct xt_writer *w = data;
    struct batch *batch;

    while ((batch = g_async_queue_pop(w->full))->used) {
        insert_batch(w, batch);
        g_async_queue_push(w->empty, batch);
    }
    g_async_queue_push(w->empty, batch);
    return NULL;
}

struct xt_writer *xt_writer_new(sqlite3 *db, bool threaded, GError **error)
{
    struct xt_writer *w = g_new0(struct xt_writer, 1);

    w->db = db;
    for (int i = 0; i < XT_N_TABLES; i++) {
        if (sqlite3_prepare_v3(db, tables[i].sql, -1, SQLITE_PREPARE_PERSISTENT, &w->insert[i], NULL) != SQLITE_OK) {
            xt_db_set_error(db, "preparing the tables", error);
            xt_writer_free(w);
            return NULL;
        }
    }
    if (!threaded) {
        w->batch = g_new(struct batch, 1);
        w->batch->used = 0;
        return w;
    }
    w->full = g_async_queue_new();
    w->empty = g_async_queue_new();
    for (int i = 0; i < N_BATCHES; i++) {
        struct batch *batch = g_new(struct batch, 1);

        batch->used = 0;
        g_async_queue_push(w->empty, batch);
    }
    w->batch = g_async_queue_pop(w->empty);
    w->thread = g_thread_new("xentrail-writer", run_thread, w);
    return w;
}

static void hand_over(struct xt_writer *w)
{
    if (!w->thread) {
        insert_batch(w, w->batch);
        return;
    }
    g_async_queue_push(w->full, w->batch);
    w->batch = g_async_queue_pop(w->empty);
}

int64_t *xt_writer_row(struct xt_writer *w, enum xt_table_id table)
{
    unsigned size = 1 + (unsigned)tables[table].n_columns;
    int64_t *words;

    if (w->batch->used + size > BATCH_WORDS) {
        hand_over(w);
        if (g_atomic_int_get(&w->failed))
            return NULL;
    }
    words = w->batch->words + w->batch->used;
    w->batch->used += size;
    words[0] = table;
    return words + 1;
}

static void stop_thread(struct xt_writer *w)
{
    if (!w->thread)
        return;
    if (w->batch->used)
        hand_over(w);
    g_async_queue_push(w->full, w->batch);
    g_thread_join(w->thread);
    w->thread = NULL;
    w->batch = NULL;
}

bool xt_writer_finish(struct xt_writer *w, GError **error)
{
    if (w->thread)
        stop_thread(w);
    else if (w->batch)
        insert_batch(w, w->batch);
    if (!w->error)
        return true;
    g_propagate_error(error, g_steal_pointer(&w->error));
    return false;
}

void xt_writer_free(struct xt_writer *w)
{
    struct batch *batch;

    if (!w)
        return;
    g_atomic_int_set(&w->abandoned, 1);
    stop_thread(w);
    while (w->empty && (batch = g_async_queue_try_pop(w->empty)))
        g_free(batch);
    g_clear_pointer(&w->empty, g_async_queue_unref);
    g_clear_pointer(&w->full, g_async_queue_unref);
    g_free(w->batch);
    for (int i = 0; i < XT_N_TABLES; i++)
        sqlite3_finalize(w->insert[i]);
    g_clear_error(&w->error);
    g_free(w);
}
