#!/usr/bin/env bats
# What the lab does with its machines, with a stand-in for QEMU and a cache of stand-ins.

setup() {
    recordings=$BATS_TEST_DIRNAME/../../examples
    [ -d "$recordings/gedf" ] || skip "no example recordings"
    cd "$BATS_TEST_TMPDIR" || return 1
    export XDG_CACHE_HOME=$PWD/cache FAKE_STATE=$PWD/state FAKE_OUT=$PWD/brought
    cache=$XDG_CACHE_HOME/xentrail/lab
    mkdir -p state "$cache"/{stamps,modules,sysroot/bin,sysroot/usr/lib/xen-4.17/bin,sysroot/usr/bin,sysroot/lib/x86_64-linux-gnu}
    touch "$cache"/stamps/{xen-2,sysroot,kernel} "$cache"/{xen,vmlinux} "$cache/modules/xenfs.ko" "$cache/sysroot/lib/x86_64-linux-gnu/libgcc_s.so.1"
    cp /bin/true "$cache/sysroot/bin/busybox"
    for tool in xl xentrace xenstored xenconsoled xen-init-dom0 init-xenstore-domain libxl-save-helper; do
        cp /bin/true "$cache/sysroot/usr/lib/xen-4.17/bin/$tool"
    done
    cp /bin/true "$cache/sysroot/usr/bin/xenstore-read"
    cp -L /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6 "$cache/sysroot/lib/x86_64-linux-gnu/"
    PATH=$BATS_TEST_DIRNAME/fake:$PATH
}

xt() { timeout 60 "$XENTRAIL" "$@"; }

# What a machine brings home: a recording as dom0 makes it, and the guests' jobs.
bring() {
    mkdir -p brought/recording brought/logs
    cp -r "$recordings/gedf/host" brought/recording/
    cp "$recordings/gedf/trace.xen" brought/recording/ 2> /dev/null || zstd -q -d "$recordings/gedf/trace.xen.zst" -o brought/recording/trace.xen
    echo '{"version": 1, "complete": true, "policy": "gEDF", "trace": {"file": "trace.xen"}}' > brought/recording/recording.json
    for vm in vm1 vm2 vm3; do
        mkdir -p "brought/guests/$vm/jobs"
        echo metadata > "brought/guests/$vm/jobs/metadata"
        echo '#tpu 1000' > "brought/guests/$vm/jobs.csv"
    done
    echo fine > brought/logs/record.log
}

nothing_left() {
    [ -z "$(find "$cache" -name 'run-*')" ] && [ -z "$(find out -name '.*' 2> /dev/null)" ] || return 1
    while read -r pid; do
        [ ! -d "/proc/$pid" ] || return 1
    done < state/qemu-pids
}

@test "recordings come home: compressed, described, hashed" {
    bring
    FAKE_MACHINE=good run xt lab run basic -p gEDF -p credit -o out
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    nothing_left
    for name in basic-gEDF basic-credit; do
        xt info --verify "out/$name"
        zstd -q -d -c "out/$name/trace.xen.zst" | cmp - brought/recording/trace.xen
        jq -e '.emulated and .lab.scenario == "basic" and .lab.virtual_time and .guests.vm3 == "ctf-1.8" and .trace.file == "trace.xen.zst"' "out/$name/recording.json"
        jq -e '.reservations | map(select(.domain == "vm3")) == [{"domain": "vm3", "period_ns": 10000000, "budget_ns": 3000000}]' "out/$name/recording.json"
        jq -e '.workload.vm3.tasks == ["wcet=1ms,period=20ms", "wcet=2500us,period=50ms"]' "out/$name/recording.json"
        [ -s "out/$name/scenario.ini" ] && [ -s "out/$name/guests/vm1/metadata" ] && [ -s "out/$name/guests/vm1.jobs.csv" ]
        [ -s "out/logs/$name/record.log" ] && grep -q '(XEN) booting' "out/logs/$name/console.log"
    done
    grep -q 'icount shift=1,sleep=off.*sched=rtds' state/qemu-calls
    grep -q 'sched=credit' state/qemu-calls
    FAKE_MACHINE=good run xt lab run basic -p gEDF -o out
    [ "$status" -eq 2 ] && [[ "$output" == *"exists already"* ]]
    FAKE_MACHINE=good run xt lab run basic -p gEDF -o out --overwrite --real-time
    [ "$status" -eq 0 ]
    jq -e '.lab.virtual_time == false' out/basic-gEDF/recording.json
}

