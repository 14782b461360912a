# SPDX-License-Identifier: GPL-2.0-or-later
"""What the workers of all labs on this machine share: they take turns, and no two use the same addresses.

The kernel's record covers all namespaces, and a listener's reset names no peer in it, so addresses must tell the
workers apart. Knows nothing about what a turn is used for.
"""
import contextlib
import fcntl
import os
import tempfile

SLOTS = 200     # addresses end in 10 and up


def open_lock(name):
    return open(os.path.join(tempfile.gettempdir(), f'rstcause-lab.{name}.lock'), 'w', encoding='ascii')


@contextlib.contextmanager
def own_slot():
    """A number that no other worker has."""
    for slot in range(SLOTS):
        with open_lock(f'slot-{slot}') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield slot
            return
    raise RuntimeError('too many labs on this machine')


@contextlib.contextmanager
def turn(exclusive):
    """Alone on the machine, or together with others. Who waits to be alone stands at the door, so that he gets in."""
    with open_lock('door') as door, open_lock('turn') as lock:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield
