#include "parse/reconstruct.h"

#include <string.h>

#include "parse/conform.h"
#include "parse/error.h"
#include "parse/format.h"
#include "parse/machine.h"
#include "parse/server.h"
#include "parse/skew.h"

#define CANCEL_EVERY 4096 /* steps between two looks at *cancel */

struct vstate *machine_make_vcpu(struct machine *m, uint32_t id, GError **error)
{
    if (m->vcpus->len >= XT_MAX_VCPUS) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: damaged: its records name more than %u VCPUs, the next at %" G_GINT64_FORMAT " ns is d%uv%u",
                    xt_trace_path(m->trace), XT_MAX_VCPUS, m->now, id >> 16, id & 0xffff);
        return NULL;
    }
    struct vstate *v = g_new0(struct vstate, 1);
    v->id = (struct xt_vcpu){ m->vcpus->len, (uint16_t)(id >> 16), (uint16_t)id };
    v->known_at = UINT32_MAX;
    v->state = XT_UNKNOWN;
    v->open_start = true;
    v->pcpu = v->last_pcpu = XT_NO_PCPU;
    v->level = -1;
    g_ptr_array_add(m->vcpus, v);
    vcpu_map_add(&m->by_id, id, v);
    servers_vcpu(m, v);
    return XT_EMIT(m, vcpu, &v->id, error) ? v : NULL;
}

bool machine_doubt(struct machine *m, GError **error)
{
    if (m->survey->skew_looked)
        return true;
    g_set_error(error, XT_ERROR, XT_ERROR_AGAIN, "%s: its TSCs must be looked at", xt_trace_path(m->trace));
    return false;
}

/* If that is why replay failed: now that nobody reads the trace any more. */
static void look_at_skew(struct xt_trace *trace, GError **failed)
{
    GError *error = NULL;

    if (!g_error_matches(*failed, XT_ERROR, XT_ERROR_AGAIN) || xt_skew_look(trace, &error))
        return;
    g_clear_error(failed);
    *failed = error;
}

bool xt_reconstruct_again(GError **error)
{
    if (!g_error_matches(*error, XT_ERROR, XT_ERROR_AGAIN))
        return false;
    g_clear_error(error);
    return true;
}

static void note_offset(const struct machine *m, const struct xt_pcpu *p)
{
    char *from = p->tsc_offset_min == INT64_MIN ? g_strdup("any") :
                 g_strdup_printf("%" G_GINT64_FORMAT, xt_cycles_ns(p->tsc_offset_min, m->run.tsc_hz));
    char *to = p->tsc_offset_max == INT64_MAX ? g_strdup("any") :
               g_strdup_printf("%" G_GINT64_FORMAT, xt_cycles_ns(p->tsc_offset_max, m->run.tsc_hz));

    xt_trace_note(xt_trace_options(m->trace),
                  "%s: the TSC of pCPU %d is off: corrected by %" G_GINT64_FORMAT " ns (order proves %s to %s ns beside "
                  "pCPU %d)", xt_trace_path(m->trace), p->pcpu, xt_cycles_ns(p->tsc_offset, m->run.tsc_hz), from, to,
                  m->run.tsc_reference);
    g_free(from);
    g_free(to);
}

static void note_skew(const struct machine *m)
{
    if (m->run.contradictions && !m->run.tsc_corrected)
        xt_trace_note(xt_trace_options(m->trace),
                      "%s: the TSCs of its pCPUs contradict the order of %" G_GUINT64_FORMAT " runstate changes, by up to %"
                      G_GINT64_FORMAT " ns, and no constant offsets explain that: times between pCPUs are uncertain by as "
                      "much", xt_trace_path(m->trace), m->run.contradictions,
                      xt_cycles_ns((int64_t)m->survey->disorder, m->run.tsc_hz));
    for (uint32_t i = 0; i < m->run.n_pcpus; i++)
        if (m->run.pcpus[i].tsc_offset)
            note_offset(m, &m->run.pcpus[i]);
}

static bool gap_begins(struct machine *m, struct pstate *p, GError **error)
{
    p->in_gap = true;
    p->gap_ts = m->now;
    m->open_gaps++;
    servers_gap(m, p);
    if (m->conform)
        conform_gap(m, p);
    return timeline_gap(m, p, error);
}

