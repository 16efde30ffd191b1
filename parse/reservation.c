/* Reference reservations and times as people write them. */
#include "parse/snapshot.h"

#include <string.h>

#include "parse/error.h"
#include "parse/time-text.h"

static bool bad_time(const char *text, const char *why, GError **error)
{
    char *shown = g_strescape(text, NULL);
    g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "\"%.40s\" is no time: %s (write 1.5ms, 250us, 3s, or plain ns)", shown,
                why);
    g_free(shown);
    return false;
}

bool xt_parse_time_ns(const char *text, int64_t *ns, GError **error)
{
    const char *why = xt_time_parse(text, ns);
    return !why || bad_time(text, why, error);
}

/* "d1", "d1v0": *vcpu is -1 for the former. */
static bool parse_vcpu_name(const char *text, uint16_t *domid, int *vcpu)
{
    char *end;
    if (text[0] != 'd' || !g_ascii_isdigit(text[1]))
        return false;
    guint64 d = g_ascii_strtoull(text + 1, &end, 10);
    if (d > 32767)
        return false;
    *domid = (uint16_t)d;
    *vcpu = -1;
    if (*end == '\0')
        return true;
    if (*end != 'v' || !g_ascii_isdigit(end[1]))
        return false;
    guint64 v = g_ascii_strtoull(end + 1, &end, 10);
    *vcpu = (int)MIN(v, 65536);
    return *end == '\0' && v < 65536;
}

/* A VCPU, or all of a domain: by number, or by the domain's name. */
struct target {
    const char *name; /* NULL: by number */
    uint16_t domid;
    int vcpu; /* -1: all */
};

static bool is_target(const struct xt_host_vcpu *v, const struct target *t)
{
    if (t->vcpu >= 0 && v->vcpu != t->vcpu)
        return false;
    return t->name ? !g_strcmp0(v->domain, t->name) : v->domid == t->domid;
}

static bool check_budget(int64_t period_ns, int64_t budget_ns, GError **error)
{
    if (budget_ns > 0 && budget_ns <= period_ns)
        return true;
    g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                "a budget of %" G_GINT64_FORMAT " ns in a period of %" G_GINT64_FORMAT
                " ns is no reservation: it must be above 0 and at most the period",
                budget_ns, period_ns);
    return false;
}

static bool reserve(struct xt_recording *r, const struct target *t, int64_t period_ns, int64_t budget_ns, GError **error)
{
    guint n = 0;
    for (guint i = 0; i < r->vcpus->len; i++) {
        struct xt_host_vcpu *v = r->vcpus->pdata[i];
        if (!is_target(v, t))
            continue;
        v->ref_period_ns = period_ns;
        v->ref_budget_ns = budget_ns;
        n++;
    }
    if (n == 0 && !t->name && t->vcpu >= 0) {
        struct xt_host_vcpu *v = xt_recording_insert_vcpu(r, t->domid, (uint16_t)t->vcpu);
        v->ref_period_ns = period_ns;
        v->ref_budget_ns = budget_ns;
        n++;
    }
    if (n > 0)
        return true;
    char *shown = t->name ? g_strescape(t->name, NULL) : g_strdup_printf("d%u", t->domid);
    g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                "no VCPU of a domain \"%.60s\" is in the host snapshot of %s: name each VCPU, as in d1v0=10ms/4ms", shown,
                r->path ? r->path : "the recording");
    g_free(shown);
    return false;
}

bool xt_recording_reserve_by_name(struct xt_recording *r, const char *domain, int vcpu, int64_t period_ns,
                                  int64_t budget_ns, GError **error)
{
    struct target target = {.name = domain, .vcpu = vcpu};
    return check_budget(period_ns, budget_ns, error) && reserve(r, &target, period_ns, budget_ns, error);
}

/* What stands before the = goes to *target (caller frees); a name may hold anything, so the last = counts. */
static bool parse_reservation(const char *text, char **target, int64_t *period_ns, int64_t *budget_ns, GError **error)
{
    const char *equals = strrchr(text, '='), *slash = equals ? strchr(equals, '/') : NULL;
    if (!equals || equals == text || !slash) {
        char *shown = g_strescape(text, NULL);
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                    "\"%.60s\" is no reservation: write VCPU=PERIOD/BUDGET, as in d1v0=10ms/4ms, d1=10ms/4ms or NAME=10ms/4ms",
                    shown);
        g_free(shown);
        return false;
    }
    char *period = g_strndup(equals + 1, (gsize)(slash - equals - 1));
    bool ok = xt_parse_time_ns(period, period_ns, error) && xt_parse_time_ns(slash + 1, budget_ns, error) &&
              check_budget(*period_ns, *budget_ns, error);
    g_free(period);
    if (ok)
        *target = g_strndup(text, (gsize)(equals - text));
    return ok;
}

bool xt_reservation_check(const char *text, GError **error)
{
    char *target = NULL;
    int64_t period_ns, budget_ns;
    bool ok = parse_reservation(text, &target, &period_ns, &budget_ns, error);
    g_free(target);
    return ok;
}

bool xt_recording_set_reservation(struct xt_recording *r, const char *text, GError **error)
{
    char *target;
    int64_t period_ns, budget_ns;
    if (!parse_reservation(text, &target, &period_ns, &budget_ns, error))
        return false;
    struct target t = {.vcpu = -1};
    if (!parse_vcpu_name(target, &t.domid, &t.vcpu))
        t = (struct target){.name = target, .vcpu = -1};
    bool ok = reserve(r, &t, period_ns, budget_ns, error);
    g_free(target);
    return ok;
}
