# Man pages against the program: one page per command, every option in both, no page for what is not there.
load helper

# Long options, sorted, that stand at the start of a paragraph in the page: scdoc writes them as *--name*.
page_options() {
    grep -E '^\*-' "$1" | grep -oE -- '--[a-z][a-z0-9-]*' | sed 's/^--//' | sort -u
}

@test "there are commands to check" {
    [ "$(commands | wc -l)" -ge 2 ]
}

@test "every command has a man page, and every page a command" {
    for command in $(commands); do
        [ -f "$SOURCE/docs/xentrail-$command.1.scd" ] || { echo "no page for $command"; false; }
        [ -f "$BUILD/docs/xentrail-$command.1" ] || { echo "page of $command is not built"; false; }
    done
    for page in "$SOURCE"/docs/xentrail-*.1.scd; do
        command=$(basename "$page" .1.scd)
        commands | grep -qx "${command#xentrail-}" || { echo "$page is of no command"; false; }
    done
}

@test "every option is in the help and in the page" {
    for command in $(commands); do
        diff <(help_options "$command") <(page_options "$SOURCE/docs/xentrail-$command.1.scd") ||
            { echo "help (<) and page (>) of $command differ"; false; }
    done
}

@test "xentrail(1) lists every command" {
    for command in $(commands); do
        grep -q "xentrail-$command\*(1)" "$SOURCE/docs/xentrail.1.scd" || { echo "$command is not listed"; false; }
    done
}

@test "pages render without a warning" {
    for page in "$BUILD"/docs/xentrail*.1; do
        run env LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=100 man --warnings -E UTF-8 -l -Tutf8 -Z "$page"
        [ "$status" = 0 ]
        warnings=$(env LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=100 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
        [ -z "$warnings" ] || { echo "$page: $warnings"; false; }
    done
}

# Commands of a page's EXAMPLES as a reader sees them, one a line; those that need another machine are left out.
page_examples() {
    MANWIDTH=400 LC_ALL=C.UTF-8 man -E UTF-8 -l "$1" | sed -n '/^EXAMPLES/,/^[A-Z]* [A-Z]*$/s/^ \{8,\}\(xentrail .*\)/\1/p'
}

@test "every example of a page works as written" {
    mkdir "$BATS_TEST_TMPDIR/bin"
    ln -s "$XENTRAIL" "$BATS_TEST_TMPDIR/bin/xentrail"
    PATH="$BATS_TEST_TMPDIR/bin:$PATH"
    for page in "$BUILD"/docs/xentrail-*.1; do
        place="$BATS_TEST_TMPDIR/$(basename "$page")"
        mkdir "$place"
        cd "$place"
        ln -s "$SOURCE/examples" examples
        [[ $page == *-import.1 ]] || xentrail import --db xen.db examples/gedf examples/noisy-gedf examples/noisy-credit 2>/dev/null
        while IFS= read -r example; do
            case $example in *' record '* | *' lab '*) continue ;; esac # these need a Xen host
            bash -o pipefail -c "$example" >out 2>err </dev/null && code=0 || code=$?
            [[ $code = 0 || ($code = 1 && $example == 'xentrail check '*) ]] || { echo "$page: $example: $(cat err)"; false; }
        done < <(page_examples "$page")
    done
    [ "$(page_examples "$BUILD/docs/xentrail-dump.1" | wc -l)" -ge 2 ]
}
