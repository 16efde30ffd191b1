/* Overviews from stored shares of time: every column of every row against the intervals themselves, added up nanosecond by
 * nanosecond. Two runs share the database; windows cut bins anywhere. */
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <sqlite3.h>
#include <string.h>

#include "db/check.h"
#include "db/store.h"
#include "render/scene-query.h"
#include "render/timeline-json.h"

#define DURATION 1000003 /* ns, no multiple of anything */
#define N_VCPUS 9
#define N_PCPUS 4
#define COLUMNS 120

static struct xt_vcpu vcpus[N_VCPUS];
static const char *const names[] = { "plain", "core-scheduling" };
static const char crowded[] = "crowded"; /* more intervals and misses than a report's timeline takes */
#define N_MISSES 30000

static void must(bool ok, GError *error)
{
    if (!ok)
        g_error("%s", error ? error->message : "failed without saying why");
}

/* The life of one VCPU, dispatch after dispatch; VCPU 0 is idle's. Some phases are long, some a few ns. */
static void give_dispatches(const struct xt_sink *sink, struct xt_vcpu *vcpu, bool core_scheduling, bool short_ones, GRand *rand)
{
    static const enum xt_state off_states[] = { XT_BLOCKED, XT_OFFLINE, XT_UNKNOWN, XT_NO_STATE };
    GError *error = NULL;

    for (int64_t ts = 0; ts < DURATION;) {
        struct xt_dispatch d = { .vcpu = vcpu, .off_ts = ts, .off_state = off_states[g_rand_int_range(rand, 0, 4)],
                                 .pcpu = core_scheduling ? XT_NO_PCPU : g_rand_int_range(rand, 0, N_PCPUS),
                                 .from_pcpu = XT_NO_PCPU, .decision_ts = -1, .decision_ns = -1, .switch_ns = -1,
                                 .budget_left_ns = -1, .latency_ns = -1 };
        int longest = 1 << g_rand_int_range(rand, 4, short_ones ? 6 : 15);
        int64_t off = d.off_state == XT_NO_STATE ? 0 : g_rand_int_range(rand, 0, longest);

        d.ready_ts = MIN(ts + off, DURATION);
        d.run_ts = d.ready_ts + g_rand_int_range(rand, 0, longest);
        d.run_ts = MIN(d.run_ts, DURATION);
        d.end_ts = d.run_ts + g_rand_int_range(rand, 1, longest);
        ts = d.end_ts = MIN(d.end_ts, DURATION);
        must(sink->dispatch(sink->self, &d, &error), error);
    }
    /* what comes late is added to its bins all the same, whatever lies there already */
    struct xt_interval late = { .vcpu = vcpu, .ts = DURATION / 3, .end_ts = DURATION / 3 + 5000, .state = XT_RUNNABLE };
    must(sink->interval(sink->self, &late, &error), error);
    struct xt_dispatch again = { .vcpu = vcpu, .off_ts = 1000, .ready_ts = 1000, .run_ts = 1000, .end_ts = 7000,
                                 .off_state = XT_NO_STATE, .pcpu = core_scheduling ? XT_NO_PCPU : 1,
                                 .from_pcpu = XT_NO_PCPU, .decision_ts = -1, .decision_ns = -1, .switch_ns = -1,
                                 .budget_left_ns = -1, .latency_ns = -1 };
    must(sink->dispatch(sink->self, &again, &error), error);
}

/* Misses one after the other, VCPU by VCPU, only behind the first half of the run. */
static void give_misses(const struct xt_sink *sink, struct xt_vcpu *vcpu)
{
    GError *error = NULL;

    for (int i = 0; i < N_MISSES / (N_VCPUS - 1); i++) {
        int64_t deadline = DURATION / 2 + i * 100;
        struct xt_period p = { .vcpu = vcpu, .release = deadline - 90, .deadline = deadline, .period_ns = 90, .budget_ns = 50,
                               .ready_ts = deadline - 90, .short_ns = 1 + i, .judged = true, .missed = true };

        must(sink->period(sink->self, &p, &error), error);
    }
}

