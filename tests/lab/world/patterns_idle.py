# SPDX-License-Identifier: GPL-2.0-or-later
"""What the end of an idle connection does to the next request: keep-alive-race, stale-connection, and their twins. See patterns.py.
Must not know what the plugin says.
"""
import os
import socket

import services
from lookalikes import abort, accept, call, keep, send, serve
from patterns import errors_expected, none_of_these, origin, situation
from programs import (folder, http_request, idle_time, nothing, opened, query_postgresql, race, race_or_stale, read_to_end,
                      stale, start_postgresql, use_http, use_late)

FAR = {'delay': 0.04}


def use_memcached(sock):
    sock.sendall(b'get lab\r\n')
    sock.recv(1000)


# keep-alive-race

@situation('data-after-close', tool='http.server', **FAR)
def keepalive_race_http_server(w):
    """Python's own server with a timeout."""
    services.python(w.server, folder(w), 8000, """
        import http.server, socket, sys
        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version, timeout = 'HTTP/1.1', 2
            def do_GET(self):
                self.send_response(200)
                self.send_header('Content-Length', '6')
                self.end_headers()
                self.wfile.write(b'hello\\n')
            def log_message(self, *args):
                pass
        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET
        Server((sys.argv[2], int(sys.argv[1])), Handler).serve_forever()
        """, w.server_address)
    race(w, 8000, use_http)


PUMA_APP = "run lambda { |env| [200, {'content-length' => '6'}, [\"hello\\n\"]] }\n"


@situation('data-after-close', tool='puma', aside=True, needs=('puma',), **FAR)
def keepalive_race_puma(w):
    services.puma(w.server, folder(w), 9292, PUMA_APP, 'persistent_timeout 2')
    idle_time(w, 9292, nothing, use_http)       # the first one takes its time
    race(w, 9292, use_http)


@situation('data-after-close', tool='varnish', aside=True, needs=('varnishd',), **FAR)
def keepalive_race_varnish(w):
    place = folder(w)
    services.nginx(w.server, place, 8080)
    services.varnish(w.server, place, 6081, origin(w, 8080), 'timeout_idle=2')
    race(w, 6081, use_http, connections=10)


def through(w, port):
    """A request to the proxy on the client's own host, which has connections of its own to the server."""
    sock = keep(w.client.socket(w.family))
    sock.settimeout(5)
    with errors_expected():
        sock.connect((w.client_address, port))
        use_http(sock)
    sock.close()


def race_through(w, port, limit):
    """The proxy's connections to the server are reused when the server is about to close them."""
    race_or_stale(w)
    for share in (0.5, 0.9, 1.2, 1.6):
        through(w, port)
        w.sleep(limit - share * w.p.delay)
        through(w, port)
        w.sleep(0.3)


NODE_SLOW_CLOSE = """
    const http = require('http');
    const server = http.createServer((q, r) => { q.resume(); r.end('hello\\n'); });
    server.keepAliveTimeout = 2000;
    server.listen(+process.argv[2], process.argv[3]);
    """


@situation('data-after-close', '?abort', tool='nginx', needs=('nginx', 'node'), **FAR)
def keepalive_race_nginx_upstream(w):
    """nginx as a reverse proxy keeps its connections to Node.js: the 502 of many a deployment."""
    place = folder(w)
    services.node_js(w.server, place, 3000, NODE_SLOW_CLOSE)
    services.nginx(w.client, place, 8080, f'upstream app {{ server {origin(w, 3000)}; keepalive 8; }}',
                   'location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }')
    idle_time(w, 3000, nothing, use_http)       # the first one takes its time
    race_through(w, 8080, idle_time(w, 3000, nothing, use_http))


@situation('data-after-close', tool='haproxy', aside=True, needs=('nginx', 'haproxy'), **FAR)
def keepalive_race_haproxy_upstream(w):
    """HAProxy keeps its connections to nginx."""
    place = folder(w)
    services.nginx(w.server, place, 80, 'keepalive_timeout 2s;')
    services.haproxy(w.client, place, 8080, backend='http-reuse always', server=f'server one {origin(w, 80)}')
    race_through(w, 8080, idle_time(w, 80, nothing, use_http))


@situation('?data-after-close', '?abort', tool='nginx', needs=('nginx',), **FAR)
def not_race_close_without_silence(w):
    """`Connection: close` was asked for, and a second request follows at once: it meets a closed socket, but nothing had
    been idle."""
    services.nginx(w.server, folder(w), 80, 'keepalive_timeout 0; lingering_close off;')
    none_of_these(w)
    for pause in (0.2, 0.6, 1.2):
        sock = call(w, 80)
        use_http(sock) if pause > 1 else sock.sendall(http_request())
        w.sleep(pause * 2 * w.p.delay)
        use_late(sock, use_http)
        use_late(sock, use_http)
        w.settle()


@situation(tool='lighttpd', aside=True, needs=('lighttpd',))
def not_race_client_says_nothing(w):
    """The idle server closes, the client closes in order: nothing is reset at all."""
    services.lighttpd(w.server, folder(w), 80, 'server.max-keep-alive-idle = 1')
    socks = [opened(w, 80, nothing, use_http) for _ in range(3)]
    for sock in socks:
        read_to_end(sock)
        w.sleep(0.05)
        sock.close()
    w.settle()


