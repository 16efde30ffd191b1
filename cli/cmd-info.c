#include "cli/cli.h"
#include "collect/manifest.h"
#include "parse/error.h"

#include <stdio.h>
#include <string.h>

static const char about[] =
    "Shows what a recording says of itself, without reading its trace. With --verify, compares every file "
    "with the hash\n"
    "that was taken when the recording was made; exit status 1 if something has changed.";

/* A line per key that stands in recording.json; "a.b" is b within a. */
static const struct {
    const char *title, *key;
} lines[] = {
    { "created", "created" },
    { "comment", "comment" },
    { "host", "host" },
    { "Xen", "xen_version" },
    { "scheduler", "scheduler" },
    { "policy", "policy" },
    { "scenario", "lab.scenario" },
    { "server", "server" },
    { "CPU model", "cpu_model" },
    { "pCPUs", "pcpus" },
    { "TSC (Hz)", "tsc_hz" },
    { "trace", "trace.file" },
    { "events", "trace.events" },
    { "records", "trace.records" },
    { "bytes", "trace.bytes" },
    { "seconds", "trace.elapsed_s" },
    { "lost records", "trace.lost_records" },
    { "ended by", "trace.ended_by" },
};

static JsonNode *find(JsonObject *object, const char *path)
{
    char **keys = g_strsplit(path, ".", 2);
    JsonNode *node;

    if (keys[1])
        object = xt_manifest_object(object, keys[0]);
    node = object ? json_object_get_member(object, keys[1] ? keys[1] : keys[0]) : NULL;
    g_strfreev(keys);
    return node && JSON_NODE_HOLDS_VALUE(node) ? node : NULL;
}

static void print_line(const char *title, const char *text)
{
    char *printable = xt_printable(text);
    printf("%-14s %s\n", title, printable);
    g_free(printable);
}

static char *text_of(JsonNode *node)
{
    if (json_node_get_value_type(node) == G_TYPE_STRING)
        return g_strdup(json_node_get_string(node));
    return json_to_string(node, FALSE);
}

static void print_vcpu(const char *domain, JsonObject *vcpu)
{
    const char *affinity = xt_manifest_string(vcpu, "hard_affinity");
    char *name = xt_printable(domain), *where = xt_printable(affinity ? affinity : "");

    printf("  %-24s %4" G_GINT64_FORMAT "  %-8s", name, xt_manifest_int(vcpu, "vcpu"), where);
    if (xt_manifest_int(vcpu, "period_ns"))
        printf("  %10.3f %10.3f  %s", (double)xt_manifest_int(vcpu, "period_ns") / 1e6,
               (double)xt_manifest_int(vcpu, "budget_ns") / 1e6,
               xt_manifest_bool(vcpu, "extratime") ? "yes" : "no");
    putchar('\n');
    g_free(name);
    g_free(where);
}

