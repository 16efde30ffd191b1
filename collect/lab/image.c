#include "collect/lab/image.h"

#include "collect/lab/cpio.h"
#include "collect/process.h"
#include "parse/error.h"

#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#define XEN_BIN   "usr/lib/xen-4.17/bin/"
#define LIBRARIES "lib/x86_64-linux-gnu/"

enum { TOOL_TIMEOUT_S = 60, LEAD_MS = 500, TAIL_MS = 500, BUFFER_PAGES = 512, POLL_MS = 100 };

GBytes *xt_image_resource(const char *name)
{
    char *path = g_strconcat("/xentrail/lab/", name, NULL);
    GBytes *bytes = g_resources_lookup_data(path, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    if (!bytes)
        g_error("%s is missing from this program", path);
    g_free(path);
    return bytes;
}

static void add_resource(struct xt_cpio *cpio, const char *path, unsigned mode, const char *name)
{
    gsize n;
    GBytes *bytes = xt_image_resource(name);
    const void *data = g_bytes_get_data(bytes, &n);
    xt_cpio_file(cpio, path, mode, data, n);
    g_bytes_unref(bytes);
}

/* Copies what the loader lists for a program: lines "NAME => PATH (0x…)" or "PATH (0x…)". */
static bool add_libraries(struct xt_cpio *cpio, const char *folder, const char *const *loader, GError **error)
{
    struct xt_output output;
    char **lines;
    bool good;

    if (!xt_process_run(loader, TOOL_TIMEOUT_S, &output, error))
        return false;
    good = output.status == 0 && !strstr(output.out, "not found");
    if (!good)
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s cannot tell the libraries: %s%s", loader[0],
                    output.out, output.err);
    lines = g_strsplit(output.out, "\n", -1);
    for (int i = 0; good && lines[i]; i++) {
        char *path = strchr(lines[i], '/'), *end = path ? strstr(path, " (") : NULL;
        if (!end)
            continue;
        char *arrow = strstr(lines[i], "=> /");
        path = arrow ? arrow + 3 : path;
        *end = 0;
        char *base = g_path_get_basename(path), *to = g_strconcat(folder, base, NULL);
        good = xt_cpio_copy(cpio, to, 0755, path, error);
        g_free(base);
        g_free(to);
    }
    g_strfreev(lines);
    xt_output_clear(&output);
    return good;
}

/* A program of the cache, with the libraries of the cache, found by the loader of the cache. */
static bool add_tool(struct xt_cpio *cpio, const char *sysroot, const char *path, GError **error)
{
    char *from = g_build_filename(sysroot, path, NULL);
    char *loader = g_build_filename(sysroot, LIBRARIES "ld-linux-x86-64.so.2", NULL);
    char *where = g_strdup_printf("%s/" LIBRARIES ":%s/usr/" LIBRARIES, sysroot, sysroot);
    const char *const list[] = { loader, "--library-path", where, "--list", from, NULL };
    bool good = xt_cpio_copy(cpio, path, 0755, from, error) && add_libraries(cpio, LIBRARIES, list, error);

    g_free(from);
    g_free(loader);
    g_free(where);
    return good;
}

static bool add_xen_tools(struct xt_cpio *cpio, const char *sysroot, GError **error)
{
    static const char *const tools[] = {
        XEN_BIN "xl",
        XEN_BIN "xentrace",
        XEN_BIN "xenstored",
        XEN_BIN "xenconsoled",
        XEN_BIN "xen-init-dom0",
        XEN_BIN "init-xenstore-domain",
        XEN_BIN "libxl-save-helper",
        "usr/bin/xenstore-read",
    };
    char *gcc = g_build_filename(sysroot, LIBRARIES "libgcc_s.so.1", NULL);
    char *loader = g_build_filename(sysroot, LIBRARIES "ld-linux-x86-64.so.2", NULL);
    bool good = true;

    for (size_t i = 0; good && i < G_N_ELEMENTS(tools); i++)
        good = add_tool(cpio, sysroot, tools[i], error);
    /* The C library opens libgcc_s by itself to cancel a thread. */
    good = good && xt_cpio_copy(cpio, LIBRARIES "libgcc_s.so.1", 0755, gcc, error) &&
           xt_cpio_copy(cpio, LIBRARIES "ld-linux-x86-64.so.2", 0755, loader, error);
    xt_cpio_link(cpio, "lib64/ld-linux-x86-64.so.2", "/" LIBRARIES "ld-linux-x86-64.so.2");
    xt_cpio_link(cpio, "bin/xl", "/" XEN_BIN "xl");
    xt_cpio_link(cpio, "bin/xentrace", "/" XEN_BIN "xentrace");
    g_free(gcc);
    g_free(loader);
    return good;
}

