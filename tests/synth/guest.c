/* Guests: jobs arrive, run for a while, and the VCPU blocks when there is no work left. */
#include "synth.h"

#include "options.h"

static uint64_t draw_exec(struct sy_sim *sim, struct sy_guest *g)
{
    double f = 1 + g->exec_jitter * (2 * sy_rng_unit(&sim->rng) - 1);
    uint64_t x = (uint64_t)((double)g->exec * f);
    return MAX(x, sim->hz / 200000); /* at least 5 us */
}

static void arm_release(struct sy_sim *sim, struct sy_vcpu *v, uint64_t last)
{
    struct sy_guest *g = &v->guest;
    uint64_t gap = g->period;

    if (g->kind == SY_GUEST_SPORADIC)
        gap = g->period / 4 + (uint64_t)sy_rng_exp(&sim->rng, 0.75 * (double)g->period);
    sy_timer_set(sim, &g->release, last + MAX(gap, sim->hz / 100000));
}

/* A job arrives: a timer interrupt on the pCPU where the VCPU ran last, now and then an event from elsewhere.
 */
static void release(struct sy_sim *sim, void *arg, uint64_t at)
{
    struct sy_vcpu *v = arg;
    struct sy_guest *g = &v->guest;
    unsigned where = v->cpu;

    arm_release(sim, v, at);
    if (sy_rng_below(&sim->rng, 16) == 0)
        where = sy_rng_below(&sim->rng, sim->pcpus);
    struct sy_pcpu *c = &sim->pcpu[where];
    sy_interrupt(c, at);
    sy_spend(c, 0.6);
    /* A guest that falls behind for good would only ever be a hog. */
    if (g->work_left < 4 * g->exec)
        g->work_left += draw_exec(sim, g);
    if (v->blocked) {
        v->blocked = false;
        sy_engine_wake(sim, c, v);
        sy_spend(c, 0.3);
    }
    /* The interrupt's own softirqs run before the guest goes on. */
    if (sy_timer_pending(&c->guest) && c->guest.at < c->clk)
        sy_timer_set(sim, &c->guest, c->clk);
}

void sy_guest_init(struct sy_sim *sim, struct sy_vcpu *v)
{
    struct sy_guest *g = &v->guest;

    sy_timer_init(&g->release, release, v);
    v->blocked = true;
    v->state = SY_BLOCKED;
    if (g->yield_every)
        g->to_yield = (uint64_t)sy_rng_exp(&sim->rng, (double)g->yield_every);
    if (g->kind == SY_GUEST_HOG) {
        g->work_left = UINT64_MAX / 2;
        g->period = UINT64_MAX / 4;
        sy_timer_set(sim, &g->release, sy_rng_below(&sim->rng, (uint32_t)MIN(sim->hz / 100, UINT32_MAX)));
        return;
    }
    sy_timer_set(sim, &g->release, (uint64_t)((double)g->period * sy_rng_unit(&sim->rng)));
}

void sy_guest_new_job(struct sy_sim *sim, struct sy_vcpu *v)
{
    v->guest.work_left += draw_exec(sim, &v->guest);
    v->blocked = false;
}

void sy_guest_start(struct sy_sim *sim, struct sy_pcpu *c)
{
    struct sy_vcpu *v = c->curr;
    struct sy_guest *g = &v->guest;

    if (v->is_idle || v->blocked || v->paused)
        return;
    g->run_since = c->clk;
    uint64_t go = g->work_left ? g->work_left : sim->hz / 500000; /* nothing to do: 2 us to find that out */
    if (g->yield_every && g->to_yield < go)
        go = g->to_yield;
    sy_timer_set(sim, &c->guest, c->clk + MAX(go, 1));
}

static void consume(struct sy_pcpu *c)
{
    struct sy_guest *g = &c->curr->guest;
    uint64_t ran = c->clk > g->run_since ? c->clk - g->run_since : 0;

    g->run_since = c->clk;
    g->work_left -= MIN(ran, g->work_left);
    g->to_yield -= MIN(ran, g->to_yield);
}

void sy_guest_stop(struct sy_sim *sim, struct sy_pcpu *c)
{
    if (c->curr->is_idle)
        return;
    if (sy_timer_pending(&c->guest)) {
        consume(c);
        sy_timer_stop(sim, &c->guest);
    }
}

/* The running guest blocks or yields. */
void sy_guest_act(struct sy_sim *sim, void *arg, uint64_t at)
{
    struct sy_pcpu *c = arg;
    struct sy_guest *g = &c->curr->guest;

    sy_interrupt(c, at);
    consume(c);
    if (g->work_left == 0) {
        sy_engine_block(sim, c);
        return;
    }
    if (g->yield_every && g->to_yield == 0) {
        g->to_yield = 1 + (uint64_t)sy_rng_exp(&sim->rng, (double)g->yield_every);
        sy_engine_yield(sim, c);
    }
    sy_guest_start(sim, c);
}
