#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A task of a Slurm job array: the incidents of the line of CAPTURES that has the task's number.
#
#   sbatch --array=1-NUMBER array.sh CAPTURES RESULTS [TSHARK-OPTION…]
#
# Started in the folder of this project's source, or with RSTCAUSE_MANY naming this script's own: Slurm runs a copy of it.
#SBATCH --job-name=rstcause
#SBATCH --ntasks=1
set -eu

captures=${1:?CAPTURES} results=${2:?RESULTS}
shift 2
capture=$(sed -n "${SLURM_ARRAY_TASK_ID:?is set by sbatch --array}p" "$captures")
exec sh "${RSTCAUSE_MANY:-plugin/many}/incidents_of.sh" "${capture:?no such line}" "$results" "$@"
