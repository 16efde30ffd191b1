/* Credit2 as in Xen 4.17: run queues of up to 16 pCPUs, loads, load balancing between queues, credit resets, rate limit,
 * caps with parking. Simplified: one lock per pool, no soft affinity, no hyperthreads. */
#include "synth.h"

#include "options.h"
#include "records.h"

#define CREDIT_INIT 10000000
#define CREDIT_MIN (-CREDIT_INIT)
#define IDLE_CREDIT (CREDIT_MIN - 1)
#define CARRYOVER_MAX 500000
#define MIN_TIMER_NS 500000ll
#define MAX_TIMER_NS 10000000ll
#define RATELIMIT_NS 1000000ll
#define TICKLE_TOLERANCE_NS 50000ll
#define MIGRATE_RESIST 500000
#define MIGRATE_COMPENSATION 50000
#define CAP_PERIOD_NS 10000000ll

enum { GRANULARITY = 10, WINDOW = 20, PRECISION = 18, QUEUE_PCPUS = 16 };
enum {
    RUNQ_POS = 0x22202, BURN = 0x22203, TICKLE_CHECK = 0x22205, TICKLE = 0x22206, RESET = 0x22207, UPDATE_LOAD = 0x22209,
    RUNQ_ASSIGN = 0x2220a, UNIT_LOAD = 0x2220b, RUNQ_LOAD = 0x2220c, TICKLE_NEW = 0x2220d, MAX_WEIGHT = 0x2220e,
    MIGRATE = 0x2220f, LOAD_CHECK = 0x22210, LOAD_BALANCE = 0x22211, PICKED_CPU = 0x22213, CANDIDATE = 0x22214,
    SCHEDULE = 0x22215, RATELIMIT = 0x22216, CAND_CHECK = 0x22217
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
    struct runq *rq;  /* owned */
    GPtrArray *doms;  /* of struct c2_dom, owned */
};

#define EMIT(c, event, ...)                                                                       \
    rec_raw(c, event, sizeof((uint32_t[]){__VA_ARGS__}) / 4, (const uint32_t[]){__VA_ARGS__})
#define LO(x) (uint32_t)(uint64_t)(x)
#define HI(x) (uint32_t)((uint64_t)(x) >> 32)

static struct runq *queue_of(struct sy_sim *sim, unsigned cpu)
{
    return sim->pcpu[cpu].priv;
}

static struct c2_dom *dom_of(const struct sy_credit2 *s)
{
    return s->v->dom->priv;
}

static bool capped(const struct sy_credit2 *s)
{
    return s->v->dom->cap != 0;
}

/* The 16 bits beside a 16-bit field are stack garbage up to 4.17. */
static uint32_t garbage(struct sy_pcpu *c, unsigned shift)
{
    return c->sim->xen == SY_XEN_4_17 ? sy_rng_u32(&c->sim->rng_cost) << shift : 0;
}

static int64_t decay(int64_t avg, int64_t delta, int64_t load)
{
    return avg + ((delta * (load << PRECISION)) >> WINDOW) - ((delta * avg) >> WINDOW);
}

static void runq_load(struct sy_pcpu *on, struct runq *q, int change, int64_t now)
{
    now >>= GRANULARITY;
    if (q->load_updated + (1ll << WINDOW) < now) {
        q->avgload = q->b_avgload = q->load << PRECISION;
    } else {
        int64_t delta = MAX(now - q->load_updated, 0);
        q->avgload = decay(q->avgload, delta, q->load);
        q->b_avgload = decay(q->b_avgload, delta, q->load);
    }
    q->load += change;
    q->load_updated = now;
    EMIT(on, RUNQ_LOAD, LO(q->avgload), HI(q->avgload), LO(q->b_avgload), HI(q->b_avgload),
         ((uint32_t)q->load & 0xffff) | (q->id & 0xff) << 16 | (uint32_t)PRECISION << 24, garbage(on, 0));
}

