#include "collect/snapshot.h"

#include "parse/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

/* {name of the file before, after (NULL: not taken then), command (SCHEDULER stands for sched-credit …), only
 * for this scheduler, append to the file}. The VCPU times stand nearest to the trace: last before it, first
 * after it. */
struct item {
    const char *before, *after;
    const char *argv[5];
    const char *scheduler;
    bool append;
};

#define SCHEDULER "@"

static const struct item items[] = {
    { NULL, "xl-vcpu-list-after.txt", { "xl", "vcpu-list" }, NULL, false },
    { "xl-info.txt", NULL, { "xl", "info" }, NULL, false },
    { "cpu-model.txt", NULL, { "sh", "-c", "grep -m 1 '^model name' /proc/cpuinfo" }, NULL, false },
    { "dom0-command-line.txt", NULL, { "cat", "/proc/cmdline" }, NULL, false },
    { "xl-list.txt", "xl-list-after.txt", { "xl", "list", "-v" }, NULL, false },
    { "xl-cpupool-list.txt", "xl-cpupool-list-after.txt", { "xl", "cpupool-list" }, NULL, false },
    { "xl-cpupool-list.txt", "xl-cpupool-list-after.txt", { "xl", "cpupool-list", "-c" }, NULL, true },
    { "xl-sched.txt", "xl-sched-after.txt", { "xl", SCHEDULER }, NULL, false },
    { "xl-sched-rtds-vcpus.txt",
      "xl-sched-rtds-vcpus-after.txt",
      { "xl", "sched-rtds", "-v", "all" },
      "rtds",
      false },
    { NULL, "xl-dmesg.txt", { "xl", "dmesg" }, NULL, false },
    { "xl-vcpu-list-before.txt", NULL, { "xl", "vcpu-list" }, NULL, false },
};

static bool write_file(const char *path, const struct xt_output *output, bool append, GError **error)
{
    FILE *f = g_fopen(path, append ? "ab" : "wb");
    bool good = f && fwrite(output->out, 1, output->out_bytes, f) == output->out_bytes;
    int why = errno;

    if (f && fclose(f) != 0) {
        why = errno;
        good = false;
    }
    if (!good)
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot write %s: %s", path, g_strerror(why));
    return good;
}

static bool take(const struct xt_host *host, const struct item *item, const char *file, const char *scheduler,
                 const char *folder, GPtrArray *notes, GError **error)
{
    char *command = g_strconcat("sched-", scheduler, NULL);
    const char *argv[G_N_ELEMENTS(item->argv) + 1] = { NULL };
    struct xt_output output;
    bool good;

    for (size_t i = 0; i < G_N_ELEMENTS(item->argv) && item->argv[i]; i++)
        argv[i] = strcmp(item->argv[i], SCHEDULER) == 0 ? command : item->argv[i];
    good = xt_host_run(host, argv, &output, error);
    if (good && output.status == 0) {
        char *path = g_build_filename(folder, "host", file, NULL);
        good = write_file(path, &output, item->append, error);
        g_free(path);
    } else if (good && notes) {
        g_strdelimit(g_strstrip(output.err), "\n\r", ' ');
        g_ptr_array_add(notes, g_strdup_printf("host/%s is missing: %s %s said: %s", file, argv[0],
                                               argv[1] ? argv[1] : "", output.err));
    }
    xt_output_clear(&output);
    g_free(command);
    return good;
}

bool xt_snapshot_take(const struct xt_host *host, enum xt_snapshot_when when, const char *scheduler,
                      const char *folder, GPtrArray *notes, GError **error)
{
    /* These have no parameters, and xl no command for them. */
    static const char *const without_parameters[] = { "null", "arinc653", NULL };
    char *directory = g_build_filename(folder, "host", NULL);
    bool good = g_mkdir_with_parents(directory, 0777) == 0;

    if (!good)
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot make %s: %s", directory, g_strerror(errno));
    g_free(directory);
    for (size_t i = 0; good && i < G_N_ELEMENTS(items); i++) {
        const struct item *item = &items[i];
        const char *file = when == XT_SNAPSHOT_BEFORE ? item->before : item->after;
        if (!file || (item->scheduler && strcmp(item->scheduler, scheduler) != 0))
            continue;
        if (strcmp(item->argv[1], SCHEDULER) == 0 && g_strv_contains(without_parameters, scheduler))
            continue;
        good = take(host, item, file, scheduler, folder, notes, error);
    }
    return good;
}

