"""Periods in a ledger of xt-synth for which it hangs on the estimate of system time whether they can be judged."""
import csv
import os
from collections import defaultdict


def rows(folder, name):
    path = os.path.join(folder, name)
    return list(csv.DictReader(open(path))) if os.path.exists(path) else []


def touches(spans, a, b):
    return any(x < b and y > a for x, y in spans)


def judgements(folder, duration_ns, slack):
    """{(domid, vcpu, deadline)} as the ledger writes them: unknown time, or the run's end, within slack of one of their ends."""
    unknown = defaultdict(list)
    for r in rows(folder, "ledger-intervals.csv"):
        if r["state"] == "unknown" and r["dur"] != "0":
            unknown[r["domid"], r["vcpu"]].append((int(r["ts"]), int(r["ts"]) + int(r["dur"])))
    out = set()
    for q in rows(folder, "ledger-periods.csv"):
        release, end, spans = max(int(q["release"]), 0), int(q["deadline"]), unknown[q["domid"], q["vcpu"]]
        grazed = touches(spans, release - slack, end + slack) and not touches(spans, release + slack, end - slack)
        if grazed or abs(end - duration_ns) < slack:
            out.add((q["domid"], q["vcpu"], q["deadline"]))
    return out
