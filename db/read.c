/* Rows of a window of time. See db.h; table chunk finds the rows. */
#include "db/bind.h"
#include "db/internal.h"
#include "db/samples.h"

#define CHUNKS_OF(table) \
    " FROM chunk c CROSS JOIN " table " x ON x.id BETWEEN c.first_id AND c.last_id" \
    " WHERE c.kind = '" table "' AND c.run = ?1 AND c.to_ts >= ?2 AND c.from_ts < ?3"

struct window {
    struct xt_db *db;
    sqlite3_stmt *stmt;
    int64_t from, to;
    GError **error;
};

static bool open_window(struct window *w, struct xt_db *db, const char *sql, int64_t run, int64_t from, int64_t to,
                        int64_t vcpu, GError **error)
{
    *w = (struct window){ .db = db, .from = from, .to = to, .error = error };
    w->stmt = xt_db_prepare(xt_db_sqlite(db), sql, error);
    if (!w->stmt)
        return false;
    sqlite3_bind_int64(w->stmt, 1, run);
    sqlite3_bind_int64(w->stmt, 2, from);
    sqlite3_bind_int64(w->stmt, 3, to);
    if (sqlite3_bind_parameter_count(w->stmt) >= 4)
        sqlite3_bind_int64(w->stmt, 4, vcpu);
    return true;
}

/* Ends a walk; rc of the last step, SQLITE_ROW if it was left early on purpose. */
static bool close_window(struct window *w, int rc)
{
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE;

    if (!ok)
        xt_db_set_error(xt_db_sqlite(w->db), "reading the database", w->error);
    sqlite3_finalize(w->stmt);
    return ok;
}

static int64_t get(struct window *w, int column, int64_t null)
{
    return sqlite3_column_type(w->stmt, column) == SQLITE_NULL ? null : sqlite3_column_int64(w->stmt, column);
}

static bool read_dispatch(struct window *w, struct xt_db_dispatch *d)
{
    const struct xt_how *how = xt_db_how(w->db, get(w, 2, 0), w->error);

    if (!how)
        return false;
    d->id = get(w, 0, 0);
    d->vcpu = get(w, 1, 0);
    d->off_state = how->off_state;
    d->off_reason = how->off_reason;
    d->ready_reason = how->ready_reason;
    d->end_reason = how->end_reason;
    d->flags = how->flags;
    d->end_ts = get(w, 3, 0);
    d->run_ts = d->end_ts - get(w, 4, 0);
    d->ready_ts = d->run_ts - get(w, 5, 0);
    d->off_ts = d->ready_ts - get(w, 6, 0);
    d->pcpu = (int32_t)get(w, 7, XT_NO_PCPU);
    d->from_pcpu = (int32_t)get(w, 8, XT_NO_PCPU);
    d->prev = get(w, 9, 0);
    d->next = get(w, 10, 0);
    d->decision_ns = get(w, 11, -1);
    d->switch_ns = get(w, 12, -1);
    d->budget_left_ns = get(w, 13, -1);
    d->decision_ts = d->decision_ns < 0 || d->switch_ns < 0 ? -1 : d->run_ts - d->switch_ns - d->decision_ns;
    d->latency_kind = how->latency;
    d->latency_ns = how->latency_apart ? get(w, 14, -1) : how->latency ? d->run_ts - d->ready_ts : -1;
    return true;
}

/* 1 goes on, 0 the callback stops, -1 error */
typedef int (*dispatch_function)(void *user, const struct xt_db_dispatch *d);

static bool walk_dispatches(struct xt_db *db, int64_t run, int64_t from, int64_t to, int64_t vcpu,
                            dispatch_function each, void *user, bool *stopped, GError **error)
{
    struct xt_db_dispatch d;
    struct window w;
    int rc, go = 1;

    if (!open_window(&w, db, "SELECT x.*" CHUNKS_OF("dispatch") " AND (?4 = 0 OR x.vcpu = ?4)", run, from, to, vcpu,
                     error))
        return false;
    while (go > 0 && (rc = sqlite3_step(w.stmt)) == SQLITE_ROW)
        go = read_dispatch(&w, &d) ? each(user, &d) : -1;
    *stopped = go == 0;
    return close_window(&w, go > 0 ? rc : SQLITE_ROW) && go >= 0;
}

struct each_dispatch {
    int64_t from, to;
    bool (*each)(void *, const struct xt_db_dispatch *);
    void *user;
};

static int pass_dispatch(void *user, const struct xt_db_dispatch *d)
{
    struct each_dispatch *e = user;

    return d->end_ts <= e->from || d->off_ts >= e->to || e->each(e->user, d);
}

