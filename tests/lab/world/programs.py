# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that people run, in the situations that an engineer has a name for, and what Linux does by itself.

The kernel's record and the history give the cause; the situation (column `pattern`) is what the scenario arranged,
checked against the packets where a race decides. Twins look alike and are something else: theirs is `-`.
Must not know what the plugin says.

Set aside are those marked so below; each situation has some on either side, by other programs.
  open   nginx: race, stale, early reply, slow reader, restart. haproxy: race, nolinger, 403, checks. redis: race,
         keep-alive, NAT. mariadb: idle, HTTP. gunicorn: race. curl, psql: downloads. wrk: end. nmap -sS. sshd: HTTP.
  aside  node: race, stale, destroy, slow reader. uvicorn, squid, postgresql: race, restart, NAT. apache: early reply,
         slow reader. Python: probes, downloads, restarts. ab, pgbench: ends. nmap -sF, -sX, connect(). sshd: TLS.
Of the kernel's own: open SYN into TIME-WAIT, FIN and reset, user timeout, keep-alive (redis), slow overflow; aside the
same without timestamps, retransmissions given up, keep-alive (postgresql), overflow with data at once.
"""
import contextlib
import functools
import os
import signal
import socket
import ssl
import struct
import time

import labels
import services
import situations
from frames import ACK, FIN, RST
from lookalikes import (abort, accept, add_way_to_private, behind, call, keep, nft, private_host, refused,
                        same_on_the_wire, send, serve, silently, translate)
from truth import Label
from world import scenario


def program(*expect, tool, aside=False, **fixed):
    def register(function):
        @functools.wraps(function)
        def run(w):
            function(w)
            w.pattern = closing_twice(w, w.pattern or (lambda reset: '-'))
        return scenario(*expect, '?already-reset', '?half-open', family='programs', tool=tool, aside=aside, **fixed)(run)
    return register


def closing_twice(w, before):
    """A segment that comes in while close() is at work is answered by itself, and that answer may overtake the reset of
    the close: then either may be called the cause."""
    def pattern(reset):
        told = before(reset)
        label, event = reset.label, reset.event
        others = [p for p in w.log.connection(reset.packet) if p.sender == reset.packet.sender and p.seg.flags & RST
                  and p is not reset.packet and abs(p.sent - reset.packet.sent) < 0.005]
        if label.cause == 'half-open' and any(p.seg.flags & ACK and p.sent > reset.packet.sent for p in others):
            label.acceptable += (('abort', 'unread-data'), ('abort', '-'), ('data-after-close', 'data'), ('already-reset', '-'))
            return '/'.join(dict.fromkeys(told.split('/') + ['-'])) if told != '-' else shown_by(w)
        if label.cause == 'abort' and event and any(not p.seg.flags & ACK and p.sent < reset.packet.sent for p in others):
            label.acceptable += (('already-reset', '-'),)
        return told
    return pattern


def shown_by(w):
    """The situation that the scenario arranged, or none."""
    return f'{w.shown}/-' if getattr(w, 'shown', None) else '-'


def folder(w):
    place = services.Folder()
    w.at_end += [place.remove, lambda: services.sweep(w.net.nodes.values())]
    return place


# Situations

def shows(w, name, *causes, also='-'):
    """Resets of these causes are of this situation; stragglers may be told to be, too."""
    w.shown = name

    def pattern(reset):
        if reset.label.cause in causes:
            return name
        return f'{name}/-' if reset.label.cause == 'already-reset' else also
    w.pattern = pattern


def first_fin(w, reset):
    """The FIN of the reset's sender, as the packet of the log, or None."""
    return next((p for p in w.log.connection(reset.packet) if p.sender == reset.packet.sender and not p.forged
                 and p.seg.flags & FIN), None)


def race_or_stale(w):
    """Which of the two it was, the clock at the client's link says."""
    def pattern(reset):
        if reset.label.cause == 'already-reset':
            return 'keep-alive-race/stale-connection/-'
        fin, trigger = first_fin(w, reset), reset.trigger
        if reset.label.cause == 'abort':        # the request came between the decision to close and the close
            return 'keep-alive-race/-'
        if reset.label.cause != 'data-after-close' or fin is None or trigger is None or trigger.seg.flags & FIN:
            return '-'
        if not trigger.seg.length:              # a bare ACK behind a reset that came too late to end anything
            return 'keep-alive-race/stale-connection/-'
        arrived = fin.seen('client')
        if arrived is None or trigger.sent < arrived:
            return 'keep-alive-race'
        return 'stale-connection' if trigger.seg.ack == fin.seg.end else 'keep-alive-race/stale-connection'
    w.pattern = pattern


def idle(w, *times):
    w.sleep(w.rng.uniform(*times))


def alert_seen(w, reset):
    """Whether a TLS alert stands in the clear before the reset; TLS 1.3 hides most in records of data."""
    for p in w.log.connection(reset.packet):
        seg = p.seg
        at = seg.tcp_offset + (p.raw[seg.tcp_offset + 12] >> 4) * 4
        if seg.length and p.sent < reset.packet.sent and p.raw[at:at + 2] == b'\x15\x03':
            return True
    return False


def shows_alert(w, name, *causes):
    """As shows(); where the alert is hidden, the capture need not show the situation."""
    shows(w, name, *causes)
    plain = w.pattern

    def pattern(reset):
        told = plain(reset)
        fin = reset.trigger is not None and not reset.trigger.seg.length
        return f'{name}/-' if told == name and (fin or not alert_seen(w, reset)) else told
    w.pattern = pattern


def accepting(w, cause, *more):
    """The pattern as before; resets of this cause may be called these (cause, detail), too."""
    before = w.pattern or (lambda reset: '-')

    def pattern(reset):
        if reset.label.cause == cause:
            reset.label.acceptable += more
        return before(reset)
    return pattern


# Protocols, as far as they are wanted

def http_request(path='/index.html', method='GET', headers=(), close=False):
    lines = [f'{method} {path} HTTP/1.1', 'Host: www.example.org', 'User-Agent: lab/1.0', *headers,
             *(['Connection: close'] if close else [])]
    return '\r\n'.join(lines + ['', '']).encode()


def read_http(sock):
    data = b''
    while b'\r\n\r\n' not in data:
        part = sock.recv(65536)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b'\r\n\r\n')
    length = next((int(line.split(b':')[1]) for line in head.split(b'\r\n') if line.lower().startswith(b'content-length')), 0)
    while len(body) < length:
        part = sock.recv(65536)
        if not part:
            break
        body += part
    return head


def use_http(sock):
    sock.sendall(http_request())
    read_http(sock)


def use_redis(sock):
    sock.sendall(b'*1\r\n$4\r\nPING\r\n')
    sock.recv(100)


def start_postgresql(sock):
    words = b'user\0postgres\0database\0postgres\0\0'
    sock.sendall(struct.pack('!II', 8 + len(words), 196608) + words)
    read_postgresql(sock)


def read_postgresql(sock):
    data = b''
    while not data.endswith(b'Z\0\0\0\5I'):
        part = sock.recv(65536)
        if not part:
            return
        data += part


def query_postgresql(sock, text=b'select 1'):
    sock.sendall(b'Q' + struct.pack('!I', 5 + len(text)) + text + b'\0')


def use_postgresql(sock):
    query_postgresql(sock)
    read_postgresql(sock)


def start_mariadb(sock):
    sock.recv(4096)
    body = struct.pack('<IIB23x', 0x8200 | 0x80000, 1 << 24, 33) + b'lab\0\0mysql_native_password\0'
    sock.sendall(struct.pack('<I', len(body))[:3] + b'\1' + body)
    sock.recv(4096)


def use_mariadb(sock):
    sock.sendall(b'\1\0\0\0\x0e')
    sock.recv(4096)


def nothing(_sock):
    pass


# The keep-alive race, and connections known to be closed

def opened(w, port, start, use):
    sock = call(w, port)
    sock.settimeout(12)
    start(sock)
    use(sock)
    return sock


def read_to_end(sock):
    with contextlib.suppress(OSError):
        while sock.recv(65536):
            pass


def idle_time(w, port, start, use):
    """How long the server leaves a connection idle, as the client sees it."""
    sock = opened(w, port, start, use)
    since = time.monotonic()
    read_to_end(sock)
    return time.monotonic() - since


def race(w, port, use, start=nothing, requests=3, connections=6, limit_now=None):
    """Send the next request while the server's FIN is under way: within the last round trip of its idle time.
    `limit_now`: how long that is from now on, where it depends on the clock."""
    limit = 0 if limit_now else idle_time(w, port, start, use)
    race_or_stale(w)

    def one(share, requests):
        sock = opened(w, port, start, use)
        time.sleep(max(0.0, (limit_now() if limit_now else limit) - share * w.p.delay))
        for _ in range(requests):
            use_late(sock, use)

    threads = [w.background(one, 2 * (i + 0.5) / connections, 1 + i % requests) for i in range(connections)]
    for thread in threads:
        thread.join(20)
    w.settle()


