/* Message iterators of source.xentrace.file: the records of one pCPU as a stream of messages.
 *
 * A window becomes a packet. Losses cut packets, since CTF 1.8 can only say that events were lost between the end of one
 * packet and the end of the next: the packet before a loss ends where the loss begins, and the lost-records record, which
 * stands where it ends, is a packet of its own. */
#include "parse/babeltrace/xentrace.h"
#include "parse/format.h"

#define MAX_PENDING 8 /* messages that one record can cause: at most end, beginning, end, loss, beginning, event */

enum stage { STAGE_BEGIN, STAGE_RECORDS, STAGE_END, STAGE_DONE };

struct iterator {
    struct port *port;
    struct component *component;
    struct xt_trace *view;
    enum stage stage;
    uint64_t target;      /* clock value of the first record wanted */
    bool arrived;         /* there */
    bt_packet *packet;    /* the open one */
    uint64_t cycles;      /* latest clock value: none after it is smaller */
    uint64_t window_next; /* offset where the next record stands if it is in the same window */
    bool alone;           /* the open packet holds a lost-records record and ends after it */
    bool in_gap;          /* a loss begins at gap_cycles, and its record comes next */
    uint64_t gap_cycles;
    const bt_message *pending[MAX_PENDING];
    unsigned n_pending, next_pending;
};

static bool push(struct iterator *it, const bt_message *message)
{
    if (message)
        it->pending[it->n_pending++] = message;
    return message != NULL;
}

static bool open_packet(bt_self_message_iterator *self, struct iterator *it)
{
    const struct port *port = it->port;

    it->packet = bt_packet_create(port->stream);
    if (!it->packet)
        return false;
    bt_field *cpu_id = bt_field_structure_borrow_member_field_by_index(bt_packet_borrow_context_field(it->packet), 0);
    bt_field_integer_unsigned_set_value(cpu_id, (uint64_t)it->component->survey->pcpus[port->slot].pcpu);
    return push(it, bt_message_packet_beginning_create_with_default_clock_snapshot(self, it->packet, it->cycles));
}

static bool close_packet(bt_self_message_iterator *self, struct iterator *it)
{
    if (!it->packet)
        return true;
    bool ok = push(it, bt_message_packet_end_create_with_default_clock_snapshot(self, it->packet, it->cycles));
    BT_PACKET_PUT_REF_AND_RESET(it->packet);
    it->alone = false;
    return ok;
}

/* Moves the clock, never back. */
static bool advance(struct iterator *it, uint64_t tsc)
{
    uint64_t cycles = xt_bt_cycles(it->component, tsc);
    bool back = cycles < it->cycles;

    if (!back)
        it->cycles = cycles;
    return !back;
}

static bool push_loss(bt_self_message_iterator *self, struct iterator *it, uint64_t lost)
{
    bt_message *message = bt_message_discarded_events_create_with_default_clock_snapshots(
        self, it->port->stream, it->gap_cycles, it->cycles);

    if (message)
        bt_message_discarded_events_set_count(message, lost);
    return push(it, message);
}

/* A loss begins: what is before it ends here. Something must be before it, or readers of CTF would lose its count. */
static bool begin_gap(bt_self_message_iterator *self, struct iterator *it, const struct xt_record *gap)
{
    if (it->alone && !close_packet(self, it))
        return false;
    advance(it, gap->tsc);
    it->gap_cycles = it->cycles;
    it->in_gap = true;
    return (it->packet || open_packet(self, it)) && close_packet(self, it);
}

static void set_payload(bt_event *event, const struct event_info *info, const struct xt_record *record, bool vd)
{
    bt_field *payload = bt_event_borrow_payload_field(event);

    for (unsigned i = 0; i < info->n_members; i++) {
        bt_field *field = bt_field_structure_borrow_member_field_by_index(payload, i);
        int64_t value = xt_member_value(&info->members[i], record, vd);
        if (info->members[i].type == XT_MEMBER_INT)
            bt_field_integer_signed_set_value(field, value);
        else
            bt_field_integer_unsigned_set_value(field, (uint64_t)value);
    }
}

static bool set_odd_payload(bt_event *event, const struct xt_record *record, bool known)
{
    bt_field *payload = bt_event_borrow_payload_field(event);
    bt_field *words = bt_field_structure_borrow_member_field_by_index(payload, 3);

    bt_field_integer_unsigned_set_value(bt_field_structure_borrow_member_field_by_index(payload, 0), record->event);
    bt_field_integer_unsigned_set_value(bt_field_structure_borrow_member_field_by_index(payload, 1), known);
    bt_field_integer_unsigned_set_value(bt_field_structure_borrow_member_field_by_index(payload, 2), record->n_words);
    if (bt_field_array_dynamic_set_length(words, record->n_words) != BT_FIELD_DYNAMIC_ARRAY_SET_LENGTH_STATUS_OK)
        return false;
    for (unsigned i = 0; i < record->n_words; i++)
        bt_field_integer_unsigned_set_value(bt_field_array_borrow_element_field_by_index(words, i), record->words[i]);
    return true;
}