static void store_run(struct xt_db *db, const char *name, bool core_scheduling, bool is_crowded, GRand *rand)
{
    struct xt_store_options options = { .name = name, .path = "by/hand", .policy = "gEDF" };
    struct xt_pcpu pcpus[N_PCPUS] = { { 0 } };
    /* as many records as make a run long */
    struct xt_run run = { .end_tsc = DURATION, .duration_ns = DURATION, .tsc_hz = 1000000000, .records = 50000000,
                          .core_scheduling = core_scheduling, .now_offset_ns = INT64_MIN,
                          .now_reference_pcpu = XT_NO_PCPU, .n_pcpus = N_PCPUS, .pcpus = pcpus };
    struct xt_stats *stats = xt_stats_new();
    GError *error = NULL;
    struct xt_store *s = xt_store_new(db, &options, &error);
    const struct xt_sink *sinks[2];

    must(s != NULL, error);
    for (int p = 0; p < N_PCPUS; p++)
        pcpus[p] = (struct xt_pcpu){ .pcpu = p };
    sinks[0] = xt_stats_sink(stats);
    sinks[1] = xt_store_sink(s);
    for (unsigned i = 0; i < 2; i++)
        must(!sinks[i]->begin || sinks[i]->begin(sinks[i]->self, &run, &error), error);
    for (uint32_t v = 0; v < N_VCPUS; v++) {
        vcpus[v] = (struct xt_vcpu){ v, v == 0 ? XT_IDLE_DOMID : (uint16_t)(v / 2), (uint16_t)(v % 2) };
        for (unsigned i = 0; i < 2; i++)
            must(!sinks[i]->vcpu || sinks[i]->vcpu(sinks[i]->self, &vcpus[v], &error), error);
        give_dispatches(sinks[1], &vcpus[v], core_scheduling, is_crowded, rand);
        if (is_crowded && v > 0)
            give_misses(sinks[1], &vcpus[v]);
        struct xt_change change = { .vcpu = &vcpus[v], .old_state = XT_BLOCKED, .new_state = XT_RUNNABLE };
        must(sinks[0]->change(sinks[0]->self, &change, &error), error); /* it is in the trace */
    }
    for (unsigned i = 0; i < 2; i++)
        must(!sinks[i]->end || sinks[i]->end(sinks[i]->self, &error), error);
    must(xt_store_commit(s, NULL, stats, NULL, &error), error);
    xt_store_free(s);
    xt_stats_free(stats);
}

/* Where the intervals say time went: by row and owner, one counter for each ns. */
struct truth {
    GHashTable *lines; /* "row owner" -> uint8_t[DURATION] */
    GHashTable *index; /* struct xt_db_vcpu.id -> place in the scene, + 1 */
    const struct xt_scene *scene;
    bool by_pcpu;
    uint64_t n_intervals;
    int64_t running_ns[N_VCPUS];
};

static void mark(struct truth *t, int row, int owner, int64_t from, int64_t to)
{
    char *key = g_strdup_printf("%d %d", row, owner);
    uint8_t *line = g_hash_table_lookup(t->lines, key);

    if (!line) {
        line = g_malloc0(DURATION);
        g_hash_table_insert(t->lines, g_strdup(key), line);
    }
    for (int64_t ts = from; ts < to; ts++)
        line[ts]++;
    g_free(key);
}

static bool take_interval(void *user, const struct xt_db_interval *i)
{
    struct truth *t = user;
    int index = GPOINTER_TO_INT(g_hash_table_lookup(t->index, &i->vcpu)) - 1;
    int64_t from = MAX(i->ts, t->scene->from), to = MIN(i->end_ts, t->scene->to);
    int row = xt_density_row_vcpu(index);

    if (index < 0 || from >= to || i->state == XT_BLOCKED || i->state == XT_OFFLINE)
        return true;
    t->n_intervals++;
    if (i->state == XT_RUNNABLE)
        mark(t, row, XT_SHARE_RUNNABLE, from, to);
    if (i->state == XT_UNKNOWN)
        mark(t, row, XT_SHARE_UNKNOWN, from, to);
    if (i->state != XT_RUNNING)
        return true;
    t->running_ns[index] += to - from;
    mark(t, row, t->by_pcpu && i->pcpu >= 0 ? i->pcpu : 0, from, to);
    if (i->pcpu >= 0)
        mark(t, xt_density_row_pcpu(i->pcpu), g_array_index(t->scene->vcpus, struct xt_scene_vcpu, index).domid, from, to);
    return true;
}

