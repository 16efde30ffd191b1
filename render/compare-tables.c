/* Tables, definitions and origin of a comparison. */
#include <sqlite3.h>
#include <string.h>

#include "parse/error.h"
#include "render/axis.h"
#include "render/compare-private.h"
#include "render/plot.h"

#define GROUP     "policy || coalesce('+' || server, '')"
#define BY_POLICY "coalesce(nullif(instr('gEDF pEDF credit credit2 null arinc653', policy), 0), 99), policy, server"

/* How the next columns of an answer become a cell. */
enum cell {
    CELL_TEXT,
    CELL_COUNT,
    CELL_DURATION, /* ns */
    CELL_RATE,     /* per second */
    CELL_RATIO,    /* two columns, k of n: percent with Wilson's interval */
    CELL_HZ,
};

struct column {
    const char *head;
    enum cell cell;
};

static bool fail(struct compare *c)
{
    g_set_error(c->error, XT_ERROR, XT_ERROR_INPUT, "%s: %s", xt_db_path(c->db),
                sqlite3_errmsg(xt_db_sqlite(c->db)));
    return false;
}

static void put_ratio(struct xt_table *table, uint64_t k, uint64_t n)
{
    double low, high;
    if (n == 0) {
        xt_table_cell(table, "–");
        return;
    }
    xt_wilson(k, n, &low, &high);
    xt_table_cell(table, "%.2f %% [%.2f, %.2f]", 100.0 * (double)k / (double)n, low * 100, high * 100);
}

static void put_cell(struct xt_table *table, enum cell cell, sqlite3_stmt *stmt, int *at)
{
    char text[48];
    int i = (*at)++;

    if (cell == CELL_RATIO) {
        (*at)++;
        put_ratio(table, (uint64_t)sqlite3_column_int64(stmt, i),
                  (uint64_t)sqlite3_column_int64(stmt, i + 1));
    } else if (sqlite3_column_type(stmt, i) == SQLITE_NULL) {
        xt_table_cell(table, "–");
    } else if (cell == CELL_TEXT) {
        xt_table_cell(table, "%s", (const char *)sqlite3_column_text(stmt, i));
    } else if (cell == CELL_COUNT) {
        xt_table_cell(table, "%s",
                      xt_format_count(text, sizeof(text), (uint64_t)sqlite3_column_int64(stmt, i)));
    } else if (cell == CELL_DURATION) {
        xt_table_cell(table, "%s", xt_format_duration(text, sizeof(text), sqlite3_column_double(stmt, i), 5));
    } else if (cell == CELL_HZ) {
        xt_table_cell(table, "%.6f GHz", sqlite3_column_double(stmt, i) / 1e9);
    } else {
        xt_table_cell(table, "%.2f", sqlite3_column_double(stmt, i));
    }
}

/* Asks, and puts the answer into the report; nothing if it has no row. bound (may be NULL) is parameter 1. */
static bool add_table(struct compare *c, const char *caption, const char *sql, const char *bound,
                      const struct column *columns, unsigned n_columns, unsigned text_columns)
{
    const char *head[24] = {NULL};
    sqlite3_stmt *stmt;
    int rc;

    g_assert(n_columns < G_N_ELEMENTS(head));
    for (unsigned i = 0; i < n_columns; i++)
        head[i] = columns[i].head;
    if (sqlite3_prepare_v2(xt_db_sqlite(c->db), sql, -1, &stmt, NULL) != SQLITE_OK)
        return fail(c);
    if (bound)
        sqlite3_bind_text(stmt, 1, bound, -1, SQLITE_STATIC);
    struct xt_table *table = xt_table_new(text_columns, head);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int at = 0;
        xt_table_row(table);
        for (unsigned i = 0; i < n_columns; i++)
            put_cell(table, columns[i].cell, stmt, &at);
    }
    sqlite3_finalize(stmt);
    if (rc != SQLITE_DONE || table->rows->len == 0) {
        xt_table_free(table);
        return rc == SQLITE_DONE || fail(c);
    }
    xt_report_table(c->report, caption, table);
    return true;
}