static bool push_event(bt_self_message_iterator *self, struct iterator *it, const struct xt_record *record, bool clamped)
{
    struct component *c = it->component;
    const struct event_info *info = NULL;
    bt_event_class *event_class;
    bool known;
    const struct xt_layout *layout = xt_layout_find(c->layouts, record->event, record->n_words, &known);

    if (layout) {
        info = xt_bt_event_info(c, layout, record->n_words);
        event_class = info ? info->event_class : NULL;
    } else {
        event_class = xt_bt_odd_event_class(c, record, known);
    }
    bt_message *message = event_class ? bt_message_event_create_with_packet_and_default_clock_snapshot(
                                            self, event_class, it->packet, it->cycles)
                                      : NULL;
    if (!message)
        return false;
    bt_event *event = bt_message_event_borrow_event(message);
    bt_field *context = bt_event_borrow_common_context_field(event);
    bt_field_integer_unsigned_set_value(bt_field_structure_borrow_member_field_by_index(context, 0), record->tsc);
    bt_field_integer_unsigned_set_value(bt_field_structure_borrow_member_field_by_index(context, 1), record->has_tsc);
    bt_field_integer_unsigned_set_value(bt_field_structure_borrow_member_field_by_index(context, 2), clamped);
    if (c->input)
        c->input->records++;
    push(it, message);
    if (!info)
        return set_odd_payload(event, record, known);
    set_payload(event, info, record, c->survey->vd);
    return true;
}

static bool push_record(bt_self_message_iterator *self, struct iterator *it, const struct xt_record *record)
{
    bool lost = record->event == XT_ID_LOST_RECORDS && record->n_words == 4 && record->words[0];

    if (it->packet && (it->alone || record->offset != it->window_next) && !close_packet(self, it))
        return false;
    it->window_next = record->offset + 4u + 8u * record->has_tsc + 4u * record->n_words;
    /* after seeking into a loss its beginning was not handed out */
    if (lost && !it->in_gap && !begin_gap(self, it, &(struct xt_record){ .tsc = 0 }))
        return false;
    bool clamped = !advance(it, record->tsc) && record->has_tsc;
    if (it->in_gap && lost && !push_loss(self, it, record->words[0]))
        return false;
    if (it->in_gap)
        it->alone = true;
    it->in_gap = false;
    return (it->packet || open_packet(self, it)) && push_event(self, it, record, clamped);
}

/* Windows are found by their first TSC; where TSCs step back, records are passed over instead. */
static bool can_jump(const struct iterator *it)
{
    return it->component->survey->pcpus[it->port->slot].steps_back == 0;
}

static bool go_to_target(struct iterator *it, GError **error)
{
    it->cycles = it->target;
    if (it->target && can_jump(it)) /* at 0 there is nothing to skip, not even records before the first time stamp */
        return xt_trace_seek(it->view, it->component->run.start_tsc + it->target, error);
    xt_trace_rewind(it->view);
    return true;
}

/* The next record, or gap, from the target on. */
static bool next_record(struct iterator *it, struct xt_record *record, GError **error)
{
    while (xt_trace_next_or_gap(it->view, record, error)) {
        uint64_t cycles = xt_bt_cycles(it->component, record->tsc);
        it->arrived |= cycles >= it->target;
        if (it->arrived)
            return MAX(cycles, it->cycles) <= it->component->to_cycles;
    }
    return false;
}

/* Makes at least one message pending, or comes to STAGE_DONE. */
static bool produce(bt_self_message_iterator *self, struct iterator *it, GError **error)
{
    struct xt_record record;
    GError *read_error = NULL;

    it->n_pending = it->next_pending = 0;
    switch (it->stage) {
    case STAGE_BEGIN:
        it->stage = STAGE_RECORDS;
        if (!go_to_target(it, error))
            return false;
        return push(it, bt_message_stream_beginning_create(self, it->port->stream));
    case STAGE_RECORDS:
        if (next_record(it, &record, &read_error))
            return record.gap ? begin_gap(self, it, &record) : push_record(self, it, &record);
        if (read_error) {
            g_propagate_error(error, read_error);
            return false;
        }
        it->stage = STAGE_END;
        if (it->packet)
            return close_packet(self, it);
        /* fall through */
    case STAGE_END:
        it->stage = STAGE_DONE;
        return push(it, bt_message_stream_end_create(self, it->port->stream));
    case STAGE_DONE:
        break;
    }
    return true;
}

