#!/usr/bin/env python3
"""Writes a guest's job log as other tracers would have: from guests/NAME.jobs.csv, in the guest's CLOCK_MONOTONIC.

    guests.py litmus|lttng|lttng-text JOBS.csv FOLDER [--shift NS]

litmus: sched_trace, a file a CPU, records of 24 bytes as LITMUS^RT's include/litmus/sched_trace.h has them.
lttng: a CTF trace like LTTng's kernel tracer makes (sched_switch, sched_wakeup; clock `monotonic` with the epoch in its
offset) with job_begin and job_end events; lttng-text: the same with lttng_logger texts; only task 0 says its releases, those
of the others are their wake-ups, which stand at their starts.
All on CPU 0. --shift: add to all times, as if the guest had booted earlier.
"""
import os
import struct
import sys

NAMES = {"0": "ctl", "1": "video", "2": "radar", "3": "log"}


def jobs_of(path, shift):
    for line in open(path):
        if line.startswith("job,"):
            _, task, number, *times = line.strip().split(",")[:7]
            yield task, int(number), *(int(t) + shift if t else None for t in times)


def litmus(jobs, folder):
    os.makedirs(folder, exist_ok=True)
    records, pids = [], {}
    for task, number, release, start, completion, deadline in jobs:
        if task not in pids:
            pids[task] = 1000 + int(task)
            records.append((0, 1, pids[task], 0, NAMES[task].encode().ljust(16, b"\0")))
            records.append((0, 2, pids[task], 0, struct.pack("<IIIBBH", 1000000, deadline - release, 0, 0, 0, 0)))
        records.append((release, 3, pids[task], number, struct.pack("<QQ", release, deadline)))
        if start:
            records.append((start, 5, pids[task], number, struct.pack("<QII", start, 0, 0)))
        if completion:
            records.append((completion, 7, pids[task], number, struct.pack("<QQ", completion, 0)))
    # a ring buffer is no sorted list: releases are written when they are planned, other things late
    records.sort(key=lambda r: (r[0] // 3000000, -r[0]))
    with open(f"{folder}/st-vm-0.bin", "wb") as f:
        for _, kind, pid, number, data in records:
            f.write(struct.pack("<BBHI", kind, 0, pid, number) + data)
        f.write(bytes(24))       # begun, never written
    with open(f"{folder}/st-vm-1.bin", "wb") as f:
        f.write(struct.pack("<BBHI", 8, 0, 1000, 0) + struct.pack("<QQ", max(r[0] for r in records), 0))


METADATA = """/* CTF 1.8 */
typealias integer { size = 8; align = 8; signed = false; } := uint8_t;
typealias integer { size = 16; align = 8; signed = false; } := uint16_t;
typealias integer { size = 32; align = 8; signed = false; } := uint32_t;
typealias integer { size = 64; align = 8; signed = false; } := uint64_t;
trace { major = 1; minor = 8; uuid = "00112233-4455-6677-8899-aabbccddeeff"; byte_order = le;
  packet.header := struct { uint32_t magic; uint8_t uuid[16]; uint32_t stream_id; }; };
env { hostname = "vm"; domain = "kernel"; tracer_name = "lttng-modules"; tracer_major = 2; tracer_minor = 13; };
clock { name = "monotonic"; uuid = "11112222-3333-4444-5555-666677778888"; description = "Monotonic Clock"; freq = 1000000000;
  offset = 1700000000123456789; };
typealias integer { size = 64; align = 8; signed = false; map = clock.monotonic.value; } := t;
stream { id = 0; event.header := struct { uint16_t id; t timestamp; };
  packet.context := struct { t timestamp_begin; t timestamp_end; uint64_t content_size; uint64_t packet_size;
    uint64_t events_discarded; uint32_t cpu_id; }; };
event { name = "sched_switch"; id = 0; stream_id = 0; fields := struct { integer { size = 8; align = 8; signed = 0; encoding = UTF8; } _prev_comm[16];
  integer { size = 32; align = 8; signed = true; } _prev_tid; integer { size = 32; align = 8; signed = true; } _next_tid; }; };
event { name = "sched_wakeup"; id = 1; stream_id = 0; fields := struct { integer { size = 32; align = 8; signed = true; } _tid; uint32_t _target_cpu; }; };
event { name = "rt:job_begin"; id = 2; stream_id = 0; fields := struct { string _task; uint64_t _job; uint64_t _release; uint64_t _deadline; }; };
event { name = "rt:job_end"; id = 3; stream_id = 0; fields := struct { string _task; uint64_t _job; }; };
event { name = "lttng_logger"; id = 4; stream_id = 0; fields := struct { uint32_t _msg_length; string _msg; }; };
"""


def lttng(jobs, folder, text):
    folder += "/lttng/kernel"
    os.makedirs(folder, exist_ok=True)
    events = []
    for task, number, release, start, completion, deadline in jobs:
        tid, name = 1000 + int(task), NAMES[task].encode()
        if start:
            events.append((start, 0, 1, struct.pack("<iI", tid, 0)))
            events.append((start, 1, 0, b"swapper/0".ljust(16, b"\0") + struct.pack("<ii", 0, tid)))
            body = struct.pack("<QQQ", number, release, deadline)
            said = b"release=%d relative_deadline=%d\n" % (release, deadline - release) if task == "0" else b"deadline=%d" % deadline
            say = b"xentrail begin task=%s job=%d " % (name, number) + said
            events.append((start, 2, 4, struct.pack("<I", len(say)) + say + b"\0") if text else (start, 2, 2, name + b"\0" + body))
        if completion:
            say = b"xentrail end task=%s job=%d" % (name, number)
            events.append((completion, 3, 4, struct.pack("<I", len(say)) + say + b"\0") if text
                          else (completion, 3, 3, name + b"\0" + struct.pack("<Q", number)))
    events.sort(key=lambda e: e[:2])
    body = b"".join(struct.pack("<HQ", kind, time) + data for time, _, kind, data in events)
    size = 4 + 16 + 4 + 5 * 8 + 4 + len(body)
    uuid = bytes.fromhex("00112233445566778899aabbccddeeff")
    with open(f"{folder}/channel0_0", "wb") as f:
        f.write(struct.pack("<I", 0xC1FC1FC1) + uuid + struct.pack("<I5QI", 0, events[0][0], events[-1][0], 8 * size, 8 * size, 0, 0) + body)
    with open(f"{folder}/metadata", "w") as f:
        f.write(METADATA)


def main():
    kind, path, folder, *rest = sys.argv[1:]
    jobs = list(jobs_of(path, int(rest[1]) if rest else 0))
    if kind == "litmus":
        litmus(jobs, folder)
    else:
        lttng(jobs, folder, kind == "lttng-text")


if __name__ == "__main__":
    main()
