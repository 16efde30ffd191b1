#!/bin/sh
# A lab guest's first process. Talks to dom0 over the console: READY, then a line starts the workload; DONE,
# then a line asks for the job trace.
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo 1 > /proc/sys/kernel/printk
echo -1 > /proc/sys/kernel/sched_rt_runtime_us
stty -echo

set --
while IFS= read -r word; do
    set -- "$@" "$word"
done < /workload.args
xentrail-workload --wait --output=/jobs --csv=/jobs.csv "$@"
echo "DONE $?"
read -r _
tar -C / -cf - jobs jobs.csv | gzip | base64 > /jobs.base64
echo BEGIN-JOBS
cat /jobs.base64
echo "END-JOBS $(sha256sum < /jobs.base64 | cut -c 1-64)"
while :; do sleep 3600; done
