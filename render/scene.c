#include "render/scene.h"

#include <stdlib.h>

#define MOST_OWNERS 10 /* colours in one row; more cannot be told apart */
#define LEAST_SHARE 8  /* a layer that nowhere fills an eighth of its column is too thin for a colour */

static void clear_vcpu(gpointer data)
{
    g_free(((struct xt_scene_vcpu *)data)->domain);
}

static void clear_job(gpointer data)
{
    struct xt_scene_job *job = data;
    g_free(job->domain);
    g_free(job->task);
}

struct xt_scene *xt_scene_new(int64_t from, int64_t to)
{
    struct xt_scene *scene = g_new0(struct xt_scene, 1);
    scene->from = from;
    scene->to = to;
    scene->hz_error_ppb = -1;
    scene->vcpus = g_array_new(FALSE, FALSE, sizeof(struct xt_scene_vcpu));
    g_array_set_clear_func(scene->vcpus, clear_vcpu);
    scene->pcpus = g_array_new(FALSE, FALSE, sizeof(int));
    scene->intervals = g_array_new(FALSE, FALSE, sizeof(struct xt_scene_interval));
    scene->migrations = g_array_new(FALSE, FALSE, sizeof(struct xt_scene_migration));
    scene->periods = g_array_new(FALSE, FALSE, sizeof(struct xt_scene_period));
    scene->misses = g_array_new(FALSE, FALSE, sizeof(struct xt_scene_miss));
    scene->levels = g_array_new(FALSE, FALSE, sizeof(struct xt_scene_level));
    scene->losses = g_array_new(FALSE, FALSE, sizeof(struct xt_scene_loss));
    scene->jobs = g_array_new(FALSE, FALSE, sizeof(struct xt_scene_job));
    g_array_set_clear_func(scene->jobs, clear_job);
    return scene;
}

void xt_scene_free(struct xt_scene *scene)
{
    if (!scene)
        return;
    g_free(scene->run);
    g_free(scene->policy);
    g_free(scene->xen_version);
    g_free(scene->scheduler);
    g_free(scene->note);
    g_array_unref(scene->vcpus);
    g_array_unref(scene->pcpus);
    g_array_unref(scene->intervals);
    g_array_unref(scene->migrations);
    g_array_unref(scene->periods);
    g_array_unref(scene->misses);
    g_array_unref(scene->levels);
    g_array_unref(scene->losses);
    g_array_unref(scene->jobs);
    xt_density_free(scene->density);
    g_free(scene);
}

static void add_level(struct xt_scene *scene, int vcpu, int64_t ts, int64_t left_ns, bool starts)
{
    struct xt_scene_level level = {vcpu, ts, MAX(left_ns, 0), starts};
    g_array_append_val(scene->levels, level);
}

/* Budget spent over [from, to), with a point at each corner. Returns what is left; *known is cleared at
 * unknown time. */
static int64_t spend(struct xt_scene *scene, int vcpu, const struct xt_scene_interval *intervals, unsigned n,
                     unsigned *at, int64_t from, int64_t to, int64_t left, bool *known)
{
    for (; *at < n && intervals[*at].ts < to; (*at)++) {
        const struct xt_scene_interval *i = &intervals[*at];
        int64_t begin = MAX(i->ts, from), end = MIN(i->end_ts, to);
        if (end <= begin || i->state == XT_RUNNABLE)
            continue;
        if (i->state == XT_UNKNOWN) {
            add_level(scene, vcpu, begin, left, false);
            *known = false;
            break;
        }
        if (left > 0) {
            add_level(scene, vcpu, begin, left, false);
            add_level(scene, vcpu, begin + MIN(left, end - begin), left - (end - begin), false);
        }
        left = MAX(left - (end - begin), 0);
        if (i->end_ts > to)
            break; /* goes on after the replenishment */
    }
    return left;
}

void xt_scene_add_levels(struct xt_scene *scene, int vcpu, const struct xt_scene_replenish *replenish,
                         unsigned n_replenish, const struct xt_scene_interval *intervals,
                         unsigned n_intervals)
{
    unsigned at = 0;
    bool known = false;

    for (unsigned r = 0; r < n_replenish; r++) {
        int64_t begin = replenish[r].ts;
        int64_t end = r + 1 < n_replenish ? replenish[r + 1].ts : MAX(scene->to, begin);
        int64_t left = replenish[r].budget_ns;

        add_level(scene, vcpu, begin, left, !known);
        while (at < n_intervals && intervals[at].end_ts <= begin)
            at++;
        known = true;
        left = spend(scene, vcpu, intervals, n_intervals, &at, begin, end, left, &known);
        if (known)
            add_level(scene, vcpu, end, left, false);
    }
}

struct xt_density *xt_density_new(int64_t from, int64_t to, int64_t origin, int64_t column_ns)
{
    struct xt_density *density = g_new0(struct xt_density, 1);
    density->from = from;
    density->to = to;
    density->origin = origin;
    density->column_ns = column_ns;
    density->n_columns = (unsigned)((to - origin + column_ns - 1) / column_ns);
    density->shares = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    density->owners = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_array_unref);
    return density;
}

