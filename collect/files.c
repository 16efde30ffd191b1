#include "collect/files.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sys/stat.h>

bool xt_files_remove(const char *path, uint64_t *freed)
{
    struct stat info;
    const char *name;
    GDir *dir;

    if (g_lstat(path, &info) != 0)
        return errno == ENOENT;
    if (freed)
        *freed += (uint64_t)info.st_blocks * 512;
    dir = S_ISDIR(info.st_mode) ? g_dir_open(path, 0, NULL) : NULL;
    while (dir && (name = g_dir_read_name(dir)) != NULL) {
        char *child = g_build_filename(path, name, NULL);
        xt_files_remove(child, freed);
        g_free(child);
    }
    if (dir)
        g_dir_close(dir);
    return g_remove(path) == 0;
}

char *xt_files_find_odd(const char *path)
{
    struct stat info;
    const char *name;
    char *odd = NULL;

    if (g_lstat(path, &info) != 0 || (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)))
        return g_strdup(path);
    if (!S_ISDIR(info.st_mode))
        return NULL;
    GDir *dir = g_dir_open(path, 0, NULL);
    if (!dir)
        return g_strdup(path);
    while (!odd && (name = g_dir_read_name(dir)) != NULL) {
        char *child = g_build_filename(path, name, NULL);
        odd = xt_files_find_odd(child);
        g_free(child);
    }
    g_dir_close(dir);
    return odd;
}