static void add_busybox_links(struct xt_cpio *cpio)
{
    static const char *const applets[] = {
        "sh",     "mount", "insmod",   "mkdir", "sleep", "cp",   "rm",    "cat",       "tail",   "head",
        "tar",    "sync",  "poweroff", "grep",  "sed",   "tr",   "cut",   "sha256sum", "base64", "gzip",
        "gunzip", "ls",    "stty",     "id",    "ps",    "kill", "dmesg", "uname",     "env",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(applets); i++) {
        char *path = g_strconcat("bin/", applets[i], NULL);
        xt_cpio_link(cpio, path, "busybox");
        g_free(path);
    }
}

static bool add_busybox(struct xt_cpio *cpio, const char *cache, GError **error)
{
    static const char *const folders[] = { "proc", "sys", "dev", "tmp", "run", "out" };
    char *busybox = g_build_filename(cache, "sysroot/bin/busybox", NULL);
    bool good = xt_cpio_copy(cpio, "bin/busybox", 0755, busybox, error);

    add_busybox_links(cpio);
    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++)
        xt_cpio_folder(cpio, folders[i]);
    g_free(busybox);
    return good;
}

/* This program with this machine's libraries and loader, all in a folder of their own: they may differ from
 * the cache's. */
static bool add_xentrail(struct xt_cpio *cpio, GError **error)
{
    static const char starter[] =
        "#!/bin/sh\n"
        "for loader in /xentrail/lib/ld-linux*; do\n"
        "    exec \"$loader\" --library-path /xentrail/lib /xentrail/xentrail \"$@\"\n"
        "done\n";
    /* By this name it can be opened by others, too, and even if its file was replaced meanwhile. */
    char *self = g_strdup_printf("/proc/%d/exe", (int)getpid());
    const char *const list[] = { "ldd", self, NULL };
    bool good = xt_cpio_copy(cpio, "xentrail/xentrail", 0755, self, error) &&
                add_libraries(cpio, "xentrail/lib/", list, error);

    xt_cpio_file(cpio, "bin/xentrail", 0755, starter, sizeof starter - 1);
    g_free(self);
    return good;
}

static bool add_modules(struct xt_cpio *cpio, const char *cache, GError **error)
{
    char *folder = g_build_filename(cache, "modules", NULL);
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;
    bool good = true;

    while (good && dir && (name = g_dir_read_name(dir)) != NULL) {
        char *from = g_build_filename(folder, name, NULL), *to = g_strconcat("modules/", name, NULL);
        good = xt_cpio_copy(cpio, to, 0644, from, error);
        g_free(from);
        g_free(to);
    }
    if (dir)
        g_dir_close(dir);
    g_free(folder);
    return good;
}

static GBytes *guest_image(const char *cache, GError **error)
{
    struct xt_cpio *cpio = xt_cpio_new();
    GBytes *image = NULL;

    if (add_busybox(cpio, cache, error)) {
        add_resource(cpio, "init", 0755, "guest-init.sh");
        add_resource(cpio, "bin/xentrail-workload", 0755, "xentrail-workload");
        image = xt_cpio_finish(cpio);
    }
    xt_cpio_free(cpio);
    return image;
}

GBytes *xt_image_dom0(const char *cache, GError **error)
{
    static const char xl_conf[] = "autoballoon=\"off\"\n";
    static const char *const folders[] = { "var/lib/xen", "var/lib/xenstored", "var/log/xen", "etc/xen" };
    struct xt_cpio *cpio = xt_cpio_new();
    char *sysroot = g_build_filename(cache, "sysroot", NULL),
         *kernel = g_build_filename(cache, "vmlinux", NULL);
    GBytes *guest = guest_image(cache, error), *image = NULL;
    gsize n;

    if (guest && add_busybox(cpio, cache, error) && add_xen_tools(cpio, sysroot, error) &&
        add_modules(cpio, cache, error) && add_xentrail(cpio, error) &&
        xt_cpio_copy(cpio, "lab/vmlinux", 0644, kernel, error)) {
        const void *data = g_bytes_get_data(guest, &n);
        xt_cpio_file(cpio, "lab/guest.cpio", 0644, data, n);
        add_resource(cpio, "lab/experiment.sh", 0755, "experiment.sh");
        add_resource(cpio, "init", 0755, "dom0-init.sh");
        xt_cpio_file(cpio, "etc/xen/xl.conf", 0644, xl_conf, sizeof xl_conf - 1);
        for (size_t i = 0; i < G_N_ELEMENTS(folders); i++)
            xt_cpio_folder(cpio, folders[i]);
        xt_cpio_link(cpio, "var/run", "/run");
        image = xt_cpio_finish(cpio);
    }
    g_clear_pointer(&guest, g_bytes_unref);
    xt_cpio_free(cpio);
    g_free(sysroot);
    g_free(kernel);
    return image;
}

static void add_text(struct xt_cpio *cpio, const char *path, GString *text)
{
    xt_cpio_file(cpio, path, 0644, text->str, text->len);
    g_string_free(text, TRUE);
}

