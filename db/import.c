/* One import: recording -> trace -> reconstruction -> sinks, in one transaction. See import.h. */
#include "db/import.h"

#include <string.h>
#include <sys/stat.h>

#include "db/guests.h"
#include "db/internal.h"
#include "db/store.h"
#include "parse/error.h"
#include "parse/policy.h"
#include "parse/reconstruct.h"
#include "parse/stats.h"

#define BIG_TRACE_BYTES (32 << 20)

/* Of each rule; more are counted, not listed. */
#define MOST_VIOLATIONS 10000

struct import {
    struct xt_db *db;
    struct xt_recording *recording;
    const struct xt_import_options *options;
    GThread *hashing; /* NULL: hash and hash_error are there */
    char *hash;       /* NULL unknown (standard input) */
    GError *hash_error;
    struct xt_store *store;
    struct xt_stats *stats;
    struct xt_findings *findings;
    struct xt_guests *guests;
    struct xt_run run;     /* as begin() got it; pcpus is not ours */
    struct xt_sink watch;  /* sees the run go by: progress, and what jobs need */
    GPtrArray *notes;      /* of char * */
    unsigned seen;
};

static void note(struct import *im, const char *message)
{
    if (im->options->note)
        im->options->note(im->options->user, message);
    g_ptr_array_add(im->notes, g_strdup(message));
}

static void note_trace(void *user, const char *message)
{
    note(user, message);
}

static void progress_trace(void *user, uint64_t bytes, uint64_t total)
{
    struct import *im = user;

    if (im->options->progress && total)
        im->options->progress(im->options->user, "reading", (double)bytes / (double)total);
}

static bool watch_begin(void *self, const struct xt_run *run, GError **error)
{
    struct import *im = self;

    im->run = *run;
    im->run.pcpus = NULL;
    return true;
}

static bool watch_dispatch(void *self, const struct xt_dispatch *d, GError **error)
{
    struct import *im = self;

    if ((++im->seen & 0xffff) == 0 && im->options->progress && im->run.duration_ns > 0)
        im->options->progress(im->options->user, "importing", (double)d->end_ts / (double)im->run.duration_ns);
    return true;
}

static gpointer hash_recording(gpointer data)
{
    struct import *im = data;

    im->hash = xt_recording_hash(im->recording, &im->hash_error);
    return NULL;
}

static bool wait_for_hash(struct import *im, GError **error)
{
    if (im->hashing)
        g_thread_join(g_steal_pointer(&im->hashing));
    if (im->hash_error)
        g_propagate_error(error, g_steal_pointer(&im->hash_error));
    return error == NULL || *error == NULL;
}

/* Whether a run of as many bytes is there already. Hashing takes about as long as reading the trace, so a big one
 * goes on beside that; but nobody should wait for an import that may be refused at its end. */
static bool may_be_there(struct import *im)
{
    sqlite3_stmt *stmt;
    struct stat st;
    bool found = false;

    if (stat(im->recording->trace_path, &st) != 0 || st.st_size < BIG_TRACE_BYTES)
        return true;
    if (xt_db_is_new(im->db))
        return false;
    stmt = xt_db_prepare(xt_db_sqlite(im->db), "SELECT 1 FROM run WHERE bytes = ?", NULL);
    if (stmt) {
        sqlite3_bind_int64(stmt, 1, st.st_size);
        found = sqlite3_step(stmt) == SQLITE_ROW;
    }
    sqlite3_finalize(stmt);
    return found;
}