class Half:
    """A socket whose answers nobody waits for."""

    def __init__(self, sock):
        self.sock = sock

    def sendall(self, data):
        self.sock.sendall(data)

    def recv(self, _size):
        return b''


def use_late(sock, use):
    with contextlib.suppress(OSError):
        use(Half(sock))


def stale(w, port, use, start=nothing, connections=2):
    """Leave connections alone until the server has closed them, see that, and use them all the same."""
    race_or_stale(w)
    socks = [opened(w, port, start, use) for _ in range(connections)]
    for sock in socks:
        read_to_end(sock)
    w.sleep(w.rng.uniform(0.2, 1.5))
    for sock in socks:
        use_late(sock, use)
        w.sleep(0.05)
    w.settle()


RACE = {'delay': 0.02}
FAR_RACE = {'delay': 0.04}


@program('data-after-close', tool='nginx', needs=('nginx',), **RACE)
def race_nginx(w):
    services.nginx(w.server, folder(w), 80, f'keepalive_timeout {w.rng.choice((1, 2, 3))}s;')
    race(w, 80, use_http)


@program('data-after-close', tool='haproxy', needs=('haproxy',), **FAR_RACE)
def race_haproxy(w):
    place = folder(w)
    services.http_server(w.server, place, 8000)
    address = services.bracketed(w.server_address)
    services.haproxy(w.server, place, 80, server=f'server one {address}:8000', timeouts=('3s', '5s', '2s'))
    race(w, 80, use_http)


@program('data-after-close', tool='redis', needs=('redis-server',), **FAR_RACE)
def race_redis(w):
    """It counts whole seconds of the wall clock: idle for more than two of them."""
    services.redis(w.server, folder(w), 6379, '--timeout', '2', '--hz', '500')

    def limit_now():
        now = time.time()
        return int(now - w.p.delay) + 3 + w.p.delay - now

    race(w, 6379, use_redis, connections=10, limit_now=limit_now)


@program('?data-after-close', tool='gunicorn', needs=('gunicorn',), **FAR_RACE)
def race_gunicorn(w):
    place = folder(w)
    place.file('app.py', '''
        def app(environ, start_response):
            start_response('200 OK', [('Content-Length', '6')])
            return [b'hello\\n']
        ''')
    services.started(w.server, 8000, 'gunicorn', '-k', 'gthread', '--threads', '20', '--keep-alive', '2', '-b',
                     f'{services.bracketed(w.server_address)}:8000', 'app:app', cwd=place.path)
    race(w, 8000, use_http, connections=10)


NODE_SERVER = """
    const http = require('http');
    const server = http.createServer((q, r) => { q.resume(); r.end('hello\\n'); });
    server.keepAliveTimeout = %d;
    server.listen(+process.argv[2], process.argv[3]);
    """


@program('data-after-close', '?abort', tool='node', aside=True, needs=('node',), **RACE)
def race_node(w):
    services.node_js(w.server, folder(w), 3000, NODE_SERVER % w.rng.choice((1000, 2000, 5000)))
    race(w, 3000, use_http)


UVICORN_APP = '''
    async def app(scope, receive, send):
        if scope['type'] != 'http':
            return
        await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-length', b'6')]})
        await send({'type': 'http.response.body', 'body': b'hello\\n'})
    '''


@program('data-after-close', tool='uvicorn', aside=True, **FAR_RACE)
def race_uvicorn(w):
    place = folder(w)
    place.file('app.py', UVICORN_APP)
    services.started(w.server, 8000, '/usr/bin/python3', '-m', 'uvicorn', '--host', w.server_address, '--port', '8000',
                     '--timeout-keep-alive', '2', '--log-level', 'error', 'app:app', cwd=place.path)
    race(w, 8000, use_http)


@program('data-after-close', tool='postgresql', aside=True, needs=('psql',), **FAR_RACE)
def race_postgresql(w):
    services.postgresql(w.server, folder(w), 5432, 'idle_session_timeout=2s')
    race(w, 5432, use_postgresql, start_postgresql)


@program('?data-after-close', tool='squid', aside=True, needs=('squid',), **FAR_RACE)
def race_squid(w):
    place = folder(w)
    services.nginx(w.server, place, 80)
    services.squid(w.server, place, 3128, 'client_idle_pconn_timeout 2 seconds\n')
    origin = services.bracketed(w.server_address)

    def use_proxy(sock):
        sock.sendall(http_request(f'http://{origin}/index.html'))
        read_http(sock)

    race(w, 3128, use_proxy, connections=10)


NODE_CLIENT = """
    const http = require('http');
    const agent = new http.Agent({keepAlive: true, maxSockets: 1});
    const [host, port, wait] = process.argv.slice(2);
    function get(done) {
        const q = http.get({host, port, path: '/index.html', agent}, r => { r.resume(); r.on('end', done); });
        q.on('error', done);
    }
    get(() => setTimeout(() => get(() => process.exit()), +wait));
    """


@program('data-after-close', tool='node', aside=True, needs=('node', 'nginx'), **FAR_RACE)
def race_node_client_nginx(w):
    """The HTTP agent of Node.js as the client, several of them."""
    place = folder(w)
    services.nginx(w.server, place, 80, 'keepalive_timeout 2s;')
    limit = idle_time(w, 80, nothing, use_http)
    race_or_stale(w)
    script = place.file('client.js', NODE_CLIENT)
    clients = [w.client.popen('node', script, w.server_address, '80', str(int(1000 * (limit - share * w.p.delay))))
               for share in (0.4, 0.7, 1.0, 1.3, 1.6)]
    for client in clients:
        client.wait(20)
    w.settle()


@program('data-after-close', tool='nginx', needs=('nginx',))
def stale_nginx(w):
    services.nginx(w.server, folder(w), 80, f'keepalive_timeout {w.rng.choice((1, 2))}s;')
    stale(w, 80, use_http, connections=3)


@program('?data-after-close', '?abort', tool='apache', needs=('apache2',))
def stale_apache(w):
    """The request comes when it has stopped to linger, two seconds after its FIN."""
    services.apache(w.server, folder(w), 80, 'KeepAliveTimeout 1')
    race_or_stale(w)
    socks = [opened(w, 80, nothing, use_http) for _ in range(3)]
    for sock in socks:
        read_to_end(sock)
    w.sleep(2.6)
    for sock in socks:
        use_late(sock, use_http)
        use_late(sock, use_http)
    w.settle()


@program('data-after-close', tool='node', aside=True, needs=('node',))
def stale_node(w):
    services.node_js(w.server, folder(w), 3000, NODE_SERVER % 1000)
    stale(w, 3000, use_http)


@program('data-after-close', tool='redis', aside=True, needs=('redis-server',))
def stale_redis(w):
    services.redis(w.server, folder(w), 6379, '--timeout', '1')
    stale(w, 6379, use_redis, connections=3)


@program('data-after-close', tool='postgresql', aside=True, needs=('psql',))
def stale_postgresql(w):
    services.postgresql(w.server, folder(w), 5432, 'idle_session_timeout=1s')
    stale(w, 5432, use_postgresql, start_postgresql)


@program('data-after-close', tool='nginx', needs=('nginx',))
def twin_idle_close_then_fin(w):
    """The idle server closes, the client does not race: it closes, too, when the server's socket is long gone."""
    services.nginx(w.server, folder(w), 80, 'keepalive_timeout 1s;')
    w.server.sysctl('ipv4/tcp_fin_timeout', 1)
    socks = [opened(w, 80, nothing, use_http) for _ in range(2)]
    for sock in socks:
        read_to_end(sock)
    w.sleep(2.5)
    for sock in socks:
        sock.close()
    w.settle()


@program('data-after-close', tool='redis', aside=True, needs=('redis-server',))
def twin_idle_close_then_fin_redis(w):
    services.redis(w.server, folder(w), 6379, '--timeout', '1')
    w.server.sysctl('ipv4/tcp_fin_timeout', 1)
    socks = [opened(w, 6379, nothing, use_redis) for _ in range(2)]
    for sock in socks:
        read_to_end(sock)
    w.sleep(2.5)
    for sock in socks:
        sock.close()
    w.settle()


# Who forgets, and who resets, an idle connection

FORGETS = 3     # seconds


def forgetful_gateway(w, node):
    """A router whose conntrack forgets after some seconds, and takes nothing up in mid-stream."""
    node.sysctl('netfilter/nf_conntrack_tcp_loose', 0)
    node.sysctl('netfilter/nf_conntrack_tcp_timeout_established', FORGETS)
    node.sysctl('netfilter/nf_conntrack_tcp_timeout_unacknowledged', FORGETS)


