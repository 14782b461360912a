#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Many captures at once are what they are one by one: the commands of plugin/many/README.md, as they stand there.

GNU parallel runs them here, and on two machines that are logins to this one, each with a home of its own; some captures
cannot be read at first. What merge.py makes of lines is tested apart. The machines' sshd is this test's own, with keys
of its own, on ports of the loopback interface. Slurm is in slurm_test.py.
"""
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time

from capture_test import find_captures
from tap import Tap
from workplace import REPOSITORY, Workplace

CANNOT_RUN = 77
FOLDER = os.path.join(REPOSITORY, 'plugin', 'many')
MERGE = os.path.join(FOLDER, 'merge.py')
MACHINES = ('alpha', 'beta')   # as the page calls them
GONE = 'gone'                  # a machine that does not answer
SOME = 9                       # of so many captures one is taken
BROKEN = {'captures/broken.pcap': b'no capture', 'captures/a b/cut.pcap': None}   # None: without its last bytes


def read_commands():
    """The blocks of commands in the page, by the heading that they stand under."""
    with open(os.path.join(FOLDER, 'README.md'), encoding='utf-8') as file:
        page = file.read()
    return {heading: re.findall(r'^```sh\n(.*?)^```$', text, re.DOTALL | re.MULTILINE)
            for heading, text in re.findall(r'^#+ (.*)\n((?:(?!#).*\n)*)', page, re.MULTILINE)}


class Desk:
    """The folder in which the page's commands are given: captures, two of them unreadable, and plugin/many."""

    def __init__(self, workplace, name):
        self.folder = os.path.join(workplace.folder, name)
        self.settings = {**os.environ, 'PATH': f'{workplace.bin}:{os.environ["PATH"]}', 'HOME': os.path.join(self.folder, 'home')}
        self.good = {}
        shutil.copytree(FOLDER, os.path.join(self.folder, 'plugin', 'many'))
        os.mkdir(self.settings['HOME'])
        for number, source in enumerate(find_captures()[::SOME]):
            # Two folders with the same names in them, and a name with a space.
            for path in ([f'captures/{os.path.basename(source)}', f'captures/a b/{os.path.basename(source)}'][:1 if number else 2]):
                self.good[path] = source
        self.example = find_captures()[0]
        for path, source in self.good.items():
            self.put(path, source)
        for path, content in BROKEN.items():
            with open(self.example, 'rb') as file:
                whole = file.read()
            with open(self.path(path), 'wb') as file:
                file.write(content or whole[:-5])

    def path(self, name):
        return os.path.join(self.folder, name)

    def put(self, path, source):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        shutil.copyfile(source, self.path(path))

    def run(self, command, **settings):
        return subprocess.run(['sh', '-c', command], cwd=self.folder, env={**self.settings, **settings}, capture_output=True,
                              text=True, check=False, stdin=subprocess.DEVNULL, timeout=300)

    def read_results(self):
        """{capture: (its lines, when they were written)}"""
        found = {}
        for folder, _, names in os.walk(self.path('results')):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, encoding='utf-8') as file:
                    found[os.path.relpath(path, self.path('results'))] = (file.read(), os.stat(path).st_mtime_ns)
        return found

    def mend(self, path):
        """Returns what the capture holds now."""
        self.put(path, self.example)
        return self.example


def count_one_by_one(workplace, captures):
    """What tshark says of each, without any of our scripts. {name of the result: its lines}"""
    counted = {}
    for path, source in captures.items():
        done = workplace.run('tshark', '-q', '-2', '-r', workplace.hold(source), '-z', 'rstcause,incidents-json')
        counted[path + '.jsonl'] = done.stdout
    return counted


def texts(results):
    return {path: text for path, (text, _) in results.items()}


def list_missing(done):
    return sorted(re.findall(r'^no result: (.*)$', done.stderr, re.MULTILINE))


def read_joblog(desk):
    with open(desk.path('joblog'), encoding='utf-8') as file:
        return [line.rstrip('\n').split('\t') for line in file.readlines()[1:]]


