#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input: captures cut anywhere, with errors, with resets only, and captures from the wild.

Whatever the input, tshark does not crash, prints no dissector bug, and every reset has exactly one cause, in one
pass and in two. RSTCAUSE_WILD names the folder with wild captures. RSTCAUSE_ASAN=true says that the plugin was built with
RSTCAUSE_SANITIZE; it is slow, so only a part is run then.
"""
import glob
import os
import subprocess
import sys

from capture_test import ENDINGS, find_captures
from tap import Tap
from workplace import REPOSITORY, Workplace

WILD = os.environ.get('RSTCAUSE_WILD') or os.path.join(os.path.dirname(REPOSITORY), 'shared', 'wild-captures')
CUTS = (14, 20, 33, 34, 35, 40, 46, 47, 48, 49, 53, 54, 55, 58, 62, 67, 68, 73, 74, 75, 86, 94, 120, 300)
WHOLE_HEADERS = 94   # from here on the cut leaves whole TCP headers
SEEDS = range(1, 13)
ERROR_RATE = '0.02'
FINE = (0, 2)   # 2: the file ends in the middle of a packet, or has a record that tshark refuses
FIELDS = ('frame.number', 'frame.protocols', 'tcp.flags.reset', 'rstcause', 'rstcause.explanation',
          'rstcause.evidence', '_ws.expert.message')
SET = ('1', 'True', 'Set')


def count_live_resets(protocols, flags):
    """Resets that tshark saw, without those that an ICMP error quotes."""
    layers = protocols.split(':')
    quotes = [layers.index(name) for name in ('icmp', 'icmpv6') if name in layers]
    live = layers[:min(quotes)] if quotes else layers
    return [flag in SET for flag in flags[:live.count('tcp')]].count(True)


def find_faults(output):
    """What is wrong in the table that tshark printed."""
    faults = []
    for line in output.splitlines():
        cells = line.split('\t')
        if 'Dissector bug' in line:
            faults.append(line)
        if len(cells) != len(FIELDS):
            faults.append(f'not a row of the table: {line}')
            continue
        row = dict(zip(FIELDS, cells))
        resets = count_live_resets(row['frame.protocols'], row['tcp.flags.reset'].split('|'))
        causes = len(row['rstcause'].split('|')) if row['rstcause'] else 0
        # A header that ends between its flags and its window is a reset to us; tshark names no flag.
        if causes < resets or (causes > resets and row['tcp.flags.reset']):
            faults.append(f'frame {row["frame.number"]}: {resets} resets, {causes} causes')
    return faults


def check(tap, workplace, path, name, has_tcp=True):
    """`has_tcp` is False where so little is left of each frame that there may be no TCP header."""
    faults = []
    for options in ((), ('-2',)):
        argv = ['tshark', '-r', path, *options, '-Y', 'tcp', '-T', 'fields', '-E', 'aggregator=|']
        for field in FIELDS:
            argv += ['-e', field]
        done = workplace.run(*argv)
        if done.returncode not in FINE:
            faults.append(f'status {done.returncode} {" ".join(options)}: {done.stderr[-2000:]}')
        faults += find_faults(done.stdout)
        if has_tcp and not done.stdout:
            faults.append(f'no TCP segment {" ".join(options)}: {done.stderr[-2000:]}')
    # As a person sees it: every field formatted.
    shown = workplace.run('tshark', '-r', path, '-V', '-Y', 'rstcause')
    if shown.returncode not in FINE or 'Dissector bug' in shown.stdout:
        faults.append(f'status {shown.returncode} with -V: {shown.stderr[-2000:]}')
    tap.check(not faults, name, '\n'.join(faults[:10]))


def check_first_pass_filters(tap, workplace, path):
    """A filter on the first pass drops frames after they were dissected, and gives their numbers to others."""
    faults = []
    for first_pass in ('tcp.flags.reset == 0', 'tcp.flags.reset == 1', 'tcp.len == 0'):
        done = workplace.run('tshark', '-2', '-R', first_pass, '-r', path, '-T', 'fields', '-e', 'rstcause')
        if done.returncode not in FINE or 'Dissector bug' in done.stdout:
            faults.append(f'status {done.returncode} with -2 -R {first_pass}: {done.stderr[-2000:]}')
    tap.check(not faults, 'filters on the first pass', '\n'.join(faults))


def edit(workplace, source, *options):
    """A changed copy of a capture, for one check."""
    path = os.path.join(workplace.folder, 'edited.pcapng')
    subprocess.run(['editcap', *options, source, path], check=True, capture_output=True)
    return path


def merge(workplace, captures):
    path = os.path.join(workplace.folder, 'merged.pcapng')
    subprocess.run(['mergecap', '-a', '-w', path, *captures], check=True, capture_output=True)
    return path


def find_wild():
    return sorted(path for path in glob.glob(os.path.join(WILD, '**', '*'), recursive=True) if path.endswith(ENDINGS))


def use_sanitizer(workplace):
    library = subprocess.run(['gcc', '-print-file-name=libasan.so'], capture_output=True, text=True,
                             check=True).stdout.strip()
    workplace.settings.update({'LD_PRELOAD': library, 'ASAN_OPTIONS': 'detect_leaks=0'})


def main():
    tap = Tap()
    cuts, seeds = CUTS, SEEDS
    with Workplace() as workplace:
        wild = find_wild()
        if not wild:
            tap.skip('wild captures', f'none in {WILD}')
        if os.environ.get('RSTCAUSE_ASAN') == 'true':
            use_sanitizer(workplace)
            cuts, seeds = CUTS[::4], SEEDS[:3]
        else:
            for capture in wild:
                check(tap, workplace, workplace.hold(capture), os.path.basename(capture))

        merged = merge(workplace, find_captures() + wild)
        check(tap, workplace, merged, 'all in one file')
        check_first_pass_filters(tap, workplace, merged)
        for cut in cuts:
            check(tap, workplace, edit(workplace, merged, '-s', str(cut)), f'cut after {cut} bytes',
                  has_tcp=cut >= WHOLE_HEADERS)
        for seed in seeds:
            check(tap, workplace, edit(workplace, merged, '-E', ERROR_RATE, '--seed', str(seed)),
                  f'errors with seed {seed}')
        resets = os.path.join(workplace.folder, 'resets.pcapng')
        subprocess.run(['tshark', '-r', merged, '-Y', 'tcp.flags.reset == 1', '-w', resets], capture_output=True,
                       check=True)
        check(tap, workplace, resets, 'resets only')
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
