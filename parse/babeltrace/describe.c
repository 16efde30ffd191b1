/* Clock, trace, stream and event classes of a xentrace file. */
#include <math.h>
#include <string.h>

#include "parse/babeltrace/xentrace.h"

#define MAX_ODD_CLASSES 1024 /* a damaged trace can invent any number of event ids */

/* Appends a member and lets the structure own its class. */
static bool append(bt_field_class *structure, const char *name, bt_field_class *member)
{
    if (!member)
        return false;
    bool ok = bt_field_class_structure_append_member(structure, name, member) ==
              BT_FIELD_CLASS_STRUCTURE_APPEND_MEMBER_STATUS_OK;
    bt_field_class_put_ref(member);
    return ok;
}

static bt_field_class *new_unsigned(bt_trace_class *trace_class, unsigned bits, bool hex)
{
    bt_field_class *fc = bt_field_class_integer_unsigned_create(trace_class);

    if (!fc)
        return NULL;
    bt_field_class_integer_set_field_value_range(fc, bits);
    if (hex)
        bt_field_class_integer_set_preferred_display_base(fc,
                                                          BT_FIELD_CLASS_INTEGER_PREFERRED_DISPLAY_BASE_HEXADECIMAL);
    return fc;
}

static bt_field_class *new_signed(bt_trace_class *trace_class, unsigned bits)
{
    bt_field_class *fc = bt_field_class_integer_signed_create(trace_class);

    if (fc)
        bt_field_class_integer_set_field_value_range(fc, bits);
    return fc;
}

static bt_field_class *new_state(bt_trace_class *trace_class)
{
    bt_field_class *fc = bt_field_class_enumeration_unsigned_create(trace_class);
    bool ok = fc != NULL;

    if (ok)
        bt_field_class_integer_set_field_value_range(fc, 8);
    for (unsigned state = XT_RUNNING; ok && state <= XT_OFFLINE; state++) {
        bt_integer_range_set_unsigned *range = bt_integer_range_set_unsigned_create();
        ok = range &&
             bt_integer_range_set_unsigned_add_range(range, state, state) == BT_INTEGER_RANGE_SET_ADD_RANGE_STATUS_OK &&
             bt_field_class_enumeration_unsigned_add_mapping(fc, xt_state_name((enum xt_state)state), range) ==
                 BT_FIELD_CLASS_ENUMERATION_ADD_MAPPING_STATUS_OK;
        bt_integer_range_set_unsigned_put_ref(range);
    }
    if (!ok)
        g_clear_pointer(&fc, bt_field_class_put_ref);
    return fc;
}

static bt_field_class *new_member(bt_trace_class *trace_class, const struct xt_member *member)
{
    switch ((enum xt_member_type)member->type) {
    case XT_MEMBER_UINT:
        return new_unsigned(trace_class, member->bits, false);
    case XT_MEMBER_HEX:
        return new_unsigned(trace_class, member->bits, true);
    case XT_MEMBER_INT:
        return new_signed(trace_class, member->bits);
    case XT_MEMBER_STATE:
        return new_state(trace_class);
    }
    return NULL;
}

/* Adds an event class whose payload is given (and becomes its own). */
static bt_event_class *new_event_class(struct component *c, const char *name, bt_field_class *payload)
{
    bt_event_class *event_class = payload ? bt_event_class_create(c->stream_class) : NULL;
    bool ok = event_class && bt_event_class_set_name(event_class, name) == BT_EVENT_CLASS_SET_NAME_STATUS_OK &&
              bt_event_class_set_payload_field_class(event_class, payload) == BT_EVENT_CLASS_SET_FIELD_CLASS_STATUS_OK;

    bt_field_class_put_ref(payload);
    bt_event_class_put_ref(event_class); /* the stream class keeps it */
    return ok ? event_class : NULL;
}

