# Memory, as valgrind sees it: nothing undefined is used, nothing lost. What libraries keep is in tests/valgrind.supp.
bats_require_minimum_version 1.5.0

setup() {
    command -v valgrind >/dev/null || skip "no valgrind"
    nm -D "$XENTRAIL" | grep -q __asan_init && skip "sanitizers look at the same"
    cd "$BATS_TEST_TMPDIR"
    "$XT_SYNTH" --policy gedf --pcpus 2 --vcpus 4 --seconds 0.1 --seed 3 -o tiny
}

checked() {
    valgrind -q --trace-children=yes --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
        --suppressions="$SOURCE/tests/valgrind.supp" "$XENTRAIL" "$@"
}

@test "reading a trace" {
    checked stats tiny
    checked dump tiny
}

@test "a database, made, asked and checked" {
    checked import --db a.db tiny
    checked query --db a.db --name vcpus
    checked db check a.db
}

@test "drawing" {
    "$XENTRAIL" import --db a.db tiny
    checked gantt --db a.db --from 0 --to 20ms -o a.svg
}
