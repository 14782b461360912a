# SPDX-License-Identifier: GPL-2.0-or-later
"""The truth of a run: which resets there were, who sent each, and why.

A reset that left the link of the host whose address it bears is genuine; any other is forged. That is read from
captures of what each host itself sent out, which nobody else gets to see. Why a genuine one was sent, Linux's
tracepoint and the history at both ends say (../truth.py), or the scenario where another stack sent it.
Must not know what the plugin says.
"""
import collections
import struct

import frames
import truth
from frames import ACK, RST, seq_diff
from truth import Label

TIMESTAMPS = 8
COLUMNS = truth.COLUMNS + ('forged', 'pattern')
LONGEST_WAY = 1.0       # seconds: what has not arrived by then is lost


def read_pcap(path):
    """(wall clock time, frame) of each packet."""
    with open(path, 'rb') as file:
        data = file.read()
    magic, _, _, _, _, _, linktype = struct.unpack_from('<IHHiIII', data)
    if linktype != frames.DLT_EN10MB:
        raise ValueError(f'{path}: link type {linktype}')
    unit = 1e-9 if magic == 0xa1b23c4d else 1e-6
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, length, _ = struct.unpack_from('<IIII', data, at)
        if at + 16 + length > len(data):
            return
        yield seconds + fraction * unit, data[at + 16:at + 16 + length]
        at += 16 + length


def identity(seg):
    """What stays the same of a packet on its way."""
    return (seg.src, seg.sport, seg.dst, seg.dport, seg.seq, seg.ack, seg.flags, seg.length, seg.ip_id, seg.window)


class Packet:
    """A packet of the run, at all points that saw it; with what ../truth.py wants to know of one."""

    def __init__(self, sender, receiver, seg, raw):
        self.sender, self.receiver, self.seg, self.raw = sender, receiver, seg, raw
        self.at, self.segs = {}, {}     # time and segment by capture point
        self.sent = self.delivered = self.lost = self.copy_of = None
        self.forged = False
        self.missed = set()

    def seen(self, vantage):
        return self.at.get(vantage)

    @property
    def middle(self):
        return self.at.get('middle')


def tcp_of(path, offset):
    for when, raw in read_pcap(path):
        seg = frames.parse(raw) if len(raw) >= 54 else None
        if seg:
            yield when - offset, seg, raw


class Log:
    """All packets of a run, put together from its captures. `ends` maps a host's name to its addresses, `points`
    the capture points to files, `outs` the hosts to the files of what they sent, `offset` is wall clock minus
    monotonic clock."""

    def __init__(self, ends, points, outs, offset):
        self.host_of = {address: name for name, addresses in ends.items() for address in addresses}
        self.packets = []
        self.waiting = collections.defaultdict(collections.deque)     # by capture point and identity
        for path in outs.values():
            self.read_out(path, offset, points)
        for point, path in points.items():
            for when, seg, raw in tcp_of(path, offset):
                self.place(point, when, seg, raw)
        for p in self.packets:
            if p.forged:
                p.sent = min(p.at.values())
            p.delivered = p.at.get(p.receiver)
        self.packets.sort(key=lambda p: p.sent)

    def read_out(self, path, offset, points):
        for when, seg, raw in tcp_of(path, offset):
            if seg.src in self.host_of:
                packet = Packet(self.host_of[seg.src], self.host_of.get(seg.dst), seg, raw)
                packet.sent = when
                self.add(packet, points)

    def add(self, packet, points):
        self.packets.append(packet)
        for point in points:
            self.waiting[point, identity(packet.seg)].append(packet)

    def place(self, point, when, seg, raw):
        """This point saw a packet: one that a host sent, or one that came from nowhere."""
        queue = self.waiting[point, identity(seg)]
        while queue and not queue[0].forged and when - queue[0].sent > LONGEST_WAY and point != queue[0].sender:
            queue.popleft()
        if queue and (queue[0].forged or queue[0].sent <= when + 0.0005):
            packet = queue.popleft()
        elif seg.src in self.host_of:
            packet = Packet(self.host_of[seg.src], self.host_of.get(seg.dst), seg, raw)
            packet.forged = True
            self.packets.append(packet)
            for other in ('client', 'middle', 'server'):
                if other != point:
                    self.waiting[other, identity(seg)].append(packet)
        else:
            return
        packet.at[point], packet.segs[point] = when, seg

    def connection(self, packet):
        """The packets of the same 4-tuple, by time."""
        return [p for p in self.packets if truth.in_connection(p.seg, packet.seg)]


