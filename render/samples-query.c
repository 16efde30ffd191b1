#include "render/samples-query.h"

#include <stdio.h>
#include <string.h>

#include "parse/error.h"
#include "parse/policy.h"
#include "parse/stats.h"

#define MOST_GROUPS 12

static const char *const by_names[XT_N_BY] = {"policy", "run", "vcpu", "pcpu", "migrated"};

const char *xt_by_name(enum xt_by by)
{
    return by_names[by];
}

struct query {
    struct xt_db *db;
    enum xt_metric metric;
    enum xt_by by;
    bool several_runs;
    const struct xt_db_run *run; /* being read */
    GHashTable *vcpus;           /* of that run: id -> struct xt_db_vcpu * */
    GHashTable *groups;          /* label -> struct xt_samples *, the set's */
    GHashTable *of_run;          /* what groups by in the run being read -> the same */
    struct xt_sample_set *set;
    struct xt_samples *current; /* group that whole-run samples go to */
};

GPtrArray *xt_runs_choose(struct xt_db *db, const char *const *runs, GError **error)
{
    if (!runs || !runs[0])
        return xt_db_runs(db, error);

    GPtrArray *chosen = g_ptr_array_new_with_free_func((GDestroyNotify)xt_db_run_free);
    for (unsigned i = 0; runs[i]; i++) {
        struct xt_db_run *run = xt_db_run_find(db, runs[i], error);
        if (!run) {
            g_ptr_array_unref(chosen);
            return NULL;
        }
        g_ptr_array_add(chosen, run);
    }
    return chosen;
}

char *xt_runs_describe(struct xt_db *db, const char *const *names, GError **error)
{
    GPtrArray *runs = xt_runs_choose(db, names, error);
    if (!runs)
        return NULL;

    GString *out = g_string_new(runs->len == 1 ? "Run: " : "Runs: ");
    bool emulated = false;
    for (unsigned i = 0; i < runs->len; i++) {
        const struct xt_db_run *run = runs->pdata[i];
        emulated |= run->emulated;
        if (i == 8 && runs->len > 9) {
            g_string_append_printf(out, " and %u more", runs->len - i);
            break;
        }
        g_string_append_printf(out, "%s%s (%s, Xen %s%s)", i > 0 ? ", " : "", run->name,
                               run->policy ? run->group : "policy unknown",
                               run->xen_version ? run->xen_version : "unknown",
                               run->emulated ? ", emulated" : "");
    }
    g_string_append(out, emulated ? ". Emulated hosts: durations show shape, not hardware speed." : ".");
    g_ptr_array_unref(runs);

    char *clean = g_utf8_make_valid(out->str, -1);
    g_string_free(out, TRUE);
    return clean;
}

static struct xt_samples *group_of(struct query *q, const char *label, const char *policy, unsigned index)
{
    struct xt_samples *group = g_hash_table_lookup(q->groups, label);
    if (group)
        return group;
    group = xt_samples_new(label, policy, index);
    g_ptr_array_add(q->set->groups, group);
    g_hash_table_insert(q->groups, group->label, group);
    return group;
}

static char *run_prefix(const struct query *q)
{
    return q->several_runs ? g_strdup_printf("%s ", q->run->name) : g_strdup("");
}

static char *vcpu_label(const struct query *q, int64_t id)
{
    const struct xt_db_vcpu *vcpu = g_hash_table_lookup(q->vcpus, &id);

    if (!vcpu)
        return g_strdup("unknown");
    if (vcpu->domid == XT_IDLE_DOMID)
        return g_strdup("idle");
    return g_strdup_printf("d%uv%u%s%s", vcpu->domid, vcpu->vcpu, vcpu->domain ? " " : "", vcpu->domain ? vcpu->domain : "");
}

static struct xt_samples *group_of_measure(struct query *q, const struct xt_db_measure *m)
{
    int64_t key = q->by == XT_BY_VCPU ? m->vcpu : q->by == XT_BY_PCPU ? m->pcpu : m->migrated;
    struct xt_samples *group = g_hash_table_lookup(q->of_run, GSIZE_TO_POINTER(key));
    if (group)
        return group;

