#include "options.h"

#include <math.h>
#include <string.h>

#include "mask.h"
#include "synth.h"

struct raw {
    int pcpus, vcpus, per_domain, ring_pages, dom0_vcpus, pools, lost, lifecycle, adjust, repin;
    char *bytes, *start_tsc;
    gint64 seed, hz, now_ns, tolerance_us;
    gboolean no_intervals, no_quirks, hostile_names;
};

static bool parse_size(const char *s, uint64_t *out)
{
    static const char unit[] = "kMGT";
    char *end;
    double x = g_ascii_strtod(s, &end);
    const char *u = *end ? strchr(unit, *end) : NULL;

    if (end == s || x <= 0 || (*end && (!u || end[1])))
        return false;
    *out = (uint64_t)(x * (u ? pow(1000, (double)(u - unit + 1)) : 1));
    return true;
}

static bool one_of(const char *option, const char *value, const char *choices, GError **error)
{
    g_auto(GStrv) list = g_strsplit(choices, " ", -1);

    if (g_strv_contains((const char *const *)list, value))
        return true;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s %s: must be one of %s", option, value,
                choices);
    return false;
}

static bool in_range(const char *option, double value, double low, double high, GError **error)
{
    if (value >= low && value <= high)
        return true;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s %g: must be from %g to %g", option,
                value, low, high);
    return false;
}

static bool check(struct sy_options *o, const struct raw *r, GError **error)
{
    if (!o->out) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "-o DIR is missing");
        return false;
    }
    if (r->bytes && !parse_size(r->bytes, &o->bytes)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--bytes %s: want a size such as 100M or 2G", r->bytes);
        return false;
    }
    guint64 start = 93400000000000;
    if (r->start_tsc && !g_ascii_string_to_unsigned(r->start_tsc, 10, 0, G_MAXUINT64, &start, error)) {
        g_prefix_error(error, "--start-tsc: ");
        return false;
    }
    o->start_tsc = start;
    if (o->seconds <= 0)
        o->seconds = o->bytes ? 0 : 5;
    bool young = g_str_equal(o->policy, "credit2") || g_str_equal(o->policy, "null");
    if (!one_of("--policy", o->policy, "gedf pedf dm credit credit2 null", error) ||
        !one_of("--server", o->server, "deferrable periodic polling sporadic", error) ||
        !one_of("--xen", o->xen, young ? "4.17 4.18" : "4.5 4.7 4.9 4.17 4.18", error))
        return false;
    const struct {
        const char *option;
        double value, low, high;
    } ranges[] = {
        {"--pcpus", r->pcpus, 1, SY_MAX_PCPUS},
        {"--vcpus", r->vcpus, 1, SY_MAX_VCPUS - 64},
        {"--vcpus-per-domain", r->per_domain, 1, 4096},
        {"--dom0-vcpus", r->dom0_vcpus, 1, 64},
        {"--pools", r->pools, 1, r->pcpus},
        {"--ring-pages", r->ring_pages, 1, 65536},
        {"--util", o->util, 0.001, 16},
        {"--load", o->load, 0.001, 100},
        {"--races", o->races, 0, 1},
        {"--hogs", o->hogs, 0, 1},
        {"--sporadic", o->sporadic, 0, 1},
        {"--extratime", o->extratime, 0, 1},
        {"--poll-ms", o->poll_ms, 0.01, 1e6},
        {"--period-min-ms", o->period_min_ms, 0.1, 10000},
        {"--period-max-ms", o->period_max_ms, o->period_min_ms, 10000},
        {"--record-cost-ns", o->record_cost_ns, 1, 100000},
        {"--now-skew-us", o->now_skew_us, 0, 1e6},
        {"--now-drift-ppm", o->now_drift_ppm, 0, 1e5},
        {"--mhz-error-ppm", o->mhz_error_ppm, -1e5, 1e5},
        {"--audit", o->audit, 0, 1e9},
        {"--tsc-hz", (double)r->hz, 1e6, 1e10},
        {"--lost", r->lost, 0, 100000},
        {"--lifecycle", r->lifecycle, 0, 1000},
        {"--adjust", r->adjust, 0, 100000},
        {"--repin", r->repin, 0, 100000},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(ranges); i++)
        if (!in_range(ranges[i].option, ranges[i].value, ranges[i].low, ranges[i].high, error))
            return false;
    return true;
}

