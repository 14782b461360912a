#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab as a test: resets that this kernel sends now, and whether the verdicts agree with the kernel's reasons.

Exit status 77 where the machine lacks what the lab needs.
"""
import os
import subprocess
import sys

from tap import Tap
from workplace import REPOSITORY, Workplace

LAB = os.path.join(REPOSITORY, 'tests', 'lab', 'lab.py')
CANNOT_RUN = 77
SEED = '1'
JOBS = '4'   # scenarios wait longer than they compute


def judge(tap, workplace, name, causes, others, *choice):
    """Makes resets of some scenarios and holds the verdicts against them. False where the machine cannot make them."""
    out = os.path.join(workplace.folder, name)
    os.mkdir(out)
    # The lab calls tshark by its name; the first one in the path is the one with the plugin.
    settings = {**os.environ, 'PATH': f'{workplace.bin}:{os.environ["PATH"]}'}
    made = subprocess.run([LAB, 'run', '--seed', SEED, '--jobs', JOBS, '--out', out, *choice], check=False)
    if made.returncode == CANNOT_RUN:
        return False
    tap.check(made.returncode == 0, f'{name}: the lab made its resets')
    checked = subprocess.run([LAB, 'check', out, '--at-least', str(causes), '--others', str(others)], env=settings, check=False)
    tap.check(checked.returncode == 0, f'{name}: right are {causes} % of the causes or more, and of details, senders, '
              f'triggers and effects {others} %')
    return True


def main():
    tap = Tap()
    with Workplace() as workplace:
        if not judge(tap, workplace, 'foundation', 100, 99, '--only', 'foundation'):
            return CANNOT_RUN
        judge(tap, workplace, 'all', 99, 95)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
