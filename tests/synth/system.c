#include "system.h"

#include <math.h>
#include <string.h>

#include "ledger.h"
#include "options.h"
#include "records.h"
#include "ring.h"

static void softirq(struct sy_sim *sim, void *arg, uint64_t at)
{
    sy_interrupt(arg, at);
    sy_engine_schedule(sim, arg);
}

static struct sy_vcpu *vcpu_new(struct sy_sim *sim, struct sy_domain *d, unsigned id, struct sy_pool *pool)
{
    struct sy_vcpu *v = g_new0(struct sy_vcpu, 1);

    v->domid = d ? d->domid : SY_IDLE_DOMID;
    v->id = (uint16_t)id;
    v->dom = d;
    v->pool = pool;
    v->exists = true;
    v->is_idle = !d;
    v->affinity = pool->cpus;
    v->cpu = sy_mask_from(&pool->cpus, 0);
    if (!d) {
        v->state = SY_RUNNING;
        v->is_running = true;
        v->cpu = id;
        return v;
    }
    v->index = sim->vcpus;
    sim->vcpu[sim->vcpus++] = v;
    sy_ledger_vcpu_new(v);
    return v;
}

/* Utilizations that sum up to `total`, none above 1, by UUniFast with rejection replaced by clamping. */
static void draw_utils(struct sy_rng *r, double *u, unsigned n, double total)
{
    double sum = total;

    for (unsigned i = 0; i < n; i++) {
        double next = i + 1 < n ? sum * pow(sy_rng_unit(r), 1.0 / (n - i - 1)) : 0;
        u[i] = CLAMP(sum - next, 0.005, 0.95);
        sum = next;
    }
}

static int64_t draw_period(struct sy_sim *sim)
{
    /* The kind of numbers people choose. */
    static const double ms[] = {5, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100};
    const struct sy_options *o = sim->opt;

    for (int tries = 0; tries < 64; tries++) {
        double x = ms[sy_rng_below(&sim->rng, G_N_ELEMENTS(ms))];
        if (x >= o->period_min_ms && x <= o->period_max_ms)
            return (int64_t)(x * 1e6);
    }
    return (int64_t)(o->period_min_ms * 1000) * 1000;
}

static bool chance(struct sy_sim *sim, double p)
{
    return sy_rng_unit(&sim->rng) < p;
}

static void reserve(struct sy_vcpu *v, int64_t period, double util)
{
    v->period = period;
    v->budget = MAX((int64_t)((double)period * util) / 1000, 10) * 1000;
    if (!v->first_period) {
        v->first_period = v->period;
        v->first_budget = v->budget;
    }
}

static void draw_guest(struct sy_sim *sim, struct sy_vcpu *v)
{
    struct sy_guest *g = &v->guest;
    const struct sy_options *o = sim->opt;

    g->kind = chance(sim, o->hogs)       ? SY_GUEST_HOG
              : chance(sim, o->sporadic) ? SY_GUEST_SPORADIC
                                         : SY_GUEST_PERIODIC;
    double factor = 0.5 + 2 * sy_rng_unit(&sim->rng);
    g->period = sy_cycles(sim, (int64_t)((double)v->period * factor));
    g->exec = (uint64_t)((double)sy_cycles(sim, v->budget) * factor * o->load);
    g->exec_jitter = 0.5 * sy_rng_unit(&sim->rng);
    g->yield_every = o->yields > 0 ? (uint64_t)((double)sim->hz / o->yields) : 0;
}

static const struct sy_policy *policy_by_name(const char *name)
{
    static const struct {
        const char *name;
        const struct sy_policy *policy;
    } table[] = {
        {"gedf", &sy_policy_rtds},     {"pedf", &sy_policy_rtds},       {"dm", &sy_policy_rtds},
        {"credit", &sy_policy_credit}, {"credit2", &sy_policy_credit2}, {"null", &sy_policy_null},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++)
        if (g_str_equal(table[i].name, name))
            return table[i].policy;
    return NULL;
}

static enum sy_server server_by_name(const char *name)
{
    static const char *const names[] = {"deferrable", "periodic", "polling", "sporadic"};
    for (int i = 0; i < 4; i++)
        if (g_str_equal(names[i], name))
            return (enum sy_server)i;
    return SY_DEFERRABLE;
}

static unsigned pick_number(const char *list, unsigned i, unsigned none)
{
    if (!list || !*list)
        return none;
    g_auto(GStrv) part = g_strsplit(list, ",", -1);
    return (unsigned)g_ascii_strtoull(part[i % g_strv_length(part)], NULL, 10);
}

