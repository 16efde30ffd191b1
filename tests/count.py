"""Counts the cases in a meson test log: prints "PASSED FAILED". Tests that speak TAP count as many cases as they have.
What the failed ones said goes to stderr: meson itself does not show it for TAP."""
import json
import re
import sys

GOOD = {"OK", "EXPECTEDFAIL"}
passed = failed = 0
with open(sys.argv[1], encoding="utf-8") as log:
    for line in log:
        test = json.loads(line)
        out = test.get("stdout") or ""
        cases = re.findall(r"^(not )?ok\b[^#\n]*(#\s*SKIP)?", out, re.M | re.I) if re.search(r"^1\.\.\d", out, re.M) else []
        bad = sum(1 for case in cases if case[0])
        good = sum(1 for case in cases if not case[0] and not case[1])
        if test["result"] == "SKIP":
            continue
        if test["result"] in GOOD:
            passed += good if cases else 1
        else:
            passed += good
            failed += max(bad, 1)
            said = [text for text in out.splitlines() if not text.startswith("ok ")]
            print(f"-- {test['name']}: {test['result']}", *said[-60:], sep="\n", file=sys.stderr)
print(passed, failed)
