#!/bin/sh
# One experiment, in dom0: creates the domains of /lab/domains, sets their parameters, records while their
# workloads run, and collects the job traces in /out.
#   /lab/domains        "NAME yes|no" a line: does it have jobs of interest?
#   /lab/NAME.cfg       the domain's configuration for xl
#   /lab/NAME.cpio      its workload's arguments, to go before the common guest image
#   /lab/configure.sh   scheduler parameters
#   /lab/record.args    arguments of xentrail record, one a line
#   /lab/run-seconds    how long the workloads take from their start
consoles=/var/log/xen/console

say() { echo "XENTRAIL $*"; }
fail() { say "failed: $*"; exit 1; }

# wait_for NAME PATTERN SECONDS: until that domain's console shows a line that begins so
wait_for() {
    left=$3
    until grep -q "^$2" "$consoles/guest-$1.log" 2> /dev/null; do
        left=$((left - 1))
        [ $left -gt 0 ] || return 1
        sleep 1
    done
}

send() { # NAME LINE
    tty=$(xenstore-read "/local/domain/$(xl domid "$1")/console/tty") && echo "$2" > "$tty"
}

if [ "$1" = start ]; then # as the recorded command: let all guests go, wait until they are through
    while read -r tty; do
        echo go > "$tty"
    done < /run/ttys
    sleep "$(cat /lab/run-seconds)"
    exit 0
fi

say "dom0 is up"
while read -r name _; do
    cat "/lab/$name.cpio" /lab/guest.cpio > "/run/$name.image"
    xl create -q "/lab/$name.cfg" >&2 || fail "xl cannot create $name: $(tail -n 1 /out/logs/experiment.log)"
    rm "/run/$name.image"
done < /lab/domains
while read -r name _; do
    wait_for "$name" READY 300 || fail "guest $name does not come up"
    xenstore-read "/local/domain/$(xl domid "$name")/console/tty" >> /run/ttys || fail "guest $name has no console"
done < /lab/domains
sh -eux /lab/configure.sh >&2 || fail "the scheduler refuses its parameters: $(tail -n 1 /out/logs/experiment.log)"
say "guests are ready"

set --
while IFS= read -r word; do
    set -- "$@" "$word"
done < /lab/record.args
say "recording"
xentrail record "$@" -o /out/recording -- sh /lab/experiment.sh start > /out/logs/record.log 2>&1 ||
    fail "$(tail -n 1 /out/logs/record.log)"

say "collecting job traces"
while read -r name wanted; do
    [ "$wanted" = yes ] || continue
    wait_for "$name" 'DONE 0' 60 || fail "the workload of $name did not end well: $(tail -n 1 "$consoles/guest-$name.log")"
    send "$name" collect
    wait_for "$name" 'END-JOBS ' 120 || fail "guest $name does not hand over its jobs"
    mkdir -p "/out/guests/$name"
    tr -d '\r' < "$consoles/guest-$name.log" > /run/console
    sed -n '/^BEGIN-JOBS$/,/^END-JOBS /p' /run/console | sed '1d;$d' > /run/jobs.base64
    sum=$(sed -n 's/^END-JOBS //p' /run/console)
    [ "$(sha256sum < /run/jobs.base64 | cut -c 1-64)" = "$sum" ] || fail "the jobs of $name were garbled on its console"
    base64 -d /run/jobs.base64 | gunzip | tar -C "/out/guests/$name" -xf - || fail "the jobs of $name cannot be unpacked"
done < /lab/domains
exit 0
