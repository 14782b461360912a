# SPDX-License-Identifier: GPL-2.0-or-later
"""What is seen over several connections only: health-check, backlog-overflow, host-restarted, mass-abort, port-scan,
and their twins. See patterns.py.
Must not know what the plugin says.
"""
import os
import signal

import services
from lookalikes import abort, accept, call, flush, keep, refused, serve, translate
from patterns import none_of_these, origin, situation
from patterns_forgotten import start_mqtt, use_mqtt
from patterns_idle import use_memcached
from programs import (FULL, NEAR, OVERFLOW, at_once, fill, folder, forgotten, host_restarts, nmap, nothing, opened, read_to_end,
                      service_behind, short_queue, shows, shows_mass, shows_scan, url, use_http, use_late, use_redis)


# health-check

@situation('abort', tool='node', needs=('node', 'memcached'))
def check_node_memcached(w):
    """A script that opens the port twice a second and destroys the socket."""
    place = folder(w)
    services.memcached(w.server, place, 11211)
    shows(w, 'health-check', 'abort')
    script = place.file('check.js', """
        const net = require('net');
        let n = 0;
        const t = setInterval(() => {
            const s = net.connect(11211, process.argv[2], () => s.resetAndDestroy());
            s.on('error', () => {});
            if (++n == 7) clearInterval(t);
        }, 500);
        """)
    w.client.run('node', script, w.server_address)
    w.settle()


@situation('abort', tool='haproxy', needs=('haproxy', 'memcached'))
def check_haproxy_memcached(w):
    place = folder(w)
    services.memcached(w.server, place, 11211)
    shows(w, 'health-check', 'abort', 'handshake-abandoned')
    services.haproxy(w.client, place, 8000, mode='tcp', server=f'server one {origin(w, 11211)} check inter 600ms fastinter 600ms')
    w.sleep(5)


@situation('abort', tool='python', aside=True, needs=('lighttpd',))
def check_kubelet_lighttpd(w):
    """As kubelet's tcpSocket probe: connect, SO_LINGER 0, close, once a second; clients come in between."""
    services.lighttpd(w.server, folder(w), 80)
    shows(w, 'health-check', 'abort')
    for turn in range(6):
        abort(call(w, 80))
        w.sleep(0.4)
        if turn % 2:
            sock = opened(w, 80, nothing, use_http)
            sock.close()
        w.sleep(0.6)


@situation('abort', tool='haproxy', aside=True, needs=('haproxy', 'lighttpd'))
def check_haproxy_lighttpd(w):
    place = folder(w)
    services.lighttpd(w.server, place, 80)
    shows(w, 'health-check', 'abort', 'handshake-abandoned')
    services.haproxy(w.client, place, 8000, mode='tcp', server=f'server one {origin(w, 80)} check inter 800ms fastinter 800ms')
    w.sleep(6)


@situation('abort', tool='nginx', needs=('nginx',))
def not_check_crash_loop(w):
    """A client that starts again and again, asks, and crashes with the answer taken: it did want something."""
    services.nginx(w.server, folder(w), 80)
    none_of_these(w)
    for _ in range(5):
        sock = opened(w, 80, nothing, use_http)
        w.settle(0.1)
        abort(sock)
        w.sleep(0.5)


@situation('abort', tool='node', aside=True, needs=('node',))
def not_check_server_resets(w):
    """The service resets whoever comes, before a word is said."""
    services.node_js(w.server, folder(w), 3000, """
        require('net').createServer(s => setTimeout(() => s.resetAndDestroy(), 100)).listen(+process.argv[2], process.argv[3]);
        """)
    none_of_these(w)
    for _ in range(5):
        sock = call(w, 3000)
        read_to_end(sock)
        w.sleep(0.5)


