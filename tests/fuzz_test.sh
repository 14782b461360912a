#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the fuzz targets with clang, and runs each over its corpus and then for a while on what it makes of that. Prints TAP.
#
#   tests/fuzz_test.sh [SECONDS [SEED]]
#
# SECONDS are of each target, 20 if not given; SEED is 1, so that one build does the same each time, as far as its time goes. What breaks a promise is left in the build folder, and named. RSTCAUSE_BUILD is
# the build folder of tests/run; the targets are built beside it.
set -u
cd "$(dirname "$0")/.." || exit
seconds=${1:-20} seed=${2:-1}
build=${RSTCAUSE_BUILD:-$PWD/build/test}-fuzz
targets='engine stated payload'

has_fuzzer() {
    echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return n > 1 && d[0] == d[1]; }' |
        clang -fsanitize=fuzzer,address,undefined -x c - -o "$build/probe" 2>/dev/null
}

mkdir -p "$build"
if ! has_fuzzer; then
    echo '1..0 # SKIP no clang with libFuzzer here'
    exit 77
fi
if ! { CC=clang cmake -G Ninja -S . -B "$build" -DRSTCAUSE_FUZZ=ON -DRSTCAUSE_PLUGIN=OFF &&
    cmake --build "$build" --target fuzz_engine fuzz_stated fuzz_payload; } >"$build/log" 2>&1; then
    tail -n 30 "$build/log" | sed 's/^/# /'
    echo 'Bail out! the fuzz targets do not build'
    exit 1
fi

# run TARGET: what it says at its end is in the log.
run() {
    rm -rf "$build/found-$1"
    mkdir "$build/found-$1"
    "$build/tests/fuzz/fuzz_$1" -seed="$seed" -max_total_time="$seconds" -max_len=1200 -timeout=20 -print_final_stats=1 \
        -artifact_prefix="$build/$1-" "$build/found-$1" "tests/fuzz/corpus/$1" >"$build/$1.log" 2>&1
}

echo 1..3
number=0 failed=0
for target in $targets; do
    number=$((number + 1))
    if run "$target"; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$target.log")
        echo "ok $number - $target: $runs runs$(sed -n 's/.*DONE *cov: \([0-9]*\).*/, \1 edges/p' "$build/$target.log")"
    else
        failed=1
        echo "not ok $number - $target"
        grep -aE '^fuzz: |runtime error|SUMMARY|Test unit written' "$build/$target.log" | sed 's/^/# /'
    fi
done
exit $failed
