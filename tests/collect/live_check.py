#!/usr/bin/env python3
"""Holds the tables of `xentrail record --live` against the whole recording, imported afterwards.
   live_check.py DATABASE RUN < what record said on standard error
Each table names the time that it is about. What happened then is asked of the database's views."""
import re
import sqlite3
import sys

database, name = sys.argv[1:]
db = sqlite3.connect(database)
run, = db.execute("SELECT run FROM runs WHERE name = ?", (name,)).fetchone()
failures = []
tables = rows = 0


def nearest_rank(values, p):
    return sorted(values)[-(-len(values) * p // 100) - 1] if values else None


def expected(domid, vcpu, start, end):
    key = (run, domid, vcpu)
    within = key + (start, end)
    one = lambda sql, args: db.execute(sql, args).fetchone()
    running, = one("SELECT coalesce(sum(min(ts + dur, ?) - max(ts, ?)), 0) FROM intervals WHERE run = ? AND domid = ? AND vcpu = ? "
                   "AND state = 'running' AND ts < ? AND ts + dur > ?", (end, start) + key + (end, start))
    preemptions, = one("SELECT count(*) FROM preemptions WHERE run = ? AND domid = ? AND vcpu = ? AND ts > ? AND ts <= ?", within)
    migrations, = one("SELECT count(*) FROM migrations WHERE run = ? AND domid = ? AND vcpu = ? AND ts > ? AND ts <= ?", within)
    judged, missed, supplied, promised = one(
        "SELECT count(missed), coalesce(sum(missed), 0), sum(supplied_ns), sum(budget_ns) FROM periods WHERE run = ? AND domid = ? "
        "AND vcpu = ? AND missed IS NOT NULL AND deadline > ? AND deadline <= ?", within)
    wakes = [x for x, in db.execute("SELECT latency_ns FROM dispatches WHERE run = ? AND domid = ? AND vcpu = ? AND ts > ? AND ts <= ? "
                                    "AND latency = 'wake' AND latency_ns IS NOT NULL", within)]
    return {"running": running, "preemptions": preemptions, "migrations": migrations, "judged": judged, "missed": missed,
            "supplied": supplied, "promised": promised, "wake": nearest_rank(wakes, 99)}


def check(what, shown, want, tolerance):
    if abs(shown - want) > tolerance:
        failures.append(f"{what}: shown {shown}, recorded {want:.3f}")


def check_row(line, start, end):
    found = re.match(r"d(\d+)v(\d+).*?\s+([\d.]+)\s+([\d.]+|-)\s+(\d+)?/?(\d+)?-?\s+([\d.]+)\s+([\d.]+)\s+([\d.]+|-)$", line)
    domid, vcpu, cpu, budget, missed, judged, preempt, migrate, wake = found.groups()
    want, seconds = expected(int(domid), int(vcpu), start, end), (end - start) / 1e9
    where = f"{start / 1e9:.3f} to {end / 1e9:.3f} s, d{domid}v{vcpu}"
    # Half a digit of what is printed, and the millisecond to which the table tells its edges.
    check(where + ", CPU %", float(cpu), 100 * want["running"] / (end - start), 0.006 + 0.1 / seconds)
    # An event within that millisecond can be on either side.
    check(where + ", preemptions", float(preempt) * seconds, want["preemptions"], 0.05 * seconds + 2)
    check(where + ", migrations", float(migrate) * seconds, want["migrations"], 0.05 * seconds + 2)
    if judged:
        check(where + ", judged periods", int(judged), want["judged"], 1)
        check(where + ", missed periods", int(missed), want["missed"], 1)
        check(where + ", budget %", float(budget), 100 * want["supplied"] / want["promised"], 0.06 + 100 / want["judged"])
    elif want["judged"] > 1:
        failures.append(f"{where}: {want['judged']} periods, none shown")
    if wake != "-" and want["wake"] is not None:
        check(where + ", wake p99", float(wake), want["wake"] / 1e3, max(0.06, 0.02 * want["wake"] / 1e3))


start = end = None
for line in sys.stdin:
    head = re.match(r"From ([\d.]+) to ([\d.]+) s of the trace:", line)
    if head:
        if end is not None and abs(float(head[1]) * 1e9 - end) > 2e6:
            failures.append(f"a gap between tables: {end / 1e9:.3f} to {head[1]} s")
        start, end = (float(x) * 1e9 for x in head.groups())
        tables += 1
    elif re.match(r"d\d+v\d+ ", line):
        check_row(line.rstrip(), start, end)
        rows += 1
print(f"{tables} tables, {rows} rows, {len(failures)} differences")
print("\n".join(failures))
sys.exit(bool(failures) or tables < 2 or rows < 4)
