/* What a comparison of policies says, from a database of runs. */
#pragma once

#include "db/db.h"
#include "render/report.h"

/* Tables, figures, definitions and the commands behind them; with the interactive timeline if interactive
 * (HTML). command is the command line that asks for it, to be shown. NULL and XT_ERROR_INPUT if the database
 * holds no run. */
struct xt_report *xt_compare(struct xt_db *db, const char *command, bool interactive, GError **error);
