# SPDX-License-Identifier: GPL-2.0-or-later
"""HAProxy as the server: dead backends and its timeouts. Its kernel says why each reset was sent."""
import shutil
import sys
import tempfile

from routers import start_program
from . import scenario

BACKEND_PORT, DEAD_PORT = 9001, 9002
INSTALLED = bool(shutil.which('haproxy'))

if not INSTALLED:
    print('lab: scenarios of HAProxy left out: it is not installed', file=sys.stderr)


def proxied(*expect, **fixed):
    """A scenario whose server is HAProxy; left out where that is not installed."""
    return scenario(*expect, actors=('server',), loss=0, **fixed) if INSTALLED else lambda function: function


def proxy(b, mode, backend_port=BACKEND_PORT, client='30s', server='30s', front=''):
    """HAProxy on the server, between the wire and a backend of its own; returns (its process, the backend's
    listener)."""
    loopback, address = '127.0.0.1', b.addresses['server']
    if b.p.family == 6:
        loopback, address = '[::1]', f'[{address}]'
    backend = b.server.agent().socket()
    backend.bind((loopback.strip('[]'), BACKEND_PORT))
    backend.listen(8)
    with tempfile.NamedTemporaryFile('w', suffix='.cfg', encoding='ascii') as file:
        file.write(f'''
global
    maxconn 50
    nbthread 1
defaults
    mode {mode}
    timeout connect 300ms
    timeout client {client}
    timeout server {server}
    retries 0
frontend here
    bind {address}:{b.server_port}
    {front}
    default_backend there
backend there
    server one {loopback}:{backend_port}
''')
        file.flush()
        process = start_program(b.server, ['haproxy', '-q', '-db', '-f', file.name])
        watcher = b.server.agent()
        for _ in range(60):
            b.sleep(0.05)
            if f':{b.server_port} ' in watcher.call('run', ['ss', '-Hltn']):
                break
        else:
            raise TimeoutError('haproxy does not listen')
    return process, backend


REQUEST = b'GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n'


def read_to_end(sock):
    try:
        sock.begin_drain()
        sock.finish()
    except OSError:
        pass


def send_anyway(b, sock, data):
    try:
        sock.sendall(data)
    except OSError:
        pass
    b.settle()


@proxied('?abort', '?data-after-close', '?already-reset')
def haproxy_dead_backend(b):
    """Nobody listens behind the proxy: it accepts, and then cannot go on."""
    proxy(b, 'tcp', DEAD_PORT)
    client = b.client_socket()
    client.connect(b.server_endpoint())
    send_anyway(b, client, b.payload(3000))
    b.sleep(0.2)
    send_anyway(b, client, b.payload(300))


@proxied('?abort', '?data-after-close', '?already-reset')
def haproxy_dead_backend_http(b):
    """The same in HTTP: 503, and the connection ends."""
    proxy(b, 'http', DEAD_PORT)
    client = b.client_socket()
    client.connect(b.server_endpoint())
    client.sendall(REQUEST.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n'))
    read_to_end(client)
    send_anyway(b, client, REQUEST)


@proxied('?abort', '?data-after-close', '?already-reset', delay=0.005)
def haproxy_client_timeout(b):
    """An idle client; it comes back too late."""
    _, backend = proxy(b, 'tcp', client='600ms', server='600ms')
    client = b.client_socket()
    client.connect(b.server_endpoint())
    behind = backend.accept()
    client.sendall(b'hello')
    behind.recv(10)
    b.sleep(1.2)
    send_anyway(b, client, b.payload(300))
    send_anyway(b, client, b.payload(300))


@proxied('?abort', '?data-after-close', '?already-reset', delay=0.005)
def haproxy_server_timeout(b):
    """The backend says nothing; the proxy gives it up and ends the client's connection."""
    _, backend = proxy(b, 'http', client='700ms', server='600ms')
    client = b.client_socket()
    client.connect(b.server_endpoint())
    client.sendall(REQUEST)
    behind = backend.accept()
    behind.recv(1000)
    b.sleep(1.2)
    read_to_end(client)
    send_anyway(b, client, REQUEST)


@proxied('?abort', '?data-after-close', '?already-reset', delay=0.005)
def haproxy_server_timeout_tcp(b):
    _, backend = proxy(b, 'tcp', client='800ms', server='600ms')
    client = b.client_socket()
    client.connect(b.server_endpoint())
    behind = backend.accept()
    client.sendall(b.payload(2000))
    behind.recv(1)
    b.sleep(1.2)
    send_anyway(b, client, b.payload(300))
    send_anyway(b, client, b.payload(300))


@proxied('?abort', '?data-after-close', '?already-reset')
def haproxy_backend_aborts(b):
    """The backend resets its side; what the proxy makes of it on the client's."""
    _, backend = proxy(b, 'tcp')
    client = b.client_socket()
    client.connect(b.server_endpoint())
    behind = backend.accept()
    client.sendall(b.payload(2000))
    behind.recv(1)
    behind.linger(0)
    behind.close()
    b.sleep(0.1)
    send_anyway(b, client, b.payload(300))


@proxied('?half-open', '?abort', '?already-reset', delay=0.005)
def haproxy_silent_drop(b):
    """silent-drop: the proxy forgets the connection without a word; the client's retransmission finds nobody."""
    proxy(b, 'http', front='http-request silent-drop')
    client = b.client_socket()
    client.connect(b.server_endpoint())
    client.sendall(REQUEST)
    b.settle()
    send_anyway(b, client, b.payload(300))
    b.settle(quiet=0.5)


@proxied('?abort', '?data-after-close', '?already-reset')
def haproxy_killed(b):
    """SIGKILL to the proxy with a connection in it."""
    process, backend = proxy(b, 'tcp')
    client = b.client_socket()
    client.connect(b.server_endpoint())
    behind = backend.accept()
    client.sendall(b'hello')
    behind.recv(10)
    process.kill()
    b.settle()
    send_anyway(b, client, b.payload(300))
