#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The entries of Statistics in the real Wireshark window, under Xvfb: each is clicked, and shows what was counted.

  statistics_gui_test.py [--keep FOLDER]     keeps the pictures

The menus are read and clicked as a person does it: where the words stand in the picture. Exit status 77 where a program
is missing.
"""
import argparse
import csv
import os
import shutil
import subprocess
import sys
import time

from gui_test import CANNOT_RUN, NEEDED, open_wireshark, prepare, shows, take_picture, virtual_screen
from tap import Tap
from workplace import REPOSITORY, Workplace

CAPTURE = os.path.join(REPOSITORY, 'test-captures', 'abort-with-data-in-flight-v4-client.pcap')
PATIENCE = 60   # seconds
SCALE = 2
# What each entry must show.
ENTRIES = (
    (('TCP Reset Incidents',), ('already-reset', 'abort', '198.51.100.10:6666', 'Did harm')),
    (('TCP Resets', 'By cause'), ('already-reset', 'abort', 'Severity', 'warning')),
    (('TCP Resets', 'By service'), ('198.51.100.10:6666', 'server')),
    (('TCP Resets', 'By host'), ('198.51.100.10', 'Sent by')),
)


class Screen:
    """What a person sees and does."""

    def __init__(self, display, folder):
        self.display = display
        self.folder = folder
        self.count = 0

    def look(self):
        """The words of the picture, in their order, each with the middle of its place."""
        self.count += 1
        path = os.path.join(self.folder, f'{self.count:02}.png')
        take_picture(self.display, path)
        large = path + '.large.png'
        subprocess.run(['convert', path, '-colorspace', 'Gray', '-resize', f'{100 * SCALE}%', large], check=True)
        done = subprocess.run(['tesseract', large, '-', '--psm', '11', 'tsv'], capture_output=True, text=True, check=True)
        os.remove(large)
        rows = csv.DictReader(done.stdout.splitlines(), delimiter='\t', quoting=csv.QUOTE_NONE)
        return [(row['text'], (int(row['left']) + int(row['width']) // 2) // SCALE, (int(row['top']) + int(row['height']) // 2) // SCALE)
                for row in rows if row['text'] and row['text'].strip()]

    def find(self, words):
        """Where the words stand, one behind the other on a line; None where they do not. The lowest, if several do."""
        seen = self.look()
        wanted = words.split()
        for at in reversed(range(len(seen) - len(wanted) + 1)):
            part = seen[at:at + len(wanted)]
            if [word for word, *_ in part] == wanted and max(y for *_, y in part) - min(y for *_, y in part) < 8:
                return part[0][1:]
        return None

    def press(self, *arguments):
        subprocess.run(['xdotool', *arguments], env={**os.environ, 'DISPLAY': self.display}, check=True)
        time.sleep(1)

    def click(self, words):
        """Waits for the words, and clicks on them. Returns whether they came."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            place = self.find(words)
            if place:
                self.press('mousemove', *map(str, place), 'click', '1')
                return True
            time.sleep(1)
        return False

    def wait_for(self, wanted):
        """The text once all the words are there, or as it is at last."""
        end = time.monotonic() + PATIENCE
        text = ''
        while time.monotonic() < end:
            text = ' '.join(word for word, *_ in self.look())
            if all(shows(text, words) for words in wanted):
                break
            time.sleep(1)
        return text


def test_entry(tap, workplace, capture, display, folder, path, wanted):
    """A window of its own for each: the one before would hide what is read."""
    title = ' ▸ '.join(('Statistics', *path))
    screen = Screen(display, folder)
    with open_wireshark(workplace, display, '-r', capture) as program:
        missing = [words for words in ('Statistics', *path) if not screen.click(words)]
        text = screen.wait_for(wanted)
        lacking = [words for words in wanted if not shows(text, words)]
        tap.check(not missing and not lacking and program.poll() is None, title, f'not found: {missing + lacking}\n{text}')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--keep', metavar='FOLDER')
    args = parser.parse_args()
    missing = [program for program in (*NEEDED, 'xdotool') if shutil.which(program) is None]
    if missing:
        print(f'# skipped: no {", ".join(missing)}')
        return CANNOT_RUN

    tap = Tap()
    with Workplace() as workplace, virtual_screen() as display:
        prepare(workplace)
        capture = workplace.hold(CAPTURE)
        for path, wanted in ENTRIES:
            folder = os.path.join(args.keep or workplace.folder, path[-1].replace(' ', '-'))
            os.makedirs(folder, exist_ok=True)
            test_entry(tap, workplace, capture, display, folder, path, wanted)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