@situation('abort', tool='python')
def not_check_once(w):
    """One client changes its mind, once; another talks."""
    listener = serve(w, w.server, 8000)
    none_of_these(w)
    w.exchange(call(w, 8000), accept(listener)[0], 3)
    abort(call(w, 8000))
    accept(listener)
    w.exchange(call(w, 8000), accept(listener)[0], 3)
    w.settle()


@situation('abort', tool='python', aside=True)
def not_check_pool_let_go(w):
    """Connections opened in advance and never used, let go all at once: no period, no probe."""
    listener = serve(w, w.server, 8000)
    none_of_these(w, 'mass-abort')
    socks = []
    for _ in range(4):
        socks.append(call(w, 8000))
        accept(listener)
    w.sleep(3)
    for sock in socks:
        abort(sock)
    w.settle()


# backlog-overflow

@situation('handshake-rejected', tool='lighttpd', needs=('lighttpd',), **OVERFLOW)
def overflow_lighttpd(w):
    """It hangs, and its queue is short."""
    short_queue(w, 1)
    server = services.lighttpd(w.server, folder(w), 80, f'server.listen-backlog = {FULL}')
    server.send_signal(signal.SIGSTOP)
    fill(w, 80)
    at_once(w, 80, 5)
    w.sleep(0.3)
    at_once(w, 80, 3)


@situation('handshake-rejected', tool='memcached', aside=True, needs=('memcached',), **OVERFLOW)
def overflow_memcached(w):
    short_queue(w, 1)
    server = services.memcached(w.server, folder(w), 11211, '-b', str(FULL))
    server.send_signal(signal.SIGSTOP)
    fill(w, 11211)
    at_once(w, 11211, 5)
    w.sleep(0.5)
    at_once(w, 11211, 4)


@situation('handshake-rejected', tool='ruby', aside=True, needs=('ruby',), **OVERFLOW)
def overflow_ruby(w):
    short_queue(w, 1)
    script = folder(w).file('server.rb', f"""
        require 'socket'
        server = TCPServer.new(ARGV[1], ARGV[0].to_i)
        server.listen({FULL})
        sleep 30
        """)
    services.started(w.server, 8000, 'ruby', script, '8000', w.server_address)
    fill(w, 8000)
    at_once(w, 8000, 6)


def listener_goes(w, port):
    """A listener that closes between its SYN/ACK and the client's ACK: one handshake is lost."""
    listener = serve(w, w.server, port)
    call(w, port).close()       # from now on both know the other's link address
    accept(listener)[0].close()
    w.settle(0.1)
    client = keep(w.client.socket(w.family))
    client.setblocking(False)
    client.connect_ex((w.server_address, port))
    w.sleep(1.5 * w.p.delay)
    listener.close()
    w.settle(0.1)


@situation('handshake-rejected', tool='python', delay=0.04)
def not_overflow_listener_goes(w):
    none_of_these(w)
    listener_goes(w, 8000)


@situation('handshake-rejected', tool='python', aside=True, delay=0.04)
def not_overflow_two_ports(w):
    """Twice, at two ports, seconds apart."""
    none_of_these(w)
    listener_goes(w, 8000)
    w.sleep(3)
    listener_goes(w, 9000)


# host-restarted

@situation('half-open', 'closed-port', tool='memcached', needs=('memcached',))
def restarted_host_memcached(w):
    place = folder(w)
    host_restarts(w, 11211, lambda: services.memcached(w.server, place, 11211), use_memcached, connections=5)


@situation('half-open', 'closed-port', tool='mosquitto', aside=True, needs=('mosquitto',))
def restarted_host_mosquitto(w):
    place = folder(w)
    host_restarts(w, 1883, lambda: services.mosquitto(w.server, place, 1883), use_mqtt, start_mqtt)


