/* Questions that people ask first, by name. `xentrail query --list` prints this table. */
#include "db/query.h"

#define OF_RUN(alias) " (:run IS NULL OR " alias "run = :run) "

/* Questions that every row of a run has a part in ask the tables below the views, join names to their few groups instead of
 * to every row, and group by tally (tally.c). */
#define ROWS_OF(table, more) \
    " FROM chunk c CROSS JOIN " table " d ON d.id BETWEEN c.first_id AND c.last_id" more \
    " WHERE c.kind = '" table "' AND" OF_RUN("c.")
#define JOIN_HOW " CROSS JOIN how h ON h.id = d.how"
#define JOIN_VCPU " CROSS JOIN vcpu v ON v.id = d.vcpu"
#define LATENCY "CASE WHEN h.latency_apart THEN d.latency_ns ELSE d.waited_ns END"
#define IDLE "32767"

const struct xt_named_query xt_named_queries[] = {
    { "runs", "what the database holds",
      "SELECT run, name, policy, server, scheduler, xen_version, pcpus, round(duration_ns / 1e9, 6) AS duration_s, records,"
      " lost_records, emulated FROM runs WHERE" OF_RUN("") "ORDER BY run" },
    { "policies", "policies side by side: misses, migrations and preemptions per second",
      "SELECT policy, server, runs, round(duration_ns / 1e9, 3) AS duration_s, periods_judged, period_misses,"
      " round(period_miss_ratio, 6) AS period_miss_ratio, jobs, job_misses, round(job_miss_ratio, 6) AS job_miss_ratio,"
      " round(migrations_per_s, 1) AS migrations_per_s, round(preemptions_per_s, 1) AS preemptions_per_s"
      " FROM policy_stats ORDER BY policy, server" },
    { "overheads", "pCPU time that the hypervisor spent per decision and switch, by policy (all runs pooled)",
      "SELECT policy, server, metric, n, min_ns, round(mean_ns, 1) AS mean_ns, p50_ns, p90_ns, p99_ns, p999_ns, max_ns, dropped"
      " FROM policy_metrics WHERE kind = 'overhead' ORDER BY metric, policy, server" },
    { "latencies", "how long VCPUs waited, by policy (all runs pooled)",
      "SELECT policy, server, metric, n, min_ns, round(mean_ns, 1) AS mean_ns, p50_ns, p90_ns, p99_ns, p999_ns, max_ns, dropped"
      " FROM policy_metrics WHERE kind = 'latency' ORDER BY metric, policy, server" },
    { "vcpus", "what each VCPU was promised, and what it got",
      "SELECT r.name AS run, 'd' || v.domid || 'v' || v.vcpu AS vcpu, v.domain, v.period_ns / 1e6 AS period_ms,"
      " v.budget_ns / 1e6 AS budget_ms, round(100.0 * v.running_ns / r.duration_ns, 3) AS running_pct,"
      " round(100.0 * v.runnable_ns / r.duration_ns, 3) AS runnable_pct, v.dispatches, v.preemptions, v.depletions,"
      " v.migrations, v.periods_judged, v.period_misses"
      " FROM vcpu_stats v JOIN runs r USING (run) WHERE" OF_RUN("v.") "ORDER BY v.run, v.domid, v.vcpu" },
    { "busiest", "the VCPUs that ran most",
      "SELECT r.name AS run, 'd' || v.domid || 'v' || v.vcpu AS vcpu, v.domain, v.running_ns,"
      " round(100.0 * v.running_ns / r.duration_ns, 3) AS running_pct, v.dispatches,"
      " v.running_ns / nullif(v.dispatches, 0) AS ns_per_dispatch"
      " FROM vcpu_stats v JOIN runs r USING (run) WHERE" OF_RUN("v.") "ORDER BY v.running_ns DESC LIMIT 20" },
    { "cpu-time", "each domain's CPU time by the trace, and by xl vcpu-list before and after it (which is off by up to 0.1 s a VCPU)",
      "SELECT r.name AS run, v.domid, v.domain, count(*) AS vcpus, round(sum(v.running_ns) / 1e9, 3) AS trace_s,"
      " round(sum(v.cpu_time_after_s - v.cpu_time_before_s), 1) AS xl_s,"
      " round(sum(v.running_ns) / 1e9 - sum(v.cpu_time_after_s - v.cpu_time_before_s), 3) AS difference_s"
      " FROM vcpu_stats v JOIN runs r USING (run) WHERE" OF_RUN("v.") "GROUP BY v.run, v.domid ORDER BY v.run, v.domid" },
    { "pcpu-load", "how busy each pCPU was",
      "SELECT r.name AS run, p.pcpu, p.scheduler, p.cpupool, p.records, p.lost_records,"
      " round(100.0 - 100.0 * p.idle_ns / r.duration_ns, 3) AS busy_or_unknown_pct"
      " FROM pcpus p JOIN runs r USING (run) WHERE" OF_RUN("p.") "ORDER BY p.run, p.pcpu" },
    { "rates", "dispatches, wakeups, preemptions and migrations per second of each run",
      "SELECT r.name AS run, r.policy, round(sum(v.dispatches) * 1e9 / r.duration_ns, 1) AS dispatches_per_s,"
      " round(sum(v.wakeups) * 1e9 / r.duration_ns, 1) AS wakeups_per_s,"
      " round(sum(v.preemptions) * 1e9 / r.duration_ns, 1) AS preemptions_per_s,"
      " round(sum(v.migrations) * 1e9 / r.duration_ns, 1) AS migrations_per_s"
      " FROM vcpu_stats v JOIN runs r USING (run) WHERE" OF_RUN("v.") "GROUP BY r.run ORDER BY r.run" },
    { "misses", "missed server periods, the worst first, each in a line",
      "SELECT r.name AS run, m.short_ns, m.line FROM misses m JOIN runs r USING (run) WHERE m.period IN"
      " (SELECT period FROM misses WHERE" OF_RUN("") "ORDER BY short_ns DESC, run, miss LIMIT 50)"
      " ORDER BY m.short_ns DESC, m.run, m.miss" },
    { "misses-by-vcpu", "missed server periods by VCPU",
      "SELECT r.name AS run, r.policy, 'd' || v.domid || 'v' || v.vcpu AS vcpu, v.domain, v.periods_judged, v.period_misses,"
      " round(100.0 * v.period_misses / v.periods_judged, 3) AS missed_pct"
      " FROM vcpu_stats v JOIN runs r USING (run) WHERE v.periods_judged > 0 AND" OF_RUN("v.")
      "ORDER BY v.run, v.domid, v.vcpu" },
    { "blame", "who held the pCPUs while VCPUs missed their periods",
      "SELECT r.name AS run, 'd' || b.for_domid || 'v' || b.for_vcpu AS missed_by, b.blame,"
      " 'd' || b.domid || 'v' || b.vcpu AS ran, b.domain, count(DISTINCT b.period) AS periods, sum(b.dur_ns) AS dur_ns"
      " FROM blames b JOIN runs r USING (run) WHERE" OF_RUN("b.") "GROUP BY 1, 2, 3, 4 ORDER BY dur_ns DESC LIMIT 50" },
    { "supply", "how much of its budget each server used, over all its judged periods",
      "SELECT r.name AS run, 'd' || v.domid || 'v' || v.vcpu AS vcpu, v.domain, s.reference, t.value ->> 'n' AS periods,"
      " s.budget_ns, t.value ->> 'min' AS min_supplied_ns, (t.value ->> 'sum') / (t.value ->> 'n') AS mean_supplied_ns,"
      " t.value ->> 'max' AS max_supplied_ns, x.value ->> 'sum' AS extratime_ns"
      " FROM (SELECT tally(d.supplied_ns, d.reservation) AS supplied, tally(d.extratime_ns, d.reservation) AS extratime"
      ROWS_OF("period", "") "AND d.missed IS NOT NULL) a, json_each(a.supplied) t"
      " JOIN json_each(a.extratime) x ON x.key = t.key JOIN reservation s ON s.id = t.value ->> 'k1'"
      " JOIN vcpu v ON v.id = s.vcpu JOIN runs r USING (run)"
      " ORDER BY v.run, v.domid, v.vcpu, s.period_ns, s.budget_ns, s.reference" },
    { "worst-wakeups", "the longest waits from wakeup to dispatch",
      "SELECT r.name AS run, 'd' || v.domid || 'v' || v.vcpu AS vcpu, v.domain, l.end_ts - l.ran_ns - l.latency_ns AS ts,"
      " l.latency_ns, l.pcpu"
      " FROM (SELECT d.vcpu, d.end_ts, d.ran_ns, d.pcpu, " LATENCY " AS latency_ns"
      ROWS_OF("dispatch", JOIN_HOW JOIN_VCPU) "AND h.latency = 'wake' AND v.domid <> " IDLE
      " ORDER BY latency_ns DESC LIMIT 20) l JOIN vcpu v ON v.id = l.vcpu JOIN runs r USING (run)"
      " ORDER BY l.latency_ns DESC" },
    { "wakeups-by-vcpu", "wake latency of each VCPU (exact, nearest rank)",
      "SELECT r.name AS run, 'd' || v.domid || 'v' || v.vcpu AS vcpu, v.domain, t.value ->> 'n' AS n,"
      " t.value ->> 'p50' AS p50_ns, t.value ->> 'p99' AS p99_ns, t.value ->> 'max' AS max_ns"
      " FROM (SELECT tally_values(" LATENCY ", d.vcpu) AS waits" ROWS_OF("dispatch", JOIN_HOW) "AND h.latency = 'wake') a,"
      " json_each(a.waits) t JOIN vcpu v ON v.id = t.value ->> 'k1' JOIN runs r USING (run)"
      " WHERE v.domid <> " IDLE " ORDER BY v.run, v.domid, v.vcpu" },
    { "migration-matrix", "how often VCPUs moved from which pCPU to which",
      "SELECT r.name AS run, t.value ->> 'k2' AS from_pcpu, t.value ->> 'k3' AS to_pcpu, t.value ->> 'n' AS migrations,"
      " t.value ->> 'distinct' AS vcpus"
      " FROM (SELECT tally_values(d.vcpu, c.run, d.from_pcpu, d.pcpu) AS moves" ROWS_OF("dispatch", JOIN_HOW)
      "AND h.migrated) a, json_each(a.moves) t JOIN runs r ON r.run = t.value ->> 'k1' ORDER BY r.run, 2, 3" },
    { "preempted-by", "who preempted whom, and how often",
      "SELECT r.name AS run, 'd' || v.domid || 'v' || v.vcpu AS vcpu, v.domain, 'd' || b.domid || 'v' || b.vcpu AS by,"
      " b.domain AS by_domain, h.end_reason AS reason, sum(p.n) AS preemptions"
      " FROM (SELECT d.vcpu, d.next, d.how, count(*) AS n" ROWS_OF("dispatch", JOIN_HOW)
      "AND h.end_kind = 'preemption' GROUP BY d.vcpu, d.next, d.how) p"
      " JOIN how h ON h.id = p.how JOIN vcpu v ON v.id = p.vcpu LEFT JOIN vcpu b ON b.id = p.next JOIN runs r ON r.run = v.run"
      " GROUP BY v.run, v.domid, v.vcpu, b.domid, b.vcpu, h.end_reason ORDER BY v.run, preemptions DESC LIMIT 100" },
    { "why-stopped", "why VCPUs stopped running",
      "SELECT r.name AS run, h.end_reason AS reason, h.end_kind AS counts_as, sum(t.value ->> 'n') AS n,"
      " sum(t.value ->> 'sum') / sum(t.value ->> 'n') AS mean_ran_ns"
      " FROM (SELECT tally(d.ran_ns, c.run, d.how) AS stops"
      ROWS_OF("dispatch", JOIN_VCPU) "AND v.domid <> " IDLE ") a, json_each(a.stops) t"
      " JOIN how h ON h.id = t.value ->> 'k2' JOIN runs r ON r.run = t.value ->> 'k1'"
      " WHERE NOT h.no_dispatch GROUP BY r.run, 2, 3 ORDER BY r.run, n DESC" },
    { "decisions", "scheduling decisions by pCPU and kind, with exact quantiles of their duration",
      "SELECT r.name AS run, t.value ->> 'k2' AS pcpu, CASE t.value ->> 'k3' WHEN 1 THEN 'switch' ELSE 'continue' END AS kind,"
      " t.value ->> 'n' AS n, t.value ->> 'count' AS sampled, t.value ->> 'p50' AS p50_ns, t.value ->> 'p99' AS p99_ns,"
      " t.value ->> 'max' AS max_ns"
      " FROM (SELECT tally_values(dur_ns, run, pcpu, switches) AS durations FROM"
      " (SELECT c.run, d.pcpu, 1 AS switches, d.decision_ns AS dur_ns" ROWS_OF("dispatch", JOIN_HOW) "AND NOT h.no_dispatch"
      " UNION ALL SELECT c.run, d.pcpu, h.no_dispatch, d.dur_ns" ROWS_OF("decision", JOIN_HOW) ")) a,"
      " json_each(a.durations) t JOIN runs r ON r.run = t.value ->> 'k1' ORDER BY r.run, 2, kind" },
    { "jobs", "jobs inside guests, by task",
      "SELECT r.name AS run, r.policy, j.domain, j.task, round(j.period_ns / 1e6, 3) AS period_ms, j.jobs, j.misses,"
      " round(100.0 * j.miss_ratio, 3) AS missed_pct, j.max_response_ns, j.max_lateness_ns, j.max_tardiness_ns"
      " FROM job_stats j JOIN runs r USING (run) WHERE" OF_RUN("j.") "ORDER BY j.run, j.domain, j.task" },
    { "job-misses", "jobs that missed their deadline, the latest first",
      "SELECT r.name AS run, r.policy, j.domain, j.task, j.job, j.release, j.deadline, j.completion, j.lateness_ns,"
      " j.cause, j.supplied_ns, j.waited_ns, j.periods_judged, j.period_misses"
      " FROM job_misses j JOIN runs r USING (run) WHERE" OF_RUN("j.") "ORDER BY j.lateness_ns DESC LIMIT 50" },
    { "guests", "guests that logged jobs, and how well their clocks fit the run",
      "SELECT r.name AS run, g.domain, g.clock, g.marks, round(100 * g.share, 2) AS share_percent,"
      " round(100 * g.chance, 2) AS chance_percent, g.offset_ns, g.offset_error_ns, g.wander_ns, g.evidence, g.why"
      " FROM guests g JOIN runs r USING (run) WHERE" OF_RUN("g.") "ORDER BY g.run, g.domain" },
    { "rules", "conformance: how each rule fared",
      "SELECT r.name AS run, x.rule, x.checked, x.broken, x.worst, x.limit_value AS allowed, x.unit, x.meaning"
      " FROM rules x JOIN runs r USING (run) WHERE" OF_RUN("x.") "ORDER BY x.run, x.rule" },
    { "violations", "conformance: what broke a rule, the worst first",
      "SELECT r.name AS run, x.rule, 'd' || x.domid || 'v' || x.vcpu AS vcpu, x.domain, x.ts, x.dur, x.pcpu,"
      " 'd' || x.by_domid || 'v' || x.by_vcpu AS by, x.value, x.limit_value AS allowed, x.unit"
      " FROM violations x JOIN runs r USING (run) WHERE" OF_RUN("x.")
      "ORDER BY CAST(x.value AS REAL) / nullif(x.limit_value, 0) DESC LIMIT 50" },
    { "servers", "what kind of server each VCPU is, told from what becomes of its budget",
      "SELECT r.name AS run, 'd' || s.domid || 'v' || s.vcpu AS vcpu, s.domain, s.kind, s.kept, s.fell, s.in_step,"
      " s.out_of_step FROM servers s JOIN runs r USING (run) WHERE" OF_RUN("s.") "ORDER BY s.run, s.domid, s.vcpu" },
    { "lost", "lost records: where the trace is blind",
      "SELECT r.name AS run, l.pcpu, count(*) AS windows, sum(l.lost_records) AS lost_records, sum(l.dur) AS blind_ns,"
      " max(l.dur) AS longest_ns FROM losses l JOIN runs r USING (run) WHERE" OF_RUN("l.")
      "GROUP BY l.run, l.pcpu ORDER BY l.run, l.pcpu" },
    { "time-base", "where each run's times come from, and how good they are",
      "SELECT name AS run, tsc_hz, tsc_hz_source, round(tsc_hz_error_ppm, 3) AS error_ppm, round(trace_hz, 1) AS trace_hz,"
      " round(trace_hz_error_ppm, 3) AS trace_error_ppm, round(xl_info_hz, 1) AS xl_info_hz, now_offset_ns,"
      " now_residual_ns, now_reference_pcpu, tsc_steps_back FROM runs WHERE" OF_RUN("") "ORDER BY run" },
    { "doubts", "what was wrong or strange in each run",
      "SELECT r.name AS run, r.lost_records, r.unknown_records, r.malformed_records, r.tsc_steps_back, r.truncated_bytes,"
      " r.core_scheduling, (SELECT sum(inconsistencies) FROM vcpu_stats v WHERE v.run = r.run) AS inconsistencies,"
      " (SELECT sum(no_burn) FROM vcpu_stats v WHERE v.run = r.run) AS no_burn, r.policy_why, r.notes"
      " FROM runs r WHERE" OF_RUN("r.") "ORDER BY r.run" },
    { "provenance", "what each run was made from, by what and when",
      "SELECT name AS run, path, hash, imported, tool_version, xen_version, generation, policy, policy_why FROM runs"
      " WHERE" OF_RUN("") "ORDER BY run" },
    { NULL, NULL, NULL },
};
