#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the plugin for other versions of Wireshark and runs tests there, each in a Debian of its own.

  versions_test.py [--part PART] [SUITE | FOLDER]…

PART is one of tests/run's, captures by default. A suite is one of systems.py's (trixie has Wireshark 4.4, forky 4.6; both by
default), made where $RSTCAUSE_SYSTEMS does not have it yet. A folder is a system that is there already; it is not changed.
Exit status 77 without root, debootstrap or overlay mounts; a system that cannot be made, as its mirror is out of reach, is
skipped.
"""
import argparse
import os
import re
import sys

import systems
from install_test import SOURCE
from tap import Tap
from workplace import REPOSITORY

DEFAULT_PART = 'captures'
# What tests/run PART installs, so that it is installed once.
PACKAGES = (f'cd {SOURCE} && . plugin/install/packages.sh && . tests/parts.sh && describe_part PART && '
            'install_missing $build_packages python3 util-linux wireshark-common $needs')


def prepare(name, part):
    """(base, layers) of the system."""
    if os.path.isdir(name):
        return os.path.abspath(name), []
    layer = 'versions' if part == DEFAULT_PART else f'versions-{part}'
    return systems.prepare(name, layer, PACKAGES.replace('PART', part), REPOSITORY, SOURCE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--part', default=DEFAULT_PART)
    parser.add_argument('systems', nargs='*', default=('trixie', 'forky'))
    args = parser.parse_args()
    reason = systems.why_not()
    if reason:
        print(f'# skipped: {reason}')
        return systems.CANNOT_RUN

    systems.enter_own_mounts()
    tap = Tap()
    for name in args.systems:
        try:
            prepared = prepare(name, args.part)
        except systems.CannotMake as reason:
            tap.skip(name, ' '.join(str(reason).split()))
            continue
        with systems.System(*prepared) as system:
            system.copy_source(REPOSITORY, SOURCE)
            done = system.run(f'{SOURCE}/tests/run {args.part}', CI='true')
            # Indented, the lines are not taken for tests of ours.
            print(re.sub('^', '    ', done.stdout, flags=re.MULTILINE))
            version = (system.run('tshark --version 2>/dev/null').stdout.splitlines() or [''])[0]
            tap.check(done.returncode == 0, f'{name}: {version}')
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
