# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks that others wrote, each in every situation that it can come into: gVisor, Linux 6.1 in user mode, lwIP, the
firmware OVMF, and the translations of passt and libslirp. The peer is this kernel; the label is what the scenario did
(stack_bench.py).

What ends in silence has no scenario: gVisor's and Linux's timeouts by themselves, SYNs to gVisor's full listener, and
whatever passt of March 2023 does not know.
Set aside, so that each half has every stack and every situation:
  gVisor   what follows its own close, bursts, TIME-WAIT, the handshake's end, the peer's aborts
  Linux    aborts, what a restarted host says, probes
  lwIP     what follows its own close, timeouts
  passt    a server that closes or leaves data unread or has said something, a refusal among connections
  libslirp about half of the same
  OVMF     errors, a port that nobody listens on, a restart with data
Must not know what the plugin says.
"""
import functools
import socket

import stack_bench
import world
from frames import ACK, FIN, PSH, RST, SYN, build_tcp
from scenarios.foundation import choose_isn
from stack_bench import Own, tell
from stack_guests import GvisorHost, OvmfHost, PasstHost, UmlHost
from stack_hosts import LwipHost, SlirpHost, take_place
from truth import Label

KINDS = {'gvisor': GvisorHost, 'uml': UmlHost, 'lwip': LwipHost, 'passt': PasstHost, 'libslirp': SlirpHost}
NEEDS = {'gvisor': ('go', '/usr/share/gocode/src/gvisor.dev/gvisor/pkg/tcpip'), 'uml': ('linux.uml',),
         'lwip': ('gcc', '/usr/include/lwip/lwip/tcpip.h'), 'passt': ('passt',),
         'libslirp': ('gcc', '/usr/include/slirp/libslirp.h')}
DELAYED_ACK = 0.3       # seconds; the timers of lwIP, gVisor and libslirp are shorter
OPEN, ASIDE = False, True
CLOSED_PORT = 7070


def on(*expect, families=(4, 6), suffix='', **stacks):
    """Register the function once for each stack: stack=OPEN or ASIDE. Other arguments are parameters of the bench."""
    halves = {s: half for s, half in stacks.items() if s in KINDS}
    fixed = {k: v for k, v in stacks.items() if k not in KINDS}

    def register(function):
        for stack, aside in halves.items():
            def play(b, stack=stack):
                b.stack = stack
                function(b)
            play.bench = fixed
            play.on_bench = functools.partial(stack_bench.run,
                                              prepare=lambda b, kind=KINDS[stack]: take_place(b, kind, b.p.actor))
            name = f'{stack}-{function.__name__}{suffix}'
            world.scenario(*expect, family='stacks', tool=stack, aside=aside, needs=NEEDS[stack], families=families,
                           name=name)(play)
        return function
    return register


def talk(b, one, two):
    """A dialogue, acknowledged to the end."""
    b.exchange(one, two)
    b.settle(quiet=DELAYED_ACK + 2 * b.p.delay)


def opened(b):
    """A connection that has been used: (the stack's end, the kernel's)."""
    actor, other = b.pair()
    talk(b, actor, other)
    other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return actor, other


def restart(b, silent=0.0):
    """The host loses its state; what arrives until it is back is lost."""
    b.lose_power(b.host(b.p.actor))
    b.sleep(silent)
    return take_place(b, KINDS[b.stack], b.p.actor)


def put(sock, data):
    """Send; False where the connection is gone already."""
    try:
        sock.sendall(data)
    except OSError:
        return False
    return True


def refused(sock, endpoint):
    try:
        sock.connect(endpoint)
    except OSError:
        return
    raise AssertionError('not refused')


def other_name(b):
    return 'server' if b.p.actor == 'client' else 'client'


def inject(b, sport, dport, seq, ack, flags, **more):
    """The kernel's host sends a segment of no connection."""
    name = other_name(b)
    b.host(name).keeper.call('frames', 'tap0', [b.raw_frame(name, sport, dport, seq, ack, flags, window=1024, **more)])
    b.settle()


def drop(b, *senders):
    """From now on nothing of these hosts gets past the middle; remove what this returns from b.wire.rules to mend the path."""
    def rule(packet):
        return 'drop-late' if packet.sender in senders else None
    b.wire.rules.append(rule)
    return rule


# Nobody listens

@on('closed-port', gvisor=OPEN, uml=ASIDE, lwip=ASIDE, actors=('server',))
def closed_port(b):
    tell(b, Label('closed-port'), then=Label('closed-port'))
    for _ in range(2):
        refused(b.client_socket(), b.server_endpoint(CLOSED_PORT))
    b.settle()


@on('closed-port', gvisor=ASIDE, uml=OPEN, lwip=ASIDE, actors=('server',))
def closed_port_among_connections(b):
    """The host has shown more of itself before."""
    opened(b)
    tell(b, Label('closed-port'))
    refused(b.client_socket(), b.server_endpoint(CLOSED_PORT))