struct reservation {
    gint64 period_us, budget_us;
    bool extratime;
};

static char *read_host_file(const char *folder, const char *name)
{
    char *path = g_build_filename(folder, "host", name, NULL);
    char *text = NULL, *valid;
    g_file_get_contents(path, &text, NULL, NULL);
    g_free(path);
    valid = text ? g_utf8_make_valid(text, -1) : NULL; /* domain names can hold any byte */
    g_free(text);
    return valid;
}

/* "NAME ID VCPU PERIOD BUDGET yes|no" lines, by "ID VCPU". The name is hostile and may hold anything: read
 * from the right. */
static GHashTable *read_rtds_vcpus(const char *folder)
{
    GHashTable *by_vcpu = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    char *text = read_host_file(folder, "xl-sched-rtds-vcpus.txt");
    GRegex *line = g_regex_new("^.*\\s(\\d+)\\s+(\\d+)\\s+(\\d+)\\s+(\\d+)\\s+(yes|no)\\s*$",
                               G_REGEX_MULTILINE, 0, NULL);
    GMatchInfo *match = NULL;

    if (text)
        g_regex_match(line, text, 0, &match);
    while (match && g_match_info_matches(match)) {
        struct reservation *r = g_new0(struct reservation, 1);
        char *id = g_match_info_fetch(match, 1), *vcpu = g_match_info_fetch(match, 2);
        char *period = g_match_info_fetch(match, 3), *budget = g_match_info_fetch(match, 4),
             *extra = g_match_info_fetch(match, 5);
        r->period_us = g_ascii_strtoll(period, NULL, 10);
        r->budget_us = g_ascii_strtoll(budget, NULL, 10);
        r->extratime = strcmp(extra, "yes") == 0;
        g_hash_table_insert(by_vcpu, g_strconcat(id, " ", vcpu, NULL), r);
        g_free(id);
        g_free(vcpu);
        g_free(period);
        g_free(budget);
        g_free(extra);
        g_match_info_next(match, NULL);
    }
    g_clear_pointer(&match, g_match_info_free);
    g_regex_unref(line);
    g_free(text);
    return by_vcpu;
}

static JsonObject *domain_of(JsonArray *domains, gint64 domid, const char *name)
{
    JsonObject *domain;
    for (guint i = 0; i < json_array_get_length(domains); i++) {
        domain = json_array_get_object_element(domains, i);
        if (xt_manifest_int(domain, "domid") == domid)
            return domain;
    }
    domain = json_object_new();
    json_object_set_int_member(domain, "domid", domid);
    json_object_set_string_member(domain, "name", name);
    json_object_set_array_member(domain, "vcpus", json_array_new());
    json_array_add_object_element(domains, domain);
    return domain;
}

static void add_vcpu(JsonArray *domains, GMatchInfo *match, GHashTable *rtds)
{
    char *name = g_match_info_fetch(match, 1), *id = g_match_info_fetch(match, 2),
         *number = g_match_info_fetch(match, 3);
    char *affinity = g_match_info_fetch(match, 4), *key = g_strconcat(id, " ", number, NULL);
    JsonObject *domain = domain_of(domains, g_ascii_strtoll(id, NULL, 10), name);
    JsonObject *vcpu = json_object_new();
    const struct reservation *r = g_hash_table_lookup(rtds, key);

    json_object_set_int_member(vcpu, "vcpu", g_ascii_strtoll(number, NULL, 10));
    json_object_set_string_member(vcpu, "hard_affinity", affinity);
    if (r) {
        json_object_set_int_member(vcpu, "period_ns", r->period_us * 1000);
        json_object_set_int_member(vcpu, "budget_ns", r->budget_us * 1000);
        json_object_set_boolean_member(vcpu, "extratime", r->extratime);
    }
    json_array_add_object_element(json_object_get_array_member(domain, "vcpus"), vcpu);
    g_free(name);
    g_free(id);
    g_free(number);
    g_free(affinity);
    g_free(key);
}

