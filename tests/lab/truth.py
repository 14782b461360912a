# SPDX-License-Identifier: GPL-2.0-or-later
"""Labels each reset of a run with the cause that the contract gives it.

Sources, in this order: the kernel's reason and socket state for that very reset; the scenario's events (who
lost power, who cancelled); what each host had sent and had been handed before it sent the reset. It sees both
ends and every loss, so it never guesses; where a capture point cannot see what decides, the label that fits
what is visible there is listed as acceptable too.
Must not know what the plugin says.
"""
import dataclasses

import frames
from frames import ACK, FIN, RST, SYN, seq_diff
from wire import VANTAGES

# Resets that answer nothing: the kernel's reason is the application's or the kernel's own act.
ACTIVE = {
    'TCP_ABORT_ON_CLOSE': ('abort', 'unread-data'),
    'TCP_ABORT_ON_LINGER': ('abort', 'linger'),         # TCP_LINGER2 below zero; SO_LINGER 0 says TCP_STATE
    'TCP_DISCONNECT_WITH_DATA': ('abort', 'pending-data'),
    'TCP_KEEPALIVE_TIMEOUT': ('keepalive-timeout', '-'),
}
LONG_SILENCE = 1.0      # seconds
ACTIVE_OTHERWISE = ('abort', '-')


@dataclasses.dataclass
class Label:
    cause: str
    detail: str = '-'
    acceptable: tuple = ()      # further (cause, detail) pairs that fit as well


class Reset:
    """A RST on the wire, with the kernel's word on it and the label."""

    def __init__(self, packet):
        self.packet, self.event = packet, None
        self.trigger = None
        self.label = None
        self.at_vantage = {}        # vantage -> Label, where it differs
        self.sender = '-'

    @property
    def time(self):
        return self.event.time if self.event else self.packet.sent


def in_connection(seg, rst):
    return {(seg.src, seg.sport), (seg.dst, seg.dport)} == {(rst.src, rst.sport), (rst.dst, rst.dport)}


