#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What is wrong with the source though no test has met it: the compilers' warnings and analysers, and linters. None may
# say a word. clang-tidy's checks are chosen in plugin/.clang-tidy. Each tool is also given a fault that it has to find: one
# that looks at nothing proves nothing. All was chosen for the tools of Debian 12; later ones may know more.
#
# analysis_test.sh [TOOL…]: only with these of gcc, clang, clang-tidy, cppcheck, shellcheck, pyflakes3
#
# shellcheck disable=SC2317 # check() calls the functions
set -eu
cd "$(dirname "$0")/.."

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
processors=$(nproc 2>/dev/null || echo 2)

# Headers of others count as the system's: what is said of them is not said of this source.
includes="-I$PWD/include -I$PWD/plugin $(pkg-config --cflags glib-2.0 wireshark | sed 's/-I/-isystem /g')"
language="-std=c11 -DHAVE_SSIZE_T -include $temporary/version.h"
echo '#define RSTCAUSE_VERSION "0"' >"$temporary/version.h"
strict='-Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Werror -fsyntax-only'

list_engine() {
    find plugin -name '*.c' ! -path 'plugin/wireshark/*'
}
list_plugin() {
    find plugin -name '*.c'
}
list_c() {
    find plugin tests -name '*.c'
}
list_shell() {
    find .ci plugin tests -type f -size -99k -exec \
        awk 'FNR == 1 && /^#!.*\/(ba|da)?sh$|^# shellcheck shell=/ { print FILENAME } { nextfile }' {} +
}
list_python() {
    find tests -name '*.py'
}

# each NUMBER COMMAND…: for the files that are listed, NUMBER at a time, on all processors
each() {
    number=$1
    shift
    xargs -P "$processors" -n "$number" "$@"
}

# shellcheck disable=SC2086 # lists of words
{
    run_gcc() {
        each 4 gcc $language $strict -O2 $includes
    }
    run_gcc_analyzer() {
        each 1 gcc $language -Werror -O1 -fanalyzer -c -o /dev/null $includes
    }
    run_clang() {
        each 4 clang $language $strict -pedantic $includes
    }
    # What it counts, and does not tell, goes to the errors.
    run_clang_tidy() {
        printf '%s\n' $language $includes >"$temporary/compile_flags.txt"
        each 2 clang-tidy --quiet --config-file=plugin/.clang-tidy -p "$temporary" 2>/dev/null
    }
    # knownConditionTrueFalse misreads GLib's MIN(); assertWithSideEffect takes GLib's assertions for C's, which a release
    # leaves out.
    run_cppcheck() {
        xargs cppcheck --std=c11 --enable=warning,style,performance,portability --inline-suppr --quiet --error-exitcode=1 \
            -j "$processors" -Iinclude -Iplugin --library=gtk,posix --suppress=missingIncludeSystem \
            --suppress=knownConditionTrueFalse --suppress='assertWithSideEffect:tests/*'
    }
    run_shellcheck() {
        each 8 shellcheck --external-sources
    }
    run_pyflakes() {
        each 99 pyflakes3
    }
}

wanted=$* count=0 failed=0
say() {
    count=$((count + 1))
    if [ "$1" = true ]; then
        echo "ok $count - $2"
    else
        echo "not ok $count - $2"
        tail -n 40 "$temporary/said" | sed 's/^/# /'
        failed=1
    fi
}

# check NAME PROGRAM TOOL LIST FAULT: nothing is said of the files of LIST, and something of the file FAULT
check() {
    case " $wanted " in
    '  ' | *" $2 "*) ;;
    *) return 0 ;;
    esac
    if ! command -v "$2" >/dev/null; then
        count=$((count + 1))
        echo "ok $count - $1 # SKIP no $2"
        return 0
    fi
    is_content=false finds_fault=true
    "$4" >"$temporary/files"
    ! "$3" <"$temporary/files" >"$temporary/said" 2>&1 || [ -s "$temporary/said" ] || is_content=true
    say $is_content "$1: nothing about $(wc -l <"$temporary/files") files"
    ! echo "$temporary/$5" | "$3" >"$temporary/said" 2>&1 || finds_fault=false
    say $finds_fault "$1: it finds a fault"
}

cat >"$temporary/narrow.c" <<'END'
unsigned char cut(int number);
unsigned char cut(int number)
{
    return number;
}
END
cat >"$temporary/extension.c" <<'END'
int twice(int number);
int twice(int number)
{
    return ({ number * 2; });
}
END
cat >"$temporary/null.c" <<'END'
#include <stdlib.h>
int read_nothing(int choice);
int read_nothing(int choice)
{
    int *place = choice > 2 ? malloc(sizeof *place) : NULL;
    int number;

    if (place == NULL)
        return *place;
    number = *place + choice;
    free(place);
    return number;
}
END
printf '#!/bin/sh\nrm $%d\n' 1 >"$temporary/unquoted.sh"
printf 'import os\n' >"$temporary/unused.py"

check 'gcc, with -Wconversion' gcc run_gcc list_plugin narrow.c
check 'gcc -fanalyzer' gcc run_gcc_analyzer list_plugin null.c
check 'clang, the engine as strict C11' clang run_clang list_engine extension.c
check 'clang-tidy' clang-tidy run_clang_tidy list_plugin null.c
check 'cppcheck' cppcheck run_cppcheck list_c null.c
check 'shellcheck' shellcheck run_shellcheck list_shell unquoted.sh
check 'pyflakes' pyflakes3 run_pyflakes list_python unused.py
echo "1..$count"
exit $failed