static bool gap_ends(struct machine *m, struct pstate *p, uint64_t lost_records, GError **error)
{
    struct xt_loss out = { p->info->pcpu, p->gap_ts, m->now, lost_records };

    p->in_gap = false;
    p->gap_end = m->last_gap_end = m->now;
    m->open_gaps--;
    return XT_EMIT(m, loss, &out, error);
}

static bool burnt(struct machine *m, struct pstate *p, struct vstate *v, const struct step *step, GError **error)
{
    int64_t level = step->burn_budget.level;

    if (m->conform && !conform_burn(m, v, step->burn_budget.budget_ns, step->burn_budget.delta_ns, level, error))
        return false;
    p->n_burns = step->burn;
    p->raised = p->raised << 1 | (v->level >= 0 && level > v->level);
    servers_level(m, v, level);
    return true;
}

static bool replenished(struct machine *m, struct pstate *p, struct vstate *v, const struct step *step, GError **error)
{
    struct xt_replenish out = {
        .vcpu = &v->id,
        .pcpu = p->info->pcpu,
        .ts = m->now,
        .deadline_now_ns = step->replenish.deadline,
        .budget_ns = step->replenish.budget_ns,
    };

    if (m->conform && !conform_replenish(m, v, out.deadline_now_ns, out.budget_ns, error))
        return false;
    v->level = 0;
    timeline_eligible(m, v);
    if (!XT_EMIT(m, replenish, &out, error) ||
        !servers_replenished(m, v, out.deadline_now_ns, out.budget_ns, error))
        return false;
    if (m->conform)
        conform_eligible(m, v);
    return true;
}

static bool decided(struct machine *m, struct pstate *p, struct vstate *prev, struct vstate *next,
                    const struct step *step, GError **error)
{
    struct xt_decision out = {
        .pcpu = p->info->pcpu,
        .ts = step->decision.ts,
        .dur_ns = step->decision.dur_ns,
        .is_switch = step->flags & STEP_F_IS_SWITCH,
        .no_burn = step->flags & STEP_F_NO_BURN,
        .tickled = step->flags & STEP_F_TICKLED,
        .prev = &prev->id,
        .next = &next->id,
    };

    return XT_EMIT(m, decision, &out, error);
}

static bool overhead(struct machine *m, struct pstate *p, struct vstate *prev, struct vstate *next,
                     const struct step *step, GError **error)
{
    struct xt_overhead out = {
        .kind = (enum xt_fork_overhead)step->overhead.kind,
        .pcpu = p->info->pcpu,
        .ts = m->now,
        .dur_ns = step->overhead.dur_ns,
        .prev = &prev->id,
        .next = next ? &next->id : NULL,
        .migrated = step->overhead.migrated,
    };

    return XT_EMIT(m, overhead, &out, error);
}

/* A step that concerns two VCPUs. */
static bool replay_two(struct machine *m, struct pstate *p, const struct step *step, GError **error)
{
    /* a damaged record can name the VCPU that nobody's number is */
    bool two = step->kind == STEP_DECISION || step->next != XT_NOBODY;
    struct vstate *prev = machine_vcpu(m, step->prev, error);
    struct vstate *next = prev && two ? machine_vcpu(m, step->next, error) : NULL;

    if (!prev || (!next && two))
        return false;
    return step->kind == STEP_DECISION ? decided(m, p, prev, next, step, error) : overhead(m, p, prev, next, step, error);
}

/* A step that concerns one VCPU. */
static bool replay_one(struct machine *m, struct pstate *p, const struct step *step, GError **error)
{
    struct vstate *v = machine_vcpu(m, step->vcpu, error);

    if (!v)
        return false;
    switch ((enum step_kind)step->kind) {
    case STEP_CHANGE:
        return timeline_change(m, p, v, step, error);
    case STEP_BURN:
        return burnt(m, p, v, step, error);
    case STEP_REPLENISH:
        return replenished(m, p, v, step, error);
    default:
        conform_pick(m, v, step->budget_ns);
        return true;
    }
}

static bool replay(struct machine *m, struct pstate *p, const struct step *step, GError **error)
{
    m->now = step->ts;
    if (!servers_advance(m, m->now, error) || !conform_advance(m, error))
        return false;
    switch ((enum step_kind)step->kind) {
    case STEP_DECISION:
    case STEP_OVERHEAD:
        return replay_two(m, p, step, error);
    case STEP_GAP:
        return gap_begins(m, p, error);
    case STEP_LOST:
        return gap_ends(m, p, (uint64_t)step->lost_records, error);
    case STEP_SCHEDULE:
        return conform_schedule(m, p, step->slice_end, error);
    case STEP_TICKLE:
        conform_tickle(m, step->pcpu);
        return true;
    case STEP_TSC_BACK:
        return conform_tsc_back(m, p, step->tsc_back.ts, step->tsc_back.cycles, error);
    default:
        return replay_one(m, p, step, error);
    }
}

