/* A run made by hand goes into a database and comes back through views, windows and summaries. Expected values were worked
 * out on paper from the drawing below, not by the code under test. */
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "db/check.h"
#include "db/db.h"
#include "db/query.h"
#include "db/store.h"
#include "parse/findings.h"
#include "parse/error.h"

/* One pCPU, 0 … 1000 ns. a = d1v0, b = d1v1, i = idle.
 *
 *      0    100  200  300            600    700       1000
 *  a   [run |    blocked       |rdy  |run   ........ open]     wakes at 500, dispatched 600 (latency 100), migrated
 *  b   [blocked  |rdy|run ends 600: preempted by a   |runnable to the end
 *  i    off       run 100-300 (waits until 100)                runnable from 300 on
 */
static struct xt_vcpu a = { 0, 1, 0 }, b = { 1, 1, 1 }, idle = { 2, XT_IDLE_DOMID, 0 };

static const struct xt_pcpu pcpus[] = { { .pcpu = 0, .scheduler = XT_SCHED_RTDS, .records = 20, .windows = 1,
                                          .now_offset_ns = 5000, .now_joined = true } };
static const struct xt_run run = {
    .start_tsc = UINT64_MAX - 5000, .end_tsc = UINT64_MAX - 4000, .duration_ns = 1000, .tsc_hz = 1000000000,
    .hz_source = XT_HZ_USER, .records = 20, .scheduler = XT_SCHED_RTDS, .generation = "4.10-", .now_offset_ns = 5000,
    .now_reference_pcpu = 0, .n_pcpus = 1, .pcpus = pcpus, .bytes = 400,
};

static void must(bool ok, GError *error)
{
    if (!ok)
        g_error("%s", error ? error->message : "failed without saying why");
}

struct feed {
    const struct xt_sink *sinks[3];
};

#define GIVE(feed, function, value)                                                        \
    do {                                                                                   \
        GError *give_error = NULL;                                                         \
        for (unsigned give_i = 0; give_i < 3; give_i++) {                                  \
            const struct xt_sink *give_sink = (feed)->sinks[give_i];                       \
            if (give_sink->function)                                                       \
                must(give_sink->function(give_sink->self, value, &give_error), give_error); \
        }                                                                                  \
    } while (0)

static void give_end(struct feed *f)
{
    GError *error = NULL;

    for (unsigned i = 0; i < 3; i++) {
        if (f->sinks[i]->end)
            must(f->sinks[i]->end(f->sinks[i]->self, &error), error);
    }
}

static void give_change(struct feed *f, struct xt_vcpu *v, int64_t ts, enum xt_state from, enum xt_state to,
                        enum xt_reason reason, bool migrated)
{
    struct xt_change change = { .vcpu = v, .ts = ts, .old_state = from, .new_state = to, .reason = reason,
                                .migrated = migrated };

    GIVE(f, change, &change);
}

static void give_changes(struct feed *f)
{
    give_change(f, &a, 100, XT_RUNNING, XT_BLOCKED, XT_REASON_BLOCKED, false);
    give_change(f, &idle, 100, XT_RUNNABLE, XT_RUNNING, XT_REASON_DISPATCHED, false);
    give_change(f, &b, 200, XT_BLOCKED, XT_RUNNABLE, XT_REASON_WAKEUP, false);
    give_change(f, &idle, 300, XT_RUNNING, XT_RUNNABLE, XT_REASON_NONE, false);
    give_change(f, &b, 300, XT_RUNNABLE, XT_RUNNING, XT_REASON_DISPATCHED, false);
    give_change(f, &a, 500, XT_BLOCKED, XT_RUNNABLE, XT_REASON_WAKEUP, false);
    give_change(f, &b, 600, XT_RUNNING, XT_RUNNABLE, XT_REASON_PREEMPTED, false);
    give_change(f, &a, 600, XT_RUNNABLE, XT_RUNNING, XT_REASON_DISPATCHED, true);
}

