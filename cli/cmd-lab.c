#include "cli/cli.h"
#include "collect/lab/lab.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char about[] =
    "A real Xen with RTDS, a Linux dom0 and Linux guests inside QEMU, for people without the hardware and "
    "for tests.\n"
    "What it records is marked as emulated: durations show shape, not speed.\n"
    "\n"
    "  build          make Xen, the tools and the guests, once, in a cache (about three minutes)\n"
    "  list           the scenarios that come with xentrail\n"
    "  run SCENARIO   one recording per policy of a scenario (a name from the list, or a file)\n"
    "  show SCENARIO  print a scenario, to make one's own of it\n"
    "  clean          remove the cache";

struct arguments {
    char *folder, *mirror, *security_mirror;
    char **policies;
    double duration_s;
    int jobs, timeout_s;
    gboolean real_time, live, overwrite, quiet;
};

static void say(void *user, const char *name, const char *step)
{
    const gint64 *start_us = user;
    if (start_us)
        fprintf(stderr, "%5.0f s  %-28s %s\n", (double)(g_get_monotonic_time() - *start_us) / 1e6, name,
                step);
}

static void say_step(void *user, const char *step)
{
    say(user, "lab build", step);
}

static int build(const struct arguments *a, const char *none)
{
    gint64 start_us = g_get_monotonic_time();
    struct xt_lab_build_options options = {
        .mirror = a->mirror,
        .security_mirror = a->security_mirror,
        .jobs = (unsigned)a->jobs,
        .say = say_step,
        .user = a->quiet ? NULL : &start_us,
    };
    GError *error = NULL;
    return xt_lab_build(&options, &error) ? XT_EXIT_OK : xt_fail("lab", error);
}

static int list(const struct arguments *a, const char *none)
{
    char **names = xt_scenario_names();
    for (int i = 0; names && names[i]; i++) {
        struct xt_scenario *s = xt_scenario_load(names[i], NULL);
        if (s)
            printf("%-18s %s\n", s->name, s->description);
        xt_scenario_free(s);
    }
    g_strfreev(names);
    return XT_EXIT_OK;
}

static int show(const struct arguments *a, const char *name)
{
    GError *error = NULL;
    struct xt_scenario *s = xt_scenario_load(name, &error);
    if (!s)
        return xt_fail("lab", error);
    fputs(s->text, stdout);
    xt_scenario_free(s);
    return XT_EXIT_OK;
}

static int run(const struct arguments *a, const char *name)
{
    gint64 start_us = g_get_monotonic_time();
    GError *error = NULL;
    struct xt_scenario *s = xt_scenario_load(name, &error);
    struct xt_lab_run_options options = {
        .real_time = a->real_time,
        .live = a->live,
        .overwrite = a->overwrite,
        .jobs = (unsigned)a->jobs,
        .timeout_s = (unsigned)a->timeout_s,
        .say = say,
        .user = a->quiet ? NULL : &start_us,
    };

    if (!s)
        return xt_fail("lab", error);
    options.folder = a->folder ? a->folder : s->name;
    if (a->duration_s > 0)
        s->duration_s = a->duration_s;
    if ((!a->policies || xt_scenario_select(s, (const char *const *)a->policies, &error)))
        xt_lab_run(s, &options, &error);
    xt_scenario_free(s);
    return error ? xt_fail("lab", error) : XT_EXIT_OK;
}

static int clean(const struct arguments *a, const char *none)
{
    GError *error = NULL;
    uint64_t freed;
    if (!xt_lab_clean(&freed, &error))
        return xt_fail("lab", error);
    if (!a->quiet)
        fprintf(stderr, "freed %.0f MB\n", (double)freed / 1e6);
    return XT_EXIT_OK;
}

static const struct {
    const char *name;
    int (*run)(const struct arguments *arguments, const char *scenario);
    bool takes_scenario;
} actions[] = {
    { "build", build, false }, { "list", list, false },   { "run", run, true },
    { "show", show, true },    { "clean", clean, false },
};

static int act(const struct arguments *a, int argc, char **argv)
{
    if (argc < 2)
        return xt_fail_usage("lab", "say what: build, list, run SCENARIO, show SCENARIO or clean");
    if (a->jobs < 0 || a->timeout_s < 0 || !(a->duration_s >= 0 && a->duration_s <= 600))
        return xt_fail_usage("lab", "--jobs and --timeout take 0 or more, --duration up to 600 seconds");
    for (size_t i = 0; i < G_N_ELEMENTS(actions); i++) {
        if (strcmp(argv[1], actions[i].name) != 0)
            continue;
        if (argc != 2 + actions[i].takes_scenario)
            return xt_fail_usage("lab", "%s takes %s", argv[1],
                                 actions[i].takes_scenario ? "one scenario" : "no argument");
        return actions[i].run(a, argv[2]);
    }
    return xt_fail_usage("lab", "there is no \"%s\": build, list, run SCENARIO, show SCENARIO or clean",
                         argv[1]);
}

int xt_cmd_lab(int argc, char **argv)
{
    struct arguments a = { 0 };
    const GOptionEntry entries[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &a.folder,
          "run: put the recordings there (default: the scenario's name)", "FOLDER" },
        { "policy", 'p', 0, G_OPTION_ARG_STRING_ARRAY, &a.policies,
          "run: only this policy of the scenario (repeatable)", "POLICY" },
        { "duration", 'd', 0, G_OPTION_ARG_DOUBLE, &a.duration_s, "run: instead of the scenario's",
          "SECONDS" },
        { "real-time", 0, 0, G_OPTION_ARG_NONE, &a.real_time,
          "run: threads of this machine instead of virtual time", NULL },
        { "live", 0, 0, G_OPTION_ARG_NONE, &a.live,
          "run: dom0's collector shows its live table, into the logs (which takes time from the guests)", NULL },
        { "overwrite", 0, 0, G_OPTION_ARG_NONE, &a.overwrite, "run: replace recordings of the same name",
          NULL },
        { "timeout", 0, 0, G_OPTION_ARG_INT, &a.timeout_s, "run: give a machine up after this", "SECONDS" },
        { "jobs", 'j', 0, G_OPTION_ARG_INT, &a.jobs,
          "Machines side by side, or compilers (default: by cores)", "N" },
        { "mirror", 0, 0, G_OPTION_ARG_STRING, &a.mirror, "build: Debian mirror", "URL" },
        { "security-mirror", 0, 0, G_OPTION_ARG_STRING, &a.security_mirror, "build: Debian security mirror",
          "URL" },
        { "quiet", 'q', 0, G_OPTION_ARG_NONE, &a.quiet, "Only say what went wrong", NULL },
        { NULL },
    };
    int status =
        xt_parse_options(&argc, &argv, entries, "build|list|run SCENARIO|show SCENARIO|clean", about);

    if (status < 0)
        status = act(&a, argc, argv);
    g_free(a.folder);
    g_free(a.mirror);
    g_free(a.security_mirror);
    g_strfreev(a.policies);
    return status;
}
