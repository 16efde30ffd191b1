/* The Xen host that is recorded: this machine's dom0, or another's over ssh. */
#pragma once

#include "collect/process.h"

#include <stdint.h>

struct xt_host;

/* target is what ssh takes ("root@host", a name in its configuration); NULL is this machine. XT_ERROR_USAGE.
 */
struct xt_host *xt_host_new(const char *target, GError **error);
void xt_host_free(struct xt_host *host);
const char *xt_host_name(const struct xt_host *host); /* "this machine" or the target */
bool xt_host_is_remote(const struct xt_host *host);

/* The words to spawn here so that argv runs there, with the system folders on its PATH. Caller frees
 * (g_strfreev). */
char **xt_host_command(const struct xt_host *host, const char *const *argv);

/* Runs argv there; as xt_process_run. XT_ERROR_INPUT if the host cannot be reached, XT_ERROR_SYSTEM if it
 * takes too long. */
bool xt_host_run(const struct xt_host *host, const char *const *argv, struct xt_output *output,
                 GError **error);

/* What a host must be to be recorded, as far as it could be found out. */
struct xt_host_facts {
    char *xen_version, *scheduler, *cpu_model, *command_line; /* NULL unknown */
    unsigned pcpus;
    uint64_t free_memory_mib;
    double cpu_mhz;
};
void xt_host_facts_clear(struct xt_host_facts *facts);

/* Checks privileges, Xen, xl, xentrace, and that nobody else is tracing. XT_ERROR_INPUT says what is missing
 * and how to get it. */
bool xt_host_check(const struct xt_host *host, struct xt_host_facts *facts, GError **error);
