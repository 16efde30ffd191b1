#!/usr/bin/env python3
"""How long the summary views, every named query, Gantt windows, overviews, distributions and reports of a database take.

    views.py XENTRAIL --db FILE                     a database of yours; its first run is drawn
    views.py XENTRAIL --synth XT-SYNTH [--bytes N] [--policy P] [--pcpus N]
                                                    a generated trace (default 100M, gedf, 8), imported first

Prints one table; each figure is the median of --times runs of the whole program, from its start to its end. Cold: the
page cache was emptied before each run, else of the database alone (the heading says which). On a busy machine CPU time
tells more than the rest. Only what has a goal is marked where it is missed; the exit status is 0 if every command worked,
whatever it took.
"""
import argparse
import csv
import io
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

DROP_CACHES = "/proc/sys/vm/drop_caches"
SUMMARY_VIEWS = ("runs", "pcpus", "vcpu_stats", "overhead_stats", "latency_stats", "policy_stats", "policy_metrics",
                 "job_stats", "guests", "rules", "servers")
SUMMARY_QUERIES = ("runs", "policies", "overheads", "latencies", "vcpus", "busiest", "pcpu-load", "rates", "misses-by-vcpu",
                   "jobs", "guests", "rules", "servers", "time-base", "doubts", "provenance")
SUMMARY_S, WINDOW_S, OVERVIEW_S, PLOT_S = 0.1, 0.3, 1.0, 2.0
WINDOW_NS = 100_000_000


