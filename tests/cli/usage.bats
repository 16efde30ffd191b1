# Exit statuses and messages that every command owes its user.
bats_require_minimum_version 1.5.0
load helper

@test "help goes to stdout and is no error, also without a terminal" {
    for command in $(commands); do
        run --separate-stderr "$XENTRAIL" "$command" --help
        [ "$status" = 0 ] || { echo "$command: $status"; false; }
        [ -n "$output" ]
        [ -z "$stderr" ] || { echo "$command: $stderr"; false; }
    done
}

@test "an unknown option is wrong usage and says where help is" {
    for command in $(commands); do
        run --separate-stderr "$XENTRAIL" "$command" --no-such-option
        [ "$status" = 2 ] || { echo "$command: $status"; false; }
        [ -z "$output" ]
        [[ $stderr == *--no-such-option* ]]
        [[ $stderr == *"xentrail $command --help"* ]] || { echo "$command: $stderr"; false; }
    done
}

@test "no command and an unknown command are wrong usage" {
    run --separate-stderr "$XENTRAIL"
    [ "$status" = 2 ]
    [ -z "$output" ]
    run --separate-stderr "$XENTRAIL" $'no\e[31mcommand'
    [ "$status" = 2 ]
    [[ $stderr != *$'\e'* ]]
}

@test "a missing file is bad input, named" {
    for command in stats dump; do
        run --separate-stderr "$XENTRAIL" "$command" /nonexistent/trace.xen
        [ "$status" = 3 ]
        [ -z "$output" ]
        [[ $stderr == *"/nonexistent/trace.xen: No such file or directory"* ]]
    done
}

@test "a folder that is no recording is bad input, and the message says what one is" {
    run --separate-stderr "$XENTRAIL" stats "$BATS_TEST_TMPDIR"
    [ "$status" = 3 ]
    [[ $stderr == *trace.xen* ]]
}
