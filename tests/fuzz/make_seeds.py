#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Seeds for the fuzz targets from captures.

  make_seeds.py FOLDER CAPTURE…

Writes FOLDER/engine, FOLDER/stated and FOLDER/payload. A capture becomes an input of dialogue.h: the same segments, with
numbers by what they mean; what a record has no word for (addresses, most windows) is lost. Captures of Ethernet only. The
committed corpus is what "-merge=1" keeps of the seeds and of long runs; README.md in tests/ has the commands.
"""
import hashlib
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lab'))
import frames   # noqa: E402

# As in dialogue.h.
CONNECTIONS, REMEMBERED = 8, 16
NEXT, ISN, ANSWER, BEFORE_NEXT, REPEAT, ZERO, HALF, OF_OTHER, FAR = range(9)
SERVICES = (80, 443, 25, 21, 22, 3306, 50000, 1)
OPTIONS_OF_STACK, OPTIONS_NONE, OPTIONS_OLD_CLOCK, OPTIONS_FASTCLOSE, OPTIONS_TCPRST = range(5)
ID_NEXT, ID_ZERO = 0, 1
SIDE, HAS_NO_DF, IS_KERNEL = 8, 0x40, 0x80
LINUX, LINUX_WITHOUT_TIMESTAMPS, WINDOWS, DARWIN, SCANNER, LWIP = range(6)
MPTCP = 30
# The beginnings of packet.c's words, by their numbers there.
WORDS = ((1, b'GET '), (3, b'HTTP/1.1 5'), (4, b'HTTP/1.1 4'), (2, b'HTTP/1.'), (5, b'421'), (6, b'220'), (7, b'SSH-'),
         (8, b'BIG-IP'), (10, b'\x16\x03'), (12, b'\x15\x03\x03\x00\x1a'), (11, b'\x15\x03'), (13, b'\x33\xaa'),
         (14, b'\x19\x30'))
LONGEST_PAYLOAD = 600


def read_capture(path):
    """(time in nanoseconds, frame) of each packet."""
    with open(path, 'rb') as file:
        data = file.read()
    order = '<' if data[:4] in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1') else '>'
    unit = 1 if struct.unpack_from(order + 'I', data)[0] == 0xa1b23c4d else 1000
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, captured = struct.unpack_from(order + 'III', data, at)
        yield seconds * 1000000000 + fraction * unit, data[at + 16:at + 16 + captured]
        at += 16 + captured


def read_segments(path):
    """(time, segment, payload as far as it is captured) of each segment."""
    for time, frame in read_capture(path):
        segment = frames.parse(frame)
        if segment is not None:
            header = (frame[segment.tcp_offset + 12] >> 4) * 4
            begin = segment.tcp_offset + header
            yield time, segment, frame[begin:begin + segment.length]


def stack_of(segment):
    """By the options of a SYN, and where its TTL began."""
    kinds = set(segment.options)
    if segment.ttl > 128:
        return LWIP
    if segment.ttl > 64:
        return WINDOWS
    if 4 not in kinds:
        return SCANNER
    return LINUX if 8 in kinds else LINUX_WITHOUT_TIMESTAMPS


class Side:
    """What dialogue.c knows of one side, in the capture's own numbers."""

    def __init__(self):
        self.isn = self.next = None
        self.acknowledged = 0
        self.sent = []  # (sequence, end, ACK number), the latest last
        self.stack, self.ttl = LINUX, None

    def back(self, part):
        """(age, number) of what was sent, the newest first."""
        return [(age, sent[part]) for age, sent in enumerate(reversed(self.sent[-REMEMBERED:]))]

    def note(self, segment):
        if segment.flags & frames.RST:
            return
        self.sent.append((segment.seq, segment.end, segment.ack))
        if segment.flags & frames.ACK:
            self.acknowledged = segment.ack
        if segment.flags & frames.SYN:
            self.isn = segment.seq
        if segment.flags & frames.SYN or self.next is None or 0 < frames.seq_diff(segment.end, self.next) < 1 << 20:
            self.next = segment.end


def choose_number(number, candidates, limit):
    """(kind, age, what is added): the first that means just this number, or else the nearest. Kinds first come first."""
    best = None
    for kind, age, base in candidates:
        added = frames.seq_diff(number, base)
        if added == 0:
            return kind, age, 0
        if abs(added) < limit and (best is None or abs(added) < abs(best[2])):
            best = kind, age, added
    return best or (FAR | candidates[0][0], 0, max(1 - limit, min(limit - 1, frames.seq_diff(number, candidates[0][2]) >> 16)))


