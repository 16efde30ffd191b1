/* source.xentrace.file: parameters, opening, queries. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "parse/babeltrace/xentrace.h"
#include "parse/error.h"
#include "parse/format.h"
#include "parse/time-text.h"

#define HINT "with babeltrace2, tsc-hz and salvage are parameters of the component: " \
             "--component=source.xentrace.file --params='inputs=[\"PATH\"],tsc-hz=2596148000,salvage=yes'"

struct parameters {
    const char *path; /* borrowed from the params */
    int64_t tsc_hz;   /* 0: measure */
    int64_t from_ns, to_ns;
    bool salvage;
};

static bool refuse(GError **error, const char *message)
{
    g_set_error_literal(error, XT_ERROR, XT_ERROR_USAGE, message);
    return false;
}

static bool parse_inputs(const bt_value *inputs, struct parameters *out, GError **error)
{
    if (!inputs || !bt_value_is_array(inputs) || bt_value_array_get_length(inputs) != 1)
        return refuse(error, "parameter inputs: expects an array of one path, a trace file or a recording folder "
                             "(one component reads one trace)");
    const bt_value *path = bt_value_array_borrow_element_by_index_const(inputs, 0);
    if (!bt_value_is_string(path))
        return refuse(error, "parameter inputs: its element is no string");
    out->path = bt_value_string_get(path);
    return true;
}

static bool parse_hz(const bt_value *value, struct parameters *out, GError **error)
{
    double hz = bt_value_is_unsigned_integer(value) ? (double)bt_value_integer_unsigned_get(value)
                : bt_value_is_signed_integer(value) ? (double)bt_value_integer_signed_get(value)
                : bt_value_is_real(value)           ? bt_value_real_get(value)
                                                    : 0;

    if (!(hz >= 1e3 && hz <= 1e12))
        return refuse(error, "parameter tsc-hz: expects a frequency in Hz from 1e3 to 1e12");
    out->tsc_hz = (int64_t)hz;
    return true;
}

static bool parse_time(const bt_value *value, const char *key, int64_t *ns, GError **error)
{
    const char *why = bt_value_is_string(value) ? xt_time_parse(bt_value_string_get(value), ns) : "no text";

    if (why)
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "parameter %s: expects a time as text, like \"2s\" or \"2100ms\": %s", key,
                    why);
    return !why;
}

struct check {
    struct parameters *out;
    GError **error;
    bool ok;
};

static bt_value_map_foreach_entry_const_func_status check_parameter(const char *key, const bt_value *value, void *data)
{
    struct check *check = data;

    if (!strcmp(key, "tsc-hz")) {
        check->ok = parse_hz(value, check->out, check->error);
    } else if (!strcmp(key, "from")) {
        check->ok = parse_time(value, key, &check->out->from_ns, check->error);
    } else if (!strcmp(key, "to")) {
        check->ok = parse_time(value, key, &check->out->to_ns, check->error);
    } else if (!strcmp(key, "salvage")) {
        check->ok = bt_value_is_bool(value);
        if (check->ok)
            check->out->salvage = bt_value_bool_get(value);
        else
            refuse(check->error, "parameter salvage: expects yes or no");
    } else if (strcmp(key, "inputs")) {
        check->ok = false;
        g_set_error(check->error, XT_ERROR, XT_ERROR_USAGE, "there is no parameter %s (there are inputs, from, to, tsc-hz, salvage)",
                    key);
    }
    return check->ok ? BT_VALUE_MAP_FOREACH_ENTRY_CONST_FUNC_STATUS_OK
                     : BT_VALUE_MAP_FOREACH_ENTRY_CONST_FUNC_STATUS_INTERRUPT;
}