static void give_run(struct feed *f)
{
    const struct xt_dispatch dispatches[] = {
        { .vcpu = &a, .off_ts = 0, .ready_ts = 0, .run_ts = 0, .end_ts = 100, .off_state = XT_NO_STATE,
          .end_reason = XT_REASON_BLOCKED, .flags = XT_D_OPEN_START | XT_D_NO_DISPATCH, .pcpu = 0, .from_pcpu = XT_NO_PCPU,
          .next = &idle, .decision_ts = -1, .decision_ns = -1, .switch_ns = -1, .budget_left_ns = 7, .latency_ns = -1 },
        { .vcpu = &idle, .off_ts = 0, .ready_ts = 0, .run_ts = 100, .end_ts = 300, .off_state = XT_NO_STATE,
          .flags = XT_D_OPEN_START, .pcpu = 0, .from_pcpu = XT_NO_PCPU, .prev = &a, .next = &b, .decision_ts = 80,
          .decision_ns = 15, .switch_ns = 5, .budget_left_ns = -1, .latency_ns = -1 },
        { .vcpu = &b, .off_ts = 0, .ready_ts = 200, .run_ts = 300, .end_ts = 600, .off_state = XT_BLOCKED,
          .ready_reason = XT_REASON_WAKEUP, .end_reason = XT_REASON_PREEMPTED, .flags = XT_D_OPEN_START | XT_D_NO_BURN,
          .pcpu = 0, .from_pcpu = XT_NO_PCPU, .prev = &idle, .next = &a, .decision_ts = 270, .decision_ns = 20,
          .switch_ns = 10, .budget_left_ns = -1, .latency_kind = XT_LATENCY_WAKE, .latency_ns = 100 },
        { .vcpu = &a, .off_ts = 100, .ready_ts = 500, .run_ts = 600, .end_ts = 1000, .off_state = XT_BLOCKED,
          .off_reason = XT_REASON_BLOCKED, .ready_reason = XT_REASON_WAKEUP,
          .flags = XT_D_OPEN_END | XT_D_MIGRATED | XT_D_TICKLED, .pcpu = 0, .from_pcpu = 3, .prev = &b,
          .decision_ts = 560, .decision_ns = 30, .switch_ns = -1, .budget_left_ns = -1, .latency_kind = XT_LATENCY_WAKE,
          .latency_ns = 90 },
    };
    const struct xt_interval rest[] = {
        { .vcpu = &b, .ts = 600, .end_ts = 1000, .state = XT_RUNNABLE, .reason = XT_REASON_PREEMPTED, .open_end = true },
        { .vcpu = &idle, .ts = 300, .end_ts = 1000, .state = XT_RUNNABLE, .open_end = true },
    };
    const struct xt_decision more[] = {
        { .pcpu = 0, .ts = 400, .dur_ns = 12, .prev = &b, .next = &b },
        { .pcpu = 0, .ts = 900, .dur_ns = -1, .is_switch = true, .no_burn = true, .prev = &a, .next = NULL },
    };
    const struct xt_replenish replenishments[] = {
        { .vcpu = &b, .pcpu = 0, .ts = 210, .deadline_now_ns = 5700, .budget_ns = 450 }, /* opens the period below */
        { .vcpu = &a, .pcpu = 0, .ts = 650, .deadline_now_ns = INT64_MIN + 3, .budget_ns = 1 }, /* damaged: kept as is */
    };
    const struct xt_blame_part parts[] = {
        { XT_BLAME_LATENCY, 0, &idle, 100 },
        { XT_BLAME_INVERSION, 0, &a, 100 },
    };
    const struct xt_period period = {
        .vcpu = &b, .release = 200, .deadline = 700, .period_ns = 500, .budget_ns = 450, .supplied_ns = 300, .ready_ts = 200,
        .short_ns = 150, .judged = true, .missed = true, .blame_ns = { 0, 120, 100, 0 }, .n_parts = 2, .parts = parts,
    };
    const struct xt_server server = { .vcpu = &b, .kind = XT_SERVER_DEFERRABLE, .kept = 3, .fell = 1, .in_step = 2 };
    const struct xt_violation violation = { .rule = XT_RULE_PRIORITY_ORDER, .vcpu = &b, .other = &a, .pcpu = 0, .ts = 600,
                                            .end_ts = 700, .value = 100, .limit = 50 };
    const struct xt_rule_result rule = { .rule = XT_RULE_PRIORITY_ORDER, .checked = 9, .broken = 1, .worst = 100,
                                         .limit = 50 };
    const struct xt_loss loss = { .pcpu = 0, .ts = 950, .end_ts = 960, .lost_records = 4 };

    GIVE(f, begin, &run);
    GIVE(f, vcpu, &a);
    GIVE(f, vcpu, &b);
    GIVE(f, vcpu, &idle);
    give_changes(f);
    for (unsigned i = 0; i < G_N_ELEMENTS(dispatches); i++)
        GIVE(f, dispatch, &dispatches[i]);
    for (unsigned i = 0; i < 2; i++) {
        GIVE(f, interval, &rest[i]);
        GIVE(f, decision, &more[i]);
        GIVE(f, replenish, &replenishments[i]);
    }
    GIVE(f, period, &period);
    GIVE(f, loss, &loss);
    GIVE(f, server, &server);
    GIVE(f, violation, &violation);
    GIVE(f, rule, &rule);
    give_end(f);
}

