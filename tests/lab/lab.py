#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: makes real TCP resets on this kernel, captures them and writes down why each was sent.

  lab.py list
  lab.py run   [--seed N] [--count N] [--only GLOB] [--jobs N] [--out DIR] [--plain | --partial]
  lab.py check DIR [--at-least PERCENT] [--others PERCENT] [--details]
  lab.py soak  --keep DIR [--seed N] [--count N] [--only GLOB] [--jobs N] [--partial]

Exit status: 0 fine, 1 something is wrong, 77 this machine lacks a privilege that the lab needs.
"""
import argparse
import os
import random
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bench        # noqa: E402
import compare      # noqa: E402
import kernel       # noqa: E402
import runner       # noqa: E402
import scenarios    # noqa: E402

SKIPPED = 77


def list_scenarios(_args):
    for name, s in sorted(scenarios.load().items(), key=lambda item: (item[1].group, item[0])):
        print(f'{s.group:12} {name:40} {", ".join(s.expect) or "no reset"}')
    return 0


def run_scenarios(args):
    reason = kernel.missing_privilege()
    if reason:
        print(f'lab: skipped: {reason}', file=sys.stderr)
        return SKIPPED
    seed = args.seed if args.seed is not None else random.randrange(1 << 30)
    out = args.out or tempfile.mkdtemp(prefix='rstcause-lab-')
    os.makedirs(out, exist_ok=True)
    print(f'lab: seed {seed}, into {out}', flush=True)
    chosen = scenarios.select(args.only)
    if not chosen:
        print(f'lab: no scenario matches {args.only}', file=sys.stderr)
        return 1
    tasks = runner.plan(chosen, seed, args.count, plain=args.plain,
                        views=bench.VIEWS if args.partial else ('full',), shuffled=args.shuffled)
    return 0 if runner.run_tasks(tasks, out, args.jobs) else 1


def soak(args):
    """Scenarios at random, checked at once; only the captures of disagreements stay."""
    with tempfile.TemporaryDirectory(prefix='rstcause-soak-') as out:
        args.out, args.plain, args.shuffled = out, False, True
        status = run_scenarios(args)
        if status == SKIPPED:
            return status
        is_right = compare.check(out, compare.Least(), False, args.keep)
    return 0 if is_right and status == 0 else 1


def check_captures(args):
    return 0 if compare.check(args.dir, compare.Least(args.at_least, args.others), args.details) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    commands.add_parser('list').set_defaults(run=list_scenarios)
    run = commands.add_parser('run')
    run.add_argument('--seed', type=int, help='draw the parameters from this number')
    run.add_argument('--count', type=int, default=0, help='number of runs (default: each scenario over v4 and v6)')
    run.add_argument('--only', default='*', help='names or groups, with wildcards, comma-separated')
    run.add_argument('--jobs', type=int, default=2)
    run.add_argument('--out')
    run.add_argument('--plain', action='store_true', help='default parameters, none drawn')
    run.add_argument('--partial', action='store_true', help='captures that begin late, see one side, miss packets')
    run.set_defaults(run=run_scenarios, shuffled=False)
    soaking = commands.add_parser('soak')
    soaking.add_argument('--keep', required=True, help='folder for the captures of disagreements')
    soaking.add_argument('--seed', type=int)
    soaking.add_argument('--count', type=int, default=100)
    soaking.add_argument('--only', default='*')
    soaking.add_argument('--jobs', type=int, default=2)
    soaking.add_argument('--partial', action='store_true')
    soaking.set_defaults(run=soak)
    check = commands.add_parser('check')
    check.add_argument('dir')
    check.add_argument('--at-least', type=float, default=100, help='percent of agreement')
    check.add_argument('--others', type=float, default=0, help='percent of details, senders, triggers and effects')
    check.add_argument('--details', action='store_true', help='list wrong details, senders, triggers and effects as well')
    check.set_defaults(run=check_captures)
    args = parser.parse_args()
    return args.run(args)


if __name__ == '__main__':
    sys.exit(main())
