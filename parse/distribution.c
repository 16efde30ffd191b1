#include "parse/distribution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parse/spill.h"

#define BUFFER_VALUES 65536
#define MERGE_ITEMS 256
#define SPILL_MEMORY (1u << 20)

struct item {
    int64_t value;
    uint64_t count; /* once finished: of this and all smaller values of `sorted` */
};

struct xt_distribution *xt_distribution_new(void)
{
    struct xt_distribution *d = g_new0(struct xt_distribution, 1);

    d->min = d->max = -1;
    d->run_starts = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    return d;
}

void xt_distribution_free(struct xt_distribution *d)
{
    if (!d)
        return;
    g_free(d->small);
    g_free(d->buffer);
    xt_spill_free(d->runs);
    xt_spill_free(d->sorted);
    g_array_unref(d->run_starts);
    g_free(d);
}

#define DIGIT_BITS 11
#define DIGITS (1u << DIGIT_BITS)

/* Sorts non-negative values digit by digit, as many as the largest has; scratch is as large. The result is in one of the
 * two, which is returned. */
static int64_t *sort_values(int64_t *values, int64_t *scratch, unsigned n, int64_t largest)
{
    for (unsigned shift = 0; shift < 63 && largest >> shift; shift += DIGIT_BITS) {
        unsigned starts[DIGITS + 1] = { 0 };
        int64_t *swap = values;
        for (unsigned i = 0; i < n; i++)
            starts[(values[i] >> shift & (DIGITS - 1)) + 1]++;
        for (unsigned d = 1; d < DIGITS; d++)
            starts[d] += starts[d - 1];
        for (unsigned i = 0; i < n; i++)
            scratch[starts[values[i] >> shift & (DIGITS - 1)]++] = values[i];
        values = scratch;
        scratch = swap;
    }
    return values;
}

/* Items on their way to a spill, many at once. */
struct outbox {
    struct xt_spill *spill;
    struct item items[MERGE_ITEMS];
    unsigned n;
};

static bool outbox_flush(struct outbox *out, GError **error)
{
    unsigned n = out->n;

    out->n = 0;
    return xt_spill_append(out->spill, out->items, n, error);
}

static bool outbox_put(struct outbox *out, struct item item, GError **error)
{
    if (out->n == MERGE_ITEMS && !outbox_flush(out, error))
        return false;
    out->items[out->n++] = item;
    return true;
}

/* The buffer becomes a run: sorted, equal values together. */
static bool flush(struct xt_distribution *d, GError **error)
{
    if (!d->n_buffer)
        return true;
    if (!d->runs)
        d->runs = xt_spill_new(sizeof(struct item), SPILL_MEMORY, NULL);
    uint64_t start = xt_spill_count(d->runs);
    g_array_append_val(d->run_starts, start);
    const int64_t *sorted = sort_values(d->buffer, d->buffer + BUFFER_VALUES, d->n_buffer, d->max);
    struct outbox out = { .spill = d->runs };
    for (unsigned i = 0; i < d->n_buffer; i++) {
        if (out.n && out.items[out.n - 1].value == sorted[i])
            out.items[out.n - 1].count++;
        else if (!outbox_put(&out, (struct item){ sorted[i], 1 }, error))
            return false;
    }
    d->n_buffer = 0;
    return outbox_flush(&out, error);
}

static void note_range(struct xt_distribution *d, int64_t value, uint64_t count)
{
    d->min = d->n ? MIN(d->min, value) : value;
    d->max = MAX(d->max, value);
    d->n += count;
    d->sum += (unsigned __int128)value * count;
}

bool xt_distribution_add_other(struct xt_distribution *d, int64_t value, uint64_t count, GError **error)
{
    value = MAX(value, 0);
    if (value < XT_SMALL_VALUES) {
        if (!d->small)
            d->small = g_new0(uint64_t, XT_SMALL_VALUES);
        d->small[value] += count;
        return true;
    }
    note_range(d, value, count);
    if (!d->buffer)
        d->buffer = g_new(int64_t, 2 * BUFFER_VALUES); /* half of it for sorting */
    for (; count; count--) {
        if (d->n_buffer == BUFFER_VALUES && !flush(d, error))
            return false;
        d->buffer[d->n_buffer++] = value;
    }
    return true;
}

void xt_distribution_drop(struct xt_distribution *d)
{
    d->dropped++;
}

/* One run while runs are merged. */
struct run {
    struct item items[MERGE_ITEMS];
    unsigned at, n;
    uint64_t next, end;
};

/* 1: an item stands at the head, 0: the run is used up, -1: error */
static int run_load(const struct xt_distribution *d, struct run *run, GError **error)
{
    if (run->at < run->n)
        return 1;
    run->n = (unsigned)MIN(run->end - run->next, MERGE_ITEMS);
    run->at = 0;
    if (run->n == 0)
        return 0;
    if (!xt_spill_read(d->runs, run->next, run->n, run->items, error))
        return -1;
    run->next += run->n;
    return 1;
}

static int64_t head(const struct run *run)
{
    return run->items[run->at].value;
}

