/* Rows of a window of time. See db.h; table chunk finds the rows. */
#include "db/internal.h"
#include "db/leb128.h"
#include "db/samples.h"
#include "parse/error.h"

#define CHUNKS_OF(table) \
    " FROM chunk c CROSS JOIN " table " x ON x.id BETWEEN c.first_id AND c.last_id" \
    " WHERE c.kind = '" table "' AND c.run = ?1 AND c.to_ts >= ?2 AND c.from_ts < ?3"

typedef void (*any_function)(void);

/* What is asked for, and where the rows go. */
struct window {
    struct xt_db *db;
    int64_t run, from, to; /* parameters 1 to 3 of the statement */
    int64_t only;          /* 4, if it has one: VCPU or domain */
    any_function each;     /* the caller's; whoever reads the rows knows its type */
    void *user;
    GError **error;
    sqlite3_stmt *stmt;    /* at the row to be read */
};

/* What becomes of a walk. */
enum step { GO_ON, STOP, FAIL }; /* STOP: the caller wants no more. FAIL: error is set. */

#define GIVE(w, type, row) ((bool (*)(void *, const struct type *))(w)->each)((w)->user, row)

static enum step step_of(bool go_on)
{
    return go_on ? GO_ON : STOP;
}

/* Runs sql and has each row read, until one says otherwise. */
static enum step walk(struct window *w, const char *sql, enum step (*read)(struct window *w))
{
    enum step step = GO_ON;
    int rc = SQLITE_ROW;

    w->stmt = xt_db_prepare(xt_db_sqlite(w->db), sql, w->error);
    if (!w->stmt)
        return FAIL;
    sqlite3_bind_int64(w->stmt, 1, w->run);
    sqlite3_bind_int64(w->stmt, 2, w->from);
    sqlite3_bind_int64(w->stmt, 3, w->to);
    if (sqlite3_bind_parameter_count(w->stmt) >= 4)
        sqlite3_bind_int64(w->stmt, 4, w->only);
    while (step == GO_ON && (rc = sqlite3_step(w->stmt)) == SQLITE_ROW)
        step = read(w);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        xt_db_set_error(xt_db_sqlite(w->db), "reading the database", w->error);
        step = FAIL;
    }
    sqlite3_finalize(w->stmt);
    return step;
}

static int64_t get(const struct window *w, int column)
{
    return sqlite3_column_int64(w->stmt, column);
}

static int64_t get_or(const struct window *w, int column, int64_t null)
{
    return sqlite3_column_type(w->stmt, column) == SQLITE_NULL ? null : get(w, column);
}

static bool read_dispatch(const struct window *w, struct xt_db_dispatch *d)
{
    const struct xt_how *how = xt_db_how(w->db, get(w, 2), w->error);

    if (!how)
        return false;
    d->id = get(w, 0);
    d->vcpu = get(w, 1);
    d->off_state = how->off_state;
    d->off_reason = how->off_reason;
    d->ready_reason = how->ready_reason;
    d->end_reason = how->end_reason;
    d->flags = how->flags;
    d->end_ts = get(w, 3);
    d->run_ts = d->end_ts - get(w, 4);
    d->ready_ts = d->run_ts - get(w, 5);
    d->off_ts = d->ready_ts - get(w, 6);
    d->pcpu = (int32_t)get_or(w, 7, XT_NO_PCPU);
    d->from_pcpu = (int32_t)get_or(w, 8, XT_NO_PCPU);
    d->prev = get(w, 9);
    d->next = get(w, 10);
    d->decision_ns = get_or(w, 11, -1);
    d->switch_ns = get_or(w, 12, -1);
    d->budget_left_ns = get_or(w, 13, -1);
    d->decision_ts = d->decision_ns < 0 || d->switch_ns < 0 ? -1 : d->run_ts - d->switch_ns - d->decision_ns;
    d->latency_kind = how->latency;
    d->latency_ns = how->latency_apart ? get_or(w, 14, -1) : how->latency ? d->run_ts - d->ready_ts : -1;
    return true;
}

