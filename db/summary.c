/* What is known of a run at its end: the run itself, its pCPUs and VCPUs with their totals, distributions,
 * jobs. */
#include <string.h>
#include <time.h>

#include "db/bind.h"
#include "db/internal.h"
#include "db/store-internal.h"

static bool prepare(struct xt_store *s, struct xt_bind *b, const char *sql, GError **error)
{
    b->at = 0;
    b->stmt = xt_db_prepare(xt_db_sqlite(s->db), sql, error);
    return b->stmt != NULL;
}

/* Frees the statement; ok as it is, with error set from the connection if it is false. */
static bool done(struct xt_store *s, struct xt_bind *b, bool ok, GError **error)
{
    if (!ok)
        xt_db_set_error(xt_db_sqlite(s->db), "storing the run", error);
    sqlite3_finalize(b->stmt);
    return ok;
}

/* Some schedulers are a policy by themselves; RTDS is not (gEDF or pEDF: only affinities and cpupools
 * tell). */
static const char *implied_policy(enum xt_scheduler scheduler)
{
    static const char *const policies[XT_N_SCHEDULERS] = {
        [XT_SCHED_CREDIT] = "credit",
        [XT_SCHED_CREDIT2] = "credit2",
        [XT_SCHED_NULL] = "null",
        [XT_SCHED_ARINC653] = "arinc653",
    };

    return policies[scheduler];
}

static const char *policy_of(struct xt_store *s)
{
    return s->options.policy ? s->options.policy : implied_policy(s->run.scheduler);
}

static const char *policy_why(struct xt_store *s)
{
    if (!s->options.policy && implied_policy(s->run.scheduler))
        return "the trace's own records: this scheduler is a policy by itself";
    return s->options.policy_why;
}

static char *now_iso8601(void)
{
    GDateTime *now = g_date_time_new_now_utc();
    char *text = g_date_time_format_iso8601(now);

    g_date_time_unref(now);
    return text;
}

static void put_frequency(struct xt_bind *b, const struct xt_run *run)
{
    put_int(b, run->tsc_hz);
    put_text(b, xt_hz_source_name(run->hz_source));
    put_real_if(b, true, run->hz_error_ppm);
    put_real_if(b, run->trace_hz > 0, run->trace_hz);
    put_real_if(b, run->trace_hz > 0, run->trace_hz_error_ppm);
    put_real_if(b, run->xl_info_hz > 0, run->xl_info_hz);
}

static void put_counts(struct xt_bind *b, const struct xt_run *run)
{
    put_int(b, (int64_t)run->records);
    put_int(b, (int64_t)run->lost_records);
    put_int(b, (int64_t)run->lost_windows);
    put_int(b, (int64_t)run->unknown_records);
    put_int(b, (int64_t)run->malformed_records);
    put_int(b, (int64_t)run->tsc_steps_back);
    put_int(b, (int64_t)run->contradictions);
    put_int(b, run->tsc_corrected);
    put_int_if(b, run->tsc_reference != XT_NO_PCPU, run->tsc_reference);
    put_int(b, (int64_t)run->bytes);
    put_int(b, (int64_t)run->truncated_bytes);
}

static bool store_run(struct xt_store *s, const char *hash, GError **error)
{
    const struct xt_recording *recording = s->options.recording;
    const struct xt_run *run = &s->run;
    char *imported = now_iso8601();
    struct xt_bind b;
    bool ok;

    ok = prepare(s, &b, "INSERT INTO run VALUES "
                 "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", error);
    if (!ok) {
        g_free(imported);
        return false;
    }
    put_int(&b, s->run_id);
    put_text(&b, s->options.name);
    put_text(&b, policy_of(s));
    put_text(&b, policy_why(s));
    put_text(&b, s->options.server);
    put_text(&b, xt_scheduler_name(run->scheduler));
    put_text(&b, recording ? recording->xen_version : NULL);
    put_text(&b, run->generation[0] ? run->generation : NULL);
    put_int(&b, recording && recording->emulated);
    put_int(&b, run->core_scheduling);
    put_int(&b, run->n_pcpus);
    put_frequency(&b, run);
    put_int(&b, (int64_t)run->start_tsc);
    put_int(&b, (int64_t)run->end_tsc);
    put_int(&b, run->duration_ns);
    put_counts(&b, run);
    put_int_if(&b, run->now_offset_ns != INT64_MIN, run->now_offset_ns);
    put_int_if(&b, run->now_offset_ns != INT64_MIN, run->now_residual_ns);
    put_int_if(&b, run->now_reference_pcpu != XT_NO_PCPU, run->now_reference_pcpu);
    put_int(&b, s->options.tolerance_ns);
    put_int_if(&b, s->shares != NULL, s->shares ? xt_shares_bin_ns(s->shares) : 0);
    put_text(&b, hash);
    put_text(&b, s->options.path);
    put_text(&b, imported);
    put_text(&b, XT_VERSION);
    put_text(&b, s->notes->len ? s->notes->str : NULL);
    ok = done(s, &b, put_row(&b), error);
    g_free(imported);
    return ok;
}

