#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of each room the unit tests and the capture tests reach: lines and branches, as gcov counts them.

  coverage.py [--parts PART…] [--files]     --files prints each file as well

What is reached need not be tested: tests/mutants.py tells that. Fails where a test does.
"""
import argparse
import collections
import json
import os
import shlex
import subprocess
import sys

from workplace import REPOSITORY, build_folder

BUILD = f'{build_folder()}-coverage'
LIST = '. tests/parts.sh; for part in {}; do describe_part $part; for name in $tests; do command_of $name; done; done'


def build():
    # The tests run as root and as nobody, and each notes in the same files what it reached.
    os.umask(0)
    subprocess.run(['cmake', '-G', 'Ninja', '-S', REPOSITORY, '-B', BUILD, '-DCMAKE_BUILD_TYPE=Debug', '-DRSTCAUSE_PERSONAL=ON',
                    '-DCMAKE_C_FLAGS=--coverage'],
                   check=True, stdout=subprocess.DEVNULL, env={**os.environ, 'HOME': f'{BUILD}/home', 'XDG_CONFIG_HOME': ''})
    for step in ('--build', '--install'):
        subprocess.run(['cmake', step, BUILD], check=True, stdout=subprocess.DEVNULL)
    for folder, _, files in os.walk(BUILD):
        for name in files:
            if name.endswith('.gcda'):
                os.remove(os.path.join(folder, name))


def run_tests(parts):
    """The tests of these parts of tests/run; the names of those that failed."""
    listed = subprocess.run(['sh', '-c', LIST.format(shlex.join(parts))], check=True, capture_output=True, text=True,
                            cwd=REPOSITORY, env={**os.environ, 'sanitized': BUILD}).stdout.splitlines()
    failed = []
    for command in listed:
        done = subprocess.run(['sh', '-c', command], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, cwd=REPOSITORY, env={**os.environ, 'RSTCAUSE_BUILD': BUILD})
        if done.returncode not in (0, 77):
            failed.append(command)
    return failed


def room_of(path):
    return os.path.dirname(path).removeprefix('plugin').strip('/') or os.path.basename(path)


def percent(covered, total):
    return f'{100 * covered / total:5.1f} %' if total else '      -'


def show(name, counts):
    print(f'{name:28} {counts["lines"]:6} lines {percent(counts["line_covered"], counts["lines"])}'
          f'   {counts["branches"]:6} branches {percent(counts["branch_covered"], counts["branches"])}')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--parts', nargs='+', default=['unit', 'captures'])
    parser.add_argument('--files', action='store_true')
    args = parser.parse_args()

    build()
    failed = run_tests(args.parts)
    summary = subprocess.run(['gcovr', '--root', REPOSITORY, '--filter', f'{REPOSITORY}/plugin/', '--object-directory', BUILD,
                              '--json-summary', '-', BUILD], check=True, capture_output=True, text=True).stdout
    rooms = collections.defaultdict(collections.Counter)
    for file in json.loads(summary)['files']:
        counts = collections.Counter(lines=file['line_total'], line_covered=file['line_covered'],
                                     branches=file['branch_total'], branch_covered=file['branch_covered'])
        rooms[room_of(file['filename'])] += counts
        if args.files:
            show(file['filename'], counts)
    for name, counts in sorted(rooms.items()):
        show(name, counts)
    show('all', sum(rooms.values(), collections.Counter()))
    for command in failed:
        print(f'failed: {command}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
