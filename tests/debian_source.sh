# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by tests that need the source of a Debian package. The machine's own sources are asked for source packages, in
# folders of our own: nothing of the machine is changed.

# prepare_sources FOLDER: false where that does not work; FOLDER/errors says why
prepare_sources() {
    sources=$1
    # apt gives up root's rights for downloads.
    chmod 755 "$sources"
    mkdir -p "$sources/parts" "$sources/lists/partial" "$sources/cache/archives/partial"
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ ! -f "$list" ] || sed -n 's/^deb /deb-src /p' "$list" >>"$sources/parts/machine.list"
    done
    for list in /etc/apt/sources.list.d/*.sources; do
        [ ! -f "$list" ] || sed 's/^Types:.*/Types: deb-src/' "$list" >"$sources/parts/$(basename "$list")"
    done
    ask_apt update
}

# ask_apt WORD…: apt-get with these sources only
ask_apt() {
    apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$sources/parts" \
        -o Dir::State::lists="$sources/lists" -o Dir::Cache="$sources/cache" "$@" 2>"$sources/errors"
}
