#include "parse/findings.h"

struct xt_findings {
    struct xt_sink sink;
    unsigned most, kept[XT_N_RULES];
    GArray *rules, *servers, *violations;
    GHashTable *vcpus; /* domain << 16 | vcpu, + 1 -> struct xt_vcpu: copies, the run's own end with it */
};

static const struct xt_vcpu *keep_vcpu(struct xt_findings *f, const struct xt_vcpu *vcpu)
{
    if (!vcpu)
        return NULL;
    gpointer key = GSIZE_TO_POINTER(((gsize)vcpu->domid << 16 | vcpu->vcpu) + 1);
    struct xt_vcpu *kept = g_hash_table_lookup(f->vcpus, key);
    if (!kept) {
        kept = g_memdup2(vcpu, sizeof(*vcpu));
        g_hash_table_insert(f->vcpus, key, kept);
    }
    return kept;
}

static bool on_violation(void *self, const struct xt_violation *violation, GError **error)
{
    struct xt_findings *f = self;
    struct xt_violation copy = *violation;

    if (f->kept[violation->rule] >= f->most)
        return true;
    f->kept[violation->rule]++;
    copy.vcpu = keep_vcpu(f, violation->vcpu);
    copy.other = keep_vcpu(f, violation->other);
    g_array_append_val(f->violations, copy);
    return true;
}

static bool on_server(void *self, const struct xt_server *server, GError **error)
{
    struct xt_findings *f = self;
    struct xt_server copy = *server;

    copy.vcpu = keep_vcpu(f, server->vcpu);
    g_array_append_val(f->servers, copy);
    return true;
}

static bool on_rule(void *self, const struct xt_rule_result *result, GError **error)
{
    g_array_append_val(((struct xt_findings *)self)->rules, *result);
    return true;
}

struct xt_findings *xt_findings_new(unsigned most_per_rule)
{
    struct xt_findings *f = g_new0(struct xt_findings, 1);

    f->sink = (struct xt_sink){ .self = f, .violation = on_violation, .server = on_server, .rule = on_rule };
    f->most = most_per_rule;
    f->rules = g_array_new(FALSE, FALSE, sizeof(struct xt_rule_result));
    f->servers = g_array_new(FALSE, FALSE, sizeof(struct xt_server));
    f->violations = g_array_new(FALSE, FALSE, sizeof(struct xt_violation));
    f->vcpus = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return f;
}

void xt_findings_free(struct xt_findings *findings)
{
    if (!findings)
        return;
    g_array_unref(findings->rules);
    g_array_unref(findings->servers);
    g_array_unref(findings->violations);
    g_hash_table_unref(findings->vcpus);
    g_free(findings);
}

const struct xt_sink *xt_findings_sink(struct xt_findings *findings)
{
    return &findings->sink;
}

const struct xt_rule_result *xt_findings_rule(const struct xt_findings *f, unsigned i)
{
    return i < f->rules->len ? &g_array_index(f->rules, struct xt_rule_result, i) : NULL;
}

const struct xt_server *xt_findings_server(const struct xt_findings *f, unsigned i)
{
    return i < f->servers->len ? &g_array_index(f->servers, struct xt_server, i) : NULL;
}

const struct xt_violation *xt_findings_violation(const struct xt_findings *f, unsigned i)
{
    return i < f->violations->len ? &g_array_index(f->violations, struct xt_violation, i) : NULL;
}
