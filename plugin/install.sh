#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the plugin from this source on Debian or Ubuntu, and shows it at work. For root it goes into Wireshark's
# own folders, for anybody else into the personal ones (sudo is used for missing packages only).
set -eu
cd "$(dirname "$0")/.."
. plugin/install/packages.sh

# shellcheck disable=SC2086 # a list of words
install_missing $build_packages

build=build/install
cmake -G Ninja -S . -B "$build" -DBUILD_TESTING=OFF
cmake --build "$build"
cmake --install "$build"
sh plugin/install/profile.sh --renew

capture=test-captures/client-loses-power-v4-client.pcap
printf '\nThe resets in %s:\n\n' "$capture"
tshark -r "$capture" -Y rstcause -T fields -e frame.number -e ip.src -e rstcause -e rstcause.explanation
