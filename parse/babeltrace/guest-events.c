#include "parse/babeltrace/guest-events.h"

#include <string.h>

/* The events that mean something, by the part of their name after the last colon. */
static const struct meaning {
    const char *name;
    void (*handle)(struct xt_guest_events *e, const bt_event *event, int64_t time, int moment);
    int moment; /* enum xt_job_moment, where it matters */
    bool says_now; /* it happened at its own time: the log reaches there */
} *find_meaning(const char *name);

struct xt_guest_events {
    struct xt_job_log *log;
    GHashTable *classes; /* bt_event_class -> const struct meaning *, or &nothing */
    GHashTable *woken;   /* tid -> time of its last wake-up, int64_t * */
    GHashTable *running; /* CPU -> tid */
    GHashTable *names;   /* tid -> char *: names of LITMUS^RT's tasks */
    bool has_clock;
    unsigned clock;
    double hz;
    bool is_tsc;
};

static const bt_field *member(const bt_field *structure, const char *name)
{
    if (!structure || bt_field_get_class_type(structure) != BT_FIELD_CLASS_TYPE_STRUCTURE)
        return NULL;
    return bt_field_structure_borrow_member_field_by_name_const(structure, name);
}

static bool integer(const bt_field *field, int64_t *value)
{
    if (!field)
        return false;
    bt_field_class_type type = bt_field_get_class_type(field);
    if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_UNSIGNED_INTEGER))
        *value = (int64_t)bt_field_integer_unsigned_get_value(field);
    else if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_SIGNED_INTEGER))
        *value = bt_field_integer_signed_get_value(field);
    else
        return false;
    return true;
}

static bool payload_integer(const bt_event *event, const char *name, int64_t *value)
{
    return integer(member(bt_event_borrow_payload_field_const(event), name), value);
}

/* As text, whether it is a string or a number. Free with g_free. */
static char *text_of(const bt_field *field)
{
    int64_t value;

    if (field && bt_field_get_class_type(field) == BT_FIELD_CLASS_TYPE_STRING)
        return g_utf8_make_valid(bt_field_string_get_value(field), -1);
    return integer(field, &value) ? g_strdup_printf("%" G_GINT64_FORMAT, value) : NULL;
}

static int cpu_of(const bt_event *event)
{
    const bt_stream *stream = bt_event_borrow_stream_const(event);
    const bt_packet *packet = bt_stream_class_supports_packets(bt_stream_borrow_class_const(stream))
                                  ? bt_event_borrow_packet_const(event)
                                  : NULL;
    int64_t cpu;

    if (packet && integer(member(bt_packet_borrow_context_field_const(packet), "cpu_id"), &cpu))
        return (int)cpu;
    return integer(member(bt_event_borrow_common_context_field_const(event), "cpu"), &cpu) ? (int)cpu : -1;
}

/* Times that no clock can show stay so far out that no run is there. */
static int64_t clock_of_ns(const struct xt_guest_events *e, int64_t ns)
{
    return e->hz == 1e9 ? ns : (int64_t)CLAMP((double)ns * (e->hz / 1e9), -9e18, 9e18);
}

static bool job_of(const bt_event *event, char **task, int64_t *job)
{
    *task = text_of(member(bt_event_borrow_payload_field_const(event), "task"));
    if (*task && payload_integer(event, "job", job))
        return true;
    g_free(*task);
    return false;
}

/* job_release, job_start, job_completion, job_deadline: task, job */
static void on_moment(struct xt_guest_events *e, const bt_event *event, int64_t time, int moment)
{
    int64_t job;
    char *task;

    if (!job_of(event, &task, &job))
        return;
    xt_job_log_moment(e->log, e->clock, task, job, (enum xt_job_moment)moment, time);
    if (moment == XT_JOB_START || moment == XT_JOB_COMPLETION)
        xt_job_log_mark(e->log, e->clock, cpu_of(event), time);
    g_free(task);
}

/* clock: monotonic_ns */
static void on_clock(struct xt_guest_events *e, const bt_event *event, int64_t time, int moment)
{
    int64_t mono_ns;

    if (e->is_tsc && payload_integer(event, "monotonic_ns", &mono_ns))
        xt_job_log_anchor(e->log, mono_ns, (uint64_t)time);
}

