"""What `xentrail stats --json` says of a trace, held against the oracle, figures found by hand and a generator's ledger."""
import bisect
import json
import math
import os
import subprocess
import tempfile
from contextlib import contextmanager

import xtoracle as xo

PERIOD_KEYS = ("periods", "periods_judged", "period_misses")
VCPU_KEYS = ("running_ns", "runnable_ns", "blocked_ns", "offline_ns", "unknown_ns", "dispatches", "wakeups", "preemptions",
             "depletions", "yields", "migrations", "no_burn", "inconsistencies", "replenishments", *PERIOD_KEYS)
QUANTILES = (("p50_ns", 1, 2), ("p90_ns", 9, 10), ("p99_ns", 99, 100), ("p999_ns", 999, 1000))


class Failed(Exception):
    """xentrail or one of its helpers did not do what it was asked for."""


def run(*args):
    done = subprocess.run(args, capture_output=True, text=True, errors="replace", timeout=300)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, args))}: status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def stats(xentrail, path, *options):
    """-> (run, {(domid, vcpu): row}, {metric: row}) as xentrail tells them."""
    out = json.loads(run(xentrail, "stats", path, "--json", *options))
    return (out["run"][0], {(v["domid"], v["vcpu"]): v for v in out["vcpus"]},
            {m["metric"]: m for m in out["overhead"] + out["latency"]})


@contextmanager
def trace_file(data):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.xen")
        with open(path, "wb") as f:
            f.write(data)
        yield path


def trace_of(folder):
    """The trace inside a recording's folder."""
    for name in ("trace.xen", "trace.xen.zst"):
        if os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    raise Failed(f"{folder}: no trace in it")


def vcpu_name(key):
    return f"d{key[0]}v{key[1]}"


def differ(where, key, ours, theirs):
    return [] if ours == theirs else [f"{where}: {key}: xentrail {ours!r}, expected {theirs!r}"]


def run_differences(ours, a):
    """Of the run as a whole, against an xtoracle.Analysis."""
    bad = []
    for key, expected in (("records", len(a.stream)), ("lost_records", a.lost_records), ("pcpus", len(a.per_pcpu)),
                          ("duration_ns", a.ns(a.end)), ("core_scheduling", a.core_sched)):
        bad += differ("run", key, ours[key], expected)
    # tables hold signed numbers, as databases do
    return bad + differ("run", "start_tsc", ours["start_tsc"] % (1 << 64), a.start)


def vcpu_differences(ours, a, keys):
    bad = []
    expected = {v.id: xo.vcpu_row(a, v) for v in a.vcpus.values() if v.changes and v.id[0] != xo.IDLE}
    for key in sorted(ours.keys() ^ expected.keys()):
        bad.append(f"{vcpu_name(key)}: {'only xentrail has it' if key in ours else 'xentrail lacks it'}")
    for key in sorted(ours.keys() & expected.keys()):
        for name in keys:
            # Without the records of a decision the oracle never calls it RTDS's; xentrail goes by the pCPU's other records.
            if name == "no_burn" and not any(d["count"] for d in a.decisions.values()):
                continue
            bad += differ(vcpu_name(key), name, ours[key][name], expected[key][name])
    return bad


def spread_differences(metric, row, samples, dropped=None):
    """One distribution: count, extremes, mean, nearest-rank quantiles."""
    if row is None:
        none = not samples and not dropped
        return [] if none else [f"{metric}: xentrail lacks it, expected {len(samples)} samples, {dropped or 0} dropped"]
    s = sorted(samples)
    bad = differ(metric, "n", row["n"], len(s))
    if dropped is not None:
        bad += differ(metric, "dropped", row["dropped"], dropped)
    if bad or not s:
        return bad
    bad += differ(metric, "min_ns", row["min_ns"], s[0]) + differ(metric, "max_ns", row["max_ns"], s[-1])
    if not math.isclose(row["mean_ns"], sum(s) / len(s), rel_tol=1e-12):
        bad += differ(metric, "mean_ns", row["mean_ns"], sum(s) / len(s))
    for name, num, den in QUANTILES:
        bad += differ(metric, name, row[name], xo.quantile(s, num, den))
    return bad


def overhead_differences(metrics, a):
    if a.core_sched:
        return [f"{name}: samples in spite of core scheduling" for name, row in metrics.items()
                if name.startswith(("decision", "context")) and row["n"]]
    bad, samples, no_burn, counted = [], [], [], 0
    for kind in ("switch", "continue"):
        d = a.decisions[kind]
        bad += spread_differences("decision_" + kind, metrics.get("decision_" + kind), d["samples"])
        samples += d["samples"]
        no_burn += d["no_burn"]
        counted += d["count"]
    bad += spread_differences("decision", metrics.get("decision"), samples)
    bad += spread_differences("decision_no_burn", metrics.get("decision_no_burn"), no_burn)
    told = sum(metrics[m]["n"] + metrics[m]["dropped"] for m in ("decision", "decision_no_burn") if m in metrics)
    bad += differ("decision", "samples and drops", told, counted)
    c = a.context
    return bad + spread_differences("context_switch", metrics.get("context_switch"), c["samples"],
                                    c["no_change"] + c["dropped_lost"])


