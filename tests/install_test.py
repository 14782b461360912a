#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""plugin/install.sh as people meet it: on fresh systems, as root and as a user, before and after others ran it.

  install_test.py [--source FOLDER] [SCENARIO…]     FOLDER is another copy of this project

Each scenario has a Debian of its own (systems.py), in which "ada" is a user without sudo. Exit status 77 without root
or debootstrap.
"""
import argparse
import os
import re
import sys

import systems
from tap import Tap
from workplace import REPOSITORY

SOURCE = '/opt/rstcause'
INSTALL = f'sh {SOURCE}/plugin/install.sh'
CAPTURE = 'test-captures/abort-with-data-in-flight-v4-client.pcap'
FOLDERS = ('/usr', '/etc', '/home', '/root', '/opt', '/tmp')
MACHINE = '/usr/lib/*/wireshark/plugins/{}/epan/rstcause.so'
PERSONAL = '/home/ada/.local/lib/wireshark/plugins/{}/epan/rstcause.so'
ADA = 'useradd --create-home --skel /nonexistent ada'
# What the build needs, by its own list.
PACKAGES = 'apt-get -qq update && apt-get -qq install -y --no-install-recommends $build_packages >/dev/null'


def read_build_packages():
    with open(os.path.join(REPOSITORY, 'plugin', 'install', 'packages.sh'), encoding='utf-8') as file:
        return re.search(r"^build_packages='(.*)'$", file.read(), re.MULTILINE)[1]


class Test:
    def __init__(self, tap, source):
        self.tap = tap
        self.source = source

    def fresh(self, suite):
        return systems.System(systems.make_base(suite))

    def with_packages(self, suite):
        """A system that has what the build needs."""
        return systems.System(*systems.prepare(suite, 'build', PACKAGES.replace('$build_packages', read_build_packages())))

    def set_up(self, system, owner='root'):
        system.must(ADA)
        system.copy_source(self.source, SOURCE, owner)

    def says(self, done, name, *words, never=(), status=0):
        """One test: the command ended with this status, said these and none of those."""
        missing = [word for word in words if word not in done.stdout]
        wrong = [word for word in never if word in done.stdout]
        self.tap.check(done.returncode == status and not missing and not wrong, name,
                       f'exit status {done.returncode}, not said: {missing}, said: {wrong}\n{done.stdout[-3000:]}')

    def is_there(self, system, pattern, name, there=True):
        found = system.run(f'ls {pattern}').returncode == 0
        self.tap.check(found == there, name, system.run('find / -xdev -name "rstcause.so"').stdout)

    def loads(self, system, user, name, complains=False):
        """tshark starts with the plugin, and says nothing about a second one."""
        done = system.run('tshark -G plugins', user)
        lines = [line for line in done.stdout.splitlines() if 'rstcause.so' in line]
        self.tap.check(len(lines) == 1 + complains, name, done.stdout)


def fresh_root(t):
    """The README's first command on a Debian that has nothing yet; then it is taken away again."""
    with t.fresh('bookworm') as system:
        t.set_up(system)
        done = system.run(f'cd {SOURCE} && sh plugin/install.sh')
        t.says(done, 'fresh, root: prints the resets', '\thalf-open\t')
        t.says(done, 'fresh, root: says how to go on', 'Next, in tshark:', 'wireshark -C "RST cause"', '--uninstall',
               'apt-get install wireshark')
        t.is_there(system, MACHINE.format('4.0'), 'fresh, root: it is there for all users')
        t.loads(system, 'ada', 'fresh, root: a user has it')


