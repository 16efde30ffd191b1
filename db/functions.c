/* SQL functions: quantile(x, p), the nearest-rank quantile that every number of xentrail uses; pcpus_ns(vcpu_share.pcpus),
 * the sum of its times, NULL if it is damaged. */
#include <glib.h>
#include <math.h>
#include <stdlib.h>

#include "db/internal.h"
#include "db/leb128.h"

struct quantile {
    double p;
    bool bad_p, whole; /* whole: every value was an integer */
    GArray *values;    /* of double or, while whole, int64_t */
};

static void go_real(struct quantile *q)
{
    for (guint i = 0; i < q->values->len; i++) {
        double value = (double)g_array_index(q->values, int64_t, i);

        g_array_index(q->values, double, i) = value;
    }
    q->whole = false;
}
G_STATIC_ASSERT(sizeof(double) == sizeof(int64_t));

static void quantile_step(sqlite3_context *context, int n, sqlite3_value **args)
{
    struct quantile *q = sqlite3_aggregate_context(context, sizeof(*q));
    int type = sqlite3_value_numeric_type(args[0]);

    if (!q) {
        sqlite3_result_error_nomem(context);
        return;
    }
    if (!q->values) {
        q->values = g_array_new(FALSE, FALSE, sizeof(int64_t));
        q->whole = true;
        q->p = sqlite3_value_double(args[1]);
        q->bad_p = !(q->p > 0 && q->p <= 1);
    }
    if (type == SQLITE_INTEGER && q->whole) {
        int64_t value = sqlite3_value_int64(args[0]);

        g_array_append_val(q->values, value);
    } else if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) {
        double value = sqlite3_value_double(args[0]);

        if (q->whole)
            go_real(q);
        g_array_append_val(q->values, value);
    }
}

static int compare_int(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int compare_real(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void quantile_final(sqlite3_context *context)
{
    struct quantile *q = sqlite3_aggregate_context(context, 0);
    guint n, rank;

    if (!q || !q->values) {
        sqlite3_result_null(context);
        return;
    }
    n = q->values->len;
    if (q->bad_p) {
        sqlite3_result_error(context, "quantile(x, p): p must be above 0 and at most 1", -1);
    } else if (n == 0) {
        sqlite3_result_null(context);
    } else {
        rank = CLAMP((guint)ceil(q->p * n - 1e-9), 1, n); /* 0.07 * 100 is a little above 7 in binary */
        qsort(q->values->data, n, sizeof(int64_t), q->whole ? compare_int : compare_real);
        if (q->whole)
            sqlite3_result_int64(context, g_array_index(q->values, int64_t, rank - 1));
        else
            sqlite3_result_double(context, g_array_index(q->values, double, rank - 1));
    }
    g_array_free(q->values, TRUE);
}

static void pcpus_ns(sqlite3_context *context, int n, sqlite3_value **args)
{
    const uint8_t *at = sqlite3_value_blob(args[0]), *end = at ? at + sqlite3_value_bytes(args[0]) : NULL;
    uint64_t pcpu, ns;
    int64_t sum = 0;

    while (at < end) {
        if (!xt_take_leb128(&at, end, &pcpu) || !xt_take_leb128(&at, end, &ns))
            return;
        sum += (int64_t)ns;
    }
    sqlite3_result_int64(context, sum);
}

bool xt_db_add_functions(sqlite3 *db, GError **error)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;

    if (sqlite3_create_function_v2(db, "quantile", 2, flags, NULL, NULL, quantile_step, quantile_final, NULL) == SQLITE_OK &&
        sqlite3_create_function_v2(db, "pcpus_ns", 1, flags, NULL, pcpus_ns, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    xt_db_set_error(db, "adding SQL functions", error);
    return false;
}
