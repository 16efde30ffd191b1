/* Pooling: the distributions of all runs of a policy merged into one, value by value, so that quantiles stay exact. */
#include <math.h>
#include <string.h>

#include "db/bind.h"
#include "db/internal.h"
#include "db/samples.h"
#include "db/store-internal.h"
#include "parse/stats.h"

static const double wanted[] = { 0.5, 0.9, 0.99, 0.999 };

/* Runs that are pooled: of one policy and one kind of server. */
struct group {
    const char *policy, *server; /* as the table policy_metric has them */
};

#define OF_GROUP "coalesce(r.policy, 'unknown') = ?1 AND coalesce(r.server, '') = ?2"

static void bind_group(sqlite3_stmt *stmt, const struct group *group)
{
    sqlite3_bind_text(stmt, 1, group->policy, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, group->server, -1, SQLITE_STATIC);
}

/* What one pass over the merged samples finds. */
struct pool {
    uint64_t n, seen;
    uint64_t rank[G_N_ELEMENTS(wanted)];
    int64_t quantile[G_N_ELEMENTS(wanted)];
    unsigned next; /* quantile to be found */
    double sum;
    int64_t min_ns, max_ns;
};

static bool open_cursors(sqlite3 *db, const struct group *group, int metric, GArray *cursors, GError **error)
{
    sqlite3_stmt *runs = xt_db_prepare(db, "SELECT r.id FROM run r JOIN metric_stat s ON s.run = r.id AND s.metric = ?3 "
                                       "WHERE " OF_GROUP " AND s.n > 0 ORDER BY r.id", error);
    bool ok = runs != NULL;
    int rc = SQLITE_DONE;

    if (!ok)
        return false;
    bind_group(runs, group);
    sqlite3_bind_int(runs, 3, metric);
    while (ok && (rc = sqlite3_step(runs)) == SQLITE_ROW) {
        struct xt_sample_cursor cursor;

        ok = xt_sample_open(&cursor, db, sqlite3_column_int64(runs, 0), metric, error);
        if (ok)
            g_array_append_val(cursors, cursor);
    }
    if (ok && rc != SQLITE_DONE)
        xt_db_set_error(db, "pooling a policy's runs", error);
    sqlite3_finalize(runs);
    return ok && rc == SQLITE_DONE;
}

static void pool_pair(struct pool *pool, int64_t value_ns, uint64_t count)
{
    if (pool->seen == 0)
        pool->min_ns = value_ns;
    pool->max_ns = value_ns;
    pool->seen += count;
    pool->sum += (double)value_ns * (double)count;
    while (pool->next < G_N_ELEMENTS(wanted) && pool->rank[pool->next] <= pool->seen)
        pool->quantile[pool->next++] = value_ns;
}

/* Few runs share a policy, so the least of their values is looked for one by one. */
static bool merge(GArray *cursors, struct pool *pool, GError **error)
{
    struct xt_sample_cursor *c = (struct xt_sample_cursor *)(void *)cursors->data;
    guint n = 0;
    GError *failed = NULL;

    for (guint i = 0; i < cursors->len && !failed; i++) {
        if (xt_sample_next(&c[i], &failed)) {
            struct xt_sample_cursor swap = c[n];

            c[n++] = c[i];
            if (i >= n)
                c[i] = swap;
        }
    }
    while (n > 0 && !failed) {
        guint least = 0;

        for (guint i = 1; i < n; i++) {
            if (c[i].value_ns < c[least].value_ns)
                least = i;
        }
        pool_pair(pool, c[least].value_ns, c[least].count);
        if (!xt_sample_next(&c[least], &failed)) {
            struct xt_sample_cursor ended = c[least];

            c[least] = c[--n];
            c[n] = ended;
        }
    }
    if (failed)
        g_propagate_error(error, failed);
    return !failed;
}

static bool insert_pool(sqlite3 *db, const struct group *group, int metric, guint runs, int64_t dropped, const struct pool *pool,
                        GError **error)
{
    struct xt_bind b = { .stmt = xt_db_prepare(db, "INSERT INTO policy_metric VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", error) };
    bool some = pool->n > 0, ok;

    if (!b.stmt)
        return false;
    put_text(&b, group->policy);
    put_text(&b, group->server);
    put_int(&b, metric);
    put_int(&b, runs);
    put_int(&b, (int64_t)pool->n);
    put_int(&b, dropped);
    put_int_if(&b, some, pool->min_ns);
    put_real_if(&b, some, pool->sum / (double)pool->n);
    for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++)
        put_int_if(&b, some, pool->quantile[i]);
    put_int_if(&b, some, pool->max_ns);
    ok = put_row(&b);
    if (!ok)
        xt_db_set_error(db, "storing a policy's statistics", error);
    sqlite3_finalize(b.stmt);
    return ok;
}

static bool pool_metric(sqlite3 *db, const struct group *group, int metric, uint64_t n, int64_t dropped, GError **error)
{
    GArray *cursors = g_array_new(FALSE, FALSE, sizeof(struct xt_sample_cursor));
    struct pool pool = { .n = n };
    bool ok;

    for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++)
        pool.rank[i] = (uint64_t)ceil(wanted[i] * (double)n - 1e-9);
    ok = open_cursors(db, group, metric, cursors, error) && merge(cursors, &pool, error) &&
         insert_pool(db, group, metric, cursors->len, dropped, &pool, error);
    for (guint i = 0; i < cursors->len; i++)
        xt_sample_close(&g_array_index(cursors, struct xt_sample_cursor, i));
    g_array_free(cursors, TRUE);
    return ok;
}

bool xt_db_pool_policy(sqlite3 *db, const char *policy, const char *server, GError **error)
{
    const struct group group = { policy, server ? server : "" };
    sqlite3_stmt *forget = xt_db_prepare(db, "DELETE FROM policy_metric WHERE policy = ?1 AND server = ?2", error);
    sqlite3_stmt *totals = xt_db_prepare(db, "SELECT s.metric, sum(s.n), sum(s.dropped) FROM run r JOIN metric_stat s "
                                         "ON s.run = r.id WHERE " OF_GROUP " GROUP BY s.metric",
                                         forget ? error : NULL);
    bool ok = forget && totals;
    int rc = SQLITE_DONE;

    if (ok) {
        bind_group(forget, &group);
        bind_group(totals, &group);
        sqlite3_step(forget);
    }
    while (ok && (rc = sqlite3_step(totals)) == SQLITE_ROW)
        ok = pool_metric(db, &group, sqlite3_column_int(totals, 0), (uint64_t)sqlite3_column_int64(totals, 1),
                         sqlite3_column_int64(totals, 2), error);
    if (ok && rc != SQLITE_DONE) {
        xt_db_set_error(db, "pooling a policy's runs", error);
        ok = false;
    }
    sqlite3_finalize(forget);
    sqlite3_finalize(totals);
    return ok;
}
