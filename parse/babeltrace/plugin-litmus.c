/* A second plugin in the same file: LITMUS^RT. */
#include "parse/babeltrace/litmus.h"

BT_PLUGIN_WITH_ID(litmus, "litmus");
BT_PLUGIN_DESCRIPTION_WITH_ID(litmus, "LITMUS^RT traces");
BT_PLUGIN_AUTHOR_WITH_ID(litmus, "The xentrail authors");
BT_PLUGIN_LICENSE_WITH_ID(litmus, "MIT");

BT_PLUGIN_SOURCE_COMPONENT_CLASS_WITH_ID(litmus, sched_trace, "sched_trace", xt_litmus_iterator_next);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_DESCRIPTION_WITH_ID(litmus, sched_trace, "Read files of LITMUS^RT's sched_trace.");
BT_PLUGIN_SOURCE_COMPONENT_CLASS_HELP_WITH_ID(
    litmus, sched_trace, "Parameters:\n"
                         "  inputs=[FILE, ...]  files of one host, one for each CPU (st-*.bin)\n"
                         "\n"
                         "One stream with the records of all CPUs in order of time. See xentrail's docs/ctf.md.");
BT_PLUGIN_SOURCE_COMPONENT_CLASS_INITIALIZE_METHOD_WITH_ID(litmus, sched_trace, xt_litmus_init);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_FINALIZE_METHOD_WITH_ID(litmus, sched_trace, xt_litmus_finalize);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_QUERY_METHOD_WITH_ID(litmus, sched_trace, xt_litmus_query);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD_WITH_ID(litmus, sched_trace,
                                                                                  xt_litmus_iterator_init);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_FINALIZE_METHOD_WITH_ID(litmus, sched_trace,
                                                                                xt_litmus_iterator_finalize);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_SEEK_BEGINNING_METHODS_WITH_ID(
    litmus, sched_trace, xt_litmus_iterator_seek_beginning, NULL);
