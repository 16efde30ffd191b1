/* libFuzzer: any bytes as a trace that libbabeltrace2 reads through source.xentrace.file. Its first byte chooses
 * parameters, the rest is the file. Whatever the bytes are, the messages are those of the records, or the graph fails with
 * a cause; and from any instant on they are the same as when reading on from the beginning. */
#include <babeltrace2/babeltrace.h>
#include <sys/mman.h>
#include <unistd.h>

#include "parse/survey.h"

#define MAX_BYTES (1u << 18)
#define MEASURE 4 /* what is measured can be absurd, and libbabeltrace2 seeks by clocks below 18 GHz only */
#define MAX_SEEK_NS 1000000000000000 /* eleven days; far beyond, libbabeltrace2 cannot convert times to cycles */

/* What came out of one graph. */
struct seen {
    int64_t seek_ns; /* INT64_MIN: from the beginning */
    GArray *ns;      /* of int64_t, of each event */
    uint64_t lost;
    bool sought; /* into the middle of a loss: libbabeltrace2 cuts it and no longer says how many */
    int open_streams, open_packets;
};

static void visit(const bt_field *field)
{
    bt_field_class_type type = bt_field_get_class_type(field);
    const bt_field_class *fc = bt_field_borrow_class_const(field);

    if (type == BT_FIELD_CLASS_TYPE_STRUCTURE)
        for (uint64_t i = 0; i < bt_field_class_structure_get_member_count(fc); i++)
            visit(bt_field_structure_borrow_member_field_by_index_const(field, i));
    else if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_ARRAY))
        for (uint64_t i = 0; i < bt_field_array_get_length(field); i++)
            visit(bt_field_array_borrow_element_field_by_index_const(field, i));
    else if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_UNSIGNED_INTEGER))
        g_assert_true(bt_field_class_integer_get_field_value_range(fc) == 64 ||
                      bt_field_integer_unsigned_get_value(field) >> bt_field_class_integer_get_field_value_range(fc) == 0);
    else if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_SIGNED_INTEGER))
        g_assert_true(bt_field_integer_signed_get_value(field) >= INT32_MIN && bt_field_integer_signed_get_value(field) <= INT32_MAX);
    else
        g_assert_not_reached();
}

static void see_event(struct seen *seen, const bt_message *message)
{
    const bt_event *event = bt_message_event_borrow_event_const(message);
    int64_t ns;

    g_assert_true(seen->open_packets > 0);
    visit(bt_event_borrow_common_context_field_const(event));
    visit(bt_event_borrow_payload_field_const(event));
    if (bt_clock_snapshot_get_ns_from_origin(bt_message_event_borrow_default_clock_snapshot_const(message), &ns) != 0)
        ns = INT64_MAX; /* too many cycles of a slow clock for a time */
    g_assert_true(!seen->ns->len || ns >= g_array_index(seen->ns, int64_t, seen->ns->len - 1));
    g_array_append_val(seen->ns, ns);
}

static void see(struct seen *seen, const bt_message *message)
{
    uint64_t lost;

    switch (bt_message_get_type(message)) {
    case BT_MESSAGE_TYPE_STREAM_BEGINNING:
        seen->open_streams++;
        break;
    case BT_MESSAGE_TYPE_STREAM_END:
        seen->open_streams--;
        break;
    case BT_MESSAGE_TYPE_PACKET_BEGINNING:
        seen->open_packets++;
        break;
    case BT_MESSAGE_TYPE_PACKET_END:
        seen->open_packets--;
        break;
    case BT_MESSAGE_TYPE_DISCARDED_EVENTS:
        if (bt_message_discarded_events_get_count(message, &lost) == BT_PROPERTY_AVAILABILITY_AVAILABLE)
            seen->lost += lost;
        else
            g_assert_true(seen->sought);
        break;
    case BT_MESSAGE_TYPE_EVENT:
        see_event(seen, message);
        break;
    default:
        break;
    }
}

static bt_graph_simple_sink_component_initialize_func_status start(bt_message_iterator *iterator, void *data)
{
    return BT_GRAPH_SIMPLE_SINK_COMPONENT_INITIALIZE_FUNC_STATUS_OK;
}

static bt_graph_simple_sink_component_consume_func_status consume(bt_message_iterator *iterator, void *data)
{
    struct seen *seen = data;
    bt_message_array_const messages;
    uint64_t n;

    if (seen->seek_ns != INT64_MIN &&
        bt_message_iterator_seek_ns_from_origin(iterator, seen->seek_ns) != BT_MESSAGE_ITERATOR_SEEK_NS_FROM_ORIGIN_STATUS_OK)
        return BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_ERROR;
    seen->seek_ns = INT64_MIN;
    bt_message_iterator_next_status status = bt_message_iterator_next(iterator, &messages, &n);
    if (status == BT_MESSAGE_ITERATOR_NEXT_STATUS_END)
        return BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_END;
    if (status != BT_MESSAGE_ITERATOR_NEXT_STATUS_OK)
        return BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_ERROR;
    for (uint64_t i = 0; i < n; i++) {
        see(seen, messages[i]);
        bt_message_put_ref(messages[i]);
    }
    return BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_OK;
}