@on('closed-port', gvisor=OPEN, uml=ASIDE, lwip=OPEN, actors=('server',))
def probes_of_closed_port(b):
    """FIN, NULL and Xmas to a port where nobody listens, and an ACK, of which nobody else can know what it is."""
    probe = Label('closed-port', 'probe')
    tell(b, probe, probe, probe, Label('closed-port', 'probe', (('unacceptable-ack', '-'), ('half-open', '-'))))
    for flags in (FIN, 0, FIN | PSH | 32, ACK):
        inject(b, b.next_port(), CLOSED_PORT, b.rng.getrandbits(32), b.rng.getrandbits(32) if flags & ACK else 0, flags)


# Aborts

@on('abort', gvisor=OPEN, uml=ASIDE)
def abort_linger(b):
    """SO_LINGER 0; everything was read and acknowledged."""
    actor, other = opened(b)
    tell(b, Own('abort', 'linger'))
    actor.linger(0)
    actor.close()
    b.settle()


@on('abort', gvisor=OPEN, uml=ASIDE, lwip=OPEN)
def abort_unread(b):
    actor, other = opened(b)
    b.deliver(other, b.payload())
    tell(b, Own('abort', 'unread-data'))
    actor.close()
    b.settle()


@on('abort', '?already-reset', gvisor=ASIDE, uml=OPEN, lwip=ASIDE, delay=0.04)
def abort_pending(b):
    """SO_LINGER 0 while its own data is on the way."""
    actor, other = opened(b)
    tell(b, Own('abort', 'pending-data', (('abort', 'linger'),)))
    actor.linger(0)
    actor.sendall(b.payload(2000))
    actor.close()
    b.settle()


@on('abort', gvisor=OPEN, uml=OPEN)
def abort_after_fin(b):
    actor, other = opened(b)
    other.shutdown(socket.SHUT_WR)
    b.settle(quiet=DELAYED_ACK)
    tell(b, Own('abort', 'after-fin', (('abort', 'linger'),)))
    actor.linger(0)
    actor.close()
    b.settle()


@on('abort', gvisor=ASIDE, uml=ASIDE)
def abort_idle(b):
    actor, other = opened(b)
    b.sleep(2.5)
    tell(b, Own('abort', 'idle', (('abort', 'linger'),)))
    actor.linger(0)
    actor.close()
    b.settle()


@on('abort', gvisor=OPEN)
def abort_of_the_stack(b):
    """The stack itself gives the connection up (Endpoint.Abort), as gVisor's forwarders do."""
    actor, other = opened(b)
    tell(b, Own('abort'))
    actor.abort()
    b.settle()


@on('abort', 'already-reset', gvisor=ASIDE, uml=OPEN, delay=0.04)
def abort_crossing(b):
    """Data of the peer is on the way when the abort happens."""
    actor, other = opened(b)
    tell(b, Own('abort', 'linger'))
    for _ in range(3):
        other.sendall(b'x' * 300)
    actor.linger(0)
    actor.close()
    b.settle()


@on('abort', 'already-reset', gvisor=ASIDE, uml=ASIDE, lwip=OPEN, delay=0.04)
def abort_burst(b):
    """Much data of the peer is on the way, the first of it arrived and was not read."""
    actor, other = opened(b)
    b.deliver(other, b'x' * 2000)
    tell(b, Own('abort', 'unread-data'))
    for _ in range(10):
        other.sendall(b'x' * 1000)
    actor.close()
    b.settle()


@on('abort', gvisor=OPEN, uml=ASIDE, actors=('server',))
def abort_unanswered_request(b):
    """It takes a request, says nothing for a while, and resets."""
    actor, other = b.pair()
    other.sendall(b'GET / HTTP/1.1\r\nHost: there\r\n\r\n')
    actor.recv(1000)
    b.settle(quiet=DELAYED_ACK)
    b.sleep(0.5)
    tell(b, Own('abort', 'linger'))
    actor.linger(0)
    actor.close()
    b.settle()


@on('abort', gvisor=ASIDE, uml=OPEN, actors=('server',))
def listener_closed(b):
    """Connections that nobody accepted end with the listener."""
    listener = b.listen()
    clients = [b.client_socket() for _ in range(3)]
    for client in clients:
        client.connect(b.server_endpoint())
    b.settle()
    label = Own('abort', 'listener-closed', (('abort', '-'),))
    tell(b, label, then=label)
    listener.close()
    b.settle()


@on('abort', gvisor=OPEN, uml=ASIDE, lwip=ASIDE, delay=0.005)
def abort_at_closed_window(b):
    """The peer does not read; the stack's data fills its window, and the stack gives up."""
    actor, other = b.pair(before=small_buffer if b.p.actor == 'server' else None,
                          before_listen=small_buffer if b.p.actor == 'client' else None)
    talk(b, actor, other)
    for _ in range(8):
        put(actor, b'x' * 1000)
    b.settle(quiet=1.5)
    tell(b, Own('abort', 'pending-data', (('abort', 'linger'), ('abort', '-'))))
    actor.linger(0)
    actor.close()
    b.settle()


def small_buffer(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)


# The host has lost its state

