#include "faults.h"

#include <gio/gio.h>
#include <string.h>

#include "ledger.h"
#include "options.h"
#include "ring.h"

enum kind { LOST, DROPPED_REPLENISH, INVERSION, OVERRUN, TSC_SKEW, UNPINNED, KINDS };

static const struct {
    const char *name;
    double default_us;
} kinds[KINDS] = {
    [LOST] = {"lost", 1000},           [DROPPED_REPLENISH] = {"dropped-replenish", 0},
    [INVERSION] = {"inversion", 1000}, [OVERRUN] = {"overrun", 1000},
    [TSC_SKEW] = {"tsc-skew", 300},    [UNPINNED] = {"unpinned", 0},
};

/* Where a plan of one kind stands. Only one fault of a kind is under way at a time. */
struct plan {
    GArray *at; /* of uint64_t, ascending; owned */
    unsigned done;
    double us;
    /* the one under way */
    bool active;
    uint64_t from, until;
    struct sy_pcpu *on;
    struct sy_vcpu *v, *other;
};

struct sy_faults {
    struct plan plan[KINDS];
    struct sy_rng rng;
};

static int kind_of(const char *name)
{
    for (int k = 0; k < KINDS; k++)
        if (g_str_equal(kinds[k].name, name))
            return k;
    return -1;
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void plan_add(struct sy_sim *sim, int kind, unsigned count, double us)
{
    struct plan *p = &sim->faults->plan[kind];
    struct sy_rng *r = &sim->faults->rng;
    double seconds = sim->opt->seconds > 0 ? sim->opt->seconds : 0.25 * count + 1;

    p->us = us;
    for (unsigned i = 0; i < count; i++) {
        uint64_t at = sim->t0 + (uint64_t)((0.1 + 0.75 * sy_rng_unit(r)) * seconds * (double)sim->hz);
        g_array_append_val(p->at, at);
    }
    g_array_sort(p->at, by_time);
}

static bool plan_parse(struct sy_sim *sim, const char *spec, GError **error)
{
    g_auto(GStrv) part = g_strsplit(spec, ":", 3);
    int kind = part[0] ? kind_of(part[0]) : -1;
    unsigned n = g_strv_length(part);

    if (kind < 0) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--fault %s: no such kind; there are lost, dropped-replenish, inversion, overrun, "
                    "tsc-skew, unpinned",
                    spec);
        return false;
    }
    guint64 count = 1, us = (guint64)kinds[kind].default_us;
    if ((n > 1 && !g_ascii_string_to_unsigned(part[1], 10, 0, 100000, &count, error)) ||
        (n > 2 && !g_ascii_string_to_unsigned(part[2], 10, 1, 100000000, &us, error))) {
        g_prefix_error(error, "--fault %s: ", spec);
        return false;
    }
    plan_add(sim, kind, (unsigned)count, (double)us);
    return true;
}

static void skew_tsc(struct sy_sim *sim)
{
    struct plan *p = &sim->faults->plan[TSC_SKEW];

    for (; p->done < p->at->len && sim->pcpus > 1; p->done++) {
        struct sy_pcpu *c = &sim->pcpu[1 + sy_rng_below(&sim->faults->rng, sim->pcpus - 1)];
        double us = p->us * (0.5 + sy_rng_unit(&sim->faults->rng));
        c->skew = (int64_t)sy_us(sim, us) * (sy_rng_u32(&sim->faults->rng) & 1 ? 1 : -1);
    }
}

bool sy_faults_new(struct sy_sim *sim, char *const *specs, unsigned lost, GError **error)
{
    sim->faults = g_new0(struct sy_faults, 1);
    sy_rng_seed(&sim->faults->rng, sim->opt->seed, 77);
    for (int k = 0; k < KINDS; k++)
        sim->faults->plan[k].at = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    for (; specs && *specs; specs++)
        if (!plan_parse(sim, *specs, error))
            return false;
    if (lost)
        plan_add(sim, LOST, lost, kinds[LOST].default_us);
    skew_tsc(sim);
    return true;
}