/* "0.65 % of the guests' jobs (8 of 1239, 95 % confidence 0.33 to 1.27 %)"; nothing if there are none */
static void put_share(GString *text, uint64_t k, uint64_t n, const char *of_what)
{
    char missed[32], all[32];
    double low, high;

    if (n == 0)
        return;
    xt_wilson(k, n, &low, &high);
    g_string_append_printf(text, "%s%.2f %% of %s (%s of %s, 95 %% confidence %.2f to %.2f %%)",
                           text->len > 0 ? " and " : "", 100.0 * (double)k / (double)n, of_what,
                           xt_format_count(missed, sizeof(missed), k), xt_format_count(all, sizeof(all), n),
                           100 * low, 100 * high);
}

static void add_sentence(struct compare *c, sqlite3_stmt *stmt)
{
    GString *shares = g_string_new(NULL);
    int runs = sqlite3_column_int(stmt, 1);
    char *pooled = runs > 1 ? g_strdup_printf(" (%d runs)", runs) : g_strdup("");
    char *sentence;

    put_share(shares, (uint64_t)sqlite3_column_int64(stmt, 3), (uint64_t)sqlite3_column_int64(stmt, 2),
              "the guests' jobs");
    put_share(shares, (uint64_t)sqlite3_column_int64(stmt, 5), (uint64_t)sqlite3_column_int64(stmt, 4),
              "the server periods");
    if (shares->len > 0)
        sentence = g_strdup_printf("Under %s%s, %s missed their deadlines.", (const char *)sqlite3_column_text(stmt, 0),
                                   pooled, shares->str);
    else
        sentence = g_strdup_printf("Under %s%s, no job was logged and no server period could be judged.",
                                   (const char *)sqlite3_column_text(stmt, 0), pooled);
    xt_report_text(c->report, sentence);
    g_free(sentence);
    g_free(pooled);
    g_string_free(shares, TRUE);
}

bool compare_add_summary(struct compare *c)
{
    static const char sql[] = "SELECT " GROUP ", runs, jobs, job_misses, periods_judged, period_misses FROM policy_stats "
                              "ORDER BY " BY_POLICY;
    sqlite3_stmt *stmt;
    int rc;

    if (sqlite3_prepare_v2(xt_db_sqlite(c->db), sql, -1, &stmt, NULL) != SQLITE_OK)
        return fail(c);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        add_sentence(c, stmt);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE || fail(c);
}

bool compare_add_run_table(struct compare *c)
{
    static const struct column columns[] = {
        {"run", CELL_TEXT},        {"policy", CELL_TEXT},   {"scheduler", CELL_TEXT}, {"Xen", CELL_TEXT},
        {"host", CELL_TEXT},       {"TSC from", CELL_TEXT}, {"TSC", CELL_HZ},         {"pCPUs", CELL_COUNT},
        {"length", CELL_DURATION}, {"records", CELL_COUNT}, {"lost", CELL_COUNT}};
    if (!add_table(c, "",
                   "SELECT name, " GROUP ", scheduler, xen_version, CASE WHEN emulated THEN 'emulated' ELSE "
                   "'real' END, "
                   "tsc_hz_source, tsc_hz, pcpus, duration_ns, records, lost_records FROM run ORDER BY id",
                   NULL, columns, G_N_ELEMENTS(columns), 6))
        return false;
    for (unsigned i = 0; i < c->runs->len; i++)
        if (((struct xt_db_run *)c->runs->pdata[i])->emulated) {
            xt_report_text(c->report, "Runs of an emulated host show the shape of what happened, not the "
                                      "speed of hardware.");
            break;
        }
    return true;
}

