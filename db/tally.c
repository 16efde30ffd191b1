/* SQL functions that group rows by hashing, where GROUP BY would sort millions of them: tally(x, key, …) and
 * tally_values(x, key, …), for integer keys of which there are few. Each gives a JSON array, by key, of objects
 * k1, k2, …, n (rows), count (of x that are not NULL), sum, min, max; the latter of distinct, p50 and p99 (nearest rank) as
 * well. */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "db/internal.h"

#define MOST_KEYS 4
#define NO_KEY INT64_MIN /* NULL */
#define FEW_VALUES 256   /* are kept as they came before equal ones are counted together */

struct counted {
    int64_t value, n;
};

struct group {
    int64_t keys[MOST_KEYS];
    int64_t n, count, sum, min, max;
    GArray *fresh;   /* of int64_t: values not yet in counted; NULL: none are kept */
    GArray *counted; /* of struct counted, ascending */
};

struct tally {
    GHashTable *groups; /* struct group by its keys */
    struct group *last;
    int n_keys;
};

static guint hash_keys(gconstpointer data)
{
    const int64_t *keys = data;
    uint64_t hash = 0;

    for (int i = 0; i < MOST_KEYS; i++)
        hash = (hash ^ (uint64_t)keys[i]) * 0x9e3779b97f4a7c15u;
    return (guint)(hash >> 32);
}

static gboolean equal_keys(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(int64_t[MOST_KEYS])) == 0;
}

static void free_group(gpointer data)
{
    struct group *group = data;

    g_clear_pointer(&group->fresh, g_array_unref);
    g_clear_pointer(&group->counted, g_array_unref);
    g_free(group);
}

static struct group *group_of(struct tally *t, const int64_t *keys, bool values)
{
    struct group *group = t->last;

    if (group && equal_keys(group->keys, keys))
        return group;
    group = g_hash_table_lookup(t->groups, keys);
    if (!group) {
        group = g_new0(struct group, 1);
        memcpy(group->keys, keys, sizeof(group->keys));
        group->fresh = values ? g_array_new(FALSE, FALSE, sizeof(int64_t)) : NULL;
        group->counted = values ? g_array_new(FALSE, FALSE, sizeof(struct counted)) : NULL;
        g_hash_table_insert(t->groups, group->keys, group);
    }
    return t->last = group;
}

