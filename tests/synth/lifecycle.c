#include "lifecycle.h"

#include <string.h>

#include "ledger.h"
#include "options.h"
#include "records.h"
#include "system.h"

/* One thing to do: its steps follow each other, each at its own time. */
struct act {
    struct sy_sim *sim;
    void (*step)(struct act *a, struct sy_pcpu *on);
    struct sy_domain *dom;
    struct sy_timer timer;
};

struct sy_lifecycle {
    GPtrArray *acts; /* of struct act, owned */
    struct sy_rng rng;
};

/* The toolstack's hypercalls run where dom0 runs. */
static void run(struct sy_sim *sim, void *arg, uint64_t at)
{
    struct act *a = arg;
    struct sy_pcpu *on = &sim->pcpu[sim->vcpu[0]->cpu];

    sy_interrupt(on, at);
    sy_spend(on, 2);
    a->step(a, on);
}

static void later(struct act *a, struct sy_pcpu *on, double ms, void (*step)(struct act *, struct sy_pcpu *))
{
    a->step = step;
    sy_timer_set(a->sim, &a->timer, on->clk + sy_us(a->sim, ms * 1000));
}

static double draw(struct act *a, double from, double to)
{
    return from + (to - from) * sy_rng_unit(&a->sim->life->rng);
}

static void enter(struct act *a, struct sy_pcpu *on, const char *kind, const struct sy_vcpu *v, const char *note)
{
    sy_ledger_act(
        a->sim,
        &(struct sy_fault_row){
            .kind = kind, .from = on->clk, .to = on->clk, .pcpu = (int)on->id, .v = v, .note = note});
}

static void note(struct act *a, struct sy_pcpu *on, const char *kind, unsigned vcpu)
{
    const struct sy_vcpu *v = a->dom->vcpu[vcpu];
    char reservation[64];

    g_snprintf(reservation, sizeof(reservation), "%" PRId64 "/%" PRId64, v->period, v->budget);
    enter(a, on, kind, v, reservation);
}

/* A guest that is there and is not dom0; NULL if there is none. */
static struct sy_domain *some_domain(struct act *a)
{
    struct sy_sim *sim = a->sim;

    for (int tries = 0; tries < 32; tries++) {
        struct sy_domain *d = sim->domain[sy_rng_below(&sim->life->rng, sim->domains)];
        if (d->domid && !d->destroyed && !d->busy)
            return d;
    }
    return NULL;
}

static void unpause(struct act *a, struct sy_pcpu *on)
{
    note(a, on, "unpause", 0);
    for (unsigned i = 0; i < a->dom->vcpus; i++)
        sy_engine_unpause(a->sim, on, a->dom->vcpu[i]);
    a->dom->busy = false;
}

static void pause_domain(struct act *a, struct sy_pcpu *on)
{
    a->dom->busy = true;
    note(a, on, "pause", 0);
    for (unsigned i = 0; i < a->dom->vcpus; i++)
        sy_engine_pause(a->sim, on, a->dom->vcpu[i]);
    later(a, on, draw(a, 0.5, 40), unpause);
}

static void bury(struct act *a, struct sy_pcpu *on)
{
    for (unsigned i = 0; i < a->dom->vcpus; i++)
        if (a->dom->vcpu[i]->is_running) {
            later(a, on, 1, bury);
            return;
        }
    for (unsigned i = 0; i < a->dom->vcpus; i++)
        sy_engine_remove(a->sim, on, a->dom->vcpu[i]);
    rec_dom_rem(on, a->dom->domid);
    note(a, on, "removed", 0);
}

static void destroy(struct act *a, struct sy_pcpu *on)
{
    a->dom->destroyed = true;
    note(a, on, "destroy", 0);
    for (unsigned i = 0; i < a->dom->vcpus; i++) {
        sy_timer_stop(a->sim, &a->dom->vcpu[i]->guest.release);
        sy_engine_pause(a->sim, on, a->dom->vcpu[i]);
    }
    later(a, on, draw(a, 5, 50), bury);
}

static void create(struct act *a, struct sy_pcpu *on)
{
    a->dom = sy_system_add(a->sim);
    if (!a->dom)
        return;
    a->dom->busy = true;
    rec_dom_add(on, a->dom->domid, a->dom->vcpus);
    for (unsigned i = 0; i < a->dom->vcpus; i++) {
        sy_ledger_vcpu_start(a->sim, a->dom->vcpu[i]);
        sy_engine_insert(a->sim, on, a->dom->vcpu[i]);
    }
    note(a, on, "create", 0);
    later(a, on, draw(a, 5, 60), unpause);
}

static void lifecycle(struct act *a, struct sy_pcpu *on)
{
    uint32_t what = sy_rng_below(&a->sim->life->rng, 4);

    a->dom = some_domain(a);
    if (what == 0 || !a->dom)
        create(a, on);
    else if (what == 1)
        destroy(a, on);
    else
        pause_domain(a, on);
}

static void adjust(struct act *a, struct sy_pcpu *on)
{
    a->dom = some_domain(a);
    if (!a->dom || a->dom->pool->policy != &sy_policy_rtds)
        return;
    unsigned i = sy_rng_below(&a->sim->life->rng, a->dom->vcpus);
    sy_system_redraw(a->sim, a->dom->vcpu[i], draw(a, 0.05, 0.5));
    rec_adjdom(on, a->dom->domid);
    note(a, on, "adjust", i);
}

static void repin(struct act *a, struct sy_pcpu *on)
{
    a->dom = some_domain(a);
    if (!a->dom)
        return;
    struct sy_vcpu *v = a->dom->vcpu[sy_rng_below(&a->sim->life->rng, a->dom->vcpus)];
    struct sy_mask affinity = sy_system_draw_affinity(a->sim, a->dom->pool);
    g_autoptr(GString) pcpus = g_string_new(NULL);
    for (unsigned i = sy_mask_from(&affinity, 0); i != SY_NO_PCPU; i = sy_mask_from(&affinity, i + 1))
        g_string_append_printf(pcpus, pcpus->len ? " %u" : "%u", i);
    enter(a, on, "repin", v, pcpus->str);
    sy_engine_set_affinity(a->sim, on, v, affinity);
}

static void plan(struct sy_sim *sim, unsigned n, void (*step)(struct act *, struct sy_pcpu *))
{
    double seconds = sim->opt->seconds > 0 ? sim->opt->seconds : 0.25 * n + 1;

    for (unsigned i = 0; i < n; i++) {
        struct act *a = g_new0(struct act, 1);
        a->sim = sim;
        a->step = step;
        sy_timer_init(&a->timer, run, a);
        g_ptr_array_add(sim->life->acts, a);
        double at = (0.05 + 0.85 * sy_rng_unit(&sim->life->rng)) * seconds;
        sy_timer_set(sim, &a->timer, sim->t0 + (uint64_t)(at * (double)sim->hz));
    }
}

void sy_lifecycle_start(struct sy_sim *sim)
{
    sim->life = g_new0(struct sy_lifecycle, 1);
    sim->life->acts = g_ptr_array_new_with_free_func(g_free);
    sy_rng_seed(&sim->life->rng, sim->opt->seed, 99);
    plan(sim, sim->opt->lifecycle, lifecycle);
    plan(sim, sim->opt->adjust, adjust);
    plan(sim, sim->opt->repin, repin);
}

void sy_lifecycle_free(struct sy_sim *sim)
{
    if (!sim->life)
        return;
    g_ptr_array_free(sim->life->acts, TRUE);
    g_clear_pointer(&sim->life, g_free);
}
