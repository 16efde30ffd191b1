/* Credit as in Xen 4.17: weights, caps, boost, stealing, 30 ms slice, 10 ms tick, 1 ms rate limit. One
 * socket, no hyperthreads, no soft affinity. */
#include "synth.h"

#include "options.h"
#include "records.h"

enum { BOOST = 0, UNDER = -1, OVER = -2, IDLE = -64 };

#define TSLICE_NS 30000000ll
#define TICK_NS 10000000ll
#define RATELIMIT_NS 1000000ll
#define MIN_TIMER_NS 100000ll
#define CREDITS_PER_MS 10
#define CREDITS_PER_TSLICE 300

struct sy_credit {
    struct sy_vcpu *v;
    struct sy_credit *prev, *next; /* on the run queue of v->cpu */
    bool queued, parked, yielding, migrating_hint, active;
    int pri, credit;
    int64_t start_time, residual;
};

struct credit_pcpu {
    struct sy_credit *head, *tail;
    unsigned nr_runnable, sort_last;
};

struct credit_dom {
    struct sy_domain *dom;
    GPtrArray *active; /* of struct sy_credit, not owned; newest first is at the end */
};

struct credit_pool {
    struct sy_pool *pool;
    struct sy_mask idlers;
    GPtrArray *active; /* of struct credit_dom, not owned */
    GPtrArray *doms;   /* all, owned */
    int weight, balance;
    unsigned sort, balance_bias, last_tickle, master;
    struct sy_timer acct;
};

static struct credit_pcpu *rq(struct sy_sim *sim, unsigned cpu)
{
    return sim->pcpu[cpu].priv;
}

static void unlink_runq(struct credit_pcpu *q, struct sy_credit *s)
{
    *(s->prev ? &s->prev->next : &q->head) = s->next;
    *(s->next ? &s->next->prev : &q->tail) = s->prev;
    s->prev = s->next = NULL;
    s->queued = false;
}

static void link_before(struct credit_pcpu *q, struct sy_credit *s, struct sy_credit *before)
{
    s->next = before;
    s->prev = before ? before->prev : q->tail;
    *(s->prev ? &s->prev->next : &q->head) = s;
    *(before ? &before->prev : &q->tail) = s;
    s->queued = true;
}

static void insert_only(struct sy_sim *sim, struct sy_credit *s)
{
    struct credit_pcpu *q = rq(sim, s->v->cpu);
    struct sy_credit *i = q->head;

    while (i && s->pri <= i->pri)
        i = i->next;
    /* Who yields goes behind one more. */
    if (s->yielding && i)
        i = i->next;
    link_before(q, s, i);
}

static void runq_insert(struct sy_sim *sim, struct sy_credit *s)
{
    insert_only(sim, s);
    rq(sim, s->v->cpu)->nr_runnable++;
}

static void runq_remove(struct sy_sim *sim, struct sy_credit *s)
{
    struct credit_pcpu *q = rq(sim, s->v->cpu);

    q->nr_runnable--;
    unlink_runq(q, s);
}

static struct credit_dom *dom_of(struct sy_credit *s)
{
    return s->v->dom->priv;
}

static void burn(struct sy_credit *s, int64_t now)
{
    int64_t delta = now - s->start_time;

    if (delta <= 0)
        return;
    int64_t val = delta * CREDITS_PER_MS + s->residual;
    int64_t credits = val / 1000000;
    s->residual = val % 1000000;
    s->credit -= (int)credits;
    s->start_time += credits * 1000000 / CREDITS_PER_MS;
}

/* _csched_cpu_pick with one socket: stay if that is idle (or will be), else the next idle pCPU, else stay. */
static unsigned cpu_pick(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct credit_pool *p = v->pool->priv;
    struct sy_mask m = sy_mask_and(&v->pool->cpus, &v->affinity);
    unsigned cpu = sy_mask_test_or_cycle(&m, v->cpu);
    struct sy_mask idlers = p->idlers;

    if (v->cpu == cpu && !rq(sim, cpu)->head)
        sy_mask_set(&idlers, cpu);
    m = sy_mask_and(&m, &idlers);
    if (!sy_mask_test(&m, cpu) && !sy_mask_empty(&m))
        cpu = sy_mask_cycle(&m, cpu);
    rec_credit_picked(on, v, cpu);
    return cpu;
}

static unsigned credit_pick_cpu(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    v->credit->migrating_hint = true;
    return cpu_pick(sim, on, v);
}

