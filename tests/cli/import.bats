# xentrail import and db: what goes in, what is refused, and what is left when it goes wrong.
load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    db=x.db
}

import() {
    run --separate-stderr "$XENTRAIL" import --db "$db" "$@"
}

ask() {
    "$XENTRAIL" query --db "$db" --csv "$1" | tail -n +2
}

bats_require_minimum_version 1.5.0

@test "a recording becomes a run with its jobs, in one line" {
    import "$SOURCE/examples/noisy-gedf"
    [ "$status" = 0 ]
    [[ $stderr == *"noisy-gedf: gEDF (rtds), 4.994 s, 70114 records, 8 VCPUs"*"2 of 1241 jobs missed"* ]]
    [ -z "$output" ]
    # 70,114 records and 2 of 1,241 jobs: README of the recordings
    [ "$(ask 'SELECT name, policy, scheduler, records, xen_version FROM runs')" = noisy-gedf,gEDF,rtds,70114,4.17.5 ]
    [ "$(ask 'SELECT sum(jobs), sum(misses) FROM job_stats')" = 1241,2 ]
    run "$XENTRAIL" db check "$db"
    [ "$status" = 0 ]
}

@test "several recordings are several runs; policies are pooled" {
    import "$SOURCE/examples/gedf" "$SOURCE/examples/noisy-gedf" "$SOURCE/examples/noisy-credit"
    [ "$status" = 0 ]
    [ "$(ask 'SELECT policy, runs, jobs, job_misses FROM policy_stats ORDER BY 1' | tr '\n' ' ')" = "credit,1,1241,446 gEDF,2,2482,7 " ]
    # pooled quantiles equal those over the rows themselves
    [ "$(ask "SELECT p99_ns, n FROM policy_metrics WHERE policy = 'gEDF' AND metric = 'decision_switch'")" = \
        "$(ask "SELECT quantile(dur_ns, 0.99), count(dur_ns) FROM decisions JOIN runs USING (run) WHERE policy = 'gEDF' AND kind = 'switch' AND NOT no_burn")" ]
}

@test "deferrable and periodic servers of one policy are never merged" {
    import "$SOURCE/examples/gedf" "$SOURCE/examples/noisy-gedf"
    import --policy gEDF+periodic --name ps "$SOURCE/examples/gedf" --again
    [ "$status" = 0 ]
    [[ $stderr == *"ps: gEDF+periodic (rtds)"* ]]
    # a recording can say it itself
    cp -r "$SOURCE/examples/pedf" pedf
    echo '{"server": "periodic"}' > pedf/recording.json
    import pedf
    [ "$status" = 0 ]
    [ "$(ask 'SELECT name, policy, server FROM runs ORDER BY run' | tr '\n' ' ')" = "gedf,gEDF, noisy-gedf,gEDF, ps,gEDF,periodic pedf,pEDF,periodic " ]
    # jobs: README of the recordings
    [ "$(ask 'SELECT policy, server, runs, jobs FROM policy_stats ORDER BY 1, 2' | tr '\n' ' ')" = "gEDF,,2,2482 gEDF,periodic,1,1241 pEDF,periodic,1,1241 " ]
    for wanted in "IS NULL" "= 'periodic'"; do
        [ "$(ask "SELECT p99_ns, n FROM policy_metrics WHERE policy = 'gEDF' AND server $wanted AND metric = 'decision_switch'")" = \
            "$(ask "SELECT quantile(dur_ns, 0.99), count(dur_ns) FROM decisions JOIN runs USING (run) WHERE policy = 'gEDF' AND server $wanted AND kind = 'switch' AND NOT no_burn")" ]
    done
    "$XENTRAIL" query --db "$db" --name policies --csv | grep -q '^gEDF,periodic,1,'
    "$XENTRAIL" db check "$db"
    for command in "hist --metric decision --by policy" "cdf --metric wake_latency" bars; do
        # shellcheck disable=SC2086 # words
        "$XENTRAIL" $command --db "$db" -o figure.pdf
        text=$(pdftotext -layout figure.pdf -)
        for group in gEDF gEDF+periodic pEDF+periodic; do
            grep -qE "(^|[^A-Za-z+])${group/+/\\+}([^A-Za-z+]|$)" <<<"$text" || { echo "no $group by $command"; false; }
        done
    done
}

@test "the same recording twice is refused, wherever it lies" {
    import "$SOURCE/examples/gedf"
    cp -r "$SOURCE/examples/gedf" elsewhere
    cp "$db" before
    import elsewhere --name other
    [ "$status" = 2 ]
    [[ $stderr == *'as run "gedf"'*--again* ]]
    cmp "$db" before
    import elsewhere --again
    [ "$status" = 0 ]
    import "$SOURCE/examples/gedf" --again
    [ "$status" = 0 ]
    [ "$(ask 'SELECT name FROM runs ORDER BY run' | tr '\n' ' ')" = "gedf elsewhere gedf-2 " ]
}

