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
LEAST_AGREEMENT = 99


def main():
    tap = Tap()
    with Workplace() as workplace:
        out = os.path.join(workplace.folder, 'lab')
        os.mkdir(out)
        # The lab calls tshark by its name; the first one in the path is the one with the plugin.
        settings = {**os.environ, 'PATH': f'{workplace.bin}:{os.environ["PATH"]}'}
        made = subprocess.run([LAB, 'run', '--seed', '1', '--out', out], check=False)
        if made.returncode == CANNOT_RUN:
            return CANNOT_RUN
        tap.check(made.returncode == 0, 'the lab made its resets')
        checked = subprocess.run([LAB, 'check', out, '--at-least', str(LEAST_AGREEMENT)], env=settings, check=False)
        tap.check(checked.returncode == 0, f'verdicts agree with the kernel on {LEAST_AGREEMENT} % or more, and nothing wrong is certain')
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
