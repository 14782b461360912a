# SPDX-License-Identifier: GPL-2.0-or-later
"""The classical causes: the article's session, told honestly, and the resets that it names."""
import socket
import struct

from frames import ACK, FIN, SYN
from . import scenario

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
REPAIR_OFF_NO_PROBE, SEND_QUEUE = -1, 2


@scenario('closed-port')
def closed_port(b):
    try:
        b.client_socket().connect(b.server_endpoint())
    except ConnectionRefusedError:
        pass


@scenario('abort')
def close_unread(b):
    """close() while received data has not been read."""
    actor, other = b.pair()
    b.deliver(other, b.payload(60000))
    actor.close()
    b.settle()


@scenario('abort')
def close_linger_zero(b):
    actor, other = b.pair()
    b.exchange(other, actor)
    b.aborts('linger')
    actor.linger(0)
    actor.close()
    b.settle()


@scenario('data-after-close')
def data_after_close(b):
    """The peer goes on sending after an orderly close()."""
    actor, other = b.pair()
    b.exchange(other, actor)
    actor.close()
    b.settle()
    other.sendall(b.payload(1000))
    b.settle()


@scenario('time-wait')
def late_duplicate_meets_time_wait(b):
    """An old data segment turns up at the host in TIME-WAIT: it answers with an ACK, which the peer, who has
    forgotten the connection, answers with a reset (RFC 1337)."""
    actor, other = b.pair()
    other.sendall(b'hello')
    actor.recv(100)
    b.settle()
    old = next(p for p in b.segments() if p.seg.length)
    actor.close()
    b.settle()
    other.close()
    b.settle()
    b.wire.repeat(old)
    b.settle()


@scenario('time-wait')
def late_duplicate_meets_closed(b):
    """An old data segment of the host in TIME-WAIT turns up at its peer, which has no connection any more."""
    actor, other = b.pair()
    actor.sendall(b'hello')
    other.recv(100)
    b.settle()
    old = next(p for p in b.segments() if p.seg.length)
    actor.close()
    b.settle()
    other.close()
    b.settle()
    b.wire.repeat(old)
    b.settle()


def choose_isn(sock, isn):
    """Let the next connect() use this initial sequence number."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, SEND_QUEUE)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, struct.pack('I', isn & 0xffffffff))
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, REPAIR_OFF_NO_PROBE)


@scenario('time-wait', actors=('server',), timestamps=0)
def port_reuse_meets_time_wait(b):
    """A SYN on the port pair of a TIME-WAIT, with a sequence number below the old ones: the server answers
    with the old connection's ACK, the client resets that, and its SYN gets through the second time."""
    listener = b.listen()
    client, server = b.connect(listener)
    b.exchange(client, server)
    port = client.getsockname()[1]
    isn = b.segments('client', SYN)[0].seg.seq
    server.close()
    b.settle()
    client.close()
    b.settle()
    again = b.client_socket(port=port)
    choose_isn(again, isn - 100000)
    again.connect(b.server_endpoint())
    server = listener.accept()
    b.exchange(again, server)
    again.close()
    b.settle()


@scenario('abort', 'already-reset', delay=0.03, loss=0)
def abort_with_data_in_flight(b):
    """The peer's data is on its way when the abort happens: each segment that arrives is answered."""
    actor, other = b.pair()
    b.exchange(other, actor)
    other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(3):
        other.sendall(b.payload(400))
    b.aborts('linger')
    actor.linger(0)
    actor.close()
    b.settle()


def type_lines(client, server):
    """What the article types: three handshake segments and four with data."""
    for line in (b'aaa\r\n', b'bbb\r\n', b'c', b'd' * 63):
        client.sendall(line)
        yield server.recv(100)


@scenario(actors=('client',))
def article_killed_all_read(b):
    """The laptop's process is killed; everything was read: an orderly end, no reset at all."""
    listener = b.listen()
    process = b.client.agent()
    client, server = b.connect(listener, process)
    list(type_lines(client, server))
    b.settle()
    process.kill()
    b.settle()
    server.close()
    b.settle()


@scenario('abort', actors=('client',))
def article_killed_unread(b):
    """The same, but the server had sent something that the killed process has not read."""
    listener = b.listen()
    process = b.client.agent()
    client, server = b.connect(listener, process)
    list(type_lines(client, server))
    b.deliver(server, b'answer\r\n')
    process.kill()
    b.settle()


@scenario('half-open', actors=('client',))
def client_loses_power(b):
    """The article's case as it should have been: the laptop loses power and returns, then the server sends."""
    client, server = b.connect(b.listen())
    list(type_lines(client, server))
    b.settle()
    b.lose_power(b.client)
    b.return_power('client')
    server.sendall(b'answer\r\n')
    b.settle()


@scenario('half-open', actors=('server',))
def server_loses_power(b):
    """The server loses power and returns, its service not started; the client sends."""
    client, server = b.connect(b.listen())
    list(type_lines(client, server))
    b.settle()
    b.lose_power(b.server)
    b.return_power('server')
    client.sendall(b'eee\r\n')
    b.settle()


@scenario('half-open', actors=('server',))
def server_loses_power_listening(b):
    """The same with the service running again."""
    client, server = b.connect(b.listen())
    list(type_lines(client, server))
    b.settle()
    b.lose_power(b.server)
    b.return_power('server')
    b.listen()
    client.sendall(b'eee\r\n')
    b.settle()


@scenario('half-open', actors=('client',))
def reconnect_from_same_port(b):
    """RFC 9293 figure 9: the restarted client connects from the same port, the server answers with the old
    connection's ACK, the client resets that, and its SYN gets through the second time."""
    listener = b.listen()
    client, server = b.connect(listener)
    b.exchange(client, server)
    port = client.getsockname()[1]
    b.lose_power(b.client)
    b.return_power('client')
    client, server = b.connect(listener, port=port)
    b.exchange(client, server)
    client.close()
    b.settle()


@scenario('half-open', actors=('server',))
def keepalive_meets_restarted_server(b):
    """The client's keep-alive probe meets a server that has restarted."""
    client, server = b.connect(b.listen())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    b.exchange(client, server)
    b.lose_power(b.server)
    b.return_power('server')
    b.wait(lambda: any(p.seg.flags & 4 for p in b.segments('server')), 4)
    b.settle()


@scenario(actors=('client', 'server'))
def orderly_close(b):
    """Both close, everything was read: no reset."""
    actor, other = b.pair()
    b.exchange(actor, other)
    actor.close()
    b.settle()
    other.close()
    b.settle()
    assert len(b.segments(flags=FIN | ACK)) >= 2
