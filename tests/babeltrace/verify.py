#!/usr/bin/env python3
"""What babeltrace2 makes of a trace, against the bytes of the trace and against `xentrail dump`.

    verify.py [--tsc-hz HZ] [--vd] XENTRAIL TRACE|RECORDING

Reads the file by itself (windows, records, words; no event tables but for the few events below) and expects from
babeltrace2: the same records on each pCPU in the same order with the same clocks, the same payload of the events
below, the losses as discarded events, the counts of `xentrail dump`; and the same again, line for line, from the CTF trace
that babeltrace2 converts it to and from the one that `xentrail export` writes.
"""
import argparse
import collections
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

STATES = ["running", "runnable", "blocked", "offline"]
LINE = re.compile(r"\[(\d+)\] (.+?): \{ cpu_id = (\d+) \}, \{ tsc = (\d+), has_tsc = ([01]), clamped = ([01]) \}"
                  r"(?:, \{ ?(.*) \})?$")
LOSS = re.compile(r"\[([\d,]+) cycles, .*?\]\n\[([\d,]+) cycles, .*?\]\n\{Trace 0, Stream class ID 0, Stream ID (\d+)\}\n"
                  r"Discarded events \(([\d,]+) events?\)")


def contents(path):
    if os.path.isdir(path):
        path = next(p for p in (f"{path}/trace.xen", f"{path}/trace.xen.zst") if os.path.exists(p))
    with open(path, "rb") as f:
        data = f.read()
    if data[:4] == b"\x28\xb5\x2f\xfd":
        data = subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
    return data


def read(data):
    """-> {pcpu: [(id, tsc or None, words)]}"""
    pcpus, at = collections.defaultdict(list), 0
    while at + 12 <= len(data):
        header, pcpu, size = struct.unpack_from("<3I", data, at)
        assert header == 0x2001F003, hex(at)
        at, end = at + 12, at + 12 + size
        records = pcpus[pcpu]
        while at < end and at + 4 <= len(data):
            h = struct.unpack_from("<I", data, at)[0]
            n, has_tsc = h >> 28 & 7, h >> 31
            if at + 4 + 8 * has_tsc + 4 * n > len(data):
                return pcpus
            tsc = struct.unpack_from("<Q", data, at + 4)[0] if has_tsc else None
            records.append((h & 0xFFFFFFF, tsc, struct.unpack_from(f"<{n}I", data, at + 4 + 8 * has_tsc)))
            at += 4 + 8 * has_tsc + 4 * n
    return pcpus


def u64(w, i):
    return w[i] | w[i + 1] << 32


def s32(x):
    return x - (1 << 32) if x >> 31 else x


def payload(event, w, vd):
    """Fields of the events that matter most, from the format's description; None for all others."""
    if event & ~0x330 == 0x21001 and len(w) == 1 and event >> 8 & 3 != event >> 4 & 3:
        return {"dom": w[0] >> 16, "vcpu": w[0] & 0xFFFF, "old": STATES[event >> 8 & 3], "new": STATES[event >> 4 & 3]}
    dom, vcpu = (w[0] & 0xFFFF, w[0] >> 16) if vd and w else (w[0] >> 16, w[0] & 0xFFFF) if w else (0, 0)
    known = {
        (0x2800A, 4): lambda: {"dom": w[0], "vcpu": w[1], "next_dom": w[2], "next_vcpu": w[3]},
        (0x2800E, 3): lambda: {"dom": w[0], "vcpu": w[1], "run_ns": w[2]},
        (0x2800F, 4): lambda: {"next_dom": w[0], "next_vcpu": w[1], "wait_ns": w[2], "slice_ns": s32(w[3])},
        (0x28011, 4): lambda: {"dom": w[0], "vcpu": w[1], "run_ns": w[2], "slice_ns": s32(w[3])},
        (0x22803, 6): lambda: {"dom": dom, "vcpu": vcpu, "budget_ns": u64(w, 1), "delta_ns": s32(w[3]),
                               "priority_level": w[4], "has_extratime": w[5] & 0xFF},
        (0x22803, 4): lambda: {"dom": dom, "vcpu": vcpu, "budget_ns": u64(w, 1), "delta_ns": s32(w[3])},
        (0x22804, 6): lambda: {"dom": dom, "vcpu": vcpu, "priority_level": w[1], "deadline_ns": u64(w, 2),
                               "budget_ns": u64(w, 4)},
        (0x22804, 5): lambda: {"dom": dom, "vcpu": vcpu, "deadline_ns": u64(w, 1), "budget_ns": u64(w, 3)},
        (0x1F001, 4): lambda: {"lost": w[0], "current_dom": w[1] & 0xFFFF, "current_vcpu": w[1] >> 16,
                               "first_tsc_cycles": u64(w, 2)},
        (0x1F002, len(w)): lambda: {},
    }
    return known[event, len(w)]() if (event, len(w)) in known else None


