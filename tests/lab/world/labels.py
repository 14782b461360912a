# SPDX-License-Identifier: GPL-2.0-or-later
"""The truth of a run: which resets there were, who sent each, and why.

A reset that left the link of the host whose address it bears is genuine; any other is forged. That is read from
captures of what each host itself sent out, which nobody else gets to see. Why a genuine one was sent, Linux's
tracepoint and the history at both ends say (../truth.py), or the scenario where another stack sent it.
Must not know what the plugin says.
"""
import bisect
import collections
import struct

import frames
import truth
from frames import ACK, RST, seq_diff
from truth import Label

TIMESTAMPS = 8
VXLAN_PORT = (4789).to_bytes(2, 'big')
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


def pair_of(packet):
    s = packet.seg
    return frozenset(((s.src, s.sport), (s.dst, s.dport)))


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


def inner(raw):
    """What a VXLAN tunnel over IPv4 carries; any other frame as it is."""
    at = 14 + (raw[14] & 15) * 4
    if raw[12:14] == b'\x08\0' and raw[23] == 17 and len(raw) >= at + 70 and raw[at + 2:at + 4] == VXLAN_PORT:
        return raw[at + 16:]
    return raw


def tcp_of(path, offset):
    for when, raw in read_pcap(path):
        seg = frames.parse(inner(raw)) if len(raw) >= 54 else None
        if seg:
            yield when - offset, seg, raw


class Log:
    """All packets of a run, put together from its captures. `ends` maps a host's name to its addresses, `points`
    the capture points to files, `outs` the hosts to the files of what they sent, `offset` is wall clock minus
    monotonic clock, `identify` what stays the same of a packet on this path."""

    def __init__(self, ends, points, outs, offset, identify=identity):
        self.identify = identify
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
        self.pairs, self.scenes = collections.defaultdict(list), {}
        for p in self.packets:
            self.pairs[pair_of(p)].append(p)

    def read_out(self, path, offset, points):
        for when, seg, raw in tcp_of(path, offset):
            if seg.src in self.host_of:
                packet = Packet(self.host_of[seg.src], self.host_of.get(seg.dst), seg, raw)
                packet.sent = when
                self.add(packet, points)

    def add(self, packet, points):
        self.packets.append(packet)
        for point in points:
            self.waiting[point, self.identify(packet.seg)].append(packet)

    def place(self, point, when, seg, raw):
        """This point saw a packet: one that a host sent, or one that came from nowhere."""
        queue = self.waiting[point, self.identify(seg)]
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
                    self.waiting[other, self.identify(seg)].append(packet)
        else:
            return
        packet.at[point], packet.segs[point] = when, seg

    def connection(self, packet):
        """The packets of the same 4-tuple, by time."""
        return self.pairs[pair_of(packet)]

    def scene(self, packet, point):
        key = (pair_of(packet), point)
        if key not in self.scenes:
            self.scenes[key] = Scene(self.pairs[key[0]], point)
        return self.scenes[key]


class Judge(truth.Judge):
    """The lab's judge, for any number of hosts and many resets."""

    def __init__(self, bench, reset_events):
        self.known, self.standings = {}, {}
        super().__init__(bench, reset_events)

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
        everything, self.packets = self.packets, self.bench.wire.pairs[pair_of(rst)]
        try:
            return super().view(rst, before, vantage)
        finally:
            self.packets = everything

    # A forgery in the middle of a connection

    def effective(self, packet):
        """A receiver that goes on talking has not taken it, whatever its window."""
        if packet not in self.known:
            self.known[packet] = not self.went_on(packet) and self.acceptable_at(packet)
        return self.known[packet]

    def went_on(self, packet):
        return packet.forged and packet.delivered is not None and any(
            p.sender == packet.receiver and not p.forged and not p.seg.flags & RST and p.sent > packet.delivered + 0.001
            and (p.seg.length or p.seg.flags & frames.FIN) for p in self.bench.wire.connection(packet))

    def acceptable_at(self, packet):
        """In the receiver's window, or one below where it has taken the sender's FIN in."""
        when = packet.delivered or packet.sent
        key = (pair_of(packet), packet.receiver)
        if key not in self.standings:
            self.standings[key] = Standing(self.bench.wire.connection(packet), packet.receiver)
        return self.standings[key].accepts(packet.seg, when)

    def judge(self, reset, vantage=None):
        """An abort after a forged reset has ended the connection at the other end is not the cause of its end; who was
        slandered cannot know."""
        label = super().judge(reset, vantage)
        if label.cause not in ('abort', 'keepalive-timeout', 'retransmission-timeout'):
            return label
        if any(p.forged and p.seg.flags & RST and p.sent < reset.packet.sent and (vantage is None or p.seen(vantage) is not None)
               and self.effective(p) for p in self.bench.wire.connection(reset.packet)):
            return Label('already-reset', '-', ((label.cause, label.detail), *label.acceptable))
        return label