bool xt_db_each_dispatch(struct xt_db *db, int64_t run, int64_t from, int64_t to, int64_t vcpu,
                         bool (*each)(void *user, const struct xt_db_dispatch *dispatch), void *user, GError **error)
{
    struct each_dispatch e = { from, to, each, user };
    bool stopped;

    return walk_dispatches(db, run, from, to, vcpu, pass_dispatch, &e, &stopped, error);
}

struct each_interval {
    int64_t from, to;
    bool (*each)(void *, const struct xt_db_interval *);
    void *user;
};

static bool pass_interval(struct each_interval *e, const struct xt_db_interval *i)
{
    return i->ts == i->end_ts || i->end_ts <= e->from || i->ts >= e->to || e->each(e->user, i);
}

/* The up to three intervals of a dispatch. */
static int split_dispatch(void *user, const struct xt_db_dispatch *d)
{
    struct each_interval *e = user;
    bool open = (d->flags & XT_D_OPEN_START) != 0;
    struct xt_db_interval i = { .vcpu = d->vcpu, .pcpu = XT_NO_PCPU };

    if (d->off_ts < d->ready_ts) {
        i.ts = d->off_ts;
        i.end_ts = d->ready_ts;
        i.state = d->off_state;
        i.reason = d->off_reason;
        i.open = open;
        open = false;
        if (!pass_interval(e, &i))
            return 0;
    }
    if (d->ready_ts < d->run_ts) {
        i.ts = d->ready_ts;
        i.end_ts = d->run_ts;
        i.state = XT_RUNNABLE;
        i.reason = d->ready_reason;
        i.open = open;
        open = false;
        if (!pass_interval(e, &i))
            return 0;
    }
    i.ts = d->run_ts;
    i.end_ts = d->end_ts;
    i.state = XT_RUNNING;
    i.reason = d->end_reason;
    i.pcpu = d->pcpu;
    i.open = open || (d->flags & XT_D_OPEN_END) != 0;
    return pass_interval(e, &i);
}

static bool walk_intervals(struct xt_db *db, int64_t run, int64_t from, int64_t to, int64_t vcpu,
                           struct each_interval *e, GError **error)
{
    struct window w;
    int rc = SQLITE_ROW;
    bool ok = true, go = true;

    if (!open_window(&w, db, "SELECT x.*" CHUNKS_OF("interval") " AND (?4 = 0 OR x.vcpu = ?4)", run, from, to, vcpu,
                     error))
        return false;
    while (ok && go && (rc = sqlite3_step(w.stmt)) == SQLITE_ROW) {
        const struct xt_how *how = xt_db_how(db, get(&w, 2, 0), error);
        struct xt_db_interval i = { .vcpu = get(&w, 1, 0), .ts = get(&w, 3, 0), .pcpu = XT_NO_PCPU };

        ok = how != NULL;
        if (!ok)
            break;
        i.end_ts = i.ts + get(&w, 4, 0);
        i.state = how->off_state;
        i.reason = how->off_reason;
        i.open = (how->flags & (XT_D_OPEN_START | XT_D_OPEN_END)) != 0;
        go = pass_interval(e, &i);
    }
    return close_window(&w, rc) && ok;
}

bool xt_db_each_interval(struct xt_db *db, int64_t run, int64_t from, int64_t to, int64_t vcpu,
                         bool (*each)(void *user, const struct xt_db_interval *interval), void *user, GError **error)
{
    struct each_interval e = { from, to, each, user };
    bool stopped;

    return walk_dispatches(db, run, from, to, vcpu, split_dispatch, &e, &stopped, error) &&
           (stopped || walk_intervals(db, run, from, to, vcpu, &e, error));
}

struct each_decision {
    int64_t from, to;
    bool (*each)(void *, const struct xt_db_decision *);
    void *user;
};

static bool pass_decision(struct each_decision *e, const struct xt_db_decision *d)
{
    return d->ts < e->from || d->ts >= e->to || e->each(e->user, d);
}

static int decision_of(void *user, const struct xt_db_dispatch *d)
{
    struct xt_db_decision decision = {
        .pcpu = d->pcpu,
        .ts = d->decision_ts >= 0 ? d->decision_ts : d->run_ts - MAX(d->switch_ns, 0),
        .dur_ns = d->decision_ns,
        .switch_ns = d->switch_ns,
        .is_switch = true,
        .migrated = (d->flags & XT_D_MIGRATED) != 0,
        .no_burn = (d->flags & XT_D_DECISION_NO_BURN) != 0,
        .tickled = (d->flags & XT_D_TICKLED) != 0,
        .prev = d->prev,
        .next = d->vcpu,
    };

    return (d->flags & XT_D_NO_DISPATCH) || pass_decision(user, &decision);
}

