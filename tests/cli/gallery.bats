# Every command of the gallery works, and draws what the picture beside it shows.
bats_require_minimum_version 1.5.0
load helper

# What a picture holds, without what depends on the fonts of this machine: its texts and the tags of its shapes.
content() {
    grep -oE 'class="[^>]*data-dur="[0-9]*"|<text[^>]*>[^<]*' "$1" | sed 's/<text[^>]*>//' | sort
}

@test "the gallery's commands draw its pictures" {
    mkdir "$BATS_TEST_TMPDIR/bin"
    ln -s "$XENTRAIL" "$BATS_TEST_TMPDIR/bin/xentrail"
    PATH="$BATS_TEST_TMPDIR/bin:$PATH"
    cd "$BATS_TEST_TMPDIR"
    ln -s "$SOURCE/examples" examples
    awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$SOURCE/docs/gallery.md" >commands
    [ "$(wc -l <commands)" -ge 10 ]
    bash -e commands 2>err || { cat err; false; }
    for picture in $(grep -oE '\(img/[a-z-]*\.svg\)' "$SOURCE/docs/gallery.md" | tr -d '()'); do
        [ -f "$SOURCE/docs/$picture" ] || { echo "no $picture"; false; }
        diff <(content "$SOURCE/docs/$picture") <(content "$(basename "$picture")") >difference ||
            { echo "$picture is not what its command draws:"; head -n 5 difference; false; }
    done
}
