/* What store.c (rows as they come) and summary.c (what is known at the end) share. */
#pragma once

#include "db/how.h"
#include "db/shares.h"
#include "db/store.h"
#include "db/writer.h"

/* How many rows share an entry of the table chunk. Small: the reader of a window reads at most one chunk too
 * much for each VCPU; large: fewer entries to look through. 256 rows of dispatches are 12 KiB. */
#define XT_CHUNK_ROWS 256

struct chunk {
    int64_t next_id; /* of the table */
    int64_t first_id, from_ts, to_ts;
    unsigned n;
};

struct reservation {
    uint32_t vcpu; /* index */
    bool reference;
    int64_t period_ns, budget_ns;
    int64_t id;
    uint64_t n; /* periods */
};

#define XT_MAX_PENDING 4

/* Replenishments of a VCPU whose period has not come yet. */
struct pending {
    unsigned n;
    struct xt_replenish of[XT_MAX_PENDING]; /* in order of coming; vcpu is not set */
};

#define HOW_SEEN_BITS 8

struct xt_store {
    struct xt_db *db;
    struct xt_shares *shares; /* NULL: the run is short, it needs none */
    struct xt_store_options options;
    struct xt_sink sink;
    struct xt_writer *writer;
    int64_t run_id;
    int64_t vcpu_base;  /* vcpu.id is this plus the index */
    struct xt_run run;  /* copied at begin; pcpus too */
    struct xt_pcpu *pcpus;
    GArray *vcpus;      /* of struct xt_vcpu, by index */
    GArray *pending;    /* of struct pending, by index */
    struct chunk chunks[XT_N_CHUNKED];
    GHashTable *how;    /* packed combination -> id */
    struct how_seen {
        uint64_t packed; /* 0: none */
        int64_t id;
    } how_seen[1 << HOW_SEEN_BITS]; /* some of `how` */
    int64_t how_known;  /* ids up to this are in the table already */
    GArray *how_new;    /* of uint64_t: packed combinations to be stored */
    GHashTable *reservations; /* set of struct reservation * */
    GPtrArray *reservation_list; /* the same in order of id, owns them */
    int64_t reservation_next;
    int64_t reached;
    GString *notes;
    sqlite3_stmt *add_job;
};

/* summary.c: everything but the rows, before the commit. */
bool xt_store_summary(struct xt_store *store, const char *hash, const struct xt_stats *stats, GError **error);

/* conformance.c: what the rules found. */
bool xt_store_conformance(struct xt_store *store, const struct xt_findings *findings, GError **error);

/* policies.c: the pooled distributions of a policy ("unknown" for runs without) and kind of server (NULL: the usual). */
bool xt_db_pool_policy(sqlite3 *db, const char *policy, const char *server, GError **error);

/* samples.c: the multiset of a distribution into table sample. */
bool xt_db_store_samples(sqlite3 *db, int64_t run, int metric, const struct xt_distribution *d,
                         GError **error);
