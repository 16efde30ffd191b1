#include "collect/host.h"

#include "parse/error.h"

#include <stdlib.h>
#include <string.h>

enum { COMMAND_TIMEOUT_S = 60 };

/* Debian keeps xl and xentrace where only root's login shell looks. */
#define SYSTEM_PATH "PATH=\"$PATH:/usr/local/sbin:/usr/sbin:/sbin\"; export PATH; "

struct xt_host {
    char *target; /* NULL: here */
};

struct xt_host *xt_host_new(const char *target, GError **error)
{
    struct xt_host *host;
    if (target && (!*target || *target == '-' || strpbrk(target, " \t\n"))) {
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "\"%s\" is no ssh destination: write root@HOST", target);
        return NULL;
    }
    host = g_new0(struct xt_host, 1);
    host->target = g_strdup(target);
    return host;
}

void xt_host_free(struct xt_host *host)
{
    if (!host)
        return;
    g_free(host->target);
    g_free(host);
}

const char *xt_host_name(const struct xt_host *host)
{
    return host->target ? host->target : "this machine";
}

bool xt_host_is_remote(const struct xt_host *host)
{
    return host->target != NULL;
}

char **xt_host_command(const struct xt_host *host, const char *const *argv)
{
    static const char *const ssh[] = {
        "ssh",
        "-o",
        "BatchMode=yes",
        "-o",
        "ConnectTimeout=10",
        "-o",
        "ServerAliveInterval=5",
        "-o",
        "ServerAliveCountMax=3",
        "-e",
        "none",
        "-T",
        "--",
        NULL,
    };
    static const char *const shell[] = { "sh", "-c", SYSTEM_PATH "exec \"$@\"", "sh", NULL };
    GPtrArray *words = g_ptr_array_new();
    GString *remote;

    if (!host->target) {
        for (int i = 0; shell[i]; i++)
            g_ptr_array_add(words, g_strdup(shell[i]));
        for (int i = 0; argv[i]; i++)
            g_ptr_array_add(words, g_strdup(argv[i]));
        g_ptr_array_add(words, NULL);
        return (char **)g_ptr_array_free(words, FALSE);
    }
    /* ssh hands one string to the login shell over there: every word is quoted. */
    remote = g_string_new("exec");
    for (int pass = 0; pass < 2; pass++) {
        const char *const *from = pass == 0 ? shell : argv;
        for (int i = 0; from[i]; i++) {
            char *quoted = g_shell_quote(from[i]);
            g_string_append_printf(remote, " %s", quoted);
            g_free(quoted);
        }
    }
    for (int i = 0; ssh[i]; i++)
        g_ptr_array_add(words, g_strdup(ssh[i]));
    g_ptr_array_add(words, g_strdup(host->target));
    g_ptr_array_add(words, g_string_free(remote, FALSE));
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, FALSE);
}

bool xt_host_run(const struct xt_host *host, const char *const *argv, struct xt_output *output,
                 GError **error)
{
    enum { SSH_FAILED = 255 };
    char **words = xt_host_command(host, argv);
    bool good = xt_process_run((const char *const *)words, COMMAND_TIMEOUT_S, output, error);

    g_strfreev(words);
    if (!good)
        return false;
    if (output->timed_out)
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: %s did not answer within %d s", xt_host_name(host),
                    argv[0], COMMAND_TIMEOUT_S);
    else if (host->target && output->status == SSH_FAILED)
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "cannot reach %s over ssh: %s (keys must work without a password: ssh %s true)",
                    host->target, *g_strstrip(output->err) ? output->err : "no reason given", host->target);
    else
        return true;
    xt_output_clear(output);
    return false;
}

void xt_host_facts_clear(struct xt_host_facts *facts)
{
    g_clear_pointer(&facts->xen_version, g_free);
    g_clear_pointer(&facts->scheduler, g_free);
    g_clear_pointer(&facts->cpu_model, g_free);
    g_clear_pointer(&facts->command_line, g_free);
}

/* The value of "KEY : value" in what xl info prints; NULL if there is none. Caller frees. */
static char *info_value(const char *info, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = info; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) != 0 || (line[length] != ' ' && line[length] != ':'))
            continue;
        const char *colon = strchr(line, ':'), *end = strchr(line, '\n');
        if (!colon || (end && colon > end))
            continue;
        char *value = end ? g_strndup(colon + 1, (gsize)(end - colon - 1)) : g_strdup(colon + 1);
        return g_strstrip(value);
    }
    return NULL;
}