def drop_caches(path):
    """Makes the next reader of path read from the disk."""
    os.sync()
    if os.access(DROP_CACHES, os.W_OK):
        with open(DROP_CACHES, "w", encoding="ascii") as f:
            f.write("3\n")
        return
    with open(path, "rb") as f:
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run(argv):
    """-> exit status, seconds, of these CPU time, peak KiB, bytes of standard output."""
    with tempfile.TemporaryFile() as out:
        begun = time.monotonic()
        child = subprocess.Popen(argv, stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        return child.returncode, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, out.read()


class Bench:
    def __init__(self, xentrail, db, times, only):
        self.xentrail, self.db, self.times, self.only = xentrail, db, times, only
        self.failed = 0

    def ask(self, sql):
        out = subprocess.run([self.xentrail, "query", "--db", self.db, "--csv", sql], check=True, stdout=subprocess.PIPE,
                             text=True).stdout
        return list(csv.DictReader(io.StringIO(out)))

    def heading(self):
        dropped = "the whole page cache" if os.access(DROP_CACHES, os.W_OK) else "the database, where nobody else holds it"
        print(f"{self.db}: {os.path.getsize(self.db) / 1e6:.0f} MB; median of {self.times}; cold: {dropped} was dropped; "
              f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
        print(f"{'what':44} {'rows, samples':>13} {'cold ms':>8} {'warm ms':>8} {'CPU ms':>8} {'goal ms':>8} "
              f"{'peak MB':>8}")

    def line(self, what, argv, goal_s=None, rows=None, good=(0,)):
        """argv: after the program's name, or a function of the turn that gives it; rows None: those that are printed."""
        if self.only and self.only not in what:
            return
        medians, peaks = [], []
        for cold in (True, False):
            seconds, cpu = [], []
            for turn in range(self.times):
                if cold:
                    drop_caches(self.db)
                status, took, busy, peak, out = run([self.xentrail, *(argv(turn) if callable(argv) else argv)])
                if status not in good:
                    self.failed += 1
                    print(f"{what:44} status {status}")
                    return
                seconds.append(took)
                cpu.append(busy)
                peaks.append(peak)
            medians.append(statistics.median(seconds))
        if rows is None:
            rows = max(out.count(b"\n") - 1, 0)
        missed = goal_s is not None and max(medians) > goal_s
        print(f"{what:44} {rows:13} {medians[0] * 1e3:8.0f} {medians[1] * 1e3:8.0f} "
              f"{statistics.median(cpu) * 1e3:8.0f} {'' if goal_s is None else format(goal_s * 1e3, '.0f'):>8} {max(peaks) / 1024:8.0f}{' missed' if missed else ''}",
              flush=True)

    def query(self, what, argv, goal_s):
        self.line(what, ["query", "--db", self.db, "--csv", *argv], goal_s)

    def views(self):
        for view in SUMMARY_VIEWS:
            self.query(f"view {view}", [f"SELECT * FROM {view}"], SUMMARY_S)
        listed = subprocess.run([self.xentrail, "query", "--list", "--csv"], check=True, stdout=subprocess.PIPE, text=True)
        for named in csv.DictReader(io.StringIO(listed.stdout)):
            name = named["name"]
            self.query(f"query --name {name}", ["--name", name], SUMMARY_S if name in SUMMARY_QUERIES else None)

    def commands(self, folder):
        self.line("misses", ["misses", "--db", self.db])
        self.line("check", ["check", "--db", self.db], good=(0, 1))
        for what in (None, "schedulability"):
            self.line(f"bars {what or ''}", ["bars", "--db", self.db, *(["--what", what] if what else []), "-o",
                                             f"{folder}/bars.png"], good=(0, 2)) # 2: nothing of this to draw
        for ending in ("pdf", "html"):
            self.line(f"compare {ending}", ["compare", "--db", self.db, "-o", f"{folder}/report.{ending}"])

    def plots(self, folder):
        for metric in self.ask("SELECT metric, sum(n) AS n FROM (SELECT metric, n FROM overhead_stats UNION ALL "
                               "SELECT metric, n FROM latency_stats) WHERE n > 0 GROUP BY metric"):
            for command in ("hist", "cdf"):
                self.line(f"{command} {metric['metric']}", [command, "--db", self.db, "--metric", metric["metric"], "-o",
                                                            f"{folder}/plot.png"], PLOT_S, metric["n"])

    def pictures(self, folder, seed):
        first = self.ask("SELECT name, duration_ns, (SELECT sum(dispatches) FROM vcpu_stats v WHERE v.run = r.run) AS n "
                         "FROM runs r ORDER BY run LIMIT 1")[0]
        gantt = ["gantt", "--db", self.db, "--run", first["name"]]
        last = max(int(first["duration_ns"]) - WINDOW_NS, 0)
        starts = [random.Random(seed).randint(0, last) for _ in range(self.times)]

        for ending, colour in ((e, c) for e in ("png", "pdf", "svg") for c in ("domain", "pcpu")):
            for rows, more in (("", []), (", all on", ["--rows", "all", "--detail", "exact"])):
                self.line(f"gantt of 100 ms{rows}, by {colour}, {ending}",
                          lambda turn, colour=colour, more=more, ending=ending:
                          [*gantt, "--colour", colour, *more, "--from", f"{starts[turn]}ns", "--to",
                           f"{starts[turn] + WINDOW_NS}ns", "-o", f"{folder}/window.{ending}"], WINDOW_S, "")
            self.line(f"gantt of the whole run, by {colour}, {ending}",
                      [*gantt, "--colour", colour, "-o", f"{folder}/overview.{ending}"], OVERVIEW_S, first["n"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("xentrail")
    parser.add_argument("--db")
    parser.add_argument("--synth", help="xt-synth, which makes a trace")
    parser.add_argument("--policy", default="gedf", help="of that trace: gedf, pedf, credit, credit2")
    parser.add_argument("--pcpus", type=int, default=8, help="of that trace, with four VCPUs each")
    parser.add_argument("--bytes", default="100M")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1, help="of the places of windows")
    parser.add_argument("--only", help="only lines that contain this")
    options = parser.parse_args()
    if not options.db and not options.synth:
        parser.error("give --db or --synth")

    with tempfile.TemporaryDirectory() as folder:
        db = options.db
        if not db:
            trace, db = f"{folder}/trace", f"{folder}/run.db"
            subprocess.run([options.synth, "--policy", options.policy, "--pcpus", str(options.pcpus), "--vcpus",
                            str(4 * options.pcpus), "--bytes", options.bytes, "--no-ledger-intervals", "-o", trace], check=True, stdout=subprocess.DEVNULL)
            subprocess.run([options.xentrail, "import", "--db", db, trace], check=True, stderr=subprocess.DEVNULL)
        bench = Bench(options.xentrail, db, options.times, options.only)
        bench.heading()
        bench.views()
        bench.pictures(folder, options.seed)
        bench.plots(folder)
        bench.commands(folder)
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
