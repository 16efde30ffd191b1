/* The state of a host while its trace is replayed; private to parse/. timeline.c keeps each VCPU's runstates in it,
 * server.c each server's periods. */
#pragma once

#include "parse/clock.h"
#include "parse/layout.h"
#include "parse/reconstruct.h"
#include "parse/sink.h"
#include "parse/step.h"
#include "parse/vcpu-map.h"

/* A finished piece of a VCPU's time that waits for the dispatch that will carry it. */
struct piece {
    bool have;
    enum xt_state state;
    enum xt_reason reason;
    int64_t ts, end_ts;
    bool open_start;
};

struct vstate {
    struct xt_vcpu id;
    uint32_t known_at; /* place in machine.known, UINT32_MAX if not in it */
    bool seen;         /* a runstate change of it was read */

    enum xt_state state; /* the present piece; XT_UNKNOWN after a cut */
    enum xt_reason reason;
    int64_t since;
    bool open_start;
    int32_t pcpu, last_pcpu; /* where it runs; where it last ran */
    bool lost_since_run;

    struct piece off, wait; /* of the dispatch to come */
    struct xt_dispatch dispatch; /* the present one, while running */

    enum xt_latency waiting_for; /* what it became eligible by, XT_LATENCY_NONE if nothing is measured */
    int64_t eligible_since;      /* -1: depleted, not yet eligible */
    bool wait_lost;              /* lost records touch that wait */
    int64_t level;               /* RTDS priority level as last stated, -1 unknown */
    struct server *server;       /* NULL: it is none */
    struct conform_vcpu *conform;
};

struct pstate {
    const struct xt_pcpu *info;
    uint64_t raised; /* bit i: the burn of number n_burns - i raised the priority level */
    uint32_t n_burns;
    bool in_gap;
    int64_t gap_ts, gap_end; /* of the present gap; end of the last one, -1 */
};

/* The sinks that have one function. */
struct listeners {
    unsigned n;
    const struct xt_sink *sinks[XT_MAX_SINKS];
};

struct machine {
    struct xt_trace *trace;
    const struct xt_survey *survey;
    const struct xt_recording *recording;
    const struct xt_reconstruct_options *options;
    struct xt_run run;
    struct xt_clock clock;
    struct {
        struct listeners begin, vcpu, dispatch, interval, change, decision, overhead, replenish, period, loss, violation, server,
            rule;
    } listeners;
    bool blame; /* a sink wants to know what misses are to be blamed on */
    int64_t now; /* ts of the record at hand; never steps back */

    struct pstate *pcpus;  /* by slot */
    GPtrArray *vcpus;      /* of struct vstate, by index */
    struct vcpu_map by_id; /* of struct vstate */
    GPtrArray *known;      /* VCPUs whose state is known at present */
    uint32_t open_gaps;
    int64_t last_gap_end;  /* on any pCPU, -1 */
    struct servers *servers;
    int64_t next_deadline; /* of the periods not yet judged, INT64_MAX none */
    struct conform *conform;
    int64_t next_window;   /* end of the window of caps and weights at hand, INT64_MAX: none are known */
};

#define XT_EMIT(machine_, function_, value_, error_) \
    ({ \
        const struct listeners *to_ = &(machine_)->listeners.function_; \
        bool ok_ = true; \
        for (unsigned i_ = 0; ok_ && i_ < to_->n; i_++) \
            ok_ = to_->sinks[i_]->function_(to_->sinks[i_]->self, value_, error_); \
        ok_; \
    })

static inline uint32_t vcpu_key(const struct vstate *v)
{
    return (uint32_t)v->id.domid << 16 | v->id.vcpu;
}

struct vstate *machine_make_vcpu(struct machine *m, uint32_t id, GError **error);

/* Finds or makes the VCPU of a packed id; NULL with error if a sink refused it. */
static inline struct vstate *machine_vcpu(struct machine *m, uint32_t id, GError **error)
{
    struct vstate *v = vcpu_map_find(&m->by_id, id);

    return G_LIKELY(v) ? v : machine_make_vcpu(m, id, error);
}

/* What was read contradicts itself. False with XT_ERROR_AGAIN unless it is known why: TSCs must be looked at. */
bool machine_doubt(struct machine *m, GError **error);

/* timeline.c */
bool timeline_change(struct machine *m, struct pstate *p, struct vstate *v, const struct step *step, GError **error);
bool timeline_gap(struct machine *m, struct pstate *p, GError **error);
void timeline_eligible(struct machine *m, struct vstate *v); /* its budget was replenished */
bool timeline_end(struct machine *m, GError **error);
