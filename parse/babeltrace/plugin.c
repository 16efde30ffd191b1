/* The babeltrace2 plugin: names for what the other files implement. */
#include "parse/babeltrace/xentrace.h"

BT_PLUGIN_MODULE();
BT_PLUGIN(xentrace);
BT_PLUGIN_DESCRIPTION("Xen scheduler traces");
BT_PLUGIN_AUTHOR("The xentrail authors");
BT_PLUGIN_LICENSE("MIT");

BT_PLUGIN_SOURCE_COMPONENT_CLASS(file, xt_xentrace_iterator_next);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_DESCRIPTION(file, "Read a Xen trace as `xentrace` writes it.");
BT_PLUGIN_SOURCE_COMPONENT_CLASS_HELP(
    file, "Parameters:\n"
          "  inputs=[PATH]  trace file (plain or .zst) or recording folder; exactly one\n"
          "  from=TIME, to=TIME\n"
          "                 only records of this window, times as in \"2s\" or \"2100ms\"; what lies before is not read\n"
          "  tsc-hz=HZ      TSC frequency instead of measuring it\n"
          "  salvage=yes    on structural damage use what stands before it\n"
          "\n"
          "Each pCPU is a stream with a port of its own. Clock values are TSC cycles since the first record of the trace.\n"
          "Times are therefore those of `xentrail dump`. See xentrail's docs/ctf.md.");
BT_PLUGIN_SOURCE_COMPONENT_CLASS_INITIALIZE_METHOD(file, xt_xentrace_init);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_FINALIZE_METHOD(file, xt_xentrace_finalize);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_QUERY_METHOD(file, xt_xentrace_query);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD(file, xt_xentrace_iterator_init);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_FINALIZE_METHOD(file, xt_xentrace_iterator_finalize);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_SEEK_BEGINNING_METHODS(file, xt_xentrace_iterator_seek_beginning,
                                                                               NULL);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_SEEK_NS_FROM_ORIGIN_METHODS(file, xt_xentrace_iterator_seek_ns,
                                                                                    xt_xentrace_iterator_can_seek_ns);
