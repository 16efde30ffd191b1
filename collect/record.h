/* `xentrail record`: host checks, snapshots, capture and recording.json, in that order, into one new folder.
 */
#pragma once

#include "collect/capture.h"
#include "collect/manifest.h"
#include "collect/tally.h"
#include "parse/policy.h"

struct xt_record_progress {
    double elapsed_s;
    const struct xt_tally *tally;
    uint64_t stored_bytes; /* on disk */
};

struct xt_record_options {
    const char *folder; /* must not exist yet */
    const char *target; /* ssh destination, NULL this machine */
    uint32_t event_mask;
    const char *event_names; /* as the user wrote them */
    double duration_s;       /* 0: until a signal, the size or the command's end */
    uint64_t max_bytes;      /* of trace before compression, 0 no limit */
    unsigned buffer_pages;   /* per pCPU; 0: from the host's free memory */
    unsigned poll_ms;        /* how often xentrace empties the buffers; 0: from the measured rate */
    int compression;         /* zstd level, 0 none */
    const struct xt_policy *policy; /* what the experiment says it is, NULL derive */
    bool periodic;                  /* a background task keeps every guest busy: periodic servers */
    const char *comment;
    const char *const *reservations; /* "NAME=10ms/4ms" or "d1v0=10ms/4ms"; NULL none */
    const char *const *guests;       /* "NAME=FOLDER": job traces to take along; NULL none */
    char **command;                  /* NULL none */

    /* Told while it records; may be NULL. progress comes about once a second, observe with every piece of the
     * raw trace, after it was counted. */
    void (*say)(void *user, const char *message);
    void (*progress)(void *user, const struct xt_record_progress *progress);
    void (*observe)(void *user, const void *data, size_t bytes, const struct xt_tally *tally);
    void *user;
};

struct xt_record_result {
    struct xt_capture_result capture;
    uint64_t stored_bytes, records, lost_records;
    unsigned buffer_pages, poll_ms;
    bool kept; /* there is a recording to read, even if it is not complete */
};

/* False with the reason; result->kept tells whether what was captured until then is a readable recording. */
bool xt_record(const struct xt_record_options *options, struct xt_record_result *result, GError **error);

/* What xt_record would do, as text for people. Checks the host but changes nothing. Caller frees. NULL with
 * the reason. */
char *xt_record_plan(const struct xt_record_options *options, GError **error);
