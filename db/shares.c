/* Cells of (bin, VCPU and state) or (bin, pCPU and domain) in an open-addressing table. See shares.h. */
#include "db/shares.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BINS 4096 /* more than an overview has columns */

/* A key, from its high bits down: bin 14, is_pcpu 1, then VCPU index 32 and state 3, or pCPU 24 and
 * domain 16. Never 0. */
enum { ID_BITS = 41, PCPU_BIT = ID_BITS, BIN_SHIFT = PCPU_BIT + 1, STATE_BITS = 3, DOMID_BITS = 16 };

struct cell {
    uint64_t key; /* 0: free */
    int64_t ns;
    uint64_t n; /* additions that began in this bin */
};

struct xt_shares {
    int64_t bin_ns;
    unsigned bins;
    int64_t last_bin, last_from, last_to; /* the bin that was asked for last: mostly it is the same again */
    struct cell *cells;
    unsigned size; /* of cells, a power of two */
    unsigned n;    /* used */
    unsigned max;
};

struct xt_shares *xt_shares_new(int64_t duration_ns, unsigned max_cells)
{
    struct xt_shares *s = g_new0(struct xt_shares, 1);

    s->bin_ns = MAX((duration_ns + FIRST_BINS - 1) / FIRST_BINS, 1);
    s->bins = FIRST_BINS;
    s->size = 1024;
    s->max = max_cells;
    s->cells = g_new0(struct cell, s->size);
    return s;
}

void xt_shares_free(struct xt_shares *s)
{
    if (!s)
        return;
    g_free(s->cells);
    g_free(s);
}

static uint64_t key_of(uint64_t bin, uint64_t id)
{
    return (bin << BIN_SHIFT | id) + 1;
}

static uint64_t bin_of(uint64_t key)
{
    return (key - 1) >> BIN_SHIFT;
}

static uint64_t id_of(uint64_t key)
{
    return (key - 1) & (((uint64_t)1 << BIN_SHIFT) - 1);
}

static struct cell *find(struct cell *cells, unsigned size, uint64_t key)
{
    unsigned at = (unsigned)((key * 0x9e3779b97f4a7c15u) >> 32) & (size - 1);

    while (cells[at].key && cells[at].key != key)
        at = (at + 1) & (size - 1);
    return &cells[at];
}

/* Into a table of another size, bins divided by 1 << shift. */
static void rehash(struct xt_shares *s, unsigned size, unsigned shift)
{
    struct cell *cells = g_new0(struct cell, size);

    s->n = 0;
    for (unsigned i = 0; i < s->size; i++) {
        uint64_t key = s->cells[i].key;
        struct cell *cell;

        if (!key)
            continue;
        key = key_of(bin_of(key) >> shift, id_of(key));
        cell = find(cells, size, key);
        s->n += cell->key == 0;
        cell->key = key;
        cell->ns += s->cells[i].ns;
        cell->n += s->cells[i].n;
    }
    g_free(s->cells);
    s->cells = cells;
    s->size = size;
    s->bin_ns <<= shift;
    s->last_to = s->last_from;
    s->bins >>= shift;
}

static void make_room(struct xt_shares *s)
{
    if (s->n * 2 < s->size)
        return;
    if (s->n < s->max)
        rehash(s, s->size * 2, 0);
    else
        while (s->n * 2 >= s->size && s->bins > 1)
            rehash(s, s->size, 1);
}

static int64_t bin_at(struct xt_shares *s, int64_t ts)
{
    if (ts < s->last_from || ts >= s->last_to) {
        s->last_bin = ts / s->bin_ns;
        s->last_from = s->last_bin * s->bin_ns;
        s->last_to = s->last_from + s->bin_ns;
    }
    return s->last_bin;
}

static void add(struct xt_shares *s, uint64_t id, int64_t ts, int64_t end_ts)
{
    for (uint64_t begins = 1; ts < end_ts; begins = 0) {
        struct cell *cell;
        int64_t bin, until;

        make_room(s);
        bin = bin_at(s, ts);
        until = MIN(s->last_to, end_ts);
        cell = find(s->cells, s->size, key_of((uint64_t)bin, id));
        s->n += cell->key == 0;
        cell->key = key_of((uint64_t)bin, id);
        cell->ns += until - ts;
        cell->n += begins;
        ts = until;
    }
}

