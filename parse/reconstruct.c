#include "parse/reconstruct.h"

#include <string.h>

#include "parse/conform.h"
#include "parse/error.h"
#include "parse/format.h"
#include "parse/machine.h"
#include "parse/server.h"

#define CANCEL_EVERY 4096 /* records between two looks at *cancel */

struct vstate *machine_vcpu(struct machine *m, uint32_t domid, uint32_t vcpu, GError **error)
{
    uint32_t key = (domid & 0xffff) << 16 | (vcpu & 0xffff);
    struct vstate **found = &m->found[(key ^ key >> 12) % XT_FOUND], *v = *found;

    if (v && vcpu_key(v) == key)
        return v;
    /* + 1: a NULL key would be d0v0 */
    v = g_hash_table_lookup(m->by_id, GSIZE_TO_POINTER((gsize)key + 1));
    if (!v && m->vcpus->len >= XT_MAX_VCPUS) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: damaged: its records name more than %u VCPUs, the next at %" G_GINT64_FORMAT " ns is d%uv%u",
                    xt_trace_path(m->trace), XT_MAX_VCPUS, m->now, domid, vcpu);
        return NULL;
    }
    if (!v) {
        v = g_new0(struct vstate, 1);
        v->id = (struct xt_vcpu){ m->vcpus->len, (uint16_t)domid, (uint16_t)vcpu };
        v->known_at = UINT32_MAX;
        v->state = XT_UNKNOWN;
        v->open_start = true;
        v->pcpu = v->last_pcpu = XT_NO_PCPU;
        v->level = -1;
        g_ptr_array_add(m->vcpus, v);
        g_hash_table_insert(m->by_id, GSIZE_TO_POINTER((gsize)key + 1), v);
        servers_vcpu(m, v);
        if (!XT_EMIT(m, vcpu, &v->id, error))
            return NULL;
    }
    *found = v;
    return v;
}

static bool gap_begins(struct machine *m, struct pstate *p, GError **error)
{
    p->in_gap = true;
    p->gap_ts = m->now;
    m->open_gaps++;
    servers_gap(m, p);
    if (m->conform)
        conform_gap(m, p);
    return decision_gap(m, p, error) && timeline_gap(m, p, error);
}

static bool gap_ends(struct machine *m, struct pstate *p, const struct xt_record *record, GError **error)
{
    struct xt_loss out = { p->info->pcpu, p->gap_ts, m->now, record->words[0] };

    p->in_gap = false;
    p->gap_end = m->last_gap_end = m->now;
    m->open_gaps--;
    return XT_EMIT(m, loss, &out, error);
}

static bool runstate(struct machine *m, struct pstate *p, const struct xt_record *record, GError **error)
{
    uint32_t id = record->words[0];
    struct vstate *v = machine_vcpu(m, id >> 16, id & 0xffff, error);

    return v && timeline_change(m, p, v, (enum xt_state)(record->event >> 8 & 3),
                                (enum xt_state)(record->event >> 4 & 3), error);
}

static bool replenished(struct machine *m, struct pstate *p, const int64_t *slots, GError **error)
{
    struct vstate *v = machine_vcpu(m, (uint32_t)slots[XT_SLOT_DOMID], (uint32_t)slots[XT_SLOT_VCPU], error);

    if (!v)
        return false;
    if (m->conform && !conform_replenish(m, v, slots[XT_SLOT_DEADLINE], slots[XT_SLOT_BUDGET], error))
        return false;
    v->level = 0;
    timeline_eligible(m, v);
    struct xt_replenish out = {
        .vcpu = &v->id,
        .pcpu = p->info->pcpu,
        .ts = m->now,
        .deadline_now_ns = slots[XT_SLOT_DEADLINE],
        .budget_ns = slots[XT_SLOT_BUDGET],
    };
    if (!XT_EMIT(m, replenish, &out, error) ||
        !servers_replenished(m, v, out.deadline_now_ns, out.budget_ns, error))
        return false;
    if (m->conform)
        conform_eligible(m, v);
    return true;
}

static bool overhead(struct machine *m, struct pstate *p, const struct xt_layout *layout, const int64_t *slots,
                     GError **error)
{
    bool two = layout->max_words > 3;
    struct vstate *prev = machine_vcpu(m, (uint32_t)slots[XT_SLOT_DOMID], (uint32_t)slots[XT_SLOT_VCPU], error);
    struct vstate *next = prev && two ? machine_vcpu(m, (uint32_t)slots[XT_SLOT_NEXT_DOMID],
                                                     (uint32_t)slots[XT_SLOT_NEXT_VCPU], error) : NULL;

    if (!prev || (two && !next))
        return false;
    struct xt_overhead out = {
        .kind = (enum xt_fork_overhead)((layout->event & 0xfff) - 1),
        .pcpu = p->info->pcpu,
        .ts = m->now,
        .dur_ns = slots[XT_SLOT_DURATION],
        .prev = &prev->id,
        .next = next ? &next->id : NULL,
        .migrated = slots[XT_SLOT_MIGRATED] != 0,
    };
    return XT_EMIT(m, overhead, &out, error);
}

