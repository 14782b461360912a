#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes test-captures/last-words.pcap: servers that say something, and then reset the connection.

  make_last_words_capture.py [FOLDER]

Sockets of this kernel in a network namespace of their own, captured with tcpdump. HTTP comes from http.server and TLS
from OpenSSL; the lines of SMTP and FTP and the packets of SSH are written out here. A new run gives other port
numbers and times: frame numbers stay, as each connection ends before the next one begins. Needs root and tcpdump.
"""
import http.server
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

CLIENT, SERVER = '198.51.100.7', '192.0.2.80'
PAUSE = 0.05    # longer than any delayed acknowledgement, so that what is said has arrived
NAMESPACE = 'RSTCAUSE_LAST_WORDS_NAMESPACE'


def reset(connection):
    """Closes with SO_LINGER 0: the kernel sends a RST."""
    time.sleep(PAUSE)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    connection.close()


def say_lines(*lines):
    """A server that says its first line at once, and another one after each line of the client."""
    def serve(connection):
        for number, line in enumerate(lines):
            if number > 0:
                connection.recv(4096)
            connection.sendall(line + b'\r\n')
        reset(connection)
    return serve


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        if self.path == '/busy':
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header('Content-Length', '2')
        if self.path == '/last':
            self.send_header('Connection', 'close')
        self.end_headers()
        self.wfile.write(b'ok')
        self.close_connection = True

    def log_message(self, *_):
        pass


def serve_http(connection):
    Handler(connection, connection.getpeername(), None)
    reset(connection)


def request(path, *more_lines):
    lines = (f'GET {path} HTTP/1.1', 'Host: www.example.com', *more_lines, '', '')
    return '\r\n'.join(lines).encode()


def anonymous_tls(protocol):
    """TLS 1.2 with a cipher that needs no certificate: what is tested is the alert, which it encrypts."""
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers('AECDH-AES128-SHA:@SECLEVEL=0')
    return context


def serve_tls_without_certificate(connection):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as wrapped:
        try:
            wrapped.do_handshake()
        except ssl.SSLError:
            reset(wrapped)


def serve_tls_to_the_end(connection):
    wrapped = anonymous_tls(ssl.PROTOCOL_TLS_SERVER).wrap_socket(connection, server_side=True)
    wrapped.settimeout(PAUSE)
    try:
        wrapped.unwrap()    # sends close_notify; the client's never comes
    except (ssl.SSLError, TimeoutError):
        pass
    reset(wrapped)


def start_tls(connection):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        context.wrap_socket(connection)
    except ssl.SSLError:
        pass


def start_anonymous_tls(connection):
    return anonymous_tls(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(connection)


def ssh_packet(message):
    padding = 8 - (5 + len(message)) % 8
    padding += 8 if padding < 4 else 0
    return struct.pack('>IB', 1 + len(message) + padding, padding) + message + bytes(padding)


def ssh_key_exchange():
    lists = (b'curve25519-sha256', b'ssh-ed25519', *[b'aes128-ctr'] * 2, *[b'hmac-sha2-256'] * 2, *[b'none'] * 2, b'',
             b'')
    return ssh_packet(b'\x14' + bytes(16) + b''.join(struct.pack('>I', len(x)) + x for x in lists) + bytes(5))


def serve_ssh(connection):
    connection.sendall(b'SSH-2.0-Example_1.0\r\n')
    connection.recv(4096)
    connection.sendall(ssh_key_exchange())
    connection.recv(4096)
    text = b'no keys here'
    connection.sendall(ssh_packet(struct.pack('>BII', 1, 3, len(text)) + text + bytes(4)))
    reset(connection)


def say(*messages, waits=True):
    """A client that says these, one after each answer."""
    def talk(connection):
        for message in messages:
            if waits:
                connection.recv(4096)
            connection.sendall(message)
    return talk


def ask(*requests):
    """A client that speaks first."""
    return say(*requests, waits=False)


CONNECTIONS = (
    (80, serve_http, ask(request('/busy'))),
    (80, serve_http, ask(request('/last'))),
    (80, serve_http, ask(request('/', 'Connection: close'))),
    (443, serve_tls_without_certificate, start_tls),
    (443, serve_tls_to_the_end, start_anonymous_tls),
    (25, say_lines(b'220 mail.example.com ESMTP', b'421 4.3.2 mail.example.com closing'), say(b'EHLO me\r\n')),
    (25, say_lines(b'220 mail.example.com ESMTP', b'250 mail.example.com'), say(b'EHLO me\r\n')),
    (21, say_lines(b'220 ready', b'331 password?', b'530 \x1b[31mno\xff\xfe'), say(b'USER me\r\n', b'PASS x\r\n')),
    (21, say_lines(b'220 ready', b'221 bye'), say(b'QUIT\r\n')),
    (22, serve_ssh, say(b'SSH-2.0-Example_2.0\r\n', ssh_key_exchange())),
)


def connect(port, serve, talk):
    """One connection, until the client has read the reset."""
    with socket.create_server((SERVER, port)) as listener:
        thread = threading.Thread(target=lambda: serve(listener.accept()[0]), daemon=True)
        thread.start()
        client = socket.create_connection((SERVER, port), source_address=(CLIENT, 0))
        client = talk(client) or client
        thread.join(timeout=5)
        time.sleep(PAUSE)
        client.close()


def record(path):
    for command in ('link set lo up', f'address add {CLIENT}/32 dev lo', f'address add {SERVER}/32 dev lo'):
        subprocess.run(['ip', *command.split()], check=True)
    with subprocess.Popen(['tcpdump', '--immediate-mode', '-U', '-i', 'lo', '-w', path, 'tcp'],
                          stderr=subprocess.PIPE, text=True) as tcpdump:
        while 'listening on' not in tcpdump.stderr.readline():
            pass
        try:
            for connection in CONNECTIONS:
                connect(*connection)
            time.sleep(PAUSE)
        finally:
            tcpdump.send_signal(signal.SIGINT)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), '..', 'test-captures')
    if NAMESPACE not in os.environ:
        os.execvpe('unshare', ['unshare', '--net', sys.executable, os.path.abspath(__file__), os.path.abspath(folder)],
                   {**os.environ, NAMESPACE: '1'})
    with tempfile.TemporaryDirectory() as temporary:
        # tcpdump gives up root's rights before it writes.
        os.chmod(temporary, 0o777)
        path = os.path.join(temporary, 'last-words.pcap')
        record(path)
        shutil.copyfile(path, os.path.join(folder, 'last-words.pcap'))


if __name__ == '__main__':
    main()
