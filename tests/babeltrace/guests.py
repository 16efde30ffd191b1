#!/usr/bin/env python3
"""Writes a guest's job log as other tracers would have: from guests/NAME.jobs.csv, in the guest's CLOCK_MONOTONIC.

    guests.py litmus|lttng|lttng-text JOBS.csv FOLDER [--shift NS] [--discarded N]

litmus: sched_trace, a file a CPU, records of 24 bytes as LITMUS^RT's include/litmus/sched_trace.h has them.
lttng: a CTF trace in the layout of LTTng's kernel tracer (sched_switch, sched_wakeup; compact event headers, packets, clock
`monotonic` with the epoch in its offset) with job_begin and job_end events; lttng-text: the same with lttng_logger texts; only
task 0 says its releases, those of the others are their wake-ups, which stand at their starts.
All on CPU 0. --shift: add to all times, as if the guest had booted earlier. --discarded: the tracer lost so many events.
"""
import argparse
import os
import struct

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


# What lttng-modules 2.13 writes of a kernel's channel, less the events that do not matter here.
METADATA = """/* CTF 1.8 */
typealias integer { size = 8; align = 8; signed = false; } := uint8_t;
typealias integer { size = 16; align = 8; signed = false; } := uint16_t;
typealias integer { size = 32; align = 8; signed = false; } := uint32_t;
typealias integer { size = 64; align = 8; signed = false; } := uint64_t;
typealias integer { size = 64; align = 8; signed = false; } := unsigned long;
typealias integer { size = 5; align = 1; signed = false; } := uint5_t;
typealias integer { size = 27; align = 1; signed = false; } := uint27_t;

trace {
	major = 1; minor = 8; uuid = "00112233-4455-6677-8899-aabbccddeeff"; byte_order = le;
	packet.header := struct { uint32_t magic; uint8_t uuid[16]; uint32_t stream_id; uint64_t stream_instance_id; };
};
env {
	hostname = "vm"; domain = "kernel"; sysname = "Linux"; kernel_release = "6.1.0"; kernel_version = "#1 SMP PREEMPT_RT";
	tracer_name = "lttng-modules"; tracer_major = 2; tracer_minor = 13; tracer_patchlevel = 9;
	trace_buffering_scheme = "global"; trace_name = "rt"; trace_creation_datetime = "20231114T221320+0000";
};
clock {
	name = "monotonic"; uuid = "88cba016-36e2-48c2-aff8-3e4b9aefb05c"; description = "Monotonic Clock";
	freq = 1000000000; /* Frequency, in Hz */
	offset = 1700000000123456789;
};
typealias integer { size = 27; align = 1; signed = false; map = clock.monotonic.value; } := uint27_clock_monotonic_t;
typealias integer { size = 32; align = 8; signed = false; map = clock.monotonic.value; } := uint32_clock_monotonic_t;
typealias integer { size = 64; align = 8; signed = false; map = clock.monotonic.value; } := uint64_clock_monotonic_t;

struct packet_context {
	uint64_clock_monotonic_t timestamp_begin; uint64_clock_monotonic_t timestamp_end;
	uint64_t content_size; uint64_t packet_size; uint64_t packet_seq_num; unsigned long events_discarded; uint32_t cpu_id;
};
struct event_header_compact {
	enum : uint5_t { compact = 0 ... 30, extended = 31 } id;
	variant <id> {
		struct { uint27_clock_monotonic_t timestamp; } compact;
		struct { uint32_t id; uint64_clock_monotonic_t timestamp; } extended;
	} v;
} align(8);

stream { id = 0; event.header := struct event_header_compact; packet.context := struct packet_context; };
event { name = "sched_switch"; id = 0; stream_id = 0; fields := struct {
	integer { size = 8; align = 8; signed = 0; encoding = UTF8; base = 10; } _prev_comm[16];
	integer { size = 32; align = 8; signed = 1; encoding = none; base = 10; } _prev_tid;
	integer { size = 32; align = 8; signed = 1; encoding = none; base = 10; } _prev_prio;
	enum : integer { size = 64; align = 8; signed = 1; encoding = none; base = 10; } {
		"TASK_RUNNING" = 0, "TASK_INTERRUPTIBLE" = 1, "TASK_UNINTERRUPTIBLE" = 2, "TASK_STATE_MAX" = 256 } _prev_state;
	integer { size = 8; align = 8; signed = 0; encoding = UTF8; base = 10; } _next_comm[16];
	integer { size = 32; align = 8; signed = 1; encoding = none; base = 10; } _next_tid;
	integer { size = 32; align = 8; signed = 1; encoding = none; base = 10; } _next_prio; }; };
event { name = "sched_wakeup"; id = 1; stream_id = 0; fields := struct {
	integer { size = 8; align = 8; signed = 0; encoding = UTF8; base = 10; } _comm[16];
	integer { size = 32; align = 8; signed = 1; encoding = none; base = 10; } _tid;
	integer { size = 32; align = 8; signed = 1; encoding = none; base = 10; } _prio;
	integer { size = 32; align = 8; signed = 1; encoding = none; base = 10; } _target_cpu; }; };
event { name = "rt:job_begin"; id = 2; stream_id = 0; fields := struct { string _task; uint64_t _job; uint64_t _release; uint64_t _deadline; }; };
event { name = "rt:job_end"; id = 3; stream_id = 0; fields := struct { string _task; uint64_t _job; }; };
event { name = "lttng_logger"; id = 40; stream_id = 0; fields := struct {
	integer { size = 32; align = 8; signed = 0; encoding = none; base = 10; } __msg_length;
	integer { size = 8; align = 8; signed = 0; encoding = UTF8; base = 10; } _msg[ __msg_length ]; }; };
"""
UUID = bytes.fromhex("00112233445566778899aabbccddeeff")
PACKET_BYTES = 4096


