# xentrail export: what it writes, and what is left when it cannot.
bats_require_minimum_version 1.5.0

setup() {
    mkdir "$BATS_TEST_TMPDIR/work" # bats keeps files of its own beside it
    cd "$BATS_TEST_TMPDIR/work"
    GEDF="$SOURCE/examples/gedf"
}

# Nothing but what was there before may lie here.
only() {
    [ "$(ls -A | tr '\n' ' ')" = "$*${*:+ }" ] || { ls -A; false; }
}

@test "csv holds the records of dump, in its order" {
    "$XENTRAIL" export --to csv "$GEDF" | tr -d '\r' >all.csv
    "$XENTRAIL" dump --json "$GEDF" | jq -r '[.ts, .tsc, .pcpu, .offset, .id, .event] | @csv' | tr -d '"' >want
    tail -n +2 all.csv | awk -F, '{ print $1 "," $2 "," $4 "," $5 "," $6 "," $7 }' | cmp - want
    # a burn of the CSV by name of column, against dump
    python3 - all.csv >burns <<'END'
import csv, sys
for row in csv.DictReader(open(sys.argv[1], newline="")):
    if row["event"] == "rtds:burn_budget":
        print(row["ts_ns"], f"d{row['dom']}v{row['vcpu']}", row["budget_ns"], row["delta_ns"], row["priority_level"])
END
    "$XENTRAIL" dump --json --event rtds:burn_budget "$GEDF" |
        jq -r '"\(.ts) \(.fields.vcpu) \(.fields.budget) \(.fields.delta) \(.fields.priority_level)"' | cmp - burns
    [ -s burns ]
}

