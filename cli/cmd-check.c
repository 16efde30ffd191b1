/* xentrail check: does a run keep the rules of its policy? */
#include <string.h>

#include "cli/cli.h"
#include "parse/error.h"

#define DEFAULT_SHOWN 20

/* Keeps the first violations of each rule; all are counted. */
struct findings {
    struct xt_sink sink;
    GArray *violations; /* of struct finding */
    GArray *results;    /* of struct xt_rule_result */
    GArray *servers;    /* of struct xt_server, vcpu pointing into vcpus */
    GPtrArray *vcpus;
    unsigned shown[XT_N_RULES], most;
};

struct finding {
    struct xt_violation v;
    struct xt_vcpu vcpu, other; /* copies: the run's own end with it */
};

static bool on_violation(void *self, const struct xt_violation *violation, GError **error)
{
    struct findings *f = self;
    struct finding finding = { .v = *violation };

    if (f->shown[violation->rule]++ >= f->most)
        return true;
    if (violation->vcpu)
        finding.vcpu = *violation->vcpu;
    if (violation->other)
        finding.other = *violation->other;
    g_array_append_val(f->violations, finding);
    return true;
}

static bool on_rule(void *self, const struct xt_rule_result *result, GError **error)
{
    g_array_append_val(((struct findings *)self)->results, *result);
    return true;
}

static bool on_server(void *self, const struct xt_server *server, GError **error)
{
    struct findings *f = self;
    struct xt_server copy = *server;

    copy.vcpu = g_memdup2(server->vcpu, sizeof(*server->vcpu));
    g_ptr_array_add(f->vcpus, (gpointer)copy.vcpu);
    g_array_append_val(f->servers, copy);
    return true;
}

