/* RTDS as in Xen 4.17, quirks included, and the servers and priorities of RT-Xen on the same sequences. */
#include "synth.h"

#include "faults.h"
#include "ledger.h"
#include "options.h"
#include "records.h"

struct node {
    struct sy_rtds *prev, *next;
    bool on;
};

struct queue {
    struct sy_rtds *head, *tail;
};

struct sy_rtds {
    struct sy_vcpu *v;
    struct node run, repl; /* on the run queue or the depleted queue; on the replenishment queue */
    struct queue *queue;   /* which of the two */
    int64_t cur_budget, last_start, deadline;
    unsigned level;
    bool scheduled, delayed_add, depleted;
    bool held; /* a fault: its replenishment is forgotten until held_timer */
    struct sy_timer held_timer;
    /* What it waits for, with --audit, since when, and the pCPU that should take it. */
    enum wait { FAIR, IDLE_PCPU, INVERTED } wait;
    uint64_t wait_since;
    struct sy_pcpu *wait_on;
    struct sy_vcpu *wait_for;
    int64_t blocked_at; /* system time, servers that lose budget while idle */
};

struct rtds_pool {
    struct queue run, depleted, repl;
    struct sy_mask tickled;
    struct sy_timer timer;
    struct sy_pcpu *timer_on;
    bool static_priority, no_quirks;
};

static struct rtds_pool *pool_of(const struct sy_vcpu *v)
{
    return v->pool->priv;
}

/* > 0 if a goes before b. Deadline-monotonic systems compare periods (deadline = period), which never change.
 */
static int64_t compare(const struct sy_rtds *a, const struct sy_rtds *b)
{
    int64_t level = (int64_t)b->level - (int64_t)a->level;

    if (level)
        return level;
    if (pool_of(a->v)->static_priority && a->v->period != b->v->period)
        return b->v->period - a->v->period;
    return b->deadline - a->deadline;
}

#define NODE(s, which) ((which) ? &(s)->repl : &(s)->run)

static void unlink_node(struct queue *q, struct sy_rtds *s, bool repl)
{
    struct node *n = NODE(s, repl);

    if (n->prev)
        NODE(n->prev, repl)->next = n->next;
    else
        q->head = n->next;
    if (n->next)
        NODE(n->next, repl)->prev = n->prev;
    else
        q->tail = n->prev;
    *n = (struct node){0};
}

static void link_after(struct queue *q, struct sy_rtds *s, struct sy_rtds *after, bool repl)
{
    struct node *n = NODE(s, repl);

    n->on = true;
    n->prev = after;
    n->next = after ? NODE(after, repl)->next : q->head;
    if (n->next)
        NODE(n->next, repl)->prev = s;
    else
        q->tail = s;
    if (after)
        NODE(after, repl)->next = s;
    else
        q->head = s;
}

/* Behind everything that does not come after it. Searched from the tail, where new deadlines belong. Xen
 * orders the replenishment queue by priority, too: who comes back to it in extratime is behind all who are
 * not, and its replenishment waits for theirs. */
static void insert_sorted(struct queue *q, struct sy_rtds *s, bool repl)
{
    struct sy_rtds *after = q->tail;
    bool by_deadline = repl && (pool_of(s->v)->no_quirks || pool_of(s->v)->static_priority);

    while (after && (by_deadline ? after->deadline - s->deadline : compare(s, after)) > 0)
        after = NODE(after, repl)->prev;
    link_after(q, s, after, repl);
}

static void wait_becomes(struct sy_rtds *s, enum wait wait, struct sy_pcpu *c, uint64_t clk)
{
    static const char *const kind[] = {NULL, "idle", "inversion"};

    if (s->wait == wait)
        return;
    if (s->wait != FAIR)
        sy_ledger_wait(s->wait_on->sim, &(struct sy_fault_row){.kind = kind[s->wait],
                                                               .from = s->wait_since,
                                                               .to = clk,
                                                               .pcpu = (int)s->wait_on->id,
                                                               .v = s->v,
                                                               .other = s->wait_for,
                                                               .deadline_ns = s->deadline});
    s->wait = wait;
    s->wait_since = clk;
    s->wait_on = c;
    s->wait_for = c && !c->curr->is_idle ? c->curr : NULL;
}

