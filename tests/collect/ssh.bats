#!/usr/bin/env bats
# xentrail record over a real ssh to a real sshd on this machine, where stand-ins for xl and xentrace wait.

setup_file() {
    [ -d "$BATS_TEST_DIRNAME/../../examples/gedf" ] || skip "no example recordings"
    [ "$(id -u)" -eq 0 ] && [ -x /usr/sbin/sshd ] && command -v ssh > /dev/null || skip "needs root and openssh-server"
    cd "$BATS_FILE_TMPDIR" || return 1
    # A folder that only right quoting survives.
    export FAR="$PWD/far side's \"bin\""
    cp -r "$BATS_TEST_DIRNAME/fake" "$FAR"
    rm "$FAR/ssh"
    mkdir -p /run/sshd state near
    ssh-keygen -q -t ed25519 -N '' -f host
    ssh-keygen -q -t ed25519 -N '' -f key
    ssh-keygen -q -t ed25519 -N '' -f stranger
    cp key.pub authorized
    zstd -q -d "$BATS_TEST_DIRNAME/../../examples/gedf/trace.xen.zst" -o original.xen 2> /dev/null ||
        cp "$BATS_TEST_DIRNAME/../../examples/gedf/trace.xen" original.xen
    # What the far side sees; the tests change the mode by a file, since its environment stands.
    sed -i "s|^state, mode = .*|state = os.environ['FAKE_STATE']; mode = open(state + '/mode').read()|" "$FAR/xentrace"
    for port in 42201 42202 42203 42204; do
        cat > sshd_config <<END
Port $port
ListenAddress 127.0.0.1
HostKey $PWD/host
AuthorizedKeysFile $PWD/authorized
PidFile $PWD/sshd.pid
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
SetEnv "PATH=$(sed 's/"/\\"/g' <<< "$FAR"):$PATH" "FAKE_STATE=$PWD/state" "FAKE_TRACE=$PWD/original.xen" "FAKE_HOST=$(realpath "$BATS_TEST_DIRNAME/../../examples/gedf/host")"
END
        /usr/sbin/sshd -f "$PWD/sshd_config" -E "$PWD/sshd.log" 3>&- || true
        for _ in 1 2 3 4 5 6 7 8 9 10; do [ -s sshd.pid ] && break; sleep 0.1; done
        [ -s sshd.pid ] && break
    done
    [ -s sshd.pid ] || skip "sshd does not start: $(tail -n 1 sshd.log)"
    echo "[127.0.0.1]:$port $(cut -d ' ' -f 1,2 host.pub)" > known
    # ssh as people use it, with a configuration of its own.
    printf '#!/bin/sh\nexec %s -F "%s/config" "$@"\n' "$(command -v ssh)" "$PWD" > near/ssh
    chmod +x near/ssh
    cat > config <<END
Host xenhost
    IdentityFile "$PWD/key"
Host wrongkey
    IdentityFile "$PWD/stranger"
Host strange
    IdentityFile "$PWD/key"
    UserKnownHostsFile /dev/null
Host nobody
    Port 9
Host *
    HostName 127.0.0.1
    HostKeyAlias [127.0.0.1]:$port
    Port $port
    User root
    IdentitiesOnly yes
    UserKnownHostsFile "$PWD/known"
    GlobalKnownHostsFile /dev/null
END
    export FAKE_STATE="$PWD/state" FAKE_TRACE="$PWD/original.xen" PATH="$PWD/near:$PATH"
}

