/* Scheduling decisions of a pCPU: when they begin and end, what they say of who leaves and who comes. */
#include "parse/decision.h"

#include "parse/layout.h"

static uint64_t corrected(const struct decider *d, uint64_t tsc)
{
    return xt_corrected_tsc(d->survey, tsc);
}

static inline int64_t now(struct decider *d)
{
    if (G_UNLIKELY(d->now_top != d->top)) {
        d->now_top = d->top;
        d->now_tsc = MAX(d->now_tsc, corrected(d, d->top)); /* an offset can wrap at 2^64 */
        d->now = xt_clock_ts(d->options->clock, d->now_tsc);
    }
    return d->now;
}

static inline struct step *add(struct decider *d, enum step_kind kind)
{
    struct step *step = d->out++;

    step->ts = now(d);
    *d->out_tsc++ = d->now_tsc;
    step->kind = (uint8_t)kind;
    step->flags = 0;
    return step;
}

/* With no schedule record the first of its other records begins a decision, unless that record may merely be the first
 * that was not lost, or not cut off by the start of the trace. */
static void begin(struct decider *d, enum xt_scheduler scheduler, bool announced)
{
    bool cut = d->lost_since_decision || (!d->decided && d->survey->schedule_records);

    struct decision *decision = d->decision;
    decision->open = true;
    decision->start_known = announced || !cut;
    decision->tickled = decision->tasklet = decision->ratelimited = false;
    decision->scheduler = scheduler;
    decision->ts = now(d);
    decision->slice_ns = -1;
    decision->burnt_vcpu = XT_NOBODY;
    decision->budget_ns = -1;
}

static void ensure_begun(struct decider *d, enum xt_scheduler scheduler)
{
    if (!d->decision->open)
        begin(d, scheduler, false);
    if (d->decision->scheduler == XT_SCHED_UNKNOWN)
        d->decision->scheduler = scheduler;
}

static enum xt_scheduler scheduler_of(const struct decider *d, const struct decision *decision)
{
    return decision->open && decision->scheduler ? decision->scheduler : d->scheduler;
}

static bool is_burnt(const struct decision *decision, uint32_t vcpu)
{
    return decision->open && decision->burnt_vcpu == vcpu;
}

static bool is_idle(uint32_t vcpu)
{
    return vcpu >> 16 == XT_IDLE_DOMID;
}

/* RTDS burns the budget of whoever runs at the start of every decision, except when time seems to have stepped back. */
static bool lacks_burn(const struct decider *d, const struct decision *decision, uint32_t vcpu)
{
    return (decision->scheduler ? decision->scheduler : d->scheduler) == XT_SCHED_RTDS && !is_idle(vcpu) &&
           !is_burnt(decision, vcpu);
}

static int64_t sample(struct decider *d)
{
    const struct decision *decision = d->decision;

    return decision->open && decision->start_known && !d->core_scheduling ? now(d) - decision->ts : -1;
}

/* A slice that was armed when the last decision began has run out when this one begins. */
static bool slice_over(const struct decider *d, const struct decision *decision)
{
    return decision->open && d->slice_end >= 0 && decision->ts >= d->slice_end;
}

/* The decision is over; kept: the switch that it ends in still needs it, the next one is made in the other place. */
static void close_decision(struct decider *d, bool kept)
{
    struct decision *decision = d->decision;

    d->slice_end =
        decision->open && decision->slice_ns > 0 && !decision->ratelimited ? decision->ts + decision->slice_ns : -1;
    d->lost_since_decision = false;
    d->decided = true;
    if (kept) {
        d->decision = d->other;
        d->decision->scheduler = decision->scheduler;
        d->other = decision;
    }
    d->decision->open = false;
}