class Judge:
    def __init__(self, bench, reset_events):
        self.bench = bench
        self.packets = [p for p in bench.wire.packets if p.seg and p.lost != 'at-sender']
        self.resets = [Reset(p) for p in self.packets if p.seg.flags & RST]
        self.unmatched = self.join(reset_events)

    def join(self, events):
        """Give each reset that a kernel sent the kernel's event. Returns the events left over."""
        died_with = [Reset(p) for p in self.bench.wire.packets if p.seg and p.seg.flags & RST and p.lost == 'at-sender']
        for reset in sorted(self.resets + died_with, key=lambda r: r.packet.sent):
            packet = reset.packet
            if packet.forged or packet.copy_of:
                continue
            src, dst = (packet.seg.src, packet.seg.sport), (packet.seg.dst, packet.seg.dport)
            near = [e for e in events if not e.used and packet.sent - 1 < e.time < packet.sent + 0.05]
            reset.event = next((e for e in near if (e.src, e.dst) == (src, dst)), None) or \
                next((e for e in near if e.dst[1] == 0 and e.src[1] == src[1]
                      and e.src[0] in (src[0], '0.0.0.0', '::')), None)
            if reset.event:
                reset.event.used = True
        dying = [e.time for e in self.bench.events if e.what == 'power-lost']
        ours = {((p.seg.src, p.seg.sport), (p.seg.dst, p.seg.dport)) for p in self.packets}
        return [e for e in events if not e.used and (e.src, e.dst) in ours
                and not any(-0.01 < e.time - t < 0.5 for t in dying)]

    # What a host had sent and received

    def view(self, rst, before, vantage=None):
        """(time, 'out' or 'in', packet) of this connection at the sender of `rst`, up to a time; with a
        vantage without the FINs and RSTs that this capture point did not see."""
        host, entries = rst.sender, []
        for p in self.packets:
            if not in_connection(p.seg, rst.seg) or (vantage and p.seg.flags & (FIN | RST)
                                                        and p.seen(vantage) is None):
                continue
            if p.sender == host and not p.forged:
                if p.copy_of is None and p.sent < before and p is not rst:
                    entries.append((p.sent, 'out', p))
            elif p.sender != host and p.delivered is not None and p.delivered <= before:
                entries.append((p.delivered, 'in', p))
        entries.sort(key=lambda e: e[0])
        return entries

    @staticmethod
    def last_incarnation(view):
        """Split a view at the first transmission of its last SYN: (earlier connections, the present one)."""
        start, known = 0, {}
        for i, (_, way, p) in enumerate(view):
            if p.seg.flags & (SYN | ACK) == SYN and (way, p.seg.seq) not in known:
                known[way, p.seg.seq] = start = i
        return view[:start], view[start:]

    def find_trigger(self, reset):
        """The segment that this reset answers: the kernel handles a frame while the wire hands it over, so it
        is the last one handed over before the kernel's event, unless the socket was busy just then."""
        rst = reset.packet.seg
        for _, way, p in reversed(self.view(reset.packet, reset.time)):
            if way == 'in' and not p.seg.flags & RST:
                if rst.flags & ACK:
                    fits = not p.seg.flags & ACK and p.seg.end == rst.ack
                else:
                    fits = p.seg.flags & ACK and p.seg.ack == rst.seq
                if fits:
                    return p
        return None

    def effective(self, packet):
        """Whether the receiver could have accepted this reset: in its window, or one below where it has taken
        the sender's FIN in."""
        when = packet.delivered or packet.sent
        receiver = [(t, way, p) for t, way, p in self.other_view(packet, when)]
        _, connection = self.last_incarnation(receiver)
        rcv_nxt, fin_taken, edge, sent_up_to, waiting = None, False, None, None, []
        wscale = theirs = 0
        for _, way, p in connection:
            s = p.seg
            if s.flags & RST:
                continue
            if way == 'out':
                sent_up_to = s.end if sent_up_to is None or seq_diff(s.end, sent_up_to) > 0 else sent_up_to
                if s.flags & SYN:
                    wscale = s.wscale if s.wscale is not None else -1
                elif s.flags & ACK:
                    if s.window == 0:
                        # A full receiver drops what comes, so its word on where it stands is the truth.
                        rcv_nxt, waiting = s.ack, []
                    scale = wscale if wscale > 0 and theirs >= 0 else 0
                    edge = (s.ack + (s.window << scale)) & 0xffffffff
                continue
            if s.flags & SYN:
                rcv_nxt, theirs = s.end, s.wscale if s.wscale is not None else -1
                continue
            waiting.append(s)
            moved = True
            while rcv_nxt is not None and moved:
                moved = False
                for w in waiting:
                    if seq_diff(w.seq, rcv_nxt) <= 0 < seq_diff(w.end, rcv_nxt):
                        rcv_nxt, moved = w.end, True
                        fin_taken = fin_taken or bool(w.flags & FIN)
        rst = packet.seg
        if rcv_nxt is None:
            return bool(rst.flags & ACK) and (sent_up_to is None or rst.ack == sent_up_to) or not connection
        low = seq_diff(rst.seq, rcv_nxt)
        room = max(1, seq_diff(edge, rcv_nxt)) if edge is not None else 65535
        return (-1 if fin_taken else 0) <= low < room

    def other_view(self, packet, before):
        """The view of the receiver of this packet."""
        mirror = _Mirror(packet)
        return self.view(mirror, before)

    # Facts

    def lost_power(self, host, after, before):
        return any(e.host == host and e.what == 'power-lost' and after <= e.time < before for e in self.bench.events)

    def noted(self, host, before):
        return {e.what for e in self.bench.events if e.host == host and e.time <= before}

    def prior_reset(self, reset, connection):
        """A reset of this connection that its sender had sent, or had been handed, before."""
        for when, way, p in connection:
            if not p.seg.flags & RST or p.forged and not self.effective(p):
                continue
            if getattr(p, 'about_old', False) or when >= reset.time:
                continue
            if self.effective(p):
                return p
        return None

    def own_reset_went_first(self, reset, vantage):
        """An active reset may reach the wire before the answer that the kernel traced first."""
        _, connection = self.last_incarnation(self.view(reset.packet, reset.packet.sent, vantage))
        return any(way == 'out' and p.seg.flags & RST and p.sent >= reset.time and self.effective(p)
                   for _, way, p in connection)

    def judge(self, reset, vantage=None):
        """The Label of one reset, from everything or from what a vantage point saw."""
        packet, event = reset.packet, reset.event
        host = packet.sender
        before = min(reset.time, packet.sent)
        trigger = reset.trigger
        view = self.view(packet, trigger.delivered if trigger else before, vantage)
        earlier, connection = self.last_incarnation(view)
        if trigger is None and (event and event.active):
            return self.active(reset, connection, vantage)
        t = trigger.seg if trigger else None
        if t and t.flags & (SYN | ACK) == SYN:
            return self.answer_to_syn(event, connection, reset)
        if event and event.state == 'SYN_SENT':
            return self.in_syn_sent(reset, earlier)
        if self.prior_reset(reset, connection) or self.own_reset_went_first(reset, vantage):
            return Label('already-reset', '-', self.new_attempt(trigger, connection))
        syn_out = next((p for _, way, p in connection if way == 'out' and p.seg.flags & (SYN | ACK) == SYN), None)
        if t and t.flags & SYN:
            return self.answer_to_syn_ack(reset, syn_out, self.noted(host, before))
        return self.answer_in_connection(reset, connection, syn_out)

    @staticmethod
    def new_attempt(trigger, connection):
        """A SYN/ACK of other numbers than before offers a connection anew: then the old reset is not all."""
        offered = {p.seg.seq for _, way, p in connection if way == 'in' and p.seg.flags & SYN and p is not trigger}
        if trigger and trigger.seg.flags & SYN and offered and trigger.seg.seq not in offered:
            return (('handshake-abandoned', 'late-syn-ack'),)
        return ()

    def active(self, reset, connection, vantage):
        cause, detail = ACTIVE.get(reset.event.reason, ACTIVE_OTHERWISE)
        if reset.event.reason == 'TCP_ABORT_ON_MEMORY' and self.bench.timer_resets:
            return Label('retransmission-timeout', '-', (('abort', '-'),))
        if cause != 'abort':
            # Where answers to the probes can be seen that never arrived, an abort looks the same.
            answered = vantage and any(p.lost and p.seen(vantage) is not None and p.sender != reset.packet.sender
                                       and in_connection(p.seg, reset.packet.seg) for p in self.packets)
            return Label(cause, detail, (('abort', '-'), ('abort', 'idle')) if answered else ())
        return Label(cause, self.bench.abort_detail or detail,
                     tuple((cause, d) for d in self.circumstances(reset, connection)))

    def circumstances(self, reset, connection):
        """Details of an abort that hold besides the call that made it."""
        if self.fin_of(connection, 'in'):
            yield 'after-fin'
        acks = [p.seg.ack for _, way, p in connection if way == 'in' and p.seg.flags & ACK]
        if any(way == 'out' and p.seg.length and all(seq_diff(a, p.seg.end) < 0 for a in acks)
               for _, way, p in connection):
            yield 'pending-data'
        if connection and reset.time - connection[-1][0] > LONG_SILENCE:
            yield 'idle'

    def answer_to_syn(self, event, connection, reset):
        if event and event.reason == 'TCP_TIMEWAIT_SOCKET':
            return Label('time-wait', 'port-reuse')
        repeats = self.prior_reset(reset, connection)
        return Label('closed-port', '-', (('already-reset', '-'),) if repeats else ())

    def in_syn_sent(self, reset, earlier):
        """The new connection's SYN met an old one at the peer, which answered with an ACK of its own."""
        reset.packet.about_old = True
        host = reset.packet.sender
        _, old = self.last_incarnation(earlier)
        if not old:
            return Label('unacceptable-ack')
        if self.closed_in_order(old, reset.time):
            return Label('time-wait', 'port-reuse')
        if self.lost_power(host, old[0][0], reset.time):
            return Label('half-open', 'reconnect')
        return Label('half-open', 'reconnect', (('unacceptable-ack', '-'),))

    def answer_to_syn_ack(self, reset, syn_out, noted):
        t = reset.trigger.seg
        if syn_out is None:
            return Label('unacceptable-ack', '-', (('closed-port', 'probe'), ('half-open', '-')))
        if t.ack != syn_out.seg.end:
            return Label('unacceptable-ack')
        detail = next((d for what, d in (('scan', 'syn-scan'), ('cancelled', 'cancelled')) if what in noted),
                      'late-syn-ack')
        return Label('handshake-abandoned', detail)

    @staticmethod
    def fin_of(connection, way):
        return next((p.seg for _, w, p in connection if w == way and p.seg.flags & FIN), None)

    def closed_in_order(self, connection, before):
        """Both FINs sent, received and acknowledged, as this host knows it."""
        acked = {}
        for way, back in (('out', 'in'), ('in', 'out')):
            fin = self.fin_of(connection, way)
            acked[way] = fin is not None and any(
                w == back and p.seg.flags & ACK and when < before and seq_diff(p.seg.ack, fin.end) >= 0
                for when, w, p in connection)
        return acked['out'] and acked['in']

    def answer_in_connection(self, reset, connection, syn_out):
        host, t = reset.packet.sender, reset.trigger.seg if reset.trigger else None
        before = reset.trigger.delivered if reset.trigger else reset.time
        syn_in = next((p for _, way, p in connection if way == 'in' and p.seg.flags & (SYN | ACK) == SYN), None)
        if not connection or (syn_out is None and syn_in is None):
            if t and not t.flags & ACK:
                return Label('closed-port', 'probe')
            mechanism = reset.event.state if reset.event else '-'
            label = ('unacceptable-ack', '-') if mechanism == 'LISTEN' else ('closed-port', 'probe')
            return Label(*label, tuple(x for x in (('closed-port', 'probe'), ('unacceptable-ack', '-'),
                                                   ('half-open', '-'), ('half-open', 'data')) if x != label))
        opening = syn_in or syn_out
        crashed = self.lost_power(host, opening.delivered if syn_in else opening.sent, before)
        if syn_in and not self.acknowledged_beyond_syn(connection, syn_in):
            _, until_sent = self.last_incarnation(self.view(reset.packet, reset.packet.sent))
            return self.unfinished_handshake(connection, t, crashed, self.fin_of(until_sent, 'out') is not None)
        if self.fin_of(connection, 'out'):
            if self.closed_in_order(connection, before):
                bare = t and not t.length and not t.flags & FIN
                return Label('time-wait', 'assassination' if bare else 'late-segment')
            detail = 'data' if t and t.length else 'fin' if t and t.flags & FIN else 'ack'
            return Label('data-after-close', detail)
        return Label('half-open', self.half_open_detail(connection, t))

    @staticmethod
    def acknowledged_beyond_syn(connection, syn_in):
        return any(way == 'out' and not p.seg.flags & (RST | SYN)
                   and (p.seg.length or p.seg.flags & FIN or p.seg.ack != syn_in.seg.end)
                   for _, way, p in connection)

    @staticmethod
    def unfinished_handshake(connection, t, crashed, closed):
        syn_ack = next((p.seg for _, way, p in connection if way == 'out' and p.seg.flags & SYN), None)
        if crashed:
            return Label('half-open', 'data' if t and t.length else '-', (('handshake-rejected', '-'),))
        if syn_ack is None:
            return Label('unacceptable-ack', '-', (('closed-port', 'probe'), ('half-open', '-')))
        if t and t.ack != syn_ack.end:
            return Label('unacceptable-ack')
        return Label('handshake-rejected', '-', (('data-after-close', 'data'),) if closed else ())

    @staticmethod
    def half_open_detail(connection, t):
        """A keep-alive probe repeats the byte before the next one, with or without it."""
        if t is None:
            return '-'
        ends = [p.seg.end for _, way, p in connection if way == 'in' and p.seg is not t and not p.seg.flags & RST]
        newest = max(ends, key=lambda e: seq_diff(e, t.seq)) if ends else None
        if newest is not None and t.length <= 1 and seq_diff(newest, t.seq) == 1 and not t.flags & (FIN | SYN):
            if t.length == 0 or (newest == t.end and any(
                    p.seg.seq == t.seq and p.seg.length == 1 for _, way, p in connection if way == 'in')) is False:
                return 'keepalive-probe'
        return 'data' if t.length else '-'

    def sender_role(self, reset):
        if reset.packet.forged:
            return 'third-party'
        _, connection = self.last_incarnation(self.view(reset.packet, reset.packet.sent + 1e-9))
        for _, way, p in connection:
            if p.seg.flags & (SYN | ACK) == SYN:
                return 'client' if way == 'out' else 'server'
        return reset.packet.sender

    def run(self):
        originals = {}
        for reset in self.resets:
            packet = reset.packet
            reset.sender = self.sender_role(reset)
            if packet.copy_of is not None:
                original = originals[packet.copy_of]
                reset.event, reset.trigger, reset.sender = original.event, original.trigger, original.sender
                reset.label = Label(original.label.cause, 'copy', ((original.label.cause, original.label.detail),))
                continue
            originals[packet] = reset
            if not packet.forged and not (reset.event and reset.event.active):
                reset.trigger = self.find_trigger(reset)
            story = getattr(packet, 'story', None)
            reset.label = story or self.judge(reset)
            if story is None:
                for vantage in VANTAGES:
                    label = self.judge(reset, vantage)
                    if label != reset.label:
                        reset.at_vantage[vantage] = label
                    if reset.trigger and vantage in reset.trigger.missed:
                        label = reset.at_vantage.get(vantage, reset.label)
                        reset.at_vantage[vantage] = dataclasses.replace(
                            label, acceptable=label.acceptable + (('unknown', 'no-context'),))
                self.accept_as_copy(reset, originals)
        return self.resets


    @staticmethod
    def accept_as_copy(reset, originals):
        """A repeated segment, answered twice in the same words, cannot be told from packets captured twice."""
        for packet, earlier in originals.items():
            if (earlier is not reset and packet.raw == reset.packet.raw and earlier.trigger and reset.trigger
                    and earlier.trigger.raw == reset.trigger.raw):
                reset.label.acceptable += ((earlier.label.cause, 'copy'),)
                return