struct fixture {
    char *folder, *path;
};

static void set_up(struct fixture *f, gconstpointer unused)
{
    f->folder = g_dir_make_tmp("xt-db-XXXXXX", NULL);
    f->path = g_build_filename(f->folder, "x.db", NULL);
}

static void tear_down(struct fixture *f, gconstpointer unused)
{
    char *journal = g_strconcat(f->path, "-journal", NULL);

    g_assert_false(g_file_test(journal, G_FILE_TEST_EXISTS));
    g_free(journal);
    g_unlink(f->path);
    g_assert_cmpint(g_rmdir(f->folder), ==, 0); /* nothing else was left behind */
    g_free(f->folder);
    g_free(f->path);
}

static void store(struct xt_db *db, const char *name, const char *policy, bool one_thread, bool commit)
{
    struct xt_store_options options = { .name = name, .path = "by/hand", .policy = policy, .tolerance_ns = 1,
                                        .one_thread = one_thread };
    struct xt_stats *stats = xt_stats_new();
    struct xt_findings *findings = xt_findings_new(10);
    GError *error = NULL;
    struct xt_store *s = xt_store_new(db, &options, &error);
    struct feed feed;

    must(s != NULL, error);
    feed.sinks[0] = xt_stats_sink(stats);
    feed.sinks[1] = xt_store_sink(s);
    feed.sinks[2] = xt_findings_sink(findings);
    give_run(&feed);
    struct xt_db_job job = { .domid = 1, .domain = "vm1", .task = "t'; DROP TABLE job; --", .job = 1, .release = -10,
                             .deadline = 90, .start = 0, .completion = 95 };
    must(xt_db_add_job(s, &job, 1000, &error), error);
    job = (struct xt_db_job){ .domid = 1, .domain = "vm1", .task = "t'; DROP TABLE job; --", .job = 2, .release = 90,
                              .deadline = 190, .start = INT64_MIN, .completion = INT64_MIN };
    must(xt_db_add_job(s, &job, 150, &error), error); /* the log ends before its deadline */
    if (commit)
        must(xt_store_commit(s, "00ff", stats, findings, &error), error);
    xt_store_free(s);
    xt_stats_free(stats);
    xt_findings_free(findings);
}

static struct xt_db *open_db(const char *path, enum xt_db_mode mode)
{
    GError *error = NULL;
    struct xt_db *db = xt_db_open(path, mode, &error);

    must(db != NULL, error);
    return db;
}

/* The whole answer as text: columns by '|', rows by '\n'. */
static char *ask(struct xt_db *db, const char *sql)
{
    GString *answer = g_string_new(NULL);
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(xt_db_sqlite(db), sql, -1, &stmt, NULL) != SQLITE_OK)
        g_error("%s: %s", sql, sqlite3_errmsg(xt_db_sqlite(db)));
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *text = (const char *)sqlite3_column_text(stmt, i);

            g_string_append_printf(answer, "%s%s", i ? "|" : "", text ? text : "");
        }
        g_string_append_c(answer, '\n');
    }
    sqlite3_finalize(stmt);
    return g_string_free(answer, FALSE);
}

static void assert_answer(struct xt_db *db, const char *sql, const char *expected)
{
    char *answer = ask(db, sql);

    g_assert_cmpstr(answer, ==, expected);
    g_free(answer);
}

static void count_finding(void *user, const char *message)
{
    g_test_message("%s", message);
    ++*(unsigned *)user;
}

