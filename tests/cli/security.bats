# SECURITY.md, claim by claim.
bats_require_minimum_version 1.5.0
load helper

# A recording whose first guest chose its name to hurt a terminal, SQL, HTML and a shell.
hostile_name=$'vm\e[31m<b>&"\'; $(touch owned) --'
make_hostile() {
    cp -R "$SOURCE/examples/credit" hostile
    chmod -R u+w hostile
    for file in hostile/host/xl-*.txt; do
        HOSTILE=$hostile_name python3 -c '
import os, re, sys
path = sys.argv[1]
text = open(path, errors="surrogateescape").read()
open(path, "w", errors="surrogateescape").write(re.sub(r"^vm1 ", lambda m: os.environ["HOSTILE"] + " ", text, flags=re.M))' "$file"
    done
}

setup() {
    cd "$BATS_TEST_TMPDIR"
}

@test "a query cannot write, attach, load or reach files" {
    "$XENTRAIL" import --db a.db "$SOURCE/examples/credit" 2>/dev/null
    before=$(sha256sum a.db)
    for sql in "ATTACH 'b.db' AS b" "DELETE FROM run" "PRAGMA writable_schema = 1" "CREATE TEMP TABLE t (a)" \
        "VACUUM INTO 'b.db'" "SELECT 1; DELETE FROM run" "SELECT load_extension('x')" "SELECT readfile('a.db')" \
        "UPDATE run SET name = 'x'" "WITH x AS (SELECT 1) INSERT INTO run (name) SELECT 'x'"; do
        run --separate-stderr "$XENTRAIL" query --db a.db "$sql"
        [ "$status" = 2 ] || { echo "$sql: $status $output"; false; }
        [ -z "$output" ]
    done
    [ ! -e b.db ]
    [ "$before" = "$(sha256sum a.db)" ]
}

@test "a name is data: on the terminal, in JSON, in CSV, in SQL" {
    make_hostile
    for command in stats 'stats --csv'; do
        # shellcheck disable=SC2086
        run "$XENTRAIL" $command hostile
        [ "$status" = 0 ]
        [[ $output != *$'\e'* ]] || [ "$command" = 'stats --csv' ]
    done
    [ "$("$XENTRAIL" stats --json hostile | jq -r '.vcpus[] | select(.domid == 1 and .vcpu == 0).domain')" = "$hostile_name" ]
    "$XENTRAIL" import --db a.db --name "x'); DROP TABLE run; --" hostile 2>/dev/null
    [ "$("$XENTRAIL" query --db a.db --json 'SELECT name FROM runs' | jq -r '.[0].name')" = "x'); DROP TABLE run; --" ]
    [ "$("$XENTRAIL" query --db a.db --json 'SELECT domain FROM vcpu_stats WHERE domid = 1 AND vcpu = 0' | jq -r '.[0].domain')" = \
        "$hostile_name" ]
    [ ! -e owned ]
}

@test "links, pipes and devices in a recording are not followed" {
    cp -R "$SOURCE/examples/credit" linked
    chmod -R u+w linked
    rm linked/host/xl-info.txt linked/host/xl-list.txt
    echo 'xen_version : secret' >outside
    ln -s "$PWD/outside" linked/host/xl-info.txt
    mkfifo linked/host/xl-list.txt
    run --separate-stderr timeout 10 "$XENTRAIL" stats linked
    [ "$status" = 0 ]
    [[ $output != *secret* ]]
    [[ $stderr == *"host/xl-info.txt: cannot be read (not a regular file)"* ]]
    run timeout 10 "$XENTRAIL" import --db a.db linked
    [ "$status" = 0 ]
}

@test "the programs are built to withstand what gets through" {
    command -v readelf >/dev/null || skip "no readelf"
    nm -D "$XENTRAIL" | grep -q __asan_init && skip "sanitizers check more"
    for program in "$XENTRAIL" "$XENTRAIL-draw"; do
        readelf -hW "$program" | grep -qE 'Type: *DYN'                   # position-independent
        readelf -lW "$program" | grep -q GNU_RELRO
        readelf -dW "$program" | grep -q BIND_NOW
        readelf -lW "$program" | grep -qE 'GNU_STACK.* RW +0x'           # not executable
        nm -D "$program" | grep -q __stack_chk_fail
        nm -D "$program" | grep -q '__[a-z]*_chk@'                       # _FORTIFY_SOURCE
    done
}

@test "no pragma that writes, no function that reaches out" {
    "$XENTRAIL" import --db a.db "$SOURCE/examples/credit" 2>/dev/null
    before=$(sha256sum a.db)
    for sql in "PRAGMA journal_mode = WAL" "PRAGMA user_version = 7" "PRAGMA application_id = 1" "PRAGMA trusted_schema = 1" \
        "PRAGMA wal_checkpoint" "PRAGMA optimize" "PRAGMA incremental_vacuum" "PRAGMA temp_store_directory = '/tmp'" \
        "PRAGMA schema_version = 9" "PRAGMA query_only = 0" "SELECT * FROM pragma_journal_mode('wal')" \
        "SELECT writefile('x', 'y')" "SELECT edit('x')" "SELECT fts3_tokenizer('simple')" "DETACH main" "REINDEX" "ANALYZE" \
        "BEGIN" "SAVEPOINT x" "DROP VIEW runs" "CREATE VIRTUAL TABLE t USING fts5(a)" "ALTER TABLE run ADD COLUMN x" \
        "REPLACE INTO run (id) VALUES (1)" "EXPLAIN DELETE FROM run"; do
        run --separate-stderr "$XENTRAIL" query --db a.db "$sql"
        [ "$status" = 2 ] && [ -z "$output" ] && [ -n "$stderr" ] || { echo "$sql: $status $output $stderr"; false; }
    done
    [ "$before" = "$(sha256sum a.db)" ]
    [ "$(ls -A | grep -v separate-stderr)" = a.db ] # the others are bats's
}

@test "what a hostile database's views try is fenced in, too" {
    "$XENTRAIL" import --db a.db "$SOURCE/examples/credit" 2>/dev/null
    sqlite3 a.db "DROP VIEW runs; CREATE VIEW runs AS SELECT load_extension('x') AS run, 1 AS name"
    run --separate-stderr "$XENTRAIL" query --db a.db "SELECT * FROM runs"
    [ "$status" != 0 ]
    run --separate-stderr "$XENTRAIL" stats --db a.db
    [ "$status" != 0 ]
}

@test "recording.json is read like the rest: no link, no pipe, no size, no depth" {
    cp -R "$SOURCE/examples/credit" r
    chmod -R u+w r
    mv r/recording.json kept.json
    ln -s "$PWD/kept.json" r/recording.json
    run timeout 10 "$XENTRAIL" info r
    [ "$status" = 3 ] && [[ $output == *"not a regular file"* ]]
    rm r/recording.json
    mkfifo r/recording.json
    run timeout 10 "$XENTRAIL" info r
    [ "$status" = 3 ] && [[ $output == *"not a regular file"* ]]
    rm r/recording.json
    printf '[%.0s' {1..200000} >r/recording.json
    run timeout 10 "$XENTRAIL" info r
    [ "$status" = 3 ] && [[ $output == *"nested more than 32 deep"* ]]
    truncate -s 2M r/recording.json
    run timeout 10 "$XENTRAIL" info r
    [ "$status" = 3 ] && [[ $output == *"more than such a text can have"* ]]
}
