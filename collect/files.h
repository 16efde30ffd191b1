/* Small things about folders that several parts need. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Removes a file or a folder with all in it; symbolic links are not followed. Adds the bytes it took on disk
 * to *freed (may be NULL). True if it is gone, or never was; else errno says why. */
bool xt_files_remove(const char *path, uint64_t *freed);

/* The first thing in path, itself included, that is neither a file nor a folder (symbolic links are not followed), or cannot
 * be looked at; NULL if there is none. Caller frees. */
char *xt_files_find_odd(const char *path);