/* A switch whose change to running never came. */
static void flush_switch(struct decider *d)
{
    if (!d->switching)
        return;
    d->switching = false;
    struct step *step = add(d, STEP_DECISION);
    step->prev = d->switch_prev;
    step->next = d->switch_next;
    step->flags = STEP_F_IS_SWITCH | (d->switch_no_burn ? STEP_F_NO_BURN : 0) |
                  (d->other->tickled ? STEP_F_TICKLED : 0);
    step->decision.ts = d->switch_decision_ns >= 0 ? d->switch_ts - d->switch_decision_ns : d->switch_ts;
    step->decision.dur_ns = d->switch_decision_ns;
}

/* For conformance: was the pCPU's timer in time, and its tickle answered? */
static void reschedule(struct decider *d)
{
    if (d->options->conformance)
        add(d, STEP_SCHEDULE)->slice_end = d->decision->open ? -1 : d->slice_end;
}

static void switched(struct decider *d, uint32_t prev, uint32_t next)
{
    flush_switch(d);
    reschedule(d);
    d->switching = true;
    d->switch_prev = prev;
    d->switch_next = next;
    d->switch_ts = now(d);
    d->switch_decision_ns = sample(d);
    d->switch_yielded = d->yielded == prev;
    d->switch_aborted = d->blocking == prev;
    d->switch_slice_over = slice_over(d, d->decision);
    d->switch_no_burn = lacks_burn(d, d->decision, prev);
    d->yielded = d->blocking = XT_NOBODY;
    close_decision(d, true);
}

static void continued(struct decider *d, uint32_t vcpu)
{
    flush_switch(d);
    reschedule(d); /* no schedule record before 4.8 */
    struct step *step = add(d, STEP_DECISION);
    step->prev = step->next = vcpu;
    step->flags = (lacks_burn(d, d->decision, vcpu) ? STEP_F_NO_BURN : 0) |
                  (d->decision->open && d->decision->tickled ? STEP_F_TICKLED : 0);
    step->decision.dur_ns = sample(d);
    step->decision.ts = step->decision.dur_ns >= 0 ? d->decision->ts : now(d);
    d->blocking = XT_NOBODY; /* a yield stays: it applies to the VCPU's next switch */
    close_decision(d, false);
}

static void burnt(struct decider *d, const struct xt_layout *layout, const uint32_t *words)
{
    uint32_t vcpu = xt_vcpu_of_words(layout, XT_SLOT_DOMID, words, d->vd);
    int64_t budget_ns = xt_slot_of_words(layout, XT_SLOT_BUDGET, words, d->vd);

    d->decision->burnt_vcpu = vcpu;
    d->decision->budget_ns = budget_ns;
    d->decision->burn = ++d->n_burns;
    if (!d->burns)
        return;
    struct step *step = add(d, STEP_BURN);
    step->vcpu = vcpu;
    step->burn = d->n_burns;
    step->burn_budget.budget_ns = budget_ns;
    step->burn_budget.delta_ns = xt_slot_of_words(layout, XT_SLOT_DELTA, words, d->vd);
    step->burn_budget.level = xt_slot_of_words(layout, XT_SLOT_LEVEL, words, d->vd);
}

/* Why vcpu, which this pCPU ran, becomes runnable; budgets are the decision's own business. */
static enum xt_reason reason_to_leave(const struct decider *d, const struct decision *decision, uint32_t vcpu)
{
    bool is_switch = decision != d->decision, burnt_here = is_burnt(decision, vcpu);
    enum xt_scheduler scheduler = scheduler_of(d, decision);

    if (is_idle(vcpu))
        return XT_REASON_NONE;
    if (is_switch ? d->switch_yielded : d->yielded == vcpu)
        return XT_REASON_YIELDED;
    if (burnt_here && decision->budget_ns == 0)
        return XT_REASON_DEPLETED;
    if (decision->open && decision->tasklet)
        return XT_REASON_TASKLET;
    if (is_switch ? d->switch_aborted : d->blocking == vcpu)
        return XT_REASON_BLOCK_ABORT;
    if ((scheduler == XT_SCHED_CREDIT || scheduler == XT_SCHED_CREDIT2) &&
        (is_switch ? d->switch_slice_over : slice_over(d, decision)))
        return XT_REASON_TIMESLICE;
    return XT_REASON_PREEMPTED;
}

