/* Seeking by time, through the plugin as libbabeltrace2 loads it: from every instant the same records as when reading
 * on from the beginning. */
#include <babeltrace2/babeltrace.h>
#include <glib.h>
#include <glib/gstdio.h>

struct seen {
    int64_t ns;
    uint64_t tsc;
};

struct sink {
    bt_message_iterator *iterator;
    int64_t seek_ns; /* INT64_MIN: none */
    GArray *seen;    /* of struct seen */
    unsigned stream_beginnings, packet_beginnings, packet_ends, stream_ends;
};

static bt_graph_simple_sink_component_initialize_func_status start(bt_message_iterator *iterator, void *data)
{
    struct sink *s = data;

    s->iterator = iterator;
    return BT_GRAPH_SIMPLE_SINK_COMPONENT_INITIALIZE_FUNC_STATUS_OK;
}

static void see(struct sink *s, const bt_message *message)
{
    switch (bt_message_get_type(message)) {
    case BT_MESSAGE_TYPE_EVENT: {
        struct seen seen;
        const bt_field *context =
            bt_event_borrow_common_context_field_const(bt_message_event_borrow_event_const(message));
        seen.tsc = bt_field_integer_unsigned_get_value(
            bt_field_structure_borrow_member_field_by_name_const(context, "tsc"));
        g_assert_cmpint(bt_clock_snapshot_get_ns_from_origin(
                            bt_message_event_borrow_default_clock_snapshot_const(message), &seen.ns), ==, 0);
        g_array_append_val(s->seen, seen);
        break;
    }
    case BT_MESSAGE_TYPE_STREAM_BEGINNING: s->stream_beginnings++; break;
    case BT_MESSAGE_TYPE_STREAM_END: s->stream_ends++; break;
    case BT_MESSAGE_TYPE_PACKET_BEGINNING: s->packet_beginnings++; break;
    case BT_MESSAGE_TYPE_PACKET_END: s->packet_ends++; break;
    default: break;
    }
}

static bt_graph_simple_sink_component_consume_func_status consume(bt_message_iterator *iterator, void *data)
{
    struct sink *s = data;
    bt_message_array_const messages;
    uint64_t n;

    if (s->seek_ns != INT64_MIN) {
        bt_bool can = BT_FALSE;
        g_assert_cmpint(bt_message_iterator_can_seek_ns_from_origin(iterator, s->seek_ns, &can), ==, 0);
        g_assert_true(can);
        g_assert_cmpint(bt_message_iterator_seek_ns_from_origin(iterator, s->seek_ns), ==, 0);
        s->seek_ns = INT64_MIN;
    }
    bt_message_iterator_next_status status = bt_message_iterator_next(iterator, &messages, &n);
    if (status == BT_MESSAGE_ITERATOR_NEXT_STATUS_END)
        return BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_END;
    g_assert_cmpint(status, ==, 0);
    for (uint64_t i = 0; i < n; i++) {
        see(s, messages[i]);
        bt_message_put_ref(messages[i]);
    }
    return BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_OK;
}

/* Reads one port of the trace from seek_ns on. */
static void read_port(const bt_plugin *plugin, const char *trace, uint64_t port, struct sink *sink)
{
    bt_graph *graph = bt_graph_create(0);
    bt_value *params = bt_value_map_create(), *inputs;
    const bt_component_source *source;
    const bt_component_sink *sink_component;

    sink->seen = g_array_new(FALSE, FALSE, sizeof(struct seen));
    g_assert_cmpint(bt_value_map_insert_empty_array_entry(params, "inputs", &inputs), ==, 0);
    g_assert_cmpint(bt_value_array_append_string_element(inputs, trace), ==, 0);
    g_assert_cmpint(bt_value_map_insert_unsigned_integer_entry(params, "tsc-hz", 1000000000), ==, 0);
    g_assert_cmpint(bt_graph_add_source_component(graph,
                                                  bt_plugin_borrow_source_component_class_by_name_const(plugin, "file"),
                                                  "source", params, BT_LOGGING_LEVEL_NONE, &source), ==, 0);
    g_assert_cmpint(bt_graph_add_simple_sink_component(graph, "sink", start, consume, NULL, sink, &sink_component), ==, 0);
    g_assert_cmpint(bt_graph_connect_ports(graph, bt_component_source_borrow_output_port_by_index_const(source, port),
                                           bt_component_sink_borrow_input_port_by_index_const(sink_component, 0), NULL),
                    ==, 0);
    g_assert_cmpint(bt_graph_run(graph), ==, 0);
    bt_graph_put_ref(graph);
    bt_value_put_ref(params);
}