static bool parse_parameters(const bt_value *params, struct parameters *out, GError **error)
{
    struct check check = { out, error, true };

    *out = (struct parameters){ .to_ns = INT64_MAX };
    if (!params || !bt_value_is_map(params))
        return refuse(error, "the parameters are no map");
    if (bt_value_map_foreach_entry_const(params, check_parameter, &check) !=
        BT_VALUE_MAP_FOREACH_ENTRY_CONST_STATUS_OK)
        return check.ok ? refuse(error, "the parameters cannot be read") : false;
    return parse_inputs(bt_value_map_borrow_entry_value_const(params, "inputs"), out, error);
}

static void on_note(void *user, const char *message)
{
    struct component *c = user;

    if (c->log_level <= BT_LOGGING_LEVEL_WARNING)
        fprintf(stderr, "source.xentrace.file: %s\n", message);
}

static bool open_trace(struct component *c, const struct parameters *p, GError **error)
{
    struct xt_reconstruct_options run_options = { .tsc_hz = p->tsc_hz };
    struct xt_trace_options options = { .salvage = p->salvage, .note = on_note, .user = c };

    c->owns_trace = true;
    c->recording = xt_recording_open(p->path, error);
    if (!c->recording)
        return false;
    for (guint i = 0; i < c->recording->notes->len; i++)
        on_note(c, g_ptr_array_index(c->recording->notes, i));
    c->trace = xt_trace_open(c->recording->trace_path, &options, error);
    return c->trace &&
           xt_run_init(&c->run, xt_trace_survey(c->trace), c->recording, &run_options, c->recording->path, error);
}

static void free_component(struct component *c)
{
    xt_bt_describe_free(c);
    if (c->owns_trace) {
        g_free((struct xt_pcpu *)c->run.pcpus);
        xt_trace_free(c->trace);
        xt_recording_free(c->recording);
    }
    g_free(c);
}

static struct component *new_component(const bt_value *params, struct xt_bt_input *input, bt_logging_level log_level,
                                       GError **error)
{
    struct component *c = g_new0(struct component, 1);
    struct parameters parameters;

    c->log_level = log_level;
    c->input = input;
    if (input) {
        c->trace = input->trace;
        c->run = *input->run;
    } else if (!parse_parameters(params, &parameters, error) || !open_trace(c, &parameters, error)) {
        free_component(c);
        return NULL;
    }
    c->from_ns = input ? 0 : parameters.from_ns;
    c->to_ns = input ? INT64_MAX : parameters.to_ns;
    c->survey = xt_trace_survey(c->trace);
    c->layouts = xt_trace_layouts(c->trace);
    return c;
}

static void set_window(struct component *c)
{
    uint64_t behind = c->to_ns == INT64_MAX ? UINT64_MAX : xt_bt_cycles_at(c, c->to_ns + 1);

    c->from_cycles = xt_bt_cycles_at(c, c->from_ns);
    c->to_cycles = behind == UINT64_MAX ? UINT64_MAX - 1 : behind - (behind > 0);
}

