#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the statistics count is what the fields say: trees, incidents, in tshark, sharkd and Lua.

The capture is all of test-captures/ one behind the other, so that its numbers are large enough to go wrong.
"""
import collections
import json
import os
import re
import shutil
import subprocess
import sys

from capture_test import find_captures
from redissection_test import ask_sharkd
from tap import Tap
from workplace import REPOSITORY, Workplace

CANNOT_RUN = 77
WIDTH, MOST_ROWS = 100, 40   # of a ticket
FIELDS = ('rstcause', 'rstcause.detail', 'rstcause.pattern', 'rstcause.severity', 'rstcause.sender', 'rstcause.explanation',
          'frame.number', 'ip.src', 'ip.dst', 'ipv6.src', 'ipv6.dst', 'tcp.srcport', 'tcp.dstport')
HARMFUL = ('warning', 'error')
SOME = 'rstcause == "abort"'


def make_capture(workplace):
    path = os.path.join(workplace.folder, 'all.pcapng')
    subprocess.run(['mergecap', '-a', '-w', path, *find_captures()], check=True)
    os.chmod(path, 0o644)
    return path


def read_resets(workplace, capture, passes, wanted='rstcause'):
    """Each reset as a dictionary of its fields. No frame of the captures holds two."""
    argv = ['tshark', *passes, '-r', capture, '-Y', wanted, '-T', 'fields', '-E', 'separator=/t', '-E', 'aggregator=|']
    for field in FIELDS:
        argv += ['-e', field]
    done = workplace.run(*argv)
    rows = [dict(zip(FIELDS, line.split('\t'))) for line in done.stdout.splitlines()]
    return rows if done.returncode == 0 else []


def count(values):
    return dict(collections.Counter(values))


def read_tree(text):
    """A tree as tshark prints it: {path: count}, a path being the names down to the node."""
    counts, path = {}, []
    for line in text.splitlines():
        node = re.match(r'( *)(\S.*?) {2,}(\d+) ', line)
        if node:
            path = [*path[:len(node[1])], node[2]]
            counts[tuple(path)] = int(node[3])
    return counts


def run_tree(workplace, capture, name, *options, wanted=''):
    done = workplace.run('tshark', '-q', *options, '-r', capture, '-z', f'{name},tree' + (f',{wanted}' if wanted else ''))
    return read_tree(done.stdout)


def expect_cause_tree(resets):
    patterns = [r['rstcause.pattern'] for r in resets if r['rstcause.pattern']]
    expected = {('Cause',): len(resets), ('Pattern',): len(patterns), ('Severity',): len(resets)}
    expected.update(count(('Cause', r['rstcause']) for r in resets))
    expected.update(count(('Cause', r['rstcause'], r['rstcause.detail']) for r in resets if r['rstcause.detail']))
    expected.update(count(('Pattern', pattern) for pattern in patterns))
    expected.update(count(('Severity', r['rstcause.severity']) for r in resets))
    return expected


def ends(reset):
    """Source and destination, each with its port."""
    return [(reset[f'ip.{end}'] or reset[f'ipv6.{end}'], reset[f'tcp.{end}port']) for end in ('src', 'dst')]


def service(reset):
    address, port = ends(reset)[0 if reset['rstcause.sender'] == 'server' else 1]
    return f'[{address}]:{port}' if ':' in address else f'{address}:{port}'


def test_cause_tree(tap, workplace, capture):
    for title, passes in (('one pass', ()), ('two passes', ('-2',))):
        for wanted in ('', SOME):
            resets = read_resets(workplace, capture, passes, wanted or 'rstcause')
            expected, got = expect_cause_tree(resets), run_tree(workplace, capture, 'rstcause', *passes, wanted=wanted)
            tap.check(resets and got == expected, f'by cause, {title}, {wanted or "all"}', f'{got}\n{expected}')


def test_service_tree(tap, workplace, capture, resets):
    """Whom a third party's reset names as server the fields do not say: those are counted in the sum alone."""
    got = run_tree(workplace, capture, 'rstcause_service', '-2')
    own = {path: number for path, number in got.items() if len(path) == 4 and path[2] != 'third-party'}
    expected = count(('Service', service(r), r['rstcause.sender'], r['rstcause'])
                     for r in resets if r['rstcause.sender'] != 'third-party')
    tap.check(own == expected, 'by service', f'{own}\n{expected}')
    tap.check(got.get(('Service',)) == len(resets), 'by service, the sum', str(got))


def test_host_tree(tap, workplace, capture, resets):
    got = run_tree(workplace, capture, 'rstcause_host', '-2')
    names = [ends(r)[0][0] + (' (in its name)' if r['rstcause.sender'] == 'third-party' else '') for r in resets]
    expected = {('Sent by',): len(resets), **count(('Sent by', name) for name in names)}
    expected.update(count(('Sent by', name, r['rstcause']) for name, r in zip(names, resets)))
    tap.check(got == expected, 'by host', f'{got}\n{expected}')