class Standing:
    """What one end of a connection had received and offered at each time, from what it sent and was handed."""

    def __init__(self, packets, receiver):
        self.times, self.states = [], []
        self.begin()
        events = [(p.sent, 0, p) if p.sender == receiver and not p.forged else (p.delivered, 1, p) for p in packets
                  if not p.seg.flags & RST and (p.sender == receiver and not p.forged or p.sender != receiver
                                                and p.delivered is not None)]
        for when, arrives, p in sorted(events, key=lambda e: e[:2]):
            if arrives:
                self.take(p.seg)
            else:
                self.send(p.seg)
            self.times.append(when)
            self.states.append((self.next, self.fin, self.edge, self.sent))

    def begin(self):
        self.next = self.edge = self.sent = None
        self.fin, self.shift, self.scaling, self.waiting = False, 0, True, []

    def take(self, seg):
        if seg.flags & frames.SYN:
            if not seg.flags & ACK and self.next is not None and self.next != seg.end and seq_diff(seg.seq, self.next) != -1:
                self.begin()
            self.next = seg.end if self.next is None else self.next
            self.scaling = self.scaling and seg.wscale is not None
            return
        self.waiting.append(seg)
        moved = self.next is not None
        while moved:
            moved = False
            for w in self.waiting:
                if seq_diff(w.seq, self.next) <= 0 < seq_diff(w.end, self.next):
                    self.next, moved = w.end, True
                    self.fin = self.fin or bool(w.flags & frames.FIN)
            self.waiting = [w for w in self.waiting if seq_diff(w.end, self.next) > 0]

    def send(self, seg):
        if seg.flags & frames.SYN:
            if not seg.flags & ACK and self.sent is not None and self.sent != seg.end:
                self.begin()
            self.shift, self.scaling = seg.wscale or 0, self.scaling and seg.wscale is not None
        elif seg.flags & ACK:
            if seg.window == 0:
                self.next, self.waiting = seg.ack, []
            self.edge = (seg.ack + (seg.window << (self.shift if self.scaling else 0))) & 0xffffffff
        if self.sent is None or seq_diff(seg.end, self.sent) > 0:
            self.sent = seg.end

    def accepts(self, rst, when):
        index = bisect.bisect_right(self.times, when)
        if not index:
            return True
        following, fin, edge, sent = self.states[index - 1]
        if following is None:
            return bool(rst.flags & ACK) and (sent is None or rst.ack == sent)
        low = seq_diff(rst.seq, following)
        room = max(1, seq_diff(edge, following)) if edge is not None else 65535
        return (-1 if fin else 0) <= low < room


class _Mirror:
    def __init__(self, packet):
        self.sender, self.seg = packet.receiver, packet.seg


# Forged resets: what can be seen of it at each capture point

class Scene:
    """One connection as one capture point saw it: what forged resets are held against."""

    def __init__(self, packets, point):
        self.own, self.times, self.ends, self.acks = {}, {}, {}, {}
        self.ttls, self.last_plain, self.has_timestamps, self.shortest_way = {}, {}, {}, {}
        seen = sorted((p for p in packets if p.seen(point) is not None), key=lambda p: p.at[point])
        self.forgers = {p.sender for p in seen if p.forged and p.seg.flags & RST}
        self.resets = {}        # by identity, and for any: when the first was sent
        for p in seen:
            if p.seg.flags & RST:
                for key in (identity(p.seg), 'any'):
                    self.resets[key] = min(self.resets.get(key, p.sent), p.sent)
        for name in {p.sender for p in seen}:
            own = [p for p in seen if p.sender == name and not p.forged]
            plain = [p for p in own if not p.seg.flags & RST]
            self.own[name], self.times[name] = own, [p.at[point] for p in own]
            self.ends[name], self.acks[name] = self.newest_ends(own), {}
            for p in plain:
                if p.seg.flags & ACK:
                    self.acks[name].setdefault(p.seg.ack, p.at[point])
            self.ttls[name] = {p.segs[point].ttl for p in plain}
            self.last_plain[name] = max((p.at[point] for p in plain), default=None)
            self.has_timestamps[name] = any(TIMESTAMPS in p.seg.options for p in plain if not p.seg.flags & frames.SYN)
            self.shortest_way[name] = min((p.delivered - p.at[point] for p in own
                                           if p.delivered is not None and p.at[point] < p.delivered), default=None)

    @staticmethod
    def newest_ends(own):
        ends, newest = [], None
        for p in own:
            if not p.seg.flags & RST and (newest is None or p.seg.flags & frames.SYN or seq_diff(p.seg.end, newest) > 0):
                newest = p.seg.end
            ends.append(newest)
        return ends

    def before(self, name, now):
        """How many packets of this host had been seen."""
        return bisect.bisect_left(self.times.get(name, ()), now)


