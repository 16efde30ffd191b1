/* xentrail check: does a run keep the rules of its policy? */
#include <string.h>

#include "cli/answer.h"
#include "cli/cli.h"
#include "parse/error.h"
#include "parse/findings.h"

#define DEFAULT_SHOWN 20

static void cell_vcpu(struct xt_tables *out, const struct xt_vcpu *vcpu)
{
    char *text = vcpu ? g_strdup_printf("d%uv%u", vcpu->domid, vcpu->vcpu) : NULL;

    xt_cell_text(out, text);
    g_free(text);
}

static void cell_limit_from(struct xt_tables *out, const struct xt_rule_result *r)
{
    char *text = NULL;

    if (r->reactions)
        text = g_strdup_printf("%d x p95 of %" G_GUINT64_FORMAT " reactions of pCPUs", XT_REACTION_FACTOR, r->reactions);
    xt_cell_text(out, text ? text : r->limit == xt_rule_default_limit(r->rule) ? "default" : "option or time base");
    g_free(text);
}

static uint64_t print_rules(struct xt_tables *out, const struct xt_findings *f)
{
    static const struct xt_column columns[] = {
        { .name = "rule" }, { .name = "checked" }, { .name = "broken" }, { .name = "worst" }, { .name = "limit" },
        { .name = "unit" }, { .name = "limit_from" }, { .name = "meaning" },
    };
    uint64_t broken = 0;

    xt_table_begin(out, "rules", "Rules", columns, G_N_ELEMENTS(columns));
    const struct xt_rule_result *r;
    for (unsigned i = 0; (r = xt_findings_rule(f, i)); i++) {
        xt_cell_text(out, xt_rule_name(r->rule));
        xt_cell_int(out, (int64_t)r->checked);
        xt_cell_int(out, (int64_t)r->broken);
        r->worst >= 0 ? xt_cell_int(out, r->worst) : xt_cell_null(out);
        xt_cell_int(out, r->limit);
        xt_cell_text(out, xt_rule_unit(r->rule));
        cell_limit_from(out, r);
        xt_cell_text(out, xt_rule_meaning(r->rule));
        broken += r->broken;
    }
    xt_table_end(out);
    return broken;
}

static void print_violations(struct xt_tables *out, const struct xt_findings *f)
{
    static const struct xt_column columns[] = {
        { .name = "rule" }, { .name = "ts", .title = "from (s)", .scale = 1e9, .decimals = 9 },
        { .name = "end_ts", .title = "to (s)", .scale = 1e9, .decimals = 9 }, { .name = "vcpu" }, { .name = "other" },
        { .name = "pcpu" }, { .name = "value" }, { .name = "limit" }, { .name = "unit" },
    };

    xt_table_begin(out, "violations", "Violations", columns, G_N_ELEMENTS(columns));
    const struct xt_violation *v;
    for (unsigned i = 0; (v = xt_findings_violation(f, i)); i++) {
        xt_cell_text(out, xt_rule_name(v->rule));
        xt_cell_int(out, v->ts);
        xt_cell_int(out, v->end_ts);
        cell_vcpu(out, v->vcpu);
        cell_vcpu(out, v->other);
        v->pcpu >= 0 ? xt_cell_int(out, v->pcpu) : xt_cell_null(out);
        xt_cell_int(out, v->value);
        xt_cell_int(out, v->limit);
        xt_cell_text(out, xt_rule_unit(v->rule));
    }
    xt_table_end(out);
}

static void print_servers(struct xt_tables *out, const struct xt_findings *f)
{
    static const struct xt_column columns[] = {
        { .name = "vcpu" }, { .name = "kind" }, { .name = "kept", .title = "budget kept while blocked" },
        { .name = "fell", .title = "budget fell" }, { .name = "in_step", .title = "replenished in step" },
        { .name = "out_of_step", .title = "out of step" },
    };

    xt_table_begin(out, "servers", "Servers, told from their budgets", columns, G_N_ELEMENTS(columns));
    const struct xt_server *s;
    for (unsigned i = 0; (s = xt_findings_server(f, i)); i++) {
        cell_vcpu(out, s->vcpu);
        xt_cell_text(out, xt_server_kind_name(s->kind));
        xt_cell_int(out, (int64_t)s->kept);
        xt_cell_int(out, (int64_t)s->fell);
        xt_cell_int(out, (int64_t)s->in_step);
        xt_cell_int(out, (int64_t)s->out_of_step);
    }
    xt_table_end(out);
}

