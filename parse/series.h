/* One of many lists of equal items that grow side by side and share a spill: whole blocks of a list go there, the rest of
 * it stays at hand. Private to parse/. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "parse/spill.h"

#define XT_SERIES_BLOCK 64 /* items */
#define XT_SERIES_MAX_ITEM 32 /* bytes */

struct xt_series_spill;

struct xt_series {
    struct xt_series_spill *spill;
    size_t item_bytes;
    uint64_t n;
    GArray *blocks; /* of uint32_t: their numbers in spill */
    char *tail;     /* the items behind them; NULL as long as there are none */
};

/* A spill for lists of such items; memory_bytes, dir: see xt_spill_new. */
struct xt_series_spill *xt_series_spill_new(size_t item_bytes, size_t memory_bytes, const char *dir);
void xt_series_spill_free(struct xt_series_spill *spill);

/* {0} is a list that xt_series_clear takes, too. */
void xt_series_init(struct xt_series *series, size_t item_bytes, struct xt_series_spill *spill);
void xt_series_clear(struct xt_series *series);

/* Lists that share a spill may each grow in a thread of its own. */
bool xt_series_append(struct xt_series *series, const void *item, GError **error);
/* Copies items [first, first + n) to out. */
bool xt_series_read(const struct xt_series *series, uint64_t first, uint64_t n, void *out, GError **error);
