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

# $1: a question's name, $2: the same asked of the views
same_as_views() {
    query --name "$1" --csv
    [ "$status" = 0 ]
    answer=$output
    query --csv "$2"
    [ "$status" = 0 ] || { echo "$stderr"; false; }
    [ "${#lines[@]}" -gt 2 ]
    [ "$answer" = "$output" ] || { diff <(echo "$answer") <(echo "$output"); false; }
}

@test "named questions that ask the tables agree with the views" {
    same_as_views decisions "SELECT r.name AS run, d.pcpu, d.kind, count(*) AS n, count(d.dur_ns) AS sampled,
        quantile(d.dur_ns, 0.5) AS p50_ns, quantile(d.dur_ns, 0.99) AS p99_ns, max(d.dur_ns) AS max_ns
        FROM decisions d JOIN runs r USING (run) GROUP BY d.run, d.pcpu, d.kind ORDER BY d.run, d.pcpu, d.kind"
    same_as_views why-stopped "SELECT r.name AS run, d.end_reason AS reason, d.end_kind AS counts_as, count(*) AS n,
        CAST(avg(d.ran_ns) AS INTEGER) AS mean_ran_ns FROM dispatches d JOIN runs r USING (run) WHERE d.domid <> 32767
        GROUP BY d.run, 2, 3 ORDER BY d.run, n DESC"
    same_as_views supply "SELECT r.name AS run, 'd' || p.domid || 'v' || p.vcpu AS vcpu, p.domain, p.reference,
        count(*) AS periods, p.budget_ns, min(p.supplied_ns) AS min_supplied_ns,
        CAST(avg(p.supplied_ns) AS INTEGER) AS mean_supplied_ns, max(p.supplied_ns) AS max_supplied_ns,
        sum(p.extratime_ns) AS extratime_ns FROM periods p JOIN runs r USING (run) WHERE p.missed IS NOT NULL
        GROUP BY p.run, p.domid, p.vcpu, p.period_ns, p.budget_ns, p.reference ORDER BY p.run, p.domid, p.vcpu"
    same_as_views wakeups-by-vcpu "SELECT r.name AS run, 'd' || l.domid || 'v' || l.vcpu AS vcpu, l.domain, count(*) AS n,
        quantile(l.latency_ns, 0.5) AS p50_ns, quantile(l.latency_ns, 0.99) AS p99_ns, max(l.latency_ns) AS max_ns
        FROM latencies l JOIN runs r USING (run) WHERE l.metric = 'wake_latency' AND l.domid <> 32767
        GROUP BY l.run, l.domid, l.vcpu ORDER BY l.run, l.domid, l.vcpu"
    same_as_views worst-wakeups "SELECT r.name AS run, 'd' || l.domid || 'v' || l.vcpu AS vcpu, l.domain, l.ts, l.latency_ns, l.pcpu
        FROM latencies l JOIN runs r USING (run) WHERE l.metric = 'wake_latency' AND l.domid <> 32767
        ORDER BY l.latency_ns DESC LIMIT 20"
    same_as_views migration-matrix "SELECT r.name AS run, m.from_pcpu, m.to_pcpu, count(*) AS migrations,
        count(DISTINCT m.domid * 65536 + m.vcpu) AS vcpus FROM migrations m JOIN runs r USING (run)
        GROUP BY m.run, m.from_pcpu, m.to_pcpu ORDER BY m.run, m.from_pcpu, m.to_pcpu"
    query --csv "SELECT sum(preemptions) FROM vcpu_stats"
    preemptions=${lines[1]}
    query --name preempted-by --json
    jq -e --argjson n "$preemptions" 'length == 100 or (map(.preemptions) | add) == $n' <<<"$output"
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
