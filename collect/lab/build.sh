#!/bin/sh
# Makes what the lab boots, in a cache of its own, without root and without touching the host's packages:
# Xen with every scheduler (from Debian's source package), the Xen tools for dom0 and a Linux kernel.
#
#   build.sh CACHE MIRROR SECURITY-MIRROR JOBS
#
# Lines that begin with "== " tell progress; everything else is for the log. Each step leaves a stamp and is
# not repeated while that stands.
set -eu

cache=$1 mirror=$2 security=$3 jobs=$4
suite=bookworm
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
umask 022
mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial" "$cache/stamps"
cd "$cache"

step() { echo "== $*"; }
die() { echo "== failed: $*"; exit 1; }
done_already() { [ -e "stamps/$1" ]; }
finish() { : > "stamps/$1"; }

missing=
needs() { # PACKAGE TEST...
    package=$1
    shift
    "$@" > /dev/null 2>&1 || missing="$missing $package"
}
for pair in apt:apt-get bison:bison dpkg-dev:dpkg-source flex:flex gcc:gcc make:make patch:patch python3:python3 \
            tar:tar xz-utils:xz; do
    needs "${pair%%:*}" command -v "${pair##*:}"
done
needs libc6-dev test -r /usr/include/stdio.h
needs debian-archive-keyring test -r "$keyring"
[ -z "$missing" ] || die "packages are missing: apt-get install$missing"

exec 9> lock
flock -n 9 || die "another build is using $cache"

# A package database that knows nothing is installed, so that a download brings every library along and the
# result does not depend on the host.
: > apt/status
cat > apt/sources.list <<LIST
deb [signed-by=$keyring] $mirror $suite main
deb-src [signed-by=$keyring] $mirror $suite main
deb [signed-by=$keyring] $security $suite-security main
deb-src [signed-by=$keyring] $security $suite-security main
LIST
cat > apt/apt.conf <<CONF
Dir::Etc::sourcelist "$cache/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "$cache/apt";
Dir::State::lists "$cache/apt/lists";
Dir::State::status "$cache/apt/status";
Dir::Cache "$cache/apt/cache";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Retries "3";
CONF
export APT_CONFIG="$cache/apt/apt.conf"

if ! done_already source || ! done_already sysroot; then
    step "reading the package lists of Debian $suite"
    apt-get -o APT::Update::Error-Mode=any update || die "the package lists cannot be fetched from $mirror and $security"
fi

# The security archive can list a source package that it no longer holds: take the newest that is really
# there.
if ! done_already source; then
    step "fetching the source of Xen"
    rm -rf source && mkdir source
    got=
    for version in $(apt-cache showsrc xen | sed -n 's/^Version: //p' | grep '^4\.17\.' | sort -rV | uniq); do
        if (cd source && apt-get source --download-only "xen=$version"); then
            got=$version
            break
        fi
        rm -rf source && mkdir source
    done
    [ -n "$got" ] || die "no source of Xen 4.17 can be fetched from $mirror"
    echo "$got" > xen-version
    finish source
fi

if ! done_already xen-2; then
    step "building Xen $(cat xen-version) with RTDS, null and arinc653 (about two minutes)"
    rm -rf source/xen
    dpkg-source --no-check -x source/xen_*.dsc source/xen
    # In virtual time all pCPUs have one exact TSC, but QEMU cannot tell Xen (no invariant TSC without
    # hardware acceleration). Xen then calibrates each pCPU's clock against the platform timer, by a
    # rendezvous that the emulator runs one pCPU after the other: clocks come out milliseconds apart.
    # Hardware of today has none of that, so the lab's Xen can be told: tsc=reliable.
    patch -p1 -d source/xen <<'PATCH'
--- a/xen/arch/x86/time.c
+++ b/xen/arch/x86/time.c
@@ -2467,6 +2467,12 @@
     }
     else if ( !strcmp(s, "skewed") )
         setup_clear_cpu_cap(X86_FEATURE_TSC_RELIABLE);