void xt_density_free(struct xt_density *density)
{
    if (!density)
        return;
    g_hash_table_unref(density->shares);
    g_hash_table_unref(density->owners);
    g_free(density);
}

int64_t xt_density_column_ts(const struct xt_density *density, unsigned column)
{
    return CLAMP(density->origin + column * density->column_ns, density->from, density->to);
}

/* Rows and owners in one pointer: an owner is a domid, a pCPU or an XT_SHARE_*. */
static gpointer key_of(int row, int owner)
{
    return GSIZE_TO_POINTER((gsize)row << 20 | (gsize)(owner + 16));
}

static void note_owner(struct xt_density *density, int row, int owner)
{
    GArray *owners = g_hash_table_lookup(density->owners, GINT_TO_POINTER(row));
    if (!owners) {
        owners = g_array_new(FALSE, FALSE, sizeof(int));
        g_hash_table_insert(density->owners, GINT_TO_POINTER(row), owners);
    }
    g_array_append_val(owners, owner);
}

static int64_t *share_of(struct xt_density *density, int row, int owner)
{
    int64_t *share = g_hash_table_lookup(density->shares, key_of(row, owner));
    if (share)
        return share;
    share = g_new0(int64_t, density->n_columns);
    g_hash_table_insert(density->shares, key_of(row, owner), share);
    note_owner(density, row, owner);
    return share;
}

void xt_density_add(struct xt_density *density, int row, int owner, int64_t ts, int64_t end_ts)
{
    ts = MAX(ts, density->from);
    end_ts = MIN(end_ts, density->to);
    if (ts >= end_ts)
        return;

    int64_t *share = share_of(density, row, owner);
    int64_t column = (ts - density->origin) / density->column_ns;
    for (int64_t next; ts < end_ts; ts = next, column++) {
        next = MIN(density->origin + (column + 1) * density->column_ns, end_ts);
        share[column] += next - ts;
    }
}

void xt_density_add_at(struct xt_density *density, int row, int owner, int64_t ts, int64_t n)
{
    if (ts >= density->from && ts < density->to)
        share_of(density, row, owner)[(ts - density->origin) / density->column_ns] += n;
}

const int64_t *xt_density_share(const struct xt_density *density, int row, int owner)
{
    return g_hash_table_lookup(density->shares, key_of(row, owner));
}

static const GArray *owners_of(const struct xt_density *density, int row)
{
    return g_hash_table_lookup(density->owners, GINT_TO_POINTER(row));
}

int64_t xt_density_sum(const struct xt_density *density, const int64_t *share)
{
    int64_t total = 0;
    for (unsigned c = 0; c < density->n_columns; c++)
        total += share[c];
    return total;
}

static bool is_seen(const struct xt_density *density, const int64_t *share)
{
    for (unsigned c = 0; c < density->n_columns; c++)
        if (share[c] * LEAST_SHARE >= xt_density_column_ts(density, c + 1) - xt_density_column_ts(density, c))
            return true;
    return false;
}

/* Those that are seen first, then by sum. */
static int by_sum(gconstpointer a, gconstpointer b)
{
    const struct xt_owner *x = a, *y = b;
    if (x->seen != y->seen)
        return x->seen ? -1 : 1;
    return x->sum != y->sum ? (x->sum < y->sum ? 1 : -1) : x->owner - y->owner;
}

static int by_number(gconstpointer a, gconstpointer b)
{
    return ((const struct xt_owner *)a)->owner - ((const struct xt_owner *)b)->owner;
}

GArray *xt_density_ranked(const struct xt_density *density, int row, unsigned *n_first)
{
    GArray *ranked = g_array_new(FALSE, FALSE, sizeof(struct xt_owner));
    const GArray *all = owners_of(density, row);
    unsigned n_seen = 0;

    for (unsigned i = 0; all && i < all->len; i++) {
        struct xt_owner one = {.owner = g_array_index(all, int, i)};
        if (one.owner < 0)
            continue;
        const int64_t *share = xt_density_share(density, row, one.owner);
        one.sum = xt_density_sum(density, share);
        one.seen = is_seen(density, share);
        n_seen += one.seen;
        g_array_append_val(ranked, one);
    }
    g_array_sort(ranked, by_sum);
    *n_first = MIN(ranked->len <= 1 ? ranked->len : n_seen, MOST_OWNERS);
    if (*n_first > 0)
        qsort(ranked->data, *n_first, sizeof(struct xt_owner), by_number);
    return ranked;
}

int64_t *xt_density_pool(const struct xt_density *density, int row, const GArray *ranked, unsigned first)
{
    int64_t *pooled = g_new0(int64_t, density->n_columns);
    for (unsigned i = first; i < ranked->len; i++) {
        const int64_t *share = xt_density_share(density, row, g_array_index(ranked, struct xt_owner, i).owner);
        for (unsigned c = 0; c < density->n_columns; c++)
            pooled[c] += share[c];
    }
    return pooled;
}