@test "csv has one width and no name twice" {
    for recording in "$SOURCE"/examples/*/; do
        "$XENTRAIL" export --to csv "$recording" | python3 -c '
import csv, sys
rows = csv.reader(sys.stdin)
header = next(rows)
assert len(set(header)) == len(header), header
assert all(len(row) == len(header) for row in rows)'
    done
}

@test "jsonl is JSON on every line, without a key twice, with the fields of csv" {
    "$XENTRAIL" export --to jsonl "$GEDF" | python3 -c '
import json, sys
def pairs(p):
    assert len(dict(p)) == len(p), p
    return dict(p)
n = 0
for line in sys.stdin:
    r = json.loads(line, object_pairs_hook=pairs)
    if r["event"] == "runstate_change":
        assert {"dom", "vcpu", "old", "new"} == set(r["fields"]), r
    n += 1
print(n)' >n
    [ "$(cat n)" = "$("$XENTRAIL" dump "$GEDF" | wc -l)" ]
}

@test "-o writes a file that appears complete" {
    "$XENTRAIL" export --to csv -o out.csv "$GEDF"
    only out.csv
    "$XENTRAIL" export --to csv "$GEDF" | cmp - out.csv
    umask 027
    "$XENTRAIL" export --to jsonl -o out.csv "$GEDF"
    [ "$(stat -c %a out.csv)" = 640 ]
    head -c 1 out.csv | grep -q '{'
}

@test "ctf is a folder that appears complete" {
    "$XENTRAIL" export --to ctf -o out/ "$GEDF"
    only out
    [ -s out/metadata ]
    [ "$(ls out | wc -l)" = 4 ]
    mkdir empty
    "$XENTRAIL" export --to ctf -o empty "$GEDF"
    [ -s empty/metadata ]
}

@test "what exists is not overwritten by a folder" {
    mkdir full
    touch full/mine file
    for target in full file; do
        run --separate-stderr "$XENTRAIL" export --to ctf -o "$target" "$GEDF"
        [ "$status" = 2 ]
        [[ $stderr == *"$target: exists already"* ]]
    done
    ln -s nowhere link
    run "$XENTRAIL" export --to ctf -o link "$GEDF"
    [ "$status" = 2 ]
    only file full link
}

@test "wrong usage" {
    run --separate-stderr "$XENTRAIL" export "$GEDF"
    [ "$status" = 2 ]
    [[ $stderr == *"--to is missing"* ]]
    run --separate-stderr "$XENTRAIL" export --to png "$GEDF"
    [ "$status" = 2 ]
    run --separate-stderr "$XENTRAIL" export --to ctf "$GEDF"
    [ "$status" = 2 ]
    [[ $stderr == *"-o FOLDER"* ]]
    run --separate-stderr "$XENTRAIL" export --to csv
    [ "$status" = 2 ]
}

@test "bad input leaves nothing" {
    printf 'no trace' >text
    zstd -qdc "$GEDF/trace.xen.zst" | (head -c 600000 && head -c 4 >/dev/null && cat) >damaged
    for format in ctf csv jsonl; do
        for trace in text damaged /nonexistent; do
            run --separate-stderr "$XENTRAIL" export --to "$format" -o out "$trace"
            [ "$status" = 3 ] || { echo "$format $trace: $status"; false; }
            [ -z "$output" ]
        done
        "$XENTRAIL" export --salvage --to "$format" -o "out.$format" damaged 2>/dev/null
        [ -s "out.$format" ]
    done
    only damaged out.csv out.ctf out.jsonl text
}

@test "an interrupted export ends with a message and leaves nothing" {
    zstd -qd "$GEDF/trace.xen.zst" -o one
    for i in $(seq 100); do cat one; done >many # the clock steps back, and is clamped
    for format in ctf csv; do
        "$XENTRAIL" export --to "$format" --tsc-hz 1e9 -o out many 2>errors &
        program=$!
        for i in $(seq 100); do
            ! ls -d out.partial-* >/dev/null 2>&1 || break
            sleep 0.05
        done
        sleep 0.3
        kill -INT "$program"
        status=0
        wait "$program" || status=$?
        [ "$status" = 4 ] || { echo "$format: $status"; cat errors; false; }
        grep -q interrupted errors
        rm errors
    done
    only many one
}

@test "a place that cannot be written is a failure of the system" {
    for format in ctf csv; do
        run --separate-stderr "$XENTRAIL" export --to "$format" -o /nonexistent/out "$GEDF"
        [ "$status" = 4 ]
        [[ $stderr == *"/nonexistent/out"* ]]
    done
    run --separate-stderr "$XENTRAIL" export --to csv -o /dev/full "$GEDF"
    [ "$status" = 4 ]
    [ -c /dev/full ]
    run --separate-stderr bash -c '"$0" export --to csv "$1" >/dev/full' "$XENTRAIL" "$GEDF"
    [ "$status" = 4 ]
    only
}

@test "a closed pipe ends it without a word" {
    zstd -qd "$GEDF/trace.xen.zst" -o trace
    run --separate-stderr bash -c '"$0" export --to csv "$1" | head -n 2' "$XENTRAIL" trace
    [ "$status" = 0 ]
    [ -z "$stderr" ]
}

@test "a database is a file for each view, with the rows of query" {
    "$XENTRAIL" import --db db "$GEDF" "$SOURCE/examples/credit" 2>/dev/null
    "$XENTRAIL" export --db db --to csv -o views
    [ "$(ls views | sed 's/\.csv$//')" = "$(sqlite3 db "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name")" ]
    for view in vcpu_stats periods jobs policy_stats; do
        [ "$(tail -n +2 "views/$view.csv" | wc -l)" = "$(sqlite3 db "SELECT count(*) FROM $view")" ] || { echo "$view"; false; }
    done
    "$XENTRAIL" query --db db --csv "SELECT * FROM jobs" | cmp - views/jobs.csv
    ! grep -q chunk_ views/periods.csv
    "$XENTRAIL" export --db db --run credit --to json -o json
    [ "$(jq length json/jobs.json)" = "$(sqlite3 db "SELECT count(*) FROM jobs WHERE run = 2")" ]
    [ "$(jq -r '.[].run' json/vcpu_stats.json | sort -u)" = 2 ]
}

@test "wrong usage of --db" {
    "$XENTRAIL" import --db db "$GEDF" 2>/dev/null
    for arguments in "--db db --to ctf -o out" "--db db --to csv" "--db db --to csv -o out --run none" "--db db --to csv -o out db"; do
        run --separate-stderr "$XENTRAIL" export $arguments
        [ "$status" = 2 ] || { echo "$arguments: $status"; false; }
    done
    run --separate-stderr "$XENTRAIL" export --db /nonexistent --to csv -o out
    [ "$status" = 3 ]
    only db
}
