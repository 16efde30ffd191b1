/* What xen/common/sched/core.c does: wake, block, yield, pause, and the schedule softirq. */
#include "synth.h"

#include "ledger.h"
#include "options.h"
#include "records.h"

/* With --audit: what waits although it should run? Asked whenever that may have changed. */
static void audit(struct sy_sim *sim, struct sy_pcpu *on, struct sy_pool *pool)
{
    if (sim->opt->audit && sim->tracing && pool->policy->audit)
        pool->policy->audit(sim, on, pool);
}

void sy_interrupt(struct sy_pcpu *c, uint64_t at)
{
    if (c->clk < at)
        c->clk = at;
}

/* Uniform around the mean: times of real code paths scatter. */
void sy_spend(struct sy_pcpu *c, double mean_us)
{
    c->clk += sy_us(c->sim, mean_us * (0.5 + sy_rng_unit(&c->sim->rng_cost)));
}

static struct sy_lock *lock_of_pcpu(struct sy_pcpu *c)
{
    return c->pool->policy->global_lock ? &c->pool->lock : &c->own_lock;
}

void sy_lock(struct sy_pcpu *c, struct sy_lock *lock)
{
    if (c->clk < lock->free_at)
        c->clk = lock->free_at;
}

void sy_unlock(struct sy_pcpu *c, struct sy_lock *lock)
{
    if (lock->free_at < c->clk)
        lock->free_at = c->clk;
}

void sy_raise_softirq(struct sy_sim *sim, struct sy_pcpu *from, unsigned target)
{
    struct sy_pcpu *to = &sim->pcpu[target];
    double us = to == from ? 0.3 : 0.8 + 2.5 * sy_rng_unit(&sim->rng_cost);
    uint64_t at = from->clk + sy_us(sim, us);

    if (to->raised < from->clk) {
        to->raised = from->clk;
        to->raised_at = at;
    }
    if (!sy_timer_pending(&to->softirq) || at < to->softirq.at)
        sy_timer_set(sim, &to->softirq, at);
}

static void set_state(struct sy_pcpu *c, struct sy_vcpu *v, enum sy_state state)
{
    enum sy_state old = v->state;

    if (old == state)
        return;
    bool visible = rec_runstate(c, v, state);
    v->state = state;
    sy_ledger_runstate(c, v, old, state, visible);
}

void sy_engine_wake(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    bool late_record = sim->xen == SY_XEN_4_5;

    if (!late_record)
        rec_wake(on, v);
    struct sy_lock *lock = lock_of_pcpu(&sim->pcpu[v->cpu]);
    sy_lock(on, lock);
    if (sy_runnable(v)) {
        if (v->state >= SY_BLOCKED)
            set_state(on, v, SY_RUNNABLE);
        v->pool->policy->wake(sim, on, v);
    } else if (!v->blocked && v->state == SY_BLOCKED) {
        set_state(on, v, SY_OFFLINE);
    }
    audit(sim, on, v->pool);
    sy_unlock(on, lock);
    if (late_record)
        rec_wake(on, v);
}

void sy_engine_pause(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    if (v->paused++)
        return;
    rec_sleep(on, v);
    struct sy_lock *lock = lock_of_pcpu(&sim->pcpu[v->cpu]);
    sy_lock(on, lock);
    if (v->state == SY_RUNNABLE)
        set_state(on, v, SY_OFFLINE);
    v->pool->policy->sleep(sim, on, v);
    sy_unlock(on, lock);
}

void sy_engine_unpause(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    if (--v->paused)
        return;
    sy_engine_wake(sim, on, v);
}

static bool races(struct sy_sim *sim, const struct sy_vcpu *v)
{
    return v->guest.kind != SY_GUEST_HOG && v->blocked && sy_rng_unit(&sim->rng) < sim->opt->races;
}

void sy_engine_block(struct sy_sim *sim, struct sy_pcpu *c)
{
    struct sy_vcpu *v = c->curr;

    rec_block(c, v);
    v->blocked = true;
    sy_spend(c, 0.2);
    sy_raise_softirq(sim, c, c->id);
    /* A wake-up can come before the softirq: then the VCPU goes on as if nothing had been. */
    if (races(sim, v))
        sy_timer_set(sim, &v->guest.release, c->clk);
}

void sy_engine_yield(struct sy_sim *sim, struct sy_pcpu *c)
{
    struct sy_vcpu *v = c->curr;
    struct sy_lock *lock = lock_of_pcpu(c);

    sy_lock(c, lock);
    if (v->pool->policy->yield)
        v->pool->policy->yield(sim, c, v);
    sy_unlock(c, lock);
    sy_ledger_yield(c, v, rec_yield(c, v));
    sy_raise_softirq(sim, c, c->id);
}

/* sched_unit_migrate_finish */
static void migrate_finish(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    if (!v->migrating || v->is_running)
        return;
    struct sy_lock *lock = lock_of_pcpu(&sim->pcpu[v->cpu]);
    sy_lock(on, lock);
    unsigned to = v->pool->policy->pick_cpu(sim, on, v);
    v->migrating = false;
    if (v->pool->policy->moved)
        v->pool->policy->moved(sim, on, v, to);
    else
        v->cpu = to;
    sy_unlock(on, lock);
    sy_engine_wake(sim, on, v);
}