HALF_OPEN = Label('half-open', 'data')
# lwIP answers with RST,ACK that acknowledges the trigger, as an abort would; IPv6 shows no counter that began anew.
HALF_OPEN_LWIP = Label('half-open', 'data', (('abort', '-'), ('abort', 'unread-data')))


def half_open(b):
    return HALF_OPEN_LWIP if b.stack == 'lwip' and b.p.family == 6 else HALF_OPEN


@on('half-open', gvisor=OPEN, uml=ASIDE, lwip=OPEN)
def half_open_data(b):
    actor, other = opened(b)
    restart(b)
    tell(b, half_open(b))
    put(other, b.payload(1400))
    b.settle(quiet=DELAYED_ACK)


@on('half-open', gvisor=OPEN, uml=OPEN, lwip=ASIDE, actors=('server',))
def half_open_data_listening(b):
    """The service runs again on the port."""
    actor, other = opened(b)
    restart(b)
    b.listen()
    tell(b, half_open(b))
    put(other, b.payload(1400))
    b.settle(quiet=DELAYED_ACK)


@on('half-open', '?already-reset', gvisor=ASIDE, uml=OPEN, lwip=OPEN, delay=0.04)
def half_open_burst(b):
    actor, other = opened(b)
    restart(b)
    tell(b, half_open(b))
    for _ in range(5):
        put(other, b'x' * 700)
    b.settle(quiet=DELAYED_ACK)


@on('half-open', gvisor=OPEN, uml=ASIDE, lwip=ASIDE)
def half_open_keepalive(b):
    actor, other = opened(b)
    restart(b)
    tell(b, Label('half-open', 'keepalive-probe'))
    other.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    b.wait(lambda: b.segments(b.p.actor, RST), 4)
    b.settle()


@on('half-open', gvisor=OPEN, uml=OPEN, lwip=ASIDE)
def half_open_fin(b):
    """The peer closes."""
    actor, other = opened(b)
    restart(b)
    tell(b, Label('half-open', '-', (('abort', '-'),) if b.stack == 'lwip' and b.p.family == 6 else ()))
    other.close()
    b.settle(quiet=DELAYED_ACK)


@on('half-open', gvisor=ASIDE, uml=OPEN, lwip=OPEN, delay=0.005)
def half_open_repeat(b):
    """The peer's data was sent while the host was down: it is the repeat that is answered."""
    actor, other = opened(b)
    b.lose_power(b.host(b.p.actor))
    put(other, b.payload(1400))
    b.sleep(0.5)
    take_place(b, KINDS[b.stack], b.p.actor)
    tell(b, half_open(b))
    b.wait(lambda: b.segments(b.p.actor, RST), 6)
    b.settle()


@on('half-open', gvisor=OPEN, uml=ASIDE, lwip=ASIDE, actors=('client',), delay=0.005)
def half_open_server_was_sending(b):
    """The client restarts in the middle of a download."""
    client, server = opened(b)
    server.setblocking(False)
    for _ in range(3):
        server.send(b'x' * 1400)
    b.lose_power(b.client)
    b.sleep(0.2)
    take_place(b, KINDS[b.stack], 'client')
    tell(b, half_open(b))
    b.wait(lambda: b.segments('client', RST), 6)
    b.settle(quiet=DELAYED_ACK)


@on('half-open', gvisor=ASIDE, uml=OPEN, lwip=OPEN, actors=('client',))
def half_open_reconnect(b):
    """RFC 9293 figure 9: the restarted host connects again from the same port."""
    listener = b.listen()
    client, server = b.connect(listener)
    talk(b, client, server)
    restart(b)
    tell(b, Label('half-open', 'reconnect'), then=None)
    client, server = b.connect(listener, port=b.port)
    talk(b, client, server)


@on('half-open', gvisor=ASIDE, uml=OPEN, lwip=OPEN, delay=0.005)
def half_open_window_probe(b):
    """It never read; the peer had more to say, and its probe of the closed window finds a host that restarted."""
    actor, other = opened(b)
    other.setblocking(False)
    for _ in range(40):
        try:
            other.send(b'x' * 65536)
        except OSError:
            break
        b.sleep(0.02)
    b.settle(quiet=0.7)
    restart(b)
    tell(b, Label('half-open', '-', (('half-open', 'keepalive-probe'), ('half-open', 'data'))))
    b.wait(lambda: b.segments(b.p.actor, RST), 15)
    b.settle()


# After its own close

@on('data-after-close', gvisor=ASIDE, uml=OPEN, lwip=ASIDE)
def data_after_close(b):
    actor, other = opened(b)
    tell(b, Label('data-after-close', 'data'))
    actor.close()
    b.settle()
    put(other, b.payload(1400))
    b.settle(quiet=DELAYED_ACK)


@on('data-after-close', '?already-reset', gvisor=ASIDE, uml=ASIDE, lwip=ASIDE, delay=0.04)
def data_after_close_burst(b):
    """Several segments cross the FIN."""
    actor, other = opened(b)
    tell(b, Label('data-after-close', 'data'))
    actor.close()
    for _ in range(5):
        put(other, b'x' * 500)
    b.settle(quiet=DELAYED_ACK)