def waits(a, v):
    """Latencies of one VCPU as item 5 of the design says: {metric: ([ns], dropped)}.

    A wait begins with a wake-up, a preemption or, after a depletion, with the replenishment. It ends with the next dispatch,
    and is given up when another change shows that the VCPU has run or blocked meanwhile, unseen. A sample that lost records
    touch is dropped."""
    out = {kind: [[], 0] for kind in ("wake_latency", "preempt_latency", "replenish_latency")}
    refills = [r[0] for r in v.replenishments]
    kind = since = None
    for c in v.changes:
        if kind and c.new == xo.RUNNING and c.old != xo.BLOCKED:
            eligible = since
            if kind == "replenish_latency":
                i = bisect.bisect_left(refills, since)
                eligible = refills[i] if i < len(refills) and refills[i] <= c.tsc else None
            if xo.span_of(a.windows, None, since, c.tsc):
                out[kind][1] += 1
            elif eligible is not None:
                out[kind][0].append(a.ns(c.tsc) - a.ns(eligible))
        if (c.old, c.new) == (xo.BLOCKED, xo.RUNNABLE):
            kind, since = "wake_latency", c.tsc
        elif (c.old, c.new) == (xo.RUNNING, xo.RUNNABLE):
            kind = {"yield": None, "depletion": "replenish_latency"}.get(c.kind, "preempt_latency")
            since = c.tsc
        elif xo.RUNNING in (c.old, c.new) or xo.BLOCKED in (c.old, c.new):
            kind = None
    return out


def latency_differences(metrics, a):
    shown = [v for v in a.vcpus.values() if v.changes and v.id[0] != xo.IDLE]
    every, bad = [waits(a, v) for v in shown], []
    for name in ("wake_latency", "preempt_latency", "replenish_latency"):
        bad += spread_differences(name, metrics.get(name), [x for w in every for x in w[name][0]],
                                  sum(w[name][1] for w in every))
    if any(v.count["inconsistencies"] for v in shown):
        return bad # where clocks disagree, what follows a wake-up may stand before it
    theirs = [x for v in shown for x in v.wake_latency]
    return bad + spread_differences("wake_latency", metrics.get("wake_latency"), theirs)


def timelines(helper, path, hz, tolerance_ns):
    """-> ({VCPU: [interval]}, {VCPU: [period]}) of xt-intervals, without their first three columns."""
    out = {"interval": {}, "period": {}}
    for line in run(helper, path, str(hz), str(tolerance_ns)).splitlines():
        kind, dom, num, *rest = line.split(",")
        out[kind].setdefault((int(dom), int(num)), []).append(rest)
    return out["interval"], out["period"]


def list_differences(what, ours, expected):
    bad = []
    for key in sorted(ours.keys() | expected.keys()):
        for i, (x, y) in enumerate(zip(ours.get(key, []), expected.get(key, []))):
            if x != y:
                bad.append(f"{vcpu_name(key)}: {what} {i}: xentrail {','.join(x)}, expected {','.join(y)}")
                break
        else:
            bad += differ(vcpu_name(key), what + "s", len(ours.get(key, [])), len(expected.get(key, [])))
    return bad


def interval_differences(ours, a):
    """Every interval of every VCPU, idle included; empty ones are left out on both sides. Whether unknown time at an end of
    the run is `open`, too, the design leaves to each."""
    expected = {}
    for key, v in a.vcpus.items():
        for line in xo.interval_lines(a, v) if v.changes else ():
            _, _, ts, dur, state, pcpu, flags = line.split(",")
            if dur != "0":
                is_open = "open" in flags.split() and state != "unknown"
                expected.setdefault(key, []).append([ts, dur, state, pcpu, "open" if is_open else ""])
    ours = {k: [[*i[:4], i[4] if i[2] != "unknown" else ""] for i in rows] for k, rows in ours.items()}
    return list_differences("interval", ours, expected)


def period_differences(ours, a):
    """release, deadline, budget, judged, missed and, if judged, time run of every period."""
    expected = {}
    for v in a.vcpus.values():
        for p in v.periods if v.changes else ():
            expected.setdefault(v.id, []).append([str(p[k]) for k in (
                "release", "deadline", "budget_ns", "judged", "missed", "run_ns")])
    ours = {k: sorted(([*p[:5], p[5] if p[3] == "1" else ""] for p in rows), key=lambda p: int(p[1]))
            for k, rows in ours.items() if k in a.vcpus and a.vcpus[k].changes}
    return list_differences("period", ours, expected)


def against_oracle(xentrail, helper, path, a, *options, keys=VCPU_KEYS):
    """Everything that both tell of the trace at path, at the frequency of the analysis."""
    r, vcpus, metrics = stats(xentrail, path, "--tsc-hz", str(a.hz), *options)
    intervals, periods = timelines(helper, path, a.hz, a.tolerance)
    bad = (run_differences(r, a) + vcpu_differences(vcpus, a, keys) + overhead_differences(metrics, a) +
           latency_differences(metrics, a) + interval_differences(intervals, a))
    return bad + period_differences(periods, a) if set(PERIOD_KEYS) <= set(keys) else bad


class Tap:
    """Test Anything Protocol: one line a case."""

    def __init__(self):
        self.n = self.failed = 0

    def case(self, name, problems):
        self.n += 1
        self.failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {self.n} - {name}")
        for p in problems[:20]:
            print("#  ", p)
        if len(problems) > 20:
            print(f"#   and {len(problems) - 20} more")

    def skip(self, name, why):
        self.n += 1
        print(f"ok {self.n} - {name} # SKIP {why}")

    def done(self):
        print(f"1..{self.n}")
        return 1 if self.failed else 0
