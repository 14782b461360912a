#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The real Wireshark window, under Xvfb, with the profile "RST cause": the column shows the cause.

  gui_test.py [--keep PICTURE]     keeps the last picture of the window

The window is read as a person reads it: from its picture. The suffix in the Info column is off and the first frame,
a SYN, is the selected one, so that the name of the cause can stand nowhere but in the column. Exit status 77 where a
program is missing.
"""
import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import time

from tap import Tap
from workplace import REPOSITORY, Workplace

CANNOT_RUN = 77
NEEDED = ('Xvfb', 'wireshark', 'import', 'convert', 'tesseract')
CAPTURE = os.path.join(REPOSITORY, 'test-captures', 'client-loses-power-v4-client.pcap')
CAUSE = 'half-open'
PATIENCE = 90   # seconds
WINDOW = '''gui.geometry_main_x: 0
gui.geometry_main_y: 0
gui.geometry_main_width: 1600
gui.geometry_main_height: 900
'''


@contextlib.contextmanager
def virtual_screen():
    """Yields the display's name."""
    read_end, write_end = os.pipe()
    server = subprocess.Popen(['Xvfb', '-displayfd', str(write_end), '-screen', '0', '1600x900x24', '-nolisten', 'tcp',
                               '-ac'], pass_fds=(write_end,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write_end)
    try:
        with os.fdopen(read_end) as pipe:
            yield ':' + pipe.readline().strip()
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def open_wireshark(workplace, display, *options):
    program = subprocess.Popen(workplace.command(['env', f'DISPLAY={display}', 'wireshark', *options]),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield program
    finally:
        program.terminate()
        program.wait()


def take_picture(display, path):
    subprocess.run(['import', '-display', display, '-window', 'root', path], check=True)


def read_picture(path):
    """The words in the picture. Twice the size and without colours, they are read best."""
    large = path + '.large.png'
    subprocess.run(['convert', path, '-colorspace', 'Gray', '-resize', '200%', large], check=True)
    done = subprocess.run(['tesseract', large, '-', '--psm', '11'], capture_output=True, text=True, check=True)
    return done.stdout


def shows(text, words):
    """Whether the words are there, whatever the kind of dash or space that was read."""
    return re.search(re.sub(r'[ -]', r'\\s*[-—–]?\\s*', words), text) is not None


def wait_for(program, display, picture, words):
    """The text of the window once it shows the words, or as it is at last."""
    text = ''
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and program.poll() is None:
        time.sleep(2)
        take_picture(display, picture)
        text = read_picture(picture)
        if shows(text, words):
            break
    return text


def prepare(workplace):
    settings = os.path.join(workplace.home, '.config', 'wireshark')
    with open(os.path.join(settings, 'recent_common'), 'w', encoding='utf-8') as file:
        file.write(WINDOW)
    os.chmod(workplace.home, 0o700)
    return workplace.hold(CAPTURE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--keep', metavar='PICTURE')
    args = parser.parse_args()
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing:
        print(f'# skipped: no {", ".join(missing)}')
        return CANNOT_RUN

    tap = Tap()
    with Workplace() as workplace, virtual_screen() as display:
        capture = prepare(workplace)
        picture = os.path.join(workplace.folder, 'window.png')
        with open_wireshark(workplace, display, '-C', 'RST cause', '-o', 'rstcause_proto.info_column:FALSE', '-r',
                            capture) as program:
            text = wait_for(program, display, picture, CAUSE)
            if args.keep:
                shutil.copyfile(picture, args.keep)
        tap.check(shows(text, 'Profile: RST cause'), 'Wireshark opened with the profile', text)
        tap.check(shows(text, CAUSE), 'the column shows the cause', text)
        tap.check(shows(text, 'Harmful resets'), 'the filter buttons are there', text)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
