#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages that plugin/install/package.sh makes: built, installed, upgraded and removed on fresh systems.

  packages_test.py [--keep FOLDER] [SUITE…]     FOLDER gets the packages; all of systems.py's suites by default

Exit status 77 without root or debootstrap.
"""
import argparse
import email.utils
import os
import re
import sys

import systems
from install_test import ADA, FOLDERS, INSTALL, PERSONAL, SOURCE, read_build_packages
from tap import Tap
from workplace import REPOSITORY

OUTPUT = '/srv/packages'
CAPTURE = f'{SOURCE}/test-captures/client-loses-power-v4-client.pcap'
SHOW = f'tshark -r {CAPTURE} -Y rstcause -T fields -e rstcause'
PROFILE = '/home/ada/.config/wireshark/profiles/RST cause'
INSTALL_PACKAGES = 'apt-get -qq update && apt-get -qq install -y --no-install-recommends {} >/dev/null'


def read_last_release():
    """(Debian version, seconds since 1970) of the changelog's first entry"""
    with open(os.path.join(REPOSITORY, 'plugin', 'install', 'debian', 'changelog'), encoding='utf-8') as file:
        version, date = re.search(r'\((.*?)\).*?^ -- .*?>  (.*?)$', file.read(), re.MULTILINE | re.DOTALL).groups()
    return version, int(email.utils.parsedate_to_datetime(date).timestamp())


def build(suite, number):
    """{file name: content} of the packages of this source, as if it were that release; and what the build said."""
    packages = f'{read_build_packages()} build-essential debhelper lintian'
    with systems.System(*systems.prepare(suite, 'package', INSTALL_PACKAGES.format(packages))) as system:
        system.copy_source(REPOSITORY, SOURCE)
        with open(system.path(f'{SOURCE}/plugin/install/version.txt'), 'w', encoding='utf-8') as file:
            file.write(f'{number}\n')
        # Each release is younger than the one before, and the last in the changelog is the oldest of them; but none may be
        # younger than what a user changes here.
        date = read_last_release()[1] + int(number.split('.')[0])
        done = system.run(f'sh {SOURCE}/plugin/install/package.sh {OUTPUT}', SOURCE_DATE_EPOCH=str(date))
        made = {}
        if done.returncode == 0:
            for name in os.listdir(system.path(OUTPUT)):
                with open(os.path.join(system.path(OUTPUT), name), 'rb') as file:
                    made[name] = file.read()
        return made, done.stdout


def put(system, made):
    os.makedirs(system.path(OUTPUT), exist_ok=True)
    for name, content in made.items():
        with open(os.path.join(system.path(OUTPUT), name), 'wb') as file:
            file.write(content)


def find(made, end):
    return next(name for name in made if name.endswith(end))


