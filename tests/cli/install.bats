# meson install into a DESTDIR: what a package would hold, and that it works from there.
load helper

setup_file() {
    export DESTDIR="$BATS_FILE_TMPDIR/root"
    meson install -C "$BUILD" --no-rebuild >"$BATS_FILE_TMPDIR/log" 2>&1 || { cat "$BATS_FILE_TMPDIR/log"; false; }
    export ROOT="$DESTDIR$PREFIX"
}

@test "the program is installed and runs" {
    run "$ROOT/bin/xentrail" --version
    [ "$status" = 0 ]
    [ "$output" = "xentrail $VERSION" ]
}

@test "what draws is installed and found" {
    cd "$BATS_TEST_TMPDIR"
    "$ROOT/bin/xentrail" import --db x.db "$SOURCE/examples/gedf"
    "$ROOT/bin/xentrail" gantt --db x.db -o x.svg
    [ -s x.svg ]
    mkdir alone && cp "$ROOT/bin/xentrail" alone
    run alone/xentrail hist --db x.db --metric decision -o y.svg
    [ "$status" = 4 ] && [[ "$output" == "xentrail hist: cannot start "*"install xentrail as a whole"* ]]
}

@test "every command's man page is installed" {
    [ -f "$ROOT/share/man/man1/xentrail.1" ]
    for command in $(commands); do
        [ -f "$ROOT/share/man/man1/xentrail-$command.1" ] || { echo "no page for $command"; false; }
    done
}

@test "bash completion is installed where bash looks" {
    [ -f "$ROOT/share/bash-completion/completions/xentrail" ]
    PATH="$ROOT/bin:$PATH" run bash -c 'source "$1/share/bash-completion/completions/xentrail" && complete -p xentrail' - "$ROOT"
    [ "$status" = 0 ]
}

@test "nothing is installed outside the prefix" {
    outside=$(find "$DESTDIR" -type f ! -path "$ROOT/*")
    [ -z "$outside" ] || { echo "$outside"; false; }
}