    char *own = q->by == XT_BY_VCPU   ? vcpu_label(q, key)
                : q->by == XT_BY_PCPU ? g_strdup_printf("pCPU %d", m->pcpu)
                                      : g_strdup(m->migrated ? "migrated" : "same pCPU");
    char *prefix = run_prefix(q), *label = g_strconcat(prefix, own, NULL);
    bool by_key = !q->several_runs && q->by != XT_BY_VCPU;
    group = group_of(q, label, NULL, by_key ? (unsigned)MAX(key, 0) : q->set->groups->len);
    g_hash_table_insert(q->of_run, GSIZE_TO_POINTER(key), group);
    g_free(own);
    g_free(prefix);
    g_free(label);
    return group;
}

static bool take_measure(void *user, const struct xt_db_measure *m)
{
    struct query *q = user;

    if (q->set->is_latency) { /* that idle waited is nobody's latency */
        const struct xt_db_vcpu *vcpu = g_hash_table_lookup(q->vcpus, &m->vcpu);
        if (vcpu && vcpu->domid == XT_IDLE_DOMID)
            return true;
    }
    xt_samples_add(group_of_measure(q, m), m->ns, 1);
    return true;
}

static bool take_sample(void *user, int64_t ns, uint64_t count)
{
    struct query *q = user;
    xt_samples_add(q->current, ns, count);
    return true;
}

static bool is_fork(enum xt_metric metric)
{
    return metric >= XT_METRIC_FORK_SCHED_LATENCY && metric <= XT_METRIC_FORK_SLEEP;
}

static bool read_rows(struct query *q, GError **error)
{
    GPtrArray *vcpus = xt_db_vcpus(q->db, q->run->id, error);
    bool ok;

    if (!vcpus)
        return false;
    q->vcpus = g_hash_table_new(g_int64_hash, g_int64_equal);
    for (unsigned i = 0; i < vcpus->len; i++) {
        struct xt_db_vcpu *vcpu = vcpus->pdata[i];
        g_hash_table_insert(q->vcpus, &vcpu->id, vcpu);
    }
    q->of_run = g_hash_table_new(NULL, NULL);
    ok = xt_db_each_measure(q->db, q->run->id, q->metric, take_measure, q, error);
    g_hash_table_unref(q->of_run);
    g_hash_table_unref(q->vcpus);
    g_ptr_array_unref(vcpus);
    return ok;
}

static bool read_run(struct query *q, GError **error)
{
    if (q->by == XT_BY_POLICY || q->by == XT_BY_RUN) {
        bool by_run = q->by == XT_BY_RUN;
        const char *group = q->run->group;
        q->current = group_of(q, by_run ? q->run->name : group, by_run ? NULL : group, q->set->groups->len);
        return xt_db_each_sample(q->db, q->run->id, xt_metric_name(q->metric), take_sample, q, error);
    }
    if (!is_fork(q->metric))
        return read_rows(q, error);
    g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "%s can be split --by policy or run only",
                xt_metric_name(q->metric));
    return false;
}

/* Policies in their order, unknown ones last; "gEDF+periodic" comes behind "gEDF". */
static int policy_rank(const char *group)
{
    const char *plus = strchr(group, '+');
    char *policy = plus ? g_strndup(group, (gsize)(plus - group)) : g_strdup(group);
    int rank = 0;

    while (xt_policies[rank].name && g_ascii_strcasecmp(policy, xt_policies[rank].name) != 0)
        rank++;
    g_free(policy);
    return 2 * rank + (plus != NULL);
}

static int compare_groups(gconstpointer a, gconstpointer b)
{
    const struct xt_samples *x = *(struct xt_samples *const *)a, *y = *(struct xt_samples *const *)b;
    if (x->policy && y->policy && policy_rank(x->policy) != policy_rank(y->policy))
        return policy_rank(x->policy) - policy_rank(y->policy);
    return x->index < y->index ? -1 : x->index > y->index;
}

static int compare_labels(gconstpointer a, gconstpointer b)
{
    const struct xt_samples *x = *(struct xt_samples *const *)a, *y = *(struct xt_samples *const *)b;
    char *kx = g_utf8_collate_key_for_filename(x->label, -1),
         *ky = g_utf8_collate_key_for_filename(y->label, -1);
    int order = strcmp(kx, ky);
    g_free(kx);
    g_free(ky);
    return order;
}

