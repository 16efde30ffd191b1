#!/bin/sh
# dom0's first process in the lab: brings the Xen tools up, runs the experiment in /lab, writes /out to the
# disk and turns the machine off. Lines that begin with XENTRAIL tell the world outside how far it is.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo 3 > /proc/sys/kernel/printk
load() {
    for module; do insmod "/modules/$module.ko"; done
}
load xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xenfs
mount -t xenfs xenfs /proc/xen
mkdir -p /dev/pts /run/xen /run/xenstored /var/log/xen/console /out/logs
mount -t devpts devpts /dev/pts
export XENSTORED_ROOTDIR=/var/lib/xenstored
/usr/lib/xen-4.17/bin/xenstored --pid-file=/run/xenstored.pid
for _ in 1 2 3 4 5 6 7 8 9 10; do
    xenstore-read /tool/xenstored > /dev/null 2>&1 && break
    sleep 1
done
/usr/lib/xen-4.17/bin/xen-init-dom0
/usr/lib/xen-4.17/bin/xenconsoled --log=guest --log-dir=/var/log/xen/console

sh /lab/experiment.sh 2> /out/logs/experiment.log
status=$?
cp /var/log/xen/console/* /var/log/xen/*.log /out/logs/ 2> /dev/null
xl dmesg > /out/logs/xl-dmesg.txt 2>&1
if [ $status -ne 0 ]; then
    tail -n 20 /out/logs/experiment.log
fi
# Only now: a disk answers by the clock on the wall, and two runs of one experiment shall not differ by that.
load virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk
tar -C /out -cf /dev/vda . && sync
if [ $status -eq 0 ]; then echo "XENTRAIL done"; else echo "XENTRAIL stopped"; fi
poweroff -f
