/* Questions that people ask first, by name. `xentrail query --list` prints this table. */
#include "db/query.h"

#define OF_RUN(alias) " (:run IS NULL OR " alias "run = :run) "

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
      "SELECT r.name AS run, 'd' || p.domid || 'v' || p.vcpu AS vcpu, p.domain, p.reference, count(*) AS periods,"
      " p.budget_ns, min(p.supplied_ns) AS min_supplied_ns, CAST(avg(p.supplied_ns) AS INTEGER) AS mean_supplied_ns,"
      " max(p.supplied_ns) AS max_supplied_ns, sum(p.extratime_ns) AS extratime_ns"
      " FROM periods p JOIN runs r USING (run) WHERE p.missed IS NOT NULL AND" OF_RUN("p.")
      "GROUP BY p.run, p.domid, p.vcpu, p.period_ns, p.budget_ns, p.reference ORDER BY p.run, p.domid, p.vcpu" },
    { "worst-wakeups", "the longest waits from wakeup to dispatch",
      "SELECT r.name AS run, 'd' || l.domid || 'v' || l.vcpu AS vcpu, l.domain, l.ts, l.latency_ns, l.pcpu"
      " FROM latencies l JOIN runs r USING (run) WHERE l.metric = 'wake_latency' AND l.domid <> 32767 AND" OF_RUN("l.")
      "ORDER BY l.latency_ns DESC LIMIT 20" },
    { "wakeups-by-vcpu", "wake latency of each VCPU (exact, nearest rank)",
      "SELECT r.name AS run, 'd' || l.domid || 'v' || l.vcpu AS vcpu, l.domain, count(*) AS n,"
      " quantile(l.latency_ns, 0.5) AS p50_ns, quantile(l.latency_ns, 0.99) AS p99_ns, max(l.latency_ns) AS max_ns"
      " FROM latencies l JOIN runs r USING (run) WHERE l.metric = 'wake_latency' AND l.domid <> 32767 AND" OF_RUN("l.")
      "GROUP BY l.run, l.domid, l.vcpu ORDER BY l.run, l.domid, l.vcpu" },
    { "migration-matrix", "how often VCPUs moved from which pCPU to which",
      "SELECT r.name AS run, m.from_pcpu, m.to_pcpu, count(*) AS migrations, count(DISTINCT m.domid * 65536 + m.vcpu)"
      " AS vcpus FROM migrations m JOIN runs r USING (run) WHERE" OF_RUN("m.")
      "GROUP BY m.run, m.from_pcpu, m.to_pcpu ORDER BY m.run, m.from_pcpu, m.to_pcpu" },
    { "preempted-by", "who preempted whom, and how often",
      "SELECT r.name AS run, 'd' || p.domid || 'v' || p.vcpu AS vcpu, p.domain, 'd' || p.by_domid || 'v' || p.by_vcpu AS by,"
      " p.by_domain, p.reason, count(*) AS preemptions"
      " FROM preemptions p JOIN runs r USING (run) WHERE" OF_RUN("p.")
      "GROUP BY p.run, p.domid, p.vcpu, p.by_domid, p.by_vcpu, p.reason ORDER BY p.run, preemptions DESC LIMIT 100" },
    { "why-stopped", "why VCPUs stopped running",
      "SELECT r.name AS run, d.end_reason AS reason, d.end_kind AS counts_as, count(*) AS n,"
      " CAST(avg(d.ran_ns) AS INTEGER) AS mean_ran_ns"
      " FROM dispatches d JOIN runs r USING (run) WHERE d.domid <> 32767 AND" OF_RUN("d.")
      "GROUP BY d.run, 2, 3 ORDER BY d.run, n DESC" },
    { "decisions", "scheduling decisions by pCPU and kind, with exact quantiles of their duration",
      "SELECT r.name AS run, d.pcpu, d.kind, count(*) AS n, count(d.dur_ns) AS sampled,"
      " quantile(d.dur_ns, 0.5) AS p50_ns, quantile(d.dur_ns, 0.99) AS p99_ns, max(d.dur_ns) AS max_ns"
      " FROM decisions d JOIN runs r USING (run) WHERE" OF_RUN("d.") "GROUP BY d.run, d.pcpu, d.kind"
      " ORDER BY d.run, d.pcpu, d.kind" },
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