def packed(events, last):
    """The bytes of some events of one CPU: ids up to 30 with 27 bits of the time stamp, others in full. last: time before."""
    body = b""
    for time, kind, data in events:
        if kind < 31 and time - last < 1 << 27:
            body += struct.pack("<I", kind | (time & (1 << 27) - 1) << 5)
        else:
            body += struct.pack("<BIQ", 31, kind, time)
        body += data
        last = time
    return body


def channel(path, events, cpu, discarded):
    """One file of a channel, in packets; discarded: so many events are lost at the end of its middle packet."""
    size = 4 + 16 + 4 + 8 + 6 * 8 + 4
    packets, room = [[]], PACKET_BYTES - size
    for event in events:
        need = 13 + len(event[2])
        if need > room:
            packets.append([])
            room = PACKET_BYTES - size
        room -= need
        packets[-1].append(event)
    with open(path, "wb") as f:
        for n, packet in enumerate(packets):
            first, last = packet[0][0], packet[-1][0]
            body = packed(packet, first)
            lost = discarded if n >= len(packets) // 2 else 0
            f.write(struct.pack("<I", 0xC1FC1FC1) + UUID + struct.pack("<IQ", 0, cpu) +
                    struct.pack("<6QI", first, last, 8 * (size + len(body)), 8 * PACKET_BYTES, n, lost, cpu) +
                    body.ljust(PACKET_BYTES - size, b"\0"))


def lttng(jobs, folder, text, discarded):
    folder += "/lttng/kernel"
    os.makedirs(folder, exist_ok=True)
    events = []
    for task, number, release, start, completion, deadline in jobs:
        tid, name = 1000 + int(task), NAMES[task].encode()
        comm, swapper = name.ljust(16, b"\0"), b"swapper/0".ljust(16, b"\0")
        if start:
            events.append((start, 1, comm + struct.pack("<iii", tid, -50, 0)))
            events.append((start, 0, swapper + struct.pack("<iiq", 0, 20, 0) + comm + struct.pack("<ii", tid, -50)))
            said = b"release=%d relative_deadline=%d\n" % (release, deadline - release) if task == "0" else b"deadline=%d" % deadline
            say = b"xentrail begin task=%s job=%d " % (name, number) + said
            events.append((start, 40, struct.pack("<I", len(say)) + say) if text else
                          (start, 2, name + b"\0" + struct.pack("<QQQ", number, release, deadline)))
        if completion:
            say = b"xentrail end task=%s job=%d" % (name, number)
            events.append((completion, 40, struct.pack("<I", len(say)) + say) if text else
                          (completion, 3, name + b"\0" + struct.pack("<Q", number)))
    events.sort(key=lambda e: e[0])
    channel(f"{folder}/channel0_0", events, 0, discarded)
    with open(f"{folder}/metadata", "w") as f:
        f.write(METADATA)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("litmus", "lttng", "lttng-text"))
    parser.add_argument("table")
    parser.add_argument("folder")
    parser.add_argument("--shift", type=int, default=0)
    parser.add_argument("--discarded", type=int, default=0)
    args = parser.parse_args()
    jobs = list(jobs_of(args.table, args.shift))
    if args.kind == "litmus":
        litmus(jobs, args.folder)
    else:
        lttng(jobs, args.folder, args.kind == "lttng-text", args.discarded)


if __name__ == "__main__":
    main()
