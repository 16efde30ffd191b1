#include "parse/babeltrace/graph.h"

#include "parse/error.h"

bool xt_bt_fail(GError **error, int code, const char *what)
{
    const bt_error *bt = bt_current_thread_take_error();

    if (bt && bt_error_get_cause_count(bt))
        g_set_error(error, XT_ERROR, code, "%s: %s", what,
                    bt_error_cause_get_message(bt_error_borrow_cause_by_index(bt, 0)));
    else
        g_set_error(error, XT_ERROR, code, "%s: libbabeltrace2 does not say why (out of memory?)", what);
    if (bt)
        bt_error_release(bt);
    return false;
}

const bt_plugin *xt_bt_plugin(const char *name, GError **error)
{
    const bt_plugin *plugin = NULL;

    if (bt_plugin_find(name, BT_TRUE, BT_FALSE, BT_TRUE, BT_TRUE, BT_FALSE, &plugin) == BT_PLUGIN_FIND_STATUS_OK)
        return plugin;
    bt_current_thread_clear_error();
    g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM,
                "libbabeltrace2's plugin '%s' is missing: install libbabeltrace2 completely (Debian: libbabeltrace2-0)",
                name);
    return NULL;
}

bt_component_class_source *xt_bt_source_class_new(const struct xt_bt_source *source)
{
    bt_message_iterator_class *iterators = bt_message_iterator_class_create(source->iterator_next);
    /* the component class freezes its iterator class: that one's methods come first */
    bool ok = iterators && bt_message_iterator_class_set_initialize_method(iterators, source->iterator_init) == 0 &&
              bt_message_iterator_class_set_finalize_method(iterators, source->iterator_finalize) == 0;
    bt_component_class_source *created = ok ? bt_component_class_source_create(source->name, iterators) : NULL;

    ok = created && bt_component_class_source_set_initialize_method(created, source->init) == 0 &&
         bt_component_class_source_set_finalize_method(created, source->finalize) == 0;
    bt_message_iterator_class_put_ref(iterators);
    if (!ok)
        BT_COMPONENT_CLASS_SOURCE_PUT_REF_AND_RESET(created);
    return created;
}

bool xt_bt_connect(bt_graph *graph, const bt_plugin *utils, const bt_component_source *source,
                   const bt_component_sink *sink)
{
    const bt_component_class_filter *muxer_class = bt_plugin_borrow_filter_component_class_by_name_const(utils, "muxer");
    uint64_t n = bt_component_source_get_output_port_count(source);
    const bt_component_filter *muxer;

    if (!muxer_class ||
        bt_graph_add_filter_component(graph, muxer_class, "muxer", NULL, BT_LOGGING_LEVEL_NONE, &muxer) != 0)
        return false;
    /* a muxer always has one free input port more */
    for (uint64_t i = 0; i < n; i++)
        if (bt_graph_connect_ports(graph, bt_component_source_borrow_output_port_by_index_const(source, i),
                                   bt_component_filter_borrow_input_port_by_index_const(muxer, i), NULL) != 0)
            return false;
    return bt_graph_connect_ports(graph, bt_component_filter_borrow_output_port_by_index_const(muxer, 0),
                                  bt_component_sink_borrow_input_port_by_index_const(sink, 0), NULL) == 0;
}
