#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the plugin from this source on Debian or Ubuntu, installs it, and shows it at work.
#
#   sh plugin/install.sh [CAPTURE]      prints the incidents of CAPTURE, or the resets of one of test-captures/
#   sh plugin/install.sh --uninstall    removes it again
#
# For root it goes into Wireshark's own folders, for anybody else into the personal ones; sudo is used for missing
# packages only. It is built in a folder of its own each time, which is removed again: nothing is left from who ran this
# before, or for which Wireshark.
set -eu

usage() {
    sed -n '3,/^set/s/^# \{0,1\}//p' "$0"
}

action=install capture=
case ${1:-} in
--uninstall) action=uninstall ;;
-h | --help)
    usage
    exit
    ;;
-*)
    usage >&2
    exit 2
    ;;
'') ;;
*)
    # As the caller sees it, before this script goes to its own folder.
    if [ ! -r "$1" ] || [ -d "$1" ]; then
        echo "Cannot read the capture $1" >&2
        exit 2
    fi
    capture=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
    ;;
esac

cd "$(dirname "$0")/.."
. plugin/install/packages.sh
. plugin/install/copies.sh

# X.Y of the Wireshark that is installed; nothing where none is.
wireshark_version() {
    tshark --version 2>/dev/null | sed -n '1s/^[^0-9]*\([0-9]*\.[0-9]*\).*/\1/p'
}

# Wireshark takes the machine's copy and complains about every other: a personal one beside it is of no use.
refuse_second_copy() {
    found=$(find_machine_copies "$(wireshark_version)")
    [ -n "$found" ] || return 0
    {
        echo 'The plugin is installed for all users already:'
        echo "$found" | while read -r copy; do say_how_to_remove_machine_copy "$copy"; done
        echo 'Wireshark would load that one and complain about a personal copy. Nothing was installed.'
    } >&2
    exit 1
}

# The same for root, who would write over a package's files.
refuse_to_replace_package() {
    for copy in $(find_machine_copies '*'); do
        if [ -n "$(find_owner "$copy")" ]; then
            say_how_to_remove_machine_copy "$copy" >&2
            echo 'It was installed as a package. Remove that first. Nothing was installed.' >&2
            exit 1
        fi
    done
}

build_and_install() {
    build=$(mktemp -d)
    trap 'rm -rf "$build"' EXIT
    trap 'exit 130' INT TERM
    cmake -G Ninja -S . -B "$build" -DBUILD_TESTING=OFF
    cmake --build "$build"
    cmake --install "$build"
    # Who has used the machine's profile before has a copy of it.
    [ "$(id -u)" != 0 ] || sh plugin/install/profile.sh --renew
}

# What the first tshark of the path says about it.
check_loaded() {
    ! tshark -G plugins 2>/dev/null | grep -q '^rstcause\.so' || return 0
    cat >&2 <<END

$(command -v tshark) is of version $(wireshark_version) and does not load the plugin, which was built for the version
above. A plugin fits one X.Y of Wireshark only: put the tshark of that version first in the path.
END
    exit 1
}

show_example() {
    capture=test-captures/client-loses-power-v4-client.pcap
    printf '\nThe resets in %s:\n\n' "$capture"
    tshark -r "$capture" -Y rstcause -T fields -e frame.number -e ip.src -e rstcause -e rstcause.explanation
}

# Of a capture that may hold thousands of resets: what happened, not each of them.
show_incidents() {
    printf '\nThe incidents in %s:\n\n' "$1"
    tshark -q -2 -r "$1" -z rstcause,incidents
}

show_next_steps() {
    cat <<END

Next, in tshark:
    tshark -q -2 -r FILE -z rstcause,incidents
    tshark -r FILE -Y rstcause -T fields -e frame.number -e ip.src -e rstcause -e rstcause.explanation
In Wireshark, choose the profile "RST cause" at the right end of the status bar, or start it so:
    wireshark -C "RST cause" FILE
END
    command -v wireshark >/dev/null ||
        echo 'Wireshark'\''s window is not installed here. The administrator installs it: apt-get install wireshark'
    echo 'To remove the plugin: sh plugin/install.sh --uninstall'
}

uninstall() {
    if [ "$(id -u)" = 0 ]; then
        found=$(find_machine_copies '*')
    else
        found=$(find_personal_copies "$HOME" '*')
    fi
    echo "$found" | while read -r copy; do
        if [ -n "$copy" ] && [ -n "$(find_owner "$copy")" ]; then
            say_how_to_remove_machine_copy "$copy"
        elif [ -n "$copy" ]; then
            remove_copy "$copy"
        fi
    done
    profile="/usr/share/wireshark/profiles/RST cause"
    if [ "$(id -u)" = 0 ] && [ -d "$profile" ] && [ -z "$(find_owner "$profile")" ]; then
        echo "Removing $profile"
        rm -r "$profile"
    fi
    # Without the plugin it would complain at each start.
    sh plugin/install/profile.sh --remove
    remove_empty_folders "${XDG_CONFIG_HOME:-$HOME/.config}/wireshark/profiles"
    # What this user may not remove.
    [ "$(id -u)" = 0 ] || find_machine_copies '*' | while read -r copy; do say_how_to_remove_machine_copy "$copy"; done
}

if [ $action = uninstall ]; then
    uninstall
    exit
fi
if [ "$(id -u)" = 0 ]; then refuse_to_replace_package; else refuse_second_copy; fi
# shellcheck disable=SC2086 # a list of words
install_missing $build_packages
build_and_install
check_loaded
if [ -n "$capture" ]; then show_incidents "$capture"; else show_example; fi
show_next_steps
[ "$(id -u)" != 0 ] || warn_of_personal_copies "$(wireshark_version)"