/* "pin", or "budget=1ms": a rule's name and what it tolerates. */
static bool parse_limit(const char *text, struct xt_reconstruct_options *options, GError **error)
{
    const char *equals = strchr(text, '=');
    size_t n = equals ? (size_t)(equals - text) : 0;

    for (int r = 0; equals && r < XT_N_RULES; r++) {
        const char *unit = xt_rule_unit((enum xt_rule)r);
        if (strlen(xt_rule_name((enum xt_rule)r)) != n || strncmp(text, xt_rule_name((enum xt_rule)r), n))
            continue;
        if (!strcmp(unit, "ns"))
            return xt_parse_time_ns(equals + 1, &options->rule_limits[r], error);
        if (g_ascii_string_to_signed(equals + 1, 10, 0, INT64_MAX, &options->rule_limits[r], NULL))
            return true;
    }
    g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                "--limit %s: expects RULE=VALUE, e.g. priority-order=200us or cap=20 (xentrail check names the rules)", text);
    return false;
}

static int check_trace(const char *path, const struct xt_input_options *input_options, char **limits, bool dm,
                       unsigned most, enum xt_format format)
{
    GError *error = NULL;
    struct xt_input input;
    uint64_t broken = 0;

    if (!xt_input_open(&input, "check", path, input_options, &error))
        return xt_fail("check", error);
    const volatile int *cancel = xt_catch_signals();
    struct xt_findings *f = NULL;
    bool ok = true;
    for (; ok && limits && *limits; limits++)
        ok = parse_limit(*limits, &input.options, &error);
    input.options.deadline_monotonic = dm;
    while (ok) {
        f = xt_findings_new(most);
        const struct xt_sink *sinks[] = { xt_findings_sink(f) };
        ok = xt_reconstruct(input.trace, input.recording, &input.options, sinks, 1, cancel, &error);
        if (ok || !xt_reconstruct_again(&error))
            break;
        xt_findings_free(f);
        ok = true;
    }
    if (ok) {
        struct xt_tables *out = xt_tables_new(stdout, format);
        broken = print_rules(out, f);
        print_servers(out, f);
        print_violations(out, f);
        ok = xt_tables_finish(out, &error);
    }
    xt_findings_free(f);
    xt_input_close(&input);
    if (!ok)
        return xt_fail("check", error);
    return broken ? XT_EXIT_FOUND : XT_EXIT_OK;
}

/* What import found. */
static const struct xt_stored_table stored[] = {
    { "rules", "Rules",
      "SELECT r.name AS run, u.rule, u.checked, u.broken, u.worst, u.limit_value AS \"limit\", u.unit, CASE WHEN u.reactions"
      " THEN '10 x p95 of ' || u.reactions || ' reactions of pCPUs' ELSE 'default or time base' END AS limit_from, u.meaning"
      " FROM rule u JOIN run r ON r.id = u.run WHERE u.run = coalesce(:run, u.run) ORDER BY u.run, u.rule" },
    { "servers", "Servers, told from their budgets",
      "SELECT r.name AS run, 'd' || s.domid || 'v' || s.vcpu AS vcpu, s.kind, s.kept, s.fell, s.in_step, s.out_of_step"
      " FROM server s JOIN run r ON r.id = s.run WHERE s.run = coalesce(:run, s.run) ORDER BY s.run, s.domid, s.vcpu" },
    { "violations", "Violations",
      "SELECT run, rule, ts, end_ts, vcpu, other, pcpu, value, \"limit\", unit FROM (SELECT r.name AS run, v.rule, v.ts,"
      " v.end_ts, 'd' || v.domid || 'v' || v.vcpu AS vcpu, 'd' || v.by_domid || 'v' || v.by_vcpu AS other, v.pcpu, v.value,"
      " v.limit_value AS \"limit\", u.unit, row_number() OVER (PARTITION BY v.run, v.rule ORDER BY v.ts) AS nth, v.run AS id"
      " FROM violation v JOIN run r ON r.id = v.run JOIN rule u ON u.run = v.run AND u.rule = v.rule"
      " WHERE v.run = coalesce(:run, v.run)) WHERE nth <= :show ORDER BY id, rule, ts" },
};

