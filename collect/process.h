/* Running a program to its end: never through a shell, never for ever. */
#pragma once

#include <gio/gio.h>
#include <stdbool.h>

struct xt_output {
    char *out, *err; /* what it said, NUL-terminated; owned by the struct */
    gsize out_bytes; /* without the NUL: out may hold any byte */
    int status;      /* exit status; 128 + signal if a signal ended it */
    bool timed_out;  /* it was killed since its time was over */
};

void xt_output_clear(struct xt_output *output);

/* Runs argv (found on PATH) and waits until it ends or timeout_s seconds are over. False and XT_ERROR_SYSTEM
 * only if it could not be started or waited for; an exit status other than 0 is a result. Standard input is
 * empty. */
bool xt_process_run(const char *const *argv, unsigned timeout_s, struct xt_output *output, GError **error);
