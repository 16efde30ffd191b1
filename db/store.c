/* Rows as reconstruction hands them on. See store.h; what is written at the end is in summary.c. */
#include "db/store.h"

#include <string.h>

#include "db/bind.h"
#include "db/internal.h"
#include "db/store-internal.h"
#include "parse/error.h"

#define LONG_RUN_RECORDS 5000000  /* of shorter runs an overview reads all intervals in a fraction of a second */
#define RECORDS_PER_SHARE 128     /* at least: shares are few beside the rows they save */
#define MOST_SHARES 150000     /* rows that an overview reads in a fraction of a second */
#define FEWEST_BINS 256           /* coarser ones show nothing */

static int64_t find_how(struct xt_store *s, uint64_t packed)
{
    gpointer found = g_hash_table_lookup(s->how, GSIZE_TO_POINTER(packed));

    if (found)
        return (int64_t)GPOINTER_TO_SIZE(found);
    g_array_append_val(s->how_new, packed);
    g_hash_table_insert(s->how, GSIZE_TO_POINTER(packed), GSIZE_TO_POINTER(s->how_known + s->how_new->len));
    return s->how_known + s->how_new->len;
}

/* Every dispatch asks, and a run has a few dozen combinations. */
static int64_t how_id(struct xt_store *s, const struct xt_how *how)
{
    uint64_t packed = xt_how_pack(how);
    struct how_seen *seen = &s->how_seen[packed * 0x9e3779b97f4a7c15u >> (64 - HOW_SEEN_BITS)];

    if (seen->packed != packed)
        *seen = (struct how_seen){ packed, find_how(s, packed) };
    return seen->id;
}
G_STATIC_ASSERT(sizeof(gsize) >= sizeof(uint64_t));

static bool write_failed(struct xt_store *s, GError **error)
{
    if (xt_writer_finish(s->writer, error))
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: storing rows failed", xt_db_path(s->db));
    return false;
}

static bool end_chunk(struct xt_store *s, enum xt_table_id table, GError **error)
{
    struct chunk *chunk = &s->chunks[table];
    int64_t *row;

    if (chunk->n == 0)
        return true;
    row = xt_writer_row(s->writer, XT_T_CHUNK);
    if (!row)
        return write_failed(s, error);
    row[0] = table;
    row[1] = s->run_id;
    row[2] = chunk->first_id;
    row[3] = chunk->next_id - 1;
    row[4] = chunk->from_ts;
    row[5] = chunk->to_ts;
    chunk->n = 0;
    return true;
}

/* A row of a table with chunks that spans [from, to]; it gets the id that s->chunks says next. NULL with
 * error. */
static int64_t *add_row(struct xt_store *s, enum xt_table_id table, int64_t from, int64_t to, GError **error)
{
    struct chunk *chunk = &s->chunks[table];
    int64_t *row;

    if (chunk->n == XT_CHUNK_ROWS && !end_chunk(s, table, error))
        return NULL;
    if (chunk->n++ == 0) {
        chunk->first_id = chunk->next_id;
        chunk->from_ts = from;
        chunk->to_ts = to;
    }
    chunk->from_ts = MIN(chunk->from_ts, from);
    chunk->to_ts = MAX(chunk->to_ts, to);
    row = xt_writer_row(s->writer, table);
    if (!row) {
        write_failed(s, error);
        return NULL;
    }
    chunk->next_id++;
    return row;
}

static int64_t vcpu_id(const struct xt_store *s, const struct xt_vcpu *vcpu)
{
    return vcpu ? s->vcpu_base + vcpu->index : XT_NULL;
}

static int64_t or_null(int64_t value)
{
    return value < 0 ? XT_NULL : value;
}

static bool on_begin(void *self, const struct xt_run *run, GError **error)
{
    struct xt_store *s = self;

    s->run = *run;
    s->pcpus = g_memdup2(run->pcpus, run->n_pcpus * sizeof(*run->pcpus));
    s->run.pcpus = s->pcpus;
    if (run->records >= LONG_RUN_RECORDS)
        s->shares = xt_shares_new(run->duration_ns);
    return true;
}

