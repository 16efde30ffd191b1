#!/usr/bin/env python3
"""Assemble a hand-written trace (text) into xentrace bytes.

    mktrace.py CASE.txt > trace.xen

One line a record, in file order for its pCPU; `#` begins a comment:

    p0 1000 rs d1v0 running>runnable         p0 = pCPU, 1000 = TSC ("-" = a record without TSC)
    p0 1000 sched rtds|credit|credit2|null [idle] [tickled]
    p0 1000 burn d1v0 left=0 delta=100 [prio=0] [extra=0]      as 4.10+ (6 words)
    p0 1000 burn4 d1v0 left=0 delta=100 [vd]                   as 4.5-4.9; vd: packed the old way round
    p0 1000 pick d1v0 deadline=10000 budget=4000 [vd]
    p0 1000 repl d1v0 deadline=10000 budget=4000 [prio=0]      as 4.10+ (6 words)
    p0 1000 repl5 d1v0 deadline=10000 budget=4000 [vd]         as 4.5-4.9
    p0 1000 prev d1v0 run=100                next likewise: next d1v0 wait=0 slice=100
    p0 1000 switch d1v0 d2v0                 i0 stands for d32767v0
    p0 1000 infcont d1v0 run=100 slice=100
    p0 1000 continue d1v0
    p0 1000 wake|block|yield|sleep d1v0
    p0 1000 lost n=5 first=900 [d1v0]
    p0 - wrap words=3                        padding with stale payload
    p0 1000 raw 0x22801 1 0x2                event id and words as they are

    round                                    ends the windows; the next records go to new ones, in pCPU order
    cut 6                                    at the end: the last 6 bytes are missing
"""
import re
import struct
import sys

STATES = {"running": 0, "runnable": 1, "blocked": 2, "offline": 3}
VERBOSE = {"sleep": 0x28003, "wake": 0x28004, "yield": 0x28005, "block": 0x28006}


def vcpu(text):
    if m := re.fullmatch(r"i(\d+)", text):
        return 32767, int(m[1])
    m = re.fullmatch(r"d(\d+)v(\d+)", text)
    return int(m[1]), int(m[2])


def pack(text, vd=False):
    dom, num = vcpu(text)
    return num << 16 | dom if vd else dom << 16 | num


def u64(x):
    return [x & 0xFFFFFFFF, x >> 32]


def words_of(pcpu, kind, args):
    """-> (event id, [words]) of one line."""
    names = [a for a in args if "=" not in a]
    opt = {k: int(v, 0) for k, v in (a.split("=") for a in args if "=" in a)}
    vd = "vd" in names
    if kind == "raw":
        return int(names[0], 0), [int(a, 0) for a in names[1:]]
    if kind == "wrap":
        return 0x1F002, [0xDEADBEEF] * opt["words"]
    if kind == "lost":
        return 0x1F001, [opt["n"], pack(names[0], True) if names else 32767, *u64(opt["first"])]
    if kind == "rs":
        old, new = (STATES[s] for s in names[1].split(">"))
        return 0x21001 + old * 0x100 + new * 0x10, [pack(names[0])]
    if kind == "sched":
        idle, tickled = "idle" in names, "tickled" in names
        return {"credit": (0x22009, [pcpu | idle << 24]),
                "credit2": (0x22215, [pcpu, idle << 8 | tickled << 24]),
                "rtds": (0x22806, [pcpu | tickled << 24 | idle << 28]),
                "null": (0x22A05, [pcpu << 16, 0xFFFFFFFF])}[names[0]]
    if kind == "burn":     # has_extratime is one byte, the rest of its word is what was on the stack
        return 0x22803, [pack(names[0]), *u64(opt["left"]), opt["delta"], opt.get("prio", 0),
                         0xABCDEF00 | opt.get("extra", 0)]
    if kind == "burn4":
        return 0x22803, [pack(names[0], vd), *u64(opt["left"]), opt["delta"]]
    if kind == "pick":
        return 0x22802, [pack(names[0], vd), *u64(opt["deadline"]), *u64(opt["budget"])]
    if kind == "repl":
        return 0x22804, [pack(names[0]), opt.get("prio", 0), *u64(opt["deadline"]), *u64(opt["budget"])]
    if kind == "repl5":
        return 0x22804, [pack(names[0], vd), *u64(opt["deadline"]), *u64(opt["budget"])]
    if kind == "prev":
        return 0x2800E, [*vcpu(names[0]), opt["run"]]
    if kind == "next":
        return 0x2800F, [*vcpu(names[0]), opt.get("wait", 0), opt.get("slice", 0xFFFFFFFF)]
    if kind == "switch":
        return 0x2800A, [*vcpu(names[0]), *vcpu(names[1])]
    if kind == "infcont":
        return 0x28011, [*vcpu(names[0]), opt.get("run", 0), opt.get("slice", 0xFFFFFFFF)]
    if kind == "continue":
        return 0x21002, [pack(names[0])]
    return VERBOSE[kind], list(vcpu(names[0]))


def record(pcpu, tsc, kind, args):
    event, words = words_of(pcpu, kind, args)
    has_tsc = tsc != "-"
    head = event | len(words) << 28 | has_tsc << 31
    body = u64(int(tsc)) if has_tsc else []
    return struct.pack(f"<{1 + len(body) + len(words)}I", head, *body, *words)


def assemble(text):
    out, windows, cut = b"", {}, 0

    def flush():
        made = b"".join(struct.pack("<III", 0x2001F003, p, len(w)) + w for p, w in sorted(windows.items()))
        windows.clear()
        return made

    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split("#")[0].split()
        if not fields:
            continue
        try:
            if fields[0] == "round":
                out += flush()
            elif fields[0] == "cut":
                cut = int(fields[1])
            else:
                pcpu = int(fields[0].removeprefix("p"))
                windows[pcpu] = windows.get(pcpu, b"") + record(pcpu, fields[1], fields[2], fields[3:])
        except (ValueError, KeyError, IndexError, TypeError, struct.error) as e:
            raise SystemExit(f"line {number}: {line.strip()}: {e!r}")
    out += flush()
    return out[:len(out) - cut]


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as f:
        sys.stdout.buffer.write(assemble(f.read()))
