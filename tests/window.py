# SPDX-License-Identifier: GPL-2.0-or-later
"""Wireshark's window on a screen of its own: looked at, clicked and typed into as a person does. What is where is read from
its picture. Knows nothing of what is tested.
"""
import contextlib
import os
import re
import shutil
import subprocess
import time

NEEDED = ('Xvfb', 'openbox', 'xdotool', 'wireshark', 'import', 'convert', 'tesseract')
PATIENCE = 90   # seconds
SCALE = 2   # at twice its size, and without colours, text is read best
# Its threads wait for one another longer than they work.
ONE_THREAD = {**os.environ, 'OMP_THREAD_LIMIT': '1'}


def find_missing():
    return [program for program in NEEDED if shutil.which(program) is None]


@contextlib.contextmanager
def virtual_screen(width=1280, height=830):
    """Yields the display's name. Its window manager gives the keyboard to who was clicked."""
    read_end, write_end = os.pipe()
    server = subprocess.Popen(['Xvfb', '-displayfd', str(write_end), '-screen', '0', f'{width}x{height}x24', '-nolisten', 'tcp',
                               '-ac'], pass_fds=(write_end,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write_end)
    manager = None
    try:
        with os.fdopen(read_end) as pipe:
            display = ':' + pipe.readline().strip()
        manager = subprocess.Popen(['openbox'], env={**os.environ, 'DISPLAY': display}, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        yield display
    finally:
        for process in (manager, server):
            if process is not None:
                process.terminate()
                process.wait()


def normalize(text):
    """Without what is easily misread: dashes, dots, quotation marks, and letters in capitals."""
    return re.sub(r'[^a-z0-9]', '', text.lower())


class Window:
    """A running Wireshark in a workplace. A context; what it wrote to its standard error is in 'complaint' at the end."""

    def __init__(self, workplace, display, *options, width=1280, height=800):
        self.workplace, self.display, self.picture = workplace, display, os.path.join(workplace.folder, 'window.png')
        self.complaint = ''
        settings = os.path.join(workplace.home, '.config', 'wireshark')
        with open(os.path.join(settings, 'recent_common'), 'w', encoding='utf-8') as file:
            file.write(f'gui.geometry_main_x: 0\ngui.geometry_main_y: 0\ngui.geometry_main_width: {width}\n'
                       f'gui.geometry_main_height: {height}\n')
        os.chmod(workplace.home, 0o700)
        workplace.give_home_away()
        self.program = subprocess.Popen(workplace.command(['env', f'DISPLAY={display}', 'wireshark', *options]),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.program.terminate()
        self.complaint = self.program.communicate()[1]

    def take_picture(self, path=None):
        subprocess.run(['import', '-display', self.display, '-window', 'root', path or self.picture], check=True)

    def read(self):
        """The lines of the picture: of each its words, with the place of each."""
        self.take_picture()
        # As PNG it would take five times as long to write.
        large = self.picture + '.large.pgm'
        subprocess.run(['convert', self.picture, '-colorspace', 'Gray', '-resize', f'{SCALE * 100}%', large], check=True)
        done = subprocess.run(['tesseract', large, '-', '--psm', '11', 'tsv'], capture_output=True, text=True, check=True,
                              env=ONE_THREAD)
        lines = {}
        for row in (line.split('\t') for line in done.stdout.splitlines()[1:]):
            if len(row) == 12 and row[11].strip():
                left, top, width, height = (int(number) // SCALE for number in row[6:10])
                lines.setdefault(tuple(row[1:5]), []).append((row[11], left, top, width, height))
        return list(lines.values())

    def text(self):
        return '\n'.join(' '.join(word[0] for word in line) for line in self.read())

    def find(self, words, last=False, patience=0):
        """The middle of the words that begin so, first or last in the window; None where they are not shown in time."""
        end, wanted = time.monotonic() + patience, normalize(words)
        while True:
            places = [place for line in self.read() for place in find_in_line(line, wanted)]
            if places:
                return (max if last else min)(places, key=lambda place: (place[1], place[0]))
            if time.monotonic() >= end or self.program.poll() is not None:
                return None
            time.sleep(1)

    def shows(self, words, patience=PATIENCE):
        return self.find(words, patience=patience) is not None

    def choose(self, *path):
        """Goes through menus; returns whether all entries were there. A busy machine may not have drawn one in time: then once
        more."""
        for _ in range(3):
            if all(self.click(words, in_menu=number < len(path) - 1) for number, words in enumerate(path)):
                return True
            for _ in path:
                self.do('key', 'Escape')
        return False

    def do(self, *arguments):
        """What xdotool does; then time for Wireshark to follow."""
        subprocess.run(['xdotool', *map(str, arguments)], env={**os.environ, 'DISPLAY': self.display}, check=True)
        time.sleep(1.5)

    def click(self, words, times=1, last=False, in_menu=False):
        """Returns whether there was something to click on. A menu closes when the mouse leaves it."""
        place = self.find(words, last, patience=10)
        if place is not None:
            self.do('mousemove', *place, 'click', '--repeat', times, '--delay', 100, 1)
            # What the mouse rests on is drawn in other colours, and explained in a window that covers others.
            if not in_menu:
                self.do('mousemove', 5, 825)
        return place is not None


def find_in_line(line, wanted):
    for first in range(len(line)):
        read = ''
        for word in line[first:]:
            read += normalize(word[0])
            if read.startswith(wanted) and normalize(line[first][0]):
                left, top = line[first][1:3]
                yield (left + word[1] + word[3]) // 2, top + word[4] // 2
                break
            if not wanted.startswith(read):
                break
