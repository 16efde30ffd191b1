#!/usr/bin/env python3
"""xentrail against the oracle, xl and the host's own figures, on real recordings. TAP.

    check_recordings.py XENTRAIL XT-INTERVALS FOLDER...

Each folder holds recordings; one that does not exist is passed over, and so is a trace that an earlier folder had.
"""
import glob
import hashlib
import json
import os
import re
import sys

import compare
import xtoracle as xo

# xl tells CPU seconds with one digit, and was asked some time before and after the trace. Guests of these recordings
# begin their load after the trace has begun; domain 0 runs xl and xentrace meanwhile and is not compared.
XL_ROUNDING_S = 0.1
XL_OUTSIDE_S = 0.06


def xl_seconds(path):
    """-> {(domid, vcpu): CPU seconds} of `xl vcpu-list`."""
    out = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            if m := re.match(r"\S+ +(\d+) +(\d+) +\S+ +\S+ +([0-9.]+) ", line):
                out[int(m[1]), int(m[2])] = float(m[3])
    return out


def servers(folder):
    """-> {(domid, vcpu): (period ns, budget ns)}: RTDS's own, else the reference reservations of recording.json."""
    out = {}
    listed = os.path.join(folder, "host", "xl-sched-rtds-vcpus.txt")
    if os.path.exists(listed):
        with open(listed, encoding="utf-8") as f:
            for line in f: # Name ID VCPU Period Budget, in microseconds
                if m := re.match(r"\S+ +(\d+) +(\d+) +(\d+) +(\d+)", line):
                    out[int(m[1]), int(m[2])] = int(m[3]) * 1000, int(m[4]) * 1000
        return out
    described = os.path.join(folder, "recording.json")
    if os.path.exists(described):
        with open(described, encoding="utf-8") as f:
            promised = {r["domain"]: (r["period_ns"], r["budget_ns"]) for r in json.load(f).get("reservations", [])}
        with open(os.path.join(folder, "host", "xl-vcpu-list-before.txt"), encoding="utf-8") as f:
            for line in f:
                if (m := re.match(r"(\S+) +(\d+) +(\d+) ", line)) and m[1] in promised:
                    out[int(m[2]), int(m[3])] = promised[m[1]]
    return out


def cpu_time(folder, vcpus):
    before, after = (os.path.join(folder, "host", f"xl-vcpu-list-{when}.txt") for when in ("before", "after"))
    if not os.path.exists(before):
        return None
    before, after = xl_seconds(before), xl_seconds(after)
    bad = []
    for key, row in vcpus.items():
        if key[0] == 0 or key not in after:
            continue
        xl, ours = after[key] - before.get(key, 0), row["running_ns"] / 1e9
        if abs(xl - ours) > XL_ROUNDING_S + XL_OUTSIDE_S:
            bad.append(f"{compare.vcpu_name(key)}: ran {ours:.3f} s, xl counts {xl:.1f} s")
    return bad


def frequency(folder, run):
    path = os.path.join(folder, "host", "xl-info.txt")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as f:
        mhz = float(re.search(r"^cpu_mhz +: +([0-9.]+)", f.read(), re.M)[1])
    ppm = (run["trace_hz"] / (mhz * 1e6) - 1) * 1e6
    return [f"the trace says {run['trace_hz']} Hz, xl info {mhz} MHz: {ppm:+.1f} ppm"] if abs(ppm) > 100 else []


def check(tap, xentrail, helper, folder):
    name = os.path.basename(folder)
    run, vcpus, _ = compare.stats(xentrail, folder)
    a = xo.Analysis(xo.load(compare.trace_of(folder)), run["tsc_hz"], servers(folder))
    # The oracle holds a VCPU to one reservation; that of `lifecycle` is changed while it is traced.
    keys = [k for k in compare.VCPU_KEYS if name != "lifecycle" or k not in compare.PERIOD_KEYS]
    tap.case(f"{name}: oracle, to the ns and unit", compare.against_oracle(xentrail, helper, folder, a, keys=keys))
    for what, problems in (("CPU time as xl counts it", cpu_time(folder, vcpus)),
                           ("frequency within 100 ppm of xl info", frequency(folder, run))):
        if problems is None:
            tap.skip(f"{name}: {what}", "the recording has no such file")
        else:
            tap.case(f"{name}: {what}", problems)


def main(xentrail, helper, *folders):
    tap, seen = compare.Tap(), set()
    for folder in folders:
        for recording in sorted(glob.glob(os.path.join(folder, "*", "trace.xen*"))):
            digest = hashlib.sha256(xo.load(recording)).digest()
            if digest not in seen:
                seen.add(digest)
                check(tap, xentrail, helper, os.path.dirname(recording))
    if not tap.n:
        tap.case("recordings", ["none found"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
