#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile input costs what other input does: for each segment, and for each connection or reset, however many there are.

  hostile_test.py [SERIES…]

Plays each series of measure_state.c (a flood, a scan, copies, reuse, …) four times, each time twice as long: its instructions
counted by valgrind, so that the numbers are the same on each machine and whatever else it does, and its memory counted by the
C library in a run without. All of it is in the numbers: taking the segments in, the end of the file, and asking for the verdict on
each frame. Prints the table. Knows of each series how many bytes one more connection, segment or reset may cost.
"""
import os
import re
import shutil
import subprocess
import sys

from tap import Tap
from workplace import build_folder

CANNOT_RUN = 77
COUNTED = (500, 1_000, 2_000, 4_000)              # under valgrind
WEIGHED = (16_384, 32_768, 65_536, 131_072)
MOST_GROWTH = 1.10                               # of a segment's instructions from the second to the last, and of bytes
# What one more may cost, in bytes: of a connection, or of a segment where all are of one connection. A verdict is among them
# where each is a reset.
BYTES = {
    'SYN flood, each from an address of its own': 330,
    'SYN flood, refused': 960,
    'connections with handshake, data and close': 384,
    '... all within 4 seconds': 1400,
    'connections that stay open': 460,
    'segments of one connection': 1,
    'repeats of one segment': 1,
    'addresses of IPv6': 330,
    'addresses that collide in a plain hash': 330,
    'resets in one connection': 650,
    'resets to random ports': 550,
    'one port pair, used again and again': 1,
    'scan, refused': 800,
    'each packet eight times': 500,
    'connections behind one from the future': 384,
    'segments behind as many resets': 325,
    'SYN flood, with a bound of 1 MB': 8,
}


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f'{argv} ended with status {done.returncode}: {done.stderr[-300:]}')
    return done


def row(program, number, count):
    """(segments, bytes for each of `count`)"""
    found = re.search(r'^ *\d+ +(\d+) +\d+ ns +(-?[\d.]+) bytes$', run(program, '--row', str(number), str(count)).stdout)
    return int(found[1]), float(found[2])


def count_instructions(program, number, count):
    done = run('valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null', '--toggle-collect=play_series*', program, '--row',
               str(number), str(count))
    segments = int(re.search(r'^ *\d+ +(\d+) ', done.stdout)[1])
    return int(re.search(r'Collected : (\d+)', done.stderr)[1]) / segments


def test(tap, program, number, name):
    instructions = [count_instructions(program, number, count) for count in COUNTED]
    rows = [row(program, number, count) for count in WEIGHED]
    weights = [bytes_each for _, bytes_each in rows]
    print(f'# | {name} | {" | ".join(f"{each:,.0f}" for each in instructions)} | {" | ".join(f"{each:.0f}" for each in weights)} |',
          flush=True)
    tap.check(instructions[-1] <= MOST_GROWTH * instructions[1], f'{name}: instructions for each segment', str(instructions))
    # Nothing that lies in a table or a chunk that has just grown is counted against it.
    tap.check(weights[-1] <= BYTES[name] and weights[-1] <= MOST_GROWTH * weights[0] + 1, f'{name}: bytes', str(weights))


def main():
    program = os.path.join(build_folder(), 'tests', 'measure_state')
    if shutil.which('valgrind') is None:
        print('1..0 # SKIP valgrind is not installed')
        return CANNOT_RUN
    tap = Tap()
    names = run(program, '--names').stdout.splitlines()
    wanted = sys.argv[1:] or names
    print(f'# | series | {" | ".join(f"{count:,}" for count in COUNTED)} | {" | ".join(f"{count:,}" for count in WEIGHED)} |')
    for number, name in enumerate(names):
        if name in wanted:
            test(tap, program, number, name)
    tap.check(sorted(names) == sorted(BYTES), 'of each series is known what it may cost', str(names))
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
