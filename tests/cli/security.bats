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
