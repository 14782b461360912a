#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fresh Debian systems to install into: each as debootstrap makes it, and as good as new for each test.

  systems.py SUITE…     makes the systems of these suites and prints their folders

A system is a folder made by debootstrap, kept in $RSTCAUSE_SYSTEMS, or in a temporary folder where that is not set.
A test runs in an overlay above it (System), which is gone afterwards. Needs root. Knows nothing about what is tested.
"""
import atexit
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

SUITES = {'bookworm': '4.0', 'trixie': '4.4', 'forky': '4.6'}   # and the Wireshark that each has
SCRIPTS = '/usr/share/debootstrap/scripts'
PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
CANNOT_RUN = 77


class CannotMake(Exception):
    """A system could not be made, which says nothing of what would have been tested in it."""


def why_not():
    """What this machine lacks; '' if nothing."""
    if os.geteuid() != 0:
        return 'needs root for chroot'
    missing = [program for program in ('debootstrap', 'unshare') if shutil.which(program) is None]
    if missing:
        return f'no {", ".join(missing)}'
    return next(filter(None, map(why_no_overlay, {tempfile.gettempdir(), os.environ.get('RSTCAUSE_SYSTEMS') or tempfile.gettempdir()})), '')


def why_no_overlay(above):
    """An overlay cannot lie on another one, and a container may not mount at all."""
    os.makedirs(above, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=above) as folder:
        for name in ('lower', 'upper', 'work', 'root'):
            os.mkdir(os.path.join(folder, name))
        done = subprocess.run(['unshare', '--mount', '--propagation', 'private', 'mount', '-t', 'overlay', 'overlay', '-o',
                               'lowerdir=lower,upperdir=upper,workdir=work', 'root'], cwd=folder, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return f'no overlay can be mounted in {above}: {last_line(done.stdout)}' if done.returncode != 0 else ''


def last_line(text):
    return (text.strip().splitlines() or ['nothing is said'])[-1]


def enter_own_mounts():
    """Starts the program again where its mounts are seen by nobody else, and end with it."""
    if os.environ.get('RSTCAUSE_OWN_MOUNTS') != 'true':
        os.environ['RSTCAUSE_OWN_MOUNTS'] = 'true'
        os.execvp('unshare', ['unshare', '--mount', '--propagation', 'private', sys.executable, *sys.argv])


def kept_folder():
    """Where systems are kept. Made once for each run of the program."""
    if not os.environ.get('RSTCAUSE_SYSTEMS'):
        os.environ['RSTCAUSE_SYSTEMS'] = tempfile.mkdtemp(prefix='rstcause-systems-')
        atexit.register(shutil.rmtree, os.environ['RSTCAUSE_SYSTEMS'], ignore_errors=True)
    os.makedirs(os.environ['RSTCAUSE_SYSTEMS'], exist_ok=True)
    return os.environ['RSTCAUSE_SYSTEMS']


def find_mirror():
    """The machine's own mirror of Debian."""
    sources = ['/etc/apt/sources.list']
    with contextlib.suppress(FileNotFoundError):
        sources += sorted(os.path.join('/etc/apt/sources.list.d', name) for name in os.listdir('/etc/apt/sources.list.d'))
    for path in sources:
        with contextlib.suppress(FileNotFoundError), open(path, encoding='utf-8') as file:
            for line in file:
                if line.startswith(('URIs:', 'deb ')):
                    for word in line.split():
                        if '://' in word and word.rstrip('/').endswith('/debian'):
                            return word
    raise CannotMake('/etc/apt names no mirror of Debian to make systems from')