/* No record tells whether the budget was used up. */
static bool left_without_burn(const struct decider *d, const struct decision *decision, uint32_t vcpu,
                              enum xt_reason reason)
{
    return scheduler_of(d, decision) == XT_SCHED_RTDS && !is_burnt(decision, vcpu) && reason != XT_REASON_NONE &&
           reason != XT_REASON_YIELDED;
}

/* What the decision tells of a dispatch; spends it. */
static void dispatched(struct decider *d, struct step *step, uint32_t vcpu)
{
    if (!d->switching || d->switch_next != vcpu || d->core_scheduling)
        return;
    d->switching = false;
    step->prev = d->switch_prev;
    step->flags = (d->switch_no_burn ? STEP_F_NO_BURN : 0) |
                  (d->other->tickled ? STEP_F_TICKLED : 0);
    step->change.decision_ns = d->switch_decision_ns;
    step->change.switch_ns = now(d) - d->switch_ts;
}

/* Everything is gathered before the step is written: bytes just stored and read again as a word stall the pCPU. */
static void changed(struct decider *d, uint32_t header, uint32_t vcpu)
{
    static const uint8_t usual_reason[] = {
        [XT_RUNNING] = XT_REASON_DISPATCHED,
        [XT_RUNNABLE] = XT_REASON_ONLINE,
        [XT_BLOCKED] = XT_REASON_BLOCKED,
        [XT_OFFLINE] = XT_REASON_OFFLINE,
    };
    unsigned old_state = header >> 8 & 3, new_state = header >> 4 & 3;
    enum xt_reason reason = (enum xt_reason)usual_reason[new_state];
    bool is_switch = d->switching && d->switch_prev == vcpu, no_burn = false;
    const struct decision *decision = is_switch ? d->other : d->decision;
    bool burnt_here = old_state == XT_RUNNING && is_burnt(decision, vcpu);

    if (old_state == XT_RUNNING && new_state == XT_RUNNABLE) {
        reason = reason_to_leave(d, decision, vcpu);
        no_burn = left_without_burn(d, decision, vcpu, reason);
    } else if (old_state == XT_BLOCKED && new_state == XT_RUNNABLE) {
        reason = XT_REASON_WAKEUP;
    }
    struct step *step = add(d, STEP_CHANGE);
    step->old_state = (uint8_t)old_state;
    step->new_state = (uint8_t)new_state;
    step->reason = (uint8_t)reason;
    step->flags = no_burn ? STEP_F_LEFT_NO_BURN : 0;
    step->vcpu = vcpu;
    step->prev = XT_NOBODY;
    step->next = is_switch ? d->switch_next : XT_NOBODY;
    step->burn = burnt_here ? decision->burn : 0;
    step->change.budget_left_ns = burnt_here ? decision->budget_ns : -1;
    step->change.decision_ns = step->change.switch_ns = -1;
    if (new_state == XT_RUNNING)
        dispatched(d, step, vcpu);
}

static void replenished(struct decider *d, const struct xt_layout *layout, const uint32_t *words)
{
    struct step *step = add(d, STEP_REPLENISH);

    step->vcpu = xt_vcpu_of_words(layout, XT_SLOT_DOMID, words, d->vd);
    step->replenish.deadline = xt_slot_of_words(layout, XT_SLOT_DEADLINE, words, d->vd);
    step->replenish.budget_ns = xt_slot_of_words(layout, XT_SLOT_BUDGET, words, d->vd);
}