static void test_views(struct fixture *f, gconstpointer one_thread)
{
    struct xt_db *db = open_db(f->path, XT_DB_CREATE);
    unsigned findings = 0;

    store(db, "first", "gEDF", one_thread != NULL, true);
    assert_answer(db, "SELECT domid, vcpu, ts, dur, state, pcpu, reason, open FROM intervals ORDER BY domid, vcpu, ts",
                  "1|0|0|100|running|0|blocked|1\n"
                  "1|0|100|400|blocked||blocked|0\n"
                  "1|0|500|100|runnable||wakeup|0\n"
                  "1|0|600|400|running|0||1\n"
                  "1|1|0|200|blocked|||1\n"
                  "1|1|200|100|runnable||wakeup|0\n"
                  "1|1|300|300|running|0|preempted|0\n"
                  "1|1|600|400|runnable||preempted|1\n"
                  "32767|0|0|100|runnable|||1\n"
                  "32767|0|100|200|running|0||0\n"
                  "32767|0|300|700|runnable|||1\n");
    assert_answer(db, "SELECT domid, vcpu, ts, from_pcpu, to_pcpu FROM migrations", "1|0|600|3|0\n");
    assert_answer(db, "SELECT domid, vcpu, ts, pcpu, by_domid, by_vcpu, reason, ran_ns, no_burn FROM preemptions",
                  "1|1|600|0|1|0|preempted|300|1\n");
    assert_answer(db, "SELECT metric, vcpu, ts, latency_ns FROM latencies ORDER BY ts", "wake_latency|1|200|100\n"
                                                                                       "wake_latency|0|510|90\n");
    assert_answer(db, "SELECT ts, kind, dur_ns, prev_domid, prev_vcpu, next_domid, next_vcpu, migrated, switch_ns, no_burn,"
                      " tickled FROM decisions ORDER BY ts",
                  "80|switch|15|1|0|32767|0|0|5|0|0\n"
                  "270|switch|20|32767|0|1|1|0|10|0|0\n"
                  "400|continue|12|1|1|1|1|0||0|0\n"
                  "600|switch|30|1|1|1|0|1||0|1\n"
                  "900|switch||1|0|||0||1|0\n");
    assert_answer(db, "SELECT domid, vcpu, ts, deadline, budget_ns, deadline_now_ns FROM replenishments ORDER BY ts",
                  "1|1|210|700|450|5700\n"
                  "1|0|650|-9.22337203685478e+18|1|-9223372036854775805\n");
    assert_answer(db, "SELECT release, deadline, budget_ns, supplied_ns, missed, blame, short_ns, ready_ts, period_ns FROM periods",
                  "200|700|450|300|1|inversion|150|200|500\n");
    assert_answer(db, "SELECT for_vcpu, blame, pcpu, domid, vcpu, dur_ns FROM blames ORDER BY blame",
                  "1|inversion|0|1|0|100\n1|latency|0|32767|0|100\n");
    assert_answer(db, "SELECT domid, vcpu, kind, kept, fell, in_step FROM servers", "1|1|deferrable|3|1|2\n");
    assert_answer(db, "SELECT rule, checked, broken, worst, limit_value, unit FROM rules", "priority-order|9|1|100|50|ns\n");
    assert_answer(db, "SELECT rule, vcpu, by_vcpu, pcpu, ts, dur, value, unit FROM violations",
                  "priority-order|1|0|0|600|100|100|ns\n");
    assert_answer(db, "SELECT pcpu, ts, dur, lost_records FROM losses", "0|950|10|4\n");
    assert_answer(db, "SELECT job, missed, response_ns, lateness_ns FROM jobs ORDER BY job", "1|1|105|5\n2|||\n");
    assert_answer(db, "SELECT jobs, completed, misses, miss_ratio, max_tardiness_ns FROM job_stats", "1|1|1|1.0|5\n");
    assert_answer(db, "SELECT name, policy, scheduler, start_tsc, tsc_hz, hash FROM runs",
                  "first|gEDF|rtds|18446744073709546615|1000000000|00ff\n");
    assert_answer(db, "SELECT vcpu, period_ns, budget_ns, running_ns, runnable_ns, blocked_ns, dispatches, wakeups,"
                      " preemptions, migrations, periods, period_misses FROM vcpu_stats ORDER BY vcpu",
                  "0|||500|100|400|1|1|0|1|0|0\n1|500|450|300|500|200|1|1|1|0|1|1\n");
    must(xt_db_check(db, count_finding, NULL, &findings, NULL), NULL);
    g_assert_cmpuint(findings, ==, 0);
    xt_db_close(db);
}