static void runq_tickle(struct sy_sim *sim, struct sy_pcpu *on, struct sy_credit *s)
{
    struct credit_pool *p = s->v->pool->priv;
    unsigned cpu = s->v->cpu, target = SY_NO_PCPU;
    struct sy_vcpu *cur = sim->pcpu[cpu].curr;
    int cur_pri = cur->is_idle ? IDLE : cur->credit->pri;
    struct sy_mask idle = sy_mask_and(&p->idlers, &s->v->pool->cpus);
    bool no_idlers = sy_mask_empty(&idle);

    if (cur_pri == IDLE || (no_idlers && s->pri > cur_pri)) {
        target = cpu;
    } else if (!no_idlers) {
        struct sy_mask m = sy_mask_and(&idle, &s->v->affinity);
        if (sy_mask_empty(&m) && s->pri > cur_pri) {
            m = sy_mask_and(&idle, &cur->affinity);
            if (!sy_mask_empty(&m))
                cur->migrating = true;
            target = cpu;
        } else if (!sy_mask_empty(&m)) {
            p->last_tickle = sy_mask_cycle(&m, p->last_tickle);
            target = p->last_tickle;
        }
    }
    if (target == SY_NO_PCPU)
        return;
    rec_credit_tickle(on, target);
    sy_mask_clear(&p->idlers, target);
    sy_raise_softirq(sim, on, target);
}

static void acct_start(struct sy_pcpu *on, struct sy_credit *s)
{
    struct credit_pool *p = s->v->pool->priv;
    struct credit_dom *d = dom_of(s);

    s->active = true;
    g_ptr_array_add(d->active, s);
    p->weight += (int)d->dom->weight;
    if (d->active->len == 1)
        g_ptr_array_add(p->active, d);
    rec_credit_account(on, true, s->v, d->active->len);
}

static void acct_stop(struct sy_pcpu *on, struct sy_credit *s)
{
    struct credit_pool *p = s->v->pool->priv;
    struct credit_dom *d = dom_of(s);

    s->active = false;
    g_ptr_array_remove_fast(d->active, s);
    p->weight -= (int)d->dom->weight;
    if (d->active->len == 0)
        g_ptr_array_remove(p->active, d);
    rec_credit_account(on, false, s->v, d->active->len);
}

static void acct_vcpu(struct sy_sim *sim, struct sy_pcpu *on, const struct credit_dom *d, struct sy_credit *s,
                      int fair, int cap)
{
    s->credit += fair;
    if (s->credit < 0) {
        s->pri = OVER;
        if (d->dom->cap && s->credit < -cap && !s->parked) {
            s->parked = true;
            sy_engine_pause(sim, on, s->v);
        }
        s->credit = MAX(s->credit, -CREDITS_PER_TSLICE);
        return;
    }
    s->pri = UNDER;
    if (s->parked) {
        sy_engine_unpause(sim, on, s->v);
        s->parked = false;
    }
    if (s->credit > CREDITS_PER_TSLICE) {
        acct_stop(on, s);
        s->credit /= 2;
    }
}

/* csched_acct: every 30 ms on the master pCPU, credits by weight. */
static void account(struct sy_sim *sim, void *arg, uint64_t at)
{
    struct credit_pool *p = arg;
    struct sy_pcpu *on = &sim->pcpu[p->master];

    sy_interrupt(on, at);
    sy_spend(on, 0.5);
    sy_timer_set(sim, &p->acct, at + sy_cycles(sim, TSLICE_NS));
    int total = (int)sy_mask_count(&p->pool->cpus) * CREDITS_PER_TSLICE;
    if (p->balance < 0)
        total -= p->balance;
    if (p->weight == 0) {
        p->balance = 0;
        return;
    }
    int weight_total = p->weight, left = p->weight, balance = 0;
    g_autoptr(GPtrArray) doms = g_ptr_array_copy(p->active, NULL, NULL);
    for (unsigned i = 0; i < doms->len; i++) {
        struct credit_dom *d = doms->pdata[i];
        int n = (int)d->active->len, w = (int)d->dom->weight * n, cap = 0;
        left -= w;
        int64_t peak = (int64_t)n * CREDITS_PER_TSLICE;
        if (p->balance < 0)
            peak += ((int64_t)-p->balance * w + weight_total - 1) / weight_total;
        if (d->dom->cap) {
            cap = ((int)d->dom->cap * CREDITS_PER_TSLICE + 99) / 100;
            peak = MIN(peak, cap);
            cap = (cap + n - 1) / n;
        }
        int64_t fair = ((int64_t)total * w + weight_total - 1) / weight_total;
        if (fair >= peak) {
            if (left > 0)
                total += (int)(((fair - peak) * weight_total + left - 1) / left);
            fair = peak;
        }
        fair = (fair + n - 1) / n;
        g_autoptr(GPtrArray) vcpus = g_ptr_array_copy(d->active, NULL, NULL);
        for (unsigned k = 0; k < vcpus->len; k++) {
            struct sy_credit *s = vcpus->pdata[k];
            acct_vcpu(sim, on, d, s, (int)fair, cap);
            balance += s->credit;
        }
    }
    p->balance = balance;
    p->sort++;
}

