# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that never came to be: refused, cancelled, rejected at the last step, or answered wrongly."""
import socket

from frames import ACK, RST, SYN
from . import scenario

MSG_FASTOPEN = 0x20000000
TCP_FASTOPEN = 23


def client_syn(b):
    return b.segments('client', SYN)[-1].seg


def holds(flags, value):
    """A rule of the wire: hold segments whose flags under this mask have this value."""
    return lambda p: 'hold' if p.seg and p.seg.flags & flags == value else None


def begin_connect(b, port=None):
    """A connect() under way: the socket does not block."""
    sock = b.client_socket()
    sock.setblocking(False)
    sock.connect_ex(b.server_endpoint(port))
    return sock


@scenario('closed-port', actors=('client',))
def refused_then_accepted(b):
    """The service starts late: the first attempts are refused, the last one succeeds."""
    for _ in range(2):
        try:
            b.client_socket(port=b.port).connect(b.server_endpoint())
        except ConnectionRefusedError:
            pass
    client, server = b.connect(b.listen(), port=b.port)
    b.exchange(client, server)
    client.close()
    b.settle()


@scenario('closed-port', 'abort', actors=('client',))
def refused_then_accepted_then_aborted(b):
    """The refusal is not the original of the later abort."""
    b.aborts('linger')
    try:
        b.client_socket(port=b.port).connect(b.server_endpoint())
    except ConnectionRefusedError:
        pass
    client, server = b.connect(b.listen(), port=b.port)
    b.exchange(client, server)
    server.linger(0)
    server.close()
    b.settle()


@scenario('closed-port', actors=('client',))
def listener_gone(b):
    listener = b.listen()
    client, server = b.connect(listener)
    b.exchange(client, server)
    listener.close()
    try:
        b.client_socket().connect(b.server_endpoint())
    except ConnectionRefusedError:
        pass
    client.close()
    b.settle()


def nearly_full(b):
    """A listener with tcp_abort_on_overflow and one place left (a backlog of 2 has three), and two handshakes
    that lack only the client's ACK: a SYN that comes to a full queue would be dropped or get a cookie."""
    b.server.sysctl('net/ipv4/tcp_abort_on_overflow', 1)
    b.listen(backlog=2)
    for _ in range(2):
        b.client_socket().connect(b.server_endpoint())
    b.settle()
    b.wire.rules.append(lambda p: 'hold' if p.seg and p.sender == 'client' and not p.seg.flags & SYN else None)
    socks = [begin_connect(b) for _ in range(2)]
    b.settle()
    return socks


@scenario('handshake-rejected', actors=('server',))
def accept_queue_overflow(b):
    """tcp_abort_on_overflow: the ACK that completes the handshake is answered with a reset."""
    nearly_full(b)
    b.wire.rules.pop()
    b.wire.release(*b.wire.held)
    b.settle()


@scenario('handshake-rejected', actors=('server',))
def accept_queue_overflow_with_data(b):
    """The client's first data is right behind the ACK; the data is answered too."""
    for sock in nearly_full(b):
        sock.send(b.payload(500))
    b.sleep(0.02)
    b.wire.rules.pop()
    b.wire.release(*b.wire.held)
    b.settle()


@scenario('handshake-rejected', actors=('server',))
def listener_closed_in_handshake(b):
    """The listener goes away between its SYN/ACK and the client's ACK."""
    listener = b.listen()
    b.wire.rules.append(holds(SYN | ACK, ACK))
    begin_connect(b)
    b.settle()
    listener.close()
    b.wire.rules.pop()
    b.wire.release(*b.wire.held)
    b.settle()


@scenario('handshake-rejected', actors=('server',))
def syn_cookie_refused(b):
    """A cookie was handed out, but is not accepted any more when it comes back."""
    b.server.sysctl('net/ipv4/tcp_syncookies', 2)
    b.listen()
    b.wire.rules.append(holds(SYN | ACK, ACK))
    begin_connect(b)
    b.settle()
    b.server.sysctl('net/ipv4/tcp_syncookies', 0)
    b.wire.rules.pop()
    b.wire.release(*b.wire.held)
    b.settle()


@scenario('unacceptable-ack', actors=('server',))
def syn_cookie_forged(b):
    """An ACK out of the blue with a cookie that was never handed out."""
    b.server.sysctl('net/ipv4/tcp_syncookies', 2)
    b.listen()
    b.client.keeper.call('frames', 'tap0', [b.raw_frame('client', b.next_port(), b.server_port, 1000, 0x12345678, ACK,
                                                        window=1000)])
    b.settle()


@scenario('unacceptable-ack', actors=('server',))
def wrong_ack_in_syn_received(b):
    """The ACK of the SYN/ACK acknowledges what was never sent."""
    b.listen()
    b.wire.rules.append(holds(SYN | ACK, ACK))
    begin_connect(b)
    b.settle()
    b.wire.rules.pop()
    syn = client_syn(b)
    b.client.keeper.call('frames', 'tap0', [b.raw_frame('client', syn.sport, syn.dport, syn.end,
                                                        b.segments('server', SYN)[0].seg.seq + 77777, ACK, window=1000)])
    b.settle()
    b.wire.release(*b.wire.held)
    b.settle()


