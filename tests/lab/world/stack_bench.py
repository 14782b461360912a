# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a scenario of the world on the lab's bench (../bench.py): two hosts and the wire between them, which can hold,
drop and forge, and whose log is the capture at both ends and in the middle.

The truth of a reset of another stack is what the scenario did: it tells the label beforehand. That of this kernel's
resets comes from its own record. Must not know what the plugin says.
"""
import dataclasses
import random
import time
import types

import bench
import labels
import machine
import truth
from frames import ACK, FIN, RST, SYN
from kernel import KernelRecord
from truth import VANTAGES, Label

ALREADY = Label('already-reset')
MOST_RUNS = 3   # of one scenario


@dataclasses.dataclass
class Own(Label):
    """The label of a reset that answers nothing."""


class Tale:
    """What the scenario says of the resets of one host, from here on: `first` are the labels in their order, `then` that
    of all that follow them; None leaves it to the history."""

    def __init__(self, b, *first, then=ALREADY, sender=None):
        self.first, self.then, self.sender = list(first), then, sender or b.p.actor
        self.since = time.monotonic()
        b.wire.rules.insert(0, self.rule)

    def rule(self, packet):
        if packet.seg and packet.seg.flags & RST and packet.sender == self.sender and not packet.forged \
                and not hasattr(packet, 'story'):
            packet.story = self.first.pop(0) if self.first else self.then
            packet.tale = self


def tell(b, *first, **more):
    """A new tale of the host; it takes the place of the one before."""
    for rule in [r for r in b.wire.rules if isinstance(getattr(r, '__self__', None), Tale)]:
        if rule.__self__.sender == (more.get('sender') or b.p.actor):
            b.wire.rules.remove(rule)
    return Tale(b, *first, **more)


def fits(rst, p):
    """How well this segment can be what the reset answers: 0 not at all. A reset with ACK takes the segment in (lwIP, SYNs,
    probes), or says where its sender stood before it (gVisor)."""
    s = p.seg
    if s.flags & RST or s.flags & (SYN | ACK) == SYN and rst.seq:
        return 0
    if not rst.flags & ACK:
        return 3 if s.flags & ACK and s.ack == rst.seq else 0
    if rst.ack == s.end:
        return 3 if s.ack == rst.seq or not s.flags & ACK else 2
    return 1 if rst.ack == s.seq and not s.flags & SYN else 0


def find_triggers(judge, resets):
    """Each segment is answered once, in order. Where the answers are fewer than what they could answer, nobody but the
    stack knows which it dropped."""
    used, groups = set(), {}
    for r in resets:
        if hasattr(r.packet, 'tale') and not isinstance(r.packet.story, Own):
            r.trigger = None
            s = r.packet.seg
            groups.setdefault((r.packet.tale, s.dst, s.dport, s.sport, s.seq, s.flags, s.ack if s.flags & ACK else 0),
                              []).append(r)
    for group in groups.values():
        packet, last = group[0].packet, group[-1].packet
        ranks = [(fits(packet.seg, p), p) for _, way, p in judge.view(last, last.sent)
                 if way == 'in' and p.delivered >= packet.tale.since and p not in used]
        asking = [(rank, p) for rank, p in ranks if rank and (p.seg.length or p.seg.flags & (SYN | FIN))]
        ranks = asking if len(asking) >= len(group) else ranks
        best = max((rank for rank, _ in ranks), default=0)
        fit = [p for rank, p in ranks if rank == best > 0]
        if packet.seg.flags & ACK:
            fit = fit[-len(group):] if best > 1 else fit[:len(group)]
        if len(fit) == len(group):
            for r, p in zip(group, fit):
                r.trigger = p
                used.add(p)


def close_story(reset):
    """Marks what truth.write() and its readers want to know of a reset that the scenario labelled."""
    story = getattr(reset.packet, 'story', None)
    if isinstance(story, Own):
        reset.trigger = None
        reset.event = types.SimpleNamespace(reason='-', state='-', active=True)
    reset.forged, reset.pattern = '-', '-'
    reset.packet.at = {v: reset.packet.seen(v) for v in VANTAGES if reset.packet.seen(v) is not None}


def complaints(expect, resets, judge, kinds):
    for event in judge.unmatched:
        yield f'the kernel sent a reset that the wire never saw: {event.src} > {event.dst} {event.reason} {event.state}'
    for r in resets:
        if r.event is None and not r.packet.forged and not r.packet.copy_of and not hasattr(r.packet, 'story'):
            yield f'nothing is known of {r.packet.seg}'
    got = {r.label.cause for r in resets}
    for cause in expect:
        if not cause.startswith('?') and cause not in got:
            yield f'promised {cause} did not come, only {sorted(got)} ({kinds})'
    for cause in got:
        if cause not in expect and '?' + cause not in expect and cause != 'already-reset':
            yield f'{cause} was not promised'


def side(judge, reset):
    """Who asked for the connection: by the SYN, or the SYN/ACK, or else by the ports."""
    _, connection = judge.last_incarnation(judge.view(reset.packet, reset.packet.sent + 1e-9))
    for _, way, p in connection:
        if p.seg.flags & SYN:
            return 'client' if (way == 'out') != bool(p.seg.flags & ACK) else 'server'
    return 'client' if reset.packet.seg.sport > reset.packet.seg.dport else 'server'


def play(scenario, b, prepare, record):
    """The scenario's resets with their labels, the judge, and what went wrong."""
    problems = []
    record.read()
    try:
        prepare(b)
        scenario.run(b)
        b.settle()
    except (OSError, TimeoutError, AssertionError) as error:
        problems.append(f'did not run to its end: {error!r}')
    judge = truth.Judge(b, record.read()[0])
    resets = judge.run()
    find_triggers(judge, resets)
    for reset in resets:
        reset.sender = side(judge, reset)
        close_story(reset)
    return resets, problems + list(complaints(scenario.expect, resets, judge, b.p.actor))


def run(scenario, params, prefix, header, prepare):
    """One run; (complaints, number of resets). `prepare` puts the stack in its place. On a busy machine other races happen:
    then it is run again."""
    drawn = random.Random(params.seed)
    fixed = dict(scenario.run.bench)
    actors = fixed.pop('actors', ('client', 'server'))
    values = {'family': params.family, 'delay': params.delay, 'timestamps': params.timestamps, 'hops': drawn.randint(0, 3),
              'size': drawn.choice((1, 60, 500, 1400, 4000)), 'actor': drawn.choice(actors), 'seed': params.seed, **fixed}
    record = KernelRecord()
    try:
        for _ in range(MOST_RUNS):
            with machine.own_slot() as slot, bench.Bench(bench.Params(**values), slot) as b:
                wall_offset = time.time() - time.monotonic()
                resets, problems = play(scenario, b, prepare, record)
                b.wire.write_captures(prefix, wall_offset)
                labels.write(f'{prefix}.truth.tsv', f'{header} actor={b.p.actor} size={b.p.size} actual-delay={b.p.delay}', resets)
            if not problems:
                break
    finally:
        record.close()
    return problems, len(resets)
