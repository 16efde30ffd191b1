#!/usr/bin/env bats
# xentrail record and info against stand-ins for xl, xentrace and ssh. What they say comes from a real host's recording.

bats_require_minimum_version 1.5.0

setup() {
    recordings=$BATS_TEST_DIRNAME/../../examples
    [ -d "$recordings/gedf" ] || skip "no example recordings"
    export FAKE_HOST=$recordings/gedf/host FAKE_STATE=$BATS_TEST_TMPDIR/state
    export FAKE_TRACE=$BATS_TEST_TMPDIR/original.xen
    if [ -e "$recordings/gedf/trace.xen" ]; then
        cp "$recordings/gedf/trace.xen" "$FAKE_TRACE"
    else
        zstd -q -d "$recordings/gedf/trace.xen.zst" -o "$FAKE_TRACE"
    fi
    mkdir "$FAKE_STATE"
    PATH=$BATS_TEST_DIRNAME/fake:$PATH
    cd "$BATS_TEST_TMPDIR" || return 1
}

xt() { timeout 60 "$XENTRAIL" "$@"; }

tracing_is_off() { [ ! -e "$FAKE_STATE/on" ]; }

# The trace in a recording is a whole number of bytes from the start of the original.
is_prefix() {
    zstd -q -d -c "$1/trace.xen.zst" > got.xen || true
    [ -s got.xen ] && cmp -n "$(stat -c %s got.xen)" got.xen "$FAKE_TRACE"
}

@test "a command's end ends the recording, which is whole" {
    run xt record -o rec --poll 20 -- sleep 1
    [ "$status" -eq 0 ]
    zstd -q -d -c rec/trace.xen.zst | cmp - "$FAKE_TRACE"
    for file in xl-info xl-list xl-vcpu-list-before xl-vcpu-list-after xl-cpupool-list xl-sched xl-sched-rtds-vcpus xl-dmesg; do
        [ -s "rec/host/$file.txt" ]
    done
    jq -e '.complete and .scheduler == "rtds" and .policy == "gEDF" and .tsc_hz == 1000000000 and .trace.ended_by == "command"' rec/recording.json
    jq -e '[.domains[] | select(.name == "vm3") | .vcpus[] | .period_ns == 10000000 and .budget_ns == 3000000 and .extratime == false] == [true]' rec/recording.json
    [ "$(jq -r .trace.sha256 rec/recording.json)" = "$(sha256sum < rec/trace.xen.zst | cut -c 1-64)" ]
    [ "$(jq -r .trace.bytes rec/recording.json)" = "$(stat -c %s "$FAKE_TRACE")" ]
    tracing_is_off
    [ -z "$(find rec -name '.*' -type f)" ]
}

@test "lost records are counted, and the cure is named" {
    # Two windows: a wrap record; two switches and twice lost records (5 and 2^32 - 1), in pieces that cut every record.
    /usr/bin/python3 - > "$FAKE_TRACE" <<'END'
import struct, sys
def record(event, *words, tsc=None):
    head = event | len(words) << 28 | (0x80000000 if tsc is not None else 0)
    return struct.pack("<I", head) + (struct.pack("<Q", tsc) if tsc is not None else b"") + struct.pack("<%dI" % len(words), *words)
first = record(0x1f002)
second = record(0x2800e, 1, 0, 5, tsc=10) + record(0x1f001, 5, 1, 2, 3, tsc=20) + record(0x1f001, 0xffffffff, 1, 2, 3, tsc=30) + record(0x2800e, 1, 0, 5, tsc=40)
sys.stdout.buffer.write(record(0x1f003, 0, len(first)) + first + record(0x1f003, 1, len(second)) + second)
END
    FAKE_PIECE=5 run xt record -o rec --poll 5 -T 1
    [ "$status" -eq 0 ]
    jq -e '.trace.lost_records == 4294967300 and .trace.records == 5' rec/recording.json
    [[ "$output" == *"lost 4294967300 records"*"--poll 1"*"--buffer-pages"* ]]
}

@test "time and size limits" {
    run xt record -o byte --poll 20 --size 200k
    [ "$status" -eq 0 ]
    [ "$(jq -r .trace.ended_by byte/recording.json)" = size ]
    run xt record -o time --poll 20 -T 0.5 --compress 0
    [ "$status" -eq 0 ]
    [ "$(jq -r .trace.ended_by time/recording.json)" = time ]
    [ -s time/trace.xen ]
    tracing_is_off
}

@test "without --poll the event rate is measured first, and decides it" {
    export FAKE_MODE=endless FAKE_PIECE=1000000
    run xt record -o rec -T 1 --buffer-pages 256
    [ "$status" -eq 0 ]
    [[ "$output" == *"measuring the event rate"* ]]
    # 10 MB/s into 1 MiB: full in 100 ms, an eighth of that
    poll=$(jq .trace.poll_ms rec/recording.json)
    [ "$poll" -ge 5 ] && [ "$poll" -le 30 ]
    grep -q -- "-s $poll " "$FAKE_STATE/calls"
}