static int compare_values(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* value is not below the last one. */
static void count_value(GArray *counted, int64_t value)
{
    struct counted *last = counted->len > 0 ? &g_array_index(counted, struct counted, counted->len - 1) : NULL;
    struct counted next = { value, 1 };

    if (last && last->value == value)
        last->n++;
    else
        g_array_append_val(counted, next);
}

/* Fresh values join those that are counted. */
static void merge(struct group *group)
{
    GArray *old = group->counted, *fresh = group->fresh;
    guint at = 0;

    if (fresh->len == 0)
        return;
    group->counted = g_array_sized_new(FALSE, FALSE, sizeof(struct counted), old->len + 1);
    qsort(fresh->data, fresh->len, sizeof(int64_t), compare_values);
    for (guint i = 0; i < fresh->len; i++) {
        int64_t value = g_array_index(fresh, int64_t, i);
        for (; at < old->len && g_array_index(old, struct counted, at).value <= value; at++)
            g_array_append_val(group->counted, g_array_index(old, struct counted, at));
        count_value(group->counted, value);
    }
    if (at < old->len)
        g_array_append_vals(group->counted, &g_array_index(old, struct counted, at), old->len - at);
    g_array_unref(old);
    g_array_set_size(fresh, 0);
}

/* false: the sum is too large. */
static bool add(struct group *group, int64_t x)
{
    group->min = group->count == 0 ? x : MIN(group->min, x);
    group->max = group->count == 0 ? x : MAX(group->max, x);
    group->count++;
    if (group->fresh) {
        g_array_append_val(group->fresh, x);
        if (group->fresh->len >= MAX(FEW_VALUES, group->counted->len))
            merge(group);
    }
    return !__builtin_add_overflow(group->sum, x, &group->sum);
}

static bool read_keys(int n, sqlite3_value **args, int64_t *keys)
{
    for (int i = 0; i < n; i++) {
        int type = sqlite3_value_type(args[i]);

        if (type != SQLITE_INTEGER && type != SQLITE_NULL)
            return false;
        keys[i] = type == SQLITE_NULL ? NO_KEY : sqlite3_value_int64(args[i]);
    }
    return true;
}

static void tally_step(sqlite3_context *context, int n, sqlite3_value **args)
{
    struct tally *t = sqlite3_aggregate_context(context, sizeof(*t));
    int64_t keys[MOST_KEYS] = { 0 };
    int type = n > 0 ? sqlite3_value_type(args[0]) : SQLITE_NULL;
    struct group *group;

    if (!t) {
        sqlite3_result_error_nomem(context);
        return;
    }
    if (n < 2 || n > 1 + MOST_KEYS || (type != SQLITE_INTEGER && type != SQLITE_NULL) || !read_keys(n - 1, args + 1, keys)) {
        sqlite3_result_error(context, "tally(x, key, ...): x and one to four keys must be integers or NULL", -1);
        return;
    }
    if (!t->groups)
        t->groups = g_hash_table_new_full(hash_keys, equal_keys, NULL, free_group);
    t->n_keys = n - 1;
    group = group_of(t, keys, sqlite3_user_data(context) != NULL);
    group->n++;
    if (type == SQLITE_INTEGER && !add(group, sqlite3_value_int64(args[0])))
        sqlite3_result_error(context, "integer overflow", -1);
}

static int64_t nearest_rank(const struct group *group, int64_t percent)
{
    int64_t rank = (group->count * percent + 99) / 100;
    guint i = 0;

    while (i + 1 < group->counted->len && rank > g_array_index(group->counted, struct counted, i).n)
        rank -= g_array_index(group->counted, struct counted, i++).n;
    return g_array_index(group->counted, struct counted, i).value;
}

static void put_group(GString *out, struct group *group, int n_keys)
{
    g_string_append(out, out->len > 1 ? ",{" : "{");
    for (int i = 0; i < n_keys; i++) {
        g_string_append_printf(out, "\"k%d\":", i + 1);
        if (group->keys[i] == NO_KEY)
            g_string_append(out, "null,");
        else
            g_string_append_printf(out, "%" G_GINT64_FORMAT ",", group->keys[i]);
    }
    g_string_append_printf(out, "\"n\":%" G_GINT64_FORMAT ",\"count\":%" G_GINT64_FORMAT, group->n, group->count);
    if (group->count > 0)
        g_string_append_printf(out, ",\"sum\":%" G_GINT64_FORMAT ",\"min\":%" G_GINT64_FORMAT ",\"max\":%" G_GINT64_FORMAT,
                               group->sum, group->min, group->max);
    if (group->count > 0 && group->fresh) {
        merge(group);
        g_string_append_printf(out, ",\"distinct\":%u,\"p50\":%" G_GINT64_FORMAT ",\"p99\":%" G_GINT64_FORMAT,
                               group->counted->len, nearest_rank(group, 50), nearest_rank(group, 99));
    }
    g_string_append_c(out, '}');
}

static int compare_groups(gconstpointer a, gconstpointer b)
{
    const struct group *x = a, *y = b;

    for (int i = 0; i < MOST_KEYS; i++) {
        if (x->keys[i] != y->keys[i])
            return x->keys[i] < y->keys[i] ? -1 : 1;
    }
    return 0;
}

static void tally_final(sqlite3_context *context)
{
    struct tally *t = sqlite3_aggregate_context(context, 0);
    GString *out = g_string_new("[");
    GList *groups = t && t->groups ? g_list_sort(g_hash_table_get_values(t->groups), compare_groups) : NULL;
    gsize length;

    for (const GList *at = groups; at; at = at->next)
        put_group(out, at->data, t->n_keys);
    g_string_append_c(out, ']');
    length = out->len;
    sqlite3_result_text64(context, g_string_free(out, FALSE), length, g_free, SQLITE_UTF8);
    g_list_free(groups);
    if (t)
        g_clear_pointer(&t->groups, g_hash_table_unref);
}

bool xt_db_add_tally(sqlite3 *db, GError **error)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    static const char keep_values[] = "";

    if (sqlite3_create_function_v2(db, "tally", -1, flags, NULL, NULL, tally_step, tally_final, NULL) == SQLITE_OK &&
        sqlite3_create_function_v2(db, "tally_values", -1, flags, (void *)keep_values, NULL, tally_step, tally_final, NULL) ==
            SQLITE_OK)
        return true;
    xt_db_set_error(db, "adding SQL functions", error);
    return false;
}