void sy_faults_free(struct sy_sim *sim)
{
    if (!sim->faults)
        return;
    for (int k = 0; k < KINDS; k++)
        g_array_free(sim->faults->plan[k].at, TRUE);
    g_clear_pointer(&sim->faults, g_free);
}

static bool due(const struct sy_sim *sim, int kind, uint64_t clk)
{
    const struct plan *p = &sim->faults->plan[kind];
    return p->done < p->at->len && !p->active && g_array_index(p->at, uint64_t, p->done) <= clk;
}

/* One pCPU's ring takes nothing for a while, as if xentrace had not come round. A decision at either end sees
 * to it that something is lost, and that the loss is told. */
static void lose(struct sy_sim *sim, void *arg, uint64_t at)
{
    struct plan *p = &sim->faults->plan[LOST];
    struct sy_rng *r = &sim->faults->rng;

    if (p->active) {
        sy_interrupt(p->on, at);
        p->on->ring->drop = false;
        sy_raise_softirq(sim, p->on, p->on->id);
        p->active = false;
        if (++p->done < p->at->len)
            sy_timer_set(sim, &sim->fault_timer, MAX(at + 1, g_array_index(p->at, uint64_t, p->done)));
        return;
    }
    p->active = true;
    p->on = &sim->pcpu[sy_rng_below(r, sim->pcpus)];
    p->on->ring->drop = true;
    sy_interrupt(p->on, at);
    sy_raise_softirq(sim, p->on, p->on->id);
    sy_timer_set(sim, &sim->fault_timer, at + sy_us(sim, 10 + p->us * (0.2 + 1.6 * sy_rng_unit(r))));
}

void sy_faults_start(struct sy_sim *sim)
{
    struct plan *p = &sim->faults->plan[LOST];

    sy_timer_init(&sim->fault_timer, lose, NULL);
    if (p->at->len)
        sy_timer_set(sim, &sim->fault_timer, g_array_index(p->at, uint64_t, 0));
    for (unsigned i = 0; i < sim->pcpus; i++) {
        struct sy_pcpu *c = &sim->pcpu[i];
        if (c->skew)
            sy_ledger_fault(
                sim, &(struct sy_fault_row){.kind = "tsc-skew",
                                            .from = sim->t0,
                                            .to = sim->t0,
                                            .pcpu = (int)i,
                                            .amount = (int64_t)((double)c->skew * 1e9 / (double)sim->hz),
                                            .unit = "ns"});
    }
}

bool sy_fault_drop_replenish(struct sy_sim *sim, struct sy_vcpu *v, int64_t deadline, uint64_t clk)
{
    /* Only of who has work for a while and will miss it. */
    if (!due(sim, DROPPED_REPLENISH, clk) || v->guest.work_left < sy_us(sim, 1500))
        return false;
    uint64_t from = sy_at_now(sim, deadline), to = sy_at_now(sim, deadline + v->period);
    sim->faults->plan[DROPPED_REPLENISH].done++;
    sy_ledger_fault(sim, &(struct sy_fault_row){.kind = "dropped-replenish",
                                                .from = from,
                                                .to = to,
                                                .pcpu = -1,
                                                .v = v,
                                                .amount = v->period,
                                                .unit = "ns",
                                                .deadline_ns = deadline + v->period});
    return true;
}

static void keep(struct sy_sim *sim, struct sy_pcpu *on, uint64_t until)
{
    if (!sy_timer_pending(&on->softirq))
        sy_timer_set(sim, &on->softirq, until);
}