static bool walk_decisions(struct xt_db *db, int64_t run, int64_t from, int64_t to, struct each_decision *e,
                           GError **error)
{
    struct window w;
    int rc = SQLITE_ROW;
    bool ok = true, go = true;

    if (!open_window(&w, db, "SELECT x.*" CHUNKS_OF("decision"), run, from, to, 0, error))
        return false;
    while (ok && go && (rc = sqlite3_step(w.stmt)) == SQLITE_ROW) {
        const struct xt_how *how = xt_db_how(db, get(&w, 6, 0), error);
        struct xt_db_decision d = {
            .pcpu = (int32_t)get(&w, 1, XT_NO_PCPU),
            .ts = get(&w, 2, 0),
            .dur_ns = get(&w, 3, -1),
            .switch_ns = -1,
            .prev = get(&w, 4, 0),
            .next = get(&w, 5, 0),
        };

        ok = how != NULL;
        if (!ok)
            break;
        d.is_switch = (how->flags & XT_D_NO_DISPATCH) != 0;
        d.no_burn = (how->flags & XT_D_DECISION_NO_BURN) != 0;
        d.tickled = (how->flags & XT_D_TICKLED) != 0;
        if (!d.is_switch)
            d.next = d.prev;
        go = pass_decision(e, &d);
    }
    return close_window(&w, rc) && ok;
}

bool xt_db_each_decision(struct xt_db *db, int64_t run, int64_t from, int64_t to,
                         bool (*each)(void *user, const struct xt_db_decision *decision), void *user, GError **error)
{
    struct each_decision e = { from, to, each, user };
    bool stopped;

    return walk_dispatches(db, run, from, to, 0, decision_of, &e, &stopped, error) &&
           (stopped || walk_decisions(db, run, from, to, &e, error));
}

#define PERIOD_COLUMNS                                                                                              \
    "SELECT x.id, s.vcpu, x.deadline, s.period_ns, s.budget_ns, x.supplied_ns, x.extratime_ns, x.short_ns,"         \
    " x.ready_ns, s.reference, x.missed, x.overload_ns, x.inversion_ns, x.latency_ns, x.unknown_ns"

static void read_period(struct window *w, struct xt_db_period *p)
{
    int64_t ready_ns = get(w, 8, -1);

    *p = (struct xt_db_period){
        .id = get(w, 0, 0), .vcpu = get(w, 1, 0), .deadline = get(w, 2, 0), .period_ns = get(w, 3, 0),
        .budget_ns = get(w, 4, 0), .supplied_ns = get(w, 5, 0), .extratime_ns = get(w, 6, 0), .short_ns = get(w, 7, 0),
        .reference = get(w, 9, 0), .judged = get(w, 10, -1) >= 0, .missed = get(w, 10, 0),
    };
    p->release = p->deadline - p->period_ns;
    p->ready_ts = ready_ns < 0 ? -1 : p->deadline - ready_ns;
    for (int i = 0; i < XT_N_BLAMES; i++)
        p->blame_ns[i] = get(w, 11 + i, 0);
}

bool xt_db_each_period(struct xt_db *db, int64_t run, int64_t from, int64_t to, int64_t vcpu,
                       bool (*each)(void *user, const struct xt_db_period *period), void *user, GError **error)
{
    static const char sql[] = PERIOD_COLUMNS
        " FROM chunk c CROSS JOIN period x ON x.id BETWEEN c.first_id AND c.last_id"
        " CROSS JOIN reservation s ON s.id = x.reservation"
        " WHERE c.kind = 'period' AND c.run = ?1 AND c.to_ts >= ?2 AND c.from_ts < ?3 AND (?4 = 0 OR s.vcpu = ?4)";
    struct xt_db_period p;
    struct window w;
    bool go = true;
    int rc = SQLITE_ROW;

    if (!open_window(&w, db, sql, run, from, to, vcpu, error))
        return false;
    while (go && (rc = sqlite3_step(w.stmt)) == SQLITE_ROW) {
        read_period(&w, &p);
        if (p.deadline >= from && p.release < to)
            go = each(user, &p);
    }
    return close_window(&w, rc);
}