@test "names are unique" {
    import --name a "$SOURCE/examples/gedf"
    import --name a "$SOURCE/examples/pedf"
    [ "$status" = 2 ]
    [[ $stderr == *'named "a" already'* ]]
    [ "$(ask 'SELECT count(*) FROM runs')" = 1 ]
}

@test "a failed first import leaves no database" {
    printf 'no trace' >text
    import text
    [ "$status" = 3 ]
    [ ! -e "$db" ] && [ ! -e "$db-journal" ]
    import missing
    [ "$status" = 3 ]
    [ ! -e "$db" ]
}

@test "one that fails does not keep the others out" {
    import missing "$SOURCE/examples/gedf"
    [ "$status" = 3 ]
    [ "$(ask 'SELECT name FROM runs')" = gedf ]
}

@test "what is no database of ours is refused and not touched" {
    for make in 'printf text >x.db' 'sqlite3 x.db "CREATE TABLE t(x)"' 'mkdir x.db'; do
        rm -rf x.db
        eval "$make"
        [ -d x.db ] || cp x.db before
        import "$SOURCE/examples/gedf"
        [ "$status" = 3 ]
        [ -d x.db ] || cmp x.db before
    done
}

@test "a newer schema is refused with the way out" {
    import "$SOURCE/examples/gedf"
    sqlite3 "$db" 'PRAGMA user_version = 1000'
    import "$SOURCE/examples/pedf"
    [ "$status" = 3 ]
    [[ $stderr == *newer* ]]
}

@test "standard input, without a hash" {
    zstd -dcq "$SOURCE"/examples/gedf/trace.xen.zst >t.xen
    run --separate-stderr "$XENTRAIL" import --db "$db" --name piped - <t.xen
    [ "$status" = 0 ]
    [ "$(ask 'SELECT name, records, hash IS NULL FROM runs')" = piped,53643,1 ]
}

@test "policy, frequency and reservation by hand" {
    import --policy mine --tsc-hz 2e9 --reservation vm1=10ms/4ms --tolerance 1ms "$SOURCE/examples/credit"
    [ "$status" = 0 ]
    [ "$(ask 'SELECT policy, tsc_hz, tsc_hz_source, tolerance_ns, policy_why FROM runs')" = "mine,2000000000,user,1000000,given by hand" ]
    [ "$(ask "SELECT DISTINCT period_ns, budget_ns, reference FROM vcpu_stats WHERE domain = 'vm1'")" = 10000000,4000000,1 ]
    import --reservation 'nonsense' "$SOURCE/examples/credit"
    [ "$status" = 2 ]
}

@test "wrong usage" {
    run "$XENTRAIL" import "$SOURCE/examples/gedf"
    [ "$status" = 2 ]
    import
    [ "$status" = 2 ]
    import --name x "$SOURCE/examples/gedf" "$SOURCE/examples/pedf"
    [ "$status" = 2 ]
    [ ! -e "$db" ]
}

@test "--json tells what was imported" {
    import --json "$SOURCE/examples/gedf" "$SOURCE/examples/pedf"
    [ "$(jq -r '.[].name' <<<"$output" | tr '\n' ' ')" = "gedf pedf " ]
    [ "$(jq '.[0].records' <<<"$output")" = 53643 ]
}

@test "killed at any instant, the database is as it was, and importing goes on" {
    import "$SOURCE/examples/pedf"
    "$XENTRAIL" query --db "$db" --csv 'SELECT * FROM vcpu_stats' >before
    for i in $(seq 1 12); do
        "$XENTRAIL" import --db "$db" "$SOURCE/examples/noisy-gedf" 2>/dev/null &
        pid=$!
        sleep "0.0$((i * 7 % 80 + 10))"
        kill -KILL $pid 2>/dev/null || true
        wait $pid || true
        runs=$(ask 'SELECT count(*) FROM runs') # reading undoes what was left unfinished
        [ "$(sqlite3 "$db" 'PRAGMA integrity_check')" = ok ]
        if [ "$runs" = 1 ]; then # else it was faster than the signal
            "$XENTRAIL" query --db "$db" --csv 'SELECT * FROM vcpu_stats' | cmp - before
        else
            break
        fi
    done
    [ -n "$(ask "SELECT 1 FROM runs WHERE name = 'noisy-gedf'")" ] || import "$SOURCE/examples/noisy-gedf"
    [ "$(ask 'SELECT count(*) FROM runs')" = 2 ]
    run "$XENTRAIL" db check "$db"
    [ "$status" = 0 ]
}

@test "no room: the database is as it was, a new one is taken away" {
    zstd -dcq "$SOURCE"/examples/noisy-gedf/trace.xen.zst >t.xen
    trap '' XFSZ # writing past the limit fails like a full disk
    (ulimit -f 300 && run "$XENTRAIL" import --db new.db t.xen && [ "$status" = 4 ] && [[ $output == *new.db* ]])
    [ ! -e new.db ] && [ ! -e new.db-journal ]
    import "$SOURCE/examples/gedf"
    cp "$db" before
    blocks=$(($(stat -c %s "$db") / 1024 + 100))
    (ulimit -f $blocks && run "$XENTRAIL" import --db "$db" t.xen && [ "$status" = 4 ])
    cmp "$db" before
    [ ! -e "$db-journal" ]
}

