/* The database as a sink: one run, one transaction. */
#pragma once

#include "db/db.h"
#include "parse/findings.h"
#include "parse/recording.h"
#include "parse/stats.h"

/* What the trace itself does not say. Strings must live until xt_store_commit. */
struct xt_store_options {
    const struct xt_recording *recording; /* host snapshot; may be NULL */
    const char *name;          /* of the run; must be free */
    const char *path;          /* where the recording lies */
    const char *policy;        /* NULL: unknown, or what the trace's scheduler implies */
    const char *policy_why;
    const char *server;        /* view runs, column server */
    int64_t tolerance_ns;      /* as reconstruction was told */
    bool one_thread;           /* insert on the caller's thread */
};

struct xt_store;

/* Begins the transaction. NULL with error if the database is locked, full, or has a run of that name. */
struct xt_store *xt_store_new(struct xt_db *db, const struct xt_store_options *options, GError **error);

/* The sink that stores rows; belongs to store. */
const struct xt_sink *xt_store_sink(struct xt_store *store);

/* Id of the run, for queries on the connection after xt_store_commit. */
int64_t xt_store_run(const struct xt_store *store);

/* ts up to which rows have come; to show progress against the run's duration. */
int64_t xt_store_reached(const struct xt_store *store);

/* Notes something doubtful that the user should find in `runs`.notes. */
void xt_store_note(struct xt_store *store, const char *note);

/* Adds a job of a guest, after the sink's end(). missed is judged here, log_end: ts of the last thing
 * logged. */
bool xt_db_add_job(struct xt_store *store, const struct xt_db_job *job, int64_t log_end, GError **error);

/* After the sink's end(): writes the run, its VCPUs, statistics and findings (NULL: none), and commits. hash:
 * of the recording's content, NULL unknown. */
bool xt_store_commit(struct xt_store *store, const char *hash, const struct xt_stats *stats,
                     const struct xt_findings *findings, GError **error);

/* Frees; without a commit before, everything is undone. */
void xt_store_free(struct xt_store *store);