static void check_row(const struct truth *t, int row, int owner)
{
    const struct xt_density *d = t->scene->density;
    const int64_t *share = xt_density_share(d, row, owner);
    char *key = g_strdup_printf("%d %d", row, owner);
    const uint8_t *line = g_hash_table_lookup(t->lines, key);
    int64_t ts = t->scene->from;

    for (unsigned c = 0; c < d->n_columns; c++) {
        int64_t want = 0;

        g_assert_cmpint(xt_density_column_ts(d, c), ==, ts);
        g_assert_cmpint(xt_density_column_ts(d, c + 1), >, ts);
        for (; ts < xt_density_column_ts(d, c + 1); ts++)
            want += line ? line[ts] : 0;
        g_assert_cmpint(share ? share[c] : 0, ==, want);
    }
    g_assert_cmpint(ts, ==, t->scene->to);
    g_free(key);
}

static void check_scene(struct xt_db *db, const struct xt_db_run *run, const struct xt_scene *scene, bool by_pcpu)
{
    struct truth t = { .lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                       .index = g_hash_table_new(g_int64_hash, g_int64_equal), .scene = scene, .by_pcpu = by_pcpu };
    GError *error = NULL;
    GPtrArray *all = xt_db_vcpus(db, run->id, &error);

    for (unsigned i = 0; i < all->len; i++) { /* idle ones come last and have no row */
        struct xt_db_vcpu *vcpu = all->pdata[i];

        if (vcpu->domid != XT_IDLE_DOMID)
            g_hash_table_insert(t.index, &vcpu->id, GUINT_TO_POINTER(i + 1));
    }
    must(xt_db_each_interval(db, run->id, INT64_MIN, INT64_MAX, 0, take_interval, &t, &error), error);
    for (unsigned v = 0; v < scene->vcpus->len; v++) {
        for (int owner = 0; owner < N_PCPUS; owner++)
            check_row(&t, xt_density_row_vcpu((int)v), owner);
        check_row(&t, xt_density_row_vcpu((int)v), XT_SHARE_RUNNABLE);
        check_row(&t, xt_density_row_vcpu((int)v), XT_SHARE_UNKNOWN);
        g_assert_cmpint(g_array_index(scene->vcpus, struct xt_scene_vcpu, v).running_ns, ==, t.running_ns[v]);
    }
    for (int p = 0; p < N_PCPUS; p++)
        for (int domid = 0; domid <= N_VCPUS / 2; domid++)
            check_row(&t, xt_density_row_pcpu(p), domid);
    g_assert_cmpuint(scene->n_intervals, ==, t.n_intervals);
    g_ptr_array_unref(all);
    g_hash_table_unref(t.lines);
    g_hash_table_unref(t.index);
}

static void check_window(struct xt_db *db, const struct xt_db_run *run, int64_t from, int64_t to, bool by_pcpu)
{
    struct xt_scene_request request = { .run = run->name, .from = from, .to = to, .around = -1, .colour_by_pcpu = by_pcpu,
                                        .detail = XT_DETAIL_OVERVIEW, .n_columns = COLUMNS };
    GError *error = NULL;
    struct xt_scene *scene = xt_scene_query(db, &request, &error);

    must(scene != NULL, error);
    g_assert_nonnull(scene->density);
    g_assert_cmpuint(scene->density->n_columns, >=, COLUMNS / 2);
    g_assert_cmpuint(scene->density->n_columns, <=, COLUMNS * 5 / 4 + 2);
    if (to - from > run->share_ns * COLUMNS) /* else from the intervals, and columns are of any width */
        g_assert_cmpint(scene->density->column_ns % run->share_ns, ==, 0);
    check_scene(db, run, scene, by_pcpu);
    xt_scene_free(scene);
}

