/* What one record, or a decision made of several, means for the run: the link between the records of single pCPUs
 * (decision.c) and the run that they form together (reconstruct.c). Private to parse/. */
#pragma once

#include "parse/record.h"
#include "parse/sink.h"

#define XT_NOBODY UINT32_MAX

enum step_kind {
    STEP_CHANGE,    /* a runstate change of vcpu */
    STEP_DECISION,  /* a decision that dispatched nobody */
    STEP_BURN,
    STEP_REPLENISH,
    STEP_GAP,       /* records are lost from here on */
    STEP_LOST,      /* up to here */
    STEP_OVERHEAD,
    /* only for conformance: */
    STEP_SCHEDULE,  /* a decision begins */
    STEP_TICKLE,
    STEP_PICK,
    STEP_TSC_BACK,
};

enum step_flag {
    STEP_F_NO_BURN = 1u << 0,   /* DECISION, CHANGE to running: the decision lacks its burn record */
    STEP_F_TICKLED = 1u << 1,   /* DECISION, CHANGE to running: the pCPU had been tickled */
    STEP_F_IS_SWITCH = 1u << 2, /* DECISION */
    STEP_F_LEFT_NO_BURN = 1u << 3, /* CHANGE from running to runnable: no burn record tells why */
};

/* VCPUs are domain << 16 | vcpu, XT_NOBODY none. */
struct step {
    int64_t ts; /* of the largest TSC so far on its pCPU */
    uint32_t vcpu, prev, next; /* CHANGE: prev left the pCPU to it, next took it over; DECISION, OVERHEAD: prev, next */
    uint8_t kind;  /* enum step_kind */
    uint8_t old_state, new_state, reason;
    uint32_t burn; /* CHANGE from running: number of its burn on this pCPU, from 1; 0 none */
    uint32_t flags;
    union {
        struct {
            int64_t budget_left_ns, decision_ns, switch_ns; /* -1 none */
        } change;
        struct {
            int64_t ts, dur_ns; /* dur_ns -1: no sample */
        } decision;
        struct {
            int64_t budget_ns, delta_ns, level;
        } burn_budget;
        struct {
            int64_t deadline, budget_ns;
        } replenish;
        struct {
            int64_t kind, dur_ns; /* enum xt_fork_overhead */
            bool migrated;
        } overhead;
        int64_t lost_records; /* LOST */
        int64_t slice_end;    /* SCHEDULE: when the armed slice runs out, -1 */
        int64_t pcpu;         /* TICKLE */
        int64_t budget_ns;    /* PICK */
        struct {
            uint64_t cycles;  /* by how much */
            int64_t ts;       /* of the record that steps back */
        } tsc_back;
    };
};

/* Steps in order of time: TSC, then pCPU number; within a pCPU as its records come. */
struct xt_trace;
struct xt_clock;
struct steps;

/* What becomes a step. */
struct step_options {
    const struct xt_clock *clock;
    const struct xt_run *run;
    bool conformance; /* also what only conformance needs */
};

/* trace, clock and run must outlive it; other threads may be at work for it until it is freed. */
struct steps *steps_new(const struct xt_trace *trace, const struct step_options *options);
void steps_free(struct steps *steps);

/* Steps of one pCPU that come before the first of any other, at least one. */
struct step_run {
    const struct step *steps;
    unsigned n;
    uint32_t slot; /* of the pCPU */
};

/* The next run, which is valid until the next call. False at the end, or with error set. */
bool steps_next(struct steps *steps, struct step_run *run, GError **error);
