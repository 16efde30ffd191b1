/* What credit2.c (decisions, caps) and credit2-load.c (loads, run queues and moving between them) share. */
#ifndef SYNTH_CREDIT2_H
#define SYNTH_CREDIT2_H

#include "records.h"
#include "synth.h"

enum { GRANULARITY = 10, WINDOW = 20, PRECISION = 18, QUEUE_PCPUS = 16 };
enum {
    RUNQ_POS = 0x22202,
    BURN = 0x22203,
    TICKLE_CHECK = 0x22205,
    TICKLE = 0x22206,
    RESET = 0x22207,
    UPDATE_LOAD = 0x22209,
    RUNQ_ASSIGN = 0x2220a,
    UNIT_LOAD = 0x2220b,
    RUNQ_LOAD = 0x2220c,
    TICKLE_NEW = 0x2220d,
    MAX_WEIGHT = 0x2220e,
    MIGRATE = 0x2220f,
    LOAD_CHECK = 0x22210,
    LOAD_BALANCE = 0x22211,
    PICKED_CPU = 0x22213,
    CANDIDATE = 0x22214,
    SCHEDULE = 0x22215,
    RATELIMIT = 0x22216,
    CAND_CHECK = 0x22217
};

struct runq;

struct sy_credit2 {
    struct sy_vcpu *v;
    struct sy_credit2 *prev, *next;
    bool queued, scheduled, delayed_add, yielding, migrate_request;
    struct runq *rq, *migrate_to;
    int credit;
    int64_t residual, start_time, avgload, load_updated;
    int64_t budget, quota; /* of a capped domain */
    int tickled_cpu;
};

struct runq {
    unsigned id;
    struct sy_credit2 *head, *tail;
    GPtrArray *all; /* of struct sy_credit2 assigned here, in that order; not owned */
    struct sy_mask active, idle, tickled;
    int64_t load, avgload, b_avgload, load_updated;
    unsigned max_weight, pick_bias;
};

struct c2_dom {
    struct sy_domain *dom;
    struct sy_sim *sim;
    int64_t budget, tot_budget, next_repl;
    struct sy_timer timer;
    GQueue parked; /* of struct sy_credit2 */
};

struct c2_pool {
    unsigned n;
    struct runq *rq; /* owned */
    GPtrArray *doms; /* of struct c2_dom, owned */
};

/* Change of load: -1, 0 or 1; `s` may be NULL. Writes update_load, runq_load and unit_load. */
void c2_update_load(struct sy_pcpu *on, struct runq *q, struct sy_credit2 *s, int change, int64_t now);
void c2_assign(struct sy_pcpu *on, struct sy_credit2 *s, struct runq *q);
void c2_deassign(struct sy_pcpu *on, struct sy_credit2 *s);
void c2_migrate(struct sy_sim *sim, struct sy_pcpu *on, struct sy_credit2 *s, struct runq *to, int64_t now);
void c2_balance_load(struct sy_sim *sim, struct sy_pcpu *on, struct runq *l, int64_t now);
/* The pCPUs of a queue that s may use. */
struct sy_mask c2_allowed_in(const struct sy_credit2 *s, const struct runq *q);

void c2_runq_insert(struct sy_pcpu *on, struct sy_credit2 *s);
void c2_runq_remove(struct sy_credit2 *s);
void c2_tickle_cpu(struct sy_sim *sim, struct sy_pcpu *on, struct runq *q, unsigned cpu);
void c2_runq_tickle(struct sy_sim *sim, struct sy_pcpu *on, struct sy_credit2 *s, int64_t now);

#endif