static void unit_load(struct sy_pcpu *on, struct sy_credit2 *s, int change, int64_t now)
{
    int64_t load = change ? change < 0 : sy_runnable(s->v);

    now >>= GRANULARITY;
    if (s->load_updated + (1ll << WINDOW) < now)
        s->avgload = load << PRECISION;
    else
        s->avgload = decay(s->avgload, MAX(now - s->load_updated, 0), load);
    s->load_updated = now;
    EMIT(on, UNIT_LOAD, LO(s->avgload), HI(s->avgload), rec_dv(s->v), PRECISION);
}

static void update_load(struct sy_pcpu *on, struct runq *q, struct sy_credit2 *s, int change, int64_t now)
{
    rec_raw(on, UPDATE_LOAD, 0, NULL);
    runq_load(on, q, change, now);
    if (s)
        unit_load(on, s, change, now);
}

static void runq_insert(struct sy_pcpu *on, struct sy_credit2 *s)
{
    struct runq *q = s->rq;
    struct sy_credit2 *i = q->head;
    uint32_t pos = 0;

    for (; i && s->credit <= i->credit; i = i->next)
        pos++;
    s->next = i;
    s->prev = i ? i->prev : q->tail;
    *(s->prev ? &s->prev->next : &q->head) = s;
    *(i ? &i->prev : &q->tail) = s;
    s->queued = true;
    EMIT(on, RUNQ_POS, rec_dv(s->v), pos);
}

static void runq_remove(struct sy_credit2 *s)
{
    struct runq *q = s->rq;

    *(s->prev ? &s->prev->next : &q->head) = s->next;
    *(s->next ? &s->next->prev : &q->tail) = s->prev;
    s->prev = s->next = NULL;
    s->queued = false;
}

static void burn(struct sy_pcpu *on, struct sy_credit2 *s, int64_t now)
{
    int64_t delta = now - s->start_time;

    if (delta > 0) {
        int64_t weight = s->v->dom->weight, val = delta * s->rq->max_weight + s->residual;
        s->residual = val % weight;
        s->credit = (int)MAX(s->credit - val / weight, CREDIT_MIN);
        if (capped(s))
            s->budget -= delta;
        s->start_time = now;
    }
    EMIT(on, BURN, rec_dv(s->v), (uint32_t)s->credit, capped(s) ? (uint32_t)s->budget : 0x80000000u, (uint32_t)delta);
}

static void tickle_cpu(struct sy_sim *sim, struct sy_pcpu *on, struct runq *q, unsigned cpu)
{
    sy_mask_set(&q->tickled, cpu);
    sy_raise_softirq(sim, on, cpu);
}

static int64_t tickle_score(struct sy_sim *sim, struct sy_pcpu *on, const struct sy_credit2 *s, unsigned cpu, int64_t now)
{
    struct sy_vcpu *cur = sim->pcpu[cpu].curr;

    if (cur->is_idle || now - cur->entry_ns <= RATELIMIT_NS - TICKLE_TOLERANCE_NS)
        return -1;
    burn(on, cur->credit2, now);
    int64_t score = (int64_t)s->credit - cur->credit2->credit;
    if (s->v->cpu != cpu)
        score -= MIGRATE_RESIST;
    /* Without soft affinity every pCPU is in it. */
    if (score > 0)
        score += CREDIT_INIT;
    EMIT(on, TICKLE_CHECK, rec_dv(cur), (uint32_t)cur->credit2->credit, (uint32_t)score);
    return score;
}

static void runq_tickle(struct sy_sim *sim, struct sy_pcpu *on, struct sy_credit2 *s, int64_t now)
{
    struct runq *q = s->rq;
    unsigned cpu = s->v->cpu, target;

    EMIT(on, TICKLE_NEW, rec_dv(s->v), cpu, (uint32_t)s->credit);
    struct sy_mask allowed = sy_mask_and(&s->v->affinity, &q->active);
    struct sy_mask m = sy_mask_and(&q->idle, &allowed);
    m = sy_mask_andnot(&m, &q->tickled);
    target = sy_mask_test_or_cycle(&m, cpu);
    if (target == SY_NO_PCPU) {
        int64_t max = 0;
        m = sy_mask_andnot(&allowed, &q->idle);
        m = sy_mask_andnot(&m, &q->tickled);
        if (sy_mask_test(&m, cpu)) {
            sy_mask_clear(&m, cpu);
            max = tickle_score(sim, on, s, cpu, now);
            if (max > 0)
                target = cpu;
        }
        for (unsigned i = sy_mask_from(&m, 0); target != cpu && i != SY_NO_PCPU; i = sy_mask_from(&m, i + 1)) {
            int64_t score = tickle_score(sim, on, s, i, now);
            if (score <= MAX(max, 0))
                continue;
            max = score;
            target = i;
        }
    }
    if (target == SY_NO_PCPU)
        return;
    EMIT(on, TICKLE, target);
    tickle_cpu(sim, on, q, target);
    s->tickled_cpu = (int)target;
}

