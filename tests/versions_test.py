#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the plugin for other versions of Wireshark and runs the capture tests there, each in a Debian of its own.

  versions_test.py [SUITE | FOLDER]…

A suite is one of systems.py's (trixie has Wireshark 4.4, forky 4.6; both by default), made where $RSTCAUSE_SYSTEMS does not
have it yet. A folder is a system that is there already; it is not changed. Exit status 77 without root, debootstrap or
overlay mounts; a system that cannot be made, as its mirror is out of reach, is skipped.
"""
import os
import re
import sys

import systems
from install_test import SOURCE
from tap import Tap
from workplace import REPOSITORY

# What tests/run captures installs, so that it is installed once.
PACKAGES = f'cd {SOURCE} && . plugin/install/packages.sh && install_missing $build_packages python3 util-linux wireshark-common'


def prepare(name):
    """(base, layers) of the system."""
    if os.path.isdir(name):
        return os.path.abspath(name), []
    return systems.prepare(name, 'versions', PACKAGES, REPOSITORY, SOURCE)


def main():
    reason = systems.why_not()
    if reason:
        print(f'# skipped: {reason}')
        return systems.CANNOT_RUN

    systems.enter_own_mounts()
    tap = Tap()
    for name in sys.argv[1:] or ('trixie', 'forky'):
        try:
            prepared = prepare(name)
        except systems.CannotMake as reason:
            tap.skip(name, ' '.join(str(reason).split()))
            continue
        with systems.System(*prepared) as system:
            system.copy_source(REPOSITORY, SOURCE)
            done = system.run(f'{SOURCE}/tests/run captures', CI='true')
            # Indented, the lines are not taken for tests of ours.
            print(re.sub('^', '    ', done.stdout, flags=re.MULTILINE))
            version = (system.run('tshark --version 2>/dev/null').stdout.splitlines() or [''])[0]
            tap.check(done.returncode == 0, f'{name}: {version}')
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