/* The run that has this hash, or NULL. Within the transaction, so that two imports at once cannot both find none. */
static char *same_content(struct import *im, const char *hash, GError **error)
{
    sqlite3_stmt *stmt;
    char *name = NULL;

    if (xt_db_is_new(im->db))
        return NULL;
    stmt = xt_db_prepare(xt_db_sqlite(im->db), "SELECT name FROM run WHERE hash = ?", error);
    if (!stmt)
        return NULL;
    sqlite3_bind_text(stmt, 1, hash, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        name = g_strdup((const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return name;
}

static bool not_there_yet(struct import *im, GError **error)
{
    GError *failed = NULL;
    char *name = NULL;

    if (wait_for_hash(im, &failed) && im->hash && !im->options->again)
        name = same_content(im, im->hash, &failed);
    if (failed) {
        g_propagate_error(error, failed);
        return false;
    }
    if (name)
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                    "%s: the same recording is in %s already, as run \"%s\"; --again imports it once more",
                    im->recording->path, xt_db_path(im->db), name);
    g_free(name);
    return name == NULL;
}

/* "NAME", or with --again and no name given the first free of "NAME-2", "NAME-3", … */
static char *choose_name(struct import *im, GError **error)
{
    const char *name = im->options->name ? im->options->name : im->recording->name;
    char *candidate = g_strdup(name);
    sqlite3_stmt *stmt;

    if (xt_db_is_new(im->db))
        return candidate;
    stmt = xt_db_prepare(xt_db_sqlite(im->db), "SELECT 1 FROM run WHERE name = ?", error);
    if (!stmt) {
        g_free(candidate);
        return NULL;
    }
    for (int i = 2; im->options->again && !im->options->name; i++) {
        bool taken;

        sqlite3_bind_text(stmt, 1, candidate, -1, SQLITE_TRANSIENT);
        taken = sqlite3_step(stmt) == SQLITE_ROW;
        sqlite3_reset(stmt);
        if (!taken)
            break;
        g_free(candidate);
        candidate = g_strdup_printf("%s-%d", name, i);
    }
    sqlite3_finalize(stmt);
    return candidate;
}

static bool reconstruct(struct import *im, struct xt_trace *trace, GError **error)
{
    struct xt_reconstruct_options how = { .tsc_hz = im->options->tsc_hz, .tolerance_ns = im->options->tolerance_ns };
    const struct xt_sink *const sinks[] = {
        xt_stats_sink(im->stats), xt_store_sink(im->store), xt_findings_sink(im->findings), xt_guests_sink(im->guests),
        &im->watch,
    };

    return xt_reconstruct(trace, im->recording, &how, sinks, G_N_ELEMENTS(sinks), im->options->cancel, error);
}

static bool run_import(struct import *im, struct xt_trace *trace, GError **error)
{
    bool periodic = false;
    char *by_hand = NULL;

    if (im->options->policy)
        xt_policy_split(im->options->policy, &by_hand, &periodic);
    if (by_hand && !*by_hand) /* "+periodic" alone */
        g_clear_pointer(&by_hand, g_free);
    struct xt_store_options what = {
        .recording = im->recording,
        .path = im->recording->path,
        .policy = by_hand ? by_hand : im->recording->policy,
        .policy_why = by_hand ? "given by hand" : im->recording->policy_why,
        .server = periodic ? "periodic" : im->recording->server,
        .tolerance_ns = im->options->tolerance_ns,
        .one_thread = im->options->one_thread,
    };
    char *name = choose_name(im, error);
    bool ok;

    what.name = name;
    im->store = name ? xt_store_new(im->db, &what, error) : NULL;
    ok = im->store && (im->hashing || not_there_yet(im, error));
    ok = ok && reconstruct(im, trace, error) &&
         xt_guests_store(im->guests, im->db, im->store, &im->run, note_trace, im, error);
    for (guint i = 0; ok && i < im->notes->len; i++)
        xt_store_note(im->store, im->notes->pdata[i]);
    ok = ok && not_there_yet(im, error) && xt_store_commit(im->store, im->hash, im->stats, im->findings, error);
    g_free(name);
    g_free(by_hand);
    return ok;
}

static void end_import(struct import *im)
{
    g_clear_pointer(&im->store, xt_store_free);
    g_clear_pointer(&im->stats, xt_stats_free);
    g_clear_pointer(&im->findings, xt_findings_free);
    g_clear_pointer(&im->guests, xt_guests_free);
}

/* Anew where TSCs turn out to be off. */
static bool import_trace(struct import *im, struct xt_trace *trace, GError **error)
{
    GError *failed = NULL;
    guint notes;
    bool ok;

    for (guint i = 0; im->recording->notes && i < im->recording->notes->len; i++)
        note(im, im->recording->notes->pdata[i]);
    notes = im->notes->len;
    do {
        end_import(im);
        g_ptr_array_set_size(im->notes, (int)notes);
        im->stats = xt_stats_new();
        im->findings = xt_findings_new(MOST_VIOLATIONS);
        im->guests = xt_guests_new(im->recording);
        im->watch = (struct xt_sink){ .self = im, .begin = watch_begin, .dispatch = watch_dispatch };
        ok = run_import(im, trace, &failed);
    } while (!ok && xt_reconstruct_again(&failed));
    if (failed)
        g_propagate_error(error, failed);
    return ok;
}

static bool summarise(struct import *im, int64_t run, struct xt_import_summary *out, GError **error)
{
    sqlite3_stmt *stmt = xt_db_prepare(xt_db_sqlite(im->db),
        "SELECT name, policy, scheduler, duration_ns, tsc_hz, records, lost_records, unknown_records, malformed_records,"
        " (SELECT count(*) FROM vcpu_stats WHERE run = r.run),"
        " (SELECT sum(dispatches) FROM vcpu_stats WHERE run = r.run),"
        " (SELECT sum(periods_judged) FROM vcpu_stats WHERE run = r.run),"
        " (SELECT sum(period_misses) FROM vcpu_stats WHERE run = r.run),"
        " (SELECT sum(jobs) FROM job_stats WHERE run = r.run),"
        " (SELECT sum(misses) FROM job_stats WHERE run = r.run), server"
        " FROM runs r WHERE run = ?", error);
    uint64_t *const counts[] = {
        &out->records, &out->lost_records, &out->unknown_records, &out->malformed_records, &out->vcpus,
        &out->dispatches, &out->periods_judged, &out->period_misses, &out->jobs, &out->job_misses,
    };

    if (!stmt)
        return false;
    sqlite3_bind_int64(stmt, 1, run);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        out->run = run;
        out->name = g_strdup((const char *)sqlite3_column_text(stmt, 0));
        out->policy = g_strdup((const char *)sqlite3_column_text(stmt, 1));
        out->server = g_strdup((const char *)sqlite3_column_text(stmt, 15));
        out->scheduler = g_strdup((const char *)sqlite3_column_text(stmt, 2));
        out->duration_ns = sqlite3_column_int64(stmt, 3);
        out->tsc_hz = sqlite3_column_int64(stmt, 4);
        for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++)
            *counts[i] = (uint64_t)sqlite3_column_int64(stmt, 5 + (int)i);
    }
    sqlite3_finalize(stmt);
    return true;
}

