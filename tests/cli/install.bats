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
