#!/usr/bin/env python3
"""Reads a trace made by xt-synth back and holds it against the rules of the format and against the ledger.

Written from the format description alone and sharing nothing with the model: it takes the file apart, checks windows,
record lengths, order and sequences, and counts again what ledger.json says. Prints what is wrong; exit 1 if anything is.
"""
import csv
import heapq
import json
import os
import struct
import sys
from collections import Counter, defaultdict

CPU_CHANGE, LOST, WRAP = 0x1F003, 0x1F001, 0x1F002
WORDS = {0x22801: 1, 0x22802: 5, 0x22803: 6, 0x22804: 6, 0x22806: 1, 0x22009: 1, 0x22004: 3, 0x22005: 3, 0x22006: 1,
         0x22002: 3, 0x22003: 3, 0x22007: 2, 0x22008: 2, 0x2200A: 2, 0x2200B: 2, 0x22A05: 2, 0x22A01: 2, 0x22A02: 2,
         0x22A03: 2, 0x28001: 1, 0x28002: 1, 0x28003: 2, 0x28004: 2, 0x28005: 2, 0x28006: 2, 0x28009: 1, 0x2800A: 4,
         0x2800E: 3, 0x2800F: 4, 0x28011: 4, 0x21002: 1, LOST: 4,
         0x22202: 2, 0x22203: 4, 0x22205: 3, 0x22206: 1, 0x22207: 3, 0x22209: 0, 0x2220A: 2, 0x2220B: 4, 0x2220C: 6,
         0x2220D: 3, 0x2220E: 1, 0x2220F: 2, 0x22210: 2, 0x22211: 6, 0x22213: 4, 0x22214: 3, 0x22215: 2, 0x22216: 2,
         0x22217: 1}
RUNNING, RUNNABLE, BLOCKED, OFFLINE = range(4)


def read(path, complain, widths):
    """Per pCPU: list of (tsc, event, words), in file order."""
    data = open(path, "rb").read()
    pcpus, off, end, pcpu = defaultdict(list), 0, 0, None
    while off < len(data):
        head, = struct.unpack_from("<I", data, off)
        event, n, tsc = head & 0xFFFFFFF, head >> 28 & 7, head >> 31
        size = 4 + 8 * tsc + 4 * n
        words = struct.unpack_from(f"<{n}I", data, off + 4 + 8 * tsc)
        if off == end:
            if head != 0x2001F003:
                complain(f"offset {off}: no CPU_CHANGE where a window ends")
                return pcpus
            pcpu, end = words[0], off + 12 + words[1]
            if not words[1] or words[1] % 4 or end > len(data):
                complain(f"offset {off}: window of {words[1]} bytes")
        else:
            stamp = struct.unpack_from("<Q", data, off + 4)[0] if tsc else None
            if off + size > end:
                complain(f"offset {off}: record crosses the end of its window")
            if widths and event != WRAP and event & ~0x330 != 0x21001 and WORDS.get(event) != n:
                complain(f"offset {off}: event {event:#x} with {n} words")
            pcpus[pcpu].append((stamp, event, words))
        off += size
    return pcpus


def check_sequences(pcpus, complain):
    for pcpu, records in pcpus.items():
        last, prev = 0, []
        for stamp, event, words in records:
            if event == WRAP:
                continue
            if stamp is None:
                complain(f"p{pcpu}: event {event:#x} without TSC")
                continue
            if stamp < last:
                complain(f"p{pcpu}: TSC goes back at {stamp}")
            last = stamp
            if event == LOST:
                prev = [LOST]
                continue
            tail = prev[-4:]
            # An lost-records record may stand anywhere in a sequence; what follows it starts anew.
            cut = LOST in tail
            if event == 0x2800F and tail[-1:] != [0x2800E] and not cut:
                complain(f"p{pcpu} {stamp}: infnext without infprev")
            if event == 0x2800A and tail[-2:] != [0x2800E, 0x2800F] and not cut:
                complain(f"p{pcpu} {stamp}: switch without infprev, infnext")
            if event == 0x21002 and tail[-1:] != [0x28011] and not cut:
                complain(f"p{pcpu} {stamp}: continue_running without infcont")
            if event & ~0x330 == 0x21001 and event >> 8 & 3 == RUNNING and tail[-1:] != [0x2800A] and not cut:
                complain(f"p{pcpu} {stamp}: a VCPU stops running without a switch")
            if event & ~0x330 == 0x21001 and event >> 4 & 3 == RUNNING and not cut and (
                    len(tail) < 2 or tail[-2] != 0x2800A):
                complain(f"p{pcpu} {stamp}: a VCPU starts running without a switch")
            if event in (0x22806, 0x22009, 0x22215) and words[0] & 0xFFFF != pcpu or event == 0x22A05 and words[0] >> 16 != pcpu:
                complain(f"p{pcpu} {stamp}: schedule of another pCPU")
            prev = (prev + [event])[-4:]