/* Names are letters, digits, - and _ (scenario.c), so nothing here needs quoting. */
static GString *domain_config(const struct xt_scenario *s, const struct xt_lab_policy *policy,
                              const struct xt_lab_domain *domain)
{
    GString *text = g_string_new(NULL);
    g_string_append_printf(
        text, "name=\"%s\"\nkernel=\"/lab/vmlinux\"\nramdisk=\"/run/%s.image\"\nmemory=%u\nvcpus=%u\n",
        domain->name, domain->name, domain->memory_mib, domain->vcpus);
    /* Emulated time stamps could not be laid over the trace. */
    g_string_append(text, "type=\"pv\"\ntsc_mode=\"native\"\ncpus=[");
    for (unsigned i = 0; i < domain->vcpus; i++) {
        g_string_append(text, i ? "," : "");
        if (policy->policy->bound)
            g_string_append_printf(text, "\"%u\"", g_array_index(domain->pins, unsigned, i));
        else
            g_string_append_printf(text, "\"1-%u\"", s->pcpus - 1);
    }
    g_string_append(text, "]\nextra=\"console=hvc0 quiet\"\n");
    return text;
}

static GBytes *workload_archive(const struct xt_scenario *s, const struct xt_lab_policy *policy,
                                const struct xt_lab_domain *domain)
{
    struct xt_cpio *cpio = xt_cpio_new();
    GString *words = g_string_new(NULL);
    GBytes *archive;

    g_string_append_printf(words, "--name=%s\n--duration=%.0fns\n--lead=%dms\n--policy=%s\n", domain->name,
                           s->duration_s * 1e9, LEAD_MS, domain->guest_policy);
    if (domain->periodic || policy->periodic)
        g_string_append(words, "--background\n");
    for (int i = 0; domain->tasks[i]; i++)
        g_string_append_printf(words, "%s\n", domain->tasks[i]);
    add_text(cpio, "workload.args", words);
    archive = xt_cpio_finish(cpio);
    xt_cpio_free(cpio);
    return archive;
}

static void append_parameters(GString *script, const struct xt_lab_policy *policy,
                              const struct xt_lab_domain *domain)
{
    if (strcmp(policy->policy->scheduler, "rtds") == 0 && domain->period_ns)
        g_string_append_printf(
            script, "xl sched-rtds -d %s -v all -p %" G_GINT64_FORMAT " -b %" G_GINT64_FORMAT " -e %d\n",
            domain->name, domain->period_ns / 1000, domain->budget_ns / 1000, domain->extratime);
    if (g_str_has_prefix(policy->policy->scheduler, "credit") && (domain->weight || domain->cap)) {
        g_string_append_printf(script, "xl sched-%s -d %s", policy->policy->scheduler, domain->name);
        if (domain->weight)
            g_string_append_printf(script, " -w %d", domain->weight);
        if (domain->cap)
            g_string_append_printf(script, " -c %d", domain->cap);
        g_string_append_c(script, '\n');
    }
}

/* The trace is compressed at home: in virtual time, work in dom0 would take time from the guests' pCPUs. */
static GString *record_arguments(const struct xt_lab_policy *policy, bool live)
{
    GString *words = g_string_new(NULL);
    g_string_append_printf(words,
                           "--policy\n%s\n--events\nsched\n--compress\n0\n--buffer-pages\n%d\n--poll\n%d\n",
                           policy->name, BUFFER_PAGES, POLL_MS);
    if (live)
        g_string_append(words, "--live\n");
    return words;
}

GBytes *xt_image_experiment(const struct xt_scenario *s, const struct xt_lab_policy *policy, bool live, GError **error)
{
    struct xt_cpio *cpio = xt_cpio_new();
    GString *domains = g_string_new(NULL), *script = g_string_new(NULL), *seconds = g_string_new(NULL);
    GBytes *image;

    for (guint i = 0; i < s->domains->len; i++) {
        const struct xt_lab_domain *domain = g_ptr_array_index(s->domains, i);
        char *config = g_strdup_printf("lab/%s.cfg", domain->name),
             *archive = g_strdup_printf("lab/%s.cpio", domain->name);
        GBytes *workload = workload_archive(s, policy, domain);
        gsize n;
        const void *data = g_bytes_get_data(workload, &n);

        g_string_append_printf(domains, "%s %s\n", domain->name,
                               domain->noise || !domain->tasks[0] ? "no" : "yes");
        add_text(cpio, config, domain_config(s, policy, domain));
        xt_cpio_file(cpio, archive, 0644, data, n);
        append_parameters(script, policy, domain);
        g_bytes_unref(workload);
        g_free(config);
        g_free(archive);
    }
    g_string_append_printf(seconds, "%.3f\n", s->duration_s + (LEAD_MS + TAIL_MS) / 1e3);
    add_text(cpio, "lab/domains", domains);
    add_text(cpio, "lab/configure.sh", script);
    add_text(cpio, "lab/run-seconds", seconds);
    add_text(cpio, "lab/record.args", record_arguments(policy, live));
    image = xt_cpio_finish(cpio);
    xt_cpio_free(cpio);
    return image;
}
