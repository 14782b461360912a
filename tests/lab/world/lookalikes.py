# SPDX-License-Identifier: GPL-2.0-or-later
"""Genuine resets that look forged. A third party has no part in any of them: all must stay genuine.

For each sign of a forger at least one innocent cause: another TTL (routes, backends, containers, proxies, sysctls,
sockets, tunnels), another IP ID or DF (a device that rewrites them), an answer that comes too soon (a nearer backend),
a host that goes on (a router that did not translate one segment), both directions at once (both ends abort).

Set aside: conntrack-flush-two-backends, conntrack-flush-backend-fails-over, route-longer-data-after-close,
route-shorter-half-open, route-longer-half-open, nat-flush-client-behind, nat-flush-keepalive,
stray-segment-private-source, tproxy-one-port-only, redirect-proxy-aborts, tproxy-origin-refuses,
container-gone-closed-port, container-replaced, default-ttl-then-abort, default-ttl-after-crash,
own-ttl-server-closed-port, own-ttl-set-late, vxlan-half-open, vxlan-abort, ids-randomised-abort,
ids-randomised-half-open, scrubbed-closed-port, same-port-again.
Open: the rest.
"""
import contextlib
import os
import socket
import struct
import time

import frames
import services
from truth import Label
from world import scenario

BACK = 5        # number of the first subnet behind a gateway; paths here have fewer
PORT, OTHER_PORT = 80, 8443


def lookalike(*expect, tool, aside=False, **fixed):
    fixed.setdefault('place', 'near-client')
    fixed.setdefault('hops', 2)
    return scenario(*expect, '?already-reset', family='lookalikes', tool=tool, aside=aside, **fixed)


# Networks

def default_route(node, gateway):
    for address in gateway:
        node.run('ip', '-6' if ':' in address else '-4', 'route', 'add', 'default', 'via', address)


def behind(w, gateway, name, number, routers=0, delay=0.0):
    """A host behind a gateway (a node of the path), so many routers away. All of it has default routes to the gateway,
    which knows the way to the host."""
    gateway.forward()
    before, interface = gateway, f'back{number}'
    chain = [w.net.node(f'{name}r{i}') for i in range(routers)] + [w.net.node(name)]
    for i, node in enumerate(chain):
        subnet = number + i
        w.net.link(before, interface, node, 'eth0', delay if i == 0 else 0.0)
        here, there = w.net.subnet(subnet, 1), w.net.subnet(subnet, 2)
        before.address(interface, *here)
        node.address('eth0', *there)
        default_route(node, here)
        if node is not chain[-1]:
            node.forward()
        for up, above in enumerate([gateway, *chain][:i]):
            for target, via in zip(w.net.subnets(subnet), w.net.subnet(number + up, 2)):
                above.route(target, via)
        before, interface = node, f'back{subnet + 1}'
    host = chain[-1]
    host.sysctl('ipv4/tcp_timestamps', w.p.timestamps)
    return host


def nft(node, rules):
    node.run('nft', '-f', '-', stdin=rules)


def ip(w):
    return 'ip6' if w.p.family == 6 else 'ip'


def to(w, host, port=PORT):
    address = services.bracketed(host.addresses[w.p.family])
    return f'{address}:{port}'


def translate(w, gateway, *targets, port=PORT):
    """Connections to the gateway's port go to these hosts in turn: a new table each time, as kube-proxy writes it."""
    kind = ip(w)
    targets = [to(w, t, port) for t in targets]
    if len(targets) == 1:
        rule = f'dnat to {targets[0]}'
        rules = f'tcp dport {port} {rule}'
    else:
        rules = '\n'.join(f'tcp dport {port} numgen inc mod {len(targets) - i} == 0 dnat to {t}' if i < len(targets) - 1
                          else f'tcp dport {port} dnat to {t}' for i, t in enumerate(targets))
    nft(gateway, f'''
table {kind} service
delete table {kind} service
table {kind} service {{
    chain pre {{ type nat hook prerouting priority -100;
        {rules}
    }}
}}''')


def flush(gateway):
    """Not before late ACKs are through: they would bring the entries back."""
    time.sleep(0.3)
    gateway.run('conntrack', '-F')


def same_on_the_wire(w, *hosts, port=PORT):
    """The kernel's record names the hosts behind the gateway; the wire knows the gateway's address."""
    for host in hosts:
        for family in (4, 6):
            w.alias[host.addresses[family], None] = (w.server.addresses[family], None)