static void picked(struct decider *d, const struct xt_layout *layout, const uint32_t *words)
{
    ensure_begun(d, layout->scheduler);
    if (!d->options->conformance || layout->scheduler != XT_SCHED_RTDS || layout->max_words == 0)
        return;
    struct step *step = add(d, STEP_PICK);
    step->vcpu = xt_vcpu_of_words(layout, XT_SLOT_DOMID, words, d->vd);
    step->budget_ns = xt_slot_of_words(layout, XT_SLOT_BUDGET, words, d->vd);
}

static void overhead(struct decider *d, const struct xt_layout *layout, const uint32_t *words)
{
    struct step *step = add(d, STEP_OVERHEAD);
    bool two = layout->max_words > 3;

    step->prev = xt_vcpu_of_words(layout, XT_SLOT_DOMID, words, d->vd);
    step->next = two ? xt_vcpu_of_words(layout, XT_SLOT_NEXT_DOMID, words, d->vd) : XT_NOBODY;
    step->overhead.kind = (layout->event & 0xfff) - 1;
    step->overhead.dur_ns = xt_slot_of_words(layout, XT_SLOT_DURATION, words, d->vd);
    step->overhead.migrated = xt_slot_of_words(layout, XT_SLOT_MIGRATED, words, d->vd) != 0;
}

static void tsc_back(struct decider *d, uint64_t tsc, uint64_t previous)
{
    struct step *step = add(d, STEP_TSC_BACK);

    step->tsc_back.cycles = previous - tsc;
    step->tsc_back.ts = xt_clock_ts(d->options->clock, corrected(d, tsc));
}

/* A record that matters; words are its payload. */
static inline void take(struct decider *d, const struct xt_layout_key *key, uint32_t header, const uint32_t *words)
{
    const struct xt_layout *layout = key->layout;

    switch ((enum xt_event_kind)key->kind) {
    case XT_EV_RUNSTATE:
        changed(d, header, words[0]);
        return;
    case XT_EV_SCHEDULE:
        flush_switch(d);
        reschedule(d);
        begin(d, layout->scheduler, true);
        d->decision->tickled = xt_slot_of_words(layout, XT_SLOT_TICKLED, words, d->vd) != 0;
        return;
    case XT_EV_YIELD:
        d->yielded = xt_vcpu_of_words(layout, XT_SLOT_DOMID, words, d->vd);
        return;
    case XT_EV_BLOCK:
        d->blocking = xt_vcpu_of_words(layout, XT_SLOT_DOMID, words, d->vd);
        return;
    case XT_EV_BURN:
        ensure_begun(d, layout->scheduler);
        burnt(d, layout, words);
        return;
    case XT_EV_PICK:
        picked(d, layout, words);
        return;
    case XT_EV_TASKLET:
        ensure_begun(d, layout->scheduler);
        d->decision->tasklet = true;
        return;
    case XT_EV_RATELIMIT:
        d->decision->ratelimited = true;
        return;
    case XT_EV_INFPREV:
        ensure_begun(d, XT_SCHED_UNKNOWN);
        return;
    case XT_EV_INFNEXT:
        d->decision->slice_ns = xt_slot_of_words(layout, XT_SLOT_SLICE, words, d->vd);
        return;
    case XT_EV_INFCONT:
        ensure_begun(d, XT_SCHED_UNKNOWN);
        d->decision->slice_ns = xt_slot_of_words(layout, XT_SLOT_SLICE, words, d->vd);
        if (!d->has_continue)
            continued(d, xt_vcpu_of_words(layout, XT_SLOT_DOMID, words, d->vd));
        return;
    case XT_EV_CONTINUE:
        continued(d, words[0]);
        return;
    case XT_EV_SWITCH:
        switched(d, xt_vcpu_of_words(layout, XT_SLOT_DOMID, words, d->vd),
                 xt_vcpu_of_words(layout, XT_SLOT_NEXT_DOMID, words, d->vd));
        return;
    case XT_EV_REPLENISH:
        replenished(d, layout, words);
        return;
    case XT_EV_OVERHEAD:
        overhead(d, layout, words);
        return;
    case XT_EV_TICKLE:
        if (d->options->conformance && XT_HAS_TSC(header))
            add(d, STEP_TICKLE)->pcpu = xt_slot_of_words(layout, XT_SLOT_PCPU, words, d->vd);
        return;
    default:
        return;
    }
}

