/* Where a trace's bytes come from: a plain file, a .zst or standard input (both unpacked to a temporary file, since
 * the records of a trace must be read out of file order). */
#pragma once

#include "parse/record.h"

struct xt_source {
    int fd;
    uint64_t bytes;
    char *name; /* for messages */
};

/* Opens path ("-": standard input). XT_ERROR_INPUT if it is no regular file, pipe or readable .zst. */
bool xt_source_open(struct xt_source *source, const char *path, const struct xt_trace_options *options,
                    GError **error);
void xt_source_close(struct xt_source *source);

/* Reads up to n bytes at offset; fewer only at the end. -1 and error on failure. */
int64_t xt_source_read(const struct xt_source *source, uint64_t offset, void *out, size_t n, GError **error);

/* What a file that is no trace seems to be, from its first bytes ("a PNG picture"); NULL if nothing is recognised. */
const char *xt_source_guess(const unsigned char *head, size_t n);

void xt_trace_note(const struct xt_trace_options *options, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Of an open trace; belongs to it. */
const struct xt_source *xt_trace_source(const struct xt_trace *trace);