bool compare_add_policy_table(struct compare *c)
{
    static const struct column columns[] = {
        {"policy", CELL_TEXT},          {"runs", CELL_COUNT},          {"length", CELL_DURATION},
        {"periods judged", CELL_COUNT}, {"missed [95 %]", CELL_RATIO}, {"jobs", CELL_COUNT},
        {"missed [95 %]", CELL_RATIO},  {"migrations/s", CELL_RATE},   {"preemptions/s", CELL_RATE}};
    return add_table(c, "All runs of a policy together.",
                     "SELECT " GROUP ", runs, duration_ns, periods_judged, period_misses, periods_judged, jobs, "
                     "job_misses, jobs, migrations_per_s, preemptions_per_s FROM policy_stats ORDER "
                     "BY " BY_POLICY,
                     NULL, columns, G_N_ELEMENTS(columns), 1);
}

bool compare_add_metric_tables(struct compare *c, const char *kind)
{
    static const struct column columns[] = {
        {"metric", CELL_TEXT},  {"policy", CELL_TEXT},    {"n", CELL_COUNT},      {"dropped", CELL_COUNT},
        {"min", CELL_DURATION}, {"mean", CELL_DURATION},  {"p50", CELL_DURATION}, {"p90", CELL_DURATION},
        {"p99", CELL_DURATION}, {"p99.9", CELL_DURATION}, {"max", CELL_DURATION}};
    static const char per_run[] =
        "SELECT metric, name, n, dropped, min_ns, mean_ns, p50_ns, p90_ns, p99_ns, p999_ns, max_ns FROM "
        "(SELECT * FROM overhead_stats WHERE ?1 = 'overhead' UNION ALL SELECT * FROM latency_stats "
        "WHERE ?1 = 'latency') s JOIN run r ON r.id = s.run WHERE n > 0 ORDER BY metric, r.id";
    static const char per_policy[] = "SELECT metric, " GROUP ", n, dropped, min_ns, mean_ns, p50_ns, p90_ns, "
                                     "p99_ns, p999_ns, max_ns "
                                     "FROM policy_metrics WHERE kind = ?1 AND n > 0 ORDER BY "
                                     "metric, " BY_POLICY;
    struct column of_run[G_N_ELEMENTS(columns)];

    memcpy(of_run, columns, sizeof(columns));
    of_run[1].head = "run";
    return add_table(c, "By policy; quantiles are exact, nearest rank.", per_policy, kind, columns,
                     G_N_ELEMENTS(columns), 2) &&
           add_table(c, "By run.", per_run, kind, of_run, G_N_ELEMENTS(of_run), 2);
}

bool compare_add_miss_table(struct compare *c)
{
    static const struct column columns[] = {{"run", CELL_TEXT},           {"VCPU", CELL_TEXT},
                                            {"mostly due to", CELL_TEXT}, {"deadline", CELL_DURATION},
                                            {"budget", CELL_DURATION},    {"got", CELL_DURATION},
                                            {"short", CELL_DURATION}};
    static const char sql[] =
        "SELECT r.name, printf('d%dv%d%s', m.domid, m.vcpu, coalesce(' ' || m.domain, '')), "
        "CASE max(m.inversion_ns, m.overload_ns, m.latency_ns, m.unknown_ns) WHEN 0 THEN 'nothing recorded' "
        "WHEN m.inversion_ns THEN 'later-deadline work' WHEN m.overload_ns THEN 'earlier-deadline work' "
        "WHEN m.latency_ns THEN 'an idle pCPU' ELSE 'unknown' END, m.deadline, m.budget_ns, m.supplied_ns, "
        "m.short_ns "
        "FROM misses m JOIN run r ON r.id = m.run WHERE m.period IN (SELECT period FROM misses ORDER BY short_ns DESC, "
        "run, miss LIMIT 20) ORDER BY m.short_ns DESC, m.run, m.miss";
    unsigned blocks = 0;
    sqlite3_stmt *stmt;

    if (sqlite3_prepare_v2(xt_db_sqlite(c->db), "SELECT count(*) FROM period WHERE missed", -1, &stmt, NULL) != SQLITE_OK)
        return fail(c);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        blocks = (unsigned)sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    if (blocks == 0) {
        xt_report_text(c->report, "No server period that could be judged was missed.");
        return true;
    }
    char *caption = g_strdup_printf("The %s of %u missed server periods that fell shortest.",
                                    blocks > 20 ? "20" : "list", blocks);
    bool ok = add_table(c, caption, sql, NULL, columns, G_N_ELEMENTS(columns), 3);
    g_free(caption);
    return ok;
}