static void remember(GHashTable *table, int64_t key, int64_t value)
{
    int64_t *k = g_new(int64_t, 1), *v = g_new(int64_t, 1);

    *k = key;
    *v = value;
    g_hash_table_replace(table, k, v);
}

static bool recall(GHashTable *table, int64_t key, int64_t *value)
{
    const int64_t *found = g_hash_table_lookup(table, &key);

    if (found)
        *value = *found;
    return found != NULL;
}

/* sched_switch: next_tid */
static void on_switch(struct xt_guest_events *e, const bt_event *event, int64_t time, int moment)
{
    int cpu = cpu_of(event);
    int64_t tid;

    if (payload_integer(event, "next_tid", &tid) || payload_integer(event, "next_pid", &tid))
        remember(e->running, cpu, tid);
    xt_job_log_mark(e->log, e->clock, cpu, time);
}

/* sched_wakeup, sched_waking: tid. The CPU that wakes executes, and it is the event's own. */
static void on_wakeup(struct xt_guest_events *e, const bt_event *event, int64_t time, int moment)
{
    int64_t tid;

    if (payload_integer(event, "tid", &tid) || payload_integer(event, "pid", &tid))
        remember(e->woken, tid, time);
    xt_job_log_mark(e->log, e->clock, cpu_of(event), time);
}

struct marker {
    char *task;
    int64_t job, release, deadline, relative; /* INT64_MIN: not said */
};

/* A task begins a job. Release: as said, else its wake-up, else now. Deadline: as said, else relative to the release. */
static void begin_job(struct xt_guest_events *e, const bt_event *event, int64_t time, const struct marker *m)
{
    int cpu = cpu_of(event);
    int64_t tid, release = time, deadline;

    if (m->release != INT64_MIN)
        release = clock_of_ns(e, m->release);
    else if (recall(e->running, cpu, &tid))
        recall(e->woken, tid, &release);
    xt_job_log_moment(e->log, e->clock, m->task, m->job, XT_JOB_RELEASE, release);
    xt_job_log_moment(e->log, e->clock, m->task, m->job, XT_JOB_START, time);
    if (m->deadline != INT64_MIN)
        xt_job_log_moment(e->log, e->clock, m->task, m->job, XT_JOB_DEADLINE, clock_of_ns(e, m->deadline));
    else if (m->relative != INT64_MIN && !__builtin_add_overflow(release, clock_of_ns(e, m->relative), &deadline))
        xt_job_log_moment(e->log, e->clock, m->task, m->job, XT_JOB_DEADLINE, deadline);
    xt_job_log_mark(e->log, e->clock, cpu, time);
}

/* job_begin: task, job and, optionally, release, deadline or relative_deadline in ns of this clock; job_end: task, job */
static void on_marker(struct xt_guest_events *e, const bt_event *event, int64_t time, int moment)
{
    struct marker m = { .release = INT64_MIN, .deadline = INT64_MIN, .relative = INT64_MIN };

    if (moment == XT_JOB_COMPLETION) {
        on_moment(e, event, time, moment);
        return;
    }
    if (!job_of(event, &m.task, &m.job))
        return;
    payload_integer(event, "release", &m.release);
    payload_integer(event, "deadline", &m.deadline);
    payload_integer(event, "relative_deadline", &m.relative);
    begin_job(e, event, time, &m);
    g_free(m.task);
}

static void parse_pair(struct marker *m, const char *pair)
{
    const struct {
        const char *key;
        int64_t *value;
    } numbers[] = {
        { "job=", &m->job }, { "release=", &m->release }, { "deadline=", &m->deadline },
        { "relative_deadline=", &m->relative },
    };

    if (g_str_has_prefix(pair, "task=")) {
        g_free(m->task);
        m->task = g_utf8_make_valid(pair + 5, -1);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (g_str_has_prefix(pair, numbers[i].key))
            g_ascii_string_to_signed(pair + strlen(numbers[i].key), 10, 0, INT64_MAX, numbers[i].value, NULL);
}

/* "xentrail begin task=T job=N …" and "xentrail end task=T job=N" as text: lttng_logger, tracef, trace_marker */
static void on_text(struct xt_guest_events *e, const bt_event *event, int64_t time, int moment)
{
    static const char *const names[] = { "msg", "buf", "message" };
    const bt_field *field = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(names) && !field; i++)
        field = member(bt_event_borrow_payload_field_const(event), names[i]);
    if (!field || bt_field_get_class_type(field) != BT_FIELD_CLASS_TYPE_STRING ||
        !g_str_has_prefix(bt_field_string_get_value(field), "xentrail "))
        return;
    char **parts = g_strsplit_set(bt_field_string_get_value(field), " \n", -1);
    struct marker m = { .job = INT64_MIN, .release = INT64_MIN, .deadline = INT64_MIN, .relative = INT64_MIN };
    for (unsigned i = 2; parts[1] && parts[i]; i++)
        parse_pair(&m, parts[i]);
    if (m.task && m.job != INT64_MIN && !g_strcmp0(parts[1], "begin")) {
        begin_job(e, event, time, &m);
    } else if (m.task && m.job != INT64_MIN && !g_strcmp0(parts[1], "end")) {
        xt_job_log_moment(e->log, e->clock, m.task, m.job, XT_JOB_COMPLETION, time);
        xt_job_log_mark(e->log, e->clock, cpu_of(event), time);
    }
    g_free(m.task);
    g_strfreev(parts);
}

