# SPDX-License-Identifier: GPL-2.0-or-later
"""Firewalls and routers of a real kernel on the path: refusals, forgotten connections, translated addresses."""
import socket

from frames import ACK, RST, SYN
from routers import Router
from truth import Label
from . import scenario

OTHER_PORT = 7070


def tell(b, label, sender_is_third=False, which=lambda packet: True):
    """The scenario's own label for resets that no kernel's record covers: netfilter writes none."""
    def rule(packet):
        if packet.seg and packet.seg.flags & RST and which(packet):
            packet.story = label
            packet.forged = sender_is_third
    b.wire.rules.append(rule)


def refused(sock, endpoint):
    try:
        sock.connect(endpoint)
    except ConnectionRefusedError:
        return
    raise AssertionError('not refused')


def router_before_server(b, rule=None, iptables=None):
    """The server behind a filtering router; a first connection shows how far the server is away."""
    router = Router(b, 'server')
    listener = b.listen(agent=router.inner.agent())
    client, server = b.connect(listener)
    b.exchange(client, server)
    client.close()
    server.close()
    b.settle()
    if rule:
        router.filter(rule)
    if iptables:
        router.iptables(*iptables)
    tell(b, Label('firewall-reject'), True, router.is_own)
    return router


@scenario('firewall-reject', hops=0, loss=0, actors=('server',))
def router_rejects_syn(b):
    """nftables on a router: reject with tcp reset."""
    router_before_server(b, f'tcp dport {OTHER_PORT} reject with tcp reset')
    refused(b.client_socket(), b.server_endpoint(OTHER_PORT))


@scenario('firewall-reject', hops=0, loss=0, actors=('server',))
def router_rejects_syn_iptables(b):
    """The same in iptables' words."""
    router_before_server(b, iptables=('-A', 'FORWARD', '-p', 'tcp', '--dport', str(OTHER_PORT), '-j', 'REJECT',
                                      '--reject-with', 'tcp-reset'))
    refused(b.client_socket(), b.server_endpoint(OTHER_PORT))


@scenario('firewall-reject', hops=0, loss=0, actors=('server',))
def router_rejects_syns_before_and_after(b):
    """The host's distance shows only after the first refusal."""
    router = Router(b, 'server')
    router.filter(f'tcp dport {OTHER_PORT} reject with tcp reset')
    tell(b, Label('firewall-reject', '-', (('closed-port', '-'),)), True, router.is_own)
    listener = b.listen(agent=router.inner.agent())
    refused(b.client_socket(), b.server_endpoint(OTHER_PORT))
    b.exchange(*b.connect(listener))
    refused(b.client_socket(), b.server_endpoint(OTHER_PORT))


@scenario('closed-port', 'firewall-reject', hops=0, loss=0, actors=('server',))
def router_rejects_one_port_of_many(b):
    """A closed port of the host and a rejected one, side by side."""
    router_before_server(b, f'tcp dport {OTHER_PORT} reject with tcp reset')
    refused(b.client_socket(), b.server_endpoint(OTHER_PORT + 1))
    refused(b.client_socket(), b.server_endpoint(OTHER_PORT))


@scenario('injected', hops=0, loss=0)
def router_rejects_established(b):
    """A rule comes up in the middle of a connection: the router resets the sender in the host's name."""
    router = Router(b, b.p.actor)
    inner, other = router.connect()
    for _ in range(3):
        b.exchange(inner, other)
    # Seen from one end, a box that forgot the connection would do the same.
    tell(b, Label('injected', 'ttl', (('half-open', 'data'),)), True, router.is_own)
    router.filter('iifname "tap0" meta l4proto tcp reject with tcp reset')
    other.sendall(b.payload(500))
    b.settle()


@scenario('closed-port', actors=('server',), loss=0)
def host_rejects_syn(b):
    """The host's own firewall: nothing on the wire tells it from a closed port."""
    b.exchange(*b.connect(b.listen()))
    b.server.keeper.call('run', ['nft', '-f', '-'], f'''
table inet filter {{ chain input {{ type filter hook input priority 0; tcp dport {OTHER_PORT} reject with tcp reset; }}
}}''')
    tell(b, Label('closed-port', '-', (('firewall-reject', '-'),)))
    refused(b.client_socket(), b.server_endpoint(OTHER_PORT))


@scenario('closed-port', actors=('server',), loss=0)
def host_rejects_syn_iptables(b):
    b.exchange(*b.connect(b.listen()))
    b.server.keeper.call('run', ['ip6tables' if b.p.family == 6 else 'iptables', '-A', 'INPUT', '-p', 'tcp', '--dport',
                                 str(OTHER_PORT), '-j', 'REJECT', '--reject-with', 'tcp-reset'])
    tell(b, Label('closed-port', '-', (('firewall-reject', '-'),)))
    refused(b.client_socket(), b.server_endpoint(OTHER_PORT))


@scenario('half-open', actors=('server',), loss=0)
def host_rejects_established(b):
    """The host's own firewall cuts a connection off: as if the host did not know it."""
    client, server = b.connect(b.listen())
    b.exchange(client, server)
    b.server.keeper.call('run', ['nft', '-f', '-'], '''
table inet filter { chain input { type filter hook input priority 0; meta l4proto tcp reject with tcp reset; }
}''')
    tell(b, Label('half-open', 'data', (('injected', '-'),)))
    client.sendall(b.payload(300))
    b.settle()


