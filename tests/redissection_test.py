#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""sharkd dissects frames again, in any order, as Wireshark does when a person scrolls: the verdict stays the same.

Exit status 77 where there is no sharkd.
"""
import json
import os
import shutil
import sys

from capture_test import find_with_resets
from tap import Tap
from workplace import Workplace

CANNOT_RUN = 77
EVERY = 6   # a sample of the captures with resets is enough: what is tested is the glue


def read_resets(workplace, capture):
    """Frame number and cause of each reset, as tshark's second pass has it."""
    done = workplace.run('tshark', '-2', '-r', capture, '-Y', 'rstcause', '-T', 'fields', '-e', 'frame.number', '-e',
                         'rstcause')
    return [(int(frame), cause) for frame, cause in (line.split('\t') for line in done.stdout.splitlines())]


def ask_sharkd(workplace, requests):
    """The results of the requests, in their order."""
    lines = [json.dumps({'jsonrpc': '2.0', 'id': number, **request}) for number, request in enumerate(requests, 1)]
    done = workplace.run('sharkd', '-', input='\n'.join(lines) + '\n')
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{')]
    results = {answer['id']: answer.get('result') for answer in answers}
    return [results.get(number) for number in range(1, len(requests) + 1)]


def find_filters(nodes):
    """The display filters of all nodes of a tree that sharkd gave."""
    for node in nodes:
        if 'f' in node:
            yield node['f']
        yield from find_filters(node.get('n', []))


def find_cause(answer):
    causes = [f.split('"')[1] for f in find_filters((answer or {}).get('tree', [])) if f.startswith('rstcause == ')]
    return ','.join(causes)


def read_requests(path, resets):
    """Load a capture, look at its resets from the last to the first, and list all frames: sharkd would answer a filter
    from what it found in the file before."""
    return [
        {'method': 'load', 'params': {'file': path}},
        *({'method': 'frame', 'params': {'frame': frame, 'proto': True}} for frame, _ in resets[::-1]),
        {'method': 'frames', 'params': {'column0': 'rstcause:0'}},
    ]


def check_answers(tap, name, resets, answers):
    _, *frames, rows = answers
    backwards = resets[::-1]
    dissected = [(frame, find_cause(answer)) for (frame, _), answer in zip(backwards, frames)]
    tap.check(dissected == backwards, f'{name}, frames dissected backwards', f'{dissected}, not {backwards}')
    listed = [(row['num'], row['c'][0]) for row in rows or [] if row['c'][0]]
    tap.check(listed == resets, f'{name}, the column in the packet list', f'{listed}, not {resets}')


def test_in_turn(tap, workplace, captures):
    """One after the other in one session, as a person opens files: nothing of the one before is left."""
    held = [(os.path.basename(capture), workplace.hold(capture)) for capture in captures]
    expected = [read_resets(workplace, path) for _, path in held]
    requests = [read_requests(path, resets) for (_, path), resets in zip(held, expected)]
    answers = iter(ask_sharkd(workplace, sum(requests, [])))
    for (name, _), resets, asked in zip(held, expected, requests):
        check_answers(tap, name, resets, [next(answers) for _ in asked])


def main():
    if shutil.which('sharkd') is None:
        print('# skipped: no sharkd')
        return CANNOT_RUN
    tap = Tap()
    with Workplace() as workplace:
        chosen = find_with_resets()[::EVERY]
        # The same file again, too: its frames have the same numbers.
        for one, other in zip(chosen, chosen[1:] + chosen[:1]):
            test_in_turn(tap, workplace, (one, other, one))
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