static bool replay_steps(struct machine *m, struct steps *steps, const volatile int *cancel, GError **error)
{
    GError *read_error = NULL;
    struct step_run run;
    unsigned since_look = 0;

    while (steps_next(steps, &run, &read_error)) {
        for (unsigned i = 0; i < run.n; i++)
            if (!replay(m, &m->pcpus[run.slot], &run.steps[i], error))
                return false;
        since_look += run.n;
        if (since_look < CANCEL_EVERY)
            continue;
        since_look = 0;
        if (cancel && *cancel) {
            g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "interrupted");
            return false;
        }
    }
    if (read_error)
        g_propagate_error(error, read_error);
    return !read_error;
}

static bool replay_all(struct machine *m, const volatile int *cancel, GError **error)
{
    struct step_options options = { .clock = &m->clock, .run = &m->run, .conformance = m->conform != NULL };
    struct steps *steps = steps_new(m->trace, &options);
    bool ok = replay_steps(m, steps, cancel, error);

    steps_free(steps);
    if (!ok)
        return false;
    m->now = m->run.duration_ns;
    if (!servers_advance(m, m->now, error) || !servers_end(m, error) ||
        !conform_advance(m, error) || (m->conform && !conform_end(m, error)))
        return false;
    return timeline_end(m, error);
}

static void machine_clear(struct machine *m)
{
    conform_free(m);
    servers_free(m);
    vcpu_map_clear(&m->by_id);
    g_clear_pointer(&m->vcpus, g_ptr_array_unref);
    g_clear_pointer(&m->known, g_ptr_array_unref);
    g_free(m->pcpus);
    g_free((struct xt_pcpu *)m->run.pcpus);
}

static void listen(struct machine *m, const struct xt_sink *sink)
{
#define LISTEN(function_) \
    if (sink->function_) \
    m->listeners.function_.sinks[m->listeners.function_.n++] = sink
    LISTEN(begin);
    LISTEN(vcpu);
    LISTEN(dispatch);
    LISTEN(interval);
    LISTEN(change);
    LISTEN(decision);
    LISTEN(overhead);
    LISTEN(replenish);
    LISTEN(period);
    LISTEN(loss);
    LISTEN(violation);
    LISTEN(server);
    LISTEN(rule);
#undef LISTEN
    m->blame |= sink->blame;
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
        .last_gap_end = -1,
        .next_deadline = INT64_MAX,
        .next_window = INT64_MAX,
    };
    GError *failed = NULL;
    g_assert(n_sinks <= XT_MAX_SINKS);
    for (unsigned i = 0; i < n_sinks; i++)
        listen(&m, sinks[i]);
    bool conformance = m.listeners.violation.n || m.listeners.rule.n || m.listeners.server.n;
    m.blame |= conformance;
    if (!xt_run_init(&m.run, m.survey, recording, options, xt_trace_path(trace), error))
        return false;
    xt_clock_init(&m.clock, m.run.start_tsc, (uint64_t)m.run.tsc_hz);
    note_skew(&m);
    m.vcpus = g_ptr_array_new_with_free_func(g_free);
    m.known = g_ptr_array_new();
    m.pcpus = g_new0(struct pstate, m.run.n_pcpus + 1);
    for (uint32_t i = 0; i < m.run.n_pcpus; i++) {
        m.pcpus[i].info = &m.run.pcpus[i];
        m.pcpus[i].gap_end = -1;
    }
    m.servers = servers_new(&m, error);
    if (m.servers && conformance)
        m.conform = conform_new(&m);
    bool ok = m.servers && XT_EMIT(&m, begin, &m.run, error) && replay_all(&m, cancel, &failed);
    if (failed) {
        look_at_skew(trace, &failed);
        g_propagate_error(error, failed);
    }
    for (unsigned i = 0; ok && i < n_sinks; i++)
        if (sinks[i]->end)
            ok = sinks[i]->end(sinks[i]->self, error);
    machine_clear(&m);
    return ok;
}