def make_base(suite):
    """The folder of the suite's system (minbase). Made where it is not there yet."""
    base = os.path.join(kept_folder(), suite)
    if not os.path.isdir(base):
        # A suite younger than this debootstrap is made as sid is.
        script = os.path.join(SCRIPTS, suite if os.path.exists(os.path.join(SCRIPTS, suite)) else 'sid')
        half = base + '.half'
        shutil.rmtree(half, ignore_errors=True)
        done = subprocess.run(['debootstrap', '--variant=minbase', suite, half, find_mirror(), script], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise CannotMake(f'debootstrap {suite}: {last_line(done.stdout)}')
        # A mirror that stands still is believed where this machine does so.
        told = subprocess.run(['apt-config', 'dump', 'Acquire::Check-Valid-Until'], check=True, stdout=subprocess.PIPE).stdout
        with open(os.path.join(half, 'etc/apt/apt.conf.d/99valid'), 'wb') as file:
            file.write(told)
        os.rename(half, base)
    return base


class System:
    """A system above a base and, if given, above layers that other systems left. 'keep' names a folder for its own layer."""

    def __init__(self, base, layers=(), keep=None):
        self.folder = tempfile.mkdtemp(prefix='rstcause-system-')
        self.root = os.path.join(self.folder, 'root')
        self.layer = keep or os.path.join(self.folder, 'layer')
        self.lower = [*reversed(layers), base]

    def __enter__(self):
        work = self.layer + '.work'
        for folder in (self.root, self.layer, work):
            os.makedirs(folder, exist_ok=True)
        subprocess.run(['mount', '-t', 'overlay', 'overlay', '-o', f'lowerdir={":".join(self.lower)},upperdir={self.layer},'
                        f'workdir={work}', self.root], check=True)
        subprocess.run(['mount', '-t', 'proc', 'proc', self.path('/proc')], check=True)
        return self

    def __exit__(self, *_):
        subprocess.run(['umount', '-l', self.path('/proc')], check=True)
        subprocess.run(['umount', '-l', self.root], check=True)
        shutil.rmtree(self.layer + '.work', ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, inside):
        return self.root + inside

    def run(self, command, user='root', **settings):
        """Runs a shell's command line as that user, in his home. What it printed, errors included, is in 'stdout'."""
        home = '/root' if user == 'root' else f'/home/{user}'
        return subprocess.run(['chroot', self.root, 'env', '-i', 'setpriv', f'--reuid={user}', f'--regid={user}',
                               '--init-groups', 'env', f'PATH={PATH}', f'HOME={home}', f'USER={user}', 'LC_ALL=C.UTF-8',
                               *(f'{name}={value}' for name, value in settings.items()), 'sh', '-c', f'cd {home} && {command}'],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)

    def must(self, command, user='root', **settings):
        """The same for what a test only prepares."""
        done = self.run(command, user, **settings)
        if done.returncode != 0:
            sys.exit(f'{command}: exit status {done.returncode}\n{done.stdout}')
        return done.stdout

    def list_files(self, *folders):
        """Every path below these folders."""
        found = set()
        for folder in folders:
            for where, folders_here, files in os.walk(self.path(folder)):
                found |= {os.path.join(where, name)[len(self.root):] for name in folders_here + files}
        return found

    def copy_source(self, source, target, owner='root'):
        """Copies this project there, as a user would have unpacked it: without builds and without git."""
        os.makedirs(self.path(target), exist_ok=True)
        packed = subprocess.run(['tar', 'c', '-C', source, '--exclude=./build*', '--exclude=./.git', '.'], check=True,
                                stdout=subprocess.PIPE).stdout
        subprocess.run(['tar', 'x', '--no-same-owner', '-C', self.path(target)], input=packed, check=True)
        self.must(f'chown -R {owner}: {target}')


def copy(source, target):
    """Copies a folder from one system to another, with its owners."""
    subprocess.run(['cp', '-a', source, target], check=True)


def prepare(suite, name, command, source=None, target=None):
    """(base, layers) of a system in which the command was run before, kept under that name. The command may use the
    project, which is copied from 'source' to 'target' meanwhile."""
    base = make_base(suite)
    layer = os.path.join(kept_folder(), f'{suite}+{name}')
    if not os.path.isdir(layer):
        shutil.rmtree(layer + '.half', ignore_errors=True)
        with System(base, keep=layer + '.half') as system:
            if source:
                system.copy_source(source, target)
            done = system.run(command, DEBIAN_FRONTEND='noninteractive')
            if done.returncode != 0:
                raise CannotMake(f'{suite}, {name}: {last_line(done.stdout)}')
            if source:
                shutil.rmtree(system.path(target))
        os.rename(layer + '.half', layer)
    return base, [layer]


def main():
    reason = why_not()
    if reason:
        print(f'# skipped: {reason}')
        return CANNOT_RUN
    for suite in sys.argv[1:]:
        print(make_base(suite))
    return 0


if __name__ == '__main__':
    sys.exit(main())
