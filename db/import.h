/* Importing: a recording or bare trace becomes a run in a database, wholly or not at all. */
#pragma once

#include "db/db.h"
#include "parse/recording.h"

struct xt_import_options {
    const char *name;   /* of the run; NULL: the recording's */
    const char *policy; /* by hand, "gEDF" or "gEDF+periodic"; NULL: as the recording tells */
    bool again; /* also if the same content is in the database already; then the name is made unique */
    bool salvage;       /* use what stands before structural damage */
    bool one_thread;
    int64_t tsc_hz;       /* 0: measure */
    int64_t tolerance_ns; /* of the period miss test, XT_DEFAULT_TOLERANCE_NS */
    void (*note)(void *user, const char *message);                /* doubts; may be NULL */
    void (*progress)(void *user, const char *doing,
                     double part); /* 0 <= part <= 1, called often; may be NULL */
    void *user;
    const volatile int *cancel; /* stops when it becomes non-zero; may be NULL */
};

/* What a person wants to read after an import. */
struct xt_import_summary {
    int64_t run;
    char *name, *policy, *server, *scheduler; /* as in view runs; freed with xt_import_summary_clear */
    int64_t duration_ns, tsc_hz;
    uint64_t records, lost_records, unknown_records, malformed_records;
    uint64_t vcpus, dispatches, periods_judged, period_misses, jobs, job_misses; /* idle VCPUs not counted */
    double seconds; /* that it took */
};
void xt_import_summary_clear(struct xt_import_summary *summary);

/* Imports recording (which may have got reservations) into db. false and XT_ERROR_USAGE if it is there
 * already (see again) or the name is taken, XT_ERROR_INPUT if it cannot be read, XT_ERROR_SYSTEM; the
 * database is as it was then. */
bool xt_import(struct xt_db *db, struct xt_recording *recording, const struct xt_import_options *options,
               struct xt_import_summary *summary, GError **error);
