/* A CTF trace by libbabeltrace2's own writer: source.xentrace.file -> flt.utils.muxer -> sink.ctf.fs. */
#include "parse/babeltrace/babeltrace.h"

#include "parse/babeltrace/graph.h"
#include "parse/babeltrace/xentrace.h"
#include "parse/error.h"

#define PROGRESS_STEPS 4096 /* batches of messages between two reports and looks at cancel */

static const struct xt_bt_source xentrace_source = {
    "file", xt_xentrace_init, xt_xentrace_finalize, xt_xentrace_iterator_init, xt_xentrace_iterator_finalize,
    xt_xentrace_iterator_next,
};

struct parts {
    const bt_plugin *utils, *ctf;
    bt_component_class_source *source_class;
    bt_value *sink_params;
    bt_graph *graph;
};

static void free_parts(struct parts *p)
{
    bt_graph_put_ref(p->graph);
    bt_value_put_ref(p->sink_params);
    bt_component_class_source_put_ref(p->source_class);
    bt_plugin_put_ref(p->utils);
    bt_plugin_put_ref(p->ctf);
}

static bool add_components(struct parts *p, struct xt_bt_input *input, const bt_component_source **source,
                           const bt_component_sink **sink)
{
    const bt_component_class_sink *sink_class = bt_plugin_borrow_sink_component_class_by_name_const(p->ctf, "fs");

    return sink_class &&
           bt_graph_add_source_component_with_initialize_method_data(p->graph, p->source_class, "trace", NULL, input,
                                                                     BT_LOGGING_LEVEL_NONE, source) == 0 &&
           bt_graph_add_sink_component(p->graph, sink_class, "ctf", p->sink_params, BT_LOGGING_LEVEL_NONE, sink) == 0;
}

static bool build(struct parts *p, struct xt_bt_input *input, const char *folder, GError **error)
{
    const bt_component_source *source;
    const bt_component_sink *sink;

    if (!(p->utils = xt_bt_plugin("utils", error)) || !(p->ctf = xt_bt_plugin("ctf", error)))
        return false;
    p->source_class = xt_bt_source_class_new(&xentrace_source);
    p->graph = bt_graph_create(0);
    p->sink_params = bt_value_map_create();
    bool ok = p->source_class && p->graph && p->sink_params &&
              bt_value_map_insert_string_entry(p->sink_params, "path", folder) == 0 &&
              bt_value_map_insert_bool_entry(p->sink_params, "assume-single-trace", BT_TRUE) == 0 &&
              bt_value_map_insert_bool_entry(p->sink_params, "quiet", BT_TRUE) == 0 &&
              add_components(p, input, &source, &sink) && xt_bt_connect(p->graph, p->utils, source, sink);
    return ok || xt_bt_fail(error, XT_ERROR_SYSTEM, "cannot set up the conversion");
}

static bool run_graph(bt_graph *graph, struct xt_bt_input *input, const volatile int *cancel,
                      void (*progress)(void *user, uint64_t done, uint64_t total), void *user, GError **error)
{
    uint64_t total = xt_trace_survey(input->trace)->records;

    for (unsigned step = 1;; step++) {
        bt_graph_run_once_status status = bt_graph_run_once(graph);
        if (status == BT_GRAPH_RUN_ONCE_STATUS_END)
            return true;
        if (status != BT_GRAPH_RUN_ONCE_STATUS_OK && status != BT_GRAPH_RUN_ONCE_STATUS_AGAIN)
            return xt_bt_fail(error, input->error_code ? input->error_code : XT_ERROR_SYSTEM, "cannot write the CTF trace");
        if (step % PROGRESS_STEPS)
            continue;
        if (progress)
            progress(user, input->records, total);
        if (cancel && *cancel) {
            g_set_error_literal(error, XT_ERROR, XT_ERROR_SYSTEM, "interrupted: nothing was written");
            return false;
        }
    }
}

bool xt_ctf_export(struct xt_trace *trace, const struct xt_recording *recording, const struct xt_run *run,
                   const char *path, const volatile int *cancel,
                   void (*progress)(void *user, uint64_t done, uint64_t total), void *user, GError **error)
{
    struct xt_bt_input input = { .trace = trace, .recording = recording, .run = run };
    struct parts parts = { 0 };
    bool ok = build(&parts, &input, path, error) && run_graph(parts.graph, &input, cancel, progress, user, error);

    /* the metadata is written when the sink goes; it would use the trace after its end if packets were still open */
    free_parts(&parts);
    bt_trace_put_ref(input.described);
    if (ok) {
        char *metadata = g_build_filename(path, "metadata", NULL);
        ok = g_file_test(metadata, G_FILE_TEST_EXISTS);
        if (!ok)
            g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: libbabeltrace2 could not write it", metadata);
        g_free(metadata);
    }
    return ok;
}
