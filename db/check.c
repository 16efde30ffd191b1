/* Integrity of the file, of references, of timelines, and of totals against rows. See check.h. */
#include "db/check.h"

#include "db/internal.h"

/* Each query gives a sentence for every thing that is wrong, nothing if all is well. */
static const struct {
    const char *doing, *sql;
} checks[] = {
    { "the file", "SELECT 'the file is damaged: ' || integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'" },
    { "references", "SELECT 'table ' || \"table\" || ', row ' || coalesce(rowid, '?') || ': refers to a missing row of ' || parent"
                    " FROM pragma_foreign_key_check LIMIT 100" },
    { "references of rows",
      "SELECT 'dispatch ' || d.id || ': refers to a VCPU or combination that is not there' FROM dispatch d"
      " WHERE d.vcpu NOT IN (SELECT id FROM vcpu) OR d.how NOT IN (SELECT id FROM how)"
      " OR d.prev NOT IN (SELECT id FROM vcpu) OR d.next NOT IN (SELECT id FROM vcpu) LIMIT 100" },
    { "chunks",
      "WITH rows(kind, n) AS (SELECT 'dispatch', count(*) FROM dispatch UNION ALL SELECT 'interval', count(*) FROM interval"
      " UNION ALL SELECT 'decision', count(*) FROM decision UNION ALL SELECT 'overhead', count(*) FROM overhead"
      " UNION ALL SELECT 'replenishment', count(*) FROM replenishment UNION ALL SELECT 'period', count(*) FROM period)"
      " SELECT 'table ' || r.kind || ' has ' || r.n || ' rows, chunks know of ' || coalesce(c.n, 0) FROM rows r"
      " LEFT JOIN (SELECT kind, sum(last_id - first_id + 1) AS n FROM chunk GROUP BY kind) c USING (kind)"
      " WHERE r.n <> coalesce(c.n, 0)" },
    { "sums of time", /* for those behind it: they take long to add up */
      "CREATE TEMP TABLE state_sums AS SELECT run, domid, vcpu, state, sum(dur) AS ns, sum(dur > 0) AS n FROM intervals"
      " GROUP BY 1, 2, 3, 4" },
    { "timelines: no gap, no overlap",
      "SELECT 'run ' || run || ', d' || domid || 'v' || vcpu || ': ' || CASE WHEN ts < want THEN 'overlap' ELSE 'gap' END"
      " || ' of ' || abs(ts - want) || ' ns at ts ' || min(ts, want) FROM ("
      "  SELECT run, domid, vcpu, ts, lag(ts + dur, 1, 0) OVER (PARTITION BY run, domid, vcpu ORDER BY ts, ts + dur) AS want"
      "  FROM intervals) WHERE ts <> want LIMIT 100" },
    { "timelines: to the end",
      "SELECT 'run ' || i.run || ', d' || i.domid || 'v' || i.vcpu || ': intervals sum to ' || sum(i.ns) || ' ns, the run to '"
      " || r.duration_ns FROM state_sums i JOIN run r ON r.id = i.run GROUP BY i.run, i.domid, i.vcpu"
      " HAVING sum(i.ns) <> r.duration_ns LIMIT 100" },
    { "totals of time",
      "SELECT 'run ' || v.run || ', d' || v.domid || 'v' || v.vcpu || ': the total of ' || i.state || ' is not that of its intervals'"
      " FROM vcpu v JOIN state_sums i ON i.run = v.run AND i.domid = v.domid AND i.vcpu = v.vcpu"
      " WHERE i.ns <> CASE i.state WHEN 'running' THEN v.running_ns WHEN 'runnable' THEN v.runnable_ns"
      " WHEN 'blocked' THEN v.blocked_ns WHEN 'offline' THEN v.offline_ns ELSE v.unknown_ns END LIMIT 100" },
    { "totals of counts",
      /* inconsistent records are counted as they stand, while rows follow the timeline: no comparison there */
      "SELECT 'run ' || v.run || ', d' || v.domid || 'v' || v.vcpu || ': counts ' || v.dispatches || ' dispatches, '"
      " || v.migrations || ' migrations, ' || v.preemptions || ' preemptions, ' || v.depletions || ' depletions; its rows '"
      " || d.dispatches || ', ' || d.migrations || ', ' || d.preemptions || ', ' || d.depletions"
      " FROM vcpu v JOIN run r ON r.id = v.run JOIN (SELECT d.vcpu, sum(NOT h.no_dispatch) AS dispatches,"
      " sum(h.migrated) AS migrations, sum(h.end_kind IS 'preemption') AS preemptions,"
      " sum(h.end_kind IS 'depletion') AS depletions FROM dispatch d JOIN how h ON h.id = d.how GROUP BY d.vcpu) d"
      " ON d.vcpu = v.id WHERE v.domid <> 32767 AND v.inconsistencies = 0 AND r.lost_records = 0 AND NOT r.core_scheduling"
      " AND (v.dispatches <> d.dispatches OR v.migrations <> d.migrations OR v.preemptions <> d.preemptions"
      " OR v.depletions <> d.depletions) LIMIT 100" },
    { "periods",
      "SELECT 'run ' || v.run || ', d' || v.domid || 'v' || v.vcpu || ': counts ' || v.periods || ' periods, '"
      " || v.periods_judged || ' judged, ' || v.period_misses || ' missed; its rows ' || p.n || ', ' || p.judged || ', '"
      " || p.missed FROM vcpu v JOIN (SELECT s.vcpu, count(*) AS n, count(p.missed) AS judged,"
      " coalesce(sum(p.missed), 0) AS missed FROM period p JOIN reservation s ON s.id = p.reservation GROUP BY s.vcpu) p"
      " ON p.vcpu = v.id WHERE p.n <> v.periods OR p.judged <> v.periods_judged OR p.missed <> v.period_misses LIMIT 100" },
    { "shares of time",
      "SELECT 'run ' || v.run || ', d' || v.domid || 'v' || v.vcpu || ': shares sum to ' || s.running || ' ns running, '"
      " || s.runnable || ' runnable, ' || s.unknown || ' unknown; its totals are ' || v.running_ns || ', ' || v.runnable_ns"
      " || ', ' || v.unknown_ns FROM vcpu v JOIN (SELECT vcpu, sum(running_ns) AS running, sum(runnable_ns) AS runnable,"
      " sum(unknown_ns) AS unknown FROM vcpu_share GROUP BY vcpu) s ON s.vcpu = v.id WHERE s.running <> v.running_ns"
      " OR s.runnable <> v.runnable_ns OR s.unknown <> v.unknown_ns LIMIT 100" },
    { "shares of time: where they ran",
      "SELECT 'run ' || s.run || ', VCPU ' || s.vcpu || ', bin ' || s.bin || ': pCPUs gave ' || coalesce(pcpus_ns(s.pcpus), '?')"
      " || ' ns, it ran ' || s.running_ns FROM vcpu_share s JOIN run r ON r.id = s.run WHERE NOT r.core_scheduling"
      " AND pcpus_ns(s.pcpus) IS NOT s.running_ns LIMIT 100" },
    { "shares' counts",
      "SELECT 'run ' || s.run || ', d' || s.domid || 'v' || s.vcpu || ': shares count ' || s.n || ' intervals, there are ' || i.n"
      " FROM (SELECT run, domid, vcpu, sum(intervals) AS n FROM vcpu_shares GROUP BY 1, 2, 3) s JOIN (SELECT run, domid, vcpu,"
      " sum(n) AS n FROM state_sums WHERE state IN ('running', 'runnable', 'unknown') GROUP BY 1, 2, 3) i"
      " USING (run, domid, vcpu) WHERE s.n <> i.n LIMIT 100" },
    { "rules",
      "SELECT 'run ' || r.run || ', rule ' || r.rule || ': broken ' || r.broken || ' times, but ' || v.n || ' rows'"
      " FROM rule r JOIN (SELECT run, rule, count(*) AS n FROM violation GROUP BY 1, 2) v USING (run, rule)"
      " WHERE r.broken < v.n" },
    { "samples",
      "SELECT 'run ' || s.run || ', metric ' || s.metric || ': ' || s.n || ' samples, stored ' || coalesce(p.n, 0)"
      " FROM metric_stat s LEFT JOIN (SELECT run, metric, sum(n) AS n FROM sample GROUP BY 1, 2) p"
      " ON p.run = s.run AND p.metric = s.metric WHERE s.n <> coalesce(p.n, 0)" },
    { "pooled statistics",
      "SELECT 'policy ' || p.policy || ', metric ' || p.metric || ': pooled ' || p.n || ' samples of ' || s.n"
      " FROM policy_metric p JOIN (SELECT coalesce(r.policy, 'unknown') AS policy, coalesce(r.server, '') AS server, m.metric,"
      " sum(m.n) AS n FROM run r JOIN metric_stat m ON m.run = r.id GROUP BY 1, 2, 3) s USING (policy, server, metric)"
      " WHERE p.n <> s.n" },
};

