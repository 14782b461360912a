#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes a capture of this kernel's own TCP traffic, for the benchmark.

  record_traffic.py FILE PACKETS

Two dozen clients at a time ask servers in a network namespace of their own, in HTTP, TLS and a protocol that Wireshark
does not know; some ask a port where nobody listens, and some connections end with a reset. Recorded with tcpdump, until
there are so many packets. Needs root, tcpdump and unshare.
"""
import multiprocessing
import os
import random
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading

from make_last_words_capture import anonymous_tls

NAMESPACE = 'RSTCAUSE_TRAFFIC_NAMESPACE'
CLIENTS = 24
PORTS = {80: 'http', 443: 'tls', 6666: 'unknown'}
CLOSED = 9
HTTP_HEAD = b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n'


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    connection.close()


def answer(connection, kind, rng):
    """Serves one connection until the client closes; resets one of ten."""
    try:
        if kind == 'tls':
            connection = anonymous_tls(ssl.PROTOCOL_TLS_SERVER).wrap_socket(connection, server_side=True)
        while connection.recv(4096):
            if rng.random() < 0.04:
                reset(connection)
                return
            body = os.urandom(rng.choice((400, 3000, 12000, 30000)))
            head = HTTP_HEAD % len(body) if kind == 'http' else struct.pack('>I', len(body))
            connection.sendall(head + body)
    except OSError:
        pass
    connection.close()


def serve(listener, kind):
    rng = random.Random(kind)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection, kind, rng), daemon=True).start()


def read_exactly(connection, length):
    while length > 0:
        got = len(connection.recv(min(length, 65536)))
        if got == 0:
            raise ConnectionError
        length -= got


def read_answer(connection, kind):
    """So that the next request is not sent before the end of the answer."""
    if kind == 'http':
        head = b''
        while not head.endswith(b'\r\n\r\n'):
            byte = connection.recv(1)
            if not byte:
                raise ConnectionError
            head += byte
        read_exactly(connection, int(head.split()[-1]))
    else:
        size = connection.recv(4)
        if len(size) < 4:
            raise ConnectionError
        read_exactly(connection, int.from_bytes(size, 'big'))


def ask(number):
    """Makes one connection after the other."""
    rng = random.Random(number)
    while True:
        port = rng.choice((80, 443, 443, 6666, CLOSED if rng.random() < 0.1 else 80))
        try:
            connection = socket.create_connection((f'192.0.2.{rng.randrange(1, 250)}', port),
                                                  source_address=(f'10.0.0.{number + 1}', 0))
            connection.settimeout(5)
            if PORTS[port] == 'tls':
                connection = anonymous_tls(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(connection)
            for _ in range(rng.randrange(1, 6)):
                connection.sendall(b'GET /%d HTTP/1.1\r\nHost: www.example.com\r\nAccept: */*\r\n\r\n' % rng.randrange(10**6)
                                   if port == 80 else rng.randbytes(rng.randrange(50, 600)))
                read_answer(connection, PORTS[port])
            if rng.random() < 0.05:
                reset(connection)
            connection.close()
        except OSError:
            pass


def record(path, packets):
    for command in ('link set lo mtu 1500 gso_max_segs 1 up', 'route add local 192.0.2.0/24 dev lo',
                    'route add local 10.0.0.0/24 dev lo'):
        subprocess.run(['ip', *command.split()], check=True)
    with subprocess.Popen(['tcpdump', '--immediate-mode', '-B', '65536', '-i', 'lo', '-c', str(packets), '-w', path,
                           'tcp'], stderr=subprocess.PIPE, text=True) as tcpdump:
        while 'listening on' not in tcpdump.stderr.readline():
            pass
        listeners = [(socket.create_server(('', port), backlog=128), kind) for port, kind in PORTS.items()]
        processes = [multiprocessing.Process(target=serve, args=each, daemon=True) for each in listeners]
        processes += [multiprocessing.Process(target=ask, args=(number,), daemon=True) for number in range(CLIENTS)]
        for process in processes:
            process.start()
        tcpdump.stderr.read()
        for process in processes:
            process.kill()


def main():
    path, packets = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    if NAMESPACE not in os.environ:
        os.execvpe('unshare', ['unshare', '--net', sys.executable, os.path.abspath(__file__), path, str(packets)],
                   {**os.environ, NAMESPACE: '1'})
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    record(path, packets)


if __name__ == '__main__':
    main()