def uninstall(t):
    """What --uninstall leaves: nothing, for root and for a user."""
    for user, folder in (('root', 'a system'), ('ada', 'a home')):
        with t.with_packages('bookworm') as system:
            t.set_up(system)
            before = system.list_files(*FOLDERS)
            done = system.run(INSTALL, user)
            t.says(done, f'{user}: is installed', '\thalf-open\t')
            added = system.list_files(*FOLDERS) - before
            t.tap.check(any(path.endswith('/rstcause.so') for path in added), f'{user}: files were added')
            done = system.run(f'{INSTALL} --uninstall', user)
            left = system.list_files(*FOLDERS) ^ before
            t.says(done, f'{user}: --uninstall works', 'rstcause.so')
            t.tap.check(not left, f'{user}: nothing is left in {folder}', '\n'.join(sorted(left)))


def no_sudo(t):
    """A user without packages and without sudo gets one line for the administrator, and nothing else happens."""
    with t.fresh('bookworm') as system:
        t.set_up(system)
        before = system.list_files(*FOLDERS)
        done = system.run(INSTALL, 'ada')
        t.says(done, 'no sudo: the line for the administrator', 'As root', 'apt-get install --no-install-recommends cmake ',
               never=('not found',), status=1)
        t.tap.check(system.list_files(*FOLDERS) == before, 'no sudo: nothing was done')
        line = re.search(r'^ +(apt-get update && .*)$', done.stdout, re.MULTILINE)
        t.tap.check(line is not None and system.run(f'{line[1]} -y', DEBIAN_FRONTEND='noninteractive').returncode == 0,
                    'no sudo: the line works as it is', done.stdout)
        t.says(system.run(INSTALL, 'ada'), 'no sudo: then the same command works', '\thalf-open\t')


def user_then_root(t):
    """sudo after a user: for all users, not into the user's home; and the user's copy is named."""
    with t.with_packages('bookworm') as system:
        t.set_up(system, 'ada')
        t.says(system.run(INSTALL, 'ada'), 'user, then root: the user has it', '\thalf-open\t')
        # As sudo runs it, in the user's folder.
        done = system.run(INSTALL, SUDO_USER='ada')
        t.is_there(system, MACHINE.format('4.0'), 'user, then root: it is there for all users')
        t.says(done, 'user, then root: prints the resets', '\thalf-open\t', never=('aren\'t valid',))
        t.says(done, 'user, then root: the second copy and how to remove it', PERSONAL.format('4.0'), 'is removed by ada',
               'install.sh --uninstall')
        t.loads(system, 'ada', 'user, then root: until then Wireshark complains', complains=True)
        t.says(system.run(f'{INSTALL} --uninstall', 'ada'), 'user, then root: --uninstall removes that one',
               f'Removing {PERSONAL.format("4.0")}')
        t.loads(system, 'ada', 'user, then root: one copy is left')
        t.tap.check(not system.run(f'find {SOURCE} ! -user ada').stdout, 'user, then root: no file of root\'s in the user\'s folder')


def root_then_user(t):
    """A user after root: no second copy, and what to do; after its removal the user can install."""
    with t.with_packages('bookworm') as system:
        t.set_up(system)
        t.says(system.run(INSTALL), 'root, then user: root has it', '\thalf-open\t')
        done = system.run(INSTALL, 'ada')
        t.says(done, 'root, then user: which copy is there and how to remove it', '/epan/rstcause.so', '--uninstall',
               'Nothing was installed', never=('CMake Error',), status=1)
        t.is_there(system, PERSONAL.format('*'), 'root, then user: there is no second copy', there=False)
        t.loads(system, 'ada', 'root, then user: the user has the first')
        system.must(f'{INSTALL} --uninstall')
        t.says(system.run(INSTALL, 'ada'), 'root, then user: without root\'s the user can install', '\thalf-open\t')
        t.loads(system, 'ada', 'root, then user: the user has it')


def copied(t):
    """A source folder that was copied with its builds."""
    with t.with_packages('bookworm') as system:
        t.set_up(system, 'ada')
        system.must(f'cmake -G Ninja -S {SOURCE} -B {SOURCE}/build/install -DBUILD_TESTING=OFF && cp -r {SOURCE} ~/copy', 'ada')
        done = system.run('sh ~/copy/plugin/install.sh', 'ada')
        t.says(done, 'copied: prints the resets', '\thalf-open\t', never=('CMake Error',))


