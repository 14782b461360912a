#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each capture in test-captures/ and the table that tshark must print for it.

  capture_test.py                    compares all, in one pass and in two
  capture_test.py --update CAPTURE…  writes the tables of these captures, for review

CAPTURE.expected.tsv stands beside each capture, one line per reset. Where a second pass rightly knows more (what
came later changed a verdict), CAPTURE.expected-2.tsv holds what it says. CAPTURE.patterns.tsv is what the truth says of
the situation at each reset; it was made without the plugin (tests/lab/world/pattern_table.py) and is not written here.
"""
import argparse
import difflib
import glob
import os
import re
import subprocess
import sys

from tap import Tap
from workplace import REPOSITORY, Workplace

FIELDS = ('frame.number', 'rstcause', 'rstcause.detail', 'rstcause.pattern', 'rstcause.idle', 'rstcause.severity',
          'rstcause.confidence',
          'rstcause.sender', 'rstcause.trigger', 'rstcause.original', 'rstcause.data_lost', 'rstcause.failure_code',
          'rstcause.stated', 'rstcause.effect', 'rstcause.explanation', 'rstcause.evidence', 'rstcause.alternative',
          'rstcause.advice', 'rstcause.reference')
CAPTURES = os.path.join(REPOSITORY, 'test-captures')
ENDINGS = ('.pcap', '.pcapng', '.pcap.gz', '.pcapng.gz')


def find_captures():
    return sorted(path for path in glob.glob(os.path.join(CAPTURES, '*')) if path.endswith(ENDINGS))


def print_table(workplace, capture, *options):
    """What tshark says of every reset, and of every frame that it should have said something of."""
    argv = ['tshark', '-r', workplace.hold(capture), *options, '-Y', 'tcp.flags.reset == 1 || rstcause',
            '-T', 'fields', '-E', 'header=y', '-E', 'separator=/t', '-E', 'occurrence=a', '-E', 'aggregator=|']
    for field in FIELDS:
        argv += ['-e', field]
    done = workplace.run(*argv)
    complaint = done.stderr if done.returncode != 0 or 'bug' in done.stderr else ''
    # Wireshark 4.4 and later show a backslash in a string as two.
    return done.stdout.replace('\\\\', '\\'), complaint


def read_expected(capture, two_passes):
    second = capture + '.expected-2.tsv'
    path = second if two_passes and os.path.exists(second) else capture + '.expected.tsv'
    if not os.path.exists(path):
        return None
    with open(path, encoding='utf-8') as file:
        return file.read()


def find_with_resets():
    """The captures whose tables have a row."""
    return [capture for capture in find_captures() if len((read_expected(capture, False) or '').splitlines()) > 1]


def compare(expected, got):
    lines = difflib.unified_diff(expected.splitlines(), got.splitlines(), 'expected', 'got', lineterm='', n=0)
    return '\n'.join(lines)


def test_capture(tap, workplace, capture):
    for title, options in (('one pass', ()), ('two passes', ('-2',))):
        name = f'{os.path.basename(capture)}, {title}'
        expected = read_expected(capture, two_passes=bool(options))
        got, complaint = print_table(workplace, capture, *options)
        if complaint:
            tap.check(False, name, complaint)
        elif expected is None:
            tap.check(False, name, 'no expected table')
        else:
            tap.check(got == expected, name, compare(expected, got))


def test_filters(tap, workplace, captures):
    """One expert info for each reset, named like its cause, whose message has the cause in it: whatever a filter asks for, it
    finds the same frames. All captures in one file, as a filter costs tshark less than its start."""
    path = os.path.join(workplace.folder, 'all.pcapng')
    subprocess.run(['mergecap', '-a', '-w', path, *captures], check=True)
    os.chmod(path, 0o644)
    found = find_frames(workplace, path, 'rstcause')
    causes = sorted(set(found.values()))
    asked = {cause: (f'rstcause == "{cause}"', 'rstcause.expert.' + cause.replace('-', '_'),
                     f'_ws.expert.message contains "{cause}"', f'rstcause in {{"{cause}"}}') for cause in causes}
    agreeing = find_frames(workplace, path, ' or '.join(f'({" and ".join(filters)})' for filters in asked.values()))
    tap.check(len(causes) > 5 and agreeing == found, 'each reset is found by each filter for its cause', str(found.items() ^ agreeing.items()))
    other = find_frames(workplace, path, ' or '.join(f'(not {is_cause} and ({" or ".join(filters)}))'
                                                     for is_cause, *filters in asked.values()))
    tap.check(other == {}, 'and by no filter for another', str(other))


def test_without_tree(tap, workplace, capture):
    """Plain tshark builds no tree; its Info column ends with the same causes."""
    done = workplace.run('tshark', '-r', workplace.hold(capture))
    shown = re.findall(r'\[RST cause: ([a-z-]+)\]', done.stdout)
    expected = [line.split('\t')[1] for line in read_expected(capture, False).splitlines()[1:]]
    tap.check(done.returncode == 0 and shown == expected, f'{os.path.basename(capture)}, without a tree',
              f'{shown}, not {expected}{done.stderr}')


def test_patterns(tap, workplace, capture, path):
    """Two passes show a situation that the truth accepts; one pass shows that or none."""
    with open(path, encoding='ascii') as file:
        accepted = dict(line.split('\t') for line in file.read().splitlines()[1:])
    for title, options, besides in (('one pass', (), ['-']), ('two passes', ('-2',), [])):
        done = workplace.run('tshark', '-r', workplace.hold(capture), *options, '-Y', 'tcp.flags.reset == 1', '-T', 'fields', '-e',
                             'frame.number', '-e', 'rstcause.pattern')
        shown = {frame: name or '-' for frame, name in (line.split('\t') for line in done.stdout.splitlines())}
        wrong = [f'#{frame} shows {shown.get(frame)}, not {names}' for frame, names in accepted.items()
                 if shown.get(frame) not in names.split('/') + besides]
        tap.check(done.returncode == 0 and shown.keys() == accepted.keys() and not wrong,
                  f'{os.path.basename(capture)}, situations, {title}', done.stderr + '\n'.join(wrong))


def find_frames(workplace, path, display_filter):
    """The cause at each frame that the filter finds; what tshark says against it."""
    done = workplace.run('tshark', '-r', path, '-Y', display_filter, '-T', 'fields', '-e', 'frame.number', '-e', 'rstcause')
    return dict(line.split('\t') for line in done.stdout.splitlines()) if done.returncode == 0 else {'': done.stderr}


def write_tables(captures):
    with Workplace() as workplace:
        for capture in captures:
            first, complaint = print_table(workplace, capture)
            second, complaint_2 = print_table(workplace, capture, '-2')
            if complaint or complaint_2:
                sys.exit(f'{capture}: {complaint or complaint_2}')
            with open(capture + '.expected.tsv', 'w', encoding='utf-8') as file:
                file.write(first)
            if second != first:
                with open(capture + '.expected-2.tsv', 'w', encoding='utf-8') as file:
                    file.write(second)
                print(f'{capture}: two passes differ:\n{compare(first, second)}')
            elif os.path.exists(capture + '.expected-2.tsv'):
                os.remove(capture + '.expected-2.tsv')
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--update', nargs='+', metavar='CAPTURE')
    args = parser.parse_args()
    if args.update:
        return write_tables(args.update)

    tap = Tap()
    captures = find_captures()
    tap.check(captures, 'there are captures')
    with Workplace() as workplace:
        for capture in captures:
            test_capture(tap, workplace, capture)
            if os.path.exists(path := capture + '.patterns.tsv'):
                test_patterns(tap, workplace, capture, path)
        test_filters(tap, workplace, captures)
        for capture in find_with_resets()[::8]:
            test_without_tree(tap, workplace, capture)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
