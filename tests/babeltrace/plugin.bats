# babeltrace2's own tools on the plugin, held against records that verify.py reads from the file by itself.
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR"
    export BABELTRACE_PLUGIN_PATH="$PLUGINS"
    HERE="$SOURCE/tests/babeltrace"
}

verify() {
    python3 "$HERE/verify.py" "$@"
}

case_of() {
    python3 "$SOURCE/tests/oracle/mktrace.py" "$SOURCE/tests/oracle/cases/$1.txt" >"$1.xen"
}

events() {
    babeltrace2 "$@" --component=sink.utils.counter --params=step=+0 | sed -n 's/ *\([0-9]*\) Event messages/\1/p'
}

@test "real recordings: same records, same counts, and back through CTF" {
    for recording in "$SOURCE"/examples/*/; do
        verify "$XENTRAIL" "$recording"
    done
}

@test "hand-made cases: same records, same counts, and back through CTF" {
    for text in "$SOURCE"/tests/oracle/cases/*.txt; do
        name=$(basename "$text" .txt)
        case_of "$name"
        packing=
        ! grep -qw vd "$text" || packing=--vd
        verify --tsc-hz 1000000000 $packing "$XENTRAIL" "$name.xen"
    done
}

@test "modelled traces of many pCPUs with losses" {
    "$XT_SYNTH" --policy gedf --pcpus 16 --vcpus 48 --seconds 1 --seed 3 --fault lost:40 -o lossy
    [ "$("$XENTRAIL" dump lossy | grep -c lost_records)" -ge 20 ]
    verify "$XENTRAIL" lossy
    "$XT_SYNTH" --policy credit --pcpus 4 --vcpus 8 --seconds 1 --seed 4 -o credit
    verify "$XENTRAIL" credit
    "$XT_SYNTH" --policy gedf --pcpus 2 --vcpus 4 --seconds 1 --seed 5 --xen 4.5 -o old
    verify --vd "$XENTRAIL" old
}

@test "babeltrace2 recognises a trace, a compressed trace and a recording by content" {
    zstd -qd "$SOURCE/examples/gedf/trace.xen.zst" -o anything
    want=$("$XENTRAIL" dump anything | wc -l)
    [ "$(events anything)" = "$want" ]
    zstd -q anything -o packed
    [ "$(events packed)" = "$want" ]
    mkdir recording
    mv packed recording/trace.xen.zst
    [ "$(events recording)" = "$want" ]
}

@test "what is no trace is not claimed" {
    printf 'hello' >text
    head -c 4096 /dev/zero >zeros
    printf '\003\360\001\040' >short
    zstd -q text -o text.zst
    for file in text zeros short text.zst /dev/null "$XENTRAIL"; do
        run babeltrace2 query source.xentrace.file babeltrace.support-info --params="type=\"file\",input=\"$file\""
        [ "$status" = 0 ]
        [ "$output" = 0.000000 ]
    done
}

@test "the clock says frequency, error and source" {
    run babeltrace2 "$SOURCE/examples/gedf" --component=sink.text.details
    [[ $output == *"Frequency (Hz): 1,000,000,"* ]]
    [[ $output == *"frequency from the trace itself, standard error "*" ppm"* ]]
    run babeltrace2 --component=source.xentrace.file --params="inputs=[\"$SOURCE/examples/gedf\"],tsc-hz=2.5e9" \
        --component=sink.text.details
    [[ $output == *"Frequency (Hz): 2,500,000,000"* ]]
    [[ $output == *"frequency from user"* ]]
}

@test "trimmer and intersection agree with dump" {
    want=$("$XENTRAIL" dump --from 2s --to 2100ms "$SOURCE/examples/gedf" | wc -l)
    [ "$want" -gt 100 ]
    [ "$(babeltrace2 "$SOURCE/examples/gedf" --begin=2.0 --end=2.1 | wc -l)" = "$want" ]
    read -r begin end < <(babeltrace2 query source.xentrace.file babeltrace.trace-infos \
        --params="inputs=[\"$SOURCE/examples/gedf\"]" | awk '/begin:/ && $2 > b { b = $2 } /end:/ && (!e || $2 < e) { e = $2 } END { print b, e }')
    want=$("$XENTRAIL" dump --from "${begin}ns" --to "${end}ns" "$SOURCE/examples/gedf" | wc -l)
    [ "$(babeltrace2 "$SOURCE/examples/gedf" --stream-intersection | wc -l)" = "$want" ]
}

# clocks FILE MORE_PARAMETERS: the clock value of each event, at 1 GHz
clocks() {
    babeltrace2 --component=source.xentrace.file --params="inputs=[\"$1\"],tsc-hz=1000000000$2" \
        --component=sink.text.pretty --params=clock-cycles=yes,no-delta=yes | grep -o '^\[[0-9]*\]' || true
}

@test "a window by parameters is that of dump, also where TSCs step back or records were lost" {
    for name in tsc-back lost-cut; do
        case_of "$name"
        [ "$(clocks "$name.xen" | wc -l)" -ge 6 ]
        for window in '0 200' '300 500' '500 90000' '501 600' '2000 3000'; do
            read -r from to <<<"$window"
            clocks "$name.xen" | awk -F'[][]' -v from="$from" -v to="$to" '$2 + 0 >= from && $2 + 0 <= to' |
                cmp - <(clocks "$name.xen" ",from=\"${from}ns\",to=\"${to}ns\"")
        done
    done
    for window in '0s 1s' '2s 2100ms' '4900ms 9s' '9s 10s' '2s 1s'; do
        read -r from to <<<"$window"
        [ "$(babeltrace2 --component=source.xentrace.file --params="inputs=[\"$SOURCE/examples/gedf\"],from=\"$from\",to=\"$to\"" | wc -l)" = \
          "$("$XENTRAIL" dump --from "$from" --to "$to" "$SOURCE/examples/gedf" | wc -l)" ]
    done
}

@test "a TSC that steps back is clamped and flagged" {
    case_of tsc-back
    run babeltrace2 --component=source.xentrace.file --params='inputs=["tsc-back.xen"],tsc-hz=1000000000'
    [ "$status" = 0 ]
    [[ $output == *"clamped = 1"* ]]
    [[ $output == *"clamped = 0"* ]]
}

@test "unknown and malformed records keep their words" {
    printf 'p0 1000 rs d1v0 running>runnable\np0 1001 raw 0x22fff 1 0x2\np0 1002 raw 0x2800a 7\np0 1003 rs d1v0 runnable>running\n' >odd.txt
    python3 "$SOURCE/tests/oracle/mktrace.py" odd.txt >odd.xen
    verify --tsc-hz 1000000000 "$XENTRAIL" odd.xen
    run babeltrace2 --component=source.xentrace.file --params='inputs=["odd.xen"],tsc-hz=1000000000'
    [[ $output == *'sched_class:0x0022fff:'*'id = 0x22FFF, malformed = 0, n_words = 2, words = [ [0] = 0x1, [1] = 0x2 ]'* ]]
    [[ $output == *'malformed:switch:'*'id = 0x2800A, malformed = 1, n_words = 1, words = [ [0] = 0x7 ]'* ]]
}

@test "the export asks of readers of CTF 1.8 nothing but integers, enumerations, structures and sequences" {
    for recording in gedf noisy-credit; do
        "$XENTRAIL" export --to ctf -o "$recording.ctf" "$SOURCE/examples/$recording"
        python3 - "$recording.ctf/metadata" <<'END'
import re, sys
text = open(sys.argv[1], encoding="utf-8").read()
assert text.startswith("/* CTF 1.8 */")
text = re.sub(r'/\*.*?\*/|"(?:[^"\\]|\\.)*"', lambda m: m[0] if m[0][0] == '"' else "", text, flags=re.S)
bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
assert not re.search(r"\b(variant|floating_point|typealias|typedef|callsite)\b", bare)
for size, align in re.findall(r"integer \{ size = (\d+); align = (\d+);", bare):
    assert int(size) in (8, 16, 32, 64) and align == "8", (size, align)
assert len(re.findall(r"^clock \{", bare, re.M)) == 1 and "freq = " in bare and "uuid = " in bare
events = re.findall(r"^event \{(.*?)^\};", text, re.M | re.S)
ids = [re.search(r"\bid = (\d+);", e)[1] for e in events]
assert len(events) > 5 and len(set(ids)) == len(ids)
assert all(re.search(r'name = "[^"]+";', e) and "fields := struct" in e for e in events)
END
        # babeltrace 1 is another reader
        if command -v babeltrace >/dev/null; then
            [ "$(babeltrace "$recording.ctf" | wc -l)" = "$("$XENTRAIL" dump "$SOURCE/examples/$recording" | wc -l)" ]
        fi
    done
}