static const bt_component_class_source *source_class(void)
{
    static const bt_plugin_set *plugins;

    if (!plugins)
        g_assert_true(bt_plugin_find_all_from_static(BT_TRUE, &plugins) == BT_PLUGIN_FIND_ALL_FROM_STATIC_STATUS_OK);
    for (uint64_t i = 0; i < bt_plugin_set_get_plugin_count(plugins); i++) {
        const bt_plugin *plugin = bt_plugin_set_borrow_plugin_by_index_const(plugins, i);
        if (!g_strcmp0(bt_plugin_get_name(plugin), "xentrace"))
            return bt_plugin_borrow_source_component_class_by_name_const(plugin, "file");
    }
    g_assert_not_reached();
}

static bt_value *parameters(const char *path, uint8_t choice)
{
    bt_value *params = bt_value_map_create(), *inputs;

    g_assert_true(bt_value_map_insert_empty_array_entry(params, "inputs", &inputs) == 0 &&
                  bt_value_array_append_string_element(inputs, path) == 0 &&
                  bt_value_map_insert_bool_entry(params, "salvage", choice & 1) == 0 &&
                  (choice & MEASURE ||
                   bt_value_map_insert_unsigned_integer_entry(params, "tsc-hz", choice & 2 ? 1000000000 : 2893437108) == 0));
    return params;
}

/* What failed must have said why. */
static void check_error(void)
{
    const bt_error *error = bt_current_thread_take_error();

    g_assert_true(error && bt_error_get_cause_count(error) && *bt_error_cause_get_message(bt_error_borrow_cause_by_index(error, 0)));
    bt_error_release(error);
}

/* Reads one port; how many ports there are, 0: the trace was refused. */
static uint64_t read_port(const char *path, uint8_t choice, uint64_t port, struct seen *seen)
{
    bt_graph *graph = bt_graph_create(0);
    bt_value *params = parameters(path, choice);
    const bt_component_source *source;
    const bt_component_sink *sink;
    uint64_t n = 0;

    if (bt_graph_add_source_component(graph, source_class(), "source", params, BT_LOGGING_LEVEL_NONE, &source) == 0) {
        n = bt_component_source_get_output_port_count(source);
        g_assert_true(port < n);
        g_assert_true(bt_graph_add_simple_sink_component(graph, "sink", start, consume, NULL, seen, &sink) == 0 &&
                      bt_graph_connect_ports(graph, bt_component_source_borrow_output_port_by_index_const(source, port),
                                             bt_component_sink_borrow_input_port_by_index_const(sink, 0), NULL) == 0);
        if (bt_graph_run(graph) != BT_GRAPH_RUN_STATUS_OK)
            check_error();
        else
            g_assert_true(!seen->open_streams && !seen->open_packets);
    } else {
        check_error();
    }
    bt_graph_put_ref(graph);
    bt_value_put_ref(params);
    return n;
}

/* Seeks to the middle event and beside it. */
static void check_seeking(const char *path, uint8_t choice, uint64_t port, const struct seen *all)
{
    int64_t middle = all->ns->len ? g_array_index(all->ns, int64_t, all->ns->len / 2) : 0;

    if (middle > MAX_SEEK_NS)
        return;
    for (int64_t ns = middle; ns <= middle + 1; ns++) {
        struct seen part = { .seek_ns = ns, .sought = true, .ns = g_array_new(FALSE, FALSE, sizeof(int64_t)) };
        guint first = 0;
        read_port(path, choice, port, &part);
        while (first < all->ns->len && g_array_index(all->ns, int64_t, first) < ns)
            first++;
        g_assert_true(part.ns->len == all->ns->len - first);
        g_array_unref(part.ns);
    }
}

static void check_trace(const char *path, uint8_t choice)
{
    const struct xt_trace_options options = { .salvage = choice & 1 };
    struct xt_trace *trace = xt_trace_open(path, &options, NULL);
    uint64_t events = 0, lost = 0, n_ports = 1;

    for (uint64_t port = 0; port < n_ports; port++) {
        struct seen seen = { .seek_ns = INT64_MIN, .ns = g_array_new(FALSE, FALSE, sizeof(int64_t)) };
        n_ports = read_port(path, choice, port, &seen);
        if (n_ports && !(choice & MEASURE))
            check_seeking(path, choice, port, &seen);
        events += seen.ns->len;
        lost += seen.lost;
        g_array_unref(seen.ns);
    }
    g_assert_true(trace || !n_ports);
    g_assert_true(!n_ports || (events == xt_trace_survey(trace)->records && lost == xt_trace_survey(trace)->lost_records));
    xt_trace_free(trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];

    if (size < 1 || size > MAX_BYTES)
        return 0;
    int fd = memfd_create("trace", MFD_CLOEXEC);
    g_assert_true(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1));
    g_snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    check_trace(path, data[0]);
    close(fd);
    return 0;
}
