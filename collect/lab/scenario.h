/* A scenario: one readable file that says which host, which policies, which domains with which tasks.
 * docs/xentrail-lab.1 */
#pragma once

#include "parse/policy.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct xt_lab_domain {
    char *name;
    unsigned vcpus, memory_mib;
    int64_t period_ns, budget_ns; /* 0: no reservation */
    bool extratime;
    int weight, cap;    /* credit and credit2; 0: Xen's default */
    GArray *pins;       /* of unsigned, one pCPU per VCPU, for the policies that bind; may be empty */
    bool periodic;      /* a background task makes the server periodic */
    bool noise;         /* its jobs are of no interest */
    char *guest_policy; /* rm, dm, edf, partitioned */
    char **tasks;       /* as xentrail-workload takes them; may be empty */
};

struct xt_lab_policy {
    char *name; /* as written: "gEDF", "gEDF+periodic" */
    const struct xt_policy *policy; /* bound: every VCPU on its pin */
    bool periodic;                  /* every server periodic */
};

struct xt_scenario {
    char *name, *description, *text; /* text: the file */
    double duration_s;
    unsigned pcpus, dom0_memory_mib;
    char *xen_options;
    GPtrArray *policies; /* of struct xt_lab_policy */
    GPtrArray *domains;  /* of struct xt_lab_domain */
};

/* Takes a file, or the name of a scenario that comes with the program. XT_ERROR_INPUT says in which line
 * which key is wrong. */
struct xt_scenario *xt_scenario_load(const char *file_or_name, GError **error);
void xt_scenario_free(struct xt_scenario *scenario);

/* Keeps only the named policies (in that order). XT_ERROR_USAGE if one is not the scenario's. */
bool xt_scenario_select(struct xt_scenario *scenario, const char *const *names, GError **error);

/* Names of the scenarios that come with the program, sorted. Caller frees (g_strfreev). */
char **xt_scenario_names(void);
