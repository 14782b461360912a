#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin in Wireshark's programs, on captures that were changed, with the sanitizers.

  mutated_test.py [--runs N] [--seed N] [--valgrind N]

A run is one changed capture, loaded by sharkd (or read by a tshark of its own: one in TSHARK_SHARE), all its frames listed and
each frame with a reset dissected again in full. Whatever the input, the program goes on, the sanitizers say nothing of the
plugin, there is no dissector bug, and every reset has exactly one cause. Run N of a seed is always the same; what fails is
kept in the build folder.

RSTCAUSE_BUILD is a build with RSTCAUSE_SANITIZE. --valgrind runs so many captures in tshark under valgrind instead, with a
plain build.
"""
import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter

from capture_test import find_captures
from mutator import ETHERNET, RST, mutate, read_packet
from pcap_file import CannotRead, read_pcap, write_pcap
from robustness_test import FIELDS, FINE, count_live_resets, find_faults
from tap import Tap
from workplace import Workplace, build_folder

RUNS = 300
BATCH = 50           # loads of one sharkd
TSHARK_SHARE = 50
MOST_RESETS = 10     # of a capture that are dissected again
OURS = re.compile(r'rstcause|<unknown module>')   # when tshark looks for leaks, it has unloaded the plugin
KEPT = 'failed-mutants'
# cases.c packs structures word by word and leaves out the words that are 0: whether it keeps one of padding, no verdict depends on.
PADDING = 'pack_findings'


# Kinds of changed captures: each writes one to 'path'.

def by_mutator(captures, chance, path):
    link, frames = read_pcap(chance.choice(captures))
    write_pcap(path, link, mutate(frames, chance))


def by_mutator_merged(captures, chance, path):
    """Several conversations, side by side."""
    frames = [frame for capture in chance.sample(captures, 3) for frame in read_pcap(capture)[1]]
    write_pcap(path, ETHERNET, mutate(frames, chance))


def editcap(captures, chance, path, *options):
    subprocess.run(['editcap', *options, chance.choice(captures), path], check=True, capture_output=True)
    os.chmod(path, 0o644)


def by_errors(captures, chance, path):
    """editcap -E: bytes are changed, whatever they mean."""
    editcap(captures, chance, path, '-E', str(chance.choice((0.002, 0.01, 0.05))), '--seed', str(chance.getrandbits(31)))


def by_cuts(captures, chance, path):
    editcap(captures, chance, path, '-s', str(chance.randrange(15, 130)))


def by_truncation(captures, chance, path):
    """The file ends anywhere behind its first packet."""
    with open(chance.choice(captures), 'rb') as file:
        contents = file.read()
    with open(path, 'wb') as file:
        file.write(contents[:chance.randrange(100, len(contents) + 1)])
    os.chmod(path, 0o644)


def by_randpkt(_captures, chance, path):
    """Random bytes behind a plausible beginning; randpkt has no seed, so that the file is the only record."""
    subprocess.run(['randpkt', '-b', str(chance.choice((100, 300, 1500))), '-c', '40', '-t', chance.choice(('tcp', 'ip', 'ipv6', 'eth')),
                    path], check=True, capture_output=True)
    os.chmod(path, 0o644)


KINDS = {by_mutator: 12, by_mutator_merged: 2, by_errors: 2, by_cuts: 2, by_truncation: 1, by_randpkt: 1}   # shares


def write_changed(captures, seed, number, path):
    """Returns the name of its kind."""
    chance = random.Random(f'{seed}/{number}')
    kind = chance.choices(list(KINDS), KINDS.values())[0]
    kind(captures, chance, path)
    return kind.__name__


# Programs

def use_sanitizers(workplace):
    """Leaks are looked for in the runs of tshark: to know who asked for memory, the whole stack is unwound, which is slow."""
    library = subprocess.run(['gcc', '-print-file-name=libasan.so'], capture_output=True, text=True, check=True).stdout.strip()
    workplace.settings.update({'LD_PRELOAD': library, 'LSAN_OPTIONS': 'exitcode=0', 'G_SLICE': 'always-malloc'})
    look_for_leaks(workplace, False)


def look_for_leaks(workplace, looks):
    workplace.settings['ASAN_OPTIONS'] = f'detect_leaks={looks:d}:fast_unwind_on_malloc={not looks:d}'


def is_our_leak(block):
    """Indirect leaks hang on direct ones. What is registered at the start (epan_init) stays until the program ends."""
    return block.lstrip().startswith('Direct leak') and OURS.search(block) and 'epan_init' not in block


def find_reports(stderr):
    """What the sanitizers say: leaks of the plugin, and each error whatever it is in."""
    leaks = [block for block in re.split(r'\n\s*\n', stderr) if is_our_leak(block)]
    return leaks + re.findall(r'.*(?:ERROR: AddressSanitizer|runtime error|DEADLYSIGNAL).*', stderr)


def find_resets(path):
    """Numbers of frames with a plain TCP segment with RST."""
    try:
        _, frames = read_pcap(path)
    except CannotRead:
        return []
    packets = enumerate(map(read_packet, frames), 1)
    return [number for number, packet in packets if packet and packet.tcp[13] & RST][:MOST_RESETS]


def requests_for(path):
    """One run: the capture is loaded, all frames are listed, and those with resets dissected again."""
    columns = {f'column{place}': f'{field}:0' for place, field in enumerate(FIELDS[1:])}
    return [{'method': 'load', 'params': {'file': path}}, {'method': 'frames', 'params': columns},
            *({'method': 'frame', 'params': {'frame': frame, 'proto': True}} for frame in find_resets(path))]


def judge_load(requests, answers):
    """What is wrong with one run, and how many resets were judged. An answer that is missing is None."""
    faults, judged = [], set()
    for row in (answers[1] or {}).get('result', ()):
        protocols, flags, cause, *_, message = row['c']
        if cause:
            judged.add(row['num'])
        if 'Dissector bug' in message:
            faults.append(message)
        live = count_live_resets(protocols, flags.split(','))
        causes = len(cause.split(',')) if cause else 0
        if causes < live or (causes > live and flags):
            faults.append(f'frame {row["num"]}: {live} resets, {causes} causes')
    for request, answer in zip(requests, answers):
        frame = request['params'].get('frame')
        # sharkd loads a file that ends in the middle of a packet, and gives no answer to the load.
        if answer is None and request['method'] != 'load':
            faults.append(f'no answer to {request}')
        elif frame in judged and 'rstcause ==' not in json.dumps(answer):
            faults.append(f'frame {frame}: no verdict when it is dissected again')
    return faults, len(judged)


def load_all(workplace, paths):
    """One sharkd that loads all, one after another. For each what judge_load() says, and the reports of the sanitizers."""
    requests = [requests_for(path) for path in paths]
    lines = [json.dumps({'jsonrpc': '2.0', 'id': number, **request}) for number, request in enumerate(sum(requests, []), 1)]
    done = workplace.run('sharkd', '-', input='\n'.join(lines) + '\n')
    answers = {}
    for line in done.stdout.splitlines():
        if line.startswith('{'):
            answer = json.loads(line)
            answers[answer['id']] = answer
    results, first = [], 1
    for asked in requests:
        results.append(judge_load(asked, [answers.get(number) for number in range(first, first + len(asked))]))
        first += len(asked)
    return results, find_reports(done.stderr)


def read_with_tshark(workplace, path):
    """One run of a process of its own."""
    fields = [argument for field in FIELDS for argument in ('-e', field)]
    done = workplace.run('tshark', '-2', '-r', path, '-Y', 'tcp', '-T', 'fields', '-E', 'aggregator=|', *fields)
    faults = find_reports(done.stderr) + find_faults(done.stdout)
    if done.returncode not in FINE:
        faults.append(f'status {done.returncode}: {done.stderr[-2000:]}')
    return faults, sum(1 for line in done.stdout.splitlines() if line.split('\t')[3:4] not in ([], ['']))


class Count:
    def __init__(self):
        self.runs, self.resets, self.faults = Counter(), 0, []

    def add(self, kind, program, path, faults, resets):
        self.runs[kind, program] += 1
        self.resets += resets
        if faults:
            kept = os.path.join(build_folder(), KEPT)
            os.makedirs(kept, exist_ok=True)
            shutil.copy(path, kept)
            self.faults += [f'{os.path.basename(path)}: {fault}' for fault in faults[:5]]


def run_batch(workplace, captures, seed, numbers, count):
    kinds = {}
    for number in numbers:
        path = os.path.join(workplace.folder, f'{seed}-{number}.pcap')
        kinds[path] = write_changed(captures, seed, number, path)
    alone = list(kinds)[::TSHARK_SHARE]
    together = [path for path in kinds if path not in alone]
    look_for_leaks(workplace, True)
    for path in alone:
        count.add(kinds[path], 'tshark', path, *read_with_tshark(workplace, path))
    look_for_leaks(workplace, False)
    results, reports = load_all(workplace, together)
    for path, (faults, resets) in zip(together, results):
        count.add(kinds[path], 'sharkd', path, faults, resets)
    count.faults += [f'runs {numbers}: {report}' for report in reports]
    for path in kinds:
        os.remove(path)
    print(f'# {sum(count.runs.values())} runs, {count.resets} resets, {len(count.faults)} faults', flush=True)


def run_valgrind(tap, workplace, captures, seed, runs):
    """A sample of the mutator's under valgrind, which sees what the sanitizers cannot: values that were never set."""
    count, wrong = 0, []
    for number in range(runs):
        path = os.path.join(workplace.folder, f'{seed}-{number}.pcap')
        by_mutator_merged(captures, random.Random(f'{seed}/{number}'), path)
        done = workplace.run('valgrind', '--error-limit=no', '--leak-check=full', '--num-callers=30', 'tshark', '-2', '-r', path, '-V', '-Y', 'rstcause',
                             env={**os.environ, 'G_SLICE': 'always-malloc'})
        blocks = re.split(r'==\d+== \n', done.stderr)
        wrong += [block for block in blocks if OURS.search(block) and PADDING not in block and
                  'epan_init' not in block and re.search(r'uninitialised|Invalid|definitely lost', block)]
        count += done.returncode in FINE and 'ERROR SUMMARY' in done.stderr
    tap.check(count == runs and not wrong, f'{count} runs under valgrind', '\n'.join(wrong[:5]) or done.stderr[-2000:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--runs', type=int, default=RUNS)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--valgrind', type=int, metavar='N')
    args = parser.parse_args()
    tap, count, captures = Tap(), Count(), find_captures()
    with Workplace() as workplace:
        if args.valgrind:
            run_valgrind(tap, workplace, captures, args.seed, args.valgrind)
            return tap.end()
        use_sanitizers(workplace)
        for first in range(0, args.runs, BATCH):
            run_batch(workplace, captures, args.seed, range(first, min(first + BATCH, args.runs)), count)
    for (kind, program), runs in sorted(count.runs.items()):
        print(f'# {runs} runs {kind.replace("_", " ")}, {program}')
    total = sum(count.runs.values())
    tap.check(total == args.runs and not count.faults, f'{total} runs, {count.resets} resets judged', '\n'.join(count.faults[:30]))
    tap.check(count.resets > total / 2, 'there was something to judge', f'{count.resets} resets')
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