/* Whoever is queued with budget while a pCPU that it may use idles or runs somebody who goes after it. */
static void rtds_audit(struct sy_sim *sim, struct sy_pcpu *on, struct sy_pool *pool)
{
    struct rtds_pool *p = pool->priv;

    for (struct sy_rtds *s = p->run.head; s; s = s->run.next) {
        struct sy_mask m = sy_mask_and(&pool->cpus, &s->v->affinity);
        struct sy_pcpu *worse = NULL;
        enum wait wait = FAIR;
        for (unsigned i = sy_mask_from(&m, 0); i != SY_NO_PCPU && wait != IDLE_PCPU;
             i = sy_mask_from(&m, i + 1)) {
            struct sy_vcpu *curr = sim->pcpu[i].curr;
            if (!curr->is_idle && compare(curr->rtds, s) >= 0)
                continue;
            wait = curr->is_idle ? IDLE_PCPU : INVERTED;
            worse = &sim->pcpu[i];
        }
        wait_becomes(s, wait, worse, on->clk);
    }
}

static void queue_remove(struct sy_pcpu *on, struct sy_rtds *s)
{
    wait_becomes(s, FAIR, NULL, on->clk);
    unlink_node(s->queue, s, false);
    s->queue = NULL;
}

static void runq_insert(struct sy_rtds *s)
{
    struct rtds_pool *p = pool_of(s->v);

    if (s->cur_budget > 0 || s->v->extratime) {
        s->queue = &p->run;
        insert_sorted(&p->run, s, false);
    } else {
        s->queue = &p->depleted;
        link_after(&p->depleted, s, NULL, false);
    }
}

/* What is due already comes at once, not before `clk`, when that is found. */
static void arm(struct sy_sim *sim, struct rtds_pool *p, uint64_t clk)
{
    if (!p->repl.head) {
        sy_timer_stop(sim, &p->timer);
        return;
    }
    uint64_t late = sy_us(sim, 0.3 + 2 * sy_rng_unit(&sim->rng_cost));
    sy_timer_set(sim, &p->timer, MAX(clk, sy_at_pnow(p->timer_on, p->repl.head->deadline)) + late);
}

static void repl_insert(struct sy_sim *sim, struct sy_rtds *s, uint64_t clk)
{
    struct rtds_pool *p = pool_of(s->v);

    insert_sorted(&p->repl, s, true);
    if (p->repl.head == s)
        arm(sim, p, clk);
}

/* With --audit: a replenishment that comes, or is given up since the VCPU blocks, later than it was due. */
static void overdue(struct sy_pcpu *on, const struct sy_rtds *s)
{
    if (on->sim->opt->audit && sy_pnow(on) > s->deadline)
        sy_ledger_wait(on->sim, &(struct sy_fault_row){.kind = "late-replenish",
                                                       .from = sy_at_pnow(on, s->deadline),
                                                       .to = on->clk,
                                                       .pcpu = (int)on->id,
                                                       .v = s->v,
                                                       .deadline_ns = s->deadline});
}

static void repl_remove(struct sy_pcpu *on, struct sy_rtds *s)
{
    struct rtds_pool *p = pool_of(s->v);
    bool first = p->repl.head == s;

    overdue(on, s);
    unlink_node(&p->repl, s, true);
    if (first)
        arm(on->sim, p, on->clk);
}

static void update_deadline(struct sy_pcpu *on, struct sy_rtds *s, int64_t now)
{
    struct sy_vcpu *v = s->v;

    s->deadline += ((now - s->deadline) / v->period + 1) * v->period;
    s->last_start = now;
    s->cur_budget = v->budget;
    s->level = 0;
    v->deadline = s->deadline;
    bool visible = rec_rtds_replenish(on, v, s->deadline, s->cur_budget);
    sy_ledger_replenish(on, v, s->deadline, s->cur_budget, visible);
}

