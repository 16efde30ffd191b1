#!/bin/sh
# All tests: warnings as errors and plain, then under ASan and UBSan, then each fuzzer for a short while, then one
# experiment on a real Xen.
# The last line of its output is "N passed, N failed"; the status is non-zero if anything failed.
set -u
cd "$(dirname "$0")/.." || exit 4
passed=0
failed=0
fuzz_seconds=${FUZZ_SECONDS:-20}
fuzz_seed=${FUZZ_SEED:-1} # what CI finds it finds again; other seeds by hand

count() {
    passed=$((passed + $1))
    failed=$((failed + $2))
}

# Runs a command; says what failed and how.
step() {
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null
    status=$?
    [ $status = 0 ] || { tail -n 60 "$log"; printf 'FAILED (%s): %s\n' "$status" "$*"; }
    rm -f "$log"
    return $status
}

# build_in FOLDER TARGET OPTION...
build_in() {
    folder=$1
    target=$2
    shift 2
    if [ -f "$folder/build.ninja" ]; then
        step meson configure "$folder" "$@" && step ninja -C "$folder" "$target"
    else
        step meson setup "$folder" "$@" && step ninja -C "$folder" "$target"
    fi
}

# suite TITLE FOLDER OPTION...
suite() {
    title=$1
    folder=$2
    shift 2
    printf '== %s\n' "$title"
    if ! build_in "$folder" all "$@"; then
        count 0 1
        return
    fi
    meson test -C "$folder" --no-rebuild --num-processes 2 --print-errorlogs </dev/null
    result=$(python3 tests/count.py "$folder/meson-logs/testlog.json") || result='0 1'
    # shellcheck disable=SC2086 # two numbers
    count $result
}

# Seeds for the fuzzers of traces: the hand-made cases (2: at 1 GHz) and the beginning of a real trace, behind that byte of options.
seed_traces() {
    for case in tests/oracle/cases/*.txt; do
        { printf '\2' && python3 tests/oracle/mktrace.py "$case"; } >"$1/$(basename "$case" .txt)"
    done
    { printf '\0' && zstd -qdc examples/gedf/trace.xen.zst | head -c 12000; } >"$1/gedf"
}

# Seeds for the fuzzer of guests' logs, behind the byte that tells their form.
seed_guests() {
    jobs=examples/gedf/guests/vm3.jobs.csv
    python3 tests/babeltrace/guests.py litmus "$jobs" "$1.litmus"
    { printf '\0' && head -c 4800 "$1.litmus/st-vm-0.bin"; } >"$1/litmus"
    rm -r "$1.litmus"
    { printf '\2' && sed -n '1,20p;/^#/p' "$jobs"; } >"$1/table"
    # a switch, a wake-up, a job's beginning and its end as text, at 16 ns steps on CPU 0
    printf '\1\1\20\0\0\0\0\0\0\0\0\7\0\0\0\0\40\0\0\0\0\0\0\0\0\1\0\0\0\7\0\0\0' >"$1/lttng"
    printf '\5\60\0\0\0\0\0\0\0\0xentrail begin task=a job=1 relative_deadline=99\0' >>"$1/lttng"
    printf '\5\100\0\0\0\0\0\0\0\0xentrail end task=a job=1\0' >>"$1/lttng"
}

fuzz() {
    printf '== fuzzers, %s s each\n' "$fuzz_seconds"
    if ! CC=clang build_in build-test-fuzz fuzzers -Dfuzz=true -Db_lundef=false -Dwerror=true; then
        count 0 1
        return
    fi
    for target in build-test-fuzz/tests/fuzz/fuzz-*; do
        case $target in *.p) continue ;; esac # meson's object folders
        name=$(basename "$target")
        corpus=build-test-fuzz/corpus-$name
        mkdir -p "$corpus"
        case $name in
        fuzz-trace | fuzz-plugin) seed_traces "$corpus" ;;
        fuzz-guest) seed_guests "$corpus" ;;
        esac
        [ ! -d "tests/fuzz/corpus/$name" ] || cp "tests/fuzz/corpus/$name"/* "$corpus"
        if step "$target" -seed="$fuzz_seed" -max_total_time="$fuzz_seconds" -timeout=60 -rss_limit_mb=2048 \
            -artifact_prefix="build-test-fuzz/$name-" "$corpus"; then
            count 1 0
            printf 'ok %s\n' "$name"
        else
            count 0 1
        fi
    done
}

# A real Xen in QEMU, from its source to job misses under gEDF and Credit.
lab() {
    printf '== the lab: noisy-neighbour under gEDF and Credit\n'
    log=$(mktemp)
    folder=$(mktemp -d)
    timeout 1500 sh tests/collect/end-to-end.sh build-test/cli/xentrail "$folder" gEDF credit >"$log" 2>&1 </dev/null
    result=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log" | tail -n 1)
    case $result in
    *' 0') ;;
    *) tail -n 60 "$log" ;;
    esac
    grep '^\(not \)\{0,1\}ok ' "$log"
    # shellcheck disable=SC2086 # two numbers
    count ${result:-0 1}
    rm -rf "$folder" "$log"
}

suite 'all tests, warnings as errors' build-test -Dwerror=true
export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0"
suite 'all tests under AddressSanitizer and UndefinedBehaviorSanitizer' build-test-asan \
    -Dwerror=true -Db_sanitize=address,undefined -Dc_args=-fno-sanitize-recover=all
fuzz
lab
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
