#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab meets others' programs: forgers, stacks and servers that others wrote, run now, and the verdicts held against the
truth. Both halves, the one that rules were written with and the one set aside.

Exit status 77 where the machine lacks what the lab needs. Takes an hour or more.
"""
import os
import re
import subprocess
import sys

from tap import Tap
from workplace import REPOSITORY, Workplace

WORLD = os.path.join(REPOSITORY, 'tests', 'lab', 'world')
CANNOT_RUN = 77
SEED = '1'
FAMILIES = ('forgers', 'stacks', 'programs', 'lookalikes', 'patterns')
LEAST_FOUND = {'one pass': 90, 'two passes': 95}
LEAST_RIGHT = 97
MOST_FALSE = 1
LEAST_SHOWN_RIGHT, LEAST_SHOWN = 98, 90     # percent: situations right where shown; shown where they are


def read_share(text, name):
    found = re.search(rf'{re.escape(name)}: ([0-9.]+) %', text)
    return float(found[1]) if found else None


def judge(tap, workplace, family):
    out = os.path.join(workplace.folder, family)
    os.mkdir(out)
    made = subprocess.run([os.path.join(WORLD, 'world.py'), 'run', '--only', family, '--set', 'all', '--seed', SEED, '--out', out],
                          check=False)
    if made.returncode == CANNOT_RUN:
        return False
    settings = {**os.environ, 'PATH': f'{workplace.bin}:{os.environ["PATH"]}'}
    scored = subprocess.run([os.path.join(WORLD, 'score.py'), '--quiet', out], env=settings, check=False, capture_output=True,
                            text=True)
    print(''.join(f'# {line}\n' for line in scored.stdout.splitlines()), end='')
    passes = dict(zip(('one pass', 'two passes'), re.split(r'^two passes.*$', scored.stdout, flags=re.MULTILINE)))
    tap.check(len(passes) == 2, f'{family}: scored in one pass and in two', scored.stderr)
    for name, text in passes.items():
        right = read_share(text, 'cause right')
        tap.check(right is not None and right >= LEAST_RIGHT, f'{family}, {name}: {LEAST_RIGHT} % of the causes or more are right')
        if family == 'forgers':
            found = read_share(text, 'first forged of a direction found')
            tap.check(found is not None and found >= LEAST_FOUND[name],
                      f'{family}, {name}: {LEAST_FOUND[name]} % of the first forged resets or more are found')
        if family == 'patterns' and name == 'two passes':
            shown = re.search(r'^  all .* ([0-9.]+)% +[0-9]+ +([0-9.]+)% of', text, re.MULTILINE)
            tap.check(shown is not None and float(shown[1]) >= LEAST_SHOWN_RIGHT and float(shown[2]) >= LEAST_SHOWN,
                      f'{LEAST_SHOWN_RIGHT} % of the situations or more are right where shown, {LEAST_SHOWN} % or more are shown')
        if family != 'lookalikes':
            false = read_share(text, "genuine called a third party's")
            tap.check(false is not None and false <= MOST_FALSE,
                      f"{family}, {name}: {MOST_FALSE} % of the genuine ones or less are called a third party's")
    return True


def main():
    tap = Tap()
    with Workplace() as workplace:
        for family in FAMILIES:
            if not judge(tap, workplace, family):
                return CANNOT_RUN
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