/* The TSC of a record that is not above all before it on this pCPU. */
static void odd_tsc(struct decider *d, uint64_t tsc)
{
    uint64_t previous = d->cursor.tsc;

    if (tsc < previous && d->options->conformance)
        tsc_back(d, tsc, previous);
    d->cursor.tsc = tsc;
}

/* The gap begins where the first record was lost, before the record that tells of it. */
static void lost(struct decider *d, const char *record, uint32_t header)
{
    uint64_t previous = d->cursor.tsc, tsc = XT_HAS_TSC(header) ? xt_load_tsc(record) : previous;
    uint32_t copy[7];

    odd_tsc(d, tsc);
    d->top = MAX(d->top, xt_gap_start(record, tsc, previous));
    flush_switch(d);
    d->decision->open = false;
    d->lost_since_decision = true;
    d->yielded = d->blocking = XT_NOBODY;
    d->slice_end = -1;
    add(d, STEP_GAP);
    d->top = MAX(d->top, tsc);
    add(d, STEP_LOST)->lost_records = xt_load_words(record, header, copy)[0];
}

static inline void read_record(struct decider *d, const char *record, uint32_t header)
{
    const struct xt_layout_key *key = xt_layout_lookup(d->layouts, header);
    uint32_t copy[7];

    if (G_UNLIKELY(key && key->kind == XT_EV_LOST)) {
        lost(d, record, header);
        return;
    }
    if (G_LIKELY(XT_HAS_TSC(header))) {
        uint64_t tsc = xt_load_tsc(record);
        if (G_LIKELY(tsc >= d->top))
            d->cursor.tsc = d->top = tsc;
        else
            odd_tsc(d, tsc);
    }
    if (G_LIKELY(key))
        take(d, key, header, xt_load_words(record, header, copy));
}

unsigned decider_fill(struct decider *d, struct step *steps, uint64_t *tscs, unsigned n, GError **error)
{
    struct xt_cursor *c = &d->cursor;
    const struct step *enough = steps + n - DECIDER_MIN_STEPS;
    const char *at = c->at;

    d->out = steps;
    d->out_tsc = tscs;
    while (d->out <= enough && !d->ended) {
        if (G_UNLIKELY(at >= c->safe_end)) {
            c->at = at;
            int loaded = xt_cursor_load(c, error);
            at = c->at;
            if (loaded <= 0) {
                if (loaded == 0)
                    flush_switch(d);
                d->ended = true;
                break;
            }
        }
        uint32_t header = xt_load_word(at);
        read_record(d, at, header);
        at += xt_record_bytes(header);
    }
    c->at = at;
    return (unsigned)(d->out - steps);
}

void decider_init(struct decider *d, const struct xt_trace *trace, const struct step_options *options, uint32_t slot,
                  size_t buffer_bytes)
{
    const struct xt_survey *survey = xt_trace_survey(trace);

    *d = (struct decider){
        .options = options,
        .layouts = xt_trace_layouts(trace),
        .survey = &survey->pcpus[slot],
        .scheduler = options->run->pcpus[slot].scheduler,
        .vd = survey->vd,
        .has_continue = survey->has_continue,
        .core_scheduling = survey->core_scheduling,
        .burns = options->conformance || survey->has_extratime,
        .yielded = XT_NOBODY,
        .blocking = XT_NOBODY,
        .slice_end = -1,
    };
    d->decision = &d->decisions[0];
    d->other = &d->decisions[1];
    xt_cursor_init(&d->cursor, xt_trace_source(trace), survey, slot, buffer_bytes);
}

void decider_clear(struct decider *d)
{
    xt_cursor_clear(&d->cursor);
}