static bt_field_class *new_payload(bt_trace_class *trace_class, const struct xt_member *members, unsigned n)
{
    bt_field_class *payload = bt_field_class_structure_create(trace_class);

    for (unsigned i = 0; payload && i < n; i++)
        if (!append(payload, members[i].name, new_member(trace_class, &members[i])))
            g_clear_pointer(&payload, bt_field_class_put_ref);
    return payload;
}

/* Rows that differ only in their id (the twelve runstate changes) or in what Xen version they stand for share a class. */
static char *signature_of(const char *name, const struct xt_member *members, unsigned n)
{
    GString *s = g_string_new(name);

    for (unsigned i = 0; i < n; i++)
        g_string_append_printf(s, "|%s:%u:%u", members[i].name, members[i].type, members[i].bits);
    return g_string_free(s, FALSE);
}

const struct event_info *xt_bt_event_info(struct component *c, const struct xt_layout *layout, unsigned n_words)
{
    struct event_info **place = &c->events[xt_layout_number(c->layouts, layout) * 8 + n_words];

    if (*place)
        return *place;
    struct event_info *info = g_new0(struct event_info, 1);
    info->n_members = xt_members_of(layout, n_words, info->members);
    char *signature = signature_of(layout->name, info->members, info->n_members);
    info->event_class = g_hash_table_lookup(c->classes, signature);
    if (!info->event_class)
        info->event_class = new_event_class(c, layout->name, new_payload(c->trace_class, info->members, info->n_members));
    if (!info->event_class) {
        g_free(signature);
        g_free(info);
        return NULL;
    }
    g_hash_table_replace(c->classes, signature, info->event_class);
    *place = info;
    return info;
}

bt_event_class *xt_bt_odd_event_class(struct component *c, const struct xt_record *record, bool known)
{
    bool full = g_hash_table_size(c->classes) >= MAX_ODD_CLASSES;
    char *name = full ? g_strdup(known ? "malformed" : "unknown") : xt_odd_event_name(c->layouts, record->event, known);
    bt_event_class *event_class = g_hash_table_lookup(c->classes, name);

    if (event_class) {
        g_free(name);
        return event_class;
    }
    bt_field_class *payload = bt_field_class_structure_create(c->trace_class);
    bt_field_class *length = new_unsigned(c->trace_class, 8, false), *word = new_unsigned(c->trace_class, 32, true);
    bt_field_class *words = NULL;
    bool ok = payload && length && word && append(payload, "id", new_unsigned(c->trace_class, 32, true)) &&
              append(payload, "malformed", new_unsigned(c->trace_class, 8, false)) &&
              bt_field_class_structure_append_member(payload, "n_words", length) ==
                  BT_FIELD_CLASS_STRUCTURE_APPEND_MEMBER_STATUS_OK &&
              (words = bt_field_class_array_dynamic_create(c->trace_class, word, length)) &&
              append(payload, "words", words);
    bt_field_class_put_ref(length);
    bt_field_class_put_ref(word);
    if (!ok)
        g_clear_pointer(&payload, bt_field_class_put_ref);
    event_class = new_event_class(c, name, payload);
    if (event_class)
        g_hash_table_insert(c->classes, name, event_class);
    else
        g_free(name);
    return event_class;
}

/* Same trace, same identifier: a conversion run twice writes the same bytes. */
static void make_uuid(const struct component *c, uint8_t uuid[16])
{
    const struct xt_survey *s = c->survey;
    const uint64_t facts[] = { s->bytes, s->records, s->first_tsc, s->last_tsc, s->n_pcpus, (uint64_t)c->run.tsc_hz };
    GChecksum *checksum = g_checksum_new(G_CHECKSUM_SHA1);
    guint8 digest[20];
    gsize n = sizeof(digest);

    g_checksum_update(checksum, (const guchar *)facts, sizeof(facts));
    g_checksum_get_digest(checksum, digest, &n);
    g_checksum_free(checksum);
    memcpy(uuid, digest, 16);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x50);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

