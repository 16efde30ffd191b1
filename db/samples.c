/* Packing and walking of samples. See samples.h and table sample in schema.sql. */
#include "db/samples.h"

#include "db/internal.h"
#include "db/leb128.h"
#include "db/store-internal.h"
#include "parse/error.h"

#define ROW_BYTES 3800 /* of pairs: a row fits into a page */

struct packer {
    sqlite3 *db;
    sqlite3_stmt *insert;
    int64_t run;
    int metric, part;
    GByteArray *pairs;
    int64_t n, min_ns, max_ns; /* of the row being packed */
    GError **error;
    bool ok;
};

static void write_row(struct packer *p)
{
    if (p->pairs->len == 0 || !p->ok)
        return;
    sqlite3_bind_int64(p->insert, 1, p->run);
    sqlite3_bind_int(p->insert, 2, p->metric);
    sqlite3_bind_int(p->insert, 3, p->part++);
    sqlite3_bind_int64(p->insert, 4, p->n);
    sqlite3_bind_int64(p->insert, 5, p->min_ns);
    sqlite3_bind_int64(p->insert, 6, p->max_ns);
    sqlite3_bind_blob(p->insert, 7, p->pairs->data, (int)p->pairs->len, SQLITE_STATIC);
    sqlite3_step(p->insert);
    p->ok = sqlite3_reset(p->insert) == SQLITE_OK;
    if (!p->ok)
        xt_db_set_error(p->db, "storing samples", p->error);
    g_byte_array_set_size(p->pairs, 0);
    p->n = 0;
}

static void pack(void *user, int64_t value_ns, uint64_t count)
{
    struct packer *p = user;
    bool first = p->pairs->len == 0;

    xt_put_leb128(p->pairs, (uint64_t)(first ? value_ns : value_ns - p->max_ns));
    xt_put_leb128(p->pairs, count);
    if (first)
        p->min_ns = value_ns;
    p->max_ns = value_ns;
    p->n += (int64_t)count;
    if (p->pairs->len >= ROW_BYTES)
        write_row(p);
}

bool xt_db_store_samples(sqlite3 *db, int64_t run, int metric, const struct xt_distribution *d,
                         GError **error)
{
    struct packer p = { .db = db, .run = run, .metric = metric, .error = error, .ok = true };

    p.insert = xt_db_prepare(db, "INSERT INTO sample VALUES (?,?,?,?,?,?,?)", error);
    if (!p.insert)
        return false;
    p.pairs = g_byte_array_new();
    xt_distribution_foreach(d, pack, &p);
    write_row(&p);
    g_byte_array_free(p.pairs, TRUE);
    sqlite3_finalize(p.insert);
    return p.ok;
}

bool xt_sample_open(struct xt_sample_cursor *c, sqlite3 *db, int64_t run, int metric, GError **error)
{
    *c = (struct xt_sample_cursor){ 0 };
    c->stmt = xt_db_prepare(db, "SELECT pairs FROM sample WHERE run = ? AND metric = ? ORDER BY part", error);
    if (!c->stmt)
        return false;
    sqlite3_bind_int64(c->stmt, 1, run);
    sqlite3_bind_int(c->stmt, 2, metric);
    return true;
}

static bool next_row(struct xt_sample_cursor *c, GError **error)
{
    int rc = sqlite3_step(c->stmt);

    if (rc == SQLITE_ROW) {
        c->at = sqlite3_column_blob(c->stmt, 0);
        c->end = c->at + sqlite3_column_bytes(c->stmt, 0);
        c->value_ns = 0;
        return true;
    }
    if (rc != SQLITE_DONE)
        xt_db_set_error(sqlite3_db_handle(c->stmt), "reading samples", error);
    return false;
}

bool xt_sample_next(struct xt_sample_cursor *c, GError **error)
{
    uint64_t difference;

    while (c->at == c->end) {
        if (!next_row(c, error))
            return false;
    }
    if (xt_take_leb128(&c->at, c->end, &difference) && xt_take_leb128(&c->at, c->end, &c->count)) {
        c->value_ns += (int64_t)difference;
        return true;
    }
    g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s: damaged samples; `xentrail db check` says more",
                sqlite3_db_filename(sqlite3_db_handle(c->stmt), "main"));
    return false;
}

void xt_sample_close(struct xt_sample_cursor *c)
{
    sqlite3_finalize(c->stmt);
    c->stmt = NULL;
}
