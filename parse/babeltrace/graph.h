/* Small things that every graph of this folder needs. */
#pragma once

#include <babeltrace2/babeltrace.h>
#include <glib.h>
#include <stdbool.h>

/* Sets error to what libbabeltrace2 says of its latest failure in this thread; its deepest cause comes first. */
bool xt_bt_fail(GError **error, int code, const char *what);

/* A plugin that comes with libbabeltrace2; put the reference. */
const bt_plugin *xt_bt_plugin(const char *name, GError **error);

/* A source component class of ours for graphs in this process, which need no plugin file. */
struct xt_bt_source {
    const char *name;
    bt_component_class_source_initialize_method init;
    bt_component_class_source_finalize_method finalize;
    bt_message_iterator_class_initialize_method iterator_init;
    bt_message_iterator_class_finalize_method iterator_finalize;
    bt_message_iterator_class_next_method iterator_next;
};
/* Put the reference. NULL: out of memory. */
bt_component_class_source *xt_bt_source_class_new(const struct xt_bt_source *source);

/* Adds flt.utils.muxer and connects all output ports of source through it to the input port of sink. */
bool xt_bt_connect(bt_graph *graph, const bt_plugin *utils, const bt_component_source *source,
                   const bt_component_sink *sink);
