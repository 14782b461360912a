#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the plugin costs: tshark's processor time with it over that without it.

  benchmark.py [--packets N] [--pairs N] [--capture FILE] [--before FOLDER] [--only ROW…] [--instructions | --statistics]

The capture is made of this kernel's own TCP traffic (record_traffic.py), each packet of it several times with other
addresses; --capture names another one. Without root it is one of made-up connections. Runs tshark on it in pairs, with
and without, and prints the median of the pairs' ratios, for the plugin and for what it may be compared with: switched
off, a Lua post-dissector that does nothing, Wireshark's own post-dissector TRANSUM, a build of another version of the
plugin, and nothing at all (the control: how far its ratio is from 1 is the error of the method). "Without" is a home
without the plugin.

The two of a pair run at once on one processor, which the kernel gives to them by turns of milliseconds: a machine whose
speed changes from second to second is equally slow for both.

With --instructions it counts them instead, with valgrind, on made-up connections: the same number each time, whatever
else the machine does. The start of the program is left out, as the difference of two captures shows.

With --statistics it runs the plugin's statistics, each in a pair with Wireshark's own protocol hierarchy: both with the
plugin, and without a packet list.
"""
import argparse
import glob
import os
import random
import re
import shutil
import statistics
import struct
import subprocess
import sys

from workplace import Workplace

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MSS = 1448
COUNTED_PACKETS = (5_000, 15_000)
RECORDED_PACKETS = 50_000
LUA = """
local minimal = Proto("minimal", "A post-dissector that does nothing")
function minimal.dissector() end
register_postdissector(minimal)
"""
MODES = (
    ('tshark -r', ()),
    ('tshark -T fields -e tcp.stream', ('-T', 'fields', '-e', 'tcp.stream')),
)
STATISTICS = ('rstcause,tree', 'rstcause,incidents')
HIERARCHY = 'io,phs'


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


def make_up_capture(path, packets):
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


def multiply_capture(recorded, path, packets):
    """Again and again the same packets, each time later and between other hosts, until there are so many."""
    with open(recorded, 'rb') as file:
        data = file.read()
    places, at = [], 24
    while at < len(data):
        places.append(at)
        at += 16 + struct.unpack_from('<I', data, at + 8)[0]
    first, last = (struct.unpack_from('<I', data, place)[0] for place in (places[0], places[-1]))
    with open(path, 'wb') as file:
        file.write(data[:24])
        for number in range(packets):
            turn, place = divmod(number, len(places))
            place = places[place]
            seconds, fraction, length, reported = struct.unpack_from('<IIII', data, place)
            packet = bytearray(data[place + 16:place + 16 + length])
            # The second byte of each address: both are IPv4, behind Ethernet.
            packet[14 + 13] ^= turn
            packet[14 + 17] ^= turn
            file.write(struct.pack('<IIII', seconds + turn * (last - first + 1), fraction, length, reported) + packet)


def make_capture(folder, packets):
    """Returns its path, and of what it is made."""
    path = os.path.join(folder, 'benchmark.pcap')
    if os.geteuid() != 0 or not shutil.which('tcpdump'):
        make_up_capture(path, packets)
        return path, 'made-up connections'
    recorded = os.path.join(folder, 'recorded.pcap')
    with open(recorded, 'wb'):
        os.chmod(recorded, 0o666)
    subprocess.run([os.path.join(os.path.dirname(__file__), 'record_traffic.py'), recorded, str(RECORDED_PACKETS)],
                   check=True)
    multiply_capture(recorded, path, packets)
    return path, "this kernel's own traffic"


def start(workplace, capture, options):
    argv = workplace.command(['tshark', '-r', capture, *options])
    nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    return os.posix_spawnp(argv[0], argv, os.environ, file_actions=nowhere)


def measure_pair(runs, capture, number):
    """Processor seconds of two runs, each a place and options, side by side; each is started first in every other pair."""
    started = [(at, start(runs[at][0], capture, runs[at][1])) for at in ((0, 1) if number % 2 else (1, 0))]
    seconds = {}
    for at, process in started:
        _, status, used = os.wait4(process, 0)
        if status != 0:
            sys.exit(f'tshark ended with status {os.waitstatus_to_exitcode(status)}')
        seconds[at] = used.ru_utime + used.ru_stime
    return seconds[0], seconds[1]


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
        make_up_capture(path, packets)
        os.chmod(path, 0o644)
        captures.append((packets, path))
    for title, options in MODES:
        with_it, without = (count_of_packet(place, captures, options) for place in (loaded, bare))
        print(f'{title}: {with_it / without:.3f} times the instructions for a packet; {with_it:.0f} with, '
              f'{without:.0f} without', flush=True)


def write_lua(place):
    path = os.path.join(place.folder, 'minimal.lua')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(LUA)
    os.chmod(path, 0o644)
    return path


def add_transum(place):
    """Gives the place the machine's TRANSUM, and no other plugin; false where there is none."""
    found = glob.glob('/usr/lib/*/wireshark/plugins/*/epan/transum.so')
    for path in found:
        folder = os.path.join(place.no_plugins, *path.split('/')[-3:-1])
        os.makedirs(folder, exist_ok=True)
        shutil.copy(path, folder)
    return bool(found)