static enum step pass_dispatch(struct window *w)
{
    struct xt_db_dispatch d;

    if (!read_dispatch(w, &d))
        return FAIL;
    return step_of(d.end_ts <= w->from || d.off_ts >= w->to || GIVE(w, xt_db_dispatch, &d));
}

bool xt_db_each_dispatch(struct xt_db *db, int64_t run, int64_t from, int64_t to, int64_t vcpu,
                         bool (*each)(void *user, const struct xt_db_dispatch *dispatch), void *user, GError **error)
{
    struct window w = { db, run, from, to, vcpu, (any_function)each, user, error, NULL };

    return walk(&w, "SELECT x.*" CHUNKS_OF("dispatch") " AND (?4 = 0 OR x.vcpu = ?4)", pass_dispatch) != FAIL;
}

static bool pass_interval(const struct window *w, const struct xt_db_interval *i)
{

    return i->ts == i->end_ts || i->end_ts <= w->from || i->ts >= w->to || GIVE(w, xt_db_interval, i);
}

/* The up to three intervals of a dispatch. */
static enum step split_dispatch(struct window *w)
{
    const struct xt_how *how = xt_db_how(w->db, get(w, 1), w->error);
    int64_t end_ts = get(w, 2), run_ts = end_ts - get(w, 3), ready_ts = run_ts - get(w, 4), off_ts = ready_ts - get(w, 5);
    struct xt_db_interval i = { .vcpu = get(w, 0), .pcpu = XT_NO_PCPU };
    bool open;

    if (!how)
        return FAIL;
    open = (how->flags & XT_D_OPEN_START) != 0;
    if (off_ts < ready_ts) {
        i.ts = off_ts;
        i.end_ts = ready_ts;
        i.state = how->off_state;
        i.reason = how->off_reason;
        i.open = open;
        open = false;
        if (!pass_interval(w, &i))
            return STOP;
    }
    if (ready_ts < run_ts) {
        i.ts = ready_ts;
        i.end_ts = run_ts;
        i.state = XT_RUNNABLE;
        i.reason = how->ready_reason;
        i.open = open;
        open = false;
        if (!pass_interval(w, &i))
            return STOP;
    }
    i.ts = run_ts;
    i.end_ts = end_ts;
    i.state = XT_RUNNING;
    i.reason = how->end_reason;
    i.pcpu = (int32_t)get_or(w, 6, XT_NO_PCPU);
    i.open = open || (how->flags & XT_D_OPEN_END) != 0;
    return step_of(pass_interval(w, &i));
}

static enum step read_interval(struct window *w)
{
    const struct xt_how *how = xt_db_how(w->db, get(w, 2), w->error);
    struct xt_db_interval i = { .vcpu = get(w, 1), .ts = get(w, 3), .pcpu = XT_NO_PCPU };

    if (!how)
        return FAIL;
    i.end_ts = i.ts + get(w, 4);
    i.state = how->off_state;
    i.reason = how->off_reason;
    i.open = (how->flags & (XT_D_OPEN_START | XT_D_OPEN_END)) != 0;
    return step_of(pass_interval(w, &i));
}

bool xt_db_each_interval(struct xt_db *db, int64_t run, int64_t from, int64_t to, int64_t vcpu,
                         bool (*each)(void *user, const struct xt_db_interval *interval), void *user, GError **error)
{
    struct window w = { db, run, from, to, vcpu, (any_function)each, user, error, NULL };
    enum step step = walk(&w, "SELECT x.vcpu, x.how, x.end_ts, x.ran_ns, x.waited_ns, x.off_ns, x.pcpu"
                          CHUNKS_OF("dispatch") " AND (?4 = 0 OR x.vcpu = ?4)", split_dispatch);

    if (step == GO_ON)
        step = walk(&w, "SELECT x.*" CHUNKS_OF("interval") " AND (?4 = 0 OR x.vcpu = ?4)", read_interval);
    return step != FAIL;
}

