/* The model: what a host is made of, and the calls between its parts.
 *
 * Time inside the model is `cycles` since the model began (tracing starts at sim->t0, after a warm-up).
 * A record's TSC is start_tsc + (cycles - t0) + the skew of its pCPU; ledger times (`ts`) are ns since the
 * first record; `now` is Xen system time, the value NOW() would have returned. */
#ifndef SYNTH_H
#define SYNTH_H

#include <glib.h>
#include <stdbool.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#include "mask.h"
#include "rng.h"
#include "timer.h"

#define SY_IDLE_DOMID 32767u
#define SY_MAX_VCPUS 4096u
#define SY_NS_PER_S 1000000000ll

enum sy_state { SY_RUNNING, SY_RUNNABLE, SY_BLOCKED, SY_OFFLINE, SY_UNKNOWN };

/* Trace layouts, by the Xen version that introduced them. */
enum sy_xen { SY_XEN_4_5, SY_XEN_4_7, SY_XEN_4_9, SY_XEN_4_17, SY_XEN_4_18 };

enum sy_server { SY_DEFERRABLE, SY_PERIODIC, SY_POLLING, SY_SPORADIC };

struct sy_sim;
struct sy_pcpu;
struct sy_vcpu;
struct sy_pool;

struct sy_decision {
    struct sy_vcpu *next;
    int64_t slice_ns; /* -1: no timer */
};

/* A scheduling policy. All are called with the pool's lock held (see sy_lock). */
struct sy_policy {
    const char *xl_name;
    bool global_lock; /* one lock per pool, else one per pCPU */
    void (*pool_init)(struct sy_sim *sim, struct sy_pool *pool);
    void (*insert)(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v);
    void (*remove)(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v);
    void (*wake)(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v);
    void (*sleep)(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v);
    void (*yield)(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v);
    struct sy_decision (*schedule)(struct sy_sim *sim, struct sy_pcpu *on, int64_t now);
    void (*context_saved)(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *prev);
    unsigned (*pick_cpu)(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v);
    void (*moved)(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v, unsigned cpu); /* may be NULL */
    void (*audit)(struct sy_sim *sim, struct sy_pcpu *on, struct sy_pool *pool); /* may be NULL; see rtds.c */
    void (*audit_end)(struct sy_sim *sim, struct sy_pcpu *on, struct sy_pool *pool);
    void (*pool_free)(struct sy_sim *sim, struct sy_pool *pool);
};

struct sy_lock {
    uint64_t free_at;
};

struct sy_pool {
    char name[16];
    unsigned id;
    const struct sy_policy *policy;
    struct sy_mask cpus;
    struct sy_lock lock;
    void *priv; /* owned by the policy */
};

struct sy_ring;

struct sy_pcpu {
    unsigned id;
    struct sy_sim *sim;
    struct sy_pool *pool;
    uint64_t clk;                 /* how far this pCPU has got, cycles */
    int64_t skew;                 /* of its TSC, cycles */
    double now_off_ns, now_drift; /* its system time: off by the former plus the latter times the time */
    struct sy_vcpu *curr, *idle;
    struct sy_timer softirq, slice, guest, tick;
    uint64_t raised, raised_at; /* the latest softirq: when it was raised, when it gets here */
    struct sy_lock own_lock;
    struct sy_ring *ring;
    void *priv; /* owned by the policy */
    /* The decision in progress, as far as records of it were written. */
    bool burn_seen, burn_zero;
    uint64_t lost_from; /* clk of the first record of the loss under way */
    /* A fault: the budget timer comes this late. */
    uint64_t overrun_cycles;
};

/* What a VCPU's guest does. */
enum sy_guest_kind { SY_GUEST_PERIODIC, SY_GUEST_SPORADIC, SY_GUEST_HOG };

struct sy_guest {
    enum sy_guest_kind kind;
    uint64_t period, exec; /* cycles, means */
    double exec_jitter;    /* executions are uniform in exec*(1 +- jitter) */
    uint64_t yield_every;  /* mean cycles of run time between yields, 0 never */
    uint64_t work_left, to_yield;
    uint64_t run_since;
    struct sy_timer release;
};

struct sy_rtds;
struct sy_credit;
struct sy_credit2;
struct sy_ledger_vcpu;

struct sy_domain {
    uint16_t domid;
    char name[64];
    unsigned vcpus, weight, cap;
    struct sy_pool *pool;
    struct sy_vcpu **vcpu;
    void *priv;           /* owned by the policy */
    bool destroyed, busy; /* busy: paused, or not up yet */
};