def brackets(w, port, use, start=nothing):
    """Several connections, silent for different times; the gateway has forgotten some of them."""
    shows(w, 'idle-forgotten', 'half-open')
    socks = [(silence, opened(w, port, start, use)) for silence in (0.5, 1.5, 2.3, 4.2, 5.0, 6.5)]
    began = time.monotonic()
    for silence, sock in socks:
        time.sleep(max(0.0, began + silence - time.monotonic()))
        sock.settimeout(1)
        with contextlib.suppress(OSError):
            use(sock)
    w.settle()


def service_behind(w):
    """The server of the path is a gateway that translates to a host behind it."""
    back = behind(w, w.server, 'back', 5)
    same_on_the_wire(w, back)
    return back


NEAR = {'place': 'near-client', 'hops': 2}
FORGOTTEN = Label('half-open', 'idle-expired', (('half-open', 'data'), ('half-open', '-')))


def forgotten(w):
    """Only the gateway's own kernel answers bare here."""
    w.story = lambda packet: FORGOTTEN if packet.sender == 'server' and not packet.seg.flags & ACK else None


@program('half-open', tool='redis', needs=('redis-server', 'conntrack'), **NEAR)
def forgotten_redis(w):
    back = service_behind(w)
    services.redis(back, folder(w), 6379)
    translate(w, w.server, back, port=6379)
    forgetful_gateway(w, w.server)
    forgotten(w)
    brackets(w, 6379, use_redis)


@program('half-open', tool='postgresql', aside=True, needs=('psql',), **NEAR)
def forgotten_postgresql(w):
    back = service_behind(w)
    services.postgresql(back, folder(w), 5432)
    translate(w, w.server, back, port=5432)
    forgetful_gateway(w, w.server)
    forgotten(w)
    brackets(w, 5432, use_postgresql, start_postgresql)


@program('half-open', tool='nginx', needs=('nginx',), **NEAR)
def forgotten_nginx(w):
    back = service_behind(w)
    services.nginx(back, folder(w), 80, 'keepalive_timeout 60s;')
    translate(w, w.server, back, port=80)
    forgetful_gateway(w, w.server)
    forgotten(w)
    brackets(w, 80, use_http)


@program('half-open', tool='node', aside=True, needs=('node',), **NEAR)
def forgotten_push_node(w):
    """The client is behind the NAT, and the server speaks first after the silence: events pushed over a long response."""
    host = private_host(w)
    forgetful_gateway(w, w.client)
    shows(w, 'idle-forgotten', 'half-open')
    services.node_js(w.server, folder(w), 3000, """
        require('http').createServer((q, r) => {
            r.writeHead(200, {'Content-Type': 'text/event-stream'});
            r.write('data: 0\\n\\n');
            setTimeout(() => r.write('data: 1\\n\\n'), +q.url.slice(1));
        }).listen(+process.argv[2], process.argv[3]);
        """)
    for wait in (1000, 2000, 4000, 5500):
        sock = call(w, 3000, node=host)
        sock.sendall(http_request(f'/{wait}'))
    w.story = lambda packet: FORGOTTEN if packet.sender == 'client' and not packet.seg.flags & ACK else None
    w.sleep(6.5)
    w.settle()


@program('half-open', tool='conntrack', place='near-client', hops=2, late_captures=True)
def stray_after_expiry(w):
    """The client's router has forgotten, and lets the client's next segment out as it is: the server's host resets an
    address that it never spoke with."""
    host = private_host(w)
    private = host.addresses[w.p.family]
    w.alias.clear()
    w.end('client', w.client, 'eth0', (*w.client.addresses.values(), *host.addresses.values()))
    add_way_to_private(w, host)
    w.start_captures()
    forgetful_gateway(w, w.client)
    shows(w, 'stray-segment', 'half-open')
    listener = serve(w, w.server, 80)
    client = call(w, node=host)
    server, _ = accept(listener)
    w.exchange(client, server, 3)
    w.sleep(FORGETS + 1.5)
    w.story = lambda packet: Label('half-open', 'data', (('half-open', '-'), ('half-open', 'idle-expired'),
                                                         ('closed-port', 'probe'), ('unacceptable-ack', '-'))) \
        if packet.seg.dst == private else None
    send(client)
    w.settle(0.3)


def silent_for(w, port, times=3, prepare=nothing):
    """Connections that say nothing more, until the server ends each."""
    socks = []
    for _ in range(times):
        sock = call(w, port)
        sock.settimeout(12)
        prepare(sock)
        socks.append(sock)
        w.sleep(0.4)
    for sock in socks:
        read_to_end(sock)
    w.settle()


@program('abort', tool='haproxy', needs=('haproxy',))
def idle_closed_haproxy(w):
    """option nolinger: its timeout ends connections with resets."""
    place = folder(w)
    services.redis(w.server, place, 6379)
    address = services.bracketed(w.server_address)
    services.haproxy(w.server, place, 7000, front='option nolinger', server=f'server one {address}:6379', mode='tcp',
                     timeouts=('2s', '2s', '2s'))
    shows(w, 'idle-closed', 'abort')
    silent_for(w, 7000, prepare=use_redis)


