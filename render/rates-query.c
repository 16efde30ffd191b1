#include "render/rates-query.h"

#include <math.h>
#include <string.h>

#include "render/axis.h"
#include "render/samples-query.h"

static const char *const names[XT_N_RATES] = {"preemptions", "migrations", "period-misses", "job-misses"};

const char *xt_rate_name(enum xt_rate rate)
{
    return names[rate];
}

/* What one run, or all runs of a policy, come to. */
struct tally {
    char *label, *policy;
    uint64_t count, of; /* events; judged periods or jobs */
    double seconds;
    double low, high; /* rates of single runs */
    unsigned runs;
    double utilisation;
};

static void free_tally(gpointer data)
{
    struct tally *tally = data;
    g_free(tally->label);
    g_free(tally->policy);
    g_free(tally);
}

static bool count_job(void *user, const struct xt_db_job *job)
{
    struct tally *tally = user;
    if (job->missed >= 0) {
        tally->of++;
        tally->count += (uint64_t)job->missed;
    }
    return true;
}

static bool tally_run(struct xt_db *db, const struct xt_db_run *run, enum xt_rate rate, struct tally *tally,
                      GError **error)
{
    if (rate == XT_RATE_JOB_MISSES)
        return xt_db_each_job(db, run->id, INT64_MIN, INT64_MAX, -1, count_job, tally, error);
    GPtrArray *vcpus = xt_db_vcpus(db, run->id, error);
    if (!vcpus)
        return false;
    bool undefined = run->core_scheduling && rate != XT_RATE_PERIOD_MISSES;
    for (unsigned i = 0; i < vcpus->len && !undefined; i++) {
        const struct xt_db_vcpu *v = vcpus->pdata[i];
        if (v->domid == XT_IDLE_DOMID)
            continue;
        tally->count += rate == XT_RATE_PREEMPTIONS  ? v->preemptions
                        : rate == XT_RATE_MIGRATIONS ? v->migrations
                                                     : v->period_misses;
        tally->of += rate == XT_RATE_PERIOD_MISSES ? v->periods_judged : 0;
        int64_t period = v->period_ns > 0 ? v->period_ns : v->ref_period_ns;
        int64_t budget = v->period_ns > 0 ? v->budget_ns : v->ref_budget_ns;
        if (v->domid != 0 && period > 0)
            tally->utilisation += (double)budget / (double)period;
    }
    g_ptr_array_unref(vcpus);
    tally->seconds = undefined ? 0 : (double)run->duration_ns / 1e9;
    tally->runs = 1;
    return true;
}

static struct tally *tally_for(GPtrArray *tallies, const char *label, const char *policy)
{
    for (unsigned i = 0; i < tallies->len; i++) {
        struct tally *tally = tallies->pdata[i];
        if (strcmp(tally->label, label) == 0)
            return tally;
    }
    struct tally *tally = g_new0(struct tally, 1);
    tally->label = g_strdup(label);
    tally->policy = g_strdup(policy);
    tally->low = G_MAXDOUBLE;
    g_ptr_array_add(tallies, tally);
    return tally;
}

static GPtrArray *tally_runs(struct xt_db *db, enum xt_rate rate, bool by_run, const char *const *selected,
                             GError **error)
{
    GPtrArray *runs = xt_runs_choose(db, selected, error);
    if (!runs)
        return NULL;
    GPtrArray *tallies = g_ptr_array_new_with_free_func(free_tally);
    bool ok = true;

    for (unsigned i = 0; ok && i < runs->len; i++) {
        const struct xt_db_run *run = runs->pdata[i];
        struct tally one = {.label = NULL};
        ok = tally_run(db, run, rate, &one, error);
        struct tally *sum = tally_for(tallies, by_run ? run->name : run->group, run->group);
        sum->count += one.count;
        sum->of += one.of;
        sum->seconds += one.seconds;
        sum->runs++;
        if (one.seconds > 0) {
            sum->low = MIN(sum->low, (double)one.count / one.seconds);
            sum->high = MAX(sum->high, (double)one.count / one.seconds);
        }
    }
    g_ptr_array_unref(runs);
    if (ok)
        return tallies;
    g_ptr_array_unref(tallies);
    return NULL;
}

