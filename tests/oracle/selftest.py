#!/usr/bin/env python3
"""Check the oracle against cases worked out by hand: cases/NAME.txt (mktrace.py) with cases/NAME.expect.json.

An expectation names what matters for its rule; all that it names must be equal. Its "how" says how each
value was found. `vcpus` is keyed by d1v0; `intervals` and `periods` list, for each VCPU named, all lines of the CSV
without its first two columns. `blames` (of missed periods: deadline, overload, inversion, latency, unknown) and
`violations` (of `xentrail check`) are what xentrail alone tells. The first line of a case may give options:
`#! --server d1v0=10000/4000`.
"""
import glob
import json
import os
import sys

import mktrace
import xtoracle

HERE = os.path.dirname(os.path.abspath(__file__))


def options(text):
    first = text.splitlines()[0]
    args = first[2:].split() if first.startswith("#!") else []
    servers, tolerance = {}, xtoracle.TOLERANCE_NS
    while args:
        name, value = args.pop(0), args.pop(0)
        if name == "--server":
            vid, figures = xtoracle.server(value)
            servers[vid] = figures
        elif name == "--tolerance-ns":
            tolerance = int(value)
        else:
            raise SystemExit(f"unknown option {name}")
    return servers, tolerance


def differences(want, got, where=""):
    if isinstance(want, dict) and isinstance(got, dict):
        for k, x in want.items():
            name = f"{where}.{k}" if where else k
            yield from differences(x, got[k], name) if k in got else [f"{name}: the oracle does not tell it"]
    elif want != got:
        yield f"{where}: by hand {want!r}, oracle {got!r}"


def analyse(text):
    servers, tolerance = options(text)
    a = xtoracle.Analysis(mktrace.assemble(text), 1_000_000_000, servers, tolerance)
    got = xtoracle.report(a)
    got["vcpus"] = {f"d{v['domid']}v{v['vcpu']}": v for v in got["vcpus"]}
    got["intervals"], got["periods"] = {}, {}
    for (dom, num), v in a.vcpus.items():
        got["intervals"][f"d{dom}v{num}"] = [line.split(",", 2)[2] for line in xtoracle.interval_lines(a, v)]
        got["periods"][f"d{dom}v{num}"] = [line.split(",", 2)[2] for line in xtoracle.period_lines(v)]
    return got


def main():
    failed = 0
    paths = sorted(glob.glob(os.path.join(HERE, "cases", "*.txt")))
    for path in paths:
        name = os.path.basename(path).removesuffix(".txt")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        with open(path.removesuffix(".txt") + ".expect.json", encoding="utf-8") as f:
            want = json.load(f)
        assert want.pop("how"), name
        for key in ("blames", "violations"):
            want.pop(key, None)
        found = list(differences(want, analyse(text)))
        failed += bool(found)
        print("not ok" if found else "ok", name)
        for line in found:
            print("   ", line)
    print(f"{len(paths) - failed} of {len(paths)} cases agree")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