class Judge(truth.Judge):
    """The lab's judge, for any number of hosts."""

    def other_view(self, packet, before):
        mirror = _Mirror(packet)
        return self.view(mirror, before)

    def sender_role(self, reset):
        if reset.packet.forged:
            return 'third-party'
        _, connection = self.last_incarnation(self.view(reset.packet, reset.packet.sent + 1e-9))
        for _, way, p in connection:
            if p.seg.flags & (frames.SYN | ACK) == frames.SYN:
                return 'client' if way == 'out' else 'server'
        return reset.packet.sender if reset.packet.sender in ('client', 'server') else \
            'client' if reset.packet.seg.sport > reset.packet.seg.dport else 'server'

    def view(self, rst, before, vantage=None):
        key = frozenset(((rst.seg.src, rst.seg.sport), (rst.seg.dst, rst.seg.dport)))
        if not hasattr(self, 'by_pair'):
            self.by_pair = collections.defaultdict(list)
            for p in self.packets:
                self.by_pair[frozenset(((p.seg.src, p.seg.sport), (p.seg.dst, p.seg.dport)))].append(p)
        everything, self.packets = self.packets, self.by_pair[key]
        try:
            return super().view(rst, before, vantage)
        finally:
            self.packets = everything


class _Mirror:
    def __init__(self, packet):
        self.sender, self.seg = packet.receiver, packet.seg


# Forged resets: what can be seen of it at each capture point

def signs_of(packet, point, log):
    """The details of `injected` that are facts about this reset at this capture point."""
    seg, now = packet.segs[point], packet.at[point]
    connection = [p for p in log.connection(packet) if p is not packet and p.seen(point) is not None]
    own = [p for p in connection if p.sender == packet.sender and not p.forged]
    before = [p for p in own if p.at[point] < now]
    plain = [p.segs[point] for p in own if not p.seg.flags & RST]
    theirs = [p.segs[point] for p in connection if p.sender != packet.sender and not p.forged and p.at[point] <= now]
    if plain and seg.ttl not in {s.ttl for s in plain}:
        yield 'ttl'
    if seg.version == 4 and before and odd_ip_id(seg, [p.segs[point].ip_id for p in before]):
        yield 'ip-id'
    if plain and odd_form(seg, plain):
        yield 'form'
    if plain and odd_sequence(seg, [p.segs[point] for p in before if not p.seg.flags & RST], theirs):
        yield 'sequence'
    if any(p.at[point] > now and not p.seg.flags & RST for p in own):
        yield 'sender-continues'
    if any(p.forged and p.sender != packet.sender and p.seg.flags & RST for p in connection):
        yield 'both-directions'
    if too_early(packet, point, connection):
        yield 'timing'


def odd_ip_id(seg, ids):
    """Linux goes on counting in its own resets and has 0 in its answers."""
    steps = [(seg.ip_id - i) & 0xffff for i in ids if i]
    goes_on = steps and 1 <= min(steps) <= 64
    return not (goes_on or seg.ip_id == 0 and not seg.flags & ACK)


def odd_form(seg, plain):
    """Neither a Linux reset of its own (ACK, a window, timestamps as agreed) nor a Linux answer (bare, window 0)."""
    has_timestamps = any(TIMESTAMPS in s.options and s.options[TIMESTAMPS] for s in plain if not s.flags & frames.SYN)
    if seg.version == 4 and not seg.dont_fragment or seg.length:
        return True
    if seg.flags & ~(RST | ACK):
        return True
    if seg.flags & ACK:
        return (TIMESTAMPS in seg.options) != has_timestamps
    return seg.window != 0 or bool(seg.options)


