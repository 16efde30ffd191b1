/* Runs, VCPUs and pCPUs as the database describes them. See db.h. */
#include <string.h>

#include "db/internal.h"
#include "parse/error.h"

static char *text(sqlite3_stmt *stmt, int column)
{
    return g_strdup((const char *)sqlite3_column_text(stmt, column));
}

static int64_t number(sqlite3_stmt *stmt, int column, int64_t null)
{
    return sqlite3_column_type(stmt, column) == SQLITE_NULL ? null : sqlite3_column_int64(stmt, column);
}

void xt_db_run_free(struct xt_db_run *run)
{
    if (!run)
        return;
    g_free(run->name);
    g_free(run->policy);
    g_free(run->server);
    g_free(run->group);
    g_free(run->scheduler);
    g_free(run->xen_version);
    g_free(run->tsc_hz_source);
    g_free(run->tool_version);
    g_free(run);
}

static struct xt_db_run *read_run(sqlite3_stmt *stmt)
{
    struct xt_db_run *run = g_new0(struct xt_db_run, 1);

    run->id = number(stmt, 0, 0);
    run->name = text(stmt, 1);
    run->policy = text(stmt, 2);
    run->server = text(stmt, 19);
    run->group = g_strconcat(run->policy ? run->policy : "unknown", run->server ? "+" : NULL, run->server, NULL);
    run->scheduler = text(stmt, 3);
    run->xen_version = text(stmt, 4);
    run->tsc_hz_source = text(stmt, 5);
    run->tool_version = text(stmt, 6);
    run->duration_ns = number(stmt, 7, 0);
    run->tsc_hz = number(stmt, 8, 0);
    run->start_tsc = (uint64_t)number(stmt, 9, 0);
    run->records = (uint64_t)number(stmt, 10, 0);
    run->lost_records = (uint64_t)number(stmt, 11, 0);
    run->now_offset_ns = number(stmt, 12, INT64_MIN);
    run->now_residual_ns = number(stmt, 13, 0);
    run->tolerance_ns = number(stmt, 14, 0);
    run->pcpus = (uint32_t)number(stmt, 15, 0);
    run->emulated = number(stmt, 16, 0);
    run->core_scheduling = number(stmt, 17, 0);
    run->share_ns = number(stmt, 18, 0);
    return run;
}

/* Ends a walk whose last step gave rc; result, or NULL with error. */
static GPtrArray *finish(struct xt_db *db, sqlite3_stmt *stmt, int rc, GPtrArray *result, GError **error)
{
    if (rc != SQLITE_DONE) {
        xt_db_set_error(xt_db_sqlite(db), "reading the database", error);
        g_clear_pointer(&result, g_ptr_array_unref);
    }
    sqlite3_finalize(stmt);
    return result;
}

GPtrArray *xt_db_runs(struct xt_db *db, GError **error)
{
    sqlite3_stmt *stmt = xt_db_prepare(xt_db_sqlite(db),
        "SELECT id, name, policy, scheduler, xen_version, tsc_hz_source, tool_version, duration_ns, tsc_hz, start_tsc,"
        " records, lost_records, now_offset_ns, now_residual_ns, tolerance_ns, pcpus, emulated, core_scheduling, share_ns,"
        " server FROM run ORDER BY id", error);
    GPtrArray *runs;
    int rc;

    if (!stmt)
        return NULL;
    runs = g_ptr_array_new_with_free_func((GDestroyNotify)xt_db_run_free);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        g_ptr_array_add(runs, read_run(stmt));
    return finish(db, stmt, rc, runs, error);
}

static char *list_names(GPtrArray *runs)
{
    GString *s = g_string_new(NULL);

    for (guint i = 0; i < runs->len && i < 20; i++) {
        const struct xt_db_run *run = runs->pdata[i];

        g_string_append_printf(s, "%s%s", i ? ", " : "", run->name);
    }
    if (runs->len > 20)
        g_string_append_printf(s, " and %u more", runs->len - 20);
    return g_string_free(s, FALSE);
}

static int find(GPtrArray *runs, const char *wanted)
{
    int64_t id;

    if (!wanted)
        return runs->len == 1 ? 0 : -1;
    for (guint i = 0; i < runs->len; i++) {
        if (strcmp(((struct xt_db_run *)runs->pdata[i])->name, wanted) == 0)
            return (int)i;
    }
    if (!g_ascii_string_to_signed(wanted, 10, 1, INT64_MAX, &id, NULL))
        return -1;
    for (guint i = 0; i < runs->len; i++) {
        if (((struct xt_db_run *)runs->pdata[i])->id == id)
            return (int)i;
    }
    return -1;
}

