#include "db/flush.h"

#include <sqlite3.h>

#include "parse/error.h"

#define FLUSH_BYTES (8u << 20) /* at once: enough to keep a disk busy, little for the commit to wait for */

struct xt_flush {
    sqlite3_file *file; /* SQLite's own; syncing it touches nothing but the file */
    char *name;
    size_t bytes; /* on their way since the last order */
    GAsyncQueue *orders;
    GThread *thread;
    int code; /* of SQLite, once the thread has ended */
};

enum { ORDER_FLUSH = 1, ORDER_END };

static gpointer run(gpointer data)
{
    struct xt_flush *f = data;

    while (GPOINTER_TO_INT(g_async_queue_pop(f->orders)) == ORDER_FLUSH)
        if (f->code == SQLITE_OK)
            f->code = f->file->pMethods->xSync(f->file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
    return NULL;
}

struct xt_flush *xt_flush_new(sqlite3 *db)
{
    sqlite3_file *file = NULL;

    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file || !file->pMethods)
        return NULL;
    struct xt_flush *f = g_new0(struct xt_flush, 1);
    f->file = file;
    f->name = g_strdup(sqlite3_db_filename(db, "main"));
    f->orders = g_async_queue_new();
    f->thread = g_thread_new("xentrail-flush", run, f);
    return f;
}

void xt_flush_more(struct xt_flush *f, size_t bytes)
{
    f->bytes += bytes;
    if (f->bytes < FLUSH_BYTES || g_async_queue_length(f->orders) > 0)
        return;
    f->bytes = 0;
    g_async_queue_push(f->orders, GINT_TO_POINTER(ORDER_FLUSH));
}

bool xt_flush_end(struct xt_flush *f, GError **error)
{
    g_async_queue_push(f->orders, GINT_TO_POINTER(ORDER_END));
    g_thread_join(f->thread);
    bool ok = f->code == SQLITE_OK;
    if (!ok)
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: storing rows: %s", f->name, sqlite3_errstr(f->code));
    g_async_queue_unref(f->orders);
    g_free(f->name);
    g_free(f);
    return ok;
}
