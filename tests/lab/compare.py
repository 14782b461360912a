# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares what tshark with the plugin says about each RST of a run with the truth beside the captures.

Reads only files: the captures and their .truth.tsv. Knows nothing about how either side comes to its answer.
"""
import collections
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import typing

import effects
from frames import ACK, flag_names

PLAIN = ('frame.number', 'ip.src', 'ipv6.src', 'ip.dst', 'ipv6.dst', 'tcp.srcport', 'tcp.dstport', 'tcp.seq_raw',
         'tcp.ack_raw', 'tcp.flags', 'tcp.len')
OURS = ('rstcause', 'rstcause.detail', 'rstcause.confidence', 'rstcause.sender', 'rstcause.trigger',
        'rstcause.effect')
RST_BIT = 4
THIRD_PARTY = ('injected', 'firewall-reject')


class Least(typing.NamedTuple):
    """Percent that must be right."""

    cause: float = 100
    others: float = 0   # detail, sender, trigger, effect: each


class Verdict:
    """What the plugin says of one RST in one capture, and the truth of it."""

    def __init__(self, file, frame, got, truth, vantage, copy):
        self.file, self.frame, self.got, self.truth, self.vantage, self.copy = file, frame, got, truth, vantage, copy
        self.trigger_right = None

    @property
    def expected(self):
        return (self.truth['cause'], 'copy' if self.copy else self.truth['detail'])

    def accepted(self):
        pairs = [self.expected]
        for item in self.truth['acceptable'].split():
            pair, _, where = item.partition('@')
            if pair != '-' and where in ("", self.vantage.replace("any", "middle")):
                pairs.append(tuple(pair.split('/')))
        return pairs

    @property
    def right(self):
        return any(self.got['rstcause'] == cause for cause, _ in self.accepted())

    @property
    def detail_right(self):
        """A detail that the capture does not show may be left out; that a packet is a copy may not."""
        if not self.got['rstcause.detail'] and self.expected[1] != 'copy':
            return True
        return (self.got['rstcause'], self.got['rstcause.detail'] or '-') in self.accepted()

    @property
    def sender_right(self):
        return self.got['rstcause.sender'] == self.truth['sender']


def read_truth(path):
    with open(path, encoding='ascii') as file:
        lines = file.read().splitlines()
    view = re.search(r' view=(\S+)', lines[0])[1]
    names = lines[1].split('\t')
    return [{**dict(zip(names, line.split('\t'))), 'view': view} for line in lines[2:]]


def available_fields():
    done = subprocess.run(['tshark', '-G', 'fields'], capture_output=True, text=True, check=True, errors='replace')
    known = {line.split('\t')[2] for line in done.stdout.splitlines() if line.startswith('F\t')}
    return [f for f in OURS if f in known]


def read_capture(path, fields):
    wanted = [*PLAIN, *fields]
    # What comes later proves some verdicts, so two passes, and those need a file. tshark may be one that runs without
    # the right to read the capture where it is.
    with tempfile.NamedTemporaryFile(suffix='.pcap') as held:
        shutil.copyfile(path, held.name)
        os.chmod(held.name, 0o644)
        argv = ['tshark', '-2', '-r', held.name, '-Y', 'tcp', '-T', 'fields', '-E', 'occurrence=l']
        for field in wanted:
            argv += ['-e', field]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    rows = []
    for line in done.stdout.splitlines():
        row = dict(zip(wanted, line.split('\t')))
        row.update({f: '' for f in OURS if f not in row})
        rows.append(row)
    return rows


def key_of(row):
    # Tunnels have IPv4 outside, so an IPv6 address is the inner one.
    return (row['ipv6.src'] or row['ip.src'], row['tcp.srcport'], row['ipv6.dst'] or row['ip.dst'], row['tcp.dstport'],
            row['tcp.seq_raw'], row['tcp.ack_raw'], int(row['tcp.flags'], 16) & 0x3f)


def truth_key(row):
    return (row['src'], row['sport'], row['dst'], row['dport'], row['seq'], row['ack'], int(row['flags'], 16))


TRIGGER = re.compile(r'seq=(\d+) ack=(\d+) len=(\d+) flags=(\S+) at=(\S+)')


def trigger_right(got, truth, by_frame, seen_at):
    """Whether the plugin names the right trigger; None where the capture does not hold it."""
    match = TRIGGER.match(truth['trigger'])
    if not match:
        # The truth names triggers only where the kernel's record does; what forgers and firewalls answer is open, too.
        return not got['rstcause.trigger'] if truth['state'].endswith('/active') else None

    def like(row):
        flags = int(row['tcp.flags'], 16)
        return (row['tcp.seq_raw'], row['tcp.len'], flag_names(flags & 0x3f)) == match.group(1, 3, 4) and \
            (not flags & ACK or row['tcp.ack_raw'] == match[2])

    if seen_at not in match[5].split(','):
        return None
    named = by_frame.get(got['rstcause.trigger'])
    return named is not None and like(named)


def compare_one(pcap, truth, fields, vantage=None):
    """The Verdicts of one capture, and complaints about RSTs that one side does not have."""
    vantage = vantage or pcap.rsplit('.', 2)[1]
    seen_at = 'middle' if vantage == 'any' else vantage
    repeats = 2 if vantage == 'any' else 1
    expected = collections.defaultdict(list)
    for row in truth:
        if seen_at in row['seen'].split(','):
            expected[truth_key(row)].append(row)
    verdicts, complaints, met = [], [], collections.Counter()
    rows = read_capture(pcap, fields)
    by_frame = {row['frame.number']: row for row in rows}
    for row in rows:
        if not int(row['tcp.flags'], 16) & RST_BIT:
            continue
        key = key_of(row)
        index, copy = divmod(met[key], repeats)
        met[key] += 1
        if index >= len(expected.get(key, ())):
            complaints.append(f'{os.path.basename(pcap)} #{row["frame.number"]}: a RST that the truth does not have')
            continue
        verdict = Verdict(os.path.basename(pcap), row['frame.number'], row, expected[key][index], vantage, copy > 0)
        if 'rstcause.trigger' in fields:
            verdict.trigger_right = trigger_right(row, verdict.truth, by_frame, seen_at)
        verdicts.append(verdict)
    complaints += [f'{os.path.basename(pcap)}: RST {key} is missing' for key, rows in expected.items()
                   if met[key] != len(rows) * repeats]
    return verdicts, complaints


def print_table(title, counts, row_name, column_name):
    rows = sorted({r for r, _ in counts})
    columns = sorted({c for _, c in counts})
    print(f'\n{title} ({row_name} down, {column_name} across)')
    letters = {c: f'[{i + 1}]' for i, c in enumerate(columns)}
    for c in columns:
        print(f'  {letters[c]:>5} {c}')
    width = max(len(r) for r in rows)
    print(' ' * width + ''.join(f'{letters[c]:>7}' for c in columns))
    for r in rows:
        print(f'{r:{width}}' + ''.join(f'{counts.get((r, c)) or ".":>7}' for c in columns))


def share(part, whole):
    return 100 * part / whole if whole else 100.0


def report(verdicts, complaints, fates, least, with_details):
    wrong = [v for v in verdicts if not v.right]
    wrong_detail = [v for v in verdicts if v.right and not v.detail_right]
    print_table('Cause and kernel reason', collections.Counter(
        (v.truth['cause'], v.truth['reason']) for v in verdicts), 'true cause', 'reason')
    print_table('Confusion, with what the label accepts besides counted as right', collections.Counter(
        (v.expected[0] if not v.right else v.got['rstcause'], v.got['rstcause'] or 'nothing') for v in verdicts),
        'truth', 'plugin')
    print()
    for v in wrong + (wrong_detail + [v for v in verdicts if v.right and not v.sender_right] if with_details else []):
        print(f'{v.file} #{v.frame}: {v.got["rstcause.sender"]} says {v.got["rstcause"] or "nothing"}/{v.got["rstcause.detail"] or "-"} '
              f'({v.got["rstcause.confidence"]}), is {"/".join(v.expected)} [{v.truth["reason"]} {v.truth["state"]}], '
              f'accepted {v.accepted()[1:]}, trigger {v.truth["trigger"]}')
    for v in verdicts if with_details else ():
        if v.right and v.trigger_right is False:
            print(f'{v.file} #{v.frame}: trigger is #{v.got["rstcause.trigger"] or "none"}, should be {v.truth["trigger"]} '
                  f'({"/".join(v.expected)})')
    right_effects, effects_compared, wrong_effects = fates
    for complaint in complaints + (wrong_effects if with_details else []):
        print(complaint)
    total = len(verdicts)
    known_triggers = [v for v in verdicts if v.trigger_right is not None]
    certain = sum(v.got['rstcause.confidence'] == 'certain' for v in wrong)
    unknown = sum(v.got['rstcause'] == 'unknown' for v in verdicts)
    agreement = share(total - len(wrong), total)
    print(f'\nresets {total}, agreement {agreement:.2f} %, wrong "certain" {certain}, '
          f'unknown {share(unknown, total):.2f} %')
    others = {
        'detail': share(total - len(wrong) - len(wrong_detail), total - len(wrong)),
        'sender': share(sum(v.sender_right for v in verdicts), total),
        'trigger': share(sum(v.trigger_right for v in known_triggers), len(known_triggers)),
        'effect': share(right_effects, effects_compared),
    }
    print('besides, right: ' + ', '.join(f'{name} {percent:.2f} %' for name, percent in others.items())
          + f' (effect: of {effects_compared} sockets whose owner looked)')
    forged = [v for v in verdicts if v.truth['cause'] == 'injected' and not v.copy]
    genuine = [v for v in verdicts if v.truth['cause'] not in THIRD_PARTY]
    accused = [v for v in genuine if v.got['rstcause'] in THIRD_PARTY and not v.right]
    found = sum(v.got['rstcause'] == 'injected' for v in forged)
    print(f'forged resets judged right {share(sum(v.right for v in forged), len(forged)):.2f} % of {len(forged)} '
          f'({found} called injected), '
          f'genuine ones called forged or a firewall\'s {share(len(accused), len(genuine)) if genuine else 0:.2f} % of {len(genuine)}')
    views = collections.Counter(v.truth['view'] for v in verdicts)
    if len(views) > 1:
        print('by view: ' + ', '.join(f'{view} {share(sum(v.right for v in verdicts if v.truth["view"] == view), n):.2f} % '
                                      f'of {n}' for view, n in sorted(views.items())))
    return agreement >= least.cause and min(others.values()) >= least.others and not complaints and certain == 0


def keep_captures(verdicts, directory, kept):
    """Copies the files of each run that has a disagreement."""
    os.makedirs(kept, exist_ok=True)
    for run in sorted({v.file.rsplit('.', 2)[0] for v in verdicts if not v.right}):
        for path in glob.glob(os.path.join(glob.escape(directory), glob.escape(run) + '.*')):
            shutil.copy(path, kept)


def check(directory, least, with_details, kept=None):
    """True where the verdicts are right in `least` of the cases. `kept` is a folder for the captures that disagree."""
    fields = available_fields()
    if 'rstcause' not in fields:
        print('lab: tshark has no field rstcause: the plugin is not installed', file=sys.stderr)
        return False
    jobs = []
    for truth_path in sorted(glob.glob(os.path.join(glob.escape(directory), '*.truth.tsv'))):
        truth = read_truth(truth_path)
        prefix = truth_path.removesuffix('.truth.tsv')
        if truth:
            jobs += [(pcap, truth) for pcap in sorted(glob.glob(glob.escape(prefix) + '.*.pcap'))]
    verdicts, complaints = [], []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for some, more in pool.map(lambda job: compare_one(*job, fields), jobs):
            verdicts += some
            complaints += more
    if not verdicts:
        print('lab: no reset to compare', file=sys.stderr)
        return False
    if kept:
        keep_captures(verdicts, directory, kept)
    return report(verdicts, complaints, effects.judge(verdicts, directory), least, with_details)
