#!/usr/bin/env python3
"""Holds `xentrail stats` and `xentrail check` against ledgers of xt-synth: every count and total, and every seeded fault,
found and nothing else. compare_xentrail.py XENTRAIL FOLDER...; exit 1 if they differ."""
import json
import os
import subprocess
import sys
from bisect import bisect_left
from collections import Counter, defaultdict

import unsure
from unsure import rows

SAME = ("running_ns", "runnable_ns", "blocked_ns", "offline_ns", "unknown_ns", "dispatches", "wakeups", "preemptions",
        "depletions", "yield_switches", "migrations", "no_burn", "replenishments", "periods", "periods_judged",
        "period_misses")
# What a fault must show as, and what it may bring with it: a VCPU that waits for a forgotten replenishment or runs too
# long makes others wait and pCPUs idle.
RULES = {"dropped-replenish": ("replenishment", ()),
         "inversion": ("priority-order", ()),
         "overrun": ("budget", ("timer", "priority-order")),
         "unpinned": ("pin", ("priority-order",))}

# What Xen itself does wrong at times, as the audit lists it, and the rules that it breaks.
CAUSES = {"priority-order": ("inversion", "idle"), "work-conserving": ("idle",), "replenishment": ("late-replenish",),
          "budget": ("late-timer",), "timer": ("late-timer",)}


def run_json(xentrail, command, folder, hz):
    cmd = [xentrail, command, "--json", "--tsc-hz", str(hz)]
    if command == "check" and json.load(open(os.path.join(folder, "ledger.json")))["run"]["policy"] == "dm":
        cmd.append("--priority=dm")
    if command == "check":
        cmd.append("--show=1000000")
    p = subprocess.run([*cmd, folder], capture_output=True, text=True)
    if p.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(cmd)} {folder}: exit {p.returncode}: {p.stderr.strip()[-500:]}")
    return json.loads(p.stdout)


def close_calls(folder, run, slack=5000):
    """Per VCPU, periods that are judged or not, and those that are a miss or not, by how xentrail estimates system time:
    these also if short by nearly the tolerance, or with a change of state at the very deadline."""
    unsure_judgements = unsure.judgements(folder, run["duration_ns"], slack)
    changes = defaultdict(list)
    for r in rows(folder, "ledger-intervals.csv"):
        changes[r["domid"], r["vcpu"]].append(int(r["ts"]))
    judged, missed = Counter(), Counter()
    for q in rows(folder, "ledger-periods.csv"):
        v, ts, end = (int(q["domid"]), int(q["vcpu"])), changes[q["domid"], q["vcpu"]], int(q["deadline"])
        near = bisect_left(ts, end + slack) - bisect_left(ts, end - slack)
        if (q["domid"], q["vcpu"], q["deadline"]) in unsure_judgements:
            judged[v] += 1
            missed[v] += 1
        elif q["judged"] == "1":
            missed[v] += near > 0 or abs(int(q["short_ns"]) - run["miss_tolerance_ns"]) < slack
    return {"periods_judged": judged, "period_misses": missed}


def acted_on(folder, kind):
    """What an administrator did that to while it was traced: (domid, vcpu) as texts."""
    return {(a["domid"], a["vcpu"]) for a in rows(folder, "ledger-acts.csv") if a["kind"] == kind}


def compare_stats(xentrail, folder, ledger, wrong):
    run = ledger["run"]
    got = run_json(xentrail, "stats", folder, run["hz"])
    r = got["run"][0]
    for key in ("records", "lost_records", "pcpus", "duration_ns", "scheduler", "start_tsc"):
        if r[key] != run[key]:
            wrong.append(f"run.{key}: xentrail {r[key]}, ledger {run[key]}")
    doubtful = close_calls(folder, run)
    created = {domid for domid, _ in acted_on(folder, "create")}
    theirs = {(v["domid"], v["vcpu"]): v for v in got["vcpus"]}
    for v in ledger["vcpu"]:
        t = theirs.get((v["domid"], v["vcpu"]))
        if t is None:
            if all(v[k] == 0 for k in SAME if k not in ("periods", "periods_judged", "replenishments")):
                continue  # never changed its state: only the host snapshot knows it
            wrong.append(f"d{v['domid']}v{v['vcpu']}: missing in xentrail")
            continue
        t.setdefault("yield_switches", t.get("yields"))
        keys = SAME if run["scheduler"] == "rtds" else SAME[:-4]
        if t["period_ns"] is None and str(v["domid"]) in created:
            keys = SAME[:-3]  # no snapshot says its period, and its deadlines do not tell it
        for key in keys:
            slop = doubtful[key][v["domid"], v["vcpu"]] if key in doubtful else 0
            if key in t and abs(t[key] - v[key]) > slop:
                wrong.append(f"d{v['domid']}v{v['vcpu']}.{key}: xentrail {t[key]}, ledger {v[key]}")


