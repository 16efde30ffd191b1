#!/usr/bin/env python3
"""The oracle, which check_recordings.py holds xentrail against to the ns, against `xenalyze --summary`. TAP.

    check_xenalyze.py FOLDER...

xenalyze_diff.py names and allows for every way in which xenalyze's account differs by intent. Where records were lost,
README.md says what xenalyze does differently and no figure is compared.
"""
import contextlib
import glob
import io
import os
import shutil
import sys

import compare
import xenalyze_diff
import xtoracle as xo


def main(*folders):
    tap = compare.Tap()
    if not shutil.which("xenalyze"):
        print("1..0 # SKIP xenalyze is not installed (Debian: xen-utils-common)")
        return 0
    names = set()
    for trace in sorted(t for f in folders for t in glob.glob(os.path.join(f, "*", "trace.xen*"))):
        name = os.path.basename(os.path.dirname(trace))
        if name in names:
            continue
        names.add(name)
        if xo.Analysis(xo.load(trace), 1_000_000_000).lost_records:
            tap.skip(name, "records were lost: xenalyze reckons such time differently (README.md)")
            continue
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            differs = xenalyze_diff.main(trace)
        tap.case(name, said.getvalue().splitlines() if differs else [])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
