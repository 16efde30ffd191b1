#include "collect/snapshot.h"

#include "parse/error.h"

#include <errno.h>
#include <glib/gstdio.h>
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

static JsonObject *describe_vcpu(const struct xt_host_vcpu *v)
{
    JsonObject *vcpu = json_object_new();
    json_object_set_int_member(vcpu, "vcpu", v->vcpu);
    if (v->hard_affinity)
        json_object_set_string_member(vcpu, "hard_affinity", v->hard_affinity);
    if (v->period_ns) {
        json_object_set_int_member(vcpu, "period_ns", v->period_ns);
        json_object_set_int_member(vcpu, "budget_ns", v->budget_ns);
        json_object_set_boolean_member(vcpu, "extratime", v->extratime == 1);
    }
    return vcpu;
}

static JsonArray *describe_domains(const struct xt_recording *host)
{
    JsonArray *domains = json_array_new(), *vcpus = NULL;
    int domid = -1;

    for (guint i = 0; i < host->vcpus->len; i++) {
        const struct xt_host_vcpu *v = host->vcpus->pdata[i];
        if (v->domid != domid) {
            JsonObject *domain = json_object_new();
            domid = v->domid;
            vcpus = json_array_new();
            json_object_set_int_member(domain, "domid", domid);
            if (v->domain)
                json_object_set_string_member(domain, "name", v->domain);
            json_object_set_array_member(domain, "vcpus", vcpus);
            json_array_add_object_element(domains, domain);
        }
        json_array_add_object_element(vcpus, describe_vcpu(v));
    }
    return domains;
}

static void set_text(JsonObject *object, const char *key, const char *text)
{
    if (text && g_utf8_validate(text, -1, NULL))
        json_object_set_string_member(object, key, text);
}

void xt_snapshot_describe(JsonObject *manifest, const struct xt_host_facts *facts, const struct xt_recording *host)
{
    set_text(manifest, "xen_version", facts->xen_version);
    set_text(manifest, "scheduler", facts->scheduler);
    if (!xt_manifest_string(manifest, "policy"))
        set_text(manifest, "policy", host->policy);
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
    json_object_set_array_member(manifest, "domains", describe_domains(host));
}
