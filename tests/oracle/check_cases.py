#!/usr/bin/env python3
"""xentrail against the cases worked out by hand (cases/), and against all that the oracle says of them. TAP.

    check_cases.py XENTRAIL XT-INTERVALS
"""
import glob
import json
import os
import subprocess
import sys

import compare
import mktrace
import selftest
import xtoracle as xo

HERE = os.path.dirname(os.path.abspath(__file__))
HZ = 1_000_000_000
RENAMED = {"core_sched": "core_scheduling"}
# What only the oracle tells: choices between readings, and how it got there.
NOT_TOLD = {"run": {"end_tsc", "truncated", "vd_packing", "lost_windows"},
            "vcpu": {"yields_same_decision", "migrations_across_loss", "extratime_preemptions", "wake_latency", "server_source",
                     "wake_dropped_lost", "pcpu_mismatches"}}


def figures(want, row, where, not_told):
    bad = []
    for key, value in want.items():
        if key in not_told:
            continue
        if key in ("start_tsc", "duration_ns", "records") or RENAMED.get(key, key) in row:
            bad += compare.differ(where, key, row.get(RENAMED.get(key, key)), value)
        else:
            bad.append(f"{where}: xentrail does not tell {key}")
    return bad


def by_hand(want, told):
    run, vcpus, metrics = told
    bad = figures(want.get("run", {}), run, "run", NOT_TOLD["run"])
    for name, row in want.get("vcpus", {}).items():
        key = tuple(int(x) for x in name.removeprefix("d").split("v"))
        if key in vcpus:
            bad += figures(row, vcpus[key], name, NOT_TOLD["vcpu"])
        else:
            bad.append(f"{name}: xentrail lacks it")
    for kind, d in (want.get("decisions") or {}).items():
        bad += spread(d, "decision_" + kind, metrics)
    return bad + spread(want.get("context_switches") or {}, "context_switch", metrics)


def spread(want, metric, metrics):
    if not isinstance(want, dict):
        return []
    row = metrics.get(metric) or {"n": 0}
    bad = []
    for key in want.keys() & {"n", "min", "max", "p50", "p90"}:
        bad += compare.differ(metric, key, row.get(key if key == "n" else key + "_ns"), want[key])
    if "sum" in want and row["n"]:
        bad += compare.differ(metric, "sum", round(row["mean_ns"] * row["n"]), want["sum"])
    return bad


def violations(want, xentrail, path):
    """What `xentrail check` accuses anybody of, where a case says it: all of that, and nothing else."""
    if "violations" not in want:
        return []
    done = subprocess.run([xentrail, "check", path, "--json", "--tsc-hz", str(HZ)], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        return [f"check: status {done.returncode}: {done.stderr.strip()}"]
    got = json.loads(done.stdout)["violations"]
    bad = compare.differ("check", "violations", len(got), len(want["violations"]))
    for x, y in zip(got, want["violations"]):
        for key in y:
            bad += compare.differ(y["rule"], key, x[key], y[key])
    return bad


def blames(want, helper, path, tolerance):
    """Who made the missed periods of a VCPU wait, where a case says it: deadline, overload, inversion, latency, unknown."""
    if "blames" not in want:
        return []
    periods = compare.timelines(helper, path, HZ, tolerance)[1]
    missed = {compare.vcpu_name(key): [",".join([p[1], *p[6:]]) for p in rows if p[4] == "1"] for key, rows in periods.items()}
    return [line for name, rows in want["blames"].items() for line in compare.differ(name, "blames", missed.get(name), rows)]


def options_of(servers, tolerance):
    out = ["--tolerance", f"{tolerance}ns"]
    for (dom, num), (period, budget) in servers.items():
        out += ["--reservation", f"d{dom}v{num}={period}/{budget}"]
    return out


def main(xentrail, helper):
    tap = compare.Tap()
    texts = {}
    for path in sorted(glob.glob(os.path.join(HERE, "cases", "*.txt"))):
        with open(path, encoding="utf-8") as f:
            texts[os.path.basename(path).removesuffix(".txt")] = f.read()

    def told(name):
        with compare.trace_file(mktrace.assemble(texts[name])) as trace:
            return compare.stats(xentrail, trace, "--tsc-hz", str(HZ), *options_of(*selftest.options(texts[name])))

    for name, text in texts.items():
        with open(os.path.join(HERE, "cases", name + ".expect.json"), encoding="utf-8") as f:
            want = json.load(f)
        data = mktrace.assemble(text)
        a = xo.Analysis(data, HZ, *selftest.options(text))
        with compare.trace_file(data) as trace:
            tap.case(name, by_hand(want, told(name)) + blames(want, helper, trace, a.tolerance) +
                     violations(want, xentrail, trace))
            tap.case(f"{name}, oracle", compare.against_oracle(xentrail, helper, trace, a, *options_of(*selftest.options(text))))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
