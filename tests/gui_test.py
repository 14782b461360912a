#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The real Wireshark window, under Xvfb: what a person finds there, and what each button and menu of ours does.

  gui_test.py [--keep FOLDER]     keeps a picture of the window after each step

The window is read as a person reads it: from its picture. Exit status 77 where a program is missing.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

from tap import Tap
from window import Window, find_missing, virtual_screen
from workplace import REPOSITORY, Workplace

CANNOT_RUN = 77
PROFILE = 'RST cause'
HALF_OPEN = 'client-loses-power-v4-client'
UNEXPLAINED = 'world-ovmf-probed-v4.client'   # resets that are only possible, and answer a segment
BUTTONS = ('Resets', 'Harmful', 'First', 'Unexplained')
COLUMN_WIDTH = 180   # as the profile has it
WIRESHARKS_RED = '#A40000'   # of all resets, in Wireshark's own colouring rules
COLOURS = {'warning': '#FFC880', 'chat': '#DEDEDE'}   # of severities, as the profile has them


class Steps:
    """The tests of one window, each with a picture."""

    def __init__(self, tap, window, keep):
        self.tap, self.window, self.keep, self.number = tap, window, keep, 0

    def check(self, passed, name, why=''):
        self.number += 1
        self.tap.check(passed, name, '' if passed else why or self.window.text())
        if self.keep:
            self.window.take_picture(os.path.join(self.keep, f'{self.tap.count:02}-{re.sub("[^a-z]+", "-", name.lower())}.png'))

    def shows(self, words, name):
        self.check(self.window.shows(words, 20), name)


def merge(workplace, *names):
    path = os.path.join(workplace.folder, 'mixed.pcap')
    subprocess.run(['mergecap', '-a', '-w', path, *(os.path.join(REPOSITORY, 'test-captures', f'{name}.pcap') for name in names)],
                   check=True)
    os.chmod(path, 0o644)
    return path


def count(workplace, capture, display_filter):
    done = workplace.run('tshark', '-2', '-r', capture, '-Y', display_filter, '-T', 'fields', '-e', 'frame.number')
    return len(done.stdout.split())


def read_buttons():
    with open(os.path.join(REPOSITORY, 'plugin', 'install', 'profile', PROFILE, 'dfilter_buttons'), encoding='utf-8') as file:
        rows = [line.split('","') for line in file]
    return {row[1]: row[2].replace('\\x22', '"') for row in rows}


def test_column(steps):
    window = steps.window
    steps.check(window.shows(f'Profile: {PROFILE}'), 'Wireshark opens with the profile')
    steps.shows('half-open', 'the column shows the cause')
    # The titles begin at the left edges of their columns, and are measured at their middle: half a title of five
    # characters more makes no difference here.
    title, info = window.find('RST cause'), window.find('Info')
    width = info[0] - title[0] if title and info else 0
    steps.check(abs(width - COLUMN_WIDTH) < 30, 'the column is as wide as the longest cause', str(width))


def test_buttons(steps, workplace, capture):
    """Each shows what its filter finds: the number stands in the status bar."""
    window, filters = steps.window, read_buttons()
    for name in BUTTONS:
        expected = count(workplace, capture, filters[name])
        window.click(name)
        if not window.shows(f'Displayed: {expected}', 20):
            # A busy window may lose a click.
            window.click(name)
        steps.check(expected > 0 and window.shows(f'Displayed: {expected}', 20), f'the button {name} shows {expected} packets')


def test_colours(steps):
    window = steps.window
    window.click('Resets')
    window.shows('already-reset', 20)
    window.take_picture()
    for severity, colour in COLOURS.items():
        steps.check(has_colour(window.picture, colour), f'resets of severity {severity} have their colour')


def test_only_this_connection(steps, workplace, capture):
    window = steps.window
    window.click('Resets')
    window.click('half-open')
    expected = count(workplace, capture, 'tcp.stream == 0')
    window.click('Only this connection')
    steps.shows(f'Displayed: {expected}', f'the button "Only this connection" shows {expected} packets')


def double_click_above(window, words, next_words):
    """On the line above these words, which is misread: it is underlined. How high lines are the next ones tell."""
    place, below = window.find(words, patience=10), window.find(next_words, patience=10)
    if place and below:
        window.do('mousemove', place[0], 2 * place[1] - below[1], 'click', '--repeat', 2, '--delay', 100, 1)
        window.do('mousemove', 5, 825)


def test_trigger(steps):
    """From a reset to what it answers, and the way back is told there; both are displayed."""
    window = steps.window
    window.click('Harmful')
    window.click('half-open')
    window.click('TCP reset cause: half-open')
    window.do('key', 'Right')
    steps.shows('had restarted or lost the connection', 'the details begin with the explanation')
    window.click('RST trigger: 12', times=2)
    steps.shows('reset #13 answers this packet', 'a double click on the trigger goes to a packet that is displayed')
    window.click('TCP reset cause: reset #13')
    window.do('key', 'Right')
    double_click_above(window, 'Reset cause: half-open', 'Reset severity: warning')
    steps.shows('TCP reset cause: half-open', 'and a double click there goes back')


