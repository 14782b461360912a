#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The source archive that plugin/install/archive.sh makes: the same bytes each time, and all that a build and its tests need.

It is made of the last commit, as if that were release 9.8.7. Exit status 77 where git or CMake is missing, or this source has
no git.
"""
import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

from tap import Tap
from workplace import REPOSITORY, Workplace

CANNOT_RUN = 77
NAME = 'rstcause-9.8.7'
PLACES = os.path.join('plugin', 'install')
CAPTURE = os.path.join('test-captures', 'client-loses-power-v4-client.pcap')


def run(*command, **options):
    """(exit status, what it printed with errors)"""
    settings = options.pop('settings', {})
    environment = {name: value for name, value in os.environ.items() if not name.startswith(('GIT_', 'RSTCAUSE_'))}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env={**environment, **settings}, **options)
    return done.returncode, done.stdout


def read(*path):
    with open(os.path.join(*path), encoding='utf-8') as file:
        return file.read()


def clone(folder):
    """The last commit as a repository of its own, tagged as a release."""
    run('git', '-c', f'safe.directory={REPOSITORY}/.git', 'clone', '-q', '--no-local', REPOSITORY, folder)
    run('git', '-C', folder, 'tag', 'v9.8.7')
    return folder


def make(source, output, **settings):
    return run('sh', os.path.join(source, PLACES, 'archive.sh'), output, settings=settings)


def test_changelog(tap, source):
    newest = re.match(r'rstcause-wireshark \((.*)-1\) ', read(source, PLACES, 'debian', 'changelog')).group(1)
    version = read(source, PLACES, 'version.txt').strip()
    tap.check(newest == version, f'version.txt and the changelog speak of the same release, {version}', newest)


def test_bytes(tap, source, folder):
    """Twice: the second time of another clone, by other settings, a while later. Returns the path of the first."""
    one, two = (os.path.join(folder, name) for name in ('one', 'two'))
    status, said = make(source, one, TZ='UTC', LC_ALL='C')
    tap.check(status == 0 and f'{NAME}.tar.gz' in said, 'an archive is made', said)
    os.umask(0o077)
    again = clone(os.path.join(folder, 'again'))
    status, said = make(again, two, TZ='Asia/Shanghai', LC_ALL='C.UTF-8', GZIP='-1', TAR_OPTIONS='--format=posix')
    os.umask(0o022)
    archives = [os.path.join(place, f'{NAME}.tar.gz') for place in (one, two)]
    digests = []
    for path in archives:
        with open(path, 'rb') as file:
            digests.append(hashlib.sha256(file.read()).hexdigest())
    tap.check(digests[0] == digests[1], 'the same bytes, of another clone and with other settings', ' '.join(digests))
    tap.check(read(one, f'{NAME}.tar.gz.sha256') == f'{digests[0]}  {NAME}.tar.gz\n', 'and its SHA-256 stands beside it')
    return archives[0]


def test_refusals(tap, source, folder):
    with open(os.path.join(source, 'COPYING'), 'a', encoding='utf-8') as file:
        file.write('changed\n')
    status, said = make(source, os.path.join(folder, 'none'))
    tap.check(status == 1 and 'not committed' in said, 'none is made of changes that are not committed', said)
    run('git', '-C', source, 'checkout', '-q', 'COPYING')
    shutil.rmtree(os.path.join(folder, 'again', '.git'))
    status, said = make(os.path.join(folder, 'again'), os.path.join(folder, 'none'))
    tap.check(status == 1 and 'no git' in said and not os.path.exists(os.path.join(folder, 'none')),
              'and none without git', said)


def test_content(tap, source, archive):
    with gzip.open(archive) as file:
        content = file.read()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = tar.getmembers()
    files = sorted(member.name for member in members if not member.isdir())
    committed = sorted(f'{NAME}/{name}' for name in run('git', '-C', source, 'ls-files', '-z')[1].split('\0') if name)
    tap.check(files == committed, 'all files of the commit are in it, and no other', '\n'.join(sorted({*files} ^ {*committed})))
    committed_at = int(run('git', '-C', source, 'log', '-1', '--format=%ct')[1])
    odd = [member.name for member in members if (member.uid, member.gid, member.mtime) != (0, 0, committed_at) or
           member.mode not in (0o644, 0o755)]
    tap.check(not odd, 'of nobody, of the commit\'s time, with ordinary rights', '\n'.join(odd))


def test_build(tap, archive, folder):
    """Unpacked where nothing else is, and with no git to ask."""
    programs = os.path.join(folder, 'bin')
    os.mkdir(programs)
    with open(os.path.join(programs, 'git'), 'w', encoding='utf-8') as file:
        file.write(f'#!/bin/sh\necho asked >>{folder}/asked\nexit 127\n')
    os.chmod(os.path.join(programs, 'git'), 0o755)
    place = os.path.join(folder, 'empty')
    os.mkdir(place)
    run('tar', '-xzf', archive, '-C', place)
    unpacked, build = os.path.join(place, NAME), os.path.join(place, 'build')
    settings = {'PATH': f'{programs}:{os.environ["PATH"]}', 'HOME': os.path.join(build, 'home'), 'XDG_CONFIG_HOME': ''}

    said = run('cmake', '-P', os.path.join(unpacked, PLACES, 'version.cmake'), settings=settings)[1]
    tap.check(said == '9.8.7\n', 'it knows its version', said)
    for name, *command in (
            ('configured', '-G', 'Ninja', '-S', unpacked, '-B', build, '-DRSTCAUSE_PERSONAL=ON', '-DRSTCAUSE_WERROR=ON'),
            ('built', '--build', build), ('installed', '--install', build)):
        status, said = run('cmake', *command, settings=settings)
        tap.check(status == 0, f'it is {name} from that alone', said[-3000:])
    status, said = run('ctest', '--test-dir', build, '-L', 'unit', '--output-on-failure', settings=settings)
    passed = re.search(r'100% tests passed, 0 tests failed out of (\d+)', said)
    tests = [name for name in os.listdir(os.path.join(unpacked, 'tests', 'unit')) if name.endswith('_test.c')]
    tap.check(status == 0 and passed and int(passed.group(1)) == len(tests), f'its {len(tests)} unit tests pass', said[-3000:])
    tap.check(not os.path.exists(os.path.join(folder, 'asked')), 'git is never asked')

    os.environ['RSTCAUSE_BUILD'] = build
    with Workplace() as at:
        plugins = at.run('tshark', '-G', 'plugins').stdout
        tap.check(re.search(r'^rstcause\.so\s+9\.8\.7\s', plugins, re.MULTILINE), 'Wireshark shows its version', plugins)
        said = at.run('tshark', '-r', at.hold(os.path.join(unpacked, CAPTURE)), '-Y', 'rstcause', '-T', 'fields', '-e', 'rstcause')
        tap.check(said.stdout == 'half-open\n', 'and it gives a verdict', said.stdout + said.stderr)


def main():
    missing = [program for program in ('git', 'cmake', 'ninja') if shutil.which(program) is None]
    if missing or not os.path.exists(os.path.join(REPOSITORY, '.git')):
        print(f'# skipped: no {missing[0] if missing else "repository"}')
        return CANNOT_RUN

    tap = Tap()
    os.umask(0o022)
    folder = tempfile.mkdtemp(prefix='rstcause-release-')
    try:
        os.chmod(folder, 0o755)
        source = clone(os.path.join(folder, 'source'))
        test_changelog(tap, source)
        archive = test_bytes(tap, source, folder)
        test_content(tap, source, archive)
        test_refusals(tap, source, folder)
        test_build(tap, archive, folder)
    finally:
        shutil.rmtree(folder)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
