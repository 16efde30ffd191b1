# Jobs of guests, logged by other tracers: what comes into the database must be what the guest's own table says.
bats_require_minimum_version 1.5.0

setup() {
    mkdir "$BATS_TEST_TMPDIR/work"
    cd "$BATS_TEST_TMPDIR/work"
    HERE="$SOURCE/tests/babeltrace"
    CSV="$SOURCE/examples/gedf/guests/vm3.jobs.csv"
    export BABELTRACE_PLUGIN_PATH="$PLUGINS"
}

# like_gedf NAME: that recording without what its guests say
like_gedf() {
    mkdir -p "$1/guests"
    cp -r "$SOURCE/examples/gedf/host" "$SOURCE/examples/gedf/recording.json" "$SOURCE/examples/gedf/trace.xen.zst" "$1"
}

ask() {
    "$XENTRAIL" query --db db --csv "$1" | tr -d '\r' | tail -n +2
}

# jobs, misses, largest lateness and sum of lateness by task, of the guest's own table
own_stats() {
    python3 - "$CSV" <<'END'
import collections, sys
late = collections.defaultdict(list)
for line in open(sys.argv[1]):
    if line.startswith("job,"):
        _, task, _, _, _, completion, deadline, _ = line.split(",")
        late[task].append(int(completion) - int(deadline))
print("\n".join(sorted(f"{len(x)},{sum(v > 0 for v in x)},{max(x)},{sum(x)}" for x in late.values())))
END
}

db_stats() {
    ask "SELECT count(*), sum(missed), max(lateness_ns), sum(lateness_ns) FROM jobs WHERE domain = 'vm3' GROUP BY task" | sort
}

