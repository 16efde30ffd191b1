#!/usr/bin/env python3
"""sched_trace.py SEED FOLDER: made-up files of LITMUS^RT's sched_trace, one for each of three CPUs, and, on stdout, what
st-job-stats says of them: PID,JOB,response,lateness,tardiness for each job that completed, by task and job.

Built from the public format (feather-trace-tools, include/sched_trace.h): tasks that move between CPUs, records out of order,
jobs that never complete or are forced to, two tasks of one name, all types of records, buffer space that was never
written, and bytes at the end that form no record. st-job-stats takes, for each release record of a task, the first completion
of the same job at or after it in order of time."""
import os
import random
import struct
import sys

NAME, PARAM, RELEASE, ASSIGNED, SWITCH_TO, SWITCH_AWAY, COMPLETION, BLOCK, RESUME, ACTION, SYS_RELEASE, NP_ENTER, NP_EXIT = range(1, 14)
CPUS = 3


def made_up(rng):
    """-> [(time, cpu, type, pid, job, 16 bytes)]"""
    records = [(5_000_000_000, 0, SYS_RELEASE, 0, 0, struct.pack("<QQ", 5_000_000_000, 5_001_000_000))]
    for pid in (1501, 1502, 40000, 65535):
        period = rng.choice((3, 7, 10, 25)) * 1_000_000
        name = b"rtspin" if pid < 2000 else b"sixteen bytes lo" if pid == 40000 else b"\xff\xfe,\"x\n"
        records.append((0, rng.randrange(CPUS), NAME, pid, 0, name.ljust(16, b"\0")))
        records.append((0, rng.randrange(CPUS), PARAM, pid, 0, struct.pack("<IIIBBH", period // 3, period, 0, 255, 2, 0)))
        for job in range(2, 2 + 600_000_000 // period):
            release = 5_001_000_000 + (job - 2) * period
            records.append((release, rng.randrange(CPUS), RELEASE, pid, job, struct.pack("<QQ", release, release + period)))
            at, cpu, ran = release, rng.randrange(CPUS), 0
            for _ in range(rng.randrange(1, 4)): # it is switched to and away, here and there
                at += rng.randrange(1, period // 2)
                records.append((at, cpu, ASSIGNED, pid, job, struct.pack("<QB7x", at, cpu)))
                records.append((at, cpu, SWITCH_TO, pid, job, struct.pack("<QII", at, ran, 0)))
                records.append((at, cpu, rng.choice((BLOCK, RESUME, NP_ENTER, NP_EXIT)), pid, job, struct.pack("<QQ", at, 0)))
                length = rng.randrange(1, period // 3)
                at, ran, cpu = at + length, ran + length, rng.randrange(CPUS)
                records.append((at, cpu, SWITCH_AWAY, pid, job, struct.pack("<QQ", at, ran)))
            if rng.random() < 0.9:
                records.append((at, cpu, COMPLETION, pid, job, struct.pack("<QQ", at, ran << 1 | (rng.random() < 0.2))))
            records.append((at, cpu, ACTION, pid, job, struct.pack("<QB7x", at, 3)))
    return records


def st_job_stats(records):
    rows = []
    for pid in sorted({r[3] for r in records if r[3]}):
        events = sorted((r for r in records if r[3] == pid and r[2] > PARAM), key=lambda r: r[0])
        for i, r in enumerate(events):
            if r[2] != RELEASE:
                continue
            release, deadline = struct.unpack("<QQ", r[5])
            done = next((e[0] for e in events[i:] if e[2] == COMPLETION and e[4] == r[4]), None)
            if done is not None:
                rows.append((pid, r[4], done - release, done - deadline, max(done - deadline, 0)))
    return sorted(rows)


def main():
    rng = random.Random(int(sys.argv[1]))
    folder = sys.argv[2]
    os.makedirs(folder, exist_ok=True)
    records = made_up(rng)
    for cpu in range(CPUS):
        own = [r for r in records if r[1] == cpu]
        # written late, and releases when they are planned
        own.sort(key=lambda r: r[0] + rng.randrange(-2_000_000, 2_000_000))
        with open(f"{folder}/st-guest-{cpu}.bin", "wb") as f:
            for n, (_, _, kind, pid, job, data) in enumerate(own):
                if n % 50 == 20:
                    f.write(bytes(24))
                f.write(struct.pack("<BBHI", kind, cpu, pid, job) + data)
            f.write(b"\7" * cpu)
    for row in st_job_stats(records):
        print(",".join(map(str, row)))


if __name__ == "__main__":
    main()