def test_apply_as_column(steps):
    window = steps.window
    window.click('detail: data')
    window.do('key', 'ctrl+shift+i')
    detail, source = window.find('RST detail', patience=10), window.find('Source')
    steps.check(detail and source and abs(detail[1] - source[1]) < 12, 'a column of a field says what it is of')


def test_conversation_filter(steps, workplace, capture):
    window = steps.window
    expected = count(workplace, capture, 'tcp.stream == 0')
    window.click('Resets')
    window.click('half-open')
    window.choose('Analyze', 'Conversation Filter', 'RST cause: this connection')
    steps.shows(f'Displayed: {expected}', f'the conversation filter shows {expected} packets')


def test_completion(steps):
    window = steps.window
    window.click('tcp.stream')
    window.do('key', 'ctrl+a')
    window.do('type', '--delay', '150', 'rst')
    # One that the capture has not, so that it stands in the list of filters only.
    steps.shows('keepalive-timeout', 'typing "rst" offers filters by cause')
    window.do('key', 'Escape')
    window.do('key', 'ctrl+a')
    window.do('key', 'BackSpace')
    window.do('key', 'Return')


def test_expert_information(steps):
    window = steps.window
    window.choose('Analyze', 'Expert Information')
    steps.shows('Reset, half-open: the sender does not know', 'groups of Expert Information begin with the cause')
    window.do('key', 'Escape')


def test_graph(steps):
    window = steps.window
    # The first entry with this word; the slash is misread.
    window.choose('Statistics', 'Graphs')
    steps.shows('Resets: error', 'I/O Graphs has resets by severity')
    window.do('key', 'Escape')


def test_preferences(steps):
    window = steps.window
    window.do('key', 'ctrl+shift+p')
    window.click('Protocols')
    window.do('key', 'Right')
    # To the entry that begins so.
    window.do('type', '--delay', '150', 'RST cause')
    is_there = window.shows('What each cause, field and button means', 20)
    steps.check(is_there and window.shows(os.path.join(REPOSITORY, 'README.md')), 'the page of preferences says where the README is')
    window.do('key', 'Escape')


def test_profile(tap, display, keep):
    with Workplace() as workplace:
        capture = merge(workplace, HALF_OPEN, 'closed-port-v4-client', 'abort-with-data-in-flight-v4-client', UNEXPLAINED)
        with Window(workplace, display, '-C', PROFILE, '-r', capture) as window:
            steps = Steps(tap, window, keep)
            test_column(steps)
            test_buttons(steps, workplace, capture)
            test_colours(steps)
            test_only_this_connection(steps, workplace, capture)
            test_trigger(steps)
            test_apply_as_column(steps)
            test_conversation_filter(steps, workplace, capture)
            test_completion(steps)
            test_expert_information(steps)
            test_graph(steps)
            test_preferences(steps)


def test_other_profile(tap, display, keep):
    """Of the longest resets the cause is seen at 1,280 pixels, too."""
    with Workplace() as workplace:
        capture = merge(workplace, HALF_OPEN)
        with Window(workplace, display, '-r', capture) as window:
            steps = Steps(tap, window, keep)
            window.shows('Destination')
            # White on dark red is not read.
            window.do('key', 'ctrl+End')
            steps.check(window.shows('RST cause: half-open', 20), 'in another profile the Info column begins with the cause')


def has_colour(path, colour):
    """Is there more of it than a few pixels?"""
    done = subprocess.run(['convert', path, '-fill', 'black', '+opaque', colour, '-fill', 'white', '-opaque', colour, '-format',
                           '%[fx:mean*w*h]', 'info:'], capture_output=True, text=True, check=True)
    return float(done.stdout) > 2000


def test_without_plugin(tap, display, keep):
    """The profile alone: nothing complains in the window, and resets have Wireshark's colour."""
    with Workplace() as workplace:
        shutil.rmtree(os.path.join(workplace.home, '.local'))
        capture = merge(workplace, HALF_OPEN, 'closed-port-v4-client')
        with Window(workplace, display, '-C', PROFILE, '-r', capture) as window:
            steps = Steps(tap, window, keep)
            steps.check(window.shows(f'Profile: {PROFILE}'), 'without the plugin the profile opens')
            windows = subprocess.run(['xdotool', 'search', '--onlyvisible', '--class', 'wireshark'], capture_output=True, text=True,
                                     env={**os.environ, 'DISPLAY': display}, check=False).stdout.split()
            steps.check(len(windows) == 1, 'without the plugin nothing complains', str(windows))
            window.take_picture()
            steps.check(has_colour(window.picture, WIRESHARKS_RED), 'without the plugin resets have Wireshark\'s own colour')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--keep', metavar='FOLDER')
    args = parser.parse_args()
    missing = find_missing()
    if missing:
        print(f'# skipped: no {", ".join(missing)}')
        return CANNOT_RUN
    if args.keep:
        os.makedirs(args.keep, exist_ok=True)
    tap = Tap()
    with virtual_screen() as display:
        test_profile(tap, display, args.keep)
        test_other_profile(tap, display, args.keep)
        test_without_plugin(tap, display, args.keep)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
