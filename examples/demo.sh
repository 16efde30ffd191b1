#!/bin/sh
# ./setup.sh demo: the example recordings in a database, pictures beside it, and what they show.
# usage: demo.sh XENTRAIL EXAMPLES OUT
set -eu
xentrail=$1
examples=$2
out=$3
db=$out/xentrail.db
window='--from 2s --to 2100ms'

query() { "$xentrail" query --db "$db" "$@"; }
has() { "$xentrail" --help | grep -q "^  $1 "; }

mkdir -p "$out"
rm -f "$db" "$db-wal" "$db-shm" # made here by an earlier demo
"$xentrail" import --db "$db" "$examples/gedf" "$examples/pedf" "$examples/credit" "$examples/noisy-gedf" "$examples/noisy-credit"

printf '\nOverheads, policy by policy\n'
query --name overheads
printf '\nLatencies, policy by policy\n'
query --name latencies

# shellcheck disable=SC2086 # two options
for format in png pdf svg; do
    "$xentrail" gantt --db "$db" --run noisy-gedf $window -o "$out/noisy-gedf.$format"
    "$xentrail" gantt --db "$db" --run noisy-credit $window -o "$out/noisy-credit.$format"
    "$xentrail" gantt --db "$db" --run noisy-gedf --run noisy-credit $window -o "$out/noisy.$format"
    "$xentrail" hist --db "$db" --metric decision --by policy -o "$out/decision.$format"
    "$xentrail" hist --db "$db" --metric wake_latency --by policy -o "$out/wake-latency.$format"
done
if has compare; then
    "$xentrail" compare --db "$db" -o "$out/compare.html"
    "$xentrail" compare --db "$db" -o "$out/compare.pdf"
fi

printf '\nFound, policy by policy (an emulated host: durations show shape, not the speed of hardware)\n'
query --name policies
printf '\nRun by run: jobs of the guests that came too late (noisy: the same load beside a guest that never sleeps)\n'
query "SELECT r.name AS run, r.policy, sum(j.jobs) AS jobs, sum(j.misses) AS missed,
         printf('%.1f %%', 100.0 * sum(j.misses) / sum(j.jobs)) AS share
       FROM runs r JOIN job_stats j USING (run) GROUP BY r.run ORDER BY r.run"
printf '\nDatabase: %s\nPictures: %s\n' "$db" "$(cd "$out" && find . -type f ! -name 'xentrail.db*' | sed 's|^\./||' | sort | tr '\n' ' ')"
