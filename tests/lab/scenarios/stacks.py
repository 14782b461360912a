# SPDX-License-Identifier: GPL-2.0-or-later
"""Other stacks than this kernel's. The actor is the host that has one; what it did is the label of its resets, for
no kernel records them.
"""
import functools
import socket
import sys

import stack_hosts
from frames import ACK, FIN, RST, SYN
from stack_hosts import LWIP, LwipHost, take_place
from truth import Label
from . import scenario
from .foundation import choose_isn

ALREADY = Label('already-reset')
DELAYED_ACK = 0.3       # seconds; lwIP's fast timer is 250 ms


@functools.cache
def can_be_built(stack):
    why = stack_hosts.missing(stack)
    if why:
        print(f'lab: scenarios of {stack[0].partition("_")[0]} left out: {why}', file=sys.stderr)
    return not why


def on_stack(stack, kind, *expect, **fixed):
    """A scenario whose actor has another stack; left out where that cannot be built."""
    if not can_be_built(stack):
        return lambda function: function

    def register(function):
        @functools.wraps(function)
        def run(b):
            take_place(b, kind, b.p.actor)
            function(b)
        return scenario(*expect, offload=False, **{'loss': 0, **fixed})(run)
    return register


lwip = functools.partial(on_stack, LWIP, LwipHost)


def tell(b, label, then=ALREADY):
    """The label of the actor's first reset from here on, and of those that follow it."""
    told = []

    def rule(packet):
        if packet.seg and packet.seg.flags & RST and packet.sender == b.p.actor:
            packet.story = then if told else label
            told.append(packet)
    b.wire.rules.append(rule)


def half_open(b):
    """lwIP answers with RST,ACK that acknowledge the trigger, as an abort would. IPv4 shows its counter of IP IDs
    begin anew; IPv6 shows nothing."""
    return Label('half-open', 'data', (('abort', '-'), ('abort', 'unread-data')) if b.p.family == 6 else ())


def talk(b, actor, other):
    """A dialogue, acknowledged to the end."""
    b.exchange(actor, other)
    b.settle(quiet=DELAYED_ACK + 2 * b.p.delay)


def restart(b):
    host = b.host(b.p.actor)
    b.lose_power(host)
    return take_place(b, LwipHost, b.p.actor)


def refused(sock, endpoint):
    try:
        sock.connect(endpoint)
    except OSError:
        return
    raise AssertionError('not refused')


@lwip('closed-port', actors=('server',))
def lwip_closed_port(b):
    tell(b, Label('closed-port'))
    refused(b.client_socket(), b.server_endpoint(7070))


@lwip('abort')
def lwip_close_unread(b):
    """close() with received data in the queue: RST instead of FIN (RFC 2525 2.17)."""
    actor, other = b.pair()
    talk(b, actor, other)
    b.deliver(other, b.payload(3000))
    tell(b, Label('abort', 'unread-data'))
    actor.close()
    b.settle()


PENDING = Label('abort', 'linger', (('abort', 'pending-data'),))


@lwip('abort', delay=0.02)
def lwip_linger_zero(b):
    """SO_LINGER 0, which lwIP heeds only where data waits to be acknowledged."""
    actor, other = b.pair()
    talk(b, actor, other)
    tell(b, PENDING)
    actor.linger(0)
    actor.sendall(b.payload(3000))
    actor.close()
    b.settle()


@lwip()
def lwip_linger_zero_without_data(b):
    """All was acknowledged: an orderly close in spite of SO_LINGER 0."""
    actor, other = b.pair()
    talk(b, actor, other)
    actor.linger(0)
    actor.close()
    b.settle()
    assert b.segments(b.p.actor, FIN)


@lwip('abort', '?already-reset', delay=0.02)
def lwip_abort_with_data_in_flight(b):
    actor, other = b.pair()
    talk(b, actor, other)
    other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(3):
        other.sendall(b.payload(400))
    tell(b, PENDING)
    actor.linger(0)
    actor.sendall(b.payload(3000))
    actor.close()
    b.settle()


@lwip('data-after-close')
def lwip_data_after_close(b):
    """The peer goes on sending after an orderly close()."""
    actor, other = b.pair()
    talk(b, actor, other)
    tell(b, Label('data-after-close', 'data'))
    actor.close()
    b.settle()
    other.sendall(b.payload(1000))
    b.settle()


@lwip('data-after-close', '?already-reset', delay=0.02)
def lwip_data_after_close_burst(b):
    """Several segments cross the FIN."""
    actor, other = b.pair()
    talk(b, actor, other)
    other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tell(b, Label('data-after-close', 'data'))
    actor.close()
    for _ in range(3):
        other.sendall(b.payload(300))
    b.settle()


@lwip('half-open', '?already-reset')
def lwip_half_open(b):
    """The host restarts; the peer sends."""
    actor, other = b.pair()
    talk(b, actor, other)
    restart(b)
    tell(b, half_open(b))
    other.sendall(b.payload(500))
    b.settle()