static void max_weight(struct sy_pcpu *on, struct runq *q, unsigned new_weight, unsigned old_weight)
{
    if (new_weight > q->max_weight) {
        q->max_weight = new_weight;
    } else if (old_weight == q->max_weight) {
        q->max_weight = 1;
        for (unsigned i = 0; i < q->all->len; i++) {
            const struct sy_credit2 *s = q->all->pdata[i];
            q->max_weight = MAX(q->max_weight, s->v->dom->weight);
        }
    }
    EMIT(on, MAX_WEIGHT, q->id | q->max_weight << 16);
}

static void assign(struct sy_pcpu *on, struct sy_credit2 *s, struct runq *q)
{
    s->rq = q;
    g_ptr_array_add(q->all, s);
    max_weight(on, q, s->v->dom->weight, 0);
    q->b_avgload += s->avgload;
    EMIT(on, RUNQ_ASSIGN, rec_dv(s->v), q->id | garbage(on, 16));
}

static void deassign(struct sy_pcpu *on, struct sy_credit2 *s)
{
    struct runq *q = s->rq;

    g_ptr_array_remove(q->all, s);
    max_weight(on, q, 0, s->v->dom->weight);
    q->b_avgload = MAX(q->b_avgload - s->avgload, 0);
    s->rq = NULL;
}

/* ---- between run queues ---- */

static struct sy_mask allowed_in(const struct sy_credit2 *s, const struct runq *q)
{
    return sy_mask_and(&s->v->affinity, &q->active);
}

static void migrate(struct sy_sim *sim, struct sy_pcpu *on, struct sy_credit2 *s, struct runq *to, int64_t now)
{
    EMIT(on, MIGRATE, rec_dv(s->v), s->rq->id | to->id << 16);
    if (s->scheduled) {
        s->migrate_to = to;
        s->migrate_request = s->v->migrating = true;
        tickle_cpu(sim, on, s->rq, s->v->cpu);
        return;
    }
    bool was_queued = s->queued;
    if (was_queued) {
        runq_remove(s);
        update_load(on, s->rq, NULL, -1, now);
    }
    deassign(on, s);
    struct sy_mask m = allowed_in(s, to);
    s->v->cpu = to->pick_bias = sy_mask_cycle(&m, to->pick_bias);
    assign(on, s, to);
    if (was_queued) {
        update_load(on, to, NULL, 1, now);
        runq_insert(on, s);
        runq_tickle(sim, on, s, now);
    }
}

struct balance {
    int64_t delta;
    struct sy_credit2 *push, *pull;
};

static void consider(struct balance *b, const struct runq *l, const struct runq *o, struct sy_credit2 *push,
                     struct sy_credit2 *pull)
{
    int64_t moved = (pull ? pull->avgload : 0) - (push ? push->avgload : 0);
    int64_t delta = ABS((l->b_avgload + moved) - (o->b_avgload - moved));

    if (delta < b->delta)
        *b = (struct balance){delta, push, pull};
}

static bool movable(const struct sy_credit2 *s, const struct runq *to)
{
    struct sy_mask m = allowed_in(s, to);
    return !s->migrate_request && !sy_mask_empty(&m);
}