void xt_shares_add_vcpu(struct xt_shares *s, uint32_t vcpu, enum xt_state state, int64_t ts, int64_t end_ts)
{
    if (state == XT_RUNNING || state == XT_RUNNABLE || state == XT_UNKNOWN)
        add(s, (uint64_t)vcpu << STATE_BITS | state, MAX(ts, 0), end_ts);
}

void xt_shares_add_pcpu(struct xt_shares *s, int32_t pcpu, uint16_t domid, int64_t ts, int64_t end_ts)
{
    add(s, (uint64_t)1 << PCPU_BIT | (uint64_t)(uint32_t)pcpu << DOMID_BITS | domid, MAX(ts, 0), end_ts);
}

bool xt_shares_shrink(struct xt_shares *s, uint64_t max_cells, unsigned min_bins)
{
    while (s->n > max_cells && s->bins / 2 >= min_bins)
        rehash(s, s->size, 1);
    if (s->n <= max_cells && s->bins >= min_bins)
        return true;
    memset(s->cells, 0, s->size * sizeof(*s->cells));
    s->n = 0;
    return false;
}

int64_t xt_shares_bin_ns(const struct xt_shares *s)
{
    return s->bin_ns;
}

static int compare_cells(const void *a, const void *b)
{
    uint64_t x = ((const struct cell *)a)->key, y = ((const struct cell *)b)->key;

    return (x > y) - (x < y);
}

static bool give_pcpu(const struct cell *cell, bool (*each)(void *, const struct xt_share *), void *user)
{
    uint64_t id = id_of(cell->key) & (((uint64_t)1 << PCPU_BIT) - 1);
    struct xt_share share = {
        .bin = (unsigned)bin_of(cell->key),
        .is_pcpu = true,
        .pcpu = (int32_t)(id >> DOMID_BITS),
        .domid = (uint16_t)id,
        .running_ns = cell->ns,
    };

    return each(user, &share);
}

/* The states of a VCPU in a bin lie side by side; returns how many there are, 0 to stop. */
static unsigned give_vcpu(const struct cell *cells, unsigned n, bool (*each)(void *, const struct xt_share *),
                          void *user)
{
    uint64_t same = (cells[0].key - 1) >> STATE_BITS;
    struct xt_share share = { .bin = (unsigned)bin_of(cells[0].key),
                              .vcpu = (uint32_t)(id_of(cells[0].key) >> STATE_BITS) };
    unsigned i;

    for (i = 0; i < n && (cells[i].key - 1) >> STATE_BITS == same; i++) {
        unsigned state = (unsigned)(cells[i].key - 1) & ((1u << STATE_BITS) - 1);

        share.intervals += cells[i].n;
        if (state == XT_RUNNING)
            share.running_ns = cells[i].ns;
        else if (state == XT_RUNNABLE)
            share.runnable_ns = cells[i].ns;
        else
            share.unknown_ns = cells[i].ns;
    }
    return each(user, &share) ? i : 0;
}

bool xt_shares_each(struct xt_shares *s, bool (*each)(void *user, const struct xt_share *share), void *user)
{
    struct cell *cells = g_new(struct cell, s->n + 1);
    unsigned n = 0, step;
    bool ok = true;

    for (unsigned i = 0; i < s->size; i++) {
        if (s->cells[i].key)
            cells[n++] = s->cells[i];
    }
    qsort(cells, n, sizeof(*cells), compare_cells);
    for (unsigned i = 0; ok && i < n; i += step) {
        step = 1;
        if (id_of(cells[i].key) >> PCPU_BIT)
            ok = give_pcpu(&cells[i], each, user);
        else
            ok = (step = give_vcpu(&cells[i], n - i, each, user)) > 0;
    }
    g_free(cells);
    return ok;
}