struct sy_vcpu {
    uint16_t domid, id;
    unsigned index; /* in sim->vcpu; idle VCPUs have none */
    struct sy_domain *dom;
    struct sy_pool *pool;
    bool is_idle, blocked, is_running, migrating, parked, exists;
    int paused;
    enum sy_state state;
    unsigned cpu; /* "processor": where it ran last or shall run next */
    struct sy_mask affinity;
    int64_t entry_ns; /* system time of the last switch in or out */
    /* reservation, ns */
    int64_t period, budget;
    int64_t first_period, first_budget; /* before any change */
    int64_t deadline;                   /* system time, of the current period; 0 where there are none */
    bool extratime;
    enum sy_server server;
    struct sy_guest guest;
    union {
        struct sy_rtds *rtds;
        struct sy_credit *credit;
        struct sy_credit2 *credit2;
        void *priv;
    };
    struct sy_ledger_vcpu *led;
};

struct sy_options; /* options.h */
struct sy_ledger;
struct sy_writer;
struct sy_faults;
struct sy_lifecycle;

struct sy_sim {
    const struct sy_options *opt;
    uint64_t hz, t0, start_tsc, t_end;
    int64_t now_base_ns;
    uint64_t sec_base, sec_ns; /* cache of the whole second last converted */
    struct sy_rng rng, rng_cost;
    struct sy_heap heap;
    unsigned pcpus;
    struct sy_pcpu *pcpu;
    unsigned pools;
    struct sy_pool *pool;
    unsigned domains;
    struct sy_domain **domain;
    unsigned vcpus;
    struct sy_vcpu **vcpu;
    enum sy_xen xen;
    bool tracing, stop;
    uint64_t record_cost, cost_mask; /* cycles: least, and mask of the random rest */
    struct sy_writer *writer;
    struct sy_ledger *ledger;
    struct sy_faults *faults;
    struct sy_lifecycle *life;
    struct sy_timer poll, start, end, fault_timer;
};

/* time.c */
int64_t sy_ns(struct sy_sim *sim, uint64_t cycles);       /* floor, since the model began */
uint64_t sy_cycles(const struct sy_sim *sim, int64_t ns); /* ceil */
int64_t sy_now(struct sy_sim *sim, uint64_t cycles);
uint64_t sy_at_now(const struct sy_sim *sim, int64_t now_ns); /* cycles at which NOW() first reads now_ns */
int64_t sy_ts(struct sy_sim *sim, uint64_t cycles);           /* ns since the first record */
int64_t sy_pnow(struct sy_pcpu *c);                           /* NOW() on a pCPU */
uint64_t sy_at_pnow(struct sy_pcpu *c, int64_t now_ns);
uint64_t sy_us(const struct sy_sim *sim, double us);

/* engine.c: what Xen's common scheduling code does */
void sy_engine_schedule(struct sy_sim *sim, struct sy_pcpu *c);
void sy_engine_wake(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v);
void sy_engine_block(struct sy_sim *sim, struct sy_pcpu *c);
void sy_engine_yield(struct sy_sim *sim, struct sy_pcpu *c);
void sy_engine_pause(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v);
void sy_engine_unpause(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v);
void sy_engine_insert(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v);
void sy_engine_remove(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v);
void sy_engine_set_affinity(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v,
                            struct sy_mask affinity);
void sy_raise_softirq(struct sy_sim *sim, struct sy_pcpu *from, unsigned target);
void sy_interrupt(struct sy_pcpu *c, uint64_t at);
void sy_spend(struct sy_pcpu *c, double mean_us);
void sy_lock(struct sy_pcpu *c, struct sy_lock *lock);
void sy_unlock(struct sy_pcpu *c, struct sy_lock *lock);

static inline bool sy_runnable(const struct sy_vcpu *v)
{
    return v->is_idle || (!v->blocked && v->paused == 0 && !v->migrating && !v->parked);
}

/* guest.c */
void sy_guest_init(struct sy_sim *sim, struct sy_vcpu *v);
/* Work for a VCPU that blocked: it is no longer blocked. */
void sy_guest_new_job(struct sy_sim *sim, struct sy_vcpu *v);
void sy_guest_start(struct sy_sim *sim, struct sy_pcpu *c);
void sy_guest_stop(struct sy_sim *sim, struct sy_pcpu *c);
void sy_guest_act(struct sy_sim *sim, void *arg, uint64_t at);

extern const struct sy_policy sy_policy_rtds, sy_policy_credit, sy_policy_credit2, sy_policy_null;

#endif