@test "Ctrl-C stops it in order" {
    export FAKE_MODE=endless
    timeout 60 "$XENTRAIL" record -o rec --poll 20 2> err 3>&- & pid=$!
    for _ in $(seq 600); do [ -s "$FAKE_STATE/pid" ] && break; sleep 0.1; done
    sleep 1
    pkill -INT -P $pid -x xentrail || kill -INT $pid
    wait $pid
    [ "$(jq -r .trace.ended_by rec/recording.json)" = signal ]
    tracing_is_off
}

@test "a killed collector leaves a readable recording and no tracing" {
    export FAKE_MODE=endless
    "$XENTRAIL" record -o rec --poll 20 2> err 3>&- & pid=$!
    for _ in $(seq 600); do [ -s "$FAKE_STATE/pid" ] && break; sleep 0.1; done
    sleep 2.5
    kill -KILL $pid
    wait $pid || true
    for _ in $(seq 50); do tracing_is_off && break; sleep 0.1; done
    tracing_is_off
    for _ in $(seq 50); do [ -d "/proc/$(cat "$FAKE_STATE/pid")" ] || break; sleep 0.1; done
    [ ! -d "/proc/$(cat "$FAKE_STATE/pid")" ]
    is_prefix rec || [ "$(stat -c %s got.xen)" -gt "$(stat -c %s "$FAKE_TRACE")" ]
    [ "$(jq -r .complete rec/recording.json)" = false ]
    run xt info rec
    [ "$status" -eq 0 ]
    [[ "$output" == *"not complete"* ]]
}

@test "a killed xentrace: tracing is turned off by another, what came stays" {
    export FAKE_MODE=die
    run xt record -o rec --poll 20 -T 20
    [ "$status" -eq 4 ]
    [[ "$output" == *"ended too early"* ]]
    tracing_is_off
    is_prefix rec
}

@test "an xentrace that others end: status 4, not a recording that seems whole" {
    "$XENTRAIL" record -o rec --poll 300 -T 60 2> err 3>&- & pid=$!
    for _ in $(seq 600); do [ -s rec/trace.xen.zst ] && break; sleep 0.1; done
    kill -TERM "$(cat "$FAKE_STATE/pid")"
    status=0
    wait $pid || status=$?
    [ "$status" -eq 4 ] && grep -q "ended too early.*told to end" err || { cat err; false; }
    jq -e '.complete == false and .trace.ended_by == "failure"' rec/recording.json
    is_prefix rec
    tracing_is_off
}

@test "a full disk: status 4, the message says so, the rest is readable" {
    [ "$(id -u)" -eq 0 ] || skip "needs root for a small file system"
    mkdir disk
    mount -t tmpfs -o size=3M none disk || skip "cannot mount"
    export FAKE_MODE=endless FAKE_PIECE=300000
    run xt record -o disk/rec --poll 20 --compress 0 -T 20
    cp -r disk/rec rec
    umount disk
    [ "$status" -eq 4 ]
    [[ "$output" == *"disk is full"* ]]
    tracing_is_off
    [ "$(jq -r .complete rec/recording.json)" = false ]
    [ -s rec/host/xl-vcpu-list-after.txt ]
    cmp -n 100000 rec/trace.xen "$FAKE_TRACE"
}

@test "a limit on the size of files: likewise" {
    export FAKE_MODE=endless FAKE_PIECE=300000
    run bash -c 'ulimit -f 500; exec timeout 60 "$XENTRAIL" record -o rec --poll 20 --compress 0 -T 20'
    [ "$status" -eq 4 ] && [[ "$output" == *"trace.xen: File too large"* ]] || { echo "$status $output"; false; }
    tracing_is_off
    [ "$(jq -r .complete rec/recording.json)" = false ]
    [ "$(stat -c %s rec/trace.xen)" -eq 512000 ]
    cmp -n 512000 rec/trace.xen "$FAKE_TRACE"
}

@test "over ssh" {
    run xt record -o rec --host root@xenhost --poll 20 -T 1
    [ "$status" -eq 0 ]
    is_prefix rec
    [ "$(jq -r .host rec/recording.json)" = root@xenhost ]
    tracing_is_off
}

@test "over an ssh that gives sockets for standard input and output" {
    export FAKE_SSH=sockets
    run xt record -o rec --host root@xenhost --poll 20 -- sleep 1
    [ "$status" -eq 0 ]
    zstd -q -d -c rec/trace.xen.zst | cmp - "$FAKE_TRACE"
    tracing_is_off
}

