/* Credit2 as in Xen 4.17: run queues of up to 16 pCPUs, loads, load balancing between queues, credit resets,
 * rate limit, caps with parking. Simplified: one lock per pool, no soft affinity, no hyperthreads. */
#include "credit2.h"

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

void c2_runq_insert(struct sy_pcpu *on, struct sy_credit2 *s)
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
    REC(on, RUNQ_POS, rec_dv(s->v), pos);
}

void c2_runq_remove(struct sy_credit2 *s)
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
    REC(on, BURN, rec_dv(s->v), (uint32_t)s->credit, capped(s) ? (uint32_t)s->budget : 0x80000000u,
        (uint32_t)delta);
}

void c2_tickle_cpu(struct sy_sim *sim, struct sy_pcpu *on, struct runq *q, unsigned cpu)
{
    sy_mask_set(&q->tickled, cpu);
    sy_raise_softirq(sim, on, cpu);
}

static int64_t tickle_score(struct sy_sim *sim, struct sy_pcpu *on, const struct sy_credit2 *s, unsigned cpu,
                            int64_t now)
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
    REC(on, TICKLE_CHECK, rec_dv(cur), (uint32_t)cur->credit2->credit, (uint32_t)score);
    return score;
}

void c2_runq_tickle(struct sy_sim *sim, struct sy_pcpu *on, struct sy_credit2 *s, int64_t now)
{
    struct runq *q = s->rq;
    unsigned cpu = s->v->cpu, target;

    REC(on, TICKLE_NEW, rec_dv(s->v), cpu, (uint32_t)s->credit);
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
        for (unsigned i = sy_mask_from(&m, 0); target != cpu && i != SY_NO_PCPU;
             i = sy_mask_from(&m, i + 1)) {
            int64_t score = tickle_score(sim, on, s, i, now);
            if (score <= MAX(max, 0))
                continue;
            max = score;
            target = i;
        }
    }
    if (target == SY_NO_PCPU)
        return;
    REC(on, TICKLE, target);
    c2_tickle_cpu(sim, on, q, target);
    s->tickled_cpu = (int)target;
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
        m = c2_allowed_in(s, q);
        int64_t load = q == s->rq ? MAX(q->b_avgload - s->avgload, 0) : q->b_avgload;
        if (sy_mask_empty(&m) || load >= least)
            continue;
        least = load;
        best = q;
    }
    s->migrate_to = NULL;
    m = c2_allowed_in(s, best);
    best->pick_bias = sy_mask_cycle(&m, best->pick_bias);
    uint32_t id = least == INT64_MAX ? 0xffff : best->id;
    REC(on, PICKED_CPU, REC_LO(least), REC_HI(least), rec_dv(v), id | best->pick_bias << 16);
    return best->pick_bias;
}

