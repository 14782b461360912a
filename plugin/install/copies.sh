# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by install.sh: which copies of the plugin this machine has, and how each is removed. Wireshark loads one of
# two copies and complains about the other at every start.

# find_machine_copies VERSION: prints the path of each copy for all users; VERSION is X.Y of Wireshark, or * for any
find_machine_copies() {
    # shellcheck disable=SC2231 # VERSION may be a pattern
    for copy in /usr/lib/*/wireshark/plugins/$1/epan/rstcause.so /usr/lib/wireshark/plugins/$1/epan/rstcause.so; do
        [ ! -e "$copy" ] || printf '%s\n' "$copy"
    done
}

# find_personal_copies HOME VERSION: the same in that home
find_personal_copies() {
    # shellcheck disable=SC2231 # VERSION may be a pattern
    for copy in "$1"/.local/lib/wireshark/plugins/$2/epan/rstcause.so; do
        [ ! -e "$copy" ] || printf '%s\n' "$copy"
    done
}

# find_owner PATH: prints the Debian package that the file is of, or nothing
find_owner() {
    dpkg-query -S "$1" 2>/dev/null | sed 's/: .*//; q'
}

# say_how_to_remove_machine_copy PATH
say_how_to_remove_machine_copy() {
    owner=$(find_owner "$1")
    echo "    $1"
    if [ -n "$owner" ]; then
        echo "        is removed by the administrator: apt-get remove $owner"
    else
        echo "        is removed by the administrator, in this folder: sh plugin/install.sh --uninstall"
    fi
}

# warn_of_personal_copies VERSION: for root, after it has installed a copy for all users
warn_of_personal_copies() {
    getent passwd | while IFS=: read -r user _ _ _ _ home _; do
        # Wireshark loads no personal plugins for root.
        [ "$user" != root ] || continue
        find_personal_copies "${home%/}" "$1" | while read -r copy; do
            cat >&2 <<END

$user has a second copy, about which Wireshark complains at every start:
    $copy
        is removed by $user, in this folder: sh plugin/install.sh --uninstall
END
        done
    done
}

# remove_copy PATH: removes it, and its folders as far as they are empty
remove_copy() {
    echo "Removing $1"
    rm -f "$1"
    remove_empty_folders "$(dirname "$1")"
}

# remove_empty_folders FOLDER: that one and those above it, none of which the plugin would have found there
remove_empty_folders() {
    folder=$1
    while [ "$folder" != "$HOME" ] && rmdir "$folder" 2>/dev/null; do
        folder=$(dirname "$folder")
    done
}
