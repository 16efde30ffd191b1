/* xentrail stats: the tables a person wants first, from a recording, a trace or a database. */
#include <string.h>

#include "cli/answer.h"
#include "cli/cli.h"
#include "parse/error.h"
#include "parse/stats.h"
#include "parse/survey.h"

#define MS(name_, title_) { .name = name_, .title = title_, .scale = 1e6, .decimals = 3 }
#define US(name_, title_) { .name = name_, .title = title_, .scale = 1e3, .decimals = 3 }
#define N(name_) { .name = name_ }

static void print_run(struct xt_tables *out, const struct xt_input *input, const struct xt_run *run, const char *policy)
{
    static const struct xt_column columns[] = {
        N("run"), N("policy"), N("scheduler"), N("xen_version"), N("layouts"), N("pcpus"),
        { .name = "duration_ns", .title = "duration (s)", .scale = 1e9, .decimals = 6 },
        N("records"), N("lost_records"), N("unknown_records"), N("malformed_records"), N("tsc_hz"), N("tsc_hz_source"),
        { .name = "tsc_hz_error_ppm", .decimals = 2 }, { .name = "trace_hz", .decimals = 0 },
        { .name = "xl_info_hz", .decimals = 0 }, N("start_tsc"), N("tsc_contradictions"), N("tsc_corrected"), N("tsc_reference"), N("core_scheduling"),
        N("emulated"),
    };
    const struct xt_recording *r = input->recording;

    xt_table_begin(out, "run", "Run", columns, G_N_ELEMENTS(columns));
    xt_cell_text(out, r->name);
    xt_cell_text(out, policy);
    xt_cell_text(out, xt_scheduler_name(run->scheduler));
    xt_cell_text(out, r->xen_version);
    xt_cell_text(out, run->generation);
    xt_cell_int(out, run->n_pcpus);
    xt_cell_int(out, run->duration_ns);
    xt_cell_int(out, (int64_t)run->records);
    xt_cell_int(out, (int64_t)run->lost_records);
    xt_cell_int(out, (int64_t)run->unknown_records);
    xt_cell_int(out, (int64_t)run->malformed_records);
    xt_cell_int(out, run->tsc_hz);
    xt_cell_text(out, xt_hz_source_name(run->hz_source));
    xt_cell_real(out, run->hz_error_ppm);
    run->trace_hz ? xt_cell_real(out, run->trace_hz) : xt_cell_null(out);
    run->xl_info_hz ? xt_cell_real(out, run->xl_info_hz) : xt_cell_null(out);
    xt_cell_unsigned(out, run->start_tsc);
    xt_cell_int(out, (int64_t)run->contradictions);
    xt_cell_bool(out, run->tsc_corrected);
    run->tsc_reference != XT_NO_PCPU ? xt_cell_int(out, run->tsc_reference) : xt_cell_null(out);
    xt_cell_bool(out, run->core_scheduling);
    xt_cell_bool(out, r->emulated);
    xt_table_end(out);
}

static void print_pcpus(struct xt_tables *out, const struct xt_run *run)
{
    static const struct xt_column columns[] = {
        N("pcpu"), N("scheduler"), N("records"), N("lost_records"), N("windows"), { .name = "hz", .decimals = 0 },
        { .name = "hz_error_ppm", .decimals = 2 }, N("tsc_offset_ns"), N("tsc_offset_min_ns"), N("tsc_offset_max_ns"),
    };

    xt_table_begin(out, "pcpus", "pCPUs", columns, G_N_ELEMENTS(columns));
    for (uint32_t i = 0; i < run->n_pcpus; i++) {
        const struct xt_pcpu *p = &run->pcpus[i];
        xt_cell_int(out, p->pcpu);
        xt_cell_text(out, xt_scheduler_name(p->scheduler));
        xt_cell_int(out, (int64_t)p->records);
        xt_cell_int(out, (int64_t)p->lost_records);
        xt_cell_int(out, (int64_t)p->windows);
        p->hz ? xt_cell_real(out, p->hz) : xt_cell_null(out);
        p->hz ? xt_cell_real(out, p->hz_error_ppm) : xt_cell_null(out);
        xt_cell_int(out, xt_cycles_ns(p->tsc_offset, run->tsc_hz));
        p->tsc_offset_min > INT64_MIN ? xt_cell_int(out, xt_cycles_ns(p->tsc_offset_min, run->tsc_hz)) : xt_cell_null(out);
        p->tsc_offset_max < INT64_MAX ? xt_cell_int(out, xt_cycles_ns(p->tsc_offset_max, run->tsc_hz)) : xt_cell_null(out);
    }
    xt_table_end(out);
}

static gint compare_vcpus(gconstpointer a, gconstpointer b)
{
    const struct xt_vcpu *x = (*(const struct xt_vcpu_stats *const *)a)->vcpu;
    const struct xt_vcpu *y = (*(const struct xt_vcpu_stats *const *)b)->vcpu;

    return x->domid != y->domid ? x->domid - y->domid : x->vcpu - y->vcpu;
}