def test_parallel(tap, title, desk, expected, commands, count, **settings):
    """Two captures fail, then one, then none. 'count' is the page's command, 'commands' begins with the list."""
    find, merge = commands
    done = desk.run(find + count, **settings)
    first = desk.read_results()
    tap.check(done.returncode == len(BROKEN) and texts(first) == expected, f'{title}: as one by one; the exit status counts what failed',
              f'{done.returncode}\n{done.stderr}\n{sorted(set(expected) ^ set(first))}')
    merged = desk.run(merge)
    tap.check(merged.returncode == 1 and list_missing(merged) == sorted(BROKEN), f'{title}: what failed is named', merged.stderr)

    mended, still_broken = BROKEN
    source = desk.mend(mended)
    done = desk.run(count, **settings)
    second, begun = desk.read_results(), [line[-1] for line in read_joblog(desk)]
    again = begun[len(expected) + len(BROKEN):]
    tap.check(done.returncode == 1 and len(again) == len(BROKEN) and all(path in ' '.join(again).replace('\\', '') for path in BROKEN),
              f'{title}: a rerun begins what failed, and nothing else', f'{done.stderr}\n{again}')
    tap.check(all(second.get(path) == found for path, found in first.items()) and set(second) - set(first) == {mended + '.jsonl'},
              f'{title}: a rerun adds what was missing', str(set(second) ^ set(first)))
    tap.check(list_missing(desk.run(merge)) == [still_broken], f'{title}: what still fails is named')
    desk.mend(still_broken)
    done, merged = desk.run(count, **settings), desk.run(merge)
    tap.check(done.returncode == 0 and merged.returncode == 0 and not merged.stderr, f'{title}: nothing is missing in the end', done.stderr)
    return source


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def make_key(path):
    subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', path], check=True)
    return path