static JsonObject *object_at(JsonArray *array, guint i)
{
    JsonNode *node = json_array_get_element(array, i);
    return JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static void print_domains(JsonArray *domains)
{
    printf("\n  %-24s %4s  %-8s  %10s %10s  %s\n", "domain", "VCPU", "pCPUs", "Π (ms)", "Θ (ms)",
           "extratime");
    for (guint i = 0; i < json_array_get_length(domains); i++) {
        JsonObject *domain = object_at(domains, i);
        JsonArray *vcpus = domain ? xt_manifest_array(domain, "vcpus") : NULL;
        const char *name = domain ? xt_manifest_string(domain, "name") : NULL;
        for (guint k = 0; vcpus && k < json_array_get_length(vcpus); k++)
            if (object_at(vcpus, k))
                print_vcpu(name ? name : "?", object_at(vcpus, k));
    }
}

static void print_reservations(JsonArray *reservations)
{
    for (guint i = 0; reservations && i < json_array_get_length(reservations); i++) {
        JsonObject *one = object_at(reservations, i);
        const char *domain = one ? xt_manifest_string(one, "domain") : NULL;
        if (!domain)
            continue;
        char *vcpu = json_object_has_member(one, "vcpu")
                         ? g_strdup_printf(", VCPU %" G_GINT64_FORMAT, xt_manifest_int(one, "vcpu"))
                         : g_strdup("");
        char *line = g_strdup_printf("%s%s: Π %.3f ms, Θ %.3f ms", domain, vcpu,
                                     (double)xt_manifest_int(one, "period_ns") / 1e6,
                                     (double)xt_manifest_int(one, "budget_ns") / 1e6);
        print_line(i ? "" : "reservation", line);
        g_free(line);
        g_free(vcpu);
    }
}

static void print_guests(JsonObject *guests)
{
    GList *names = guests ? json_object_get_members(guests) : NULL;
    for (GList *at = names; at; at = at->next) {
        const char *format = xt_manifest_string(guests, at->data);
        char *line = g_strdup_printf("%s (%s)", (const char *)at->data, format ? format : "?");
        print_line(at == names ? "job traces" : "", line);
        g_free(line);
    }
    g_list_free(names);
}

static void print_notes(JsonObject *manifest)
{
    JsonArray *notes = xt_manifest_array(manifest, "notes");
    for (guint i = 0; notes && i < json_array_get_length(notes); i++) {
        JsonNode *note = json_array_get_element(notes, i);
        if (JSON_NODE_HOLDS_VALUE(note) && json_node_get_value_type(note) == G_TYPE_STRING)
            print_line("note", json_node_get_string(note));
    }
}

static void print_text(JsonObject *manifest, const char *folder)
{
    print_line("recording", folder);
    if (!xt_manifest_bool(manifest, "complete"))
        print_line(
            "state",
            "not complete: the collector was stopped before the end; what was captured until then is there");
    if (xt_manifest_bool(manifest, "emulated"))
        print_line("emulated", "yes: durations show shape and correctness, not the speed of hardware");
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        JsonNode *node = find(manifest, lines[i].key);
        char *text = node ? text_of(node) : NULL;
        if (text)
            print_line(lines[i].title, text);
        g_free(text);
    }
    print_reservations(xt_manifest_array(manifest, "reservations"));
    print_guests(xt_manifest_object(manifest, "guests"));
    print_notes(manifest);
    if (xt_manifest_array(manifest, "domains"))
        print_domains(xt_manifest_array(manifest, "domains"));
}

/* The manifest itself; with --verify, "problems" beside it. */
static void print_json(JsonObject *manifest, const GPtrArray *problems)
{
    JsonNode *root = json_node_init_object(json_node_alloc(), manifest);
    if (problems) {
        JsonArray *array = json_array_new();
        for (guint i = 0; i < problems->len; i++)
            json_array_add_string_element(array, g_ptr_array_index(problems, i));
        json_object_set_array_member(manifest, "problems", array);
    }
    char *text = json_to_string(root, TRUE);
    puts(text);
    g_free(text);
    json_node_free(root);
}

static int show(const char *folder, gboolean verify, gboolean json, GError **error)
{
    JsonObject *manifest = xt_manifest_load(folder, error);
    GPtrArray *problems = NULL;
    int status = XT_EXIT_OK;

    if (!manifest)
        return -1;
    if (verify)
        problems = xt_manifest_verify(manifest, folder, error);
    if (verify && !problems) {
        json_object_unref(manifest);
        return -1;
    }
    if (json)
        print_json(manifest, problems);
    else
        print_text(manifest, folder);
    for (guint i = 0; problems && i < problems->len; i++) {
        char *printable = xt_printable(g_ptr_array_index(problems, i));
        fprintf(stderr, "xentrail info: %s\n", printable);
        g_free(printable);
        status = XT_EXIT_FOUND;
    }
    if (problems && problems->len == 0)
        fprintf(stderr, "xentrail info: all %u files are as they were recorded\n",
                json_array_get_length(xt_manifest_array(manifest, "files")));
    if (problems)
        g_ptr_array_unref(problems);
    json_object_unref(manifest);
    return status;
}

int xt_cmd_info(int argc, char **argv)
{
    gboolean verify = FALSE, json = FALSE;
    const GOptionEntry entries[] = {
        { "verify", 0, 0, G_OPTION_ARG_NONE, &verify, "Compare every file with its recorded hash", NULL },
        { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print recording.json, checked and whole", NULL },
        { NULL },
    };
    GError *error = NULL;
    int status = xt_parse_options(&argc, &argv, entries, "RECORDING", about);

    if (status >= 0)
        return status;
    if (argc != 2)
        return xt_fail_usage("info", "give one recording");
    status = show(argv[1], verify, json, &error);
    return status >= 0 ? status : xt_fail("info", error);
}