#define PERIOD_COLUMNS                                                                                              \
    "SELECT x.id, s.vcpu, x.deadline, s.period_ns, s.budget_ns, x.supplied_ns, x.extratime_ns, x.short_ns,"         \
    " x.ready_ns, s.reference, x.missed, x.overload_ns, x.inversion_ns, x.latency_ns, x.unknown_ns"

static void read_period(const struct window *w, struct xt_db_period *p)
{
    int64_t ready_ns = get_or(w, 8, -1);

    *p = (struct xt_db_period){
        .id = get(w, 0), .vcpu = get(w, 1), .deadline = get(w, 2), .period_ns = get(w, 3), .budget_ns = get(w, 4),
        .supplied_ns = get(w, 5), .extratime_ns = get(w, 6), .short_ns = get(w, 7), .reference = get(w, 9),
        .judged = get_or(w, 10, -1) >= 0, .missed = get(w, 10),
    };
    p->release = p->deadline - p->period_ns;
    p->ready_ts = ready_ns < 0 ? -1 : p->deadline - ready_ns;
    for (int i = 0; i < XT_N_BLAMES; i++)
        p->blame_ns[i] = get(w, 11 + i);
}

static enum step pass_period(struct window *w)
{
    struct xt_db_period p;

    read_period(w, &p);
    return step_of(p.deadline < w->from || p.release >= w->to || GIVE(w, xt_db_period, &p));
}

bool xt_db_each_period(struct xt_db *db, int64_t run, int64_t from, int64_t to, int64_t vcpu,
                       bool (*each)(void *user, const struct xt_db_period *period), void *user, GError **error)
{
    static const char sql[] = PERIOD_COLUMNS
        " FROM chunk c CROSS JOIN period x ON x.id BETWEEN c.first_id AND c.last_id"
        " CROSS JOIN reservation s ON s.id = x.reservation"
        " WHERE c.kind = 'period' AND c.run = ?1 AND c.to_ts >= ?2 AND c.from_ts < ?3 AND (?4 = 0 OR s.vcpu = ?4)";
    struct window w = { db, run, from, to, vcpu, (any_function)each, user, error, NULL };

    return walk(&w, sql, pass_period) != FAIL;
}

static enum step take_period(struct window *w)
{
    read_period(w, w->user);
    return STOP;
}

bool xt_db_period_get(struct xt_db *db, int64_t id, struct xt_db_period *period, GError **error)
{
    static const char sql[] = PERIOD_COLUMNS
        " FROM period x CROSS JOIN reservation s ON s.id = x.reservation WHERE x.id = ?1";
    struct window w = { .db = db, .run = id, .user = period, .error = error };
    enum step step = walk(&w, sql, take_period);

    if (step == GO_ON)
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s: there is no period %" G_GINT64_FORMAT, xt_db_path(db), id);
    return step == STOP;
}

/* All of it is in the index. */
#define MISSES_OF_RUN                                                                                                   \
    " FROM reservation s CROSS JOIN vcpu v ON v.id = s.vcpu"                                                            \
    " CROSS JOIN period x INDEXED BY period_missed ON x.reservation = s.id WHERE v.run = ?1 AND x.missed"

struct misses {
    GArray *all; /* struct xt_db_miss */
    int before;  /* misses with earlier deadlines */
};

static enum step count_misses(struct window *w)
{
    ((struct misses *)w->user)->before = (int)get(w, 0);
    return GO_ON;
}

static enum step append_miss(struct window *w)
{
    struct misses *misses = w->user;
    struct xt_db_miss miss = {
        .id = get(w, 0), .vcpu = get(w, 1), .deadline = get(w, 2), .release = get(w, 2) - get(w, 3), .short_ns = get(w, 4),
        .reference = get(w, 5), .number = misses->before + (int)misses->all->len + 1,
    };

    g_array_append_val(misses->all, miss);
    return GO_ON;
}