def fields(text):
    found = {}
    for name, label, number in re.findall(r'(\w+) = (?:\( "(\w+)" : container = \d+ \)|(-?\w+))', text or ""):
        found[name] = label or int(number, 0)
    return found


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: status {done.returncode}\n{done.stderr}")
    return done.stdout


def source(path, hz):
    quoted = path.replace('"', '\\"')
    return ["--component=source.xentrace.file", f'--params=inputs=["{quoted}"]' + (f",tsc-hz={hz}" if hz else "")]


def lines_of(arguments):
    text = run("babeltrace2", *arguments, "--component=sink.text.pretty", "--params=clock-cycles=yes,no-delta=yes")
    return text.splitlines()


def losses_of(arguments):
    text = run("babeltrace2", *arguments, "--component=sink.text.details", "--params=with-metadata=no")
    number = lambda s: int(s.replace(",", ""))
    return sorted((int(p), number(b), number(e), number(n)) for b, e, p, n in LOSS.findall(text))


def check(condition, *what):
    if not condition:
        sys.exit(" ".join(map(str, what)))


def check_records(lines, pcpus, vd):
    """Compares line by line; returns the losses expected."""
    start = min(t for records in pcpus.values() for _, t, _ in records if t is not None)
    places, clocks, last = collections.Counter(), collections.Counter(), {p: 0 for p in pcpus}
    losses = []
    for line in lines:
        m = LINE.match(line)
        check(m, "cannot be parsed:", line)
        cycles, pcpu, tsc, has_tsc, clamped = int(m[1]), int(m[3]), int(m[4]), m[5] == "1", m[6] == "1"
        check(places[pcpu] < len(pcpus[pcpu]), "too many records on pCPU", pcpu)
        event, own_tsc, words = pcpus[pcpu][places[pcpu]]
        places[pcpu] += 1
        where = f"pCPU {pcpu}, record {places[pcpu]}: {line}\nin the file {event:#x} {own_tsc} {words}"
        check(has_tsc == (own_tsc is not None), "has_tsc:", where)
        last[pcpu] = own_tsc if has_tsc else last[pcpu]
        check(tsc == last[pcpu], "tsc:", where)
        before = clocks[pcpu]
        clocks[pcpu] = max(before, tsc - start)
        check(cycles == clocks[pcpu], "clock:", where)
        check(clamped == (has_tsc and tsc - start < before), "clamped:", where)
        want = payload(event, words, vd)
        check(want is None or want == fields(m[7]), "payload:", want, where)
        if event == 0x1F001 and len(words) == 4 and words[0] and has_tsc:
            losses.append((pcpu, min(max(u64(words, 2) - start, before), cycles), cycles, words[0]))
    for pcpu, records in pcpus.items():
        check(places[pcpu] == len(records), "records missing on pCPU", pcpu, places[pcpu], "of", len(records))
    return sorted(losses)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tsc-hz")
    parser.add_argument("--vd", action="store_true", help="VCPUs are packed as up to Xen 4.6")
    parser.add_argument("xentrail")
    parser.add_argument("path")
    args = parser.parse_args()
    xentrail, path, hz = args.xentrail, args.path, args.tsc_hz
    tsc_hz = ["--tsc-hz", hz] if hz else []
    lines = lines_of(source(path, hz))
    dumped = [json.loads(line) for line in run(xentrail, "dump", "--json", *tsc_hz, path).splitlines()]
    losses = check_records(lines, read(contents(path)), args.vd)
    check(losses_of(source(path, hz)) == losses, "losses:", losses_of(source(path, hz)), "wanted", losses)
    names = collections.Counter(LINE.match(line)[2] for line in lines)
    check(names == collections.Counter(r["event"] for r in dumped), "counts differ from those of dump", names)
    with tempfile.TemporaryDirectory() as folder:
        run("babeltrace2", *source(path, hz), f"--output={folder}/a", "--output-format=ctf")
        run(xentrail, "export", "--to", "ctf", *tsc_hz, "-o", f"{folder}/b", path)
        for ctf in (f"{folder}/a", f"{folder}/b"):
            check(lines_of([ctf]) == lines, "comes back differently from CTF:", ctf)
            check(losses_of([ctf]) == losses, "losses come back differently from CTF:", losses_of([ctf]), losses)
    print(f"{path}: {len(lines)} records, {sum(n for *_, n in losses)} lost, {len(names)} kinds of events")


if __name__ == "__main__":
    main()