def stateful_router(b, timeout=1):
    """A router that resets whatever belongs to no connection that it knows, and forgets soon."""
    router = Router(b, b.p.actor)
    router.filter('ct state invalid meta l4proto tcp reject with tcp reset')
    router.host.sysctl('net/netfilter/nf_conntrack_tcp_loose', 0)
    router.host.sysctl('net/netfilter/nf_conntrack_tcp_timeout_established', timeout)
    router.host.sysctl('net/netfilter/nf_conntrack_tcp_timeout_unacknowledged', timeout)
    return router


FORGOTTEN = Label('half-open', 'idle-expired', (('half-open', 'data'), ('half-open', '-')))


@scenario('half-open', '?already-reset', hops=0, loss=0)
def conntrack_idle_expired(b):
    """The router has forgotten an idle connection and resets who goes on with it."""
    router = stateful_router(b)
    inner, other = router.connect()
    b.exchange(inner, other)
    b.sleep(2.5)
    tell(b, FORGOTTEN, False, router.is_own)
    other.sendall(b.payload(500))
    b.settle()


@scenario('half-open', '?already-reset', hops=0, loss=0)
def conntrack_idle_expired_keepalive(b):
    """The first thing after the silence is a keep-alive probe."""
    router = stateful_router(b)
    inner, other = router.connect()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    other.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 3)
    b.exchange(inner, other)
    tell(b, Label('half-open', 'keepalive-probe', (('half-open', 'idle-expired'),)), False, router.is_own)
    b.wait(lambda: b.segments(flags=RST), 8)
    b.settle()


@scenario('half-open', hops=0, loss=0)
def conntrack_idle_expired_inner_never_knows(b):
    """After the router has reset the peer, a new connection to the same host works and shows its distance."""
    router = stateful_router(b)
    inner, other = router.connect()
    b.exchange(inner, other)
    b.sleep(2.5)
    tell(b, FORGOTTEN, False, router.is_own)
    other.sendall(b.payload(500))
    b.settle()
    b.server_port += 1
    b.exchange(*router.connect())


@scenario('half-open', '?already-reset', hops=0, loss=0, actors=('client',))
def nat_forgets(b):
    """A translating router has forgotten the client's connection; it answers for itself."""
    router = Router(b, 'client', translate=True)
    router.host.sysctl('net/netfilter/nf_conntrack_tcp_timeout_established', 1)
    router.host.sysctl('net/netfilter/nf_conntrack_tcp_timeout_unacknowledged', 1)
    inner, server = router.connect()
    b.exchange(inner, server)
    b.sleep(2.5)
    tell(b, FORGOTTEN, False, router.is_own)
    server.sendall(b.payload(500))
    b.settle()


def behind_nat(b):
    """A connection of a client behind a translating router, a little used."""
    router = Router(b, 'client', translate=True)
    inner, server = router.connect()
    for _ in range(3):
        b.exchange(inner, server)
    return router, inner, server


@scenario('abort', hops=0, loss=0, actors=('client',))
def nat_client_aborts(b):
    """The machine behind the router aborts: its own reset, translated."""
    router, inner, _server = behind_nat(b)
    tell(b, Label('abort', 'linger'), False, lambda p: p.sender == 'client' and not router.is_own(p))
    inner.linger(0)
    inner.close()
    b.settle()


@scenario('data-after-close', '?already-reset', hops=0, loss=0, actors=('client',))
def nat_client_closed(b):
    """The machine behind the router has closed and answers data, as kernels do."""
    router, inner, server = behind_nat(b)
    tell(b, Label('data-after-close', 'data'), False, lambda p: p.sender == 'client' and not router.is_own(p))
    inner.close()
    b.settle()
    server.sendall(b.payload(300))
    b.settle()


@scenario('abort', hops=0, loss=0, actors=('client',))
def nat_server_aborts(b):
    _router, _inner, server = behind_nat(b)
    b.aborts('linger')
    server.linger(0)
    server.close()
    b.settle()


@scenario('closed-port', hops=0, loss=0, actors=('client',))
def nat_closed_port(b):
    router, _inner, _server = behind_nat(b)
    refused(router.client_socket(), b.server_endpoint(OTHER_PORT))


@scenario('closed-port', hops=0, loss=0, actors=('server',))
def routed_closed_port(b):
    """A closed port behind a router that refuses nothing."""
    router = Router(b, 'server')
    b.exchange(*b.connect(b.listen(agent=router.inner.agent())))
    refused(b.client_socket(), b.server_endpoint(OTHER_PORT))


@scenario('injected', '?handshake-abandoned', '?already-reset', hops=0, loss=0, actors=('server',), delay=0.01)
def router_rejects_syn_ack(b):
    """The router lets the SYN out and refuses the answer to it, in the client's name."""
    b.p.actor = 'client'
    router = Router(b, 'client')
    listener = b.listen()
    client = router.client_socket()
    client.connect(b.server_endpoint())
    b.exchange(client, listener.accept())
    router.filter('iifname "tap0" tcp flags & (syn | ack) == syn | ack reject with tcp reset')
    tell(b, Label('injected', 'ttl', (('handshake-abandoned', 'cancelled'), ('handshake-abandoned', 'late-syn-ack'),
                                      ('handshake-abandoned', '-'))), True, router.is_own)
    again = router.client_socket()
    again.setblocking(False)
    again.connect_ex(b.server_endpoint())
    b.wait(lambda: any(p.seg.flags & RST for p in b.segments('client')))
    b.settle()
    assert b.segments('server', SYN | ACK)
