# SPDX-License-Identifier: GPL-2.0-or-later
"""libslirp as the network of a virtual machine: the client is the machine, the server lives behind the translation.

What the socket behind did is the label; the TCP that says it to the client is libslirp's own.
"""
import functools
import socket

from frames import ACK, FIN, RST
from stack_hosts import SLIRP, SlirpHost, take_place
from truth import Label
from .stacks import ACK_PROBE, on_stack, refused, tell

slirp = functools.partial(on_stack, SLIRP, SlirpHost, actors=('server',))

KEPT = 0.3      # seconds; slirp's fast timer


def listen_behind(b, port=None):
    """A listening socket where libslirp connects to."""
    listener = b.server.agent().socket()
    listener.bind(('127.0.0.1' if b.p.family == 4 else '::1', port or b.server_port))
    listener.listen(8)
    return listener


def connection(b):
    """(client's socket, socket behind the translation), a little used."""
    listener = listen_behind(b)
    client = b.client_socket()
    client.connect(b.server_endpoint())
    server = listener.accept()
    for one, two in ((client, server), (server, client)) * 2:
        one.sendall(b'hello')
        two.recv(100)
    b.settle(quiet=KEPT + 2 * b.p.delay)
    return client, server


@slirp('closed-port')
def slirp_closed_port(b):
    tell(b, Label('closed-port'))
    refused(b.client_socket(), b.server_endpoint(7070))


@slirp('closed-port')
def slirp_closed_port_among_connections(b):
    connection(b)
    tell(b, Label('closed-port'))
    refused(b.client_socket(), b.server_endpoint(7070))


@slirp('?abort', '?already-reset')
def slirp_server_aborts(b):
    """The socket behind is reset by its program; libslirp passes it on as it sees fit."""
    client, server = connection(b)
    tell(b, Label('abort', '-', (('abort', 'linger'),)))
    server.linger(0)
    server.close()
    b.settle(quiet=KEPT)
    try:
        client.sendall(b.payload(300))
    except OSError:
        pass
    b.settle(quiet=KEPT)


@slirp('?abort', '?data-after-close', '?already-reset')
def slirp_server_closes_unread(b):
    client, server = connection(b)
    client.sendall(b.payload(3000))
    b.settle(quiet=KEPT)
    tell(b, Label('abort', '-', (('abort', 'unread-data'),)))
    server.close()
    b.settle(quiet=KEPT)


@slirp('?data-after-close', '?already-reset')
def slirp_data_after_close(b):
    """The server behind has closed; the client goes on sending."""
    client, server = connection(b)
    tell(b, Label('data-after-close', 'data', (('abort', 'after-fin'), ('abort', '-'))))
    server.close()
    b.settle(quiet=KEPT)
    for _ in range(2):
        try:
            client.sendall(b.payload(300))
        except OSError:
            break
        b.settle(quiet=KEPT)


@slirp('half-open', '?already-reset')
def slirp_restarts(b):
    """The whole translation is gone and comes back; the client sends."""
    client, _server = connection(b)
    b.lose_power(b.server)
    take_place(b, SlirpHost, 'server')
    listen_behind(b)
    tell(b, Label('half-open', 'data'))
    client.sendall(b.payload(500))
    b.settle(quiet=KEPT)


@slirp('half-open', '?already-reset')
def slirp_restarts_keepalive(b):
    client, _server = connection(b)
    b.lose_power(b.server)
    take_place(b, SlirpHost, 'server')
    tell(b, Label('half-open', 'keepalive-probe'))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    b.wait(lambda: b.segments('server', RST), 4)
    b.settle()


@slirp('closed-port')
def slirp_probes(b):
    tell(b, Label('closed-port', 'probe'), ACK_PROBE)
    for flags in (FIN, ACK):
        b.client.keeper.call('frames', 'tap0', [b.raw_frame('client', b.next_port(), 7070, b.rng.getrandbits(32),
                                                            b.rng.getrandbits(32) if flags & ACK else 0, flags,
                                                            window=1024)])
        b.settle()


@slirp('?already-reset', 'abort')
def slirp_client_aborts(b):
    """The virtual machine's own kernel aborts."""
    client, server = connection(b)
    b.p.actor = 'client'
    b.aborts('linger')
    client.linger(0)
    client.close()
    b.settle()


@slirp()
def slirp_orderly_close(b):
    client, server = connection(b)
    client.close()
    b.settle(quiet=KEPT)
    server.close()
    b.settle(quiet=KEPT)
