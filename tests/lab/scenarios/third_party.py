# SPDX-License-Identifier: GPL-2.0-or-later
"""Resets forged by a device on the path. The actor is the host in whose name it forges.

What the hosts' kernels do about it is real, and labelled by their own record.
"""
import socket

from frames import ACK, FIN, RST, SYN
from injector import Injector, keep_distance
from truth import Label
from . import scenario

# Of several that are alike, the later ones are what a reset connection brings, or packets captured twice.
REPEATED = (('already-reset', '-'), ('injected', 'copy'))


def established(b):
    """A connection that has carried data both ways: (actor, other)."""
    keep_distance(b)
    actor, other = b.pair()
    for _ in range(b.rng.randrange(2, 5)):
        b.exchange(actor, other)
    return actor, other


def goes_on(b, sock):
    """The host that was slandered goes on as if nothing had happened; two round trips later, so that nobody can
    think that it was under way."""
    b.sleep(0.05 + 4 * b.p.delay)
    sock.sendall(b.payload(500))
    b.settle()


def talks(b, actor, other):
    """The connection lives: a dialogue, and an orderly end."""
    b.sleep(0.05 + 4 * b.p.delay)
    b.exchange(actor, other)
    other.close()
    b.settle()
    actor.close()
    b.settle()


@scenario('injected', hops=0, loss=0)
def forged_ttl_careless(b):
    """RST,ACK at the right number, from another distance; nothing comes after it."""
    established(b)
    Injector(b, ttl='careless', ip_id='random').reset(b.p.actor)
    b.settle()


@scenario('injected', hops=0, loss=0)
def forged_ttl_careless_bare(b):
    """The same without ACK and with IP ID 0, as kernels answer; but there is nothing that it would answer."""
    established(b)
    Injector(b, ttl='careless', ip_id='zero').reset(b.p.actor, flags=RST)
    b.settle()


@scenario('injected', '?already-reset', hops=0, loss=0)
def forged_ttl_careless_sender_continues(b):
    actor, _other = established(b)
    Injector(b, ttl='careless', ip_id='counter').reset(b.p.actor, signs=('sender-continues',))
    goes_on(b, actor)


@scenario('injected', hops=0, loss=0)
def forged_both_directions(b):
    established(b)
    Injector(b, ttl='careless', ip_id='random').reset_both()
    b.settle()


@scenario('injected', hops=0, loss=0)
def forged_both_directions_faithful(b):
    """The right TTL for both, and the right numbers."""
    established(b)
    Injector(b, ip_id='zero').reset_both()
    b.settle()


@scenario('injected', hops=0, loss=0)
def forged_both_directions_bare(b):
    established(b)
    Injector(b, ip_id='zero').reset_both(flags=RST)
    b.settle()


@scenario('injected', '?already-reset', hops=0, loss=0)
def forged_perfectly_sender_continues(b):
    """TTL, IP ID, numbers, window and timestamps as the host's own: only that it goes on tells."""
    actor, _other = established(b)
    Injector(b, timestamps=True).reset(b.p.actor, signs=('sender-continues',))
    goes_on(b, actor)


@scenario('injected', hops=0, loss=0)
def forged_perfectly(b):
    """The same, and nothing comes after it."""
    established(b)
    Injector(b, timestamps=True).reset(b.p.actor)
    b.settle()


@scenario('injected', hops=0, loss=0, timestamps=1)
def forged_without_timestamps(b):
    """All is right but the timestamps that the connection uses and the IP ID."""
    established(b)
    Injector(b, ip_id='random').reset(b.p.actor)
    b.settle()


@scenario('injected', '?already-reset', hops=0, loss=0)
def forged_ip_id_random(b):
    actor, _other = established(b)
    Injector(b, ip_id='random', timestamps=True).reset(b.p.actor, signs=('sender-continues',))
    goes_on(b, actor)


@scenario('injected', '?already-reset', hops=0, loss=0)
def forged_ip_id_zero(b):
    actor, _other = established(b)
    Injector(b, ip_id='zero', timestamps=True).reset(b.p.actor, signs=('sender-continues',))
    goes_on(b, actor)


@scenario('injected', hops=0, loss=0)
def forged_in_window(b):
    """In the window but not at its start: RFC 5961 makes a challenge ACK of it, and the connection lives."""
    actor, other = established(b)
    Injector(b).reset(b.p.actor, offset=b.rng.randrange(1, 20000), signs=('sender-continues',))
    b.settle()
    talks(b, actor, other)