def read_incidents(workplace, capture, *options, wanted=''):
    done = workplace.run('tshark', '-q', *options, '-r', capture, '-z', 'rstcause,incidents-json' + (f',{wanted}' if wanted else ''))
    return [json.loads(line) for line in done.stdout.splitlines()]


def sum_up(incidents, key):
    total = collections.Counter()
    for incident in incidents:
        total[key(incident)] += incident['resets']
    return dict(total)


def is_harmful(reset):
    return reset['rstcause.severity'] in HARMFUL


def test_incidents(tap, workplace, capture):
    for title, passes, wanted in (('one pass', (), ''), ('two passes', ('-2',), ''), ('filtered', ('-2',), SOME)):
        resets = read_resets(workplace, capture, passes, wanted or 'rstcause')
        incidents = read_incidents(workplace, capture, *passes, wanted=wanted)
        got = sum_up(incidents, lambda i: (i['cause'], i.get('pattern', ''), i['reset_by']))
        expected = count((r['rstcause'], r['rstcause.pattern'], r['rstcause.sender']) for r in resets)
        tap.check(resets and got == expected, f'incidents, {title}: each reset is in one', f'{got}\n{expected}')
        harm = sum(i['did_harm'] for i in incidents)
        tap.check(harm == sum(map(is_harmful, resets)), f'incidents, {title}: harm is what the severity says', str(harm))


def test_incident_rows(tap, incidents, resets):
    order = [(-i['did_harm'], -i['resets']) for i in incidents]
    tap.check(order == sorted(order), 'incidents: harm first, then number', str(order))
    by_frame = {int(r['frame.number']): r for r in resets}
    wrong = [i for i in incidents if by_frame[i['first_frame']]['rstcause.explanation'] != i['explanation']]
    tap.check(not wrong, 'incidents: the sentence is that of the first reset', str(wrong[:1]))
    clients = [(i, r) for i in incidents for r in resets if r['rstcause.sender'] == 'server' and i['reset_by'] == 'server'
               and (i['service'], i['cause'], i.get('pattern', '')) == (service(r), r['rstcause'], r['rstcause.pattern'])]
    wrong = [(i, r) for i, r in clients if ends(r)[1][0] not in i['clients']]
    tap.check(clients and not wrong, 'incidents: the clients are named', str(wrong[:1]))


def test_ticket(tap, workplace, capture, resets):
    text = workplace.run('tshark', '-q', '-2', '-r', capture, '-z', 'rstcause,incidents').stdout
    too_wide = [line for line in text.splitlines() if len(line) > WIDTH]
    tap.check(not too_wide, f'ticket: no line is wider than {WIDTH}', '\n'.join(too_wide))
    rows = re.findall(r'^(?: {4}|other: )(\d+) resets?, (\d+) did harm', text, re.MULTILINE)
    total = re.match(r'\s*TCP resets: (\d+) resets, (\d+) did harm', text)
    expected = (len(resets), sum(map(is_harmful, resets)))
    tap.check(0 < len(rows) <= MOST_ROWS, f'ticket: at most {MOST_ROWS} rows', f'{len(rows)}\n{text}')
    tap.check(tuple(sum(map(int, column)) for column in zip(*rows)) == expected, 'ticket: the rows add up to the resets', str(rows))
    tap.check(total and (int(total[1]), int(total[2])) == expected, 'ticket: the first line is their sum', text[:100])
    tap.check('With -2' not in text, 'ticket: two passes are no cause for a hint', text)
    text = workplace.run('tshark', '-q', '-r', capture, '-z', 'rstcause,incidents').stdout
    tap.check('With -2' in text, 'ticket: one pass is said to be one', text)


def test_without_resets(tap, workplace):
    orderly = next(path for path in find_captures() if os.path.basename(path).startswith('orderly-close'))
    capture = workplace.hold(orderly)
    done = workplace.run('tshark', '-q', '-r', capture, '-z', 'rstcause,incidents')
    tap.check(done.stdout.strip() == 'TCP resets: none', 'ticket: no reset, no incident', done.stdout)
    tap.check(run_tree(workplace, capture, 'rstcause') == {('Cause',): 0, ('Pattern',): 0, ('Severity',): 0},
              'by cause: no reset, nothing counted')
    tap.check(read_incidents(workplace, capture) == [], 'JSON lines: no reset, no line')


