# Pictures of real recordings: they exist, are whole, and their boxes are the database's intervals.
bats_require_minimum_version 1.5.0
load helper

setup_file() {
    export DB="$BATS_FILE_TMPDIR/x.db"
    for name in gedf noisy-credit; do
        "$XENTRAIL" import "$SOURCE/examples/$name" --db "$DB" >/dev/null 2>&1
    done
}

# TS DUR of every box of a class in an SVG.
boxes() {
    sed -n "s/.*class=\"$2\" data-ts=\"\([0-9]*\)\" data-dur=\"\([0-9]*\)\".*/\1 \2/p" "$1" | sort -n
}

@test "boxes in the picture are the database's intervals" {
    out="$BATS_TEST_TMPDIR/a.svg"
    "$XENTRAIL" gantt --db "$DB" --run gedf --from 1s --to 1100ms -o "$out"
    xmllint --noout "$out"
    want=$(sqlite3 -separator ' ' "$DB" "SELECT ts, dur FROM intervals WHERE run = (SELECT run FROM runs WHERE name = 'gedf')
        AND state = 'running' AND domid <> 32767 AND ts < 1100000000 AND ts + dur > 1000000000" | sort -n)
    [ -n "$want" ]
    diff <(boxes "$out" 'running by-pcpu') <(printf '%s\n' "$want")
    diff <(boxes "$out" 'running by-vcpu') <(printf '%s\n' "$want")
}

@test "box edges stand where their times say, and their lengths sum to the run time" {
    out="$BATS_TEST_TMPDIR/b.svg"
    "$XENTRAIL" gantt --db "$DB" --run noisy-credit --from 2s --to 2100ms -o "$out"
    awk '
        function get(name,  v) { v = $0; sub(".*[ ]" name "=\"", "", v); sub("\".*", "", v); return v + 0 }
        /class="plot"/ { left = get("x"); width = get("width"); from = get("data-ts"); span = get("data-dur") }
        /class="running by-vcpu"/ {
            n++
            ts = get("data-ts"); end = ts + get("data-dur")
            if (ts < from) ts = from
            if (end > from + span) end = from + span
            x0 = left + (ts - from) / span * width; x1 = left + (end - from) / span * width
            e0 = get("x") - x0; e1 = get("x") + get("width") - x1
            if (e0 * e0 > 1e-4 || e1 * e1 > 1e-4) { print "off by " e0 " " e1 ": " $0; bad = 1 }
            drawn += get("width"); ran += end - ts
        }
        END { d = drawn - ran / span * width; if (n < 20 || d * d > 0.01) { print n, d; bad = 1 }; exit bad }' "$out"
}

@test "an overview holds the run time of every VCPU to the nanosecond" {
    out="$BATS_TEST_TMPDIR/c.svg"
    "$XENTRAIL" gantt --db "$DB" --run gedf --detail overview -o "$out"
    got=$(sed -n 's/.*class="share by-vcpu" data-ts="0" data-dur="\([0-9]*\)" data-domid="\([0-9]*\)" data-vcpu="\([0-9]*\)".*/\2 \3 \1/p' \
        "$out" | sort -u)
    want=$(sqlite3 -separator ' ' "$DB" "SELECT domid, vcpu, running_ns FROM vcpu_stats
        WHERE run = (SELECT run FROM runs WHERE name = 'gedf') AND running_ns > 0" | sort -u)
    [ -n "$want" ]
    diff <(printf '%s\n' "$got") <(printf '%s\n' "$want")
}

@test "text of a PDF can be searched and its fonts are inside" {
    out="$BATS_TEST_TMPDIR/d.pdf"
    "$XENTRAIL" gantt --db "$DB" --run gedf --from 1s --to 1100ms -o "$out"
    pdftotext "$out" - | grep -q 'pCPU 1'
    pdftotext "$out" - | grep -q 'Xen 4.17.5'
    [ "$(pdffonts "$out" | awk 'NR > 2 && $(NF - 4) != "yes"' | wc -l)" = 0 ]
}

@test "the same input gives the same bytes" {
    for format in svg pdf png; do
        "$XENTRAIL" gantt --db "$DB" --run gedf --from 1s --to 1100ms -o "$BATS_TEST_TMPDIR/1.$format"
        sleep 1.1
        "$XENTRAIL" gantt --db "$DB" --run gedf --from 1s --to 1100ms -o "$BATS_TEST_TMPDIR/2.$format"
        cmp "$BATS_TEST_TMPDIR/1.$format" "$BATS_TEST_TMPDIR/2.$format"
    done
}

@test "several runs come in one figure" {
    out="$BATS_TEST_TMPDIR/e.svg"
    "$XENTRAIL" gantt --db "$DB" --run gedf --run noisy-credit --from 2s --to 2050ms --rows pcpu -o "$out"
    [ "$(grep -c 'class="plot"' "$out")" = 2 ]
}

@test "what cannot be drawn is refused, and leaves no file" {
    out="$BATS_TEST_TMPDIR/f.png"
    for args in "--run nosuch" "--run gedf --from 9s" "--run gedf --from 2s --to 1s" "--run gedf --vcpu d99v0" "--run gedf --rows x" \
        "--run gedf --miss 1 --from 1s" "--run gedf --size 3x3" "--run gedf --from soon" "--run gedf --miss 100000"; do
        # shellcheck disable=SC2086 # several words
        run --separate-stderr "$XENTRAIL" gantt --db "$DB" $args -o "$out"
        [ "$status" = 2 ] || { echo "$args: $status"; false; }
        [ -n "$stderr" ]
        [ ! -e "$out" ]
    done
    run "$XENTRAIL" gantt --db "$DB" --run gedf -o "$BATS_TEST_TMPDIR/x.gif"
    [ "$status" = 2 ]
    run "$XENTRAIL" gantt --db /nonexistent.db --run gedf -o "$out"
    [ "$status" = 3 ]
    run "$XENTRAIL" gantt --db "$DB" --run gedf -o /nonexistent/x.png
    [ "$status" = 4 ]
}