static const struct seen *nth(const struct sink *s, guint i)
{
    return &g_array_index(s->seen, struct seen, i);
}

static void check_seek(const bt_plugin *plugin, const char *trace, uint64_t port, const struct sink *all, int64_t ns)
{
    struct sink part = { .seek_ns = ns };
    guint first = 0;

    read_port(plugin, trace, port, &part);
    while (first < all->seen->len && nth(all, first)->ns < ns)
        first++;
    g_assert_cmpuint(part.seen->len, ==, all->seen->len - first);
    for (guint i = 0; i < part.seen->len; i++)
        g_assert_cmpuint(nth(&part, i)->tsc, ==, nth(all, first + i)->tsc);
    g_assert_cmpuint(part.packet_beginnings, ==, part.packet_ends);
    g_assert_cmpuint(part.stream_beginnings, ==, part.stream_ends);
    g_array_unref(part.seen);
}

static void test_seek(gconstpointer data)
{
    const bt_plugin *plugin = data;
    char *trace = g_build_filename(g_getenv("EXAMPLES"), "gedf", NULL);
    struct sink all = { .seek_ns = INT64_MIN };

    read_port(plugin, trace, 1, &all);
    g_assert_cmpuint(all.seen->len, >, 1000);
    guint n = all.seen->len;
    const int64_t instants[] = { INT64_MIN + 1, -1, 0, 1, nth(&all, 0)->ns, nth(&all, 0)->ns + 1, nth(&all, n / 3)->ns - 1,
                                 nth(&all, n / 3)->ns, nth(&all, n / 2)->ns + 1, nth(&all, n - 2)->ns, nth(&all, n - 1)->ns,
                                 nth(&all, n - 1)->ns + 1, INT64_MAX };
    for (unsigned i = 0; i < G_N_ELEMENTS(instants); i++)
        check_seek(plugin, trace, 1, &all, instants[i]);
    g_array_unref(all.seen);
    g_free(trace);
}

/* Records before the first time stamp of a pCPU have the time of the run's first. */
static void test_untimed(gconstpointer data)
{
    static const uint32_t words[] = {
        0x2001f003, 0, 36,                        /* a window of pCPU 0 with 36 bytes */
        0x00022a01,                               /* a record without a time stamp and without words */
        0x90021002, 1000000, 0, 0x00010000,       /* continue-running with a time stamp and one word */
        0x90021002, 1000500, 0, 0x00010000,
    };
    struct sink all = { .seek_ns = INT64_MIN };
    char *trace;

    g_close(g_file_open_tmp("seek-XXXXXX.xen", &trace, NULL), NULL);
    g_assert_true(g_file_set_contents(trace, (const char *)words, sizeof(words), NULL));
    read_port(data, trace, 0, &all);
    g_assert_cmpuint(all.seen->len, ==, 3);
    for (int64_t ns = -1; ns <= nth(&all, 2)->ns + 1; ns++)
        check_seek(data, trace, 0, &all, ns);
    g_unlink(trace);
    g_array_unref(all.seen);
    g_free(trace);
}

static void add_tests(const bt_plugin *plugin)
{
    g_test_add_data_func("/babeltrace/seek", plugin, test_seek);
    g_test_add_data_func("/babeltrace/seek-untimed", plugin, test_untimed);
}

int main(int argc, char **argv)
{
    const bt_plugin_set *plugins = NULL;

    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(bt_plugin_find_all_from_dir(g_getenv("PLUGINS"), BT_FALSE, BT_TRUE, &plugins), ==, 0);
    for (uint64_t i = 0; i < bt_plugin_set_get_plugin_count(plugins); i++) {
        const bt_plugin *plugin = bt_plugin_set_borrow_plugin_by_index_const(plugins, i);
        if (!g_strcmp0(bt_plugin_get_name(plugin), "xentrace"))
            add_tests(plugin);
    }
    int status = g_test_run();
    bt_plugin_set_put_ref(plugins);
    return status;
}