GArray *xt_db_misses(struct xt_db *db, int64_t run, int64_t from, int64_t to, GError **error)
{
    struct misses misses = { .all = g_array_new(FALSE, FALSE, sizeof(struct xt_db_miss)) };
    struct window w = { .db = db, .run = run, .from = from, .to = to, .user = &misses, .error = error };

    if (walk(&w, "SELECT count(*)" MISSES_OF_RUN " AND x.deadline < ?2", count_misses) != FAIL &&
        walk(&w, "SELECT x.id, s.vcpu, x.deadline, s.period_ns, x.short_ns, s.reference" MISSES_OF_RUN
             " AND x.deadline >= ?2 AND x.deadline < ?3 ORDER BY x.deadline, s.vcpu", append_miss) != FAIL)
        return misses.all;
    g_array_unref(misses.all);
    return NULL;
}

static enum step pass_replenish(struct window *w)
{
    struct xt_db_replenish r = {
        .vcpu = get(w, 0),
        .pcpu = (int32_t)get_or(w, 1, XT_NO_PCPU),
        .ts = get(w, 2),
        .budget_ns = get(w, 3),
        .deadline = get_or(w, 4, INT64_MIN),
    };

    return step_of(GIVE(w, xt_db_replenish, &r));
}

bool xt_db_each_replenish(struct xt_db *db, int64_t run, int64_t from, int64_t to, int64_t vcpu,
                          bool (*each)(void *user, const struct xt_db_replenish *replenish), void *user, GError **error)
{
    /* those that rows of their own tell, then those that opened a stored period */
    static const char sql[] =
        "SELECT x.vcpu, x.pcpu, x.ts AS ts, x.budget_ns,"
        " x.deadline_now_ns - (SELECT now_offset_ns FROM run WHERE id = ?1)"
        CHUNKS_OF("replenishment") " AND (?4 = 0 OR x.vcpu = ?4) AND x.ts >= ?2 AND x.ts < ?3"
        " UNION ALL SELECT s.vcpu, x.replenished_pcpu, x.deadline - s.period_ns + x.replenished_ns AS ts, s.budget_ns,"
        " x.deadline FROM chunk c CROSS JOIN period x ON x.id BETWEEN c.first_id AND c.last_id"
        " CROSS JOIN reservation s ON s.id = x.reservation"
        " WHERE c.kind = 'period' AND c.run = ?1 AND c.to_ts >= ?2 AND c.from_ts < ?3"
        " AND x.replenished_ns IS NOT NULL AND (?4 = 0 OR s.vcpu = ?4)"
        " AND x.deadline - s.period_ns + x.replenished_ns >= ?2 AND x.deadline - s.period_ns + x.replenished_ns < ?3";
    struct window w = { db, run, from, to, vcpu, (any_function)each, user, error, NULL };

    return walk(&w, sql, pass_replenish) != FAIL;
}

static enum step pass_loss(struct window *w)
{
    struct xt_loss loss = {
        .pcpu = (int32_t)get_or(w, 0, XT_NO_PCPU), .ts = get(w, 1), .end_ts = get(w, 2), .lost_records = (uint64_t)get(w, 3),
    };

    return step_of(GIVE(w, xt_loss, &loss));
}

bool xt_db_each_loss(struct xt_db *db, int64_t run, int64_t from, int64_t to,
                     bool (*each)(void *user, const struct xt_loss *loss), void *user, GError **error)
{
    struct window w = { db, run, from, to, 0, (any_function)each, user, error, NULL };

    return walk(&w, "SELECT pcpu, ts, end_ts, lost_records FROM loss WHERE run = ?1 AND end_ts >= ?2 AND ts < ?3"
                " ORDER BY end_ts", pass_loss) != FAIL;
}