# bad PARAMS TEXT: the graph fails with TEXT in the error report, by exit status and not by a signal.
bad() {
    run --separate-stderr babeltrace2 --component=source.xentrace.file --params="$1" --component=sink.utils.counter
    [ "$status" = 1 ] || { echo "$1: $status"; false; }
    report=$(tr -s ' \n' ' ' <<<"$stderr") # the report is folded to the width of the terminal
    [[ $report == *"$2"* ]] || { echo "$1: $stderr"; false; }
}

@test "bad input and bad parameters end in the error report" {
    good="$SOURCE/examples/gedf"
    bad 'inputs=["/nonexistent"]' 'No such file'
    bad 'inputs=[]' 'expects an array of one path'
    bad 'inputs=["a","b"]' 'expects an array of one path'
    bad 'inputs=[1]' 'is no string'
    bad 'inputs="a"' 'expects an array of one path'
    bad "inputs=[\"$good\"],frobnicate=1" 'there is no parameter frobnicate'
    bad "inputs=[\"$good\"],tsc-hz=5" 'expects a frequency'
    bad "inputs=[\"$good\"],tsc-hz=\"fast\"" 'expects a frequency'
    bad "inputs=[\"$good\"],salvage=3" 'expects yes or no'
    bad "inputs=[\"$good\"],from=5" 'parameter from: expects a time as text'
    bad "inputs=[\"$good\"],to=\"5 parsecs\"" 'unknown unit'
    bad "inputs=[\"$XENTRAIL\"]" 'is no xentrace file'
    case_of no-tsc
    bad 'inputs=["no-tsc.xen"]' 'tsc-hz'
}

@test "damage is refused, and salvaged if asked for" {
    zstd -qdc "$SOURCE/examples/gedf/trace.xen.zst" | (head -c 600000 && head -c 4 >/dev/null && cat) >damaged
    bad 'inputs=["damaged"]' 'damaged at offset'
    n=$(events --component=source.xentrace.file --params='inputs=["damaged"],salvage=yes')
    [ "$n" = "$("$XENTRAIL" dump --salvage damaged | wc -l)" ]
}

@test "random damage never crashes" {
    zstd -qd "$SOURCE/examples/gedf/trace.xen.zst" -o whole
    head -c 60000 whole >base
    for seed in $(seq 30); do
        python3 "$HERE/damage.py" "$seed" base >hurt
        for salvage in no yes; do
            run babeltrace2 --component=source.xentrace.file --params="inputs=[\"hurt\"],salvage=$salvage,tsc-hz=1000000000" \
                --output-format=ctf --output="ctf-$seed-$salvage"
            [ "$status" -le 1 ] || { echo "seed $seed, salvage=$salvage: status $status"; echo "$output"; false; }
        done
    done
}
