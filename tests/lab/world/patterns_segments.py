# SPDX-License-Identifier: GPL-2.0-or-later
"""What single segments show: slow-reader, stray-segment, and their twins. See patterns.py.
Must not know what the plugin says.
"""
import os
import socket

import services
from lookalikes import abort, accept, by_stray, call, keep, macs_of, numbers, private_host, raw_segment, send, serve, silently
from patterns import none_of_these, situation
from programs import NEAR, folder, http_request, lazy, path_blocked, query_postgresql, shows, start_postgresql, tls
from truth import Label


# slow-reader

@situation('?abort', '?data-after-close', '?half-open', tool='lighttpd', needs=('lighttpd',))
def slow_reader_lighttpd(w):
    """max-write-idle: it closes with its data unsent, and answers what the client says afterwards."""
    services.lighttpd(w.server, folder(w), 80, 'server.max-write-idle = 2\nserver.max-keep-alive-idle = 2')
    shows(w, 'slow-reader', 'abort', 'half-open', 'data-after-close')
    sock = lazy(w, 80, http_request('/big.bin'), 11)
    send(sock, 100)
    w.settle()


@situation('half-open', tool='postgresql', needs=('psql',))
def slow_reader_postgresql(w):
    """tcp_user_timeout: the kernel gives the closed window up in silence; what the client says then is answered bare."""
    services.postgresql(w.server, folder(w), 5432, 'tcp_user_timeout=1500')
    shows(w, 'slow-reader', 'half-open')
    sock = w.client.socket(w.family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8000)
    sock.settimeout(5)
    sock.connect((w.server_address, 5432))
    start_postgresql(keep(sock))
    query_postgresql(sock, b"select repeat('x', 2000) from generate_series(1, 5000)")
    w.sleep(5 + 10 * w.p.delay)
    w.story = lambda packet: Label('half-open', 'data', (('half-open', '-'), ('retransmission-timeout', '-')))
    send(sock, 100)
    w.settle()


@situation('abort', tool='ruby', aside=True, needs=('ruby',))
def slow_reader_ruby(w):
    place = folder(w)
    script = place.file('server.rb', """
        require 'socket'
        server = TCPServer.new(ARGV[1], ARGV[0].to_i)
        loop do
          s = server.accept
          s.readpartial(2000)
          data = 'x' * 3_000_000
          while s.wait_writable(2)
            data = data[s.write_nonblock(data)..]
          end
          s.setsockopt(Socket::SOL_SOCKET, Socket::SO_LINGER, [1, 0].pack('ii'))
          s.close
        end
        """)
    services.started(w.server, 8000, 'ruby', '-rio/wait', script, '8000', w.server_address)
    shows(w, 'slow-reader', 'abort')
    lazy(w, 8000, http_request(), 4.5)
    w.settle()


@situation('abort', tool='stunnel', aside=True, needs=('stunnel4', 'nginx'))
def slow_reader_stunnel(w):
    """TIMEOUTidle runs while the client's window is closed."""
    place = folder(w)
    services.nginx(w.server, place, 8080)
    services.stunnel(w.server, place, 443, f'{w.server_address}:8080', 'TIMEOUTidle = 2')
    shows(w, 'slow-reader', 'abort')
    plain = keep(w.client.socket(w.family))
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8000)
    plain.settimeout(5)
    plain.connect((w.server_address, 443))
    tls(plain).sendall(http_request('/big.bin'))
    w.sleep(5)
    w.settle()


@situation('abort', tool='python')
def not_slow_it_read_on(w):
    """The window closes for a while, and opens again; all is read. Later the server resets for a reason of its own."""
    listener = serve(w, w.server, 8000)
    none_of_these(w)
    sock = lazy(w, 8000, http_request(), 0)
    server, _ = accept(listener)
    server.recv(5000)
    thread = w.background(server.sendall, bytes(200_000))
    w.sleep(1.2)
    got = 0
    while got < 200_000:
        got += len(sock.recv(65536))
    thread.join(5)
    w.settle(0.3)
    w.exchange(sock, server, 2)
    w.settle(0.2)
    abort(server)
    w.settle()


@situation('abort', tool='nginx', aside=True, needs=('nginx',))
def not_slow_reader_leaves(w):
    """The client's window is closed, and it is the client that goes."""
    services.nginx(w.server, folder(w), 80)
    none_of_these(w, 'cancelled-download')
    sock = lazy(w, 80, http_request('/big.bin'), 2)
    abort(sock)
    w.settle(0.4)


# stray-segment

def stray(w, host, listener, segments=1):
    """The server's old data, far outside the window, meets the client's router, which does not translate it."""
    client = call(w, node=host)
    server, _ = accept(listener)
    w.exchange(client, server, 3)
    snd_nxt, rcv_nxt = numbers(w, server)
    local, peer = server.getsockname()[:2], server.getpeername()[:2]
    for i in range(segments):
        away = w.rng.choice((3_000_000, 20_000_000)) + 1000 * i
        raw_segment(w, w.server, macs_of(w, w.server, peer[0]), local[0], peer[0], local[1], peer[1], snd_nxt + away, rcv_nxt,
                    os.urandom(w.rng.randrange(20, 1200)))
    w.settle(0.2)
    send(client)
    w.settle(0.3)


@situation('half-open', tool='iptables', needs=('iptables', 'ip6tables'), **NEAR)
def stray_iptables(w):
    """MASQUERADE of iptables: what conntrack calls INVALID stays as it is."""
    host = private_host(w)
    w.client.run('nft', 'flush', 'ruleset')
    w.client.run('ip6tables' if w.p.family == 6 else 'iptables', '-t', 'nat', '-A', 'POSTROUTING', '-o', 'eth0', '-j', 'MASQUERADE')
    by_stray(w)
    stray(w, host, serve(w, w.server, 80))


@situation('half-open', tool='conntrack', aside=True, **NEAR)
def stray_twice(w):
    """Two connections, one after the other, and more than one such segment."""
    host = private_host(w)
    by_stray(w)
    listener = serve(w, w.server, 80)
    stray(w, host, listener)
    stray(w, host, listener, segments=2)


@situation('half-open', tool='kernel')
def not_stray_repeated_data(w):
    """The client repeats data that got lost on the way; the host has lost its memory meanwhile. It repeats, and is in the
    window: nothing went astray."""
    listener = serve(w, w.server, 8000)
    none_of_these(w)
    client = call(w, 8000)
    server, _ = accept(listener)
    w.exchange(client, server, 3)
    with path_blocked(w, w.client_address):
        send(client, 200)
        w.sleep(0.05)
        silently(w, w.server, 'server', server.close)
    w.sleep(2.5 + 4 * w.p.delay)
    w.settle(0.2)


@situation('half-open', tool='kernel', aside=True)
def not_stray_probe(w):
    """A keep-alive probe repeats one old byte's number by design."""
    listener = serve(w, w.server, 8000)
    none_of_these(w, 'idle-forgotten')
    client = call(w, 8000)
    server, _ = accept(listener)
    w.exchange(client, server, 3)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 2)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    silently(w, w.server, 'server', server.close)
    w.sleep(2.5)
    w.settle()
