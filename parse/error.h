/* Errors that cross folders. One GError domain; its codes are the exit status that the command line ends with,
 * but for XT_ERROR_AGAIN, which stays inside. */
#pragma once

#include <glib.h>

#define XT_ERROR (xt_error_quark())
GQuark xt_error_quark(void);

enum xt_error_code {
    XT_ERROR_USAGE = 2,  /* the caller asked for something that cannot be: mend the command */
    XT_ERROR_INPUT = 3,  /* bad or missing input: the message says which file, where in it and what to do */
    XT_ERROR_SYSTEM = 4, /* the system failed: disk full, out of memory, no permission */
    XT_ERROR_AGAIN = 5,  /* xt_reconstruct_again() */
};