class Machines:
    """Logins to this machine under other names: a sshd for each, its home, and ssh's configuration for the caller."""

    def __init__(self, workplace, names):
        self.folder = os.path.join(workplace.folder, 'machines')
        self.servers = []
        os.mkdir(self.folder, 0o700)
        if os.geteuid() == 0:
            os.makedirs('/run/sshd', exist_ok=True)   # sshd asks for it
        self.key = make_key(self.path('key'))
        self.config = self.path('config')
        self.user = subprocess.run(['id', '-un'], check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
        for name in names:
            self._begin(name, f'{workplace.bin}:{os.environ["PATH"]}')
        self._add_host(GONE, free_port())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.terminate()
            server.wait()

    def path(self, name):
        return os.path.join(self.folder, name)

    def home(self, name):
        return self.path(f'home-{name}')

    def _add_host(self, name, port):
        with open(self.config, 'a', encoding='utf-8') as file:
            file.write(f'Host {name}\nHostName 127.0.0.1\nPort {port}\nUser {self.user}\nIdentityFile {self.key}\n'
                       'IdentitiesOnly yes\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n')

    def _begin(self, name, path):
        port, config = free_port(), self.path(f'sshd-{name}')
        os.mkdir(self.home(name))
        settings = {'Port': port, 'ListenAddress': '127.0.0.1', 'HostKey': make_key(self.path(f'host-key-{name}')),
                    'AuthorizedKeysFile': self.key + '.pub', 'UsePAM': 'no', 'StrictModes': 'no', 'PermitRootLogin': 'yes',
                    'PasswordAuthentication': 'no', 'PidFile': 'none', 'MaxStartups': 100,
                    'SetEnv': f'PATH={path} HOME={self.home(name)}'}
        with open(config, 'w', encoding='utf-8') as file:
            file.writelines(f'{setting} {value}\n' for setting, value in settings.items())
        with open(self.path(f'log-{name}'), 'wb') as log:
            self.servers.append(subprocess.Popen([shutil.which('sshd', path=f'{os.environ["PATH"]}:/usr/sbin'), '-D', '-e', '-f',
                                                  config], stdout=log, stderr=log))
        self._add_host(name, port)

    def why_not(self, name):
        """What keeps the caller from logging in; '' if nothing. The server may take a moment."""
        for _ in range(50):
            done = subprocess.run(['ssh', '-F', self.config, name, 'true'], stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, check=False)
            if done.returncode == 0:
                return ''
            time.sleep(0.1)
        with open(self.path(f'log-{name}'), encoding='utf-8') as log:
            return f'no login here: {(done.stderr + log.read()).strip().splitlines()[-1:]}'

    def left_behind(self, name):
        return [os.path.join(folder, file) for folder, _, files in os.walk(self.home(name)) for file in files]


def test_machines(tap, workplace, expected, commands):
    missing = [program for program in ('ssh', 'ssh-keygen', 'rsync') if shutil.which(program) is None]
    if missing or not shutil.which('sshd', path=f'{os.environ["PATH"]}:/usr/sbin'):
        tap.skip('two machines', f'no {", ".join(missing) or "sshd"}')
        return
    with Machines(workplace, MACHINES) as machines:
        reason = next(filter(None, map(machines.why_not, MACHINES)), '')
        if reason:
            tap.skip('two machines', reason)
            return
        desk, settings = Desk(workplace, 'two'), {'PARALLEL_SSH': f'ssh -F {machines.config}'}
        find, (count, merge) = commands['Many captures'][0], split_merge(commands['On several machines'][0])
        test_parallel(tap, 'two machines', desk, expected, (find, merge), count, **settings)
        worked = {line[1] for line in read_joblog(desk)}
        tap.check(worked == set(MACHINES), 'two machines: both worked', str(worked))
        left = [path for name in MACHINES for path in machines.left_behind(name)]
        tap.check(not left, 'two machines: nothing is left on them', '\n'.join(left))

        shutil.rmtree(desk.path('results'))
        os.remove(desk.path('joblog'))
        done = desk.run(count.replace(','.join(MACHINES), f'{MACHINES[0]},{GONE} --retries 3'), **settings)
        tap.check(done.returncode == 0 and set(desk.read_results()) == {path + '.jsonl' for path in (*desk.good, *BROKEN)},
                  'two machines, one gone: the other does its share', done.stderr[-2000:])


def split_merge(block):
    """(what counts, what merges)"""
    count, merge = block[:block.index('python3 ')], block[block.index('python3 '):]
    return count, merge


def test_refused(tap, desk):
    """What would be written elsewhere, and what tshark does not take."""
    for title, argv in (('a path with ..', "'../captures/x.pcap' results"),
                        ('an option that tshark does not have', f"'{next(iter(desk.good))}' elsewhere --no-such-option")):
        done = desk.run(f'sh plugin/many/incidents_of.sh {argv}')
        left = [name for folder in ('captures', 'elsewhere') for _, _, names in os.walk(desk.path(folder)) for name in names if 'jsonl' in name]
        tap.check(done.returncode != 0 and done.stderr and not left, f'{title} is refused, nothing is written', f'{done.stderr}{left}')


def merge_lines(workplace, *captures, options='--json'):
    """What merge.py makes of these incidents, a list of them for each capture."""
    folder = os.path.join(workplace.folder, 'lines')
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    names = [f'{number}.pcap' for number in range(len(captures))]
    for name, incidents in zip(names, captures):
        with open(os.path.join(folder, name + '.jsonl'), 'w', encoding='utf-8') as file:
            file.writelines(incident + '\n' for incident in incidents)
    listed = os.path.join(workplace.folder, 'listed')
    with open(listed, 'w', encoding='utf-8') as file:
        file.writelines(name + '\n' for name in names)
    return subprocess.run([sys.executable, MERGE, *options.split(), listed, folder], check=True, text=True, stdout=subprocess.PIPE).stdout


def make_line(cause='abort', service='192.0.2.1:80', resets=1, harm=0, first=10, last=20, time='5.000000001', clients=('192.0.2.2',), **more):
    """A line as tshark writes it. Time is text: its digits are not a float's."""
    members = {**({'cause': cause, 'service': service, 'reset_by': 'server', 'severity': 'note'} if cause else {}),
               'resets': resets, 'did_harm': harm, 'captured_twice': 0, 'first_frame': first, 'last_frame': last,
               'first_time': '@', 'last_time': '@'}
    if cause:
        members.update(clients=list(clients), more_clients=False, explanation=f'at {time}', advice='none')
    return json.dumps({**members, **more}).replace('"@"', time)


def test_merge(tap, workplace):
    late, early = make_line(time='1767225600.000000002', last=30, severity='error', resets=3, harm=2), make_line(
        time='1767225600.000000001', clients=('192.0.2.3', '192.0.2.2'), shortest_idle=1.5, longest_idle=2)
    text = merge_lines(workplace, [late], [early])
    one = json.loads(text)
    tap.check((one['resets'], one['did_harm'], one['captures'], one['severity']) == (4, 2, 2, 'error'), 'merge: counts add up, the worst is kept', text)
    tap.check((one['first_capture'], one['first_frame'], one['explanation']) == ('1.pcap', 10, 'at 1767225600.000000001')
              and (one['last_capture'], one['last_frame']) == ('0.pcap', 30), 'merge: the earliest explains, the latest is named', text)
    tap.check('"first_time": 1767225600.000000001,' in text and '"last_time": 1767225600.000000002,' in text, 'merge: times keep their digits', text)
    tap.check(sorted(one['clients']) == ['192.0.2.2', '192.0.2.3'] and not one['more_clients'], 'merge: clients are united', text)
    tap.check((one['shortest_idle'], one['longest_idle']) == (1.5, 2), 'merge: silence of the one that has it', text)

    different = [make_line(), make_line(cause='half-open'), make_line(service='192.0.2.1:81'), make_line(pattern='mass-abort'),
                 make_line(reset_by='client')]
    tap.check(len(merge_lines(workplace, different, different).splitlines()) == len(different), 'merge: other kinds stay apart')
    scans = [make_line(service='many ports or hosts', pattern='port-scan', clients=(client,)) for client in ('192.0.2.8', '192.0.2.9')]
    got = [json.loads(line)['clients'] for line in merge_lines(workplace, scans, scans[:1]).splitlines()]
    tap.check(got == [['192.0.2.8'], ['192.0.2.9']], 'merge: scans of two hosts are two', str(got))

    lines = merge_lines(workplace, [make_line(resets=9), make_line(cause='', resets=7, harm=7)], [make_line(cause='half-open', harm=1),
                                                                                              make_line(cause='', resets=7)])
    got = [(one.get('cause'), one['resets']) for one in map(json.loads, lines.splitlines())]
    tap.check(got == [('half-open', 1), ('abort', 9), (None, 14)], 'merge: harm first, then number; what has no incident is last', str(got))
    crowd = [make_line(clients=[f'192.0.2.{number}' for number in range(start, start + 40)]) for start in (0, 40)]
    one = json.loads(merge_lines(workplace, crowd[:1], crowd[1:]))
    tap.check(len(one['clients']) == 64 and one['more_clients'], 'merge: 64 clients are kept', str(one))

    many = [make_line(service=f'192.0.2.1:{port}', harm=1) for port in range(100)] + [make_line(cause='', resets=5)]
    text = merge_lines(workplace, many, many, options='')
    rows = re.findall(r'^(?: {4}|other: )(\d+) resets?, (\d+) did harm', text, re.MULTILINE)
    tap.check(text.startswith('TCP resets in 2 captures: 210 resets, 200 did harm; 100 incidents\n') and len(rows) == 41
              and [sum(map(int, column)) for column in zip(*rows)] == [210, 200], 'merge: the text adds up', text[:300] + str(rows))


def test_sum(tap, workplace, desk, expected):
    """All captures together have the resets that each has."""
    done = desk.run('python3 plugin/many/merge.py --json captures.txt results')
    merged = [json.loads(line) for line in done.stdout.splitlines()]
    single = [json.loads(line) for text in (*expected.values(), *(count_one_by_one(workplace, {'': desk.example}).values()) , *(
        count_one_by_one(workplace, {'': desk.example}).values())) for line in text.splitlines()]
    for name in ('resets', 'did_harm'):
        tap.check(merged and sum(one[name] for one in merged) == sum(one[name] for one in single), f'all captures: {name} add up')
    kinds = {(one['cause'], one.get('pattern'), one['service'], one['reset_by']) for one in single}
    tap.check(len(merged) == len(kinds) < len(single), 'all captures: each kind is one incident', f'{len(merged)} {len(kinds)} {len(single)}')


def main():
    tap, commands = Tap(), read_commands()
    with contextlib.ExitStack() as stack:
        workplace = stack.enter_context(Workplace())
        test_merge(tap, workplace)
        if shutil.which('parallel') is None:
            tap.skip('GNU parallel', 'no parallel')
            return tap.end()
        desk = Desk(workplace, 'one')
        expected = count_one_by_one(workplace, desk.good)
        find, (count, merge) = commands['Many captures'][0], split_merge(commands['On one machine'][0])
        test_parallel(tap, 'one machine', desk, expected, (find, merge), count)
        test_sum(tap, workplace, desk, expected)
        test_refused(tap, desk)
        test_machines(tap, workplace, expected, commands)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
