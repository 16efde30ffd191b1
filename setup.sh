#!/bin/sh
# Builds, tests and shows xentrail on Debian 12. Says what it does; installs missing packages where it may.
set -eu
cd "$(dirname "$0")"

build_packages="meson ninja-build pkg-config gcc libc6-dev libglib2.0-dev libsqlite3-dev libcairo2-dev libpango1.0-dev
libjson-glib-dev libzstd-dev libssl-dev libpng-dev libbabeltrace2-dev scdoc fonts-liberation2 fonts-dejavu-core"
# xenalyze (xen-utils-common) is a second opinion that some tests ask; clang builds the fuzzers; Chromium opens the reports.
test_packages="bats binutils valgrind openssh-server openssh-client sqlite3 babeltrace babeltrace2 xen-utils-common poppler-utils librsvg2-bin libxml2-utils python3 jq zstd clang
libclang-rt-dev man-db shellcheck procps bc chromium"

usage() {
    cat <<'END'
usage: ./setup.sh COMMAND
  build         install what the build needs and build into build/
  demo          build, import the example recordings into demo/xentrail.db, draw pictures beside it, say what was found
  test          build with warnings as errors and run all tests: plainly, under sanitizers, the fuzzers briefly, and
                one experiment on a real Xen inside QEMU
  lab           build, install what the lab needs, and build the lab (a Xen host inside QEMU) in its cache
  install-deps  install what build, test and lab need, and nothing else
END
}

say() { printf '%s\n' "$*"; }
die() { printf 'setup.sh: %s\n' "$*" >&2; exit 4; }

# Runs a command quietly; its output is shown only if it fails.
quietly() {
    log=$(mktemp)
    if "$@" >"$log" 2>&1 </dev/null; then
        rm -f "$log"
    else
        tail -n 40 "$log" >&2
        rm -f "$log"
        die "this failed: $*"
    fi
}

missing_packages() {
    for package in "$@"; do
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        *' installed') ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

# install_packages "NAMES"
install_packages() {
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        say "This is not Debian: packages are not checked. Needed are, by their Debian names:" >&2
        # shellcheck disable=SC2086 # a list of names
        echo " " $1 >&2
        return
    fi
    # shellcheck disable=SC2086 # a list of names
    missing=$(missing_packages $1)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ]; then
        root=
    elif command -v sudo >/dev/null; then
        root=sudo
    else
        die "these packages are missing, and neither root nor sudo is here to install them: $missing"
    fi
    say "Installing: $missing"
    quietly $root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 update
    # shellcheck disable=SC2086
    quietly $root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing
}

# configure FOLDER OPTION...: makes a build folder, or brings an old one to these options
configure() {
    folder=$1
    shift
    if [ -f "$folder/build.ninja" ]; then
        quietly meson configure "$folder" "$@"
    else
        quietly meson setup "$folder" "$@"
    fi
}

lab_packages() {
    sed '/^#/d' collect/lab/packages.txt | tr '\n' ' '
}

build() {
    install_packages "$build_packages"
    configure build -Ddebug=true -Doptimization=3 -Db_lto=true
    say "Building in build/ …"
    quietly ninja -C build
}

case ${1:-} in
build)
    build
    say "Built build/cli/xentrail."
    ;;
demo)
    build
    exec sh examples/demo.sh build/cli/xentrail examples demo
    ;;
test)
    install_packages "$build_packages $test_packages $(lab_packages)"
    exec sh tests/all.sh
    ;;
lab)
    build
    install_packages "$(lab_packages)"
    exec build/cli/xentrail lab build
    ;;
install-deps)
    install_packages "$build_packages $test_packages $(lab_packages)"
    ;;
-h | --help | help)
    usage
    ;;
*)
    usage >&2
    exit 2
    ;;
esac
