# SPDX-License-Identifier: GPL-2.0-or-later
"""Genuine resets that look forged: other TTLs, other IP IDs, other routes. None of them is `injected`."""
import socket

from frames import RST, age_ttl, parse
from . import scenario


def set_ttl(b, sock, ttl):
    if b.p.family == 4:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)


def set_default_ttl(b, host, ttl):
    if b.p.family == 4:
        host.sysctl('net/ipv4/ip_default_ttl', ttl)
    else:
        host.sysctl('net/ipv6/conf/tap0/hop_limit', ttl)


def route_of(b, name, more_hops):
    """From now on what this host sends takes as many routers more as `more_hops(packet)` says."""
    def rule(packet):
        hops = more_hops(packet) if packet.sender == name and packet.seg else 0
        if hops:
            packet.raw = age_ttl(packet.raw, hops)
            packet.seg = parse(packet.raw)
    b.wire.rules.append(rule)


def pair_with_own_ttl(b):
    """The actor's program sets the TTL of its sockets, before the connection is made."""
    ttl = b.rng.choice((255, 128, 200, 100))
    own = {'before' if b.p.actor == 'client' else 'before_listen': lambda sock: set_ttl(b, sock, ttl)}
    return b.pair(**own)


def talk(b, actor, other):
    for _ in range(b.rng.randrange(2, 4)):
        b.exchange(actor, other)


@scenario('data-after-close', '?already-reset')
def own_ttl_data_after_close(b):
    """The program set its own TTL; the kernel's answers have the default one."""
    actor, other = pair_with_own_ttl(b)
    talk(b, actor, other)
    actor.close()
    b.settle()
    other.sendall(b.payload(500))
    b.settle()


@scenario('data-after-close', '?already-reset', delay=0.02, loss=0)
def own_ttl_burst(b):
    """The same with several segments in flight."""
    actor, other = pair_with_own_ttl(b)
    talk(b, actor, other)
    other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    actor.close()
    for _ in range(4):
        other.sendall(b.payload(300))
    b.settle()


@scenario('abort')
def own_ttl_abort(b):
    actor, other = pair_with_own_ttl(b)
    talk(b, actor, other)
    b.aborts('linger')
    actor.linger(0)
    actor.close()
    b.settle()


@scenario('half-open', loss=0)
def own_ttl_half_open(b):
    """The host of a program with its own TTL restarts; its kernel answers with the default."""
    actor, other = pair_with_own_ttl(b)
    talk(b, actor, other)
    host = actor.agent.host
    b.lose_power(host)
    b.return_power(host.name)
    other.sendall(b.payload(500))
    b.settle()


@scenario('closed-port', actors=('server',), loss=0)
def own_ttl_closed_port(b):
    """The service that listens has a TTL of its own (RFC 5082: 255); a closed port is the kernel's to answer."""
    client, server = pair_with_own_ttl(b)[::-1]
    talk(b, client, server)
    try:
        b.client_socket().connect(b.server_endpoint(7070))
    except ConnectionRefusedError:
        pass


@scenario('abort', timestamps=1, loss=0)
def own_ttl_set_late(b):
    """The program changes its TTL in the middle, and the abort is the first to show it."""
    actor, other = b.pair()
    talk(b, actor, other)
    set_ttl(b, actor, b.rng.choice((255, 128, 63, 40)))
    b.aborts('linger')
    actor.linger(0)
    actor.close()
    b.settle()


@scenario('half-open', loss=0)
def other_default_ttl_after_restart(b):
    """The host comes back with another system: another default TTL."""
    actor, other = b.pair()
    talk(b, actor, other)
    name = actor.agent.host.name
    b.lose_power(actor.agent.host)
    set_default_ttl(b, b.return_power(name), b.rng.choice((128, 255, 60)))
    other.sendall(b.payload(500))
    b.settle()


@scenario('data-after-close', '?already-reset', loss=0)
def default_ttl_changed(b):
    """sysctl net.ipv4.ip_default_ttl in the middle of a connection."""
    actor, other = b.pair()
    talk(b, actor, other)
    actor.close()
    b.settle()
    set_default_ttl(b, actor.agent.host, b.rng.choice((128, 255, 60)))
    other.sendall(b.payload(500))
    b.settle()


