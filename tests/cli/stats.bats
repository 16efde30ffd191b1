# xentrail stats: formats, every way to hand in a trace, temporary space, options.
bats_require_minimum_version 1.5.0
load helper

setup_file() {
    mkdir "$BATS_FILE_TMPDIR/in"
    export TRACE="$BATS_FILE_TMPDIR/in/trace.xen"
    zstd -dcq "$SOURCE/examples/gedf/trace.xen.zst" >"$TRACE"
    "$XENTRAIL" stats "$TRACE" --json >"$BATS_FILE_TMPDIR/plain.json"
}

setup() {
    cd "$BATS_TEST_TMPDIR"
}

# The JSON on stdin without the run's name.
nameless() {
    jq -S 'del(.run[0].run)'
}

same_as_plain() {
    diff <(nameless <"$BATS_FILE_TMPDIR/plain.json") <(nameless)
}

@test "standard input, compressed files and compressed standard input tell the same" {
    "$XENTRAIL" stats - --json <"$TRACE" 2>/dev/null | same_as_plain
    cat "$TRACE" | "$XENTRAIL" stats - --json 2>/dev/null | same_as_plain
    zstd -q "$TRACE" -o trace.zst
    "$XENTRAIL" stats trace.zst --json 2>/dev/null | same_as_plain
    mv trace.zst misnamed.xen # by what it holds, not by its name
    "$XENTRAIL" stats misnamed.xen --json 2>/dev/null | same_as_plain
    cat misnamed.xen | "$XENTRAIL" stats - --json 2>/dev/null | same_as_plain
    # two frames, as appending to a .zst makes them
    { head -c 500000 "$TRACE" | zstd -q; tail -c +500001 "$TRACE" | zstd -q; } >frames.zst
    "$XENTRAIL" stats frames.zst --json 2>/dev/null | same_as_plain
    # a pipe that delivers a few bytes at a time
    { head -c 7 "$TRACE"; sleep 0.1; tail -c +8 "$TRACE"; } | "$XENTRAIL" stats - --json 2>/dev/null | same_as_plain
}

@test "JSON, CSV and tables hold the same figures" {
    "$XENTRAIL" stats "$TRACE" --csv >out.csv
    "$XENTRAIL" stats "$TRACE" >out.txt
    running=$(jq '.vcpus[] | select(.domid == 1 and .vcpu == 0).running_ns' "$BATS_FILE_TMPDIR/plain.json")
    [ "$running" -gt 900000000 ]
    grep -q ",$running," out.csv
    grep -q "$(printf '%d.%03d' $((running / 1000000)) $(((running + 500) / 1000 % 1000)))" out.txt
}

@test "VCPUs fill the run: their states add up to its duration" {
    jq -e '.run[0].duration_ns as $d | .vcpus | length > 0 and all(
        .running_ns + .runnable_ns + .blocked_ns + .offline_ns + .unknown_ns == $d)' "$BATS_FILE_TMPDIR/plain.json"
}

@test "overhead and latency are tables of their own, each figure with its count" {
    jq -e '[.overhead[].metric] | index("decision") != null and index("wake_latency") == null' "$BATS_FILE_TMPDIR/plain.json"
    jq -e '[.latency[].metric] | index("wake_latency") != null and index("decision") == null' "$BATS_FILE_TMPDIR/plain.json"
    jq -e '[.overhead[], .latency[]] | all(has("n") and has("dropped") and .min_ns <= .p50_ns and .p50_ns <= .p90_ns and
        .p90_ns <= .p99_ns and .p99_ns <= .p999_ns and .p999_ns <= .max_ns)' "$BATS_FILE_TMPDIR/plain.json"
}

@test "no room for temporary files: status 4, and what to do" {
    run --separate-stderr env TMPDIR=/nonexistent/folder "$XENTRAIL" stats - <"$TRACE"
    if [ "$status" = 0 ]; then # a redirected file is read in place
        run --separate-stderr bash -c 'cat "$TRACE" | TMPDIR=/nonexistent/folder "$XENTRAIL" stats -'
    fi
    [ "$status" = 4 ]
    [ -z "$output" ]
    [[ $stderr == *"/nonexistent/folder"*"TMPDIR"* ]]
    # as full as a file may get
    run --separate-stderr bash -c 'trap "" XFSZ; ulimit -f 200; cat "$TRACE" | "$XENTRAIL" stats -'
    [ "$status" = 4 ]
    [ -z "$output" ]
    [[ $stderr == *"temporary file"*"TMPDIR"* ]]
}

