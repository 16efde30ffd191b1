/* pCPUs whose TSCs are off against each other. What a VCPU does comes in an order that its own records prove: each change
 * of state begins where the one before it ended, and it stops running where it ran. Where the TSCs contradict that order,
 * constant offsets are looked for that no change contradicts. */
#pragma once

#include "parse/record.h"
#include "parse/survey.h"

/* Reads all of trace's runstate changes, once or a few times, in a view of its own. The survey then says how many of them
 * the TSCs contradict (contradictions, disorder) and has the offsets that set that right, if there are any (tsc_offset, and
 * first_tsc and last_tsc accordingly): what was read of trace before was read in another order. Looks only once. */
bool xt_skew_look(struct xt_trace *trace, GError **error);

/* skew-guess.c: how far TSCs may be off, from coincidences in a part of the trace: offsets by slot, in cycles beside any one
 * of them; 0 where nothing tells. Proves nothing. */
bool xt_skew_guess(const struct xt_trace *trace, int64_t offsets[], GError **error);
