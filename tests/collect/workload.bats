#!/usr/bin/env bats
# The guest workload on this machine, its job traces read by babeltrace2.

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    command -v babeltrace2 > /dev/null || skip "babeltrace2 is not installed"
}

can_be_real_time() { chrt -f 10 true 2> /dev/null; }

# "cycles event task job" a line
jobs() {
    babeltrace2 --clock-cycles "$1" | sed -nE 's/^\[0*([0-9]+)\].* (job_[a-z]+): \{ task = ([0-9]+), job = ([0-9]+) \}$/\1 \2 \3 \4/p'
}

@test "tasks are checked" {
    for task in wcet=1ms period=1ms wcet=1ms,period=5x wcet=0,period=1ms wcet=1ms,period=1ms,cpu=-1 wcet=1ms,period=1ms,colour=2 ""; do
        run "$WORKLOAD" "$task"
        [ "$status" -eq 2 ] || { echo "$task: $status"; false; }
    done
    run "$WORKLOAD"
    [ "$status" -eq 2 ]
}

@test "every job is released, in order, and its events are on its period's grid" {
    can_be_real_time || skip "no real-time priority here"
    "$WORKLOAD" -d 1s -o trace -n vm1 wcet=1ms,period=20ms wcet=2ms,period=50ms,deadline=30ms,phase=5ms
    jobs trace > events
    hz=$(sed -n 's/^ *freq = \([0-9]*\);/\1/p' trace/metadata)
    # releases r with r + deadline <= 1 s: 50 of task 0; 5 + 50 k + 30 <= 1000, k = 0 … 19: 20 of task 1
    [ "$(grep -c ' job_release 0 ' events)" -eq 50 ]
    [ "$(grep -c ' job_release 1 ' events)" -eq 20 ]
    awk -v hz="$hz" '
        $2 == "job_release" { release[$3, $4] = $1; if (($3, $4 - 1) in release) {
            gap = ($1 - release[$3, $4 - 1]) / hz * 1000; want = $3 == 0 ? 20 : 50; if (gap < want - 0.01 || gap > want + 0.01) bad = bad " period " gap } }
        $2 == "job_start" && $1 < release[$3, $4] { bad = bad " early start" }
        $2 == "job_start" { start[$3, $4] = $1 }
        $2 == "job_completion" { ran = ($1 - start[$3, $4]) / hz * 1000; if (ran < ($3 == 0 ? 0.99 : 1.99)) bad = bad " short job " ran }
        $2 == "job_deadline" { d = ($1 - release[$3, $4]) / hz * 1000; want = $3 == 0 ? 20 : 30; if (d < want - 0.01 || d > want + 0.01) bad = bad " deadline " d }
        $1 < last { bad = bad " disorder" } { last = $1 }
        END { print bad; exit bad != "" }' events
    grep -q 'vm = "vm1"' trace/metadata
}

@test "more work than there is time for: jobs without completion, and it ends in time" {
    can_be_real_time || skip "no real-time priority here"
    run timeout 20 "$WORKLOAD" -d 500ms -o trace -p partitioned wcet=40ms,period=50ms,cpu=0 wcet=40ms,period=50ms,cpu=0
    [ "$status" -eq 0 ]
    jobs trace > events
    [ "$(grep -c job_release events)" -eq 20 ]
    [ "$(grep -c job_completion events)" -lt 20 ]
}

@test "SCHED_DEADLINE, cache-heavy work and the background task" {
    can_be_real_time || skip "no real-time priority here"
    run timeout 20 "$WORKLOAD" -d 300ms -b -p edf -o trace wcet=1ms,period=20ms,cache=256k
    [ "$status" -eq 0 ] || skip "no SCHED_DEADLINE here: $output"
    [ "$(jobs trace | grep -c job_completion)" -eq 15 ]
    grep -q 'policy = "edf"' trace/metadata
}

@test "it waits for a line, and a hostile name does not leave its string" {
    can_be_real_time || skip "no real-time priority here"
    echo go | timeout 20 "$WORKLOAD" -w -d 100ms -o trace -n 'x"; }; evil {' wcet=1ms,period=20ms > out
    [ "$(head -n 1 out)" = READY ]
    jobs trace | grep -q job_completion
    run timeout 20 "$WORKLOAD" -w -d 100ms wcet=1ms,period=20ms < /dev/null
    [ "$status" -eq 4 ]
}