static bool replay(struct machine *m, const struct xt_record *record, GError **error)
{
    struct pstate *p = &m->pcpus[record->slot];
    int64_t slots[XT_N_SLOTS];
    bool known;
    const struct xt_layout *layout = xt_layout_find(xt_trace_layouts(m->trace), record->event, record->n_words, &known);

    if (m->conform && record->has_tsc && !record->gap && !conform_tsc(m, p, record, error))
        return false;
    if (!layout || layout->kind == XT_EV_OTHER || layout->kind == XT_EV_WRAP)
        return true;
    m->now = MAX(m->now, xt_clock_ts(&m->clock, record->tsc));
    if (!servers_advance(m, m->now, error) || (m->conform && !conform_advance(m, error)))
        return false;
    switch (layout->kind) {
    case XT_EV_RUNSTATE:
        return runstate(m, p, record, error);
    case XT_EV_LOST:
        return record->gap ? gap_begins(m, p, error) : gap_ends(m, p, record, error);
    default:
        break;
    }
    memset(slots, 0, sizeof(slots));
    xt_decode(layout, record, m->survey->vd, slots);
    switch (layout->kind) {
    case XT_EV_REPLENISH:
        return replenished(m, p, slots, error);
    case XT_EV_OVERHEAD:
        return overhead(m, p, layout, slots, error);
    case XT_EV_TICKLE:
        if (m->conform && record->has_tsc)
            conform_tickle(m, slots[XT_SLOT_PCPU]);
        return true;
    default:
        return decision_record(m, p, layout, slots, error);
    }
}

static bool replay_all(struct machine *m, const volatile int *cancel, GError **error)
{
    struct xt_record record;
    GError *read_error = NULL;
    unsigned until_look = CANCEL_EVERY;

    xt_trace_select(m->trace, -1);
    while (xt_trace_next_or_gap(m->trace, &record, &read_error)) {
        if (!replay(m, &record, error))
            return false;
        if (--until_look == 0) {
            until_look = CANCEL_EVERY;
            if (cancel && *cancel) {
                g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "interrupted");
                return false;
            }
        }
    }
    if (read_error) {
        g_propagate_error(error, read_error);
        return false;
    }
    m->now = m->run.duration_ns;
    if (!servers_advance(m, m->now, error) || !servers_end(m, error) ||
        (m->conform && (!conform_advance(m, error) || !conform_end(m, error))))
        return false;
    for (uint32_t i = 0; i < m->run.n_pcpus; i++)
        if (!decision_end(m, &m->pcpus[i], error))
            return false;
    return timeline_end(m, error);
}

static void machine_clear(struct machine *m)
{
    conform_free(m);
    servers_free(m);
    g_clear_pointer(&m->by_id, g_hash_table_unref);
    g_clear_pointer(&m->vcpus, g_ptr_array_unref);
    g_clear_pointer(&m->known, g_ptr_array_unref);
    g_free(m->pcpus);
    g_free((struct xt_pcpu *)m->run.pcpus);
}

bool xt_reconstruct(struct xt_trace *trace, const struct xt_recording *recording,
                    const struct xt_reconstruct_options *options, const struct xt_sink *const *sinks, unsigned n_sinks,
                    const volatile int *cancel, GError **error)
{
    struct machine m = {
        .trace = trace,
        .survey = xt_trace_survey(trace),
        .recording = recording,
        .options = options,
        .sinks = sinks,
        .n_sinks = n_sinks,
        .last_gap_end = -1,
    };
    bool conformance = false;

    if (!xt_run_init(&m.run, m.survey, recording, options, xt_trace_path(trace), error))
        return false;
    xt_clock_init(&m.clock, m.run.start_tsc, (uint64_t)m.run.tsc_hz);
    m.vcpus = g_ptr_array_new_with_free_func(g_free);
    m.known = g_ptr_array_new();
    m.by_id = g_hash_table_new(NULL, NULL);
    m.pcpus = g_new0(struct pstate, m.run.n_pcpus + 1);
    for (uint32_t i = 0; i < m.run.n_pcpus; i++) {
        m.pcpus[i].info = &m.run.pcpus[i];
        m.pcpus[i].yielded = m.pcpus[i].blocking = XT_NOBODY;
        m.pcpus[i].slice_end = m.pcpus[i].gap_end = -1;
    }
    m.servers = servers_new(&m, error);
    for (unsigned i = 0; i < n_sinks; i++)
        conformance |= sinks[i]->violation || sinks[i]->rule || sinks[i]->server;
    if (m.servers && conformance)
        m.conform = conform_new(&m);
    bool ok = m.servers && XT_EMIT(&m, begin, &m.run, error) && replay_all(&m, cancel, error);
    for (unsigned i = 0; ok && i < n_sinks; i++)
        if (sinks[i]->end)
            ok = sinks[i]->end(sinks[i]->self, error);
    machine_clear(&m);
    return ok;
}
