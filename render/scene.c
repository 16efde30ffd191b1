#include "render/scene.h"

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
    scene->misses = g_array_new(FALSE, FALSE, sizeof(struct xt_scene_period));
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

struct xt_density *xt_density_new(int64_t from, int64_t to, unsigned n_columns)
{
    struct xt_density *density = g_new0(struct xt_density, 1);
    density->from = from;
    density->to = to;
    density->n_columns = n_columns;
    density->shares = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    return density;
}

void xt_density_free(struct xt_density *density)
{
    if (!density)
        return;
    g_hash_table_unref(density->shares);
    g_free(density);
}

int64_t xt_density_column_ts(const struct xt_density *density, unsigned column)
{
    __int128 span = density->to - density->from;
    return density->from + (int64_t)(span * column / density->n_columns);
}

static int64_t key_of(int row, int owner)
{
    return (int64_t)row << 32 | (uint32_t)owner;
}

static int64_t *share_of(struct xt_density *density, int row, int owner)
{
    int64_t key = key_of(row, owner);
    int64_t *share = g_hash_table_lookup(density->shares, &key);
    if (share)
        return share;
    share = g_new0(int64_t, density->n_columns);
    g_hash_table_insert(density->shares, g_memdup2(&key, sizeof(key)), share);
    return share;
}

/* The column that holds ts, from <= ts < to. */
static unsigned column_of(const struct xt_density *density, int64_t ts)
{
    __int128 offset = ts - density->from;
    unsigned column = (unsigned)(offset * density->n_columns / (density->to - density->from));
    if (column + 1 < density->n_columns && xt_density_column_ts(density, column + 1) <= ts)
        column++; /* boundaries are rounded down */
    return MIN(column, density->n_columns - 1);
}

void xt_density_add(struct xt_density *density, int row, int owner, int64_t ts, int64_t end_ts)
{
    ts = MAX(ts, density->from);
    end_ts = MIN(end_ts, density->to);
    if (ts >= end_ts)
        return;

    int64_t *share = share_of(density, row, owner);
    for (unsigned column = column_of(density, ts); ts < end_ts && column < density->n_columns; column++) {
        int64_t end = MIN(xt_density_column_ts(density, column + 1), end_ts);
        if (end > ts)
            share[column] += end - ts;
        ts = MAX(ts, end);
    }
}

void xt_density_count(struct xt_density *density, int row, int owner, int64_t ts)
{
    if (ts >= density->from && ts < density->to)
        share_of(density, row, owner)[column_of(density, ts)]++;
}

const int64_t *xt_density_share(const struct xt_density *density, int row, int owner)
{
    int64_t key = key_of(row, owner);
    return g_hash_table_lookup(density->shares, &key);
}
