# SPDX-License-Identifier: GPL-2.0-or-later
"""What the path does to resets and their triggers: repeats, losses, delays; and multipath TCP."""
import socket

from frames import ACK, FIN, RST, SYN
from . import scenario

IPPROTO_MPTCP = 262


@scenario('abort')
def reset_repeated_by_network(b):
    """The network delivers the abort twice."""
    b.aborts('linger')
    actor, other = b.pair()
    b.exchange(actor, other)
    b.wire.rules.append(lambda p: 'copy' if p.seg and p.seg.flags & RST else None)
    actor.linger(0)
    actor.close()
    b.settle()


@scenario('data-after-close', '?already-reset')
def trigger_repeated_by_network(b):
    """The data that meets a closed socket arrives twice; each is answered."""
    actor, other = b.pair()
    b.exchange(other, actor)
    actor.close()
    b.settle()
    b.wire.rules.append(lambda p: 'copy' if p.seg and p.seg.length else None)
    other.sendall(b.payload(500))
    b.settle()


@scenario('abort', 'already-reset', loss=0)
def reset_lost(b):
    """The abort gets lost; the peer's data is answered later."""
    b.aborts('linger')
    actor, other = b.pair()
    b.exchange(actor, other)
    b.wire.rules.append(lambda p: 'drop-late' if p.seg and p.seg.flags & RST else None)
    actor.linger(0)
    actor.close()
    b.settle()
    b.wire.rules.pop()
    other.sendall(b.payload(500))
    b.settle()


@scenario('data-after-close', 'already-reset', loss=0)
def refusal_lost(b):
    """The answer to the late data gets lost: the peer retransmits and is answered again."""
    actor, other = b.pair()
    b.exchange(other, actor)
    actor.close()
    b.settle()
    b.wire.rules.append(lambda p: 'drop-late' if p.seg and p.seg.flags & RST and not b.dropped.append(p) else None)
    other.sendall(b.payload(500))
    b.wait(lambda: b.dropped)
    b.wire.rules.pop()
    b.settle(quiet=0.5 + 4 * b.p.delay)


@scenario('half-open', 'already-reset', actors=('server',), loss=0)
def half_open_answer_lost(b):
    """The restarted server's answer gets lost; the client retransmits."""
    client, server = b.connect(b.listen())
    b.exchange(client, server)
    b.lose_power(b.server)
    b.return_power('server')
    b.wire.rules.append(lambda p: 'drop-late' if p.seg and p.seg.flags & RST and not b.dropped.append(p) else None)
    client.sendall(b.payload(500))
    b.wait(lambda: b.dropped)
    b.wire.rules.pop()
    b.settle(quiet=0.5 + 4 * b.p.delay)


@scenario('data-after-close', loss=0)
def fin_lost(b):
    """The FIN gets lost, the peer's data is refused: the peer never learns of an orderly close."""
    actor, other = b.pair()
    b.exchange(other, actor)
    b.wire.rules.append(lambda p: 'drop-late' if p.seg and p.seg.flags & FIN else None)
    actor.close()
    b.sleep(0.02)
    other.sendall(b.payload(500))
    b.settle()


@scenario('half-open', 'already-reset', actors=('server',), delay=0.02)
def half_open_burst(b):
    """The client has several segments under way to a server that has restarted."""
    client, server = b.connect(b.listen())
    b.exchange(client, server)
    b.lose_power(b.server)
    b.return_power('server')
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(4):
        client.sendall(b.payload(300))
    b.settle()


@scenario('half-open', actors=('client',))
def restarted_client_meets_stream(b):
    """The client loses power in the middle of a download."""
    client, server = b.connect(b.listen())
    server.setblocking(False)
    server.send(b'x' * 200000)
    client.recv(1000)
    b.lose_power(b.client)
    b.return_power('client')
    b.wait(lambda: any(p.seg.flags & RST for p in b.segments('client')), 8)
    b.settle()


@scenario('half-open', 'abort', actors=('client',))
def restarted_client_connects_anew(b):
    """After the restart another connection, from another port, is aborted; the old one is half-open."""
    b.aborts('linger')
    listener = b.listen()
    client, server = b.connect(listener)
    b.exchange(client, server)
    b.lose_power(b.client)
    b.return_power('client')
    again, second = b.connect(listener)
    b.exchange(again, second)
    second.linger(0)
    second.close()
    server.sendall(b.payload(300))
    b.settle()


