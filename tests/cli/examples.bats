# The example recordings are what examples/README.md says they are.
load helper

@test "the examples are intact" {
    for recording in "$SOURCE"/examples/*/; do
        "$XENTRAIL" info --verify "$recording"
    done
}

# The guests' own logs say how many jobs missed: the last field of each job line.
@test "jobs and their misses in the database are those of the guests' logs" {
    cd "$BATS_TEST_TMPDIR"
    "$XENTRAIL" import --db a.db "$SOURCE"/examples/*/ 2>/dev/null
    for recording in "$SOURCE"/examples/*/; do
        name=$(basename "$recording")
        logged=$(cat "$recording"/guests/*.jobs.csv | awk -F, '$1 == "job" { jobs++; missed += $8 } END { print jobs "," missed + 0 }')
        stored=$("$XENTRAIL" query --db a.db --csv \
            "SELECT sum(jobs), sum(misses) FROM job_stats JOIN runs USING (run) WHERE name = '$name'" | tail -n 1 | tr -d '\r')
        [ "$logged" = "$stored" ] || { echo "$name: logged $logged, stored $stored"; false; }
    done
}

@test "RTDS keeps its promise beside a noisy guest, Credit does not" {
    cd "$BATS_TEST_TMPDIR"
    "$XENTRAIL" import --db a.db "$SOURCE"/examples/noisy-*/ 2>/dev/null
    [ "$("$XENTRAIL" query --db a.db --json "SELECT policy, sum(misses) AS missed, sum(jobs) AS jobs FROM job_stats JOIN runs USING (run)
        GROUP BY 1 ORDER BY 1" | jq -c '[.[] | [.policy, .missed, .jobs]]')" = '[["credit",446,1241],["gEDF",2,1241]]' ]
}