def detour(w, hops):
    """A way round of so many more routers for what comes from the server. Returns a function that takes it or not."""
    last, first = w.path.routers[-1], w.path.routers[0]
    nodes = [w.net.node(f'd{i}') for i in range(hops)]
    chain = [last, *nodes, first]
    for i, (one, two) in enumerate(zip(chain, chain[1:])):
        w.net.link(one, f'way{i}', two, f'came{i}')
        one.address(f'way{i}', *w.net.subnet(BACK + i, 1))
        two.address(f'came{i}', *w.net.subnet(BACK + i, 2))
    for i, node in enumerate(nodes):
        node.forward()
        default_route(node, w.net.subnet(BACK + i + 1, 2))
    target = w.net.subnets(0)
    usual = [last.run('ip', f'-{f}', 'route', 'show', t).split('via ')[1].split()[0] for f, t in zip((4, 6), target)]

    def take(the_detour):
        via = w.net.subnet(BACK, 2) if the_detour else usual
        for family, t, v in zip((4, 6), target, via):
            last.run('ip', f'-{family}', 'route', 'replace', t, 'via', v)
    return take


# Acts

KEPT = []       # sockets that nobody may close behind a scenario's back: what a dying process says comes after the captures


def keep(sock):
    KEPT.append(sock)
    return sock


def accept(listener):
    sock, peer = listener.accept()
    sock.settimeout(5)
    return keep(sock), peer


def connect(w, listener):
    client = call(w, listener.getsockname()[1], address=listener.getsockname()[0])
    return client, accept(listener)[0]


def pair(w):
    KEPT.append(both := w.pair())
    return both


def send(sock, size=300):
    with contextlib.suppress(OSError):
        sock.sendall(os.urandom(size))


def call(w, port=PORT, node=None, address=None):
    sock = (node or w.client).socket(w.family)
    sock.settimeout(5)
    sock.connect((address or w.server_address, port))
    return keep(sock)