static bool on_vcpu(void *self, const struct xt_vcpu *vcpu, GError **error)
{
    struct xt_store *s = self;

    if (vcpu->index >= s->vcpus->len) {
        g_array_set_size(s->vcpus, vcpu->index + 1);
        g_array_set_size(s->pending, vcpu->index + 1);
    }
    g_array_index(s->vcpus, struct xt_vcpu, vcpu->index) = *vcpu;
    return true;
}

static bool share_dispatch(struct xt_store *s, const struct xt_dispatch *d, GError **error)
{
    uint32_t vcpu = d->vcpu->index;

    return !s->shares || xt_vcpu_is_idle(d->vcpu) ||
           (xt_shares_add(s->shares, vcpu, d->off_state, XT_NO_PCPU, d->off_ts, d->ready_ts, error) &&
            xt_shares_add(s->shares, vcpu, XT_RUNNABLE, XT_NO_PCPU, d->ready_ts, d->run_ts, error) &&
            xt_shares_add(s->shares, vcpu, XT_RUNNING, d->pcpu, d->run_ts, d->end_ts, error));
}

static bool on_dispatch(void *self, const struct xt_dispatch *d, GError **error)
{
    struct xt_store *s = self;
    int64_t from = d->decision_ts >= 0 ? MIN(d->off_ts, d->decision_ts) : d->off_ts;
    int64_t *row = add_row(s, XT_T_DISPATCH, from, d->end_ts, error);
    int64_t waited_ns = d->run_ts - d->ready_ts;
    struct xt_how how = {
        .off_state = d->off_state,
        .off_reason = d->off_reason,
        .ready_reason = d->ready_reason,
        .end_reason = d->end_reason,
        .flags = d->flags,
        .latency = d->latency_ns < 0 ? XT_LATENCY_NONE : d->latency_kind,
    };

    if (!row)
        return false;
    how.latency_apart = how.latency != XT_LATENCY_NONE && d->latency_ns != waited_ns;
    row[0] = vcpu_id(s, d->vcpu);
    row[1] = how_id(s, &how);
    row[2] = d->end_ts;
    row[3] = d->end_ts - d->run_ts;
    row[4] = waited_ns;
    row[5] = d->ready_ts - d->off_ts;
    row[6] = or_null(d->pcpu);
    row[7] = or_null(d->from_pcpu);
    row[8] = vcpu_id(s, d->prev);
    row[9] = vcpu_id(s, d->next);
    row[10] = or_null(d->decision_ns);
    row[11] = or_null(d->switch_ns);
    row[12] = or_null(d->budget_left_ns);
    row[13] = how.latency_apart ? d->latency_ns : XT_NULL;
    s->reached = d->end_ts;
    return share_dispatch(s, d, error);
}

static bool on_interval(void *self, const struct xt_interval *i, GError **error)
{
    struct xt_store *s = self;
    int64_t *row = add_row(s, XT_T_INTERVAL, i->ts, i->end_ts, error);
    struct xt_how how = {
        .off_state = i->state, .off_reason = i->reason,
        .flags = (i->open_start ? XT_D_OPEN_START : 0) | (i->open_end ? XT_D_OPEN_END : 0),
    };

    if (!row)
        return false;
    row[0] = vcpu_id(s, i->vcpu);
    row[1] = how_id(s, &how);
    row[2] = i->ts;
    row[3] = i->end_ts - i->ts;
    return !s->shares || xt_vcpu_is_idle(i->vcpu) ||
           xt_shares_add(s->shares, i->vcpu->index, i->state, XT_NO_PCPU, i->ts, i->end_ts, error);
}

static bool on_decision(void *self, const struct xt_decision *d, GError **error)
{
    struct xt_store *s = self;
    int64_t *row = add_row(s, XT_T_DECISION, d->ts, d->ts + MAX(d->dur_ns, 0), error);
    struct xt_how how = {
        .off_state = XT_NO_STATE,
        .flags = (d->is_switch ? XT_D_NO_DISPATCH : 0) | (d->no_burn ? XT_D_DECISION_NO_BURN : 0) |
                 (d->tickled ? XT_D_TICKLED : 0),
    };

    if (!row)
        return false;
    row[0] = d->pcpu;
    row[1] = d->ts;
    row[2] = or_null(d->dur_ns);
    row[3] = vcpu_id(s, d->prev || d->is_switch ? d->prev : d->next);
    row[4] = d->is_switch ? vcpu_id(s, d->next) : XT_NULL;
    row[5] = how_id(s, &how);
    return true;
}

