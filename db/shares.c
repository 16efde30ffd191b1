/* Every VCPU has one bin open. Its time comes in order, so a bin that it leaves is complete and goes, packed, to a list
 * that may be a file. See shares.h. */
#include "db/shares.h"

#include <string.h>

#include "db/leb128.h"
#include "parse/spill.h"

#define FIRST_BINS 1024 /* an overview has hardly more columns */
#define SPILL_MEMORY (4u << 20)
#define READ_BYTES (64u << 10)

struct place {
    int32_t pcpu;
    int64_t ns;
};

struct open {
    int64_t bin;
    int64_t running_ns, runnable_ns, unknown_ns;
    uint64_t intervals;
    GArray *places; /* struct place; NULL: the VCPU is new */
};

struct xt_shares {
    int64_t bin_ns;
    unsigned bins, shift; /* shift: bins to be halved so often on their way out */
    GArray *open;         /* struct open, by VCPU index */
    GByteArray *packed;   /* row that is being packed */
    struct xt_spill *rows; /* bytes: length (uint32_t), then bin, VCPU, times, intervals and pairs of places */
    uint64_t n_rows;
};

static void clear_open(gpointer data)
{
    struct open *open = data;

    if (open->places)
        g_array_unref(open->places);
}

static GArray *new_open(void)
{
    GArray *open = g_array_new(FALSE, TRUE, sizeof(struct open));

    g_array_set_clear_func(open, clear_open);
    return open;
}

struct xt_shares *xt_shares_new(int64_t duration_ns)
{
    struct xt_shares *s = g_new0(struct xt_shares, 1);

    s->bin_ns = MAX((duration_ns + FIRST_BINS - 1) / FIRST_BINS, 1);
    s->bins = FIRST_BINS;
    s->open = new_open();
    s->packed = g_byte_array_new();
    s->rows = xt_spill_new(1, SPILL_MEMORY, NULL);
    return s;
}

void xt_shares_free(struct xt_shares *s)
{
    if (!s)
        return;
    g_array_unref(s->open);
    g_byte_array_unref(s->packed);
    xt_spill_free(s->rows);
    g_free(s);
}

static bool is_empty(const struct open *open)
{
    return open->running_ns == 0 && open->runnable_ns == 0 && open->unknown_ns == 0;
}

/* Begins another bin. */
static void reopen(struct open *open, int64_t bin)
{
    GArray *places = open->places ? open->places : g_array_new(FALSE, FALSE, sizeof(struct place));

    g_array_set_size(places, 0);
    *open = (struct open){ .bin = bin, .places = places };
}

static struct open *open_of(GArray *all, uint32_t vcpu)
{
    struct open *open;

    if (vcpu >= all->len)
        g_array_set_size(all, vcpu + 1);
    open = &g_array_index(all, struct open, vcpu);
    if (!open->places)
        reopen(open, 0);
    return open;
}

static void add_place(struct open *open, int32_t pcpu, int64_t ns)
{
    struct place place = { pcpu, ns };

    for (guint i = open->places->len; i > 0; i--) { /* mostly where it ran last */
        if (g_array_index(open->places, struct place, i - 1).pcpu != pcpu)
            continue;
        g_array_index(open->places, struct place, i - 1).ns += ns;
        return;
    }
    g_array_append_val(open->places, place);
}

static void pack_places(const struct open *open, GByteArray *bytes)
{
    for (guint i = 0; i < open->places->len; i++) {
        const struct place *place = &g_array_index(open->places, struct place, i);

        xt_put_leb128(bytes, (uint64_t)place->pcpu);
        xt_put_leb128(bytes, (uint64_t)place->ns);
    }
}

static bool keep(struct xt_shares *s, uint32_t vcpu, const struct open *open, GError **error)
{
    uint32_t length = 0;

    g_byte_array_set_size(s->packed, 0);
    g_byte_array_append(s->packed, (const uint8_t *)&length, sizeof(length));
    xt_put_leb128(s->packed, (uint64_t)open->bin);
    xt_put_leb128(s->packed, vcpu);
    xt_put_leb128(s->packed, (uint64_t)open->running_ns);
    xt_put_leb128(s->packed, (uint64_t)open->runnable_ns);
    xt_put_leb128(s->packed, (uint64_t)open->unknown_ns);
    xt_put_leb128(s->packed, open->intervals);
    pack_places(open, s->packed);
    length = s->packed->len - (uint32_t)sizeof(length);
    memcpy(s->packed->data, &length, sizeof(length));
    s->n_rows++;
    return xt_spill_append(s->rows, s->packed->data, s->packed->len, error);
}

/* Makes bin the open one of a VCPU. */
static bool move_to(struct xt_shares *s, uint32_t vcpu, struct open *open, int64_t bin, GError **error)
{
    if (open->bin == bin)
        return true;
    if (!is_empty(open) && !keep(s, vcpu, open, error))
        return false;
    reopen(open, bin);
    return true;
}

