/* Data of the interactive timeline. */
#pragma once

#include "db/db.h"

/* JSON for every run of the database: VCPUs with their looks, intervals, periods, misses, losses. Of a run
 * with more intervals than a page can hold the beginning is exact ("until" tells how far), and all of it is
 * there as density. NULL with error. */
char *xt_timeline_json(struct xt_db *db, GError **error);

/* Appends text as a JSON string, quotes included; fit for a script element. Invalid UTF-8 becomes U+FFFD. */
void xt_json_put_string(GString *out, const char *text);
