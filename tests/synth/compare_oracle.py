#!/usr/bin/env python3
"""Holds ledgers of xt-synth against the independent analyser in tests/oracle: every count, every total, every interval to the
nanosecond, every period. Two programs by two people from one text: where they differ, one misread it. Exit 1 if they do."""
import csv
import io
import json
import os
import subprocess
import sys

import unsure

HERE = os.path.dirname(os.path.abspath(__file__))
ORACLE = os.path.join(HERE, "..", "oracle", "xtoracle.py")
SAME = ("running_ns", "runnable_ns", "blocked_ns", "offline_ns", "unknown_ns", "dispatches", "wakeups", "preemptions",
        "depletions", "yield_switches", "migrations", "no_burn", "replenishments", "periods", "periods_judged", "period_misses")


def oracle(trace, hz, servers, *args):
    # --server takes many values and would swallow the trace: the trace goes first
    cmd = [sys.executable, ORACLE, trace, "--tsc-hz", str(hz), *args] + (["--server", *servers] if servers else [])
    return subprocess.run(cmd, check=True, capture_output=True, text=True).stdout


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def close(period, run, slack):
    """Short by nearly the tolerance: whether that is a miss hangs on the estimate of system time."""
    return period["judged"] == "1" and abs(int(period["short_ns"]) - run["miss_tolerance_ns"]) <= slack


def compare(folder):
    wrong = []
    trace = os.path.join(folder, "trace.xen")
    ledger = json.load(open(os.path.join(folder, "ledger.json")))
    run = ledger["run"]
    rtds = run["scheduler"] == "rtds"
    servers = [f"d{v['domid']}v{v['vcpu']}={v['period_ns']}/{v['budget_ns']}" for v in ledger["vcpu"]] if rtds else []
    o = json.loads(oracle(trace, run["hz"], servers))
    for key in ("records", "lost_records", "pcpus", "start_tsc", "end_tsc", "duration_ns"):
        if o["run"][key] != run[key]:
            wrong.append(f"run.{key}: oracle {o['run'][key]}, ledger {run[key]}")
    doubtful = {"periods_judged": {}, "period_misses": {}}
    unsure_judgements = unsure.judgements(folder, run["duration_ns"], 5000)
    for q in csv.DictReader(open(os.path.join(folder, "ledger-periods.csv"))):
        k, judged = (int(q["domid"]), int(q["vcpu"])), (q["domid"], q["vcpu"], q["deadline"]) in unsure_judgements
        for key, doubt in (("periods_judged", judged), ("period_misses", judged or close(q, run, 5000))):
            doubtful[key][k] = doubtful[key].get(k, 0) + doubt
    theirs = {(v["domid"], v["vcpu"]): v for v in o["vcpus"]}
    for v in ledger["vcpu"]:
        t = theirs.pop((v["domid"], v["vcpu"]), None)
        if t is None:
            if v["dispatches"] or v["wakeups"]:
                wrong.append(f"d{v['domid']}v{v['vcpu']}: unknown to the oracle")
            continue
        t["yield_switches"] = t["yields"]  # the oracle's word for it
        for key in SAME if rtds else SAME[:-4]:
            slop = doubtful.get(key, {}).get((v["domid"], v["vcpu"]), 0)
            if key in t and abs(t[key] - v[key]) > slop:
                wrong.append(f"d{v['domid']}v{v['vcpu']}.{key}: oracle {t[key]}, ledger {v[key]}")
    wrong += [f"d{d}v{v}: unknown to the ledger" for d, v in theirs if d != 32767]

    def key(r):
        return tuple(r[k] for k in ("domid", "vcpu", "ts", "dur", "state", "pcpu"))
    a = {key(r) for r in rows(oracle(trace, run["hz"], servers, "--intervals"))}
    b = {key(r) for r in csv.DictReader(open(os.path.join(folder, "ledger-intervals.csv")))}
    wrong += [f"interval only in the oracle: {r}" for r in sorted(a - b)[:10]]
    wrong += [f"interval only in the ledger: {r}" for r in sorted(b - a)[:10]]

    if rtds:
        # The oracle estimates system time from the trace: periods lie some us later than they do.
        per = {}
        for r in rows(oracle(trace, run["hz"], servers, "--periods")):
            per.setdefault((r["domid"], r["vcpu"]), []).append(r)
        mine = {}
        for r in csv.DictReader(open(os.path.join(folder, "ledger-periods.csv"))):
            mine.setdefault((r["domid"], r["vcpu"]), []).append(r)
        off = o["system_time"]["offset_ns"] + run["now_at_start_ns"] if o.get("system_time") else 0
        slack = abs(off) + 1000
        unsure_judgements = unsure.judgements(folder, run["duration_ns"], slack)
        for k in sorted(set(per) | set(mine)):
            x, y = per.get(k, []), sorted(mine.get(k, []), key=lambda r: int(r["deadline"]))
            if len(x) != len(y):
                wrong.append(f"{k}: {len(x)} periods, ledger has {len(y)}")
                continue
            for p, q in zip(x, y):
                if abs(int(p["deadline"]) - int(q["deadline"])) > slack:
                    wrong.append(f"{k}: deadline {p['deadline']}, ledger {q['deadline']} (slack {slack})")
                elif close(q, run, 2 * slack) or (*k, q["deadline"]) in unsure_judgements:
                    continue
                elif int(p["judged"]) != int(q["judged"]) or q["judged"] == "1" and int(p["missed"]) != int(q["missed"]):
                    wrong.append(f"{k}: oracle {p}, ledger {q}")
                elif q["judged"] == "1" and abs(int(p["run_ns"]) - int(q["supplied_ns"]) - int(q["extratime_ns"])) > 2 * slack:
                    wrong.append(f"{k}: oracle {p}, ledger {q}")
    for w in wrong[:20]:
        print(f"{folder}: {w}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(any([compare(f) for f in sys.argv[1:]]))