static void cell_vcpu(struct xt_tables *out, bool known, const struct xt_vcpu *vcpu)
{
    char *text = known ? g_strdup_printf("d%uv%u", vcpu->domid, vcpu->vcpu) : NULL;

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

static uint64_t print_rules(struct xt_tables *out, const struct findings *f)
{
    static const struct xt_column columns[] = {
        { .name = "rule" }, { .name = "checked" }, { .name = "broken" }, { .name = "worst" }, { .name = "limit" },
        { .name = "unit" }, { .name = "limit_from" }, { .name = "meaning" },
    };
    uint64_t broken = 0;

    xt_table_begin(out, "rules", "Rules", columns, G_N_ELEMENTS(columns));
    for (guint i = 0; i < f->results->len; i++) {
        const struct xt_rule_result *r = &g_array_index(f->results, struct xt_rule_result, i);
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

static void print_violations(struct xt_tables *out, const struct findings *f)
{
    static const struct xt_column columns[] = {
        { .name = "rule" }, { .name = "ts", .title = "from (s)", .scale = 1e9, .decimals = 9 },
        { .name = "end_ts", .title = "to (s)", .scale = 1e9, .decimals = 9 }, { .name = "vcpu" }, { .name = "other" },
        { .name = "pcpu" }, { .name = "value" }, { .name = "limit" }, { .name = "unit" },
    };

    xt_table_begin(out, "violations", "Violations", columns, G_N_ELEMENTS(columns));
    for (guint i = 0; i < f->violations->len; i++) {
        const struct finding *finding = &g_array_index(f->violations, struct finding, i);
        const struct xt_violation *v = &finding->v;
        xt_cell_text(out, xt_rule_name(v->rule));
        xt_cell_int(out, v->ts);
        xt_cell_int(out, v->end_ts);
        cell_vcpu(out, v->vcpu != NULL, &finding->vcpu);
        cell_vcpu(out, v->other != NULL, &finding->other);
        v->pcpu >= 0 ? xt_cell_int(out, v->pcpu) : xt_cell_null(out);
        xt_cell_int(out, v->value);
        xt_cell_int(out, v->limit);
        xt_cell_text(out, xt_rule_unit(v->rule));
    }
    xt_table_end(out);
}

static void print_servers(struct xt_tables *out, const struct findings *f)
{
    static const struct xt_column columns[] = {
        { .name = "vcpu" }, { .name = "kind" }, { .name = "kept", .title = "budget kept while blocked" },
        { .name = "fell", .title = "budget fell" }, { .name = "in_step", .title = "replenished in step" },
        { .name = "out_of_step", .title = "out of step" },
    };

    xt_table_begin(out, "servers", "Servers, told from their budgets", columns, G_N_ELEMENTS(columns));
    for (guint i = 0; i < f->servers->len; i++) {
        const struct xt_server *s = &g_array_index(f->servers, struct xt_server, i);
        cell_vcpu(out, true, s->vcpu);
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
    struct findings f = {
        .sink = { .self = &f, .violation = on_violation, .server = on_server, .rule = on_rule },
        .servers = g_array_new(FALSE, FALSE, sizeof(struct xt_server)),
        .vcpus = g_ptr_array_new_with_free_func(g_free),
        .violations = g_array_new(FALSE, FALSE, sizeof(struct finding)),
        .results = g_array_new(FALSE, FALSE, sizeof(struct xt_rule_result)),
        .most = most,
    };
    const struct xt_sink *sinks[] = { &f.sink };
    bool ok = true;
    for (; ok && limits && *limits; limits++)
        ok = parse_limit(*limits, &input.options, &error);
    input.options.deadline_monotonic = dm;
    ok = ok && xt_reconstruct(input.trace, input.recording, &input.options, sinks, 1, xt_catch_signals(), &error);
    if (ok) {
        struct xt_tables *out = xt_tables_new(stdout, format);
        broken = print_rules(out, &f);
        print_servers(out, &f);
        print_violations(out, &f);
        ok = xt_tables_finish(out, &error);
    }
    g_array_unref(f.violations);
    g_array_unref(f.results);
    g_array_unref(f.servers);
    g_ptr_array_unref(f.vcpus);
    xt_input_close(&input);
    if (!ok)
        return xt_fail("check", error);
    return broken ? XT_EXIT_FOUND : XT_EXIT_OK;
}

int xt_cmd_check(int argc, char **argv)
{
    struct xt_input_options input = { 0 };
    struct xt_format_options format = { 0 };
    char **limits = NULL, *priority = NULL;
    int most = DEFAULT_SHOWN;
    const GOptionEntry entries[] = {
        { "limit", 0, 0, G_OPTION_ARG_STRING_ARRAY, &limits, "What a rule tolerates, e.g. priority-order=200us (repeatable)",
          "RULE=VALUE" },
        { "priority", 0, 0, G_OPTION_ARG_STRING, &priority, "How servers rank: edf (default) or dm (deadline-monotonic)",
          "KIND" },
        { "show", 0, 0, G_OPTION_ARG_INT, &most, "How many violations of each rule to list (default 20)", "N" },
        XT_INPUT_ENTRIES(input),
        XT_FORMAT_ENTRIES(format),
        { 0 },
    };
    int status = xt_parse_options(&argc, &argv, entries, "RECORDING|TRACE",
                                  "Checks a run against the rules of its policy and cites the instants that break them. "
                                  "Exits with 1 if any rule is broken.");

    if (status < 0 && argc != 2)
        status = xt_fail_usage("check", "expects one recording or trace, or - for standard input");
    if (status < 0 && priority && strcmp(priority, "edf") && strcmp(priority, "dm"))
        status = xt_fail_usage("check", "--priority %s: expects edf or dm", priority);
    if (status < 0 && most < 0)
        status = xt_fail_usage("check", "--show %d: expects a number from 0", most);
    if (status < 0)
        status = check_trace(argv[1], &input, limits, priority && !strcmp(priority, "dm"), (unsigned)most,
                             xt_format_of(&format));
    g_free(input.tsc_hz);
    g_strfreev(limits);
    g_free(priority);
    return status;
}
