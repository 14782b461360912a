# SPDX-License-Identifier: GPL-2.0-or-later
"""What must be on the wire where the truth demands a situation (column `pattern`): a label that the packets do not bear
out is a mistake of the scenario. One predicate each, from the definition of the situation; not how anybody finds it.
Must not know what the plugin says.
"""
import collections

from frames import ACK, FIN, SYN, seq_diff

SILENCE = 0.9           # seconds; scenarios wait for one and more
ALERT = b'\x15\x03'     # how a TLS record of type alert begins
FEW = {'health-check': 4, 'idle-closed': 2, 'backlog-overflow': 2, 'mass-abort': 5, 'port-scan': 10}


def payload(packet):
    seg = packet.seg
    at = seg.tcp_offset + (packet.raw[seg.tcp_offset + 12] >> 4) * 4
    return packet.raw[at:at + seg.length]


class Before:
    """The connection of a reset up to it, from its last SYN on: all of it, the sender's part, and the peer's."""

    def __init__(self, log, reset):
        rst = reset.packet
        packets = log.connection(rst)
        packets = packets[:packets.index(rst)]
        first = max((i for i, p in enumerate(packets) if p.seg.flags & (SYN | ACK) == SYN), default=0)
        self.reset, self.all = rst, packets[first:]
        self.mine = [p for p in self.all if p.sender == rst.sender]
        self.theirs = [p for p in self.all if p.sender != rst.sender]
        self.fin = next((p for p in self.mine if p.seg.flags & FIN), None)

    def silence(self):
        times = [p.sent for p in (*self.all, self.reset)]
        return max((b - a for a, b in zip(times, times[1:])), default=0)


def closed_after_silence(before):
    return before.fin is not None and before.silence() >= SILENCE


def knew_it_closed(before):
    return closed_after_silence(before) and any(
        p.seg.flags & ACK and seq_diff(p.seg.ack, before.fin.seg.end) >= 0 for p in before.theirs)


def answered_with_refusal(before):
    first = next((payload(p) for p in before.mine if p.seg.length), b'')
    return first.startswith(b'HTTP/1.') and first[9:10] in b'345'


def window_is_closed(before):
    words = [p.seg for p in before.theirs if p.seg.flags & ACK and not p.seg.length]
    return bool(words) and words[-1].window == 0


def request_unanswered(before):
    """Of what the peer said since the sender's last word at least the beginning was taken in."""
    me = before.reset.sender
    last_word = max((i for i, p in enumerate(before.all) if p.sender == me and p.seg.length), default=-1)
    asked = next((p.seg for p in before.all[last_word + 1:] if p.sender != me and p.seg.length), None)
    return asked is not None and any(p.seg.flags & ACK and seq_diff(p.seg.ack, asked.seq) > 0
                                     for p in (*before.mine, before.reset))


def says_alert(packets):
    return any(payload(p).startswith(ALERT) for p in packets)


BORNE_OUT = {
    'keep-alive-race': closed_after_silence,
    'stale-connection': knew_it_closed,
    'idle-forgotten': lambda b: b.silence() >= SILENCE and b.fin is None,
    'idle-closed': lambda b: b.silence() >= SILENCE,
    'late-close-notify': lambda b: b.fin is not None and says_alert(b.theirs),
    'early-reply': answered_with_refusal,
    'cancelled-download': lambda b: any(p.seg.length for p in b.mine) and any(p.seg.length > 500 for p in b.theirs),
    'request-unanswered': request_unanswered,
    'refused-by-tls': lambda b: says_alert(b.all),
    'wrong-protocol': lambda b: any(p.seg.length for p in b.all),
    'health-check': lambda b: not any(p.seg.length for p in b.all),
    'slow-reader': window_is_closed,
}


def contradictions(log, resets):
    """Complaints about resets that must show a situation and do not, and about situations that are told of too few."""
    together = collections.Counter()
    for reset in resets:
        name, *others = reset.pattern.split('/')
        if '-' in (name, *others) or not reset.packet.at:
            continue
        together[name] += 1
        if name in BORNE_OUT and not BORNE_OUT[name](Before(log, reset)):
            seg = reset.packet.seg
            yield f'{seg.sport} > {seg.dport} {reset.label.cause} does not look like {name}'
    for name, count in together.items():
        if count < FEW.get(name, 1):
            yield f'{name} was promised, and only {count} resets show it'
