#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes the source archive of the commit that is checked out: rstcause-VERSION.tar.gz, with its SHA-256 beside it.
#
#   sh plugin/install/archive.sh [FOLDER]              into FOLDER, build/packages by default
#
# Whoever has the commit makes the same bytes: its files and rights come from git, its version and its date are the
# commit's, and nothing comes from the machine. plugin/README.md says how a release is made.
set -eu
output=${1:-}
case $output in
'' | /*) ;;
*) output=$PWD/$output ;;
esac
cd "$(dirname "$0")/../.."
output=${output:-$PWD/build/packages}
export LC_ALL=C

version=$(cmake -P plugin/install/version.cmake)
case $version in
*-dirty | *-unreleased)
    echo "This is $version: an archive is made of a commit, and changes here are not committed." >&2
    exit 1
    ;;
esac
if [ ! -e .git ]; then
    echo 'An archive is made of a commit, and this source has no git.' >&2
    exit 1
fi

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
trap 'exit 130' INT TERM

name=rstcause-$version
# Whoever runs this may be another user than the folder's, and have settings of his own.
git() {
    command git -c safe.directory="$PWD" -c core.autocrlf=false -c tar.umask=0022 "$@"
}
git archive --prefix="$name/" HEAD | tar -x -C "$temporary"
# The archive has no git that could tell.
echo "$version" >"$temporary/$name/plugin/install/version.txt"
mkdir -p "$output"
tar -c -C "$temporary" --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w \
    --mtime="@$(git log -1 --format=%ct)" "$name" | gzip -9 -n >"$output/$name.tar.gz"
cd "$output"
sha256sum "$name.tar.gz" >"$name.tar.gz.sha256"
cat "$name.tar.gz.sha256"
