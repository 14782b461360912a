#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What Wireshark's maintainers would refuse: the glue under the checks of Wireshark's own source (tools/check*.pl), of the
# version that is installed. Exit status 77 where that source cannot be had.
#
# Nothing of the glue is excepted. The contract's names leave two things that these checks do not look at: fields are
# named rstcause.… while the protocol is rstcause_proto, because "rstcause" itself is a field; and the expert infos are
# an array with names made from the causes, which checkhf.pl would want one by one if its variables began with ei_.
set -eu
cd "$(dirname "$0")/.."
. tests/debian_source.sh

skip() {
    echo "# skipped: $1"
    exit 77
}

command -v apt-get >/dev/null || skip 'no apt-get'
command -v perl >/dev/null || skip 'no perl'
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
version=$(dpkg-query -W -f '${source:Version}' libwireshark-dev 2>/dev/null) || skip 'no libwireshark-dev'

prepare_sources "$temporary" && (cd "$temporary" && ask_apt source --download-only --tar-only wireshark="$version") ||
    (cd "$temporary" && ask_apt source --download-only --tar-only wireshark) ||
    skip "apt-get source: $(tail -n 1 "$temporary/errors")"
tar x -C "$temporary" -f "$temporary"/wireshark_*.orig.tar.* --wildcards '*/tools/check*.pl'
tools=$(echo "$temporary"/wireshark-*/tools)

# One dissector in one file, as checkfiltername.pl wants it: the protocol's filter names are those of the file's name.
mkdir -p "$temporary/one"
cat plugin/wireshark/*.c >"$temporary/one/packet-rstcause.c"

count=0 failed=0
# check TOOL FILE…
check() {
    tool=$1
    shift
    [ -e "$tools/$tool" ] || return 0
    count=$((count + 1))
    status=0
    perl "$tools/$tool" "$@" >"$temporary/said" 2>&1 || status=$?
    if [ $status = 0 ] && [ ! -s "$temporary/said" ]; then
        echo "ok $count - $tool"
    else
        echo "not ok $count - $tool"
        sed 's/^/# /' "$temporary/said"
        failed=1
    fi
}

check checkAPIs.pl plugin/wireshark/*.c plugin/wireshark/*.h
check checkhf.pl plugin/wireshark/*.c
check checkfiltername.pl "$temporary/one/packet-rstcause.c"
echo "1..$count"
exit $failed