@scenario('injected', 'abort', hops=0, loss=0)
def forged_in_window_then_aborted(b):
    """The connection lives on after a forged reset, and ends with one of its own."""
    actor, other = established(b)
    Injector(b, ttl='careless').reset(b.p.actor, offset=b.rng.randrange(1, 20000), signs=('sender-continues',),
                                      flags=RST)
    b.settle()
    b.exchange(actor, other)
    b.aborts('linger')
    b.wire.rules.append(tells_own_abort)
    other.linger(0)
    other.close()
    b.settle()


def tells_own_abort(packet):
    """What the forger sent was in the window but ended nothing, so the host's own reset is no repetition."""
    if packet.seg and packet.seg.flags & RST:
        packet.story = Label('abort', 'linger')


@scenario('injected', hops=0, loss=0)
def forged_above_window(b):
    """Far above the window: ignored."""
    actor, other = established(b)
    Injector(b, ttl='careless').reset(b.p.actor, offset=b.rng.randrange(1 << 28, 1 << 30), signs=('sender-continues',))
    b.settle()
    talks(b, actor, other)


@scenario('injected', hops=0, loss=0)
def forged_above_window_faithful(b):
    actor, other = established(b)
    Injector(b, ip_id='counter').reset(b.p.actor, offset=b.rng.randrange(1 << 28, 1 << 30), flags=RST,
                                       signs=('sender-continues',))
    b.settle()
    talks(b, actor, other)


@scenario('injected', hops=0, loss=0)
def forged_below_window(b):
    """Behind what the receiver has had: a device that is too slow for the stream. Ignored."""
    actor, other = established(b)
    actor.sendall(b'x' * 9000)
    other.recv(9000, socket.MSG_WAITALL)
    b.settle()
    Injector(b, ttl='careless', ip_id='random').reset(b.p.actor, offset=-b.rng.randrange(1000, 9000),
                                                      signs=('sender-continues',))
    b.settle()
    talks(b, actor, other)


@scenario('injected', hops=0, loss=0)
def forged_guessed_offsets(b):
    """Several at once, at the numbers that the sender could have reached meanwhile; the first is the right one."""
    established(b)
    injector = Injector(b, ttl='careless', ip_id='random')
    for number in range(b.rng.randrange(3, 6)):
        injector.reset(b.p.actor, offset=1460 * number, number=number, also=REPEATED * (number > 0))
    b.settle()


@scenario('injected', '?already-reset', hops=0, loss=0)
def forged_guessed_offsets_faithful(b):
    actor, _other = established(b)
    injector = Injector(b, ip_id='zero')
    for number in range(3):
        injector.reset(b.p.actor, offset=1460 * number, number=number, signs=('sequence', 'sender-continues'),
                       also=REPEATED * (number > 0))
    goes_on(b, actor)


@scenario('injected', '?already-reset', hops=0, loss=0)
def forged_blind_series(b):
    """A series that comes down from above until one fits; each in-window one before is challenged."""
    established(b)
    injector = Injector(b, ttl='careless', ip_id='random')
    for number, offset in enumerate((12000, 8000, 4000, 0)):
        injector.reset(b.p.actor, offset=offset, number=number, flags=RST,
                       also=REPEATED * (number > 0))
        b.sleep(0.002)
    b.settle()


@scenario('injected', '?already-reset', hops=0, loss=0)
def forged_wrong_ack(b):
    """The acknowledgement is junk, which the receiver does not look at."""
    actor, _other = established(b)
    Injector(b, ip_id='random').reset(b.p.actor, ack='wrong', signs=('sequence', 'sender-continues'))
    goes_on(b, actor)


@scenario('injected', '?already-reset', hops=0, loss=0)
def forged_zero_ack(b):
    """ACK flag and acknowledgement number 0."""
    actor, _other = established(b)
    Injector(b, ttl='careless', ip_id='zero').reset(b.p.actor, ack='zero', signs=('sequence', 'sender-continues'))
    goes_on(b, actor)


def refused_by_device(b, **habits):
    """The device answers the SYN in the server's name, and lets the SYN pass."""
    server_ttl = keep_distance(b)['server']
    b.listen()
    injector = Injector(b, **habits)
    ttl = b.rng.choice((40, 90, 250)) if injector.ttl == 'careless' else server_ttl
    sock = b.client_socket()

    def answer(packet):
        if packet.seg and packet.seg.flags & (SYN | ACK) == SYN and not injector.forged:
            s = packet.seg
            frame = b.raw_frame('server', s.dport, s.sport, 0, s.end, RST | ACK, ttl=ttl)
            b.pump.at(packet.sent + b.p.delay / 2 + 0.0005, lambda: send(frame))

    def send(frame):
        forged = b.wire.forge('server', frame)
        forged.missed.add('server')
        forged.story = injector.label(0, ('sender-continues',), (('firewall-reject', '-'),))
        injector.forged.append(forged)

    b.wire.rules.append(answer)
    try:
        sock.connect(b.server_endpoint())
    except ConnectionRefusedError:
        pass
    b.settle()