@situation('data-after-close', tool='python', **FAR)
def not_race_service_stops_while_busy(w):
    """The server ends in the middle of a lively dialogue, and the next request was on its way."""
    listener = serve(w, w.server, 8000)
    none_of_these(w)
    for _ in range(3):
        client = call(w, 8000)
        server, _ = accept(listener)
        w.exchange(client, server, 5)
        w.background(lambda s=server: s.close())
        send(client, 200)
        send(client, 200)
        w.settle(0.2)


@situation('abort', tool='nginx', aside=True, needs=('nginx',), **FAR)
def not_race_client_resets_idle(w):
    """The server closes an idle connection, and the client, which has said nothing more, resets it."""
    services.nginx(w.server, folder(w), 80, 'keepalive_timeout 2s;')
    none_of_these(w)
    for _ in range(2):
        sock = opened(w, 80, nothing, use_http)
        read_to_end(sock)
        w.sleep(0.2)
        abort(sock)
    w.settle()


# stale-connection

HTTP_CLIENT = """
    import http.client, sys, time
    host, port, wait = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    c = http.client.HTTPConnection(host, port)
    for pause in (wait, 0):
        try:
            c.request('GET', '/index.html')
            c.getresponse().read()
        except OSError:
            pass
        time.sleep(pause)
    """


def http_client(w, place, port, wait):
    """Python's http.client, which never looks whether its connection is still there."""
    script = place.file('client.py', HTTP_CLIENT)
    race_or_stale(w)
    for extra in (0, 0.7):
        w.client.run('python3', script, w.server_address, str(port), str(wait + extra))
    w.settle()


@situation('data-after-close', tool='lighttpd', needs=('lighttpd',))
def stale_http_client_lighttpd(w):
    """It lingers for some seconds after its FIN."""
    place = folder(w)
    services.lighttpd(w.server, place, 80, 'server.max-keep-alive-idle = 1')
    http_client(w, place, 80, 9)


@situation('data-after-close', tool='puma', aside=True, needs=('puma',))
def stale_http_client_puma(w):
    place = folder(w)
    services.puma(w.server, place, 9292, PUMA_APP, 'persistent_timeout 2')
    http_client(w, place, 9292, 3.5)


@situation('data-after-close', tool='psql', needs=('psql',))
def stale_psql(w):
    """psql left open over a cup of coffee."""
    services.postgresql(w.server, folder(w), 5432, 'idle_session_timeout=2s')
    race_or_stale(w)
    psql = w.client.popen('sh', '-c', f'(echo "select 1;"; sleep 4; echo "select 2;"; sleep 1) | psql -X -q -h {w.server_address} '
                          '-U postgres postgres')
    psql.wait(20)
    w.settle()


@situation('?data-after-close', '?abort', tool='pgbouncer', aside=True, needs=('pgbouncer',))
def stale_pgbouncer(w):
    """A transaction that is left open."""
    place = folder(w)
    conf = place.file('pgbouncer.ini', f"""
        [databases]
        postgres = host={w.server_address} port=5432 user=postgres
        [pgbouncer]
        listen_addr = {w.server_address}
        listen_port = 6432
        unix_socket_dir =
        auth_type = any
        idle_transaction_timeout = 2
        """)
    services.postgresql(w.server, place, 5432)
    os.chmod(place.path, 0o755)
    services.started(w.server, 6432, 'runuser', '-u', 'postgres', '--', '/usr/sbin/pgbouncer', conf)
    stale(w, 6432, begin, start_postgresql)


def begin(sock):
    query_postgresql(sock, b'begin')
    sock.recv(65536)


@situation('data-after-close', tool='memcached', aside=True, needs=('memcached',))
def stale_memcached(w):
    services.memcached(w.server, folder(w), 11211, '-o', 'idle_timeout=2')
    stale(w, 11211, use_memcached, connections=3)


@situation('data-after-close', tool='python')
def not_stale_half_close(w):
    """The server has said all and shut its side down at once; the client sends on, as it may, until the server's
    process has gone. Nothing was idle."""
    listener = serve(w, w.server, 8000)
    none_of_these(w, 'early-reply')
    for _ in range(2):
        client = call(w, 8000)
        server, _ = accept(listener)
        w.exchange(client, server, 3)
        server.shutdown(socket.SHUT_WR)
        for _ in range(5):
            send(client, 300)
            server.recv(65536)
            w.sleep(0.03)
        server.close()
        for _ in range(2):
            send(client, 300)
            w.sleep(0.03)
        w.settle()


@situation('data-after-close', tool='memcached', aside=True, needs=('memcached',))
def not_stale_quit_and_more(w):
    """`quit` makes the server close at once; the client, which asked for it, had one more command."""
    services.memcached(w.server, folder(w), 11211)
    none_of_these(w)
    for _ in range(2):
        sock = opened(w, 11211, nothing, use_memcached)
        sock.sendall(b'quit\r\n')
        w.sleep(0.02 + 2.2 * w.p.delay)
        use_late(sock, use_memcached)
        w.settle()
