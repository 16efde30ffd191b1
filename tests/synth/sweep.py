#!/usr/bin/env python3
"""Draws random systems, lets xt-synth make their traces, and runs checkers over each: sweep.py XT_SYNTH [-n N] [--seed S].
A failing folder is kept, with the command that makes it again in `command`; the others are removed."""
import argparse
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def draw(r, seed):
    """Options of one system."""
    policy = r.choice(["gedf", "gedf", "pedf", "pedf", "dm", "credit", "credit2", "null"])
    pcpus = r.choice([1, 2, 3, 4, 4, 6, 8, 12, 16, 65, 130])
    o = {"policy": policy, "seed": seed, "pcpus": pcpus, "vcpus": max(1, int(pcpus * r.uniform(0.5, 5))),
         "util": round(r.uniform(0.2, 1.3), 2), "load": round(r.uniform(0.4, 1.6), 2),
         "hogs": r.choice([0, 0, 0.1, 0.5]), "extratime": r.choice([0, 0, 0.3, 1]),
         "vcpus-per-domain": r.choice([1, 2, 4]), "yields": r.choice([0, 2, 50]),
         "tsc-hz": r.choice([1000000000, 2400000000, 2893437123, 3399999999, 24000000]),
         "start-tsc": r.choice([0x100000000, 93400000000000, 2**63, 2**64 - 2**36]),
         "seconds": round(r.uniform(0.2, 1.0), 2) if pcpus > 16 else round(r.uniform(0.5, 3), 2),
         "poll-ms": r.choice([100, 100, 7, 1000]), "ring-pages": r.choice([32, 32, 32, 1, 2]),
         "lost": r.choice([0, 0, 0, 1, 5])}
    if r.random() < 0.2 and pcpus > 3:
        o["pools"] = 2
    if policy in ("credit", "credit2") and r.random() < 0.5:
        o["weights"], o["caps"] = "256,512,128", r.choice(["0", "0,50,0", "30"])
    if policy in ("gedf", "pedf", "dm"):
        o["server"] = r.choice(["deferrable"] * 3 + ["periodic", "polling", "sporadic"])
    args = [f"--{k}={v}" for k, v in o.items()]
    if policy in ("gedf", "pedf", "dm"):
        args.append("--audit=20")
        for kind in ("dropped-replenish", "inversion", "overrun", "unpinned"):
            if r.random() < 0.2:
                args.append(f"--fault={kind}:2")
    if r.random() < 0.15:
        versions = ["4.18"] if policy in ("credit2", "null") else ["4.5", "4.7", "4.9", "4.18"]
        args.append("--xen=" + r.choice(versions))
    if r.random() < 0.2:
        args.append("--repin=4")
    if policy != "null" and r.random() < 0.3:
        args.append("--lifecycle=3")
    return args


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("synth")
    p.add_argument("-n", type=int, default=20)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--check", action="append", help="a program that takes the folder; default: synthcheck, compare_oracle")
    a = p.parse_args()
    checks = a.check or [os.path.join(HERE, "synthcheck.py"), os.path.join(HERE, "compare_oracle.py")]
    top = tempfile.mkdtemp(prefix="synth-sweep-")
    bad = 0
    for seed in range(a.seed, a.seed + a.n):
        folder = os.path.join(top, str(seed))
        cmd = [a.synth, *draw(random.Random(seed), seed), "-o", folder]
        made = subprocess.run(cmd, capture_output=True, text=True)
        ok = made.returncode == 0
        if not ok:
            print(made.stderr.strip()[-2000:])
        for check in checks if ok else []:
            # Two thirds of the sweep's time is the oracle's; a 300 s limit bounds what hangs.
            ok &= subprocess.run(shlex.split(check) + [folder], timeout=300).returncode == 0
        if ok:
            shutil.rmtree(folder)
            continue
        bad += 1
        print("FAIL", shlex.join(cmd), flush=True)
    print(f"{a.n - bad} of {a.n} agree" + (f"; failures kept in {top}" if bad else ""))
    if not bad:
        os.rmdir(top)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
