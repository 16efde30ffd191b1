#include "cli/output-folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parse/error.h"

static bool is_free(const char *path, GError **error)
{
    struct stat st;

    if (lstat(path, &st))
        return true;
    GDir *dir = S_ISDIR(st.st_mode) ? g_dir_open(path, 0, NULL) : NULL;
    bool empty = dir && !g_dir_read_name(dir);
    if (dir)
        g_dir_close(dir);
    if (!empty)
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "%s: exists already: name a folder that does not, or remove it",
                    path);
    return empty;
}

bool xt_output_folder_begin(struct xt_output_folder *folder, const char *path, GError **error)
{
    folder->target = g_strdup(path);
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        folder->target[n - 1] = 0;
    folder->temporary = g_strdup_printf("%s.partial-XXXXXX", folder->target);
    folder->content = NULL;
    bool is_ours = is_free(folder->target, error);
    if (is_ours && mkdtemp(folder->temporary)) {
        folder->content = g_build_filename(folder->temporary, "content", NULL);
        return true;
    }
    if (is_ours)
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: cannot make a folder: %s", folder->temporary,
                    g_strerror(errno));
    g_free(folder->target);
    g_free(folder->temporary);
    return false;
}

/* What is published is a flat folder. */
static void remove_content(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        char *file = g_build_filename(path, name, NULL);
        unlink(file);
        g_free(file);
    }
    if (dir)
        g_dir_close(dir);
    rmdir(path);
}

bool xt_output_folder_end(struct xt_output_folder *folder, bool ok, GError **error)
{
    if (ok && rename(folder->content, folder->target)) {
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: cannot be named so: %s", folder->target, g_strerror(errno));
        ok = false;
    }
    if (!ok)
        remove_content(folder->content);
    rmdir(folder->temporary);
    g_free(folder->content);
    g_free(folder->temporary);
    g_free(folder->target);
    return ok;
}