static void c2_moved(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v, unsigned cpu)
{
    struct runq *to = queue_of(sim, cpu);

    if (to != v->credit2->rq)
        c2_migrate(sim, on, v->credit2, to, sy_pnow(on));
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
        c2_runq_remove(s);
        c2_update_load(on, s->rq, s, -1, sy_pnow(on));
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
            c2_update_load(on, s->rq, s, 1, now);
            c2_runq_insert(on, s);
            c2_runq_tickle(sim, on, s, now);
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

static struct sy_credit2 *candidate(struct sy_pcpu *on, struct runq *q, struct sy_credit2 *scurr, int64_t now,
                                    bool *limited)
{
    struct sy_credit2 *snext = NULL;
    bool yield = false;

    if (scurr) {
        yield = scurr->yielding;
        scurr->yielding = false;
        int64_t runtime = now - scurr->v->entry_ns;
        if (!yield && sy_runnable(scurr->v) && runtime < RATELIMIT_NS) {
            REC(on, RATELIMIT, rec_dv(scurr->v), (uint32_t)runtime);
            *limited = true;
            return scurr;
        }
        if (sy_runnable(scurr->v))
            snext = scurr;
    }
    for (struct sy_credit2 *s = q->head, *next; s; s = next) {
        next = s->next;
        int best = snext ? snext->credit : IDLE_CREDIT;
        REC(on, CAND_CHECK, rec_dv(s->v));
        if (!yield && s->credit <= best)
            break;
        if (!sy_runnable(s->v) || !sy_mask_test(&s->v->affinity, on->id))
            continue;
        if (s->tickled_cpu != -1 && s->tickled_cpu != (int)on->id &&
            sy_mask_test(&q->tickled, (unsigned)s->tickled_cpu))
            continue;
        if (s->v->cpu != on->id && best + MIGRATE_RESIST > s->credit)
            continue;
        if (capped(s) && !grab_budget(on, s))
            continue;
        snext = s;
        break;
    }
    if (snext)
        REC(on, CANDIDATE, rec_dv(snext->v), (uint32_t)snext->tickled_cpu, (uint32_t)snext->credit);
    else
        REC(on, CANDIDATE, rec_dv(on->idle), 0xffffffffu, (uint32_t)IDLE_CREDIT);
    return snext;
}

static void reset_credit(struct sy_sim *sim, struct sy_pcpu *on, struct runq *q,
                         const struct sy_credit2 *snext, int64_t now)
{
    int add = snext->credit == CREDIT_MIN ? 2 * CREDIT_INIT : CREDIT_INIT;

    for (unsigned i = 0; i < q->all->len; i++) {
        struct sy_credit2 *s = q->all->pdata[i];
        if (sim->pcpu[s->v->cpu].curr == s->v) {
            burn(on, s, now);
            if (capped(s) && s->budget <= 0)
                c2_tickle_cpu(sim, on, q, s->v->cpu);
        }
        int before = s->credit;
        s->credit = MIN(s->credit + add, CREDIT_INIT + CARRYOVER_MAX);
        s->start_time = now;
        REC(on, RESET, rec_dv(s->v), (uint32_t)before, (uint32_t)s->credit);
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
    REC(on, SCHEDULE, on->id | q->id << 16,
        (uint32_t)curr->is_idle << 8 | (uint32_t)sy_mask_test(&q->idle, on->id) << 16 |
            (uint32_t)tickled << 24);
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
        c2_update_load(on, q, NULL, 0, now);
        return (struct sy_decision){on->idle, -1};
    }
    if (snext != scurr) {
        c2_runq_remove(snext);
        snext->scheduled = true;
    } else {
        c2_update_load(on, q, snext, 0, now);
    }
    sy_mask_clear(&q->idle, on->id);
    int top = q->head ? MAX(snext->credit, q->head->credit) : snext->credit;
    if (top <= 0) {
        reset_credit(sim, on, q, snext, now);
        c2_balance_load(sim, on, q, now);
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
    c2_update_load(on, s->rq, s, 1, now);
    c2_runq_insert(on, s);
    c2_runq_tickle(sim, on, s, now);
}

static void c2_sleep(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct sy_credit2 *s = v->credit2;

    if (sim->pcpu[v->cpu].curr == v) {
        c2_tickle_cpu(sim, on, s->rq, v->cpu);
    } else if (s->queued) {
        c2_update_load(on, s->rq, s, -1, sy_pnow(on));
        c2_runq_remove(s);
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
        c2_runq_insert(on, s);
        c2_runq_tickle(sim, on, s, now);
    } else {
        s->delayed_add = false;
        c2_update_load(on, s->rq, s, -1, now);
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
    c2_assign(on, s, queue_of(sim, v->cpu));
}

static void c2_remove(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct sy_credit2 *s = v->credit2;

    if (s->queued)
        c2_runq_remove(s);
    g_queue_remove(&dom_of(s)->parked, s);
    c2_deassign(on, s);
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
    for (unsigned i = sy_mask_from(&pool->cpus, 0); i != SY_NO_PCPU;
         i = sy_mask_from(&pool->cpus, i + 1), n++) {
        struct runq *q = &p->rq[n / QUEUE_PCPUS];
        if (n % QUEUE_PCPUS == 0) {
            *q = (struct runq){.id = n / QUEUE_PCPUS,
                               .max_weight = 1,
                               .pick_bias = i,
                               .all = g_ptr_array_new(),
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
