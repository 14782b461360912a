#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The bound on the memory for connections, as tshark shows it: said once, on one frame, in one pass and in two, and not where
the bound is not reached, or there is none.

The capture is a flood of SYNs, with one connection that goes on through it and one that rests; both are reset at the end.
"""
import os
import random
import sys

from benchmark import ACK, PSH, RST, SYN, Capture, End
from tap import Tap
from workplace import Workplace

BOUND = ('-o', 'rstcause_proto.connection_memory:1')
NO_BOUND = ('-o', 'rstcause_proto.connection_memory:0')
SYNS = 8_000
IP_ID, WINDOW = 14 + 4, 14 + 20 + 14   # in a frame; Linux writes 0 into those of an answer
WORDS = 'The memory for connections (1 MB, a preference of RST cause) is used up'


def open_connection(capture, client, server):
    for sender, peer, flags, payload in ((client, server, SYN, b''), (server, client, SYN | ACK, b''), (client, server, ACK, b''),
                                         (client, server, PSH | ACK, b'a request'), (server, client, PSH | ACK, b'an answer'),
                                         (client, server, ACK, b'')):
        capture.write(sender.segment(peer, flags, payload), 1_000_000)


def reset(capture, client, server):
    """The server does not know the connection: its reset answers the client's next request."""
    capture.write(client.segment(server, PSH | ACK, b'a request'), 1_000_000)
    answer = bytearray(server.segment(client, RST))
    answer[IP_ID:IP_ID + 2] = answer[WINDOW:WINDOW + 2] = bytes(2)
    capture.write(bytes(answer), 100_000)


def make_capture(path):
    rng = random.Random(17)
    capture = Capture(path)
    pairs = [(End(bytes((10, 0, 0, number)), 40000, rng), End(bytes((192, 0, 2, number)), 443, rng)) for number in (1, 2)]
    for client, server in pairs:
        open_connection(capture, client, server)
    for number in range(SYNS):
        flooder = End(bytes((172, 16, number >> 8, number & 255)), 1024, rng)
        capture.write(flooder.segment(pairs[0][1], SYN), 100_000)
        if number % 100 == 0:
            client, server = pairs[0]
            capture.write(client.segment(server, PSH | ACK, b'more'), 100_000)
            capture.write(server.segment(client, ACK), 100_000)
    for client, server in pairs:
        reset(capture, client, server)
    capture.file.close()
    os.chmod(path, 0o644)
    return capture.frames


def show(workplace, capture, *options):
    """Of each frame with anything of the plugin: its number, causes, explanations, expert messages."""
    fields = ('frame.number', 'rstcause', 'rstcause.explanation', '_ws.expert.message')
    argv = ['tshark', '-r', capture, *options, '-Y', 'rstcause || rstcause.forgotten', '-T', 'fields']
    for field in fields:
        argv += ['-e', field]
    done = workplace.run(*argv)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return [line.split('\t') for line in done.stdout.splitlines()]


def forgotten(rows):
    return [row for row in rows if WORDS in row[3]]


def verdicts(rows):
    return [row[:3] for row in rows if row[1]]


def main():
    tap = Tap()
    with Workplace() as workplace:
        capture = os.path.join(workplace.folder, 'flood.pcap')
        frames = make_capture(capture)
        free, free_twice = show(workplace, capture), show(workplace, capture, '-2')
        tap.check(not forgotten(free) and not forgotten(free_twice), 'a capture of a few thousand connections is far from the bound')
        tap.check(not forgotten(show(workplace, capture, *NO_BOUND, '-2')), '0 is no bound')
        tap.check([row[1] for row in free] == ['half-open', 'half-open'], 'both resets are told without a bound', str(free))

        bound, twice = show(workplace, capture, *BOUND), show(workplace, capture, *BOUND, '-2')
        tap.check(len(forgotten(bound)) == 1, 'what is forgotten is said once', str(bound))
        tap.check(forgotten(bound) == forgotten(twice), 'and on the same frame in two passes', f'{bound}\n{twice}')
        tap.check(forgotten(bound) and 1000 < int(forgotten(bound)[0][0]) < frames - 4, 'which is where it began', str(bound))
        tap.check(verdicts(bound)[0] == verdicts(free)[0] and verdicts(twice)[0] == verdicts(free_twice)[0],
                  'who went on is judged as without a bound', f'{verdicts(bound)}\n{verdicts(free)}')
        tap.check(len(verdicts(bound)) == 2 and verdicts(bound)[1] != verdicts(free)[1], 'who rested is not known any more', str(bound))
        summary = workplace.run('tshark', '-q', '-r', capture, *BOUND, '-z', 'expert')
        tap.check('idle longest are forgotten' in summary.stdout, 'the expert information lists it', summary.stdout)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