static const char *cpupool_of(const struct xt_recording *recording, int32_t pcpu)
{
    for (guint i = 0; recording && i < recording->cpupools->len; i++) {
        const struct xt_host_cpupool *pool = recording->cpupools->pdata[i];

        for (guint j = 0; j < pool->pcpus->len; j++) {
            if (g_array_index(pool->pcpus, int32_t, j) == pcpu)
                return pool->name;
        }
    }
    return NULL;
}

static bool store_pcpus(struct xt_store *s, GError **error)
{
    struct xt_bind b;
    bool ok = true;

    if (!prepare(s, &b, "INSERT INTO pcpu VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", error))
        return false;
    for (uint32_t i = 0; ok && i < s->run.n_pcpus; i++) {
        const struct xt_pcpu *p = &s->pcpus[i];

        put_int(&b, s->run_id);
        put_int(&b, p->pcpu);
        put_text(&b, xt_scheduler_name(p->scheduler));
        put_text(&b, cpupool_of(s->options.recording, p->pcpu));
        put_int(&b, (int64_t)p->records);
        put_int(&b, (int64_t)p->lost_records);
        put_int(&b, (int64_t)p->windows);
        put_int(&b, (int64_t)p->first_tsc);
        put_int(&b, (int64_t)p->last_tsc);
        put_int(&b, xt_cycles_ns(p->tsc_offset, s->run.tsc_hz));
        put_int_if(&b, p->tsc_offset_min != INT64_MIN, xt_cycles_ns(p->tsc_offset_min, s->run.tsc_hz));
        put_int_if(&b, p->tsc_offset_max != INT64_MAX, xt_cycles_ns(p->tsc_offset_max, s->run.tsc_hz));
        put_real_if(&b, p->hz > 0, p->hz);
        put_real_if(&b, p->hz > 0, p->hz_error_ppm);
        put_int_if(&b, p->now_offset_ns != INT64_MIN, p->now_offset_ns);
        put_int(&b, p->now_joined);
        ok = put_row(&b);
    }
    return done(s, &b, ok, error);
}

/* The scheduler's reservation that most periods of a VCPU were judged by: what it had, if the host does not
 * say. */
static const struct reservation *learned(struct xt_store *s, uint32_t index)
{
    const struct reservation *best = NULL;

    for (guint i = 0; i < s->reservation_list->len; i++) {
        const struct reservation *r = s->reservation_list->pdata[i];

        if (r->vcpu == index && !r->reference && (!best || r->n > best->n))
            best = r;
    }
    return best;
}

static void put_promise(struct xt_bind *b, const struct xt_host_vcpu *host, const struct reservation *r)
{
    static const struct xt_host_vcpu nothing = { .extratime = -1,
                                                 .cpu_time_before_s = -1,
                                                 .cpu_time_after_s = -1 };

    if (!host)
        host = &nothing;
    put_int_if(b, host->period_ns > 0 || r, host->period_ns > 0 ? host->period_ns : r ? r->period_ns : 0);
    put_int_if(b, host->period_ns > 0 || r, host->period_ns > 0 ? host->budget_ns : r ? r->budget_ns : 0);
    put_int_if(b, host->extratime >= 0, host->extratime);
    put_int_if(b, host->ref_period_ns > 0, host->ref_period_ns);
    put_int_if(b, host->ref_period_ns > 0, host->ref_budget_ns);
    put_int_if(b, host->weight > 0, host->weight);
    put_int_if(b, host->cap > 0, host->cap);
    put_text(b, host->hard_affinity);
    put_text(b, host->cpupool);
    put_real_if(b, host->cpu_time_before_s >= 0, host->cpu_time_before_s);
    put_real_if(b, host->cpu_time_after_s >= 0, host->cpu_time_after_s);
}

