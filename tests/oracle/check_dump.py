#!/usr/bin/env python3
"""`xentrail dump --raw --json` against the oracle's merged stream: every record, its time, words, order and named fields. TAP.

    check_dump.py XENTRAIL XT-SYNTH FOLDER...
"""
import glob
import json
import os
import sys
import tempfile

import compare
import xtoracle as xo

# What some fields must say, from the format's description: event, words -> {field: value of the words}.
STATES = xo.STATES


def vcpu(word):
    return f"d{word >> 16}v{word & 0xFFFF}"


def u64(lo, hi):
    return lo | hi << 32


def s32(x):
    return x - (1 << 32) if x >> 31 else x


FIELDS = {
    (0x22803, 6): lambda w: {"vcpu": vcpu(w[0]), "budget": u64(w[1], w[2]), "delta": s32(w[3]), "priority_level": w[4],
                             "has_extratime": w[5] & 0xFF},
    (0x22804, 6): lambda w: {"vcpu": vcpu(w[0]), "priority_level": w[1], "deadline": u64(w[2], w[3]), "budget": u64(w[4], w[5])},
    (0x22806, 1): lambda w: {"pcpu": w[0] & 0xFFFF, "tasklet": w[0] >> 16 & 0xFF, "tickled": w[0] >> 24 & 15, "idle": w[0] >> 28},
    (0x2800E, 3): lambda w: {"run": w[2]},
    (0x2800F, 4): lambda w: {"wait": w[2], "slice": s32(w[3])},
    (0x28011, 4): lambda w: {"run": w[2], "slice": s32(w[3])},
    (0x22203, 4): lambda w: {"vcpu": vcpu(w[0]), "credit": s32(w[1]), "budget": s32(w[2]), "delta": s32(w[3])},
    (0x22009, 1): lambda w: {"pcpu": w[0] & 0xFFFF, "tasklet": w[0] >> 16 & 0xFF, "idle": w[0] >> 24},
    (0x1F001, 4): lambda w: {"lost": w[0], "first_tsc": u64(w[2], w[3])},
}


def differences(xentrail, trace, hz=1_000_000_000):
    a = xo.Analysis(xo.load(trace), hz)
    lines = compare.run(xentrail, "dump", trace, "--raw", "--json", "--tsc-hz", str(hz)).splitlines()
    bad = compare.differ("records", "count", len(lines), len(a.stream))
    for i, (line, r) in enumerate(zip(lines, a.stream)):
        d = json.loads(line)
        words = [] if r.event == xo.WRAP else list(r.words) # padding is what was in the ring before: not shown
        expected = {"id": r.event, "pcpu": r.pcpu, "words": words, "ts": a.ns(r.tsc)}
        got = {"id": int(d["id"], 16), "pcpu": d["pcpu"], "words": d["fields"].get("words", []), "ts": d["ts"]}
        if r.raw_tsc is not None:
            expected["tsc"], got["tsc"] = r.raw_tsc, d["tsc"]
        if (r.event, len(r.words)) in FIELDS and not (a.vd_packing and "vcpu" in FIELDS[r.event, len(r.words)](r.words)):
            fields = FIELDS[r.event, len(r.words)](r.words)
            expected["fields"], got["fields"] = fields, {k: d["fields"].get(k) for k in fields}
        if xo.is_runstate(r.event):
            states = {"vcpu": vcpu(r.words[0]), "old": STATES[r.event >> 8 & 3], "new": STATES[r.event >> 4 & 3]}
            expected["fields"], got["fields"] = states, {k: d["fields"].get(k) for k in states}
        if got != expected:
            bad.append(f"record {i}: xentrail {got}, expected {expected}")
    return bad


def main(xentrail, synth, *folders):
    tap, seen = compare.Tap(), set()
    for trace in sorted(t for f in folders for t in glob.glob(os.path.join(f, "*", "trace.xen*"))):
        name = os.path.basename(os.path.dirname(trace))
        if name not in seen:
            seen.add(name)
            tap.case(name, differences(xentrail, trace))
    for xen in ("4.5", "4.7", "4.9", "4.18"):
        with tempfile.TemporaryDirectory() as folder:
            compare.run(synth, "--xen", xen, "--seconds", "0.2", "--lost", "2", "--ring-pages", "1", "-o", folder)
            tap.case(f"synthetic {xen}", differences(xentrail, os.path.join(folder, "trace.xen"), 2893437123))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
