/* Caps and weights of Credit and Credit2, window by window. */
#include "parse/conform-private.h"

#define SATURATED 0.97 /* share of its VCPUs' time from which a domain cannot use more */

bool conform_has_shares(const struct machine *m)
{
    if (m->run.scheduler != XT_SCHED_CREDIT && m->run.scheduler != XT_SCHED_CREDIT2)
        return false;
    for (guint i = 0; m->recording && i < m->recording->vcpus->len; i++) {
        const struct xt_host_vcpu *host = g_ptr_array_index(m->recording->vcpus, i);
        if (host->weight > 0 || host->cap > 0)
            return true;
    }
    return false;
}

struct share {
    uint16_t domid;
    int weight, cap, n_vcpus;
    bool competing; /* none of its VCPUs stopped */
    const char *affinity, *pool;
    int64_t ran;
    const struct vstate *v;
};

static struct share *share_of(GArray *shares, const struct vstate *v, const struct xt_host_vcpu *host)
{
    for (guint i = 0; i < shares->len; i++)
        if (g_array_index(shares, struct share, i).domid == v->id.domid)
            return &g_array_index(shares, struct share, i);
    struct share share = { v->id.domid, host->weight, host->cap, 0, true, host->hard_affinity, host->cpupool, 0, v };
    g_array_append_val(shares, share);
    return &g_array_index(shares, struct share, shares->len - 1);
}

static GArray *collect_shares(struct machine *m)
{
    GArray *shares = g_array_new(FALSE, FALSE, sizeof(struct share));
    int64_t window_start = m->next_window - XT_SHARE_WINDOW_NS;

    for (guint i = 0; i < m->vcpus->len; i++) {
        struct vstate *v = g_ptr_array_index(m->vcpus, i);
        struct conform_vcpu *c = v->conform;
        const struct xt_host_vcpu *host = conform_host(m, v);
        if (!c || !host || xt_vcpu_is_idle(&v->id))
            continue;
        if (v->state == XT_RUNNING)
            c->window_ran += m->next_window - MAX(v->since, window_start);
        struct share *share = share_of(shares, v, host);
        share->n_vcpus++;
        share->ran += c->window_ran;
        share->competing &= !c->window_paused && is_ready(v->state);
        if (g_strcmp0(share->affinity, host->hard_affinity))
            share->affinity = NULL;
        c->window_ran = 0;
        c->window_paused = !is_ready(v->state);
    }
    return shares;
}

static bool check_cap(struct machine *m, const struct share *share, GError **error)
{
    struct xt_violation violation = {
        .rule = XT_RULE_CAP,
        .vcpu = &share->v->id,
        .pcpu = XT_NO_PCPU,
        .ts = m->next_window - XT_SHARE_WINDOW_NS,
        .end_ts = m->next_window,
    };

    if (share->cap <= 0)
        return true;
    violation.value = MAX(share->ran * 100 / XT_SHARE_WINDOW_NS - share->cap, 0) * 100 / share->cap;
    return conform_check(m, &violation, error);
}

static bool comparable(const struct share *a, const struct share *b)
{
    return a->competing && b->competing && a->weight > 0 && b->weight > 0 && a->cap == 0 && b->cap == 0 && a->affinity &&
           b->affinity && !g_strcmp0(a->affinity, b->affinity) && !g_strcmp0(a->pool, b->pool) &&
           (double)a->ran < SATURATED * a->n_vcpus * XT_SHARE_WINDOW_NS && (double)b->ran < SATURATED * b->n_vcpus * XT_SHARE_WINDOW_NS;
}

static bool check_weights(struct machine *m, const struct share *a, const struct share *b, GError **error)
{
    if (!comparable(a, b))
        return true;
    /* Xen weighs every VCPU with its domain's weight */
    double of_a = (double)a->ran / a->weight / a->n_vcpus, of_b = (double)b->ran / b->weight / b->n_vcpus;
    double least = MAX(MIN(of_a, of_b), 1);
    const struct share *more = of_a > of_b ? a : b, *less = of_a > of_b ? b : a;
    struct xt_violation violation = {
        .rule = XT_RULE_WEIGHT,
        .vcpu = &less->v->id,
        .other = &more->v->id,
        .pcpu = XT_NO_PCPU,
        .ts = m->next_window - XT_SHARE_WINDOW_NS,
        .end_ts = m->next_window,
        .value = (int64_t)MIN(100 * (MAX(of_a, of_b) / least - 1), 1e9),
    };
    return conform_check(m, &violation, error);
}

bool conform_windows(struct machine *m, GError **error)
{
    while (m->now >= m->next_window) {
        GArray *shares = collect_shares(m);
        bool ok = true;
        for (guint i = 0; ok && i < shares->len; i++) {
            const struct share *a = &g_array_index(shares, struct share, i);
            ok = check_cap(m, a, error);
            for (guint k = i + 1; ok && k < shares->len; k++)
                ok = check_weights(m, a, &g_array_index(shares, struct share, k), error);
        }
        g_array_unref(shares);
        if (!ok)
            return false;
        m->next_window += XT_SHARE_WINDOW_NS;
    }
    return true;
}