@on('data-after-close', '?already-reset', gvisor=OPEN, uml=OPEN, lwip=OPEN, delay=0.04)
def data_and_fin_after_close(b):
    """The peer's last words and its FIN cross the FIN: the commonest burst."""
    actor, other = opened(b)
    tell(b, Label('data-after-close', 'data'))
    actor.close()
    put(other, b.payload(1400))
    other.close()
    b.settle(quiet=DELAYED_ACK)


@on('data-after-close', '?already-reset', gvisor=ASIDE, uml=OPEN)
def data_long_after_close(b):
    """The peer stays half closed for a while, then sends."""
    actor, other = opened(b)
    tell(b, Label('data-after-close', 'data'))
    actor.close()
    b.settle()
    b.sleep(1.5)
    for _ in range(2):
        put(other, b.payload(1400))
        b.settle(quiet=DELAYED_ACK)


# Closed in order, and something late

def late(b, sender):
    """Both close, the receiver of `sender`'s data first; that data, to turn up again."""
    actor, other = b.pair()
    one, two = (actor, other) if sender == 'other' else (other, actor)
    two.sendall(b'hello')
    one.recv(100)
    b.settle(quiet=DELAYED_ACK)
    old = next(p for p in b.segments() if p.seg.length)
    one.close()
    b.settle()
    two.close()
    b.settle(quiet=DELAYED_ACK)
    return old


@on('?time-wait', gvisor=ASIDE, uml=OPEN, lwip=ASIDE)
def time_wait_late_segment(b):
    """An old segment of the peer arrives at the stack's TIME-WAIT; the peer has forgotten the connection."""
    old = late(b, 'other')
    tell(b, Label('time-wait', 'late-segment'))
    b.wire.repeat(old)
    b.settle(quiet=DELAYED_ACK)


@on('time-wait', gvisor=ASIDE, uml=ASIDE, lwip=OPEN)
def time_wait_of_the_peer(b):
    """An old segment of the stack arrives at the peer's TIME-WAIT, which says so; the stack has forgotten the connection
    (RFC 1337)."""
    old = late(b, 'actor')
    tell(b, Label('time-wait', 'assassination', (('time-wait', 'late-segment'),)))
    b.wire.repeat(old)
    b.settle(quiet=DELAYED_ACK)


@on('time-wait', gvisor=ASIDE, uml=OPEN, lwip=ASIDE)
def late_data_to_closed(b):
    """The stack is not in TIME-WAIT, and its peer's old data comes a second time."""
    actor, other = b.pair()
    other.sendall(b'hello')
    actor.recv(100)
    b.settle(quiet=DELAYED_ACK)
    old = next(p for p in b.segments(other_name(b)) if p.seg.length)
    other.close()
    b.settle()
    actor.close()
    b.settle(quiet=DELAYED_ACK)
    tell(b, Label('time-wait', 'late-segment'))
    b.wire.repeat(old)
    b.settle(quiet=DELAYED_ACK)


@on('time-wait', uml=OPEN, actors=('server',), timestamps=0)
def time_wait_port_reuse(b):
    """A SYN below the old numbers on the port pair of the stack's TIME-WAIT: it answers with the old connection's ACK, the
    client resets that."""
    listener = b.listen()
    client, server = b.connect(listener)
    talk(b, client, server)
    port = client.getsockname()[1]
    isn = b.segments('client', SYN)[0].seg.seq
    server.close()
    b.settle()
    client.close()
    b.settle()
    again = b.client_socket(port=port)
    choose_isn(again, isn - 100000)
    again.setblocking(False)
    tell(b, Label('time-wait', 'port-reuse'))
    again.connect_ex(b.server_endpoint())
    b.settle(quiet=1.3)


# Timeouts

def keep_alive(sock):
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 2)):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def answered_at_peer(b, cause):
    """At the peer's link the answers can be seen that never arrived, and an abort fits as well."""
    return Own(cause, '-', (('abort', f'-@{other_name(b)}'), ('abort', f'idle@{other_name(b)}')))


@on('keepalive-timeout', uml=OPEN, lwip=ASIDE)
def keepalive_timeout(b):
    """Nothing of the peer arrives any more."""
    actor, other = opened(b)
    tell(b, answered_at_peer(b, 'keepalive-timeout'))
    drop(b, other_name(b))
    keep_alive(actor)
    b.sleep(5)
    b.settle()


AFTER_SILENCE = Label('half-open', 'data', (('half-open', 'idle-expired'), ('already-reset', '-@client'),
                                            ('already-reset', '-@server'), ('already-reset', '-@middle')))


@on('half-open', '?keepalive-timeout', gvisor=OPEN, uml=ASIDE)
def keepalive_timeout_then_data(b):
    """It gave up on the peer; whatever it said of that was lost. The path is mended and the peer sends."""
    actor, other = opened(b)
    rule = drop(b, 'client', 'server')
    # At the host's own link the reset that was lost on the way comes first, where there is one.
    tell(b, Own('keepalive-timeout'), then=AFTER_SILENCE)
    if b.stack == 'gvisor':
        tell(b, AFTER_SILENCE)
    keep_alive(actor)
    b.sleep(5)
    b.wire.rules.remove(rule)
    put(other, b.payload(1400))
    b.settle(quiet=DELAYED_ACK)