static bool is_any_broken(struct xt_db *db, int64_t run, bool *broken, GError **error)
{
    struct xt_query *q = xt_query_new(db, "SELECT 1 FROM rule WHERE broken AND run = coalesce(:run, run)", run, error);
    GError *failed = NULL;

    if (!q)
        return false;
    *broken = xt_query_next(q, &failed);
    xt_query_free(q);
    if (failed)
        g_propagate_error(error, failed);
    return !failed;
}

static int check_database(const char *path, const char *run_name, unsigned most, enum xt_format format)
{
    GError *error = NULL;
    struct xt_db *db = xt_db_open(path, XT_DB_READ, &error);
    int64_t run = 0;
    bool broken = false, ok = db && (!run_name || xt_find_run(db, run_name, &run, &error));

    ok = ok && xt_print_stored(db, stored, G_N_ELEMENTS(stored), run, most, format, &error) &&
         is_any_broken(db, run, &broken, &error);
    xt_db_close(db);
    if (!ok)
        return xt_fail("check", error);
    return broken ? XT_EXIT_FOUND : XT_EXIT_OK;
}

int xt_cmd_check(int argc, char **argv)
{
    struct xt_input_options input = { 0 };
    struct xt_format_options format = { 0 };
    char **limits = NULL, *priority = NULL, *db = NULL, *run = NULL;
    int most = DEFAULT_SHOWN;
    const GOptionEntry entries[] = {
        { "limit", 0, 0, G_OPTION_ARG_STRING_ARRAY, &limits, "What a rule tolerates, e.g. priority-order=200us (repeatable)",
          "RULE=VALUE" },
        { "priority", 0, 0, G_OPTION_ARG_STRING, &priority, "How servers rank: edf (default) or dm (deadline-monotonic)",
          "KIND" },
        { "db", 0, 0, G_OPTION_ARG_FILENAME, &db, "Show what was found when this database's runs were imported", "FILE" },
        { "run", 0, 0, G_OPTION_ARG_STRING, &run, "With --db: only this run", "NAME" },
        { "show", 0, 0, G_OPTION_ARG_INT, &most, "How many violations of each rule to list (default 20)", "N" },
        XT_INPUT_ENTRIES(input),
        XT_FORMAT_ENTRIES(format),
        { 0 },
    };
    int status = xt_parse_options(&argc, &argv, entries, "RECORDING|TRACE | --db FILE",
                                  "Checks a run against the rules of its policy and cites the instants that break them. "
                                  "Exits with 1 if any rule is broken.");

    if (status < 0 && argc != (db ? 1 : 2))
        status = xt_fail_usage("check", "expects one recording or trace, - for standard input, or --db FILE");
    if (status < 0 && (db ? limits || priority || input.tsc_hz || input.salvage : run != NULL))
        status = xt_fail_usage("check", "%s", db ? "--db shows what was found at import; the other options need a trace"
                                                 : "--run goes with --db");
    if (status < 0 && priority && strcmp(priority, "edf") && strcmp(priority, "dm"))
        status = xt_fail_usage("check", "--priority %s: expects edf or dm", priority);
    if (status < 0 && most < 0)
        status = xt_fail_usage("check", "--show %d: expects a number from 0", most);
    if (status < 0 && db)
        status = check_database(db, run, (unsigned)most, xt_format_of(&format));
    if (status < 0)
        status = check_trace(argv[1], &input, limits, priority && !strcmp(priority, "dm"), (unsigned)most,
                             xt_format_of(&format));
    g_free(input.tsc_hz);
    g_strfreev(limits);
    g_free(priority);
    g_free(db);
    g_free(run);
    return status;
}
