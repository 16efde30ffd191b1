/* xentrace files: bytes -> records. Opening reads the file once in file order (the survey: index of windows, TSC
 * range, counts, frequency); after that the records come merged over all pCPUs in time order, in bounded memory. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* One hypervisor record, words already in host byte order. */
struct xt_record {
    uint64_t tsc;    /* of the record, or of its predecessor on the same pCPU if it carries none (has_tsc) */
    uint64_t offset; /* of its header in the (decompressed) trace */
    uint32_t event;  /* 28-bit event id */
    int32_t pcpu;
    uint8_t n_words;
    bool has_tsc;
    uint32_t words[7];
};

struct xt_trace; /* an open trace file; one owner, not for use by two threads at once */

/* How to open. Zero-initialise for the defaults. */
struct xt_trace_options {
    const char *spool_dir;               /* where standard input and .zst are unpacked; NULL: $TMPDIR, else /var/tmp */
    void (*note)(void *user, const char *message); /* told of spooling, damage, doubts; NULL: silent */
    void (*progress)(void *user, uint64_t done, uint64_t total);
    void *user;
};

/* Opens path ("-": standard input; .zst by its magic, not its name). NULL and XT_ERROR_INPUT if it is no xentrace
 * file: the message says what it is instead and at which offset it stops making sense. */
struct xt_trace *xt_trace_open(const char *path, const struct xt_trace_options *options, GError **error);
void xt_trace_free(struct xt_trace *trace);

/* Next record in time order: TSC, then pCPU number; within a pCPU always file order. Returns false at the end, or
 * with error set if the file could not be read. Lost-records and wrap records come like every other. */
bool xt_trace_next(struct xt_trace *trace, struct xt_record *record, GError **error);

/* Back to the first record. */
void xt_trace_rewind(struct xt_trace *trace);