static bool describe_clock(struct component *c, bt_self_component *self, const uint8_t uuid[16])
{
    const struct xt_run *run = &c->run;
    /* what the frequency's error makes of the last record's time: the largest error of any time in the trace */
    double error_cycles = run->hz_error_ppm * 1e-6 * (double)(run->end_tsc - run->start_tsc);
    char *description = g_strdup_printf(
        "Xen TSC, cycles since the first record (TSC %" G_GUINT64_FORMAT "); frequency from %s, standard error %.3f ppm",
        run->start_tsc, run->hz_source == XT_HZ_TRACE ? "the trace itself" : xt_hz_source_name(run->hz_source),
        run->hz_error_ppm);

    c->clock_class = bt_clock_class_create(self);
    bool ok = c->clock_class &&
              bt_clock_class_set_name(c->clock_class, "xen_tsc") == BT_CLOCK_CLASS_SET_NAME_STATUS_OK &&
              bt_clock_class_set_description(c->clock_class, description) == BT_CLOCK_CLASS_SET_DESCRIPTION_STATUS_OK;
    g_free(description);
    if (!ok)
        return false;
    bt_clock_class_set_frequency(c->clock_class, (uint64_t)run->tsc_hz);
    bt_clock_class_set_precision(c->clock_class, (uint64_t)MAX(1.0, MIN(ceil(error_cycles), 1e18)));
    bt_clock_class_set_origin_is_unix_epoch(c->clock_class, BT_FALSE);
    bt_clock_class_set_uuid(c->clock_class, uuid);
    return true;
}

static bool set_packet_context(struct component *c)
{
    bt_field_class *context = bt_field_class_structure_create(c->trace_class);
    bool ok = context && append(context, "cpu_id", new_unsigned(c->trace_class, 32, false)) &&
              bt_stream_class_set_packet_context_field_class(c->stream_class, context) ==
                  BT_STREAM_CLASS_SET_FIELD_CLASS_STATUS_OK;

    bt_field_class_put_ref(context);
    return ok;
}

static bool set_event_context(struct component *c)
{
    bt_field_class *context = bt_field_class_structure_create(c->trace_class);
    bool ok = context && append(context, "tsc", new_unsigned(c->trace_class, 64, false)) &&
              append(context, "has_tsc", new_unsigned(c->trace_class, 8, false)) &&
              append(context, "clamped", new_unsigned(c->trace_class, 8, false)) &&
              bt_stream_class_set_event_common_context_field_class(c->stream_class, context) ==
                  BT_STREAM_CLASS_SET_FIELD_CLASS_STATUS_OK;

    bt_field_class_put_ref(context);
    return ok;
}

static bool describe_streams(struct component *c)
{
    c->stream_class = bt_stream_class_create(c->trace_class);
    if (!c->stream_class ||
        bt_stream_class_set_default_clock_class(c->stream_class, c->clock_class) !=
            BT_STREAM_CLASS_SET_DEFAULT_CLOCK_CLASS_STATUS_OK ||
        bt_stream_class_set_name(c->stream_class, "pcpu") != BT_STREAM_CLASS_SET_NAME_STATUS_OK)
        return false;
    bt_stream_class_set_assigns_automatic_stream_id(c->stream_class, BT_FALSE);
    bt_stream_class_set_supports_packets(c->stream_class, BT_TRUE, BT_TRUE, BT_TRUE);
    bt_stream_class_set_supports_discarded_events(c->stream_class, BT_TRUE, BT_TRUE);
    if (!set_packet_context(c) || !set_event_context(c))
        return false;
    for (uint32_t i = 0; i < c->survey->n_pcpus; i++) {
        char name[32];
        g_snprintf(name, sizeof(name), "pcpu%d", c->survey->pcpus[i].pcpu);
        c->ports[i] = (struct port){ .component = c, .slot = i };
        c->ports[i].stream = bt_stream_create_with_id(c->stream_class, c->bt_trace, (uint64_t)c->survey->pcpus[i].pcpu);
        if (!c->ports[i].stream ||
            bt_stream_set_name(c->ports[i].stream, name) != BT_STREAM_SET_NAME_STATUS_OK)
            return false;
    }
    return true;
}