@on('half-open', gvisor=ASIDE, uml=OPEN)
def retransmission_timeout(b):
    """Its data is never acknowledged; when it has given up the peer sends, and the path is mended."""
    actor, other = opened(b)
    actor.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 3000)
    rule = drop(b, 'client', 'server')
    put(actor, b.payload(1400))
    b.sleep(9)
    tell(b, Label('half-open', 'data', (('half-open', 'idle-expired'), ('retransmission-timeout', '-'))))
    b.wire.rules.remove(rule)
    put(other, b.payload(1400))
    b.settle(quiet=1)


# Handshakes

@on('handshake-abandoned', gvisor=OPEN, uml=ASIDE, lwip=ASIDE, actors=('client',), delay=0.04)
def connect_cancelled(b):
    b.listen()
    cancelled = Label('handshake-abandoned', 'cancelled')
    tell(b, cancelled, then=Label('handshake-abandoned', 'cancelled', (('already-reset', '-'),)))
    sock = b.client_socket()
    sock.setblocking(False)
    sock.connect_ex(b.server_endpoint())
    sock.close()
    b.settle(quiet=DELAYED_ACK)
    assert b.segments('server', SYN | ACK)


@on('handshake-abandoned', gvisor=ASIDE, uml=OPEN, lwip=OPEN, actors=('client',), delay=0.005)
def late_syn_ack(b):
    """The SYN/ACK is held up until the client has given up."""
    b.listen()
    late_one = Label('handshake-abandoned', 'late-syn-ack', (('handshake-abandoned', 'cancelled'),))
    tell(b, late_one, then=Label('handshake-abandoned', 'late-syn-ack',
                                 (('already-reset', '-'), ('handshake-abandoned', 'cancelled'))))
    b.wire.rules.append(lambda p: 'hold' if p.sender == 'server' and p.seg and p.seg.flags & SYN else None)
    sock = b.client_socket()
    sock.setblocking(False)
    sock.connect_ex(b.server_endpoint())
    b.sleep(2.2)
    sock.close()
    b.sleep(0.5)
    b.wire.rules.pop()
    b.wire.release(*b.wire.held[:1])
    b.settle(quiet=DELAYED_ACK)


@on('handshake-rejected', uml=OPEN, actors=('server',), delay=0.005)
def busy_listener(b):
    """Nobody accepts, and more come than the listener holds, with tcp_abort_on_overflow. (gVisor drops the SYNs then, and
    lwIP holds them all.)"""
    backlog = 4
    b.listen(backlog=backlog)
    label = Label('handshake-rejected')
    tell(b, label, then=label)
    b.server.keeper.call('sysctl', 'net/ipv4/tcp_abort_on_overflow', 1)
    clients = [b.client_socket(b.client.agent()) for _ in range(2 * backlog)]
    for number, client in enumerate(clients):
        client.setblocking(False)
        client.connect_ex(b.server_endpoint())
        if number < backlog:
            b.settle()
    b.settle(quiet=0.2)
    for client in clients:
        try:
            client.send(b'hello')
        except OSError:
            pass
    b.settle(quiet=2.5)


@on('?unacceptable-ack', gvisor=ASIDE, uml=ASIDE, lwip=OPEN, actors=('server',))
def stray_ack_at_listener(b):
    b.listen()
    stray = Label('unacceptable-ack', '-', (('half-open', '-'), ('closed-port', 'probe')))
    tell(b, stray)
    inject(b, b.next_port(), b.server_port, b.rng.getrandbits(32), b.rng.getrandbits(32), ACK)


@on('unacceptable-ack', gvisor=OPEN, uml=OPEN, lwip=ASIDE)
def unsolicited_syn_ack(b):
    """Backscatter of a SYN with a forged source."""
    tell(b, Label('unacceptable-ack', '-', (('closed-port', 'probe'), ('half-open', '-'), ('handshake-abandoned', 'late-syn-ack'))))
    inject(b, 80, b.next_port(), b.rng.getrandbits(32), b.rng.getrandbits(32), SYN | ACK, options=b'\2\4\5\264')


@on('?unacceptable-ack', '?handshake-abandoned', gvisor=ASIDE, uml=OPEN, lwip=OPEN, actors=('server',))
def bad_ack_in_syn_received(b):
    b.listen()
    b.wire.rules.append(lambda p: 'drop-late' if p.sender == 'client' and p.seg and p.seg.flags & RST else None)
    # The client's kernel knows nothing of the handshake that is played in its name.
    tell(b, Label('handshake-abandoned', '-', (('handshake-abandoned', 'syn-scan'), ('handshake-abandoned', 'cancelled'),
                                               ('handshake-abandoned', 'late-syn-ack'))), sender='client')
    label = Label('unacceptable-ack', '-', (('already-reset', '-@client'), ('already-reset', '-@middle')))
    tell(b, label, then=label)
    port, isn = b.next_port(), b.rng.getrandbits(32)
    inject(b, port, b.server_port, isn, 0, SYN, options=b'\2\4\5\264')
    syn_ack = b.segments('server', SYN | ACK)[0].seg
    inject(b, port, b.server_port, isn + 1, (syn_ack.seq + 70000) & 0xffffffff, ACK)