static bool on_overhead(void *self, const struct xt_overhead *o, GError **error)
{
    static const enum xt_metric metrics[XT_N_FORK_OVERHEADS] = {
        [XT_FORK_SCHED_LATENCY] = XT_METRIC_FORK_SCHED_LATENCY,
        [XT_FORK_CONTEXT_SWITCH] = XT_METRIC_FORK_CONTEXT_SWITCH,
        [XT_FORK_CONTEXT_SAVED] = XT_METRIC_FORK_CONTEXT_SAVED,
        [XT_FORK_WAKE] = XT_METRIC_FORK_WAKE,
        [XT_FORK_SLEEP] = XT_METRIC_FORK_SLEEP,
    };
    struct xt_store *s = self;
    int64_t *row = add_row(s, XT_T_OVERHEAD, o->ts, o->ts + o->dur_ns, error);

    if (!row)
        return false;
    row[0] = metrics[o->kind];
    row[1] = o->pcpu;
    row[2] = o->ts;
    row[3] = o->dur_ns;
    row[4] = vcpu_id(s, o->prev);
    row[5] = vcpu_id(s, o->next);
    row[6] = o->migrated;
    return true;
}

/* In ts; unsigned, as a damaged record may carry any 64 bits. */
static int64_t deadline_of(const struct xt_store *s, const struct xt_replenish *r)
{
    return (int64_t)((uint64_t)r->deadline_now_ns - (uint64_t)s->run.now_offset_ns);
}

static bool add_replenishment(struct xt_store *s, uint32_t vcpu, const struct xt_replenish *r, GError **error)
{
    int64_t *row = add_row(s, XT_T_REPLENISHMENT, r->ts, r->ts, error);

    if (!row)
        return false;
    row[0] = s->vcpu_base + vcpu;
    row[1] = r->pcpu;
    row[2] = r->ts;
    row[3] = r->deadline_now_ns;
    row[4] = r->budget_ns;
    return true;
}

static void forget_pending(struct pending *p, unsigned i)
{
    memmove(&p->of[i], &p->of[i + 1], (--p->n - i) * sizeof(p->of[0]));
}

/* Nearly every replenishment opens a period, whose row then carries it: it waits for that here. */
static bool on_replenish(void *self, const struct xt_replenish *r, GError **error)
{
    struct xt_store *s = self;
    struct pending *p = &g_array_index(s->pending, struct pending, r->vcpu->index);

    if (s->run.now_offset_ns == INT64_MIN)
        return add_replenishment(s, r->vcpu->index, r, error);
    if (p->n == XT_MAX_PENDING) {
        if (!add_replenishment(s, r->vcpu->index, &p->of[0], error))
            return false;
        forget_pending(p, 0);
    }
    p->of[p->n++] = *r;
    return true;
}

/* Takes the replenishment that opened the period out of those that wait. */
static bool take_replenishment(struct xt_store *s, const struct xt_period *period, struct xt_replenish *found)
{
    struct pending *p = &g_array_index(s->pending, struct pending, period->vcpu->index);

    for (unsigned i = 0; i < p->n && !period->reference; i++) {
        if (deadline_of(s, &p->of[i]) == period->deadline && p->of[i].budget_ns == period->budget_ns) {
            *found = p->of[i];
            forget_pending(p, i);
            return true;
        }
    }
    return false;
}

static bool flush_pending(struct xt_store *s, GError **error)
{
    for (guint i = 0; i < s->pending->len; i++) {
        struct pending *p = &g_array_index(s->pending, struct pending, i);

        for (; p->n; forget_pending(p, 0)) {
            if (!add_replenishment(s, i, &p->of[0], error))
                return false;
        }
    }
    return true;
}

static guint hash_reservation(gconstpointer key)
{
    const struct reservation *r = key;
    uint64_t mixed = ((uint64_t)r->period_ns * 31 + (uint64_t)r->budget_ns) * 31 + r->vcpu * 2 + r->reference;

    return (guint)(mixed ^ mixed >> 32);
}

