/* xentrail gantt: Gantt charts of one or more runs. */
#include <string.h>

#include "cli/picture.h"
#include "db/db.h"
#include "parse/error.h"
#include "render/gantt.h"
#include "render/scene-query.h"

static struct {
    struct xt_picture_options picture;
    char *from, *to, *around, *width, *rows, *colour, *detail, *job, *vcpus;
    char **domains;
    int miss;
} options;

static const GOptionEntry entries[] = {
    XT_DB_ENTRY(options.picture),
    {"run", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.picture.runs, "Run to draw; several are drawn under each other",
     "NAME"},
    {"from", 0, 0, G_OPTION_ARG_STRING, &options.from,
     "Begin of the window, from the run's start (default: 0)", "TIME"},
    {"to", 0, 0, G_OPTION_ARG_STRING, &options.to, "End of the window (default: the run's)", "TIME"},
    {"miss", 0, 0, G_OPTION_ARG_INT, &options.miss, "Centre on the N-th missed period of the (first) run",
     "N"},
    {"job", 0, 0, G_OPTION_ARG_STRING, &options.job, "Centre on a guest's job", "DOMAIN/TASK/NUMBER"},
    {"around", 0, 0, G_OPTION_ARG_STRING, &options.around, "Centre on an instant", "TIME"},
    {"width", 0, 0, G_OPTION_ARG_STRING, &options.width, "Length of a centred window", "TIME"},
    {"vcpu", 0, 0, G_OPTION_ARG_STRING, &options.vcpus,
     "Only these VCPUs, e.g. d1v0,d2 (d2: all of domain 2)", "LIST"},
    {"domain", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.domains, "Only this domain (repeatable)", "NAME"},
    {"rows", 0, 0, G_OPTION_ARG_STRING, &options.rows, "pcpu, vcpu, both (default), jobs or all", "ROWS"},
    {"colour", 0, 0, G_OPTION_ARG_STRING, &options.colour, "Colour boxes by domain (default) or pcpu", "BY"},
    {"detail", 0, 0, G_OPTION_ARG_STRING, &options.detail, "exact, overview or auto (default)", "LEVEL"},
    XT_PICTURE_ENTRIES(options.picture),
    {0},
};

/* Looks word up in a NULL-terminated list; its place, or -1 with error. */
static int choose(const char *option, const char *word, const char *const *words, GError **error)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    char *all = g_strjoinv(", ", (char **)words);
    g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "--%s %s: expected one of %s", option, word, all);
    g_free(all);
    return -1;
}

static bool read_time(const char *option, const char *text, int64_t *ns, GError **error)
{
    if (!text || xt_parse_time_ns(text, ns, error))
        return true;
    g_prefix_error(error, "--%s: ", option);
    return false;
}

struct setup {
    struct xt_theme theme;
    struct xt_gantt_options gantt;
    struct xt_scene_request request;
    char **vcpus;
};