def serve(w, node, port=PORT):
    sock = node.socket(w.family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((node.addresses[w.p.family], port))
    sock.listen(16)
    sock.settimeout(5)
    return keep(sock)


def talk(w, client, server, times=None):
    w.exchange(client, server, times or w.rng.randrange(2, 5), w.rng.randrange(40, 900))


def abort(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    sock.close()


def refused(w, port, node=None, address=None):
    try:
        call(w, port, node, address)
    except ConnectionRefusedError:
        return
    raise AssertionError('not refused')


def silently(w, node, host_name, act):
    """A crash: what the dying host says does not get out, and its sockets are gone."""
    w.settle(0.1)       # late ACKs would be answered already
    w.note(host_name, 'power-lost')
    nft(node, 'table inet dead {\nchain out {\ntype filter hook output priority -300; policy drop;\n}\n}\n')
    act()
    node.run('ss', '-K', '-a', '-t', fail=False)
    time.sleep(0.05)
    node.run('nft', 'delete', 'table', 'inet', 'dead')
    w.note(host_name, 'power-back')


def set_ttl(w, sock, ttl):
    if w.p.family == 4:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)


def set_default_ttl(w, node, ttl):
    if w.p.family == 4:
        node.sysctl('ipv4/ip_default_ttl', ttl)
    else:
        node.sysctl('ipv6/conf/eth0/hop_limit', ttl)


# Backends behind one address

def two_backends(w):
    """A far backend and a near one, behind the server's address."""
    far = behind(w, w.server, 'far', BACK, routers=2, delay=0.02)
    near = behind(w, w.server, 'near', BACK + 3)
    same_on_the_wire(w, far, near)
    return far, near


@lookalike('half-open', tool='conntrack', needs=('conntrack',))
def conntrack_flush_nearer_backend(w):
    """The balancer forgets; the next segment goes to the other backend, which is nearer and has another TTL."""
    far, near = two_backends(w)
    at_far, at_near = serve(w, far), serve(w, near)
    translate(w, w.server, far)
    client = call(w)
    server, _ = accept(at_far)
    talk(w, client, server)
    translate(w, w.server, near)
    flush(w.server)
    send(client)
    w.settle(0.3)
    client = call(w)
    talk(w, client, accept(at_near)[0])


@lookalike('half-open', tool='conntrack', aside=True, needs=('conntrack',))
def conntrack_flush_two_backends(w):
    """The same with several connections and both backends in turn: some find their backend again."""
    far, near = two_backends(w)
    listeners = (serve(w, far), serve(w, near))
    translate(w, w.server, far, near)
    pairs = []
    for i in range(6):
        client = call(w)
        for listener in listeners:
            listener.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                server, _ = accept(listener)
                break
        server.settimeout(3)
        pairs.append((client, server))
        talk(w, client, server, 2)
    translate(w, w.server, near, far)
    flush(w.server)
    for client, _ in pairs:
        send(client)
        w.sleep(0.02)
    w.settle(0.3)


@lookalike('half-open', tool='conntrack', aside=True, needs=('conntrack',))
def conntrack_flush_backend_fails_over(w):
    """The near backend goes, and the far one is asked: the answer comes from farther away and later."""
    far, near = two_backends(w)
    at_near = serve(w, near)
    translate(w, w.server, near)
    client = call(w)
    server, _ = accept(at_near)
    talk(w, client, server)
    translate(w, w.server, far)
    flush(w.server)
    send(client)
    w.settle(0.3)


@lookalike('closed-port', tool='nftables')
def backends_differ_in_distance(w):
    """One port is served far behind the address, another refused by the near backend."""
    far, near = two_backends(w)
    at_far = serve(w, far)
    kind = ip(w)
    nft(w.server, f'''table {kind} service {{ chain pre {{ type nat hook prerouting priority -100;
        tcp dport {PORT} dnat to {to(w, far)}
        tcp dport {OTHER_PORT} dnat to {to(w, near, OTHER_PORT)}
    }}
}}''')
    client = call(w)
    talk(w, client, accept(at_far)[0])
    refused(w, OTHER_PORT)
    client = call(w)
    talk(w, client, accept(at_far)[0])


# Routes

@lookalike('abort', tool='iproute2')
def route_longer_abort(w):
    """The way back becomes some hops longer in the middle of a connection, and then the server aborts."""
    take = detour(w, w.rng.randint(1, 3))
    client, server = pair(w)
    talk(w, client, server)
    take(True)
    w.aborts('linger')
    abort(server)
    w.settle()


@lookalike('data-after-close', tool='iproute2', aside=True)
def route_longer_data_after_close(w):
    take = detour(w, w.rng.randint(1, 3))
    client, server = pair(w)
    talk(w, client, server)
    server.close()
    w.settle()
    take(True)
    send(client)
    w.settle()


@lookalike('half-open', tool='iproute2', aside=True)
def route_shorter_half_open(w):
    """The server crashes while the way back becomes shorter."""
    take = detour(w, w.rng.randint(1, 3))
    take(True)
    client, server = pair(w)
    talk(w, client, server)
    silently(w, w.server, 'server', server.close)
    take(False)
    send(client)
    w.settle(0.3)


@lookalike('half-open', tool='iproute2', aside=True)
def route_longer_half_open(w):
    take = detour(w, w.rng.randint(1, 3))
    client, server = pair(w)
    talk(w, client, server)
    silently(w, w.server, 'server', server.close)
    take(True)
    send(client)
    w.settle(0.3)


@lookalike('closed-port', tool='iproute2')
def route_longer_closed_port(w):
    """Connections before and after a refusal that came the long way."""
    take = detour(w, w.rng.randint(1, 3))
    listener = serve(w, w.server)
    talk(w, *connect(w, listener))
    take(True)
    refused(w, OTHER_PORT)
    take(False)
    talk(w, *connect(w, listener))


@lookalike('abort', 'data-after-close', tool='iproute2')
def route_flaps(w):
    """The way back changes with every exchange; some connections end in an abort, some with late data."""
    take = detour(w, w.rng.randint(1, 3))
    listener = serve(w, w.server)
    w.aborts('linger')
    for i in range(4):
        client, server = connect(w, listener)
        for j in range(3):
            take(bool((i + j) % 2))
            talk(w, client, server, 1)
        take(bool(i % 2))
        if i < 2:
            abort(server)
        else:
            server.close()
            w.settle(0.05)
            take(not i % 2)
            send(client)
        w.settle(0.05)


# Translation

def private_host(w):
    """The client's address belongs to a router that lends it to a host behind it."""
    host = behind(w, w.client, 'private', BACK, routers=1)
    kind = ip(w)
    nft(w.client, f'''table {kind} lend {{ chain post {{ type nat hook postrouting priority 100;
        oifname "eth0" masquerade
    }}
}}''')
    for family in (4, 6):
        w.alias[host.addresses[family], None] = (w.client.addresses[family], None)
    return host


@lookalike('half-open', tool='conntrack', aside=True, needs=('conntrack',))
def nat_flush_client_behind(w):
    """The client's router is flushed: the server's next data is for the router itself, which is nearer."""
    host = private_host(w)
    listener = serve(w, w.server)
    client = call(w, node=host)
    server, _ = accept(listener)
    talk(w, client, server)
    flush(w.client)
    send(server)
    w.settle(0.3)


@lookalike('half-open', tool='conntrack', aside=True, needs=('conntrack',))
def nat_flush_keepalive(w):
    """The same, and the first segment after it is the server's keep-alive probe."""
    host = private_host(w)
    listener = serve(w, w.server)
    client = call(w, node=host)
    server, _ = accept(listener)
    talk(w, client, server)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    flush(w.client)
    w.sleep(1.5)
    w.settle(0.3)


@lookalike('half-open', 'closed-port', tool='conntrack', needs=('conntrack',))
def dnat_flush_gateway_answers(w):
    """The rule is gone and the table flushed: the gateway itself is asked, and does not know the connection."""
    back = behind(w, w.server, 'back', BACK, routers=w.rng.randint(0, 2))
    same_on_the_wire(w, back)
    listener = serve(w, back)
    translate(w, w.server, back)
    client = call(w)
    server, _ = accept(listener)
    talk(w, client, server)
    w.server.run('nft', 'delete', 'table', ip(w), 'service')
    flush(w.server)
    send(client)
    w.settle(0.3)
    refused(w, PORT)


@lookalike('data-after-close', 'abort', tool='nftables')
def nat_hosts_share_an_address(w):
    """Two hosts of other distances behind one address: one aborts, the other answers late data."""
    one = private_host(w)
    two = behind(w, w.client, 'second', BACK + 3)
    for family in (4, 6):
        w.alias[two.addresses[family], None] = (w.client.addresses[family], None)
    listener = serve(w, w.server)
    w.aborts('linger')
    for host, end in ((one, abort), (two, lambda s: s.close()), (two, abort)):
        client = call(w, node=host)
        server, _ = accept(listener)
        talk(w, client, server)
        end(client)
        w.settle(0.1)
        send(server)
        w.settle(0.1)


# A segment that a router did not translate

def raw_segment(w, node, macs, src, dst, sport, dport, seq, ack, payload):
    frame = frames.build_tcp(src, dst, sport, dport, seq, ack, frames.ACK | frames.PSH, macs=macs, window=500,
                             payload=payload, ip_id=w.rng.randrange(1, 65536))
    with node.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(('eth0', 0))
        raw.send(frame)


def macs_of(w, node, peer):
    """(own MAC address, that of the next hop towards the peer), as bytes."""
    def parse(text):
        return bytes.fromhex(text.replace(':', ''))
    flag = f'-{w.p.family}'
    route = node.run('ip', flag, 'route', 'get', peer).split()
    hop = route[route.index('via') + 1] if 'via' in route else peer
    link = node.run('ip', 'link', 'show', 'eth0').split('link/ether ')[1].split()[0]
    neighbour = node.run('ip', flag, 'neigh', 'show', hop).split('lladdr ')[1].split()[0]
    return parse(link), parse(neighbour)


def numbers(w, sock):
    """(snd.nxt, rcv.nxt) of a quiet socket, through TCP_REPAIR."""
    repair, queue, queue_seq = 19, 20, 21
    sock.setsockopt(socket.IPPROTO_TCP, repair, 1)
    found = []
    for which in (2, 1):        # send queue, receive queue
        sock.setsockopt(socket.IPPROTO_TCP, queue, which)
        found.append(sock.getsockopt(socket.IPPROTO_TCP, queue_seq) & 0xffffffff)
    sock.setsockopt(socket.IPPROTO_TCP, repair, -1)     # off, and no window probe
    return found


STRAY = Label('half-open', 'data', (('half-open', '-'), ('unacceptable-ack', '-'), ('closed-port', 'probe')))


def by_stray(w):
    w.pattern = lambda reset: 'stray-segment' if reset.label.cause == 'half-open' else 'stray-segment/-'


@lookalike('half-open', tool='conntrack')
def stray_segment_to_the_router(w):
    """Old data of the server's, far outside the window: the client's router does not translate it, takes it for its own
    and resets the server. The client behind it goes on."""
    host = private_host(w)
    by_stray(w)
    listener = serve(w, w.server)
    client = call(w, node=host)
    server, _ = accept(listener)
    for _ in range(3):
        talk(w, client, server)
    snd_nxt, rcv_nxt = numbers(w, server)
    local, peer = server.getsockname()[:2], server.getpeername()[:2]
    away = w.rng.choice((3_000_000, 20_000_000))
    raw_segment(w, w.server, macs_of(w, w.server, peer[0]), local[0], peer[0], local[1], peer[1], snd_nxt + away, rcv_nxt,
                os.urandom(w.rng.randrange(20, 1200)))
    w.settle(0.2)
    send(client)
    w.settle(0.3)


@lookalike('half-open', tool='conntrack', aside=True)
def stray_segment_private_source(w):
    """A segment of the client's behind the router, outside the window: it goes out with its private address, and the
    server's host resets that. The connection under the lent address goes on at first."""
    host = private_host(w)
    by_stray(w)
    private = host.addresses[w.p.family]
    w.alias.clear()
    w.end('client', w.client, 'eth0', (*w.client.addresses.values(), *host.addresses.values()))
    add_way_to_private(w, host)
    w.start_captures()
    listener = serve(w, w.server)
    client = call(w, node=host)
    server, _ = accept(listener)
    for _ in range(3):
        talk(w, client, server)
    snd_nxt, rcv_nxt = numbers(w, client)
    sport = client.getsockname()[1]
    away = w.rng.choice((3_000_000, 20_000_000))
    raw_segment(w, host, macs_of(w, host, w.server_address), private, w.server_address, sport, PORT, snd_nxt + away,
                rcv_nxt, os.urandom(w.rng.randrange(20, 1200)))
    w.story = lambda packet: STRAY if packet.seg.dst == private else None
    w.settle(0.2)
    w.alias[private, None] = (w.client_address, None)
    send(server)
    w.settle(0.3)


def add_way_to_private(w, host):
    """The routers of the path know the private net, too, as in a cluster."""
    index = int(host.addresses[4].split('.')[2]) - w.net.block[1]
    chain = [*w.path.routers, w.server]
    for node in chain:
        for family, target in zip((4, 6), w.net.subnets(index)):
            route = node.run('ip', f'-{family}', 'route', 'get', w.client.addresses[family]).split()
            via = route[route.index('via') + 1] if 'via' in route else w.client.addresses[family]
            node.route(target, via)


# Proxies that answer in the host's name

RELAY = """
    import select, socket, sys, threading
    listen, address, port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    sock = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if 'transparent' in sys.argv:
        sock.setsockopt(socket.IPPROTO_IP if ':' not in address else socket.IPPROTO_IPV6, 19 if ':' not in address else 75, 1)
    sock.bind(('::' if ':' in address else '0.0.0.0', listen))
    sock.listen(16)

    def abort(*socks):
        for s in socks:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, (1).to_bytes(4, 'little') + bytes(4))
            s.close()

    def handle(one):
        try:
            two = socket.create_connection((address, port), 3)
        except OSError:
            return abort(one)
        other = {one: two, two: one}
        try:
            while other:
                for s in select.select(list(other), (), ())[0]:
                    if data := s.recv(65536):
                        other[s].sendall(data)
                    else:
                        other.pop(s).shutdown(socket.SHUT_WR)
        except OSError:
            abort(one, two)

    while True:
        threading.Thread(target=handle, args=(sock.accept()[0],), daemon=True).start()
    """


@contextlib.contextmanager
def folder():
    place = services.Folder()
    try:
        yield place
    finally:
        place.remove()


def origin_behind(w, routers):
    """The server of the path becomes a router; the origin behind it has the address that the client asks."""
    origin = behind(w, w.server, 'origin', BACK, routers=routers)
    w.server.addresses = dict(origin.addresses)
    w.end('server', w.server, 'eth0', tuple(origin.addresses.values()))
    add_way_to_origin(w, BACK + routers)
    w.start_captures()
    return origin


def add_way_to_origin(w, index):
    nodes = [w.client, *w.path.routers]
    own = w.net.subnet(len(w.path.routers), 2)
    for node in nodes:
        for family, target, server in zip((4, 6), w.net.subnets(index), own):
            route = node.run('ip', f'-{family}', 'route', 'get', server).split()
            node.route(target, route[route.index('via') + 1] if 'via' in route else server)


def redirect(w, how, to_port):
    """Connections to PORT end in a proxy on the router, without the client's knowledge."""
    kind = ip(w)
    if how == 'redirect':
        nft(w.server, f'''table {kind} proxy {{ chain pre {{ type nat hook prerouting priority -100;
            iifname "eth0" tcp dport {PORT} redirect to :{to_port}
        }}
    }}''')
        return
    nft(w.server, f'''table {kind} proxy {{ chain pre {{ type filter hook prerouting priority -150;
        iifname "eth0" tcp dport {PORT} tproxy to :{to_port} meta mark set 1 accept
    }}
}}''')
    w.server.run('ip', f'-{w.p.family}', 'rule', 'add', 'fwmark', '1', 'lookup', '100')
    w.server.run('ip', f'-{w.p.family}', 'route', 'add', 'local', 'default', 'dev', 'lo', 'table', '100')


def own_addresses_are_the_origins(w, port):
    """What the proxy's kernel says of its own port is about the origin's."""
    for address in w.net.subnet(len(w.path.routers), 2):
        family = 6 if ':' in address else 4
        w.alias[address, port] = (w.server.addresses[family], PORT)
    for anybody in ('0.0.0.0', '::'):
        w.alias[anybody, port] = (anybody, PORT)


def proxied(w, how, place, origin):
    address = origin.addresses[w.p.family]
    port = w.rng.randrange(20000, 60000)    # its listener has no address, and the kernel's record no other name for it
    services.python(w.server, place, port, RELAY, address, str(PORT), how)
    redirect(w, how, port)
    own_addresses_are_the_origins(w, port)


@lookalike('closed-port', '?abort', tool='nftables', aside=True, late_captures=True)
def tproxy_one_port_only(w):
    """A transparent proxy answers one port; the others are the origin's own to refuse, some hops behind it."""
    origin = origin_behind(w, w.rng.randint(1, 2))
    listener = serve(w, origin)
    with folder() as place:
        proxied(w, 'transparent', place, origin)
        client = call(w)
        server, _ = accept(listener)
        talk(w, client, server)
        refused(w, OTHER_PORT)
        client.close()
        w.settle()


@lookalike('abort', tool='nftables', aside=True, late_captures=True)
def redirect_proxy_aborts(w):
    """The origin goes; the proxy on the router resets the client in the origin's name."""
    origin = origin_behind(w, w.rng.randint(1, 2))
    listener = serve(w, origin)
    direct = serve(w, origin, OTHER_PORT)
    with folder() as place:
        proxied(w, 'redirect', place, origin)
        straight = call(w, OTHER_PORT)
        talk(w, straight, accept(direct)[0])
        client = call(w)
        server, _ = accept(listener)
        talk(w, client, server)
        abort(server)
        w.settle(0.3)


@lookalike('abort', tool='nftables', aside=True, late_captures=True)
def tproxy_origin_refuses(w):
    """Nobody listens at the origin: the proxy has taken the connection already and aborts it. The origin is known
    to the capture from another port."""
    origin = origin_behind(w, w.rng.randint(1, 2))
    direct = serve(w, origin, OTHER_PORT)
    with folder() as place:
        proxied(w, 'transparent', place, origin)
        talk(w, call(w, OTHER_PORT), accept(direct)[0])
        with contextlib.suppress(ConnectionResetError):
            client = call(w)
            w.settle(0.1)
            send(client)
        w.settle(0.3)


@lookalike('half-open', tool='nftables', late_captures=True)
def tproxy_comes_up(w):
    """The proxy is switched on in the middle of a connection: it is asked about one that it never had."""
    origin = origin_behind(w, w.rng.randint(1, 2))
    listener = serve(w, origin)
    client = call(w)
    server, _ = accept(listener)
    talk(w, client, server)
    with folder() as place:
        proxied(w, 'transparent', place, origin)
        send(client)
        w.settle(0.3)


@lookalike('data-after-close', tool='haproxy', needs=('haproxy',))
def haproxy_beside_a_straight_port(w):
    """HAProxy serves one port of the address with this kernel's TTL, a translated backend behind it another."""
    back = behind(w, w.server, 'back', BACK, routers=w.rng.randint(1, 2))
    same_on_the_wire(w, back)
    straight = serve(w, back, OTHER_PORT)
    translate(w, w.server, back, port=OTHER_PORT)
    with folder() as place:
        services.haproxy(w.server, place, PORT, mode='http', front='http-request deny deny_status 403')
        talk(w, call(w, OTHER_PORT), accept(straight)[0])
        client = call(w)
        client.sendall(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        while client.recv(4096):
            pass
        w.settle()
        send(client)
        w.settle()
        client = call(w, OTHER_PORT)
        server, _ = accept(straight)
        talk(w, client, server)
        server.close()
        w.settle()
        send(client)
        w.settle()


# Containers

def container(w, name='box', number=BACK):
    """A container behind a bridge of its host, as Docker makes it, and its port published."""
    host = w.server
    host.forward()
    box = w.net.node(name)
    w.net.link(host, f'veth{number}', box, 'eth0')
    if 'docker0' not in host.run('ip', 'link'):
        w.net.bridge(host, 'docker0', f'veth{number}')
        host.address('docker0', *w.net.subnet(BACK, 1))
    else:
        host.run('ip', 'link', 'set', f'veth{number}', 'master', 'docker0')
    box.address('eth0', *w.net.subnet(BACK, 2 + number - BACK))
    default_route(box, w.net.subnet(BACK, 1))
    box.sysctl('ipv4/tcp_timestamps', w.p.timestamps)
    same_on_the_wire(w, box)
    return box


def stop_container(w, number=BACK):
    """Docker takes the container's link away, then its rules and what conntrack knew."""
    w.server.run('ip', 'link', 'del', f'veth{number}')
    w.server.run('nft', 'delete', 'table', ip(w), 'service')
    flush(w.server)


@lookalike('half-open', tool='container', needs=('conntrack',))
def container_gone_half_open(w):
    """The container is killed and its link with it; the host itself answers the client's next data."""
    box = container(w)
    listener = serve(w, box)
    translate(w, w.server, box)
    client = call(w)
    server, _ = accept(listener)
    talk(w, client, server)
    stop_container(w)
    send(client)
    w.settle(0.3)


@lookalike('closed-port', tool='container', aside=True, needs=('conntrack',))
def container_gone_closed_port(w):
    """The same, and the next is a new connection."""
    box = container(w)
    listener = serve(w, box)
    translate(w, w.server, box)
    client = call(w)
    server, _ = accept(listener)
    talk(w, client, server)
    client.close()
    server.close()
    w.settle()
    stop_container(w)
    refused(w, PORT)


@lookalike('half-open', '?closed-port', tool='container', aside=True, needs=('conntrack',))
def container_replaced(w):
    """A new container takes the place of the old one under the same published port."""
    box = container(w)
    listener = serve(w, box)
    translate(w, w.server, box)
    client = call(w)
    server, _ = accept(listener)
    talk(w, client, server)
    new = container(w, 'new', BACK + 1)
    stop_container(w)
    translate(w, w.server, new)
    again = serve(w, new)
    send(client)
    w.settle(0.3)
    talk(w, call(w), accept(again)[0])


@lookalike('closed-port', 'abort', tool='container')
def container_beside_host(w):
    """A published port, whose container aborts, and a closed port of the host, one hop nearer."""
    box = container(w)
    listener = serve(w, box)
    translate(w, w.server, box)
    w.aborts('linger')
    client = call(w)
    server, _ = accept(listener)
    talk(w, client, server)
    refused(w, OTHER_PORT)
    abort(server)
    w.settle()


# TTL of the host's own

@lookalike('data-after-close', tool='sysctl')
def default_ttl_changed(w):
    client, server = pair(w)
    talk(w, client, server)
    server.close()
    w.settle()
    set_default_ttl(w, w.server, w.rng.choice((128, 255, 60)))
    send(client)
    w.settle()


@lookalike('abort', tool='sysctl', aside=True)
def default_ttl_then_abort(w):
    """Sockets without a TTL of their own follow the sysctl at once."""
    client, server = pair(w)
    talk(w, client, server)
    set_default_ttl(w, w.server, w.rng.choice((128, 255, 60)))
    w.aborts('linger')
    abort(server)
    w.settle()


@lookalike('half-open', '?closed-port', tool='sysctl', aside=True)
def default_ttl_after_crash(w):
    """The host comes back with another default."""
    client, server = pair(w)
    talk(w, client, server)
    silently(w, w.server, 'server', server.close)
    w.listener.close()
    set_default_ttl(w, w.server, w.rng.choice((128, 255, 60)))
    send(client)
    w.settle(0.3)


@lookalike('data-after-close', tool='sockopt')
def own_ttl_data_after_close(w):
    """The service's sockets have their own TTL, the kernel's answers the default."""
    listener = serve(w, w.server)
    set_ttl(w, listener, w.rng.choice((255, 128, 30)))
    client, server = connect(w, listener)
    talk(w, client, server)
    server.close()
    w.settle()
    for _ in range(3):
        send(client)
    w.settle()


@lookalike('closed-port', tool='sockopt', aside=True)
def own_ttl_server_closed_port(w):
    listener = serve(w, w.server)
    set_ttl(w, listener, w.rng.choice((255, 128, 30)))
    talk(w, *connect(w, listener))
    refused(w, OTHER_PORT)


@lookalike('abort', tool='sockopt', aside=True)
def own_ttl_set_late(w):
    """The program sets the TTL right before it aborts."""
    client, server = pair(w)
    talk(w, client, server)
    set_ttl(w, server, w.rng.choice((255, 128, 40)))
    w.aborts('linger')
    abort(server)
    w.settle()


# Tunnels

def tunnel(w):
    """A VXLAN tunnel between the routers on both sides of the middle, which sees the outside only. Returns a function
    that sends the server's packets into it or past it."""
    left, right = w.path.routers[0], w.path.routers[-1]
    ends = [n for n in (left, right)]
    outer = w.net.subnet(1, 1)[0], w.net.subnet(1, 2)[0]
    for node, local, remote, host in ((left, outer[0], outer[1], 1), (right, outer[1], outer[0], 2)):
        node.run('ip', 'link', 'add', 'vx0', 'type', 'vxlan', 'id', '42', 'local', local, 'remote', remote, 'dstport', '4789')
        node.run('ip', 'link', 'set', 'vx0', 'up')
        node.address('vx0', *w.net.subnet(BACK, host))
    to_client, to_server = w.net.subnets(0), w.net.subnets(2)

    def take(inside):
        for node, targets, via in ((right, to_client, w.net.subnet(BACK, 1) if inside else w.net.subnet(1, 1)),
                                   (left, to_server, w.net.subnet(BACK, 2) if inside else w.net.subnet(1, 2))):
            for family, target, v in zip((4, 6), targets, via):
                node.run('ip', f'-{family}', 'route', 'replace', target, 'via', v)
    assert len(ends) == 2
    return take


@lookalike('half-open', tool='vxlan', aside=True, place='middle', hops=1)
def vxlan_half_open(w):
    """All of it in a tunnel, as the middle sees it."""
    take = tunnel(w)
    take(True)
    client, server = pair(w)
    talk(w, client, server)
    silently(w, w.server, 'server', server.close)
    send(client)
    w.settle(0.3)


@lookalike('data-after-close', tool='vxlan', place='middle', hops=1)
def vxlan_comes_up(w):
    """The tunnel is set up in the middle of a connection; the answer to late data is the first in it."""
    take = tunnel(w)
    client, server = pair(w)
    talk(w, client, server)
    server.close()
    w.settle()
    take(True)
    send(client)
    w.settle()


@lookalike('closed-port', 'abort', tool='vxlan', aside=True, place='middle', hops=1)
def vxlan_abort(w):
    take = tunnel(w)
    take(True)
    w.aborts('linger')
    client, server = pair(w)
    talk(w, client, server)
    refused(w, OTHER_PORT)
    abort(server)
    w.settle()


# Devices that rewrite headers

def rewrite(w, *statements):
    """A router that rewrites headers of all that it forwards."""
    w.identify = lambda seg: (seg.src, seg.sport, seg.dst, seg.dport, seg.seq, seg.ack, seg.flags, seg.length, seg.window,
                              seg.options.get(8))
    rules = '\n'.join(statements)
    nft(w.path.routers[0], f'table ip scrub {{ chain pass {{ type filter hook forward priority 200;\n{rules}\n}}\n}}')


RANDOM_ID = 'ip id set numgen random mod 4294967295'      # nftables takes the upper half


@lookalike('data-after-close', tool='nftables', families=(4,))
def ids_randomised_answer(w):
    """A device on the path gives every packet a random IP ID (pf: scrub random-id)."""
    rewrite(w, RANDOM_ID)
    client, server = pair(w)
    talk(w, client, server)
    server.close()
    w.settle()
    for _ in range(2):
        send(client)
    w.settle()


@lookalike('abort', tool='nftables', aside=True, families=(4,))
def ids_randomised_abort(w):
    rewrite(w, RANDOM_ID)
    client, server = pair(w)
    talk(w, client, server)
    w.aborts('linger')
    abort(server)
    w.settle()


@lookalike('half-open', tool='nftables', aside=True, families=(4,))
def ids_randomised_half_open(w):
    rewrite(w, RANDOM_ID)
    client, server = pair(w)
    talk(w, client, server)
    silently(w, w.server, 'server', server.close)
    send(client)
    w.settle(0.3)


@lookalike('half-open', tool='nftables', families=(4,))
def scrubbed_half_open(w):
    """A device clears DF, gives random IDs and lifts low TTLs (pf: scrub no-df random-id min-ttl)."""
    rewrite(w, 'ip frag-off set 0', RANDOM_ID, 'ip ttl set 128')
    client, server = pair(w)
    talk(w, client, server)
    silently(w, w.server, 'server', server.close)
    send(client)
    w.settle(0.3)


@lookalike('closed-port', tool='nftables', aside=True, families=(4,))
def scrubbed_closed_port(w):
    rewrite(w, 'ip frag-off set 0', RANDOM_ID)
    talk(w, *connect(w, serve(w, w.server)))
    refused(w, OTHER_PORT)


# Both directions, and a sender that seems to go on

@lookalike('abort', tool='sockopt', delay=0.04)
def both_abort(w):
    """Both ends abort; their resets cross on the way."""
    w.aborts('linger')
    client, server = pair(w)
    talk(w, client, server)
    abort(client)
    abort(server)
    w.settle()


@lookalike('abort', tool='sockopt', aside=True)
def same_port_again(w):
    """The client aborts and is back at once from the same port: another connection, not the old one going on."""
    w.aborts('linger')
    listener = serve(w, w.server)
    port = w.rng.randrange(30000, 60000)
    for _ in range(3):
        client = w.client.socket(w.family)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.settimeout(5)
        client.bind((w.client_address, port))
        client.connect((w.server_address, PORT))
        server, _ = accept(listener)
        talk(w, client, server)
        abort(client)
        w.settle(0.05)
