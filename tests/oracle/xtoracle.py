#!/usr/bin/env python3
"""Independent analyser of xentrace files: the source of expected values in our tests.

It follows docs/design.md ("What each quantity means", "Fine print") to the letter, loads the whole
file, and shares nothing with the C code: when the two disagree, one of them misreads the design.
Where the design leaves a choice, the choice is written down at the place and in README.md.

Four steps, in this order below: reader, merge, reconstruction (server periods included), report.
"""
import argparse
import bisect
import collections
import heapq
import json
import math
import subprocess
import struct
import sys

RUNNING, RUNNABLE, BLOCKED, OFFLINE, UNKNOWN = range(5)
STATES = ("running", "runnable", "blocked", "offline", "unknown")
IDLE = 32767
SCHEDULERS = ("credit", "credit2", "sedf", "arinc653", "rtds", "null")
RTDS = 4

LOST, WRAP, CPU_CHANGE = 0x1F001, 0x1F002, 0x1F003
CONTINUE = 0x21002
YIELD, SWITCH, INFPREV, INFCONT = 0x28005, 0x2800A, 0x2800E, 0x28011
PICK, BURN, REPLENISH = 0x22802, 0x22803, 0x22804
TASKLETS = {0x22001, 0x22208, 0x22805, 0x22A06}
TOLERANCE_NS = 50_000
NEAR_NS = 50_000


class Bad(Exception):
    """The input is not a trace that can be analysed."""


# --------------------------------------------------------------------------------------- reader

Rec = collections.namedtuple("Rec", "tsc pcpu event words raw_tsc")


def load(path):
    with open(path, "rb") as f:
        data = f.read()
    if data[:4] == b"\x28\xb5\x2f\xfd":
        run = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True)
        if run.returncode:
            raise Bad("zstd: " + run.stderr.decode(errors="replace").strip())
        data = run.stdout
    return data


def read_records(data):
    """bytes -> ({pcpu: [Rec in file order]}, truncated).

    A record without TSC takes the previous one of its pCPU (None while there is none). A TSC that steps
    back within a pCPU is clamped: time never runs backwards, and file order holds.
    """
    if not data:
        raise Bad("empty file")
    per_pcpu, now = {}, {}
    off, truncated = 0, False
    while off < len(data):
        if len(data) - off < 12:
            truncated = True
            break
        head, pcpu, size = struct.unpack_from("<III", data, off)
        if head != 0x20000000 | CPU_CHANGE:
            raise Bad(f"offset {off}: no CPU_CHANGE record where a window must begin")
        if size == 0 or size % 4:
            raise Bad(f"offset {off}: window of {size} bytes")
        off += 12
        end = off + size
        records = per_pcpu.setdefault(pcpu, [])
        while off < end:
            if off + 4 > len(data):
                truncated = True
                break
            head, = struct.unpack_from("<I", data, off)
            n, has_tsc = head >> 28 & 7, bool(head >> 31)
            length = 4 + 8 * has_tsc + 4 * n
            if off + length > end:
                raise Bad(f"offset {off}: record of {length} bytes crosses its window's end at {end}")
            if off + length > len(data):
                truncated = True
                break
            if head & 0x0FFFFFFF == CPU_CHANGE:
                raise Bad(f"offset {off}: CPU_CHANGE inside a window")
            tsc = now.get(pcpu)
            if has_tsc:
                raw, = struct.unpack_from("<Q", data, off + 4)
                tsc = raw if tsc is None else max(tsc, raw)
                now[pcpu] = tsc
            words = struct.unpack_from(f"<{n}I", data, off + length - 4 * n)
            records.append(Rec(tsc, pcpu, head & 0x0FFFFFFF, words, raw if has_tsc else None))
            off += length
        if truncated:
            break
        off = end
    return per_pcpu, truncated


# ---------------------------------------------------------------------------------------- merge

