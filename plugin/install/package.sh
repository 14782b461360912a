#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes packages for the Wireshark of this Debian or Ubuntu, which each fit that one X.Y only:
#
#   rstcause-wireshark_VERSION+wiresharkX.Y_ARCH.deb   for all users
#   rstcause-VERSION-wiresharkX.Y-ARCH.tar.gz          for who is not root; the .txt beside it says how
#
#   sh plugin/install/package.sh [FOLDER]              into FOLDER, build/packages by default
#
# DEBFULLNAME and DEBEMAIL name the package's maintainer. Where lintian is installed, it has to be content.
set -eu
output=${1:-}
case $output in
'' | /*) ;;
*) output=$PWD/$output ;;
esac
cd "$(dirname "$0")/../.."
output=${output:-$PWD/build/packages}
. plugin/install/packages.sh

# shellcheck disable=SC2086 # a list of words
install_missing $build_packages build-essential debhelper

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
trap 'exit 130' INT TERM

upstream=$(cmake -P plugin/install/version.cmake)
wireshark=$(tshark --version 2>/dev/null | sed -n '1s/^[^0-9]*\([0-9]*\.[0-9]*\).*/\1/p')
# The library of that version: libwireshark16 is Wireshark 4.0, and so on.
library=$(dpkg-query -W -f '${Depends}' libwireshark-dev | grep -o 'libwireshark[0-9][^ ,]*' | head -n 1)
next=${wireshark%.*}.$((${wireshark#*.} + 1))
architecture=$(dpkg --print-architecture)
# In a Debian version a hyphen begins the packager's part: 0.2.0-14-g1234567 becomes 0.2.0+14.g1234567.
version=$(echo "$upstream" | sed 's/-/+/; s/-/./g')-1+wireshark$wireshark
# Whoever builds the same source gets the same files.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y plugin/install/version.txt)}
export SOURCE_DATE_EPOCH
date=$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
maintainer="${DEBFULLNAME:-rstcause maintainers} <${DEBEMAIL:-maintainers@rstcause.invalid}>"

source=$temporary/rstcause-wireshark
mkdir -p "$output" "$source"
cp -r CMakeLists.txt COPYING README.md README.zh-CN.md include plugin "$source"
# The copy has no git.
echo "$upstream" >"$source/plugin/install/version.txt"

build_deb() {
    cp -r plugin/install/debian "$source/debian"
    sed -i "s|@MAINTAINER@|$maintainer|; s|@WIRESHARK@|$wireshark|
        s|@LIBRARY@|$library (>= $wireshark~), $library (<< $next~)|" "$source/debian/control"
    # This build stands above the releases.
    { cat && cat plugin/install/debian/changelog; } >"$source/debian/changelog" <<END
rstcause-wireshark ($version) unstable; urgency=medium

  * $upstream for Wireshark $wireshark.

 -- $maintainer  $date

END
    (cd "$source" && DEB_BUILD_OPTIONS='noautodbgsym' dpkg-buildpackage -b -uc -us)
    deb=rstcause-wireshark_${version}_$architecture.deb
    if command -v lintian >/dev/null; then
        lintian --allow-root --fail-on error,warning "$temporary/$deb"
        echo "lintian found neither errors nor warnings in $deb"
    fi
    cp "$temporary/$deb" "$output"
}

# Only files are in it, no folders: unpacking it shall change no right of a folder that is there.
build_tar() {
    name=rstcause-$upstream-wireshark$wireshark-$architecture
    home=$temporary/home
    HOME=$home XDG_CONFIG_HOME='' cmake -G Ninja -S "$source" -B "$temporary/build" -DRSTCAUSE_PERSONAL=ON -DBUILD_TESTING=OFF \
        -DRSTCAUSE_README='README.md of rstcause'
    cmake --build "$temporary/build"
    cmake --install "$temporary/build" --strip
    (cd "$home" && find . -type f | LC_ALL=C sort |
        tar -c --owner=0 --group=0 --mtime="@$SOURCE_DATE_EPOCH" -T - --transform 's|^\./||') | gzip -n >"$output/$name.tar.gz"
    cat >"$output/$name.txt" <<END
Install, keeping what you changed:  tar -xzf $name.tar.gz -C ~ --keep-newer-files
Use, in Wireshark $wireshark:             tshark -r FILE -Y rstcause -T fields -e frame.number -e rstcause -e rstcause.explanation
Remove:                             rm -r ~/.local/lib/wireshark/plugins/$wireshark/epan/rstcause.so ~/.config/wireshark/profiles/"RST cause"
END
}

build_deb
build_tar
printf '\nIn %s:\n' "$output"
(cd "$output" && ls -- *"wireshark$wireshark"*)