static void test_second_run(struct fixture *f, gconstpointer unused)
{
    struct xt_db *db = open_db(f->path, XT_DB_CREATE);
    struct xt_db_run *found;
    GPtrArray *vcpus;
    unsigned findings = 0;
    GError *error = NULL;

    store(db, "one", "gEDF", false, true);
    store(db, "two", "gEDF", false, true);
    store(db, "1", NULL, false, true);
    assert_answer(db, "SELECT run, count(*), sum(dur) FROM intervals GROUP BY run", "1|11|3000\n2|11|3000\n3|11|3000\n");
    assert_answer(db, "SELECT count(*) FROM how", "8\n"); /* 4 of dispatches, 2 of intervals, 2 of decisions; shared by all runs */
    assert_answer(db, "SELECT policy, runs, periods, period_misses, period_miss_ratio, jobs, job_misses, migrations,"
                      " migrations_per_s FROM policy_stats",
                  "gEDF|2|2|2|1.0|2|2|2|1000000.0\nunknown|1|1|1|1.0|1|1|1|1000000.0\n");
    GArray *misses = xt_db_misses(db, 2, INT64_MIN, INT64_MAX, &error);
    must(misses != NULL, error);
    g_assert_cmpuint(misses->len, ==, 1);
    const struct xt_db_miss *miss = &g_array_index(misses, struct xt_db_miss, 0);
    g_assert_true(miss->number == 1 && miss->release == 200 && miss->deadline == 700 && miss->short_ns == 150);
    struct xt_db_period period;
    must(xt_db_period_get(db, miss->id, &period, &error), error);
    g_assert_true(period.vcpu == miss->vcpu && period.supplied_ns == 300 && period.blame_ns[XT_BLAME_LATENCY] == 100);
    g_array_unref(misses);
    misses = xt_db_misses(db, 2, 0, 700, &error); /* deadlines before 700 */
    must(misses != NULL, error);
    g_assert_cmpuint(misses->len, ==, 0);
    g_array_unref(misses);
    /* to list and number misses no period is read */
    char *plan = ask(db, "EXPLAIN QUERY PLAN SELECT run, miss, period, short_ns FROM misses");
    g_assert_nonnull(strstr(plan, "COVERING INDEX period_missed"));
    g_assert_null(strstr(plan, "SEARCH p USING INTEGER PRIMARY KEY"));
    g_free(plan);
    found = xt_db_run_find(db, "1", &error); /* a name goes before a number */
    g_assert_cmpint(found->id, ==, 3);
    g_assert_null(found->policy);
    g_assert_cmpuint(found->start_tsc, ==, run.start_tsc);
    vcpus = xt_db_vcpus(db, found->id, &error);
    g_assert_cmpuint(vcpus->len, ==, 3);
    g_assert_cmpint(((struct xt_db_vcpu *)vcpus->pdata[2])->domid, ==, XT_IDLE_DOMID);
    g_ptr_array_unref(vcpus);
    xt_db_run_free(found);
    g_assert_null(xt_db_run_find(db, "nobody", &error));
    g_assert_error(error, XT_ERROR, XT_ERROR_USAGE);
    g_clear_error(&error);
    g_assert_null(xt_db_run_find(db, NULL, &error)); /* three runs: which? */
    g_clear_error(&error);
    must(xt_db_check(db, count_finding, NULL, &findings, NULL), NULL);
    g_assert_cmpuint(findings, ==, 0);
    xt_db_close(db);
}

/* Names are unique; what is refused or abandoned leaves the database as it was, and a new file is taken away. */
static void test_nothing_left(struct fixture *f, gconstpointer unused)
{
    struct xt_db *db = open_db(f->path, XT_DB_CREATE);
    struct xt_store_options again = { .name = "kept", .path = "x" };
    GError *error = NULL;
    char *before, *after;
    gsize before_size, after_size;

    store(db, "abandoned", "gEDF", false, false);
    xt_db_close(db);
    g_assert_false(g_file_test(f->path, G_FILE_TEST_EXISTS));

    db = open_db(f->path, XT_DB_CREATE);
    store(db, "kept", "gEDF", false, true);
    g_assert_true(g_file_get_contents(f->path, &before, &before_size, NULL));
    store(db, "abandoned", "credit", false, false);
    g_assert_null(xt_store_new(db, &again, &error));
    g_assert_error(error, XT_ERROR, XT_ERROR_USAGE);
    g_clear_error(&error);
    xt_db_close(db);
    g_assert_true(g_file_get_contents(f->path, &after, &after_size, NULL));
    g_assert_cmpmem(before, before_size, after, after_size);
    g_free(before);
    g_free(after);
}

static void assert_refused(const char *path, enum xt_db_mode mode, int code, const char *word)
{
    GError *error = NULL;

    g_assert_null(xt_db_open(path, mode, &error));
    g_assert_error(error, XT_ERROR, code);
    if (!strstr(error->message, word))
        g_error("\"%s\" lacks \"%s\"", error->message, word);
    g_error_free(error);
}

