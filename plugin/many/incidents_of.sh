#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The incidents of one capture, as JSON lines in RESULTS/CAPTURE.jsonl: the step that GNU parallel or Slurm repeats.
#
#   incidents_of.sh CAPTURE RESULTS [TSHARK-OPTION…]
#
# The file is there only if tshark read the capture to its end; else the exit status is tshark's.
set -eu

capture=${1:?CAPTURE} result=${2:?RESULTS}/$1.jsonl
shift 2
case /$capture/ in
*/../*)
    # Its result would lie outside the folder.
    echo "$capture: name it without .." >&2
    exit 2
    ;;
esac
mkdir -p "$(dirname "$result")"
rm -f "$result"
trap 'rm -f "$result.part"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
tshark -q -2 -r "$capture" "$@" -z rstcause,incidents-json >"$result.part"
mv "$result.part" "$result"