static void print_vcpus(struct xt_tables *out, const struct xt_input *input, const struct xt_run *run,
                        const struct xt_stats *stats)
{
    static const struct xt_column columns[] = {
        N("domid"), N("domain"), N("vcpu"), MS("period_ns", "period (ms)"), MS("budget_ns", "budget (ms)"),
        MS("running_ns", "running (ms)"), MS("runnable_ns", "runnable (ms)"), MS("blocked_ns", "blocked (ms)"),
        MS("offline_ns", "offline (ms)"), MS("unknown_ns", "unknown (ms)"), N("dispatches"), N("wakeups"),
        N("preemptions"), N("depletions"), N("yields"), N("migrations"), N("replenishments"), N("periods"),
        N("periods_judged"), N("period_misses"), N("no_burn"), N("inconsistencies"),
    };
    GPtrArray *rows = g_ptr_array_new();

    for (uint32_t i = 0; i < xt_stats_n_vcpus(stats); i++) {
        const struct xt_vcpu_stats *v = xt_stats_vcpu(stats, i);
        if (!xt_vcpu_is_idle(v->vcpu) && v->changes)
            g_ptr_array_add(rows, (gpointer)v);
    }
    g_ptr_array_sort(rows, compare_vcpus);
    xt_table_begin(out, "vcpus", "VCPUs", columns, G_N_ELEMENTS(columns));
    for (guint i = 0; i < rows->len; i++) {
        const struct xt_vcpu_stats *v = g_ptr_array_index(rows, i);
        const struct xt_host_vcpu *host = xt_recording_vcpu(input->recording, v->vcpu->domid, v->vcpu->vcpu);
        xt_cell_int(out, v->vcpu->domid);
        xt_cell_text(out, host ? host->domain : NULL);
        xt_cell_int(out, v->vcpu->vcpu);
        int64_t period_ns = host && host->period_ns ? host->period_ns : v->period_ns;
        int64_t budget_ns = host && host->period_ns ? host->budget_ns : v->budget_ns;
        period_ns ? xt_cell_int(out, period_ns) : xt_cell_null(out);
        budget_ns ? xt_cell_int(out, budget_ns) : xt_cell_null(out);
        for (int s = 0; s < XT_NO_STATE; s++)
            xt_cell_int(out, v->state_ns[s]);
        xt_cell_int(out, (int64_t)v->dispatches);
        xt_cell_int(out, (int64_t)v->wakeups);
        xt_cell_int(out, (int64_t)v->preemptions);
        xt_cell_int(out, (int64_t)v->depletions);
        xt_cell_int(out, (int64_t)v->yields);
        run->core_scheduling ? xt_cell_null(out) : xt_cell_int(out, (int64_t)v->migrations);
        xt_cell_int(out, (int64_t)v->replenishments);
        xt_cell_int(out, (int64_t)v->periods);
        xt_cell_int(out, (int64_t)v->periods_judged);
        xt_cell_int(out, (int64_t)v->period_misses);
        xt_cell_int(out, (int64_t)v->no_burn);
        xt_cell_int(out, (int64_t)v->inconsistencies);
    }
    xt_table_end(out);
    g_ptr_array_unref(rows);
}

static void print_metrics(struct xt_tables *out, const struct xt_stats *stats, bool latency)
{
    static const struct xt_column columns[] = {
        N("metric"), N("n"), N("dropped"), US("min_ns", "min (us)"), US("mean_ns", "mean (us)"), US("p50_ns", "p50 (us)"),
        US("p90_ns", "p90 (us)"), US("p99_ns", "p99 (us)"), US("p999_ns", "p99.9 (us)"), US("max_ns", "max (us)"),
    };
    static const double quantiles[] = { 0.5, 0.9, 0.99, 0.999 };

    xt_table_begin(out, latency ? "latency" : "overhead",
                   latency ? "Latency: time that VCPUs waited" : "Overhead: pCPU time spent by the hypervisor", columns,
                   G_N_ELEMENTS(columns));
    for (int m = 0; m < XT_N_METRICS; m++) {
        const struct xt_distribution *d = xt_stats_metric(stats, (enum xt_metric)m);
        if (xt_metric_is_latency((enum xt_metric)m) != latency ||
            (!xt_distribution_n(d) && !xt_distribution_dropped(d)))
            continue;
        xt_cell_text(out, xt_metric_name((enum xt_metric)m));
        xt_cell_int(out, (int64_t)xt_distribution_n(d));
        xt_cell_int(out, (int64_t)xt_distribution_dropped(d));
        if (!xt_distribution_n(d)) {
            for (unsigned i = 0; i < 3 + G_N_ELEMENTS(quantiles); i++)
                xt_cell_null(out);
            continue;
        }
        xt_cell_int(out, xt_distribution_min(d));
        xt_cell_real(out, xt_distribution_mean(d));
        for (unsigned i = 0; i < G_N_ELEMENTS(quantiles); i++)
            xt_cell_int(out, xt_distribution_quantile(d, quantiles[i]));
        xt_cell_int(out, xt_distribution_max(d));
    }
    xt_table_end(out);
}

