/* From the database to groups of samples. */
#pragma once

#include "db/db.h"
#include "render/samples.h"

enum xt_by { XT_BY_POLICY, XT_BY_RUN, XT_BY_VCPU, XT_BY_PCPU, XT_BY_MIGRATED, XT_N_BY };
const char *xt_by_name(enum xt_by by);

/* The metric's samples of these runs (names or numbers, NULL-terminated; NULL: all) in groups, in a stable
 * order. At most twelve groups: those with fewest samples are pooled as "others". XT_ERROR_USAGE if there is
 * no such metric or run, or none of its samples (the message says which metrics have some). */
struct xt_sample_set *xt_samples_query(struct xt_db *db, const char *metric, enum xt_by by,
                                       const char *const *runs, GError **error);

/* The runs behind a figure in a sentence: names, policies, Xen versions, emulated or not. Caller frees. */
char *xt_runs_describe(struct xt_db *db, const char *const *runs, GError **error);

/* The runs chosen: array of struct xt_db_run *. */
GPtrArray *xt_runs_choose(struct xt_db *db, const char *const *runs, GError **error);