static void find_swap(struct sy_pcpu *on, struct balance *b, struct runq *l, struct runq *o, int64_t now)
{
    bool updated = false;

    for (unsigned i = 0; i < l->all->len; i++) {
        struct sy_credit2 *push = l->all->pdata[i];
        unit_load(on, push, 0, now);
        if (!movable(push, o))
            continue;
        for (unsigned k = 0; k < o->all->len; k++) {
            struct sy_credit2 *pull = o->all->pdata[k];
            if (!updated)
                unit_load(on, pull, 0, now);
            if (movable(pull, l))
                consider(b, l, o, push, pull);
        }
        updated = true;
        consider(b, l, o, push, NULL);
    }
    for (unsigned k = 0; k < o->all->len; k++)
        if (movable(o->all->pdata[k], l))
            consider(b, l, o, NULL, o->all->pdata[k]);
}

static void balance_load(struct sy_sim *sim, struct sy_pcpu *on, struct runq *l, int64_t now)
{
    struct c2_pool *p = on->pool->priv;
    struct runq *worst = NULL, *last = NULL;
    struct balance b = {0};

    runq_load(on, l, 0, now);
    for (unsigned i = 0; i < p->n; i++) {
        struct runq *o = last = &p->rq[i];
        if (o == l)
            continue;
        runq_load(on, o, 0, now);
        if (ABS(l->b_avgload - o->b_avgload) <= b.delta)
            continue;
        b.delta = ABS(l->b_avgload - o->b_avgload);
        worst = o;
    }
    if (!worst)
        return;
    EMIT(on, LOAD_CHECK, l->id | last->id << 16, LO(b.delta));
    int64_t cpus = (int64_t)MAX(sy_mask_count(&l->active), sy_mask_count(&last->active));
    bool under = MAX(l->b_avgload, last->b_avgload) < cpus << PRECISION;
    if (b.delta < (under ? 1ll << PRECISION : 1ll << (PRECISION - 3)))
        return;
    EMIT(on, LOAD_BALANCE, LO(l->b_avgload), HI(l->b_avgload), LO(worst->b_avgload), HI(worst->b_avgload),
         l->id | worst->id << 16, garbage(on, 0));
    find_swap(on, &b, l, worst, now);
    if (b.push)
        migrate(sim, on, b.push, worst, now);
    if (b.pull)
        migrate(sim, on, b.pull, l, now);
}

static unsigned c2_pick_cpu(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct c2_pool *p = v->pool->priv;
    struct sy_credit2 *s = v->credit2;
    struct runq *best = NULL;
    int64_t least = INT64_MAX;
    struct sy_mask m;

    if (s->migrate_request) {
        s->migrate_request = false;
        best = s->migrate_to;
    }
    for (unsigned i = 0; !s->migrate_to && i < p->n; i++) {
        struct runq *q = &p->rq[i];
        m = allowed_in(s, q);
        int64_t load = q == s->rq ? MAX(q->b_avgload - s->avgload, 0) : q->b_avgload;
        if (sy_mask_empty(&m) || load >= least)
            continue;
        least = load;
        best = q;
    }
    s->migrate_to = NULL;
    m = allowed_in(s, best);
    best->pick_bias = sy_mask_cycle(&m, best->pick_bias);
    uint32_t id = least == INT64_MAX ? 0xffff : best->id;
    EMIT(on, PICKED_CPU, LO(least), HI(least), rec_dv(v), id | best->pick_bias << 16);
    return best->pick_bias;
}

static void c2_moved(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v, unsigned cpu)
{
    struct runq *to = queue_of(sim, cpu);

    if (to != v->credit2->rq)
        migrate(sim, on, v->credit2, to, sy_pnow(on));
    v->cpu = cpu;
}

/* ---- caps ---- */

static bool grab_budget(struct sy_pcpu *on, struct sy_credit2 *s)
{
    struct c2_dom *d = dom_of(s);

    if (s->budget > 0)
        return true;
    d->budget += s->budget;
    if (d->budget > 0) {
        s->budget = MIN(d->budget, s->quota);
        d->budget -= s->budget;
        return true;
    }
    s->budget = 0;
    if (s->v->parked)
        return false;
    s->v->parked = true;
    if (s->queued) {
        runq_remove(s);
        update_load(on, s->rq, s, -1, sy_pnow(on));
    }
    g_queue_push_head(&d->parked, s);
    return false;
}

