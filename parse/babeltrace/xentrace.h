/* source.xentrace.file, private to this folder: the component holds one opened trace and what describes it to
 * libbabeltrace2; each message iterator reads the records of one pCPU through its own view of that trace. */
#pragma once

#include <babeltrace2/babeltrace.h>

#include "parse/babeltrace/members.h"
#include "parse/clock.h"
#include "parse/survey.h"

/* An opened trace that the component shall use instead of opening one; stays its owner's and must outlive the graph.
 * records counts what was handed out, for progress; error_code is set (enum xt_error_code) if reading
 * fails. */
struct xt_bt_input {
    struct xt_trace *trace;
    const struct xt_recording *recording;
    const struct xt_run *run;
    uint64_t records;
    int error_code;
    const bt_trace *described; /* a reference that the component takes and input's owner puts */
};

struct event_info {
    bt_event_class *event_class;
    unsigned n_members;
    struct xt_member members[XT_MAX_MEMBERS];
};

struct component;

struct port {
    struct component *component;
    uint32_t slot;
    bt_stream *stream;
};

struct component {
    struct xt_recording *recording; /* NULL if given from outside */
    struct xt_trace *trace;
    bool owns_trace;
    const struct xt_survey *survey;
    const struct xt_layout_index *layouts;
    struct xt_run run;
    struct xt_bt_input *input; /* NULL if opened by itself */
    int64_t from_ns, to_ns;    /* only records in this window are handed out */
    uint64_t from_cycles, to_cycles; /* the same; from above to: none */

    bt_trace_class *trace_class;
    bt_clock_class *clock_class;
    bt_stream_class *stream_class;
    bt_trace *bt_trace;
    struct port *ports;         /* by slot */
    struct event_info **events; /* by layout number * 8 + words; several may share one event class */
    GHashTable *classes;        /* signature of an event class -> bt_event_class (borrowed from the stream class) */
    bt_logging_level log_level;
};

/* The smallest clock value whose time, as libbabeltrace2 rounds it, is not before ns; UINT64_MAX: no record is so late.
 * Needs the clock class. */
uint64_t xt_bt_cycles_at(const struct component *component, int64_t ns);

/* What describes a trace. false: out of memory. */
bool xt_bt_describe(struct component *component, bt_self_component *self);
void xt_bt_describe_free(struct component *component);

/* Event class and members of a record. NULL: out of memory. */
const struct event_info *xt_bt_event_info(struct component *component, const struct xt_layout *layout,
                                          unsigned n_words);
/* Event class of a record that no layout fits; its payload is id and words. */
bt_event_class *xt_bt_odd_event_class(struct component *component, const struct xt_record *record, bool known);

/* Cycles since the run's first record: the values of the clock class. */
static inline uint64_t xt_bt_cycles(const struct component *component, uint64_t tsc)
{
    return tsc > component->run.start_tsc ? tsc - component->run.start_tsc : 0;
}

/* Methods of the component class. */
bt_component_class_initialize_method_status xt_xentrace_init(bt_self_component_source *self,
                                                             bt_self_component_source_configuration *configuration,
                                                             const bt_value *params, void *input);
void xt_xentrace_finalize(bt_self_component_source *self);
bt_component_class_query_method_status xt_xentrace_query(bt_self_component_class_source *self,
                                                         bt_private_query_executor *executor, const char *object,
                                                         const bt_value *params, void *data, const bt_value **result);

/* Methods of its message iterators. */
bt_message_iterator_class_initialize_method_status
xt_xentrace_iterator_init(bt_self_message_iterator *self, bt_self_message_iterator_configuration *configuration,
                          bt_self_component_port_output *port);
void xt_xentrace_iterator_finalize(bt_self_message_iterator *self);
bt_message_iterator_class_next_method_status xt_xentrace_iterator_next(bt_self_message_iterator *self,
                                                                       bt_message_array_const messages,
                                                                       uint64_t capacity, uint64_t *count);
bt_message_iterator_class_seek_beginning_method_status
xt_xentrace_iterator_seek_beginning(bt_self_message_iterator *self);
bt_message_iterator_class_can_seek_ns_from_origin_method_status
xt_xentrace_iterator_can_seek_ns(bt_self_message_iterator *self, int64_t ns, bt_bool *can_seek);
bt_message_iterator_class_seek_ns_from_origin_method_status
xt_xentrace_iterator_seek_ns(bt_self_message_iterator *self, int64_t ns);