static enum step pass_job(struct window *w)
{
    struct xt_db_job job = {
        .domid = (int)get_or(w, 0, -1),
        .domain = (const char *)sqlite3_column_text(w->stmt, 1),
        .task = (const char *)sqlite3_column_text(w->stmt, 2),
        .job = get(w, 3), .release = get(w, 4), .deadline = get(w, 5),
        .start = get_or(w, 6, INT64_MIN), .completion = get_or(w, 7, INT64_MIN), .missed = (int)get_or(w, 8, -1),
    };

    return step_of(GIVE(w, xt_db_job, &job));
}

bool xt_db_each_job(struct xt_db *db, int64_t run, int64_t from, int64_t to, int domid,
                    bool (*each)(void *user, const struct xt_db_job *job), void *user, GError **error)
{
    static const char sql[] =
        "SELECT domid, domain, task, job, release, deadline, start, completion, missed FROM job"
        " WHERE run = ?1 AND release < ?3 AND max(deadline, coalesce(completion, deadline)) >= ?2"
        " AND (?4 < 0 OR domid = ?4)"
        /* jobs whose times have no place in the run are no part of a window of it */
        " AND NOT EXISTS (SELECT 1 FROM guest g WHERE g.run = ?1 AND g.domain = job.domain AND g.clock = 'untied')"
        " ORDER BY release";
    struct window w = { db, run, from, to, domid, (any_function)each, user, error, NULL };

    return walk(&w, sql, pass_job) != FAIL;
}

struct share_caller {
    bool (*each)(void *, const struct xt_db_share *);
    void *user;
    GArray *places; /* of the row being read */
};

static bool read_places(const struct window *w, int column, GArray *places)
{
    const uint8_t *at = sqlite3_column_blob(w->stmt, column), *end = at ? at + sqlite3_column_bytes(w->stmt, column) : NULL;
    uint64_t pcpu, ns;

    g_array_set_size(places, 0);
    while (at < end) {
        if (!xt_take_leb128(&at, end, &pcpu) || !xt_take_leb128(&at, end, &ns))
            return false;
        struct xt_db_place place = { (int32_t)pcpu, (int64_t)ns };

        g_array_append_val(places, place);
    }
    return true;
}

static enum step pass_share(struct window *w)
{
    struct share_caller *caller = w->user;
    struct xt_db_share share = {
        .bin = get(w, 0), .vcpu = get(w, 1), .running_ns = get(w, 2), .runnable_ns = get(w, 3), .unknown_ns = get(w, 4),
        .intervals = (uint64_t)get(w, 5),
    };

    if (!read_places(w, 6, caller->places)) {
        g_set_error(w->error, XT_ERROR, XT_ERROR_INPUT, "%s: damaged shares of time; `xentrail db check` says more",
                    xt_db_path(w->db));
        return FAIL;
    }
    share.places = (const struct xt_db_place *)caller->places->data;
    share.n_places = caller->places->len;
    return step_of(caller->each(caller->user, &share));
}

bool xt_db_each_share(struct xt_db *db, int64_t run, int64_t from_bin, int64_t to_bin,
                      bool (*each)(void *user, const struct xt_db_share *share), void *user, GError **error)
{
    struct share_caller caller = { each, user, g_array_new(FALSE, FALSE, sizeof(struct xt_db_place)) };
    struct window w = { .db = db, .run = run, .from = from_bin, .to = to_bin, .user = &caller, .error = error };
    bool ok = walk(&w, "SELECT bin, vcpu, running_ns, runnable_ns, unknown_ns, intervals, pcpus FROM vcpu_share"
                   " WHERE run = ?1 AND bin >= ?2 AND bin < ?3", pass_share) != FAIL;

    g_array_unref(caller.places);
    return ok;
}

