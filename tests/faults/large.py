#!/usr/bin/env python3
"""Traces at the edges of what the format can say: very many domains or VCPUs, time stamps up to the last one, nothing of the
scheduler. Written here from the format, so that every figure is known. TAP.

    large.py XENTRAIL"""
import csv
import json
import os
import struct
import subprocess
import sys
import tempfile

from tap import plan, say

XENTRAIL = os.path.abspath(sys.argv[1])
HZ = 1000000000  # a cycle is a nanosecond
BLOCKED, RUNNABLE, RUNNING = 2, 1, 0


def record(event, tsc, *words):
    return struct.pack(f"<IQ{len(words)}I", event | len(words) << 28 | 1 << 31, tsc, *words)


def change(tsc, domid, vcpu, old, new):
    return record(0x21001 + old * 0x100 + new * 0x10, tsc, domid << 16 | vcpu)


def window(pcpu, records):
    return struct.pack("<III", 0x1F003 | 2 << 28, pcpu, len(records)) + records


def turns(ids, pcpus, start, rounds=2, step=1000):
    """Each VCPU of ids in its turn: woken, 100 cycles later dispatched, blocked after 500 more."""
    out = b""
    for turn in range(rounds):
        for pcpu in range(pcpus):
            mine = ids[pcpu::pcpus]
            begin = start + turn * step * (len(ids) // pcpus + 1)
            out += window(pcpu, b"".join(
                change(begin + i * step, d, v, BLOCKED, RUNNABLE) + change(begin + i * step + 100, d, v, RUNNABLE, RUNNING) +
                change(begin + i * step + 600, d, v, RUNNING, BLOCKED) for i, (d, v) in enumerate(mine)))
    return out


def xentrail(*arguments):
    p = subprocess.run([XENTRAIL, *arguments], capture_output=True, text=True, timeout=300)
    if p.returncode:
        raise RuntimeError(f"{' '.join(arguments)[:200]}: {p.returncode} {p.stderr[-300:]}")
    return p.stdout


def write(name, data):
    with open(name, "wb") as f:
        f.write(data)


def check_turns(name, ids, rounds):
    wrong = []
    got = json.loads(xentrail("stats", "--json", "--tsc-hz", str(HZ), name))
    theirs = {(v["domid"], v["vcpu"]): v for v in got["vcpus"]}
    if sorted(theirs) != sorted(ids):
        wrong.append(f"{len(theirs)} VCPUs, not {len(ids)}")
    want = {"dispatches": rounds, "wakeups": rounds, "running_ns": 500 * rounds, "runnable_ns": 100 * rounds, "inconsistencies": 0}
    for who, v in theirs.items():
        wrong += [f"{who}: {k} is {v[k]}, not {n}" for k, n in want.items() if v[k] != n]
    xentrail("import", "--tsc-hz", str(HZ), "--db", "a.db", name)
    xentrail("db", "check", "a.db")
    sums = xentrail("query", "--db", "a.db", "--csv", "SELECT count(*), sum(dispatches), sum(running_ns) FROM vcpu_stats").split()[1]
    if sums != f"{len(ids)},{len(ids) * rounds},{len(ids) * rounds * 500}":
        wrong.append(f"database: {sums}")
    xentrail("gantt", "--db", "a.db", "-o", "a.png")
    os.unlink("a.db")
    return wrong


def many():
    ids = [(d, 0) for d in range(1, 10001)]
    write("domains.xen", turns(ids, 8, 1 << 40))
    say(check_turns("domains.xen", ids, 2), "10,000 domains")
    ids = [(7, v) for v in range(4096)]
    write("vcpus.xen", turns(ids, 64, 1 << 40))
    say(check_turns("vcpus.xen", ids, 2), "4,096 VCPUs of one domain on 64 pCPUs")


def late():
    """The last time stamp is 2^64 - 1."""
    for start in (2**63 - 1000, 2**64 - 2601):
        ids = [(1, 0), (1, 1)]
        write("late.xen", turns(ids, 2, start, rounds=1) + window(0, record(0x28004, start + 2600, 1, 2)))
        wrong = check_turns("late.xen", ids, 1)
        run = json.loads(xentrail("stats", "--json", "--tsc-hz", str(HZ), "late.xen"))["run"][0]
        if (run["start_tsc"], run["duration_ns"]) != (start, 2600):
            wrong.append(f"stats --json: {run['start_tsc']}, {run['duration_ns']}")
        table = xentrail("stats", "--csv", "--tsc-hz", str(HZ), "late.xen")
        if f",{start}," not in table or f" {start} " not in xentrail("stats", "--tsc-hz", str(HZ), "late.xen"):
            wrong.append("stats: not as a number in the table or CSV")
        dump = [json.loads(line) for line in xentrail("dump", "--json", "--tsc-hz", str(HZ), "late.xen").splitlines()]
        tscs = [r["tsc"] for r in dump if isinstance(r, dict) and r.get("tsc")]
        if (min(tscs), max(tscs)) != (start, start + 2600):
            wrong.append(f"dump --json: {min(tscs)} to {max(tscs)}")
        xentrail("export", "--to", "csv", "--tsc-hz", str(HZ), "late.xen", "-o", "late.csv")
        with open("late.csv") as f:
            rows = list(csv.DictReader(f))
        if [int(r["tsc"]) for r in rows][-1] != start + 2600:
            wrong.append(f"export: {rows[-1]}")
        xentrail("import", "--tsc-hz", str(HZ), "--db", "l.db", "late.xen")
        for command in (["stats", "--db", "l.db", "--csv"], ["query", "--db", "l.db", "--csv", "SELECT start_tsc FROM runs"]):
            if str(start) not in xentrail(*command):
                wrong.append(f"{command[0]} of the database: not {start}")
        os.unlink("l.db")
        say(wrong, f"time stamps from {start} to {start + 2600}")


def nothing_of_the_scheduler():
    write("none.xen", window(0, b"".join(record(0x0010F001, 1000 + i, 1, 2) for i in range(100))))
    wrong = []
    p = subprocess.run([XENTRAIL, "stats", "none.xen"], capture_output=True, text=True)
    if p.returncode != 3 or "--tsc-hz" not in p.stderr:
        wrong.append(f"without a frequency: {p.returncode} {p.stderr}")
    got = json.loads(xentrail("stats", "--json", "--tsc-hz", str(HZ), "none.xen"))
    if got["vcpus"] or got["run"][0]["records"] != 100 or got["run"][0]["duration_ns"] != 99:
        wrong.append(f"{got['run']} {got['vcpus']}")
    xentrail("import", "--tsc-hz", str(HZ), "--db", "n.db", "none.xen")
    xentrail("db", "check", "n.db")
    p = subprocess.run([XENTRAIL, "gantt", "--db", "n.db", "-o", "n.svg"], capture_output=True, text=True)
    if p.returncode not in (0, 2, 3) or (p.returncode and not p.stderr):
        wrong.append(f"gantt: {p.returncode} {p.stderr}")
    say(wrong, "a trace with no scheduler events")


def open_periods(name, n, every, judged):
    """A VCPU of which only replenishments tell, every millisecond, their deadlines `every` apart, until it is woken at last: no
    period can be judged before, and memory must not grow with their number."""
    with open("periods.xen", "wb") as f:
        for first in range(0, n, 10000):
            f.write(window(0, b"".join(
                record(0x22804, (1 << 40) + i * 1000000, 1 << 16, 0, deadline & 0xFFFFFFFF, deadline >> 32, 500000, 0)
                for i in range(first, min(first + 10000, n)) for deadline in [(i + 1) * every])))
        f.write(window(0, change((1 << 40) + n * 1000000, 1, 0, BLOCKED, RUNNABLE)))
    p = subprocess.Popen([XENTRAIL, "stats", "--json", "--tsc-hz", str(HZ), "periods.xen"], stdout=subprocess.PIPE)
    v = json.load(p.stdout)["vcpus"][0]
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = status
    want = {"replenishments": n, "periods": n, "periods_judged": judged, "period_misses": 0, "period_ns": every, "budget_ns": 500000}
    wrong = [f"{k} is {v[k]}, not {x}" for k, x in want.items() if v[k] != x]
    if status or usage.ru_maxrss > 64 << 10:
        wrong.append(f"status {status}, {usage.ru_maxrss >> 10} MiB")
    say(wrong, f"{n} periods that wait to be judged, {name}")
    os.unlink("periods.xen")


with tempfile.TemporaryDirectory() as top:
    os.chdir(top)
    many()
    late()
    nothing_of_the_scheduler()
    open_periods("since their deadlines lie far ahead", 1500000, 1000 * HZ, 0)
    open_periods("since their VCPU's runstate is unknown", 1500000, 1000000, 1 << 16)  # so many are kept
plan()