static void name_domain(struct sy_sim *sim, struct sy_domain *d)
{
    static const char *const hostile[] = {
        "x'; DROP TABLE runs;--",
        "<script>alert(1)</script>",
        "$(reboot)",
        "../../etc/passwd",
        "a b  c",
        "%s%n%d",
        "\"q\"",
        "]]><svg onload=x>",
        "=cmd|' /C calc'!A0",
        "\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xa5",
        "\xff\xfe",
    };

    if (d->domid && sim->opt->hostile_names)
        g_snprintf(d->name, sizeof(d->name), "%s%u", hostile[d->domid % G_N_ELEMENTS(hostile)], d->domid);
    else
        g_snprintf(d->name, sizeof(d->name), d->domid ? "vm%u" : "Domain-%u", d->domid);
}

static struct sy_domain *domain_new(struct sy_sim *sim, unsigned vcpus, struct sy_pool *pool)
{
    struct sy_domain *d = g_new0(struct sy_domain, 1);

    d->domid = (uint16_t)sim->domains;
    d->vcpus = vcpus;
    d->pool = pool;
    d->weight = d->domid ? MAX(pick_number(sim->opt->weights, d->domid - 1u, 256), 1) : 256;
    d->cap = d->domid ? pick_number(sim->opt->caps, d->domid - 1u, 0) : 0;
    name_domain(sim, d);
    d->vcpu = g_new0(struct sy_vcpu *, vcpus);
    sim->domain[sim->domains++] = d;
    for (unsigned i = 0; i < vcpus; i++)
        d->vcpu[i] = vcpu_new(sim, d, i, pool);
    return d;
}

static void make_dom0(struct sy_sim *sim)
{
    struct sy_domain *d = domain_new(sim, sim->opt->dom0_vcpus, &sim->pool[0]);

    for (unsigned i = 0; i < d->vcpus; i++) {
        struct sy_vcpu *v = d->vcpu[i];
        reserve(v, 10000000, 0.4);
        v->extratime = sim->xen >= SY_XEN_4_17;
        v->affinity = (struct sy_mask){0};
        unsigned cpu = i % sy_mask_count(&d->pool->cpus), at = sy_mask_from(&d->pool->cpus, 0);
        while (cpu--)
            at = sy_mask_from(&d->pool->cpus, at + 1);
        sy_mask_set(&v->affinity, at);
        v->cpu = at;
        v->guest = (struct sy_guest){.kind = SY_GUEST_SPORADIC,
                                     .period = sy_us(sim, 8000),
                                     .exec = sy_us(sim, 300),
                                     .exec_jitter = 0.8};
    }
}

/* Worst fit: each VCPU is bound to the pCPU with most room, as a person would do it. */
static void pin_all(struct sy_sim *sim)
{
    g_autofree double *used = g_new0(double, sim->pcpus);

    used[0] = sim->pcpus > 1 ? 0.4 : 0; /* dom0 is there */
    for (unsigned i = sim->opt->dom0_vcpus; i < sim->vcpus; i++) {
        struct sy_vcpu *v = sim->vcpu[i];
        unsigned best = sy_mask_from(&v->pool->cpus, 0);
        for (unsigned c = best; c != SY_NO_PCPU; c = sy_mask_from(&v->pool->cpus, c + 1))
            if (used[c] < used[best])
                best = c;
        used[best] += (double)v->budget / (double)v->period;
        v->affinity = (struct sy_mask){0};
        sy_mask_set(&v->affinity, best);
        v->cpu = best;
    }
}

static bool parse_ms(const char *s, int64_t *ns)
{
    char *end;
    double x = g_ascii_strtod(s, &end);
    double unit = g_str_has_prefix(end, "ms") ? 1e6 : g_str_has_prefix(end, "us") ? 1e3 : 0;

    *ns = (int64_t)(x * unit / 1000 + 0.5) * 1000;
    return unit > 0 && *ns > 0;
}

static bool parse_cpus(const char *s, unsigned pcpus, struct sy_mask *m)
{
    char *end;
    guint64 a = g_ascii_strtoull(s, &end, 10), b = a;

    if (end == s)
        return false;
    if (*end == '-')
        b = g_ascii_strtoull(end + 1, &end, 10);
    if (*end || b < a || b >= pcpus)
        return false;
    *m = (struct sy_mask){0};
    for (; a <= b; a++)
        sy_mask_set(m, (unsigned)a);
    return true;
}