struct xt_bars *xt_rates_query(struct xt_db *db, enum xt_rate rate, bool by_run, const char *const *runs,
                               GError **error)
{
    static const struct {
        const char *title, *axis;
    } words[XT_N_RATES] = {
        {"Preemptions", "preemptions per second of run, all VCPUs"},
        {"Migrations", "migrations per second of run, all VCPUs"},
        {"Missed server periods", "missed share of judged periods"},
        {"Missed jobs", "missed share of the guests' jobs"},
    };
    GPtrArray *tallies = tally_runs(db, rate, by_run, runs, error);
    if (!tallies)
        return NULL;
    bool ratio = rate == XT_RATE_PERIOD_MISSES || rate == XT_RATE_JOB_MISSES;
    struct xt_bars *bars = xt_bars_begin(words[rate].title, words[rate].axis, ratio);

    for (unsigned i = 0; i < tallies->len; i++) {
        const struct tally *t = tallies->pdata[i];
        if (ratio ? t->of == 0 : t->seconds <= 0)
            continue;
        struct xt_bar bar = {.label = g_strdup(t->label),
                             .policy = by_run ? g_strdup(t->policy) : g_strdup(t->label)};
        if (ratio) {
            bar.value = (double)t->count / (double)t->of;
            xt_wilson(t->count, t->of, &bar.low, &bar.high);
            bar.note = g_strdup_printf("(%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT ")", t->count, t->of);
        } else {
            bar.value = (double)t->count / t->seconds;
            bar.low = t->runs > 1 ? t->low : bar.value;
            bar.high = t->runs > 1 ? t->high : bar.value;
            bar.note = g_strdup_printf("(%" G_GUINT64_FORMAT " in %.1f s)", t->count, t->seconds);
        }
        g_array_append_val(bars->bars, bar);
    }
    g_ptr_array_unref(tallies);
    return bars;
}

static void add_run(GPtrArray *curves, const char *policy, double x, bool met)
{
    struct xt_curve *curve = NULL;
    for (unsigned i = 0; i < curves->len && !curve; i++)
        if (strcmp(((struct xt_curve *)curves->pdata[i])->label, policy) == 0)
            curve = curves->pdata[i];
    if (!curve) {
        curve = g_new0(struct xt_curve, 1);
        curve->label = g_strdup(policy);
        curve->policy = g_strdup(policy);
        curve->points = g_array_new(FALSE, FALSE, sizeof(struct xt_curve_point));
        g_ptr_array_add(curves, curve);
    }
    unsigned at = 0;
    while (at < curve->points->len && g_array_index(curve->points, struct xt_curve_point, at).x < x - 1e-6)
        at++;
    if (at == curve->points->len || g_array_index(curve->points, struct xt_curve_point, at).x > x + 1e-6) {
        struct xt_curve_point point = {x, 0, 0};
        g_array_insert_val(curve->points, at, point);
    }
    struct xt_curve_point *point = &g_array_index(curve->points, struct xt_curve_point, at);
    point->y = (point->y * (double)point->n + met) / (double)(point->n + 1);
    point->n++;
}

/* A run and whether all its deadlines were met. */
struct outcome {
    const char *policy; /* the run's */
    double utilisation;
    bool met;
};

/* Bins of 0.05 or more, such that the range has about eight. */
static double bin_width(const GArray *outcomes)
{
    double lo = G_MAXDOUBLE, hi = 0;
    for (unsigned i = 0; i < outcomes->len; i++) {
        lo = MIN(lo, g_array_index(outcomes, struct outcome, i).utilisation);
        hi = MAX(hi, g_array_index(outcomes, struct outcome, i).utilisation);
    }
    return outcomes->len > 1 && hi - lo > 0.4 ? xt_nice_below((hi - lo) / 8) : 0.05;
}

GPtrArray *xt_schedulability_query(struct xt_db *db, const char *const *selected, unsigned *skipped,
                                   double *width, GError **error)
{
    GPtrArray *runs = xt_runs_choose(db, selected, error);
    if (!runs)
        return NULL;
    GArray *outcomes = g_array_new(FALSE, FALSE, sizeof(struct outcome));
    GPtrArray *curves = NULL;
    bool ok = true;

    *skipped = 0;
    for (unsigned i = 0; ok && i < runs->len; i++) {
        const struct xt_db_run *run = runs->pdata[i];
        struct tally tally = {.label = NULL};
        ok = tally_run(db, run, XT_RATE_PERIOD_MISSES, &tally, error);
        struct outcome outcome = {run->group, tally.utilisation, tally.count == 0};
        if (tally.of > 0)
            g_array_append_val(outcomes, outcome);
        else
            (*skipped)++;
    }
    if (ok) {
        curves = g_ptr_array_new();
        *width = bin_width(outcomes);
        for (unsigned i = 0; i < outcomes->len; i++) {
            const struct outcome *o = &g_array_index(outcomes, struct outcome, i);
            add_run(curves, o->policy, round(o->utilisation / *width) * *width, o->met);
        }
    }
    g_array_unref(outcomes);
    g_ptr_array_unref(runs);
    return curves;
}
