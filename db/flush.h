/* Brings what SQLite has written to its file to the disk while it writes more, on a thread of its own: the commit then
 * need not wait for all of it. */
#pragma once

#include <glib.h>
#include <stdbool.h>

struct sqlite3;
struct xt_flush;

/* db must outlive it, and must not be closed or opened anew meanwhile. NULL if db has no file. */
struct xt_flush *xt_flush_new(struct sqlite3 *db);

/* About as many bytes more are on their way. Never waits. */
void xt_flush_more(struct xt_flush *flush, size_t bytes);

/* Ends the thread and frees. false with XT_ERROR_SYSTEM if the disk failed: it says so only once, and a commit that
 * comes later would not hear of it. */
bool xt_flush_end(struct xt_flush *flush, GError **error);
