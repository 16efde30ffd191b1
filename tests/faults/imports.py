#!/usr/bin/env python3
"""Imports that go wrong: killed, starved of memory, kept from the file, at once with others. TAP.

    imports.py XENTRAIL XT-SYNTH FAIL-SYNC

FAULTS_SEED sets the seed (printed); FAULTS_KILLS how often an import is killed (100)."""
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from tap import plan, say

XENTRAIL, SYNTH, FAIL_SYNC = map(os.path.abspath, sys.argv[1:4])
KILLS = int(os.environ.get("FAULTS_KILLS", 100))
SEED = int(os.environ.get("FAULTS_SEED", random.SystemRandom().randrange(1 << 32)))


def xentrail(*arguments, **how):
    return subprocess.run([XENTRAIL, *arguments], capture_output=True, text=True, timeout=120, **how)


def content(db):
    """Everything but when and from where it was imported."""
    with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as c:
        tables = [t for t, in c.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")]
        rows = {t: c.execute(f"SELECT * FROM {t}").fetchall() for t in tables}
        columns = [d[0] for d in c.execute("SELECT * FROM run").description]
    keep = [i for i, name in enumerate(columns) if name not in ("imported", "path")]
    rows["run"] = [[r[i] for i in keep] for r in rows["run"]]
    return rows


def names(db):
    p = xentrail("query", "--db", db, "--csv", "SELECT name FROM runs ORDER BY run")
    return p.stdout.split()[1:] if p.returncode == 0 else p.stderr


def killed(first, second, whole, took, r):
    """One import into a database that has another run already, or into a new one, killed at a random instant."""
    wrong = []
    before = r.random() < 0.5
    if before:
        xentrail("import", "--db", "k.db", first)
    p = subprocess.Popen([XENTRAIL, "import", "--db", "k.db", second], stderr=subprocess.DEVNULL)
    time.sleep(r.uniform(0, 1.2 * took))
    p.kill()
    done = p.wait() == 0
    if os.path.exists("k.db"):
        checked = xentrail("db", "check", "k.db")
        empty = not before and not done and "an import that did not finish" in checked.stderr
        if checked.returncode != 0 and not empty:
            wrong.append(f"db check: {checked.returncode} {checked.stdout[-200:]} {checked.stderr[-200:]}")
    elif before or done:
        wrong.append("the database is gone")
    again = xentrail("import", "--db", "k.db", second)
    there = "the same recording is in" in again.stderr
    if again.returncode != (2 if there else 0) or (done and not there):
        wrong.append(f"repeated: {again.returncode} {again.stderr[-200:]}")
    if names("k.db") != (["first", "second"] if before else ["second"]):
        wrong.append(f"runs: {names('k.db')}")
    if content("k.db") != whole[before]:
        wrong.append("the content is another one")
    for file in ("k.db", "k.db-journal"):
        if os.path.exists(file):
            os.unlink(file)
    return wrong, there


def kills(first, second):
    whole = {}
    for before in (True, False):
        if before:
            xentrail("import", "--db", "k.db", first)
        begun = time.monotonic()
        xentrail("import", "--db", "k.db", second)
        took = time.monotonic() - begun
        whole[before] = content("k.db")
        os.unlink("k.db")
    r = random.Random(SEED)
    wrong, finished = [], 0
    for i in range(KILLS):
        bad, there = killed(first, second, whole, took, r)
        finished += there
        wrong += [f"kill {i}: {b}" for b in bad]
    say(wrong, f"{KILLS} imports killed (seed {SEED}; {finished} were done before): whole, and repeated to the same content")


def limited(what, amount):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # else there is a signal and no error
        resource.setrlimit(what, (amount, amount))
    return limit


def has_asan():
    with open(XENTRAIL, "rb") as f:
        return b"__asan_init" in f.read()


def broken_disk(first):
    """Whichever of its syncs fails, those that run beside the import included: status 4, and the database is as it was."""
    if has_asan():
        say([], "a disk that fails # skip AddressSanitizer wants to be preloaded first")
        return
    subprocess.run([SYNTH, "--policy", "gedf", "--pcpus", "8", "--vcpus", "32", "--bytes", "80M", "-o", "large"], check=True,
                   capture_output=True)
    wrong, syncs = [], 0
    xentrail("import", "--db", "d.db", first)
    before = content("d.db")
    while syncs < 50:
        p = xentrail("import", "--db", "d.db", "large", env={**os.environ, "LD_PRELOAD": FAIL_SYNC, "FAIL_SYNC": str(syncs + 1)})
        if p.returncode == 0:
            break
        syncs += 1
        if p.returncode != 4 or "d.db" not in p.stderr:
            wrong.append(f"sync {syncs}: {p.returncode} {p.stderr[-200:]}")
        if xentrail("db", "check", "d.db").returncode or content("d.db") != before:
            wrong.append(f"sync {syncs}: the database has changed")
    if not 3 <= syncs < 50:
        wrong.append(f"only {syncs} syncs: none of them beside the import?")
    say(wrong, "a disk that fails, whichever sync tells it: status 4, and the database is as it was")


def starve(first, second):
    """Whatever memory there is: status 4 or the signal of GLib, which does not return without memory; the database is as it
    was."""
    if has_asan():
        say([], "an import that gets too little memory # skip AddressSanitizer needs all of it")
        return
    xentrail("import", "--db", "m.db", first)
    before = content("m.db")
    wrong, ends = [], set()
    for mib in (40, 60, 80, 100, 120, 150, 200):
        p = xentrail("import", "--db", "m.db", second, preexec_fn=limited(resource.RLIMIT_AS, mib << 20))
        ends.add(p.returncode)
        if p.returncode == 0:
            break
        if p.returncode not in (4, 127, -signal.SIGABRT, -signal.SIGTRAP, -signal.SIGSEGV):
            wrong.append(f"{mib} MiB: {p.returncode} {p.stderr[-200:]}")
        if xentrail("db", "check", "m.db").returncode or content("m.db") != before:
            wrong.append(f"{mib} MiB: the database has changed")
    if len(ends) < 2:
        wrong.append(f"not starved, or never fed: {ends}")
    say(wrong, "an import that gets too little memory leaves the database as it was")


def locked(first, second):
    wrong = []
    xentrail("import", "--db", "l.db", first)
    holder = sqlite3.connect("l.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    p = xentrail("import", "--db", "l.db", second)
    if p.returncode != 4 or "another program is writing" not in p.stderr:
        wrong.append(f"locked: {p.returncode} {p.stderr[-300:]}")
    holder.rollback()
    holder.close()
    if xentrail("import", "--db", "l.db", second).returncode or names("l.db") != ["first", "second"]:
        wrong.append("not after that either")
    say(wrong, "a database that is locked for too long: status 4, and afterwards it goes")


def read_only(first, second):
    wrong = []
    xentrail("import", "--db", "r.db", first)
    user = [] if os.getuid() else ["setpriv", "--reuid=65534", "--clear-groups"]
    os.chmod("r.db", 0o444)
    os.chmod(".", 0o755)
    before = content("r.db")
    for command, status in ((["stats", "--db", "r.db"], 0), (["db", "check", "r.db"], 0), (["import", "--db", "r.db", second], 4)):
        p = subprocess.run([*user, XENTRAIL, *command], capture_output=True, text=True, timeout=120)
        if p.returncode != status or (status and "r.db" not in p.stderr):
            wrong.append(f"{command[0]}: {p.returncode} {p.stderr[-300:]}")
    if content("r.db") != before:
        wrong.append("it has changed")
    say(wrong, "a read-only database can be read, an import into it ends with status 4")


def at_once(first, second):
    wrong = []
    for i in range(5):
        both = [subprocess.Popen([XENTRAIL, "import", "--db", f"a{i}.db", f], stderr=subprocess.DEVNULL) for f in (first, second)]
        if [p.wait() for p in both] != [0, 0] or sorted(names(f"a{i}.db")) != ["first", "second"]:
            wrong.append(f"{names(f'a{i}.db')}")
        if xentrail("db", "check", f"a{i}.db").returncode:
            wrong.append("db check finds something")
    say(wrong, "two imports at once into one file: both are in, and it is whole")


def full(first):
    """No room: RLIMIT_FSIZE makes writes fail like a full disk."""
    wrong = []
    xentrail("import", "--db", "f.db", first)
    size = os.path.getsize("f.db")
    for kib in (4, 64, size // 2048):
        p = xentrail("import", "--db", "n.db", first, preexec_fn=limited(resource.RLIMIT_FSIZE, kib << 10))
        if p.returncode != 4 or not p.stderr or os.path.exists("n.db"):
            wrong.append(f"import, {kib} KiB: {p.returncode} {p.stderr[-200:]}")
    for command in (["gantt", "--db", "f.db", "-o"], ["compare", "--db", "f.db", "-o"], ["cdf", "--db", "f.db", "--metric", "decision", "-o"]):
        for ending in ("svg", "png", "pdf") if command[0] != "compare" else ("html", "pdf"):
            p = xentrail(*command, f"o.{ending}", preexec_fn=limited(resource.RLIMIT_FSIZE, 512))
            if p.returncode != 4 or "o." not in p.stderr or os.path.exists(f"o.{ending}"):
                wrong.append(f"{command[0]} to {ending}: {p.returncode} {p.stderr[-200:]} {os.path.exists(f'o.{ending}')}")
    for command in (["stats", first], ["stats", "--json", first], ["dump", first], ["query", "--db", "f.db", "SELECT * FROM intervals"],
                    ["check", first], ["export", "--to", "csv", first, "-o", "/dev/full"]):
        with open("/dev/full", "w") as out:
            p = subprocess.run([XENTRAIL, *command], stdout=out, stderr=subprocess.PIPE, text=True, timeout=120)
        if p.returncode != 4 or not p.stderr.strip():
            wrong.append(f"{' '.join(command[:2])} to /dev/full: {p.returncode} {p.stderr[-200:]}")
    say(wrong, "no room: import, figures, reports and tables end with status 4 and leave nothing half-written")


def main():
    with tempfile.TemporaryDirectory() as top:
        os.chdir(top)
        os.chmod(top, 0o755)
        for i, name in enumerate(("first", "second")):
            subprocess.run([SYNTH, "--policy", "gedf", "--pcpus", "4", "--vcpus", "10", "--seconds", "1", "--seed", str(i + 1), "-o", name],
                           check=True, capture_output=True)
        kills("first", "second")
        starve("first", "second")
        at_once("first", "second")
        full("first")
        broken_disk("first")
        read_only("first", "second")
        locked("first", "second")
    plan()


if __name__ == "__main__":
    main()
