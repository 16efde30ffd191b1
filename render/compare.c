#include "render/compare.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "parse/error.h"
#include "parse/stats.h"
#include "render/compare-private.h"
#include "render/gantt.h"
#include "render/rates-query.h"
#include "render/samples-query.h"
#include "render/scene-query.h"
#include "render/timeline-json.h"

#define MOST_MISSES 3       /* worst ones drawn per run */
#define MOST_MISS_FIGURES 9 /* in all */
#define MOST_OVERVIEWS 8
#define SIDE_BY_SIDE_NS 60000000

static struct xt_theme report_theme(void)
{
    struct xt_theme theme;
    xt_theme_init(&theme, "page", NULL);
    theme.width = XT_REPORT_WIDTH;
    return theme;
}

static void fill_run(struct xt_scene_request *request, const char *run)
{
    struct xt_theme theme = report_theme();
    *request = (struct xt_scene_request){
        .run = run, .from = -1, .to = -1, .around = -1, .n_columns = xt_gantt_columns(&theme)};
}

static bool add_gantt(struct compare *c, struct xt_scene *const *scenes, unsigned n, unsigned rows)
{
    struct xt_theme theme = report_theme();
    struct xt_gantt_options options = {.rows = rows};
    xt_report_figure(c->report, xt_gantt_new(&theme, &options, scenes, n));
    return true;
}

/* The figures of one kind of metric; those without samples are left out. */
static bool add_metrics(struct compare *c, bool latencies, enum xt_plot_kind kind)
{
    struct xt_theme theme = report_theme();
    static const enum xt_metric overheads[] = {XT_METRIC_DECISION, XT_METRIC_CONTEXT_SWITCH,
                                               XT_METRIC_FORK_SCHED_LATENCY, XT_METRIC_FORK_CONTEXT_SWITCH};
    static const enum xt_metric waits[] = {XT_METRIC_WAKE_LATENCY, XT_METRIC_PREEMPT_LATENCY,
                                           XT_METRIC_REPLENISH_LATENCY};
    const enum xt_metric *metrics = latencies ? waits : overheads;
    unsigned n = latencies ? G_N_ELEMENTS(waits) : G_N_ELEMENTS(overheads);

    for (unsigned i = 0; i < n; i++) {
        GError *cause = NULL;
        struct xt_sample_set *set =
            xt_samples_query(c->db, xt_metric_name(metrics[i]), XT_BY_POLICY, NULL, &cause);
        if (!set && g_error_matches(cause, XT_ERROR, XT_ERROR_USAGE)) {
            g_clear_error(&cause); /* no samples */
            continue;
        }
        if (!set) {
            g_propagate_error(c->error, cause);
            return false;
        }
        struct xt_plot_options options = {
            .kind = kind, .log_x = -1, .log_y = -1, .by = "policy", .source = c->source};
        xt_report_figure(c->report, xt_plot_new(&theme, &options, &set, 1));
    }
    return true;
}

static bool add_policies(struct compare *c)
{
    struct xt_theme theme = report_theme();
    struct xt_bars *panels[XT_N_RATES];
    unsigned n = 0;
    bool ok = true;

    xt_report_heading(c->report, "policies", "Policies");
    if (!compare_add_policy_table(c))
        return false;
    for (unsigned rate = 0; ok && rate < XT_N_RATES; rate++) {
        struct xt_bars *bars = xt_rates_query(c->db, (enum xt_rate)rate, false, NULL, c->error);
        ok = bars != NULL;
        if (bars && bars->bars->len > 0)
            panels[n++] = bars;
        else
            xt_bars_free(bars);
    }
    if (ok && n > 0) {
        char *caption = g_strdup_printf("Ratios: 95 %% confidence intervals (Wilson). Rates: pooled over the "
                                        "runs of a policy; whiskers "
                                        "are its lowest and highest run. %s",
                                        c->source);
        xt_report_figure(c->report, xt_bars_new(&theme, panels, n, caption));
        g_free(caption);
        return true;
    }
    for (unsigned i = 0; i < n; i++)
        xt_bars_free(panels[i]);
    return ok;
}

/* One window, from the middle of the shortest, of the first run of each policy. */
static bool add_side_by_side(struct compare *c)
{
    struct xt_scene *scenes[6];
    unsigned n = 0;
    GHashTable *seen = g_hash_table_new(g_str_hash, g_str_equal);
    int64_t shortest = INT64_MAX;
    bool ok = true;

    for (unsigned i = 0; i < c->runs->len; i++)
        shortest = MIN(shortest, ((struct xt_db_run *)c->runs->pdata[i])->duration_ns);
    for (unsigned i = 0; ok && i < c->runs->len && n < G_N_ELEMENTS(scenes); i++) {
        struct xt_db_run *run = c->runs->pdata[i];
        struct xt_scene_request request;
        if (!g_hash_table_add(seen, run->group))
            continue;
        fill_run(&request, run->name);
        request.from = MAX(0, shortest / 2 - SIDE_BY_SIDE_NS / 2);
        request.to = request.from + MIN(SIDE_BY_SIDE_NS, shortest);
        request.detail = XT_DETAIL_EXACT;
        scenes[n] = xt_scene_query(c->db, &request, c->error);
        ok = scenes[n] != NULL;
        n += ok;
    }
    g_hash_table_unref(seen);
    if (ok && n > 1) {
        xt_report_text(c->report, "The same window under each policy, from the middle of the shortest run:");
        return add_gantt(c, scenes, n, XT_ROWS_PCPU | XT_ROWS_VCPU);
    }
    for (unsigned i = 0; i < n; i++)
        xt_scene_free(scenes[i]);
    return ok;
}

