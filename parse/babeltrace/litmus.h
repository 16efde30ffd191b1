/* source.litmus.sched_trace: what LITMUS^RT's sched_trace writes, one file a CPU, records of 24 bytes. Each file has the
 * records of one CPU, hardly in the order of time; the component sorts all of them into one stream. */
#pragma once

#include <babeltrace2/babeltrace.h>
#include <stdbool.h>

/* Do these files look like sched_trace? */
bool xt_litmus_is_trace(const char *path);

bt_component_class_initialize_method_status xt_litmus_init(bt_self_component_source *self,
                                                           bt_self_component_source_configuration *configuration,
                                                           const bt_value *params, void *data);
void xt_litmus_finalize(bt_self_component_source *self);
bt_component_class_query_method_status xt_litmus_query(bt_self_component_class_source *self,
                                                       bt_private_query_executor *executor, const char *object,
                                                       const bt_value *params, void *data, const bt_value **result);
bt_message_iterator_class_initialize_method_status
xt_litmus_iterator_init(bt_self_message_iterator *self, bt_self_message_iterator_configuration *configuration,
                        bt_self_component_port_output *port);
void xt_litmus_iterator_finalize(bt_self_message_iterator *self);
bt_message_iterator_class_next_method_status xt_litmus_iterator_next(bt_self_message_iterator *self,
                                                                     bt_message_array_const messages, uint64_t capacity,
                                                                     uint64_t *count);
bt_message_iterator_class_seek_beginning_method_status xt_litmus_iterator_seek_beginning(bt_self_message_iterator *self);

/* The class, for graphs that need no plugin file. NULL: out of memory. */
bt_component_class_source *xt_litmus_class_new(void);