@test "deferrable and periodic servers are told apart" {
    bring
    FAKE_MACHINE=good run xt lab run ds-vs-ps -p gEDF -p gEDF+periodic -o out
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    jq -e '.lab.policy == "gEDF" and (has("server") | not)' out/ds-vs-ps-gEDF/recording.json
    jq -e '.lab.policy == "gEDF+periodic" and .server == "periodic"' out/ds-vs-ps-gEDF-periodic/recording.json
    "$XENTRAIL" lab show ds-vs-ps | sed '/^\[domain vm2\]/a server = periodic' > mixed.ini
    FAKE_MACHINE=good run xt lab run ./mixed.ini -p gEDF -o mixed
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    jq -e '.server == "mixed"' mixed/ds-vs-ps-gEDF/recording.json
}

@test "a killed machine: status 4, no recording, nothing left" {
    FAKE_MACHINE=die run xt lab run basic -p gEDF -o out
    [ "$status" -eq 4 ] && [[ "$output" == *"QEMU was killed by signal 9"* ]]
    [ ! -e out/basic-gEDF ]
    nothing_left
}

@test "a QEMU that cannot start, and a host that dies: what was said last" {
    FAKE_MACHINE=refuse run xt lab run basic -p gEDF -o out
    [ "$status" -eq 4 ] && [[ "$output" == *"QEMU ended with status 1"*"cannot set up guest memory"* ]]
    FAKE_MACHINE=panic run xt lab run basic -p gEDF -o out
    [ "$status" -eq 4 ] && [[ "$output" == *"it turned itself off"*"Panic on CPU 0"* ]]
    [ ! -e out/basic-gEDF ]
    nothing_left
}

@test "a full disk: status 4, no recording, nothing left" {
    [ "$(id -u)" -eq 0 ] || skip "needs root for a small file system"
    mkdir out
    unshare --mount true || skip "cannot mount"
    bring
    export FAKE_MACHINE=good
    run unshare --mount sh -c 'mount -t tmpfs -o size=600k none out && timeout 60 "$0" lab run basic -p gEDF -o out; status=$?
        find out -name "*gEDF*" -not -path "*/logs*" -print; exit $status' "$XENTRAIL"
    [ "$status" -eq 4 ] && [[ "$output" == *"No space left"* || "$output" == *"disk is full"* ]] || { echo "$output"; false; }
    [[ "$output" != *out/basic-gEDF* && "$output" != *unpacking* ]]
    nothing_left
}

