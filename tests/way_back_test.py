#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the glue shows of a verdict besides its fields: the way back from a trigger to its reset, the mark in the Info
column, the lines of the details, and the help that Wireshark gives of each field.
"""
import os
import re
import sys

from capture_test import find_captures
from encapsulation_test import OTHER, STATION, WLAN, logical_link, read_packets, wlan_header, write_capture
from redissection_test import ask_sharkd, find_filters
from tap import Tap
from workplace import REPOSITORY, Workplace

EVERY = 4   # a sample of the captures is enough: what is tested is the glue
WIDEST = 70   # characters, without brackets and indentation of the tree
HALF_OPEN = 'client-loses-power-v4-client'
BURST = 'abort-with-data-in-flight-v4-client'


def hold(workplace, name):
    return workplace.hold(os.path.join(REPOSITORY, 'test-captures', f'{name}.pcap'))


def read_fields(workplace, path, fields, *options):
    fields = sum((['-e', field] for field in fields), [])
    done = workplace.run('tshark', '-r', path, *options, '-T', 'fields', *fields)
    return [line.split('\t') for line in done.stdout.splitlines()]


def expect_ways_back(workplace, path):
    """From the verdicts: each trigger leads to the first reset that names it, and copies count for nothing."""
    expected = {}
    for frame, trigger, detail in read_fields(workplace, path, ('frame.number', 'rstcause.trigger', 'rstcause.detail'),
                                              '-2', '-Y', 'rstcause'):
        if trigger and detail != 'copy':
            expected.setdefault(trigger, frame)
    return expected


def check_what_answers(tap, workplace, name, path, ways):
    """What a trigger says of its reset is what the reset says of itself."""
    said = ('rstcause', 'rstcause.severity', 'rstcause.confidence')
    told = ('rstcause.reset_cause', 'rstcause.reset_severity', 'rstcause.reset_confidence')
    of_resets = {frame: row for frame, *row in read_fields(workplace, path, ('frame.number', *said), '-2', '-Y', 'rstcause')}
    of_triggers = {frame: row for frame, *row in read_fields(workplace, path, ('frame.number', *told), '-2') if any(row)}
    tap.check(of_triggers == {frame: of_resets[reset] for frame, reset in ways.items()}, f'{name}, what triggers say',
              f'{of_triggers}, {of_resets}')


def check_ways_back(tap, workplace, capture):
    name, path = os.path.basename(capture), workplace.hold(capture)
    rows = read_fields(workplace, path, ('frame.number', 'rstcause.reset_in', 'rstcause'), '-2')
    found = {frame: reset for frame, reset, _ in rows if reset}
    expected = expect_ways_back(workplace, path)
    tap.check(found == expected, f'{name}, ways back', f'{found}, not {expected}')
    both = [row for row in rows if row[1] and row[2]]
    tap.check(not both, f'{name}, no trigger has a cause', str(both))
    check_what_answers(tap, workplace, name, path, found)
    return found


def check_first_pass(tap, workplace):
    """In the first pass nobody knows yet what will be answered."""
    rows = read_fields(workplace, hold(workplace, BURST), ('rstcause.reset_in', 'rstcause.trigger'))
    tap.check(any(trigger for _, trigger in rows) and not any(reset for reset, _ in rows), 'no way back in one pass', str(rows))


def check_dropped_frames(tap, workplace):
    """-2 -R gives the number of a dropped frame to the next: nothing may lead back from a frame that is no trigger."""
    rows = read_fields(workplace, hold(workplace, BURST), ('rstcause.reset_in', 'rstcause'), '-2', '-R', 'tcp.flags.reset == 1')
    tap.check(any(cause for _, cause in rows) and not any(reset for reset, _ in rows), 'no way back where -R drops frames',
              str(rows))


def check_sharkd(tap, workplace):
    """Frames dissected again, backwards."""
    path = hold(workplace, BURST)
    expected = expect_ways_back(workplace, path)
    triggers = sorted(map(int, expected), reverse=True)
    _, *answers = ask_sharkd(workplace, [{'method': 'load', 'params': {'file': path}},
                                         *({'method': 'frame', 'params': {'frame': frame, 'proto': True}} for frame in triggers)])
    found = [next((f.split()[-1] for f in find_filters(answer['tree']) if f.startswith('rstcause.reset_in ==')), None)
             for answer in answers]
    tap.check(len(found) == 3 and found == [expected[str(frame)] for frame in triggers], 'ways back in sharkd', f'{found}, {expected}')


def put_in_one_frame(packets):
    """A-MSDU (IEEE 802.11-2020 section 9.3.2.2): several packets to the access point in one frame, each but the last padded."""
    body = b''
    for packet in packets:
        packet = logical_link(packet)
        body += bytes(-len(body) % 4) + OTHER + STATION + len(packet).to_bytes(2, 'big') + packet
    return wlan_header(b'\x80\0') + body


def check_two_in_a_frame(tap, workplace):
    """Two resets in a frame: the marks are in the order of the layers, as the fields are."""
    path = os.path.join(workplace.folder, 'two.pcap')
    (one, magic), (other, _) = read_packets(HALF_OPEN), read_packets('closed-port-v4-client')
    *before_one, (seconds, fraction, reset) = one
    number, refused = next((at, packet) for at, (_, _, packet) in enumerate(other) if packet[20 + 13] & 4)
    before = [(seconds, fraction, put_in_one_frame([packet])) for _, _, packet in other[:number]]
    before = [(s, f, put_in_one_frame([packet])) for s, f, packet in before_one] + before
    for title, both in (('refusal last', (reset, refused)), ('refusal first', (refused, reset))):
        write_capture(path, before + [(seconds, fraction, put_in_one_frame(both))], magic, WLAN)
        causes = ','.join(row[0] for row in read_fields(workplace, path, ('rstcause',), '-Y', 'rstcause')).split(',')
        marks = ''.join(rf'\[RST cause: {cause}\] ' for cause in causes)
        listed = workplace.run('tshark', '-r', path, '-Y', 'rstcause').stdout
        tap.check(sorted(causes) == ['closed-port', 'half-open'] and re.search(rf' {marks}\d+ → \d+ \[RST', listed),
                  f'two resets in a frame, {title}', listed)


def check_info_column(tap, workplace):
    """The cause comes first, before Wireshark's own words; not where the preference is off."""
    path = hold(workplace, HALF_OPEN)
    for preference, begins in (('TRUE', r'\[RST cause: half-open\] 22478 → 6666 \[RST\]'), ('FALSE', r'22478 → 6666 \[RST\]')):
        done = workplace.run('tshark', '-r', path, '-o', f'rstcause_proto.info_column:{preference}', '-Y', 'rstcause')
        tap.check(re.search(f' TCP 54 {begins}', done.stdout), f'the Info column, preference {preference}', done.stdout)


