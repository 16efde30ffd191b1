/* Writes a trace as it arrives, compressed, so that it can be read up to its last seconds whatever happens.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct xt_trace_file;

/* Creates FOLDER/trace.xen.zst, or FOLDER/trace.xen if level is 0. A hidden file beside it keeps room free,
 * so that a full disk still takes what belongs to the end of a recording. XT_ERROR_SYSTEM. */
struct xt_trace_file *xt_trace_file_create(const char *folder, int level, GError **error);

/* Appends. On a full disk the file is cut back to its last whole frame, and stays readable. XT_ERROR_SYSTEM.
 */
bool xt_trace_file_write(struct xt_trace_file *file, const void *data, size_t bytes, GError **error);

/* Puts on disk what was written until now: a reader of the file sees it. Call it about once a second.
 * XT_ERROR_SYSTEM. */
bool xt_trace_file_flush(struct xt_trace_file *file, GError **error);

uint64_t xt_trace_file_bytes(const struct xt_trace_file *file);   /* of trace: on disk, or on their way */
uint64_t xt_trace_file_stored(const struct xt_trace_file *file);  /* bytes of the file */
const char *xt_trace_file_name(const struct xt_trace_file *file); /* within the folder */

/* Flushes, closes and frees, and gives the kept room back. XT_ERROR_SYSTEM if the last flush fails; it is
 * freed all the same. */
bool xt_trace_file_close(struct xt_trace_file *file, GError **error);