@test "sched_trace: jobs, misses and lateness are the guest's, the offset is found" {
    like_gedf run
    python3 "$HERE/guests.py" litmus "$CSV" run/guests/vm3 --shift 123456789012
    "$XENTRAIL" import run --db db
    own_stats | cmp - <(db_stats)
    [ "$(ask "SELECT clock, evidence FROM guests")" = "fitted,1" ]
    # the table's #clock line says where the guest's clock really stood
    "$XENTRAIL" import "$SOURCE/examples/gedf" --db db --name true
    off=$(ask "SELECT abs(a.release - b.release) FROM jobs a JOIN jobs b ON b.run = 2 AND b.domain = 'vm3' AND b.task = '0' AND b.job = a.job
               WHERE a.run = 1 AND a.task LIKE 'ctl/%' AND a.job = 7")
    [ "$off" -lt 50000 ] || { echo "$off"; false; }
    [ "$off" -le "$(ask "SELECT offset_error_ns FROM guests WHERE run = 1")" ]
}

@test "sched_trace: response, lateness and tardiness are those of st-job-stats" {
    for seed in 1 2 3; do
        like_gedf "run$seed"
        python3 "$HERE/sched_trace.py" "$seed" "run$seed/guests/vm1" >want
        [ "$(wc -l <want)" -gt 100 ]
        rm -f db
        "$XENTRAIL" import "run$seed" --db db
        ask "SELECT CASE WHEN task LIKE '%/%' THEN substr(task, instr(task, '/') + 1) ELSE task END AS pid, job, response_ns, lateness_ns,
             max(lateness_ns, 0) FROM jobs WHERE completion IS NOT NULL ORDER BY CAST(pid AS INTEGER), job" | cmp - want
        # late are those that completed late, and those whose deadline passed without
        [ "$(ask "SELECT count(*) FROM jobs WHERE missed IS NOT (lateness_ns > 0) AND completion IS NOT NULL")" = 0 ]
        [ "$(ask "SELECT count(*) FROM jobs WHERE completion IS NULL AND missed")" -gt 5 ]
        [ "$(ask "SELECT count(DISTINCT task) FROM jobs WHERE task LIKE 'rtspin/%'")" = 2 ]
        # babeltrace2 counts the same records
        [ "$(babeltrace2 "run$seed"/guests/vm1/*.bin 2>/dev/null | wc -l)" = "$(python3 -c '
import sys
print(sum(1 for name in sys.argv[1:] for b in [open(name, "rb").read()] for i in range(0, len(b) - 23, 24) if b[i]))' "run$seed"/guests/vm1/*.bin)" ]
    done
}

@test "LTTng: events and texts" {
    for kind in lttng lttng-text; do
        like_gedf "$kind"
        python3 "$HERE/guests.py" "$kind" "$CSV" "$kind/guests/vm3" --shift 5000000000
        rm -f db
        "$XENTRAIL" import "$kind" --db db
        own_stats | cmp - <(db_stats)
        [ "$(ask "SELECT clock, evidence, marks > 500 FROM guests")" = "fitted,1,1" ]
    done
    # a task that does not say its releases was released when it was woken
    [ "$(ask "SELECT count(*) FROM jobs WHERE task = 'video' AND release = start")" = "$(ask "SELECT count(*) FROM jobs WHERE task = 'video'")" ]
    [ "$(ask "SELECT count(*) FROM jobs WHERE task = 'ctl' AND release < start")" -gt 100 ]
}

@test "pairs of clock readings beside the traces are used" {
    like_gedf run
    python3 "$HERE/guests.py" lttng "$CSV" run/guests/vm3
    grep '^#clock' "$CSV" >run/guests/vm3.clock
    "$XENTRAIL" import run --db db
    "$XENTRAIL" import "$SOURCE/examples/gedf" --db db --name true
    [ "$(ask "SELECT clock, evidence FROM guests WHERE run = 1")" = "anchored,1" ]
    [ "$(ask "SELECT max(abs(a.release - b.release)) FROM jobs a JOIN jobs b ON b.run = 2 AND b.domain = 'vm3' AND b.job = a.job
              AND b.task = CASE a.task WHEN 'ctl' THEN '0' ELSE '1' END WHERE a.run = 1")" -le 1 ]
}

@test "a clock that cannot be tied is refused, and the jobs kept" {
    like_gedf run
    # times that have nothing to do with when the guest ran
    python3 -c '
import random, sys
rng = random.Random(1)
for line in sys.stdin:
    f = line.split(",")
    if f[0] == "job":
        d = rng.randrange(40000000)
        f[4], f[5] = str(int(f[4]) + d), str(int(f[5]) + d)
    print(",".join(f), end="")' <"$CSV" >wrong.csv
    python3 "$HERE/guests.py" litmus wrong.csv run/guests/vm3
    run --separate-stderr "$XENTRAIL" import run --db db
    [ "$status" = 0 ]
    [[ $stderr == *"guest vm3: nothing ties the guest's clock"* ]]
    [ "$(ask "SELECT clock, evidence FROM guests")" = "untied,0" ]
    [ "$(ask "SELECT count(*) FROM jobs")" = "$(grep -c '^job,' wrong.csv)" ]
    [ "$(ask "SELECT DISTINCT cause FROM job_misses")" = unknown ]
}

@test "a wrong pair of clock readings is refused as evidence" {
    like_gedf run
    python3 "$HERE/guests.py" lttng "$CSV" run/guests/vm3
    python3 -c '
import sys
for line in sys.stdin:
    f = line.split()
    if f[0] == "#clock":
        print(f[0], f[1], int(f[2]) + 37123456, *f[3:])' <"$CSV" >run/guests/vm3.clock
    run --separate-stderr "$XENTRAIL" import run --db db
    [ "$status" = 0 ]
    [[ $stderr == *"guest vm3: only "*" % of the "*" lie where its VCPUs ran"* ]]
    [ "$(ask "SELECT clock, evidence FROM guests")" = "anchored,0" ]
    [ "$(ask "SELECT DISTINCT cause FROM job_misses")" = unknown ]
    own_stats | cmp - <(db_stats)
}

@test "jobs that may have completed while the guest's tracer lost events are not judged" {
    like_gedf run
    # jobs 30 and 105 of task 0 have no end; if any events were lost, then while job 105 was under way
    awk -F, -v OFS=, '/^job,0,(30|105),/ { $6 = "" } 1' "$CSV" >open.csv
    for n in 0 7; do
        python3 "$HERE/guests.py" lttng open.csv "run/guests/vm3" --discarded "$n"
        rm -f db
        "$XENTRAIL" import run --db db
        [ "$(ask "SELECT lost FROM guests")" = "$n" ]
        [ "$(ask "SELECT missed FROM jobs WHERE task = 'ctl' AND job = 30")" = 1 ]
        [ "$(ask "SELECT coalesce(missed, 'unknown') FROM jobs WHERE task = 'ctl' AND job = 105")" = "$([ "$n" = 0 ] && echo 1 || echo unknown)" ]
    done
}

@test "a trace that says nothing of jobs is said to" {
    like_gedf run
    grep -v '^job,' "$CSV" >none.csv
    sed -n 's/^job,0,\([0-9]*\),/job,0,\1,/p' "$CSV" | head -n 3 >>none.csv
    python3 "$HERE/guests.py" lttng none.csv run/guests/vm3
    sed -i 's/rt:job_/rt:other_/' run/guests/vm3/lttng/kernel/metadata
    run --separate-stderr "$XENTRAIL" import run --db db
    [ "$status" = 0 ]
    [[ $stderr == *"guest vm3: no event in its traces says anything of jobs"* ]]
}

@test "a guest that shares its name with another domain, or has none, is no evidence" {
    like_gedf run
    sed -n 's/^vm3  \( *\)[0-9]*/vm3  \19/p' run/host/xl-list.txt | head -n 1 >>run/host/xl-list.txt
    cp "$CSV" run/guests/vm3.jobs.csv
    cp "$CSV" run/guests/elsewhere.jobs.csv
    mkdir run/guests/vm1 # nothing in it: nothing is said of it
    "$XENTRAIL" import run --db db
    [ "$(ask "SELECT domain, domid IS NULL, evidence, why LIKE '%no domain of this guest%' FROM guests ORDER BY 1")" = \
        "$(printf 'elsewhere,1,0,1\nvm3,1,0,1')" ]
    own_stats | cmp - <(db_stats)
}

@test "damaged traces of guests are noted and do not spoil the run" {
    like_gedf run
    python3 "$HERE/guests.py" lttng "$CSV" run/guests/vm1
    python3 "$HERE/guests.py" lttng "$CSV" run/guests/vm2
    truncate -s 5000 run/guests/vm1/lttng/kernel/channel0_0
    printf 'event { name = ' >>run/guests/vm2/lttng/kernel/metadata
    mkdir -p run/guests/vm3
    printf '\001\000\000\000%020d\377' 0 >run/guests/vm3/st-vm-0.bin
    run --separate-stderr "$XENTRAIL" import run --db db
    [ "$status" = 0 ]
    for vm in vm1 vm2; do
        [[ $stderr == *"guest $vm: its trace is not used: "* ]] || { echo "$stderr"; false; }
    done
    [ "$(ask "SELECT count(*) FROM jobs")" = 0 ]
}

@test "babeltrace2 reads sched_trace by itself, in order of time" {
    python3 "$HERE/guests.py" litmus "$CSV" st
    run --separate-stderr babeltrace2 st/st-vm-0.bin st/st-vm-1.bin
    [ "$status" = 0 ]
    [ "$(grep -c ' release: ' <<<"$output")" = "$(grep -c '^job,' "$CSV")" ]
    [[ ${lines[0]} == *'name: { cpu = 0, pid = 1000, job = 0 }, { cmd = "ctl" }'* ]]
    printf '\143\000' | dd of=st/st-vm-0.bin bs=24 seek=5 conv=notrunc status=none
    run --separate-stderr babeltrace2 --component=source.litmus.sched_trace --params='inputs=["st/st-vm-0.bin"]' --component=sink.text.pretty
    [ "$status" = 1 ]
    [[ $(tr -s ' \n' ' ' <<<"$stderr") == *"at offset 120 stands a record of type 99"* ]]
}