/* A sentence becomes NULL if a figure in it is. */
static void report(const char *doing, const char *sentence, void (*finding)(void *user, const char *message), void *user)
{
    char *message = sentence ? NULL : g_strdup_printf("%s: NULL stands where a number belongs", doing);

    finding(user, message ? message : sentence);
    g_free(message);
}

/* Runs a query that gives a sentence for every thing that is wrong. */
static void run_check(sqlite3 *handle, const char *doing, const char *sql, void (*finding)(void *user, const char *message),
                      void *user)
{
    sqlite3_stmt *stmt = NULL;
    int rc;

    if (sqlite3_prepare_v2(handle, sql, -1, &stmt, NULL) != SQLITE_OK) {
        char *message = g_strdup_printf("%s: cannot be checked: %s", doing, sqlite3_errmsg(handle));
        finding(user, message);
        g_free(message);
        return;
    }
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        report(doing, (const char *)sqlite3_column_text(stmt, 0), finding, user);
    sqlite3_finalize(stmt);
    if (rc != SQLITE_DONE)
        finding(user, sqlite3_errmsg(handle));
}

/* Compares tables and views with those that this program makes. What is missing or changed makes other answers wrong. */
static bool check_schema(sqlite3 *handle, sqlite3 *made, void (*finding)(void *user, const char *message), void *user,
                         GError **error)
{
    sqlite3_stmt *wanted = xt_db_prepare(made, "SELECT type, name, sql FROM sqlite_schema WHERE sql NOT NULL", error);
    sqlite3_stmt *found =
        wanted ? xt_db_prepare(handle, "SELECT sql FROM sqlite_schema WHERE type = ? AND name = ?", error) : NULL;

    while (found && sqlite3_step(wanted) == SQLITE_ROW) {
        const char *type = (const char *)sqlite3_column_text(wanted, 0), *name = (const char *)sqlite3_column_text(wanted, 1);
        const char *sql = (const char *)sqlite3_column_text(wanted, 2);
        sqlite3_bind_text(found, 1, type, -1, SQLITE_STATIC);
        sqlite3_bind_text(found, 2, name, -1, SQLITE_STATIC);
        bool there = sqlite3_step(found) == SQLITE_ROW;
        if (!there || g_strcmp0((const char *)sqlite3_column_text(found, 0), sql) != 0) {
            char *message = g_strdup_printf("%s %s %s", type, name, there ? "is not as xentrail makes it" : "is missing");
            finding(user, message);
            g_free(message);
        }
        sqlite3_reset(found);
    }
    sqlite3_finalize(found);
    sqlite3_finalize(wanted);
    return found != NULL;
}

