/* Files and texts that others wrote: regular files alone, never through a symbolic link, never waiting on a pipe, and up
 * to a bound. Messages do not name the file, callers do. */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XT_MAX_JSON (1u << 20) /* bytes of a recording.json */

/* -1 with errno: EINVAL or ELOOP if it is no regular file. */
int xt_untrusted_open(const char *path, int64_t *size);

/* "not a regular file" or what the system calls errno's value. */
const char *xt_untrusted_why(int why);

/* The whole text with a NUL behind it, freed by the caller. NULL and G_FILE_ERROR (G_FILE_ERROR_NOENT if there is none),
 * also if it is longer than max. */
char *xt_untrusted_text(const char *path, size_t max, size_t *length, GError **error);

/* Parses JSON whose root is an object. NULL and XT_ERROR_INPUT if it is none, or nested deeper than json-glib's
 * recursion should go. Free with json_node_unref. */
JsonNode *xt_untrusted_json(const char *text, size_t length, GError **error);
