#include "tests/parse/timelines.h"

#include <stdio.h>
#include <stdlib.h>

/* What is known of one VCPU so far. */
struct line {
    const struct xt_vcpu *vcpu;
    int64_t end_ts; /* of its latest piece */
    bool any;
    int32_t last_pcpu;
    uint64_t changes;
};

struct timelines {
    struct xt_sink sink;
    GArray *lines; /* of struct line, by index */
    const struct xt_run *run;
    int64_t duration_ns, last_change_ts;
    bool core_scheduling;
    void (*each)(void *user, const struct timeline_piece *piece);
    void *user;
};

#define CHECK(condition_, vcpu_, ...) \
    do { \
        if (!(condition_)) \
            broken(#condition_, vcpu_, __VA_ARGS__); \
    } while (0)

static void G_GNUC_PRINTF(3, 4) broken(const char *condition, const struct xt_vcpu *vcpu, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "d%uv%u: %s does not hold: ", vcpu ? vcpu->domid : 0, vcpu ? vcpu->vcpu : 0, condition);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

static struct line *line_of(struct timelines *t, const struct xt_vcpu *vcpu)
{
    CHECK(vcpu->index < t->lines->len, vcpu, "index %u was never announced", vcpu->index);
    struct line *line = &g_array_index(t->lines, struct line, vcpu->index);
    CHECK(line->vcpu == vcpu, vcpu, "index %u belongs to another", vcpu->index);
    return line;
}

static void piece(struct timelines *t, const struct xt_vcpu *vcpu, int64_t ts, int64_t end_ts, enum xt_state state,
                  int32_t pcpu, bool open)
{
    struct line *line = line_of(t, vcpu);
    struct timeline_piece out = { vcpu, ts, end_ts, state, pcpu, open };

    CHECK(ts == line->end_ts, vcpu, "a piece begins at %" G_GINT64_FORMAT ", the one before ended at %" G_GINT64_FORMAT,
          ts, line->end_ts);
    CHECK(end_ts >= ts, vcpu, "%" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, ts, end_ts);
    CHECK(end_ts <= t->duration_ns, vcpu, "%" G_GINT64_FORMAT " is behind the run's end", end_ts);
    CHECK(state <= XT_UNKNOWN, vcpu, "state %d", state);
    line->end_ts = end_ts;
    line->any = true;
    if (t->each && end_ts > ts)
        t->each(t->user, &out);
}

static bool is_pcpu(const struct timelines *t, int32_t pcpu)
{
    for (uint32_t i = 0; i < t->run->n_pcpus; i++)
        if (t->run->pcpus[i].pcpu == pcpu)
            return true;
    return false;
}

static bool on_begin(void *self, const struct xt_run *run, GError **error)
{
    struct timelines *t = self;

    t->run = run;
    t->duration_ns = run->duration_ns;
    t->core_scheduling = run->core_scheduling;
    CHECK(run->tsc_hz > 0, NULL, "frequency %" G_GINT64_FORMAT, run->tsc_hz);
    CHECK(run->duration_ns >= 0, NULL, "%" G_GINT64_FORMAT, run->duration_ns);
    for (uint32_t i = 1; i < run->n_pcpus; i++)
        CHECK(run->pcpus[i].pcpu > run->pcpus[i - 1].pcpu, NULL, "pCPU %d", run->pcpus[i].pcpu);
    return true;
}

static bool on_vcpu(void *self, const struct xt_vcpu *vcpu, GError **error)
{
    struct timelines *t = self;
    struct line line = { .vcpu = vcpu, .last_pcpu = XT_NO_PCPU };

    CHECK(vcpu->index == t->lines->len, vcpu, "index %u after %u VCPUs", vcpu->index, t->lines->len);
    g_array_append_val(t->lines, line);
    return true;
}

static bool on_dispatch(void *self, const struct xt_dispatch *d, GError **error)
{
    struct timelines *t = self;
    struct line *line = line_of(t, d->vcpu);
    bool open_first = d->flags & XT_D_OPEN_START;

    CHECK((d->off_state == XT_NO_STATE) == (d->off_ts == d->ready_ts) || d->off_state != XT_NO_STATE, d->vcpu,
          "an off part of state %d from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, d->off_state, d->off_ts, d->ready_ts);
    CHECK(d->off_state != XT_RUNNING && d->off_state != XT_RUNNABLE, d->vcpu, "off in state %d", d->off_state);
    CHECK(d->off_ts <= d->ready_ts && d->ready_ts <= d->run_ts && d->run_ts <= d->end_ts, d->vcpu,
          "%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT, d->off_ts, d->ready_ts,
          d->run_ts, d->end_ts);
    CHECK(d->pcpu == XT_NO_PCPU ? t->core_scheduling : is_pcpu(t, d->pcpu), d->vcpu, "runs on pCPU %d", d->pcpu);
    CHECK(d->from_pcpu == XT_NO_PCPU || is_pcpu(t, d->from_pcpu), d->vcpu, "comes from pCPU %d", d->from_pcpu);
    if (!(d->flags & XT_D_NO_DISPATCH)) {
        CHECK(d->from_pcpu == line->last_pcpu, d->vcpu, "from pCPU %d, ran on %d before", d->from_pcpu, line->last_pcpu);
        CHECK(!!(d->flags & XT_D_MIGRATED) ==
                  (!t->core_scheduling && d->from_pcpu != XT_NO_PCPU && d->from_pcpu != d->pcpu),
              d->vcpu, "flags %#x, pCPU %d to %d", d->flags, d->from_pcpu, d->pcpu);
    }
    CHECK(d->decision_ns >= -1 && d->switch_ns >= -1 && d->latency_ns >= -1, d->vcpu, "samples below -1");
    CHECK(d->decision_ns < 0 || (d->decision_ts >= 0 && d->decision_ts + d->decision_ns <= d->run_ts), d->vcpu,
          "decided from %" G_GINT64_FORMAT " for %" G_GINT64_FORMAT " ns, ran from %" G_GINT64_FORMAT, d->decision_ts,
          d->decision_ns, d->run_ts);
    CHECK(d->latency_ns < 0 || d->latency_kind != XT_LATENCY_NONE, d->vcpu, "a latency of no kind");
    CHECK(d->latency_ns <= d->run_ts, d->vcpu, "waited %" G_GINT64_FORMAT " ns by %" G_GINT64_FORMAT, d->latency_ns,
          d->run_ts);
    CHECK(d->end_reason < XT_N_REASONS && d->off_reason < XT_N_REASONS && d->ready_reason < XT_N_REASONS, d->vcpu,
          "reasons");
    CHECK(d->end_reason != XT_REASON_NONE || d->flags & (XT_D_OPEN_END | XT_D_CUT_END) || xt_vcpu_is_idle(d->vcpu),
          d->vcpu, "no reason to end at %" G_GINT64_FORMAT, d->end_ts);
    line->last_pcpu = d->pcpu;

    if (d->off_state != XT_NO_STATE) {
        piece(t, d->vcpu, d->off_ts, d->ready_ts, d->off_state, XT_NO_PCPU, open_first);
        open_first &= d->ready_ts == d->off_ts;
    }
    if (d->run_ts > d->ready_ts) {
        piece(t, d->vcpu, d->ready_ts, d->run_ts, XT_RUNNABLE, XT_NO_PCPU, open_first);
        open_first = false;
    }
    piece(t, d->vcpu, d->run_ts, d->end_ts, XT_RUNNING, d->pcpu, open_first || d->flags & XT_D_OPEN_END);
    return true;
}

static bool on_interval(void *self, const struct xt_interval *i, GError **error)
{
    CHECK(i->state != XT_RUNNING, i->vcpu, "running outside a dispatch");
    CHECK(i->end_ts > i->ts, i->vcpu, "an empty interval at %" G_GINT64_FORMAT, i->ts);
    CHECK(i->reason < XT_N_REASONS, i->vcpu, "reason %d", i->reason);
    piece(self, i->vcpu, i->ts, i->end_ts, i->state, XT_NO_PCPU, i->open_start || i->open_end);
    return true;
}

static bool on_change(void *self, const struct xt_change *c, GError **error)
{
    struct timelines *t = self;

    CHECK(c->ts >= t->last_change_ts, c->vcpu, "time steps back to %" G_GINT64_FORMAT, c->ts);
    CHECK(c->ts <= t->duration_ns, c->vcpu, "a change at %" G_GINT64_FORMAT, c->ts);
    CHECK(c->old_state != c->new_state && c->old_state < XT_UNKNOWN && c->new_state < XT_UNKNOWN, c->vcpu, "%d to %d",
          c->old_state, c->new_state);
    t->last_change_ts = c->ts;
    line_of(t, c->vcpu)->changes++;
    return true;
}

static bool on_decision(void *self, const struct xt_decision *d, GError **error)
{
    struct timelines *t = self;

    CHECK(d->dur_ns >= -1 && d->ts >= 0 && d->ts <= t->duration_ns, d->prev, "decision at %" G_GINT64_FORMAT, d->ts);
    line_of(t, d->prev);
    line_of(t, d->next);
    return true;
}

static bool on_loss(void *self, const struct xt_loss *loss, GError **error)
{
    struct timelines *t = self;

    CHECK(loss->ts >= 0 && loss->ts <= loss->end_ts && loss->end_ts <= t->duration_ns, NULL,
          "lost from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, loss->ts, loss->end_ts);
    CHECK(is_pcpu(t, loss->pcpu), NULL, "lost on pCPU %d", loss->pcpu);
    return true;
}

static bool on_period(void *self, const struct xt_period *p, GError **error)
{
    struct timelines *t = self;

    line_of(t, p->vcpu);
    CHECK(p->deadline >= p->release, p->vcpu, "released at %" G_GINT64_FORMAT, p->release);
    CHECK(p->supplied_ns >= 0 && p->extratime_ns >= 0, p->vcpu, "supplied %" G_GINT64_FORMAT, p->supplied_ns);
    CHECK(!p->missed || p->judged, p->vcpu, "missed but not judged, deadline %" G_GINT64_FORMAT, p->deadline);
    CHECK(!p->judged || p->deadline <= t->duration_ns, p->vcpu, "judged behind the run's end");
    return true;
}

static bool on_end(void *self, GError **error)
{
    struct timelines *t = self;

    for (guint i = 0; i < t->lines->len; i++) {
        const struct line *line = &g_array_index(t->lines, struct line, i);
        CHECK(!line->changes || line->end_ts == t->duration_ns, line->vcpu,
              "its time ends at %" G_GINT64_FORMAT ", the run at %" G_GINT64_FORMAT, line->end_ts, t->duration_ns);
        CHECK(line->changes || !line->any, line->vcpu, "pieces without a change of state");
    }
    return true;
}

struct timelines *timelines_new(void (*each)(void *user, const struct timeline_piece *piece), void *user)
{
    struct timelines *t = g_new0(struct timelines, 1);

    t->sink = (struct xt_sink){
        .self = t,
        .begin = on_begin,
        .vcpu = on_vcpu,
        .dispatch = on_dispatch,
        .interval = on_interval,
        .change = on_change,
        .decision = on_decision,
        .loss = on_loss,
        .period = on_period,
        .end = on_end,
    };
    t->lines = g_array_new(FALSE, TRUE, sizeof(struct line));
    t->each = each;
    t->user = user;
    return t;
}

void timelines_free(struct timelines *timelines)
{
    if (!timelines)
        return;
    g_array_unref(timelines->lines);
    g_free(timelines);
}

const struct xt_sink *timelines_sink(struct timelines *timelines)
{
    return &timelines->sink;
}
