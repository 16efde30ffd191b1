#!/usr/bin/env python3
"""xentrail beside xenalyze on the same files in the same run: time as ratios of medians, peak memory, database size.

    speed.py XENTRAIL XT-SYNTH XT-LIMITS [--sizes 100M,2G] [--runs 5] [--policies gedf,credit,credit2] [--pcpus 8,64]
             [--recording TRACE]... [--dir DIR]

Traces are generated (xt-synth, seed 1; 4 VCPUs a pCPU) into DIR and removed again; --recording adds traces of your own.
Both programs run in turn, A B A B ..., after one run of each that is not counted; their output goes to a pipe that is read
and thrown away. Times are of the whole process, from start to end (wall) and as the kernel accounts them (cpu, user and
system of all threads). Where xenalyze is missing there are no ratios. The exit status is 0 if every command worked.
"""
import argparse
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

PEER = shutil.which("xenalyze") or next((p for p in ("/usr/lib/xen-4.17/bin/xenalyze",) if os.access(p, os.X_OK)), None)
MIB = 1 << 20
# work, peer's arguments -> goal for the ratio of wall times
WORKS = (
    ("stats", ("stats", "--json"), (("--summary", 0.25),), 64),
    ("import", ("import",), (("--dump-all", 0.25), ("--summary", 1.2)), 160),
    ("dump", ("dump",), (("--dump-all", 0.33),), 64),
)
DATABASE_SHARE = 0.35


def run(argv):
    """-> (wall s, cpu s, peak KiB); stops if the command fails."""
    begun = time.monotonic()
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.set_blocking(child.stderr.fileno(), False) # notes are few; a full pipe must not stop the program
    while child.stdout.read1(MIB):
        pass
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - begun
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"speed.py: status {child.returncode}: {' '.join(argv)}\n{(child.stderr.read() or b'').decode()}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def medians(samples):
    return [statistics.median(column) for column in zip(*samples)]


def in_turn(commands, runs):
    """Runs each command once, then all of them runs times in turn -> medians of (wall, cpu, peak) of each."""
    samples = [[] for _ in commands]
    for round_ in range(runs + 1):
        for i, command in enumerate(commands):
            sample = run(command() if callable(command) else command)
            if round_:
                samples[i].append(sample)
    return [medians(s) for s in samples]


def verdict(value, goal):
    return f"{value:6.2f}   {goal:<5g} {'' if value <= goal else 'missed'}"


def measure(xentrail, trace, name, runs, folder):
    database = os.path.join(folder, "bench.db")

    def command(work):
        if work[0] != "import":
            return [xentrail, *work, trace]
        if os.path.exists(database):
            os.unlink(database)
        return [xentrail, *work, "--db", database, trace]

    for work, argv, peers, memory in WORKS:
        commands = [lambda argv=argv: command(argv)]
        commands += [[PEER, option, trace] for option, _ in peers] if PEER else []
        mine, *theirs = in_turn(commands, runs)
        for (option, goal), (wall, cpu, _) in zip(peers, theirs):
            print(f"{name:16} {work:7} {mine[0]:8.3f} {mine[1]:8.3f}   xenalyze {option:11} {wall:8.3f} {cpu:8.3f}   "
                  f"{verdict(mine[0] / wall, goal)}  (cpu {mine[1] / cpu:.2f})")
        if not theirs:
            print(f"{name:16} {work:7} {mine[0]:8.3f} {mine[1]:8.3f}   no xenalyze here")
        print(f"{name:16} {work:7} peak {mine[2] / 1024:8.1f} MiB{'':38} {verdict(mine[2] / 1024, memory)}")
    share = os.path.getsize(database) / os.path.getsize(trace)
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    rows = {t: db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("dispatch", "decision", "period")}
    db.close()
    print(f"{name:16} database of {os.path.getsize(database) / MIB:.1f} MiB / trace{'':31} {verdict(share, DATABASE_SHARE)}  "
          f"({', '.join(f'{n} rows of {t}' for t, n in rows.items())})")


def limits(xt_limits, trace, folder):
    database = os.path.join(folder, "limits.db")
    out = subprocess.run([xt_limits, trace, database], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    os.unlink(database)
    size = os.path.getsize(trace)
    print(f"{'':16} limits here: read twice from the page cache in {2 * size / float(out[0]):.3f} s ({float(out[0]) / 1e9:.1f} GB/s); "
          f"SQLite takes {float(out[1]) / 1e6:.2f} million rows of 14 columns a second from a bare loop")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("xentrail")
    parser.add_argument("xt_synth")
    parser.add_argument("xt_limits")
    parser.add_argument("--sizes", default="100M,2G")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--policies", default="gedf,credit,credit2")
    parser.add_argument("--pcpus", default="8,64")
    parser.add_argument("--recording", action="append", default=[])
    parser.add_argument("--dir", default=None)
    o = parser.parse_args()

    print(f"{'trace':16} {'work':7} {'wall s':>8} {'cpu s':>8}   {'peer':20} {'wall s':>8} {'cpu s':>8}   "
          f"{'ratio':>6}   goal    (medians of {o.runs}, {os.cpu_count()} cores)")
    for trace in o.recording:
        with tempfile.TemporaryDirectory(dir=o.dir) as folder:
            measure(o.xentrail, trace, os.path.basename(os.path.dirname(os.path.abspath(trace))), o.runs, folder)
    for size in o.sizes.split(","):
        for policy in o.policies.split(","):
            for pcpus in o.pcpus.split(","):
                with tempfile.TemporaryDirectory(dir=o.dir) as folder:
                    subprocess.run([o.xt_synth, "--policy", policy, "--pcpus", pcpus, "--vcpus", str(4 * int(pcpus)), "--seed",
                                    "1", "--bytes", size, "--no-ledger-intervals", "-o", folder], check=True,
                                   stdout=subprocess.DEVNULL)
                    trace = os.path.join(folder, "trace.xen")
                    measure(o.xentrail, trace, f"{policy} {pcpus} {size}", o.runs, folder)
                    limits(o.xt_limits, trace, folder)


if __name__ == "__main__":
    main()