def service_restarts(w, port, start_service, use):
    """It hangs with requests unread, is killed, refuses, and comes back. Each of those requests is unanswered, too."""
    w.pattern = lambda reset: {'closed-port': 'host-restarted', 'abort': 'host-restarted/request-unanswered/mass-abort'}.get(
        reset.label.cause, 'host-restarted/-')
    process = start_service()
    socks = [opened(w, port, nothing, use) for _ in range(5)]
    process.send_signal(signal.SIGSTOP)
    for sock in socks:
        use_late(sock, use)
    w.sleep(0.5)
    w.settle(0.1)
    services.stop(process, hard=True)
    w.settle(0.1)
    for _ in range(3):
        refused(w, port)
        w.sleep(0.2)
    start_service()
    opened(w, port, nothing, use)
    w.settle()


@situation('abort', 'closed-port', tool='lighttpd', needs=('lighttpd',))
def restarted_service_lighttpd(w):
    place = folder(w)
    service_restarts(w, 80, lambda: services.lighttpd(w.server, place, 80), use_http)


def use_beanstalk(sock):
    sock.sendall(b'list-tube-used\r\n')
    sock.recv(100)


@situation('abort', 'closed-port', tool='beanstalkd', aside=True, needs=('beanstalkd',))
def restarted_service_beanstalkd(w):
    place = folder(w)
    service_restarts(w, 11300, lambda: services.beanstalkd(w.server, place, 11300), use_beanstalk)


@situation('closed-port', tool='memcached', needs=('memcached',))
def not_restarted_gone_for_good(w):
    """A service is stopped in order, with one client, and never comes back."""
    server = services.memcached(w.server, folder(w), 11211)
    none_of_these(w)
    sock = opened(w, 11211, nothing, use_memcached)
    services.stop(server)
    read_to_end(sock)
    sock.close()
    for _ in range(4):
        refused(w, 11211)
        w.sleep(0.4)


@situation('half-open', 'closed-port', tool='conntrack', aside=True, needs=('conntrack',), **NEAR)
def not_restarted_another_port(w):
    """The gateway loses one connection; the service behind it works on, and a port beside it never was open."""
    back = service_behind(w)
    services.redis(back, folder(w), 6379)
    translate(w, w.server, back, port=6379)
    w.server.sysctl('netfilter/nf_conntrack_tcp_loose', 0)
    forgotten(w)
    none_of_these(w)
    sock = opened(w, 6379, nothing, use_redis)
    other = opened(w, 6379, nothing, use_redis)
    other.close()
    refused(w, 8080)
    flush(w.server)
    use_late(sock, use_redis)
    w.settle(0.1)
    use_redis(call(w, 6379))
    w.settle()


# mass-abort

@situation('?abort', '?data-after-close', tool='siege', needs=('siege', 'nginx'))
def mass_siege_killed(w):
    """A load test is killed in the middle: each connection had a download on its way."""
    place = folder(w)
    services.nginx(w.server, place, 80, 'limit_rate 200k;')
    shows_mass(w)
    mass = w.pattern
    w.pattern = lambda reset: mass(reset) + '/cancelled-download'
    siege = w.client.popen('siege', '-q', '-b', '-c', '20', '-t', '20S', url(w, 80, '/big.bin'), env={**os.environ, 'HOME': place.path})
    w.sleep(2 + 10 * w.p.delay)
    services.stop(siege, hard=True)
    w.settle(0.4)


@situation('abort', tool='python', needs=('memcached',))
def mass_pool_reset(w):
    """A program's pool of 20 connections is reset at its end; nothing was under way."""
    services.memcached(w.server, folder(w), 11211)
    shows_mass(w)
    socks = [opened(w, 11211, nothing, use_memcached) for _ in range(20)]
    w.settle(0.3)
    for sock in socks:
        abort(sock)
    w.settle()


@situation('abort', tool='node', aside=True, needs=('node', 'lighttpd'))
def mass_node_pool(w):
    """The same of Node.js, after a request on each."""
    place = folder(w)
    services.lighttpd(w.server, place, 80)
    shows_mass(w)
    script = place.file('load.js', """
        const net = require('net'), socks = [];
        for (let i = 0; i < 25; i++) {
            const s = net.connect(80, process.argv[2], () => s.write('GET /index.html HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'));
            s.on('data', () => {}); s.on('error', () => {});
            socks.push(s);
        }
        setTimeout(() => { socks.forEach(s => s.resetAndDestroy()); }, 1500);
        """)
    w.client.run('node', script, w.server_address)
    w.settle(0.3)