static JsonArray *read_domains(const char *folder)
{
    JsonArray *domains = json_array_new();
    GHashTable *rtds = read_rtds_vcpus(folder);
    char *text = read_host_file(folder, "xl-vcpu-list-before.txt");
    /* Name, ID, VCPU, CPU ("-" if paused), state, time, hard affinity / soft affinity */
    GRegex *line =
        g_regex_new("^(.*\\S)\\s+(\\d+)\\s+(\\d+)\\s+(?:\\d+|-)\\s+\\S+\\s+[\\d.]+\\s+(\\S+)\\s*/.*$",
                    G_REGEX_MULTILINE, 0, NULL);
    GMatchInfo *match = NULL;

    if (text)
        g_regex_match(line, text, 0, &match);
    while (match && g_match_info_matches(match)) {
        add_vcpu(domains, match, rtds);
        g_match_info_next(match, NULL);
    }
    g_clear_pointer(&match, g_match_info_free);
    g_regex_unref(line);
    g_free(text);
    g_hash_table_unref(rtds);
    return domains;
}

static bool is_one_pcpu(const char *affinity)
{
    return affinity && *affinity && strspn(affinity, "0123456789") == strlen(affinity);
}

/* gEDF: every guest VCPU may move; pEDF: none may. Anything between is neither, and left to the reader. dom0
 * does not count. */
static const char *rtds_policy(JsonArray *domains)
{
    unsigned bound = 0, all = 0;
    for (guint i = 0; i < json_array_get_length(domains); i++) {
        JsonObject *domain = json_array_get_object_element(domains, i);
        JsonArray *vcpus = xt_manifest_array(domain, "vcpus");
        if (xt_manifest_int(domain, "domid") == 0)
            continue;
        for (guint k = 0; k < json_array_get_length(vcpus); k++, all++)
            bound +=
                is_one_pcpu(xt_manifest_string(json_array_get_object_element(vcpus, k), "hard_affinity"));
    }
    if (all == 0)
        return NULL;
    return bound == all ? "pEDF" : bound == 0 ? "gEDF" : NULL;
}

static void set_text(JsonObject *object, const char *key, const char *text)
{
    if (text && g_utf8_validate(text, -1, NULL))
        json_object_set_string_member(object, key, text);
}

void xt_snapshot_describe(JsonObject *manifest, const struct xt_host_facts *facts, const char *folder)
{
    JsonArray *domains = read_domains(folder);
    const char *policy = g_strcmp0(facts->scheduler, "rtds") == 0 ? rtds_policy(domains) : facts->scheduler;

    set_text(manifest, "xen_version", facts->xen_version);
    set_text(manifest, "scheduler", facts->scheduler);
    if (!xt_manifest_string(manifest, "policy"))
        set_text(manifest, "policy", policy);
    /* A model name that says so: QEMU without hardware acceleration. Virtual time makes such a recording
     * exact, not fast. */
    if (facts->cpu_model && strstr(facts->cpu_model, "QEMU"))
        json_object_set_boolean_member(manifest, "emulated", TRUE);
    else if (!json_object_has_member(manifest, "emulated"))
        json_object_set_boolean_member(manifest, "emulated", FALSE);
    if (facts->cpu_mhz > 0)
        json_object_set_int_member(manifest, "tsc_hz", (gint64)(facts->cpu_mhz * 1e6 + 0.5));
    if (facts->pcpus)
        json_object_set_int_member(manifest, "pcpus", facts->pcpus);
    set_text(manifest, "cpu_model", facts->cpu_model);
    set_text(manifest, "xen_command_line", facts->command_line);
    json_object_set_array_member(manifest, "domains", domains);
}