@scenario('injected', '?already-reset', hops=0, loss=0, delay=0.02, actors=('server',))
def forged_refusal(b):
    """The device refuses the SYN in the server's name; the server's own SYN/ACK comes after it."""
    refused_by_device(b, ttl='careless', ip_id='zero')


@scenario('injected', '?already-reset', '?handshake-rejected', hops=0, loss=0, delay=0.02, actors=('client',))
def forged_at_syn_ack(b):
    """The device resets the server in the client's name as soon as it has offered the connection."""
    keep_distance(b)
    b.listen()
    injector = Injector(b, ttl='careless', ip_id='random')

    def react(packet):
        if packet.seg and packet.seg.flags & (SYN | ACK) == SYN | ACK and not injector.forged:
            b.pump.at(packet.sent + b.p.delay / 2 + 0.0005, lambda: injector.reset('client', signs=('sender-continues',)))

    b.wire.rules.append(react)
    sock = b.client_socket()
    sock.connect(b.server_endpoint())
    b.wire.rules.remove(react)
    b.sleep(0.02)
    sock.sendall(b.payload(300))
    b.settle()


@scenario('injected', '?already-reset', hops=0, loss=0)
def forged_after_handshake(b):
    """Before any data, both ends."""
    keep_distance(b)
    actor, _other = b.pair()
    b.settle()
    Injector(b, ttl='careless', ip_id='random').reset_both()
    b.settle()


def request_is_answered(b, **habits):
    """The device resets at the client's request, faster than the path to the server allows; the server's answer
    comes all the same, if it got the request before."""
    keep_distance(b)
    client, server = b.connect(b.listen())
    b.exchange(client, server)
    injector = Injector(b, **habits)

    def react(packet):
        if packet.seg and packet.seg.length > 20 and packet.sender == 'client' and not injector.forged:
            injector.forged.append(None)
            b.pump.at(packet.sent + b.p.delay / 2 + 0.0005, inject)

    def inject():
        for number in range(3):
            injector.reset('server', offset=0, number=number, signs=('sender-continues',),
                           also=REPEATED * (number > 0))

    b.wire.rules.append(react)
    client.sendall(b'GET /forbidden HTTP/1.1\r\nHost: www.example.org\r\n\r\n')
    assert server.recv(200)
    server.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello')
    b.settle(quiet=0.3)


@scenario('injected', '?already-reset', hops=0, loss=0, delay=0.03, actors=('server',))
def forged_at_request(b):
    request_is_answered(b, ttl='careless', ip_id='random')


@scenario('injected', '?already-reset', hops=0, loss=0, delay=0.03, actors=('server',))
def forged_at_request_faithful(b):
    request_is_answered(b, ip_id='zero')


@scenario('injected', '?already-reset', hops=0, loss=0, delay=0.03)
def forged_in_download(b):
    """In the middle of a stream: what was in flight comes after the reset, and more."""
    keep_distance(b)
    actor, other = b.pair()
    b.exchange(actor, other)
    actor.setblocking(False)
    actor.send(b'x' * 300000)
    b.wait(lambda: sum(p.seg.length for p in b.segments(b.p.actor)) > 20000)
    Injector(b, ttl='careless', ip_id='random').reset(b.p.actor, signs=('sender-continues',))
    b.settle()


@scenario('injected', hops=0, loss=0)
def forged_to_closing(b):
    """The host whose name is forged has closed already; its peer still sends to it."""
    actor, other = established(b)
    actor.shutdown(socket.SHUT_WR)
    b.settle()
    assert b.segments(b.p.actor, FIN)
    Injector(b, ttl='careless', ip_id='random').reset(b.p.actor)
    b.settle()


@scenario('injected', '?already-reset', hops=0, loss=0)
def forged_many_times(b):
    """A device that resets whatever it sees of the connection, time and again."""
    actor, _other = established(b)
    injector = Injector(b, ttl='careless', ip_id='random')
    for number in range(3):
        injector.reset(b.p.actor, number=number, signs=('sender-continues',),
                       also=REPEATED * (number > 0))
        b.sleep(0.3)
        actor.begin('sendall', b'more')
        b.settle()
        try:
            actor.finish()
        except OSError:
            break


@scenario('injected', '?already-reset', '?half-open', hops=0, loss=0, delay=0.01)
def forged_one_way_then_silence(b):
    """Only the actor's peer is reset; much later the actor sends, and its peer's kernel knows nothing any more."""
    actor, _other = established(b)
    Injector(b, ttl='careless', ip_id='counter', timestamps=True).reset(b.p.actor, signs=('sender-continues',))
    b.sleep(1.5)
    actor.sendall(b.payload(300))
    b.settle()
