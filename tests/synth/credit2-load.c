/* Credit2: the load of run queues and VCPUs, and moving VCPUs so that it is even. */
#include "credit2.h"

#include "records.h"

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
    REC(on, RUNQ_LOAD, REC_LO(q->avgload), REC_HI(q->avgload), REC_LO(q->b_avgload), REC_HI(q->b_avgload),
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
    REC(on, UNIT_LOAD, REC_LO(s->avgload), REC_HI(s->avgload), rec_dv(s->v), PRECISION);
}

void c2_update_load(struct sy_pcpu *on, struct runq *q, struct sy_credit2 *s, int change, int64_t now)
{
    rec_raw(on, UPDATE_LOAD, 0, NULL);
    runq_load(on, q, change, now);
    if (s)
        unit_load(on, s, change, now);
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
    REC(on, MAX_WEIGHT, q->id | q->max_weight << 16);
}

void c2_assign(struct sy_pcpu *on, struct sy_credit2 *s, struct runq *q)
{
    s->rq = q;
    g_ptr_array_add(q->all, s);
    max_weight(on, q, s->v->dom->weight, 0);
    q->b_avgload += s->avgload;
    REC(on, RUNQ_ASSIGN, rec_dv(s->v), q->id | garbage(on, 16));
}

void c2_deassign(struct sy_pcpu *on, struct sy_credit2 *s)
{
    struct runq *q = s->rq;

    g_ptr_array_remove(q->all, s);
    max_weight(on, q, 0, s->v->dom->weight);
    q->b_avgload = MAX(q->b_avgload - s->avgload, 0);
    s->rq = NULL;
}

/* ---- between run queues ---- */

struct sy_mask c2_allowed_in(const struct sy_credit2 *s, const struct runq *q)
{
    return sy_mask_and(&s->v->affinity, &q->active);
}

void c2_migrate(struct sy_sim *sim, struct sy_pcpu *on, struct sy_credit2 *s, struct runq *to, int64_t now)
{
    REC(on, MIGRATE, rec_dv(s->v), s->rq->id | to->id << 16);
    if (s->scheduled) {
        s->migrate_to = to;
        s->migrate_request = s->v->migrating = true;
        c2_tickle_cpu(sim, on, s->rq, s->v->cpu);
        return;
    }
    bool was_queued = s->queued;
    if (was_queued) {
        c2_runq_remove(s);
        c2_update_load(on, s->rq, NULL, -1, now);
    }
    c2_deassign(on, s);
    struct sy_mask m = c2_allowed_in(s, to);
    s->v->cpu = to->pick_bias = sy_mask_cycle(&m, to->pick_bias);
    c2_assign(on, s, to);
    if (was_queued) {
        c2_update_load(on, to, NULL, 1, now);
        c2_runq_insert(on, s);
        c2_runq_tickle(sim, on, s, now);
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
    struct sy_mask m = c2_allowed_in(s, to);
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

void c2_balance_load(struct sy_sim *sim, struct sy_pcpu *on, struct runq *l, int64_t now)
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
    REC(on, LOAD_CHECK, l->id | last->id << 16, REC_LO(b.delta));
    int64_t cpus = (int64_t)MAX(sy_mask_count(&l->active), sy_mask_count(&last->active));
    bool under = MAX(l->b_avgload, last->b_avgload) < cpus << PRECISION;
    if (b.delta < (under ? 1ll << PRECISION : 1ll << (PRECISION - 3)))
        return;
    REC(on, LOAD_BALANCE, REC_LO(l->b_avgload), REC_HI(l->b_avgload), REC_LO(worst->b_avgload),
        REC_HI(worst->b_avgload), l->id | worst->id << 16, garbage(on, 0));
    find_swap(on, &b, l, worst, now);
    if (b.push)
        c2_migrate(sim, on, b.push, worst, now);
    if (b.pull)
        c2_migrate(sim, on, b.pull, l, now);
}
