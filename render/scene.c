#include "render/scene.h"

#include <stdlib.h>

#define MOST_OWNERS 10     /* colours in one row; more cannot be told apart */
#define MOST_NUMBERS 65536 /* of pCPUs, VCPUs, domains; larger ones stand in damaged databases alone */
#define LEAST_SHARE 8      /* a layer that nowhere fills an eighth of its column is too thin for a colour */

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

static void free_row(gpointer row)
{
    if (row)
        g_ptr_array_unref(row);
}

struct xt_density *xt_density_new(int64_t from, int64_t to, int64_t origin, int64_t column_ns)
{
    struct xt_density *density = g_new0(struct xt_density, 1);
    density->from = from;
    density->to = to;
    density->origin = origin;
    density->column_ns = column_ns;
    density->n_columns = (unsigned)((to - origin + column_ns - 1) / column_ns);
    density->rows = g_ptr_array_new_with_free_func(free_row);
    return density;
}

void xt_density_free(struct xt_density *density)
{
    if (!density)
        return;
    g_ptr_array_unref(density->rows);
    g_free(density);
}

int64_t xt_density_column_ts(const struct xt_density *density, unsigned column)
{
    return CLAMP(density->origin + column * density->column_ns, density->from, density->to);
}

static guint slot_of(int owner)
{
    return (guint)(owner - XT_SHARE_MISSES);
}

static GPtrArray *shares_of(const struct xt_density *density, int row)
{
    return (guint)row < density->rows->len ? density->rows->pdata[row] : NULL;
}

static int64_t *find_share(const struct xt_density *density, int row, int owner)
{
    const GPtrArray *shares = shares_of(density, row);
    return shares && slot_of(owner) < shares->len ? shares->pdata[slot_of(owner)] : NULL;
}

static int64_t *new_share(struct xt_density *density, int row, int owner)
{
    if ((guint)row >= density->rows->len)
        g_ptr_array_set_size(density->rows, row + 1);
    if (!density->rows->pdata[row])
        density->rows->pdata[row] = g_ptr_array_new_with_free_func(g_free);

    GPtrArray *shares = density->rows->pdata[row];
    if (slot_of(owner) >= shares->len)
        g_ptr_array_set_size(shares, (gint)slot_of(owner) + 1);
    return shares->pdata[slot_of(owner)] = g_new0(int64_t, density->n_columns);
}

static bool is_sane(int row, int owner)
{
    return (guint)row < 2 * MOST_NUMBERS && slot_of(owner) < MOST_NUMBERS;
}

static int64_t *share_of(struct xt_density *density, int row, int owner)
{
    int64_t *share = find_share(density, row, owner);
    return share ? share : new_share(density, row, owner);
}

void xt_density_add(struct xt_density *density, int row, int owner, int64_t ts, int64_t end_ts)
{
    ts = MAX(ts, density->from);
    end_ts = MIN(end_ts, density->to);
    if (ts >= end_ts || !is_sane(row, owner))
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
    if (ts >= density->from && ts < density->to && is_sane(row, owner))
        share_of(density, row, owner)[(ts - density->origin) / density->column_ns] += n;
}

const int64_t *xt_density_share(const struct xt_density *density, int row, int owner)
{
    return find_share(density, row, owner);
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
    int64_t begin = xt_density_column_ts(density, 0);
    for (unsigned c = 0; c < density->n_columns; c++) {
        int64_t end = xt_density_column_ts(density, c + 1);
        if (share[c] * LEAST_SHARE >= end - begin)
            return true;
        begin = end;
    }
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
    const GPtrArray *shares = shares_of(density, row);
    unsigned n_seen = 0;

    for (guint slot = slot_of(0); shares && slot < shares->len; slot++) {
        const int64_t *share = shares->pdata[slot];
        if (!share)
            continue;
        struct xt_owner one = {
            .owner = (int)(slot - slot_of(0)), .seen = is_seen(density, share), .sum = xt_density_sum(density, share)};
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