@test "a connection that breaks: status 4, readable, tracing off over there" {
    export FAKE_SSH=cut FAKE_MODE=endless
    run xt record -o rec --host root@xenhost --poll 20 -T 20
    [ "$status" -eq 4 ]
    [[ "$output" == *"connection to root@xenhost broke"* ]]
    for _ in $(seq 50); do tracing_is_off && break; sleep 0.1; done
    tracing_is_off
    [ -s rec/trace.xen.zst ]
    zstd -q -t rec/trace.xen.zst
}

@test "hosts that cannot be recorded: status 3, each with its reason, and no folder" {
    FAKE_SSH=unreachable run xt record -o rec --host root@xenhost
    [ "$status" -eq 3 ] && [[ "$output" == *"cannot reach root@xenhost"*"No route to host"* ]]
    FAKE_NO_XEN=1 run xt record -o rec
    [ "$status" -eq 3 ] && [[ "$output" == *"xl info"*"failed"* ]]
    FAKE_MODE=refuse run xt record -o rec --poll 20
    [ "$status" -eq 3 ] && [[ "$output" == *"Operation not permitted"* ]]
    FAKE_HOST=$recordings/credit/host run xt record -o rec --policy gEDF
    [ "$status" -eq 3 ] && [[ "$output" == *"needs the scheduler rtds, but Xen runs credit"* ]]
    [ ! -e rec ]
}

# Runs a command where xl and xentrace are not, even if this machine has them.
without_tools() {
    [ "$(id -u)" -eq 0 ] && unshare --mount true || skip "cannot hide this machine's own xl"
    unshare --mount sh -c 'for tool in xl xentrace; do
            for folder in /usr/local/sbin /usr/sbin /sbin; do [ ! -e $folder/$tool ] || mount --bind /dev/null $folder/$tool; done
        done; exec "$@"' sh "$@"
}

@test "a host without RTDS is recorded, and what is missing is said" {
    export FAKE_HOST=$recordings/credit/host
    run xt record -o rec --poll 20 -T 0.3
    [ "$status" -eq 0 ] && [[ "$output" == *"Xen runs credit, which reserves nothing"*"--reservation"* ]] || { echo "$output"; false; }
    jq -e '.complete and .scheduler == "credit" and .policy == "credit" and (.notes | length) == 1' rec/recording.json
    is_prefix rec
    run xt record -o reserved --poll 20 -T 0.3 --reservation vm1=10ms/4ms
    [ "$status" -eq 0 ] && [[ "$output" != *"reserves nothing"* ]]
}

@test "xl or xentrace missing" {
    mkdir bin
    for tool in sh id cat sed head sleep; do ln -s "$(command -v $tool)" bin/; done
    run without_tools env PATH="$PWD/bin" "$XENTRAIL" record -o rec
    [ "$status" -eq 3 ] && [[ "$output" == *"no Xen host"*"xentrail lab"* ]]
    ln -s "$BATS_TEST_DIRNAME/fake/xl" bin/
    run without_tools env PATH="$PWD/bin" "$XENTRAIL" record -o rec
    [ "$status" -eq 3 ] && [[ "$output" == *"xentrace is not installed"* ]]
    [ ! -e rec ]
}

@test "no privileges" {
    [ "$(id -u)" -eq 0 ] || skip "not root anyway"
    run setpriv --reuid=65534 --clear-groups "$XENTRAIL" record -o rec
    [ "$status" -eq 3 ] && [[ "$output" == *"needs root"*"sudo"* ]]
    [ ! -e rec ]
}

@test "tracing already in use" {
    export FAKE_MODE=endless
    xentrace /dev/null & other=$!
    for _ in $(seq 600); do [ -s "$FAKE_STATE/pid" ] && break; sleep 0.1; done
    run xt record -o rec -T 1
    kill $other
    wait $other || true
    [ "$status" -eq 3 ]
    [[ "$output" == *"already in use"*"process $other"* ]]
    [ ! -e rec ]
}

@test "wrong usage: status 2" {
    for words in "" "-o rec --events nonsense" "-o rec --size 5x" "-o rec --policy EDF" "-o rec --host -oProxyCommand=x" \
                 "-o rec -T -1" "-o rec --reservation vm1=4ms" "-o rec --guest vm1"; do
        # shellcheck disable=SC2086 # words
        run xt record $words
        [ "$status" -eq 2 ] || { echo "$words: $status $output"; false; }
    done
    mkdir there
    run xt record -o there --poll 20 -T 1
    [ "$status" -eq 2 ]
    [[ "$output" == *"exists already"* ]]
    [ ! -e rec ]
}