def merge(per_pcpu):
    """One stream in the order (TSC, pCPU number), within a pCPU the file's order."""
    def key(r):
        return (-1 if r.tsc is None else r.tsc, r.pcpu)
    return list(heapq.merge(*(per_pcpu[p] for p in sorted(per_pcpu)), key=key))


# ------------------------------------------------------------------------------------ frequency

def infprev_chains(records):
    """Lists of (TSC, run ns modulo 2**32) of switch_infprev, broken at lost records."""
    chain = []
    for r in records:
        if r.event == LOST:
            yield chain
            chain = []
        elif r.event == INFPREV and len(r.words) in (2, 3) and r.raw_tsc is not None:
            chain.append((r.tsc, r.words[-1]))
    yield chain


def estimate_hz(per_pcpu):
    """-> (hz or None, {pcpu: hz}): each pCPU's TSC cycles over the ns of its infprev chains.

    `run` of an infprev is the time since the previous switch on that pCPU, modulo 2**32 ns; whole turns are
    added back so that it matches the TSC difference at the rate that single figures agree on.
    """
    steps = {}
    for pcpu, records in per_pcpu.items():
        got = []
        for chain in infprev_chains(records):
            got += [(b[0] - a[0], b[1]) for a, b in zip(chain, chain[1:])]
        if got:
            steps[pcpu] = got
    ratios = sorted(c / ns for got in steps.values() for c, ns in got if c > 0 and 1_000_000 < ns < 1 << 31)
    if not ratios:
        ratios = sorted(c / ns for got in steps.values() for c, ns in got if c > 0 and ns)
    if not ratios:
        return None, {}
    rough = ratios[len(ratios) // 2]
    hz, weight = {}, {}
    for pcpu, got in steps.items():
        cycles = total = 0
        for c, ns in got:
            full = ns + round((c / rough - ns) / (1 << 32)) * (1 << 32)
            if full > 0 and c > 0:
                cycles, total = cycles + c, total + full
        if total:
            hz[pcpu], weight[pcpu] = cycles * 1e9 / total, total
    half, best = sum(weight.values()) / 2, None
    for pcpu in sorted(hz, key=hz.get):
        best = hz[pcpu]
        half -= weight[pcpu]
        if half <= 0:
            break
    return best, hz


# ------------------------------------------------------------------------------- reconstruction

class Windows:
    """Lost windows [a, b] of one pCPU, b ascending."""

    def __init__(self):
        self.a, self.b, self.least_a = [], [], []

    def close(self):
        least = math.inf
        for a in reversed(self.a):
            least = min(least, a)
            self.least_a.append(least)
        self.least_a.reverse()
        self.least_a.append(math.inf)

    def span(self, lo, hi):
        """First a and last b, clamped, of the windows that overlap [lo, hi), or None."""
        i = bisect.bisect_right(self.b, lo)
        if self.least_a[i] >= hi:
            return None
        first = max(lo, self.least_a[i])
        j = bisect.bisect_left(self.b, hi)
        last = hi if self.least_a[j] < hi else self.b[j - 1]
        return first, last


def span_of(windows, pcpu, lo, hi):
    """Windows that matter to a state over [lo, hi): one pCPU's if it ran there, else (pcpu None) all."""
    which = windows.values() if pcpu is None else [windows[pcpu]] if pcpu in windows else []
    spans = [s for s in (w.span(lo, hi) for w in which) if s]
    return (min(s[0] for s in spans), max(s[1] for s in spans)) if spans else None


Change = collections.namedtuple("Change", "tsc pcpu old new kind")
Piece = collections.namedtuple("Piece", "lo hi state pcpu flags")


class Vcpu:
    def __init__(self, vid):
        self.id = vid
        self.changes = []
        self.pieces = []
        self.count = collections.Counter()
        self.wake_latency = []
        self.replenishments = []        # (tsc, pcpu, deadline, budget)
        self.level = None
        self.migrations_across_loss = 0


class Pcpu:
    """What one pCPU's decision in progress, or the last one, has shown."""

    def __init__(self):
        self.open = False
        self.start = None
        self.after_loss = False
        self.rtds = self.no_burn = False
        self.sched = None
        self.burns = {}                 # VCPU -> (budget left, priority level rose)
        self.switch = None              # (tsc, next VCPU, no_burn)
        self.yielded = set()            # fine print: until that VCPU's next switch here
        self.yielded_now = set()        # other reading: since the previous decision here
        self.yielded_in_decision = set()


def is_runstate(event):
    return event & 0xFFFFFCCF == 0x21001 and event >> 8 & 3 != event >> 4 & 3


def is_schedule(event, n):
    return event in (0x22009, 0x22215, 0x22A05) or (event == 0x22806 and n == 1)


def decision_scheduler(event, n):
    """Scheduler that a record written inside a decision tells of, else None."""
    if is_schedule(event, n) or event in TASKLETS or event in (PICK, BURN):
        return event >> 9 & 7
    return None


class Analysis:
    def __init__(self, data, hz=None, servers=None, tolerance_ns=TOLERANCE_NS):
        self.servers = servers or {}
        self.tolerance = tolerance_ns
        self.per_pcpu, self.truncated = read_records(data)
        self.stream = merge(self.per_pcpu)
        tscs = [r.raw_tsc for r in self.stream if r.raw_tsc is not None]
        if not tscs:
            raise Bad("no record with a TSC")
        self.start, self.end = min(tscs), max(tscs)
        # Nobody knows when a record before its pCPU's first TSC was made; it counts as of the run's start.
        self.stream = [r if r.tsc is not None else r._replace(tsc=self.start) for r in self.stream]
        self.hz_estimate, self.hz_per_pcpu = estimate_hz(self.per_pcpu)
        self.hz = hz or (round(self.hz_estimate) if self.hz_estimate else None)
        if not self.hz:
            raise Bad("no switch_infprev chain to take the TSC frequency from: give --tsc-hz")
        self.vcpus = {}
        self.pcpu = {p: Pcpu() for p in self.per_pcpu}
        self.decisions = {k: {"count": 0, "dropped_lost": 0, "no_start": 0, "samples": [], "no_burn": []}
                          for k in ("switch", "continue")}
        self.context = {"count": 0, "dropped_lost": 0, "no_change": 0, "samples": [], "no_burn": []}
        self.unended = 0
        self.overhead = collections.defaultdict(list)
        self.scan()
        self.walk()
        for v in self.vcpus.values():
            self.cut(v)
            self.latencies(v)
        self.system_time()
        self.judge_periods()

    def ns(self, tsc):
        return (tsc - self.start) * 1_000_000_000 // self.hz

    def vcpu(self, dom, num):
        return self.vcpus.setdefault((dom, num), Vcpu((dom, num)))

    # -- facts about the whole trace that single records are read by

    def scan(self):
        self.lost_records = 0
        self.has_continue = self.core_sched = False
        self.windows = {}
        self.class_records = collections.Counter()
        generation_a, packed = False, collections.Counter()
        seen = set()
        for r in self.stream:
            n = len(r.words)
            if r.event == LOST and n == 4:
                self.lost_records += r.words[0]
                a = min(max(r.words[2] | r.words[3] << 32, self.start), r.tsc)
                w = self.windows.setdefault(r.pcpu, Windows())
                w.a.append(a)
                w.b.append(r.tsc)
            elif r.event == CONTINUE:
                self.has_continue = True
            elif is_runstate(r.event) and n == 1:
                dom, num = r.words[0] >> 16, r.words[0] & 0xFFFF
                seen.add((dom, num))
                if dom == IDLE and num != r.pcpu:
                    self.core_sched = True
            elif r.event >> 12 == 0x22:
                self.class_records[r.event >> 9 & 7] += 1
                if (r.event == 0x22801 and r.raw_tsc is None) or (r.event == 0x22805 and n == 5) or \
                        (r.event == PICK and n == 0):
                    generation_a = True
                if (r.event, n) in ((BURN, 4), (REPLENISH, 5), (PICK, 5)):
                    packed[r.words[0]] += 1
        for w in self.windows.values():
            w.close()
        vd = sum(c for w, c in packed.items() if (w & 0xFFFF, w >> 16) in seen)
        dv = sum(c for w, c in packed.items() if (w >> 16, w & 0xFFFF) in seen)
        self.vd_packing = generation_a or vd > dv

    def rtds_id(self, word, n_is_old):
        if n_is_old and self.vd_packing:
            return word & 0xFFFF, word >> 16
        return word >> 16, word & 0xFFFF

    # -- one pass over the merged records: everything that is counted

    def walk(self):
        for r in self.stream:
            p, e, w = self.pcpu[r.pcpu], r.event, r.words
            n = len(w)
            if e == LOST and n == 4:
                self.on_lost(p)
                continue
            sched = decision_scheduler(e, n)
            if is_schedule(e, n):
                self.unended += p.open
                self.begin(p, r.tsc)
            elif (sched is not None or e in (INFPREV, INFCONT)) and not p.open:
                # First decision after lost records: its schedule record may be among them.
                self.begin(p, None if p.after_loss else r.tsc)
            if sched is not None:
                p.sched = sched
                p.rtds = sched == RTDS
            if is_runstate(e) and n == 1:
                self.on_change(r, p)
            elif e == BURN and n in (4, 6):
                v = self.vcpu(*self.rtds_id(w[0], n == 4))
                rose = False
                if n == 6:
                    rose = v.level is not None and w[4] > v.level
                    v.level = w[4]
                p.burns[v.id] = (w[1] | w[2] << 32, rose)
            elif e == REPLENISH and n in (5, 6):
                v = self.vcpu(*self.rtds_id(w[0], n == 5))
                if n == 6:
                    v.level = w[1]
                k = n - 4
                v.replenishments.append((r.tsc, r.pcpu, w[k] | w[k + 1] << 32, w[k + 2] | w[k + 3] << 32))
            elif e == YIELD and n == 2:
                p.yielded.add((w[0], w[1]))
                p.yielded_now.add((w[0], w[1]))
            elif e == SWITCH and n == 4:
                self.end_decision(p, r.tsc, "switch", (w[0], w[1]))
                if p.switch:
                    self.context["no_change"] += 1
                self.context["count"] += 1
                p.switch = (r.tsc, (w[2], w[3]), p.no_burn)
            elif e == CONTINUE and n == 1:
                self.end_decision(p, r.tsc, "continue", (w[0] >> 16, w[0] & 0xFFFF))
            elif e == INFCONT and n == 4 and not self.has_continue:
                self.end_decision(p, r.tsc, "continue", (w[0], w[1]))
            elif e >> 12 == 0x24 and w:
                self.overhead[e].append(w[-1])
        self.context["no_change"] += sum(1 for p in self.pcpu.values() if p.switch)

    def on_lost(self, p):
        self.unended += p.open
        p.open, p.start, p.after_loss = False, None, True
        p.burns = {}
        if p.switch:
            self.context["dropped_lost"] += 1
            p.switch = None
        p.yielded, p.yielded_now, p.yielded_in_decision = set(), set(), set()
        for v in self.vcpus.values():
            v.level = None

    def begin(self, p, tsc):
        p.open, p.start, p.burns = True, tsc, {}
        p.rtds = p.sched == RTDS
        if tsc is not None:
            p.after_loss = False

    def end_decision(self, p, tsc, kind, current):
        if not p.open:
            self.begin(p, None)
        d = self.decisions[kind]
        d["count"] += 1
        p.no_burn = p.rtds and current[0] != IDLE and current not in p.burns
        if p.start is not None:
            d["no_burn" if p.no_burn else "samples"].append(self.ns(tsc) - self.ns(p.start))
        elif p.after_loss:
            d["dropped_lost"] += 1
        else:
            d["no_start"] += 1
        p.open, p.start, p.after_loss = False, None, False
        p.yielded_in_decision = p.yielded_now if kind == "switch" else set()
        p.yielded_now = set()

    def on_change(self, r, p):
        v = self.vcpu(r.words[0] >> 16, r.words[0] & 0xFFFF)
        old, new = r.event >> 8 & 3, r.event >> 4 & 3
        kind = ""
        if old == BLOCKED and new == RUNNABLE:
            v.count["wakeups"] += 1
            kind = "wakeup"
        if new == RUNNING:
            v.count["dispatches"] += 1
            if p.switch:
                tsc, vid, no_burn = p.switch
                if vid == v.id:
                    self.context["no_burn" if no_burn else "samples"].append(self.ns(r.tsc) - self.ns(tsc))
                else:
                    self.context["no_change"] += 1
                p.switch = None
        if old == RUNNING:
            if new == RUNNABLE:
                kind = self.why_runnable(v, p)
                v.count["yields_same_decision"] += v.id in p.yielded_in_decision
            p.yielded.discard(v.id)
            p.yielded_in_decision.discard(v.id)
        v.changes.append(Change(r.tsc, r.pcpu, old, new, kind))

    def why_runnable(self, v, p):
        """running -> runnable: yield, depletion or preemption, counted; -> the reason."""
        if v.id in p.yielded:
            v.count["yields"] += 1
            return "yield"
        burn = p.burns.get(v.id)
        if burn and burn[0] == 0:
            v.count["depletions"] += 1
            return "depletion"
        v.count["preemptions"] += 1
        if burn and burn[1]:
            v.count["extratime_preemptions"] += 1
            return "extratime"
        if not burn and p.rtds and v.id[0] != IDLE:
            v.count["no_burn"] += 1
            return "no_burn"
        return "preemption"

    # -- intervals

    def cut(self, v):
        """Intervals of one VCPU from its changes: cut at lost windows, open at both ends of the run."""
        if not v.changes:
            return
        last_pcpu, lost_since = None, False

        def home(state, pcpu):
            return pcpu if state == RUNNING and not self.core_sched else None

        def add(lo, hi, state, pcpu, flags, record=False):
            if record or self.ns(hi) > self.ns(lo):
                v.pieces.append(Piece(lo, hi, state, home(state, pcpu), flags))

        c = v.changes[0]
        gap = span_of(self.windows, home(c.old, c.pcpu), self.start, c.tsc)
        if gap:
            add(self.start, gap[1], UNKNOWN, None, "lost")
            add(gap[1], c.tsc, c.old, c.pcpu, "cut")
        else:
            add(self.start, c.tsc, c.old, c.pcpu, "open")
        if c.old == RUNNING:
            last_pcpu, lost_since = c.pcpu, False

        for c, nxt in zip(v.changes, v.changes[1:] + [None]):
            if c.new == RUNNING:
                if last_pcpu is not None and last_pcpu != c.pcpu:
                    v.count["migrations"] += 1
                    v.migrations_across_loss += lost_since
                last_pcpu, lost_since = c.pcpu, False
            hi = nxt.tsc if nxt else self.end
            ahead = span_of(self.windows, home(c.new, c.pcpu), c.tsc, hi)
            if not ahead:
                add(c.tsc, hi, c.new, c.pcpu, c.kind if nxt else (c.kind + " open").strip(), True)
                if nxt and nxt.old != c.new:
                    v.count["inconsistencies"] += 1
                elif nxt and c.new == RUNNING and nxt.pcpu != c.pcpu and not self.core_sched:
                    v.count["pcpu_mismatches"] += 1
                continue
            lost_since = True
            add(c.tsc, ahead[0], c.new, c.pcpu, (c.kind + " cut").strip(), True)
            if not nxt:
                add(ahead[0], hi, UNKNOWN, None, "lost")
                continue
            back = span_of(self.windows, home(nxt.old, nxt.pcpu), c.tsc, hi)
            known = max(back[1] if back else c.tsc, ahead[0])
            add(ahead[0], known, UNKNOWN, None, "lost")
            add(known, hi, nxt.old, nxt.pcpu, "cut")
            if nxt.old == RUNNING:
                last_pcpu, lost_since = nxt.pcpu, False

        total = collections.Counter()
        for q in v.pieces:
            total[q.state] += self.ns(q.hi) - self.ns(q.lo)
        v.total = total
        at = self.start
        for q in v.pieces:
            assert self.ns(q.lo) == self.ns(at), (v.id, q, at)
            at = q.hi
        assert self.ns(at) == self.ns(self.end), (v.id, at)

    def latencies(self, v):
        """Wakeup to the next dispatch; a wait that overlaps lost records is dropped and counted."""
        woken = None
        for c in v.changes:
            if c.kind == "wakeup":
                v.count["wake_superseded"] += woken is not None
                woken = c.tsc
            elif c.new == RUNNING and woken is not None:
                if span_of(self.windows, None, woken, c.tsc):
                    v.count["wake_dropped_lost"] += 1
                else:
                    v.wake_latency.append(self.ns(c.tsc) - self.ns(woken))
                woken = None
            elif woken is not None and c.new in (BLOCKED, OFFLINE):
                v.count["wake_interrupted"] += 1
        v.count["wake_open"] += woken is not None

    # -- server periods

    def learn(self, v):
        """(Π, Θ, source) of a VCPU; Π None when a single deadline tells nothing."""
        if v.id in self.servers:
            return (*self.servers[v.id], "given")
        if not v.replenishments:
            return None, None, "none"
        budget = collections.Counter(q[3] for q in v.replenishments).most_common(1)[0][0]
        deadlines = sorted({q[2] for q in v.replenishments})
        diffs = [b - a for a, b in zip(deadlines, deadlines[1:])]
        if not diffs:
            return None, budget, "unknown"
        gcd = math.gcd(*diffs)
        counts = collections.Counter(diffs)
        if gcd in counts:
            return gcd, budget, "learned"
        most = max(counts.values())
        if 2 * most >= len(diffs):
            return min(d for d in counts if counts[d] == most), budget, "learned-mode"
        return (gcd, budget, "uncertain") if gcd >= budget else (None, budget, "unknown")

    def system_time(self):
        """Offset from Xen system time to ts: the smallest delay of a replenishment after its release."""
        delays = collections.defaultdict(list)
        for v in self.vcpus.values():
            v.period, v.budget, v.server_source = self.learn(v)
            if v.period:
                for tsc, pcpu, deadline, _ in v.replenishments:
                    delays[pcpu].append(self.ns(tsc) - (deadline - v.period))
        self.offset = self.reference = None
        self.offsets = {p: min(d) for p, d in delays.items()}
        if not delays:
            return
        near = {p: sum(1 for x in d if x - self.offsets[p] <= NEAR_NS) for p, d in delays.items()}
        self.reference = max(sorted(near), key=near.get)
        edge = self.offsets[self.reference]
        self.joined = sorted(p for p, o in self.offsets.items() if o >= edge - NEAR_NS)
        self.offset = min(self.offsets[p] for p in self.joined)
        residual = sorted(x - self.offset for p in self.joined for x in delays[p])
        self.residual = {"n": len(residual), "p50_ns": quantile(residual, 1, 2), "max_ns": residual[-1]}

    def judge_periods(self):
        duration = self.ns(self.end)
        for v in self.vcpus.values():
            v.periods = []
            if not v.changes or v.id[0] == IDLE:
                continue
            if v.replenishments and v.period:
                budget_of = {}
                for _, _, deadline, budget in v.replenishments:
                    budget_of.setdefault(deadline, budget)
                spans = [(d - v.period + self.offset, d + self.offset, budget_of[d])
                         for d in sorted(budget_of)]
            elif v.id in self.servers and RTDS not in self.class_records:
                spans = [(k * v.period, (k + 1) * v.period, v.budget) for k in range(duration // v.period)]
            else:
                continue
            pieces = [(self.ns(q.lo), self.ns(q.hi), q.state) for q in v.pieces]
            ends = [q[1] for q in pieces]
            ready_at = [self.ns(c.tsc) for c in v.changes
                        if c.new == RUNNABLE and c.old in (BLOCKED, OFFLINE)]
            for release, deadline, budget in spans:
                v.periods.append(self.judge(v, pieces, ends, ready_at, release, deadline, budget, duration))

    def judge(self, v, pieces, ends, ready_at, release, deadline, budget, duration):
        row = dict(domid=v.id[0], vcpu=v.id[1], release=release, deadline=deadline, budget_ns=budget,
                   judged=0, missed=0, run_ns="", w="", waited_ns="", state="")
        if not 0 <= deadline <= duration:
            return row
        release = max(release, 0)
        i = bisect.bisect_right(ready_at, deadline - 1) - 1
        w = max(release, ready_at[i]) if i >= 0 else release
        run = waited = 0
        state = None
        for lo, hi, s in pieces[bisect.bisect_right(ends, release):]:
            if lo >= deadline:
                break
            if hi == lo:
                continue
            if s == UNKNOWN:
                return row
            if s == RUNNING:
                run += min(hi, deadline) - max(lo, release)
            elif s == RUNNABLE:
                waited += max(0, min(hi, deadline) - max(lo, w))
            state = s
        if state is None:
            return row
        ready = state in (RUNNING, RUNNABLE)
        missed = ready and min(v.budget - run, waited) > self.tolerance
        row.update(judged=1, missed=int(missed), run_ns=run, w=w, waited_ns=waited, state=STATES[state])
        return row


# --------------------------------------------------------------------------------------- report

def quantile(ordered, num, den):
    """Nearest rank: the ceil(p * n)-th smallest."""
    return ordered[-(-num * len(ordered) // den) - 1] if ordered else None


def spread(samples):
    s = sorted(samples)
    return {"n": len(s), "min": s[0] if s else None, "sum": sum(s), "max": s[-1] if s else None,
            "p50": quantile(s, 1, 2), "p90": quantile(s, 9, 10), "p99": quantile(s, 99, 100),
            "p999": quantile(s, 999, 1000)}


def vcpu_row(a, v):
    row = {"domid": v.id[0], "vcpu": v.id[1]}
    for s, name in enumerate(STATES):
        row[name + "_ns"] = v.total[s]
    for k in ("dispatches", "wakeups", "preemptions", "depletions", "yields", "migrations", "no_burn",
              "extratime_preemptions", "inconsistencies", "yields_same_decision", "pcpu_mismatches",
              "wake_dropped_lost", "wake_superseded", "wake_interrupted", "wake_open"):
        row[k] = v.count[k]
    row["migrations_across_loss"] = v.migrations_across_loss
    if a.core_sched:
        row["migrations"] = row["migrations_across_loss"] = None
    row["replenishments"] = len(v.replenishments)
    row["period_ns"], row["budget_ns"], row["server_source"] = v.period, v.budget, v.server_source
    row["periods"] = len(v.periods)
    row["periods_judged"] = sum(p["judged"] for p in v.periods)
    row["period_misses"] = sum(p["missed"] for p in v.periods)
    row["wake_latency"] = spread(v.wake_latency)
    return row


def report(a):
    shown = [v for _, v in sorted(a.vcpus.items()) if v.changes]
    most = a.class_records.most_common(1)
    out = {"run": {
        "records": len(a.stream), "lost_records": a.lost_records, "pcpus": len(a.per_pcpu),
        "start_tsc": a.start, "end_tsc": a.end, "duration_ns": a.ns(a.end), "tsc_hz": a.hz,
        "tsc_hz_estimate": a.hz_estimate, "tsc_hz_per_pcpu": a.hz_per_pcpu,
        "scheduler": SCHEDULERS[most[0][0]] if most and most[0][0] < len(SCHEDULERS) else None,
        "core_sched": a.core_sched, "vd_packing": a.vd_packing, "truncated": a.truncated,
        "lost_windows": sum(len(w.b) for w in a.windows.values())}}
    out["vcpus"] = [vcpu_row(a, v) for v in shown if v.id[0] != IDLE]
    out["idle"] = [{"vcpu": v.id[1], "running_ns": v.total[RUNNING], "runnable_ns": v.total[RUNNABLE],
                    "unknown_ns": v.total[UNKNOWN], "dispatches": v.count["dispatches"]}
                   for v in shown if v.id[0] == IDLE]
    out["wake_latency"] = spread([x for v in shown if v.id[0] != IDLE for x in v.wake_latency])
    if a.core_sched:
        out["decisions"] = out["context_switches"] = None
    else:
        def timed(d):
            return {**{k: x for k, x in d.items() if k not in ("samples", "no_burn")},
                    **spread(d["samples"]), "no_burn": spread(d["no_burn"])}
        out["decisions"] = {k: timed(d) for k, d in a.decisions.items()}
        out["decisions"]["unended"] = a.unended
        out["context_switches"] = timed(a.context)
    if a.overhead:
        out["overhead_records"] = {f"0x{e:05x}": spread(s) for e, s in sorted(a.overhead.items())}
    if a.offset is not None:
        out["system_time"] = {"reference_pcpu": a.reference, "joined": a.joined, "offset_ns": a.offset,
                              "pcpu_offset_ns": a.offsets, "residual": a.residual}
    return out


INTERVAL_KEYS = "domid,vcpu,ts,dur,state,pcpu,flags"
PERIOD_KEYS = "domid,vcpu,release,deadline,budget_ns,judged,missed,run_ns,w,waited_ns,state"


def interval_lines(a, v):
    for q in v.pieces:
        pcpu = "" if q.pcpu is None else q.pcpu
        ts = a.ns(q.lo)
        yield f"{v.id[0]},{v.id[1]},{ts},{a.ns(q.hi) - ts},{STATES[q.state]},{pcpu},{q.flags}"


def period_lines(v):
    for row in v.periods:
        yield ",".join(str(row[k]) for k in PERIOD_KEYS.split(","))


def print_events(a):
    print("event,words,count")
    for (e, n), c in sorted(collections.Counter((r.event, len(r.words)) for r in a.stream).items()):
        print(f"0x{e:05x},{n},{c}")


def server(text):
    name, _, figures = text.partition("=")
    dom, _, num = name.removeprefix("d").partition("v")
    period, _, budget = figures.partition("/")
    return (int(dom), int(num)), (int(period), int(budget))


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("trace")
    ap.add_argument("--tsc-hz", type=int)
    ap.add_argument("--server", action="append", nargs="+", type=server, default=[],
                    metavar="d1v0=PERIOD/BUDGET")
    ap.add_argument("--tolerance-ns", type=int, default=TOLERANCE_NS)
    ap.add_argument("--json", action="store_true", help="the default, for clarity")
    ap.add_argument("--intervals", action="store_true")
    ap.add_argument("--periods", action="store_true")
    ap.add_argument("--count-events", action="store_true")
    args = ap.parse_args()
    try:
        a = Analysis(load(args.trace), args.tsc_hz, dict(s for group in args.server for s in group),
                     args.tolerance_ns)
    except (Bad, OSError) as e:
        print(f"{args.trace}: {e}", file=sys.stderr)
        return 3
    ordered = [v for _, v in sorted(a.vcpus.items())]
    if args.intervals:
        print(INTERVAL_KEYS, *(line for v in ordered for line in interval_lines(a, v)), sep="\n")
    elif args.periods:
        print(PERIOD_KEYS, *(line for v in ordered for line in period_lines(v)), sep="\n")
    elif args.count_events:
        print_events(a)
    else:
        print(json.dumps(report(a), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
