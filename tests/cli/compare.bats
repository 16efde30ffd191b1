# The report: whole, alone, the same every time, and alive in a browser.
bats_require_minimum_version 1.5.0
load helper

setup_file() {
    export DB="$BATS_FILE_TMPDIR/x.db"
    for name in gedf pedf noisy-credit; do
        "$XENTRAIL" import "$SOURCE/examples/$name" --db "$DB" >/dev/null 2>&1
    done
    cd "$BATS_FILE_TMPDIR"
    "$XENTRAIL" compare --db x.db -o r.html
    "$XENTRAIL" compare --db x.db -o r.pdf
    export HTML="$BATS_FILE_TMPDIR/r.html" PDF="$BATS_FILE_TMPDIR/r.pdf"
}

# Runs JavaScript in the page; what it puts into document.title is printed.
in_browser() {
    local browser
    browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || skip "no Chromium"
    { cat "$1"; printf '<script>%s</script>\n' "$2"; } >"$BATS_TEST_TMPDIR/page.html"
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$BATS_TEST_TMPDIR/profile" --window-size=1000,800 \
        --virtual-time-budget=3000 --dump-dom "file://$BATS_TEST_TMPDIR/page.html" 2>/dev/null |
        sed -n 's/.*<title>\(.*\)<\/title>.*/\1/p' | head -n 1
}

