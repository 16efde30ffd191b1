/* xentrail bars: counts and ratios by policy or run, and the schedulability curve. */
#include <string.h>

#include "cli/picture.h"
#include "db/db.h"
#include "parse/error.h"
#include "render/rates-query.h"
#include "render/samples-query.h"

#define SCHEDULABILITY "schedulability"

static struct {
    struct xt_picture_options picture;
    char *what, *by;
} options;

static const GOptionEntry entries[] = {
    XT_DB_ENTRY(options.picture),
    {"what", 0, 0, G_OPTION_ARG_STRING, &options.what,
     "preemptions, migrations, period-misses, job-misses (comma-separated; default: all four), or "
     "schedulability",
     "W[,W…]"},
    {"by", 0, 0, G_OPTION_ARG_STRING, &options.by, "A bar per policy (default) or run", "BY"},
    XT_RUNS_ENTRY(options.picture),
    XT_PICTURE_ENTRIES(options.picture),
    {0},
};

static bool read_rate(const char *word, enum xt_rate *rate, GError **error)
{
    for (*rate = 0; *rate < XT_N_RATES; (*rate)++)
        if (strcmp(word, xt_rate_name(*rate)) == 0)
            return true;
    g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                "--what %s: expected preemptions, migrations, period-misses, job-misses, or " SCHEDULABILITY
                " alone",
                word);
    return false;
}

static struct xt_figure *draw_rates(struct xt_db *db, const struct xt_theme *theme, const char *source,
                                    GError **error)
{
    char **words =
        g_strsplit(options.what ? options.what : "preemptions,migrations,period-misses,job-misses", ",", -1);
    bool by_run = g_strcmp0(options.by, "run") == 0, ok = true;
    GPtrArray *panels = g_ptr_array_new();
    struct xt_figure *figure = NULL;

    for (unsigned i = 0; ok && words[i]; i++) {
        enum xt_rate rate;
        struct xt_bars *bars = NULL;
        ok = read_rate(words[i], &rate, error);
        if (ok)
            bars = xt_rates_query(db, rate, by_run, (const char *const *)options.picture.runs, error);
        ok = bars != NULL;
        if (bars && bars->bars->len > 0)
            g_ptr_array_add(panels, bars);
        else
            xt_bars_free(bars);
    }
    if (ok && panels->len == 0) {
        g_set_error_literal(error, XT_ERROR, XT_ERROR_USAGE, "the runs have nothing of this to count");
        ok = false;
    }
    if (ok) {
        char *caption = g_strdup_printf("Ratios: 95 %% confidence intervals (Wilson). Rates: %s %s",
                                        by_run ? "events by the run's length."
                                               : "pooled over the runs of a policy; whiskers are its lowest "
                                                 "and highest run.",
                                        source);
        figure = xt_bars_new(theme, (struct xt_bars *const *)panels->pdata, panels->len, caption);
        g_free(caption);
    } else {
        for (unsigned i = 0; i < panels->len; i++)
            xt_bars_free(panels->pdata[i]);
    }
    g_ptr_array_unref(panels);
    g_strfreev(words);
    return figure;
}

static struct xt_figure *draw_curve(struct xt_db *db, const struct xt_theme *theme, const char *source,
                                    GError **error)
{
    unsigned skipped;
    double width;
    GPtrArray *curves =
        xt_schedulability_query(db, (const char *const *)options.picture.runs, &skipped, &width, error);
    struct xt_figure *figure = NULL;

    if (!curves)
        return NULL;
    if (curves->len > 0) {
        char *left_out = skipped > 0
                             ? g_strdup_printf(" %u runs without judged periods are left out.", skipped)
                             : g_strdup("");
        char *caption = g_strdup_printf("Utilisation: sum of budget / period over the guests' VCPUs, dom0 "
                                        "left out, rounded to "
                                        "multiples of %g.%s %s",
                                        width, left_out, source);
        figure = xt_curves_new(theme, (struct xt_curve *const *)curves->pdata, curves->len,
                               "reserved utilisation (pCPUs)", "runs without a missed period", caption);
        g_free(caption);
        g_free(left_out);
    } else {
        g_set_error_literal(error, XT_ERROR, XT_ERROR_USAGE,
                            "no run has judged server periods; import with --reservation");
    }
    g_ptr_array_unref(curves);
    return figure;
}

static bool draw(GError **error)
{
    struct xt_theme theme;

    if (options.by && strcmp(options.by, "run") != 0 && strcmp(options.by, "policy") != 0) {
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "--by %s: expected policy or run", options.by);
        return false;
    }
    if (!xt_picture_begin(&options.picture, &theme, error))
        return false;
    struct xt_db *db = xt_db_open(options.picture.db, XT_DB_READ, error);
    if (!db)
        return false;

    struct xt_figure *figure = NULL;
    char *source = xt_runs_describe(db, (const char *const *)options.picture.runs, error);
    if (source)
        figure = g_strcmp0(options.what, SCHEDULABILITY) == 0 ? draw_curve(db, &theme, source, error)
                                                              : draw_rates(db, &theme, source, error);
    xt_db_close(db);
    bool ok = figure && xt_figure_write(figure, options.picture.output, options.picture.dpi, error);
    xt_figure_free(figure);
    g_free(source);
    return ok;
}

int xt_cmd_bars(int argc, char **argv)
{
    GError *error = NULL;
    int status = xt_parse_options(&argc, &argv, entries, "--db FILE [--what W[,W…]] -o OUT.{png,pdf,svg}",
                                  "Draws preemptions and migrations per second and miss ratios with "
                                  "confidence intervals as bars, or "
                                  "the fraction of runs without a miss against utilisation.");
    if (status >= 0)
        return status;
    if (argc > 1)
        return xt_fail_usage("bars", "unexpected argument %s; see --help", argv[1]);
    return draw(&error) ? XT_EXIT_OK : xt_fail("bars", error);
}