def signs_of(packet, point, log):
    """The details of `injected` that are facts about this reset at this capture point."""
    seg, now, scene = packet.segs[point], packet.at[point], log.scene(packet, point)
    me, peer = packet.sender, packet.receiver
    count = scene.before(me, now)
    if scene.ttls.get(me) and seg.ttl not in scene.ttls[me]:
        yield 'ttl'
    if seg.version == 4 and count and odd_ip_id(seg, [p.segs[point].ip_id for p in scene.own[me][max(0, count - 200):count]]):
        yield 'ip-id'
    if scene.ttls.get(me) and odd_form(seg, scene.has_timestamps[me], count and scene.own[me][count - 1].seg.window):
        yield 'form'
    if count and seg.seq != scene.ends[me][count - 1] and scene.acks.get(peer, {}).get(seg.seq, now + 1) > now:
        yield 'sequence'
    if (scene.last_plain.get(me) or now) > now:
        yield 'sender-continues'
    if peer in scene.forgers:
        yield 'both-directions'
    last = scene.before(peer, now)
    way = scene.shortest_way.get(peer)
    if last and way and way > 0.0005 and now - scene.times[peer][last - 1] < 1.5 * way:
        yield 'timing'


def odd_ip_id(seg, ids):
    """Linux goes on counting in its own resets and has 0 in its answers."""
    steps = [(seg.ip_id - i) & 0xffff for i in ids if i]
    goes_on = steps and 1 <= min(steps) <= 64
    return not (goes_on or seg.ip_id == 0 and not seg.flags & ACK)


def odd_form(seg, has_timestamps, window):
    """Neither a Linux reset of its own (ACK, DF, timestamps as agreed, a window where there was one) nor a Linux answer
    (bare, DF, window 0)."""
    if seg.version == 4 and not seg.dont_fragment or seg.length:
        return True
    if seg.flags & ~(RST | ACK):
        return True
    if seg.flags & ACK:
        return (TIMESTAMPS in seg.options) != has_timestamps or bool(window) and not seg.window
    return seg.window != 0 or bool(seg.options)


STANDING_ALONE = {'ttl', 'ip-id', 'form', 'sequence', 'timing'}


def forged_label(packet, log, points):
    """`injected`, with the details that are facts; where nothing tells it at a point, what it looks like there."""
    accepted = []
    for point in points:
        if packet.seen(point) is None:
            continue
        resets = log.scene(packet, point).resets
        signs = set(signs_of(packet, point, log))
        accepted += [('injected', f'{sign}@{point}') for sign in sorted(signs)]
        if not signs & STANDING_ALONE:
            if resets['any'] < packet.sent:
                accepted.append(('already-reset', f'-@{point}'))
            if 'sender-continues' not in signs:
                accepted.append(('abort' if packet.seg.flags & ACK else 'half-open', f'-@{point}'))
        if resets[identity(packet.seg)] < packet.sent:
            accepted.append(('injected', f'copy@{point}'))
    return Label('injected', '-', tuple(accepted))


# Writing

class Bench:
    """What ../truth.py asks of a bench."""

    def __init__(self, log, events, abort_detail=None, timer_resets=False):
        self.wire, self.events = log, events
        self.abort_detail, self.timer_resets = abort_detail, timer_resets


def mark_forged(resets):
    """'first' for the first forged reset of each direction of a connection, 'later', or '-'. A firewall's refusal of a
    SYN is none."""
    met = set()
    for reset in sorted(resets, key=lambda r: r.packet.sent):
        s = reset.packet.seg
        direction = (s.src, s.sport, s.dst, s.dport)
        is_forged = reset.packet.forged and reset.label.cause == 'injected'
        reset.forged = '-' if not is_forged else 'later' if direction in met else 'first'
        if is_forged:
            met.add(direction)


def judge(log, events, reset_events, points, story=None, **bench):
    """The labelled resets of a run. `story` is the scenario's word on a packet: a Label, or None; as `story.log` it finds
    the Log."""
    if story:
        story.log = log
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


def complaints(judgement, until):
    """What does not add up: a kernel's event without a reset, a genuine reset of Linux without event and story."""
    for event in judgement.unmatched:
        if event.time < until - 0.05:
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