static void test_foreign(struct fixture *f, gconstpointer unused)
{
    struct xt_db *db;

    assert_refused(f->path, XT_DB_READ, XT_ERROR_INPUT, "import");
    assert_refused(f->folder, XT_DB_CREATE, XT_ERROR_INPUT, "directory");
    g_assert_true(g_file_set_contents(f->path, "this is no database at all, is it?", -1, NULL));
    assert_refused(f->path, XT_DB_READ, XT_ERROR_INPUT, f->path);
    assert_refused(f->path, XT_DB_CREATE, XT_ERROR_INPUT, f->path);
    g_assert_true(g_file_set_contents(f->path, "", 0, NULL));
    assert_refused(f->path, XT_DB_READ, XT_ERROR_INPUT, "empty");
    db = open_db(f->path, XT_DB_CREATE);
    store(db, "x", NULL, false, true);
    sqlite3_exec(xt_db_sqlite(db), "PRAGMA user_version = 99", NULL, NULL, NULL);
    xt_db_close(db);
    assert_refused(f->path, XT_DB_READ, XT_ERROR_INPUT, "newer");
    g_unlink(f->path);
    sqlite3 *other;
    sqlite3_open(f->path, &other);
    sqlite3_exec(other, "CREATE TABLE t(x)", NULL, NULL, NULL);
    sqlite3_close(other);
    assert_refused(f->path, XT_DB_CREATE, XT_ERROR_INPUT, "another program");
}

static void test_queries(struct fixture *f, gconstpointer unused)
{
    static const struct {
        const char *sql, *word;
    } bad[] = {
        { "SELECT nothing FROM runs", "line 1 column 8" },
        { "SELECT 1\nFROM nowhere", "nowhere" },
        { "DELETE FROM run", "read" },
        { "ATTACH '/tmp/x' AS y", "read" },
        { "PRAGMA user_version = 3", "read" },
        { "PRAGMA journal_mode", "read" },
        { "VACUUM INTO '/tmp/xt-query-wrote-this'", "read" },
        { "SELECT load_extension('x')", "not authorized" },
        { "CREATE TEMP TABLE t(x)", "read" },
        { "SELECT 1; SELECT 2", "one SQL statement" },
        { "BEGIN", "read" },
        { "", "no SQL" },
        { "-- only a remark", "no SQL" },
        { "SELECT 'unfinished", "SQL" },
    };
    struct xt_db *db = open_db(f->path, XT_DB_CREATE);
    GError *error = NULL;

    store(db, "x", NULL, false, true);
    xt_db_close(db);
    db = open_db(f->path, XT_DB_READ);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_null(xt_query_new(db, bad[i].sql, 0, &error));
        g_assert_error(error, XT_ERROR, XT_ERROR_USAGE);
        if (!strstr(error->message, bad[i].word))
            g_error("%s: \"%s\" lacks \"%s\"", bad[i].sql, error->message, bad[i].word);
        g_clear_error(&error);
    }
    for (const struct xt_named_query *q = xt_named_queries; q->name; q++) {
        struct xt_query *query = xt_query_new(db, q->sql, 1, &error);

        must(query != NULL, error);
        while (xt_query_next(query, &error))
            ;
        g_assert_no_error(error);
        xt_query_free(query);
    }
    assert_answer(db, "SELECT quantile(x, 0.5), quantile(x, 0.25), quantile(x, 1), quantile(x, 0.0001) FROM"
                      " (SELECT 4 AS x UNION ALL SELECT 1 UNION ALL SELECT NULL UNION ALL SELECT 3 UNION ALL SELECT 2)",
                  "2|1|4|1\n");
    assert_answer(db, "SELECT quantile(x, 0.5) FROM (SELECT 1 AS x UNION ALL SELECT 2.5 UNION ALL SELECT 9)", "2.5\n");
    xt_db_close(db);
}