def recount(pcpus, complain, lossless):
    """What each VCPU did, by the definitions, from the merged records."""
    stream = heapq.merge(*([(s, p, i, e, w) for i, (s, e, w) in enumerate(r) if s is not None and e != WRAP]
                           for p, r in sorted(pcpus.items())))
    count, state, where, yielded = defaultdict(Counter), {}, {}, {}
    burn, since, total, end = {}, {}, defaultdict(Counter), 0
    for stamp, pcpu, _, event, w in stream:
        end = max(end, stamp)
        if event in (0x22806, 0x22009, 0x22A05, 0x22215, LOST):
            burn.pop(pcpu, None)
        if event == LOST:  # what was said before does not count for what comes after
            yielded = {v: p for v, p in yielded.items() if p != pcpu}
        elif event == 0x22803:
            burn[pcpu] = (w[0] >> 16, w[0] & 0xFFFF, w[1] | w[2] << 32)
        elif event == 0x28005:
            count[w]["yields"] += 1
            yielded[w] = pcpu
        elif event == 0x22804:
            count[(w[0] >> 16, w[0] & 0xFFFF)]["replenishments"] += 1
        elif event & ~0x330 == 0x21001:
            v, old, new = (w[0] >> 16, w[0] & 0xFFFF), event >> 8 & 3, event >> 4 & 3
            c = count[v]
            if lossless and state.get(v, old) != old:
                complain(f"{v} at {stamp}: was {state[v]}, record says {old}")
            total[v][old] += stamp - since.get(v, None) if v in since else 0
            if v not in since:
                total[v]["first"], total[v]["first_state"] = stamp, old
            since[v], state[v] = stamp, new
            if old == RUNNING:
                if lossless and where.get(v, pcpu) != pcpu:
                    complain(f"{v} at {stamp}: stops on p{pcpu}, ran on p{where[v]}")
                where[v] = pcpu
            if new == RUNNING:
                c["dispatches"] += 1
                c["migrations"] += where.get(v, pcpu) != pcpu
                where[v] = pcpu
            c["wakeups"] += old == BLOCKED and new == RUNNABLE
            if old == RUNNING and new == RUNNABLE:
                b = burn.get(pcpu)
                if yielded.get(v) == pcpu: # elsewhere its own switch was among the lost
                    pass
                elif b and b[:2] == v and b[2] == 0:
                    c["depletions"] += 1
                else:
                    c["preemptions"] += 1
            if old == RUNNING:
                yielded.pop(v, None)
    return count, total, since, state, end


def main(folder):
    wrong = []
    complain = wrong.append
    ledger = json.load(open(os.path.join(folder, "ledger.json")))
    run = ledger["run"]
    pcpus = read(os.path.join(folder, "trace.xen"), complain, run["xen"] in ("4.17", "4.18"))
    n = sum(len(r) for r in pcpus.values())
    if n != run["records"]:
        complain(f"{n} records, ledger says {run['records']}")
    lost = sum(w[0] for r in pcpus.values() for _, e, w in r if e == LOST)
    if lost != run["lost_records"]:
        complain(f"{lost} lost, ledger says {run['lost_records']}")
    if run["xen"] in ("4.17", "4.18"):
        check_sequences(pcpus, complain)
        stamps = [s for r in pcpus.values() for s, e, _ in r if s is not None]
        if (min(stamps), max(stamps)) != (run["start_tsc"], run["end_tsc"]):
            complain(f"TSC from {min(stamps)} to {max(stamps)}, ledger: {run['start_tsc']} to {run['end_tsc']}")
        skewed = any(r["kind"] == "tsc-skew" for r in csv.DictReader(open(os.path.join(folder, "ledger-faults.csv"))))
        count, total, since, state, end = recount(pcpus, complain, lost == 0 and not skewed)
        for v in ledger["vcpu"] if not skewed else []:
            key = v["domid"], v["vcpu"]
            c = count.get(key, Counter())
            for what in ("dispatches", "wakeups", "preemptions", "depletions", "migrations", "yields", "replenishments"):
                if c[what] != v[what]:
                    complain(f"{key}: {c[what]} {what}, ledger says {v[what]}")
            if key not in since or lost:
                continue
            t = total[key]
            t[t["first_state"]] += t["first"] - run["start_tsc"]
            t[state[key]] += end - since[key]
            for i, what in enumerate(("running", "runnable", "blocked", "offline")):
                ns = t[i] * 1e9 / run["hz"]
                if abs(ns - v[what + "_ns"]) > 2 + 2 * c["dispatches"] + 2 * c["wakeups"]:
                    complain(f"{key}: {what} {ns:.0f} ns, ledger says {v[what + '_ns']}")
    for w in wrong[:40]:
        print(f"{folder}: {w}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(max(main(f) for f in sys.argv[1:]))