bool sy_fault_hold(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *curr, struct sy_vcpu *next,
                   int64_t curr_budget, int64_t next_deadline)
{
    struct plan *p = &sim->faults->plan[INVERSION];

    if (p->active && p->on == on && p->v == curr && on->clk < p->until) {
        keep(sim, on, p->until);
        return true;
    }
    if (!due(sim, INVERSION, on->clk))
        return false;
    int64_t ns = (int64_t)(p->us * 1000), margin = 200000;
    /* Only where nothing else would end it early, as far as one can know. */
    if (curr_budget < ns + margin || curr->guest.work_left < sy_us(sim, p->us + 200) ||
        next_deadline - sy_pnow(on) < ns + margin)
        return false;
    p->active = true;
    p->from = on->clk;
    p->until = on->clk + sy_us(sim, p->us);
    p->on = on;
    p->v = curr;
    p->other = next;
    keep(sim, on, p->until);
    return true;
}

bool sy_fault_unpinned(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v)
{
    struct plan *p = &sim->faults->plan[UNPINNED];

    if (!on->curr->is_idle || !sy_runnable(v) || !due(sim, UNPINNED, on->clk))
        return false;
    p->active = true;
    p->on = on;
    p->v = v;
    p->from = on->clk;
    return true;
}

static void over(struct sy_sim *sim, int kind, uint64_t clk, const char *note)
{
    struct plan *p = &sim->faults->plan[kind];

    int64_t ns = sy_ns(sim, clk) - sy_ns(sim, p->from);
    p->active = false;
    /* Cut short, it stays in the ledger, and another one is due. */
    p->done += kind == UNPINNED || ns > (int64_t)(p->us * 500);
    sy_ledger_fault(sim, &(struct sy_fault_row){.kind = kinds[kind].name,
                                                .from = p->from,
                                                .to = clk,
                                                .pcpu = (int)p->on->id,
                                                .v = p->v,
                                                .other = p->other,
                                                .amount = ns,
                                                .unit = "ns",
                                                .note = note});
}

void sy_fault_decided(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *next)
{
    struct plan *inv = &sim->faults->plan[INVERSION], *unp = &sim->faults->plan[UNPINNED];

    if (inv->active && (next == inv->other || (inv->on == on && next != inv->v)))
        over(sim, INVERSION, on->clk, next == inv->other && inv->on != on ? "dispatched elsewhere" : NULL);
    if (unp->active && unp->on == on && next != unp->v)
        over(sim, UNPINNED, on->clk, NULL);
}

uint64_t sy_fault_overrun(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v, int64_t budget,
                          int64_t to_deadline)
{
    struct plan *p = &sim->faults->plan[OVERRUN];

    if (p->active && p->on == on && p->v == v)
        return sy_us(sim, p->us);
    if (p->active && p->on == on)
        p->active = false; /* preempted before it came to that: another time */
    if (!due(sim, OVERRUN, on->clk) || v->extratime)
        return 0;
    int64_t ns = (int64_t)(p->us * 1000), margin = 200000;
    if (to_deadline < budget + ns + margin || v->guest.work_left < sy_cycles(sim, budget + ns + margin))
        return 0;
    p->active = true;
    p->on = on;
    p->v = v;
    return sy_us(sim, p->us);
}

void sy_fault_burnt(struct sy_sim *sim, struct sy_pcpu *on, struct sy_vcpu *v, int64_t before, int64_t delta)
{
    struct plan *p = &sim->faults->plan[OVERRUN];

    if (!p->active || p->on != on || p->v != v || delta <= before)
        return;
    p->from = on->clk - sy_cycles(sim, delta - before);
    p->other = NULL;
    over(sim, OVERRUN, on->clk, NULL);
}

void sy_faults_finish(struct sy_sim *sim)
{
    for (int k = 0; k < KINDS; k++) {
        const struct plan *p = &sim->faults->plan[k];
        if (p->done < p->at->len)
            g_printerr("xt-synth: only %u of %u faults of kind %s found an occasion\n", p->done, p->at->len,
                       kinds[k].name);
    }
}
