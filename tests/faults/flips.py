#!/usr/bin/env python3
"""Flipped bytes in a database: `db check` says so wherever timelines or totals change by it, and never crashes. TAP.

    flips.py XENTRAIL XT-SYNTH

FAULTS_SEED sets the seed (printed), FAULTS_FLIPS how many (200)."""
import os
import random
import sqlite3
import subprocess
import sys
import tempfile

XENTRAIL, SYNTH = map(os.path.abspath, sys.argv[1:3])
FLIPS = int(os.environ.get("FAULTS_FLIPS", 200))
SEED = int(os.environ.get("FAULTS_SEED", random.SystemRandom().randrange(1 << 32)))
# What the timelines are, and what was summed up of them at import.
ANSWERS = ("SELECT run, domid, vcpu, ts, dur, state FROM intervals ORDER BY 1, 2, 3, 4, 5",
           "SELECT run, domid, vcpu, running_ns, runnable_ns, blocked_ns, offline_ns, unknown_ns, dispatches, migrations, preemptions,"
           " depletions FROM vcpu_stats ORDER BY 1, 2, 3",
           "SELECT run, domid, vcpu, count(*), sum(missed) FROM periods GROUP BY 1, 2, 3 ORDER BY 1, 2, 3")


def answers(db):
    try:
        with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as c:
            return [c.execute(sql).fetchall() for sql in ANSWERS]
    except (sqlite3.Error, UnicodeDecodeError) as e:
        return str(e)


def main():
    r = random.Random(SEED)
    wrong, found, silent = [], 0, 0
    with tempfile.TemporaryDirectory() as top:
        os.chdir(top)
        subprocess.run([SYNTH, "--policy", "gedf", "--pcpus", "2", "--vcpus", "5", "--seconds", "1", "--seed", "3", "-o", "t"], check=True)
        subprocess.run([XENTRAIL, "import", "--db", "a.db", "t"], check=True, capture_output=True)
        with open("a.db", "rb") as f:
            good = f.read()
        want = answers("a.db")
        for _ in range(FLIPS):
            place, bit = r.randrange(len(good)), 1 << r.randrange(8)
            with open("b.db", "wb") as f:
                f.write(good[:place] + bytes([good[place] ^ bit]) + good[place + 1:])
            p = subprocess.run([XENTRAIL, "db", "check", "b.db"], capture_output=True, text=True, errors="replace", timeout=120)
            if p.returncode not in (0, 1, 3, 4) or (p.returncode and not p.stdout + p.stderr):
                wrong.append(f"byte {place}, bit {bit}: exit {p.returncode} {p.stderr[-200:]}")
            if p.returncode == 0 and answers("b.db") != want:
                wrong.append(f"byte {place}, bit {bit}: all is well, but answers have changed")
            found += p.returncode != 0
            silent += p.returncode == 0
    print(f"# {found} found, {silent} without effect on timelines and totals")
    print(f"{'not ok' if wrong else 'ok'} 1 - {FLIPS} flipped bits (seed {SEED})")
    for w in wrong[:10]:
        print(f"# {w}")
    print("1..1")


if __name__ == "__main__":
    main()