class _Mirror:
    """Stands for a packet in the other direction: whose view is asked for, of which connection."""

    def __init__(self, packet):
        self.sender = 'server' if packet.sender == 'client' else 'client'
        self.seg = packet.seg


COLUMNS = ('src', 'sport', 'dst', 'dport', 'seq', 'ack', 'flags', 'reason', 'state', 'cause', 'detail', 'sender',
           'trigger', 'seen', 'acceptable')


def rows(resets):
    """The truth as rows of text; only what at least one capture point saw."""
    for reset in resets:
        p, e, s = reset.packet, reset.event, reset.packet.seg
        seen = [v for v in VANTAGES if p.seen(v) is not None]
        if not seen:
            continue
        acceptable = [f'{c}/{d}' for c, d in reset.label.acceptable]
        for vantage, label in reset.at_vantage.items():
            acceptable += [f'{c}/{d}@{vantage}' for c, d in ((label.cause, label.detail), *label.acceptable)]
        t = reset.trigger.seg if reset.trigger else None
        where = ','.join(v for v in VANTAGES if reset.trigger and reset.trigger.seen(v) is not None) or '-'
        yield (s.src, s.sport, s.dst, s.dport, s.seq, s.ack, f'0x{s.flags:02x}',
               e.reason if e else '-', (e.state + ('/active' if e.active else '')) if e else '-',
               reset.label.cause, reset.label.detail, reset.sender,
               f'seq={t.seq} ack={t.ack} len={t.length} flags={frames.flag_names(t.flags)} at={where}' if t else '-',
               ','.join(seen), ' '.join(acceptable) or '-')


def write(path, header, resets):
    with open(path, 'w', encoding='ascii') as file:
        file.write(f'# {header}\n' + '\t'.join(COLUMNS) + '\n')
        for row in rows(resets):
            file.write('\t'.join(map(str, row)) + '\n')
