# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel does when nobody answers or nobody comes back: timeouts, orphans, full memory.

Linux gives most connections up without a word; what the peer sends later is then answered like anything that
belongs to no connection.
"""
import contextlib
import socket

from frames import ACK, RST
from . import scenario

MAX_ORPHANS = '/proc/sys/net/ipv4/tcp_max_orphans'


def keep_alive(sock, idle=1, interval=1, count=2):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, idle), (socket.TCP_KEEPINTVL, interval), (socket.TCP_KEEPCNT, count)):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


@contextlib.contextmanager
def path_broken(b, senders=('client', 'server'), where='drop'):
    """Nothing that these hosts send gets through."""
    def rule(packet):
        return where if packet.sender in senders else None
    b.wire.rules.append(rule)
    try:
        yield
    finally:
        b.wire.rules.remove(rule)


def reset_seen(b, host):
    return lambda: any(p.seg.flags & RST for p in b.segments(host))


@scenario('keepalive-timeout')
def keepalive_timeout(b):
    """The path is dead in both directions; the prober gives up."""
    actor, other = b.pair()
    b.exchange(actor, other)
    keep_alive(actor)
    with path_broken(b, where=b.rng.choice(('drop', 'drop-late'))):
        b.wait(reset_seen(b, actor.agent.host.name), 8)
        b.settle()


@scenario('keepalive-timeout')
def keepalive_timeout_one_way(b):
    """The probes arrive, the answers do not."""
    actor, other = b.pair()
    b.exchange(actor, other)
    keep_alive(actor)
    with path_broken(b, (other.agent.host.name,)):
        b.wait(reset_seen(b, actor.agent.host.name), 8)
    b.settle()


@scenario('keepalive-timeout')
def keepalive_timeout_peer_without_power(b):
    actor, other = b.pair()
    b.exchange(actor, other)
    keep_alive(actor)
    b.lose_power(other.agent.host)
    b.wait(reset_seen(b, actor.agent.host.name), 8)
    b.settle()


@scenario('keepalive-timeout')
def keepalive_timeout_by_user_timeout(b):
    """TCP_USER_TIMEOUT overrules the number of probes."""
    actor, other = b.pair()
    b.exchange(actor, other)
    keep_alive(actor, count=9)
    actor.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1500)
    with path_broken(b):
        b.wait(reset_seen(b, actor.agent.host.name), 8)
        b.settle()


@scenario('keepalive-timeout', 'already-reset')
def keepalive_timeout_then_peer_sends(b):
    """The peer never saw that reset: its next data is answered once more."""
    actor, other = b.pair()
    b.exchange(actor, other)
    keep_alive(actor)
    with path_broken(b):
        b.wait(reset_seen(b, actor.agent.host.name), 8)
        b.settle()
    other.sendall(b.payload(500))
    b.settle()


@scenario('half-open')
def user_timeout(b):
    """TCP_USER_TIMEOUT ends a connection with unacknowledged data, silently."""
    actor, other = b.pair()
    b.exchange(actor, other)
    actor.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 400)
    with path_broken(b):
        actor.sendall(b.payload(500))
        b.sleep(1.6 + 4 * b.p.delay)
    b.note(actor.agent.host, 'gave-up')
    other.sendall(b.payload(500))
    b.settle()


@scenario('data-after-close', delay=0.01)
def fin_wait2_timeout(b):
    """An orphan in FIN-WAIT-2 is dropped after tcp_fin_timeout (or 3.5 times its retransmission timeout, where that
    is longer); the peer's late FIN finds nothing."""
    actor, other = b.pair()
    b.exchange(actor, other)
    actor.agent.host.sysctl('net/ipv4/tcp_fin_timeout', 1)
    actor.close()
    b.sleep(1.8)
    other.close()
    b.settle()


@scenario('data-after-close', delay=0.01)
def fin_wait2_timeout_then_data(b):
    actor, other = b.pair()
    b.exchange(actor, other)
    actor.agent.host.sysctl('net/ipv4/tcp_fin_timeout', 1)
    actor.close()
    b.sleep(1.8)
    other.sendall(b.payload(500))
    b.settle()


@scenario('data-after-close', delay=0.01)
def fin_wait2_timeout_then_keepalive(b):
    """A keep-alive probe is the first thing that reaches the forgotten connection."""
    actor, other = b.pair()
    b.exchange(actor, other)
    keep_alive(other, idle=2)
    actor.agent.host.sysctl('net/ipv4/tcp_fin_timeout', 1)
    actor.close()
    b.wait(reset_seen(b, actor.agent.host.name), 8)
    b.settle()


