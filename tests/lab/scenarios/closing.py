# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways to end a connection: close, shutdown, abort, kill, at every point of a dialogue."""
import socket

from frames import FIN, RST
from . import scenario

LINGER2_NEVER = -1


@scenario('data-after-close')
def killed_all_read(b):
    """SIGKILL with everything read is an orderly close; the peer's next data is refused."""
    actor, other = b.pair()
    b.exchange(other, actor)
    actor.agent.kill()
    b.settle()
    other.sendall(b.payload(1000))
    b.settle()


@scenario('abort')
def killed_unread(b):
    actor, other = b.pair()
    b.exchange(actor, other)
    b.deliver(other, b.payload(60000))
    actor.agent.kill()
    b.settle()


@scenario()
def half_close(b):
    """shutdown(SHUT_WR), then the peer still sends all it has: no reset."""
    actor, other = b.pair()
    b.exchange(actor, other)
    actor.shutdown(socket.SHUT_WR)
    b.settle()
    actor.begin_drain()
    other.sendall(b.payload(200000))
    other.close()
    actor.finish(30)
    actor.close()
    b.settle()


@scenario('data-after-close')
def half_close_then_close(b):
    """The half-closed end closes for good, and the peer goes on sending."""
    actor, other = b.pair()
    b.exchange(other, actor)
    actor.shutdown(socket.SHUT_WR)
    b.settle()
    actor.close()
    b.settle()
    other.sendall(b.payload(1000))
    b.settle()


@scenario('abort')
def half_close_then_close_unread(b):
    """FIN, and after it the reset of a close() with unread data, one above the FIN."""
    actor, other = b.pair()
    actor.shutdown(socket.SHUT_WR)
    b.settle()
    b.deliver(other, b.payload(5000))
    actor.close()
    b.settle()


@scenario('abort')
def half_close_then_linger2(b):
    """TCP_LINGER2 below zero: close() in FIN-WAIT-2 resets at once."""
    actor, other = b.pair()
    b.exchange(other, actor)
    actor.setsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2, LINGER2_NEVER)
    actor.shutdown(socket.SHUT_WR)
    b.settle()
    actor.close()
    b.settle()


@scenario('data-after-close')
def close_then_linger2(b):
    """TCP_LINGER2 below zero with close(): the ACK of its FIN is answered with a reset."""
    actor, other = b.pair()
    b.exchange(other, actor)
    actor.setsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2, LINGER2_NEVER)
    actor.close()
    b.settle()


@scenario('abort')
def shutdown_read_then_close(b):
    """Linux takes data in after SHUT_RD; close() finds it unread."""
    actor, other = b.pair()
    actor.shutdown(socket.SHUT_RD)
    b.deliver(other, b.payload(5000))
    actor.close()
    b.settle()


@scenario('data-after-close')
def shutdown_both_then_data(b):
    actor, other = b.pair()
    b.exchange(other, actor)
    actor.shutdown(socket.SHUT_RDWR)
    b.settle()
    other.sendall(b.payload(1000))
    b.settle()


@scenario('data-after-close', delay=0.02)
def shutdown_both_crosses_data(b):
    """The data is on its way when shutdown(SHUT_RDWR) happens: refused in FIN-WAIT-1."""
    actor, other = b.pair()
    b.exchange(other, actor)
    other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(3):
        other.sendall(b.payload(300))
    actor.shutdown(socket.SHUT_RDWR)
    b.settle()


@scenario()
def simultaneous_close(b):
    actor, other = b.pair()
    b.exchange(actor, other)
    actor.begin('close')
    other.begin('close')
    actor.finish()
    other.finish()
    b.settle()


@scenario('data-after-close', delay=0.02)
def simultaneous_close_with_data(b):
    """Both send something and close at once: each finds data after its FIN, and both resets cross."""
    actor, other = b.pair()
    b.exchange(actor, other)
    for end in (actor, other):
        end.begin('sendall', b.payload(500))
        end.begin('close')
    for end in (actor, other):
        end.finish()
        end.finish()
    b.settle()


@scenario('abort', delay=0.02)
def crossing_aborts(b):
    """Both ends abort before either could have seen the other's reset."""
    b.aborts('linger')
    actor, other = b.pair()
    b.exchange(actor, other)
    actor.linger(0)
    other.linger(0)
    actor.begin('close')
    other.begin('close')
    actor.finish()
    other.finish()
    b.settle()


@scenario('abort', '?data-after-close', delay=0.02)
def abort_crosses_close(b):
    b.aborts('linger')
    actor, other = b.pair()
    b.exchange(actor, other)
    actor.linger(0)
    actor.begin('close')
    other.begin('close')
    actor.finish()
    other.finish()
    b.settle()


@scenario('abort')
def abort_after_peers_fin(b):
    """The peer has closed in order; the actor answers with an abort."""
    b.aborts('linger')
    actor, other = b.pair()
    b.exchange(actor, other)
    other.close()
    b.settle()
    actor.linger(0)
    actor.close()
    b.settle()


@scenario('abort')
def close_unread_after_peers_fin(b):
    actor, other = b.pair()
    other.sendall(b.payload(3000))
    other.close()
    b.settle()
    actor.close()
    b.settle()