GArray *xt_db_misses(struct xt_db *db, int64_t run, GError **error)
{
    static const char sql[] = PERIOD_COLUMNS
        " FROM period x CROSS JOIN reservation s ON s.id = x.reservation CROSS JOIN vcpu v ON v.id = s.vcpu"
        " WHERE x.missed AND v.run = ?1 ORDER BY x.short_ns DESC, x.id";
    GArray *misses;
    struct xt_db_period p;
    struct window w;
    int rc;

    if (!open_window(&w, db, sql, run, 0, 0, 0, error))
        return NULL;
    misses = g_array_new(FALSE, FALSE, sizeof(p));
    while ((rc = sqlite3_step(w.stmt)) == SQLITE_ROW) {
        read_period(&w, &p);
        g_array_append_val(misses, p);
    }
    if (close_window(&w, rc))
        return misses;
    g_array_unref(misses);
    return NULL;
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
    struct window w;
    bool go = true;
    int rc = SQLITE_ROW;

    if (!open_window(&w, db, sql, run, from, to, vcpu, error))
        return false;
    while (go && (rc = sqlite3_step(w.stmt)) == SQLITE_ROW) {
        struct xt_db_replenish r = {
            .vcpu = get(&w, 0, 0),
            .pcpu = (int32_t)get(&w, 1, XT_NO_PCPU),
            .ts = get(&w, 2, 0),
            .budget_ns = get(&w, 3, 0),
            .deadline = get(&w, 4, INT64_MIN),
        };

        go = each(user, &r);
    }
    return close_window(&w, rc);
}

bool xt_db_each_loss(struct xt_db *db, int64_t run, int64_t from, int64_t to,
                     bool (*each)(void *user, const struct xt_loss *loss), void *user, GError **error)
{
    struct window w;
    bool go = true;
    int rc = SQLITE_ROW;

    if (!open_window(&w, db, "SELECT pcpu, ts, end_ts, lost_records FROM loss WHERE run = ?1 AND end_ts >= ?2 AND ts < ?3 "
                     "ORDER BY end_ts", run, from, to, 0, error))
        return false;
    while (go && (rc = sqlite3_step(w.stmt)) == SQLITE_ROW) {
        struct xt_loss loss = {
            .pcpu = (int32_t)get(&w, 0, XT_NO_PCPU), .ts = get(&w, 1, 0), .end_ts = get(&w, 2, 0),
            .lost_records = (uint64_t)get(&w, 3, 0),
        };

        go = each(user, &loss);
    }
    return close_window(&w, rc);
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
    struct window w;
    bool go = true;
    int rc = SQLITE_ROW;

    if (!open_window(&w, db, sql, run, from, to, domid, error))
        return false;
    while (go && (rc = sqlite3_step(w.stmt)) == SQLITE_ROW) {
        struct xt_db_job job = {
            .domid = (int)get(&w, 0, -1),
            .domain = (const char *)sqlite3_column_text(w.stmt, 1),
            .task = (const char *)sqlite3_column_text(w.stmt, 2),
            .job = get(&w, 3, 0), .release = get(&w, 4, 0), .deadline = get(&w, 5, 0),
            .start = get(&w, 6, INT64_MIN), .completion = get(&w, 7, INT64_MIN), .missed = (int)get(&w, 8, -1),
        };

        go = each(user, &job);
    }
    return close_window(&w, rc);
}

bool xt_db_each_share(struct xt_db *db, int64_t run, int64_t from, int64_t to,
                      bool (*each)(void *user, const struct xt_db_share *share), void *user, GError **error)
{
    static const char sql[] =
        "SELECT x.bin, x.vcpu, NULL, 0, x.running_ns, x.runnable_ns, x.unknown_ns, x.intervals" CHUNKS_OF("vcpu_share")
        " UNION ALL SELECT x.bin, 0, x.pcpu, x.domid, x.running_ns, 0, 0, 0" CHUNKS_OF("pcpu_share");
    int64_t share_ns;
    char *ask = g_strdup_printf("SELECT share_ns FROM run WHERE id = %" G_GINT64_FORMAT, run);
    bool ok = xt_db_get_int(xt_db_sqlite(db), ask, 0, &share_ns, error), go = true;
    struct window w;
    int rc = SQLITE_ROW;

    g_free(ask);
    if (!ok || share_ns == 0 || !open_window(&w, db, sql, run, from, to, 0, error))
        return ok && share_ns == 0;
    while (go && (rc = sqlite3_step(w.stmt)) == SQLITE_ROW) {
        struct xt_db_share share = {
            .bin = get(&w, 0, 0), .vcpu = get(&w, 1, 0), .pcpu = (int32_t)get(&w, 2, XT_NO_PCPU),
            .domid = (uint16_t)get(&w, 3, 0), .running_ns = get(&w, 4, 0), .runnable_ns = get(&w, 5, 0),
            .unknown_ns = get(&w, 6, 0),
            .intervals = (uint64_t)get(&w, 7, 0),
        };

        if (share.bin * share_ns < to && (share.bin + 1) * share_ns > from)
            go = each(user, &share);
    }
    return close_window(&w, rc);
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
