#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the captures in test-captures/ again: the foundation scenarios, v4 and v6, at the client and at the server.

  record.py DIR [--only GLOB]

Writes <scenario>-<v4|v6>-<client|server>.pcap and, beside them, <scenario>-<v4|v6>.kernel.tsv with the kernel's
reason for each reset. Ports, addresses and times are the same every time; initial sequence numbers, timestamps
and IP IDs are the kernel's. Exit status 77 where this machine lacks a privilege.
"""
import argparse
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import kernel       # noqa: E402
import machine      # noqa: E402
import runner       # noqa: E402
import scenarios    # noqa: E402

EPOCH = 1767225600.0        # 2026-01-01 00:00:00 UTC
VANTAGES = ('client', 'server')


def record_one(task, directory, record):
    with tempfile.TemporaryDirectory() as work:
        outcome = runner.run_one(task, work, record, 0, VANTAGES, epoch=EPOCH)
        if outcome.problems:
            print(f'{task.name}: {"; ".join(outcome.problems)}', file=sys.stderr)
            return False
        base = f'{task.scenario}-v{task.params.family}'
        for vantage in VANTAGES:
            os.replace(f'{work}/{task.name}.{vantage}.pcap', f'{directory}/{base}-{vantage}.pcap')
        os.replace(f'{work}/{task.name}.truth.tsv', f'{directory}/{base}.kernel.tsv')
    print(f'{base}: {len(outcome.resets)} resets')
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('directory')
    parser.add_argument('--only', default='foundation')
    args = parser.parse_args()
    reason = kernel.missing_privilege()
    if reason:
        print(f'record: skipped: {reason}', file=sys.stderr)
        return 77
    os.makedirs(args.directory, exist_ok=True)
    tasks = runner.plan(scenarios.select(args.only), 0, 0, plain=True)
    record = kernel.KernelRecord()
    try:
        with machine.own_slot() as slot:
            if slot:
                print('record: another lab runs on this machine and has the addresses', file=sys.stderr)
                return 1
            done = [record_one(task, args.directory, record) for task in tasks]
    finally:
        record.close()
    return 0 if done and all(done) else 1


if __name__ == '__main__':
    sys.exit(main())
