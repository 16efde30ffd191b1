#include "collect/lab/lab.h"

#include "collect/files.h"
#include "collect/lab/image.h"
#include "parse/error.h"

#include <errno.h>
#include <gio/gunixinputstream.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define DEBIAN          "http://deb.debian.org/debian"
#define DEBIAN_SECURITY "http://deb.debian.org/debian-security"

enum { BUILD_TIMEOUT_S = 3600 };

char *xt_lab_cache(void)
{
    return g_build_filename(g_get_user_cache_dir(), "xentrail", "lab", NULL);
}

bool xt_lab_is_built(void)
{
    static const char *const stamps[] = { "xen-2", "sysroot", "kernel" };
    char *cache = xt_lab_cache();
    bool built = true;

    for (size_t i = 0; built && i < G_N_ELEMENTS(stamps); i++) {
        char *stamp = g_build_filename(cache, "stamps", stamps[i], NULL);
        built = g_file_test(stamp, G_FILE_TEST_EXISTS);
        g_free(stamp);
    }
    g_free(cache);
    return built;
}

static char *write_script(const char *cache, GError **error)
{
    char *path = g_build_filename(cache, "build.sh", NULL);
    GBytes *script = xt_image_resource("build.sh");
    GError *failure = NULL;

    if (!g_file_set_contents(path, g_bytes_get_data(script, NULL), (gssize)g_bytes_get_size(script),
                             &failure)) {
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s", failure->message);
        g_error_free(failure);
        g_clear_pointer(&path, g_free);
    }
    g_bytes_unref(script);
    return path;
}

/* The build's lines go to the log; those that begin with "== " also to the user. */
static char *follow(FILE *from, FILE *log, const struct xt_lab_build_options *o)
{
    static const char failed[] = "failed: ";
    char *line = NULL, *why = NULL;
    size_t size = 0;
    ssize_t n;

    while ((n = getline(&line, &size, from)) > 0) {
        fwrite(line, 1, (size_t)n, log);
        fflush(log);
        if (!g_str_has_prefix(line, "== "))
            continue;
        const char *step = g_strstrip(line + 3);
        if (g_str_has_prefix(step, failed))
            why = g_strdup(step + strlen(failed));
        else if (o->say)
            o->say(o->user, step);
    }
    free(line);
    return why;
}

/* timeout(1) hands the signal on to everything that it started. */
static void end_with_parent(gpointer unused)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static bool run_script(const char *script, const char *cache, const char *log_path,
                       const struct xt_lab_build_options *o, GError **error)
{
    char *jobs = g_strdup_printf("%u", o->jobs ? o->jobs : g_get_num_processors());
    char *limit = g_strdup_printf("%d", BUILD_TIMEOUT_S);
    const char *const argv[] = { "timeout",
                                 "--kill-after=10",
                                 limit,
                                 "sh",
                                 script,
                                 cache,
                                 o->mirror ? o->mirror : DEBIAN,
                                 o->security_mirror ? o->security_mirror : DEBIAN_SECURITY,
                                 jobs,
                                 NULL };
    GError *failure = NULL;
    FILE *log = g_fopen(log_path, "w");
    GSubprocessLauncher *launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE);
    GSubprocess *build;
    char *why = NULL;
    bool good = false;

    g_subprocess_launcher_set_child_setup(launcher, end_with_parent, NULL, NULL);
    build = log ? g_subprocess_launcher_spawnv(launcher, argv, &failure) : NULL;
    g_object_unref(launcher);
    if (build) {
        GInputStream *out = g_subprocess_get_stdout_pipe(build);
        FILE *from = fdopen(dup(g_unix_input_stream_get_fd(G_UNIX_INPUT_STREAM(out))), "r");
        why = follow(from, log, o);
        fclose(from);
        g_subprocess_wait(build, NULL, NULL);
        good = g_subprocess_get_if_exited(build) && g_subprocess_get_exit_status(build) == 0;
    }
    if (!good)
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "the build failed: %s; its log is %s",
                    why       ? why
                    : failure ? failure->message
                    : !log    ? g_strerror(errno)
                              : "see the end of its log",
                    log_path);
    g_clear_error(&failure);
    g_clear_object(&build);
    if (log)
        fclose(log);
    g_free(why);
    g_free(jobs);
    g_free(limit);
    return good;
}

bool xt_lab_build(const struct xt_lab_build_options *options, GError **error)
{
    char *cache = xt_lab_cache(), *log = g_build_filename(cache, "build.log", NULL), *script = NULL;
    bool good = g_mkdir_with_parents(cache, 0755) == 0;

    if (!good)
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot make %s: %s", cache, g_strerror(errno));
    script = good ? write_script(cache, error) : NULL;
    good = script && run_script(script, cache, log, options, error);
    g_free(script);
    g_free(log);
    g_free(cache);
    return good;
}

bool xt_lab_clean(uint64_t *freed, GError **error)
{
    char *cache = xt_lab_cache();
    bool good;

    *freed = 0;
    good = xt_files_remove(cache, freed);
    if (!good)
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot remove %s: %s", cache, g_strerror(errno));
    g_free(cache);
    return good;
}
