/* One run of xentrace on a host, from its start to the moment when tracing is off again, whoever dies in
 * between. */
#pragma once

#include "collect/host.h"

#include <stdint.h>

enum xt_capture_end {
    XT_CAPTURE_TIME,    /* the duration is over */
    XT_CAPTURE_SIZE,    /* the size is reached */
    XT_CAPTURE_SIGNAL,  /* SIGINT, SIGTERM or SIGHUP */
    XT_CAPTURE_COMMAND, /* the command has ended */
    XT_CAPTURE_BROKEN,  /* xentrace, the connection or the consumer failed */
};

struct xt_capture {
    const struct xt_host *host;
    uint32_t event_mask;
    unsigned buffer_pages, poll_ms;
    double duration_s;  /* 0: no limit */
    uint64_t max_bytes; /* of trace, 0: no limit */
    char **command;     /* runs meanwhile, here; its end ends the capture; NULL none */

    /* Called for each piece of the trace, in order. False (with error) ends the capture. */
    bool (*data)(void *user, const void *data, size_t bytes, GError **error);
    /* Called about once a second; may be NULL. */
    bool (*tick)(void *user, double elapsed_s, GError **error);
    void *user;
};

struct xt_capture_result {
    enum xt_capture_end end;
    double elapsed_s; /* from the first piece to the last */
    uint64_t bytes;
    int command_status; /* as struct xt_output; -1 if there was none */
};

/* Runs it to its end. False and XT_ERROR_SYSTEM (XT_ERROR_INPUT if the host refused to trace) if it broke;
 * the result is valid in any case. Uses the default main context, in which nothing else of interest may
 * happen meanwhile. */
bool xt_capture_run(const struct xt_capture *capture, struct xt_capture_result *result, GError **error);

/* The words that would start it, for people to read. Caller frees (g_strfreev). */
char **xt_capture_command(const struct xt_capture *capture);

/* "sched", "sched+irq", "all", "0x2f000": names joined by +. XT_ERROR_USAGE lists the names. */
bool xt_event_mask_parse(const char *text, uint32_t *mask, GError **error);