@on('?unacceptable-ack', gvisor=OPEN, uml=ASIDE, lwip=ASIDE, actors=('client',), delay=0.005)
def bad_ack_in_syn_sent(b):
    """Something answers the SYN with a SYN/ACK of numbers that do not fit."""
    drop(b, 'client')
    sock = b.client_socket()
    sock.setblocking(False)
    sock.connect_ex(b.server_endpoint())
    b.settle(quiet=0.1)
    syn = b.segments('client', SYN)[0].seg
    label = Label('unacceptable-ack')
    tell(b, label, then=label)
    b.wire.forge('server', build_tcp(syn.dst, syn.src, syn.dport, syn.sport, b.rng.getrandbits(32), (syn.seq + 5000) & 0xffffffff,
                                     SYN | ACK, macs=(b.macs['server'], b.macs['client']), window=5000))
    b.settle(quiet=0.3)
    sock.close()


# The peer resets; the stack is the one that is told

@on('abort', '?already-reset', gvisor=ASIDE, uml=ASIDE, lwip=ASIDE, delay=0.04)
def peer_aborts(b):
    """This kernel aborts while the stack's data is on the way."""
    actor, other = opened(b)
    tell(b)
    b.aborts('linger')
    for _ in range(2):
        put(actor, b'x' * 200)
    other.linger(0)
    other.close()
    b.settle(quiet=DELAYED_ACK)
    put(actor, b'x' * 200)
    b.settle(quiet=DELAYED_ACK)


@on('half-open', '?already-reset', gvisor=OPEN, uml=ASIDE, lwip=OPEN)
def peer_restarts(b):
    """This kernel's host restarts; the stack sends."""
    actor, other = opened(b)
    tell(b)
    name = other_name(b)
    b.lose_power(b.host(name))
    b.return_power(name)
    put(actor, b.payload(1400))
    b.settle(quiet=DELAYED_ACK)


@on('half-open', gvisor=ASIDE, uml=OPEN, lwip=OPEN, actors=('server',))
def peer_reconnects(b):
    """This kernel's host restarts and connects from the same port; the stack has the old connection still."""
    listener = b.listen()
    client, server = b.connect(listener)
    talk(b, client, server)
    tell(b)
    port = b.port
    b.lose_power(b.client)
    b.return_power('client')
    again = b.client_socket(port=port)
    again.setblocking(False)
    again.connect_ex(b.server_endpoint())
    b.settle(quiet=1.5)


@on('data-after-close', '?already-reset', gvisor=OPEN, uml=ASIDE, lwip=OPEN, delay=0.005)
def peer_closes(b):
    """This kernel closes, the stack goes on sending."""
    actor, other = opened(b)
    tell(b)
    other.close()
    b.settle()
    put(actor, b.payload(1400))
    b.settle(quiet=DELAYED_ACK)


# Behind a translation: the client is the virtual machine, what the server's socket does the translation says

behind = functools.partial(on, actors=('server',))


def listen_behind(b, port=None):
    listener = b.server.agent().socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(('127.0.0.1' if b.p.family == 4 else '::1', port or b.server_port))
    listener.listen(8)
    return listener


def through(b):
    """(client's socket, the one behind), a little used."""
    b.listener = listen_behind(b)
    client = b.client_socket()
    client.connect(b.server_endpoint())
    server = b.listener.accept()
    for one, two in ((client, server), (server, client)) * 2:
        one.sendall(b'hello')
        two.recv(100)
    b.settle(quiet=DELAYED_ACK + 2 * b.p.delay)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client, server


def call(b, port):
    """One SYN, and what comes of it within a moment."""
    client = b.client_socket()
    client.setblocking(False)
    client.connect_ex(b.server_endpoint(port))
    b.settle(quiet=DELAYED_ACK)
    return client


@behind('closed-port', passt=OPEN, libslirp=ASIDE)
def behind_closed_port(b):
    tell(b, Label('closed-port'), then=Label('closed-port', '-', (('already-reset', '-'),)))
    call(b, CLOSED_PORT)


@behind('closed-port', passt=ASIDE, libslirp=OPEN)
def behind_closed_port_among_connections(b):
    through(b)
    tell(b, Label('closed-port'), then=Label('closed-port', '-', (('already-reset', '-'),)))
    call(b, CLOSED_PORT)
    b.sleep(1.2)
    b.settle()


@behind('abort', passt=OPEN, libslirp=ASIDE)
def behind_abort(b):
    """The program behind resets."""
    client, server = through(b)
    tell(b, Own('abort', '-', (('abort', 'linger'),)))
    server.linger(0)
    server.close()
    b.settle(quiet=DELAYED_ACK)


