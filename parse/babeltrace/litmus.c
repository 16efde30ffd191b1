#include "parse/babeltrace/litmus.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "parse/babeltrace/graph.h"
#include "parse/error.h"

#define RECORD_BYTES 24u
#define HEAD_RECORDS 64u /* looked at to recognise a file */

/* What follows the header (type, CPU, pid, job) of a record, in words and bytes from its 8th byte on. */
enum field_type { U8, U32, U64, U63, BIT, TEXT16, NO_FIELD };
struct field {
    const char *name;
    uint8_t type; /* enum field_type */
    uint8_t at;
};
static const struct event {
    const char *name;
    bool timed; /* its first 8 bytes say when */
    struct field fields[4];
} events[] = {
    { NULL, false, { { NULL, NO_FIELD, 0 } } },
    { "name", false, { { "cmd", TEXT16, 0 } } },
    { "param", false, { { "wcet_ns", U32, 0 }, { "period_ns", U32, 4 }, { "phase_ns", U32, 8 }, { "partition", U8, 12 } } },
    { "release", true, { { "release_ns", U64, 0 }, { "deadline_ns", U64, 8 } } },
    { "assigned", true, { { "target", U8, 8 } } },
    { "switch_to", true, { { "exec_time_ns", U32, 8 } } },
    { "switch_away", true, { { "exec_time_ns", U64, 8 } } },
    { "completion", true, { { "forced", BIT, 8 }, { "exec_time_ns", U63, 8 } } },
    { "block", true, { { NULL, NO_FIELD, 0 } } },
    { "resume", true, { { NULL, NO_FIELD, 0 } } },
    { "action", true, { { "action", U8, 8 } } },
    { "sys_release", true, { { "release_ns", U64, 8 } } },
    { "np_enter", true, { { NULL, NO_FIELD, 0 } } },
    { "np_exit", true, { { NULL, NO_FIELD, 0 } } },
};

struct record {
    uint64_t time;
    const unsigned char *bytes;
};

struct litmus {
    GPtrArray *files; /* of GMappedFile */
    GArray *records;  /* of struct record, by time */
    bt_trace_class *trace_class;
    bt_clock_class *clock_class;
    bt_stream_class *stream_class;
    bt_trace *trace;
    bt_stream *stream;
    bt_event_class *classes[G_N_ELEMENTS(events)];
    bt_logging_level log_level;
};

struct iterator {
    struct litmus *source;
    guint next;
    enum { BEGIN, RECORDS, DONE } stage;
};

static uint64_t little(const unsigned char *bytes, unsigned n)
{
    uint64_t value = 0;

    while (n--)
        value = value << 8 | bytes[n];
    return value;
}

static bool is_whole(const unsigned char *record)
{
    return record[0] > 0 && record[0] < G_N_ELEMENTS(events);
}

/* Begun, and never written. */
static bool is_unwritten(const unsigned char *record)
{
    return record[0] == 0;
}

bool xt_litmus_is_trace(const char *path)
{
    unsigned char head[HEAD_RECORDS * RECORD_BYTES];
    FILE *file = g_file_test(path, G_FILE_TEST_IS_REGULAR) ? fopen(path, "re") : NULL;
    size_t n = file ? fread(head, RECORD_BYTES, HEAD_RECORDS, file) : 0;
    bool yes = n > 0;

    if (file)
        fclose(file);
    for (size_t i = 0; i < n; i++)
        yes = yes && (is_whole(head + i * RECORD_BYTES) || (i && is_unwritten(head + i * RECORD_BYTES)));
    return yes;
}

static void note(const struct litmus *l, const char *path, const char *what, uint64_t n)
{
    if (l->log_level <= BT_LOGGING_LEVEL_WARNING)
        fprintf(stderr, "source.litmus.sched_trace: %s: %" G_GUINT64_FORMAT " %s\n", path, n, what);
}

