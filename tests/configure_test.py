#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the build says before it compiles: which version this source is, and what is wrong with a Wireshark.

  configure_test.py [--source FOLDER]     FOLDER is another copy of this project

Exit status 77 where git or CMake is missing.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

from tap import Tap
from workplace import REPOSITORY

CANNOT_RUN = 77
PLACES = os.path.join('plugin', 'install')
CONFIG = '''set(Wireshark_VERSION "{0}")
string(REPLACE "." ";" parts "${{Wireshark_VERSION}}")
list(GET parts 0 Wireshark_MAJOR_VERSION)
list(GET parts 1 Wireshark_MINOR_VERSION)
set(Wireshark_PLUGINS_ENABLED {1})
set(Wireshark_PLUGIN_LIBDIR "lib/wireshark/plugins/4.x")
set(Wireshark_INSTALL_PREFIX "/nonexistent")
add_library(epan INTERFACE)
'''


def run(*command, **settings):
    """(exit status, what it printed with errors, line ends and indents as spaces)"""
    # Whoever calls this from a hook of git's has variables that name his repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith('GIT_')}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env={**environment, 'LC_ALL': 'C', **settings})
    return done.returncode, ' '.join(done.stdout.split())


class Version:
    """A copy of the files that tell the version, with or without git, and what they tell."""

    def __init__(self, source, folder):
        self.folder = folder
        shutil.copytree(os.path.join(source, PLACES), os.path.join(folder, PLACES))

    def git(self, *words):
        run('git', '-C', self.folder, '-c', 'user.name=test', '-c', 'user.email=test@example.com', *words)

    def release(self, number):
        with open(os.path.join(self.folder, PLACES, 'version.txt'), 'w', encoding='utf-8') as file:
            file.write(f'{number}\n')

    def read(self, **settings):
        return run('cmake', '-P', os.path.join(self.folder, PLACES, 'version.cmake'), **settings)[1]


def test_version(tap, source, folder):
    version = Version(source, os.path.join(folder, 'source'))
    version.release('7.8.9')
    tap.check(version.read() == '7.8.9', 'a source without git is the release of version.txt', version.read())
    # It may lie in somebody else's repository.
    run('git', 'init', '-q', folder)
    tap.check(version.read() == '7.8.9', 'another repository around it says nothing', version.read())

    version.git('init', '-q')
    version.git('add', '.')
    version.git('commit', '-q', '-m', 'one')
    tap.check(re.fullmatch(r'7\.8\.9-1-g[0-9a-f]{7,}', version.read()), 'before the first tag: commits and hash', version.read())
    version.git('tag', 'other')
    version.git('tag', 'v9.0.1')
    tap.check(version.read() == '9.0.1', 'a tag is the version', version.read())
    version.git('commit', '-q', '--allow-empty', '-m', 'two')
    tap.check(re.fullmatch(r'9\.0\.1-1-g[0-9a-f]{7,}', version.read()), 'behind a tag: commits and hash', version.read())
    version.release('9.0.2')
    tap.check(re.fullmatch(r'9\.0\.1-1-g[0-9a-f]{7,}-dirty', version.read()), 'with changes: it says so', version.read())
    hook = version.read(GIT_DIR=os.path.join(folder, '.git'))
    tap.check(hook == version.read(), 'called from a hook of another repository: the same', hook)
    if os.geteuid() == 0:
        shutil.chown(os.path.join(version.folder, '.git'), 65534, 65534)
        shutil.chown(version.folder, 65534, 65534)
        tap.check(version.read().startswith('9.0.1-1-g'), 'another user\'s repository: the same', version.read())
    else:
        tap.skip('another user\'s repository: the same', 'needs root')

    os.rename(os.path.join(version.folder, '.git', 'HEAD'), os.path.join(version.folder, '.git', 'lost'))
    tap.check(version.read() == '9.0.2-unreleased', 'where git cannot tell: no release', version.read())


def make_place(folder, wireshark='4.4.0', plugins='ON'):
    """A folder with a Wireshark that has nothing but a version, and room for builds of anybody."""
    place = tempfile.mkdtemp(dir=folder)
    os.chmod(place, 0o777)
    with open(os.path.join(place, 'WiresharkConfig.cmake'), 'w', encoding='utf-8') as file:
        file.write(CONFIG.format(wireshark, plugins))
    return place


def configure(source, place, *options, prefix=(), **settings):
    return run(*prefix, 'cmake', '-G', 'Ninja', '-S', source, '-B', os.path.join(place, 'build'), '-DBUILD_TESTING=OFF',
               f'-DWireshark_DIR={place}', *options, **settings)


def test_wireshark(tap, source, folder):
    known = 'Known to work: Wireshark 4.0, 4.4, 4.6'

    def says(name, done, fails, *words, never=()):
        missing = [word for word in words if word not in done[1]]
        wrong = [word for word in never if word in done[1]]
        tap.check((done[0] != 0) == fails and not missing and not wrong, name, f'not said: {missing}, said: {wrong}\n{done[1][-2000:]}')

    says('no Wireshark: what to install', configure(source, make_place(folder), '-DCMAKE_DISABLE_FIND_PACKAGE_Wireshark=ON'), True, 'were not found', known,
         'apt-get install wireshark-dev libwireshark-dev')
    says('an old Wireshark is refused', configure(source, make_place(folder, '3.6.2')), True, 'Found Wireshark 3.6.2', 'too old', known)
    says('one without plugins is refused', configure(source, make_place(folder, '4.4.1', 'OFF')), True, 'Found Wireshark 4.4.1',
         'without support for plugins', known)
    for version in ('4.2.5', '4.8.0', '5.0.0'):
        says(f'{version}: a warning', configure(source, make_place(folder, version)), False, f'Found Wireshark {version}', 'never tested', known)
    says('a known one: no warning', configure(source, make_place(folder, '4.6.0')), False, 'Wireshark 4.6.0', never=('never tested', known))


def test_places(tap, source, folder):
    """Where it would be installed; nothing is remembered from another user's configuration."""
    user = ('setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups')
    if os.geteuid() != 0 or run(*user, 'test', '-r', os.path.join(source, 'CMakeLists.txt'))[0] != 0:
        tap.skip('places', 'needs root, and a source that others may read')
        return
    machine = 'To be installed into: lib/wireshark/plugins/4.x/epan'
    personal = f'To be installed into: {folder}/.local/lib/wireshark/plugins/4.x/epan'
    os.chmod(folder, 0o755)
    place = make_place(folder)
    said = configure(source, place, prefix=user, HOME=folder)[1]
    tap.check(personal in said, 'a user: the personal folder', said[-2000:])
    said = configure(source, place, HOME=folder)[1]
    tap.check(machine in said, 'then root, in the same build: the machine\'s folder', said[-2000:])
    said = configure(source, make_place(folder), '-DCMAKE_INSTALL_PREFIX=/nonexistent', prefix=user, HOME=folder)[1]
    tap.check(machine in said, 'a packager who is no root names the prefix: the machine\'s folder', said[-2000:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--source', default=REPOSITORY)
    source = parser.parse_args().source
    missing = [program for program in ('git', 'cmake', 'ninja') if shutil.which(program) is None]
    if missing:
        print(f'# skipped: no {", ".join(missing)}')
        return CANNOT_RUN

    tap = Tap()
    with tempfile.TemporaryDirectory(prefix='rstcause-') as folder:
        test_version(tap, source, folder)
        test_wireshark(tap, source, folder)
        test_places(tap, source, folder)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