/* SQLite keeps in a column whatever it was given, or was damaged to. One query for each table that this program makes. */
static bool check_types(sqlite3 *handle, sqlite3 *made, void (*finding)(void *user, const char *message), void *user,
                        GError **error)
{
    sqlite3_stmt *tables = xt_db_prepare(made,
        "SELECT 'SELECT ''table ' || t.name || ': '' || count(*) || '' rows hold something of another type than their columns'''"
        " || ' FROM ' || t.name || ' WHERE '"
        " || group_concat('typeof(' || c.name || ') NOT IN (''null'', ''' || lower(c.type) || ''')', ' OR ')"
        " || ' HAVING count(*) > 0'"
        " FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' GROUP BY t.name", error);

    while (tables && sqlite3_step(tables) == SQLITE_ROW)
        run_check(handle, "types", (const char *)sqlite3_column_text(tables, 0), finding, user);
    sqlite3_finalize(tables);
    return tables != NULL;
}

bool xt_db_check(struct xt_db *db, void (*finding)(void *user, const char *message),
                 void (*progress)(void *user, const char *doing), void *user, GError **error)
{
    sqlite3 *handle = xt_db_sqlite(db), *made = NULL;
    bool ok = sqlite3_open(":memory:", &made) == SQLITE_OK;

    if (!ok)
        xt_db_set_error(made, "making the tables anew", error);
    ok = ok && xt_db_exec(made, xt_schema_sql, error) && check_schema(handle, made, finding, user, error);
    if (ok && progress)
        progress(user, "types");
    ok = ok && check_types(handle, made, finding, user, error);
    sqlite3_close(made);
    for (unsigned i = 0; ok && i < G_N_ELEMENTS(checks); i++) {
        if (progress)
            progress(user, checks[i].doing);
        run_check(handle, checks[i].doing, checks[i].sql, finding, user);
    }
    sqlite3_exec(handle, "DROP TABLE IF EXISTS temp.state_sums", NULL, NULL, NULL);
    return ok;
}
