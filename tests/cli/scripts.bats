# Shell scripts that people and CI run.
load helper

@test "shellcheck finds nothing in the project's scripts" {
    command -v shellcheck >/dev/null || skip "shellcheck is not installed"
    cd "$SOURCE"
    shellcheck setup.sh .ci/run cli/xentrail.bash $(find . -name '*.sh' ! -path './build*' ! -path './demo/*' ! -path './setup.sh')
}

@test "setup.sh without or with an unknown command is wrong usage" {
    run "$SOURCE/setup.sh" </dev/null
    [ "$status" = 2 ]
    [[ $output == *"usage: ./setup.sh"* ]]
    run "$SOURCE/setup.sh" frobnicate </dev/null
    [ "$status" = 2 ]
    run "$SOURCE/setup.sh" --help </dev/null
    [ "$status" = 0 ]
}