/* Where a timeline has no room for every miss, each VCPU keeps the first of each column. */
static void check_timeline(struct xt_db *db)
{
    GError *error = NULL;
    char *text = xt_timeline_json(db, &error);
    JsonParser *parser = json_parser_new();
    GHashTable *seen = g_hash_table_new(NULL, NULL);

    must(text != NULL, error);
    must(json_parser_load_from_data(parser, text, -1, &error), error);
    JsonArray *runs = json_object_get_array_member(json_node_get_object(json_parser_get_root(parser)), "runs");
    JsonObject *run = json_array_get_object_element(runs, json_array_get_length(runs) - 1);
    JsonArray *misses = json_object_get_array_member(run, "misses");
    int64_t column_ns = json_object_get_int_member(run, "column");

    g_assert_cmpstr(json_object_get_string_member(run, "name"), ==, crowded);
    g_assert_cmpint(json_object_get_int_member(run, "thinned"), ==, 1);
    g_assert_cmpint(json_object_get_int_member(run, "until"), <, DURATION / 2);
    for (unsigned i = 0; i < json_array_get_length(misses); i += 4) {
        int64_t vcpu = json_array_get_int_element(misses, i), deadline = json_array_get_int_element(misses, i + 2);

        g_assert_true(g_hash_table_add(seen, GSIZE_TO_POINTER(deadline / column_ns * N_VCPUS + vcpu)));
    }
    for (int64_t v = 0; v < N_VCPUS - 1; v++)
        for (int64_t i = 0; i < N_MISSES / (N_VCPUS - 1); i++)
            g_assert_true(g_hash_table_contains(seen, GSIZE_TO_POINTER((DURATION / 2 + i * 100) / column_ns * N_VCPUS + v)));
    g_hash_table_unref(seen);
    g_object_unref(parser);
    g_free(text);
}

static void count_places(void *user, const char *message)
{
    *(unsigned *)user += strstr(message, "pCPUs gave") != NULL;
}

static unsigned misplaced(struct xt_db *db)
{
    GError *error = NULL;
    unsigned n = 0;

    must(xt_db_check(db, count_places, NULL, &n, &error), error);
    return n;
}

/* Where VCPUs ran is held against how long they ran. */
static void check_checking(const char *path)
{
    GError *error = NULL;
    struct xt_db *db = xt_db_open(path, XT_DB_WRITE, &error);
    const char *damages[] = { "x'00'", "x'8080'", "x''" };

    must(db != NULL, error);
    g_assert_cmpuint(misplaced(db), ==, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(damages); i++) {
        char *sql = g_strdup_printf("UPDATE vcpu_share SET pcpus = %s WHERE run = 1 AND bin = %u AND running_ns > 0",
                                    damages[i], 10 + i);

        g_assert_cmpint(sqlite3_exec(xt_db_sqlite(db), sql, NULL, NULL, NULL), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_changes(xt_db_sqlite(db)), >, 0);
        g_assert_cmpuint(misplaced(db), >, i);
        g_free(sql);
    }
    xt_db_close(db);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    char *folder = g_dir_make_tmp("xt-overview-XXXXXX", NULL), *path = g_build_filename(folder, "x.db", NULL);
    GRand *rand = g_rand_new_with_seed(5);
    GError *error = NULL;
    struct xt_db *db = xt_db_open(path, XT_DB_CREATE, &error);
    must(db != NULL, error);
    g_print("1..6\n");
    for (unsigned r = 0; r < G_N_ELEMENTS(names); r++)
        store_run(db, names[r], r == 1, false, rand);
    for (unsigned r = 0; r < G_N_ELEMENTS(names); r++) {
        struct xt_db_run *run = xt_db_run_find(db, names[r], &error);
        must(run != NULL, error);
        g_assert_cmpint(run->share_ns, >, 0);
        check_window(db, run, 0, DURATION, false);
        check_window(db, run, 0, DURATION, true);
        g_print("ok %u - %s: the whole run\n", 2 * r + 1, names[r]);
        for (unsigned round = 0; round < 16; round++) {
            int64_t from = g_rand_int_range(rand, 0, DURATION - 1000);
            int64_t to = g_rand_int_range(rand, (int32_t)from + 1000, DURATION + 1);

            check_window(db, run, round % 4 == 0 ? 0 : from, round % 4 == 1 ? DURATION : to, round % 2 == 0);
        }
        g_print("ok %u - %s: windows\n", 2 * r + 2, names[r]);
        xt_db_run_free(run);
    }
    xt_db_close(db);
    check_checking(path);
    g_print("ok 5 - wrong places are found\n");
    g_unlink(path);
    db = xt_db_open(path, XT_DB_CREATE, &error);
    must(db != NULL, error);
    store_run(db, crowded, false, true, rand);
    check_timeline(db);
    g_print("ok 6 - a timeline with very many misses\n");
    xt_db_close(db);
    g_rand_free(rand);
    g_unlink(path);
    g_rmdir(folder);
    g_free(path);
    g_free(folder);
    return 0;
}