bool sy_options_parse(struct sy_options *o, int *argc, char ***argv, GError **error)
{
    *o = (struct sy_options){.util = 0.7,
                             .load = 0.9,
                             .poll_ms = 100,
                             .yields = 2,
                             .races = 0.004,
                             .record_cost_ns = 100,
                             .sporadic = 0.3,
                             .period_min_ms = 5,
                             .period_max_ms = 100};
    struct raw r = {.pcpus = 4,
                    .vcpus = 12,
                    .per_domain = 2,
                    .ring_pages = 32,
                    .dom0_vcpus = 1,
                    .pools = 1,
                    .seed = 1,
                    .hz = 2893437123,
                    .now_ns = 32104326432101,
                    .tolerance_us = 50};
    const GOptionEntry entries[] = {
        {"policy", 0, 0, G_OPTION_ARG_STRING, &o->policy, "gedf, pedf, dm, credit, credit2 or null", "P"},
        {"server", 0, 0, G_OPTION_ARG_STRING, &o->server, "deferrable, periodic, polling or sporadic", "S"},
        {"xen", 0, 0, G_OPTION_ARG_STRING, &o->xen, "record layouts of Xen 4.5, 4.7, 4.9, 4.17 or 4.18", "V"},
        {"pcpus", 0, 0, G_OPTION_ARG_INT, &r.pcpus, "pCPUs, 1 to 256", "N"},
        {"pools", 0, 0, G_OPTION_ARG_INT, &r.pools, "cpupools; pCPUs and domains are dealt out", "N"},
        {"vcpus", 0, 0, G_OPTION_ARG_INT, &r.vcpus, "guest VCPUs, 1 to 4032", "N"},
        {"vcpus-per-domain", 0, 0, G_OPTION_ARG_INT, &r.per_domain, "VCPUs of a domain, at most", "N"},
        {"dom0-vcpus", 0, 0, G_OPTION_ARG_INT, &r.dom0_vcpus, "VCPUs of domain 0", "N"},
        {"util", 0, 0, G_OPTION_ARG_DOUBLE, &o->util, "sum of reservations / capacity", "U"},
        {"load", 0, 0, G_OPTION_ARG_DOUBLE, &o->load, "demand of a guest / its reservation", "L"},
        {"period-min-ms", 0, 0, G_OPTION_ARG_DOUBLE, &o->period_min_ms, "shortest server period", "MS"},
        {"period-max-ms", 0, 0, G_OPTION_ARG_DOUBLE, &o->period_max_ms, "longest server period", "MS"},
        {"hogs", 0, 0, G_OPTION_ARG_DOUBLE, &o->hogs, "fraction of guest VCPUs that never block", "F"},
        {"sporadic", 0, 0, G_OPTION_ARG_DOUBLE, &o->sporadic, "fraction of guest VCPUs with sporadic jobs",
         "F"},
        {"extratime", 0, 0, G_OPTION_ARG_DOUBLE, &o->extratime, "fraction of guest VCPUs with extratime",
         "F"},
        {"yields", 0, 0, G_OPTION_ARG_DOUBLE, &o->yields, "yields per second of run time", "N"},
        {"races", 0, 0, G_OPTION_ARG_DOUBLE, &o->races,
         "fraction of blocks that a wake-up overtakes, of either kind", "F"},
        {"vcpu", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o->specs,
         "override one VCPU: d1v0=10ms/4ms[,x][,hog][,cpus=1-2]", "SPEC"},
        {"weights", 0, 0, G_OPTION_ARG_STRING, &o->weights, "credit weights of the guests, dealt out in turn",
         "W,W.."},
        {"caps", 0, 0, G_OPTION_ARG_STRING, &o->caps, "credit caps in percent, dealt out in turn", "C,C.."},
        {"seconds", 0, 0, G_OPTION_ARG_DOUBLE, &o->seconds, "length of the trace (default 5)", "S"},
        {"bytes", 0, 0, G_OPTION_ARG_STRING, &r.bytes, "stop at this file size instead", "SIZE"},
        {"seed", 0, 0, G_OPTION_ARG_INT64, &r.seed, "seed of everything random", "N"},
        {"tsc-hz", 0, 0, G_OPTION_ARG_INT64, &r.hz, "TSC frequency", "HZ"},
        {"start-tsc", 0, 0, G_OPTION_ARG_STRING, &r.start_tsc, "TSC of the first record", "N"},
        {"now", 0, 0, G_OPTION_ARG_INT64, &r.now_ns, "Xen system time at the first record", "NS"},
        {"now-skew-us", 0, 0, G_OPTION_ARG_DOUBLE, &o->now_skew_us,
         "system time of pCPUs but the first is off by up to this", "US"},
        {"now-drift-ppm", 0, 0, G_OPTION_ARG_DOUBLE, &o->now_drift_ppm, "and drifts by up to this", "PPM"},
        {"mhz-error-ppm", 0, 0, G_OPTION_ARG_DOUBLE, &o->mhz_error_ppm, "xl info's cpu_mhz is wrong by this",
         "PPM"},
        {"hostile-names", 0, 0, G_OPTION_ARG_NONE, &r.hostile_names,
         "domain names that hurt whoever does not quote", NULL},
        {"no-quirks", 0, 0, G_OPTION_ARG_NONE, &r.no_quirks, "RTDS without Xen's missed tickles", NULL},
        {"record-cost-ns", 0, 0, G_OPTION_ARG_DOUBLE, &o->record_cost_ns, "mean time to write a record",
         "NS"},
        {"poll-ms", 0, 0, G_OPTION_ARG_DOUBLE, &o->poll_ms, "xentrace's polling interval", "MS"},
        {"ring-pages", 0, 0, G_OPTION_ARG_INT, &r.ring_pages, "trace ring per pCPU in 4 KiB pages", "N"},
        {"lost", 0, 0, G_OPTION_ARG_INT, &r.lost, "gaps with lost records", "N"},
        {"lifecycle", 0, 0, G_OPTION_ARG_INT, &r.lifecycle, "domains paused, destroyed or created meanwhile",
         "N"},
        {"adjust", 0, 0, G_OPTION_ARG_INT, &r.adjust, "reservations changed meanwhile (RTDS)", "N"},
        {"repin", 0, 0, G_OPTION_ARG_INT, &r.repin, "VCPUs bound to other pCPUs meanwhile", "N"},
        {"fault", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o->faults,
         "lost, dropped-replenish, inversion, overrun, tsc-skew or unpinned", "KIND[:COUNT[:US]]"},
        {"miss-tolerance-us", 0, 0, G_OPTION_ARG_INT64, &r.tolerance_us, "tolerance of a period miss", "US"},
        {"audit", 0, 0, G_OPTION_ARG_DOUBLE, &o->audit,
         "list who waits at least so long although it should run (RTDS; slow)", "US"},
        {"no-ledger-intervals", 0, 0, G_OPTION_ARG_NONE, &r.no_intervals, "leave out the two big ledgers",
         NULL},
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "folder to make", "DIR"},
        {0}};
    g_autoptr(GOptionContext)
        context = g_option_context_new("- make a Xen scheduler trace and the truth behind it");

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return false;
    if (*argc > 1) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: not an option", (*argv)[1]);
        return false;
    }
    /* GOption overwrites without freeing: defaults come after it. */
    o->policy = o->policy ? o->policy : g_strdup("gedf");
    o->server = o->server ? o->server : g_strdup("deferrable");
    o->xen = o->xen ? o->xen : g_strdup("4.17");
    bool ok = check(o, &r, error);
    g_free(r.bytes);
    g_free(r.start_tsc);
    o->pcpus = (unsigned)r.pcpus;
    o->vcpus = (unsigned)r.vcpus;
    o->vcpus_per_domain = (unsigned)r.per_domain;
    o->ring_pages = (unsigned)r.ring_pages;
    o->dom0_vcpus = (unsigned)r.dom0_vcpus;
    o->pools = (unsigned)r.pools;
    o->lost = (unsigned)r.lost;
    o->lifecycle = (unsigned)r.lifecycle;
    o->adjust = (unsigned)r.adjust;
    o->repin = (unsigned)r.repin;
    o->seed = (uint64_t)r.seed;
    o->tsc_hz = (uint64_t)r.hz;
    o->now_ns = r.now_ns;
    o->tolerance_ns = r.tolerance_us * 1000;
    o->no_intervals = r.no_intervals;
    o->no_quirks = r.no_quirks;
    o->hostile_names = r.hostile_names;
    return ok;
}

void sy_options_clear(struct sy_options *o)
{
    g_free(o->policy);
    g_free(o->server);
    g_free(o->xen);
    g_free(o->out);
    g_free(o->weights);
    g_free(o->caps);
    g_strfreev(o->faults);
    g_strfreev(o->specs);
}