@scenario('time-wait', actors=('server',))
def late_fin_meets_time_wait(b):
    """The client's FIN turns up again when the server is in TIME-WAIT."""
    client, server = b.connect(b.listen())
    b.exchange(client, server)
    server.close()
    b.settle()
    client.close()
    b.settle()
    fin = b.segments('client', FIN)[0]
    b.wire.repeat(fin)
    b.settle()


@scenario(actors=('server',), timestamps=1)
def port_reused_in_order(b):
    """A SYN with newer timestamps and numbers takes a TIME-WAIT's port pair over: no reset."""
    listener = b.listen()
    for _ in range(2):
        client, server = b.connect(listener, port=b.port)
        b.exchange(client, server)
        server.close()
        b.settle()
        client.close()
        b.settle()


@scenario('abort', actors=('server',), timestamps=1)
def port_reused_then_aborted(b):
    """The second connection on a port pair is aborted; the first was closed in order."""
    b.aborts('linger')
    listener = b.listen()
    client, server = b.connect(listener, port=b.port)
    b.exchange(client, server)
    server.close()
    b.settle()
    client.close()
    b.settle()
    client, server = b.connect(listener, port=b.port)
    b.exchange(client, server)
    server.linger(0)
    server.close()
    b.settle()


@scenario('abort', actors=('client',))
def port_reused_after_abort(b):
    """Two connections on one port pair, both aborted: each abort is its own."""
    b.aborts('linger')
    listener = b.listen()
    for _ in range(2):
        client, server = b.connect(listener, port=b.port)
        b.exchange(client, server)
        client.linger(0)
        client.close()
        b.settle()


@scenario('abort', 'half-open', actors=('client',), loss=0)
def reconnect_after_lost_abort(b):
    """The client's abort gets lost and it connects again from the same port: the server answers with the old
    connection's ACK."""
    listener = b.listen()
    b.aborts('linger')
    client, server = b.connect(listener, port=b.port)
    b.exchange(client, server)
    client.linger(0)
    b.wire.rules.append(lambda p: 'drop-late' if p.seg and p.seg.flags & RST else None)
    client.close()
    b.settle()
    b.wire.rules.pop()
    client, server = b.connect(listener, port=b.port)
    b.exchange(client, server)
    client.close()
    b.settle()


def multipath_pair(b):
    """A connection of multipath TCP as (actor, other)."""
    listener = b.server.agent().socket(protocol=IPPROTO_MPTCP)
    listener.bind((b.addresses['server'], b.server_port))
    listener.listen(8)
    client = b.client.agent().socket(protocol=IPPROTO_MPTCP)
    client.bind((b.addresses['client'], b.next_port()))
    client.connect(b.server_endpoint())
    server = listener.accept()
    b.exchange(client, server)
    return (client, server) if b.p.actor == 'client' else (server, client)


@scenario('abort')
def multipath_fastclose(b):
    """close() of a multipath connection with unread data."""
    b.aborts('fastclose')
    actor, other = multipath_pair(b)
    b.deliver(other, b.payload(3000))
    actor.close()
    b.settle()


@scenario('abort')
def multipath_linger(b):
    b.aborts('fastclose')
    actor, _other = multipath_pair(b)
    actor.linger(0)
    actor.close()
    b.settle()


@scenario()
def multipath_orderly_close(b):
    actor, other = multipath_pair(b)
    actor.close()
    b.settle()
    other.close()
    b.settle()


@scenario('half-open', actors=('server',))
def multipath_server_restarts(b):
    b.p.actor = 'client'
    client, _server = multipath_pair(b)
    b.lose_power(b.server)
    b.return_power('server')
    client.sendall(b.payload(300))
    b.settle()


@scenario('abort', 'already-reset', actors=('client',), delay=0.01)
def syn_repeated_after_end(b):
    """A late duplicate of the SYN reaches the listener after the connection has ended: its SYN/ACK finds no one."""
    listener = b.listen()
    client, server = b.connect(listener)
    b.exchange(client, server)
    syn = b.segments('client', SYN)[0]
    b.aborts('linger')
    client.linger(0)
    client.close()
    b.settle()
    b.wire.repeat(syn)
    b.settle()
    assert b.segments('server', SYN | ACK)