def check_lines(tap, workplace, capture):
    """The details begin with the explanation, each field has its whole text, and no line is too wide for its pane."""
    name, path = os.path.basename(capture), workplace.hold(capture)
    shown = workplace.run('tshark', '-r', path, '-Y', 'rstcause', '-O', 'rstcause_proto').stdout
    blocks = [block.split('[Expert Info')[0].splitlines() for block in re.split(r'^\[TCP reset cause: .*\n', shown, flags=re.MULTILINE)[1:]]
    told = [row[0] for row in read_fields(workplace, path, ('rstcause.explanation',), '-Y', 'rstcause')]
    tap.check(blocks and len(blocks) == len(told), f'{name}, details', f'{len(blocks)}, not {len(told)}')
    texts = [[re.sub(r'^ +\[|\]$', '', line) for line in block] for block in blocks]
    wrong = [line for lines in texts for line in lines if len(line) > WIDEST and ' ' in line.strip()]
    for lines, explanation in zip(texts, told):
        until = next(number for number, line in enumerate(lines) if line.startswith('RST cause: '))
        if ' '.join(' '.join(lines[:until]).split()) != explanation:
            wrong.append(f'{lines[:until]}, not {explanation}')
    tap.check(not wrong, f'{name}, lines of the details', '\n'.join(wrong))


def check_help(tap, workplace):
    """Each field is explained, in words that name no other field, and its name says as a title what it belongs to."""
    rows = [line.split('\t') for line in workplace.run('tshark', '-G', 'fields').stdout.splitlines()]
    rows = [row for row in rows if row[0] == 'F' and row[4] == 'rstcause_proto']
    fields = [row for row in rows if '.expert.' not in row[2]]
    wrong = [row for row in fields if not row[1].startswith(('RST ', 'Reset ')) or len(row[7].split()) < 5 or 'rstcause' in row[7]
             or 'verdict' in row[7]]
    tap.check(len(fields) > 15 and not wrong, 'every field is explained', str(wrong))
    groups = [row for row in rows if '.expert.' in row[2]]
    wrong = [row for row in groups if not row[1].startswith('Reset, ' + row[2].split('.')[-1].replace('_', '-') + ': ')]
    tap.check(len(groups) > 10 and not wrong, 'groups of expert infos begin with the cause', str(wrong))


def main():
    tap = Tap()
    with Workplace() as workplace:
        led_back = 0
        for capture in find_captures()[::EVERY]:
            led_back += len(check_ways_back(tap, workplace, capture))
        tap.check(led_back > 10, 'there are ways back', str(led_back))
        check_first_pass(tap, workplace)
        check_dropped_frames(tap, workplace)
        check_sharkd(tap, workplace)
        check_two_in_a_frame(tap, workplace)
        check_info_column(tap, workplace)
        for name in (HALF_OPEN, BURST):
            check_lines(tap, workplace, os.path.join(REPOSITORY, 'test-captures', f'{name}.pcap'))
        check_help(tap, workplace)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