static int compare_sizes(gconstpointer a, gconstpointer b)
{
    const struct xt_samples *x = *(struct xt_samples *const *)a, *y = *(struct xt_samples *const *)b;
    return x->n < y->n ? 1 : x->n > y->n ? -1 : compare_labels(a, b);
}

/* Keeps the largest groups; the rest becomes one. */
static void pool_small_groups(struct query *q)
{
    GPtrArray *groups = q->set->groups;
    if (groups->len <= MOST_GROUPS)
        return;

    g_ptr_array_sort(groups, compare_sizes);
    unsigned pooled = groups->len - (MOST_GROUPS - 1);
    char *label = g_strdup_printf("%u others", pooled);
    struct xt_samples *others = xt_samples_new(label, NULL, MOST_GROUPS - 1);
    for (unsigned i = MOST_GROUPS - 1; i < groups->len; i++) {
        const struct xt_samples *group = groups->pdata[i];
        for (unsigned k = 0; k < group->values->len; k++) {
            const struct xt_sample *s = &g_array_index(group->values, struct xt_sample, k);
            xt_samples_add(others, s->ns, s->count);
        }
    }
    g_ptr_array_set_size(groups, MOST_GROUPS - 1);
    g_ptr_array_sort(groups, compare_labels);
    for (unsigned i = 0; i < groups->len; i++)
        ((struct xt_samples *)groups->pdata[i])->index = i;
    g_ptr_array_add(groups, others);
    q->set->pooled = pooled;
    g_free(label);
}

static bool finish(struct query *q, GError **error)
{
    GPtrArray *groups = q->set->groups;
    for (unsigned i = groups->len; i > 0; i--)
        if (((struct xt_samples *)groups->pdata[i - 1])->n == 0)
            g_ptr_array_remove_index(groups, i - 1);
    if (groups->len == 0) {
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                    "metric %s has no samples here; `xentrail query --name overheads` and `latencies` show "
                    "which have",
                    q->set->metric);
        return false;
    }
    if (q->by == XT_BY_VCPU)
        g_ptr_array_sort(groups, compare_labels);
    else
        g_ptr_array_sort(groups, compare_groups);
    if (q->by == XT_BY_VCPU)
        for (unsigned i = 0; i < groups->len; i++)
            ((struct xt_samples *)groups->pdata[i])->index = i;
    pool_small_groups(q);
    for (unsigned i = 0; i < groups->len; i++)
        xt_samples_finish(groups->pdata[i]);
    return true;
}

static bool find_metric(const char *name, enum xt_metric *metric, GError **error)
{
    GString *all = g_string_new(NULL);
    for (unsigned m = 0; m < XT_N_METRICS; m++) {
        g_string_append_printf(all, "%s%s", m > 0 ? ", " : "", xt_metric_name((enum xt_metric)m));
        if (strcmp(name, xt_metric_name((enum xt_metric)m)) != 0)
            continue;
        *metric = (enum xt_metric)m;
        g_string_free(all, TRUE);
        return true;
    }
    g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "there is no metric %s; there are %s", name, all->str);
    g_string_free(all, TRUE);
    return false;
}

struct xt_sample_set *xt_samples_query(struct xt_db *db, const char *metric, enum xt_by by,
                                       const char *const *names, GError **error)
{
    struct query q = {.db = db, .by = by};
    if (!find_metric(metric, &q.metric, error))
        return NULL;
    GPtrArray *runs = xt_runs_choose(db, names, error);
    if (!runs)
        return NULL;

    q.several_runs = runs->len > 1;
    q.groups = g_hash_table_new(g_str_hash, g_str_equal);
    q.set = g_new0(struct xt_sample_set, 1);
    q.set->metric = g_strdup(metric);
    q.set->meaning = g_strdup(xt_metric_meaning(q.metric));
    q.set->is_latency = xt_metric_is_latency(q.metric);
    q.set->groups = g_ptr_array_new_with_free_func((GDestroyNotify)xt_samples_free);
    bool ok = true;
    for (unsigned i = 0; ok && i < runs->len; i++) {
        q.run = runs->pdata[i];
        ok = read_run(&q, error);
    }
    ok = ok && finish(&q, error);
    g_hash_table_unref(q.groups);
    g_ptr_array_unref(runs);
    if (ok)
        return q.set;
    xt_sample_set_free(q.set);
    return NULL;
}
