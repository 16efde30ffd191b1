/* Guests' traces: each is read by a graph of its own, source -> flt.utils.muxer -> a sink that looks at events. Their
 * clocks have nothing in common but what xt_job_log_place finds. */
#include "parse/babeltrace/guest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "parse/babeltrace/graph.h"
#include "parse/babeltrace/guest-events.h"
#include "parse/babeltrace/litmus.h"
#include "parse/error.h"

#define MAX_DEPTH 8 /* of folders: LTTng puts traces five deep */

static bt_graph_simple_sink_component_initialize_func_status start(bt_message_iterator *iterator, void *data)
{
    return BT_GRAPH_SIMPLE_SINK_COMPONENT_INITIALIZE_FUNC_STATUS_OK;
}

static bt_graph_simple_sink_component_consume_func_status consume(bt_message_iterator *iterator, void *data)
{
    bt_message_array_const messages;
    uint64_t n;

    switch (bt_message_iterator_next(iterator, &messages, &n)) {
    case BT_MESSAGE_ITERATOR_NEXT_STATUS_OK:
        break;
    case BT_MESSAGE_ITERATOR_NEXT_STATUS_AGAIN:
        return BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_AGAIN;
    case BT_MESSAGE_ITERATOR_NEXT_STATUS_END:
        return BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_END;
    case BT_MESSAGE_ITERATOR_NEXT_STATUS_MEMORY_ERROR:
        return BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_MEMORY_ERROR;
    default:
        return BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_ERROR;
    }
    for (uint64_t i = 0; i < n; i++) {
        bt_message_type type = bt_message_get_type(messages[i]);
        if (type == BT_MESSAGE_TYPE_EVENT)
            xt_guest_event(data, messages[i]);
        else if (type == BT_MESSAGE_TYPE_DISCARDED_EVENTS || type == BT_MESSAGE_TYPE_DISCARDED_PACKETS)
            xt_guest_loss(data, messages[i]);
        bt_message_put_ref(messages[i]);
    }
    return BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_OK;
}

static bt_value *inputs_of(const GPtrArray *paths)
{
    bt_value *params = bt_value_map_create(), *inputs;
    bool ok = params && bt_value_map_insert_empty_array_entry(params, "inputs", &inputs) == 0;

    for (guint i = 0; ok && i < paths->len; i++)
        ok = bt_value_array_append_string_element(inputs, paths->pdata[i]) == 0;
    if (!ok)
        BT_VALUE_PUT_REF_AND_RESET(params);
    return params;
}

struct reading {
    struct xt_job_log *log;
    const bt_plugin *utils, *ctf;
    bt_component_class_source *litmus_class;
    unsigned n_traces;
};

/* Reads one trace: what these paths are together. */
static bool read_trace(struct reading *r, const bt_component_class_source *source_class, const GPtrArray *paths,
                       GError **error)
{
    struct xt_guest_events *events = xt_guest_events_new(r->log);
    bt_graph *graph = bt_graph_create(0);
    bt_value *params = inputs_of(paths);
    const bt_component_source *source;
    const bt_component_sink *sink;
    bool ok = graph && params &&
              bt_graph_add_source_component(graph, source_class, "guest", params, BT_LOGGING_LEVEL_NONE, &source) == 0 &&
              bt_graph_add_simple_sink_component(graph, "jobs", start, consume, NULL, events, &sink) == 0 &&
              (bt_component_source_get_output_port_count(source) == 0 ||
               (xt_bt_connect(graph, r->utils, source, sink) && bt_graph_run(graph) == BT_GRAPH_RUN_STATUS_OK));

    bt_graph_put_ref(graph); /* which may go on about the same failure */
    if (!ok)
        xt_bt_fail(error, XT_ERROR_INPUT, paths->pdata[0]);
    bt_value_put_ref(params);
    xt_guest_events_free(events);
    r->n_traces++;
    return ok;
}

