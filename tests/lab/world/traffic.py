# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that live while somebody attacks them: idle ones, dialogues, transfers one way and both, real programs.

All of it is bounded in time and rate, and ends when the connection does. Knows nothing about attacks or causes.
"""
import contextlib
import os
import socket
import sys
import threading
import time

LONGEST = 8.0           # seconds
KINDS = ('idle', 'pingpong', 'download', 'upload', 'duplex', 'curl')


class Traffic:
    """One connection of a World with this kind of traffic on it. begin() starts, stop() ends it."""

    def __init__(self, w, kind, port=None):
        self.w, self.kind = w, kind
        self.port = port or w.rng.randrange(1024, 20000)
        self.chunk, self.pause = w.rng.choice(((8 << 10, 0.02), (64 << 10, 0.15)))
        self.over = threading.Event()       # nothing more is to be sent
        self.dead = threading.Event()       # an end got an error
        self.threads, self.programs = [], []
        self.a = self.b = None

    def connect(self):
        if self.kind == 'curl':
            return self.serve_files()
        self.a, self.b = self.w.pair(self.port)
        self.w.exchange(self.a, self.b, 2, self.w.rng.randrange(20, 600))
        self.w.settle(0.1)
        return self

    def begin(self):
        """Start what goes on by itself; returns at once."""
        pairs = {'download': [(self.b, self.a)], 'upload': [(self.a, self.b)],
                 'duplex': [(self.b, self.a), (self.a, self.b)]}.get(self.kind, ())
        for source, sink in pairs:
            self.start(self.send_on, source)
            self.start(self.drain, sink)
        if self.kind == 'pingpong':
            self.start(self.ask)
            self.start(self.answer)
        if self.kind == 'curl':
            self.fetch()
        return self

    def start(self, function, *args):
        def run():
            try:
                function(*args)
            except OSError:
                self.dead.set()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.threads.append(thread)

    def alive_until(self):
        end = time.monotonic() + LONGEST
        while not self.over.is_set() and not self.dead.is_set() and time.monotonic() < end:
            yield

    def send_on(self, sock):
        data = os.urandom(self.chunk)
        for _ in self.alive_until():
            sock.sendall(data)
            self.over.wait(self.pause)

    def drain(self, sock):
        while sock.recv(1 << 16):
            pass

    def ask(self):
        rng = self.w.rng
        for _ in self.alive_until():
            self.a.sendall(os.urandom(rng.randrange(40, 400)))
            if not self.a.recv(1 << 16):
                return
            self.over.wait(rng.uniform(0.002, 0.03))

    def answer(self):
        while self.b.recv(1 << 16):
            self.b.sendall(os.urandom(self.w.rng.randrange(200, 1400)))

    def serve_files(self):
        directory = f'{self.w.directory}/www'
        os.makedirs(directory, exist_ok=True)
        with open(f'{directory}/file', 'wb') as file:
            file.write(os.urandom(6_000_000))
        address = self.w.server_address
        self.programs.append(self.w.server.popen(sys.executable, '-m', 'http.server', '-b', address, '-d', directory,
                                                 str(self.port)))
        wait_for_listener(self.w, self.port)
        return self

    def fetch(self):
        host = f'[{self.w.server_address}]' if self.w.p.family == 6 else self.w.server_address
        self.curl = self.w.client.popen('curl', '-s', '-o', '/dev/null', '--limit-rate', '500k', '--max-time', str(LONGEST),
                                        f'http://{host}:{self.port}/file')
        self.programs.append(self.curl)
        self.start(self.watch_curl)

    def watch_curl(self):
        if self.curl.wait():
            self.dead.set()

    def poke(self, who='both'):
        """Each end sends a few bytes, if it can."""
        for name, sock in (('client', self.a), ('server', self.b)):
            if sock is not None and who in ('both', name):
                with contextlib.suppress(OSError):
                    sock.sendall(os.urandom(50))

    def wait_dead(self, timeout):
        """Until an end noticed its end."""
        return self.dead.wait(timeout)

    def stop(self):
        """Stop sending, let what is under way arrive, close both ends."""
        self.over.set()
        self.w.settle(0.15)
        for sock in (self.a, self.b):
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_WR)
        self.w.settle(0.1)
        for sock in (self.a, self.b):
            if sock is not None:
                sock.close()
        for program in self.programs:
            program.terminate()
        self.w.settle(0.1)


def wait_for_listener(w, port, node=None, timeout=10):
    """Until a program listens there, as its kernel says; nothing is sent."""
    node = node or w.server
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if f':{port} ' in node.run('ss', '-Htln') + ' ':
            return
        time.sleep(0.05)
    raise TimeoutError(f'nobody listens on port {port}')
