#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the plugin for other versions of Wireshark and runs the capture tests there, each in a Debian of its own.
#
#   tests/versions.sh [SUITE | FOLDER]…
#
# A suite (trixie has Wireshark 4.4, forky 4.6; both by default) gets a temporary system from debootstrap; a folder is
# a system that is there already and is kept. Exit status 77 without root or debootstrap.
set -eu
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
    echo '# skipped: needs root for chroot'
    exit 77
fi
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
count=0 failed=0

# run_in FOLDER NAME: the tests in that system
run_in() {
    place=$1/tmp/rstcause
    rm -rf "$place"
    mkdir -p "$place"
    tar c --exclude='./build*' --exclude=./.git . | tar x -C "$place"
    # No variable of the caller's that names a folder outside. Indented, the lines are not taken for tests of ours.
    {
        status=0
        chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root CI=true /tmp/rstcause/tests/run captures \
            </dev/null 2>&1 || status=$?
        echo $status >"$temporary/status"
    } | sed 's/^/    /'
    status=$(cat "$temporary/status")
    rm -rf "$place"
    count=$((count + 1))
    version=$(chroot "$1" tshark --version 2>/dev/null | head -n 1)
    if [ "$status" = 0 ]; then
        echo "ok $count - $2: $version"
    else
        echo "not ok $count - $2: $version"
        failed=1
    fi
}

[ $# -gt 0 ] || set -- trixie forky
for system; do
    if [ -d "$system" ]; then
        run_in "$system" "$(basename "$system")"
        continue
    fi
    if ! command -v debootstrap >/dev/null; then
        echo '# skipped: no debootstrap'
        exit 77
    fi
    # A suite younger than this debootstrap is made as sid is.
    script=/usr/share/debootstrap/scripts/$system
    [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
    mirror=$(sed -n 's/^URIs: *\([^ ]*debian\/*\)$/\1/p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*debian\/*\) .*/\2/p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
    debootstrap --variant=minbase "$system" "$temporary/$system" ${mirror:+"$mirror"} "$script" >"$temporary/log" 2>&1 ||
        { tail -n 20 "$temporary/log"; echo "not ok - $system: debootstrap failed"; failed=1; continue; }
    run_in "$temporary/$system" "$system"
    rm -rf "${temporary:?}/$system"
done
echo "1..$count"
exit $failed