def odd_sequence(seg, before, theirs):
    """Neither the host's next number nor one that the peer acknowledged."""
    ends = {s.end for s in before}
    newest = max(ends, key=lambda e: seq_diff(e, seg.seq)) if ends else None
    return seg.seq != newest and seg.seq not in {s.ack for s in theirs if s.flags & ACK}


def too_early(packet, point, connection):
    """It follows something of the peer's in less time than the way to the host and back."""
    ways = [p.delivered - p.at[point] for p in connection
            if p.sender == packet.receiver and p.delivered is not None and p.at[point] < p.delivered]
    before = [packet.at[point] - p.at[point] for p in connection
              if p.sender == packet.receiver and not p.forged and p.at[point] < packet.at[point]]
    return bool(ways and before) and min(ways) > 0.0005 and min(before) < 1.5 * min(ways)


STANDING_ALONE = {'ttl', 'ip-id', 'form', 'sequence', 'timing'}


def forged_label(packet, log, points):
    """`injected`, with the details that are facts; where nothing tells it at a point, what it looks like there."""
    accepted = []
    earlier = [p for p in log.connection(packet) if p.seg.flags & RST and p.sent < packet.sent]
    same = [p for p in earlier if identity(p.seg) == identity(packet.seg)]
    for point in points:
        if packet.seen(point) is None:
            continue
        signs = set(signs_of(packet, point, log))
        accepted += [('injected', f'{sign}@{point}') for sign in sorted(signs)]
        if not signs & STANDING_ALONE:
            if any(p.seen(point) is not None for p in earlier):
                accepted.append(('already-reset', f'-@{point}'))
            if 'sender-continues' not in signs:
                accepted.append(('abort' if packet.seg.flags & ACK else 'half-open', f'-@{point}'))
        if any(p.seen(point) is not None for p in same):
            accepted.append(('injected', f'copy@{point}'))
    return Label('injected', '-', tuple(accepted))


# Writing

class Bench:
    """What ../truth.py asks of a bench."""

    def __init__(self, log, events, abort_detail=None, timer_resets=False):
        self.wire, self.events = log, events
        self.abort_detail, self.timer_resets = abort_detail, timer_resets


def mark_forged(resets):
    """'first' for the first forged reset of each direction of a connection, 'later', or '-'."""
    met = set()
    for reset in sorted(resets, key=lambda r: r.packet.sent):
        s = reset.packet.seg
        direction = (s.src, s.sport, s.dst, s.dport)
        reset.forged = '-' if not reset.packet.forged else 'later' if direction in met else 'first'
        if reset.packet.forged:
            met.add(direction)


def judge(log, events, reset_events, points, story=None, **bench):
    """The labelled resets of a run. `story` is the scenario's word on a packet: a Label, or None."""
    for packet in log.packets:
        if packet.seg.flags & RST:
            told = story(packet) if story else None
            if told is None and packet.forged:
                told = forged_label(packet, log, points)
            if told is not None:
                packet.story = told
    for event in reset_events:
        event.time += 1e-6      # the record cuts off what is below a microsecond
    judgement = Judge(Bench(log, events, **bench), reset_events)
    resets = judgement.run()
    mark_forged(resets)
    return judgement, resets


def complaints(judgement):
    """What does not add up: a kernel's event without a reset, a genuine reset of Linux without event and story."""
    for event in judgement.unmatched:
        yield f'the kernel sent a reset that no capture has: {event.src} > {event.dst} {event.reason} {event.state}'
    for reset in judgement.resets:
        if not reset.packet.forged and reset.event is None and getattr(reset.packet, 'story', None) is None:
            yield f'a reset without kernel event: {reset.packet.seg}'


def write(path, header, resets):
    seen = [r for r in resets if r.packet.at]
    with open(path, 'w', encoding='ascii') as file:
        file.write(f'# {header}\n' + '\t'.join(COLUMNS) + '\n')
        for reset, row in zip(seen, truth.rows(seen)):
            file.write('\t'.join(map(str, row)) + f'\t{reset.forged}\t{getattr(reset, "pattern", "-")}\n')