bt_component_class_initialize_method_status xt_xentrace_init(bt_self_component_source *self,
                                                             bt_self_component_source_configuration *configuration,
                                                             const bt_value *params, void *input)
{
    bt_self_component *self_component = bt_self_component_source_as_self_component(self);
    bt_logging_level log_level = bt_component_get_logging_level(bt_self_component_as_component(self_component));
    GError *error = NULL;
    struct component *c = new_component(params, input, log_level, &error);

    if (!c) {
        BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT(self_component, "%s; %s", error->message, HINT);
        g_error_free(error);
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
    }
    bool ok = xt_bt_describe(c, self_component);
    if (ok)
        set_window(c);
    for (uint32_t i = 0; ok && i < c->survey->n_pcpus; i++)
        ok = bt_self_component_source_add_output_port(self, bt_stream_get_name(c->ports[i].stream), &c->ports[i], NULL) ==
             BT_SELF_COMPONENT_ADD_PORT_STATUS_OK;
    if (!ok) {
        BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT(self_component, "cannot describe the trace%s",
                                                            ": out of memory");
        free_component(c);
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_MEMORY_ERROR;
    }
    if (c->input) {
        c->input->described = c->bt_trace;
        bt_trace_get_ref(c->input->described);
    }
    bt_self_component_set_data(self_component, c);
    return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

void xt_xentrace_finalize(bt_self_component_source *self)
{
    free_component(bt_self_component_get_data(bt_self_component_source_as_self_component(self)));
}

/* Do these bytes begin like a xentrace file? What follows the window header must be a record that fits into it. */
static bool looks_like_trace(const unsigned char *head, size_t n)
{
    uint32_t w[4];

    if (n < sizeof(w))
        return false;
    memcpy(w, head, sizeof(w));
    for (unsigned i = 0; i < G_N_ELEMENTS(w); i++)
        w[i] = GUINT32_FROM_LE(w[i]);
    return w[0] == XT_CPU_CHANGE_HEADER && w[1] < XT_MAX_PCPUS && w[2] && w[2] % 4 == 0 && w[3] != w[0] &&
           xt_record_bytes(w[3]) <= w[2];
}

/* Head of what a zstd file unpacks to. */
static size_t unpack_head(const unsigned char *in, size_t n, unsigned char *out, size_t capacity)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer from = { in, n, 0 };
    ZSTD_outBuffer to = { out, capacity, 0 };
    size_t left = 1;

    while (stream && to.pos < to.size && left) {
        size_t before = to.pos;
        left = ZSTD_decompressStream(stream, &to, &from);
        if (ZSTD_isError(left) || (from.pos == from.size && to.pos == before))
            break;
    }
    ZSTD_freeDStream(stream);
    return to.pos;
}

static bool is_trace_file(const char *path)
{
    static const unsigned char zstd_magic[4] = { 0x28, 0xb5, 0x2f, 0xfd };
    const size_t capacity = ZSTD_BLOCKSIZE_MAX + 64; /* a block is unpacked as a whole */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool yes = false;

    if (fd < 0)
        return false;
    unsigned char *head = g_malloc(capacity), unpacked[16];
    ssize_t n = pread(fd, head, capacity, 0); /* fails on pipes: nothing is taken from them */
    if (n >= 4 && !memcmp(head, zstd_magic, sizeof(zstd_magic)))
        yes = looks_like_trace(unpacked, unpack_head(head, (size_t)n, unpacked, sizeof(unpacked)));
    else if (n > 0)
        yes = looks_like_trace(head, (size_t)n);
    g_free(head);
    close(fd);
    return yes;
}

static bool is_recording(const char *path)
{
    static const char *const names[] = { "trace.xen", "trace.xen.zst" };
    bool yes = false;

    for (unsigned i = 0; i < G_N_ELEMENTS(names) && !yes; i++) {
        char *file = g_build_filename(path, names[i], NULL);
        yes = is_trace_file(file);
        g_free(file);
    }
    return yes;
}

static const char *text_entry(const bt_value *map, const char *key)
{
    const bt_value *value = map && bt_value_is_map(map) ? bt_value_map_borrow_entry_value_const(map, key) : NULL;

    return value && bt_value_is_string(value) ? bt_value_string_get(value) : "";
}

static bt_component_class_query_method_status query_support(const bt_value *params, const bt_value **result)
{
    const char *type = text_entry(params, "type"), *input = text_entry(params, "input");
    bool yes = !strcmp(type, "file") ? is_trace_file(input) : !strcmp(type, "directory") && is_recording(input);

    *result = bt_value_real_create_init(yes ? 0.9 : 0.0);
    return *result ? BT_COMPONENT_CLASS_QUERY_METHOD_STATUS_OK : BT_COMPONENT_CLASS_QUERY_METHOD_STATUS_MEMORY_ERROR;
}

