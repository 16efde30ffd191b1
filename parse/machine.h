/* The state of a host while its trace is replayed; private to parse/. timeline.c keeps each VCPU's
 * runstates in it, decision.c each pCPU's scheduling decisions, server.c each server's periods. */
#pragma once

#include "parse/clock.h"
#include "parse/layout.h"
#include "parse/reconstruct.h"
#include "parse/sink.h"

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

/* What the records of a scheduling decision told so far. */
struct decision {
    bool open, start_known, tickled, tasklet, ratelimited;
    enum xt_scheduler scheduler;
    int64_t ts;
    int64_t slice_ns; /* as armed by infnext or infcont, -1 none */
    bool burnt, raised; /* a burn record came; it raised the priority level */
    uint32_t burnt_vcpu;
    int64_t budget_ns;
};

struct pstate {
    const struct xt_pcpu *info;
    struct decision decision;
    bool lost_since_decision, decided; /* since the last decision; any decision so far */
    uint32_t yielded, blocking;        /* VCPU of a yield or block record not yet spent, XT_NOBODY */
    int64_t slice_end;                 /* when the armed slice runs out, -1 */

    bool switching; /* a switch record was read, the change to running of its next VCPU not yet */
    struct decision switch_decision;
    struct vstate *switch_prev, *switch_next;
    int64_t switch_ts, switch_decision_ns;
    bool switch_yielded, switch_aborted, switch_slice_over, switch_no_burn;

    bool in_gap;
    int64_t gap_ts, gap_end; /* of the present gap; end of the last one, -1 */
};

#define XT_NOBODY UINT32_MAX
#define XT_FOUND 256

struct machine {
    struct xt_trace *trace;
    const struct xt_survey *survey;
    const struct xt_recording *recording;
    const struct xt_reconstruct_options *options;
    struct xt_run run;
    struct xt_clock clock;
    const struct xt_sink *const *sinks;
    unsigned n_sinks;
    int64_t now; /* ts of the record at hand; never steps back */

    struct pstate *pcpus;  /* by slot */
    GPtrArray *vcpus;      /* of struct vstate, by index */
    GHashTable *by_id;     /* packed id + 1 -> struct vstate */
    struct vstate *found[XT_FOUND]; /* the last ones, by the low bits of their packed ids */
    GPtrArray *known;      /* VCPUs whose state is known at present */
    uint32_t open_gaps;
    int64_t last_gap_end;  /* on any pCPU, -1 */
    struct servers *servers;
    struct conform *conform;
};

#define XT_EMIT(machine_, function_, value_, error_) \
    ({ \
        bool ok_ = true; \
        for (unsigned i_ = 0; ok_ && i_ < (machine_)->n_sinks; i_++) \
            if ((machine_)->sinks[i_]->function_) \
                ok_ = (machine_)->sinks[i_]->function_((machine_)->sinks[i_]->self, value_, error_); \
        ok_; \
    })

static inline uint32_t vcpu_key(const struct vstate *v)
{
    return (uint32_t)v->id.domid << 16 | v->id.vcpu;
}

/* Finds or makes the VCPU; NULL with error if a sink refused it. */
struct vstate *machine_vcpu(struct machine *m, uint32_t domid, uint32_t vcpu, GError **error);

/* timeline.c */
bool timeline_change(struct machine *m, struct pstate *p, struct vstate *v, enum xt_state old_state,
                     enum xt_state new_state, GError **error);
bool timeline_gap(struct machine *m, struct pstate *p, GError **error);
void timeline_eligible(struct machine *m, struct vstate *v); /* its budget was replenished */
bool timeline_end(struct machine *m, GError **error);

/* decision.c */
bool decision_record(struct machine *m, struct pstate *p, const struct xt_layout *layout, const int64_t *slots,
                     GError **error);
/* Why v, which this pCPU ran, becomes runnable. */
enum xt_reason decision_reason(struct machine *m, struct pstate *p, const struct vstate *v, bool *no_burn,
                               int64_t *budget_ns);
/* Fills in what the decision tells of a dispatch of v, and spends it. */
void decision_dispatched(struct machine *m, struct pstate *p, const struct vstate *v, struct xt_dispatch *dispatch);
/* Who took over from v, NULL unknown. */
const struct xt_vcpu *decision_next(const struct pstate *p, const struct vstate *v);
bool decision_gap(struct machine *m, struct pstate *p, GError **error);
bool decision_end(struct machine *m, struct pstate *p, GError **error);