static bool override_vcpu(struct sy_sim *sim, const char *spec)
{
    unsigned dom, id;
    int used = 0;

    if (sscanf(spec, "d%uv%u=%n", &dom, &id, &used) < 2 || !used || dom >= sim->domains ||
        id >= sim->domain[dom]->vcpus)
        return false;
    struct sy_vcpu *v = sim->domain[dom]->vcpu[id];
    g_auto(GStrv) part = g_strsplit(spec + used, ",", -1);
    for (unsigned i = 0; part[i]; i++) {
        char *slash = strchr(part[i], '/');
        if (slash) {
            *slash = 0;
            if (!parse_ms(part[i], &v->period) || !parse_ms(slash + 1, &v->budget) || v->budget > v->period)
                return false;
            v->first_period = v->period;
            v->first_budget = v->budget;
            if (v->guest.kind != SY_GUEST_HOG) {
                v->guest.period = sy_cycles(sim, v->period);
                v->guest.exec = (uint64_t)((double)sy_cycles(sim, v->budget) * sim->opt->load);
            }
        } else if (g_str_equal(part[i], "x")) {
            v->extratime = true;
        } else if (g_str_equal(part[i], "hog")) {
            v->guest.kind = SY_GUEST_HOG;
        } else if (g_str_has_prefix(part[i], "cpus=")) {
            if (!parse_cpus(part[i] + 5, sim->pcpus, &v->affinity))
                return false;
            v->cpu = sy_mask_from(&v->affinity, 0);
        } else {
            return false;
        }
    }
    return true;
}

static void make_pcpus(struct sy_sim *sim)
{
    for (unsigned i = 0; i < sim->pcpus; i++) {
        struct sy_pcpu *c = &sim->pcpu[i];
        c->id = i;
        c->sim = sim;
        c->ring = sy_ring_new(sim->opt->ring_pages);
        if (i && sim->opt->now_skew_us > 0) {
            c->now_off_ns = sim->opt->now_skew_us * 1000 * (2 * sy_rng_unit(&sim->rng) - 1);
            c->now_drift = sim->opt->now_drift_ppm * 1e-6 * (2 * sy_rng_unit(&sim->rng) - 1);
        }
        sy_timer_init(&c->softirq, softirq, c);
        sy_timer_init(&c->slice, softirq, c);
        sy_timer_init(&c->guest, sy_guest_act, c);
    }
}

static void make_pools(struct sy_sim *sim, const struct sy_policy *policy)
{
    sim->pools = sim->opt->pools;
    sim->pool = g_new0(struct sy_pool, sim->pools);
    for (unsigned i = 0; i < sim->pools; i++) {
        sim->pool[i].id = i;
        sim->pool[i].policy = policy;
        g_snprintf(sim->pool[i].name, sizeof(sim->pool[i].name), "Pool-%u", i);
    }
    for (unsigned i = 0; i < sim->pcpus; i++) {
        struct sy_pcpu *c = &sim->pcpu[i];
        c->pool = &sim->pool[(uint64_t)i * sim->pools / sim->pcpus];
        sy_mask_set(&c->pool->cpus, i);
    }
    for (unsigned i = 0; i < sim->pcpus; i++) {
        struct sy_pcpu *c = &sim->pcpu[i];
        c->idle = c->curr = vcpu_new(sim, NULL, i, c->pool);
        sy_mask_set(&c->idle->affinity, i);
    }
}

void sy_system_redraw(struct sy_sim *sim, struct sy_vcpu *v, double util)
{
    reserve(v, draw_period(sim), util);
}

struct sy_mask sy_system_draw_affinity(struct sy_sim *sim, const struct sy_pool *pool)
{
    struct sy_mask m = {0};

    /* Some, at least one. */
    while (sy_mask_empty(&m))
        for (unsigned i = sy_mask_from(&pool->cpus, 0); i != SY_NO_PCPU; i = sy_mask_from(&pool->cpus, i + 1))
            if (chance(sim, 0.4))
                sy_mask_set(&m, i);
    return m;
}

struct sy_domain *sy_system_add(struct sy_sim *sim)
{
    unsigned n = 1 + sy_rng_below(&sim->rng, sim->opt->vcpus_per_domain);