def change_route(b):
    hops = b.rng.randrange(1, 9)
    route_of(b, b.p.actor, lambda packet: hops)


@scenario('abort', loss=0)
def route_change_then_abort(b):
    actor, other = b.pair()
    talk(b, actor, other)
    change_route(b)
    talk(b, actor, other)
    b.aborts('linger')
    actor.linger(0)
    actor.close()
    b.settle()


@scenario('abort', timestamps=1, loss=0)
def route_change_before_abort(b):
    """The abort is the first that takes the new route. Its timestamps, numbers and IP ID are the socket's."""
    actor, other = b.pair()
    talk(b, actor, other)
    change_route(b)
    b.aborts('linger')
    actor.linger(0)
    actor.close()
    b.settle()


@scenario('data-after-close', '?already-reset', loss=0)
def route_change_before_answer(b):
    """The kernel's answer is the first that takes the new route."""
    actor, other = b.pair()
    talk(b, actor, other)
    actor.close()
    b.settle()
    change_route(b)
    other.sendall(b.payload(500))
    b.settle()


@scenario('half-open', loss=0)
def route_change_before_half_open(b):
    actor, other = b.pair()
    talk(b, actor, other)
    name = actor.agent.host.name
    b.lose_power(actor.agent.host)
    b.return_power(name)
    change_route(b)
    other.sendall(b.payload(500))
    b.settle()


def balance_paths(b):
    """Packet by packet over paths of different lengths."""
    lengths = b.rng.sample(range(0, 6), b.rng.choice((2, 3)))
    route_of(b, b.p.actor, lambda packet: lengths[b.wire.packets.index(packet) % len(lengths)])


@scenario('abort', loss=0)
def balanced_paths_abort(b):
    balance_paths(b)
    actor, other = b.pair()
    talk(b, actor, other)
    b.aborts('linger')
    actor.linger(0)
    actor.close()
    b.settle()


@scenario('data-after-close', '?already-reset', loss=0)
def balanced_paths_answer(b):
    balance_paths(b)
    actor, other = b.pair()
    talk(b, actor, other)
    actor.close()
    b.settle()
    other.sendall(b.payload(500))
    b.settle()


@scenario('closed-port', actors=('server',), loss=0)
def balanced_flows_closed_port(b):
    """Each connection takes one of several paths: a refusal comes from as far away as no connection before."""
    route_of(b, 'server', lambda packet: packet.seg.dport % 4)
    listener = b.listen()
    for _ in range(2):
        b.exchange(*b.connect(listener))
    for _ in range(3):
        try:
            b.client_socket().connect(b.server_endpoint(7070))
        except ConnectionRefusedError:
            pass


@scenario('abort', '?already-reset', loss=0, delay=0.01)
def abort_overtakes_data(b):
    """Data that was sent before the abort arrives after it: the path has changed its order, nobody goes on."""
    actor, other = b.pair()
    talk(b, actor, other)
    b.wire.rules.append(lambda p: 'hold' if p.seg and p.sender == b.p.actor and p.seg.length else None)
    actor.sendall(b.payload(700))
    b.wait(lambda: b.wire.held)
    b.aborts('linger')
    actor.linger(0)
    actor.close()
    b.wait(lambda: b.segments(b.p.actor, RST))
    b.sleep(0.015)
    b.wire.rules.pop()
    b.wire.release(*b.wire.held)
    b.settle()


@scenario('abort', loss=0, actors=('client',))
def abort_then_same_port(b):
    """The client aborts and is back at once from the same port: that is a new connection, not the old one going on."""
    b.aborts('linger')
    listener = b.listen()
    client, server = b.connect(listener, port=b.port)
    talk(b, client, server)
    client.linger(0)
    client.close()
    b.settle()
    client, server = b.connect(listener, port=b.port)
    talk(b, client, server)
    client.close()
    b.settle()