bool xt_db_each_sample(struct xt_db *db, int64_t run, const char *metric,
                       bool (*each)(void *user, int64_t value_ns, uint64_t count), void *user, GError **error)
{
    struct xt_sample_cursor cursor;
    sqlite3_stmt *stmt = xt_db_prepare(xt_db_sqlite(db), "SELECT id FROM metric WHERE name = ?", error);
    GError *failed = NULL;
    int id = -1;

    if (!stmt)
        return false;
    sqlite3_bind_text(stmt, 1, metric, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        id = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    if (!xt_sample_open(&cursor, xt_db_sqlite(db), run, id, error))
        return false;
    while (xt_sample_next(&cursor, &failed) && each(user, cursor.value_ns, cursor.count))
        ;
    xt_sample_close(&cursor);
    if (failed)
        g_propagate_error(error, failed);
    return !failed;
}

/* Where the samples of a metric are: a column of table dispatch and of table decision, in rows of these combinations. */
static const struct {
    const char *of_dispatch, *dispatch_how, *decision_how; /* NULL: none there */
} measures[XT_N_METRICS] = {
    [XT_METRIC_DECISION] = { "x.decision_ns", "NOT no_dispatch AND NOT decision_no_burn", "NOT decision_no_burn" },
    [XT_METRIC_DECISION_SWITCH] = { "x.decision_ns", "NOT no_dispatch AND NOT decision_no_burn",
                                    "no_dispatch AND NOT decision_no_burn" },
    [XT_METRIC_DECISION_CONTINUE] = { NULL, NULL, "NOT no_dispatch AND NOT decision_no_burn" },
    [XT_METRIC_DECISION_NO_BURN] = { "x.decision_ns", "NOT no_dispatch AND decision_no_burn", "decision_no_burn" },
    [XT_METRIC_CONTEXT_SWITCH] = { "x.switch_ns", "NOT no_dispatch AND NOT decision_no_burn", NULL },
    [XT_METRIC_WAKE_LATENCY] = { "coalesce(x.latency_ns, x.waited_ns)", "latency = 'wake'", NULL },
    [XT_METRIC_PREEMPT_LATENCY] = { "coalesce(x.latency_ns, x.waited_ns)", "latency = 'preempt'", NULL },
    [XT_METRIC_REPLENISH_LATENCY] = { "coalesce(x.latency_ns, x.waited_ns)", "latency = 'replenish'", NULL },
};

static enum step pass_measure(struct window *w)
{
    const struct xt_how *how = xt_db_how(w->db, get(w, 3), w->error);
    struct xt_db_measure m = { .ns = get(w, 0), .vcpu = get(w, 1), .pcpu = (int32_t)get_or(w, 2, XT_NO_PCPU) };

    if (!how)
        return FAIL;
    m.migrated = (how->flags & XT_D_MIGRATED) != 0;
    return step_of(GIVE(w, xt_db_measure, &m));
}

/* value and vcpu: columns of table. */
static enum step walk_measures(struct window *w, const char *value, const char *vcpu, const char *chunks_of,
                               const char *how)
{
    char *sql = g_strdup_printf("SELECT %s, %s, x.pcpu, x.how%s AND x.how IN (SELECT id FROM how WHERE %s)"
                                " AND %s IS NOT NULL", value, vcpu, chunks_of, how, value);
    enum step step = walk(w, sql, pass_measure);

    g_free(sql);
    return step;
}

bool xt_db_each_measure(struct xt_db *db, int64_t run, enum xt_metric metric,
                        bool (*each)(void *user, const struct xt_db_measure *measure), void *user, GError **error)
{
    struct window w = { db, run, INT64_MIN, INT64_MAX, 0, (any_function)each, user, error, NULL };
    enum step step = GO_ON;

    if (measures[metric].dispatch_how)
        step = walk_measures(&w, measures[metric].of_dispatch, "x.vcpu", CHUNKS_OF("dispatch"),
                             measures[metric].dispatch_how);
    if (step == GO_ON && measures[metric].decision_how) /* who would have come, or goes on */
        step = walk_measures(&w, "x.dur_ns",
                             "CASE WHEN (SELECT no_dispatch FROM how WHERE id = x.how) THEN x.next ELSE x.prev END",
                             CHUNKS_OF("decision"), measures[metric].decision_how);
    return step != FAIL;
}
