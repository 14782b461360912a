#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The incidents of many captures as one report.

  merge.py [--json] CAPTURES RESULTS    prints them; what has no result is named, and the exit status is 1
  merge.py --missing CAPTURES RESULTS   prints the captures that have no result, for a rerun

CAPTURES is a file with the path of a capture on each line, RESULTS the folder that incidents_of.sh wrote to. Incidents
of the same kind are one, as in a single capture (plugin/incidents): the same cause and pattern at the same service
from the same side; a scan's, all that one host meets. Knows the JSON lines of tshark -z rstcause,incidents-json, and
nothing of captures. --json prints such lines, with the number of captures and the one with the earliest reset.
"""
import argparse
import datetime
import decimal
import json
import os
import sys
import textwrap

MOST_CLIENTS = 64   # kept of each incident, as in a single capture
MOST_ROWS = 40      # of the text
WIDTH = 100
SCAN = 'port-scan'
SEVERITIES = ('chat', 'note', 'warning', 'error')
SENDERS = {'client': 'the client', 'server': 'the server', 'third-party': 'a third party'}
SUMS = ('resets', 'did_harm', 'captured_twice')


def result_of(capture, results):
    return os.path.join(results, capture.lstrip('/') + '.jsonl')


def read_lines(path):
    """Times keep all their digits."""
    with open(path, encoding='utf-8') as file:
        return [json.loads(line, parse_float=decimal.Decimal) for line in file]


def kind_of(incident):
    """None for what had no incident of its own in its capture."""
    if 'cause' not in incident:
        return None
    asked = incident['clients'][0] if incident.get('pattern') == SCAN else incident['service']
    return incident['cause'], incident.get('pattern'), incident['reset_by'], asked


def begin(incident, capture):
    """An incident of one capture, as one of many."""
    return {**incident, 'captures': 1, 'first_capture': capture, 'last_capture': capture}


def add_clients(whole, incident):
    clients = list(dict.fromkeys(whole['clients'] + incident['clients']))
    whole['clients'] = clients[:MOST_CLIENTS]
    whole['more_clients'] |= incident['more_clients'] or len(clients) > MOST_CLIENTS


def add(whole, incident, capture):
    """Frame, explanation and advice stay those of the earliest reset, and of the first capture among equals."""
    whole['captures'] += 1
    for name in SUMS:
        whole[name] += incident[name]
    if incident['first_time'] < whole['first_time']:
        whole['first_capture'] = capture
        for name in ('first_frame', 'first_time', 'explanation', 'advice'):
            if name in incident:
                whole[name] = incident[name]
            else:
                whole.pop(name, None)
    if incident['last_time'] > whole['last_time']:
        whole.update(last_capture=capture, last_frame=incident['last_frame'], last_time=incident['last_time'])
    if 'shortest_idle' in incident:
        whole['shortest_idle'] = min(incident['shortest_idle'], whole.get('shortest_idle', incident['shortest_idle']))
        whole['longest_idle'] = max(incident['longest_idle'], whole.get('longest_idle', incident['longest_idle']))
    if 'cause' in incident:
        whole['severity'] = max(whole['severity'], incident['severity'], key=SEVERITIES.index)
        add_clients(whole, incident)


def merge(captures, results):
    """The incidents, those that did most harm first; what belongs to none of them last."""
    by_kind = {}
    for capture in captures:
        for incident in read_lines(result_of(capture, results)):
            kind = kind_of(incident)
            if kind in by_kind:
                add(by_kind[kind], incident, capture)
            else:
                by_kind[kind] = begin(incident, capture)
    return sorted(by_kind.values(), key=lambda one: ('cause' not in one, -one['did_harm'], -one['resets'], one['first_time']))


def json_line(incident):
    """json.dumps() would round the times."""
    members = (f'{json.dumps(name)}: {value if isinstance(value, decimal.Decimal) else json.dumps(value, ensure_ascii=False)}'
               for name, value in incident.items())
    return '{' + ', '.join(members) + '}'


def number(count, word):
    return f'{count} {word}' if count == 1 else f'{count} {word}s'


def describe_counts(incident):
    twice = f', {incident["captured_twice"]} captured twice' if incident['captured_twice'] else ''
    return f'{number(incident["resets"], "reset")}, {incident["did_harm"]} did harm{twice}; in {number(incident["captures"], "capture")}'


def describe_clients(incident):
    clients = incident['clients']
    listed = ', '.join(clients[:3]) + (', …' if len(clients) > 3 else '')
    more = ' and more' if incident['more_clients'] else ''
    return f'{number(len(clients), "client")}{more} ({listed})'


def describe_idle(incident):
    shortest, longest = incident.get('shortest_idle'), incident.get('longest_idle', 0)
    if longest < 1:
        return ''
    return f'; idle for {shortest:.3f}{f" to {longest:.3f}" if longest != shortest else ""} s before'


def describe_time(seconds):
    """2026-01-01 00:00:00.379"""
    whole, fraction = divmod(seconds, 1)
    moment = datetime.datetime.fromtimestamp(int(whole), datetime.timezone.utc)
    return f'{moment:%Y-%m-%d %H:%M:%S}.{int(fraction * 1000):03d}'


def describe_when(incident):
    first = f'{incident["first_capture"]} #{incident["first_frame"]}, {describe_time(incident["first_time"])} UTC'
    if incident['resets'] == 1:
        return first
    return f'{first}, to {incident["last_capture"]} #{incident["last_frame"]}, {describe_time(incident["last_time"])} UTC'


def paragraphs_of(rank, incident):
    pattern, cause = incident.get('pattern'), incident['cause']
    kind = f'{pattern} ({cause})' if pattern else cause
    yield f'{rank:2}. {kind} at {incident["service"]}, reset by {SENDERS[incident["reset_by"]]}, {incident["severity"]}'
    yield f'    {describe_counts(incident)}; {describe_clients(incident)}{describe_idle(incident)}'
    yield f'    {describe_when(incident)}'
    if incident.get('explanation'):
        yield f'    {incident["explanation"]}'
    if incident.get('advice'):
        yield f'    What to do: {incident["advice"]}'


def print_text(incidents, captures):
    resets, harm = (sum(one[name] for one in incidents) for name in ('resets', 'did_harm'))
    found = [one for one in incidents if 'cause' in one]
    print(f'TCP resets in {number(captures, "capture")}: {number(resets, "reset")}, {harm} did harm; {number(len(found), "incident")}')
    for rank, incident in enumerate(found[:MOST_ROWS], 1):
        print()
        for paragraph in paragraphs_of(rank, incident):
            print(textwrap.fill(paragraph, WIDTH, subsequent_indent='    ', break_long_words=False, break_on_hyphens=False))
    others = found[MOST_ROWS:] + incidents[len(found):]
    if others:
        print(f'\nother: {number(sum(one["resets"] for one in others), "reset")}, {sum(one["did_harm"] for one in others)} did harm')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--json', action='store_true')
    parser.add_argument('--missing', action='store_true')
    parser.add_argument('captures')
    parser.add_argument('results')
    args = parser.parse_args()

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding='utf-8', errors='surrogateescape')   # a file's name is bytes
    with open(args.captures, encoding='utf-8', errors='surrogateescape') as file:
        captures = list(dict.fromkeys(line.rstrip('\n') for line in file if line.strip()))
    there = [capture for capture in captures if os.path.exists(result_of(capture, args.results))]
    missing = [capture for capture in captures if capture not in set(there)]
    if args.missing:
        sys.stdout.writelines(capture + '\n' for capture in missing)
        return 0
    incidents = merge(there, args.results)
    if args.json:
        sys.stdout.writelines(json_line(incident) + '\n' for incident in incidents)
    else:
        print_text(incidents, len(there))
    for capture in missing:
        print(f'no result: {capture}', file=sys.stderr)
    return 1 if missing else 0


if __name__ == '__main__':
    sys.exit(main())
