#!/usr/bin/env python3
"""xentrail against the generator's ledger and the oracle, on synthetic traces. TAP.

    check_synth.py XENTRAIL XT-INTERVALS XT-SYNTH [SEEDS [RANDOM]]

SEEDS: how many seeds of each kind below (default 1); RANDOM: how many systems drawn at random besides (default 6).

Three programs that share no code: what two of them agree on against the third is the third's mistake, or the design's.
"""
import csv
import itertools
import json
import os
import random
import sys
import tempfile

import compare
import xtoracle as xo

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "synth"))
import sweep

LEDGER = {"yields": "yield_switches"} # what the ledger calls otherwise
# The ledger counts no contradictions: there are none unless clocks differ.
VCPU_KEYS = [k for k in compare.VCPU_KEYS if k != "inconsistencies"]
HZ_PPM = 20
KINDS = (
    # name, options; each with --policy and --xen as it says
    *((f"{p} {x}", ["--policy", p, "--xen", x]) for p, x in itertools.product(
        ("gedf", "pedf"), ("4.5", "4.7", "4.9", "4.17", "4.18"))),
    *((f"{p} {x}", ["--policy", p, "--xen", x]) for p, x in itertools.product(
        ("dm", "credit"), ("4.7", "4.17", "4.18"))),
    *((f"credit2 {x}", ["--policy", "credit2", "--xen", x]) for x in ("4.17", "4.18")),
    ("null", ["--policy", "null", "--xen", "4.17", "--pcpus", "8", "--vcpus", "6"]),
    ("gedf periodic server", ["--policy", "gedf", "--server", "periodic"]),
    ("gedf polling server", ["--policy", "gedf", "--server", "polling"]),
    ("gedf extratime, hogs", ["--policy", "gedf", "--extratime", "0.5", "--hogs", "0.5", "--util", "0.9"]),
    ("gedf overload", ["--policy", "gedf", "--util", "1.2", "--load", "1.5"]),
    ("gedf yields", ["--policy", "gedf", "--yields", "200"]),
    ("gedf two pools", ["--policy", "gedf", "--pools", "2"]),
    ("credit caps, weights", ["--policy", "credit", "--caps", "20,0,50", "--weights", "256,512,64", "--hogs", "0.5"]),
    ("credit2 yields", ["--policy", "credit2", "--yields", "100"]),
    ("many pCPUs", ["--policy", "gedf", "--pcpus", "24", "--vcpus", "60"]),
    ("one pCPU", ["--policy", "gedf", "--pcpus", "1", "--vcpus", "5"]),
    ("tiny rings", ["--policy", "gedf", "--ring-pages", "1", "--poll-ms", "5"]),
    ("overflowing rings", ["--policy", "gedf", "--ring-pages", "1", "--poll-ms", "400", "--pcpus", "8", "--vcpus", "24"]),
    ("lost, gedf", ["--policy", "gedf", "--lost", "6"]),
    ("lost, pedf", ["--policy", "pedf", "--lost", "6"]),
    ("lost, credit", ["--policy", "credit", "--lost", "6"]),
    ("lost, credit2", ["--policy", "credit2", "--lost", "6"]),
    ("lost, 4.5", ["--policy", "gedf", "--xen", "4.5", "--lost", "6"]),
    ("inversion, overrun", ["--policy", "gedf", "--fault", "inversion:3", "--fault", "overrun:2"]),
    ("dropped replenishment, unpinned", ["--policy", "pedf", "--fault", "dropped-replenish:2", "--fault", "unpinned:2"]),
    ("lifecycle, pins that change", ["--policy", "gedf", "--lifecycle", "3", "--repin", "4"]),
    ("credit, lifecycle", ["--policy", "credit", "--lifecycle", "3"]),
    ("slow counter", ["--policy", "gedf", "--tsc-hz", "62500000"]),
    ("fast counter", ["--policy", "credit", "--tsc-hz", "5000000000"]),
)


def ledger_differences(ledger, run, vcpus):
    bad = []
    for key in ("records", "lost_records", "duration_ns", "start_tsc", "pcpus"):
        bad += compare.differ("run, ledger", key, run[key] % (1 << 64), ledger["run"][key])
    expected = {(v["domid"], v["vcpu"]): v for v in ledger["vcpu"]}
    for key, row in sorted(vcpus.items()):
        for name in VCPU_KEYS:
            bad += compare.differ(f"{compare.vcpu_name(key)}, ledger", name, row[name], expected[key][LEDGER.get(name, name)])
    for key in expected.keys() - vcpus.keys():
        if expected[key]["dispatches"] or expected[key]["wakeups"]:
            bad.append(f"{compare.vcpu_name(key)}: the ledger has it, xentrail does not")
    return bad


def interval_differences(folder, intervals):
    """The ledger's intervals against those of xt-intervals."""
    expected = {}
    with open(os.path.join(folder, "ledger-intervals.csv"), encoding="utf-8") as f:
        for r in csv.DictReader(f):
            if r["dur"] != "0":
                expected.setdefault((int(r["domid"]), int(r["vcpu"])), []).append([r["ts"], r["dur"], r["state"], r["pcpu"]])
    for rows in expected.values():
        rows.sort(key=lambda row: int(row[0]))
    ours = {key: [row[:4] for row in rows] for key, rows in intervals.items()}
    return compare.list_differences("interval, ledger", ours, {k: rows for k, rows in expected.items() if k in ours})


def check(tools, options, seed, folder):
    xentrail, helper, synth = tools
    compare.run(synth, *options, "--seconds", "0.4", "--seed", str(seed), "-o", folder)
    with open(os.path.join(folder, "ledger.json"), encoding="utf-8") as f:
        ledger = json.load(f)
    trace = os.path.join(folder, "trace.xen")
    hz = ledger["run"]["hz"]
    servers = {(v["domid"], v["vcpu"]): (v["period_ns"], v["budget_ns"]) for v in ledger["vcpu"]}
    a = xo.Analysis(xo.load(trace), hz, servers if ledger["run"]["scheduler"] == "rtds" else None)
    bad = compare.against_oracle(xentrail, helper, folder, a)
    run, vcpus, _ = compare.stats(xentrail, folder, "--tsc-hz", str(hz))
    bad += ledger_differences(ledger, run, vcpus)
    bad += interval_differences(folder, compare.timelines(helper, trace, hz, xo.TOLERANCE_NS)[0])
    measured = compare.stats(xentrail, trace)[0]["trace_hz"]
    ppm = (measured / hz - 1) * 1e6
    if abs(ppm) > HZ_PPM:
        bad.append(f"the trace's frequency is {measured:.0f} Hz, made at {hz} Hz: {ppm:+.1f} ppm")
    return bad


def systems(seeds, n_random):
    for seed, (name, options) in itertools.product(range(1, seeds + 1), KINDS):
        yield name, options, seed
    for seed in range(1, n_random + 1):
        options = sweep.draw(random.Random(seed), seed)
        yield " ".join(options), options, seed


def main(xentrail, helper, synth, seeds="1", n_random="6"):
    tap = compare.Tap()
    for name, options, seed in systems(int(seeds), int(n_random)):
        with tempfile.TemporaryDirectory() as folder:
            try:
                problems = check((xentrail, helper, synth), options, seed, os.path.join(folder, "made"))
            except compare.Failed as e:
                problems = [str(e)]
            tap.case(f"{name}, seed {seed}", problems)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