@lwip('half-open', '?already-reset', delay=0.02)
def lwip_half_open_burst(b):
    actor, other = b.pair()
    talk(b, actor, other)
    restart(b)
    tell(b, half_open(b))
    other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(4):
        other.sendall(b.payload(300))
    b.settle()


@lwip('half-open', '?already-reset', actors=('server',))
def lwip_half_open_listening(b):
    """Its service runs again."""
    actor, other = b.pair()
    talk(b, actor, other)
    restart(b)
    b.listen()
    tell(b, half_open(b))
    other.sendall(b.payload(500))
    b.settle()


@lwip('half-open')
def lwip_half_open_keepalive(b):
    actor, other = b.pair()
    talk(b, actor, other)
    restart(b)
    tell(b, Label('half-open', 'keepalive-probe'))
    other.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    b.wait(lambda: b.segments(b.p.actor, RST), 4)
    b.settle()


@lwip('half-open', actors=('client',))
def lwip_reconnects_from_same_port(b):
    """RFC 9293 figure 9 with lwIP as the one that has restarted."""
    listener = b.listen()
    client, server = b.connect(listener)
    talk(b, client, server)
    restart(b)
    tell(b, Label('half-open', 'reconnect'))
    client, server = b.connect(listener, port=b.port)
    talk(b, client, server)
    client.close()
    b.settle()


@lwip('keepalive-timeout')
def lwip_keepalive_timeout(b):
    """Nothing that its peer sends arrives any more."""
    actor, other = b.pair()
    talk(b, actor, other)
    # At the peer's own link its answers can be seen, and an abort fits as well.
    tell(b, Label('keepalive-timeout', '-', (('abort', f'-@{other.agent.host.name}'),)))
    b.wire.rules.append(lambda p: 'drop' if p.sender != b.p.actor else None)
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 2)):
        actor.setsockopt(socket.IPPROTO_TCP, option, value)
    actor.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    b.wait(lambda: b.segments(b.p.actor, RST), 9)
    b.settle()


@lwip('handshake-abandoned', actors=('client',), delay=0.05)
def lwip_connect_cancelled(b):
    """The socket is closed before the SYN/ACK comes."""
    b.listen()
    tell(b, Label('handshake-abandoned', 'cancelled'), Label('handshake-abandoned', 'cancelled', (('already-reset', '-'),)))
    sock = b.client_socket()
    sock.setblocking(False)
    sock.connect_ex(b.server_endpoint())
    sock.close()
    b.settle()
    assert b.segments('server', SYN | ACK)


@lwip('time-wait', actors=('server',), timestamps=0)
def lwip_time_wait_port_reuse(b):
    """A SYN within the old window, for the port pair of its TIME-WAIT."""
    listener = b.listen()
    client, server = b.connect(listener)
    talk(b, client, server)
    port = client.getsockname()[1]
    number = b.segments('client')[-1].seg
    server.close()
    b.settle()
    client.close()
    b.settle()
    again = b.client_socket(port=port)
    choose_isn(again, number.end + 1000)
    tell(b, Label('time-wait', 'port-reuse'))
    again.setblocking(False)
    again.connect_ex(b.server_endpoint())
    b.wait(lambda: b.segments('server', RST), 5)
    b.settle()


@lwip('unacceptable-ack', actors=('server',))
def lwip_ack_probe_open(b):
    """A stray ACK at its listener."""
    b.listen()
    tell(b, Label('unacceptable-ack', '-', (('half-open', '-'), ('closed-port', 'probe'))))
    b.client.keeper.call('frames', 'tap0', [b.raw_frame('client', b.next_port(), b.server_port, b.rng.getrandbits(32),
                                                        b.rng.getrandbits(32), ACK, window=1024)])
    b.settle()


ACK_PROBE = Label('closed-port', 'probe', (('unacceptable-ack', '-'), ('half-open', '-'), ('half-open', 'data')))


@lwip('closed-port', actors=('server',))
def lwip_probes_closed(b):
    """A FIN and then an ACK probe to a closed port; what the ACK is, nobody else can know."""
    tell(b, Label('closed-port', 'probe'), ACK_PROBE)
    for flags in (FIN, ACK):
        b.client.keeper.call('frames', 'tap0', [b.raw_frame('client', b.next_port(), 7070, b.rng.getrandbits(32),
                                                            b.rng.getrandbits(32) if flags & ACK else 0, flags,
                                                            window=1024)])
        b.settle()


@lwip('abort', '?already-reset')
def lwip_peer_aborts(b):
    """This kernel aborts against lwIP, which sends once more."""
    actor, other = b.pair()
    talk(b, actor, other)
    b.aborts('linger')
    other.linger(0)
    other.close()
    b.settle()
    try:
        actor.sendall(b.payload(300))
    except OSError:
        pass
    b.settle()


@lwip()
def lwip_orderly_close(b):
    actor, other = b.pair()
    talk(b, actor, other)
    actor.close()
    b.settle()
    other.close()
    b.settle()
