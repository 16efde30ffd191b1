#include "collect/lab/seal.h"

#include "collect/manifest.h"
#include "collect/trace-file.h"
#include "parse/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

enum { COMPRESSION = 9, CHUNK = 1 << 20 };

static bool fail(GError **error, const char *what, const char *path)
{
    g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot %s %s: %s", what, path, g_strerror(errno));
    return false;
}

/* dom0 leaves it plain; see record_arguments() in image.c. */
static bool compress_trace(const char *folder, GError **error)
{
    char *plain = g_build_filename(folder, "trace.xen", NULL);
    void *buffer = g_malloc(CHUNK);
    int fd = open(plain, O_RDONLY | O_CLOEXEC);
    struct xt_trace_file *file = fd >= 0 ? xt_trace_file_create(folder, COMPRESSION, error) : NULL;
    bool good = file != NULL || (fd < 0 && fail(error, "open", plain));
    ssize_t n;

    while (good && (n = read(fd, buffer, CHUNK)) != 0)
        good = n > 0 ? xt_trace_file_write(file, buffer, (size_t)n, error) : fail(error, "read", plain);
    if (file && !xt_trace_file_close(file, good ? error : NULL))
        good = false;
    if (good && g_unlink(plain) != 0)
        good = fail(error, "remove", plain);
    if (fd >= 0)
        close(fd);
    g_free(buffer);
    g_free(plain);
    return good;
}

static bool move_guests(const char *out, const char *folder, JsonObject *manifest, GError **error)
{
    char *from = g_build_filename(out, "guests", NULL), *to = g_build_filename(folder, "guests", NULL);
    GDir *dir = g_dir_open(from, 0, NULL);
    JsonObject *guests = json_object_new();
    const char *name;
    bool good = g_mkdir(to, 0777) == 0 || fail(error, "make", to);

    json_object_set_object_member(manifest, "guests", guests);
    while (good && dir && (name = g_dir_read_name(dir)) != NULL) {
        char *trace = g_build_filename(from, name, "jobs", NULL), *target = g_build_filename(to, name, NULL);
        char *table = g_build_filename(from, name, "jobs.csv", NULL),
             *table_target = g_strconcat(target, ".jobs.csv", NULL);
        good = (g_rename(trace, target) == 0 && g_rename(table, table_target) == 0) ||
               fail(error, "move", trace);
        json_object_set_string_member(guests, name, "ctf-1.8");
        g_free(trace);
        g_free(target);
        g_free(table);
        g_free(table_target);
    }
    if (dir)
        g_dir_close(dir);
    g_free(from);
    g_free(to);
    return good;
}

static JsonArray *reservations(const struct xt_scenario *s)
{
    JsonArray *array = json_array_new();
    for (guint i = 0; i < s->domains->len; i++) {
        const struct xt_lab_domain *domain = g_ptr_array_index(s->domains, i);
        if (!domain->period_ns)
            continue;
        JsonObject *one = json_object_new();
        json_object_set_string_member(one, "domain", domain->name);
        json_object_set_int_member(one, "period_ns", domain->period_ns);
        json_object_set_int_member(one, "budget_ns", domain->budget_ns);
        json_array_add_object_element(array, one);
    }
    return array;
}

static bool is_periodic(const struct xt_lab_domain *domain, const struct xt_lab_policy *policy)
{
    return domain->periodic || policy->periodic;
}

/* NULL: as the scheduler has them. What only makes noise is not asked. */
static const char *servers(const struct xt_scenario *s, const struct xt_lab_policy *policy)
{
    unsigned periodic = 0, all = 0;
    for (guint i = 0; i < s->domains->len; i++) {
        const struct xt_lab_domain *domain = g_ptr_array_index(s->domains, i);
        all += !domain->noise;
        periodic += !domain->noise && is_periodic(domain, policy);
    }
    return periodic == 0 ? NULL : periodic == all ? "periodic" : "mixed";
}

static JsonObject *workload(const struct xt_scenario *s, const struct xt_lab_policy *policy)
{
    JsonObject *all = json_object_new();
    for (guint i = 0; i < s->domains->len; i++) {
        const struct xt_lab_domain *domain = g_ptr_array_index(s->domains, i);
        JsonObject *one = json_object_new();
        JsonArray *tasks = json_array_new();
        for (int k = 0; domain->tasks[k]; k++)
            json_array_add_string_element(tasks, domain->tasks[k]);
        json_object_set_string_member(one, "policy", domain->guest_policy);
        json_object_set_string_member(one, "server",
                                      is_periodic(domain, policy) ? "periodic" : "deferrable");
        json_object_set_boolean_member(one, "noise", domain->noise);
        json_object_set_array_member(one, "tasks", tasks);
        json_object_set_object_member(all, domain->name, one);
    }
    return all;
}

static void describe(JsonObject *manifest, const struct xt_scenario *s, const struct xt_lab_policy *policy,
                     bool real_time)
{
    JsonObject *lab = json_object_new(), *trace = xt_manifest_object(manifest, "trace");
    const char *server = servers(s, policy);

    json_object_set_string_member(lab, "scenario", s->name);
    json_object_set_string_member(lab, "policy", policy->name);
    json_object_set_boolean_member(lab, "virtual_time", !real_time);
    json_object_set_object_member(manifest, "lab", lab);
    xt_manifest_set_created(manifest); /* dom0's calendar stands still */
    json_object_set_boolean_member(manifest, "emulated", TRUE);
    if (server)
        json_object_set_string_member(manifest, "server", server);
    json_object_set_string_member(manifest, "host", "xentrail lab");
    json_object_set_array_member(manifest, "reservations", reservations(s));
    json_object_set_object_member(manifest, "workload", workload(s, policy));
    if (trace)
        json_object_set_string_member(trace, "file", "trace.xen.zst");
}

static bool write_scenario(const struct xt_scenario *s, const char *folder, GError **error)
{
    char *path = g_build_filename(folder, "scenario.ini", NULL);
    GError *failure = NULL;
    if (!g_file_set_contents(path, s->text, -1, &failure)) {
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s", failure->message);
        g_error_free(failure);
    }
    g_free(path);
    return failure == NULL;
}

bool xt_lab_seal(const char *out, const char *folder, const struct xt_scenario *scenario,
                 const struct xt_lab_policy *policy, bool real_time, GError **error)
{
    char *recording = g_build_filename(out, "recording", NULL);
    JsonObject *manifest = xt_manifest_load(recording, error);
    bool good = manifest && compress_trace(recording, error) &&
                move_guests(out, recording, manifest, error) && write_scenario(scenario, recording, error);

    if (good) {
        describe(manifest, scenario, policy, real_time);
        good = xt_manifest_finish(manifest, recording, error);
    }
    if (good && g_rename(recording, folder) != 0)
        good = fail(error, "move the recording to", folder);
    g_clear_pointer(&manifest, json_object_unref);
    g_free(recording);
    return good;
}