@behind('abort', '?data-after-close', '?already-reset', passt=ASIDE, libslirp=OPEN)
def behind_unread(b):
    client, server = through(b)
    put(client, b'x' * 3000)
    b.settle(quiet=DELAYED_ACK)
    tell(b, Own('abort', '-', (('abort', 'unread-data'),)))
    server.close()
    b.settle(quiet=DELAYED_ACK)


@behind('?data-after-close', '?abort', '?already-reset', passt=ASIDE, libslirp=OPEN)
def behind_data_after_close(b):
    """The program behind has closed; the machine goes on sending."""
    client, server = through(b)
    tell(b, Label('data-after-close', 'data', (('abort', 'after-fin'), ('abort', '-'))))
    server.close()
    b.settle(quiet=DELAYED_ACK)
    for _ in range(2):
        if not put(client, b'x' * 300):
            break
        b.settle(quiet=DELAYED_ACK)


@behind('half-open', '?already-reset', libslirp=ASIDE)
def behind_restarts(b):
    """The translation is gone and comes back; the machine sends."""
    client, _server = through(b)
    restart(b)
    tell(b, HALF_OPEN)
    put(client, b.payload(1400))
    b.settle(quiet=DELAYED_ACK)


@behind('half-open', '?already-reset', libslirp=OPEN)
def behind_restarts_burst(b):
    client, _server = through(b)
    restart(b)
    tell(b, HALF_OPEN)
    for _ in range(4):
        put(client, b'x' * 600)
    b.settle(quiet=DELAYED_ACK)


@behind('half-open', libslirp=ASIDE)
def behind_restarts_keepalive(b):
    client, _server = through(b)
    restart(b)
    tell(b, Label('half-open', 'keepalive-probe'))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    b.wait(lambda: b.segments('server', RST), 4)
    b.settle()


@behind('half-open', '?already-reset', libslirp=OPEN)
def behind_restarts_fin(b):
    client, _server = through(b)
    restart(b)
    tell(b, Label('half-open'))
    client.close()
    b.settle(quiet=DELAYED_ACK)


@behind('abort', '?already-reset', passt=ASIDE, libslirp=OPEN)
def behind_abort_pending(b):
    """The program behind sends and resets."""
    client, server = through(b)
    tell(b, Own('abort', '-', (('abort', 'linger'), ('abort', 'pending-data'))))
    put(server, b'x' * 2000)
    b.sleep(0.002)
    server.linger(0)
    server.close()
    b.settle(quiet=DELAYED_ACK)


@behind('abort', '?already-reset', passt=OPEN, libslirp=ASIDE)
def behind_abort_crossing(b):
    """Data of the machine is on the way when the program behind resets."""
    client, server = through(b)
    tell(b, Own('abort', '-', (('abort', 'linger'),)))
    for _ in range(4):
        put(client, b'x' * 500)
    server.linger(0)
    server.close()
    b.settle(quiet=DELAYED_ACK)


@behind('abort', '?already-reset', passt=ASIDE, libslirp=ASIDE)
def behind_abort_after_fin(b):
    client, server = through(b)
    client.shutdown(socket.SHUT_WR)
    b.settle(quiet=DELAYED_ACK)
    tell(b, Own('abort', 'after-fin', (('abort', 'linger'), ('abort', '-'))))
    server.linger(0)
    server.close()
    b.settle(quiet=DELAYED_ACK)


@behind('abort', '?already-reset', passt=OPEN, libslirp=OPEN)
def behind_abort_idle(b):
    client, server = through(b)
    b.sleep(2.5)
    tell(b, Own('abort', 'idle', (('abort', 'linger'), ('abort', '-'))))
    server.linger(0)
    server.close()
    b.settle(quiet=DELAYED_ACK)


@behind('closed-port', 'unacceptable-ack', libslirp=ASIDE)
def behind_probes(b):
    """FIN, ACK and SYN/ACK out of nowhere."""
    stray = (('unacceptable-ack', '-'), ('half-open', '-'), ('closed-port', 'probe'))
    for flags, label in ((FIN, Label('closed-port', 'probe')), (ACK, Label('closed-port', 'probe', stray)),
                         (SYN | ACK, Label('unacceptable-ack', '-', stray))):
        tell(b, label)
        inject(b, b.next_port(), CLOSED_PORT, b.rng.getrandbits(32), b.rng.getrandbits(32) if flags & ACK else 0, flags)


@behind('time-wait', libslirp=OPEN)
def behind_late_segment(b):
    """Closed in order; an old segment of the machine comes a second time."""
    client, server = through(b)
    old = next(p for p in b.segments('client') if p.seg.length)
    client.close()
    b.settle(quiet=DELAYED_ACK)
    server.close()
    b.settle(quiet=DELAYED_ACK)
    tell(b, Label('time-wait', 'late-segment'))
    b.wire.repeat(old)
    b.settle(quiet=DELAYED_ACK)


@behind('abort', '?already-reset', passt=OPEN, libslirp=ASIDE)
def behind_client_aborts(b):
    """The virtual machine's own kernel aborts."""
    client, server = through(b)
    tell(b, sender='server')
    b.aborts('linger')
    client.linger(0)
    client.close()
    b.settle(quiet=DELAYED_ACK)