def encode_time(passed):
    """As dialogue_pass() reads it: microseconds times 4^n, or steps back."""
    microseconds = passed // 1000
    if microseconds < 0:
        steps = -microseconds // 10
        return 0xd000 | steps if steps <= 0xfff else 0xe000 | min(0xfff, -microseconds // 10000)
    scale = 0
    while microseconds > 0xfff:
        microseconds //= 4
        scale += 1
    return min(scale, 12) << 12 | microseconds


class Dialogue:
    """Up to eight connections of a capture, as records."""

    def __init__(self):
        self.pairs, self.sides, self.records, self.time = {}, [], [], None

    def has_room(self, segment):
        return self.find(segment) is not None or len(self.pairs) < CONNECTIONS

    def find(self, segment):
        one, other = (segment.src, segment.sport), (segment.dst, segment.dport)
        if (one, other) in self.pairs:
            return self.pairs[one, other], 0
        return (self.pairs[other, one], 1) if (other, one) in self.pairs else None

    def place(self, segment):
        """The number of its connection, and its side: 1 for the server's."""
        if self.find(segment) is None:
            is_server = bool(segment.flags & frames.SYN and segment.flags & frames.ACK) or segment.sport < segment.dport
            ends = (segment.src, segment.sport), (segment.dst, segment.dport)
            self.pairs[ends[::-1] if is_server else ends] = len(self.pairs)
            self.sides.append((Side(), Side(), segment))
        return self.find(segment)

    def add(self, time, segment, payload):
        number, side = self.place(segment)
        own, peer = self.sides[number][side], self.sides[number][1 - side]
        passed = time - self.time if self.time is not None else 0
        self.time = time
        if own.ttl is None:
            own.ttl = segment.ttl
            own.stack = stack_of(segment)
        if own.next is None:
            own.next = segment.seq
        if peer.next is None:
            peer.next = segment.ack
        sequence = [(NEXT, 0, own.next), (BEFORE_NEXT, 0, own.next - 1), (ZERO, 0, 0)]
        sequence += [(ANSWER, age, ack) for age, ack in peer.back(2)] + [(REPEAT, age, n) for age, n in own.back(0)]
        if segment.flags & frames.SYN:
            sequence.insert(0, (ISN, 0, segment.seq if own.isn is None else own.isn))
        ack = [(NEXT, 0, peer.next), (ZERO, 0, 0)] + [(ANSWER, age, end) for age, end in peer.back(1)]
        ack += [(REPEAT, 0, own.acknowledged), (OF_OTHER, 0, segment.seq)]
        kind, age, added = choose_number(segment.seq, sequence, 1 << 15)
        ack_kind, ack_age, ack_added = choose_number(segment.ack, ack, 1 << 7)
        self.records.append(struct.pack(
            '>BBBBhbHHBBBBB', number | side * SIDE, segment.flags, kind | ack_kind << 4, age | ack_age << 4, added, ack_added,
            min(segment.length, 0xffff), encode_time(passed), self.network(own, segment), self.options(own, segment),
            self.words(payload), segment.window == 0, 0))
        own.note(segment)

    @staticmethod
    def network(own, segment):
        less = own.ttl - segment.ttl
        value = less if 0 <= less <= 15 else IS_KERNEL if less else 0
        value |= (ID_ZERO if segment.ip_id == 0 else ID_NEXT) << 4
        return value | (0 if segment.dont_fragment else HAS_NO_DF)

    @staticmethod
    def options(own, segment):
        if MPTCP in segment.options:
            option = segment.options[MPTCP]
            return OPTIONS_FASTCLOSE if option[0] >> 4 == 7 else OPTIONS_TCPRST | (option[-1] & 15) << 4
        has_timestamps = own.stack in (LINUX, DARWIN) and not segment.flags & frames.SYN
        return OPTIONS_NONE if has_timestamps and 8 not in segment.options else OPTIONS_OF_STACK

    @staticmethod
    def words(payload):
        for kind, beginning in WORDS:
            if payload.startswith(beginning):
                return kind
        return 0

    def encode(self):
        header = bytearray(1 + CONNECTIONS * 3)
        for number, (client, server, first) in enumerate(self.sides):
            service = max(first.sport, first.dport) if first.flags & frames.SYN == 0 else first.dport
            port = SERVICES.index(service) if service in SERVICES else 0
            hops = [max(0, min(15, (255 if side.stack == LWIP else 128 if side.stack == WINDOWS else 64) - (side.ttl or 64)))
                    for side in (client, server)]
            header[1 + 3 * number:4 + 3 * number] = (client.stack | server.stack << 4, (first.version == 6) | port << 5,
                                                     hops[0] | hops[1] << 4)
        return bytes(header) + b''.join(self.records)


def write(folder, content):
    with open(os.path.join(folder, hashlib.sha1(content).hexdigest()), 'wb') as file:
        file.write(content)


def write_dialogues(folder, segments):
    dialogue = Dialogue()
    for time, segment, payload in segments:
        if not dialogue.has_room(segment):
            write(folder, dialogue.encode())
            dialogue = Dialogue()
        dialogue.add(time, segment, payload)
    write(folder, dialogue.encode())


def write_payloads(folder, segments):
    ports = (80, 443, 25, 587, 21, 22, 50000)   # as in payload_fuzz.c
    for _, segment, payload in segments:
        port = ports.index(segment.sport) if segment.sport in ports else 0
        if payload:
            write(folder, bytes((port,)) + payload[:LONGEST_PAYLOAD])


def write_statements(folder, segments):
    has_options = 1     # as in stated_fuzz.c
    for _, segment, payload in segments:
        options = b''.join(bytes((kind, len(value) + 2)) + value for kind, value in segment.options.items())
        if segment.flags & frames.RST and (payload or MPTCP in segment.options):
            write(folder, bytes((has_options, segment.length - len(payload) & 0xff, len(options))) + options + payload)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folders = [os.path.join(sys.argv[1], name) for name in ('engine', 'stated', 'payload')]
    for folder in folders:
        os.makedirs(folder, exist_ok=True)
    for path in sys.argv[2:]:
        segments = list(read_segments(path))
        for folder, writer in zip(folders, (write_dialogues, write_statements, write_payloads)):
            writer(folder, segments)


if __name__ == '__main__':
    main()