void sy_engine_insert(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct sy_lock *lock = lock_of_pcpu(&sim->pcpu[v->cpu]);

    sy_lock(on, lock);
    v->pool->policy->insert(sim, on, v);
    sy_unlock(on, lock);
}

void sy_engine_remove(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct sy_lock *lock = lock_of_pcpu(&sim->pcpu[v->cpu]);

    sy_lock(on, lock);
    v->pool->policy->remove(sim, on, v);
    v->exists = false;
    sy_unlock(on, lock);
}

void sy_engine_set_affinity(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v,
                            struct sy_mask affinity)
{
    struct sy_lock *lock = lock_of_pcpu(&sim->pcpu[v->cpu]);

    sy_lock(on, lock);
    v->affinity = affinity;
    if (!sy_mask_test(&affinity, v->cpu)) {
        v->migrating = true;
        if (v->state == SY_RUNNABLE)
            set_state(on, v, SY_OFFLINE);
        v->pool->policy->sleep(sim, on, v);
    }
    sy_unlock(on, lock);
    migrate_finish(sim, on, v);
}

static void context_saved(struct sy_sim *sim, struct sy_pcpu *c, struct sy_vcpu *prev)
{
    prev->is_running = false;
    struct sy_lock *lock = lock_of_pcpu(c);
    sy_lock(c, lock);
    if (!prev->is_idle && prev->exists)
        c->pool->policy->context_saved(sim, c, prev);
    audit(sim, c, c->pool);
    sy_unlock(c, lock);
    migrate_finish(sim, c, prev);
}

static void continue_same(struct sy_pcpu *c, const struct sy_vcpu *v, int64_t now, int64_t slice)
{
    rec_infcont(c, v, now - v->entry_ns, slice);
    rec_continue(c, v);
    sy_ledger_decision(c, true);
}

static bool switch_to(struct sy_pcpu *c, struct sy_vcpu *prev, struct sy_vcpu *next, int64_t now,
                      int64_t slice)
{
    rec_infprev(c, prev, now - prev->entry_ns);
    rec_infnext(c, next, next->state == SY_RUNNABLE ? now - next->entry_ns : 0, slice);
    rec_switch(c, prev, next);
    next->is_running = true;
    next->entry_ns = prev->entry_ns = now;
    /* A wake-up on another pCPU can come after the decision: the flag is gone, and the VCPU that was to block
     * is runnable. */
    bool raced = c->sim->pcpus > 1 && races(c->sim, prev);
    if (raced)
        sy_guest_new_job(c->sim, prev);
    set_state(c, prev, prev->blocked ? SY_BLOCKED : sy_runnable(prev) ? SY_RUNNABLE : SY_OFFLINE);
    set_state(c, next, SY_RUNNING);
    next->cpu = c->id;
    c->curr = next;
    sy_ledger_decision(c, false);
    return raced;
}

/* The wake-up that came too late for the decision, on the next pCPU: it had to wait for the lock. */
static void late_wake(struct sy_sim *sim, struct sy_pcpu *c, struct sy_vcpu *v)
{
    struct sy_pcpu *other = &sim->pcpu[(c->id + 1) % sim->pcpus];

    sy_interrupt(other, c->clk);
    sy_engine_wake(sim, other, v);
    if (sy_timer_pending(&other->guest) && other->guest.at < other->clk)
        sy_timer_set(sim, &other->guest, other->clk);
}

void sy_engine_schedule(struct sy_sim *sim, struct sy_pcpu *c)
{
    struct sy_vcpu *prev = c->curr;
    struct sy_lock *lock = lock_of_pcpu(c);

    /* One pending softirq is one call: what is due by now is served by this one. */
    if (sy_timer_pending(&c->softirq) && c->softirq.at <= c->clk)
        sy_timer_stop(sim, &c->softirq);
    /* What another pCPU raises after this one began sets the bit anew. */
    if (!sy_timer_pending(&c->softirq) && c->raised > c->clk)
        sy_timer_set(sim, &c->softirq, c->raised_at);
    sy_timer_stop(sim, &c->slice);
    sy_lock(c, lock);
    int64_t now = sy_pnow(c);
    sy_guest_stop(sim, c);
    struct sy_decision d = c->pool->policy->schedule(sim, c, now);
    if (d.slice_ns >= 0) {
        uint64_t late = sy_us(sim, 0.2 + 1.5 * sy_rng_unit(&sim->rng_cost));
        sy_timer_set(sim, &c->slice, sy_at_pnow(c, now + d.slice_ns) + late + c->overrun_cycles);
    }
    if (d.next == prev) {
        audit(sim, c, c->pool);
        sy_unlock(c, lock);
        continue_same(c, prev, now, d.slice_ns);
    } else {
        bool raced = switch_to(c, prev, d.next, now, d.slice_ns);
        sy_unlock(c, lock);
        sy_spend(c, 0.8);
        context_saved(sim, c, prev);
        sy_spend(c, 0.2);
        if (raced)
            late_wake(sim, c, prev);
    }
    sy_guest_start(sim, c);
}