# A firmware's TCP: the client is a virtual machine that fetches by HTTP in its UEFI shell

REPLY = b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n'


class Machine(OvmfHost):
    commands = ('fs0:', 'http http://{peer}:6666/a', 'http http://{peer}:6667/b')


class MachineAgain(OvmfHost):
    commands = ('fs0:', 'http http://{peer}:6667/b')


def firmware(*expect, aside, **fixed):
    def register(function):
        def play(b):
            b.stack = 'ovmf'
            function(b)
        play.bench = {'actors': ('client',), **fixed}
        play.on_bench = functools.partial(stack_bench.run, prepare=lambda b: None)
        world.scenario(*expect, family='stacks', tool='ovmf', aside=aside, families=(4,), name='ovmf-' + function.__name__,
                       needs=('qemu-system-x86_64', '/usr/share/OVMF/OVMF_CODE.fd'))(play)
        return function
    return register


def at_work(b):
    """It waits for another reply, for it looks after its network only while it does something."""
    server = b.second.accept(timeout=60)
    b.settle(quiet=SLOW_MACHINE)
    return server


def fetched(b):
    """The machine is there and asks: the server's end of its connection. It has sent its request."""
    listener = b.listen()
    b.second = b.listen(b.server.agent(), port=6667)
    take_place(b, Machine, 'client')
    server = listener.accept(timeout=60)
    server.recv(2000)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    b.settle()
    return server


SLOW_MACHINE = 1.5      # seconds in which it does what it has to do


@firmware('abort', aside=OPEN)
def download_ends(b):
    """It has all that it asked for, and resets."""
    server = fetched(b)
    tell(b, Own('abort'))
    server.sendall(REPLY % 1500 + b'x' * 1500)
    b.settle(quiet=SLOW_MACHINE)


@firmware('abort', aside=ASIDE)
def error_reply(b):
    server = fetched(b)
    tell(b, Own('abort'))
    server.sendall(b'HTTP/1.1 404 Not Found\r\nContent-Length: 300\r\n\r\n' + b'x' * 300)
    b.settle(quiet=SLOW_MACHINE)


@firmware('abort', '?already-reset', aside=OPEN, delay=0.04)
def more_than_asked(b):
    """The server sends on while the machine resets."""
    server = fetched(b)
    tell(b, Own('abort'))
    server.sendall(REPLY % 100 + b'x' * 100)
    for _ in range(30):
        if not put(server, b'x' * 300):
            break
        b.sleep(0.02)
    b.settle(quiet=SLOW_MACHINE)


@firmware('closed-port', '?abort', aside=ASIDE)
def asked_for_a_port(b):
    """The machine has no listener."""
    server = fetched(b)
    tell(b, Own('abort'), Label('closed-port'))
    server.sendall(REPLY % 10 + b'x' * 10)
    at_work(b)
    sock = b.server.agent().socket()
    sock.setblocking(False)
    sock.connect_ex((b.addresses['client'], CLOSED_PORT))
    b.settle(quiet=SLOW_MACHINE)


@firmware('closed-port', '?abort', '?unacceptable-ack', aside=OPEN)
def probed(b):
    """Probes to the machine."""
    server = fetched(b)
    tell(b, Own('abort'))
    server.sendall(REPLY % 10 + b'x' * 10)
    at_work(b)
    stray = (('unacceptable-ack', '-'), ('half-open', '-'), ('closed-port', 'probe'))
    for flags, label in ((FIN, Label('closed-port', 'probe')), (ACK, Label('closed-port', 'probe', stray)),
                         (SYN | ACK, Label('unacceptable-ack', '-', stray))):
        tell(b, label)
        b.server.keeper.call('frames', 'tap0', [b.raw_frame('server', b.next_port(), CLOSED_PORT, b.rng.getrandbits(32),
                                                            b.rng.getrandbits(32) if flags & ACK else 0, flags, window=1024)])
        b.settle(quiet=SLOW_MACHINE / 2)


@firmware('half-open', aside=ASIDE, delay=0.005)
def reset_button(b):
    """The machine is switched off during the download and on again; the server's data was on its way."""
    server = fetched(b)
    server.sendall(REPLY % 90000 + b'x' * 3000)
    b.settle(quiet=SLOW_MACHINE)
    b.lose_power(b.client)
    take_place(b, MachineAgain, 'client')
    at_work(b)
    tell(b, HALF_OPEN)
    put(server, b'x' * 700)
    b.wait(lambda: b.segments('client', RST), 10)
    b.settle(quiet=SLOW_MACHINE)


@firmware('half-open', aside=OPEN, delay=0.005)
def reset_button_and_keepalive(b):
    server = fetched(b)
    server.sendall(REPLY % 90000 + b'x' * 3000)
    b.settle(quiet=SLOW_MACHINE)
    b.lose_power(b.client)
    take_place(b, MachineAgain, 'client')
    at_work(b)
    tell(b, Label('half-open', 'keepalive-probe'))
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    b.wait(lambda: b.segments('client', RST), 20)
    b.settle(quiet=SLOW_MACHINE)
