#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same packets have the same verdicts, whichever way they come to the plugin.

  equality_test.py [--all] [CAPTURE…]   default: a third of test-captures/, and each whose second pass knows more

Each capture is read in two passes. Held against that: sharkd, which has loaded others before; reordercap; editcap -F pcap; split
by editcap -c and put together by mergecap. A pipe (tshark -r -, and a live capture with -i -) gives what one pass gives. One
pass knows less than two, since it shows a reset before what follows it: what that changes is named in why_one_pass_differs().
"""
import argparse
import glob
import os
import subprocess
import sys
from collections import Counter

from capture_test import find_captures
from redissection_test import ask_sharkd
from tap import Tap
from workplace import Workplace

FIELDS = ('frame.number', 'rstcause', 'rstcause.detail', 'rstcause.confidence', 'rstcause.sender', 'rstcause.trigger',
          'rstcause.original', 'rstcause.pattern', 'rstcause.data_lost', 'rstcause.effect', 'rstcause.severity')
LEAST_SHOWN = 60   # resets, so that nothing is compared with nothing
CERTAINTY = ('possible', 'likely', 'certain')


def fields_of():
    return [argument for field in FIELDS for argument in ('-e', field)]


def read(workplace, *options, **streams):
    """Frame number → verdict, as tshark shows them; an error is a verdict that equals none."""
    done = workplace.run('tshark', *options, '-Y', 'rstcause', '-T', 'fields', *fields_of(), **streams)
    if done.returncode != 0:
        return {'error': done.stderr[-500:]}
    rows = (dict(zip(FIELDS, line.split('\t'))) for line in done.stdout.splitlines())
    return {int(row['frame.number']): row for row in rows}


def read_pipe(workplace, path, *options):
    with subprocess.Popen(['cat', path], stdout=subprocess.PIPE) as cat:
        return read(workplace, *options, stdin=cat.stdout)


def read_with_sharkd(workplace, paths):
    """All loaded by one process, one after another. The verdicts of each."""
    columns = {f'column{place}': f'{field}:0' for place, field in enumerate(FIELDS)}
    answers = ask_sharkd(workplace, [request for path in paths for request in (
        {'method': 'load', 'params': {'file': path}}, {'method': 'frames', 'params': columns})])
    for rows in answers[1::2]:
        # A column has the unit behind the number.
        shown = (dict(zip(FIELDS, (cell.removesuffix(' bytes') for cell in row['c']))) for row in rows or () if row['c'][1])
        yield {int(row['frame.number']): row for row in shown}


# Other files with the same packets

def reordered(path, target):
    subprocess.run(['reordercap', path, target], check=True, capture_output=True)


def as_pcap(path, target):
    subprocess.run(['editcap', '-F', 'pcap', path, target], check=True, capture_output=True)


def split_and_merged(path, target):
    """Parts of three packets, or of one where there are few. mergecap orders by time, which these captures do themselves."""
    few = os.path.getsize(path) < 1000
    subprocess.run(['editcap', '-c', '1' if few else '3', path, target + '.part'], check=True, capture_output=True)
    root, ending = os.path.splitext(target + '.part')
    parts = sorted(glob.glob(glob.escape(root) + '_*' + ending))
    if len(parts) < 2:
        raise AssertionError(f'{path} was not split')
    subprocess.run(['mergecap', '-w', target, *parts], check=True, capture_output=True)
    for part in parts:
        os.remove(part)


COPIES = (reordered, as_pcap, split_and_merged)


def is_in_order(path):
    done = subprocess.run(['capinfos', '-o', '-T', '-r', path], capture_output=True, text=True, check=True)
    return done.stdout.split('\t')[-1].strip() == 'True'


# What differs

def name_differences(expected, got):
    frames = sorted(set(expected) | set(got), key=str)
    return [f'#{frame}: {got.get(frame)} instead of {expected.get(frame)}' for frame in frames if got.get(frame) != expected.get(frame)]


def why_one_pass_differs(one, two):
    """One reset, before and after the rest of the file has been seen. None where that is no reason."""
    if one['rstcause'] != two['rstcause']:
        if one['rstcause.confidence'] == 'certain' and two['rstcause.confidence'] == 'certain':
            return None
        return 'what came behind it shows another cause'
    if CERTAINTY.index(one['rstcause.confidence']) < CERTAINTY.index(two['rstcause.confidence']):
        return 'what came behind it proves the cause'
    if one['rstcause.pattern'] != two['rstcause.pattern']:
        return 'resets behind it show the situation' if not one['rstcause.pattern'] else 'resets behind it show another situation'
    if one['rstcause.detail'] != two['rstcause.detail'] or one['rstcause.trigger'] != two['rstcause.trigger']:
        return 'what came behind it shows the detail or the trigger'
    return 'what came behind it changes the confidence or the harm'


def compare_passes(one, two, reasons):
    """What of one pass is not to be explained."""
    if one.keys() != two.keys():
        return [f'resets {sorted(one, key=str)}, not {sorted(two, key=str)}']
    wrong = []
    for frame, verdict in one.items():
        if verdict == two[frame]:
            continue
        reason = why_one_pass_differs(verdict, two[frame])
        reasons[reason] += 1
        if reason is None:
            wrong.append(f'#{frame}: {verdict} in one pass, {two[frame]} in two')
    return wrong


def test_copies(tap, workplace, name, path, two):
    if not is_in_order(path):
        tap.skip(f'{name}, other files', 'its frames are not in the order of their stamps')
        return
    for make in COPIES:
        target = os.path.join(workplace.folder, 'copy.pcap')
        make(path, target)
        os.chmod(target, 0o644)
        differences = name_differences(two, read(workplace, '-2', '-r', target))
        tap.check(not differences, f'{name}, {make.__name__.replace("_", " ")}', '\n'.join(differences))
        os.remove(target)


def choose(captures):
    return [capture for place, capture in enumerate(captures) if place % 3 == 0 or os.path.exists(capture + '.expected-2.tsv')]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--all', action='store_true')
    parser.add_argument('captures', nargs='*')
    args = parser.parse_args()
    tap, reasons = Tap(), Counter()
    with Workplace() as workplace:
        chosen = args.captures or (find_captures() if args.all else choose(find_captures()))
        paths = [workplace.hold(capture) for capture in chosen]
        verdicts = [read(workplace, '-2', '-r', path) for path in paths]
        shown = sum(map(len, verdicts))
        tap.check(args.captures or shown >= LEAST_SHOWN, f'{len(paths)} captures, {shown} resets')
        for path, two, loaded in zip(paths, verdicts, read_with_sharkd(workplace, paths)):
            name = os.path.basename(path)
            differences = name_differences(two, loaded)
            tap.check(not differences, f'{name}, sharkd after others', '\n'.join(differences))
            one = read(workplace, '-r', path)
            wrong = compare_passes(one, two, reasons)
            tap.check(not wrong, f'{name}, one pass', '\n'.join(wrong))
            for title, options in (('-r -', ('-r', '-')), ('-i -', ('-i', '-'))):
                differences = name_differences(one, read_pipe(workplace, path, *options))
                tap.check(not differences, f'{name}, pipe, {title}', '\n'.join(differences))
            test_copies(tap, workplace, name, path, two)
    for reason, count in reasons.most_common():
        print(f'# {count} resets differ in one pass: {reason}')
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