def find_subjects(loaded, bare, with_transum, before):
    """Of each row: where tshark runs, and with which further options."""
    subjects = {
        'plugin': (loaded, ()),
        'switched off': (loaded, ('--disable-protocol', 'rstcause_proto')),
        'Lua': (bare, ('-X', f'lua_script:{write_lua(bare)}')),
        'control': (bare, ()),
    }
    if add_transum(with_transum):
        subjects['TRANSUM'] = (with_transum, ('--enable-protocol', 'transum'))
    if before is not None:
        subjects['before'] = (before, ())
    return subjects


def print_ratio(title, runs, capture, pairs_of_runs):
    pairs = [measure_pair(runs, capture, number) for number in range(pairs_of_runs)]
    with_it, without = (statistics.median(times) for times in zip(*pairs))
    ratios = [a / b for a, b in pairs]
    print(f'{title}: ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}); '
          f'{with_it:.2f} s with, {without:.2f} s without', flush=True)


def compare_times(subjects, bare, capture, pairs_of_runs):
    for mode, options in MODES:
        for title, (place, more) in subjects.items():
            print_ratio(f'{mode}, {title}', [(place, (*options, *more)), (bare, options)], capture, pairs_of_runs)


def compare_statistics(loaded, capture, pairs_of_runs):
    for name in STATISTICS:
        print_ratio(f'tshark -q -z {name} beside -z {HIERARCHY}',
                    [(loaded, ('-q', '-z', name)), (loaded, ('-q', '-z', HIERARCHY))], capture, pairs_of_runs)


def make_before(folder):
    """A place with the plugin of another build folder."""
    place = Workplace(with_plugin=False)
    shutil.copytree(os.path.join(folder, 'home'), place.home, dirs_exist_ok=True)
    return place


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--packets', type=int, default=400_000)
    parser.add_argument('--pairs', type=int, default=15)
    parser.add_argument('--capture', metavar='FILE')
    parser.add_argument('--before', metavar='FOLDER', help='a build folder of another version')
    parser.add_argument('--only', nargs='+', metavar='ROW')
    parser.add_argument('--instructions', action='store_true')
    parser.add_argument('--statistics', action='store_true')
    args = parser.parse_args()

    with Workplace() as loaded, Workplace(with_plugin=False) as bare, Workplace(with_plugin=False) as with_transum:
        if args.instructions:
            compare_instructions(loaded, bare)
            return 0
        before = make_before(args.before) if args.before else None
        subjects = find_subjects(loaded, bare, with_transum, before)
        if args.only:
            subjects = {title: subjects[title] for title in args.only}
        if args.capture:
            capture, kind = loaded.hold(args.capture), args.capture
        else:
            capture, kind = make_capture(loaded.folder, args.packets)
            os.chmod(capture, 0o644)
            kind = f'{args.packets} packets of {kind}'
        print(f'{kind}, {args.pairs} pairs of runs', flush=True)
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        if args.statistics:
            compare_statistics(loaded, capture, args.pairs)
        else:
            compare_times(subjects, bare, capture, args.pairs)
        if before is not None:
            shutil.rmtree(before.folder)
    return 0


if __name__ == '__main__':
    sys.exit(main())