static void unpark(struct sy_sim *sim, struct sy_pcpu *on, GQueue *list)
{
    struct sy_credit2 *s;

    while ((s = g_queue_pop_head(list))) {
        s->v->parked = false;
        if (s->scheduled) {
            s->delayed_add = true;
        } else if (sy_runnable(s->v)) {
            int64_t now = sy_pnow(on);
            update_load(on, s->rq, s, 1, now);
            runq_insert(on, s);
            runq_tickle(sim, on, s, now);
        }
    }
}

static void take_all(GQueue *to, GQueue *from)
{
    *to = *from;
    g_queue_init(from);
}

static void replenish_domain(struct sy_sim *sim, void *arg, uint64_t at)
{
    struct c2_dom *d = arg;
    struct sy_pcpu *on = &sim->pcpu[d->dom->vcpu[0]->cpu];
    GQueue parked = G_QUEUE_INIT;

    sy_interrupt(on, at);
    sy_spend(on, 0.4);
    sy_lock(on, &d->dom->pool->lock);
    int64_t now = sy_pnow(on);
    do {
        d->next_repl += CAP_PERIOD_NS;
        d->budget += d->tot_budget;
    } while (d->next_repl <= now);
    if (d->budget > 0) {
        d->budget = MIN(d->budget, d->tot_budget);
        take_all(&parked, &d->parked);
        unpark(sim, on, &parked);
    }
    sy_unlock(on, &d->dom->pool->lock);
    sy_timer_set(sim, &d->timer, sy_at_pnow(on, d->next_repl) + 1);
}

/* ---- decisions ---- */

static struct sy_credit2 *candidate(struct sy_pcpu *on, struct runq *q, struct sy_credit2 *scurr, int64_t now, bool *limited)
{
    struct sy_credit2 *snext = NULL;
    bool yield = false;

    if (scurr) {
        yield = scurr->yielding;
        scurr->yielding = false;
        int64_t runtime = now - scurr->v->entry_ns;
        if (!yield && sy_runnable(scurr->v) && runtime < RATELIMIT_NS) {
            EMIT(on, RATELIMIT, rec_dv(scurr->v), (uint32_t)runtime);
            *limited = true;
            return scurr;
        }
        if (sy_runnable(scurr->v))
            snext = scurr;
    }
    for (struct sy_credit2 *s = q->head, *next; s; s = next) {
        next = s->next;
        int best = snext ? snext->credit : IDLE_CREDIT;
        EMIT(on, CAND_CHECK, rec_dv(s->v));
        if (!yield && s->credit <= best)
            break;
        if (!sy_runnable(s->v) || !sy_mask_test(&s->v->affinity, on->id))
            continue;
        if (s->tickled_cpu != -1 && s->tickled_cpu != (int)on->id && sy_mask_test(&q->tickled, (unsigned)s->tickled_cpu))
            continue;
        if (s->v->cpu != on->id && best + MIGRATE_RESIST > s->credit)
            continue;
        if (capped(s) && !grab_budget(on, s))
            continue;
        snext = s;
        break;
    }
    if (snext)
        EMIT(on, CANDIDATE, rec_dv(snext->v), (uint32_t)snext->tickled_cpu, (uint32_t)snext->credit);
    else
        EMIT(on, CANDIDATE, rec_dv(on->idle), 0xffffffffu, (uint32_t)IDLE_CREDIT);
    return snext;
}

static void reset_credit(struct sy_sim *sim, struct sy_pcpu *on, struct runq *q, const struct sy_credit2 *snext, int64_t now)
{
    int add = snext->credit == CREDIT_MIN ? 2 * CREDIT_INIT : CREDIT_INIT;

    for (unsigned i = 0; i < q->all->len; i++) {
        struct sy_credit2 *s = q->all->pdata[i];
        if (sim->pcpu[s->v->cpu].curr == s->v) {
            burn(on, s, now);
            if (capped(s) && s->budget <= 0)
                tickle_cpu(sim, on, q, s->v->cpu);
        }
        int before = s->credit;
        s->credit = MIN(s->credit + add, CREDIT_INIT + CARRYOVER_MAX);
        s->start_time = now;
        EMIT(on, RESET, rec_dv(s->v), (uint32_t)before, (uint32_t)s->credit);
    }
}