static double info_number(const char *info, const char *key)
{
    char *text = info_value(info, key);
    double number = text ? g_ascii_strtod(text, NULL) : 0;
    g_free(text);
    return number;
}

static void read_info(const char *info, struct xt_host_facts *facts)
{
    facts->xen_version = info_value(info, "xen_version");
    facts->scheduler = info_value(info, "xen_scheduler");
    facts->command_line = info_value(info, "xen_commandline");
    facts->pcpus = (unsigned)info_number(info, "nr_cpus");
    facts->free_memory_mib = (uint64_t)info_number(info, "free_memory");
    facts->cpu_mhz = info_number(info, "cpu_mhz");
}

/* One round trip: what can be found out without Xen's help, a line "KEY: value" each. */
static const char probe_script[] =
    "echo \"uid: $(id -u)\"; "
    "command -v xl > /dev/null && echo 'xl: yes'; "
    "command -v xentrace > /dev/null && echo 'xentrace: yes'; "
    "[ -r /proc/xen/capabilities ] && echo \"capabilities: $(cat /proc/xen/capabilities)\"; "
    "[ -d /proc/xen ] && echo 'xen: yes'; "
    "sed -n 's/^model name[^:]*: */model: /p' /proc/cpuinfo | head -n 1; "
    "for f in /proc/[0-9]*/comm; do "
    "  name=; { read -r name < \"$f\"; } 2> /dev/null; "
    "  case $name in xentrace|xenbaked) p=${f#/proc/}; echo \"busy: $name, process ${p%/comm}\";; esac; "
    "done; exit 0";

static bool missing(GError **error, const struct xt_host *host, const char *what)
{
    g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s: %s", xt_host_name(host), what);
    return false;
}

static bool check_probe(const struct xt_host *host, const char *probe, GError **error)
{
    char *uid = info_value(probe, "uid"), *xl = info_value(probe, "xl"),
         *xentrace = info_value(probe, "xentrace");
    char *busy = info_value(probe, "busy"), *xen = info_value(probe, "xen");
    bool good = true;

    if (!xl)
        good = missing(
            error, host,
            xen ? "xl is not installed: apt-get install xen-utils-common and the xen-utils of your Xen"
                : "this is no Xen host (neither xl nor /proc/xen): boot it under Xen, or name one by --host "
                  "root@HOST; "
                  "without the hardware there is `xentrail lab`");
    else if (!xentrace)
        good = missing(error, host,
                       "xentrace is not installed: it comes with the xen-utils package of your Xen");
    else if (busy) {
        char *text = g_strdup_printf("tracing is already in use (%s): two collectors would steal each "
                                     "other's records; stop that one first",
                                     busy);
        good = missing(error, host, text);
        g_free(text);
    }
    if (good && uid && strcmp(uid, "0") != 0)
        good = missing(error, host, "tracing needs root: run it with sudo, or use --host root@HOST");
    g_free(uid);
    g_free(xl);
    g_free(xentrace);
    g_free(busy);
    g_free(xen);
    return good;
}

bool xt_host_check(const struct xt_host *host, struct xt_host_facts *facts, GError **error)
{
    static const char *const probe[] = { "sh", "-c", probe_script, NULL };
    static const char *const info[] = { "xl", "info", NULL };
    struct xt_output output;
    bool good;

    *facts = (struct xt_host_facts){ 0 };
    if (!xt_host_run(host, probe, &output, error))
        return false;
    good = check_probe(host, output.out, error);
    facts->cpu_model = info_value(output.out, "model");
    xt_output_clear(&output);
    if (!good || !xt_host_run(host, info, &output, error))
        return false;
    read_info(output.out, facts);
    if (output.status != 0 || !facts->scheduler) {
        char *text = g_strdup_printf("`xl info` failed: %s (is this dom0, and was it booted under Xen?)",
                                     *g_strstrip(output.err) ? output.err : "it named no scheduler");
        good = missing(error, host, text);
        g_free(text);
    }
    xt_output_clear(&output);
    return good;
}
