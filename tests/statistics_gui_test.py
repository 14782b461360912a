#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The entries of Statistics in the real Wireshark window, under Xvfb: each is clicked, and shows what was counted.

  statistics_gui_test.py [--keep FOLDER]     keeps the pictures

The menus are read and clicked as a person does it: where the words stand in the picture. Exit status 77 where a program
is missing.
"""
import argparse
import os
import sys

from gui_test import CANNOT_RUN
from tap import Tap
from window import PATIENCE, Window, find_missing, virtual_screen
from workplace import REPOSITORY, Workplace

CAPTURE = os.path.join(REPOSITORY, 'test-captures', 'abort-with-data-in-flight-v4-client.pcap')
# What each entry must show.
ENTRIES = (
    (('TCP Reset Incidents',), ('already-reset', 'abort', '198.51.100.10:6666', 'Did harm')),
    (('TCP Resets', 'By cause'), ('already-reset', 'abort', 'Severity', 'warning')),
    (('TCP Resets', 'By service'), ('198.51.100.10:6666', 'server')),
    (('TCP Resets', 'By host'), ('198.51.100.10', 'Sent by')),
)


def test_entry(tap, workplace, capture, display, path, wanted, keep):
    """A window of its own for each: the one before would hide what is read."""
    title = ' ▸ '.join(('Statistics', *path))
    with Window(workplace, display, '-r', capture) as window:
        is_open = window.shows('Destination', PATIENCE)
        is_chosen = is_open and window.choose('Statistics', *path)
        lacking = [words for words in wanted if not is_chosen or not window.shows(words, 20)]
        if keep:
            window.take_picture(os.path.join(keep, f'{"-".join(path).lower().replace(" ", "-")}.png'))
        tap.check(is_chosen and not lacking, title, f'not found: {lacking}\n{window.text()}' if lacking or not is_chosen else '')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--keep', metavar='FOLDER')
    keep = parser.parse_args().keep
    missing = find_missing()
    if missing:
        print(f'# skipped: no {", ".join(missing)}')
        return CANNOT_RUN
    if keep:
        os.makedirs(keep, exist_ok=True)
    tap = Tap()
    with Workplace() as workplace, virtual_screen() as display:
        capture = workplace.hold(CAPTURE)
        for path, wanted in ENTRIES:
            test_entry(tap, workplace, capture, display, path, wanted, keep)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