@scenario('data-after-close')
def orphan_retries(b):
    """Nobody acknowledges the orphan's FIN; it is given up after tcp_orphan_retries."""
    actor, other = b.pair()
    b.exchange(actor, other)
    actor.agent.host.sysctl('net/ipv4/tcp_orphan_retries', 1)
    with path_broken(b, where='drop-late'):
        actor.close()
        b.sleep(2.2 + 6 * b.p.delay)
    b.note(actor.agent.host, 'gave-up')
    other.sendall(b.payload(500))
    b.settle()


@contextlib.contextmanager
def no_orphans_allowed():
    """tcp_max_orphans holds for all namespaces, and the kernel counts orphans anew every 0.1 s."""
    with open(MAX_ORPHANS, encoding='ascii') as file:
        before = file.read()
    with open(MAX_ORPHANS, 'w', encoding='ascii') as file:
        file.write('0')
    try:
        yield
    finally:
        with open(MAX_ORPHANS, 'w', encoding='ascii') as file:
            file.write(before)


@scenario('abort', exclusive=True, actors=('client',), loss=0)
def too_many_orphans(b):
    """Beyond tcp_max_orphans close() ends in a reset at once."""
    listener = b.listen()
    first, _ = b.connect(listener)
    second, server = b.connect(listener)
    b.exchange(second, server)
    with no_orphans_allowed():
        with path_broken(b, ('server',)):
            first.close()
            b.sleep(0.3)
            second.close()
        b.settle()


@scenario('retransmission-timeout', exclusive=True, loss=0, delay=0.01)
def orphan_given_up(b):
    """The only reset that Linux sends from its retransmission timer: an orphan, retransmitting in vain, when orphans
    are too many."""
    b.gives_up_retransmitting()
    actor, other = b.pair()
    b.exchange(actor, other)
    with path_broken(b, (actor.agent.host.name,), 'drop-late'):
        actor.sendall(b.payload(500))
        actor.close()
        b.sleep(1.2)
        with no_orphans_allowed():
            b.wait(reset_seen(b, actor.agent.host.name), 8)
    b.settle()


@scenario('half-open')
def zero_window_orphan(b):
    """The peer reads nothing: the window closes, the sender is killed, its FIN cannot follow the data, and the
    kernel gives the orphan up after some unanswered window probes. Then the peer reads on."""
    actor, other = b.pair()
    actor.agent.host.sysctl('net/ipv4/tcp_orphan_retries', 1)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    actor.setblocking(False)
    actor.send(b'x' * 300000)
    b.sleep(0.4 + 4 * b.p.delay)
    with path_broken(b):
        actor.agent.kill()
        b.sleep(3.0 + 6 * b.p.delay)
    b.note(actor.agent.host, 'gave-up')
    other.sendall(b.payload(100))
    b.settle()


@scenario('abort')
def zero_window_aborted(b):
    """The receiver with a closed window dies with all that unread."""
    actor, other = b.pair()
    actor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    other.setblocking(False)
    other.send(b'x' * 300000)
    b.sleep(0.6 + 4 * b.p.delay)
    actor.close()
    b.settle()


@scenario('abort')
def sender_meets_zero_window_and_aborts(b):
    """The sender probes a closed window and then aborts."""
    b.aborts('linger')
    actor, other = b.pair()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    actor.setblocking(False)
    actor.send(b'x' * 300000)
    b.sleep(0.6 + 4 * b.p.delay)
    actor.linger(0)
    actor.close()
    b.settle()


@scenario('abort')
def abort_after_silence(b):
    b.aborts('linger')
    actor, other = b.pair()
    b.exchange(actor, other)
    b.sleep(2)
    actor.linger(0)
    actor.close()
    b.settle()


@scenario('abort', delay=0.005)
def abort_after_retransmissions(b):
    """Data has been retransmitted in vain some times when the sender aborts."""
    b.aborts('linger')
    actor, other = b.pair()
    b.exchange(actor, other)
    with path_broken(b, (actor.agent.host.name,), 'drop-late'):
        actor.sendall(b.payload(500))
        b.sleep(1)
    actor.linger(0)
    actor.close()
    b.settle()
    assert b.wire.loss or b.segments(flags=RST | ACK)
