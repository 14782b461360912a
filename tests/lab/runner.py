# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs scenarios, several at a time, and writes captures and truth of each.

Each worker process has a kernel record and addresses of its own. Knows nothing about the plugin.
"""
import dataclasses
import os
import random
import signal
import sys
import time
import traceback

import effects
import machine
import scenarios
import truth
from bench import Bench, Params
from hosts import PR_SET_PDEATHSIG, libc
from kernel import KernelRecord

MOST_RUNS = 3   # of one scenario


@dataclasses.dataclass
class Task:
    scenario: str
    params: Params
    number: int

    @property
    def name(self):
        return f'{self.scenario}-v{self.params.family}-{self.number}'


def fit(scenario, params):
    """The drawn parameters, as far as the scenario leaves them free."""
    for name, value in scenario.fixed.items():
        setattr(params, name, value)
    if params.actor not in scenario.actors:
        params.actor = scenario.actors[0]
    return params


def plan(chosen, seed, count, plain=False, views=('full',), shuffled=False):
    """Each scenario over v4 and v6 in turn, or any of them at random."""
    rng = random.Random(seed)
    tasks = []
    for number in range(count or 2 * len(chosen)):
        scenario = rng.choice(chosen) if shuffled else chosen[(number // 2) % len(chosen)]
        family = (4, 6)[number % 2]
        draw_seed = rng.randrange(1 << 30)
        params = Params(family=family, seed=number) if plain else Params.draw(draw_seed, family, views)
        tasks.append(Task(scenario.name, fit(scenario, params), number if shuffled else number // (2 * len(chosen))))
    return tasks


@dataclasses.dataclass
class Outcome:
    resets: list
    problems: list


def run_one(task, out, record, slot, vantages=truth.VANTAGES, epoch=None):
    """Run one scenario; write its captures and truth. Returns the Outcome."""
    scenario = scenarios.SCENARIOS[task.scenario]
    record.read()
    problems = []
    wall_offset = time.time() - time.monotonic()
    with Bench(task.params, slot) as bench:
        try:
            scenario.run(bench)
            bench.settle()
        except (OSError, TimeoutError, AssertionError) as error:
            # A lossy path may well keep a scenario from its end; what it sent is captured and labelled all the same.
            if not task.params.loss:
                problems.append(f'did not run to its end: {error!r} {traceback.format_exc(limit=-3)}')
        bench.wire.miss(task.params.view)
        judge = truth.Judge(bench, record.read()[0])
        resets = judge.run()
        fates = bench.fates()
        prefix = os.path.join(out, task.name)
        if epoch is not None:
            wall_offset = epoch - min(when for records in bench.wire.records.values() for when, _ in records)
        capture = task.params.capture
        bench.wire.write_captures(prefix, wall_offset, (*vantages, 'any') if capture == 'any' else vantages,
                                  capture if capture not in ('plain', 'any') else None)
    truth.write(prefix + '.truth.tsv', f'{task.scenario} {task.params}', resets)
    effects.write(prefix + effects.SUFFIX, fates)
    problems += check_promise(scenario, task.params, resets, judge)
    return Outcome(resets, problems)


def check_promise(scenario, params, resets, judge):
    """The scenario says beforehand what must come out; the kernel's record says what did."""
    problems = [f'kernel sent a reset that the wire never saw: {e.src} > {e.dst} {e.reason}' for e in judge.unmatched]
    for r in resets:
        if r.event is None and not r.packet.forged and not r.packet.copy_of and not hasattr(r.packet, 'story'):
            problems.append(f'no kernel event for {r.packet.seg}')
        if r.event and not r.event.active and r.trigger is None:
            problems.append(f'no trigger for {r.packet.seg} {r.event.reason}')
    got = {r.label.cause for r in resets}
    allowed = {e.lstrip('?') for e in scenario.expect}
    if scenario.expect:
        allowed.add('already-reset')
    if not params.loss:
        problems += [f'promised {c}, got {sorted(got) or "no reset"}'
                     for c in scenario.expect if not c.startswith('?') and c not in got]
        problems += [f'got {c}, promised {list(scenario.expect)}' for c in sorted(got - allowed)]
    return problems


def run_again(task, out, record, slot):
    """Run one scenario, and again where it did not come to what it promised: a busy machine makes other races.
    Returns (problems of the last run, number of resets, runs)."""
    for run in range(1, MOST_RUNS + 1):
        try:
            outcome = run_one(task, out, record, slot)
            problems, count = outcome.problems, len(outcome.resets)
        except Exception:
            problems, count = [traceback.format_exc()], 0
        if not problems:
            break
    return problems, count, run


def worker(tasks, out, report):
    scenarios.load()
    record = KernelRecord()
    try:
        with machine.own_slot() as slot:
            for task in tasks:
                with machine.turn(scenarios.SCENARIOS[task.scenario].exclusive):
                    started = time.monotonic()
                    problems, count, runs = run_again(task, out, record, slot)
                text = f'{task.name:48} {count:4} resets {time.monotonic() - started:6.2f} s'
                text += f', run {runs}' if runs > 1 else ''
                text += ''.join(f'\n    PROBLEM {p}' for p in problems)
                os.write(report, f'{"X" if problems else "."}{text}\0'.encode())
    finally:
        record.close()


def stop_worker(*_):
    """End in order. An exception that comes up inside a destructor gets lost, so the next signal ends it hard."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.exit(1)


def end_workers(workers):
    for _ in range(2):
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
        time.sleep(1)


def interrupt(*_):
    raise KeyboardInterrupt


def run_tasks(tasks, out, jobs):
    """Run all tasks on `jobs` workers; True where none had a problem."""
    jobs = max(1, min(jobs, len(tasks)))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    reading, report = os.pipe()
    workers = []
    for number in range(jobs):
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            signal.signal(signal.SIGINT, signal.SIG_IGN)     # the parent passes the order on
            signal.signal(signal.SIGTERM, stop_worker)
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            status = 1
            try:
                worker(tasks[number::jobs], out, report)
                status = 0
            except SystemExit:
                pass
            except BaseException:
                traceback.print_exc()
            os._exit(status)
        workers.append(pid)
    os.close(report)
    done, bad, pending = 0, 0, b''
    try:
        while chunk := os.read(reading, 65536):
            *lines, pending = (pending + chunk).split(b'\0')
            for line in lines:
                done += 1
                bad += line[:1] == b'X'
                print(line[1:].decode(), flush=True)
    except KeyboardInterrupt:
        end_workers(workers)
    statuses = [os.waitpid(pid, 0)[1] for pid in workers]
    print(f'lab: {done} of {len(tasks)} scenarios ran, {bad} with a problem')
    return done == len(tasks) and not bad and not any(statuses)
