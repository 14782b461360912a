#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Puts the profile "RST cause" into a user's folder of Wireshark profiles, or a newer one in its place.
#
#   sh plugin/install/profile.sh [--renew | --remove] [FOLDER]
#
# FOLDER is the caller's personal folder of profiles by default. --renew does nothing where the profile is not there yet:
# Wireshark copies the machine's profile to each user's folder when it is used first, and never looks at the machine's
# again, so a new version reaches nobody who has used an old one. Called by root in sudo, it works for who called sudo.
#
# What a user has changed stays. A file is replaced, or removed, only while it is to the byte what some version of the
# plugin came with: profile.sums lists them all. Wireshark itself writes "recent" whenever it ends, and "preferences" when
# one was changed; from then on they are the user's.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
name='RST cause'

action=install
case ${1:-} in
--install | --renew | --remove)
    action=${1#--}
    shift
    ;;
esac

if [ $# = 0 ] && [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
    # Not as root: who owns a folder may put links into it.
    home=$(getent passwd "$SUDO_USER" | cut -d: -f6)
    exec runuser -u "$SUDO_USER" -- env -u SUDO_USER -u XDG_CONFIG_HOME HOME="$home" sh "$here/profile.sh" "--$action"
fi
profile=${1:-${XDG_CONFIG_HOME:-$HOME/.config}/wireshark/profiles}/$name

# is_ours FILE: whether it is as it came with the plugin
is_ours() {
    [ -f "$1" ] && [ ! -L "$1" ] &&
        grep -qx "$(sha256sum <"$1" | cut -d ' ' -f 1)  $(basename "$1")" "$here/profile.sums"
}

put() {
    # In one step: a Wireshark that starts meanwhile reads the old file or the new one.
    cp "$1" "$2.new"
    mv "$2.new" "$2"
}

case $action in
renew) [ -d "$profile" ] || exit 0 ;;
install) mkdir -p "$profile" ;;
esac
for shipped in "$here/profile/$name"/*; do
    file=$profile/$(basename "$shipped")
    if [ "$action" = remove ]; then
        ! is_ours "$file" || rm "$file"
    elif [ ! -e "$file" ] && [ ! -L "$file" ]; then
        put "$shipped" "$file"
    elif cmp -s "$shipped" "$file"; then
        :
    elif is_ours "$file"; then
        put "$shipped" "$file"
        echo "Renewed: $file"
    else
        echo "Changed since it was installed, and left as it is: $file (the new one is $shipped)"
    fi
done
if [ "$action" = remove ] && [ -d "$profile" ]; then
    rmdir "$profile" 2>/dev/null || echo "With changes of yours, and left as it is: $profile"
fi
