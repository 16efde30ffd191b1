#!/usr/bin/env python3
"""Peak memory of `xentrail stats` on traces of growing size: below 64 MiB, and not growing with it. TAP.

    memory.py XENTRAIL XT-SYNTH [SMALL LARGE]         sizes as xt-synth takes them; by hand: memory.py … 100M 2G
"""
import json
import os
import struct
import subprocess
import sys
import tempfile
import time

LIMIT_KIB = 64 * 1024
GROWTH_KIB = 24 * 1024 # indexes and samples grow up to fixed bounds, then go to temporary files
KINDS = (
    ("gEDF, 4 pCPUs", ["--policy", "gedf"]),
    ("gEDF, 256 pCPUs", ["--policy", "gedf", "--pcpus", "256", "--vcpus", "600"]),
    ("Credit, rings of a page", ["--policy", "credit", "--pcpus", "16", "--vcpus", "48", "--ring-pages", "1", "--poll-ms", "1"]),
)


def peak(xentrail, trace):
    """-> (KiB, seconds, MB/s) of one run."""
    begun = time.monotonic()
    child = subprocess.Popen([xentrail, "stats", trace, "--json"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - begun
    if child.returncode:
        raise SystemExit(f"{trace}: status {child.returncode}")
    return usage.ru_maxrss, seconds, os.path.getsize(trace) / 1e6 / seconds


def make(synth, folder, size, options):
    subprocess.run([synth, *options, "--bytes", size, "--no-ledger-intervals", "-o", folder], check=True,
                   stdout=subprocess.DEVNULL)
    return os.path.join(folder, "trace.xen")


def one_record_windows(trace, out):
    """The same records, each in a window of its own."""
    with open(trace, "rb") as f, open(out, "wb") as to:
        while head := f.read(12):
            cpu_change, pcpu, size = struct.unpack("<III", head)
            window, at = f.read(size), 0
            while at < size:
                header, = struct.unpack_from("<I", window, at)
                n = 4 + 8 * (header >> 31) + 4 * (header >> 28 & 7)
                to.write(struct.pack("<III", cpu_change, pcpu, n) + window[at:at + n])
                at += n


def rarely_replenished(trace, ledger, out):
    """The same and a VCPU whose two replenishments make a server of a period as long as the run."""
    with open(ledger, encoding="utf-8") as f:
        run = json.load(f)["run"]
    vcpu, now, length = 99 << 16, run["now_at_start_ns"], run["duration_ns"]

    def tsc(ns):
        t = run["start_tsc"] + ns * run["hz"] // 10**9
        return t & 0xFFFFFFFF, t >> 32

    def replenish(ns, deadline):
        return struct.pack("<9I", 0x22804 | 6 << 28 | 1 << 31, *tsc(ns), vcpu, 0, deadline & 0xFFFFFFFF, deadline >> 32,
                           4000000, 0)
    window = (struct.pack("<4I", 0x21211 | 1 << 28 | 1 << 31, *tsc(1000), vcpu) + replenish(2000, now + length) +
              replenish(length - 1000, now + 2 * length))
    with open(trace, "rb") as f, open(out, "wb") as to:
        to.write(struct.pack("<III", 0x2001F003, 300, len(window)) + window)
        while block := f.read(1 << 20):
            to.write(block)


def main(xentrail, synth, small="20M", large="100M"):
    n = failed = 0

    def tell(name, good, figures):
        nonlocal n, failed
        n += 1
        failed += not good
        print(f"{'ok' if good else 'not ok'} {n} - {name}: {figures}", flush=True)

    def one(name, trace):
        kib, seconds, rate = peak(xentrail, trace)
        tell(name, kib < LIMIT_KIB, f"{kib} KiB, {seconds:.2f} s, {rate:.0f} MB/s")
        return kib

    for name, options in KINDS:
        sizes = []
        for size in (small, large):
            with tempfile.TemporaryDirectory() as folder:
                sizes.append(one(f"{name}, {size}", make(synth, folder, size, options)))
        tell(f"{name}, growth", sizes[1] - sizes[0] < GROWTH_KIB, f"{sizes[1] - sizes[0]} KiB")
    with tempfile.TemporaryDirectory() as folder:
        trace, other = make(synth, folder, large, KINDS[0][1]), os.path.join(folder, "other.xen")
        one_record_windows(trace, other)
        one(f"a window for each record of {large}", other)
        rarely_replenished(trace, os.path.join(folder, "ledger.json"), other)
        one(f"a server with a period as long as {large}", other)
    print(f"1..{n}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
