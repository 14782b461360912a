#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""sharkd dissects frames again, in any order, as Wireshark does when a person scrolls: the verdict stays the same.

Exit status 77 where there is no sharkd.
"""
import json
import os
import shutil
import sys

from capture_test import find_captures
from tap import Tap
from workplace import Workplace

CANNOT_RUN = 77
EVERY = 6   # a sample of the captures is enough: what is tested is the glue


def read_resets(workplace, capture):
    """Frame number and cause of each reset, as tshark's second pass has it."""
    done = workplace.run('tshark', '-2', '-r', capture, '-Y', 'rstcause', '-T', 'fields', '-e', 'frame.number', '-e',
                         'rstcause')
    return [(int(frame), cause) for frame, cause in (line.split('\t') for line in done.stdout.splitlines())]


def ask_sharkd(workplace, requests):
    lines = [json.dumps({'jsonrpc': '2.0', 'id': number, **request}) for number, request in enumerate(requests, 1)]
    done = workplace.run('sharkd', '-', input='\n'.join(lines) + '\n')
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{')]
    return {answer['id']: answer.get('result') for answer in answers}


def find_filters(nodes):
    """The display filters of all nodes of a tree that sharkd gave."""
    for node in nodes:
        if 'f' in node:
            yield node['f']
        yield from find_filters(node.get('n', []))


def find_cause(answer):
    causes = [f.split('"')[1] for f in find_filters((answer or {}).get('tree', [])) if f.startswith('rstcause == ')]
    return ','.join(causes)


def test_capture(tap, workplace, capture):
    path = workplace.hold(capture)
    resets = read_resets(workplace, path)
    backwards = resets[::-1]
    name = os.path.basename(capture)
    answers = ask_sharkd(workplace, [
        {'method': 'load', 'params': {'file': path}},
        *({'method': 'frame', 'params': {'frame': frame, 'proto': True}} for frame, _ in backwards),
        {'method': 'frames', 'params': {'filter': 'rstcause', 'column0': 'rstcause:0'}},
    ])
    dissected = [(frame, find_cause(answers.get(number))) for number, (frame, _) in enumerate(backwards, 2)]
    tap.check(dissected == backwards, f'{name}, frames dissected backwards', f'{dissected}, not {backwards}')
    listed = [(row['num'], row['c'][0]) for row in answers.get(len(resets) + 2) or []]
    tap.check(listed == resets, f'{name}, the column in the packet list', f'{listed}, not {resets}')


def main():
    if shutil.which('sharkd') is None:
        print('# skipped: no sharkd')
        return CANNOT_RUN
    tap = Tap()
    with Workplace() as workplace:
        for capture in find_captures()[::EVERY]:
            test_capture(tap, workplace, capture)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
