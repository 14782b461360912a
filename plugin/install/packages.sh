# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the scripts that need Debian packages. install_missing PACKAGE… installs those that are not there yet.

run_as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

install_missing() {
    if ! command -v dpkg-query >/dev/null; then
        echo "Not a Debian system. These have to be there already, under the names they have here: $*" >&2
        return 0
    fi
    missing=
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    echo "Installing packages:$missing"
    run_as_root apt-get -qq update
    # shellcheck disable=SC2086 # a list of words
    run_as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
}

build_packages='cmake ninja-build gcc libc6-dev pkg-config libglib2.0-dev wireshark-dev libwireshark-dev tshark'