static gboolean equal_reservation(gconstpointer a, gconstpointer b)
{
    const struct reservation *x = a, *y = b;

    return x->vcpu == y->vcpu && x->reference == y->reference && x->period_ns == y->period_ns &&
           x->budget_ns == y->budget_ns;
}

static int64_t reservation_id(struct xt_store *s, const struct xt_period *p)
{
    struct reservation key = {
        .vcpu = p->vcpu->index,
        .reference = p->reference,
        .period_ns = p->period_ns,
        .budget_ns = p->budget_ns,
    };
    struct reservation *r = g_hash_table_lookup(s->reservations, &key);

    if (!r) {
        r = g_memdup2(&key, sizeof(key));
        r->id = s->reservation_next++;
        g_hash_table_add(s->reservations, r);
        g_ptr_array_add(s->reservation_list, r);
    }
    r->n++;
    return r->id;
}

static bool add_blame(struct xt_store *s, int64_t period, const struct xt_period *p, GError **error)
{
    for (uint32_t i = 0; i < p->n_parts; i++) {
        const struct xt_blame_part *part = &p->parts[i];
        int64_t *row = xt_writer_row(s->writer, XT_T_BLAME);

        if (!row)
            return write_failed(s, error);
        row[0] = period;
        row[1] = i;
        row[2] = part->blame;
        row[3] = part->pcpu;
        row[4] = vcpu_id(s, part->vcpu);
        row[5] = part->dur_ns;
    }
    return true;
}

static bool on_period(void *self, const struct xt_period *p, GError **error)
{
    struct xt_store *s = self;
    int64_t id = s->chunks[XT_T_PERIOD].next_id, release = p->deadline - p->period_ns;
    struct xt_replenish r;
    bool opened = take_replenishment(s, p, &r);
    int64_t *row = add_row(s, XT_T_PERIOD, opened ? MIN(release, r.ts) : release,
                           opened ? MAX(p->deadline, r.ts) : p->deadline, error);

    if (!row)
        return false;
    row[0] = reservation_id(s, p);
    row[1] = p->deadline;
    row[2] = p->supplied_ns;
    row[3] = p->extratime_ns;
    row[4] = p->judged ? p->missed : XT_NULL;
    row[5] = p->ready_ts < 0 ? XT_NULL : p->deadline - p->ready_ts;
    row[6] = p->short_ns;
    for (int i = 0; i < XT_N_BLAMES; i++)
        row[7 + i] = p->blame_ns[i];
    row[11] = opened ? r.ts - release : XT_NULL;
    row[12] = opened ? r.pcpu : XT_NULL;
    return add_blame(s, id, p, error);
}
G_STATIC_ASSERT(XT_BLAME_OVERLOAD == 0 && XT_BLAME_INVERSION == 1 && XT_BLAME_LATENCY == 2 &&
                XT_BLAME_UNKNOWN == 3);

static bool on_loss(void *self, const struct xt_loss *l, GError **error)
{
    struct xt_store *s = self;
    int64_t *row = xt_writer_row(s->writer, XT_T_LOSS);

    if (!row)
        return write_failed(s, error);
    row[0] = s->run_id;
    row[1] = l->pcpu;
    row[2] = l->ts;
    row[3] = l->end_ts;
    row[4] = (int64_t)l->lost_records;
    return true;
}

struct share_writer {
    struct xt_store *store;
    sqlite3_stmt *insert;
};

static bool write_share(void *user, const struct xt_share *share, GError **error)
{
    struct share_writer *w = user;
    struct xt_bind b = { .stmt = w->insert };

    put_int(&b, w->store->run_id);
    put_int(&b, share->bin);
    put_int(&b, w->store->vcpu_base + share->vcpu);
    put_int(&b, share->running_ns);
    put_int(&b, share->runnable_ns);
    put_int(&b, share->unknown_ns);
    put_int(&b, (int64_t)share->intervals);
    sqlite3_bind_blob(b.stmt, ++b.at, share->pcpus_bytes > 0 ? share->pcpus : (const void *)"", (int)share->pcpus_bytes,
                      SQLITE_STATIC);
    if (put_row(&b))
        return true;
    xt_db_set_error(xt_db_sqlite(w->store->db), "storing rows", error);
    return false;
}

