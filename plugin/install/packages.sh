# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the scripts that need Debian packages. install_missing PACKAGE… installs those that are not there yet.

# shellcheck disable=SC2034 # for who sources it
build_packages='cmake ninja-build gcc libc6-dev pkg-config libglib2.0-dev wireshark-dev libwireshark-dev tshark'

run_as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# find_missing PACKAGE…: prints those that are not installed; none where the system is not Debian
find_missing() {
    command -v dpkg-query >/dev/null || return 0
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) printf ' %s' "$package" ;;
        esac
    done
}

install_missing() {
    if ! command -v dpkg-query >/dev/null; then
        echo "Not a Debian system. These have to be there already, under the names they have here: $*" >&2
        return 0
    fi
    missing=$(find_missing "$@")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        ask_administrator 'There is no sudo here.'
        return 1
    fi
    echo "Installing packages:$missing"
    # shellcheck disable=SC2086 # a list of words
    if run_as_root apt-get -qq update &&
        run_as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null; then
        return 0
    fi
    ask_administrator 'The packages could not be installed.'
    return 1
}

# ask_administrator REASON: the one line for who may install the packages in $missing
ask_administrator() {
    cat >&2 <<END
$1 As root, this line installs what is missing; then run the same command again:

    apt-get update && apt-get install --no-install-recommends$missing

END
}

# What starts at the next boot: links of SysV's init and of systemd.
list_enabled() {
    for link in /etc/rc2.d/S* /etc/systemd/system/*.wants/*.service; do
        [ ! -L "$link" ] || echo "$link"
    done
}

# Programs whose packages bring services, which shall not start now nor at the next boot: policy-rc.d forbids the first
# (Debian policy 9.3.3), and what was enabled is disabled again.
install_without_services() {
    policy=/usr/sbin/policy-rc.d
    before=$(list_enabled)
    status=0
    (
        if [ ! -e "$policy" ]; then
            # It must not stay where the installation fails or is interrupted.
            trap 'run_as_root rm -f "$policy"' EXIT
            trap 'exit 130' INT TERM
            printf '#!/bin/sh\nexit 101\n' | run_as_root tee "$policy" >/dev/null
            run_as_root chmod +x "$policy"
        fi
        install_missing "$@"
    ) || status=$?
    for link in $(list_enabled); do
        case $before:$link in
        *"$link"*:*) ;;
        *:*/rc2.d/*) run_as_root update-rc.d "$(basename "$link" | sed 's/^S..//')" disable >/dev/null 2>&1 || true ;;
        *) run_as_root deb-systemd-helper disable "$(basename "$link")" >/dev/null 2>&1 || true ;;
        esac
    done
    return $status
}
