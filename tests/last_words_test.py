#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What was said around a reset: the last words of the application before it, and the note of a capturing device.

The captures' tables say the same of every reset; here stands why it is right, and that it does not depend on what
else a user asks Wireshark for, on where the capture begins, or on which of Wireshark's dissectors are at work.
"""
import os
import re
import struct
import sys

from capture_test import CAPTURES
from tap import Tap
from workplace import Workplace

LAST_WORDS = os.path.join(CAPTURES, 'last-words.pcap')
STATED_F5 = os.path.join(CAPTURES, 'stated-f5.pcap')

# Each reset of last-words.pcap, in order: what was said, and the filter that finds the frame of it.
RESETS = (
    ('503 Service Unavailable, Connection: close', 'HTTP status 503 Service Unavailable, Connection: close',
     'http.response.code == 503'),
    ('200 with Connection: close', 'HTTP status 200 OK, Connection: close',
     'http.response.code == 200 && http.connection'),
    ('200, and only the request has Connection: close', None, None),
    ('a fatal TLS alert', 'TLS alert Handshake Failure (40), level Fatal (2)', 'tls.alert_message.desc == 40'),
    ('an encrypted TLS alert', 'TLS alert, encrypted', 'tls.alert_message && !tls.alert_message.desc'),
    ('SMTP 421', 'SMTP reply 421 <domain> Service not available, closing transmission channel',
     'smtp.response.code == 421'),
    ('SMTP 250', None, None),
    ('FTP 530, with an escape sequence', 'FTP reply 530 Not logged in', 'ftp.response.code == 530'),
    ('FTP 221', 'FTP reply 221 Service closing control connection', 'ftp.response.code == 221'),
    ('an SSH disconnect', 'SSH disconnect, reason 3 (key exchange failed)', 'ssh.message_code == 1'),
)
APPLICATIONS = ('http', 'tls', 'smtp', 'ftp', 'ssh')
ASKED = (
    ('one pass', ()),
    ('two passes', ('-2',)),
    ('a filter for the same fields', ('-Y', 'rstcause || http.response.code || tls.alert_message || ftp || smtp')),
    ('details of all frames', ('-V',)),
    ('no dissector of applications', sum((['--disable-protocol', name] for name in APPLICATIONS), [])),
)


def print_fields(workplace, capture, display_filter, *fields):
    """Of each frame that the filter finds, the fields; several values of one are divided by '|'."""
    argv = ['tshark', '-r', capture, '-Y', display_filter, '-T', 'fields', '-E', 'aggregator=|']
    for field in fields:
        argv += ['-e', field]
    return [line.split('\t') for line in workplace.run(*argv).stdout.splitlines()]


def test_words(tap, workplace, capture):
    evidence = [row[0].split('|') for row in print_fields(workplace, capture, 'rstcause', 'rstcause.evidence')]
    tap.check(len(evidence) == len(RESETS), 'one reset in each connection', f'{len(evidence)}')
    for (name, words, display_filter), lines in zip(RESETS, evidence):
        said = [line for line in lines if line.startswith('last words')]
        expected = []
        if words is not None:
            frames = print_fields(workplace, capture, display_filter, 'frame.number')
            expected = [f'last words of its application in #{frames[-1][0]}: {words}']
        tap.check(said == expected, name, f'{said}, not {expected}')


def test_asked_otherwise(tap, workplace, capture):
    """The items of the tree, which stand in brackets, as Wireshark made them. A long one goes on in the next line."""
    expected = [words for _, words, _ in RESETS if words is not None]
    for name, options in ASKED:
        argv = ['tshark', '-r', capture, *options]
        if name != 'details of all frames':
            argv += ['-O', 'rstcause_proto']
        lines = re.sub(r'\]\n +\[    ', ' ', workplace.run(*argv).stdout).splitlines()
        said = [line.rstrip(']').split(': ', 2)[-1] for line in lines if 'last words of its application in #' in line]
        tap.check(said == expected, f'last words with {name}', f'{said}, not {expected}')


def test_first_frame(tap, workplace):
    """Of the first connection only what its server said, and its reset: nothing of HTTP was met before."""
    with open(LAST_WORDS, 'rb') as file:
        data = file.read()
    frames, at = [], 24
    while at < len(data):
        length = 16 + struct.unpack_from('<I', data, at + 8)[0]
        frames.append(data[at:at + length])
        at += length
    cut = os.path.join(workplace.folder, 'cut.pcap')
    with open(cut, 'wb') as file:
        file.write(data[:24] + b''.join(frames[5:10]))
    os.chmod(cut, 0o644)
    evidence = print_fields(workplace, cut, 'rstcause', 'rstcause.evidence')
    words = f'last words of its application in #3: {RESETS[0][1]}'
    tap.check(len(evidence) == 1 and words in evidence[0][0].split('|'), 'words at the beginning of a capture',
              f'{evidence}')


def test_device_note(tap, workplace):
    """BIG-IP's trailer, and the same one with the bit that says "on the connection to the other side"."""
    with open(STATED_F5, 'rb') as file:
        data = file.read()
    reason = b'Flow expired (sweeper)'
    # Before the text stand two bytes of line, six of code, and one with the version and this bit.
    at = data.rindex(reason) - 2 - 6 - 1
    changed = os.path.join(workplace.folder, 'peer.pcap')
    with open(changed, 'wb') as file:
        file.write(data[:at] + bytes([data[at] | 1]) + data[at + 1:])
    os.chmod(changed, 0o644)
    for name, capture, place in (('the trailer', workplace.hold(STATED_F5), ''),
                                 ('the trailer of the other side', changed, ', on its connection to the other side')):
        stated = print_fields(workplace, capture, 'rstcause && f5ethtrailer.rstcausetxt', 'rstcause.stated')
        expected = [[f'BIG-IP: Flow expired (sweeper){place} (code 0x2409a71, line 704)']]
        tap.check(stated == expected, f'what BIG-IP notes in {name}', f'{stated}, not {expected}')


def main():
    tap = Tap()
    with Workplace() as workplace:
        capture = workplace.hold(LAST_WORDS)
        test_words(tap, workplace, capture)
        test_asked_otherwise(tap, workplace, capture)
        test_first_frame(tap, workplace)
        test_device_note(tap, workplace)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