static void put_totals(struct xt_bind *b, const struct xt_vcpu_stats *v, bool core_scheduling)
{
    static const struct xt_vcpu_stats zeros;

    if (!v)
        v = &zeros;
    put_int(b, v->state_ns[XT_RUNNING]);
    put_int(b, v->state_ns[XT_RUNNABLE]);
    put_int(b, v->state_ns[XT_BLOCKED]);
    put_int(b, v->state_ns[XT_OFFLINE]);
    put_int(b, v->state_ns[XT_UNKNOWN]);
    put_int(b, (int64_t)v->dispatches);
    put_int(b, (int64_t)v->wakeups);
    put_int(b, (int64_t)v->preemptions);
    put_int(b, (int64_t)v->depletions);
    put_int(b, (int64_t)v->yields);
    put_int_if(b, !core_scheduling, (int64_t)v->migrations);
    put_int(b, (int64_t)v->replenishments);
    put_int(b, (int64_t)v->periods);
    put_int(b, (int64_t)v->periods_judged);
    put_int(b, (int64_t)v->period_misses);
    put_int(b, (int64_t)v->no_burn);
    put_int(b, (int64_t)v->inconsistencies);
    put_int(b, (int64_t)v->by_reason[XT_REASON_EXTRATIME]);
    put_int(b, (int64_t)v->by_reason[XT_REASON_TIMESLICE]);
    put_int(b, (int64_t)v->by_reason[XT_REASON_TASKLET]);
    put_int(b, (int64_t)v->by_reason[XT_REASON_BLOCK_ABORT]);
}

static bool store_vcpu(struct xt_store *s, struct xt_bind *b, int64_t id, uint16_t domid, uint16_t vcpu,
                       const struct xt_host_vcpu *host, const struct xt_vcpu_stats *stats,
                       const struct reservation *r)
{
    put_int(b, id);
    put_int(b, s->run_id);
    put_int(b, domid);
    put_int(b, vcpu);
    put_text(b, domid == XT_IDLE_DOMID ? "idle" : host ? host->domain : NULL);
    put_int(b, stats && stats->changes > 0);
    put_int(b, host != NULL);
    put_promise(b, host, r);
    put_totals(b, stats, s->run.core_scheduling);
    return put_row(b);
}

static bool store_vcpus(struct xt_store *s, const struct xt_stats *stats, GError **error)
{
    const struct xt_recording *recording = s->options.recording;
    GHashTable *seen = g_hash_table_new(NULL, NULL);
    int64_t id = s->vcpu_base;
    struct xt_bind b;
    bool ok = true;

    if (!prepare(s, &b, "INSERT INTO vcpu VALUES "
                 "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", error)) {
        g_hash_table_unref(seen);
        return false;
    }
    for (guint i = 0; ok && i < s->vcpus->len; i++, id++) {
        const struct xt_vcpu *v = &g_array_index(s->vcpus, struct xt_vcpu, i);
        const struct xt_host_vcpu *host = recording ? xt_recording_vcpu(recording, v->domid, v->vcpu) : NULL;

        g_hash_table_add(seen, GUINT_TO_POINTER((guint)v->domid << 16 | v->vcpu));
        ok = store_vcpu(s, &b, id, v->domid, v->vcpu, host, xt_stats_vcpu(stats, i), learned(s, i));
    }
    for (guint i = 0; ok && recording && i < recording->vcpus->len; i++) {
        const struct xt_host_vcpu *host = recording->vcpus->pdata[i];

        if (g_hash_table_add(seen, GUINT_TO_POINTER((guint)host->domid << 16 | host->vcpu)))
            ok = store_vcpu(s, &b, id++, host->domid, host->vcpu, host, NULL, NULL);
    }
    g_hash_table_unref(seen);
    return done(s, &b, ok, error);
}