/* The parts of a bin of a VCPU whose time did not come in order are added up. */
static bool write_shares(struct xt_store *s, GError **error)
{
    static const char sql[] =
        "INSERT INTO vcpu_share VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET"
        " running_ns = running_ns + excluded.running_ns, runnable_ns = runnable_ns + excluded.runnable_ns,"
        " unknown_ns = unknown_ns + excluded.unknown_ns, intervals = intervals + excluded.intervals,"
        " pcpus = CAST(pcpus || excluded.pcpus AS BLOB)";
    uint64_t most = MIN(s->run.records / RECORDS_PER_SHARE, MOST_SHARES);
    struct share_writer w = { .store = s };
    bool fits, ok;

    if (!s->shares)
        return true;
    if (!xt_shares_finish(s->shares, most, FEWEST_BINS, &fits, error))
        return false;
    if (!fits) {
        g_clear_pointer(&s->shares, xt_shares_free);
        return true;
    }
    w.insert = xt_db_prepare(xt_db_sqlite(s->db), sql, error);
    ok = w.insert && xt_shares_each(s->shares, write_share, &w, error);
    sqlite3_finalize(w.insert);
    return ok;
}

static bool on_end(void *self, GError **error)
{
    struct xt_store *s = self;

    if (!flush_pending(s, error))
        return false;
    for (int table = 0; table < XT_N_CHUNKED; table++) {
        if (!end_chunk(s, (enum xt_table_id)table, error))
            return false;
    }
    return xt_writer_finish(s->writer, error) && write_shares(s, error);
}

static const struct xt_sink functions = {
    .begin = on_begin,
    .vcpu = on_vcpu,
    .dispatch = on_dispatch,
    .interval = on_interval,
    .decision = on_decision,
    .overhead = on_overhead,
    .replenish = on_replenish,
    .period = on_period,
    .blame = true,
    .loss = on_loss,
    .end = on_end,
};

/* The combinations that earlier runs have stored. */
static bool load_how(struct xt_store *s, GError **error)
{
    sqlite3_stmt *stmt = xt_db_prepare(xt_db_sqlite(s->db), XT_HOW_SELECT, error);
    int rc;

    if (!stmt)
        return false;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct xt_how how;
        int64_t id = xt_how_read(stmt, &how);

        g_hash_table_insert(s->how, GSIZE_TO_POINTER(xt_how_pack(&how)), GSIZE_TO_POINTER(id));
        s->how_known = MAX(s->how_known, id);
    }
    if (rc != SQLITE_DONE)
        xt_db_set_error(xt_db_sqlite(s->db), "reading the database", error);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE;
}

/* Ids go on where earlier runs ended. Nobody else can write until we commit. */
static bool find_ids(struct xt_store *s, GError **error)
{
    sqlite3 *handle = xt_db_sqlite(s->db);

    if (!xt_db_get_int(handle, "SELECT max(id) + 1 FROM run", 1, &s->run_id, error) ||
        !xt_db_get_int(handle, "SELECT max(id) + 1 FROM vcpu", 1, &s->vcpu_base, error) ||
        !xt_db_get_int(handle, "SELECT max(id) + 1 FROM reservation", 1, &s->reservation_next, error))
        return false;
    for (int i = 0; i < XT_N_CHUNKED; i++) {
        char *sql = g_strdup_printf("SELECT max(id) + 1 FROM %s", xt_table_name((enum xt_table_id)i));
        bool ok = xt_db_get_int(handle, sql, 1, &s->chunks[i].next_id, error);

        g_free(sql);
        if (!ok)
            return false;
    }
    return load_how(s, error);
}

static bool name_is_free(struct xt_store *s, GError **error)
{
    sqlite3_stmt *stmt = xt_db_prepare(xt_db_sqlite(s->db), "SELECT 1 FROM run WHERE name = ?", error);
    bool taken;

    if (!stmt)
        return false;
    sqlite3_bind_text(stmt, 1, s->options.name, -1, SQLITE_STATIC);
    taken = sqlite3_step(stmt) == SQLITE_ROW;
    sqlite3_finalize(stmt);
    if (taken)
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                    "%s: has a run named \"%s\" already; give another with --name", xt_db_path(s->db),
                    s->options.name);
    return !taken;
}

