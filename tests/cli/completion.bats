# What bash offers after TAB, against what the program's own help says.
load helper

# The command table itself, so that this does not only compare the help with the help.
table() {
    sed -n 's/^ *{ "\([a-z-]*\)", ".*xt_cmd_.*/\1/p' "$SOURCE/cli/main.c"
}

complete_words() {
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    _xentrail
    printf '%s\n' "${COMPREPLY[@]}"
}

setup() {
    source "$SOURCE/cli/xentrail.bash"
}

@test "completion offers every command of the table" {
    got=$(complete_words "$XENTRAIL" '')
    table=$(table)
    [ -n "$table" ]
    for command in $table; do
        grep -qx -- "$command" <<<"$got" || { echo "missing: $command"; false; }
    done
    [ "$(complete_words "$XENTRAIL" sta)" = stats ]
}

@test "completion offers every option that a command's help lists" {
    for command in $(table); do
        got=$(complete_words "$XENTRAIL" "$command" --)
        for option in $(help_options "$command"); do
            grep -qxE -- "--$option=?" <<<"$got" || { echo "$command lacks $option"; false; }
        done
    done
}

@test "completion narrows an option and knows the policies" {
    complete_words "$XENTRAIL" stats --js | grep -qx -- --json
    complete_words "$XENTRAIL" stats --policy = gE | grep -qx gEDF
    complete_words "$XENTRAIL" stats --policy p | grep -qx pEDF
}

@test "completion knows the database's runs and the named questions" {
    "$XENTRAIL" import --db "$BATS_TEST_TMPDIR/a.db" "$SOURCE/examples/gedf" "$SOURCE/examples/noisy-gedf"
    [ "$(complete_words "$XENTRAIL" query --db "$BATS_TEST_TMPDIR/a.db" --run ge)" = gedf ]
    [ "$(complete_words "$XENTRAIL" query --db = "$BATS_TEST_TMPDIR/a.db" --run '')" = $'gedf\nnoisy-gedf' ]
    sqlite3 "$BATS_TEST_TMPDIR/a.db" "UPDATE run SET name = 'a b; \$(reboot)' WHERE name = 'gedf'"
    [ "$(complete_words "$XENTRAIL" query --db "$BATS_TEST_TMPDIR/a.db" --run a)" = 'a\ b\;\ \$\(reboot\)' ]
    complete_words "$XENTRAIL" hist --db "$BATS_TEST_TMPDIR/a.db" --metric wake | grep -qx wake_latency
    complete_words "$XENTRAIL" query --name po | grep -qx policies
}

@test "completion leaves file names to bash" {
    [ -z "$(complete_words "$XENTRAIL" stats '')" ]
}