static int stats_of_trace(const char *path, const struct xt_input_options *options, const char *policy,
                          enum xt_format format)
{
    GError *error = NULL;
    struct xt_input input;

    if (!xt_input_open(&input, "stats", path, options, &error))
        return xt_fail("stats", error);
    const volatile int *cancel = xt_catch_signals();
    struct xt_stats *stats = NULL;
    bool ok;
    do {
        xt_stats_free(stats);
        stats = xt_stats_new();
        const struct xt_sink *sink = xt_stats_sink(stats);
        ok = xt_reconstruct(input.trace, input.recording, &input.options, &sink, 1, cancel, &error);
    } while (!ok && xt_reconstruct_again(&error));
    if (ok) {
        struct xt_tables *out = xt_tables_new(stdout, format);
        const struct xt_run *run = xt_stats_run(stats);
        print_run(out, &input, run, policy ? policy : input.recording->policy);
        print_pcpus(out, run);
        print_vcpus(out, &input, run, stats);
        print_metrics(out, stats, false);
        print_metrics(out, stats, true);
        ok = xt_tables_finish(out, &error);
    }
    xt_stats_free(stats);
    xt_input_close(&input);
    return ok ? XT_EXIT_OK : xt_fail("stats", error);
}

/* What import stored, per run. */
static const struct xt_stored_table stored[] = {
    { "run", "Runs",
      "SELECT run, name, policy, scheduler, xen_version, pcpus, duration_ns, records, lost_records, tsc_hz, tsc_hz_source,"
      " start_tsc, emulated FROM runs WHERE run = coalesce(:run, run) ORDER BY run" },
    { "pcpus", "pCPUs", "SELECT * FROM pcpus WHERE run = coalesce(:run, run) ORDER BY run, pcpu" },
    { "vcpus", "VCPUs",
      "SELECT run, domid, domain, vcpu, period_ns, budget_ns, running_ns, runnable_ns, blocked_ns, offline_ns, unknown_ns,"
      " dispatches, wakeups, preemptions, depletions, yields, migrations, replenishments, periods, periods_judged,"
      " period_misses, no_burn, inconsistencies FROM vcpu_stats WHERE run = coalesce(:run, run) ORDER BY run, domid, vcpu" },
    { "overhead", "Overhead: pCPU time spent by the hypervisor",
      "SELECT * FROM overhead_stats WHERE run = coalesce(:run, run) ORDER BY run, metric" },
    { "latency", "Latency: time that VCPUs waited",
      "SELECT * FROM latency_stats WHERE run = coalesce(:run, run) ORDER BY run, metric" },
};

static int stats_of_database(const char *path, const char *run_name, enum xt_format format)
{
    GError *error = NULL;
    struct xt_db *db = xt_db_open(path, XT_DB_READ, &error);
    int64_t run = 0;
    bool ok = db && (!run_name || xt_find_run(db, run_name, &run, &error)) &&
              xt_print_stored(db, stored, G_N_ELEMENTS(stored), run, 0, format, &error);

    xt_db_close(db);
    return ok ? XT_EXIT_OK : xt_fail("stats", error);
}

int xt_cmd_stats(int argc, char **argv)
{
    struct xt_input_options input = { 0 };
    struct xt_format_options format = { 0 };
    char *policy = NULL, *db = NULL, *run = NULL;
    const GOptionEntry entries[] = {
        XT_INPUT_ENTRIES(input),
        XT_SERVER_ENTRIES(input),
        { "policy", 0, 0, G_OPTION_ARG_STRING, &policy, "Name the policy instead of deriving it", "POLICY" },
        { "db", 0, 0, G_OPTION_ARG_FILENAME, &db, "Show the runs of this database", "FILE" },
        { "run", 0, 0, G_OPTION_ARG_STRING, &run, "With --db: only this run", "NAME" },
        XT_FORMAT_ENTRIES(format),
        { 0 },
    };
    int status = xt_parse_options(&argc, &argv, entries, "RECORDING|TRACE | --db FILE",
                                  "Prints what a run says in numbers: per VCPU, per pCPU, overheads and latencies.");

    if (status < 0 && argc != (db ? 1 : 2))
        status = xt_fail_usage("stats", "expects one recording or trace, - for standard input, or --db FILE");
    if (status < 0 && (db ? policy || input.tsc_hz || input.tolerance || input.reservations || input.salvage : run != NULL))
        status = xt_fail_usage("stats", "%s", db ? "--db shows what was imported; the other options need a trace"
                                                 : "--run goes with --db");
    if (status < 0 && db)
        status = stats_of_database(db, run, xt_format_of(&format));
    if (status < 0)
        status = stats_of_trace(argv[1], &input, policy, xt_format_of(&format));
    g_free(input.tsc_hz);
    g_free(input.tolerance);
    g_strfreev(input.reservations);
    g_free(policy);
    g_free(db);
    g_free(run);
    return status;
}