static void tickle(struct sy_sim *sim, struct sy_pcpu *on, struct sy_rtds *s)
{
    struct rtds_pool *p = pool_of(s->v);
    struct sy_mask m = sy_mask_and(&s->v->pool->cpus, &s->v->affinity);
    struct sy_rtds *latest = NULL;
    unsigned target = SY_NO_PCPU;

    m = sy_mask_andnot(&m, &p->tickled);
    for (unsigned cpu = sy_mask_test_or_cycle(&m, s->v->cpu); cpu != SY_NO_PCPU;
         cpu = sy_mask_cycle(&m, cpu)) {
        struct sy_vcpu *running = sim->pcpu[cpu].curr;
        if (running->is_idle) {
            target = cpu;
            break;
        }
        if (!latest || compare(running->rtds, latest) < 0)
            latest = running->rtds;
        sy_mask_clear(&m, cpu);
    }
    if (target == SY_NO_PCPU) {
        if (!latest || compare(latest, s) >= 0)
            return;
        target = latest->v->cpu;
    }
    rec_rtds_tickle(on, target);
    sy_mask_set(&p->tickled, target);
    sy_raise_softirq(sim, on, target);
}

/* repl_timer_handler */
static void replenish(struct sy_sim *sim, void *arg, uint64_t at)
{
    struct sy_pool *pool = arg;
    struct rtds_pool *p = pool->priv;
    struct sy_pcpu *on = p->timer_on;
    struct sy_rtds *done[64];
    unsigned n = 0;

    sy_interrupt(on, at);
    sy_spend(on, 0.5);
    sy_lock(on, &pool->lock);
    int64_t now = sy_pnow(on);
    while (p->repl.head && n < G_N_ELEMENTS(done)) {
        struct sy_rtds *s = p->repl.head;
        if (now < s->deadline)
            break;
        unlink_node(&p->repl, s, true);
        if (sy_fault_drop_replenish(sim, s->v, s->deadline, on->clk)) {
            s->held = true;
            sy_timer_set(sim, &s->held_timer, sy_at_now(sim, s->deadline + s->v->period));
            continue;
        }
        overdue(on, s);
        update_deadline(on, s, now);
        done[n++] = s;
        if (s->run.on) {
            queue_remove(on, s);
            runq_insert(s);
        }
    }
    /* Xen puts them on a list in front, so the last comes first. */
    while (n-- > 0) {
        struct sy_rtds *s = done[n];
        if (sim->pcpu[s->v->cpu].curr == s->v && p->run.head) {
            struct sy_rtds *next = p->run.head;
            /* Xen looks at the head only, even if it may not run there. */
            while (sim->opt->no_quirks && next && !sy_mask_test(&next->v->affinity, s->v->cpu))
                next = next->run.next;
            if (next && compare(s, next) < 0)
                tickle(sim, on, next);
        } else if (s->depleted) {
            s->depleted = false;
            if (s->run.on)
                tickle(sim, on, s);
        }
        insert_sorted(&p->repl, s, true);
    }
    arm(sim, p, on->clk);
    if (sim->opt->audit && sim->tracing)
        rtds_audit(sim, on, pool);
    sy_unlock(on, &pool->lock);
}

/* The fault is over: the replenishment that is due by now happens. */
static void unhold(struct sy_sim *sim, void *arg, uint64_t at)
{
    struct sy_rtds *s = arg;

    s->held = false;
    if (s->run.on || s->scheduled)
        repl_insert(sim, s, at);
}

/* What still waits when tracing ends. */
static void rtds_audit_end(struct sy_sim *sim, struct sy_pcpu *on, struct sy_pool *pool)
{
    struct rtds_pool *p = pool->priv;

    for (struct sy_rtds *s = p->run.head; s; s = s->run.next)
        wait_becomes(s, FAIR, NULL, on->clk);
    for (struct sy_rtds *s = p->repl.head; s; s = s->repl.next)
        overdue(on, s);
}

