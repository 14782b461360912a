# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames of a capture file, for tests that change them: read through editcap, written as pcap with nanoseconds.

Knows no protocol. What pcap does not hold (interfaces, comments) is lost.
"""
import os
import struct
import subprocess
import tempfile
from dataclasses import dataclass

MAGIC = 0xa1b23c4d   # stamps of nanoseconds, in the byte order that the file is written in
SECOND = 10**9
MOST_SECONDS = 2**32 - 1   # the last moment that pcap can name: 2106-02-07 06:28:15


@dataclass(frozen=True)
class Frame:
    time: int       # nanoseconds since 1970
    length: int     # on the wire
    bytes: bytes    # what was captured of it


class CannotRead(Exception):
    """No pcap can hold this capture: it has several link types."""


def read_pcap(path):
    """The link type and the frames of any capture file that editcap reads. A last frame that is cut off is left out."""
    with tempfile.TemporaryDirectory(prefix='rstcause-') as folder:
        plain = os.path.join(folder, 'plain.pcap')
        done = subprocess.run(['editcap', '-F', 'nsecpcap', path, plain], capture_output=True, text=True, check=False)
        if not os.path.exists(plain) or 'multiple packet encapsulations' in done.stderr:
            raise CannotRead(f'{path}: {done.stderr}')
        with open(plain, 'rb') as file:
            contents = file.read()
    order = '<' if struct.unpack_from('<I', contents)[0] == MAGIC else '>'
    link, at, frames = struct.unpack_from(order + 'I', contents, 20)[0], 24, []
    while at + 16 <= len(contents):
        seconds, nanoseconds, captured, length = struct.unpack_from(order + '4I', contents, at)
        frames.append(Frame(seconds * SECOND + nanoseconds, length, contents[at + 16:at + 16 + captured]))
        at += 16 + captured
    return link, frames


def write_pcap(path, link, frames):
    """Seconds beyond 2106 begin again at 1970, as they do where a tool writes them without looking."""
    with open(path, 'wb') as file:
        file.write(struct.pack('<IHHiIII', MAGIC, 2, 4, 0, 0, 262144, link))
        for frame in frames:
            seconds, nanoseconds = divmod(frame.time, SECOND)
            file.write(struct.pack('<4I', seconds & MOST_SECONDS, nanoseconds, len(frame.bytes), frame.length))
            file.write(frame.bytes)
    os.chmod(path, 0o644)