bt_message_iterator_class_next_method_status xt_xentrace_iterator_next(bt_self_message_iterator *self,
                                                                       bt_message_array_const messages,
                                                                       uint64_t capacity, uint64_t *count)
{
    struct iterator *it = bt_self_message_iterator_get_data(self);
    GError *error = NULL;
    uint64_t n = 0;

    while (n < capacity) {
        if (it->next_pending < it->n_pending) {
            messages[n++] = it->pending[it->next_pending++];
            continue;
        }
        if (it->stage == STAGE_DONE)
            break;
        if (!produce(self, it, &error)) {
            while (n)
                bt_message_put_ref(messages[--n]);
            if (!error)
                return BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_MEMORY_ERROR;
            if (it->component->input)
                it->component->input->error_code = error->code;
            BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_MESSAGE_ITERATOR(self, "%s", error->message);
            g_error_free(error);
            return BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_ERROR;
        }
    }
    *count = n;
    return n ? BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_OK : BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_END;
}

/* Back to the state before the first message, to begin at target. */
static void begin_at(struct iterator *it, uint64_t target)
{
    for (; it->next_pending < it->n_pending; it->next_pending++)
        bt_message_put_ref(it->pending[it->next_pending]);
    it->n_pending = it->next_pending = 0;
    BT_PACKET_PUT_REF_AND_RESET(it->packet);
    it->target = MAX(target, it->component->from_cycles);
    it->arrived = it->target == 0;
    /* past the last record there is no message at all */
    it->stage = it->target > MIN(it->component->to_cycles, xt_bt_cycles(it->component, it->component->run.end_tsc))
                    ? STAGE_DONE
                    : STAGE_BEGIN;
    it->cycles = it->window_next = 0;
    it->alone = it->in_gap = false;
}

bt_message_iterator_class_initialize_method_status
xt_xentrace_iterator_init(bt_self_message_iterator *self, bt_self_message_iterator_configuration *configuration,
                          bt_self_component_port_output *port)
{
    struct iterator *it = g_new0(struct iterator, 1);

    it->port = bt_self_component_port_get_data(bt_self_component_port_output_as_self_component_port(port));
    it->component = it->port->component;
    it->view = xt_trace_view_new(it->component->trace, (int)it->port->slot);
    begin_at(it, 0);
    bt_self_message_iterator_set_data(self, it);
    bt_self_message_iterator_configuration_set_can_seek_forward(configuration, BT_TRUE);
    return BT_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

void xt_xentrace_iterator_finalize(bt_self_message_iterator *self)
{
    struct iterator *it = bt_self_message_iterator_get_data(self);

    begin_at(it, 0);
    xt_trace_free(it->view);
    g_free(it);
}

bt_message_iterator_class_seek_beginning_method_status
xt_xentrace_iterator_seek_beginning(bt_self_message_iterator *self)
{
    begin_at(bt_self_message_iterator_get_data(self), 0);
    return BT_MESSAGE_ITERATOR_CLASS_SEEK_BEGINNING_METHOD_STATUS_OK;
}

bt_message_iterator_class_can_seek_ns_from_origin_method_status
xt_xentrace_iterator_can_seek_ns(bt_self_message_iterator *self, int64_t ns, bt_bool *can_seek)
{
    *can_seek = can_jump(bt_self_message_iterator_get_data(self)); /* else libbabeltrace2 reads on from the beginning */
    return BT_MESSAGE_ITERATOR_CLASS_CAN_SEEK_NS_FROM_ORIGIN_METHOD_STATUS_OK;
}

uint64_t xt_bt_cycles_at(const struct component *c, int64_t ns)
{
    unsigned __int128 exact = ns > 0 ? (unsigned __int128)(uint64_t)ns * (uint64_t)c->run.tsc_hz / 1000000000u : 0;
    uint64_t last = xt_bt_cycles(c, c->run.end_tsc);

    if (exact > last)
        return UINT64_MAX;
    uint64_t value = (uint64_t)exact;
    value -= MIN(value, 2 + (value >> 50)); /* it computes in floating point */
    for (int64_t at; value <= last; value++)
        if (bt_clock_class_cycles_to_ns_from_origin(c->clock_class, value, &at) !=
                BT_CLOCK_CLASS_CYCLES_TO_NS_FROM_ORIGIN_STATUS_OK ||
            at >= ns)
            break;
    return value <= last ? value : UINT64_MAX;
}

bt_message_iterator_class_seek_ns_from_origin_method_status
xt_xentrace_iterator_seek_ns(bt_self_message_iterator *self, int64_t ns)
{
    struct iterator *it = bt_self_message_iterator_get_data(self);

    begin_at(it, xt_bt_cycles_at(it->component, ns));
    return BT_MESSAGE_ITERATOR_CLASS_SEEK_NS_FROM_ORIGIN_METHOD_STATUS_OK;
}
