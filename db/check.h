/* Whether a database is whole and tells the same everywhere. */
#pragma once

#include "db/db.h"

/* Calls finding() for each thing that is wrong, in one sentence. progress (may be NULL) hears what is looked
 * at. false with error only if the database cannot be read at all. */
bool xt_db_check(struct xt_db *db, void (*finding)(void *user, const char *message),
                 void (*progress)(void *user, const char *doing), void *user, GError **error);