static bool read_options(struct setup *setup, GError **error)
{
    static const char *const rows[] = {"pcpu", "vcpu", "both", "jobs", "all", NULL};
    static const unsigned row_sets[] = {XT_ROWS_PCPU, XT_ROWS_VCPU, XT_ROWS_PCPU | XT_ROWS_VCPU, XT_ROWS_JOBS,
                                        XT_ROWS_PCPU | XT_ROWS_VCPU | XT_ROWS_JOBS};
    static const char *const colours[] = {"domain", "pcpu", NULL};
    static const char *const details[] = {"auto", "exact", "overview", NULL};
    struct xt_scene_request *request = &setup->request;

    int row_set = choose("rows", options.rows ? options.rows : "both", rows, error);
    int colour =
        row_set < 0 ? -1 : choose("colour", options.colour ? options.colour : "domain", colours, error);
    int detail = colour < 0 ? -1 : choose("detail", options.detail ? options.detail : "auto", details, error);
    if (detail < 0 || !xt_picture_begin(&options.picture, &setup->theme, error))
        return false;

    *request = (struct xt_scene_request){.from = -1, .to = -1, .around = -1};
    if (!read_time("from", options.from, &request->from, error) ||
        !read_time("to", options.to, &request->to, error) ||
        !read_time("around", options.around, &request->around, error) ||
        !read_time("width", options.width, &request->width, error))
        return false;
    unsigned centres = (options.miss != 0) + (options.around != NULL) + (options.job != NULL);
    if (centres + (options.from || options.to) > 1 || options.miss < 0 || (options.width && centres == 0)) {
        g_set_error_literal(error, XT_ERROR, XT_ERROR_USAGE,
                            "take one of --from/--to, --miss N (from 1), --job and --around; --width goes "
                            "with the last three");
        return false;
    }
    setup->gantt = (struct xt_gantt_options){.rows = row_sets[row_set], .colour_by_pcpu = colour == 1};
    setup->vcpus = options.vcpus ? g_strsplit(options.vcpus, ",", -1) : NULL;
    request->miss = options.miss;
    request->job = options.job;
    request->vcpus = (const char *const *)setup->vcpus;
    request->domains = (const char *const *)options.domains;
    request->jobs = setup->gantt.rows & XT_ROWS_JOBS;
    request->colour_by_pcpu = setup->gantt.colour_by_pcpu;
    request->detail = (enum xt_detail)detail;
    request->n_columns = xt_gantt_columns(&setup->theme);
    return true;
}

/* The first run finds the window; the others show the same. */
static bool query_scenes(struct xt_db *db, struct setup *setup, GPtrArray *scenes, GError **error)
{
    unsigned n = options.picture.runs ? g_strv_length(options.picture.runs) : 1;

    for (unsigned i = 0; i < n; i++) {
        setup->request.run = options.picture.runs ? options.picture.runs[i] : NULL;
        struct xt_scene *scene = xt_scene_query(db, &setup->request, error);
        if (!scene)
            return false;
        g_ptr_array_add(scenes, scene);
        setup->request.miss = 0;
        setup->request.job = NULL;
        setup->request.around = -1;
        setup->request.from = scene->from;
        setup->request.to = scene->to;
        if (scene->density)
            setup->request.detail = XT_DETAIL_OVERVIEW;
    }
    return true;
}

static bool draw(struct setup *setup, GError **error)
{
    struct xt_db *db = xt_db_open(options.picture.db, XT_DB_READ, error);
    if (!db)
        return false;

    GPtrArray *scenes = g_ptr_array_new();
    bool ok = query_scenes(db, setup, scenes, error);
    xt_db_close(db);
    if (ok) {
        struct xt_figure *figure =
            xt_gantt_new(&setup->theme, &setup->gantt, (struct xt_scene *const *)scenes->pdata, scenes->len);
        ok = xt_figure_write(figure, options.picture.output, options.picture.dpi, error);
        xt_figure_free(figure);
    } else {
        g_ptr_array_foreach(scenes, (GFunc)(void (*)(void))xt_scene_free, NULL);
    }
    g_ptr_array_unref(scenes);
    return ok;
}

int xt_cmd_gantt(int argc, char **argv)
{
    struct setup setup = {0};
    GError *error = NULL;
    int status =
        xt_parse_options(&argc, &argv, entries, "--db FILE [--run NAME...] [WINDOW] -o OUT.{png,pdf,svg}",
                         "Draws what ran when: rows of pCPUs, VCPUs and guest jobs. Without a window the "
                         "whole run, as an "
                         "overview if it is long.");
    if (status >= 0)
        return status;
    if (argc > 1)
        return xt_fail_usage("gantt", "unexpected argument %s; see --help", argv[1]);
    bool ok = read_options(&setup, &error) && draw(&setup, &error);
    g_strfreev(setup.vcpus);
    return ok ? XT_EXIT_OK : xt_fail("gantt", error);
}