/* tally and tally_values against GROUP BY. */
static void test_tally(struct fixture *f, gconstpointer unused)
{
    static const char rows[] = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 29999),"
                               " x(a, b, x) AS (SELECT nullif(i % 3, 0), i % 2, nullif(i * 7919 % 5003 - 100, 0) FROM n)";
    struct xt_db *db = open_db(f->path, XT_DB_CREATE);
    GError *error = NULL;
    char *sql, *expected;

    store(db, "x", NULL, false, true);
    assert_answer(db, "SELECT tally(x, x) FROM (SELECT 1 AS x) WHERE x > 1", "[]\n");
    assert_answer(db, "SELECT tally(NULL, 5)", "[{\"k1\":5,\"n\":1,\"count\":0}]\n");
    assert_answer(db, "SELECT tally_values(7, 5, NULL)", "[{\"k1\":5,\"k2\":null,\"n\":1,\"count\":1,\"sum\":7,\"min\":7,"
                                                         "\"max\":7,\"distinct\":1,\"p50\":7,\"p99\":7}]\n");
    sql = g_strconcat(rows, " SELECT a, b, count(*), count(x), sum(x), min(x), max(x), count(DISTINCT x), quantile(x, 0.5),"
                      " quantile(x, 0.99) FROM x GROUP BY a, b", NULL);
    expected = ask(db, sql);
    g_free(sql);
    sql = g_strconcat(rows, " SELECT value ->> 'k1', value ->> 'k2', value ->> 'n', value ->> 'count', value ->> 'sum',"
                      " value ->> 'min', value ->> 'max', value ->> 'distinct', value ->> 'p50', value ->> 'p99'"
                      " FROM (SELECT tally_values(x, a, b) AS t FROM x), json_each(t)", NULL);
    assert_answer(db, sql, expected);
    g_free(sql);
    g_free(expected);
    static const char *const bad[] = { "SELECT tally(1)", "SELECT tally(1, 'a')", "SELECT tally(1.5, 1)",
                                       "SELECT tally(1, 1, 2, 3, 4, 5)", "SELECT tally(x, 1) FROM"
                                       " (SELECT 9223372036854775807 AS x UNION ALL SELECT 1)" };
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct xt_query *query = xt_query_new(db, bad[i], 0, &error);

        must(query != NULL, error);
        g_assert_false(xt_query_next(query, &error));
        g_assert_error(error, XT_ERROR, XT_ERROR_USAGE);
        g_clear_error(&error);
        xt_query_free(query);
    }
    xt_db_close(db);
}

/* Many dispatches of many VCPUs, some of which sleep for most of the run: windows against a walk over all of them. */
#define N_VCPUS 20
#define N_DISPATCHES 6000

struct known {
    int64_t vcpu, ts, end_ts;
    enum xt_state state;
};

static void add_known(GArray *all, int64_t vcpu, int64_t ts, int64_t end_ts, enum xt_state state)
{
    struct known k = { vcpu, ts, end_ts, state };

    if (ts < end_ts)
        g_array_append_val(all, k);
}

static GArray *store_many(struct xt_db *db)
{
    static struct xt_vcpu vcpus[N_VCPUS];
    struct xt_store_options options = { .name = "many", .path = "by/hand", .tolerance_ns = 1 };
    struct xt_stats *stats = xt_stats_new();
    struct xt_findings *findings = xt_findings_new(10);
    GArray *all = g_array_new(FALSE, FALSE, sizeof(struct known));
    GRand *rand = g_rand_new_with_seed(7);
    int64_t end[N_VCPUS] = { 0 }, now = 0;
    struct xt_run long_run = run;
    GError *error = NULL;
    struct xt_store *s = xt_store_new(db, &options, &error);
    struct feed feed;

    must(s != NULL, error);
    feed.sinks[0] = xt_stats_sink(stats);
    feed.sinks[1] = xt_store_sink(s);
    feed.sinks[2] = xt_findings_sink(findings);
    long_run.duration_ns = (int64_t)1 << 40;
    GIVE(&feed, begin, &long_run);
    for (uint32_t i = 0; i < N_VCPUS; i++) {
        vcpus[i] = (struct xt_vcpu){ i, 1, (uint16_t)i };
        GIVE(&feed, vcpu, &vcpus[i]);
    }
    for (int i = 0; i < N_DISPATCHES; i++) {
        /* VCPU 0 comes twice in the run, VCPU 1 a few times */
        uint32_t v = i == 10 || i == N_DISPATCHES - 10 ? 0 : i % 1000 == 0 ? 1 : 2 + (uint32_t)g_rand_int_range(rand, 0, 18);
        int64_t room = (now += g_rand_int_range(rand, 1, 1000)) - end[v];
        int64_t ready = end[v] + (int64_t)(g_rand_double(rand) * (double)room);
        int64_t start = ready + (int64_t)(g_rand_double(rand) * (double)(now - ready));
        struct xt_dispatch d = {
            .vcpu = &vcpus[v], .off_ts = end[v], .ready_ts = ready, .run_ts = start, .end_ts = now,
            .off_state = ready > end[v] ? XT_BLOCKED : XT_NO_STATE, .pcpu = (int32_t)(v % 4), .from_pcpu = XT_NO_PCPU,
            .decision_ts = -1, .decision_ns = -1, .switch_ns = -1, .budget_left_ns = -1, .latency_ns = -1,
        };

        GIVE(&feed, dispatch, &d);
        add_known(all, v, d.off_ts, ready, XT_BLOCKED);
        add_known(all, v, ready, start, XT_RUNNABLE);
        add_known(all, v, start, now, XT_RUNNING);
        end[v] = now;
    }
    give_end(&feed);
    must(xt_store_commit(s, NULL, stats, findings, &error), error);
    xt_store_free(s);
    xt_stats_free(stats);
    xt_findings_free(findings);
    g_rand_free(rand);
    return all;
}