static bool litmus_job(const struct xt_guest_events *e, const bt_event *event, char **task, int64_t *job)
{
    const bt_field *context = bt_event_borrow_common_context_field_const(event);
    int64_t pid;

    if (!integer(member(context, "pid"), &pid) || !integer(member(context, "job"), job))
        return false;
    const char *name = g_hash_table_lookup(e->names, &pid);
    *task = name ? g_strdup_printf("%s/%" G_GINT64_FORMAT, name, pid) : g_strdup_printf("%" G_GINT64_FORMAT, pid);
    return true;
}

static void on_litmus_name(struct xt_guest_events *e, const bt_event *event, int64_t time, int moment)
{
    int64_t pid;
    char *name = text_of(member(bt_event_borrow_payload_field_const(event), "cmd"));

    if (name && integer(member(bt_event_borrow_common_context_field_const(event), "pid"), &pid)) {
        int64_t *key = g_new(int64_t, 1);
        *key = pid;
        g_hash_table_replace(e->names, key, g_steal_pointer(&name));
    }
    g_free(name);
}

/* release: release_ns, deadline_ns; stands in the trace at the release, which may be to come */
static void on_litmus_release(struct xt_guest_events *e, const bt_event *event, int64_t time, int moment)
{
    int64_t job, release, deadline;
    char *task;

    if (!payload_integer(event, "release_ns", &release) || !payload_integer(event, "deadline_ns", &deadline) ||
        !litmus_job(e, event, &task, &job))
        return;
    xt_job_log_moment(e->log, e->clock, task, job, XT_JOB_RELEASE, release);
    xt_job_log_moment(e->log, e->clock, task, job, XT_JOB_DEADLINE, deadline);
    g_free(task);
}

static void on_litmus_moment(struct xt_guest_events *e, const bt_event *event, int64_t time, int moment)
{
    int64_t job;
    char *task;

    if (!litmus_job(e, event, &task, &job))
        return;
    xt_job_log_moment(e->log, e->clock, task, job, (enum xt_job_moment)moment, time);
    xt_job_log_mark(e->log, e->clock, cpu_of(event), time);
    g_free(task);
}

static void on_mark(struct xt_guest_events *e, const bt_event *event, int64_t time, int moment)
{
    xt_job_log_mark(e->log, e->clock, cpu_of(event), time);
}

static const struct meaning meanings[] = {
    { "job_release", on_moment, XT_JOB_RELEASE, true },
    { "job_start", on_moment, XT_JOB_START, true },
    { "job_completion", on_moment, XT_JOB_COMPLETION, true },
    { "job_deadline", on_moment, XT_JOB_DEADLINE, true },
    { "job_begin", on_marker, XT_JOB_START, true },
    { "job_end", on_marker, XT_JOB_COMPLETION, true },
    { "clock", on_clock, 0, true },
    { "sched_switch", on_switch, 0, true },
    { "sched_wakeup", on_wakeup, 0, true },
    { "sched_wakeup_new", on_wakeup, 0, true },
    { "sched_waking", on_wakeup, 0, true },
    { "lttng_logger", on_text, 0, true },
    { "event", on_text, 0, true }, /* lttng_ust_tracef:event, lttng_ust_tracelog:* has more names */
    { "print", on_text, 0, true },
    { "name", on_litmus_name, 0, false },
    { "release", on_litmus_release, 0, false },
    { "switch_to", on_litmus_moment, XT_JOB_START, true },
    { "switch_away", on_mark, 0, true },
    { "completion", on_litmus_moment, XT_JOB_COMPLETION, true },
};
static const struct meaning nothing = { NULL, NULL, 0, true };

