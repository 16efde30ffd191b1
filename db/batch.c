/* The virtual table over a batch. See batch.h. */
#include "db/batch.h"

#include <glib.h>
#include <string.h>

#include "db/writer.h"

struct table {
    sqlite3_vtab base;
    struct xt_batch *const *batch;
};

struct cursor {
    sqlite3_vtab_cursor base;
    const struct xt_batch *batch;
    const int64_t *row;
    unsigned at;
};

static int on_connect(sqlite3 *db, void *user, int argc, const char *const *argv, sqlite3_vtab **vtab,
                      char **message)
{
    struct table *table = sqlite3_malloc(sizeof(*table));

    if (!table)
        return SQLITE_NOMEM;
    memset(table, 0, sizeof(*table));
    table->batch = user;
    *vtab = &table->base;
    return sqlite3_declare_vtab(
        db, "CREATE TABLE x (a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15)");
}
G_STATIC_ASSERT(XT_BATCH_MAX_COLUMNS == 16);

static int on_disconnect(sqlite3_vtab *vtab)
{
    sqlite3_free(vtab);
    return SQLITE_OK;
}

static int on_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    info->estimatedCost = 1000;
    return SQLITE_OK;
}

static int on_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **cursor)
{
    struct cursor *c = sqlite3_malloc(sizeof(*c));

    if (!c)
        return SQLITE_NOMEM;
    memset(c, 0, sizeof(*c));
    *cursor = &c->base;
    return SQLITE_OK;
}

static int on_close(sqlite3_vtab_cursor *cursor)
{
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int on_filter(sqlite3_vtab_cursor *cursor, int index, const char *name, int argc, sqlite3_value **argv)
{
    struct cursor *c = (struct cursor *)cursor;

    c->batch = *((struct table *)cursor->pVtab)->batch;
    c->row = c->batch->words;
    c->at = 0;
    return SQLITE_OK;
}

static int on_next(sqlite3_vtab_cursor *cursor)
{
    struct cursor *c = (struct cursor *)cursor;

    c->at++;
    c->row += c->batch->n_columns;
    return SQLITE_OK;
}

static int on_eof(sqlite3_vtab_cursor *cursor)
{
    const struct cursor *c = (const struct cursor *)cursor;

    return c->at >= c->batch->n;
}

static int on_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
    const struct cursor *c = (const struct cursor *)cursor;

    if ((unsigned)column < c->batch->n_columns && c->row[column] != XT_NULL)
        sqlite3_result_int64(context, c->row[column]);
    return SQLITE_OK;
}

static int on_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
    *rowid = ((const struct cursor *)cursor)->at;
    return SQLITE_OK;
}

static const sqlite3_module module = {
    .xConnect = on_connect,
    .xBestIndex = on_best_index,
    .xDisconnect = on_disconnect,
    .xOpen = on_open,
    .xClose = on_close,
    .xFilter = on_filter,
    .xNext = on_next,
    .xEof = on_eof,
    .xColumn = on_column,
    .xRowid = on_rowid,
};

bool xt_batch_register(sqlite3 *db, struct xt_batch *const *batch)
{
    return sqlite3_create_module(db, "xentrail_batch", &module, (void *)batch) == SQLITE_OK;
}

void xt_batch_unregister(sqlite3 *db)
{
    sqlite3_create_module(db, "xentrail_batch", NULL, NULL);
}