void compare_add_definitions(struct compare *c)
{
    static const struct {
        const char *term, *meaning;
    } terms[] = {
        {"Time", "Nanoseconds since the run's first record, from the TSC and its calibrated frequency; the "
                 "table of runs says whence the "
                 "frequency is."},
        {"Dispatch", "A change to running. Idle VCPUs are not counted."},
        {"Migration", "A dispatch on another pCPU than the same VCPU's previous one."},
        {"Preemption", "Running to runnable with budget left, neither a yield nor a depletion."},
        {"Depletion", "Running to runnable with no budget left, as the scheduler's own record says."},
        {"Server period", "From release to deadline = release + period, opened by a replenishment. On "
                          "schedulers without budgets the same "
                          "test runs against a reference reservation (\"ref.\"), if the recording carries "
                          "one."},
        {"Period miss", "At the deadline the VCPU was ready without a break since an instant w in the "
                        "period, had budget left, and got "
                        "less than min(budget left at w, deadline - w), by more than the tolerance."},
        {"Cause of a miss", "Who ran on the pCPUs that the VCPU could have used while it waited: work with "
                            "an earlier deadline "
                            "(overload), with a later one (priority inversion), nobody (latency), or unknown "
                            "(lost records)."},
        {"Job miss", "A guest's job that completed after its absolute deadline, or not by then, as logged "
                     "inside the guest."},
        {"Overhead", "pCPU time spent by the hypervisor. Decision: first record of a scheduling decision to "
                     "its switch or continue record. "
                     "Context switch: switch record to the next VCPU's change to running; bookkeeping, not "
                     "the register switch."},
        {"Latency", "Time that a VCPU waited: from wakeup, preemption or replenishment to its next "
                    "dispatch."},
        {"n, dropped", "Samples behind a number; samples left out as lost records touch them or their start "
                       "is not in the trace."},
        {"Quantile", "Nearest rank: p50 of n samples is the ceil(0.50 n)-th smallest."},
        {"Confidence interval", "Wilson's score interval at 95 % of a ratio, as if periods or jobs missed "
                                "independently."},
    };
    xt_report_heading(c->report, "definitions", "Definitions");
    for (unsigned i = 0; i < G_N_ELEMENTS(terms); i++)
        xt_report_term(c->report, terms[i].term, terms[i].meaning);
}

bool compare_add_origin(struct compare *c, const char *command)
{
    GString *code = g_string_new(NULL);
    sqlite3_stmt *stmt;
    int rc;

    if (sqlite3_prepare_v2(xt_db_sqlite(c->db),
                           "SELECT path, name, tool_version, xen_version, hash FROM run ORDER BY id", -1,
                           &stmt, NULL) != SQLITE_OK) {
        g_string_free(code, TRUE);
        return fail(c);
    }
    char *db = g_shell_quote(xt_db_path(c->db));
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        char *path = g_shell_quote((const char *)sqlite3_column_text(stmt, 0));
        const char *hash = (const char *)sqlite3_column_text(stmt, 4);
        g_string_append_printf(code, "xentrail import %s --db %s    # %s, xentrail %s%s%.12s\n", path, db,
                               (const char *)sqlite3_column_text(stmt, 1),
                               (const char *)sqlite3_column_text(stmt, 2), hash ? ", sha256 " : "",
                               hash ? hash : "");
        g_free(path);
    }
    sqlite3_finalize(stmt);
    g_free(db);
    g_string_append(code, command);
    xt_report_heading(c->report, "origin", "How this was made");
    xt_report_text(c->report, "By xentrail " XT_VERSION ", with these commands:");
    xt_report_code(c->report, code->str);
    g_string_free(code, TRUE);
    return rc == SQLITE_DONE || fail(c);
}
