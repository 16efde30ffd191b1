/* xentrace files: bytes -> records. Opening reads the file once in file order (the survey: index of windows, TSC
 * range, counts, frequency); after that the records come merged over all pCPUs in time order, in bounded memory. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* One hypervisor record. */
struct xt_record {
    uint64_t tsc;    /* of the record, or of its predecessor on the same pCPU if it carries none (has_tsc); with the
                        pCPU's tsc_offset, if parse/skew.h has found one */
    uint64_t offset; /* of its header in the (decompressed) trace */
    uint32_t event;  /* 28-bit event id */
    int32_t pcpu;
    uint32_t slot;   /* which pCPU of xt_survey.pcpus, ascending by number */
    uint8_t n_words; /* 0 … 7 */
    bool has_tsc;
    bool gap;        /* not a record but the instant where the losses begin that words (a lost-records record) report */
    const uint32_t *words; /* host byte order; valid until the next call on the same trace */
};

struct xt_trace; /* an open trace file; one owner, not for use by two threads at once */
struct xt_survey;
struct xt_layout_index;

/* How to open. Zero-initialise for the defaults. */
struct xt_trace_options {
    const char *spool_dir; /* for standard input, .zst and what outgrows memory; NULL: $TMPDIR, else /var/tmp */
    bool salvage;          /* on structural damage use what stands before it instead of failing */
    void (*note)(void *user, const char *message); /* told of spooling, damage, doubts; NULL: silent */
    void (*progress)(void *user, uint64_t done, uint64_t total); /* bytes read of the survey; NULL: silent */
    void *user;
};

/* Opens path ("-": standard input; .zst by its magic, not its name). NULL and XT_ERROR_INPUT if it is no xentrace
 * file or a damaged one: the message says what it is instead, or at which offset it stops making sense. A tail cut in
 * the middle of a window is no error: its whole records are used, and the cut is noted. */
struct xt_trace *xt_trace_open(const char *path, const struct xt_trace_options *options, GError **error);
void xt_trace_free(struct xt_trace *trace);

/* A second reader with its own place, restricted to one pCPU (slot; -1: all, merged). It shares file and survey with
 * trace, which must outlive it; both belong to one thread. Free with xt_trace_free. */
struct xt_trace *xt_trace_view_new(const struct xt_trace *trace, int slot);

/* Next record in time order: TSC, then pCPU number; within a pCPU always file order. Returns false at the end, or
 * with error set if the file could not be read. Lost-records and wrap records come like every other. */
bool xt_trace_next(struct xt_trace *trace, struct xt_record *record, GError **error);

/* The same, and additionally a record with gap set at the first lost TSC of each lost-records record. */
bool xt_trace_next_or_gap(struct xt_trace *trace, struct xt_record *record, GError **error);

/* Back to the first record. */
void xt_trace_rewind(struct xt_trace *trace);

/* Restricts what comes next to one pCPU (by slot); -1: all, merged. Rewinds. */
void xt_trace_select(struct xt_trace *trace, int slot);

/* Rewinds to the first record at or after tsc on every pCPU, without reading what lies before where windows allow. */
bool xt_trace_seek(struct xt_trace *trace, uint64_t tsc, GError **error);

const struct xt_trace_options *xt_trace_options(const struct xt_trace *trace);
const char *xt_trace_path(const struct xt_trace *trace); /* as given */
const struct xt_survey *xt_trace_survey(const struct xt_trace *trace);         /* parse/survey.h */
const struct xt_layout_index *xt_trace_layouts(const struct xt_trace *trace); /* parse/layout.h */
