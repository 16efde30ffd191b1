# Histograms and distribution functions of real recordings.
bats_require_minimum_version 1.5.0
load helper

setup_file() {
    export DB="$BATS_FILE_TMPDIR/x.db"
    for name in gedf credit; do
        "$XENTRAIL" import "$SOURCE/examples/$name" --db "$DB" >/dev/null 2>&1
    done
}

@test "bins of a histogram hold every sample" {
    out="$BATS_TEST_TMPDIR/a.svg"
    for log in x none; do
        "$XENTRAIL" hist --db "$DB" --metric decision --log $log -o "$out"
        xmllint --noout "$out"
        got=$(sed -n 's/.*class="bin" data-ts="[0-9]*" data-dur="\([0-9]*\)".*/\1/p' "$out" | awk '{ sum += $1 } END { printf "%d", sum }')
        [ "$got" = "$(sqlite3 "$DB" "SELECT sum(n) FROM overhead_stats WHERE metric = 'decision'")" ]
    done
}

@test "splitting by VCPU, pCPU or migration loses no sample" {
    for metric in decision decision_switch decision_continue context_switch wake_latency preempt_latency; do
        want=$(sqlite3 "$DB" "SELECT sum(n) FROM (SELECT * FROM overhead_stats UNION ALL SELECT * FROM latency_stats)
            WHERE metric = '$metric'")
        for by in vcpu pcpu migrated run policy; do
            "$XENTRAIL" hist --db "$DB" --metric $metric --by $by -o "$BATS_TEST_TMPDIR/b.svg"
            got=$(sed -n 's/.*class="bin" data-ts="[0-9]*" data-dur="\([0-9]*\)".*/\1/p' "$BATS_TEST_TMPDIR/b.svg" | awk '{ sum += $1 } END { printf "%d", sum }')
            [ "$got" = "$want" ] || { echo "$metric by $by: $got, not $want"; false; }
        done
    done
}

@test "quantiles in the picture are those of the database" {
    "$XENTRAIL" cdf --db "$DB" --metric wake_latency --by run --size 600x400 -o "$BATS_TEST_TMPDIR/c.svg"
    while read -r ns; do
        text=$(awk -v ns="$ns" 'BEGIN {
            split("s ms µs ns", unit, " "); split("1e9 1e6 1e3 1", scale, " ")
            for (i = 1; ns < scale[i]; i++);
            printf "%.4g %s", ns / scale[i], unit[i] }')
        grep -qF ">$text<" "$BATS_TEST_TMPDIR/c.svg" || { echo "no $text"; false; }
    done < <(sqlite3 -separator $'\n' "$DB" "SELECT p50_ns, p90_ns, p99_ns, p999_ns, max_ns FROM latency_stats WHERE metric = 'wake_latency'")
}

@test "equal counts are equal, and said" {
    "$XENTRAIL" cdf --db "$DB" --metric wake_latency --equal-n 7 --ccdf -o "$BATS_TEST_TMPDIR/d.pdf"
    least=$(sqlite3 "$DB" "SELECT min(n) FROM latency_stats WHERE metric = 'wake_latency'")
    [ "$(pdftotext -layout "$BATS_TEST_TMPDIR/d.pdf" - | tr -d ' ' | grep -c "^\(gEDF\|credit\)$least")" = 2 ]
    pdftotext "$BATS_TEST_TMPDIR/d.pdf" - | tr '\n' ' ' | grep -q 'seed 7'
}

@test "overheads and latencies do not go into one figure" {
    run --separate-stderr "$XENTRAIL" hist --db "$DB" --metric decision,wake_latency -o "$BATS_TEST_TMPDIR/e.png"
    [ "$status" = 2 ]
    [[ $stderr == *"draw two"* ]]
    [ ! -e "$BATS_TEST_TMPDIR/e.png" ]
}

@test "an unknown metric is refused with a list" {
    run --separate-stderr "$XENTRAIL" cdf --db "$DB" --metric nosuch -o "$BATS_TEST_TMPDIR/f.png"
    [ "$status" = 2 ]
    [[ $stderr == *wake_latency* ]]
}