static bool read_file(struct litmus *l, const char *path, GError **error)
{
    GMappedFile *file = g_mapped_file_new(path, FALSE, error);
    uint64_t unfinished = 0;

    if (!file)
        return false;
    g_ptr_array_add(l->files, file);
    const unsigned char *bytes = (const unsigned char *)g_mapped_file_get_contents(file);
    gsize n = g_mapped_file_get_length(file);
    for (gsize at = 0; at + RECORD_BYTES <= n; at += RECORD_BYTES) {
        const unsigned char *record = bytes + at;
        if (is_unwritten(record)) {
            unfinished++;
            continue;
        }
        if (!is_whole(record)) {
            g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                        "%s: is no sched_trace file, or damaged: at offset %" G_GSIZE_FORMAT " stands a record of type %u",
                        path, at, record[0]);
            return false;
        }
        struct record r = { events[record[0]].timed ? little(record + 8, 8) : 0, record };
        g_array_append_val(l->records, r);
    }
    if (unfinished)
        note(l, path, "records were begun and never written", unfinished);
    if (n % RECORD_BYTES)
        note(l, path, "bytes at its end form no whole record", n % RECORD_BYTES);
    return true;
}

static gint by_time(gconstpointer a, gconstpointer b)
{
    const struct record *x = a, *y = b;

    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* Records without a time (names, parameters) come first, at the time of the first that has one. */
static void sort_records(struct litmus *l)
{
    uint64_t first = 0;

    g_array_sort(l->records, by_time);
    for (guint i = 0; i < l->records->len && !first; i++)
        first = g_array_index(l->records, struct record, i).time;
    for (guint i = 0; i < l->records->len; i++) {
        struct record *r = &g_array_index(l->records, struct record, i);
        if (r->time)
            break;
        r->time = first;
    }
}

static bool append(bt_field_class *structure, const char *name, bt_field_class *member)
{
    bool ok = member && bt_field_class_structure_append_member(structure, name, member) == 0;

    bt_field_class_put_ref(member);
    return ok;
}

static bt_field_class *new_field(bt_trace_class *trace_class, enum field_type type)
{
    static const uint8_t bits[] = { [U8] = 8, [U32] = 32, [U64] = 64, [U63] = 64, [BIT] = 8 };

    if (type == TEXT16)
        return bt_field_class_string_create(trace_class);
    bt_field_class *fc = bt_field_class_integer_unsigned_create(trace_class);
    if (fc)
        bt_field_class_integer_set_field_value_range(fc, bits[type]);
    return fc;
}

static bool describe_event(struct litmus *l, unsigned type)
{
    bt_field_class *payload = bt_field_class_structure_create(l->trace_class);
    bool ok = payload && (l->classes[type] = bt_event_class_create_with_id(l->stream_class, type)) &&
              bt_event_class_set_name(l->classes[type], events[type].name) == 0;

    for (unsigned f = 0; ok && f < G_N_ELEMENTS(events[type].fields) && events[type].fields[f].name; f++)
        ok = append(payload, events[type].fields[f].name, new_field(l->trace_class, events[type].fields[f].type));
    ok = ok && bt_event_class_set_payload_field_class(l->classes[type], payload) == 0;
    bt_field_class_put_ref(payload);
    return ok;
}

static bool describe_context(struct litmus *l)
{
    bt_field_class *context = bt_field_class_structure_create(l->trace_class);
    bool ok = context && append(context, "cpu", new_field(l->trace_class, U8)) &&
              append(context, "pid", new_field(l->trace_class, U32)) &&
              append(context, "job", new_field(l->trace_class, U32)) &&
              bt_stream_class_set_event_common_context_field_class(l->stream_class, context) == 0;

    bt_field_class_put_ref(context);
    return ok;
}

static bool describe(struct litmus *l, bt_self_component *self)
{
    l->trace_class = bt_trace_class_create(self);
    l->clock_class = bt_clock_class_create(self);
    if (!l->trace_class || !l->clock_class || bt_clock_class_set_name(l->clock_class, "litmus") != 0 ||
        bt_clock_class_set_description(l->clock_class, "LITMUS^RT: CLOCK_MONOTONIC of the kernel") != 0)
        return false;
    bt_clock_class_set_frequency(l->clock_class, 1000000000);
    bt_clock_class_set_origin_is_unix_epoch(l->clock_class, BT_FALSE);
    l->stream_class = bt_stream_class_create(l->trace_class);
    if (!l->stream_class || bt_stream_class_set_default_clock_class(l->stream_class, l->clock_class) != 0)
        return false;
    bt_stream_class_set_assigns_automatic_event_class_id(l->stream_class, BT_FALSE);
    bool ok = describe_context(l);
    for (unsigned type = 1; ok && type < G_N_ELEMENTS(events); type++)
        ok = describe_event(l, type);
    return ok && (l->trace = bt_trace_create(l->trace_class)) && bt_trace_set_name(l->trace, "sched_trace") == 0 &&
           (l->stream = bt_stream_create(l->stream_class, l->trace));
}

static void free_litmus(struct litmus *l)
{
    for (unsigned type = 0; type < G_N_ELEMENTS(events); type++)
        bt_event_class_put_ref(l->classes[type]);
    bt_stream_put_ref(l->stream);
    bt_trace_put_ref(l->trace);
    bt_stream_class_put_ref(l->stream_class);
    bt_clock_class_put_ref(l->clock_class);
    bt_trace_class_put_ref(l->trace_class);
    g_array_unref(l->records);
    g_ptr_array_unref(l->files);
    g_free(l);
}

static bool read_inputs(struct litmus *l, const bt_value *params, GError **error)
{
    const bt_value *inputs =
        params && bt_value_is_map(params) ? bt_value_map_borrow_entry_value_const(params, "inputs") : NULL;

    for (uint64_t i = 0; inputs && bt_value_is_array(inputs) && i < bt_value_array_get_length(inputs); i++) {
        const bt_value *path = bt_value_array_borrow_element_by_index_const(inputs, i);
        if (!bt_value_is_string(path)) {
            g_set_error_literal(error, XT_ERROR, XT_ERROR_USAGE, "parameter inputs: an element is no string");
            return false;
        }
        if (!read_file(l, bt_value_string_get(path), error))
            return false;
    }
    if (!l->files->len)
        g_set_error_literal(error, XT_ERROR, XT_ERROR_USAGE, "parameter inputs: expects an array of sched_trace files");
    return l->files->len > 0;
}

bt_component_class_initialize_method_status xt_litmus_init(bt_self_component_source *self,
                                                           bt_self_component_source_configuration *configuration,
                                                           const bt_value *params, void *data)
{
    bt_self_component *self_component = bt_self_component_source_as_self_component(self);
    struct litmus *l = g_new0(struct litmus, 1);
    GError *error = NULL;

    l->log_level = bt_component_get_logging_level(bt_self_component_as_component(self_component));
    l->files = g_ptr_array_new_with_free_func((GDestroyNotify)g_mapped_file_unref);
    l->records = g_array_new(FALSE, FALSE, sizeof(struct record));
    if (!read_inputs(l, params, &error)) {
        BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT(self_component, "%s", error->message);
        g_error_free(error);
        free_litmus(l);
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
    }
    sort_records(l);
    if (!describe(l, self_component) || bt_self_component_source_add_output_port(self, "out", l, NULL) != 0) {
        free_litmus(l);
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_MEMORY_ERROR;
    }
    bt_self_component_set_data(self_component, l);
    return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

void xt_litmus_finalize(bt_self_component_source *self)
{
    free_litmus(bt_self_component_get_data(bt_self_component_source_as_self_component(self)));
}

bt_component_class_query_method_status xt_litmus_query(bt_self_component_class_source *self,
                                                       bt_private_query_executor *executor, const char *object,
                                                       const bt_value *params, void *data, const bt_value **result)
{
    if (strcmp(object, "babeltrace.support-info") != 0)
        return BT_COMPONENT_CLASS_QUERY_METHOD_STATUS_UNKNOWN_OBJECT;
    const bt_value *type = bt_value_map_borrow_entry_value_const(params, "type");
    const bt_value *input = bt_value_map_borrow_entry_value_const(params, "input");
    bool yes = type && input && bt_value_is_string(type) && bt_value_is_string(input) &&
               !strcmp(bt_value_string_get(type), "file") && xt_litmus_is_trace(bt_value_string_get(input));
    bt_value *map = bt_value_map_create();
    /* files of one folder are one trace: they go to one component; nothing but record types tells what they are */
    char *folder = yes ? g_path_get_dirname(bt_value_string_get(input)) : g_strdup("");
    bool ok = map && bt_value_map_insert_real_entry(map, "weight", yes ? 0.25 : 0.0) == 0 &&
              (!yes || bt_value_map_insert_string_entry(map, "group", folder) == 0);
    g_free(folder);
    if (!ok) {
        bt_value_put_ref(map);
        return BT_COMPONENT_CLASS_QUERY_METHOD_STATUS_MEMORY_ERROR;
    }
    *result = map;
    return BT_COMPONENT_CLASS_QUERY_METHOD_STATUS_OK;
}

bt_message_iterator_class_initialize_method_status
xt_litmus_iterator_init(bt_self_message_iterator *self, bt_self_message_iterator_configuration *configuration,
                        bt_self_component_port_output *port)
{
    struct iterator *it = g_new0(struct iterator, 1);

    it->source = bt_self_component_port_get_data(bt_self_component_port_output_as_self_component_port(port));
    bt_self_message_iterator_set_data(self, it);
    return BT_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

void xt_litmus_iterator_finalize(bt_self_message_iterator *self)
{
    g_free(bt_self_message_iterator_get_data(self));
}

static bool set_field(bt_field *field, const struct field *f, const unsigned char *data)
{
    char text[17];

    switch ((enum field_type)f->type) {
    case U8:
        bt_field_integer_unsigned_set_value(field, data[f->at]);
        return true;
    case U32:
        bt_field_integer_unsigned_set_value(field, little(data + f->at, 4));
        return true;
    case U64:
        bt_field_integer_unsigned_set_value(field, little(data + f->at, 8));
        return true;
    case U63: /* beside the bit; older kernels have flags and padding there */
        bt_field_integer_unsigned_set_value(field, little(data + f->at, 8) >> 1);
        return true;
    case BIT:
        bt_field_integer_unsigned_set_value(field, data[f->at] & 1);
        return true;
    case TEXT16:
        memcpy(text, data + f->at, 16);
        text[16] = 0;
        char *valid = g_utf8_make_valid(text, -1);
        bool ok = bt_field_string_set_value(field, valid) == 0;
        g_free(valid);
        return ok;
    case NO_FIELD:
        break;
    }
    return true;
}

static const bt_message *new_event(bt_self_message_iterator *self, const struct litmus *l, const struct record *r)
{
    unsigned type = r->bytes[0];
    bt_message *message =
        bt_message_event_create_with_default_clock_snapshot(self, l->classes[type], l->stream, r->time);

    if (!message)
        return NULL;
    bt_event *event = bt_message_event_borrow_event(message);
    bt_field *context = bt_event_borrow_common_context_field(event), *payload = bt_event_borrow_payload_field(event);
    const uint64_t head[] = { r->bytes[1], little(r->bytes + 2, 2), little(r->bytes + 4, 4) };
    for (unsigned i = 0; i < G_N_ELEMENTS(head); i++)
        bt_field_integer_unsigned_set_value(bt_field_structure_borrow_member_field_by_index(context, i), head[i]);
    for (unsigned f = 0; f < G_N_ELEMENTS(events[type].fields) && events[type].fields[f].name; f++) {
        if (set_field(bt_field_structure_borrow_member_field_by_index(payload, f), &events[type].fields[f], r->bytes + 8))
            continue;
        bt_message_put_ref(message);
        return NULL;
    }
    return message;
}

static const bt_message *next_message(bt_self_message_iterator *self, struct iterator *it)
{
    const struct litmus *l = it->source;

    if (it->stage == BEGIN) {
        it->stage = RECORDS;
        return bt_message_stream_beginning_create(self, l->stream);
    }
    if (it->next < l->records->len)
        return new_event(self, l, &g_array_index(l->records, struct record, it->next++));
    it->stage = DONE;
    return bt_message_stream_end_create(self, l->stream);
}

bt_message_iterator_class_next_method_status xt_litmus_iterator_next(bt_self_message_iterator *self,
                                                                     bt_message_array_const messages, uint64_t capacity,
                                                                     uint64_t *count)
{
    struct iterator *it = bt_self_message_iterator_get_data(self);
    uint64_t n = 0;

    while (n < capacity && it->stage != DONE) {
        messages[n] = next_message(self, it);
        if (messages[n]) {
            n++;
            continue;
        }
        while (n)
            bt_message_put_ref(messages[--n]);
        return BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_MEMORY_ERROR;
    }
    *count = n;
    return n ? BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_OK : BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_END;
}

bt_message_iterator_class_seek_beginning_method_status xt_litmus_iterator_seek_beginning(bt_self_message_iterator *self)
{
    struct iterator *it = bt_self_message_iterator_get_data(self);

    it->next = 0;
    it->stage = BEGIN;
    return BT_MESSAGE_ITERATOR_CLASS_SEEK_BEGINNING_METHOD_STATUS_OK;
}

bt_component_class_source *xt_litmus_class_new(void)
{
    static const struct xt_bt_source source = {
        "sched_trace", xt_litmus_init, xt_litmus_finalize, xt_litmus_iterator_init, xt_litmus_iterator_finalize,
        xt_litmus_iterator_next,
    };

    return xt_bt_source_class_new(&source);
}