/* Worst first: by what it fell short. */
static int compare_short(gconstpointer a, gconstpointer b)
{
    const struct xt_db_miss *x = a, *y = b;
    if (x->short_ns != y->short_ns)
        return x->short_ns < y->short_ns ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static bool add_misses_of(struct compare *c, const struct xt_db_run *run, unsigned *drawn)
{
    GArray *misses = xt_db_misses(c->db, run->id, INT64_MIN, INT64_MAX, c->error);
    if (!misses)
        return false;
    g_array_sort(misses, compare_short);
    bool ok = true;

    for (unsigned i = 0; ok && i < MIN(misses->len, MOST_MISSES) && *drawn < MOST_MISS_FIGURES; i++, (*drawn)++) {
        struct xt_scene_request request;
        fill_run(&request, run->name);
        request.miss = g_array_index(misses, struct xt_db_miss, i).number;
        struct xt_scene *scene = xt_scene_query(c->db, &request, c->error);
        ok = scene && add_gantt(c, &scene, 1, XT_ROWS_PCPU | XT_ROWS_VCPU);
    }
    g_array_unref(misses);
    return ok;
}

static bool add_misses(struct compare *c)
{
    unsigned drawn = 0;

    xt_report_heading(c->report, "misses", "Worst misses");
    if (!compare_add_miss_table(c))
        return false;
    for (unsigned i = 0; i < c->runs->len; i++)
        if (!add_misses_of(c, c->runs->pdata[i], &drawn))
            return false;
    return true;
}

static bool add_overviews(struct compare *c)
{
    xt_report_heading(c->report, "overviews", "Whole runs");
    if (c->runs->len > MOST_OVERVIEWS) {
        char *text = g_strdup_printf("The first %d of %u runs.", MOST_OVERVIEWS, c->runs->len);
        xt_report_text(c->report, text);
        g_free(text);
    }
    for (unsigned i = 0; i < MIN(c->runs->len, MOST_OVERVIEWS); i++) {
        struct xt_scene_request request;
        fill_run(&request, ((struct xt_db_run *)c->runs->pdata[i])->name);
        struct xt_scene *scene = xt_scene_query(c->db, &request, c->error);
        if (!scene || !add_gantt(c, &scene, 1, XT_ROWS_PCPU | XT_ROWS_VCPU))
            return false;
    }
    return true;
}

static bool add_timeline(struct compare *c)
{
    char *json = xt_timeline_json(c->db, c->error);
    if (!json)
        return false;
    xt_report_heading(c->report, "timeline", "Timeline");
    xt_report_timeline(c->report, json);
    g_free(json);
    return true;
}

static bool fill(struct compare *c, const char *command, bool interactive)
{
    xt_report_heading(c->report, "summary", "Summary");
    if (!compare_add_summary(c))
        return false;
    xt_report_text(c->report, "Jobs tell whether the guests' tasks were in time. A server period counts as missed as well "
                              "if its VCPU woke too late in it to get its budget.");
    if (!add_policies(c) || !add_side_by_side(c))
        return false;
    xt_report_heading(c->report, "runs", "Runs");
    if (!compare_add_run_table(c))
        return false;
    if (interactive && !add_timeline(c))
        return false;
    xt_report_heading(c->report, "overheads", "Overheads");
    xt_report_text(c->report, "pCPU time that the hypervisor spent.");
    if (!compare_add_metric_tables(c, "overhead") || !add_metrics(c, false, XT_PLOT_HIST))
        return false;
    xt_report_heading(c->report, "latencies", "Latencies");
    xt_report_text(c->report, "Time that VCPUs waited.");
    if (!compare_add_metric_tables(c, "latency") || !add_metrics(c, true, XT_PLOT_CCDF))
        return false;
    if (!add_misses(c) || !add_overviews(c))
        return false;
    compare_add_definitions(c);
    return compare_add_origin(c, command);
}

struct xt_report *xt_compare(struct xt_db *db, const char *command, bool interactive, GError **error)
{
    struct compare c = {.db = db, .error = error};
    bool ok = false;

    c.runs = xt_db_runs(db, error);
    if (!c.runs)
        return NULL;
    c.report = xt_report_new("Scheduling policies compared");
    c.source = xt_runs_describe(db, NULL, error);
    if (c.runs->len == 0)
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s holds no run; `xentrail import RECORDING --db %s` adds one", xt_db_path(db),
                    xt_db_path(db));
    else
        ok = c.source && fill(&c, command, interactive);
    g_ptr_array_unref(c.runs);
    g_free(c.source);
    if (ok)
        return c.report;
    xt_report_free(c.report);
    return NULL;
}
