#include "host.h"

#include <glib/gstdio.h>
#include <gio/gio.h>

#include "options.h"

static bool save(const char *dir, const char *name, const GString *text, GError **error)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    return g_file_set_contents(path, text->str, (gssize)text->len, error);
}

/* "0-2,5", or "all" for every pCPU. */
static char *list_cpus(const struct sy_mask *m, unsigned pcpus, bool all)
{
    GString *s = g_string_new(NULL);

    if (all && sy_mask_count(m) == pcpus) {
        g_string_append(s, "all");
        return g_string_free(s, FALSE);
    }
    for (unsigned i = sy_mask_from(m, 0); i != SY_NO_PCPU;) {
        unsigned last = i;
        while (last + 1 < SY_MAX_PCPUS && sy_mask_test(m, last + 1))
            last++;
        g_string_append_printf(s, last > i ? "%s%u-%u" : "%s%u", s->len ? "," : "", i, last);
        i = sy_mask_from(m, last + 1);
    }
    return g_string_free(s, FALSE);
}

static void info(struct sy_sim *sim, GString *s)
{
    const char *v = sim->opt->xen;
    double mhz = (double)sim->hz / 1e6 * (1 + sim->opt->mhz_error_ppm * 1e-6);
    const char *sched = sim->pool[0].policy->xl_name;

    g_string_append_printf(
        s,
        "host                   : synth\nrelease                : 6.1.0-56-amd64\n"
        "version                : #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)\n"
        "machine                : x86_64\nnr_cpus                : %u\nmax_cpu_id             : %u\n"
        "nr_nodes               : 1\ncores_per_socket       : %u\nthreads_per_core       : 1\n"
        "cpu_mhz                : %.3f\n"
        "hw_caps                : 178bf3fd:80002001:20100800:00000007:00000000:00000000:00000000:00000000\n"
        "virt_caps              : pv hvm gnttab-v1 gnttab-v2\ntotal_memory           : 65535\n"
        "free_memory            : 2014\nsharing_freed_memory   : 0\nsharing_used_memory    : 0\n"
        "outstanding_claims     : 0\nfree_cpus              : 0\nxen_major              : 4\n"
        "xen_minor              : %s\nxen_extra              : .5\nxen_version            : %s.5\n"
        "xen_caps               : xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 \n"
        "xen_scheduler          : %s\nxen_pagesize           : 4096\n"
        "platform_params        : virt_start=0xffff800000000000\nxen_changeset          : \n"
        "xen_commandline        : dom0_max_vcpus=%u dom0_vcpus_pin sched=%s\n"
        "cc_compiler            : gcc (Debian 12.2.0-14+deb12u1) 12.2.0\ncc_compile_by          : \n"
        "cc_compile_domain      : \ncc_compile_date        : Mon Nov 23 14:48:57 UTC 2026\n"
        "build_id               : 9aaa77e50c02ca533c41f9cea1c239fc8bbfc1be\nxend_config_format     : 4\n",
        sim->pcpus, sim->pcpus - 1, sim->pcpus, mhz, v + 2, v, sched, sim->opt->dom0_vcpus, sched);
}

static void list(struct sy_sim *sim, GString *s)
{
    g_string_append(s, "Name                                        ID   Mem VCPUs\tState\tTime(s)\n");
    for (unsigned i = 0; i < sim->domains; i++) {
        const struct sy_domain *d = sim->domain[i];
        g_string_append_printf(s, "%-40s %5u %5u %5u     %s  %8.1f\n", d->name, d->domid,
                               d->domid ? 128 : 1024, d->vcpus, d->domid ? "-b----" : "r-----",
                               10.0 + d->domid);
    }
}

static void vcpu_list(struct sy_sim *sim, GString *s)
{
    g_string_append(
        s, "Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)\n");
    for (unsigned i = 0; i < sim->vcpus; i++) {
        const struct sy_vcpu *v = sim->vcpu[i];
        if (!v->exists)
            continue;
        g_autofree char *cpus = list_cpus(&v->affinity, sim->pcpus, true);
        const char *state = v->state == SY_RUNNING ? "r--" : v->state == SY_BLOCKED ? "-b-" : "---";
        g_string_append_printf(s, "%-32s %5u %5u %4u   %3s %9.1f  %s / all\n", v->dom->name, v->domid, v->id,
                               v->cpu, state, 5.0 + 0.1 * i, cpus);
    }
}

static const char *label(const struct sy_policy *p)
{
    return p == &sy_policy_rtds ? "RTDS" : p->xl_name;
}

