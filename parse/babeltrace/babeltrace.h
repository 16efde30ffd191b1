/* What the rest of the project uses of libbabeltrace2. Everything here reports libbabeltrace2's errors as GError. */
#pragma once

#include <glib.h>

#include "parse/record.h"
#include "parse/recording.h"
#include "parse/sink.h"

/* Writes the trace as a CTF 1.8 trace into the folder path, which must not exist. If it fails, or *cancel (may be NULL)
 * becomes non-zero, files may be left there: give it a temporary place. run is what xt_run_init said of trace; recording
 * may be NULL. progress (may be NULL) is told of records done. XT_ERROR_INPUT: the trace cannot be read; XT_ERROR_SYSTEM:
 * the folder cannot be written, or libbabeltrace2's own plugins are missing. */
bool xt_ctf_export(struct xt_trace *trace, const struct xt_recording *recording, const struct xt_run *run,
                   const char *path, const volatile int *cancel,
                   void (*progress)(void *user, uint64_t done, uint64_t total), void *user, GError **error);
