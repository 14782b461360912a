# SPDX-License-Identifier: GPL-2.0-or-later
"""A place to run Wireshark's programs with the plugin that was just built, and with no other.

Wireshark loads no personal plugins for root, and of two plugins with one name it takes the machine's own. So the
programs run with a home of their own, with an empty folder for the machine's plugins, and, when the tests run as
root, as the user nobody. Nothing outside the temporary folder is written. Knows nothing about what is tested.
"""
import os
import shlex
import shutil
import subprocess
import tempfile

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOBODY = 65534
PROGRAMS = ('tshark', 'sharkd', 'wireshark')


def build_folder():
    return os.environ.get('RSTCAUSE_BUILD') or os.path.join(REPOSITORY, 'build', 'test')


class Workplace:
    """A temporary folder with a home, captures that the unprivileged user can read, and programs to run."""

    def __init__(self, with_plugin=True):
        self.folder = tempfile.mkdtemp(prefix='rstcause-')
        os.chmod(self.folder, 0o755)
        self.home = os.path.join(self.folder, 'home')
        self.no_plugins = os.path.join(self.folder, 'no-plugins')
        self.bin = os.path.join(self.folder, 'bin')
        os.mkdir(self.no_plugins)
        os.mkdir(self.bin)
        if with_plugin:
            shutil.copytree(os.path.join(build_folder(), 'home'), self.home)
        else:
            os.mkdir(self.home)
        self.give_home_away()
        self.settings = {
            'HOME': self.home, 'XDG_CONFIG_HOME': f'{self.home}/.config', 'XDG_RUNTIME_DIR': self.home,
            'WIRESHARK_PLUGIN_DIR': self.no_plugins, 'LC_ALL': 'C.UTF-8', 'TZ': 'UTC',
        }
        for program in PROGRAMS:
            self._write_wrapper(program)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        shutil.rmtree(self.folder)

    def give_home_away(self):
        """Whatever was put there since is the unprivileged user's, too."""
        if os.geteuid() != 0:
            return
        for folder, _, files in os.walk(self.home):
            for path in (folder, *(os.path.join(folder, name) for name in files)):
                os.chown(path, NOBODY, NOBODY)

    def command(self, argv):
        """The command line that runs argv here. The path is the caller's, or wrappers would call themselves."""
        drop = []
        if os.geteuid() == 0:
            drop = ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups']
        return [*drop, 'env', *(f'{name}={value}' for name, value in self.settings.items()), *argv]

    def _write_wrapper(self, program):
        """For programs that call tshark by its name."""
        real = shutil.which(program)
        if real is None:
            return
        path = os.path.join(self.bin, program)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(f'#!/bin/sh\nexec {shlex.join(self.command([real]))} "$@"\n')
        os.chmod(path, 0o755)

    def hold(self, capture, name=None):
        """Copies a capture to where the unprivileged user can read it. Returns its path there."""
        path = os.path.join(self.folder, name or os.path.basename(capture))
        shutil.copyfile(capture, path)
        os.chmod(path, 0o644)
        return path

    def run(self, *argv, **options):
        """Runs a command to its end, its output as text. Never raises for an exit status."""
        options = {'capture_output': True, 'text': True, 'errors': 'replace', 'check': False, **options}
        return subprocess.run(self.command(argv), **options)