static void sift_down(struct run **heap, unsigned n, unsigned i)
{
    for (unsigned child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && head(heap[child + 1]) < head(heap[child]))
            child++;
        if (head(heap[i]) <= head(heap[child]))
            return;
        struct run *swap = heap[i];
        heap[i] = heap[child];
        heap[child] = swap;
    }
}

static bool merge(struct xt_distribution *d, struct run **heap, unsigned n, GError **error)
{
    struct outbox out = { .spill = d->sorted };
    struct item last = { -1, 0 };

    for (unsigned i = n / 2; i-- > 0;)
        sift_down(heap, n, i);
    while (n) {
        struct item *item = &heap[0]->items[heap[0]->at];
        if (item->value != last.value && last.count && !outbox_put(&out, last, error))
            return false;
        last = (struct item){ item->value, last.count + item->count };
        heap[0]->at++;
        int loaded = run_load(d, heap[0], error);
        if (loaded < 0)
            return false;
        if (loaded == 0)
            heap[0] = heap[--n];
        if (n)
            sift_down(heap, n, 0);
    }
    return (last.count == 0 || outbox_put(&out, last, error)) && outbox_flush(&out, error);
}

static void note_small(struct xt_distribution *d)
{
    for (int64_t value = 0; d->small && value < XT_SMALL_VALUES; value++) {
        if (!d->small[value])
            continue;
        note_range(d, value, d->small[value]);
        d->n_small += d->small[value];
        d->small_end = (uint64_t)value + 1;
    }
}

bool xt_distribution_finish(struct xt_distribution *d, GError **error)
{
    if (d->finished)
        return true;
    if (!flush(d, error))
        return false;
    note_small(d);
    unsigned n = d->run_starts->len, loaded_runs = 0;
    struct run *runs = g_new0(struct run, n + 1), **heap = g_new0(struct run *, n + 1);
    bool ok = true;
    d->sorted = xt_spill_new(sizeof(struct item), SPILL_MEMORY, NULL);
    for (unsigned i = 0; ok && i < n; i++) {
        runs[i].next = g_array_index(d->run_starts, uint64_t, i);
        runs[i].end = i + 1 < n ? g_array_index(d->run_starts, uint64_t, i + 1) : xt_spill_count(d->runs);
        ok = run_load(d, &runs[i], error) >= 0;
        heap[loaded_runs++] = &runs[i];
    }
    ok = ok && merge(d, heap, loaded_runs, error);
    g_free(runs);
    g_free(heap);
    g_clear_pointer(&d->runs, xt_spill_free);
    g_clear_pointer(&d->buffer, g_free);
    d->finished = ok;
    return ok;
}

uint64_t xt_distribution_n(const struct xt_distribution *d)
{
    return d->n;
}

uint64_t xt_distribution_dropped(const struct xt_distribution *d)
{
    return d->dropped;
}

int64_t xt_distribution_min(const struct xt_distribution *d)
{
    return d->min;
}

int64_t xt_distribution_max(const struct xt_distribution *d)
{
    return d->max;
}

double xt_distribution_mean(const struct xt_distribution *d)
{
    return d->n ? (double)((long double)d->sum / (long double)d->n) : -1;
}

static struct item sorted_item(const struct xt_distribution *d, uint64_t i)
{
    struct item item = { -1, 0 };

    xt_spill_read(d->sorted, i, 1, &item, NULL);
    return item;
}

int64_t xt_distribution_quantile(const struct xt_distribution *d, double p)
{
    g_assert(d->finished);
    if (!d->n)
        return -1;
    /* p is the nearest double to what was meant, at most 2^-53 of it off: p * n must not round up past a whole number */
    long double exact = (long double)p * (long double)d->n;
    uint64_t rank = CLAMP((uint64_t)ceill(exact - exact * 0x1p-52L), 1, d->n);
    if (rank <= d->n_small) {
        for (int64_t value = 0;; value++) {
            if (rank <= d->small[value])
                return value;
            rank -= d->small[value];
        }
    }
    rank -= d->n_small;
    uint64_t lo = 0, hi = xt_spill_count(d->sorted) - 1;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (sorted_item(d, mid).count >= rank)
            hi = mid;
        else
            lo = mid + 1;
    }
    return sorted_item(d, lo).value;
}

void xt_distribution_foreach(const struct xt_distribution *d, void (*each)(void *user, int64_t value_ns, uint64_t count),
                             void *user)
{
    uint64_t before = 0;

    g_assert(d->finished);
    for (uint64_t value = 0; value < d->small_end; value++)
        if (d->small[value])
            each(user, (int64_t)value, d->small[value]);
    for (uint64_t i = 0; i < xt_spill_count(d->sorted); i++) {
        struct item item = sorted_item(d, i);
        each(user, item.value, item.count - before);
        before = item.count;
    }
}

struct copy {
    struct xt_distribution *to;
    GError **error;
    bool ok;
};

static void copy_value(void *user, int64_t value_ns, uint64_t count)
{
    struct copy *copy = user;

    copy->ok = copy->ok && xt_distribution_add_other(copy->to, value_ns, count, copy->error);
}

bool xt_distribution_add_all(struct xt_distribution *d, const struct xt_distribution *other, GError **error)
{
    struct copy copy = { d, error, true };

    xt_distribution_foreach(other, copy_value, &copy);
    d->dropped += other->dropped;
    return copy.ok;
}
