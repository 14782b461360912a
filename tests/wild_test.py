#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The verdicts on public captures, held against what two readers made of the same packets.

  wild_test.py

The captures are not part of the project: they are looked for in wild-captures and wild-captures-2 below RSTCAUSE_WILD,
or below shared/ beside the repository. Exit status 77 where they are not there. Only labels on which both readers (in the
second folder one, who names what else fits) agree are held against the plugin; how far they agree is printed.
"""
import csv
import os
import sys

from tap import Tap
from workplace import REPOSITORY, Workplace

CANNOT_RUN = 77
LEAST_AGREEMENT = 95
MOST_UNKNOWN = 10
FIELDS = ('frame.number', 'rstcause', 'rstcause.confidence', 'rstcause.trigger')


LABELS = {'wild-captures': 'wild-labels.tsv', 'wild-captures-2': 'wild-labels-2.tsv'}


def wild_folder(name):
    return os.path.join(os.environ.get('RSTCAUSE_WILD') or os.path.join(os.path.dirname(REPOSITORY), 'shared'), name)


def read_labels(name):
    with open(os.path.join(REPOSITORY, 'tests', name), encoding='ascii') as file:
        return list(csv.DictReader((line for line in file if not line.startswith('#')), delimiter='\t'))


def read_verdicts(workplace, path):
    argv = ['tshark', '-2', '-r', workplace.hold(path), '-Y', 'rstcause', '-T', 'fields']
    for field in FIELDS:
        argv += ['-e', field]
    rows = (line.split('\t') for line in workplace.run(*argv).stdout.splitlines())
    return {row[0]: dict(zip(FIELDS, row)) for row in rows}


def share(part, whole):
    return 100 * part / whole


def judge(labels, folder, workplace):
    files = sorted({label['file'] for label in labels})
    verdicts = {file: read_verdicts(workplace, os.path.join(folder, file)) for file in files}
    for label in labels:
        label['got'] = verdicts[label['file']].get(label['frame'], {})


def main():
    labels, tap = [], Tap()
    with Workplace() as workplace:
        for name, table in LABELS.items():
            if not os.path.isdir(wild_folder(name)):
                print(f'{wild_folder(name)} is not there', file=sys.stderr)
                return CANNOT_RUN
            read = read_labels(table)
            judge(read, wild_folder(name), workplace)
            labels += read

    agreed = [label for label in labels if label['cause_a'] == label['cause_b']]
    wrong = [label for label in agreed if label['got'].get('rstcause') != label['cause_a']]
    triggers = [label for label in agreed if label['trigger_a'] == label['trigger_b']]
    right_triggers = [label for label in triggers if (label['got'].get('rstcause.trigger') or '-') == label['trigger_a']]
    unknown = [label for label in labels if label['got'].get('rstcause') == 'unknown']
    for label in wrong:
        print(f'# {label["file"]} #{label["frame"]}: says {label["got"].get("rstcause")} '
              f'({label["got"].get("rstcause.confidence")}), readers say {label["cause_a"]}')
    print(f'# {len(labels)} resets; the readers agree on the cause of {len(agreed)}; of these the plugin is right on '
          f'{len(agreed) - len(wrong)}, and on {len(right_triggers)} of {len(triggers)} triggers; '
          f'it says unknown of {len(unknown)}')
    tap.check(all(label['got'].get('rstcause') for label in labels), 'every reset has a verdict')
    tap.check(share(len(agreed) - len(wrong), len(agreed)) >= LEAST_AGREEMENT, f'agrees with the readers on {LEAST_AGREEMENT} % or more')
    tap.check(not any(label['got'].get('rstcause.confidence') == 'certain' for label in wrong), 'nothing wrong is certain')
    tap.check(share(len(unknown), len(labels)) <= MOST_UNKNOWN, f'unknown is {MOST_UNKNOWN} % or less')
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