struct seen {
    int64_t from, to, n, sum, stop_after;
};

static bool on_interval(void *user, const struct xt_db_interval *i)
{
    struct seen *seen = user;

    g_assert_true(i->ts < seen->to && i->end_ts > seen->from);
    g_assert_cmpint(i->pcpu != XT_NO_PCPU, ==, i->state == XT_RUNNING);
    seen->n++;
    seen->sum += i->vcpu * 7 + (int64_t)i->state * 3 + i->ts * 5 + i->end_ts;
    return seen->n != seen->stop_after;
}

static void check_window(struct xt_db *db, GArray *all, int64_t from, int64_t to, int64_t vcpu)
{
    struct seen seen = { from, to, 0, 0, -1 };
    int64_t n = 0, sum = 0;
    char *sql, *expected;
    GError *error = NULL;

    for (guint i = 0; i < all->len; i++) {
        const struct known *k = &g_array_index(all, struct known, i);

        if (k->ts < to && k->end_ts > from && (!vcpu || k->vcpu + 1 == vcpu)) {
            n++;
            sum += (k->vcpu + 1) * 7 + (int64_t)k->state * 3 + k->ts * 5 + k->end_ts;
        }
    }
    must(xt_db_each_interval(db, 1, from, to, vcpu, on_interval, &seen, &error), error);
    g_assert_cmpint(seen.n, ==, n);
    g_assert_cmpint(seen.sum, ==, sum);
    /* the same in SQL, with the documented use of the chunk columns */
    sql = g_strdup_printf("SELECT count(*) FROM intervals WHERE run = 1 AND ts < %" G_GINT64_FORMAT " AND ts + dur > %"
                          G_GINT64_FORMAT " AND chunk_from < %" G_GINT64_FORMAT " AND chunk_to > %" G_GINT64_FORMAT
                          " AND (%" G_GINT64_FORMAT " = 0 OR vcpu + 1 = %" G_GINT64_FORMAT ")", to, from, to, from, vcpu,
                          vcpu);
    expected = g_strdup_printf("%" G_GINT64_FORMAT "\n", n);
    assert_answer(db, sql, expected);
    g_free(sql);
    g_free(expected);
}

static void test_windows(struct fixture *f, gconstpointer unused)
{
    struct xt_db *db = open_db(f->path, XT_DB_CREATE);
    GArray *all = store_many(db);
    GRand *rand = g_rand_new_with_seed(8);
    struct seen few = { INT64_MIN, INT64_MAX, 0, 0, 5 };
    GError *error = NULL;

    check_window(db, all, INT64_MIN, INT64_MAX, 0);
    for (int i = 0; i < 100; i++) {
        int64_t from = g_rand_int_range(rand, -1000, N_DISPATCHES * 510), length = 1 << g_rand_int_range(rand, 0, 22);

        check_window(db, all, from, from + length, i % 3 ? 0 : g_rand_int_range(rand, 1, N_VCPUS + 1));
    }
    must(xt_db_each_interval(db, 1, INT64_MIN, INT64_MAX, 0, on_interval, &few, &error), error); /* stops when told to */
    g_assert_cmpint(few.n, ==, 5);
    g_rand_free(rand);
    g_array_unref(all);
    xt_db_close(db);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function, data) g_test_add("/db/" name, struct fixture, data, set_up, function, tear_down)
    ADD("views", test_views, NULL);
    ADD("views/one-thread", test_views, "one thread");
    ADD("second-run", test_second_run, NULL);
    ADD("nothing-left", test_nothing_left, NULL);
    ADD("foreign", test_foreign, NULL);
    ADD("queries", test_queries, NULL);
    ADD("tally", test_tally, NULL);
    ADD("windows", test_windows, NULL);
    return g_test_run();
}