static void runq_sort(struct sy_sim *sim, struct sy_pcpu *c)
{
    struct credit_pool *p = c->pool->priv;
    struct credit_pcpu *q = c->priv;
    struct sy_credit *last_under = NULL;

    if (q->sort_last == p->sort)
        return;
    q->sort_last = p->sort;
    for (struct sy_credit *s = q->head, *next; s; s = next) {
        next = s->next;
        if (s->pri < UNDER)
            continue;
        if (s->prev != last_under) {
            unlink_runq(q, s);
            link_before(q, s, last_under ? last_under->next : q->head);
        }
        last_under = s;
    }
}

static void tick(struct sy_sim *sim, void *arg, uint64_t at)
{
    struct sy_pcpu *c = arg;
    struct credit_pool *p = c->pool->priv;

    sy_interrupt(c, at);
    sy_spend(c, 0.4);
    sy_timer_set(sim, &c->tick, at + sy_cycles(sim, TICK_NS));
    if (!c->curr->is_idle) {
        struct sy_credit *s = c->curr->credit;
        if (s->pri == BOOST) {
            s->pri = UNDER;
            rec_credit_boost(c, false, s->v);
        }
        burn(s, sy_pnow(c));
        if (!s->active) {
            acct_start(c, s);
        } else {
            sy_lock(c, &c->own_lock);
            unsigned to = cpu_pick(sim, c, s->v);
            sy_unlock(c, &c->own_lock);
            if (to != c->id) {
                s->v->migrating = true;
                sy_raise_softirq(sim, c, c->id);
            }
        }
    }
    sy_lock(c, &c->own_lock);
    runq_sort(sim, c);
    sy_unlock(c, &c->own_lock);
    (void)p;
}

static struct sy_credit *steal(struct sy_sim *sim, struct sy_pcpu *on, unsigned peer, int pri)
{
    if (sim->pcpu[peer].curr->is_idle)
        return NULL;
    for (struct sy_credit *s = rq(sim, peer)->head; s && s->pri > pri; s = s->next) {
        if (s->v->is_running || !sy_mask_test(&s->v->affinity, on->id))
            continue;
        rec_credit_stolen(on, peer, s->v);
        runq_remove(sim, s);
        s->v->cpu = on->id;
        rq(sim, on->id)->nr_runnable++;
        return s;
    }
    return NULL;
}

/* Somebody else's more urgent work; NULL if there is none. */
static struct sy_credit *load_balance(struct sy_sim *sim, struct sy_pcpu *on, int pri)
{
    struct credit_pool *p = on->pool->priv;
    struct sy_mask workers = sy_mask_andnot(&on->pool->cpus, &p->idlers);

    sy_mask_clear(&workers, on->id);
    unsigned first = sy_mask_cycle(&workers, p->balance_bias), peer = first;
    if (first == SY_NO_PCPU)
        return NULL;
    do {
        /* Xen only tries the peer's lock: somebody who is scheduling is left alone. */
        bool busy = sim->pcpu[peer].own_lock.free_at > on->clk;
        if (rq(sim, peer)->nr_runnable <= 1 || busy) {
            rec_credit_steal_check(on, peer, false);
        } else {
            rec_credit_steal_check(on, peer, true);
            struct sy_credit *s = steal(sim, on, peer, pri);
            sy_unlock(on, &sim->pcpu[peer].own_lock);
            if (s) {
                p->balance_bias = peer;
                return s;
            }
        }
        peer = sy_mask_cycle(&workers, peer);
    } while (peer != first);
    return NULL;
}

static struct sy_credit *choose(struct sy_sim *sim, struct sy_pcpu *on)
{
    struct credit_pcpu *q = on->priv;
    struct sy_credit *next = q->head;

    if (!next || next->pri <= OVER) {
        struct sy_credit *stolen = load_balance(sim, on, next ? next->pri : IDLE);
        if (stolen)
            return stolen;
    }
    if (next)
        unlink_runq(q, next);
    return next;
}

static struct sy_decision credit_schedule(struct sy_sim *sim, struct sy_pcpu *on, int64_t now)
{
    struct credit_pool *p = on->pool->priv;
    struct credit_pcpu *q = on->priv;
    struct sy_vcpu *curr = on->curr;
    struct sy_credit *scurr = curr->is_idle ? NULL : curr->credit;
    int64_t runtime = MAX(now - curr->entry_ns, 0);