static void burn(struct sy_sim *sim, struct sy_pcpu *on, struct sy_rtds *s, int64_t now)
{
    int64_t delta = now - s->last_start, before = s->cur_budget;

    if (delta < 0) {
        s->last_start = now;
        return;
    }
    s->cur_budget -= delta;
    s->last_start = now;
    if (s->cur_budget <= 0) {
        if (s->v->extratime) {
            s->level++;
            s->cur_budget = s->v->budget;
        } else {
            s->cur_budget = 0;
            s->depleted = true;
        }
    }
    bool visible = rec_rtds_burn(on, s->v, s->cur_budget, delta, s->level);
    sy_ledger_burn(on, s->v, s->cur_budget, s->level, visible);
    sy_fault_burnt(sim, on, s->v, before, delta);
    if (sim->opt->audit && delta > before)
        sy_ledger_wait(sim, &(struct sy_fault_row){.kind = "late-timer",
                                                   .from = on->clk - sy_cycles(sim, delta - before),
                                                   .to = on->clk,
                                                   .pcpu = (int)on->id,
                                                   .v = s->v,
                                                   .deadline_ns = s->deadline});
}

/* Head-most queued VCPU that may run here. */
static struct sy_rtds *pick(struct sy_sim *sim, struct sy_pcpu *on)
{
    struct rtds_pool *p = on->pool->priv;
    struct sy_rtds *s = p->run.head;

    while (s && !sy_mask_test(&s->v->affinity, on->id) && !sy_fault_unpinned(sim, on, s->v))
        s = s->run.next;
    rec_rtds_pick(on, s ? s->v : NULL, s ? s->deadline : 0, s ? s->cur_budget : 0);
    return s;
}

static struct sy_decision rtds_schedule(struct sy_sim *sim, struct sy_pcpu *on, int64_t now)
{
    struct rtds_pool *p = on->pool->priv;
    struct sy_vcpu *curr = on->curr;
    struct sy_rtds *scurr = curr->is_idle ? NULL : curr->rtds;

    on->overrun_cycles = 0;
    rec_rtds_schedule(on, sy_mask_test(&p->tickled, on->id), curr->is_idle);
    sy_mask_clear(&p->tickled, on->id);
    if (scurr)
        burn(sim, on, scurr, now);
    struct sy_rtds *snext = pick(sim, on);
    if (snext && !sy_runnable(snext->v)) {
        queue_remove(on, snext);
        if (snext->repl.on)
            repl_remove(on, snext);
        snext = NULL;
    }
    bool can_stay = scurr && sy_runnable(curr) && scurr->cur_budget > 0;
    /* Xen switches between equals, too; only to hold back who goes strictly before, with budget, is an inversion. */
    if (can_stay && (!snext || compare(scurr, snext) > 0 ||
                     (compare(scurr, snext) < 0 && snext->level == 0 &&
                      sy_fault_hold(sim, on, curr, snext->v, scurr->cur_budget, snext->deadline))))
        snext = scurr;
    if (snext != scurr && scurr && sy_runnable(curr))
        scurr->delayed_add = true;
    sy_fault_decided(sim, on, snext ? snext->v : NULL);
    rec_rtds_decision(on, snext ? snext->v : on->idle, snext ? snext->deadline : 0,
                      snext ? snext->cur_budget : 0);
    if (!snext)
        return (struct sy_decision){on->idle, -1};
    snext->last_start = now;
    if (snext != scurr) {
        queue_remove(on, snext);
        snext->scheduled = true;
    }
    on->overrun_cycles = sy_fault_overrun(sim, on, snext->v, snext->cur_budget, snext->deadline - now);
    return (struct sy_decision){snext->v, snext->cur_budget};
}

