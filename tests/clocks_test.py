#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every capture with resets, seen with other clocks.

  clocks_test.py [CAPTURE…]   default: test-captures/, and the public captures of wild_test.py where they are

Stamps are changed and nothing else: resets a little early, a clock that steps back or forth by a second, two ends whose
clocks differ, stamps that are all equal or rounded, times of 1970 and of 2106. So each reset keeps its cause and its trigger
where the order of the frames still shows them; it never becomes certain where it was not, and a certain cause never becomes
another certain one. What changes rightly is named in reason_of(), and counted.

The engine alone judges (replay.c), a hundred times as fast as tshark; a sample goes through tshark, which must say the same.
"""
import glob
import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace

from capture_test import CAPTURES, ENDINGS, find_captures
from pcap_file import MOST_SECONDS, SECOND, CannotRead, read_pcap, write_pcap
from tap import Tap
from wild_test import LABELS, wild_folder
from workplace import Workplace, build_folder

MICROSECOND, MILLISECOND = 1000, 10**6
EARLY = (1, 10, 50)   # microseconds
APART = 5 * MILLISECOND
MOST_RESETS = 8   # of a capture around which clocks are set
EACH_THROUGH_TSHARK = 250
FIELDS = ('frame.number', 'frame.interface_id', 'rstcause', 'rstcause.detail', 'rstcause.confidence', 'rstcause.trigger')


@dataclass(frozen=True)
class Verdict:
    cause: str
    detail: str
    confidence: str
    trigger: object   # the name of the frame that is answered, None

    def __str__(self):
        detail = f'/{self.detail}' if self.detail else ''
        return f'{self.cause}{detail} ({self.confidence}), trigger {self.trigger and self.trigger[1] + 1}'


@dataclass(frozen=True)
class Change:
    """One reset under another clock. Frames are named by their file and their place in it, whatever their order."""
    clock: str
    capture: str
    reset: tuple
    before: Verdict
    after: Verdict

    def __str__(self):
        return f'{self.capture} segment {self.reset[1] + 1}, {self.clock}: {self.before} -> {self.after}'


@dataclass(frozen=True)
class Clock:
    name: str
    frames: list   # (name, Frame), in the order of the file
    is_sorted: bool = False   # by the changed stamps, so that a reset may stand before what it answers
    is_off: bool = False      # delays are not what they were: a jump, or stamps that are too coarse to show them


def fields_of():
    return [argument for field in FIELDS for argument in ('-e', field)]


def read_table(table, names):
    """What replay or tshark printed for each segment, names[i] being that of the i-th: name of a reset → Verdict."""
    rows = [dict(zip(FIELDS, line.split('\t'))) for line in table.splitlines()]
    if len(rows) != len(names):
        raise ValueError(f'{len(rows)} lines for {len(names)} segments')
    of_frame = {row['frame.number']: name for row, name in zip(rows, names)}
    return {name: Verdict(row['rstcause'], row['rstcause.detail'], row['rstcause.confidence'],
                          of_frame.get(row['rstcause.trigger']))
            for row, name in zip(rows, names) if row['rstcause']}


def replay(*paths):
    argv = [os.path.join(build_folder(), 'tests', 'replay'), '-2', *fields_of(), *paths]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def read_segments(path, folder):
    """The link type, and the frames with a TCP segment."""
    link, frames = read_pcap(path)
    plain = os.path.join(folder, 'plain.pcap')
    write_pcap(plain, link, frames)
    numbers = [int(line.split('\t')[0]) for line in replay(plain).splitlines()]
    return link, [frames[number - 1] for number in numbers]


# Clocks

def set_clock(frames, clock):
    """clock(place, time) is the time that is shown."""
    return [((0, place), replace(frame, time=clock(place, frame.time))) for place, frame in enumerate(frames)]


def sort_by_time(named):
    return sorted(named, key=lambda pair: pair[1].time)


def resets_early(frames, resets):
    for microseconds in EARLY:
        early = set_clock(frames, lambda place, time, by=microseconds * MICROSECOND:
                          max(time - by, 0) if place in resets else time)
        yield Clock(f'resets {microseconds} us early', early)
        yield Clock(f'resets {microseconds} us early, sorted', sort_by_time(early), is_sorted=True)


def clock_steps(frames, resets, triggers, chance):
    """A second back or forth, for good and for some frames."""
    chosen = resets if len(resets) <= MOST_RESETS else sorted(chance.sample(resets, MOST_RESETS))
    places = {('at a reset', place) for place in chosen} | {('behind a reset', place + 1) for place in chosen}
    places |= {('at a trigger', triggers[place]) for place in chosen if place in triggers}
    places |= {('behind a trigger', triggers[place] + 1) for place in chosen if place in triggers}
    places |= {('anywhere', chance.randrange(len(frames))) for _ in range(4)}
    for where, first in sorted(places):
        end = first + 1 + chance.randrange(6)
        for direction, step in (('back', -SECOND), ('forth', SECOND)):
            yield Clock(f'{direction} {where}', set_clock(frames, lambda place, time, step=step, first=first:
                                                         time + step * (place >= first)), is_off=True)
            yield Clock(f'{direction} {where} for a while',
                        set_clock(frames, lambda place, time, step=step, first=first, end=end:
                                  time + step * (first <= place < end)), is_off=True)


def coarse_clocks(frames):
    yield Clock('equal stamps', set_clock(frames, lambda _, time: frames[0].time), is_off=True)
    for name, unit in (('whole milliseconds', MILLISECOND), ('whole seconds', SECOND)):
        yield Clock(name, set_clock(frames, lambda _, time, unit=unit: time - time % unit), is_off=True)


def other_years(frames, resets):
    first, last = min(frame.time for frame in frames), max(frame.time for frame in frames)
    end = (MOST_SECONDS + 1) * SECOND
    yield Clock('1970', set_clock(frames, lambda _, time: time - first))
    yield Clock('2106', set_clock(frames, lambda _, time: time - last + end - 1))
    for name, place in (('at a reset', resets[0]), ('half way', len(frames) // 2)):
        yield Clock(f'2106 ends {name}', set_clock(frames, lambda _, time, place=place:
                                                   (time - frames[place].time + end) % end), is_off=True)


def clocks_of(capture, frames, resets, triggers):
    chance = random.Random(os.path.basename(capture))
    yield from resets_early(frames, set(resets))
    yield from clock_steps(frames, resets, triggers, chance)
    yield from coarse_clocks(frames)
    yield from other_years(frames, resets)


# Judging

def is_proof_made(before, after):
    """What no clock may do."""
    if after.confidence != 'certain':
        return False
    return before.confidence != 'certain' or before.cause != after.cause


def reason_of(change, clock):
    """Why a change is right; None where it is not."""
    before, after = change.before, change.after
    causes = (before.cause, after.cause)
    if clock.is_off and causes == ('data-after-close', 'already-reset') and before.trigger == after.trigger:
        return 'a FIN that had the time to arrive makes the reset behind it effective: what comes later is already-reset'
    if is_proof_made(before, after):
        return None
    if before.cause == after.cause and before.trigger == after.trigger:
        return 'less is certain, or a detail that times tell is another'
    if clock.is_sorted:
        return reason_of_sorted(change, [name for name, _ in clock.frames])
    if not clock.is_off:
        return None
    if before.cause == after.cause and before.trigger and after.trigger:
        return 'of several segments that ask for the same answer, time alone tells which one was answered'
    if before.cause == after.cause and before.trigger and after.confidence != before.confidence:
        return 'too early or too late for an answer, or sent again too soon for a retransmission: less is certain'
    return OFF_REASONS.get(causes) if after.confidence != 'certain' else None


# What changes (cause before, cause after) where delays are not what they were. Never into a certain verdict.
OFF_REASONS = {
    ('keepalive-timeout', 'abort'): 'the time since the last probe is the evidence',
    ('abort', 'already-reset'): 'a copy a second later is another reset',
    ('time-wait', 'data-after-close'): 'the ACK of the FIN and its late copy are alike: time alone tells which one was answered',
    ('abort', 'data-after-close'): 'only its delay spoke against an answer',
    ('data-after-close', 'abort'): 'an answer a second late may be its sender\'s own doing',
    ('half-open', 'abort'): 'an answer a second late may be its sender\'s own doing',
    ('handshake-rejected', 'abort'): 'an answer a second late may be its sender\'s own doing',
    ('data-after-close', 'injected'): 'of a FIN that the capture lacks only the round trip told',
    ('injected', 'half-open'): 'a form that the peer\'s delay contradicts is a genuine one\'s else',
}


def reason_of_sorted(change, order):
    before = change.before.trigger
    if before and order.index(before) > order.index(change.reset):
        return 'what it answers stands behind it'
    if change.before.cause == change.after.cause and before and change.after.trigger:
        return 'a neighbour in its burst lost what it answers'
    if change.after.cause == 'injected' and change.after.confidence != 'certain':
        return 'NOT RIGHT: a neighbour was taken for forged until what it answers came; this one is not acquitted with it'
    return None


class Tally:
    def __init__(self):
        self.runs, self.resets, self.reasons, self.wrong = 0, 0, Counter(), []

    def hold_against(self, capture, clock, before, after):
        self.runs += 1
        for reset, verdict in after.items():
            self.resets += 1
            if verdict == before[reset]:
                continue
            change = Change(clock.name, os.path.basename(capture), reset, before[reset], verdict)
            reason = reason_of(change, clock)
            if reason is None:
                self.wrong.append(change)
            else:
                self.reasons[reason] += 1


def through_tshark(workplace, path, names):
    done = workplace.run('tshark', '-2', '-r', workplace.hold(path, 'clock.pcap'), '-T', 'fields', *fields_of())
    return read_table(done.stdout, names)


def test_capture(tally, capture, workplace, differing):
    path = os.path.join(workplace.folder, 'changed.pcap')
    link, frames = read_segments(capture, workplace.folder)
    if not frames:
        return
    write_pcap(path, link, frames)
    before = read_table(replay(path), [(0, place) for place in range(len(frames))])
    if not before:
        return
    resets = sorted(place for _, place in before)
    triggers = {name[1]: verdict.trigger[1] for name, verdict in before.items() if verdict.trigger}
    for clock in clocks_of(capture, frames, resets, triggers):
        write_pcap(path, link, [frame for _, frame in clock.frames])
        names = [name for name, _ in clock.frames]
        after = read_table(replay(path), names)
        tally.hold_against(capture, clock, before, after)
        if tally.runs % EACH_THROUGH_TSHARK == 0 and through_tshark(workplace, path, names) != after:
            differing.append(f'{capture}, {clock.name}')


def merge(ends):
    """Frames of several files by their times, as mergecap orders them: the head of each file that is earliest."""
    heads, merged = [0] * len(ends), []
    while True:
        earliest = None
        for file, frames in enumerate(ends):
            if heads[file] < len(frames) and (
                    earliest is None or frames[heads[file]].time < ends[earliest][heads[earliest]].time):
                earliest = file
        if earliest is None:
            return merged
        merged.append((earliest, heads[earliest]))
        heads[earliest] += 1


def test_two_ends(tally, client, workplace):
    server = client.removesuffix('client.pcap') + 'server.pcap'
    (link, at_client), (_, at_server) = (read_segments(end, workplace.folder) for end in (client, server))
    paths = [os.path.join(workplace.folder, f'{end}.pcap') for end in ('client', 'server')]
    before = None
    for apart in (0, APART, -APART):
        ends = (at_client, [replace(frame, time=frame.time + apart) for frame in at_server])
        for path, frames in zip(paths, ends):
            write_pcap(path, link, frames)
        after = read_table(replay(*paths), merge(ends))
        if before is None:
            before = after
        else:
            clock = Clock(f'two ends {apart // MILLISECOND} ms apart', [])
            tally.hold_against(client.removesuffix('-client.pcap'), clock, before, after)


def find_wild():
    return sorted(path for name in LABELS for path in glob.glob(os.path.join(wild_folder(name), '**', '*'), recursive=True)
                  if path.endswith(ENDINGS))


def main():
    tap, tally, differing = Tap(), Tally(), []
    with Workplace() as workplace:
        for capture in sys.argv[1:] or find_captures() + find_wild():
            try:
                test_capture(tally, capture, workplace, differing)
            except CannotRead as reason:
                print(f'# {reason}')
        if not sys.argv[1:]:
            for client in sorted(glob.glob(os.path.join(CAPTURES, '*-client.pcap'))):
                test_two_ends(tally, client, workplace)

    print(f'# {tally.runs} captures with other clocks, {tally.resets} verdicts')
    for reason, count in tally.reasons.most_common():
        print(f'# {count} changes: {reason}')
    for title, wrong in (
            ('nothing becomes certain, and no certain cause another',
             [change for change in tally.wrong if is_proof_made(change.before, change.after)]),
            ('cause and trigger stay where order shows them',
             [change for change in tally.wrong if not is_proof_made(change.before, change.after)])):
        tap.check(tally.runs and not wrong, title, '\n'.join(map(str, wrong)))
    tap.check(not differing, 'tshark says the same', '\n'.join(differing))
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