    if (sim->vcpus + n > SY_MAX_VCPUS || sim->domains >= SY_MAX_VCPUS)
        return NULL;
    struct sy_domain *d = domain_new(sim, n, &sim->pool[sim->domains % sim->pools]);
    for (unsigned i = 0; i < n; i++) {
        struct sy_vcpu *v = d->vcpu[i];
        reserve(v, draw_period(sim), 0.05 + 0.2 * sy_rng_unit(&sim->rng));
        v->extratime = chance(sim, sim->opt->extratime) && sim->xen >= SY_XEN_4_17;
        v->server = server_by_name(sim->opt->server);
        if (g_str_equal(sim->opt->policy, "pedf")) {
            v->cpu = sy_rng_below(&sim->rng, sim->pcpus);
            while (!sy_mask_test(&d->pool->cpus, v->cpu))
                v->cpu = (v->cpu + 1) % sim->pcpus;
            v->affinity = (struct sy_mask){0};
            sy_mask_set(&v->affinity, v->cpu);
        }
        draw_guest(sim, v);
        sy_guest_init(sim, v);
        v->blocked = false;
        v->state = SY_OFFLINE;
        v->paused = 1;
    }
    return d;
}

bool sy_system_new(struct sy_sim *sim, GError **error)
{
    const struct sy_options *o = sim->opt;
    g_autofree double *util = g_new(double, o->vcpus);
    const struct sy_policy *policy = policy_by_name(o->policy);

    sim->pcpus = o->pcpus;
    sim->pcpu = g_new0(struct sy_pcpu, sim->pcpus);
    sim->vcpu = g_new0(struct sy_vcpu *, SY_MAX_VCPUS);
    sim->domain = g_new0(struct sy_domain *, SY_MAX_VCPUS + 1);
    make_pcpus(sim);
    make_pools(sim, policy);
    make_dom0(sim);
    draw_utils(&sim->rng, util, o->vcpus, o->util * (o->pcpus > 1 ? o->pcpus - 0.4 : 1));
    for (unsigned made = 0; made < o->vcpus;) {
        unsigned n = 1 + sy_rng_below(&sim->rng, o->vcpus_per_domain);
        n = MIN(n, o->vcpus - made);
        struct sy_domain *d = domain_new(sim, n, &sim->pool[sim->domains % sim->pools]);
        for (unsigned i = 0; i < n; i++, made++) {
            struct sy_vcpu *v = d->vcpu[i];
            reserve(v, draw_period(sim), util[made]);
            v->extratime = chance(sim, o->extratime) && sim->xen >= SY_XEN_4_17;
            draw_guest(sim, v);
        }
    }
    for (unsigned i = 0; i < sim->vcpus; i++)
        sim->vcpu[i]->server = server_by_name(o->server);
    if (g_str_equal(o->policy, "pedf"))
        pin_all(sim);
    for (char **s = o->specs; s && *s; s++)
        if (!override_vcpu(sim, *s)) {
            g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                        "--vcpu %s: want d1v0=10ms/4ms[,x][,hog][,cpus=1-2] of a VCPU that exists", *s);
            return false;
        }
    for (unsigned i = 0; i < sim->pools; i++)
        policy->pool_init(sim, &sim->pool[i]);
    for (unsigned i = 0; i < sim->vcpus; i++) {
        sy_guest_init(sim, sim->vcpu[i]);
        policy->insert(sim, &sim->pcpu[0], sim->vcpu[i]);
        sim->vcpu[i]->entry_ns = sy_now(sim, 0) - 1000 * (int64_t)sy_rng_below(&sim->rng, 100000);
    }
    return true;
}

void sy_system_free(struct sy_sim *sim)
{
    for (unsigned i = 0; i < sim->vcpus; i++) {
        struct sy_vcpu *v = sim->vcpu[i];
        if (v->priv)
            v->pool->policy->remove(sim, &sim->pcpu[0], v);
    }
    for (unsigned i = 0; i < sim->pools; i++)
        if (sim->pool[i].priv)
            sim->pool[i].policy->pool_free(sim, &sim->pool[i]);
    for (unsigned i = 0; i < sim->vcpus; i++)
        g_free(sim->vcpu[i]);
    for (unsigned i = 0; i < sim->domains; i++) {
        g_free(sim->domain[i]->vcpu);
        g_free(sim->domain[i]);
    }
    for (unsigned i = 0; i < sim->pcpus; i++) {
        sy_ring_free(sim->pcpu[i].ring);
        g_free(sim->pcpu[i].idle);
    }
    g_free(sim->pcpu);
    g_free(sim->pool);
    g_free(sim->vcpu);
    g_free(sim->domain);
    g_free(sim->heap.slot);
}