struct xt_db_run *xt_db_run_find(struct xt_db *db, const char *wanted, GError **error)
{
    GPtrArray *runs = xt_db_runs(db, error);
    struct xt_db_run *run = NULL;
    int found;

    if (!runs)
        return NULL;
    found = find(runs, wanted);
    if (found >= 0) {
        g_ptr_array_set_free_func(runs, NULL);
        run = runs->pdata[found];
        for (guint i = 0; i < runs->len; i++) {
            if ((int)i != found)
                xt_db_run_free(runs->pdata[i]);
        }
    } else {
        char *names = list_names(runs);

        if (runs->len == 0)
            g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s: holds no runs; import a recording into it",
                        xt_db_path(db));
        else if (wanted)
            g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "%s: has no run \"%s\"; there is: %s", xt_db_path(db), wanted,
                        names);
        else
            g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "%s: holds several runs, say which: %s", xt_db_path(db), names);
        g_free(names);
    }
    g_ptr_array_unref(runs);
    return run;
}

void xt_db_vcpu_free(struct xt_db_vcpu *vcpu)
{
    if (!vcpu)
        return;
    g_free(vcpu->domain);
    g_free(vcpu->hard_affinity);
    g_free(vcpu->cpupool);
    g_free(vcpu);
}

static struct xt_db_vcpu *read_vcpu(sqlite3_stmt *stmt)
{
    struct xt_db_vcpu *v = g_new0(struct xt_db_vcpu, 1);

    v->id = number(stmt, 0, 0);
    v->domid = (uint16_t)number(stmt, 1, 0);
    v->vcpu = (uint16_t)number(stmt, 2, 0);
    v->in_trace = number(stmt, 3, 0);
    v->domain = text(stmt, 4);
    v->hard_affinity = text(stmt, 5);
    v->cpupool = text(stmt, 6);
    v->period_ns = number(stmt, 7, 0);
    v->budget_ns = number(stmt, 8, 0);
    v->ref_period_ns = number(stmt, 9, 0);
    v->ref_budget_ns = number(stmt, 10, 0);
    v->running_ns = number(stmt, 11, 0);
    v->runnable_ns = number(stmt, 12, 0);
    v->blocked_ns = number(stmt, 13, 0);
    v->offline_ns = number(stmt, 14, 0);
    v->unknown_ns = number(stmt, 15, 0);
    v->dispatches = (uint64_t)number(stmt, 16, 0);
    v->preemptions = (uint64_t)number(stmt, 17, 0);
    v->depletions = (uint64_t)number(stmt, 18, 0);
    v->migrations = (uint64_t)number(stmt, 19, 0);
    v->periods = (uint64_t)number(stmt, 20, 0);
    v->periods_judged = (uint64_t)number(stmt, 21, 0);
    v->period_misses = (uint64_t)number(stmt, 22, 0);
    return v;
}

GPtrArray *xt_db_vcpus(struct xt_db *db, int64_t run, GError **error)
{
    sqlite3_stmt *stmt = xt_db_prepare(xt_db_sqlite(db),
        "SELECT id, domid, vcpu, in_trace, domain, hard_affinity, cpupool, period_ns, budget_ns, ref_period_ns,"
        " ref_budget_ns, running_ns, runnable_ns, blocked_ns, offline_ns, unknown_ns, dispatches, preemptions,"
        " depletions, migrations, periods, periods_judged, period_misses FROM vcpu WHERE run = ? ORDER BY domid, vcpu", error);
    GPtrArray *vcpus;
    int rc;

    if (!stmt)
        return NULL;
    sqlite3_bind_int64(stmt, 1, run);
    vcpus = g_ptr_array_new_with_free_func((GDestroyNotify)xt_db_vcpu_free);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        g_ptr_array_add(vcpus, read_vcpu(stmt));
    return finish(db, stmt, rc, vcpus, error);
}

GArray *xt_db_pcpus(struct xt_db *db, int64_t run, GError **error)
{
    sqlite3_stmt *stmt = xt_db_prepare(xt_db_sqlite(db), "SELECT pcpu FROM pcpu WHERE run = ? ORDER BY pcpu", error);
    GArray *pcpus;
    int rc;

    if (!stmt)
        return NULL;
    sqlite3_bind_int64(stmt, 1, run);
    pcpus = g_array_new(FALSE, FALSE, sizeof(int32_t));
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int32_t pcpu = sqlite3_column_int(stmt, 0);

        g_array_append_val(pcpus, pcpu);
    }
    if (rc != SQLITE_DONE) {
        xt_db_set_error(xt_db_sqlite(db), "reading the database", error);
        g_clear_pointer(&pcpus, g_array_unref);
    }
    sqlite3_finalize(stmt);
    return pcpus;
}
