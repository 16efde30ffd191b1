#!/usr/bin/env python3
"""TSC skew between pCPUs, against xt-synth's ledger, whose instants are those of right TSCs. TAP.

    skew.py XENTRAIL XT-INTERVALS XT-SYNTH [SEEDS]

Corrected means: no contradiction is left, every count is the ledger's, the true offset of every pCPU lies in the range that
was stated, and no interval begins farther from the truth than that range allows. What is not corrected must be said."""
import csv
import json
import os
import struct
import subprocess
import sys
import tempfile
from random import Random

COUNTS = ("dispatches", "wakeups", "preemptions", "depletions", "migrations", "replenishments")
# policy, how many pCPUs, fault's US
CASES = [(p, n, us) for p in ("gedf", "pedf", "credit", "credit2", "null") for n, us in ((1, 3), (1, 40), (3, 10))]
# a VCPU does several things meanwhile
CASES += [("credit", 2, 200), ("gedf", 1, 400), ("gedf", 1, 100000), ("gedf", 3, 2000), ("credit", 2, 30000), ("credit2", 1, 1e8)]

# Seeds with which a change late in its VCPU's life was once taken for one before its first, so that too little was corrected.
MORE = [(60, "null", 1, 3), (60, "null", 3, 10), (61, "pedf", 3, 10), (60, "credit2", 1, 1e8)]
DROPPED = 0.01  # of the runstate changes of a trace whose TSCs are right


def rows(folder, name):
    with open(os.path.join(folder, name)) as f:
        return list(csv.DictReader(f))


def run(*command):
    p = subprocess.run(command, capture_output=True, text=True)
    if p.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {p.returncode}: {p.stderr.strip()[-300:]}")
    return p.stdout, p.stderr


def true_offsets(folder):
    return {int(f["pcpu"]): -int(f["amount"]) for f in rows(folder, "ledger-faults.csv") if f["kind"] == "tsc-skew"}


def check_ranges(pcpus, reference, true, wrong):
    """How far off the offsets may be, all in all."""
    slack = 0
    for p in pcpus:
        should = true.get(p["pcpu"], 0) - true.get(reference, 0)
        slack = max(slack, abs(p["tsc_offset_ns"] - should))
        low, high = (p[f"tsc_offset_{end}_ns"] for end in ("min", "max"))
        low, high = -1e18 if low is None else low, 1e18 if high is None else high
        if not low - 1 <= should <= high + 1:
            wrong.append(f"pCPU {p['pcpu']}: {low} to {high} ns are said to be proven, {should} is true")
        if not low <= p["tsc_offset_ns"] <= high:
            wrong.append(f"pCPU {p['pcpu']}: corrected by {p['tsc_offset_ns']}, out of {low} to {high}")
    return slack


def check_counts(vcpus, ledger, wrong):
    theirs = {(v["domid"], v["vcpu"]): v for v in vcpus}
    for v in ledger["vcpu"]:
        t = theirs.get((v["domid"], v["vcpu"]))
        if t is None:  # never changed its state
            continue
        if t["inconsistencies"]:
            wrong.append(f"d{v['domid']}v{v['vcpu']}: {t['inconsistencies']} inconsistencies left")
        for key in COUNTS:
            if t[key] != v[key]:
                wrong.append(f"d{v['domid']}v{v['vcpu']}.{key}: {t[key]}, true {v[key]}")


def check_intervals(intervals, folder, hz, slack, wrong):
    """Instants of the ledger are from the true first record, ours from the one that is first with our offsets."""
    ours = {}
    for line in run(intervals, folder, str(hz))[0].splitlines():
        kind, *f = line.split(",")
        if kind == "interval" and f[3] != "0":
            ours.setdefault((f[0], f[1]), []).append((int(f[2]), f[4]))
    theirs = {}
    for r in rows(folder, "ledger-intervals.csv"):
        if r["domid"] != "32767" and r["dur"] != "0":  # only its own pCPU writes of an idle VCPU
            theirs.setdefault((r["domid"], r["vcpu"]), []).append((int(r["ts"]), r["state"]))
    apart = [(a[0] - b[0], who) for who, t in theirs.items() for a, b in zip(ours[who][1:], t[1:])]
    # the last change of all may lie at the run's end or a little before it
    if any(abs(len(ours[who]) - len(t)) > 1 or any(a[1] != b[1] for a, b in zip(ours[who], t)) for who, t in theirs.items()):
        wrong.append("the states are not the true ones")
    elif apart and max(apart)[0] - min(apart)[0] > 2 * slack + 2:
        wrong.append(f"intervals are {min(apart)} to {max(apart)} ns off, {slack} are allowed")


