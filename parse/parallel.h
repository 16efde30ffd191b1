/* Work on several cores at once. */
#pragma once

#include <glib.h>

/* How many threads to use beside the caller's own: as many as there are further cores, up to most. */
unsigned xt_parallel_helpers(unsigned most);

/* Calls work(user, worker) on n_workers threads at once, one of them the caller's own (worker 0), and returns when all
 * have returned. */
void xt_parallel_run(unsigned n_workers, void (*work)(gpointer user, unsigned worker), gpointer user);