static const struct meaning *find_meaning(const char *name)
{
    const char *colon = name ? strrchr(name, ':') : NULL;

    for (unsigned i = 0; name && i < G_N_ELEMENTS(meanings); i++)
        if (!strcmp(colon ? colon + 1 : name, meanings[i].name))
            return &meanings[i];
    return &nothing;
}

struct xt_guest_events *xt_guest_events_new(struct xt_job_log *log)
{
    struct xt_guest_events *e = g_new0(struct xt_guest_events, 1);

    e->log = log;
    e->classes = g_hash_table_new(NULL, NULL);
    e->woken = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    e->running = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    e->names = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    return e;
}

void xt_guest_events_free(struct xt_guest_events *e)
{
    g_hash_table_unref(e->classes);
    g_hash_table_unref(e->woken);
    g_hash_table_unref(e->running);
    g_hash_table_unref(e->names);
    g_free(e);
}

/* The TSC by its name; everything else is taken for CLOCK_MONOTONIC, which LTTng and LITMUS^RT stamp with. */
static void see_clock(struct xt_guest_events *e, const bt_clock_class *clock)
{
    const char *name = bt_clock_class_get_name(clock);

    e->has_clock = true;
    e->hz = (double)bt_clock_class_get_frequency(clock);
    e->is_tsc = name && !strcmp(name, "tsc");
    e->clock = xt_job_log_clock(e->log, e->is_tsc, e->hz);
}

void xt_guest_event(struct xt_guest_events *e, const bt_message *message)
{
    const bt_event *event = bt_message_event_borrow_event_const(message);
    const bt_event_class *event_class = bt_event_borrow_class_const(event);
    const bt_clock_class *clock = bt_message_event_borrow_stream_class_default_clock_class_const(message);
    const struct meaning *meaning = g_hash_table_lookup(e->classes, event_class);

    if (!clock)
        return;
    if (!e->has_clock)
        see_clock(e, clock);
    if (!meaning) {
        meaning = find_meaning(bt_event_class_get_name(event_class));
        g_hash_table_insert(e->classes, (gpointer)event_class, (gpointer)meaning);
    }
    int64_t time = (int64_t)bt_clock_snapshot_get_value(bt_message_event_borrow_default_clock_snapshot_const(message));
    if (meaning->says_now)
        xt_job_log_reach(e->log, e->clock, time);
    if (meaning->handle)
        meaning->handle(e, event, time, meaning->moment);
}

void xt_guest_loss(struct xt_guest_events *e, const bt_message *message)
{
    bool packets = bt_message_get_type(message) == BT_MESSAGE_TYPE_DISCARDED_PACKETS;
    const bt_stream_class *stream_class = bt_stream_borrow_class_const(
        packets ? bt_message_discarded_packets_borrow_stream_const(message)
                : bt_message_discarded_events_borrow_stream_const(message));
    const bt_clock_class *clock = bt_stream_class_borrow_default_clock_class_const(stream_class);
    uint64_t n = 0, from = 0, to = INT64_MAX; /* perhaps at any time */

    if (!clock)
        return;
    if (!e->has_clock)
        see_clock(e, clock);
    if (packets && bt_stream_class_discarded_packets_have_default_clock_snapshots(stream_class)) {
        from = bt_clock_snapshot_get_value(
            bt_message_discarded_packets_borrow_beginning_default_clock_snapshot_const(message));
        to = bt_clock_snapshot_get_value(bt_message_discarded_packets_borrow_end_default_clock_snapshot_const(message));
    } else if (!packets && bt_stream_class_discarded_events_have_default_clock_snapshots(stream_class)) {
        from = bt_clock_snapshot_get_value(
            bt_message_discarded_events_borrow_beginning_default_clock_snapshot_const(message));
        to = bt_clock_snapshot_get_value(bt_message_discarded_events_borrow_end_default_clock_snapshot_const(message));
    }
    if (!packets && bt_message_discarded_events_get_count(message, &n) != BT_PROPERTY_AVAILABILITY_AVAILABLE)
        n = 0;
    xt_job_log_loss(e->log, e->clock, (int64_t)from, (int64_t)to, n);
}