/* The time range of one pCPU as libbabeltrace2 computes times, so that a trimmer set to it cuts nothing off. */
static bool stream_range(const struct component *c, uint32_t slot, int64_t *begin, int64_t *end)
{
    const struct xt_pcpu_survey *p = &c->survey->pcpus[slot];
    uint64_t hz = (uint64_t)c->run.tsc_hz;

    return bt_util_clock_cycles_to_ns_from_origin(xt_bt_cycles(c, p->first_tsc), hz, 0, 0, begin) ==
               BT_UTIL_CLOCK_CYCLES_TO_NS_FROM_ORIGIN_STATUS_OK &&
           bt_util_clock_cycles_to_ns_from_origin(xt_bt_cycles(c, p->last_tsc), hz, 0, 0, end) ==
               BT_UTIL_CLOCK_CYCLES_TO_NS_FROM_ORIGIN_STATUS_OK;
}

static bool add_stream_info(const struct component *c, uint32_t slot, bt_value *infos)
{
    bt_value *info, *range;
    char name[32];
    int64_t begin, end;

    g_snprintf(name, sizeof(name), "pcpu%d", c->survey->pcpus[slot].pcpu);
    if (!stream_range(c, slot, &begin, &end))
        return false;
    begin = MAX(begin, c->from_ns);
    end = MAX(MIN(end, c->to_ns), begin);
    return bt_value_array_append_empty_map_element(infos, &info) == BT_VALUE_ARRAY_APPEND_ELEMENT_STATUS_OK &&
           bt_value_map_insert_string_entry(info, "port-name", name) == BT_VALUE_MAP_INSERT_ENTRY_STATUS_OK &&
           bt_value_map_insert_empty_map_entry(info, "range-ns", &range) == BT_VALUE_MAP_INSERT_ENTRY_STATUS_OK &&
           bt_value_map_insert_signed_integer_entry(range, "begin", begin) == BT_VALUE_MAP_INSERT_ENTRY_STATUS_OK &&
           bt_value_map_insert_signed_integer_entry(range, "end", end) == BT_VALUE_MAP_INSERT_ENTRY_STATUS_OK;
}

static bt_component_class_query_method_status query_infos(bt_self_component_class *self, const bt_value *params,
                                                          bt_logging_level log_level, const bt_value **result)
{
    GError *error = NULL;
    struct component *c = new_component(params, NULL, log_level, &error);

    if (!c) {
        BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT_CLASS(self, "%s; %s", error->message, HINT);
        g_error_free(error);
        return BT_COMPONENT_CLASS_QUERY_METHOD_STATUS_ERROR;
    }
    bt_value *traces = bt_value_array_create(), *trace, *streams;
    bool ok = traces &&
              bt_value_array_append_empty_map_element(traces, &trace) == BT_VALUE_ARRAY_APPEND_ELEMENT_STATUS_OK &&
              bt_value_map_insert_empty_array_entry(trace, "stream-infos", &streams) ==
                  BT_VALUE_MAP_INSERT_ENTRY_STATUS_OK;
    for (uint32_t i = 0; ok && i < c->survey->n_pcpus; i++)
        ok = add_stream_info(c, i, streams);
    free_component(c);
    if (!ok) {
        bt_value_put_ref(traces);
        BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT_CLASS(self, "cannot describe the streams%s", "");
        return BT_COMPONENT_CLASS_QUERY_METHOD_STATUS_ERROR;
    }
    *result = traces;
    return BT_COMPONENT_CLASS_QUERY_METHOD_STATUS_OK;
}

bt_component_class_query_method_status xt_xentrace_query(bt_self_component_class_source *self,
                                                         bt_private_query_executor *executor, const char *object,
                                                         const bt_value *params, void *data, const bt_value **result)
{
    bt_logging_level log_level =
        bt_query_executor_get_logging_level(bt_private_query_executor_as_query_executor_const(executor));

    if (!strcmp(object, "babeltrace.support-info"))
        return query_support(params, result);
    if (!strcmp(object, "babeltrace.trace-infos"))
        return query_infos(bt_self_component_class_source_as_self_component_class(self), params, log_level, result);
    return BT_COMPONENT_CLASS_QUERY_METHOD_STATUS_UNKNOWN_OBJECT;
}
