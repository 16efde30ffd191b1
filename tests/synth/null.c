/* The null scheduler: each VCPU owns a pCPU; who finds none waits. */
#include "synth.h"

#include "records.h"

struct null_pool {
    struct sy_vcpu *owner[SY_MAX_PCPUS];
    GQueue waiting; /* of struct sy_vcpu */
};

enum { PICKED = 1, ASSIGN = 2, DEASSIGN = 3 };

static unsigned null_pick_cpu(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct null_pool *p = v->pool->priv;
    struct sy_mask m = sy_mask_and(&v->pool->cpus, &v->affinity);
    unsigned best = sy_mask_test_or_cycle(&m, v->cpu);

    for (unsigned cpu = best, n = sy_mask_count(&m); n--; cpu = sy_mask_cycle(&m, cpu)) {
        if (p->owner[cpu])
            continue;
        best = cpu;
        break;
    }
    rec_null_assign(on, PICKED, v, best);
    return best;
}

static void null_insert(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct null_pool *p = v->pool->priv;

    v->cpu = null_pick_cpu(sim, on, v);
    if (p->owner[v->cpu]) {
        g_queue_push_tail(&p->waiting, v);
        return;
    }
    p->owner[v->cpu] = v;
    rec_null_assign(on, ASSIGN, v, v->cpu);
}

static void null_remove(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct null_pool *p = v->pool->priv;

    if (p->owner[v->cpu] != v) {
        g_queue_remove(&p->waiting, v);
        return;
    }
    p->owner[v->cpu] = NULL;
    rec_null_assign(on, DEASSIGN, v, v->cpu);
    for (GList *l = p->waiting.head; l; l = l->next) {
        struct sy_vcpu *w = l->data;
        if (!sy_mask_test(&w->affinity, v->cpu))
            continue;
        g_queue_delete_link(&p->waiting, l);
        p->owner[v->cpu] = w;
        w->cpu = v->cpu;
        rec_null_assign(on, ASSIGN, w, w->cpu);
        sy_raise_softirq(sim, on, w->cpu);
        return;
    }
}

static void null_wake(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct null_pool *p = v->pool->priv;

    if (sim->pcpu[v->cpu].curr != v && p->owner[v->cpu] == v)
        sy_raise_softirq(sim, on, v->cpu);
}

static void null_sleep(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    if (sim->pcpu[v->cpu].curr == v)
        sy_raise_softirq(sim, on, v->cpu);
}

static struct sy_decision null_schedule(struct sy_sim *sim, struct sy_pcpu *on, int64_t now)
{
    struct null_pool *p = on->pool->priv;
    struct sy_vcpu *v = p->owner[on->id];

    rec_null_schedule(on, v);
    return (struct sy_decision){v && sy_runnable(v) ? v : on->idle, -1};
}

static void null_saved(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *prev)
{
}

static void null_pool_init(struct sy_sim *sim, struct sy_pool *pool)
{
    pool->priv = g_new0(struct null_pool, 1);
}

static void null_pool_free(struct sy_sim *sim, struct sy_pool *pool)
{
    struct null_pool *p = pool->priv;

    g_queue_clear(&p->waiting);
    g_clear_pointer(&pool->priv, g_free);
}

const struct sy_policy sy_policy_null = {
    .xl_name = "null",
    .pool_init = null_pool_init,
    .insert = null_insert,
    .remove = null_remove,
    .wake = null_wake,
    .sleep = null_sleep,
    .schedule = null_schedule,
    .context_saved = null_saved,
    .pick_cpu = null_pick_cpu,
    .pool_free = null_pool_free,
};