@test "a machine without what the lab needs is told all of it" {
    mkdir bin
    for tool in sh timeout mkdir cat; do ln -s "$(command -v $tool)" bin/; done
    run env PATH="$PWD/bin" "$XENTRAIL" lab build
    [ "$status" -eq 4 ]
    for package in apt bison dpkg-dev flex gcc make patch python3 tar xz-utils; do
        [[ " $output " == *" $package"[\ \;]* ]] || { echo "no $package in $output"; false; }
    done
    rm "$cache/xen" "$cache"/stamps/*
    run env PATH="$PWD/bin" "$XENTRAIL" lab run basic -o out
    [ "$status" -eq 3 ] && [[ "$output" == *"apt-get install qemu-system-x86"* ]]
    [ ! -e out ]
}

@test "a machine that hangs is given up" {
    FAKE_MACHINE=hang run xt lab run basic -p gEDF -o out --timeout 1
    [ "$status" -eq 4 ] && [[ "$output" == *"not finished in time"* ]]
    nothing_left
}

@test "what dom0 says of its failure reaches the user, with its logs" {
    FAKE_MACHINE=fail run xt lab run basic -p gEDF -o out
    [ "$status" -eq 4 ] && [[ "$output" == *"xl cannot create vm1: no memory"* ]]
    [ -s out/logs/basic-gEDF/experiment.log ]
    [ ! -e out/basic-gEDF ]
    nothing_left
}

@test "garbage instead of results" {
    FAKE_MACHINE=garbled run xt lab run basic -p gEDF -o out
    [ "$status" -eq 4 ] && [[ "$output" == *"cannot be unpacked"* ]]
    [ ! -e out/basic-gEDF ]
    nothing_left
}

@test "what would lead out of the recording is refused, and nothing outside is touched" {
    mkdir outside && echo precious > outside/file
    for what in logs recording/trace.xen recording/host/xl-info.txt guests/vm1/jobs; do
        rm -rf brought
        bring
        rm -rf "brought/$what"
        [ "$what" = logs ] && ln -s "$PWD/outside" "brought/$what" || ln -s "$PWD/outside/file" "brought/$what"
        FAKE_MACHINE=good run xt lab run basic -p gEDF -o out
        [ "$status" -eq 4 ] && [[ "$output" == *"not used"*"/$what"* ]] || { echo "$what: $output"; false; }
        [ ! -e out/basic-gEDF ] && [ "$(cat outside/file)" = precious ]
        ! grep -rq precious out
        nothing_left
    done
}

@test "members of the archive that name places outside do not get there" {
    bring
    FAKE_MACHINE=escaping run xt lab run basic -p gEDF -o out
    [ ! -e escaped ] && [ ! -e out/escaped ] && [ ! -e "$BATS_TEST_TMPDIR/../escaped" ]
    nothing_left
}

wait_for_machine() {
    for _ in $(seq 100); do [ -s state/qemu-pids ] && return; sleep 0.1; done
    return 1
}

@test "Ctrl-C ends the machines" {
    FAKE_MACHINE=hang "$XENTRAIL" lab run basic -o out 2> err & lab=$!
    wait_for_machine
    kill -TERM $lab
    wait $lab && false
    grep -q interrupted err
    nothing_left
}

@test "a killed lab leaves no machine, and the next one tidies up" {
    FAKE_MACHINE=hang "$XENTRAIL" lab run basic -p gEDF -o out 2> err & lab=$!
    wait_for_machine
    kill -KILL $lab
    wait $lab || true
    for _ in $(seq 50); do [ -d "/proc/$(cat state/qemu-pids)" ] || break; sleep 0.1; done
    [ ! -d "/proc/$(cat state/qemu-pids)" ]
    [ -n "$(find "$cache" -name 'run-*')" ]
    FAKE_MACHINE=die run xt lab run basic -p gEDF -o out
    nothing_left
}

@test "clean removes the cache" {
    run xt lab clean
    [ "$status" -eq 0 ]
    [ ! -e "$cache" ]
}

@test "a killed build leaves nothing running" {
    mkdir bin
    printf '#!/bin/sh\necho $$ > "%s/apt-pid"\nexec sleep 60\n' "$PWD" > bin/apt-get
    chmod +x bin/apt-get
    for tool in apt-cache dpkg-deb dpkg-source gcc make bison flex python3; do
        command -v $tool > /dev/null || skip "$tool is not installed"
    done
    [ -r /usr/share/keyrings/debian-archive-keyring.gpg ] || skip "no keyring"
    PATH=$PWD/bin:$PATH "$XENTRAIL" lab build -q & build=$!
    for _ in $(seq 100); do [ -s apt-pid ] && break; sleep 0.1; done
    kill -KILL $build
    wait $build || true
    for _ in $(seq 50); do [ -d "/proc/$(cat apt-pid)" ] || break; sleep 0.1; done
    [ ! -d "/proc/$(cat apt-pid)" ]
}
