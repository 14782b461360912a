#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How many small faults in the judge the tests notice: the share of killed mutants.

  mutants.py [--count N] [--seed N] [--jobs N] [--only FILE…]

A mutant is the judge with one fault in one place: a comparison shifted or turned round, "and" for "or", plus for minus, a
number made 0 (and 0 made 1), a condition turned round, an assignment left out. It is killed where a verdict on test-captures/ changes in a
column that capture_test.py compares (in one pass or two), or a unit test fails, or it does not end. A mutant that
cannot be told from the original by any input counts as a survivor. Mutants that do not compile are not counted. Prints
the survivors, which show where a story is missing. Builds the engine alone, without Wireshark, in a temporary folder.
"""
import argparse
import collections
import concurrent.futures
import glob
import hashlib
import os
import queue
import random
import re
import shlex
import shutil
import subprocess
import tempfile

from capture_test import FIELDS, find_captures
from workplace import REPOSITORY

JUDGED = 'plugin/judge'
# They take seconds and say nothing of verdicts.
SLOW = ('flood_test', 'memory_test', 'hash_test')
TIMEOUT = 20    # seconds for one program
# What is replaced, by what; in code, not in comments, strings or lines of the preprocessor.
FAULTS = (
    (r' == ', ' != '), (r' != ', ' == '), (r' < ', ' <= '), (r' <= ', ' < '), (r' > ', ' >= '), (r' >= ', ' > '),
    (r' < ', ' >= '), (r' > ', ' <= '), (r' && ', ' || '), (r' \|\| ', ' && '), (r'(?<=\w|\)) \+ ', ' - '),
    (r'(?<=\w|\)) - ', ' + '), (r'\bif \((?=.*\)$|.*\) \{$)', 'if (!'), (r'\btrue\b', 'false'), (r'\bfalse\b', 'true'),
    (r'(?<![\w.])(\d+)(?![\w.])', None), (r'^\s+[\w>.\[\]-]+ [|&+-]?= .*;$', ';'),
)


def blank_out(source):
    """The same length, with comments, strings and lines of the preprocessor as spaces."""
    pattern = r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^#.*?(?<!\\)$'
    return re.sub(pattern, lambda m: re.sub(r'[^\n]', ' ', m.group()), source, flags=re.DOTALL | re.MULTILINE)


def negate(source, start):
    """if (X) becomes if (!(X)); X may have parentheses, and ends in its own line."""
    depth, at = 0, source.index('(', start)
    for end in range(at, len(source)):
        depth += {'(': 1, ')': -1}.get(source[end], 0)
        if depth == 0:
            return source[:at] + '(!' + source[at:end + 1] + ')' + source[end + 1:]
    return source


def make_mutants(path):
    with open(os.path.join(REPOSITORY, path), encoding='utf-8') as file:
        source = file.read()
    code = blank_out(source)
    for pattern, by in FAULTS:
        for hit in re.finditer(pattern, code, re.MULTILINE):
            line = source.count('\n', 0, hit.end()) + 1
            if by == 'if (!':
                changed = negate(source, hit.start())
            else:
                text = by if by is not None else ('1' if int(hit.group()) == 0 else '0')
                changed = source[:hit.start()] + text + source[hit.end():]
            yield path, line, changed, source


class Bench:
    """A copy of the engine as a shared library, and the tests linked against it once."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='rstcause-mutants-')
        flags = subprocess.run(['pkg-config', '--cflags', '--libs', 'glib-2.0'], check=True, capture_output=True,
                               text=True).stdout
        self.flags = shlex.split(flags)
        self.sources = [os.path.relpath(p, REPOSITORY) for p in glob.glob(f'{REPOSITORY}/plugin/**/*.c', recursive=True)
                        if '/wireshark/' not in p]
        for source in self.sources:
            self.compile(source, os.path.join(REPOSITORY, source))
        self.link()
        unit = os.path.join(REPOSITORY, 'tests', 'unit')
        helpers = [p for p in glob.glob(f'{unit}/*.c') if not p.endswith('_test.c')]
        self.tests = []
        for test in sorted(glob.glob(f'{unit}/*_test.c')):
            if os.path.basename(test)[:-2] not in SLOW:
                self.tests.append(self.link_program(test, *helpers))
        self.replay = self.link_program(os.path.join(REPOSITORY, 'tests', 'replay.c'))
        self.unharmed = self.replay_all()
        if not all(self.passes(test) for test in self.tests):
            raise SystemExit('the tests fail without a mutant')

    def include(self):
        return [f'-I{REPOSITORY}/include', f'-I{REPOSITORY}/plugin', *self.flags]

    def object_of(self, source):
        return os.path.join(self.folder, source.replace('/', '_') + '.o')

    def compile(self, source, path):
        """False where it does not compile."""
        done = subprocess.run(['cc', '-std=c11', '-w', '-O0', '-fPIC', *self.include(),
                               f'-I{REPOSITORY}/{os.path.dirname(source)}', '-c', path, '-o', self.object_of(source)],
                              check=False, stderr=subprocess.DEVNULL)
        return done.returncode == 0

    def link(self):
        subprocess.run(['cc', '-shared', '-o', f'{self.folder}/libengine.so', *map(self.object_of, self.sources),
                        *self.flags], check=True)

    def link_program(self, *sources):
        path = os.path.join(self.folder, os.path.basename(sources[0])[:-2])
        subprocess.run(['cc', '-std=c11', '-D_POSIX_C_SOURCE=200809L', '-w', '-O0', '-o', path, *sources, *self.include(),
                        f'-L{self.folder}', f'-Wl,-rpath,{self.folder}', '-lengine', *self.flags], check=True)
        return path

    def run(self, *argv):
        """What it prints, or None where it fails or does not end."""
        try:
            done = subprocess.run(argv, check=False, capture_output=True, timeout=TIMEOUT, env={
                **os.environ, 'G_TEST_SRCDIR': f'{REPOSITORY}/tests/unit'})
        except subprocess.TimeoutExpired:
            return None
        return done.stdout if done.returncode == 0 else None

    def replay_all(self):
        fields = [word for field in FIELDS for word in ('-e', field)]
        digest = hashlib.sha256()
        for capture in find_captures():
            if capture.endswith('.pcap'):
                for options in ([], ['-2']):
                    got = self.run(self.replay, *options, *fields, capture)
                    if got is None:
                        return None
                    digest.update(got)
        return digest.hexdigest()

    def passes(self, test):
        return self.run(test, '--tap') is not None

    def try_mutant(self, path, changed):
        """'captures' or 'unit' by whom it was killed, 'survived', or None where it does not compile."""
        mutant = os.path.join(self.folder, 'mutant.c')
        with open(mutant, 'w', encoding='utf-8') as file:
            file.write(changed)
        try:
            if not self.compile(path, mutant):
                return None
            self.link()
            if self.replay_all() != self.unharmed:
                return 'captures'
            return 'survived' if all(map(self.passes, self.tests)) else 'unit'
        finally:
            self.compile(path, os.path.join(REPOSITORY, path))

    def remove(self):
        shutil.rmtree(self.folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--count', type=int, default=400, help='mutants to try, drawn evenly')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('--only', nargs='+', metavar='FILE', help='of these sources of the judge')
    args = parser.parse_args()

    sources = sorted(glob.glob(f'{REPOSITORY}/{JUDGED}/*.c'))
    mutants = [mutant for source in sources if not args.only or os.path.basename(source) in args.only
               for mutant in make_mutants(os.path.relpath(source, REPOSITORY))]
    drawn = random.Random(args.seed).sample(mutants, min(args.count, len(mutants)))
    benches = queue.Queue()
    for _ in range(args.jobs):
        benches.put(Bench())
    fates = collections.defaultdict(collections.Counter)

    def work(mutant):
        bench = benches.get()
        try:
            return mutant, bench.try_mutant(mutant[0], mutant[2])
        finally:
            benches.put(bench)

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for (path, line, changed, source), fate in pool.map(work, drawn):
            if fate is None:
                continue
            fates[os.path.basename(path)][fate] += 1
            if fate == 'survived':
                new = changed.splitlines()[line - 1].strip()
                print(f'survived {path}:{line}: {source.splitlines()[line - 1].strip()}  =>  {new}', flush=True)
    while not benches.empty():
        benches.get().remove()

    total = sum(fates.values(), collections.Counter())
    for name, counts in (*sorted(fates.items()), ('all', total)):
        tried = sum(counts.values())
        print(f'{name:16} {100 * (tried - counts["survived"]) / tried:5.1f} % killed of {tried} '
              f'({counts["captures"]} by captures, {counts["unit"]} by unit tests)')


if __name__ == '__main__':
    main()