@test "interrupted: the database is as it was" {
    import "$SOURCE/examples/gedf"
    cp "$db" before
    mkfifo pipe
    "$XENTRAIL" import --db "$db" --name piped - <pipe 2>err &
    pid=$!
    exec 9>pipe
    zstd -dcq "$SOURCE"/examples/pedf/trace.xen.zst >&9
    kill -INT $pid # while it waits for more
    exec 9>&-
    wait $pid && false
    cmp "$db" before
}

@test "two imports at once into one new file: both get in" {
    for i in 1 2 3; do
        rm -f "$db"
        "$XENTRAIL" import --db "$db" "$SOURCE/examples/gedf" 2>/dev/null &
        first=$!
        "$XENTRAIL" import --db "$db" "$SOURCE/examples/pedf" 2>/dev/null &
        wait $! && wait $first
        [ "$(ask 'SELECT count(*) FROM runs')" = 2 ]
    done
}

@test "one good and one bad import at once into one new file: the good one gets in" {
    printf 'no trace' >text
    for i in 1 2 3; do
        rm -f "$db"
        "$XENTRAIL" import --db "$db" text 2>/dev/null &
        "$XENTRAIL" import --db "$db" "$SOURCE/examples/pedf" 2>/dev/null
        wait
        [ "$(ask 'SELECT name FROM runs')" = pedf ]
    done
}

@test "db check finds what was tampered with" {
    import "$SOURCE/examples/gedf"
    sqlite3 "$db" 'UPDATE dispatch SET ran_ns = ran_ns + 5 WHERE id = 100'
    run "$XENTRAIL" db check "$db"
    [ "$status" = 1 ]
    [[ $output == *"gap of 5 ns"* || $output == *"overlap of 5 ns"* ]]
    sqlite3 "$db" 'UPDATE dispatch SET ran_ns = ran_ns - 5 WHERE id = 100; UPDATE vcpu SET preemptions = preemptions + 1 WHERE domid = 1'
    run "$XENTRAIL" db check "$db"
    [ "$status" = 1 ]
    [[ $output == *d1v0*preemptions* ]]
    run "$XENTRAIL" db check missing.db
    [ "$status" = 3 ]
    run "$XENTRAIL" db nonsense "$db"
    [ "$status" = 2 ]
}

@test "db check finds what is missing: a view, an index, rows, a figure" {
    import "$SOURCE/examples/gedf"
    cp "$db" whole.db
    while IFS='|' read -r sql words; do
        cp whole.db "$db"
        sqlite3 "$db" "$sql"
        run "$XENTRAIL" db check "$db"
        [ "$status" = 1 ] && [[ $output == *"$words"* ]] || { echo "$sql: $status $output"; false; }
    done <<'END'
DROP VIEW intervals|view intervals is missing
DROP VIEW periods; CREATE VIEW periods AS SELECT 1 AS run|view periods is not as xentrail makes it
DROP INDEX run_hash|index run_hash is missing
DELETE FROM dispatch WHERE id = (SELECT max(id) FROM dispatch)|table dispatch has
DELETE FROM period WHERE id = 7|table period has
UPDATE dispatch SET off_ns = x'' WHERE id = (SELECT id FROM dispatch WHERE off_ns = 0 LIMIT 1)|table dispatch: 1 rows hold something of another type
UPDATE period SET ready_ns = 'soon' WHERE id = 7|table period: 1 rows hold something of another type
DELETE FROM how WHERE id = (SELECT min(how) FROM dispatch)|combination that is not there
PRAGMA ignore_check_constraints = 1; PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, 'dispatches INTEGER NOT NULL', 'dispatches INTEGER') WHERE name = 'vcpu'; PRAGMA writable_schema = RESET; UPDATE vcpu SET dispatches = NULL WHERE domid = 1|table vcpu is not as xentrail makes it
END
}

@test "a database of another schema version is refused, with the way out" {
    import "$SOURCE/examples/gedf"
    sqlite3 "$db" 'PRAGMA user_version = 1'
    cp "$db" before
    for command in "stats --db $db" "query --db $db SELECT+1" "gantt --db $db -o x.svg" "db check $db" \
        "import --db $db $SOURCE/examples/pedf"; do
        # shellcheck disable=SC2086 # words
        run --separate-stderr "$XENTRAIL" $command
        [ "$status" = 3 ]
        [[ $stderr == *"older xentrail (schema 1, this one needs "*"import the recordings into a new database"* ]]
    done
    [ "$(sqlite3 "$db" 'SELECT name FROM run')" = gedf ] # what the message says can be asked
    sqlite3 "$db" 'SELECT path FROM run'
    cmp "$db" before
    sqlite3 "$db" 'PRAGMA user_version = 1000'
    run --separate-stderr "$XENTRAIL" stats --db "$db"
    [ "$status" = 3 ]
    [[ $stderr == *"newer xentrail (schema 1000"*"use that one"* ]]
}