+    else if ( !strcmp(s, "reliable") )
+    {
+        setup_force_cpu_cap(X86_FEATURE_CONSTANT_TSC);
+        setup_force_cpu_cap(X86_FEATURE_NONSTOP_TSC);
+        setup_force_cpu_cap(X86_FEATURE_TSC_RELIABLE);
+    }
     else if ( !strcmp(s, "stable:socket") )
         tsc_flags |= TSC_RELIABLE_SOCKET;
     else
PATCH
    # Debian's own configuration has none of the three: Kconfig hides them behind EXPERT and UNSUPPORTED.
    cat > source/xen/xen/.config <<CONF
CONFIG_EXPERT=y
CONFIG_UNSUPPORTED=y
CONFIG_SCHED_CREDIT=y
CONFIG_SCHED_CREDIT2=y
CONFIG_SCHED_RTDS=y
CONFIG_SCHED_NULL=y
CONFIG_SCHED_ARINC653=y
CONF
    make -C source/xen/xen olddefconfig
    for scheduler in CREDIT CREDIT2 RTDS NULL ARINC653; do
        grep -q "^CONFIG_SCHED_$scheduler=y" source/xen/xen/.config || die "Xen does not build with SCHED_$scheduler"
    done
    make -C source/xen/xen -j "$jobs" || die "Xen does not build"
    [ -s source/xen/xen/xen ] || die "the build of Xen left no image"
    cp source/xen/xen/xen xen.new && mv xen.new xen
    finish xen-2
fi

if ! done_already sysroot; then
    step "fetching the Xen tools and their libraries"
    rm -rf sysroot && mkdir sysroot
    rm -f apt/cache/archives/*.deb
    apt-get -y --download-only install xen-utils-4.17 busybox-static ||
        die "the Xen tools cannot be fetched from $mirror and $security"
    step "fetching a Linux kernel for dom0 and the guests"
    kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[^ ]*-amd64\)$/\1/p' | head -n 1)
    [ -n "$kernel" ] || die "linux-image-amd64 names no kernel"
    (cd apt/cache/archives && apt-get download "$kernel") || die "$kernel cannot be fetched from $security"
    for deb in apt/cache/archives/*.deb; do
        dpkg-deb -x "$deb" sysroot
    done
    # shellcheck disable=SC2012 # Debian's kernel file names hold no odd characters
    ls sysroot/boot | sed -n 's/^vmlinuz-//p' | tail -n 1 > kernel-version
    [ -s kernel-version ] || die "the kernel package holds no vmlinuz"
    [ -x sysroot/usr/lib/xen-4.17/bin/xl ] || die "xen-utils-4.17 holds no xl"
    rm -f apt/cache/archives/*.deb
    # Of 400 MB of kernel modules the lab loads a handful.
    rm -rf modules && mkdir modules
    for module in xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xenfs virtio virtio_ring virtio_pci_modern_dev \
                  virtio_pci_legacy_dev virtio_pci virtio_blk; do
        find sysroot/lib/modules -name "$module.ko" -exec cp {} modules/ \;
        [ -s "modules/$module.ko" ] || die "the kernel package holds no module $module"
    done
    cp "sysroot/boot/vmlinuz-$(cat kernel-version)" vmlinuz
    rm -rf sysroot/lib/modules sysroot/boot sysroot/usr/share
    finish sysroot
fi

# Unpacking the kernel is most of its boot in an emulator, and there are five boots to a run: unpack it
# here, once.
if ! done_already kernel; then
    step "unpacking the kernel"
    python3 - <<'PYTHON' || die "the kernel image holds no xz-compressed kernel"
import lzma
image = open("vmlinuz", "rb").read()
kernel = lzma.LZMADecompressor().decompress(image[image.index(b"\xfd7zXZ\0"):])
assert kernel.startswith(b"\x7fELF")
open("vmlinux", "wb").write(kernel)
PYTHON
    finish kernel
fi

rm -rf source/xen
step "ready"