@program('abort', tool='nginx', aside=True, needs=('nginx',))
def idle_closed_nginx(w):
    """reset_timedout_connection: clients that never send their request's end."""
    services.nginx(w.server, folder(w), 80, 'client_header_timeout 2s; reset_timedout_connection on;')
    shows(w, 'idle-closed', 'abort', also='-')
    silent_for(w, 80, prepare=lambda sock: sock.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n'))


@program('abort', tool='node', needs=('node',))
def idle_closed_node(w):
    services.node_js(w.server, folder(w), 3000, """
        require('net').createServer(s => {
            s.on('error', () => {}); s.on('data', d => s.write(d));
            s.setTimeout(1500, () => s.resetAndDestroy());
        }).listen(+process.argv[2], process.argv[3]);
        """)
    shows(w, 'idle-closed', 'abort')
    silent_for(w, 3000, prepare=use_redis)


@program('abort', tool='mariadb', needs=('mariadbd',))
def idle_closed_mariadb(w):
    """wait_timeout: MariaDB says nothing and resets."""
    services.mariadb(w.server, folder(w), 3306, '--wait-timeout=2', '--interactive-timeout=2')
    shows(w, 'idle-closed', 'abort')

    def log_in(sock):
        start_mariadb(sock)
        use_mariadb(sock)

    silent_for(w, 3306, prepare=log_in)


@program('abort', tool='mariadb', aside=True, needs=('mariadbd',), delay=0.04)
def idle_closed_mariadb_crossing(w):
    """The next query crosses that reset, and is answered, too."""
    services.mariadb(w.server, folder(w), 3306, '--wait-timeout=2', '--interactive-timeout=2')
    limit = idle_time(w, 3306, start_mariadb, use_mariadb)
    shows(w, 'idle-closed', 'abort')

    def one(share):
        sock = opened(w, 3306, start_mariadb, use_mariadb)
        time.sleep(max(0.0, limit - share * w.p.delay))
        use_late(sock, use_mariadb)

    for thread in [w.background(one, share) for share in (0.4, 0.8, 1.2, 1.6)]:
        thread.join(20)
    w.settle()


# TLS: the late goodbye, and refusals

def tls(sock, **how):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, value in how.items():
        setattr(context, name, value)
    return keep(context.wrap_socket(sock, server_hostname='www.example.org'))


def late_goodbye(w, port, times=2, **how):
    """The server closes behind its last word; the client says a polite goodbye on that."""
    shows_alert(w, 'late-close-notify', 'data-after-close')
    for turn in range(times):
        version = {'maximum_version': ssl.TLSVersion.TLSv1_2} if turn % 2 == 0 else {}
        sock = tls(call(w, port), **{**version, **how})
        sock.sendall(http_request(close=True))
        read_to_end(sock)
        w.sleep(0.1)
        with contextlib.suppress(OSError):
            sock.unwrap().close()
        w.settle(0.05)


def url(w, port, path='/index.html', scheme='http'):
    return f'{scheme}://{services.bracketed(w.server_address)}:{port}{path}'


@program('data-after-close', tool='nginx', needs=('nginx',))
def goodbye_nginx(w):
    services.nginx(w.server, folder(w), 443, tls=True)
    late_goodbye(w, 443)


@program('?data-after-close', '?abort', tool='curl', needs=('nginx', 'curl'))
def goodbye_curl(w):
    services.nginx(w.server, folder(w), 443, 'keepalive_timeout 0;', tls=True)
    shows_alert(w, 'late-close-notify', 'data-after-close')
    for _ in range(3):
        w.client.run('curl', '-sk', '-o', '/dev/null', url(w, 443, scheme='https'), fail=False)
    w.settle()


@program('data-after-close', tool='haproxy', aside=True, needs=('haproxy',))
def goodbye_haproxy(w):
    place = folder(w)
    cert, key = services.certificate(place)
    with open(cert, encoding='ascii') as a, open(key, encoding='ascii') as b:
        both = place.file('both.pem', a.read() + b.read())
    services.haproxy(w.server, place, 443, bind=f'ssl crt {both}', front='http-request deny deny_status 200')
    late_goodbye(w, 443)


@program('?data-after-close', '?abort', tool='node', aside=True, needs=('node', 'wget'))
def goodbye_wget_node(w):
    place = folder(w)
    cert, key = services.certificate(place)
    services.node_js(w.server, place, 3000, f"""
        const fs = require('fs');
        require('https').createServer({{cert: fs.readFileSync('{cert}'), key: fs.readFileSync('{key}')}}, (q, r) => {{
            r.setHeader('Connection', 'close'); r.end('hello\\n');
        }}).listen(+process.argv[2], process.argv[3]);
        """)
    shows_alert(w, 'late-close-notify', 'data-after-close')
    for _ in range(2):
        w.client.run('wget', '-q', '--no-check-certificate', '-O', '/dev/null', url(w, 3000, scheme='https'), fail=False)
    late_goodbye(w, 3000)


@program('?data-after-close', '?abort', tool='openssl', aside=True, needs=('nginx', 'openssl'))
def goodbye_openssl(w):
    services.nginx(w.server, folder(w), 443, tls=True)
    shows_alert(w, 'late-close-notify', 'data-after-close')
    for version in ('-tls1_2', '-tls1_3'):
        w.client.run('openssl', 's_client', '-quiet', version, '-connect',
                     f'{services.bracketed(w.server_address)}:443', stdin=http_request(close=True).decode(), fail=False)
    w.settle()


@program('data-after-close', tool='nginx', aside=True, needs=('nginx',))
def twin_goodbye_is_a_request(w):
    """After the server's goodbye comes more than a goodbye: another request, a big record."""
    services.nginx(w.server, folder(w), 443, 'keepalive_timeout 0;', tls=True)
    w.pattern = lambda reset: 'stale-connection/-'
    sock = tls(call(w, 443))
    sock.sendall(http_request())
    read_to_end(sock)
    w.sleep(0.1)
    send(sock, 1000)
    w.settle()


@program('?abort', '?data-after-close', tool='curl', needs=('nginx', 'curl'))
def refused_certificate_curl(w):
    """curl does not trust the certificate: unknown CA, and it goes."""
    services.nginx(w.server, folder(w), 443, tls=True)
    shows_alert(w, 'refused-by-tls', 'abort', 'data-after-close')
    for version in ('--tls-max 1.2', '--tls-max 1.3'):
        w.client.run('curl', '-s', '-o', '/dev/null', *version.split(), url(w, 443, scheme='https'), fail=False)
    w.settle()


@program('?abort', '?data-after-close', tool='haproxy', needs=('haproxy',))
def refused_client_certificate_haproxy(w):
    """The server wants a certificate of the client; TLS 1.3 clients have sent their request when they are told."""
    place = folder(w)
    cert, key = services.certificate(place)
    with open(cert, encoding='ascii') as a, open(key, encoding='ascii') as b:
        both = place.file('both.pem', a.read() + b.read())
    services.haproxy(w.server, place, 443, bind=f'ssl crt {both} ca-file {cert} verify required',
                     front='http-request deny deny_status 200')
    refused_late(w, 443)


def refused_late(w, port):
    shows_alert(w, 'refused-by-tls', 'abort', 'data-after-close')
    for size in (0, 3000):
        with contextlib.suppress(OSError):
            sock = tls(call(w, port))
            sock.sendall(http_request('/?' + 'x' * size))
            w.sleep(0.05)
            sock.sendall(http_request())
            read_to_end(sock)
        w.settle(0.05)


@program('?abort', '?data-after-close', tool='python', aside=True)
def refused_client_certificate_python(w):
    place = folder(w)
    cert, key = services.certificate(place)
    services.python(w.server, place, 443, f"""
        import socket, ssl, sys
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain('{cert}', '{key}')
        context.load_verify_locations('{cert}')
        context.verify_mode = ssl.CERT_REQUIRED
        listener = socket.create_server((sys.argv[2], int(sys.argv[1])),
                                        family=socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET)
        while True:
            sock, _ = listener.accept()
            sock.settimeout(3)
            try:
                context.wrap_socket(sock, server_side=True).recv(1000)
            except OSError:
                pass
            sock.close()
        """, w.server_address)
    refused_late(w, 443)


# Answers before the request is in

def upload(w, port, path='/', headers=(), size=2_000_000, pause=0):
    """A client that sends its body without waiting, until somebody stops it."""
    sock = call(w, port)
    sock.settimeout(5)
    with contextlib.suppress(OSError):
        sock.sendall(http_request(path, 'POST', (f'Content-Length: {size}', *headers)))
        for _ in range(40):
            sock.sendall(os.urandom(size // 40))
            time.sleep(pause)
        read_http(sock)
    w.settle()


EARLY = ('abort', 'data-after-close')


@program('?abort', '?data-after-close', tool='nginx', needs=('nginx', 'curl'))
def early_reply_nginx_curl(w):
    """413, a second of reading on, and close."""
    place = folder(w)
    services.nginx(w.server, place, 80, 'client_max_body_size 1k; lingering_time 1s; lingering_timeout 1s;')
    shows(w, 'early-reply', *EARLY)
    big = place.file('body', 'x' * 3_000_000)
    w.client.run('curl', '-s', '-o', '/dev/null', '-H', 'Expect:', '--data-binary', f'@{big}', url(w, 80), fail=False)
    upload(w, 80, pause=0.05)


@program('?abort', '?data-after-close', tool='python')
def early_reply_http_server(w):
    """python3 -m http.server knows no POST: 501, and it closes with the body unread."""
    services.http_server(w.server, folder(w), 8000)
    shows(w, 'early-reply', *EARLY)
    upload(w, 8000, size=w.rng.choice((20_000, 400_000, 1_500_000)))


@program('?abort', '?data-after-close', tool='haproxy', needs=('haproxy',))
def early_reply_haproxy(w):
    services.haproxy(w.server, folder(w), 80, front='http-request deny deny_status 403')
    shows(w, 'early-reply', *EARLY)
    upload(w, 80)
    upload(w, 80, size=50_000)


@program('?abort', '?data-after-close', tool='node', aside=True, needs=('node',))
def early_reply_node(w):
    """401 and destroy(), as upload handlers do."""
    services.node_js(w.server, folder(w), 3000, """
        require('http').createServer((q, r) => {
            q.on('error', () => {});
            r.writeHead(401, {'Content-Length': 0, 'Connection': 'close'});
            r.end(() => q.destroy());
        }).listen(+process.argv[2], process.argv[3]);
        """)
    shows(w, 'early-reply', *EARLY)
    upload(w, 3000)
    upload(w, 3000, size=300_000)


@program('?abort', '?data-after-close', tool='gunicorn', aside=True, needs=('gunicorn',))
def early_reply_gunicorn(w):
    """The application redirects without reading."""
    place = folder(w)
    place.file('app.py', '''
        def app(environ, start_response):
            start_response('302 Found', [('Location', '/login'), ('Content-Length', '0'), ('Connection', 'close')])
            return []
        ''')
    services.started(w.server, 8000, 'gunicorn', '-b', f'{services.bracketed(w.server_address)}:8000', 'app:app',
                     cwd=place.path)
    shows(w, 'early-reply', *EARLY)
    upload(w, 8000)


@program('abort', '?data-after-close', tool='python', aside=True)
def twin_full_reply_then_abort(w):
    """A good answer, 200, and then the server's process dies with the next request unread."""
    services.python(w.server, folder(w), 8000, """
        import os, socket, sys
        listener = socket.create_server((sys.argv[2], int(sys.argv[1])),
                                        family=socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET)
        sock, _ = listener.accept()
        sock.recv(10000)
        sock.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhello')
        import time
        time.sleep(0.6)
        os._exit(1)
        """, w.server_address)
    sock = call(w, 8000)
    use_http(sock)
    w.sleep(0.1)
    sock.sendall(http_request())
    w.sleep(0.8)
    w.settle()


# Clients that go away in the middle of an answer

def shows_cancelled(w):
    w.client.sysctl('ipv4/tcp_rmem', '4096 65536 262144')
    shows(w, 'cancelled-download', 'abort', 'data-after-close')


SLOW_NGINX = 'limit_rate 400k;'


@program('?abort', '?data-after-close', tool='curl', needs=('nginx', 'curl'))
def cancelled_curl_timeout(w):
    services.nginx(w.server, folder(w), 80)
    shows_cancelled(w)
    w.client.run('curl', '-s', '-o', '/dev/null', '--limit-rate', '200k', '-m', str(w.rng.choice((0.5, 1, 1.5))),
                 url(w, 80, '/big.bin'), fail=False)
    w.settle(0.4)


@program('?abort', '?data-after-close', tool='curl', aside=True, needs=('haproxy', 'curl'))
def cancelled_curl_killed(w):
    """SIGKILL in mid-download through HAProxy."""
    place = folder(w)
    services.nginx(w.server, place, 8080, SLOW_NGINX)
    address = services.bracketed(w.server_address)
    services.haproxy(w.server, place, 80, server=f'server one {address}:8080')
    shows_cancelled(w)
    curl = w.client.popen('curl', '-s', '-o', '/dev/null', url(w, 80, '/big.bin'))
    idle(w, 0.5, 1.2)
    services.stop(curl, hard=True)
    w.settle(0.4)


@program('?abort', '?data-after-close', tool='wget', aside=True, needs=('apache2', 'wget'))
def cancelled_wget_interrupted(w):
    services.apache(w.server, folder(w), 80)
    shows_cancelled(w)
    wget = w.client.popen('wget', '-q', '--limit-rate=300k', '-O', '/dev/null', url(w, 80, '/big.bin'))
    idle(w, 0.4, 1.0)
    wget.send_signal(signal.SIGTERM)     # SIGINT is ignored where the lab runs in the background
    wget.wait(5)
    w.settle(0.4)


@program('?abort', '?data-after-close', tool='psql', needs=('psql',))
def cancelled_psql_killed(w):
    """A big result that nobody waits for any more."""
    services.postgresql(w.server, folder(w), 5432)
    shows_cancelled(w)
    query = "select pg_sleep(0.002), repeat('x', 2000) from generate_series(1, 3000)"
    psql = w.client.popen('psql', '-X', '-h', w.server_address, '-U', 'postgres', '-c', query, 'postgres')
    w.sleep(0.7 + 15 * w.p.delay)
    services.stop(psql, hard=True)
    w.settle(0.5)


@program('?abort', '?data-after-close', tool='node', needs=('node', 'nginx'))
def cancelled_node_destroy(w):
    place = folder(w)
    services.nginx(w.server, place, 80)
    shows_cancelled(w)
    script = place.file('client.js', """
        const q = require('http').get(process.argv[2], r => { r.once('data', () => r.pause()); r.on('error', () => {});
            setTimeout(() => q.destroy(), 700); });
        q.on('error', () => {});
        """)
    client = w.client.popen('node', script, url(w, 80, '/big.bin'))
    client.wait(10)
    w.settle(0.4)


@program('abort', tool='python', aside=True, needs=('nginx',))
def cancelled_python_close(w):
    services.nginx(w.server, folder(w), 80, SLOW_NGINX)
    shows_cancelled(w)
    sock = call(w, 80)
    sock.sendall(http_request('/big.bin'))
    for _ in range(3):
        sock.recv(20000)
    w.sleep(0.3)
    sock.close()
    w.settle(0.4)


# Requests without an answer

DIES = """
    import os, socket, struct, sys, time
    listener = socket.create_server((sys.argv[2], int(sys.argv[1])), family=socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET)
    while True:
        sock, _ = listener.accept()
        sock.recv(int(sys.argv[3]))
        time.sleep(float(sys.argv[4]))
        if os.fork() == 0:
            if sys.argv[5] == 'linger':
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        sock.close()
    """


@program('abort', tool='python')
def unanswered_python_linger(w):
    """A worker gives up on a request with a reset."""
    services.python(w.server, folder(w), 8000, DIES.replace('if os.fork() == 0:', 'if True:'), w.server_address, '100000', '0.5',
                    'linger')
    shows(w, 'request-unanswered', 'abort')
    for size in (0, 2000):
        sock = call(w, 8000)
        sock.sendall(http_request('/?' + 'x' * size))
        read_to_end(sock)
    w.settle()


@program('abort', tool='python', aside=True)
def unanswered_python_crash(w):
    """It dies with a part of the body unread."""
    services.python(w.server, folder(w), 8000, DIES.replace('if os.fork() == 0:', 'if False:'), w.server_address, '50', '0.4',
                    'close')
    shows(w, 'request-unanswered', 'abort')
    sock = call(w, 8000)
    sock.sendall(http_request('/', 'POST', ('Content-Length: 3000',)) + os.urandom(3000))
    read_to_end(sock)
    w.settle()


@program('abort', tool='node', needs=('node',))
def unanswered_node(w):
    services.node_js(w.server, folder(w), 3000, """
        require('http').createServer((q, r) => { setTimeout(() => q.socket.resetAndDestroy(), 400); })
            .listen(+process.argv[2], process.argv[3]);
        """)
    shows(w, 'request-unanswered', 'abort')
    for _ in range(2):
        sock = call(w, 3000)
        sock.sendall(http_request())
        read_to_end(sock)
    w.settle()


@program('?abort', '?data-after-close', tool='nginx', aside=True, needs=('nginx',))
def unanswered_nginx_444(w):
    """return 444 with reset_timedout_connection: nginx closes without a word."""
    services.nginx(w.server, folder(w), 80, 'reset_timedout_connection on;', 'location / { return 444; }')
    shows(w, 'request-unanswered', 'abort')
    upload(w, 80, size=20000)
    sock = call(w, 80)
    sock.sendall(http_request())
    read_to_end(sock)
    w.settle()


@program('?abort', '?data-after-close', tool='haproxy', needs=('haproxy',))
def unanswered_haproxy_reject(w):
    services.haproxy(w.server, folder(w), 80, front='http-request reject')
    shows(w, 'request-unanswered', 'abort')
    upload(w, 80, size=100_000)
    sock = call(w, 80)
    sock.sendall(http_request())
    read_to_end(sock)
    w.settle()


@program('?abort', tool='gunicorn', aside=True, needs=('gunicorn',))
def unanswered_gunicorn_killed(w):
    """The worker is killed while at work, with the body unread (the memory's end, as the kernel says)."""
    place = folder(w)
    place.file('app.py', '''
        import os, signal, time
        def app(environ, start_response):
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGKILL)
        ''')
    services.started(w.server, 8000, 'gunicorn', '-b', f'{services.bracketed(w.server_address)}:8000', 'app:app',
                     cwd=place.path)
    shows(w, 'request-unanswered', 'abort')
    sock = call(w, 8000)
    with contextlib.suppress(OSError):
        sock.sendall(http_request('/', 'POST', ('Content-Length: 200000',)) + os.urandom(200000))
    read_to_end(sock)
    w.settle()


# Other languages

def say(w, port, words, more=(), patience=2):
    """Speak to a service, and listen until it ends."""
    sock = call(w, port)
    sock.settimeout(patience)
    with contextlib.suppress(OSError):
        sock.sendall(words)
        for part in more:
            w.sleep(0.1)
            sock.sendall(part)
        read_to_end(sock)
    w.settle(0.1)


def say_tls(w, port):
    sock = call(w, port)
    sock.settimeout(2)
    with contextlib.suppress(OSError, ssl.SSLError):
        tls(sock)
    w.settle(0.1)


WRONG = ('abort', 'data-after-close')


def shows_wrong(w):
    shows(w, 'wrong-protocol', *WRONG)


@program('?abort', '?data-after-close', tool='sshd', needs=('/usr/sbin/sshd',))
def wrong_http_to_sshd(w):
    services.sshd(w.server, folder(w), 22)
    shows_wrong(w)
    say(w, 22, http_request())
    w.client.run('curl', '-s', '-m', '2', url(w, 22), fail=False)
    w.settle(0.2)


@program('?abort', '?data-after-close', tool='sshd', aside=True, needs=('/usr/sbin/sshd',))
def wrong_tls_to_sshd(w):
    services.sshd(w.server, folder(w), 22)
    shows_wrong(w)
    for _ in range(2):
        say_tls(w, 22)
    w.client.run('curl', '-sk', '-m', '2', url(w, 22, scheme='https'), fail=False)
    w.settle(0.2)


@program('?abort', '?data-after-close', tool='redis', needs=('redis-server',))
def wrong_http_to_redis(w):
    services.redis(w.server, folder(w), 6379)
    shows_wrong(w)
    say(w, 6379, http_request())
    say(w, 6379, http_request('/', 'POST', ('Content-Length: 3000',)) + b'x' * 3000, (b'y' * 500,))


@program('?abort', '?data-after-close', tool='postgresql', aside=True, needs=('psql', 'curl'))
def wrong_http_to_postgresql(w):
    services.postgresql(w.server, folder(w), 5432)
    shows_wrong(w)
    say(w, 5432, http_request('/', 'POST', ('Content-Length: 20000',)) + b'x' * 20000)
    w.client.run('curl', '-s', '-m', '2', url(w, 5432), fail=False)
    w.settle(0.2)


@program('?abort', '?data-after-close', tool='mariadb', needs=('mariadbd',))
def wrong_http_to_mariadb(w):
    services.mariadb(w.server, folder(w), 3306)
    shows_wrong(w)
    say(w, 3306, http_request())
    w.client.run('curl', '-s', '-m', '2', url(w, 3306), fail=False)
    w.settle(0.2)


@program('?abort', '?data-after-close', tool='nginx', needs=('nginx',))
def wrong_tls_to_nginx(w):
    """TLS to a plain port: 400 in plain text."""
    services.nginx(w.server, folder(w), 80)
    shows_wrong(w)
    say_tls(w, 80)
    w.client.run('curl', '-sk', '-m', '2', url(w, 80, scheme='https'), fail=False)
    w.settle(0.2)


@program('?abort', '?data-after-close', tool='haproxy', aside=True, needs=('haproxy',))
def wrong_http_to_tls_haproxy(w):
    place = folder(w)
    cert, key = services.certificate(place)
    with open(cert, encoding='ascii') as a, open(key, encoding='ascii') as b:
        both = place.file('both.pem', a.read() + b.read())
    services.haproxy(w.server, place, 443, bind=f'ssl crt {both}', front='http-request deny deny_status 200')
    shows_wrong(w)
    say(w, 443, http_request())
    upload(w, 443, size=100_000)


# Probes

@program('abort', tool='haproxy', needs=('haproxy', 'nginx'))
def check_haproxy_nginx(w):
    """HAProxy on the client's side looks every half second whether the port is open."""
    place = folder(w)
    services.nginx(w.server, place, 80)
    address = services.bracketed(w.server_address)
    shows(w, 'health-check', 'abort', 'handshake-abandoned')
    services.haproxy(w.client, place, 8000, mode='tcp', server=f'server one {address}:80 check inter 500ms fastinter 500ms')
    w.sleep(4)


@program('abort', tool='haproxy', aside=True, needs=('haproxy', 'psql'))
def check_haproxy_postgresql(w):
    place = folder(w)
    services.postgresql(w.server, place, 5432)
    address = services.bracketed(w.server_address)
    shows(w, 'health-check', 'abort', 'handshake-abandoned')
    services.haproxy(w.client, place, 8000, mode='tcp', server=f'server one {address}:5432 check inter 700ms fastinter 700ms')
    w.sleep(5)


def probe(w, port, times, period):
    shows(w, 'health-check', 'abort')
    for _ in range(times):
        sock = call(w, port)
        abort(sock)
        w.sleep(period)


@program('abort', tool='python', needs=('/usr/sbin/sshd',))
def check_linger_sshd(w):
    services.sshd(w.server, folder(w), 22)
    probe(w, 22, 6, 0.5)


@program('abort', tool='python', aside=True, needs=('redis-server',))
def check_linger_redis(w):
    services.redis(w.server, folder(w), 6379)
    probe(w, 6379, 5, 0.8)


@program('handshake-abandoned', tool='nmap', aside=True, needs=('nmap', 'nginx'))
def check_half_open_nmap(w):
    """SYN, SYN/ACK, RST of a raw socket, again and again."""
    services.nginx(w.server, folder(w), 80)
    shows(w, 'health-check', 'handshake-abandoned')
    w.pattern = accepting(w, 'handshake-abandoned', ('handshake-abandoned', 'cancelled'), ('handshake-abandoned', 'syn-scan'))
    for _ in range(5):
        nmap(w, '-sS', '-p', '80')
        w.sleep(0.3)


@program('abort', tool='python')
def twin_server_aborts_new_connections(w):
    """The server crashes on every new connection: it is the other side that resets."""
    listener = serve(w, w.server, 8000)
    for _ in range(4):
        call(w, 8000)
        server, _ = accept(listener)
        abort(server)
        w.sleep(0.4)


@program('abort', tool='ssh', needs=('/usr/sbin/sshd',))
def twin_client_crashes_once(w):
    """A client is killed with the server's banner unread: once, and not to see whether the port is open."""
    services.sshd(w.server, folder(w), 22)
    call(w, 22)
    sock = call(w, 22)
    w.sleep(0.6)
    sock.close()
    w.settle()


# Readers that do not read

def lazy(w, port, words, seconds, buffer=8000):
    """Ask for much, read a little, and then nothing more."""
    sock = w.client.socket(w.family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.settimeout(8)
    sock.connect((w.server_address, port))
    keep(sock)
    sock.sendall(words)
    w.sleep(seconds)
    return sock


@program('abort', tool='nginx', needs=('nginx',))
def slow_reader_nginx(w):
    services.nginx(w.server, folder(w), 80, 'send_timeout 2s; reset_timedout_connection on;')
    shows(w, 'slow-reader', 'abort')
    lazy(w, 80, http_request('/big.bin'), 3)
    w.settle()


@program('?abort', tool='haproxy', needs=('haproxy', 'nginx'))
def slow_reader_haproxy(w):
    place = folder(w)
    services.nginx(w.server, place, 8080)
    address = services.bracketed(w.server_address)
    services.haproxy(w.server, place, 80, front='option nolinger', server=f'server one {address}:8080',
                     timeouts=('2s', '10s', '2s'))
    shows(w, 'slow-reader', 'abort')
    lazy(w, 80, http_request('/big.bin'), 4)
    w.settle()


@program('abort', tool='node', aside=True, needs=('node',))
def slow_reader_node(w):
    services.node_js(w.server, folder(w), 3000, """
        require('http').createServer((q, r) => {
            r.on('error', () => {}); setTimeout(() => q.socket.resetAndDestroy(), 2000);
            r.write(Buffer.alloc(3000000));
        }).listen(+process.argv[2], process.argv[3]);
        """)
    shows(w, 'slow-reader', 'abort')
    lazy(w, 3000, http_request('/big.bin'), 5)
    w.settle()


@program('?abort', '?data-after-close', '?half-open', tool='apache', aside=True, needs=('apache2',))
def slow_reader_apache(w):
    """Its Timeout ends the connection; what the client says after that is answered."""
    services.apache(w.server, folder(w), 80, 'Timeout 2')
    shows(w, 'slow-reader', 'abort', 'half-open')
    w.pattern = accepting(w, 'half-open', ('data-after-close', 'data'))     # its FIN waits behind the closed window
    sock = lazy(w, 80, http_request('/big.bin'), 7)
    send(sock, 100)
    w.settle()


@program('half-open', tool='python')
def slow_reader_user_timeout(w):
    """TCP_USER_TIMEOUT: the kernel gives the closed window up without a word, and knows nothing of the next probe's
    answer or of what the client says."""
    listener = serve(w, w.server, 8000)
    shows(w, 'slow-reader', 'half-open')
    sock = lazy(w, 8000, http_request(), 0)
    server, _ = accept(listener)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1500)
    server.settimeout(0.2)
    with contextlib.suppress(OSError):
        server.sendall(bytes(3_000_000))
    w.sleep(4.5)
    w.story = lambda packet: Label('half-open', 'data', (('half-open', '-'), ('retransmission-timeout', '-')))
    send(sock, 100)
    w.settle()


# Listeners that do not accept

FULL = 4        # connections that wait to be accepted: one more and the queue is full


def at_once(w, port, number):
    """Connections whose SYNs arrive before the first ACK: the listener answers them all, and has room for one."""
    for _ in range(number):
        sock = w.client.socket(w.family)
        sock.setblocking(False)
        sock.connect_ex((w.server_address, port))
        LATE.append(keep(sock))
    w.settle(0.2)


LATE = []


def short_queue(w, abort_on_overflow):
    w.server.sysctl('ipv4/tcp_abort_on_overflow', abort_on_overflow)
    w.server.sysctl('ipv4/tcp_syncookies', 0)
    w.server.sysctl('ipv4/tcp_synack_retries', 1)
    shows(w, 'backlog-overflow', 'handshake-rejected')


def busy_listener(w, port, backlog=FULL):
    """A program that listens and does not accept."""
    listener = w.server.socket(w.family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((w.server_address, port))
    listener.listen(backlog)
    return keep(listener)


def fill(w, port, number=FULL):
    for _ in range(number):
        call(w, port)


OVERFLOW = {'delay': 0.01}


@program('handshake-rejected', tool='python', **OVERFLOW)
def overflow_many(w):
    short_queue(w, 1)
    listener = busy_listener(w, 8000)
    fill(w, 8000)
    at_once(w, 8000, 4)
    for _ in range(3):
        accept(listener)
    at_once(w, 8000, 4)


@program('handshake-rejected', tool='gunicorn', needs=('gunicorn',), **OVERFLOW)
def overflow_gunicorn(w):
    """One synchronous worker, busy, and a short queue."""
    place = folder(w)
    place.file('app.py', '''
        import time
        def app(environ, start_response):
            time.sleep(4)
            start_response('200 OK', [('Content-Length', '0')])
            return []
        ''')
    short_queue(w, 1)
    services.started(w.server, 8000, 'gunicorn', '--backlog', str(FULL), '-b',
                     f'{services.bracketed(w.server_address)}:8000', 'app:app', cwd=place.path)
    call(w, 8000).sendall(http_request())
    w.sleep(0.7)
    fill(w, 8000)
    at_once(w, 8000, 4)
    at_once(w, 8000, 3)


@program('handshake-rejected', tool='node', aside=True, needs=('node',), **OVERFLOW)
def overflow_node(w):
    """The event loop is busy with one request."""
    short_queue(w, 1)
    services.node_js(w.server, folder(w), 3000, """
        const s = require('http').createServer((q, r) => { const t = Date.now() + 3000; while (Date.now() < t); r.end('x'); });
        s.listen(+process.argv[2], process.argv[3], 4);
        """)
    call(w, 3000).sendall(http_request())
    w.sleep(0.3)
    fill(w, 3000)
    at_once(w, 3000, 4)


@program('handshake-rejected', tool='sysctl', **OVERFLOW)
def overflow_slow(w):
    """tcp_abort_on_overflow off, as it is by default: the ACK is ignored, the SYN/ACK repeated, and long after the
    kernel has given that up the client speaks."""
    short_queue(w, 0)
    busy_listener(w, 8000)
    fill(w, 8000)
    at_once(w, 8000, 4)
    w.sleep(6)
    for sock in LATE:
        send(sock, 50)
    w.settle(0.3)


@program('handshake-rejected', tool='sysctl', aside=True, **OVERFLOW)
def overflow_slow_data_at_once(w):
    """The same, and the client sends its request at once: it is dropped and repeated until nobody is left to drop it."""
    short_queue(w, 0)
    busy_listener(w, 8000)
    fill(w, 8000)
    at_once(w, 8000, 4)
    for sock in LATE:
        send(sock, 200)
    w.sleep(9)
    w.settle(0.3)


# Hosts and services that go and come back

def shows_restart(w):
    shows(w, 'host-restarted', 'half-open', 'closed-port', 'abort')


def speak_late(socks, use):
    for sock in socks:
        use_late(sock, use)
        time.sleep(0.03)


def host_restarts(w, port, start_service, use, start=nothing, connections=4):
    """Crash, refusals, and back."""
    shows_restart(w)
    process = start_service()
    socks = [opened(w, port, start, use) for _ in range(connections)]
    w.settle(0.1)

    def die():
        services.stop(process, hard=True)
        kill_servers(w)

    silently(w, w.server, 'server', die)
    speak_late(socks, use)
    for _ in range(2):
        w.sleep(0.1)
        refused(w, port)
    w.sleep(0.3)
    start_service()
    w.sleep(1.5)        # PostgreSQL looks at what the crash has left first
    opened(w, port, start, use)
    w.settle()


def kill_servers(w):
    """Workers and sessions that the master has left behind; tcpdump is none of them."""
    captures = {process.pid for process in w.net.captures}
    inode = os.fstat(w.server.fd).st_ino
    for name in os.listdir('/proc'):
        if name.isdigit() and int(name) not in captures | {os.getpid()}:
            with contextlib.suppress(OSError):
                if os.stat(f'/proc/{name}/ns/net').st_ino == inode:
                    os.kill(int(name), signal.SIGKILL)
    w.sleep(0.1)


@program('half-open', 'closed-port', tool='nginx', needs=('nginx',))
def restarted_host_nginx(w):
    place = folder(w)
    host_restarts(w, 80, lambda: services.nginx(w.server, place, 80), use_http)


@program('half-open', 'closed-port', tool='redis', needs=('redis-server',))
def restarted_host_redis(w):
    place = folder(w)
    host_restarts(w, 6379, lambda: services.redis(w.server, place, 6379), use_redis, connections=6)


@program('half-open', 'closed-port', tool='node', aside=True, needs=('node',))
def restarted_host_node(w):
    place = folder(w)
    host_restarts(w, 3000, lambda: services.node_js(w.server, place, 3000, NODE_SERVER % 60000), use_http)


def postgres_again(w, place):
    with contextlib.suppress(FileNotFoundError):
        os.remove(f'{place.path}/pgdata/postmaster.pid')
    return services.postgresql(w.server, place, 5432)


@program('half-open', 'closed-port', tool='postgresql', aside=True, needs=('psql',))
def restarted_host_postgresql(w):
    place = folder(w)
    host_restarts(w, 5432, lambda: postgres_again(w, place), use_postgresql, start_postgresql)


@program('closed-port', '?abort', '?data-after-close', tool='redis', aside=True, needs=('redis-server',))
def restarted_service_redis(w):
    """The service alone is killed: its kernel says FIN, refuses, and serves again."""
    place = folder(w)
    w.pattern = lambda reset: 'host-restarted' if reset.label.cause in ('closed-port', 'abort') else \
        'host-restarted/stale-connection/-'
    process = services.redis(w.server, place, 6379)
    socks = [opened(w, 6379, nothing, use_redis) for _ in range(4)]
    services.stop(process, hard=True)
    w.settle(0.1)
    speak_late(socks, use_redis)
    refused(w, 6379)
    refused(w, 6379)
    services.redis(w.server, place, 6379)
    opened(w, 6379, nothing, use_redis)
    w.settle()


@program('abort', 'closed-port', tool='python')
def restarted_service_unread(w):
    """A service killed with requests unread and unaccepted: resets, refusals, and back."""
    shows_restart(w)
    place = folder(w)
    script = """
        import socket, sys, time
        listener = socket.create_server((sys.argv[2], int(sys.argv[1])), backlog=20,
                                        family=socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET)
        held = [listener.accept() for _ in range(3)]
        time.sleep(60)
        """
    process = services.python(w.server, place, 8000, script, w.server_address)
    for _ in range(6):
        call(w, 8000).sendall(http_request())
    w.settle(0.1)
    services.stop(process, hard=True)
    w.settle(0.1)
    refused(w, 8000)
    services.python(w.server, place, 8000, script, w.server_address)
    call(w, 8000)
    w.settle()


@program('closed-port', tool='python')
def twin_closed_port_only(w):
    """A service that never was there, asked three times, beside one that works."""
    listener = serve(w, w.server, 80)
    client = call(w, 80)
    w.exchange(client, accept(listener)[0], 2)
    for _ in range(3):
        refused(w, 8080)
        w.sleep(0.3)
    client = call(w, 80)
    w.exchange(client, accept(listener)[0], 2)


# Many at once

def shows_mass(w):
    def pattern(reset):
        me = reset.packet.sender
        ended = {labels.pair_of(p) for p in w.log.packets if p.sender == me and p.seg.flags & (RST | ACK) == RST | ACK}
        return 'mass-abort' if reset.label.cause == 'abort' and len(ended) >= situations.FEW['mass-abort'] else 'mass-abort/-'
    w.pattern = pattern


@program('?abort', '?data-after-close', tool='wrk', needs=('wrk', 'nginx'), delay=0.005)
def mass_wrk_nginx(w):
    services.nginx(w.server, folder(w), 80)
    shows_mass(w)
    wrk = w.client.popen('wrk', '-t1', '-c20', '-d1s', url(w, 80, '/index.html'))
    wrk.wait(15)
    w.settle(0.4)


@program('abort', tool='python', needs=('nginx',))
def mass_python_killed(w):
    """A load generator is killed with answers unread."""
    place = folder(w)
    services.nginx(w.server, place, 80)
    shows_mass(w)
    script = place.file('load.py', f'''
        import socket, time
        socks = []
        for _ in range(30):
            s = socket.create_connection(('{w.server_address}', 80))
            s.sendall(b'GET /index.html HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')
            socks.append(s)
        time.sleep(60)
        ''')
    load = w.client.popen('python3', script)
    w.sleep(1 + 70 * w.p.delay)
    services.stop(load, hard=True)
    w.settle(0.3)


@program('?abort', '?data-after-close', tool='wrk', aside=True, needs=('wrk', 'node'))
def mass_wrk_node_killed(w):
    services.node_js(w.server, folder(w), 3000, NODE_SERVER % 5000)
    shows_mass(w)
    wrk = w.client.popen('wrk', '-t1', '-c20', '-d10s', url(w, 3000))
    w.sleep(1)
    services.stop(wrk, hard=True)
    w.settle(0.4)


@program('?abort', '?data-after-close', '?handshake-abandoned', tool='ab', aside=True, needs=('ab', 'apache2'))
def mass_ab_apache_killed(w):
    services.apache(w.server, folder(w), 80)
    shows_mass(w)
    ab = w.client.popen('ab', '-q', '-c', '16', '-t', '8', '-n', '2000', url(w, 80, '/index.html'))
    w.sleep(0.5)
    services.stop(ab, hard=True)
    w.settle(0.4)


@program('?abort', '?data-after-close', tool='redis', needs=('redis-server', 'redis-benchmark'))
def mass_redis_benchmark_killed(w):
    services.redis(w.server, folder(w), 6379)
    shows_mass(w)
    load = w.client.popen('redis-benchmark', '-h', w.server_address, '-c', '25', '-P', '4', '-n', '1000000', '-t', 'get', '-q')
    w.sleep(0.4 + 5 * w.p.delay)
    services.stop(load, hard=True)
    w.settle(0.4)


@program('?abort', '?data-after-close', tool='pgbench', aside=True, needs=('psql', 'pgbench'), delay=0.005)
def mass_pgbench_killed(w):
    place = folder(w)
    services.postgresql(w.server, place, 5432)
    shows_mass(w)
    work = place.file('work.sql', "select repeat('x', 3000) from generate_series(1, 20);\n")
    load = w.client.popen('pgbench', '-n', '-h', w.server_address, '-U', 'postgres', '-c', '12', '-j', '1', '-T', '20', '-R', '200',
                          '-f', work, 'postgres')
    w.sleep(1.2 + 40 * w.p.delay)
    services.stop(load, hard=True)
    w.settle(0.4)


# Scans

def nmap(w, *words):
    w.client.run('nmap', '-n', '-Pn', '--max-retries', '1', *(['-6'] if w.p.family == 6 else []), *words, w.server_address, fail=False)


def shows_scan(w):
    w.note('client', 'scan')
    def pattern(reset):
        return 'port-scan'
    w.pattern = pattern


@program('closed-port', 'handshake-abandoned', tool='nmap', needs=('nmap',))
def scan_syn(w):
    serve(w, w.server, 80)
    shows_scan(w)
    nmap(w, '-sS', '-p', '70-95')


@program('closed-port', '?abort', tool='nmap', needs=('nmap',))
def scan_connect(w):
    serve(w, w.server, 22)
    shows_scan(w)
    nmap(w, '-sT', '-p', '15-40')


@program('closed-port', tool='nmap', aside=True, needs=('nmap',))
def scan_fin(w):
    serve(w, w.server, 80)
    shows_scan(w)
    nmap(w, '-sF', '-p', '75-90')


@program('closed-port', tool='nmap', aside=True, needs=('nmap',))
def scan_xmas(w):
    serve(w, w.server, 80)
    shows_scan(w)
    nmap(w, '-sX', '-p', '75-90')


@program('closed-port', tool='python', aside=True)
def scan_python(w):
    """connect() to port after port."""
    serve(w, w.server, 25)
    shows_scan(w)
    for port in range(15, 35):
        with contextlib.suppress(OSError):
            call(w, port).close()


# What Linux does by itself

def old_port(w, port=40123):
    sock = w.client.socket(w.family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((w.client_address, port))
    sock.settimeout(5)
    return keep(sock)


@program('time-wait', 'closed-port', tool='kernel')
def syn_into_time_wait(w):
    """The server closed first, its listener has gone, and the client comes back from the same port: an ACK out of
    TIME-WAIT, the client's reset, the same SYN again, and the refusal."""
    into_time_wait(w)


@program('time-wait', 'closed-port', tool='kernel', aside=True, timestamps=0)
def syn_into_time_wait_without_timestamps(w):
    into_time_wait(w)


def into_time_wait(w):
    listener = serve(w, w.server, 80)
    client = old_port(w)
    client.connect((w.server_address, 80))
    server, _ = accept(listener)
    w.exchange(client, server, 2)
    server.close()
    w.settle(0.1)
    client.close()
    w.settle(0.1)
    listener.close()
    w.sleep(0.3)
    try:
        old_port(w).connect((w.server_address, 80))
    except ConnectionRefusedError:
        pass
    else:
        raise AssertionError('not refused')
    w.pattern = accepting(w, 'closed-port', ('time-wait', 'port-reuse'))


@program('abort', tool='kernel')
def fin_then_reset(w):
    """shutdown(), and close() at once with data unread."""
    for size in (100, 5000):
        client, server = opened_pair(w)
        w.exchange(client, server, 2)
        client.sendall(os.urandom(size))
        w.settle(0.05)
        server.shutdown(socket.SHUT_WR)
        server.close()
        w.settle()


@program('abort', tool='node', aside=True, needs=('node',))
def fin_then_reset_node(w):
    """end() and destroy() while data waits unread."""
    services.node_js(w.server, folder(w), 3000, """
        require('net').createServer({pauseOnConnect: true}, s => { s.on('error', () => {});
            setTimeout(() => { s.end('bye'); setTimeout(() => s.destroy(), 5); }, 400); }).listen(+process.argv[2], process.argv[3]);
        """)
    for size in (100, 3000):
        sock = call(w, 3000)
        sock.sendall(os.urandom(size))
        w.sleep(0.7)
    w.settle()


def opened_pair(w, port=8000):
    listener = serve(w, w.server, port)
    client = call(w, port)
    server, _ = accept(listener)
    listener.close()
    return client, server


@contextlib.contextmanager
def path_blocked(w, *senders):
    """What these addresses send as TCP is lost in the middle."""
    rules = '\n'.join(f'{"ip6" if ":" in a else "ip"} saddr {a} meta l4proto tcp drop' for a in senders)
    nft(w.middle, f'table bridge block {{ chain pass {{ type filter hook forward priority 0;\n{rules}\n}}\n}}')
    try:
        yield
    finally:
        w.middle.run('nft', 'delete', 'table', 'bridge', 'block')


GAVE_UP = Label('half-open', 'data', (('half-open', '-'), ('retransmission-timeout', '-')))


@program('half-open', tool='kernel')
def user_timeout(w):
    """TCP_USER_TIMEOUT: given up without a word; the client's next request meets nobody."""
    client, server = opened_pair(w)
    w.exchange(client, server, 3)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1200)
    w.story = lambda packet: GAVE_UP
    with path_blocked(w, w.client_address, w.server_address):
        server.sendall(os.urandom(500))
        w.sleep(4)
    send(client)
    w.settle()


@program('half-open', tool='kernel', aside=True)
def retransmissions_given_up(w):
    """tcp_retries2 is low: the server gives its data up."""
    w.server.sysctl('ipv4/tcp_retries2', 3)
    client, server = opened_pair(w)
    w.exchange(client, server, 3)
    w.story = lambda packet: GAVE_UP
    with path_blocked(w, w.client_address, w.server_address):
        server.sendall(os.urandom(500))
        w.sleep(7 + 20 * w.p.delay)
    send(client)
    w.settle()


@program('half-open', tool='kernel', aside=True)
def retransmissions_given_up_one_way(w):
    """The server's data arrives, again and again; the client's ACKs do not come back."""
    w.server.sysctl('ipv4/tcp_retries2', 3)
    client, server = opened_pair(w)
    w.exchange(client, server, 3)
    w.story = lambda packet: GAVE_UP
    with path_blocked(w, w.client_address):
        server.sendall(os.urandom(500))
        w.sleep(7 + 20 * w.p.delay)
    send(client)
    w.settle()


@program('keepalive-timeout', tool='redis', needs=('redis-server',))
def keepalive_given_up_redis(w):
    """tcp-keepalive 1; what the client says gets lost."""
    services.redis(w.server, folder(w), 6379, '--tcp-keepalive', '1')
    for _ in range(2):
        opened(w, 6379, nothing, use_redis)
    w.settle()
    with path_blocked(w, w.client_address):
        w.sleep(6)
    w.settle()


@program('keepalive-timeout', tool='postgresql', aside=True, needs=('psql',))
def keepalive_given_up_postgresql(w):
    services.postgresql(w.server, folder(w), 5432, 'tcp_keepalives_idle=1', 'tcp_keepalives_interval=1', 'tcp_keepalives_count=2')
    for _ in range(2):
        opened(w, 5432, start_postgresql, use_postgresql)
    w.settle()
    with path_blocked(w, w.client_address):
        w.sleep(5)
    w.settle()


@program('keepalive-timeout', tool='kernel')
def keepalive_given_up_client(w):
    """The client probes; the path is dead in both directions, and alive again when the server speaks."""
    client, server = opened_pair(w)
    w.exchange(client, server, 3)
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 2)):
        client.setsockopt(socket.IPPROTO_TCP, option, value)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with path_blocked(w, w.client_address, w.server_address):
        w.sleep(4.5)
    send(server)
    w.settle()


@program('half-open', tool='kernel', aside=True)
def twin_keepalive_meets_a_crash(w):
    """The server probes a client whose host has crashed and is back: not given up, but answered."""
    client, server = opened_pair(w)
    w.exchange(client, server, 3)
    for option, value in ((socket.TCP_KEEPIDLE, 2), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 2)):
        server.setsockopt(socket.IPPROTO_TCP, option, value)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    silently(w, w.client, 'client', client.close)
    w.sleep(2.5)
    w.settle()


@program('half-open', tool='python', aside=True)
def twin_crash_without_silence(w):
    """A host crashes in the middle of lively talk: no idle connection was forgotten."""
    client, server = opened_pair(w)
    w.exchange(client, server, 6)
    silently(w, w.server, 'server', server.close)
    w.pattern = lambda reset: 'host-restarted/-'
    send(client)
    w.settle(0.3)