static int64_t run_for(struct sy_pcpu *on, const struct runq *q, const struct sy_credit2 *s, int64_t now)
{
    int64_t min = RATELIMIT_NS, credit = s->credit;

    if (s->v->is_running)
        min = s->v->entry_ns + RATELIMIT_NS - now;
    min = MAX(min, MIN_TIMER_NS);
    if (q->head && q->head->credit > 0)
        credit -= q->head->credit;
    int64_t time = credit > 0 ? credit * (int64_t)s->v->dom->weight / q->max_weight : 0;
    if (capped(s))
        time = MIN(time, s->budget);
    return time < min ? min : MIN(time, MAX_TIMER_NS);
}

static struct sy_decision c2_schedule(struct sy_sim *sim, struct sy_pcpu *on, int64_t now)
{
    struct runq *q = on->priv;
    struct sy_vcpu *curr = on->curr;
    struct sy_credit2 *scurr = curr->is_idle ? NULL : curr->credit2;
    bool tickled = sy_mask_test(&q->tickled, on->id), limited = false;

    sy_mask_clear(&q->tickled, on->id);
    EMIT(on, SCHEDULE, on->id | q->id << 16,
         (uint32_t)curr->is_idle << 8 | (uint32_t)sy_mask_test(&q->idle, on->id) << 16 | (uint32_t)tickled << 24);
    if (scurr) {
        burn(on, scurr, now);
        if (capped(scurr) && scurr->budget <= 0)
            grab_budget(on, scurr);
    }
    struct sy_credit2 *snext = candidate(on, q, scurr, now, &limited);
    if (snext != scurr && scurr && sy_runnable(curr))
        scurr->delayed_add = true;
    if (!snext) {
        sy_mask_set(&q->idle, on->id);
        update_load(on, q, NULL, 0, now);
        return (struct sy_decision){on->idle, -1};
    }
    if (snext != scurr) {
        runq_remove(snext);
        snext->scheduled = true;
    } else {
        update_load(on, q, snext, 0, now);
    }
    sy_mask_clear(&q->idle, on->id);
    int top = q->head ? MAX(snext->credit, q->head->credit) : snext->credit;
    if (top <= 0) {
        reset_credit(sim, on, q, snext, now);
        balance_load(sim, on, q, now);
    }
    snext->start_time = now;
    snext->tickled_cpu = -1;
    if (snext->v->cpu != on->id)
        snext->credit += MIGRATE_COMPENSATION;
    return (struct sy_decision){snext->v, run_for(on, q, snext, now)};
}

static void c2_wake(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct sy_credit2 *s = v->credit2;

    if (sim->pcpu[v->cpu].curr == v || s->queued)
        return;
    if (s->scheduled) {
        s->delayed_add = true;
        return;
    }
    int64_t now = sy_pnow(on);
    update_load(on, s->rq, s, 1, now);
    runq_insert(on, s);
    runq_tickle(sim, on, s, now);
}

static void c2_sleep(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct sy_credit2 *s = v->credit2;

    if (sim->pcpu[v->cpu].curr == v) {
        tickle_cpu(sim, on, s->rq, v->cpu);
    } else if (s->queued) {
        update_load(on, s->rq, s, -1, sy_pnow(on));
        runq_remove(s);
    } else {
        s->delayed_add = false;
    }
}

static void c2_yield(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    v->credit2->yielding = true;
}

static void c2_saved(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *prev)
{
    struct sy_credit2 *s = prev->credit2;
    int64_t now = sy_pnow(on);
    GQueue parked = G_QUEUE_INIT;

    s->scheduled = false;
    if (capped(s) && s->budget > 0) {
        struct c2_dom *d = dom_of(s);
        d->budget += s->budget;
        s->budget = 0;
        take_all(&parked, &d->parked);
    }
    if (s->delayed_add && sy_runnable(prev)) {
        s->delayed_add = false;
        runq_insert(on, s);
        runq_tickle(sim, on, s, now);
    } else {
        s->delayed_add = false;
        update_load(on, s->rq, s, -1, now);
    }
    unpark(sim, on, &parked);
}

