# xentrail query: answers, formats and what it refuses.
load helper
bats_require_minimum_version 1.5.0

setup_file() {
    export DB="$BATS_FILE_TMPDIR/q.db"
    "$XENTRAIL" import --db "$DB" "$SOURCE/examples/gedf" "$SOURCE/examples/noisy-credit" 2>/dev/null
}

query() {
    run --separate-stderr "$XENTRAIL" query --db "$DB" "$@"
}

@test "every named question has an answer in every format" {
    names=$("$XENTRAIL" query --list --csv | tail -n +2 | cut -d, -f1)
    [ "$(wc -w <<<"$names")" -ge 20 ]
    for name in $names; do
        query --name "$name"
        [ "$status" = 0 ] || { echo "$name: $stderr"; false; }
        query --name "$name" --run gedf --csv
        [ "$status" = 0 ]
        query --name "$name" --json
        jq -e 'type == "array"' <<<"$output" >/dev/null || { echo "$name: no JSON array"; false; }
    done
}

@test "CPU time by the trace agrees with Xen's own accounts" {
    host=$SOURCE/examples/gedf/host
    for domain in vm1 vm2 vm3; do
        said=$(cat "$host/xl-vcpu-list-before.txt" "$host/xl-vcpu-list-after.txt" |
            awk -v d=$domain '$1 == d { n[$3]++; sum += n[$3] == 1 ? -$6 : $6 } END { printf "%.1f", sum }')
        query --name cpu-time --run gedf --json
        jq -e --arg d $domain --argjson said "$said" '.[] | select(.domain == $d) |
            .xl_s == $said and (.trace_s - $said | fabs) <= 0.01 * $said + 0.1 * .vcpus' <<<"$output" ||
            { echo "$domain: xl says $said"; echo "$output"; false; }
    done
}

@test "formats agree, NULL is empty" {
    sql="SELECT 1 AS one, NULL AS none, 2.5 AS half, 'a,\"b' AS text"
    query "$sql"
    [ "${lines[1]}" = '  1         2.5  a,"b' ]
    query --csv "$sql"
    [ "${lines[1]}" = '1,,2.5,"a,""b"' ]
    query --json "$sql"
    [ "$(jq -c '.[0]' <<<"$output")" = '{"one":1,"none":null,"half":2.5,"text":"a,\"b"}' ]
    query --json "SELECT 1 WHERE 0"
    [ "$(jq -c . <<<"$output")" = '[]' ]
}

@test "hostile text cannot drive the terminal" {
    query "SELECT char(27) || '[31m' || char(10) AS x"
    [ "${lines[1]}" = '\x1b[31m\x0a' ]
}

@test "a million rows stream" {
    ldd "$XENTRAIL" | grep -q asan && skip "a sanitizer reserves more memory than the limit here"
    sql="WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i FROM n"
    for format in --csv --json ''; do
        # shellcheck disable=SC2086
        [ "$(cd "$BATS_TEST_TMPDIR" && ulimit -v 400000 && "$XENTRAIL" query --db "$DB" $format "$sql" | grep -c 999999)" = 1 ]
    done
}

@test "bad SQL is told where" {
    query "SELECT domid,
 nothing FROM runs"
    [ "$status" = 2 ]
    [[ $stderr == *"line 1 column 8"* || $stderr == *"line 2 column 2"* ]]
}

@test "nothing can be written" {
    before=$(sha256sum "$DB")
    for sql in 'DELETE FROM run' 'DROP VIEW runs' "ATTACH 'y.db' AS y" "VACUUM INTO 'y.db'" 'PRAGMA user_version = 5' \
        'CREATE TEMP TABLE t(x)' "SELECT load_extension('y')" 'REINDEX' 'BEGIN' "SELECT 1; DELETE FROM run"; do
        query "$sql"
        [ "$status" = 2 ] || { echo "$sql: $status"; false; }
    done
    [ "$(sha256sum "$DB")" = "$before" ]
    [ ! -e y.db ]
}

@test "missing and foreign databases" {
    run "$XENTRAIL" query --db missing.db 'SELECT 1'
    [ "$status" = 3 ]
    [[ $output == *"no such database"* ]]
    [ ! -e missing.db ]
    run "$XENTRAIL" query --db "$SOURCE/meson.build" 'SELECT 1'
    [ "$status" = 3 ]
}

@test "names that are special to SQLite are files like any other" {
    cd "$BATS_TEST_TMPDIR"
    for name in ':memory:' 'file:x.db?mode=memory' 'a b%20.db'; do
        "$XENTRAIL" import --db "$name" "$SOURCE/examples/gedf" 2>/dev/null
        [ -f "$name" ]
        run "$XENTRAIL" query --db "$name" --csv 'SELECT name FROM runs'
        [ "${lines[1]}" = gedf ]
    done
}

@test "usage" {
    query
    [ "$status" = 2 ]
    query --name nobody
    [ "$status" = 2 ]
    query --name runs 'SELECT 1'
    [ "$status" = 2 ]
    query --run nobody --name runs
    [ "$status" = 2 ]
    [[ $stderr == *"gedf, noisy-credit"* ]]
    run "$XENTRAIL" query 'SELECT 1'
    [ "$status" = 2 ]
}