def test_live(tap, workplace, capture):
    """tshark counts while it captures, here from a pipe."""
    pipe = os.path.join(workplace.folder, 'pipe.pcap')
    subprocess.run(['editcap', '-F', 'pcap', capture, pipe], check=True)
    with open(pipe, 'rb') as stream:
        done = workplace.run('tshark', '-q', '-i', '-', '-z', 'rstcause,tree', stdin=stream)
    if 'Cause' not in done.stdout:
        tap.skip('live', done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no capture here')
        return
    got, expected = read_tree(done.stdout), run_tree(workplace, pipe, 'rstcause')
    tap.check(got == expected, 'live, the same is counted', f'{got}\n{expected}')


def flatten(nodes, path=()):
    for node in nodes:
        yield (*path, node['name']), node['count']
        yield from flatten(node.get('sub', []), (*path, node['name']))


def test_sharkd(tap, workplace, capture, incidents):
    if shutil.which('sharkd') is None:
        tap.skip('sharkd', 'no sharkd')
        return
    tree, table = 'stat:rstcause', 'nstat:rstcause,incidents'
    answers = ask_sharkd(workplace, [
        {'method': 'load', 'params': {'file': capture}},
        {'method': 'tap', 'params': {'tap0': tree, 'tap1': 'stat:rstcause_service', 'tap2': 'stat:rstcause_host'}},
        *[{'method': 'tap', 'params': {'tap0': table}}] * 2,
        {'method': 'tap', 'params': {'tap0': tree}},
        {'method': 'frames', 'params': {'column0': 'rstcause:0', 'column1': 'rstcause.severity:0', 'filter': 'rstcause'}},
    ])
    trees = [dict(flatten(found['stats'])) for found in (answers[1] or {}).get('taps', [])]
    expected = [run_tree(workplace, capture, name, '-2') for name in ('rstcause', 'rstcause_service', 'rstcause_host')]
    tap.check(sorted(map(str, map(sorted, map(dict.items, trees)))) == sorted(map(str, map(sorted, map(dict.items, expected)))),
              'sharkd: the trees are tshark\'s', f'{trees}\n{expected}')
    again = [dict(flatten(found['stats'])) for found in (answers[4] or {}).get('taps', [])]
    tap.check(again == expected[:1], 'sharkd: a tree that is asked for again counts anew', str(again))
    columns = [(row['c'][0], row['c'][1]) for row in answers[5] or []]
    tap.check(count(columns) == count((r['rstcause'], r['rstcause.severity']) for r in read_resets(workplace, capture, ('-2',))),
              'sharkd: fields as columns', str(columns[:3]))
    for title, answer in zip(('the table is that of the JSON lines', 'a table that is asked for again counts anew'), answers[2:4]):
        found = (answer or {}).get('taps', [{}])[0]
        names = [field['c'] for field in found.get('fields', [])]
        rows = [dict(zip(names, row)) for row in found.get('tables', [{}])[0].get('i', [])]
        got = [(row['No.'], row['Did harm'], row['Resets'], row['Cause'], row['Service'], row['Reset by'], row['First frame'],
                row['What happened first']) for row in rows]
        wanted = [(number, i['did_harm'], i['resets'], i['cause'], i['service'], i['reset_by'], i['first_frame'], i['explanation'])
                  for number, i in enumerate(incidents, 1)]
        tap.check(got == wanted, f'sharkd: {title}', f'{got[:2]}\n{wanted[:2]}')


def test_lua(tap, workplace, capture, resets):
    script = os.path.join(workplace.folder, 'resets.lua')
    shutil.copyfile(os.path.join(REPOSITORY, 'tests', 'resets.lua'), script)
    os.chmod(script, 0o644)
    done = workplace.run('tshark', '-q', '-2', '-X', f'lua_script:{script}', '-r', capture)
    got = {cause: (int(number), said) for cause, number, said in (line.split('\t') for line in done.stdout.splitlines())}
    counts, first = count(r['rstcause'] for r in resets), {}
    for r in resets:
        first.setdefault(r['rstcause'], r['rstcause.explanation'])
    expected = {cause: (counts[cause], first[cause]) for cause in counts}
    tap.check(got == expected, 'Lua: Field and Listener', f'{done.stderr}\n{got}\n{expected}')


def main():
    if shutil.which('mergecap') is None:
        print('# skipped: no mergecap')
        return CANNOT_RUN
    tap = Tap()
    with Workplace() as workplace:
        capture = make_capture(workplace)
        resets = read_resets(workplace, capture, ('-2',))
        incidents = read_incidents(workplace, capture, '-2')
        test_cause_tree(tap, workplace, capture)
        test_service_tree(tap, workplace, capture, resets)
        test_host_tree(tap, workplace, capture, resets)
        test_incidents(tap, workplace, capture)
        test_incident_rows(tap, incidents, resets)
        test_ticket(tap, workplace, capture, resets)
        test_without_resets(tap, workplace)
        test_live(tap, workplace, capture)
        test_sharkd(tap, workplace, capture, incidents)
        test_lua(tap, workplace, capture, resets)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