@scenario('unacceptable-ack', actors=('client',))
def wrong_ack_in_syn_sent(b):
    """A SYN/ACK that acknowledges something else than the SYN."""
    b.wire.rules.append(lambda p: 'drop-late' if p.sender == 'client' and p.seg and p.seg.flags == SYN else None)
    begin_connect(b)
    b.settle()
    syn = client_syn(b)
    b.server.keeper.call('frames', 'tap0', [b.raw_frame('server', syn.dport, syn.sport, 5000, syn.seq + 4242, SYN | ACK,
                                                        window=1000)])
    b.settle()


def cancel(b, sock):
    b.note(b.client, 'cancelled')
    sock.close()


@scenario('handshake-abandoned', actors=('client',), delay=0.03)
def connect_cancelled(b):
    """close() while the SYN is on its way; the SYN/ACK finds nobody."""
    b.listen()
    cancel(b, begin_connect(b))
    b.settle()


@scenario('handshake-abandoned', actors=('client',), delay=0.03)
def connect_killed(b):
    b.listen()
    sock = begin_connect(b)
    b.note(b.client, 'cancelled')
    sock.agent.kill()
    b.settle()


@scenario('handshake-abandoned', actors=('client',))
def late_syn_ack(b):
    """The client's connect() timed out before the SYN/ACK came through."""
    b.listen()
    b.wire.rules.append(holds(SYN | ACK, SYN | ACK))
    sock = b.client_socket()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 300)
    try:
        sock.connect(b.server_endpoint())
    except TimeoutError:
        pass
    b.wire.rules.pop()
    b.wire.release(*b.wire.held)
    b.settle()


@scenario('handshake-abandoned', actors=('client',), delay=0.03)
def cancelled_among_others(b):
    """Of three connects one is cancelled; the others go on undisturbed."""
    listener = b.listen()
    socks = [begin_connect(b) for _ in range(3)]
    cancel(b, socks[1])
    b.settle()
    first = listener.accept()
    b.deliver(first, b.payload(500))


@scenario('closed-port', 'handshake-abandoned', actors=('client',))
def connect_race(b):
    """Happy eyeballs by hand: one port refuses, of two that answer the slower is dropped."""
    b.listen(port=7001)
    b.wire.rules.append(lambda p: 0.05 if p.sender == 'server' and p.seg and p.seg.flags & SYN else None)
    refused, slow = begin_connect(b, 7000), begin_connect(b, 7001)
    b.sleep(0.01)
    cancel(b, slow)
    b.settle()
    refused.close()


@scenario('closed-port', actors=('client',))
def fast_open_refused(b):
    """A SYN that asks for a fast-open cookie, or carries data, to a port where nobody listens."""
    b.client.sysctl('net/ipv4/tcp_fastopen', 5)
    sock = b.client_socket()
    try:
        sock.sendto(b.payload(500), MSG_FASTOPEN, b.server_endpoint())
    except ConnectionRefusedError:
        pass
    b.settle()


def fast_open_pair(b, data):
    """A connection whose SYN carries the data."""
    b.client.sysctl('net/ipv4/tcp_fastopen', 5)
    b.server.sysctl('net/ipv4/tcp_fastopen', 0x202)
    listener = b.listen(before=lambda s: s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16))
    sock = b.client_socket()
    sock.sendto(data, MSG_FASTOPEN, b.server_endpoint())
    return sock, listener.accept()


@scenario('abort', actors=('server',))
def fast_open_unread(b):
    """The data in the SYN is never read."""
    _, server = fast_open_pair(b, b.payload(1000))
    b.settle()
    server.close()
    b.settle()


@scenario('abort', actors=('server',), delay=0.03)
def fast_open_aborted_at_once(b):
    """The server aborts before the handshake's ACK has arrived."""
    b.aborts('linger')
    _, server = fast_open_pair(b, b.payload(400))
    server.recv(1000)
    server.linger(0)
    server.close()
    b.settle()


@scenario('data-after-close', actors=('server',))
def fast_open_closed(b):
    """The server has read the data of the SYN and closed; the client sends more."""
    client, server = fast_open_pair(b, b.payload(400))
    server.recv(1000)
    server.close()
    b.settle()
    client.sendall(b.payload(400))
    b.settle()


@scenario('half-open', actors=('server',))
def server_restarts_in_handshake(b):
    """The server loses power between its SYN/ACK and the client's first data."""
    b.listen()
    b.wire.rules.append(holds(SYN | ACK, ACK))
    begin_connect(b)
    b.settle()
    b.lose_power(b.server)
    b.return_power('server')
    b.wire.rules.pop()
    b.wire.release(*b.wire.held)
    b.settle()
    assert b.wire.loss or b.segments('server', RST)


@scenario('handshake-abandoned', actors=('client',), delay=0.01)
def syn_ack_repeated_after_cancel(b):
    """Two SYN/ACKs reach the client that has given up: the second reset is a repeat."""
    b.listen()
    b.wire.rules.append(lambda p: 'copy' if p.seg and p.seg.flags == SYN | ACK else None)
    cancel(b, begin_connect(b))
    b.settle()