teardown_file() {
    [ ! -s "$BATS_FILE_TMPDIR/sshd.pid" ] || kill "$(cat "$BATS_FILE_TMPDIR/sshd.pid")"
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    rm -f "$FAKE_STATE"/*
    mode ""
}

# A test that failed must not keep the host busy for the next.
teardown() {
    [ -z "${pid:-}" ] || kill -KILL "$pid" 2> /dev/null || true
    [ ! -s "$FAKE_STATE/pid" ] || tracing_ends || kill -KILL "$(cat "$FAKE_STATE/pid")"
}

mode() { printf %s "$1" > "$FAKE_STATE/mode"; }

xt() { timeout 180 "$XENTRAIL" "$@"; }

tracing_ends() {
    for _ in $(seq 100); do
        [ ! -e "$FAKE_STATE/on" ] && [ ! -d "/proc/$(cat "$FAKE_STATE/pid")" ] && return
        sleep 0.1
    done
    return 1
}

wait_for_trace() { # FOLDER
    for _ in $(seq 600); do [ -s "$1/trace.xen.zst" ] && return; sleep 0.1; done
    return 1
}

@test "a recording over ssh is whole, and nothing stays behind over there" {
    run xt record -o rec --host xenhost --poll 20 -- sleep 1
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    zstd -q -d -c rec/trace.xen.zst | cmp - "$FAKE_TRACE"
    [ "$(jq -r .host rec/recording.json)" = xenhost ]
    jq -e '.complete and .trace.ended_by == "command" and .policy == "gEDF"' rec/recording.json
    xt info --verify rec
    tracing_ends
}

@test "the event rate is measured over ssh, too, and Ctrl-C ends it" {
    mode endless
    "$XENTRAIL" record -o rec --host xenhost 2> err 3>&- & pid=$!
    wait_for_trace rec
    kill -INT $pid
    wait $pid
    jq -e '.complete and .trace.ended_by == "signal"' rec/recording.json
    tracing_ends
}

# What is in a recording that broke off: the beginning of the trace, which xentrail reads.
is_readable_prefix() {
    zstd -q -d -c "$1/trace.xen.zst" > got.xen
    [ -s got.xen ] && cmp -n "$(stat -c %s got.xen)" got.xen "$FAKE_TRACE"
    run xt stats "$1"
    [ "$status" -eq 0 ] && [[ "$output" == *vm1* ]] || { echo "$output"; return 1; }
}

@test "the session over there is killed: status 4, readable, tracing off" {
    "$XENTRAIL" record -o rec --host xenhost --poll 300 2> err 3>&- & pid=$!
    wait_for_trace rec
    # the process that serves the connection, and with it the line
    pkill -KILL -P "$(cat "$BATS_FILE_TMPDIR/sshd.pid")"
    status=0
    wait $pid || status=$?
    [ "$status" -eq 4 ] || { cat err; false; }
    grep -q "connection to xenhost broke.*tracing is turned off" err
    grep -q "can be read up to there" err
    tracing_ends
    is_readable_prefix rec
    jq -e '.complete == false' rec/recording.json
    run xt info rec
    [ "$status" -eq 0 ] && [[ "$output" == *"not complete"* ]]
}

@test "ssh here is killed: likewise" {
    mode endless
    "$XENTRAIL" record -o rec --host xenhost --poll 20 2> err 3>&- & pid=$!
    wait_for_trace rec
    pkill -KILL -P $pid -x ssh
    status=0
    wait $pid || status=$?
    [ "$status" -eq 4 ] || { cat err; false; }
    tracing_ends
    zstd -q -t rec/trace.xen.zst
}

@test "a line that falls silent without an end: tracing is turned off over there" {
    mode endless
    "$XENTRAIL" record -o rec --host xenhost --poll 20 2> err 3>&- & pid=$!
    wait_for_trace rec
    pkill -STOP -P $pid -x ssh
    for _ in 1 2 3 4 5; do tracing_ends && break; done
    tracing_ends
    pkill -KILL -P $pid -x ssh
    status=0
    wait $pid || status=$?
    [ "$status" -eq 4 ] || { cat err; false; }
    zstd -q -t rec/trace.xen.zst
}

@test "a long recording over ssh is not taken for silence" {
    mode endless
    run xt record -o rec --host xenhost --poll 100 -T 25
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    jq -e '.complete and .trace.ended_by == "time" and .trace.elapsed_s > 24' rec/recording.json
}

@test "the collector is killed: what came is readable, tracing off" {
    "$XENTRAIL" record -o rec --host xenhost --poll 300 2> err 3>&- & pid=$!
    wait_for_trace rec
    kill -KILL $pid
    wait $pid || true
    tracing_ends
    is_readable_prefix rec
}

@test "hosts that do not let us in: status 3, with the reason, and no folder" {
    for case in "wrongkey Permission denied" "strange Host key verification failed" "nobody Connection refused"; do
        run xt record -o rec --host "${case%% *}" --poll 20
        [ "$status" -eq 3 ] && [[ "$output" == *"cannot reach ${case%% *}"*"${case#* }"* ]] || { echo "$case: $status $output"; false; }
        [ ! -e rec ]
    done
}

@test "destinations and folders with odd characters" {
    for host in "" "-oProxyCommand=touch evil" "a b" $'a\tb'; do
        run xt record -o rec --host "$host" --poll 20
        [ "$status" -eq 2 ] && [[ "$output" == *"no ssh destination"* ]] || { echo "$host: $status $output"; false; }
    done
    for host in '$(touch evil)' '`touch evil`' "a;touch evil" "it's" 'a"b'; do
        run xt record -o rec --host "${host// /}" --poll 20
        [ "$status" -eq 3 ] || [ "$status" -eq 2 ] || [ "$status" -eq 0 ] || { echo "$host: $status $output"; false; }
        rm -rf rec
    done
    [ ! -e evil ] && [ ! -e ~/evil ]
    for folder in "it's a \"folder\"" -dash $'new\nline' '$(touch evil)' '*'; do
        run xt record --output="$folder" --host xenhost --poll 20 -T 0.3
        [ "$status" -eq 0 ] && [ -s "./$folder/trace.xen.zst" ] || { echo "$folder: $status $output"; false; }
        run xt info --verify "./$folder"
        [ "$status" -eq 0 ]
    done
    [ ! -e evil ]
}