bool xt_import(struct xt_db *db, struct xt_recording *recording, const struct xt_import_options *options,
               struct xt_import_summary *summary, GError **error)
{
    struct import im = { .db = db, .recording = recording, .options = options };
    struct xt_trace_options open = { .salvage = options->salvage, .note = note_trace, .progress = progress_trace, .user = &im };
    int64_t begun = g_get_monotonic_time();
    struct xt_trace *trace;
    GError *failed = NULL;
    bool ok = false;

    memset(summary, 0, sizeof(*summary));
    im.notes = g_ptr_array_new_with_free_func(g_free);
    im.hashing = g_thread_new("xentrail-hash", hash_recording, &im);
    /* before the transaction: reading a big file, or waiting for standard input, must not lock others out */
    if (may_be_there(&im))
        not_there_yet(&im, &failed);
    trace = failed ? NULL : xt_trace_open(recording->trace_path, &open, &failed);
    if (trace) {
        ok = import_trace(&im, trace, &failed) && summarise(&im, xt_store_run(im.store), summary, &failed);
        end_import(&im);
        xt_trace_free(trace);
    }
    wait_for_hash(&im, NULL);
    g_free(im.hash);
    g_ptr_array_unref(im.notes);
    summary->seconds = (double)(g_get_monotonic_time() - begun) / 1e6;
    if (failed)
        g_propagate_error(error, failed);
    return ok;
}

void xt_import_summary_clear(struct xt_import_summary *summary)
{
    g_free(summary->name);
    g_free(summary->policy);
    g_free(summary->server);
    g_free(summary->scheduler);
    memset(summary, 0, sizeof(*summary));
}