def check(tools, folder):
    xentrail, intervals = tools
    wrong = []
    with open(os.path.join(folder, "ledger.json")) as f:
        ledger = json.load(f)
    hz = ledger["run"]["hz"]
    out, notes = run(xentrail, "stats", "--json", "--tsc-hz", str(hz), folder)
    got = json.loads(out)
    r = got["run"][0]
    if not r["tsc_contradictions"]:  # no change shows it: then it did no harm
        check_counts(got["vcpus"], ledger, wrong)
    elif r["tsc_corrected"]:
        slack = check_ranges(got["pcpus"], r["tsc_reference"], true_offsets(folder), wrong)
        check_counts(got["vcpus"], ledger, wrong)
        check_intervals(intervals, folder, hz, slack, wrong)
        if "corrected by" not in notes:
            wrong.append("the correction is not said")
    elif "no constant offsets explain that" not in notes:
        wrong.append("that it is not corrected is not said")
    return wrong, r


def drop_changes(trace, seed):
    """Takes some runstate changes out of a trace, without a word of it."""
    random = Random(seed)
    with open(trace, "rb") as f:
        data = f.read()
    out, at = bytearray(), 0
    while at < len(data):
        header, pcpu, size = struct.unpack_from("<III", data, at)
        window, end = bytearray(), at + 12 + size
        at += 12
        while at < end:
            (word,) = struct.unpack_from("<I", data, at)
            n = 4 + 4 * (word >> 28 & 7) + 8 * (word >> 31)
            if word & 0xFFFFCCF != 0x21001 or random.random() >= DROPPED:
                window += data[at:at + n]
            at += n
        out += struct.pack("<III", header, pcpu, len(window)) + window
    with open(trace, "wb") as f:
        f.write(out)


def check_dropped(xentrail, folder):
    """What damage makes of the order of changes is no skew."""
    r = json.loads(run(xentrail, "stats", "--json", os.path.join(folder, "trace.xen"))[0])["run"][0]
    return ["corrected, though no TSC is off"] if r["tsc_corrected"] else []


def main():
    *tools, synth = sys.argv[1:4]
    seeds = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    cases = [(seed + 40, *case) for seed in range(seeds) for case in CASES] + MORE
    cases += [(seed + 40, policy, 0, 0) for seed in range(seeds) for policy in ("gedf", "credit")]
    print(f"1..{len(cases)}")
    for number, (seed, policy, n, us) in enumerate(cases, 1):
        with tempfile.TemporaryDirectory() as top:
            folder = os.path.join(top, "run")
            fault = ["--fault", f"tsc-skew:{n}:{us:.0f}"] if n else []
            run(synth, "--policy", policy, "--pcpus", "8", "--vcpus", "12", "--seconds", "1", "--seed", str(seed), *fault,
                "-o", folder)
            if n:
                wrong, r = check(tools, folder)
                if not wrong and r["tsc_contradictions"] and not r["tsc_corrected"]:
                    wrong = ["found, but not corrected"]
                what = f"{n} of 8 pCPUs off by about {us:.0f} us"
            else:
                drop_changes(os.path.join(folder, "trace.xen"), seed)
                wrong = check_dropped(tools[0], folder)
                what = f"{DROPPED:.0%} of the changes missing"
            print(f"{'not ok' if wrong else 'ok'} {number} - {policy}, {what}, seed {seed}")
            for w in wrong[:10]:
                print(f"# {w}")


if __name__ == "__main__":
    main()
