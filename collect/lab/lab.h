/* A real RT-Xen host inside QEMU, for people who have none. */
#pragma once

#include "collect/lab/scenario.h"

/* $XDG_CACHE_HOME/xentrail/lab. Caller frees. */
char *xt_lab_cache(void);

struct xt_lab_build_options {
    const char *mirror, *security_mirror; /* NULL: Debian's */
    unsigned jobs;                        /* 0: one per core */
    void (*say)(void *user, const char *step);
    void *user;
};

/* Builds what is missing in the cache. XT_ERROR_SYSTEM names the step and the log. */
bool xt_lab_build(const struct xt_lab_build_options *options, GError **error);
bool xt_lab_is_built(void);

struct xt_lab_run_options {
    const char *folder; /* recordings go to FOLDER/SCENARIO-POLICY; made if missing */
    bool real_time;     /* threads of the machine underneath instead of virtual time */
    bool live;          /* dom0's collector shows its live table meanwhile, in logs/…/record.log */
    bool overwrite;     /* replaces recordings of the same name */
    unsigned jobs;      /* machines side by side; 0: as many as cores allow */
    unsigned timeout_s; /* for one machine; 0: from the duration */
    void (*say)(void *user, const char *name, const char *step);
    void *user;
};

/* Runs every policy of the scenario; one recording each. Goes on with the others when one fails.
 * False and XT_ERROR_* (of the first failure) if any did. SIGINT and SIGTERM end all machines. */
bool xt_lab_run(const struct xt_scenario *scenario, const struct xt_lab_run_options *options, GError **error);

/* Removes the cache. Its size before, in bytes, goes to *freed. */
bool xt_lab_clean(uint64_t *freed, GError **error);
