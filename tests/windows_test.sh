#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The engine and its unit tests as Windows programs: compiled with mingw-w64 and, where wine is installed, run.
#
# Wireshark's own libraries for Windows are not here, so the glue is not compiled, and nothing of this was ever tried with
# MSVC. GLib is built from Debian's source for it, into $RSTCAUSE_SYSTEMS/windows-glib, and kept there. Exit status 77 where
# something for that is missing.
set -eu
cd "$(dirname "$0")/.."
. tests/debian_source.sh

skip() {
    echo "# skipped: $1"
    exit 77
}

target=x86_64-w64-mingw32
for program in $target-gcc meson ninja cmake apt-get dpkg-source make; do
    command -v "$program" >/dev/null || skip "no $program"
done
[ -e /usr/$target/lib/pkgconfig/zlib.pc ] || [ -e /usr/$target/lib/libz.a ] || skip 'no libz-mingw-w64-dev'
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
glib=${RSTCAUSE_SYSTEMS:-$temporary}/windows-glib

# GLib asks for a libintl. The engine translates nothing, so texts are what they were.
make_intl() {
    mkdir -p "$1"
    cat >"$1/libintl.h" <<'END'
#pragma once
#define LC_MESSAGES 1729
static inline char *gettext(const char *text) { return (char *)text; }
static inline char *dgettext(const char *domain, const char *text) { return (char *)text; }
static inline char *dcgettext(const char *domain, const char *text, int category) { return (char *)text; }
static inline char *dngettext(const char *domain, const char *one, const char *many, unsigned long n) { return (char *)(n == 1 ? one : many); }
static inline char *textdomain(const char *domain) { return (char *)domain; }
static inline char *bindtextdomain(const char *domain, const char *folder) { return (char *)folder; }
static inline char *bind_textdomain_codeset(const char *domain, const char *codeset) { return (char *)codeset; }
END
    cat >"$1/meson.build" <<'END'
project('proxy-libintl', 'c')
intl_dep = declare_dependency(include_directories : include_directories('.'))
END
}

make_glib() {
    made=$glib.half
    rm -rf "$made"
    mkdir -p "$made/lib/pkgconfig"
    prepare_sources "$temporary" || return 1
    for package in glib2.0 pcre2 libffi; do
        # A mirror may lack the source of an update: then the release's.
        # shellcheck disable=SC1091
        (cd "$temporary" &&
            { ask_apt source --download-only "$package" ||
                ask_apt source --download-only "$package/$(. /etc/os-release && echo "$VERSION_CODENAME")"; } &&
            dpkg-source --no-check -x "$package"_*.dsc "$temporary/$package") || return 1
    done
    (cd "$temporary/pcre2" && cmake -G Ninja -B b -DCMAKE_SYSTEM_NAME=Windows -DCMAKE_C_COMPILER=$target-gcc \
        -DCMAKE_INSTALL_PREFIX="$made" -DBUILD_SHARED_LIBS=OFF -DPCRE2_BUILD_PCRE2GREP=OFF -DPCRE2_BUILD_TESTS=OFF \
        -DPCRE2_SUPPORT_UNICODE=ON && cmake --build b --target install) || return 1
    (cd "$temporary/libffi" && ./configure --host=$target --prefix="$made" --disable-shared --disable-docs && make install) ||
        return 1
    make_intl "$temporary/glib2.0/subprojects/proxy-libintl"
    cat >"$temporary/cross.ini" <<END
[binaries]
c = '$target-gcc'
cpp = '$target-gcc'
ar = '$target-ar'
windres = '$target-windres'
pkgconfig = 'pkg-config'
[properties]
pkg_config_libdir = '$made/lib/pkgconfig:/usr/$target/lib/pkgconfig'
[host_machine]
system = 'windows'
cpu_family = 'x86_64'
cpu = 'x86_64'
endian = 'little'
END
    (cd "$temporary/glib2.0" && meson setup b --cross-file "$temporary/cross.ini" -Ddefault_library=static -Dtests=false \
        -Dnls=disabled --wrap-mode=nodownload --buildtype=release && ninja -C b glib/libglib-2.0.a) || return 1
    mkdir -p "$made/include/glib"
    cp "$temporary"/glib2.0/glib/*.h "$temporary"/glib2.0/b/glib/*.h "$made/include/glib"
    cp -r "$temporary/glib2.0/glib/deprecated" "$made/include/glib"
    cp "$temporary"/glib2.0/glib/glib*.h "$temporary/glib2.0/b/glib/glibconfig.h" "$made/include"
    cp "$temporary/glib2.0/b/glib/libglib-2.0.a" "$made/lib"
    cat >"$made/lib/pkgconfig/glib-2.0.pc" <<'END'
prefix=${pcfiledir}/../..
Name: GLib
Description: GLib as a static library for Windows
Version: 2
Cflags: -I${prefix}/include -DGLIB_STATIC_COMPILATION
Libs: -L${prefix}/lib -lglib-2.0 -lpcre2-8 -lws2_32 -lole32 -lwinmm -lshlwapi -luuid
END
    mv "$made" "$glib"
}

if [ ! -d "$glib" ]; then
    make_glib >"$temporary/log" 2>&1 || {
        tail -n 30 "$temporary/log" | sed 's/^/# /'
        skip 'GLib could not be built'
    }
fi

count=0 failed=0
# check NAME COMMAND…: one test
check() {
    name=$1
    shift
    count=$((count + 1))
    if "$@" >"$temporary/said" 2>&1; then
        echo "ok $count - $name"
    else
        echo "not ok $count - $name"
        tail -n 30 "$temporary/said" | sed 's/^/# /'
        failed=1
    fi
}

build=$temporary/engine
# shellcheck disable=SC2317 # called by check()
configure() {
    PKG_CONFIG_LIBDIR=$glib/lib/pkgconfig cmake -G Ninja -S . -B "$build" -DCMAKE_SYSTEM_NAME=Windows \
        -DCMAKE_C_COMPILER="$target-gcc" -DRSTCAUSE_PLUGIN=OFF -DRSTCAUSE_WERROR=ON
}
check 'configured without Wireshark' configure
check 'compiled without warnings' cmake --build "$build"
if [ $failed = 0 ] && command -v wine >/dev/null; then
    export WINEPREFIX="$temporary/wine" WINEDEBUG=-all
    G_TEST_SRCDIR="Z:$PWD/tests/unit"
    export G_TEST_SRCDIR
    for program in "$build"/tests/*_test.exe; do
        check "$(basename "$program") under wine" wine "$program" --tap
    done
else
    count=$((count + 1))
    echo "ok $count - the unit tests under wine # SKIP no wine, or not compiled"
fi
echo "1..$count"
exit $failed