static bool env_text(struct component *c, const char *name, const char *value)
{
    char *valid = g_utf8_make_valid(value ? value : "unknown", -1);
    bool ok = bt_trace_set_environment_entry_string(c->bt_trace, name, valid) ==
              BT_TRACE_SET_ENVIRONMENT_ENTRY_STATUS_OK;

    g_free(valid);
    return ok;
}

static bool env_number(struct component *c, const char *name, uint64_t value)
{
    return bt_trace_set_environment_entry_integer(c->bt_trace, name, (int64_t)MIN(value, (uint64_t)INT64_MAX)) ==
           BT_TRACE_SET_ENVIRONMENT_ENTRY_STATUS_OK;
}

static bool describe_trace(struct component *c, const struct xt_recording *recording, const uint8_t uuid[16])
{
    const struct xt_run *run = &c->run;
    char *name = g_utf8_make_valid(recording ? recording->name : "xentrace", -1);
    char tsc[24], ppm[G_ASCII_DTOSTR_BUF_SIZE];

    g_strdelimit(name, "/\\", '_'); /* writers of CTF make a folder of it */
    c->bt_trace = bt_trace_create(c->trace_class);
    bool ok = c->bt_trace && bt_trace_set_name(c->bt_trace, name) == BT_TRACE_SET_NAME_STATUS_OK;
    g_free(name);
    if (!ok)
        return false;
    bt_trace_set_uuid(c->bt_trace, uuid);
    g_snprintf(tsc, sizeof(tsc), "%" G_GUINT64_FORMAT, run->start_tsc); /* text: 64 bits unsigned fit no integer entry */
    g_ascii_formatd(ppm, sizeof(ppm), "%.3f", run->hz_error_ppm);
    return env_text(c, "tracer_name", "xentrace") && env_text(c, "source", "xentrail " XT_VERSION) &&
           env_text(c, "start_tsc", tsc) && env_number(c, "tsc_hz", (uint64_t)run->tsc_hz) &&
           env_text(c, "tsc_hz_source", xt_hz_source_name(run->hz_source)) && env_text(c, "tsc_hz_error_ppm", ppm) &&
           env_text(c, "scheduler", xt_scheduler_name(run->scheduler)) && env_text(c, "layouts", run->generation) &&
           env_text(c, "xen_version", recording ? recording->xen_version : NULL) &&
           env_number(c, "records", run->records) && env_number(c, "lost_records", run->lost_records);
}

bool xt_bt_describe(struct component *c, bt_self_component *self)
{
    const struct xt_recording *recording = c->input ? c->input->recording : c->recording;
    unsigned n_layouts = 0;
    uint8_t uuid[16];

    while (xt_layout_nth(c->layouts, n_layouts))
        n_layouts++;
    c->events = g_new0(struct event_info *, (n_layouts + 1) * 8);
    c->ports = g_new0(struct port, c->survey->n_pcpus + 1);
    c->classes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    make_uuid(c, uuid);
    c->trace_class = bt_trace_class_create(self);
    return c->trace_class && describe_trace(c, recording, uuid) && describe_clock(c, self, uuid) &&
           describe_streams(c);
}

void xt_bt_describe_free(struct component *c)
{
    unsigned n_layouts = 0;

    for (uint32_t i = 0; c->ports && i < c->survey->n_pcpus; i++)
        bt_stream_put_ref(c->ports[i].stream);
    while (c->events && xt_layout_nth(c->layouts, n_layouts))
        n_layouts++;
    for (unsigned i = 0; i < n_layouts * 8; i++)
        g_free(c->events[i]);
    g_free(c->events);
    g_free(c->ports);
    g_clear_pointer(&c->classes, g_hash_table_unref);
    bt_trace_put_ref(c->bt_trace);
    bt_stream_class_put_ref(c->stream_class);
    bt_clock_class_put_ref(c->clock_class);
    bt_trace_class_put_ref(c->trace_class);
}
