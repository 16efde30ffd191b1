#!/bin/sh
# The whole way, on a real Xen in the lab: build it, run noisy-neighbour, import, and hold what comes out against what
# the guests and Xen said themselves. Takes minutes; not part of `meson test`, but of `./setup.sh test`.
#   end-to-end.sh XENTRAIL [FOLDER] [POLICY...]        default: gEDF and credit
# The last line is "N passed, N failed"; the status is 1 if anything failed.
set -u
xentrail=$1
folder=${2:-$(mktemp -d)}
if [ $# -gt 2 ]; then shift 2; else set -- gEDF credit; fi
scenario=noisy-neighbour
db=$folder/lab.db
passed=0
failed=0

check() { # TITLE COMMAND...
    title=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok $title"
    else
        failed=$((failed + 1))
        echo "not ok $title"
    fi
}

ask() { # SQL: one value
    "$xentrail" query --db "$db" --csv "$1" | tail -n 1
}

is() { # SQL of a condition
    [ "$(ask "SELECT $1")" = 1 ] || { echo "    $1: $(ask "$2")"; return 1; }
}

# What Xen says a domain's VCPUs ran, against the reconstruction: within 1 % and the 0.1 s that xl prints, once per VCPU.
same_cpu_time() { # RUN RECORDING
    for domain in vm1 vm2 vm3 hog; do
        said=$(cat "$2/host/xl-vcpu-list-before.txt" "$2/host/xl-vcpu-list-after.txt" | awk -v d=$domain '
            $1 == d { n[$3]++; sum += n[$3] == 1 ? -$6 : $6 } END { print sum }')
        found=$(ask "SELECT SUM(running_ns) / 1e9 FROM vcpu_stats JOIN runs USING (run) WHERE name = '$1' AND domain = '$domain'")
        vcpus=$(ask "SELECT COUNT(*) FROM vcpu_stats JOIN runs USING (run) WHERE name = '$1' AND domain = '$domain'")
        awk -v a="$said" -v b="$found" -v n="$vcpus" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(b > 0 && d <= 0.01 * b + 0.1 * n) }' ||
            { echo "    $domain: xl says $said s, the trace $found s"; return 1; }
    done
}

# A job can start and complete only while its domain runs. 30 us for the time from the switch record to the guest.
inside="SELECT COUNT(*) FROM (SELECT run, domid, start AS at FROM jobs WHERE start IS NOT NULL
    UNION ALL SELECT run, domid, completion FROM jobs WHERE completion IS NOT NULL) AS marks JOIN runs USING (run)
    WHERE NOT EXISTS (SELECT 1 FROM intervals AS i WHERE i.run = marks.run AND i.domid = marks.domid AND i.state = 'running'
        AND marks.at BETWEEN i.ts - 30000 AND i.ts + i.dur + 30000) AND name ="

# The report's first section says what the policy missed, and shows a Gantt of the run.
report_says() { # POLICY RUN
    summary=$(sed -n '/<h2 id="summary"/,/<h2 id="runs"/p' "$folder/report.html" | LC_ALL=C tr -d '\302\240')
    said=$(ask "SELECT printf('Under %s, %.2f %% of the guests&#39; jobs (%d of %d,', '$1', 100.0 * SUM(misses) / SUM(jobs), SUM(misses), SUM(jobs))
        FROM job_stats JOIN runs USING (run) WHERE name = '$2'" | tr -d '"')
    for wanted in "$said" "Run $2: policy $1,"; do
        case $summary in
        *"$wanted"*) ;;
        *) echo "    the report lacks: $wanted"; return 1 ;;
        esac
    done
}

"$xentrail" lab build || exit 4
policies=
for policy; do policies="$policies -p $policy"; done
# shellcheck disable=SC2086 # words
check "the lab runs $*" "$xentrail" lab run $scenario $policies --overwrite -o "$folder"
rm -f "$db"
for policy; do
    run=$scenario-$policy
    recording=$folder/$run
    check "$run is intact" "$xentrail" info --verify "$recording" > /dev/null
    check "$run is imported" "$xentrail" import --db "$db" "$recording"
    check "$run lost no records" is "lost_records = 0 FROM runs WHERE name = '$run'" "SELECT lost_records FROM runs WHERE name = '$run'"
    check "$run has 1239 jobs" is "SUM(jobs) = 1239 FROM job_stats JOIN runs USING (run) WHERE name = '$run'" \
        "SELECT SUM(jobs) FROM job_stats JOIN runs USING (run) WHERE name = '$run'"
    misses="100.0 * SUM(misses) / SUM(jobs)"
    case $policy in
    gEDF | pEDF) limit="$misses < 2" ;;
    credit) limit="$misses > 20" ;;
    *) limit="1" ;;
    esac
    check "$run: $limit %" is "$limit FROM job_stats JOIN runs USING (run) WHERE name = '$run'" \
        "SELECT $misses FROM job_stats JOIN runs USING (run) WHERE name = '$run'"
    case $policy in gEDF | pEDF)
        # What a pCPU that the emulator lets stand still would break: Xen's own rules, while the workload runs.
        late="COUNT(*) FROM violations AS x JOIN runs AS r USING (run) WHERE r.name = '$run' AND rule IN ('timer', 'tickle', 'budget')
            AND ts BETWEEN (SELECT MIN(release) FROM jobs AS j WHERE j.run = r.run)
            AND (SELECT MAX(deadline) FROM jobs AS j WHERE j.run = r.run) - 100000000"
        check "$run: pCPUs answer timers and tickles, servers keep to their budgets" is "(SELECT $late) = 0" "SELECT $late" ;;
    esac
    check "$run: CPU times agree with Xen's" same_cpu_time "$run" "$recording"
    check "$run: jobs lie inside running intervals" is "($inside '$run') = 0" "$inside '$run'"
done
check "the report is written" "$xentrail" compare --db "$db" -o "$folder/report.html"
for policy; do
    check "the report says what $policy missed, with a Gantt" report_says "$policy" "$scenario-$policy"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