@test "the page fetches nothing" {
    run grep -oE '(src|href)="[^#"]+"|@import|url\([^)]{0,12}' "$HTML"
    [ -z "$(printf '%s\n' "$output" | grep -vE '^href="#|^url\(data:font|^url\(#f[0-9]+-' || true)" ]
}

@test "tables hold the numbers of the views, with their n" {
    text=$(pdftotext -layout "$PDF" -)
    while IFS='|' read -r policy n misses; do
        grep -qE "^ *$policy .* ${n} " <<<"$(tr -d '\302\240' <<<"$text" | sed 's/\([0-9]\) \([0-9][0-9][0-9]\)\b/\1\2/g')" ||
            { echo "no row for $policy with $n"; false; }
    done < <(sqlite3 "$DB" "SELECT policy, periods_judged, period_misses FROM policy_stats")
    for word in Definitions 'Period miss' 'xentrail import' 'xentrail compare --db'; do
        grep -q "$word" <<<"$text"
    done
}

@test "the first section says in words what each policy missed, and shows the policies side by side" {
    text=$(pdftotext "$PDF" - | tr '\n' ' ' | tr -d '\302\240')
    first=${text%%Runs*}
    while IFS='|' read -r policy jobs misses ratio; do
        [[ $first == *"Under $policy, $ratio % of the guests' jobs ($misses of $jobs, "* ]] || { echo "nothing of $policy in $first"; false; }
    done < <(sqlite3 "$DB" "SELECT policy, sum(jobs), sum(misses), printf('%.2f', 100.0 * sum(misses) / sum(jobs)) FROM job_stats JOIN runs USING (run) GROUP BY 1")
    section=$(sed -n '/<h2 id="summary"/,/<h2 id="runs"/p' "$HTML")
    for run in gedf pedf noisy-credit; do
        grep -q "Run $run: policy [a-zA-Z]*, .*emulated host" <<<"$section" || { echo "no Gantt of $run"; false; }
    done
}

@test "the same database gives the same bytes" {
    cd "$BATS_FILE_TMPDIR"
    cp r.html 1.html && cp r.pdf 1.pdf
    sleep 1.1
    "$XENTRAIL" compare --db x.db -o r.html && cmp r.html 1.html
    "$XENTRAIL" compare --db x.db -o r.pdf && cmp r.pdf 1.pdf
}

@test "the timeline holds every interval of every VCPU" {
    want=$(sqlite3 "$DB" "SELECT count(*), sum(dur) FROM intervals WHERE state IN ('running', 'runnable') AND domid <> 32767 AND dur > 0" | tr '|' ' ')
    got=$(in_browser "$HTML" "const d = JSON.parse(document.getElementById('timeline-data').textContent); let n = 0, sum = 0;
        for (const r of d.runs) for (let i = 0; i < r.iv.length; i += 4) { n++; sum += r.iv[i + 1]; } document.title = n + ' ' + sum;")
    [ "$got" = "$want" ] || { echo "$got, not $want"; false; }
}

@test "keys move, zoom and jump to misses" {
    got=$(in_browser "$HTML" "const t = xentrailTimeline, box = document.querySelector('.timeline'), out = [];
        const key = (k) => { box.dispatchEvent(new KeyboardEvent('keydown', { key: k })); return t.view().map(Math.round); };
        const [a, b] = t.view(); const [c, d] = key('+'); out.push(Math.abs((d - c) * 2 - (b - a)) < 4);
        const [e, f] = key('ArrowRight'); out.push(e > c && f - e === d - c);
        const [g, h] = key('Home'); out.push(g === 0 && h === Math.round(b));
        key('+'); key('+'); key('+'); key('n'); out.push(document.getElementById('where').textContent.startsWith('miss '));
        const first = t.view()[0]; key('n'); out.push(t.view()[0] > first); key('p'); out.push(t.view()[0] === first);
        t.draw(); document.title = out.join(' ');")
    [ "$got" = "true true true true true true" ] || { echo "$got"; false; }
}

@test "hovering tells times as the database has them" {
    IFS='|' read -r domid vcpu ts dur < <(sqlite3 "$DB" "SELECT domid, vcpu, ts, dur FROM intervals WHERE run = 1 AND state = 'running'
        AND domid = 1 AND dur > 2000000 ORDER BY ts LIMIT 1")
    got=$(in_browser "$HTML" "const t = xentrailTimeline; t.setView($ts - 1000000, $ts + $dur + 1000000);
        const row = t.rows().findIndex((r) => r.label === 'd${domid}v$vcpu'), box = document.querySelector('.timeline');
        box.scrollTop = 0; const text = t.describe(150 + (box.clientWidth - 158) / 2, 26 + row * 30 + 15);
        document.title = text.replace(/\n/g, '; ');")
    want=$(awk -v ns="$dur" 'BEGIN { printf "%.9g ms", ns / 1e6 }')
    [[ $got == *"$want"* && $got == *running* ]] || { echo "$got, not $want"; false; }
}

@test "names from the trace stay text" {
    cp "$DB" "$BATS_TEST_TMPDIR/evil.db"
    sqlite3 "$BATS_TEST_TMPDIR/evil.db" "UPDATE run SET name = '</script><img src=x onerror=document.title=1>' || id;
        UPDATE vcpu SET domain = '<b>\"&''</b></title><script>document.title=2</script>' WHERE domid = 1"
    "$XENTRAIL" compare --db "$BATS_TEST_TMPDIR/evil.db" -o "$BATS_TEST_TMPDIR/evil.html"
    ! grep -qE '<(img|b)\b' "$BATS_TEST_TMPDIR/evil.html"
    [ "$(grep -c '<script' "$BATS_TEST_TMPDIR/evil.html")" = 2 ]
    "$XENTRAIL" compare --db "$BATS_TEST_TMPDIR/evil.db" -o "$BATS_TEST_TMPDIR/evil.pdf"
    got=$(in_browser "$BATS_TEST_TMPDIR/evil.html" "document.title += ' ' + document.getElementById('run').options.length")
    [ "$got" = "Scheduling policies compared 3" ]
}

@test "a database without runs and a wrong ending are refused" {
    run "$XENTRAIL" compare --db "$DB" -o "$BATS_TEST_TMPDIR/x.txt"
    [ "$status" = 2 ]
    run "$XENTRAIL" compare --db /nonexistent.db -o "$BATS_TEST_TMPDIR/x.pdf"
    [ "$status" = 3 ]
}
