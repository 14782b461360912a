#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the plugin costs: tshark's processor time with it over that without it.

  benchmark.py [--packets N] [--pairs N] [--control | --instructions]

Makes a capture of TCP connections as clients and servers have them (handshake with options, HTTP, TLS records and
an unknown protocol, acknowledgements, FIN or RST at the end), the same one each time. Runs tshark on it in pairs,
with and without the plugin, and prints the median of the pairs' ratios. "Without" is a home without the plugin, not a
disabled one: Wireshark makes trees for the fields that a disabled post-dissector wants, too.

The two of a pair run at once on one processor, which the kernel gives to them by turns of milliseconds: a machine whose
speed changes from second to second is equally slow for both. With --control both are without the plugin: how far the
ratio is from 1 then is the error of the method.

With --instructions it counts them instead, with valgrind: the same number each time, whatever else the machine does.
The start of the program is left out, as the difference of two captures shows.
"""
import argparse
import os
import random
import re
import statistics
import struct
import sys

from workplace import Workplace

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MSS = 1448
COUNTED_PACKETS = (5_000, 15_000)
MODES = (
    ('tshark -r', ()),
    ('tshark -T fields -e tcp.stream', ('-T', 'fields', '-e', 'tcp.stream')),
)


class Capture:
    """Writes a pcap file of Ethernet frames."""

    def __init__(self, path):
        self.file = open(path, 'wb')
        self.file.write(struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
        self.time = 1_700_000_000_000_000_000
        self.frames = 0

    def write(self, frame, gap):
        self.time += gap
        self.file.write(struct.pack('<IIII', self.time // 10**9, self.time % 10**9, len(frame), len(frame)))
        self.file.write(frame)
        self.frames += 1


class End:
    """One end of a connection: makes its segments with numbers that go on as they should."""

    def __init__(self, address, port, rng):
        self.address, self.port = address, port
        self.next = rng.getrandbits(32)
        self.ip_id = rng.getrandbits(16)
        self.clock = rng.getrandbits(31)
        self.received = 0
        self.echo = 0

    def segment(self, peer, flags, payload=b''):
        self.clock = (self.clock + 1) & 0xffffffff
        self.ip_id = (self.ip_id + 1) & 0xffff
        options = struct.pack('>BBBBII', 1, 1, 8, 10, self.clock, self.echo)
        if flags & SYN:
            options = struct.pack('>BBHBBBBIIBBBB', 2, 4, 1460, 4, 2, 8, 10, self.clock, self.echo, 1, 3, 3, 7)
        if flags & RST:
            options = b''
        length = 20 + len(options)
        tcp = struct.pack('>HHIIBBHHH', self.port, peer.port, self.next, self.received if flags & ACK else 0,
                          length // 4 << 4, flags, 502, 0, 0) + options
        ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + length + len(payload), self.ip_id, 0x4000, 64, 6, 0,
                         self.address, peer.address)
        self.next = (self.next + len(payload) + bool(flags & SYN) + bool(flags & FIN)) & 0xffffffff
        peer.received, peer.echo = self.next, self.clock
        return b'\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0' + ip + tcp + payload


def make_payloads(port, rng):
    """A request, and the answer in segments."""
    size = rng.choice((400, 3000, 12000, 30000))
    if port == 80:
        request = b'GET /%d HTTP/1.1\r\nHost: www.example.com\r\nAccept: */*\r\n\r\n' % rng.randrange(10**6)
        answer = b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % size + bytes(size)
    elif port == 443:
        request = b'\x17\x03\x03\x02\x00' + rng.randbytes(512)
        answer = b''.join(b'\x17\x03\x03' + struct.pack('>H', MSS - 5) + rng.randbytes(MSS - 5)
                          for _ in range(size // MSS + 1))
    else:
        request, answer = rng.randbytes(100), rng.randbytes(size)
    return request, [answer[i:i + MSS] for i in range(0, len(answer), MSS)]


def connection_segments(number, rng):
    """The frames of one connection, in order."""
    port = rng.choice((80, 443, 443, 6666))
    client = End(bytes((10, 0, number >> 8 & 255, number & 255)), rng.randrange(32768, 61000), rng)
    server = End(bytes((192, 0, 2, rng.randrange(1, 250))), port, rng)
    yield client.segment(server, SYN)
    if rng.random() < 0.02:
        yield server.segment(client, RST | ACK)
        return
    yield server.segment(client, SYN | ACK)
    yield client.segment(server, ACK)
    for _ in range(rng.randrange(1, 6)):
        request, answer = make_payloads(port, rng)
        yield client.segment(server, PSH | ACK, request)
        yield server.segment(client, ACK)
        for count, part in enumerate(answer):
            yield server.segment(client, ACK, part)
            if count % 2:
                yield client.segment(server, ACK)
    if rng.random() < 0.1:
        yield client.segment(server, RST | ACK)
        return
    yield client.segment(server, FIN | ACK)
    yield server.segment(client, FIN | ACK)
    yield client.segment(server, ACK)


def make_capture(path, packets):
    """Two dozen connections at a time, mixed as on a real link."""
    rng = random.Random(9293)
    capture = Capture(path)
    started = 0
    running = []
    while capture.frames < packets:
        while len(running) < 24:
            running.append(connection_segments(started, rng))
            started += 1
        connection = rng.choice(running)
        frame = next(connection, None)
        if frame is None:
            running.remove(connection)
        else:
            capture.write(frame, rng.randrange(1_000, 200_000))
    capture.file.close()
    return started


def start(workplace, capture, options):
    argv = workplace.command(['tshark', '-r', capture, *options])
    nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    return os.posix_spawnp(argv[0], argv, os.environ, file_actions=nowhere)


def measure_pair(loaded, bare, capture, options, number):
    """Processor seconds with and without, side by side; each is started first in every other pair."""
    places = (loaded, bare) if number % 2 else (bare, loaded)
    started = [(place, start(place, capture, options)) for place in places]
    seconds = {}
    for place, process in started:
        _, status, used = os.wait4(process, 0)
        if status != 0:
            sys.exit(f'tshark ended with status {os.waitstatus_to_exitcode(status)}')
        seconds[place] = used.ru_utime + used.ru_stime
    return seconds[loaded], seconds[bare]


def count(workplace, capture, options):
    """Instructions of one run."""
    done = workplace.run('valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null', 'tshark', '-r', capture,
                         *options)
    found = re.search(r'Collected : (\d+)', done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f'valgrind ended with status {done.returncode}: {done.stderr[-300:]}')
    return int(found[1])


def count_of_packet(workplace, captures, options):
    """Instructions for one packet, from two captures of different size."""
    (few, small), (many, large) = captures
    return (count(workplace, large, options) - count(workplace, small, options)) / (many - few)


def compare_instructions(loaded, bare):
    captures = []
    for packets in COUNTED_PACKETS:
        path = os.path.join(loaded.folder, f'{packets}.pcap')
        make_capture(path, packets)
        os.chmod(path, 0o644)
        captures.append((packets, path))
    for title, options in MODES:
        with_it, without = (count_of_packet(place, captures, options) for place in (loaded, bare))
        print(f'{title}: {with_it / without:.3f} times the instructions for a packet; {with_it:.0f} with, '
              f'{without:.0f} without', flush=True)


def compare_times(loaded, bare, packets, pairs_of_runs):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    capture = os.path.join(loaded.folder, 'benchmark.pcap')
    connections = make_capture(capture, packets)
    os.chmod(capture, 0o644)
    print(f'{packets} packets, {connections} connections, {pairs_of_runs} pairs of runs', flush=True)
    for title, options in MODES:
        pairs = [measure_pair(loaded, bare, capture, options, number) for number in range(pairs_of_runs)]
        with_it, without = (statistics.median(times) for times in zip(*pairs))
        ratios = [a / b for a, b in pairs]
        print(f'{title}: ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}); '
              f'{with_it:.2f} s with, {without:.2f} s without', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--packets', type=int, default=400_000)
    parser.add_argument('--pairs', type=int, default=15)
    parser.add_argument('--control', action='store_true')
    parser.add_argument('--instructions', action='store_true')
    args = parser.parse_args()

    with Workplace(with_plugin=not args.control) as loaded, Workplace(with_plugin=False) as bare:
        if args.instructions:
            compare_instructions(loaded, bare)
        else:
            compare_times(loaded, bare, args.packets, args.pairs)
    return 0


if __name__ == '__main__':
    sys.exit(main())
