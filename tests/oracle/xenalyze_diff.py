#!/usr/bin/env python3
"""Compare the oracle with xenalyze: runstate periods and totals of each VCPU (--summary), records (--dump-all).

Both are told 1 GHz, so that nanoseconds are TSC cycles. xenalyze prints a count and a truncated mean, so a
total is known to `count` cycles. Its account of a VCPU
  - begins with the VCPU's first change to running; or, if a continue_running of it comes before any change,
    with the first record of that pCPU (it is taken to have run since);
  - counts every other continue_running as the end of one running period and the start of another;
  - ends with its last change or continue_running, or, if it runs, with the last record of its pCPU.
Its dump leaves out wrap records and tells each lost record thrice. All this is allowed for here; exit 1 if
anything else differs.
"""
import collections
import re
import subprocess
import sys
import tempfile

import xtoracle as xo

STATE = re.compile(r" {1,3}(running|runnable|blocked|offline|lost): +(\d+) +\S+s +(\d+) ")
DUMPED = re.compile(r" +([0-9.]+)? +[-x.|l ]+ d[0-9?]+v")


def xenalyze(option, path):
    run = subprocess.run(["xenalyze", option, "--cpu-hz", "1000000000", path], capture_output=True, text=True,
                         errors="replace", timeout=300)
    return run.stdout


def summary(text):
    """-> {(domid, vcpu): {state: (count, mean)}}"""
    out, dom, vcpu = {}, None, None
    for line in text.splitlines():
        if m := re.match(r"\|-- Domain (\d+) --\|", line):
            dom, vcpu = int(m[1]), None
        elif m := re.match(r"-- v(\d+) --", line):
            vcpu = int(m[1])
        elif vcpu is not None and (m := STATE.match(line)):
            out.setdefault((dom, vcpu), {})[m[1]] = (int(m[2]), int(m[3]))
    return out


def expected(a, v):
    """What xenalyze should print for a VCPU whose changes are all present: {state: [count, cycles]}."""
    me = v.id[0] << 16 | v.id[1]
    told = [(r.tsc, r.pcpu, xo.RUNNING, xo.RUNNING) for r in a.stream
            if r.event == xo.CONTINUE and r.words[0] == me]
    steps = sorted(told + [(c.tsc, c.pcpu, c.old, c.new) for c in v.changes], key=lambda s: s[0])
    out = collections.defaultdict(lambda: [0, 0])
    since = None
    if steps[0][2] == steps[0][3]:
        since = next(r.tsc for r in a.per_pcpu[steps[0][1]] if r.tsc is not None)
        steps.pop(0)
    if steps and steps[-1][3] == xo.RUNNING:
        steps.append((a.per_pcpu[steps[-1][1]][-1].tsc, steps[-1][1], xo.RUNNING, xo.RUNNING))
    for tsc, _, old, new in steps:
        if since is not None and tsc > since:
            out[xo.STATES[old]][0] += 1
            out[xo.STATES[old]][1] += tsc - since
        if since is not None or new == xo.RUNNING:
            since = tsc
    return out


def main(path):
    data = xo.load(path)
    with tempfile.NamedTemporaryFile(suffix=".xen") as f:
        f.write(data)
        f.flush()
        a = xo.Analysis(data, 1_000_000_000)
        theirs = summary(xenalyze("--summary", f.name))
        dump = [s for s in xenalyze("--dump-all", f.name).splitlines() if DUMPED.match(s)]
    kinds = collections.Counter(r.event for r in a.stream)
    theirs_n = len(dump) - sum("lost_records end" in s for s in dump)
    ours_n = len(a.stream) - kinds[xo.WRAP]
    bad = int(ours_n != theirs_n)
    print(f"{path}: {len(a.stream)} records, {kinds[xo.WRAP]} of them wraps; xenalyze dumps {theirs_n}")
    for vid, v in sorted(a.vcpus.items()):
        if not v.changes:
            continue
        ours = expected(a, v)
        for name in xo.STATES[:4]:
            count, total = ours[name]
            n, mean = theirs.get(vid, {}).get(name, (0, 0))
            if n == count and n * mean <= total <= n * (mean + 1):
                continue
            bad += 1
            print(f"  d{vid[0]}v{vid[1]} {name}: expected {count} periods, {total} cycles;"
                  f" xenalyze {n} of {mean} = {n * mean} ({n * mean - total:+d})")
    print(f"  {bad} differences")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(max(main(p) for p in sys.argv[1:]))
