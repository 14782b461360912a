#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Scores what tshark with the plugin says of the captures in a folder against the truth beside them.

  score.py DIR... [--passes 1|2|both] [--most N] [--only GLOB] [--jobs N] [--quiet]

Prints, for one pass and for two (-2): how many first forged resets of a direction were found, by tool and by place; how
many genuine ones were called a third party's; causes by family and tool; how often each confidence was right; details,
triggers and senders; how often each situation (rstcause.pattern, where tshark knows it) was shown right, shown wrong and
missed; wrong `certain`s; and each disagreement with file and frame. Where a forgery cannot be told at a
capture point (the truth accepts the form's own cause there), it is counted apart. Of a storm, the first N resets of each
direction and capture count. Runs the tshark that is first on the path. Knows the names of fields, and no rules.
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import compare      # noqa: E402
from compare import RST_BIT, THIRD_PARTY, share     # noqa: E402

OURS = ('rstcause', 'rstcause.detail', 'rstcause.confidence', 'rstcause.sender', 'rstcause.trigger')
PATTERN = 'rstcause.pattern'
FIELDS = [*compare.PLAIN, *OURS]
LABELLED = ('patterns', 'programs')     # families whose truth says of each reset whether a situation is shown
LATER = {'sender-continues', 'both-directions', 'copy'}
CONFIDENCES = ('certain', 'likely', 'possible')


def read_capture(path, two_passes):
    # tshark may be one that runs without the right to read the capture where it is.
    with tempfile.NamedTemporaryFile(suffix='.pcap') as held:
        shutil.copyfile(path, held.name)
        os.chmod(held.name, 0o644)
        argv = ['tshark', *(['-2'] if two_passes else []), '-n', '-r', held.name, '-Y', 'tcp', '-T', 'fields',
                '-E', 'occurrence=l']
        for field in FIELDS:
            argv += ['-e', field]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return [{**dict.fromkeys(FIELDS, ''), **dict(zip(FIELDS, line.split('\t')))} for line in done.stdout.splitlines()]


def known_fields(*names):
    """Those of these fields that this tshark has."""
    done = subprocess.run(['tshark', '-G', 'fields'], capture_output=True, text=True, check=True, errors='replace')
    known = {line.split('\t')[2] for line in done.stdout.splitlines() if line.startswith('F\t')}
    return [name for name in names if name in known]


class Verdict(compare.Verdict):
    """What the plugin says of one RST in one capture, with what is known of the run."""

    run = {}
    is_first = False    # the first forged one of its direction in this capture

    @property
    def forged(self):
        return self.truth.get('forged', '-') != '-'

    @property
    def third_party_is_fine(self):
        return any(cause in THIRD_PARTY for cause, _ in self.accepted())

    @property
    def cannot_be_told(self):
        return any(cause not in THIRD_PARTY + ('already-reset',) for cause, _ in self.accepted())

    @property
    def told_later(self):
        """Only what comes after it gives it away: the sender goes on, the other end gets one, too."""
        details = {detail for cause, detail in self.accepted()[1:] if cause == 'injected'}
        return bool(details) and details <= LATER

    @property
    def situations(self):
        """What may be shown of the situation: names, and '-' where nothing need be."""
        return self.truth.get('pattern', '-').split('/')

    @property
    def situation_shown(self):
        return self.got.get(PATTERN) or '-'

    @property
    def called_third_party(self):
        return self.got['rstcause'] in THIRD_PARTY

    def __str__(self):
        got = self.got
        return (f'{self.file} #{got["frame.number"]}: {got["rstcause"] or "nothing"}/{got["rstcause.detail"] or "-"} '
                f'({got["rstcause.confidence"]}, {got["rstcause.sender"]}, answers #{got["rstcause.trigger"] or "-"}), is '
                f'{"/".join(self.expected)}{" " + self.truth["forged"] if self.forged else ""}, accepted '
                f'{" ".join("/".join(a) for a in self.accepted()[1:]) or "-"} [{self.truth["reason"]} {self.truth["state"]}]')


def read_run(path):
    """What the first line of a truth says of the run."""
    with open(path, encoding='ascii') as file:
        line = file.readline()
    return {'name': line.split()[1], **dict(re.findall(r'(\w+)=(\S+)', line))}


def verdicts_of(pcap, truth, run, two_passes, most):
    """The verdicts of one capture and complaints about resets that one side does not have."""
    vantage = pcap.rsplit('.', 2)[1]
    seen_at, repeats = ('middle', 2) if vantage == 'any' else (vantage, 1)
    expected = collections.defaultdict(list)
    for row in truth:
        if seen_at in row['seen'].split(','):
            expected[compare.truth_key(row)].append(row)
    rows = read_capture(pcap, two_passes)
    by_frame = {row['frame.number']: row for row in rows}
    verdicts, complaints, met, slandered, counts = [], [], collections.Counter(), set(), collections.Counter()
    for row in rows:
        if not int(row['tcp.flags'], 16) & RST_BIT:
            continue
        key = compare.key_of(row)
        index, copy = divmod(met[key], repeats)
        met[key] += 1
        if index >= len(expected.get(key, ())):
            complaints.append(f'{os.path.basename(pcap)} #{row["frame.number"]}: a RST that the truth does not have')
            continue
        v = Verdict(os.path.basename(pcap), row['frame.number'], row, expected[key][index], vantage, copy > 0)
        v.run = run
        v.trigger_right = compare.trigger_right(row, v.truth, by_frame, seen_at)
        if v.forged and key[:4] not in slandered:
            v.is_first = True
            slandered.add(key[:4])
        counts[key[:4]] += 1
        if counts[key[:4]] <= most:
            verdicts.append(v)
    complaints += [f'{os.path.basename(pcap)}: RST {key} is missing' for key, some in expected.items()
                   if met[key] != len(some) * repeats]
    return verdicts, complaints


def collect(directories, only, two_passes, most, workers):
    jobs = []
    for directory in directories:
        for path in sorted(glob.glob(glob.escape(directory) + '/**/*.truth.tsv', recursive=True)):
            truth, run = compare.read_truth(path), read_run(path)
            if truth and any(fnmatch.fnmatch(x, only) for x in (run['name'], run.get('tool', ''), run.get('group', ''))):
                prefix = path.removesuffix('.truth.tsv')
                jobs += [(pcap, truth, run, two_passes, most) for pcap in sorted(glob.glob(glob.escape(prefix) + '.*.pcap'))]
    verdicts, complaints = [], []
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for some, more in pool.map(lambda job: verdicts_of(*job), jobs):
            verdicts += some
            complaints += more
    return verdicts, complaints


def print_shares(title, verdicts, key, is_right):
    groups = collections.defaultdict(list)
    for v in verdicts:
        groups[key(v)].append(is_right(v))
    if groups:
        print(f'  {title}')
    for name, some in sorted(groups.items()):
        print(f'    {name:32} {share(sum(some), len(some)):6.1f} % of {len(some)}')


def place_of(v):
    return f'{v.run.get("place", "?")}, seen at {v.vantage}'


def report_forged(verdicts):
    firsts = [v for v in verdicts if v.is_first and not v.copy]
    tellable = [v for v in firsts if not v.cannot_be_told]
    hidden = [v for v in firsts if v.cannot_be_told]
    later = [v for v in tellable if v.told_later]
    found = sum(v.called_third_party for v in tellable)
    print(f'  first forged of a direction found: {share(found, len(tellable)):.1f} % of {len(tellable)}; cannot be told where '
          f'it was captured: {len(hidden)}, of which {sum(v.called_third_party for v in hidden)} were called a third party\'s; '
          f'told by what comes later only: {share(sum(v.called_third_party for v in later), len(later)):.1f} % of {len(later)}')
    print_shares('by tool', tellable, lambda v: v.run.get('tool', '?'), lambda v: v.called_third_party)
    print_shares('by tool, those that cannot be told', hidden, lambda v: v.run.get('tool', '?'), lambda v: v.called_third_party)
    print_shares('by place of the forger', tellable, place_of, lambda v: v.called_third_party)
    print_shares('by IP version', tellable, lambda v: 'IPv' + v.run.get('family', '?'), lambda v: v.called_third_party)


class Tally:
    """One situation: resets of which it was said rightly, wrongly, and of which it should have been said and was not."""

    def __init__(self):
        self.right, self.wrong, self.missed, self.needed = 0, [], [], 0


def tally_situations(verdicts):
    tallies = collections.defaultdict(Tally)
    for v in verdicts:
        shown, may = v.situation_shown, v.situations
        if shown != '-':
            if shown in may:
                tallies[shown].right += 1
            else:
                tallies[shown].wrong.append(v)
        if '-' not in may:
            tallies[may[0]].needed += 1
            if shown not in may:
                tallies[may[0]].missed.append(v)
    return tallies


def report_situations(verdicts, quiet):
    """Resets that the truth lets be told or not count where they are told only."""
    if PATTERN not in FIELDS:
        print(f'  situations: this tshark knows no {PATTERN}')
        return
    labelled = [v for v in verdicts if v.run.get('group') in LABELLED]
    tallies = tally_situations(labelled)
    print(f'  {"situation":20} {"shown right":>11} {"shown wrong":>11} {"right":>8} {"missed":>7} {"found":>8}')
    for name, t in sorted(tallies.items()):
        print(f'  {name:20} {t.right:11} {len(t.wrong):11} {share(t.right, t.right + len(t.wrong)):7.1f}% {len(t.missed):7} '
              f'{share(t.needed - len(t.missed), t.needed):7.1f}% of {t.needed}')
    right, wrong = sum(t.right for t in tallies.values()), sum(len(t.wrong) for t in tallies.values())
    needed, missed = sum(t.needed for t in tallies.values()), sum(len(t.missed) for t in tallies.values())
    print(f'  {"all":20} {right:11} {wrong:11} {share(right, right + wrong):7.1f}% {missed:7} '
          f'{share(needed - missed, needed):7.1f}% of {needed}')
    others = collections.Counter(v.situation_shown for v in verdicts if v.run.get('group') not in LABELLED)
    del others['-']
    print('  shown where the truth does not speak of situations: '
          + (', '.join(f'{name} {count}' for name, count in others.most_common()) or 'none'))
    for v in () if quiet else dict.fromkeys(v for t in tallies.values() for v in (*t.wrong, *t.missed)):
        print(f'    situation: {v.file} #{v.got["frame.number"]}: {v.got["rstcause"]} shows {v.situation_shown}, '
              f'should show {" or ".join(v.situations)}')


def report(verdicts, complaints, quiet):
    report_forged(verdicts)
    report_situations(verdicts, quiet)
    genuine = [v for v in verdicts if not v.forged and not v.third_party_is_fine]
    accused = [v for v in genuine if v.called_third_party]
    print(f'  genuine called a third party\'s: {share(len(accused), len(genuine)) if genuine else 0:.2f} % '
          f'({len(accused)} of {len(genuine)})')
    print(f'  cause right: {share(sum(v.right for v in verdicts), len(verdicts)):.2f} % of {len(verdicts)}, without answers to '
          f'what came before (already-reset): '
          + '{:.2f} % of {}'.format(*share_of([v for v in verdicts if v.expected[0] != 'already-reset'])))
    print_shares('by family and tool', verdicts, lambda v: f'{v.run.get("group", "?")}/{v.run.get("tool", "?")}', lambda v: v.right)
    print_shares('by true cause', verdicts, lambda v: v.expected[0], lambda v: v.right)
    for confidence in CONFIDENCES:
        some = [v for v in verdicts if v.got['rstcause.confidence'] == confidence]
        print(f'  right among {confidence:9} {share(sum(v.right for v in some), len(some)):6.2f} % of {len(some)}')
    given = [v for v in verdicts if v.right and v.got['rstcause.detail']]
    print(f'  details right where given: {share(sum(v.detail_right for v in given), len(given)):.2f} % of {len(given)}')
    known = [v for v in verdicts if v.trigger_right is not None]
    print(f'  triggers right: {share(sum(v.trigger_right for v in known), len(known)):.2f} % of {len(known)}')
    print(f'  senders right: {share(sum(v.sender_right for v in verdicts), len(verdicts)):.2f} % of {len(verdicts)}')
    wrong = [v for v in verdicts if not v.right]
    certain = [v for v in wrong if v.got['rstcause.confidence'] == 'certain']
    print(f'  wrong certain: {len(certain)}')
    for v in certain if quiet else wrong:
        print(f'    {v}')
    for v in () if quiet else [v for v in given if not v.detail_right]:
        print(f'    detail: {v}')
    for v in () if quiet else [v for v in known if v.right and not v.trigger_right]:
        print(f'    trigger: {v}, should be {v.truth["trigger"]}')
    for complaint in complaints:
        print(f'    {complaint}')


def share_of(verdicts):
    return share(sum(v.right for v in verdicts), len(verdicts)), len(verdicts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('dir', nargs='+')
    parser.add_argument('--passes', choices=('1', '2', 'both'), default='both')
    parser.add_argument('--most', type=int, default=20, help='resets of one direction and capture that count')
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('--only', default='*', help='scenarios, tools or families')
    parser.add_argument('--quiet', action='store_true', help='of the disagreements, list the wrong `certain`s only')
    args = parser.parse_args()
    FIELDS.extend(known_fields(PATTERN))
    for passes in ('1', '2') if args.passes == 'both' else (args.passes,):
        verdicts, complaints = collect(args.dir, args.only, passes == '2', args.most, args.jobs)
        if not verdicts:
            print('score: no reset to compare', file=sys.stderr)
            return 1
        print('one pass' if passes == '1' else 'two passes (-2)')
        report(verdicts, complaints, args.quiet)
    return 0


if __name__ == '__main__':
    sys.exit(main())
