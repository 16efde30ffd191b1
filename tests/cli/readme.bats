# The README typed as written, in a copy of the checkout.
load helper

setup_file() {
    export TREE="$BATS_FILE_TMPDIR/xentrail"
    mkdir "$TREE"
    (cd "$SOURCE" && find . -mindepth 1 -maxdepth 1 ! -name 'build*' ! -name demo ! -name .git -exec cp -R {} "$TREE" \;)
    cd "$TREE"
    {
        echo 'set -euo pipefail'
        awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on { print "printf \"$ %s\\n\" " quote($0); print }
             function quote(s) { gsub(/\047/, "\047\\\047\047", s); return "\047" s "\047" }' README.md
    } >"$BATS_FILE_TMPDIR/tour.sh"
    bash "$BATS_FILE_TMPDIR/tour.sh" >"$BATS_FILE_TMPDIR/tour.out" 2>"$BATS_FILE_TMPDIR/tour.err" </dev/null && status=0 || status=$?
    echo "$status" >"$BATS_FILE_TMPDIR/status"
}

@test "every command of the README works" {
    [ "$(grep -c '^\$ ' "$BATS_FILE_TMPDIR/tour.out")" -ge 8 ]
    [ "$(cat "$BATS_FILE_TMPDIR/status")" = 0 ] || { tail -n 5 "$BATS_FILE_TMPDIR/tour.out"; tail -n 5 "$BATS_FILE_TMPDIR/tour.err"; false; }
}

@test "the demo leaves the database and whole pictures, and names them" {
    cd "$TREE"
    [ "$(sqlite3 demo/xentrail.db 'SELECT group_concat(name) FROM (SELECT name FROM runs ORDER BY name)')" = \
        credit,gedf,noisy-credit,noisy-gedf,pedf ]
    for picture in demo/*.png; do
        [ "$(head -c 8 "$picture" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ]
        grep -qF "$(basename "$picture")" "$BATS_FILE_TMPDIR/tour.out"
    done
    for picture in demo/*.svg; do xmllint --noout "$picture"; done
    for picture in demo/*.pdf; do pdftotext "$picture" - | grep -q .; done
    [ "$(find demo -name '*.png' | wc -l)" -ge 5 ]
}

@test "the demo tells what was found for every policy" {
    for policy in gEDF pEDF credit; do
        sed -n '/^Found, policy by policy/,$p' "$BATS_FILE_TMPDIR/tour.out" | grep -q "^$policy "
    done
}

@test "the README's picture is one that the demo makes" {
    for picture in $(grep -oE 'docs/img/[a-z-]+\.png' "$SOURCE/README.md" | sort -u); do
        [ -f "$SOURCE/$picture" ]
        [ -f "$TREE/demo/$(basename "$picture")" ]
    done
}

@test "links of the README lead somewhere" {
    for target in $(grep -oE '\]\([^)#]+\)' "$SOURCE/README.md" | tr -d '()]'); do
        case $target in http*) continue ;; esac
        [ -e "$SOURCE/$target" ] || { echo "$target"; false; }
    done
}
