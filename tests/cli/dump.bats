# xentrail dump: selections, formats, order. What each record says is held against the oracle elsewhere (dump-records).
bats_require_minimum_version 1.5.0
load helper

setup_file() {
    export TRACE="$BATS_FILE_TMPDIR/trace.xen" ALL="$BATS_FILE_TMPDIR/all.json"
    zstd -dcq "$SOURCE/examples/pedf/trace.xen.zst" >"$TRACE"
    "$XENTRAIL" dump "$TRACE" --raw --json --tsc-hz 1e9 >"$ALL"
}

setup() {
    cd "$BATS_TEST_TMPDIR"
}

# The dump with options, as offsets of records.
offsets() {
    "$XENTRAIL" dump "$TRACE" --raw --json --tsc-hz 1e9 "$@" | jq .offset
}

# what FILTER: offsets of those records of the whole dump for which jq's FILTER holds
what() {
    jq "select($1).offset" "$ALL"
}

@test "every record once, in time order" {
    records=$("$XENTRAIL" stats "$TRACE" --json | jq '.run[0].records')
    [ "$(wc -l <"$ALL")" = "$records" ]
    [ "$(jq .offset "$ALL" | sort -n | uniq | wc -l)" = "$records" ]
    jq .tsc "$ALL" | sort -nc
    jq .ts "$ALL" | sort -nc
    "$XENTRAIL" dump "$TRACE" >out.txt
    [ "$(wc -l <out.txt)" = "$records" ]
}

@test "pCPUs" {
    diff <(offsets --pcpu 1) <(what '.pcpu == 1')
    diff <(offsets --pcpu 0,2) <(what '.pcpu == 0 or .pcpu == 2')
    [ -n "$(offsets --pcpu 1 | head -1)" ]
    for bad in x -1 1, ''; do
        run --separate-stderr "$XENTRAIL" dump "$TRACE" --pcpu "$bad"
        [ "$status" = 2 ] || { echo "'$bad': $status"; false; }
    done
}

@test "events by pattern" {
    diff <(offsets --event switch) <(what '.event == "switch"')
    diff <(offsets --event 'rtds:*') <(what '.event | startswith("rtds:")')
    diff <(offsets --event 'switch,rtds:repl*') <(what '.event == "switch" or (.event | startswith("rtds:repl"))')
}

@test "VCPUs" {
    diff <(offsets --vcpu d1v0 --event runstate_change) <(what '.event == "runstate_change" and .fields.vcpu == "d1v0"')
    diff <(offsets --vcpu d1 --event runstate_change) <(what '.event == "runstate_change" and (.fields.vcpu | startswith("d1v"))')
    diff <(offsets --vcpu d1v0 --event switch) <(what '.event == "switch" and (.fields.vcpu == "d1v0" or .fields.next_vcpu == "d1v0")')
    for bad in 1v0 d d1v dxv0 d1v0v1 d1v99999; do
        run --separate-stderr "$XENTRAIL" dump "$TRACE" --vcpu "$bad"
        [ "$status" = 2 ] || { echo "$bad: $status"; false; }
    done
}

@test "from and to" {
    diff <(offsets --from 1s --to 1.5s) <(what '.ts >= 1000000000 and .ts <= 1500000000')
    diff <(offsets --from 4.9s) <(what '.ts >= 4900000000')
    diff <(offsets --to 10ms) <(what '.ts <= 10000000')
    [ -z "$(offsets --from 1000s)" ]
    diff <(offsets --from 2s --to 3s --pcpu 1 --event 'rtds:*') \
        <(what '.ts >= 2000000000 and .ts <= 3000000000 and .pcpu == 1 and (.event | startswith("rtds:"))')
    run --separate-stderr "$XENTRAIL" dump "$TRACE" --from yesterday
    [ "$status" = 2 ]
}

@test "without a frequency it dumps cycles, not nothing" {
    printf '%s\n' 'p0 1000 rs d1v0 blocked>runnable' 'p0 2000 rs d1v0 runnable>running' >case.txt
    python3 "$SOURCE/tests/oracle/mktrace.py" case.txt >case.xen
    run --separate-stderr "$XENTRAIL" dump case.xen --raw
    [ "$status" = 0 ]
    [ "${#lines[@]}" = 2 ]
    [[ ${lines[1]} == *2000*runstate_change*d1v0* ]]
}

@test "unknown events and sizes are shown, not hidden" {
    printf '%s\n' 'p0 1000 raw 0x22fff 1 0xabcdef' 'p0 2000 raw 0x22803 7' 'p0 3000 raw 0x800f123' >case.txt
    python3 "$SOURCE/tests/oracle/mktrace.py" case.txt >case.xen
    run --separate-stderr "$XENTRAIL" dump case.xen --tsc-hz 1e9
    [ "$status" = 0 ]
    [ "${#lines[@]}" = 3 ]
    [[ ${lines[0]} == *0x*22fff*abcdef* ]]
    [[ ${lines[1]} == *22803*0x7* || ${lines[1]} == *burn*0x7* ]] || { echo "${lines[1]}"; false; }
}

@test "a reader that goes away ends it quietly" {
    run bash -c '"$XENTRAIL" dump "$TRACE" 2>err | head -3'
    [ "${#lines[@]}" = 3 ]
    [ ! -s err ] || ! grep -qi "assert\|sanitizer" err
    run --separate-stderr bash -c '"$XENTRAIL" dump "$TRACE" >/dev/full'
    [ "$status" = 4 ]
}