static struct c2_dom *dom_new(struct sy_sim *sim, struct sy_domain *dom)
{
    struct c2_dom *d = g_new0(struct c2_dom, 1);

    d->dom = dom;
    d->sim = sim;
    d->tot_budget = (int64_t)dom->cap * CAP_PERIOD_NS / 100;
    d->budget = d->tot_budget;
    sy_timer_init(&d->timer, replenish_domain, d);
    if (dom->cap) {
        d->next_repl = sy_now(sim, 0) + CAP_PERIOD_NS;
        sy_timer_set(sim, &d->timer, sy_at_now(sim, d->next_repl) + 1);
    }
    return d;
}

static void c2_insert(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct c2_pool *p = v->pool->priv;
    struct sy_credit2 *s = g_new0(struct sy_credit2, 1);

    s->v = v;
    s->credit = CREDIT_INIT;
    s->tickled_cpu = -1;
    s->load_updated = sy_pnow(on) >> GRANULARITY;
    s->avgload = 1ll << PRECISION;
    v->credit2 = s;
    if (!v->dom->priv) {
        v->dom->priv = dom_new(sim, v->dom);
        g_ptr_array_add(p->doms, v->dom->priv);
    }
    s->quota = MAX(dom_of(s)->tot_budget / v->dom->vcpus, MIN_TIMER_NS);
    v->cpu = c2_pick_cpu(sim, on, v);
    assign(on, s, queue_of(sim, v->cpu));
}

static void c2_remove(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct sy_credit2 *s = v->credit2;

    if (s->queued)
        runq_remove(s);
    g_queue_remove(&dom_of(s)->parked, s);
    deassign(on, s);
    g_clear_pointer(&v->credit2, g_free);
}

static void free_dom(void *arg)
{
    struct c2_dom *d = arg;

    sy_timer_stop(d->sim, &d->timer);
    g_queue_clear(&d->parked);
    d->dom->priv = NULL;
    g_free(d);
}

static void c2_pool_init(struct sy_sim *sim, struct sy_pool *pool)
{
    struct c2_pool *p = g_new0(struct c2_pool, 1);
    unsigned n = 0;

    pool->priv = p;
    p->n = (sy_mask_count(&pool->cpus) + QUEUE_PCPUS - 1) / QUEUE_PCPUS;
    p->rq = g_new0(struct runq, p->n);
    p->doms = g_ptr_array_new_with_free_func(free_dom);
    for (unsigned i = sy_mask_from(&pool->cpus, 0); i != SY_NO_PCPU; i = sy_mask_from(&pool->cpus, i + 1), n++) {
        struct runq *q = &p->rq[n / QUEUE_PCPUS];
        if (n % QUEUE_PCPUS == 0) {
            *q = (struct runq){.id = n / QUEUE_PCPUS, .max_weight = 1, .pick_bias = i, .all = g_ptr_array_new(),
                               .load_updated = sy_now(sim, 0) >> GRANULARITY};
        }
        sy_mask_set(&q->active, i);
        sy_mask_set(&q->idle, i);
        sim->pcpu[i].priv = q;
    }
}

static void c2_pool_free(struct sy_sim *sim, struct sy_pool *pool)
{
    struct c2_pool *p = pool->priv;

    for (unsigned i = 0; i < p->n; i++)
        g_ptr_array_free(p->rq[i].all, TRUE);
    g_ptr_array_free(p->doms, TRUE);
    g_free(p->rq);
    g_clear_pointer(&pool->priv, g_free);
}

const struct sy_policy sy_policy_credit2 = {
    .xl_name = "credit2",
    .global_lock = true,
    .pool_init = c2_pool_init,
    .insert = c2_insert,
    .remove = c2_remove,
    .wake = c2_wake,
    .sleep = c2_sleep,
    .yield = c2_yield,
    .schedule = c2_schedule,
    .context_saved = c2_saved,
    .pick_cpu = c2_pick_cpu,
    .moved = c2_moved,
    .pool_free = c2_pool_free,
};
