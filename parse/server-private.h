/* What server.c, blame.c and conform.c share of servers. Private to them. */
#pragma once

#include "parse/deque.h"
#include "parse/heap.h"
#include "parse/learn.h"
#include "parse/machine.h"
#include "parse/server.h"
#include "parse/snapshot.h"

#define READY_TIMES 128
/* How late a replenishment may come, beyond its period, and still find all of the past that it needs: emulated hosts
 * stall for tens of ms. */
#define LATE_NS 200000000
/* Xen's own lower bound; shorter reservations from outside are refused. */
#define MIN_REFERENCE_NS 10000
#define MAX_DEADLINE_NS (INT64_MAX / 4) /* beyond this a deadline is damage, and sums would overflow */

/* A server that is replenished twice in an hour seems to have a period of that length: memory must not depend on it. */
#define MAX_OCCUPANCIES (1u << 18)
#define MAX_SPANS (1u << 17)
#define MAX_PERIODS (1u << 16)

/* A finished piece of a VCPU's time. */
struct span {
    int64_t ts, end_ts;
    uint8_t state; /* enum xt_state */
    bool extra;    /* ran at a lower priority level */
};

/* Who held a pCPU from ts until the next occupancy begins. */
struct occupancy {
    int64_t ts;
    struct vstate *v; /* NULL: unknown */
    int64_t deadline; /* ts; INT64_MIN unknown */
    bool extra;       /* at a lower priority level */
    int64_t doubt_ts; /* since when lost records can have changed that */
};

struct period {
    int64_t release, deadline; /* ts */
    int64_t period_ns, budget_ns;
};

struct server {
    struct deque spans;   /* of struct span */
    int64_t longest;      /* period so far: how far back spans are needed */
    int64_t ready[READY_TIMES]; /* the last times that it became ready (blocked or offline -> runnable), a ring */
    unsigned n_ready;
    struct deque open;     /* of struct period, ascending: not yet judged */
    struct deque deferred; /* of struct period: its state at their deadlines is not known yet */
    const GArray *reservations; /* of struct xt_reservation; NULL: reference */
    int64_t split_ts;     /* of the present piece, what lies before is in spans already */
    bool extra;           /* priority level above 0 */
    int64_t deadline;     /* ts of the present one, INT64_MIN unknown */
    int64_t told_ts;      /* when a replenishment told it */
    bool have_deadline_now;
    int64_t last_deadline_now;
    bool reference;       /* judged by a reservation from outside: periods follow each other from ts 0 */
    int64_t period_ns, budget_ns; /* of that; of a server of its own, the present ones */
    bool affinity_known;
    struct xt_pcpu_set *usable; /* hard affinity within its pool, else where it ran so far */
};

struct servers {
    struct xt_learned learned;
    bool blame;               /* somebody will ask who held the pCPUs */
    struct heap open;         /* every open period: its deadline's key, its VCPU's index */
    uint64_t n_deferred;      /* of all servers; beyond MAX_PERIODS a period is judged without waiting, as unknown */
    struct deque *occupancy;  /* by slot, of struct occupancy */
    int64_t longest;          /* of all servers: how far back occupancies are needed */
    int64_t tolerance;
    /* beyond the limits above the oldest go, and what they would have told is unknown */
    uint64_t more_occupancies, more_spans; /* by how many items all rings of them have grown */
    GArray *parts;            /* of struct xt_blame_part, scratch */
    GArray *held;             /* of struct held, scratch */
};

/* Number of the first of its spans that ends after ts; they are in order of time. */
guint server_first_span(const struct server *s, int64_t ts);

/* Who waits: what others are compared with. */
struct rank {
    const struct vstate *v;
    int64_t deadline, period_ns; /* ts of the deadline */
    bool reference;              /* reservations from outside are compared */
};

/* A pCPU that someone could have used, and who held it. */
struct held {
    int64_t ts, end_ts;
    int32_t pcpu;
    struct vstate *by; /* NULL unknown */
    enum xt_blame blame;
};

/* The pCPUs that a VCPU may use by the host snapshot: its hard affinity within its pool. false: it does not tell. */
bool server_snapshot_pcpus(const struct machine *m, const struct xt_host_vcpu *host, struct xt_pcpu_set *set);

/* blame.c: v (NULL: unknown) holds a pCPU from now on. */
void blame_occupy(struct machine *m, uint32_t slot, struct vstate *v);
/* A deadline or level of v changed: if it runs, it goes on under the new one. */
void blame_reoccupy(struct machine *m, struct vstate *v);
/* The pCPU loses records from now on. */
void blame_gap(struct machine *m, uint32_t slot);
/* Fills servers->held with what the pCPUs that rank->v could have used did in [from, to). */
void blame_collect(struct machine *m, const struct rank *rank, int64_t from, int64_t to);
/* Divides [from, to) by cause, adding to blame_ns and to servers->parts. */
void blame_wait(struct machine *m, const struct rank *rank, int64_t from, int64_t to, int64_t blame_ns[XT_N_BLAMES]);
