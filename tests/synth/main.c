/* xt-synth: makes recordings whose truth is known. See README.md. */
#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#include "faults.h"
#include "host.h"
#include "ledger.h"
#include "lifecycle.h"
#include "options.h"
#include "records.h"
#include "system.h"
#include "writer.h"

/* Tracing starts. The first record is alone at its instant, on the pCPU whose TSC is lowest, so that no
 * record of any pCPU has a smaller TSC. A listing of scheduling parameters leaves exactly this record. */
static void start_tracing(struct sy_sim *sim, void *arg, uint64_t at)
{
    struct sy_pcpu *c = &sim->pcpu[0];

    for (unsigned i = 1; i < sim->pcpus; i++)
        if (sim->pcpu[i].skew < c->skew)
            c = &sim->pcpu[i];
    uint64_t clk = c->clk;
    c->clk = at - sim->record_cost;
    uint64_t mask = sim->cost_mask;
    sim->cost_mask = 0;
    sim->tracing = true;
    rec_adjdom(c, 0);
    sim->cost_mask = mask;
    c->clk = MAX(clk, c->clk);
    sy_ledger_start(sim);
    sy_writer_start(sim);
    sy_faults_start(sim);
    sy_lifecycle_start(sim);
}

static void stop_tracing(struct sy_sim *sim, void *arg, uint64_t at)
{
    sy_writer_stop(sim, at);
}

static void end_audit(struct sy_sim *sim)
{
    uint64_t end = 0;

    for (unsigned i = 0; i < sim->pcpus; i++)
        end = MAX(end, sim->pcpu[i].clk);
    for (unsigned i = 0; sim->opt->audit && i < sim->pools; i++) {
        struct sy_pool *pool = &sim->pool[i];
        struct sy_pcpu *on = &sim->pcpu[sy_mask_from(&pool->cpus, 0)];
        if (!pool->policy->audit_end)
            continue;
        sy_interrupt(on, end);
        pool->policy->audit_end(sim, on, pool);
    }
}

static enum sy_xen xen_by_name(const char *name)
{
    static const char *const names[] = {"4.5", "4.7", "4.9", "4.17", "4.18"};
    for (int i = 0; i < 5; i++)
        if (g_str_equal(names[i], name))
            return (enum sy_xen)i;
    return SY_XEN_4_17;
}

static void init(struct sy_sim *sim, const struct sy_options *o)
{
    sim->opt = o;
    sim->hz = o->tsc_hz;
    sim->t0 = sim->hz; /* one second of warm-up */
    sim->start_tsc = o->start_tsc;
    sim->now_base_ns = o->now_ns - SY_NS_PER_S;
    sim->xen = xen_by_name(o->xen);
    sy_rng_seed(&sim->rng, o->seed, 1);
    sy_rng_seed(&sim->rng_cost, o->seed, 2);
    /* least cost 3/4 of the mean, the rest a power of two that comes close to it */
    uint64_t mean = MAX(sy_us(sim, o->record_cost_ns / 1000), 4);
    sim->record_cost = mean * 3 / 4;
    sim->cost_mask = 1;
    while (sim->cost_mask * 2 + 1 <= mean / 2)
        sim->cost_mask = sim->cost_mask * 2 + 1;
}

static bool run(struct sy_sim *sim, const struct sy_options *o, GError **error)
{
    g_autofree char *trace = g_build_filename(o->out, "trace.xen", NULL);

    if (g_mkdir_with_parents(o->out, 0777) != 0) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "cannot make %s: %s", o->out,
                    g_strerror(errno));
        return false;
    }
    init(sim, o);
    if (!sy_system_new(sim, error) || !sy_faults_new(sim, o->faults, o->lost, error) ||
        !sy_ledger_new(sim, o->out, error) || !sy_host_write(sim, o->out, error))
        return false;
    sim->writer = sy_writer_new(sim, trace, error);
    if (!sim->writer)
        return false;
    sy_timer_init(&sim->start, start_tracing, NULL);
    sy_timer_set(sim, &sim->start, sim->t0);
    sy_timer_init(&sim->end, stop_tracing, NULL);
    if (o->seconds > 0)
        sy_timer_set(sim, &sim->end, sim->t0 + sy_cycles(sim, (int64_t)(o->seconds * 1e9)));
    while (!sim->stop && sy_timer_run_next(sim))
        sy_ledger_settle(sim, sy_timer_next(sim));
    end_audit(sim);
    sy_faults_finish(sim);
    return sy_writer_finish(sim, error) && sy_ledger_finish(sim, o->out, error) &&
           sy_host_write_after(sim, o->out, error);
}

int main(int argc, char **argv)
{
    struct sy_options o;
    struct sy_sim sim = {0};
    g_autoptr(GError) error = NULL;
    int status = 2;

    if (sy_options_parse(&o, &argc, &argv, &error)) {
        status = run(&sim, &o, &error) ? 0 : error && error->domain == G_OPTION_ERROR ? 2 : 4;
        sim.tracing = false;
        sy_writer_free(sim.writer);
        sy_ledger_free(&sim);
        sy_faults_free(&sim);
        sy_lifecycle_free(&sim);
        sy_system_free(&sim);
    }
    if (error)
        g_printerr("xt-synth: %s\n", error->message);
    sy_options_clear(&o);
    return status;
}
