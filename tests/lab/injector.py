# SPDX-License-Identifier: GPL-2.0-or-later
"""A device in the middle of the path that forges resets in the name of one of the hosts.

It sees what passes the wire and copies from it as much as its habits tell it to. What it left to notice is the
detail of the label. Knows nothing about how anybody finds out.
"""

from frames import ACK, RST, seq_diff
from truth import Label

INITIAL_TTLS = (64, 128, 255)
TIMESTAMPS = 8


class Injector:
    def __init__(self, bench, ttl='faithful', ip_id='counter', timestamps=False):
        """`ttl` is 'faithful' or 'careless', `ip_id` 'counter' (goes on where the host's stands), 'zero' or
        'random'; `timestamps`: whether its resets carry the option as the host's would."""
        self.bench, self.ttl, self.ip_id, self.timestamps = bench, ttl, ip_id, timestamps
        self.own_ttl = {}       # a careless device is as far from either end as it is
        self.forged = []

    def last(self, name):
        """The newest segment of this host that passed."""
        return next(p.seg for p in reversed(self.bench.segments(name)) if not p.forged and p.middle is not None)

    def next_number(self, name):
        """The sequence number that comes next from this host, as the middle of the path knows it."""
        segments = [p.seg for p in self.bench.segments(name) if not p.forged and not p.seg.flags & RST]
        newest = self.last(name)
        return max((s.end for s in segments if (s.sport, s.dport) == (newest.sport, newest.dport)),
                   key=lambda end: seq_diff(end, newest.seq))

    def choose_ttl(self, name):
        host_ttl = self.last(name).ttl
        if self.ttl == 'faithful':
            return host_ttl
        if name not in self.own_ttl:
            rng = self.bench.rng
            self.own_ttl[name] = rng.choice([t for t in (initial - rng.randrange(1, 25) for initial in INITIAL_TTLS * 4)
                                             if abs(t - host_ttl) > 2])
        return self.own_ttl[name]

    def choose_ip_id(self, name, number):
        if self.ip_id == 'zero':
            return 0
        last = self.last(name).ip_id
        if self.ip_id == 'counter':
            return (last + 1 + number) & 0xffff
        return (last + self.bench.rng.randrange(4000, 60000)) & 0xffff

    def timestamp_option(self, name):
        option = self.last(name).options.get(TIMESTAMPS)
        if not self.timestamps or option is None:
            return b''
        peer = self.last('server' if name == 'client' else 'client').options[TIMESTAMPS]
        return b'\1\1\x08\x0a' + option[:4] + peer[:4]

    def reset(self, name, *, offset=0, flags=RST | ACK, ack='right', number=0, signs=(), also=()):
        """Forge one reset in the name of a host, its sequence number `offset` from the right one. `signs` are
        the details that tell it besides what the habits leave; `also` are further labels that fit."""
        seg = self.last(name)
        peer = 'server' if name == 'client' else 'client'
        acknowledged = {'right': self.next_number(peer), 'zero': 0, 'wrong': self.bench.rng.getrandbits(32)}[ack]
        frame = self.bench.raw_frame(name, seg.sport, seg.dport, self.next_number(name) + offset,
                                     acknowledged if flags & ACK else 0, flags, ttl=self.choose_ttl(name),
                                     ip_id=self.choose_ip_id(name, number), options=self.timestamp_option(name),
                                     window=seg.window if self.timestamps else 0)
        packet = self.bench.wire.forge(name, frame)
        packet.missed.add(name)     # it was sent in the middle: the host's own link never had it
        self.forged.append(packet)
        packet.story = self.label(offset, signs, (*also, *self.unnoticeable(name, flags, signs)))
        return packet

    def unnoticeable(self, name, flags, signs):
        """The labels that fit as well where an end of the path sees nothing wrong in this reset. A bare one looks
        like the answer to a segment that got lost after it had passed, and answers have no timestamps."""
        shows = (self.ttl == 'careless' or self.bench.p.family == 4 and self.ip_id != 'counter'
                 or set(signs) & {'sequence', 'sender-continues'}
                 or flags & ACK and TIMESTAMPS in self.last(name).options and not self.timestamps)
        end = 'server' if name == 'client' else 'client'
        points = [end] + ['middle'] * ('both-directions' not in signs)
        causes = ['abort'] + ['half-open'] * (not flags & ACK)
        return () if shows else tuple((cause, f'-@{point}') for cause in causes for point in points)

    def label(self, offset, signs, also):
        """The label of a forged reset: what gives it away first, and the rest as acceptable details. A label that
        only fits at one capture point names it behind an @."""
        details = ['ttl'] * (self.ttl == 'careless') + \
            ['ip-id'] * (self.bench.p.family == 4 and self.ip_id != 'counter') + ['sequence'] * (offset != 0)
        details += [s for s in signs if s not in details]
        first, *others = details or ['-']
        return Label('injected', first, tuple(('injected', d) for d in others) + tuple(also))

    def reset_both(self, **how):
        """The same instant to both ends."""
        how['signs'] = (*how.get('signs', ()), 'both-directions')
        for name in self.bench.rng.sample(('client', 'server'), 2):
            self.reset(name, **how)


def keep_distance(bench):
    """The hosts are some routers away already when the wire first sees them, so that all capture points show one
    TTL, which a device can copy. Returns it by host."""
    ttls = {}
    for name in ('client', 'server'):
        ttls[name] = ttl = 64 - bench.rng.randrange(0, 21)
        host = bench.host(name)
        if bench.p.family == 4:
            host.sysctl('net/ipv4/ip_default_ttl', ttl)
        else:
            host.sysctl('net/ipv6/conf/tap0/hop_limit', ttl)
    return ttls