struct xt_store *xt_store_new(struct xt_db *db, const struct xt_store_options *options, GError **error)
{
    struct xt_store *s = g_new0(struct xt_store, 1);

    s->db = db;
    s->options = *options;
    s->sink = functions;
    s->sink.self = s;
    s->vcpus = g_array_new(FALSE, TRUE, sizeof(struct xt_vcpu));
    s->pending = g_array_new(FALSE, TRUE, sizeof(struct pending));
    s->how = g_hash_table_new(NULL, NULL);
    s->how_new = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    s->reservations = g_hash_table_new(hash_reservation, equal_reservation);
    s->reservation_list = g_ptr_array_new_with_free_func(g_free);
    s->notes = g_string_new(NULL);
    if (xt_db_begin(db, error) && name_is_free(s, error) && find_ids(s, error))
        s->writer = xt_writer_new(xt_db_sqlite(db), !options->one_thread, error);
    if (s->writer)
        return s;
    xt_store_free(s);
    return NULL;
}

const struct xt_sink *xt_store_sink(struct xt_store *s)
{
    return &s->sink;
}

int64_t xt_store_run(const struct xt_store *s)
{
    return s->run_id;
}

int64_t xt_store_reached(const struct xt_store *s)
{
    return s->reached;
}

void xt_store_note(struct xt_store *s, const char *note)
{
    if (s->notes->len)
        g_string_append_c(s->notes, '\n');
    g_string_append(s->notes, note);
}

bool xt_store_commit(struct xt_store *s, const char *hash, const struct xt_stats *stats,
                     const struct xt_findings *findings, GError **error)
{
    g_clear_pointer(&s->add_job, sqlite3_finalize);
    g_clear_pointer(&s->writer, xt_writer_free);
    return xt_store_summary(s, hash, stats, error) && xt_store_conformance(s, findings, error) &&
           xt_db_commit(s->db, error);
}

void xt_store_free(struct xt_store *s)
{
    if (!s)
        return;
    sqlite3_finalize(s->add_job);
    xt_writer_free(s->writer);
    xt_db_rollback(s->db);
    g_free(s->pcpus);
    xt_shares_free(s->shares);
    g_array_free(s->vcpus, TRUE);
    g_array_free(s->pending, TRUE);
    g_hash_table_unref(s->how);
    g_array_free(s->how_new, TRUE);
    g_hash_table_unref(s->reservations);
    g_ptr_array_unref(s->reservation_list);
    g_string_free(s->notes, TRUE);
    g_free(s);
}


/* 1: completed after its deadline, or not by then; -1: the log ends before that can be said. */
static int judge_job(const struct xt_db_job *job, int64_t log_end)
{
    if (job->completion != INT64_MIN)
        return job->completion > job->deadline;
    return log_end > job->deadline ? 1 : -1;
}

bool xt_db_add_job(struct xt_store *s, const struct xt_db_job *job, int64_t log_end, GError **error)
{
    int missed = judge_job(job, log_end);
    struct xt_bind b;

    if (!s->add_job)
        s->add_job = xt_db_prepare(xt_db_sqlite(s->db), "INSERT INTO job VALUES (NULL,?,?,?,?,?,?,?,?,?,?)",
                                   error);
    if (!s->add_job)
        return false;
    b = (struct xt_bind){ .stmt = s->add_job };
    put_int(&b, s->run_id);
    put_int_if(&b, job->domid >= 0, job->domid);
    put_text(&b, job->domain);
    put_text(&b, job->task);
    put_int(&b, job->job);
    put_int(&b, job->release);
    put_int_if(&b, job->start != INT64_MIN, job->start);
    put_int_if(&b, job->completion != INT64_MIN, job->completion);
    put_int(&b, job->deadline);
    put_int_if(&b, missed >= 0, missed);
    if (put_row(&b))
        return true;
    xt_db_set_error(xt_db_sqlite(s->db), "storing a job", error);
    return false;
}