@situation('?abort', '?data-after-close', tool='h2load', aside=True, needs=('h2load', 'nginx'), delay=0.04)
def mass_h2load_killed(w):
    place = folder(w)
    services.nginx(w.server, place, 80)
    w.client.sysctl('ipv4/tcp_rmem', '4096 16384 16384')     # or the captures would be big
    shows_mass(w)
    mass = w.pattern
    w.pattern = lambda reset: mass(reset) + '/cancelled-download'
    load = w.client.popen('h2load', '--h1', '-c', '20', '-n', '40', url(w, 80, '/big.bin'))
    w.sleep(1.2)
    services.stop(load, hard=True)
    w.settle(0.4)


@situation('abort', tool='python')
def not_mass_one_by_one(w):
    """One client resets seven connections, each when its work is done: no end of anything."""
    listener = serve(w, w.server, 8000)
    none_of_these(w)
    for _ in range(7):
        client = call(w, 8000)
        w.exchange(client, accept(listener)[0], 2)
        w.settle(0.05)
        abort(client)
        w.sleep(0.6)


@situation('abort', tool='python', aside=True)
def not_mass_two(w):
    """Two connections of one client end together, as those of a program with two of them do."""
    listener = serve(w, w.server, 8000)
    none_of_these(w)
    pairs = []
    for _ in range(2):
        client = call(w, 8000)
        pairs.append((client, accept(listener)[0]))
        w.exchange(*pairs[-1], 2)
    w.settle(0.05)
    for client, _ in pairs:
        abort(client)
    w.settle()


# port-scan

@situation('closed-port', '?abort', tool='curl', needs=('curl',))
def scan_curl(w):
    """A loop over ports with curl."""
    serve(w, w.server, 1000)
    shows_scan(w)
    for port in range(990, 1010):
        w.client.run('curl', '-s', '-m', '0.5', '-o', '/dev/null', url(w, port), fail=False)


@situation('closed-port', 'handshake-abandoned', tool='nmap', needs=('nmap',))
def scan_well_known(w):
    """nmap -F: a hundred ports in its own order, two of them open."""
    serve(w, w.server, 80)
    serve(w, w.server, 443)
    shows_scan(w)
    nmap(w, '-sS', '-F')


@situation('closed-port', tool='nmap', aside=True, needs=('nmap',))
def scan_null(w):
    serve(w, w.server, 80)
    shows_scan(w)
    nmap(w, '-sN', '-p', '75-92')


@situation('closed-port', tool='node', aside=True, needs=('node',))
def scan_node(w):
    """All at once, from a script."""
    place = folder(w)
    serve(w, w.server, 2010)
    shows_scan(w)
    script = place.file('scan.js', """
        const net = require('net');
        for (let port = 2000; port < 2025; port++) {
            const s = net.connect(port, process.argv[2], () => s.destroy());
            s.on('error', () => {});
        }
        """)
    w.client.run('node', script, w.server_address)
    w.settle()


@situation('closed-port', tool='python')
def not_scan_one_port(w):
    """A client that will not believe that its service is down: one port, eight times."""
    none_of_these(w)
    for _ in range(8):
        refused(w, 5432)
        w.sleep(0.3)


@situation('closed-port', tool='python', aside=True)
def not_scan_three_ports(w):
    """A program that knows three places where its service may be."""
    none_of_these(w)
    for port in (443, 80, 8080):
        refused(w, port)
        w.sleep(0.1)
    listener = serve(w, w.server, 8443)
    w.exchange(call(w, 8443), accept(listener)[0], 2)
    w.settle()
