/* What conformance found: rules, servers and violations of a run. */
#include "db/bind.h"
#include "db/internal.h"
#include "db/store-internal.h"

static bool store_rules(struct xt_bind *b, int64_t run, const struct xt_findings *findings)
{
    const struct xt_rule_result *r;
    bool ok = true;

    for (unsigned i = 0; ok && (r = xt_findings_rule(findings, i)); i++) {
        put_int(b, run);
        put_text(b, xt_rule_name(r->rule));
        put_int(b, (int64_t)r->checked);
        put_int(b, (int64_t)r->broken);
        put_int_if(b, r->worst >= 0, r->worst);
        put_int(b, r->limit);
        put_text(b, xt_rule_unit(r->rule));
        put_int(b, (int64_t)r->reactions);
        put_int_if(b, r->reactions > 0, r->reaction_p95_ns);
        put_text(b, xt_rule_meaning(r->rule));
        ok = put_row(b);
    }
    return ok;
}

static bool store_servers(struct xt_bind *b, int64_t run, const struct xt_findings *findings)
{
    const struct xt_server *s;
    bool ok = true;

    for (unsigned i = 0; ok && (s = xt_findings_server(findings, i)); i++) {
        put_int(b, run);
        put_int(b, s->vcpu->domid);
        put_int(b, s->vcpu->vcpu);
        put_text(b, xt_server_kind_name(s->kind));
        put_int(b, (int64_t)s->kept);
        put_int(b, (int64_t)s->fell);
        put_int(b, (int64_t)s->in_step);
        put_int(b, (int64_t)s->out_of_step);
        ok = put_row(b);
    }
    return ok;
}

static bool store_violations(struct xt_bind *b, int64_t run, const struct xt_findings *findings)
{
    const struct xt_violation *v;
    bool ok = true;

    for (unsigned i = 0; ok && (v = xt_findings_violation(findings, i)); i++) {
        put_int(b, run);
        put_text(b, xt_rule_name(v->rule));
        put_int(b, v->ts);
        put_int(b, v->end_ts);
        put_int_if(b, v->vcpu != NULL, v->vcpu ? v->vcpu->domid : 0);
        put_int_if(b, v->vcpu != NULL, v->vcpu ? v->vcpu->vcpu : 0);
        put_int_if(b, v->other != NULL, v->other ? v->other->domid : 0);
        put_int_if(b, v->other != NULL, v->other ? v->other->vcpu : 0);
        put_int_if(b, v->pcpu >= 0, v->pcpu);
        put_int(b, v->value);
        put_int(b, v->limit);
        ok = put_row(b);
    }
    return ok;
}

bool xt_store_conformance(struct xt_store *s, const struct xt_findings *findings, GError **error)
{
    static const struct {
        const char *sql;
        bool (*store)(struct xt_bind *b, int64_t run, const struct xt_findings *findings);
    } tables[] = {
        { "INSERT INTO rule VALUES (?,?,?,?,?,?,?,?,?,?)", store_rules },
        { "INSERT INTO server VALUES (?,?,?,?,?,?,?,?)", store_servers },
        { "INSERT INTO violation VALUES (?,?,?,?,?,?,?,?,?,?,?)", store_violations },
    };
    bool ok = true;

    for (unsigned i = 0; findings && ok && i < G_N_ELEMENTS(tables); i++) {
        struct xt_bind b = { xt_db_prepare(xt_db_sqlite(s->db), tables[i].sql, error), 0 };
        if (!b.stmt)
            return false;
        ok = tables[i].store(&b, s->run_id, findings);
        if (!ok)
            xt_db_set_error(xt_db_sqlite(s->db), "storing what conformance found", error);
        sqlite3_finalize(b.stmt);
    }
    return ok;
}
