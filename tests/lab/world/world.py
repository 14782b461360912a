#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab meets others' programs: forgers, stacks and programs that others wrote, on real kernels, and what is true of
each reset that they cause.

  world.py list
  world.py run [--only GLOB] [--seed N] [--seeds N] [--set open|aside|all] [--jobs N] --out DIR

Half of the scenarios are set aside: rules are written with the open ones before the eyes only. With --set all, the
captures of those aside go to DIR/aside. A scenario is a function on a World, registered with @scenario; see World for
what it may call. Exit status: 0 fine, 1 something went wrong, 77 a privilege is missing.
"""
import argparse
import contextlib
import dataclasses
import fnmatch
import glob
import importlib
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
import typing

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
sys.modules.setdefault('world', sys.modules[__name__])

import kernel       # noqa: E402
import labels       # noqa: E402
import situations   # noqa: E402
from bench import Event     # noqa: E402
from net import Net, Path   # noqa: E402

MODULES = ('forgers', 'stacks', 'programs', 'lookalikes', 'patterns_idle', 'patterns_forgotten', 'patterns_tls',
           'patterns_words', 'patterns_protocols', 'patterns_segments', 'patterns_turns', 'patterns_many')
SKIPPED = 77
LONGEST_RUN = 120       # seconds
POINTS = ('client', 'middle', 'server')
PLACES = ('same', 'near-client', 'middle', 'near-server')
DELAYS = (0.0, 0.005, 0.04)     # seconds, one way
SCENARIOS = {}


@dataclasses.dataclass
class Scenario:
    name: str
    run: typing.Callable
    expect: tuple       # causes of which each must come out, apart from those marked '?'
    family: str
    tool: str
    aside: bool
    needs: tuple        # commands, or files with a '/', that must be there
    families: tuple     # 4, 6
    fixed: dict         # parameters that the seed does not draw
    late_captures: bool     # it calls start_captures() itself, when its hosts are ready


def scenario(*expect, family, tool, aside=False, needs=(), families=(4, 6), name=None,
             late_captures=False, **fixed):
    """Register a function on a World. Fixed parameters are fields of Params."""
    def register(function):
        key = (name or function.__name__).replace('_', '-')
        if key in SCENARIOS:
            raise ValueError(f'two scenarios are called {key}')
        SCENARIOS[key] = Scenario(key, function, expect, family, tool, aside, tuple(needs), tuple(families), fixed,
                                  late_captures)
        return function
    return register


@dataclasses.dataclass
class Params:
    """What is drawn from the seed."""

    family: int = 4
    seed: int = 0
    delay: float = 0.0          # one way, client to server
    place: str = 'middle'       # where the middle is: see PLACES
    hops: int = 1               # routers on each side of the middle where there are any
    routed: bool = False        # the middle is a router, not a bridge
    timestamps: int = 1

    @classmethod
    def draw(cls, seed, family, index):
        rng = random.Random(seed)
        return cls(family=family, seed=seed, delay=DELAYS[(index + rng.randrange(3)) % 3], place=rng.choice(PLACES),
                   hops=rng.randint(1, 3), timestamps=int(rng.random() < 0.75))

    def __str__(self):
        return ' '.join(f'{name}={value}' for name, value in dataclasses.asdict(self).items())

    def path(self):
        """Arguments of net.Path."""
        before = self.hops if self.place in ('middle', 'near-server') else 0
        after = self.hops if self.place in ('middle', 'near-client') else 0
        share = {'near-client': 0.0, 'near-server': 1.0}.get(self.place, 0.5)
        return {'before': before, 'after': after, 'routed': self.routed,
                'delays': (self.delay * share, self.delay * (1 - share))}


def clock_offset():
    """Wall clock minus monotonic clock, from the quickest of some readings."""
    best = None
    for _ in range(20):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        if best is None or after - before < best[0]:
            best = (after - before, wall - (before + after) // 2)
    return best[1] / 1e9


class Record(kernel.KernelRecord):
    """Many of them come and go at once here."""

    @staticmethod
    def remove_stale():
        with contextlib.suppress(OSError):
            kernel.KernelRecord.remove_stale()


class World:
    """One run: `client`, `middle` and `server` are nodes (net.Node: run, popen, socket, inside, sysctl) on a path
    (net.Path). For the truth a scenario may say:
      note(host, what)      an event, such as power-lost (host's name); what its kernel says until power-back, nobody hears
      aborts(detail)        the finer cause of the aborts of Linux
      story                 a function (packet) -> Label or None, which goes before every other label: for resets of
                            other stacks, of proxies, of firewalls; packet.seg, packet.sender, packet.forged
      end(name, node, interface, addresses, out='out')   one more host, or another interface of client or server: what
                            leaves it is what tcpdump -Q `out` sees there (out='in' for a TAP whose stack is a program)
      alias                 endpoint of a sender behind a translation, as its kernel has it -> on the wire; keys and
                            values are (address, port), with port None for all
      identify              what stays the same of a packet on this path (labels.identity, unless a device rewrites it)
      pattern               a function (reset) -> name of the situation (PATTERNS), several with '/', or '-'; it may look
                            at `log`, the labels.Log of the run
      at_end                functions that clean up when all is over
      unlabelled_is_fine    genuine resets without kernel event need no story (they get the label of the history)
    """

    def __init__(self, params, directory):
        self.p, self.directory = params, directory
        self.rng = random.Random(params.seed ^ 0x5eed)
        self.family = socket.AF_INET if params.family == 4 else socket.AF_INET6
        self.net = Net(params.family)
        self.path = Path(self.net, **params.path())
        self.client, self.middle, self.server = self.path.client, self.path.middle, self.path.server
        self.events, self.story, self.abort_detail, self.timer_resets = [], None, None, False
        self.unlabelled_is_fine = False
        self.alias, self.pattern, self.identify, self.remark = {}, None, labels.identity, None
        self.at_end = []
        self.ends, self.captures_of = {}, {}
        for node in (self.client, self.server):
            node.sysctl('ipv4/tcp_timestamps', params.timestamps)
            self.end(node.name, node, 'eth0', tuple(node.addresses.values()))
        self.started = False

    @property
    def client_address(self):
        return self.client.addresses[self.p.family]

    @property
    def server_address(self):
        return self.server.addresses[self.p.family]

    def end(self, name, node, interface, addresses, out='out'):
        self.ends[name] = tuple(addresses)
        self.captures_of[name] = (node, interface, out)

    def start_captures(self):
        """The runner calls this before the scenario; one that was registered with late_captures does it itself."""
        if self.started:
            return
        self.started = True
        for name, (node, interface, out) in self.captures_of.items():
            self.net.capture(node, interface, f'{self.directory}/{name}.out.pcap', out, 'tcp or ip6')
        for name in POINTS:
            node = getattr(self, name)
            self.net.capture(node, node.watch, f'{self.directory}/{name}.pcap')
        self.wall_offset = clock_offset()

    def note(self, host, what):
        self.events.append(Event(time.monotonic(), host, what))

    def aborts(self, detail):
        self.abort_detail = detail

    def sleep(self, seconds):
        time.sleep(seconds)

    def settle(self, quiet=0.15):
        """Until what is under way must have arrived."""
        time.sleep(quiet + 4 * self.p.delay)

    # Connections with Python's own sockets

    def listen(self, port=None, backlog=16, node=None):
        node = node or self.server
        sock = node.socket(self.family)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((node.addresses[self.p.family], port or self.rng.randrange(1024, 20000)))
        sock.listen(backlog)
        sock.settimeout(10)
        return sock

    def connect(self, listener, node=None):
        """(client's socket, server's socket)."""
        sock = (node or self.client).socket(self.family)
        sock.settimeout(10)
        sock.connect(listener.getsockname()[:2])
        accepted, _ = listener.accept()
        accepted.settimeout(10)
        return sock, accepted

    def pair(self, port=None):
        with self.listen(port) as listener:
            self.listener = listener.dup()
            return self.connect(listener)

    def exchange(self, one, two, times=1, size=100):
        """A dialogue that both ends read to the end."""
        for _ in range(times):
            for a, b in ((one, two), (two, one)):
                a.sendall(os.urandom(size))
                got = 0
                while got < size:
                    part = b.recv(65536)
                    if not part:
                        return
                    got += len(part)

    @staticmethod
    def background(function, *args):
        """A thread that takes an error of a socket for its end. join() it."""
        def run():
            with contextlib.suppress(OSError, ValueError):
                function(*args)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    # The end

    def on_the_wire(self, endpoint):
        address, _ = self.alias.get((endpoint[0], None), endpoint)
        return self.alias.get(endpoint, (address, endpoint[1]))

    def heard(self, event):
        """Whether this reset of the kernel's record came from a host with power."""
        host = next((name for name, addresses in self.ends.items() if event.src[0] in addresses), None)
        return [e.what for e in self.events if e.host == host and e.time <= event.time
                and e.what in ('power-lost', 'power-back')][-1:] != ['power-lost']

    def finish(self, header, prefix, record, expect):
        """Write captures and truth; complaints."""
        missed = self.net.stop_captures()
        resets, _ = record.read()
        self.log = log = labels.Log(self.ends, {p: f'{self.directory}/{p}.pcap' for p in POINTS},
                         {e: f'{self.directory}/{e}.out.pcap' for e in self.ends}, self.wall_offset,
                         self.identify)
        for event in resets:
            event.src = self.on_the_wire(event.src)
        resets = [event for event in resets if self.heard(event)]
        judgement, labelled = labels.judge(log, self.events, resets, POINTS, self.story,
                                           abort_detail=self.abort_detail, timer_resets=self.timer_resets)
        for reset in labelled:
            reset.pattern = self.pattern(reset) if self.pattern else '-'
        problems = [] if self.unlabelled_is_fine else list(labels.complaints(judgement, self.net.stopped))
        problems += situations.contradictions(log, labelled)
        if missed:
            raise RuntimeError(f'tcpdump missed {missed} packets')
        causes = {r.label.cause for r in labelled if r.packet.at}
        problems += [f'promised {cause} did not come, only {sorted(causes)}' for cause in expect
                     if not cause.startswith('?') and cause not in causes]
        problems += [f'{cause} was not promised' for cause in causes
                     if cause not in expect and '?' + cause not in expect and '?*' not in expect]
        for point in POINTS:
            shutil.copyfile(f'{self.directory}/{point}.pcap', f'{prefix}.{point}.pcap')
        remark = ' ' + self.remark(log) if self.remark else ''
        labels.write(f'{prefix}.truth.tsv', header + remark, labelled)
        return problems, len(labelled)

    def close(self):
        for function in reversed(self.at_end):
            function()
        self.net.close()


def run_one(s, params, prefix):
    """One run in this process; complaints."""
    header = f'{s.name} set={"aside" if s.aside else "open"} tool={s.tool} group={s.family} view=full {params}'
    if hasattr(s.run, 'on_bench'):      # it has a bench of its own instead of a World
        return s.run.on_bench(s, params, prefix, header)
    with tempfile.TemporaryDirectory(prefix='rstcause-world-') as directory:
        record = Record()
        world = None
        try:
            world = World(params, directory)
            if not s.late_captures:
                world.start_captures()
            s.run(world)
            world.settle(0.05)
            return world.finish(header, prefix, record, s.expect)
        finally:
            record.close()
            if world:
                world.close()


def run_child(s, params, prefix):
    """Fork a process for one run; its pid."""
    pid = os.fork()
    if pid:
        return pid
    os.setpgid(0, 0)
    signal.alarm(LONGEST_RUN)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    status = 1
    try:
        problems, count = run_one(s, params, prefix)
        name = os.path.basename(prefix)
        print(f'{name}: {count} resets' + ''.join(f'\n  {name}: {p}' for p in problems), flush=True)
        status = 1 if problems else 0
    except BaseException:       # the parent wants a status whatever happened
        print(f'{os.path.basename(prefix)}: failed\n{traceback.format_exc()}', flush=True)
        for path in glob.glob(glob.escape(prefix) + '.*'):
            os.remove(path)
    finally:
        os._exit(status)


def load():
    for module in MODULES:
        if os.path.exists(f'{HERE}/{module}.py'):
            importlib.import_module(module)
    return SCENARIOS


def missing(s):
    return [n for n in s.needs if not (os.path.exists(n) if '/' in n else shutil.which(n))]


def chosen(args):
    for name, s in sorted(load().items()):
        if not any(fnmatch.fnmatch(x, pattern) for pattern in args.only.split(',') for x in (name, s.family, s.tool)):
            continue
        if args.set == 'all' or (args.set == 'aside') == s.aside:
            yield s


def run(args):
    reason = kernel.missing_privilege()
    if reason:
        print(f'world: skipped: {reason}', file=sys.stderr)
        return SKIPPED
    tasks = []
    for s in chosen(args):
        if missing(s):
            print(f'{s.name}: left out, lacks {", ".join(missing(s))}')
            continue
        for family in s.families:
            for index in range(args.seeds):
                seed = random.Random(f'{args.seed} {s.name} {family} {index}').randrange(1 << 30)
                params = dataclasses.replace(Params.draw(seed, family, index), **s.fixed)
                folder = os.path.join(args.out, 'aside') if s.aside and args.set == 'all' else args.out
                os.makedirs(folder, exist_ok=True)
                tasks.append((s, params, f'{folder}/{s.name}-v{family}-{args.seed}-{index}'))
    running, failed, total = set(), 0, len(tasks)
    while tasks or running:
        while tasks and len(running) < args.jobs:
            running.add(run_child(*tasks.pop(0)))
        pid, status = os.wait()
        if pid in running:
            running.discard(pid)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            failed += status != 0
    print(f'world: {total} runs, {failed} with complaints')
    return 1 if failed else 0


def list_scenarios(args):
    for s in chosen(args):
        print(f'{s.family:10} {s.tool:12} {"aside" if s.aside else "open":6} {s.name:44} {", ".join(s.expect)}'
              + (f'  (lacks {", ".join(missing(s))})' if missing(s) else ''))
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, function in (('list', list_scenarios), ('run', run)):
        command = commands.add_parser(name)
        command.set_defaults(run=function)
        command.add_argument('--only', default='*', help='names, families or tools, with wildcards, comma-separated')
        command.add_argument('--set', choices=('open', 'aside', 'all'), default='all' if name == 'list' else 'open')
        if name == 'run':
            command.add_argument('--out', required=True)
            command.add_argument('--seed', type=int, default=1)
            command.add_argument('--seeds', type=int, default=2, help='runs of each scenario and IP version')
            command.add_argument('--jobs', type=int, default=1)
    args = parser.parse_args()
    return args.run(args)


if __name__ == '__main__':
    sys.exit(main())