bool xt_shares_add(struct xt_shares *s, uint32_t vcpu, enum xt_state state, int32_t pcpu, int64_t ts, int64_t end_ts,
                   GError **error)
{
    struct open *open;
    bool begins = true;

    if (state != XT_RUNNING && state != XT_RUNNABLE && state != XT_UNKNOWN)
        return true;
    open = open_of(s->open, vcpu);
    for (ts = MAX(ts, 0); ts < end_ts; begins = false) {
        bool same = ts >= open->bin * s->bin_ns && ts < (open->bin + 1) * s->bin_ns;
        int64_t bin = same ? open->bin : ts / s->bin_ns, ns = MIN((bin + 1) * s->bin_ns, end_ts) - ts;

        if (!move_to(s, vcpu, open, bin, error))
            return false;
        open->running_ns += state == XT_RUNNING ? ns : 0;
        open->runnable_ns += state == XT_RUNNABLE ? ns : 0;
        open->unknown_ns += state == XT_UNKNOWN ? ns : 0;
        open->intervals += begins;
        if (state == XT_RUNNING && pcpu >= 0)
            add_place(open, pcpu, ns);
        ts += ns;
    }
    return true;
}

bool xt_shares_finish(struct xt_shares *s, uint64_t max_rows, unsigned min_bins, bool *fits, GError **error)
{
    for (guint v = 0; v < s->open->len; v++) {
        struct open *open = &g_array_index(s->open, struct open, v);

        if (!is_empty(open) && !keep(s, v, open, error))
            return false;
    }
    while (s->n_rows >> s->shift > max_rows && s->bins >> (s->shift + 1) >= min_bins)
        s->shift++;
    *fits = s->n_rows >> s->shift <= max_rows && s->bins >> s->shift >= min_bins;
    s->bin_ns <<= s->shift;
    return true;
}

int64_t xt_shares_bin_ns(const struct xt_shares *s)
{
    return s->bin_ns;
}

/* Rows on their way out: several bins of a VCPU become one. */
struct walk {
    struct xt_shares *shares;
    GArray *open;
    bool (*each)(void *user, const struct xt_share *share, GError **error);
    void *user;
};

static bool hand_out(struct walk *w, uint32_t vcpu, const struct open *open, GError **error)
{
    struct xt_share share = {
        .bin = (uint32_t)open->bin,
        .vcpu = vcpu,
        .running_ns = open->running_ns,
        .runnable_ns = open->runnable_ns,
        .unknown_ns = open->unknown_ns,
        .intervals = open->intervals,
    };

    if (is_empty(open))
        return true;
    g_byte_array_set_size(w->shares->packed, 0);
    pack_places(open, w->shares->packed);
    share.pcpus = w->shares->packed->data;
    share.pcpus_bytes = w->shares->packed->len;
    return w->each(w->user, &share, error);
}

static bool pass_row(struct walk *w, const uint8_t *at, const uint8_t *end, GError **error)
{
    uint64_t values[6], pcpu, ns;
    struct open *open;

    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++)
        xt_take_leb128(&at, end, &values[i]);
    values[0] >>= w->shares->shift;
    open = open_of(w->open, (uint32_t)values[1]);
    if (open->bin != (int64_t)values[0]) {
        if (!hand_out(w, (uint32_t)values[1], open, error))
            return false;
        reopen(open, (int64_t)values[0]);
    }
    open->running_ns += (int64_t)values[2];
    open->runnable_ns += (int64_t)values[3];
    open->unknown_ns += (int64_t)values[4];
    open->intervals += values[5];
    while (xt_take_leb128(&at, end, &pcpu) && xt_take_leb128(&at, end, &ns))
        add_place(open, (int32_t)pcpu, (int64_t)ns);
    return true;
}

/* Hands on the whole rows that the first n bytes of buffer hold; *used: how many bytes these are. */
static bool pass_rows(struct walk *w, const uint8_t *buffer, size_t n, size_t *used, GError **error)
{
    uint32_t length;

    for (*used = 0; *used + sizeof(length) <= n; *used += sizeof(length) + length) {
        const uint8_t *row = buffer + *used + sizeof(length);

        memcpy(&length, buffer + *used, sizeof(length));
        if (*used + sizeof(length) + length > n)
            return true;
        if (!pass_row(w, row, row + length, error))
            return false;
    }
    return true;
}

static bool walk_rows(struct walk *w, GError **error)
{
    uint64_t total = xt_spill_count(w->shares->rows), at = 0;
    size_t size = READ_BYTES, used = 0;
    uint8_t *buffer = g_malloc(size);
    bool ok = true;

    for (; ok && at < total; at += used) {
        size_t n = (size_t)MIN(total - at, size);

        ok = xt_spill_read(w->shares->rows, at, n, buffer, error) && pass_rows(w, buffer, n, &used, error);
        if (ok && used == 0) /* a row of very many pCPUs */
            buffer = g_realloc(buffer, size *= 2);
    }
    g_free(buffer);
    return ok;
}

bool xt_shares_each(struct xt_shares *s, bool (*each)(void *user, const struct xt_share *share, GError **error),
                    void *user, GError **error)
{
    struct walk w = { .shares = s, .open = new_open(), .each = each, .user = user };
    bool ok = walk_rows(&w, error);

    for (guint v = 0; ok && v < w.open->len; v++)
        ok = hand_out(&w, v, &g_array_index(w.open, struct open, v), error);
    g_array_unref(w.open);
    return ok;
}