static bool read_ctf(struct reading *r, const char *folder, GError **error)
{
    const bt_component_class_source *source =
        bt_plugin_borrow_source_component_class_by_name_const(r->ctf, "fs");
    GPtrArray *paths = g_ptr_array_new();

    g_ptr_array_add(paths, (gpointer)folder);
    bool ok = read_trace(r, source, paths, error);
    g_ptr_array_unref(paths);
    return ok;
}

static gint compare_texts(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Paths of what is in a folder, sorted; symbolic links are left out, they may lead anywhere. */
static GPtrArray *entries_of(const char *folder)
{
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        char *path = g_build_filename(folder, name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_SYMLINK))
            g_free(path);
        else
            g_ptr_array_add(paths, path);
    }
    if (dir)
        g_dir_close(dir);
    g_ptr_array_sort(paths, compare_texts);
    return paths;
}

static bool is_sched_trace(const char *path)
{
    return g_str_has_suffix(path, ".bin") && xt_litmus_is_trace(path);
}

static bool read_folder(struct reading *r, const char *folder, unsigned depth, GError **error)
{
    GPtrArray *entries = entries_of(folder), *sched_trace = g_ptr_array_new();
    char *metadata = g_build_filename(folder, "metadata", NULL);
    bool ok = true, is_ctf = g_file_test(metadata, G_FILE_TEST_IS_REGULAR);

    if (is_ctf)
        ok = read_ctf(r, folder, error);
    for (guint i = 0; ok && !is_ctf && i < entries->len; i++) {
        if (g_file_test(entries->pdata[i], G_FILE_TEST_IS_DIR))
            ok = depth == MAX_DEPTH || read_folder(r, entries->pdata[i], depth + 1, error);
        else if (is_sched_trace(entries->pdata[i]))
            g_ptr_array_add(sched_trace, entries->pdata[i]);
    }
    if (ok && sched_trace->len)
        ok = read_trace(r, r->litmus_class, sched_trace, error);
    g_ptr_array_unref(sched_trace);
    g_ptr_array_unref(entries);
    g_free(metadata);
    return ok;
}

/* Lines "#clock mono NS tsc CYCLES". */
static void read_anchors(struct xt_job_log *log, const char *folder, const char *suffix)
{
    char *path = g_strconcat(folder, suffix, NULL), line[256];
    FILE *file = g_file_test(path, G_FILE_TEST_IS_REGULAR) ? fopen(path, "re") : NULL;
    int64_t mono_ns;
    uint64_t tsc;

    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "#clock mono %" SCNd64 " tsc %" SCNu64, &mono_ns, &tsc) == 2 && mono_ns >= 0)
            xt_job_log_anchor(log, mono_ns, tsc);
    if (file)
        fclose(file);
    g_free(path);
}

static bool read_guest(struct reading *r, const char *folder, GError **error)
{
    if (!(r->utils = xt_bt_plugin("utils", error)) || !(r->ctf = xt_bt_plugin("ctf", error)))
        return false;
    r->litmus_class = xt_litmus_class_new();
    if (!r->litmus_class)
        return xt_bt_fail(error, XT_ERROR_SYSTEM, "cannot set up the reading of a guest's trace");
    read_anchors(r->log, folder, ".clock");
    read_anchors(r->log, folder, ".jobs.csv");
    return read_folder(r, folder, 0, error);
}

struct xt_job_log *xt_guest_read(const struct xt_recording *recording, const char *guest, GError **error)
{
    char *folder = g_build_filename(recording->path, "guests", guest, NULL);
    struct reading r = { .log = xt_job_log_new() };
    bool there = recording->is_folder && g_file_test(folder, G_FILE_TEST_IS_DIR);
    bool ok = there && read_guest(&r, folder, error);

    bt_component_class_source_put_ref(r.litmus_class);
    bt_plugin_put_ref(r.utils);
    bt_plugin_put_ref(r.ctf);
    g_free(folder);
    if (!ok || !r.n_traces)
        g_clear_pointer(&r.log, xt_job_log_free);
    return r.log;
}