@test "the policy is written down in its two parts" {
    run xt record -o rec --poll 20 -T 0.3 --policy gEDF+periodic
    [ "$status" -eq 0 ]
    jq -e '.policy == "gEDF" and .server == "periodic"' rec/recording.json
    run xt record -o plain --poll 20 -T 0.3 --policy gEDF
    [ "$status" -eq 0 ]
    jq -e '.policy == "gEDF" and (has("server") | not)' plain/recording.json
}

@test "a failing command is told, the recording is whole" {
    run xt record -o rec --poll 20 -- sh -c 'sleep 0.3; exit 7'
    [ "$status" -eq 1 ]
    [[ "$output" == *"status 7"* ]]
    [ "$(jq -r .complete rec/recording.json)" = true ]
    run xt record -o none --poll 20 -- /no/such/program
    [ "$status" -eq 4 ]
    tracing_is_off
}

@test "--dry-run changes nothing" {
    run xt record -o rec --dry-run --events sched+irq -T 5
    [ "$status" -eq 0 ]
    [[ "$output" == *"0x0082f000"* ]]
    [ ! -e rec ] && [ ! -e "$FAKE_STATE/calls" ]
}

@test "reservations and guest traces come along" {
    mkdir jobs && echo metadata > jobs/metadata
    run xt record -o rec --poll 20 -T 0.5 --reservation vm1=10ms/4ms --reservation d2v0=20ms/3ms --guest vm1=jobs
    [ "$status" -eq 0 ]
    jq -e '.reservations == [{"domain": "vm1", "vcpu": 0, "period_ns": 10000000, "budget_ns": 4000000},
                             {"domain": "vm1", "vcpu": 1, "period_ns": 10000000, "budget_ns": 4000000},
                             {"domain": "vm2", "vcpu": 0, "period_ns": 20000000, "budget_ns": 3000000}] and .guests == {"vm1": "ctf-1.8"}' rec/recording.json
    cmp jobs/metadata rec/guests/vm1/metadata
}

@test "a reservation for a domain that is not there" {
    for which in d9 d9v0 d1v7 vm9; do
        run xt record -o rec --poll 20 -T 0.5 --reservation $which=10ms/4ms
        [ "$status" -eq 2 ] && [[ "$output" == *"no such VCPU"* || "$output" == *"no VCPU of a domain \"$which\""* ]] ||
            { echo "$which: $status $output"; false; }
        [ ! -e rec ]
    done
}

@test "info --verify finds what has changed" {
    run xt record -o rec --poll 20 -T 0.5
    [ "$status" -eq 0 ]
    run xt info rec --verify
    [ "$status" -eq 0 ]
    printf X | dd of=rec/trace.xen.zst bs=1 seek=100 conv=notrunc status=none
    rm rec/host/xl-info.txt
    echo new > rec/host/extra.txt
    run xt info rec --verify
    [ "$status" -eq 1 ]
    [[ "$output" == *"trace.xen.zst has changed"* ]]
    [[ "$output" == *"host/xl-info.txt is missing"* ]]
    [[ "$output" == *"host/extra.txt is not part"* ]]
    run xt info nowhere
    [ "$status" -eq 3 ] && [[ "$output" == *"there is no recording.json"* ]]
    run xt info rec/trace.xen.zst
    [ "$status" -eq 3 ] && [[ "$output" == *"there is no recording.json"* ]]
    mkdir broken
    echo '{"version": 1,' > broken/recording.json
    run xt info broken
    [ "$status" -eq 3 ]
    echo '{"version": 99}' > broken/recording.json
    run xt info broken
    [ "$status" -eq 3 ] && [[ "$output" == *"newer than this program"* ]]
    echo '{"version": 1, "files": [{"path": "../../etc/passwd", "sha256": "x"}, 7, {"path": "a"}], "domains": [1, {"vcpus": [2]}], "notes": 3, "trace": 4}' > broken/recording.json
    run xt info --verify broken
    [ "$status" -eq 1 ]
    [[ "$output" != *passwd* ]]
}

@test "--live tells what the whole recording tells of the same time" {
    recording=$recordings/noisy-gedf
    zstd -q -d "$recording/trace.xen.zst" -o noisy.xen 2> /dev/null || cp "$recording/trace.xen" noisy.xen
    export FAKE_TRACE=$PWD/noisy.xen FAKE_HOST=$recording/host FAKE_PIECE=$(($(stat -c %s noisy.xen) / 70))
    xt record -o rec --poll 100 -T 9 --live 2> err
    for name in "d0v0 Domain-0" "d1v0 vm1" "d2v1 vm2" "d4v0 hog"; do
        grep -q "^$name" err || { echo "no $name"; cat err; false; }
    done
    run ! grep d32767 err
    xt import --db x.db rec
    "$BATS_TEST_DIRNAME/live_check.py" x.db rec < err
}
