#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How many commands and how much time it takes from a fresh system to the first verdict, with downloads.

  install_times.py [SUITE…]     all of systems.py's suites by default

From source and from a package, for root and for a user. What the user may not do is done by root and counted. Exit
status 77 without root or debootstrap.
"""
import re
import sys
import time

import systems
from install_test import ADA, INSTALL, SOURCE
from packages_test import CAPTURE, OUTPUT, SHOW, build, find, instruction, put
from tap import Tap
from workplace import REPOSITORY

VERDICT = 'half-open'
APT = 'apt-get -qq update && apt-get -qq install -y --no-install-recommends'


def ask_for_packages(system):
    """The line that install.sh prints for the administrator, without its questions."""
    return re.search(r'^ +(apt-get update && .*)$', system.run(INSTALL, 'ada').stdout, re.MULTILINE)[1] + ' -y'


def list_ways(made):
    """(what, who, [(user, command)]); a command may be a function that finds it."""
    deb = f'{OUTPUT}/{find(made, ".deb")}'
    return [
        ('source', 'root', [('root', INSTALL)]),
        ('source', 'user', [('ada', INSTALL), ('root', ask_for_packages), ('ada', INSTALL)]),
        ('package', 'root', [('root', f'{APT} tshark {deb}'), ('root', SHOW)]),
        ('package', 'user', [('root', f'{APT} tshark'), ('ada', f'cd {OUTPUT} && {instruction(made, 0)}'),
                             ('ada', instruction(made, 1).replace('FILE', CAPTURE))]),
    ]


def measure(suite, made, commands):
    """(seconds, what the last command printed)"""
    with systems.System(systems.make_base(suite)) as system:
        system.must(ADA)
        system.copy_source(REPOSITORY, SOURCE)
        put(system, made)
        seconds, said = 0, ''
        for user, command in commands:
            line = command if isinstance(command, str) else command(system)
            began = time.monotonic()
            said = system.run(line, user, DEBIAN_FRONTEND='noninteractive').stdout
            seconds += time.monotonic() - began
        return seconds, said


def main():
    reason = systems.why_not()
    if reason:
        print(f'# skipped: {reason}')
        return systems.CANNOT_RUN

    systems.enter_own_mounts()
    tap = Tap()
    for suite in sys.argv[1:] or systems.SUITES:
        made, said = build(suite, '1.0.0')
        if not made:
            tap.check(False, f'{suite}: packages are made', said[-3000:])
            continue
        for what, who, commands in list_ways(made):
            seconds, said = measure(suite, made, commands)
            tap.check(VERDICT in said, f'{suite}, {what}, {who}: {len(commands)} commands and {seconds:.0f} s to the first verdict',
                      said[-2000:])
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