def test_deb(tap, suite, old, new):
    """The package for all users, on a system that has tshark and no compiler."""
    wireshark = systems.SUITES[suite]
    deb, newer = (f'{OUTPUT}/{find(made, ".deb")}' for made in (old, new))
    tap.check(f'+wireshark{wireshark}_' in deb, f'{suite}: the name says Wireshark {wireshark}', deb)
    with systems.System(*systems.prepare(suite, 'tshark', INSTALL_PACKAGES.format('tshark'))) as system:
        system.must(ADA)
        system.copy_source(REPOSITORY, SOURCE)
        put(system, {**old, **new})
        before = system.list_files(*FOLDERS)
        done = system.run(f'apt-get -qq install -y --no-install-recommends {deb}', DEBIAN_FRONTEND='noninteractive')
        tap.check(done.returncode == 0, f'{suite}: it is installed', done.stdout)
        depends = system.must('dpkg-query -W -f \'${Depends}\' rstcause-wireshark')
        minor = int(wireshark.split('.')[1])
        tap.check(re.search(rf'libwireshark\d+ \(>= {wireshark}~\), libwireshark\d+ \(<< 4\.{minor + 1}~\)', depends),
                  f'{suite}: it depends on the library of that Wireshark', depends)
        for user in ('ada', 'root'):
            said = system.run(SHOW, user).stdout
            tap.check(said.splitlines()[-1:] == ['half-open'], f'{suite}: {user} gets a verdict', said)
        plugins = system.run('tshark -G plugins', 'ada').stdout
        tap.check(re.search(r'^rstcause\.so\s+1\.0\.0\s', plugins, re.MULTILINE), f'{suite}: it says its version', plugins)
        log = system.run('zcat /usr/share/doc/rstcause-wireshark/changelog.Debian.gz').stdout
        releases = re.findall(r'^rstcause-wireshark \((.*)\)', log, re.MULTILINE)
        tap.check(releases[:2] == [f'1.0.0-1+wireshark{wireshark}', read_last_release()[0]], f'{suite}: its changelog begins with what it is', log)
        for user in ('ada', 'root'):
            done = system.run(INSTALL, user)
            tap.check(done.returncode == 1 and 'apt-get remove rstcause-wireshark' in done.stdout,
                      f'{suite}: install.sh of {user} names the package', done.stdout)

        # A user changes his copy of the profile, the administrator nothing; then comes the next release.
        system.must(f'mkdir -p "{PROFILE}" && echo "# mine" >"{PROFILE}/preferences"', 'ada')
        done = system.run(f'apt-get -qq install -y --no-install-recommends {newer}', DEBIAN_FRONTEND='noninteractive')
        plugins = system.run('tshark -G plugins', 'ada').stdout
        tap.check(done.returncode == 0 and re.search(r'^rstcause\.so\s+2\.0\.0\s', plugins, re.MULTILINE),
                  f'{suite}: the next release takes its place', done.stdout + plugins)
        with open(system.path(f'{PROFILE}/preferences'), encoding='utf-8') as file:
            tap.check(file.read() == '# mine\n', f'{suite}: and what the user changed stays')

        system.must('rm -r /home/ada/.config', 'ada')
        done = system.run('apt-get -qq purge -y rstcause-wireshark')
        left = system.list_files(*FOLDERS) ^ before
        tap.check(done.returncode == 0 and not left, f'{suite}: removed, nothing is left', done.stdout + '\n'.join(sorted(left)))


def instruction(made, line):
    """One of the three lines of the personal package."""
    lines = made[find(made, '.txt')].decode().splitlines()
    assert len(lines) == 3
    return lines[line].split(':', 1)[1].strip()


def test_tar(tap, suite, old, new):
    """The package for who is not root, by its own three lines."""
    with systems.System(*systems.prepare(suite, 'tshark', INSTALL_PACKAGES.format('tshark'))) as system:
        system.must(ADA)
        system.copy_source(REPOSITORY, SOURCE)
        put(system, {**old, **new})
        done = system.run(f'cd {OUTPUT} && {instruction(old, 0)}', 'ada')
        said = system.run(instruction(old, 1).replace('FILE', CAPTURE), 'ada').stdout
        tap.check(done.returncode == 0 and '\thalf-open\t' in said, f'{suite}, personal: the user gets a verdict', done.stdout + said)
        system.must(f'echo "# mine" >>"{PROFILE}/preferences"', 'ada')
        done = system.run(f'cd {OUTPUT} && {instruction(new, 0)}', 'ada')
        plugins = system.run('tshark -G plugins', 'ada').stdout
        tap.check(re.search(r'^rstcause\.so\s+2\.0\.0\s', plugins, re.MULTILINE),
                  f'{suite}, personal: the next release takes its place', done.stdout + plugins)
        with open(system.path(f'{PROFILE}/preferences'), encoding='utf-8') as file:
            tap.check(file.read().endswith('# mine\n'), f'{suite}, personal: and what the user changed stays')
        system.must(instruction(new, 2), 'ada')
        left = [path for path in system.list_files('/home') if os.path.isfile(system.path(path))]
        tap.check(not left and system.run(f'ls {PERSONAL.format("*")}').returncode != 0, f'{suite}, personal: removed, no file is left',
                  '\n'.join(left))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--keep', metavar='FOLDER')
    parser.add_argument('suite', nargs='*', choices=[[], *systems.SUITES])
    args = parser.parse_args()
    reason = systems.why_not()
    if reason:
        print(f'# skipped: {reason}')
        return systems.CANNOT_RUN

    systems.enter_own_mounts()
    tap = Tap()
    for suite in args.suite or systems.SUITES:
        (old, said), (new, _) = (build(suite, number) for number in ('1.0.0', '2.0.0'))
        tap.check(old and new and 'lintian found neither' in said, f'{suite}: packages are made, and lintian is content', said[-3000:])
        if old and new:
            test_deb(tap, suite, old, new)
            test_tar(tap, suite, old, new)
        if args.keep:
            os.makedirs(args.keep, exist_ok=True)
            for name, content in new.items():
                with open(os.path.join(args.keep, name), 'wb') as file:
                    file.write(content)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
