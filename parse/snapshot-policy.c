/* Which policy a recording shows, from the host snapshot alone. */
#include "parse/snapshot.h"

#include <string.h>

static bool parse_range(const char **at, guint64 *first, guint64 *last)
{
    char *end;
    if (!g_ascii_isdigit(**at))
        return false;
    *first = *last = g_ascii_strtoull(*at, &end, 10);
    *at = end;
    if (**at != '-')
        return *first < XT_MAX_PCPUS;
    ++*at;
    if (!g_ascii_isdigit(**at))
        return false;
    *last = g_ascii_strtoull(*at, &end, 10);
    *at = end;
    return *first <= *last && *last < XT_MAX_PCPUS;
}

bool xt_pcpu_set_parse(struct xt_pcpu_set *set, const char *text)
{
    bool all = !strcmp(text, "all") || !strcmp(text, "any cpu");
    memset(set, all ? 0xff : 0, sizeof(*set));
    if (all || !strcmp(text, "none"))
        return true;
    for (;;) {
        guint64 first, last;
        if (!parse_range(&text, &first, &last))
            return false;
        for (guint64 pcpu = first; pcpu <= last; pcpu++)
            set->words[pcpu / 64] |= (uint64_t)1 << (pcpu % 64);
        if (*text == '\0')
            return true;
        if (*text++ != ',')
            return false;
    }
}

static const struct xt_host_cpupool *pool_of(const struct xt_recording *r, const struct xt_host_vcpu *v)
{
    for (guint i = 0; v->cpupool && i < r->cpupools->len; i++) {
        const struct xt_host_cpupool *pool = r->cpupools->pdata[i];
        if (!strcmp(pool->name, v->cpupool))
            return pool;
    }
    return NULL;
}

/* Without cpupools in the snapshot the host's scheduler is everybody's. */
static const char *scheduler_of(const struct xt_recording *r, const struct xt_host_vcpu *v)
{
    const struct xt_host_cpupool *pool = pool_of(r, v);
    if (pool)
        return pool->scheduler;
    return r->cpupools->len == 0 ? r->xen_scheduler : NULL;
}

/* How many pCPUs a VCPU may use: 0 unknown, 1, or 2 for two and more. */
static int freedom(const struct xt_recording *r, const struct xt_host_vcpu *v)
{
    const struct xt_host_cpupool *pool = pool_of(r, v);
    struct xt_pcpu_set set;
    if (v->affinity_changed)
        return 0;
    if (pool && pool->pcpus->len == 1)
        return 1; /* whatever its affinity is */
    if (!v->hard_affinity || !xt_pcpu_set_parse(&set, v->hard_affinity))
        return 0;
    int n = 0;
    if (pool && pool->pcpus->len > 0) {
        for (guint i = 0; n < 2 && i < pool->pcpus->len; i++)
            n += xt_pcpu_set_has(&set, g_array_index(pool->pcpus, int32_t, i));
    } else if (!pool && r->cpupools->len == 0 && r->nr_cpus > 0) {
        for (int32_t pcpu = 0; n < 2 && pcpu < r->nr_cpus; pcpu++)
            n += xt_pcpu_set_has(&set, pcpu);
    }
    return n;
}

static void decide(struct xt_recording *r, const char *policy, char *why)
{
    r->policy = g_strdup(policy);
    r->policy_why = why;
}

/* dom0 is no guest: it is pinned on most hosts, whatever the experiment is. */
static GPtrArray *relevant_vcpus(const struct xt_recording *r)
{
    GPtrArray *vcpus = g_ptr_array_new();
    for (int dom0 = 0; dom0 < 2 && vcpus->len == 0; dom0++)
        for (guint i = 0; i < r->vcpus->len; i++) {
            struct xt_host_vcpu *v = r->vcpus->pdata[i];
            if ((v->domid == 0) == dom0 && v->online)
                g_ptr_array_add(vcpus, v);
        }
    return vcpus;
}

static void derive_edf(struct xt_recording *r, const GPtrArray *vcpus)
{
    const struct xt_host_vcpu *first[3] = {NULL};
    guint n[3] = {0};
    for (guint i = 0; i < vcpus->len; i++) {
        const struct xt_host_vcpu *v = vcpus->pdata[i];
        int f = freedom(r, v);
        n[f]++;
        if (!first[f])
            first[f] = v;
    }
    const char *whose = ((struct xt_host_vcpu *)vcpus->pdata[0])->domid == 0 ? "dom0 (there is no guest)" : "the guests";
    if (n[1] == vcpus->len)
        decide(r, "pEDF", g_strdup_printf("RTDS, and every VCPU of %s is bound to one pCPU (VCPUs: %u)", whose, n[1]));
    else if (n[2] == vcpus->len)
        decide(r, "gEDF", g_strdup_printf("RTDS, and every VCPU of %s may move between pCPUs (VCPUs: %u)", whose, n[2]));
    else if (n[0] > 0)
        decide(r, NULL, g_strdup_printf("RTDS, but on which pCPUs d%uv%u may run %s", first[0]->domid, first[0]->vcpu,
                                        first[0]->affinity_changed ? "changed during the recording"
                                                                   : "is not in the host snapshot"));
    else
        decide(r, NULL, g_strdup_printf("RTDS, but mixed: d%uv%u is bound to one pCPU, d%uv%u may move", first[1]->domid,
                                        first[1]->vcpu, first[2]->domid, first[2]->vcpu));
}

static void derive_from_vcpus(struct xt_recording *r, const GPtrArray *vcpus)
{
    const struct xt_host_vcpu *v0 = vcpus->pdata[0];
    const char *scheduler = scheduler_of(r, v0);
    for (guint i = 0; i < vcpus->len; i++) {
        const struct xt_host_vcpu *v = vcpus->pdata[i];
        const char *s = scheduler_of(r, v);
        if (!s) {
            decide(r, NULL, g_strdup_printf("the host snapshot does not tell the scheduler of d%uv%u", v->domid, v->vcpu));
            return;
        }
        if (strcmp(s, scheduler)) {
            decide(r, NULL, g_strdup_printf("mixed: d%uv%u and d%uv%u are in cpupools with different schedulers", v0->domid,
                                            v0->vcpu, v->domid, v->vcpu));
            return;
        }
    }
    if (!strcmp(scheduler, "rtds"))
        derive_edf(r, vcpus);
    else
        decide(r, scheduler, g_strdup("the scheduler that the host snapshot names"));
}

void xt_snapshot_derive_policy(struct xt_recording *r)
{
    GPtrArray *vcpus = relevant_vcpus(r);
    const struct xt_host_cpupool *pool = r->cpupools->len == 1 ? r->cpupools->pdata[0] : NULL;
    const char *scheduler = pool && pool->scheduler ? pool->scheduler : r->xen_scheduler;
    if (vcpus->len > 0)
        derive_from_vcpus(r, vcpus);
    else if (r->cpupools->len > 1)
        decide(r, NULL, g_strdup("several cpupools, and no `xl vcpu-list` that tells whose VCPUs are where"));
    else if (!scheduler)
        decide(r, NULL, g_strdup("no host snapshot names the scheduler: give the policy by hand"));
    else if (strcmp(scheduler, "rtds"))
        decide(r, scheduler, g_strdup("the scheduler that the host snapshot names"));
    else
        decide(r, NULL, g_strdup("RTDS, but no `xl vcpu-list` in the host snapshot tells the affinities: give the "
                                 "policy by hand"));
    g_ptr_array_unref(vcpus);
}
