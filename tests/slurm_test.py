#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same captures as a job array of Slurm and by GNU parallel: the same incidents.

The commands are those of plugin/many/README.md. Slurm has one node, this machine, and munge a key of its own; both run
as long as the test, on ports of their own, with nothing outside the temporary folder. Needs root, as slurmd does.
"""
import os
import shutil
import socket
import subprocess
import sys
import time

from many_test import BROKEN, CANNOT_RUN, Desk, count_one_by_one, free_port, list_missing, read_commands, split_merge, texts
from tap import Tap
from workplace import Workplace

PATH = f'{os.environ["PATH"]}:/usr/sbin'
CONFIGURATION = """\
ClusterName=rstcause
SlurmctldHost={node}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
MailProg=/bin/true
NodeName={node} NodeAddr=127.0.0.1 CPUs=2
PartitionName=all Nodes={node} Default=YES State=UP
"""


def why_not():
    if os.geteuid() != 0:
        return 'slurmd needs root'
    missing = [name for name in ('munged', 'slurmctld', 'slurmd', 'sbatch', 'parallel') if shutil.which(name, path=PATH) is None]
    return f'no {", ".join(missing)}' if missing else ''


class Cluster:
    """Slurm and munge in a folder of their own."""

    def __init__(self, workplace):
        self.folder = os.path.join(workplace.folder, 'slurm')
        self.programs = []
        for folder in ('munge', 'state', 'spool'):
            os.makedirs(os.path.join(self.folder, folder), mode=0o755)
        self.configuration = os.path.join(self.folder, 'slurm.conf')
        with open(self.configuration, 'w', encoding='ascii') as file:
            file.write(CONFIGURATION.format(node=socket.gethostname().split('.')[0], folder=self.folder,
                                            controller_port=free_port(), node_port=free_port()))
        self.settings = {'SLURM_CONF': self.configuration}

    def __enter__(self):
        munge, key = os.path.join(self.folder, 'munge'), os.path.join(self.folder, 'munge', 'key')
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o400), 'wb') as file:
            file.write(os.urandom(128))
        # Its folder is below /tmp, where others may write, too.
        self._start('munged', '--foreground', '--force', f'--key-file={key}', f'--socket={munge}/socket', f'--pid-file={munge}/pid',
                    f'--log-file={munge}/log', f'--seed-file={munge}/seed')
        self._start('slurmctld', '-D', '-i', '-f', self.configuration)
        self._start('slurmd', '-D', '-f', self.configuration)
        return self

    def __exit__(self, *_):
        for program in reversed(self.programs):
            program.terminate()
            try:
                program.wait(20)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()

    def _start(self, name, *options):
        with open(os.path.join(self.folder, name + '.out'), 'wb') as log:
            self.programs.append(subprocess.Popen([shutil.which(name, path=PATH), *options], stdout=log, stderr=log,
                                                  stdin=subprocess.DEVNULL, env={**os.environ, **self.settings}))

    def why_not(self):
        """What keeps the node from working; '' if nothing. It takes some seconds."""
        state = ''
        for _ in range(60):
            state = subprocess.run(['sinfo', '-h', '-o', '%T'], env={**os.environ, **self.settings}, capture_output=True, text=True,
                                   check=False).stdout.strip()
            if state == 'idle':
                return ''
            time.sleep(0.5)
        said = [f'{name}: {open(os.path.join(self.folder, name + ".out"), encoding="utf-8").read()[-300:]}'
                for name in ('munged', 'slurmctld', 'slurmd')]
        return f'the node is {state or "not there"}; ' + ' '.join(' '.join(said).split())


def test_array(tap, desk, expected, commands, settings):
    find, (count, merge) = commands['Many captures'][0], split_merge(commands['On a cluster'][0])
    done = desk.run(find + count, **settings)
    first = desk.read_results()
    tap.check(texts(first) == expected, 'job array: as one by one', f'{done.stderr}\n{sorted(set(first) ^ set(expected))}')
    tap.check(done.returncode != 0 and list_missing(desk.run(merge)) == sorted(BROKEN), 'job array: what failed is named')

    for path in BROKEN:
        desk.mend(path)
    done = desk.run(commands['On a cluster'][1], **settings)
    second = desk.read_results()
    tap.check(done.returncode == 0 and set(second) - set(first) == {path + '.jsonl' for path in BROKEN}
              and all(second[path] == found for path, found in first.items()), 'job array: a rerun does only what was missing', done.stderr)
    return desk.run(merge)


def main():
    reason = why_not()
    if reason:
        print(f'# skipped: {reason}')
        return CANNOT_RUN
    tap, commands = Tap(), read_commands()
    with Workplace() as workplace:
        desk, other = Desk(workplace, 'array'), Desk(workplace, 'parallel')
        expected = count_one_by_one(workplace, desk.good)
        with Cluster(workplace) as cluster:
            reason = cluster.why_not()
            if reason:
                tap.skip('job array', reason)
                return tap.end()
            merged = test_array(tap, desk, expected, commands, cluster.settings)
        for path in BROKEN:
            other.mend(path)
        beside = other.run(commands['Many captures'][0] + commands['On one machine'][0])
        tap.check(merged.returncode == 0 and beside.returncode == 0 and merged.stdout == beside.stdout,
                  'Slurm and GNU parallel: the same incidents', merged.stderr + beside.stderr)
        tap.check(texts(desk.read_results()) == texts(other.read_results()), 'Slurm and GNU parallel: the same results')
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
