/* What a host's VCPUs do while it is recorded: the newest seconds of the trace, reconstructed as they come.
 */
#pragma once

#include "collect/tally.h"

#include <glib.h>

struct xt_live;

/* folder: the recording that is being made, for names and reservations. */
struct xt_live *xt_live_new(const char *folder);
void xt_live_free(struct xt_live *live);

/* Takes a piece of trace, which tally has already counted. Keeps what came since the last table but one, up to 64 MB. */
void xt_live_add(struct xt_live *live, const void *data, size_t bytes, const struct xt_tally *tally);

/* A line that says of which time the table is, one of headings, then one per VCPU, busiest first, each with a newline: what they
 * did since the last table. Idle VCPUs are left out. NULL if that is too little to tell anything. The newest moments, for
 * which not every pCPU's records are there yet, go into the next table. Caller frees. */
char *xt_live_table(struct xt_live *live);
