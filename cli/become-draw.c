#include <errno.h>
#include <unistd.h>

#include "cli/cli.h"
#include "parse/error.h"

/* In a build folder it lies beside this program, installed in XT_LIBEXECDIR, which may be relative to the prefix. */
static char *find_program(void)
{
    char *self = g_file_read_link("/proc/self/exe", NULL), *folder = g_path_get_dirname(self ? self : "");
    char *beside = g_build_filename(folder, "xentrail-draw", NULL), *found = NULL;

    if (access(beside, X_OK) == 0)
        found = g_steal_pointer(&beside);
    else if (g_path_is_absolute(XT_LIBEXECDIR))
        found = g_build_filename(XT_LIBEXECDIR, "xentrail-draw", NULL);
    else
        found = g_build_filename(folder, "..", XT_LIBEXECDIR, "xentrail-draw", NULL);
    g_free(self);
    g_free(folder);
    g_free(beside);
    return found;
}

int xt_become_draw(int argc, char **argv)
{
    char *program = find_program();
    char **arguments = g_new0(char *, (gsize)argc + 2);
    GError *error = NULL;

    arguments[0] = program;
    for (int i = 0; i < argc; i++)
        arguments[1 + i] = argv[i];
    execv(program, arguments);
    g_set_error(&error, XT_ERROR, XT_ERROR_SYSTEM,
                "cannot start %s, the part of xentrail that draws: %s (install xentrail as a whole)", program, g_strerror(errno));
    g_free(arguments);
    g_free(program);
    return xt_fail(argv[0], error);
}
