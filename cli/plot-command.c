#include "cli/plot-command.h"

#include <string.h>

#include "cli/picture.h"
#include "db/db.h"
#include "parse/error.h"
#include "render/samples-query.h"

static struct {
    struct xt_picture_options picture;
    char *metric, *by, *log, *seed;
    gboolean ccdf;
} options;

static const GOptionEntry entries[] = {
    XT_DB_ENTRY(options.picture),
    {"metric", 0, 0, G_OPTION_ARG_STRING, &options.metric,
     "Metrics, comma-separated: decision, context_switch, wake_latency, …", "M[,M…]"},
    {"by", 0, 0, G_OPTION_ARG_STRING, &options.by, "Groups: policy (default), run, vcpu, pcpu or migrated",
     "BY"},
    XT_RUNS_ENTRY(options.picture),
    {"log", 0, 0, G_OPTION_ARG_STRING, &options.log,
     "Logarithmic axes: x, y, xy or none (default: what suits)", "AXES"},
    {"equal-n", 0, 0, G_OPTION_ARG_STRING, &options.seed,
     "Compare equal sample counts: random subsamples by SEED", "SEED"},
    XT_PICTURE_ENTRIES(options.picture),
    {0},
};
static const GOptionEntry cdf_entries[] = {
    {"ccdf", 0, 0, G_OPTION_ARG_NONE, &options.ccdf, "P(X > x) on a logarithmic axis, where tails live",
     NULL},
    {0},
};

static bool read_by(enum xt_by *by, GError **error)
{
    for (*by = 0; options.by && *by < XT_N_BY; (*by)++)
        if (strcmp(options.by, xt_by_name(*by)) == 0)
            return true;
    if (!options.by) {
        *by = XT_BY_POLICY;
        return true;
    }
    g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "--by %s: expected policy, run, vcpu, pcpu or migrated",
                options.by);
    return false;
}

static bool read_log(struct xt_plot_options *plot, GError **error)
{
    static const struct {
        const char *word;
        int x, y;
    } words[] = {{"x", 1, -1}, {"y", -1, 1}, {"xy", 1, 1}, {"none", 0, 0}};

    plot->log_x = plot->log_y = -1;
    if (!options.log)
        return true;
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        if (strcmp(options.log, words[i].word) != 0)
            continue;
        plot->log_x = words[i].x;
        plot->log_y = words[i].y;
        return true;
    }
    g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "--log %s: expected x, y, xy or none", options.log);
    return false;
}

static bool read_options(struct xt_theme *theme, struct xt_plot_options *plot, enum xt_by *by, GError **error)
{
    if (!options.picture.db || !options.metric || !options.picture.output) {
        g_set_error_literal(error, XT_ERROR, XT_ERROR_USAGE,
                            "--db FILE, --metric M and -o OUT.{png,pdf,svg} are needed");
        return false;
    }
    if (options.seed && !g_ascii_string_to_unsigned(options.seed, 10, 0, G_MAXUINT64, &plot->seed, NULL)) {
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "--equal-n %s: expected a seed, a whole number",
                    options.seed);
        return false;
    }
    plot->equal_n = options.seed != NULL;
    if (options.ccdf)
        plot->kind = XT_PLOT_CCDF;
    return read_by(by, error) && read_log(plot, error) && xt_picture_begin(&options.picture, theme, error);
}

static bool read_sets(struct xt_db *db, const struct xt_plot_options *plot, enum xt_by by, GPtrArray *sets,
                      GError **error)
{
    char **metrics = g_strsplit(options.metric, ",", -1);
    bool ok = true;

    for (unsigned i = 0; ok && metrics[i]; i++) {
        struct xt_sample_set *set =
            xt_samples_query(db, metrics[i], by, (const char *const *)options.picture.runs, error);
        ok = set != NULL;
        if (!ok)
            break;
        g_ptr_array_add(sets, set);
        const struct xt_sample_set *first = sets->pdata[0];
        if (set->is_latency != first->is_latency) {
            g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                        "%s is a latency (time a VCPU waited) and %s an overhead (time the hypervisor took): "
                        "they do not go "
                        "into one figure; draw two",
                        set->is_latency ? set->metric : first->metric,
                        set->is_latency ? first->metric : set->metric);
            ok = false;
        }
        if (ok && plot->equal_n)
            xt_sample_set_equalise(set, plot->seed);
    }
    g_strfreev(metrics);
    return ok;
}

static bool draw(const struct xt_theme *theme, struct xt_plot_options *plot, enum xt_by by, GError **error)
{
    struct xt_db *db = xt_db_open(options.picture.db, XT_DB_READ, error);
    if (!db)
        return false;

    GPtrArray *sets = g_ptr_array_new();
    char *source = xt_runs_describe(db, (const char *const *)options.picture.runs, error);
    bool ok = source && read_sets(db, plot, by, sets, error);
    xt_db_close(db);
    if (ok) {
        plot->by = xt_by_name(by);
        plot->source = source;
        struct xt_figure *figure =
            xt_plot_new(theme, plot, (struct xt_sample_set *const *)sets->pdata, sets->len);
        ok = xt_figure_write(figure, options.picture.output, options.picture.dpi, error);
        xt_figure_free(figure);
    } else {
        for (unsigned i = 0; i < sets->len; i++)
            xt_sample_set_free(sets->pdata[i]);
    }
    g_ptr_array_unref(sets);
    g_free(source);
    return ok;
}

int xt_plot_command(int argc, char **argv, enum xt_plot_kind kind, const char *about)
{
    struct xt_plot_options plot = {.kind = kind};
    struct xt_theme theme;
    enum xt_by by;
    GError *error = NULL;
    const char *command = argv[0];
    GArray *all = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));

    g_array_append_vals(all, entries, G_N_ELEMENTS(entries) - 1);
    if (kind != XT_PLOT_HIST)
        g_array_append_vals(all, cdf_entries, G_N_ELEMENTS(cdf_entries) - 1);
    int status = xt_parse_options(&argc, &argv, (const GOptionEntry *)all->data,
                                  "--db FILE --metric M[,M…] -o OUT.{png,pdf,svg}", about);
    g_array_unref(all);
    if (status >= 0)
        return status;
    if (argc > 1)
        return xt_fail_usage(command, "unexpected argument %s; see --help", argv[1]);
    if (read_options(&theme, &plot, &by, &error) && draw(&theme, &plot, by, &error))
        return XT_EXIT_OK;
    return xt_fail(command, error);
}