static bool store_how(struct xt_store *s, GError **error)
{
    struct xt_bind b;
    bool ok = true;

    if (!prepare(s, &b, XT_HOW_INSERT, error))
        return false;
    for (guint i = 0; ok && i < s->how_new->len; i++) {
        struct xt_how how = xt_how_unpack(g_array_index(s->how_new, uint64_t, i));

        xt_how_bind(b.stmt, s->how_known + i + 1, &how);
        ok = put_row(&b);
    }
    return done(s, &b, ok, error);
}

static bool store_reservations(struct xt_store *s, GError **error)
{
    struct xt_bind b;
    bool ok = true;

    if (!prepare(s, &b, "INSERT INTO reservation VALUES (?,?,?,?,?)", error))
        return false;
    for (guint i = 0; ok && i < s->reservation_list->len; i++) {
        const struct reservation *r = s->reservation_list->pdata[i];

        put_int(&b, r->id);
        put_int(&b, s->vcpu_base + r->vcpu);
        put_int(&b, r->period_ns);
        put_int(&b, r->budget_ns);
        put_int(&b, r->reference);
        ok = put_row(&b);
    }
    return done(s, &b, ok, error);
}

static bool store_metrics(struct xt_store *s, const struct xt_stats *stats, GError **error)
{
    struct xt_bind b;
    bool ok = true;

    if (!prepare(s, &b, "INSERT INTO metric_stat VALUES (?,?,?,?,?,?,?,?,?,?,?)", error))
        return false;
    for (int i = 0; ok && i < XT_N_METRICS; i++) {
        const struct xt_distribution *d = xt_stats_metric(stats, (enum xt_metric)i);
        uint64_t n = xt_distribution_n(d), dropped = xt_distribution_dropped(d);

        if (n == 0 && dropped == 0)
            continue;
        put_int(&b, s->run_id);
        put_int(&b, i);
        put_int(&b, (int64_t)n);
        put_int(&b, (int64_t)dropped);
        put_int_if(&b, n > 0, xt_distribution_min(d));
        put_real_if(&b, n > 0, xt_distribution_mean(d));
        put_int_if(&b, n > 0, xt_distribution_quantile(d, 0.5));
        put_int_if(&b, n > 0, xt_distribution_quantile(d, 0.9));
        put_int_if(&b, n > 0, xt_distribution_quantile(d, 0.99));
        put_int_if(&b, n > 0, xt_distribution_quantile(d, 0.999));
        put_int_if(&b, n > 0, xt_distribution_max(d));
        ok = put_row(&b);
    }
    if (!done(s, &b, ok, error))
        return false;
    for (int i = 0; ok && i < XT_N_METRICS; i++)
        ok = xt_db_store_samples(xt_db_sqlite(s->db), s->run_id, i, xt_stats_metric(stats, (enum xt_metric)i),
                                 error);
    return ok;
}

static const char job_stat_sql[] =
    "INSERT INTO job_stat SELECT run, domain, task, max(domid),"
    " quantile(distance, 0.5), count(missed), count(completion), coalesce(sum(missed), 0),"
    " min(completion - release), avg(completion - release), max(completion - release),"
    " avg(completion - deadline), max(completion - deadline),"
    " avg(max(completion - deadline, 0)), max(max(completion - deadline, 0))"
    " FROM (SELECT *, release - lag(release) OVER (PARTITION BY domain, task ORDER BY release) AS distance"
    "       FROM job WHERE run = ?1)"
    " GROUP BY domain, task";

static bool store_job_stats(struct xt_store *s, GError **error)
{
    struct xt_bind b;

    if (!prepare(s, &b, job_stat_sql, error))
        return false;
    put_int(&b, s->run_id);
    return done(s, &b, put_row(&b), error);
}

bool xt_store_summary(struct xt_store *s, const char *hash, const struct xt_stats *stats, GError **error)
{
    const char *policy = policy_of(s);

    return store_run(s, hash, error) && store_pcpus(s, error) && store_vcpus(s, stats, error) &&
           store_how(s, error) && store_reservations(s, error) && store_metrics(s, stats, error) &&
           store_job_stats(s, error) &&
           xt_db_pool_policy(xt_db_sqlite(s->db), policy ? policy : "unknown", s->options.server, error);
}