@scenario('data-after-close')
def close_wait_peer_gone(b):
    """The peer closed; much later the actor sends into the void, then closes."""
    actor, other = b.pair()
    b.exchange(actor, other)
    other.close()
    b.settle()
    actor.sendall(b.payload(500))
    b.settle()
    actor.close()
    b.settle()


@scenario('abort')
def disconnect(b):
    """connect(AF_UNSPEC) on an established connection."""
    actor, other = b.pair()
    b.exchange(actor, other)
    actor.agent.call('disconnect', actor.number)
    b.settle()


def destroy(sock, state):
    port = sock.getsockname()[1]
    sock.agent.host.keeper.call('run', ['ss', '-K', 'state', state, 'sport', '=', str(port)])


@scenario('abort')
def socket_destroyed(b):
    """An administrator's ss -K."""
    actor, other = b.pair()
    b.exchange(actor, other)
    destroy(actor, 'established')
    b.settle()


@scenario('abort', '?already-reset')
def socket_destroyed_while_sending(b):
    actor, other = b.pair()
    b.exchange(actor, other)
    other.setblocking(False)
    other.send(b'x' * 300000)
    destroy(actor, 'established')
    b.settle()


@scenario('abort', delay=0.02)
def abort_with_own_data_pending(b):
    """The aborting end has data of its own unsent and unacknowledged."""
    b.aborts('linger')
    actor, other = b.pair()
    b.exchange(actor, other)
    actor.setblocking(False)
    actor.send(b'x' * 500000)
    actor.linger(0)
    actor.close()
    b.settle()


@scenario('abort')
def abort_right_after_connect(b):
    b.aborts('linger')
    b.listen()
    sock = b.client_socket()
    sock.linger(0)
    sock.connect(b.server_endpoint())
    sock.close()
    b.settle()


@scenario('abort')
def http_like_early_answer(b):
    """A server answers before it has read the request, and closes."""
    listener = b.listen()
    client, server = b.connect(listener)
    b.deliver(client, b'POST / HTTP/1.1\r\n\r\n' + b.payload(30000))
    server.sendall(b'HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n\r\n')
    server.close()
    b.settle()


@scenario('data-after-close', delay=0.03)
def close_crosses_data_and_fin(b):
    """The commonest burst in the wild: the peer's last data and FIN cross the actor's FIN."""
    actor, other = b.pair()
    b.exchange(other, actor)
    other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    actor.close()
    for _ in range(2):
        other.sendall(b.payload(400))
    other.close()
    b.settle()


@scenario('data-after-close', delay=0.03)
def answer_and_close_crosses_data(b):
    """The actor sends an answer and closes, while data that acknowledges less is on its way: its refusals lie
    below what the peer has taken in by then."""
    actor, other = b.pair()
    b.exchange(other, actor)
    other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    actor.begin('sendall', b.payload(3000))
    for _ in range(3):
        other.sendall(b.payload(400))
    actor.finish()
    actor.close()
    b.settle()


@scenario('abort', actors=('server',))
def listener_closed(b):
    """Connections that nobody has accepted yet die with their listener."""
    b.aborts('listener-closed')
    listener = b.listen()
    for _ in range(2):
        b.client_socket().connect(b.server_endpoint())
    b.settle()
    listener.close()
    b.settle()


@scenario('abort', actors=('server',))
def listener_killed_with_data(b):
    b.aborts('listener-closed')
    listener = b.listen()
    client = b.client_socket()
    client.connect(b.server_endpoint())
    b.deliver(client, b.payload(2000))
    listener.agent.kill()
    b.settle()


@scenario()
def orderly_close_after_transfer(b):
    """A large transfer, closed in order."""
    actor, other = b.pair()
    other.begin_drain()
    actor.sendall(b.payload())
    actor.close()
    other.finish(40)
    other.close()
    b.settle()
    assert b.wire.loss or not b.segments(flags=RST)


@scenario('abort')
def abort_in_the_middle_of_a_transfer(b):
    """The receiver has read a part and dies."""
    actor, other = b.pair()
    other.setblocking(False)
    other.send(b'x' * 400000)
    actor.recv(10000)
    actor.close()
    b.settle()


@scenario('data-after-close', '?abort')
def peers_stream_meets_close(b):
    """A sender in full flow meets an end that has read everything so far and closes."""
    actor, other = b.pair()
    b.exchange(actor, other)
    other.setblocking(False)
    b.wire.rules.append(lambda p: 'hold' if p.sender == other.agent.host.name and p.seg and p.seg.length else None)
    other.send(b'x' * 100000)
    b.sleep(0.02)
    actor.close()
    b.sleep(0.02 + 2 * b.p.delay)
    b.wire.rules.pop()
    b.wire.release(*b.wire.held)
    b.settle()
    assert b.wire.loss or b.segments(flags=FIN)


@scenario('abort')
def socket_destroyed_in_fin_wait(b):
    """ss -K on a half-closed socket: a reset above its own FIN."""
    actor, other = b.pair()
    b.exchange(actor, other)
    actor.shutdown(socket.SHUT_WR)
    b.settle()
    destroy(actor, 'fin-wait-2')
    b.settle()
