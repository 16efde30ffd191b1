#!/usr/bin/env python3
"""Imports traces and compares what the views say with what the oracle finds: every total, interval and period.

    oracle.py XENTRAIL ORACLE TRACE|RECORDING|CASE.txt...       TAP on standard output
"""
import collections
import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

COUNTS = ('running_ns runnable_ns blocked_ns offline_ns unknown_ns dispatches wakeups preemptions depletions yields '
          'migrations no_burn inconsistencies replenishments').split()
QUANTILES = ('n', 'min', 'p50', 'p90', 'p99', 'p999', 'max')


def trace_of(path, oracle, folder):
    if path.endswith('.txt'):  # a case written by hand
        out = os.path.join(folder, 'case.xen')
        with open(out, 'wb') as f:
            maker = os.path.join(os.path.dirname(oracle), 'mktrace.py')
            subprocess.run([sys.executable, maker, path], check=True, stdout=f)
        return out
    for name in ('trace.xen', 'trace.xen.zst'):
        if os.path.exists(os.path.join(path, name)):
            return os.path.join(path, name)
    return path


def ask(oracle, trace, hz, *options):
    command = [sys.executable, oracle, trace, '--tsc-hz', str(hz), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


class Comparison:
    def __init__(self):
        self.compared = 0
        self.wrong = []

    def equal(self, what, ours, theirs):
        self.compared += 1
        if ours != theirs:
            self.wrong.append(f'{what}: {ours}, oracle {theirs}')


def compare_vcpus(c, db, expected, counts):
    db.row_factory = sqlite3.Row
    ours = {(r['domid'], r['vcpu']): r for r in db.execute('SELECT * FROM vcpu WHERE in_trace')}
    theirs = {(v['domid'], v['vcpu']): v for v in expected['vcpus']}
    c.equal('VCPUs', sorted(k for k in ours if k[0] != 32767), sorted(theirs))
    for key, v in theirs.items():
        for name in counts:
            if key in ours and name in v:
                c.equal(f'd{key[0]}v{key[1]} {name}', ours[key][name], v[name])
    for v in expected['idle']:
        row = ours.get((32767, v['vcpu']))
        for name in ('running_ns', 'runnable_ns', 'unknown_ns', 'dispatches'):
            if row:
                c.equal(f'idle v{v["vcpu"]} {name}', row[name], v[name])


def compare_distribution(c, db, metric, theirs):
    if theirs is None:
        return
    row = db.execute('SELECT s.n, min_ns, p50_ns, p90_ns, p99_ns, p999_ns, max_ns FROM metric_stat s JOIN metric m'
                     ' ON m.id = s.metric WHERE m.name = ?', (metric,)).fetchone()
    ours = tuple(row) if row else (0,) + (None,) * 6
    c.equal(metric, ours, tuple(theirs[q] for q in QUANTILES))


def compare_intervals(c, db, text):
    theirs = collections.Counter((int(r['domid']), int(r['vcpu']), int(r['ts']), int(r['dur']), r['state'],
                                  int(r['pcpu']) if r['pcpu'] else None) for r in table(text) if int(r['dur']))
    ours = collections.Counter(tuple(r) for r in db.execute(
        'SELECT domid, vcpu, ts, dur, state, pcpu FROM intervals WHERE dur > 0'))
    c.equal('intervals', sum(ours.values()), sum(theirs.values()))
    for odd, side in ((ours - theirs, 'only here'), (theirs - ours, 'only the oracle')):
        if odd:
            c.wrong.append(f'intervals {side}: {len(odd)}, first {min(odd, key=str)}')


def compare_periods(c, db, text):
    # The oracle judges all periods of a VCPU by one reservation; where it was changed during the run, only deadlines compare.
    changed = {tuple(r) for r in db.execute(
        'SELECT v.domid, v.vcpu FROM reservation s JOIN vcpu v ON v.id = s.vcpu GROUP BY v.id HAVING count(*) > 1')}
    theirs = sorted((int(r['domid']), int(r['vcpu']), int(r['deadline']), int(r['judged']),
                     int(r['missed'] or 0)) for r in table(text))
    ours = sorted(tuple(r) for r in db.execute(
        'SELECT domid, vcpu, deadline, missed IS NOT NULL, coalesce(missed, 0) FROM periods'))
    c.equal('periods', len(ours), len(theirs))
    odd = collections.Counter(p[:3] if p[:2] in changed else p for p in ours)
    odd.subtract(p[:3] if p[:2] in changed else p for p in theirs)
    odd = [(k, n) for k, n in sorted(odd.items()) if n]
    if odd:
        c.wrong.append(f'periods: {len(odd)} differ, first {odd[0]} (1: only here, -1: only the oracle)')


def compare(xentrail, oracle, path, folder):
    file = os.path.join(folder, 'x.db')
    trace = trace_of(path, oracle, folder)
    hz = 1000000000  # of the cases
    if not path.endswith('.txt'):
        estimate = subprocess.run([sys.executable, oracle, trace], check=True, capture_output=True, text=True).stdout
        hz = round(json.loads(estimate)['run']['tsc_hz'])
    bare = os.path.join(folder, 'trace' + ('.zst' if trace.endswith('.zst') else '.xen'))
    os.symlink(os.path.abspath(trace), bare)  # without its host snapshot: the oracle does not read one
    subprocess.run([xentrail, 'import', '--db', file, '--tsc-hz', str(hz), bare], check=True, capture_output=True)
    subprocess.run([xentrail, 'db', 'check', file], check=True, capture_output=True)
    expected = json.loads(ask(oracle, trace, hz))
    db = sqlite3.connect(file)
    c = Comparison()
    run = db.execute('SELECT records, lost_records, pcpus, start_tsc, duration_ns FROM runs').fetchone()
    c.equal('run', tuple(run), tuple(expected['run'][k] for k in 'records lost_records pcpus start_tsc duration_ns'.split()))
    # the cases leave out records that Xen always writes, and the two read their absence differently
    compare_vcpus(c, db, expected, [n for n in COUNTS if n != 'no_burn' or not path.endswith('.txt')])
    if not expected['run']['core_sched']:
        compare_distribution(c, db, 'decision_switch', expected['decisions']['switch'])
        compare_distribution(c, db, 'decision_continue', expected['decisions']['continue'])
        compare_distribution(c, db, 'context_switch', expected['context_switches'])
    compare_distribution(c, db, 'wake_latency', expected['wake_latency'])
    compare_intervals(c, db, ask(oracle, trace, hz, '--intervals'))
    compare_periods(c, db, ask(oracle, trace, hz, '--periods'))
    return c


def main():
    xentrail, oracle, *paths = sys.argv[1:]
    print(f'1..{len(paths)}')
    for i, path in enumerate(paths, 1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                c = compare(xentrail, oracle, path, folder)
            except subprocess.CalledProcessError as e:
                c = Comparison()
                c.wrong = [str(e)] + str(e.stderr or b'').splitlines()[-3:]
        print(f'{"not ok" if c.wrong else "ok"} {i} - {os.path.basename(path.rstrip("/"))}: {c.compared} figures')
        for line in c.wrong[:20]:
            print(f'# {line}')


main()
