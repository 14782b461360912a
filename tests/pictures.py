#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the README's pictures from the real Wireshark window, under Xvfb. To be looked at before they are committed.

  pictures.py [NAME…]     all, or those named; into plugin/pictures/

Uses the plugin that tests/run built. Exit status 77 where a program is missing.
"""
import argparse
import os
import struct
import sys

from gui_test import CANNOT_RUN, PROFILE
from window import PATIENCE, Window, find_missing, virtual_screen
from workplace import REPOSITORY, Workplace

FOLDER = os.path.join(REPOSITORY, 'plugin', 'pictures')
HALF_OPEN = ('keepalive-meets-restarted-server-v4-client',)
# One of each kind that a reader may meet.
MIXED = ('closed-port-v4-client', 'abort-with-data-in-flight-v4-client', 'data-after-close-v4-client', 'client-loses-power-v4-client',
         'late-duplicate-meets-time-wait-v4-client', 'close-unread-v4-client', 'reconnect-from-same-port-v4-client')
SECOND = 10**9


def read_packets(name):
    """Times in nanoseconds, lengths on the wire and bytes of a capture of ours."""
    with open(os.path.join(REPOSITORY, 'test-captures', f'{name}.pcap'), 'rb') as file:
        data = file.read()
    unit, at = 1 if data[:4] == b'\x4d\x3c\xb2\xa1' else 1000, 24
    while at < len(data):
        seconds, fraction, captured, length = struct.unpack_from('<IIII', data, at)
        yield seconds * SECOND + fraction * unit, length, data[at + 16:at + 16 + captured]
        at += 16 + captured


def write_one_after_the_other(path, names):
    """A capture in which each begins a second after the one before has ended."""
    now = 0
    with open(path, 'wb') as file:
        file.write(b'\x4d\x3c\xb2\xa1' + struct.pack('<HHiIII', 2, 4, 0, 0, 262144, 1))
        for name in names:
            packets = list(read_packets(name))
            begin = now + SECOND
            for time, length, packet in packets:
                now = begin + time - packets[0][0]
                file.write(struct.pack('<IIII', now // SECOND, now % SECOND, len(packet), length) + packet)
    os.chmod(path, 0o644)


def show_packet_list(window):
    """Resets and what they answer, each reset in the colour of its severity."""
    window.click('Resets')


def show_details(window):
    """What is said of a keep-alive probe that met a restarted server."""
    window.click('half-open')
    window.click('TCP reset cause: half-open')
    window.do('key', 'Right')


def show_expert_information(window):
    window.choose('Analyze', 'Expert Information')


def show_statistics(window):
    window.choose('Statistics', 'TCP Resets', 'By cause')


def show_incidents(window):
    window.choose('Statistics', 'TCP Reset Incidents')
    window.shows('Did harm', PATIENCE)
    # Room for the columns at the right.
    window.do('getactivewindow', 'windowmove', 10, 300, 'windowsize', 1250, 420)


# Name of the picture: its captures, what brings the window there, and words that only the picture that is wanted shows.
PICTURES = {
    'packet-list': (MIXED, show_packet_list, 'Displayed:'),
    'half-open': (HALF_OPEN, show_details, 'had restarted or lost the connection'),
    'expert-information': (MIXED, show_expert_information, 'Reset, half-open'),
    'statistics': (MIXED, show_statistics, 'Topic / Item'),
    'incidents': (MIXED, show_incidents, 'Did harm'),
}


def take(display, name):
    captures, show, wanted = PICTURES[name]
    with Workplace() as workplace:
        # The title shows its name, which must not be what is looked for.
        path = os.path.join(workplace.folder, 'example.pcap')
        write_one_after_the_other(path, captures)
        # A segment of one byte on port 6666 is no malformed SigComp.
        with Window(workplace, display, '-C', PROFILE, '--disable-protocol', 'sigcomp', '-r', path) as window:
            if not window.shows(f'Profile: {PROFILE}', PATIENCE):
                sys.exit(f'{name}: the window did not open')
            show(window)
            if not window.shows(wanted, PATIENCE):
                sys.exit(f'{name}: "{wanted}" is not shown:\n{window.text()}')
            window.take_picture(os.path.join(FOLDER, f'{name}.png'))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='NAME', help=', '.join(PICTURES))
    names = parser.parse_args().names or list(PICTURES)
    unknown = [name for name in names if name not in PICTURES]
    if unknown:
        parser.error(f'no such picture: {", ".join(unknown)}')
    missing = find_missing()
    if missing:
        print(f'# skipped: no {", ".join(missing)}')
        return CANNOT_RUN
    for name in names:
        with virtual_screen() as display:
            take(display, name)
    return 0


if __name__ == '__main__':
    sys.exit(main())