    rec_credit_schedule(on, curr->is_idle);
    if (scurr) {
        burn(scurr, now);
        scurr->start_time -= now;
        if (!scurr->yielding && sy_runnable(curr) && runtime < RATELIMIT_NS) {
            scurr->start_time += now;
            rec_credit_ratelimit(on, curr, runtime);
            return (struct sy_decision){curr, runtime < MIN_TIMER_NS ? MIN_TIMER_NS : RATELIMIT_NS - runtime};
        }
        if (sy_runnable(curr))
            insert_only(sim, scurr);
        else
            q->nr_runnable--;
        scurr->yielding = false;
    }
    struct sy_credit *snext;
    do
        snext = choose(sim, on);
    while (snext && !sy_runnable(snext->v));
    if (!snext)
        sy_mask_set(&p->idlers, on->id);
    else
        sy_mask_clear(&p->idlers, on->id);
    if (snext)
        snext->start_time += now;
    if (scurr && !snext)
        sy_timer_stop(sim, &on->tick);
    if (!scurr && snext)
        sy_timer_set(sim, &on->tick, sy_at_pnow(on, now + TICK_NS - now % TICK_NS));
    return (struct sy_decision){snext ? snext->v : on->idle, snext ? TSLICE_NS : -1};
}

static void credit_wake(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct sy_credit *s = v->credit;

    if (sim->pcpu[v->cpu].curr == v || s->queued)
        return;
    bool migrating = s->migrating_hint;
    s->migrating_hint = false;
    if (!migrating && s->pri == UNDER && !s->parked) {
        rec_credit_boost(on, true, v);
        s->pri = BOOST;
    }
    runq_insert(sim, s);
    runq_tickle(sim, on, s);
}

static void credit_sleep(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    if (sim->pcpu[v->cpu].curr == v)
        sy_raise_softirq(sim, on, v->cpu);
    else if (v->credit->queued)
        runq_remove(sim, v->credit);
}

static void credit_yield(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    v->credit->yielding = true;
}

static void credit_saved(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *prev)
{
}

static void credit_insert(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct credit_pool *p = v->pool->priv;
    struct sy_credit *s = g_new0(struct sy_credit, 1);

    s->v = v;
    s->pri = UNDER;
    v->credit = s;
    if (!v->dom->priv) {
        struct credit_dom *d = g_new0(struct credit_dom, 1);
        d->dom = v->dom;
        d->active = g_ptr_array_new();
        v->dom->priv = d;
        g_ptr_array_add(p->doms, d);
    }
    v->cpu = credit_pick_cpu(sim, on, v);
    if (sy_runnable(v))
        runq_insert(sim, s);
}

static void credit_remove(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    if (v->credit->queued)
        runq_remove(sim, v->credit);
    if (v->credit->active)
        acct_stop(on, v->credit);
    g_clear_pointer(&v->credit, g_free);
}

static void free_dom(void *p)
{
    struct credit_dom *d = p;

    g_ptr_array_free(d->active, TRUE);
    d->dom->priv = NULL;
    g_free(d);
}

static void credit_pool_init(struct sy_sim *sim, struct sy_pool *pool)
{
    struct credit_pool *p = g_new0(struct credit_pool, 1);

    p->pool = pool;
    p->idlers = pool->cpus;
    p->active = g_ptr_array_new();
    p->doms = g_ptr_array_new_with_free_func(free_dom);
    p->master = p->balance_bias = p->last_tickle = sy_mask_from(&pool->cpus, 0);
    pool->priv = p;
    sy_timer_init(&p->acct, account, p);
    sy_timer_set(sim, &p->acct, sy_cycles(sim, TSLICE_NS));
    for (unsigned i = p->master; i < SY_MAX_PCPUS; i = sy_mask_from(&pool->cpus, i + 1)) {
        sim->pcpu[i].priv = g_new0(struct credit_pcpu, 1);
        sy_timer_init(&sim->pcpu[i].tick, tick, &sim->pcpu[i]);
    }
}

static void credit_pool_free(struct sy_sim *sim, struct sy_pool *pool)
{
    struct credit_pool *p = pool->priv;

    for (unsigned i = sy_mask_from(&pool->cpus, 0); i != SY_NO_PCPU; i = sy_mask_from(&pool->cpus, i + 1))
        g_free(sim->pcpu[i].priv);
    g_ptr_array_free(p->active, TRUE);
    g_ptr_array_free(p->doms, TRUE);
    g_clear_pointer(&pool->priv, g_free);
}

const struct sy_policy sy_policy_credit = {
    .xl_name = "credit",
    .pool_init = credit_pool_init,
    .insert = credit_insert,
    .remove = credit_remove,
    .wake = credit_wake,
    .sleep = credit_sleep,
    .yield = credit_yield,
    .schedule = credit_schedule,
    .context_saved = credit_saved,
    .pick_cpu = credit_pick_cpu,
    .pool_free = credit_pool_free,
};
