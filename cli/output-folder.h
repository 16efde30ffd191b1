/* A folder that appears under its name when everything in it is written. */
#pragma once

#include <glib.h>
#include <stdbool.h>

struct xt_output_folder {
    char *target;    /* as it will be called */
    char *temporary; /* beside it; what is to be published is made in it */
    char *content;   /* path of that, not made yet */
};

/* Makes the temporary folder. false and XT_ERROR_USAGE if path is there and not an empty folder, XT_ERROR_SYSTEM if
 * nothing can be made beside it; then there is nothing to end. */
bool xt_output_folder_begin(struct xt_output_folder *folder, const char *path, GError **error);

/* If ok: content gets its name. Else everything is removed, as it is if that fails. Returns ok, or false with error. */
bool xt_output_folder_end(struct xt_output_folder *folder, bool ok, GError **error);