@test "output that cannot be written: status 4" {
    run --separate-stderr bash -c '"$XENTRAIL" stats "$TRACE" --json >/dev/full'
    [ "$status" = 4 ]
    [ -n "$stderr" ]
}

@test "frequency: measured, given, impossible" {
    jq -e '.run[0] | .tsc_hz_source == "trace" and (.tsc_hz - 1e9 | fabs) < 1e5' "$BATS_FILE_TMPDIR/plain.json"
    "$XENTRAIL" stats "$TRACE" --json --tsc-hz 2e9 >out.json
    jq -e '.run[0] | .tsc_hz == 2000000000 and .tsc_hz_source == "user"' out.json
    jq -se '(.[0].run[0].duration_ns / .[1].run[0].duration_ns - 2 | fabs) < 1e-4' "$BATS_FILE_TMPDIR/plain.json" out.json
    for hz in 0 -1 1 1e13 fast nan inf 1e9x ''; do
        run --separate-stderr "$XENTRAIL" stats "$TRACE" --tsc-hz "$hz"
        [ "$status" = 2 ] || { echo "$hz: $status"; false; }
        [ -z "$output" ]
        [[ $stderr == *"--tsc-hz"* ]]
    done
}

@test "a trace that tells no frequency asks for one" {
    printf '%s\n' 'p0 1000 rs d1v0 blocked>runnable' 'p0 2000 rs d1v0 runnable>running' >case.txt
    python3 "$SOURCE/tests/oracle/mktrace.py" case.txt >case.xen
    run --separate-stderr "$XENTRAIL" stats case.xen
    [ "$status" = 3 ]
    [ -z "$output" ]
    [[ $stderr == *"case.xen"*"--tsc-hz"* ]]
    run --separate-stderr "$XENTRAIL" stats case.xen --tsc-hz 1e9 --json
    [ "$status" = 0 ]
    jq -e '.run[0].duration_ns == 1000 and .vcpus[0].runnable_ns == 1000' <<<"$output"
}

@test "a reservation from outside judges a scheduler without budgets" {
    "$XENTRAIL" stats "$SOURCE/examples/credit" --json 2>/dev/null >with.json
    jq -e '[.vcpus[] | select(.domid > 0)] | all(.periods > 400 and .period_misses > 0)' with.json
    zstd -dcq "$SOURCE/examples/credit/trace.xen.zst" >credit.xen
    "$XENTRAIL" stats credit.xen --json >bare.json
    jq -e '.vcpus | all(.periods == 0)' bare.json
    "$XENTRAIL" stats credit.xen --json --reservation d1v0=10ms/4ms >given.json
    jq -se '.[0].vcpus as $a | [.[1].vcpus[] | select(.domid == 1 and .vcpu == 0)][0].period_misses ==
        [$a[] | select(.domid == 1 and .vcpu == 0)][0].period_misses' with.json given.json
    for bad in d1v0 d1v0=10ms d1v0=4ms/10ms d1v0=0/0 =10ms/4ms d1v0=10/ d1v0=1e999s/1; do
        run --separate-stderr "$XENTRAIL" stats credit.xen --reservation "$bad"
        [ "$status" = 2 ] || { echo "$bad: $status: $stderr"; false; }
    done
}

@test "a larger tolerance never finds more misses" {
    local last=1000000 misses
    for tolerance in 0 50us 1ms 5ms 1s; do
        misses=$("$XENTRAIL" stats "$SOURCE/examples/credit" --json --tolerance $tolerance 2>/dev/null |
            jq '[.vcpus[].period_misses] | add')
        [ "$misses" -le "$last" ]
        last=$misses
    done
    [ "$last" = 0 ]
}

@test "a name from the command line cannot reach the terminal unescaped" {
    cp "$TRACE" $'tra\e[31mce.xen'
    run --separate-stderr "$XENTRAIL" stats $'tra\e[31mce.xen'
    [ "$status" = 0 ]
    [[ $output != *$'\e'* ]]
    "$XENTRAIL" stats $'tra\e[31mce.xen' --json | jq -e .run >/dev/null
}
