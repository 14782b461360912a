#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The verdicts on the recorded captures, held against the kernel's reasons that were recorded beside them.

Prints the table of true causes and kernel reasons; each verdict must be right, at both capture points.
"""
import collections
import glob
import os
import sys

from tap import Tap
from workplace import REPOSITORY, Workplace

sys.path.insert(0, os.path.join(REPOSITORY, 'tests', 'lab'))
import compare  # noqa: E402  the lab's own comparison


def main():
    tap, reasons = Tap(), collections.Counter()
    with Workplace() as workplace:
        # The comparison calls tshark by its name; the first one in the path is the one with the plugin.
        os.environ['PATH'] = f'{workplace.bin}:{os.environ["PATH"]}'
        fields = compare.available_fields()
        for path in sorted(glob.glob(os.path.join(REPOSITORY, 'test-captures', '*.kernel.tsv'))):
            truth = compare.read_truth(path)
            for point in ('client', 'server'):
                name = f'{path.removesuffix(".kernel.tsv")}-{point}.pcap'
                verdicts, complaints = compare.compare_one(name, truth, fields, point)
                wrong = [f'#{v.frame}: says {v.got["rstcause"]}, is {v.truth["cause"]}' for v in verdicts if not v.right]
                tap.check(not wrong and not complaints, os.path.basename(name), '\n'.join(wrong + complaints))
                reasons.update((v.truth['cause'], v.truth['reason']) for v in verdicts)
    for (cause, reason), count in sorted(reasons.items()):
        print(f'# {cause:22}{reason:28}{count:4}')
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