static void sched(struct sy_sim *sim, GString *s, bool per_vcpu)
{
    for (unsigned k = 0; k < sim->pools; k++) {
        const struct sy_pool *pool = &sim->pool[k];
        bool rtds = pool->policy == &sy_policy_rtds;
        if (rtds)
            g_string_append_printf(
                s, "Cpupool %s: sched=%s\n%s\n", pool->name, label(pool->policy),
                per_vcpu ? "Name                                ID VCPU    Period    Budget  Extratime"
                         : "Name                                ID    Period    Budget  Extratime");
        else if (pool->policy == &sy_policy_credit)
            g_string_append_printf(s,
                                   "Cpupool %s: tslice=30ms ratelimit=1000us migration-delay=0us\n"
                                   "Name                                ID Weight  Cap\n",
                                   pool->name);
        else
            g_string_append_printf(
                s, "Cpupool %s: ratelimit=1000us\nName                                ID Weight  Cap\n",
                pool->name);
        for (unsigned i = 0; i < sim->domains; i++) {
            const struct sy_domain *d = sim->domain[i];
            if (d->pool != pool)
                continue;
            if (!rtds)
                g_string_append_printf(s, "%-33s %4u %6u %4u\n", d->name, d->domid, d->weight, d->cap);
            else if (!per_vcpu)
                g_string_append_printf(s, "%-33s %4u %9d %9d %10s\n", d->name, d->domid, 10000, 4000, "yes");
            for (unsigned j = 0; rtds && per_vcpu && j < d->vcpus; j++) {
                const struct sy_vcpu *v = d->vcpu[j];
                g_string_append_printf(s, "%-33s %4u %4u %9" PRId64 " %9" PRId64 " %10s\n", d->name, d->domid,
                                       v->id, v->period / 1000, v->budget / 1000,
                                       v->extratime ? "yes" : "no");
            }
        }
    }
}

static void pools(struct sy_sim *sim, GString *s)
{
    g_string_append(s, "Name               CPUs   Sched     Active   Domain count\n");
    for (unsigned k = 0; k < sim->pools; k++) {
        unsigned n = 0;
        for (unsigned i = 0; i < sim->domains; i++)
            n += sim->domain[i]->pool == &sim->pool[k];
        g_string_append_printf(s, "%-16s %4u %9s       y          %u\n", sim->pool[k].name,
                               sy_mask_count(&sim->pool[k].cpus), sim->pool[k].policy->xl_name, n);
    }
    g_string_append(s, "Name               CPU list\n");
    for (unsigned k = 0; k < sim->pools; k++) {
        GString *cpus = g_string_new(NULL);
        for (unsigned i = sy_mask_from(&sim->pool[k].cpus, 0); i != SY_NO_PCPU;
             i = sy_mask_from(&sim->pool[k].cpus, i + 1))
            g_string_append_printf(cpus, "%s%u", cpus->len ? "," : "", i);
        g_string_append_printf(s, "%-18s %s\n", sim->pool[k].name, cpus->str);
        g_string_free(cpus, TRUE);
    }
}

static void sched_domains(struct sy_sim *sim, GString *s)
{
    sched(sim, s, false);
}

static void sched_vcpus(struct sy_sim *sim, GString *s)
{
    sched(sim, s, true);
}

bool sy_host_write(struct sy_sim *sim, const char *dir, GError **error)
{
    static const struct {
        const char *file;
        void (*make)(struct sy_sim *sim, GString *s);
        bool rtds_only;
    } files[] = {
        {"xl-info.txt", info},
        {"xl-list.txt", list},
        {"xl-vcpu-list-before.txt", vcpu_list},
        {"xl-sched.txt", sched_domains},
        {"xl-sched-rtds-vcpus.txt", sched_vcpus, true},
        {"xl-cpupool-list.txt", pools},
    };
    g_autofree char *host = g_build_filename(dir, "host", NULL);

    if (g_mkdir_with_parents(host, 0777) != 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "cannot make %s", host);
        return false;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
        if (files[i].rtds_only && sim->pool[0].policy != &sy_policy_rtds)
            continue;
        g_autoptr(GString) s = g_string_new(NULL);
        files[i].make(sim, s);
        if (!save(host, files[i].file, s, error))
            return false;
    }
    return true;
}

bool sy_host_write_after(struct sy_sim *sim, const char *dir, GError **error)
{
    g_autofree char *host = g_build_filename(dir, "host", NULL);
    g_autoptr(GString) s = g_string_new(NULL);

    vcpu_list(sim, s);
    return save(host, "xl-vcpu-list-after.txt", s, error);
}