def upgraded(t):
    """The same home and source on the next Debian: the plugin goes where its Wireshark looks."""
    with t.with_packages('bookworm') as old:
        t.set_up(old, 'ada')
        t.says(old.run(INSTALL, 'ada'), 'upgraded: is installed for 4.0', '\thalf-open\t')
        with t.with_packages('trixie') as new:
            new.must(ADA)
            new.must('rm -r /home/ada')
            for folder in (SOURCE, '/home/ada'):
                systems.copy(old.path(folder), new.path(folder))
            done = new.run(INSTALL, 'ada')
            t.says(done, 'upgraded: prints the resets', '\thalf-open\t')
            t.is_there(new, PERSONAL.format('4.4'), 'upgraded: is installed for 4.4')
            t.loads(new, 'ada', 'upgraded: one copy is loaded, and none complained about')
            # A plugin that lies where another version's belong.
            new.must(f'cp {PERSONAL.format("4.0")} {PERSONAL.format("4.4")}', 'ada')
            t.says(new.run('tshark -G plugins', 'ada'), 'upgraded: Wireshark says that a plugin is another version\'s',
                   'Couldn\'t load plugin \'rstcause.so\'', 'libwireshark.so.16')


def capture(t):
    """With a capture as argument, named as the caller sees it."""
    with t.with_packages('bookworm') as system:
        t.set_up(system)
        system.must(f'cp {SOURCE}/{CAPTURE} ~/"my capture.pcap"', 'ada')
        done = system.run(f'{INSTALL} "my capture.pcap"', 'ada')
        t.says(done, 'capture: its incidents are printed', 'The incidents in', 'tore down the live connection itself',
               never=('had restarted',))
        before = system.list_files(*FOLDERS)
        system.must(f'{INSTALL} --uninstall', 'ada')
        for wrong in ('missing.pcap', '--wrong', '.'):
            done = system.run(f'{INSTALL} {wrong}', 'ada')
            t.says(done, f'capture: {wrong} is refused', never=('cmake', 'The incidents'), status=2)
        t.is_there(system, PERSONAL.format('*'), 'capture: and nothing installed then', there=False)
        t.tap.check(system.list_files(*FOLDERS) < before, 'capture: nothing else was made')


def services(t):
    """What tests/run installs for the lab: programs whose services neither start nor stay enabled."""
    with t.fresh('bookworm') as system:
        t.set_up(system)
        enabled = 'ls /etc/rc2.d/S* /etc/systemd/system/*.wants/*'
        before = system.run(enabled).stdout
        done = system.run(f'cd {SOURCE} && . plugin/install/packages.sh && install_without_services haproxy nginx-light',
                          DEBIAN_FRONTEND='noninteractive')
        t.tap.check(done.returncode == 0 and system.run('haproxy -v && nginx -v').returncode == 0, 'services: the programs are there',
                    done.stdout)
        after = system.run(enabled).stdout
        t.tap.check('haproxy' not in after and 'nginx' not in after, 'services: none is enabled', f'{before}\n{after}')
        t.tap.check(system.run('ls /usr/sbin/policy-rc.d').returncode != 0, 'services: the policy for the installation is gone')
        t.tap.check(system.run('ls /run/haproxy.pid /run/nginx.pid').returncode != 0, 'services: none was started')


SCENARIOS = {scenario.__name__: scenario for scenario in
             (fresh_root, uninstall, no_sudo, user_then_root, root_then_user, copied, upgraded, capture, services)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--source', default=REPOSITORY)
    parser.add_argument('scenario', nargs='*', choices=[[], *SCENARIOS])
    args = parser.parse_args()
    reason = systems.why_not()
    if reason:
        print(f'# skipped: {reason}')
        return systems.CANNOT_RUN

    systems.enter_own_mounts()
    tap = Tap()
    test = Test(tap, args.source)
    for name in args.scenario or SCENARIOS:
        SCENARIOS[name](test)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