def snapshot_affinity(folder, when):
    """{VCPU: its pCPUs} by `xl vcpu-list` before or after the run."""
    out = {}
    with open(os.path.join(folder, "host", f"xl-vcpu-list-{when}.txt")) as f:
        for line in f.readlines()[1:]:
            domid, vcpu, _, _, _, hard, _, _ = line.split()[-8:]
            spans = [part.split("-") for part in hard.replace("all", "0-255").split(",")]
            out[domid, vcpu] = {p for s in spans for p in range(int(s[0]), int(s[-1]) + 1)}
    return out


class Affinities:
    """Where VCPUs (domid, vcpu as texts) could run: by the snapshots, which are all that xentrail has, and in truth."""

    def __init__(self, folder):
        before, after = snapshot_affinity(folder, "before"), snapshot_affinity(folder, "after")
        destroyed = before.keys() - after.keys()
        self.shown = {v: before[v] for v in before if v in destroyed or before[v] == after[v]}
        self.repins = defaultdict(list)
        for a in rows(folder, "ledger-acts.csv"):
            if a["kind"] == "repin":
                self.repins[a["domid"], a["vcpu"]].append((int(a["from_ts"]), {int(p) for p in a["note"].split()}))

    def hide(self, rule, subject, pcpu):
        """Do the snapshots hide that this breaks the rule? Where they differ nothing is judged, and a VCPU can have been
        repinned and back between them."""
        shown = self.shown.get(subject)
        return rule in ("pin", "priority-order") and (shown is None or (pcpu in shown) == (rule == "pin"))

    def belie(self, rule, x):
        """Is x a violation only by the snapshots, which agree, while the VCPU was bound elsewhere between them?"""
        if rule not in ("pin", "priority-order", "work-conserving"):
            return False
        past = [pcpus for ts, pcpus in self.repins[tuple(x["vcpu"][1:].split("v"))] if ts <= x["ts"]]
        return bool(past) and (x["pcpu"] in past[-1]) == (rule == "pin")


def overlaps(f, x, slack):
    """Does violation x (s) touch fault f (ns)?"""
    a, b = int(f["from_ts"]) - slack, int(f["to_ts"]) + slack
    return x[0] <= b and x[1] >= a


def compare_check(xentrail, folder, wrong):
    got = run_json(xentrail, "check", folder, json.load(open(os.path.join(folder, "ledger.json")))["run"]["hz"])
    limit = {r["rule"]: r["limit"] for r in got["rules"]}
    broken = [(x["rule"], x["ts"], x["end_ts"], x) for x in got["violations"]]
    faults = [f for f in rows(folder, "ledger-faults.csv") if f["kind"] in RULES]
    waits = rows(folder, "ledger-waits.csv")
    lost = [f for f in rows(folder, "ledger-faults.csv") if f["kind"] == "lost"]
    affinities = Affinities(folder)
    slack = 200000
    for f in faults:
        rule = RULES[f["kind"]][0]
        if f["kind"] in ("inversion", "overrun") and int(f["amount"]) < 1.1 * limit.get(rule, 0) + 20000:
            continue  # cut short by what happened next, below what counts as a violation
        # an inversion is judged by the one that waits
        subject = (f["other_domid"], f["other_vcpu"]) if f["kind"] == "inversion" else (f["domid"], f["vcpu"])
        if affinities.hide(rule, subject, int(f["pcpu"] or -1)):
            continue
        if any(overlaps(x, (int(f["from_ts"]), int(f["to_ts"])), 120000000) for x in lost):
            continue  # what one would have to know about budgets and deadlines may be among the lost
        if not any(b[0] == rule and overlaps(f, b[1:3], slack) for b in broken):
            wrong.append(f"{f['kind']} at {f['from_ts']} of d{f['domid']}v{f['vcpu']} not found by rule {rule}")
    for rule, a, b, x in broken:
        known = any((rule == RULES[f["kind"]][0] or rule in RULES[f["kind"]][1]) and overlaps(f, (a, b), slack) for f in faults)
        known |= any(overlaps(w, (a, b), slack) for w in waits if w["kind"] in CAUSES.get(rule, ()))
        if not known and not affinities.belie(rule, x):
            wrong.append(f"check invents {x}")


def compare(xentrail, folder):
    wrong = []
    ledger = json.load(open(os.path.join(folder, "ledger.json")))
    kinds = {f["kind"] for f in rows(folder, "ledger-faults.csv")}
    compare_stats(xentrail, folder, ledger, wrong)
    # The rules take servers for deferrable ones, as Xen's are.
    if "tsc-skew" not in kinds and ledger["run"]["server"] == "deferrable":
        compare_check(xentrail, folder, wrong)
    for w in wrong[:20]:
        print(f"{folder}: {w}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(any([compare(sys.argv[1], f) for f in sys.argv[2:]]))