/* Servers other than the deferrable one do not keep what they do not use. */
static void idle_budget(struct sy_rtds *s, int64_t now)
{
    if (s->v->server == SY_PERIODIC && s->blocked_at) {
        s->cur_budget = MAX(0, s->cur_budget - (now - s->blocked_at));
        s->depleted = s->cur_budget == 0;
    }
    s->blocked_at = 0;
}

static void rtds_wake(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct sy_rtds *s = v->rtds;

    if (sim->pcpu[v->cpu].curr == v || s->run.on)
        return;
    int64_t now = sy_pnow(on);
    bool due = now >= s->deadline && !s->held;
    /* A sporadic server's period begins with its activation, all others' on a grid. */
    if (due && v->server == SY_SPORADIC)
        s->deadline = now;
    if (due)
        update_deadline(on, s, now);
    else
        idle_budget(s, now);
    if (s->scheduled) {
        s->delayed_add = true;
        if (due && s->repl.on) {
            repl_remove(on, s);
            repl_insert(sim, s, on->clk);
        }
        return;
    }
    if (!s->held)
        repl_insert(sim, s, on->clk);
    runq_insert(s);
    tickle(sim, on, s);
}

static void rtds_sleep(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct sy_rtds *s = v->rtds;

    if (sim->pcpu[v->cpu].curr == v) {
        sy_raise_softirq(sim, on, v->cpu);
    } else if (s->run.on) {
        queue_remove(on, s);
        if (s->repl.on)
            repl_remove(on, s);
    } else {
        s->delayed_add = false;
    }
}

static void rtds_context_saved(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *prev)
{
    struct sy_rtds *s = prev->rtds;

    s->scheduled = false;
    if (s->delayed_add && sy_runnable(prev)) {
        s->delayed_add = false;
        runq_insert(s);
        tickle(sim, on, s);
        return;
    }
    s->delayed_add = false;
    if (s->repl.on)
        repl_remove(on, s);
    s->blocked_at = s->last_start;
    if (prev->server == SY_POLLING) {
        s->cur_budget = 0;
        s->depleted = true;
    }
}

static void rtds_insert(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct sy_rtds *s = g_new0(struct sy_rtds, 1);

    s->v = v;
    v->rtds = s;
    sy_timer_init(&s->held_timer, unhold, s);
    int64_t now = sy_pnow(on);
    update_deadline(on, s, now);
    if (sy_runnable(v)) {
        repl_insert(sim, s, on->clk);
        runq_insert(s);
    }
}

static void rtds_remove(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct sy_rtds *s = v->rtds;

    if (s->run.on)
        queue_remove(on, s);
    if (s->repl.on)
        repl_remove(on, s);
    sy_timer_stop(sim, &s->held_timer);
    g_clear_pointer(&v->rtds, g_free);
}

static void rtds_pool_init(struct sy_sim *sim, struct sy_pool *pool)
{
    struct rtds_pool *p = g_new0(struct rtds_pool, 1);

    pool->priv = p;
    p->no_quirks = sim->opt->no_quirks;
    p->static_priority = g_str_equal(sim->opt->policy, "dm");
    p->timer_on = &sim->pcpu[sy_mask_from(&pool->cpus, 0)];
    sy_timer_init(&p->timer, replenish, pool);
}

static void rtds_pool_free(struct sy_sim *sim, struct sy_pool *pool)
{
    g_clear_pointer(&pool->priv, g_free);
}

static unsigned rtds_pick_cpu(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct sy_mask m = sy_mask_and(&v->pool->cpus, &v->affinity);
    return sy_mask_test_or_cycle(&m, v->cpu);
}

const struct sy_policy sy_policy_rtds = {
    .xl_name = "rtds",
    .global_lock = true,
    .pool_init = rtds_pool_init,
    .insert = rtds_insert,
    .remove = rtds_remove,
    .wake = rtds_wake,
    .sleep = rtds_sleep,
    .schedule = rtds_schedule,
    .context_saved = rtds_context_saved,
    .pick_cpu = rtds_pick_cpu,
    .audit = rtds_audit,
    .audit_end = rtds_audit_end,
    .pool_free = rtds_pool_free,
};
