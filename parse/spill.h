/* A growing array of equal items that keeps memory bounded: what exceeds a limit goes to an unlinked temporary file. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xt_spill;

/* memory_bytes: how much may stay in memory. dir: NULL for $TMPDIR, else /var/tmp. */
struct xt_spill *xt_spill_new(size_t item_bytes, size_t memory_bytes, const char *dir);
void xt_spill_free(struct xt_spill *spill);

uint64_t xt_spill_count(const struct xt_spill *spill);
bool xt_spill_append(struct xt_spill *spill, const void *items, uint64_t n, GError **error);
/* Copies items [first, first + n) to out. */
bool xt_spill_read(const struct xt_spill *spill, uint64_t first, uint64_t n, void *out, GError **error);

/* An open, unlinked temporary file in dir (as above), or -1. */
int xt_temp_file(const char *dir, GError **error);
