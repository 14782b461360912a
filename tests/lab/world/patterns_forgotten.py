# SPDX-License-Identifier: GPL-2.0-or-later
"""What silence does to connections: idle-forgotten, idle-closed, and their twins. See patterns.py.
Must not know what the plugin says.
"""
import os
import socket
import time

import frames
import services
from lookalikes import abort, accept, call, flush, macs_of, nft, numbers, private_host, send, serve, silently, translate
from patterns import at, bracket, errors_expected, none_of_these, situation
from patterns_idle import use_memcached
from programs import (FORGOTTEN, NEAR, brackets, folder, forgetful_gateway, forgotten, nothing, opened, read_to_end,
                      service_behind, shows, silent_for, start_mariadb, tls, use_http, use_late, use_mariadb, use_redis)
from truth import Label


# idle-forgotten

def behind_gateway(w, port, start_service, use, start=nothing):
    """The service stands behind a gateway that forgets; several connections, with a silence of their own each."""
    back = service_behind(w)
    start_service(back)
    translate(w, w.server, back, port=port)
    forgetful_gateway(w, w.server)
    forgotten(w)
    brackets(w, port, use, start)
    bracket(w, port)


@situation('half-open', tool='memcached', needs=('memcached', 'conntrack'), **NEAR)
def forgotten_memcached(w):
    behind_gateway(w, 11211, lambda back: services.memcached(back, folder(w), 11211), use_memcached)


@situation('half-open', tool='mariadb', needs=('mariadbd', 'conntrack'), **NEAR)
def forgotten_mariadb(w):
    behind_gateway(w, 3306, lambda back: services.mariadb(back, folder(w), 3306), use_mariadb, start_mariadb)


@situation('half-open', tool='ssh', aside=True, needs=('/usr/sbin/sshd', 'conntrack'), **NEAR)
def forgotten_ssh(w):
    """Sessions of ssh, one with keep-alives of its own that outlives the others."""
    back, place = service_behind(w), folder(w)
    services.sshd(back, place, 22)
    key = f'{place.path}/key'
    w.client.run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key)
    os.link(f'{key}.pub', f'{place.path}/authorized')
    translate(w, w.server, back, port=22)
    forgetful_gateway(w, w.server)
    forgotten(w)
    shows(w, 'idle-forgotten', 'half-open')
    bracket(w, 22)
    words = ['ssh', '-T', '-i', key, '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=QUIET']
    for options, silence in (([], 1.2), ([], 4.5), ([], 6), (['-o', 'ServerAliveInterval=1'], 6)):
        w.client.popen('sh', '-c', f'(echo echo 1; sleep {silence}; echo echo 2; sleep 1) | '
                       + ' '.join([*words, *options, f'root@{w.server_address}', 'sh']))
    w.sleep(9)
    w.settle()


def use_mqtt(sock):
    sock.sendall(b'\xc0\0')     # PINGREQ
    sock.recv(100)


def start_mqtt(sock):
    body = b'\0\4MQTT\4\2\0\0\0\3lab'
    sock.sendall(b'\x10' + bytes((len(body),)) + body[:-5] + b'\0\3' + os.urandom(2).hex()[:3].encode())
    sock.recv(100)


@situation('half-open', tool='mosquitto', aside=True, needs=('mosquitto', 'conntrack'), **NEAR)
def forgotten_mosquitto(w):
    behind_gateway(w, 1883, lambda back: services.mosquitto(back, folder(w), 1883), use_mqtt, start_mqtt)


@situation('half-open', tool='kernel', needs=('conntrack',), aside=True, **NEAR)
def forgotten_before_probes(w):
    """The first word after the silence is the client's keep-alive probe."""
    back = service_behind(w)
    listener = serve(w, back, 80)
    translate(w, w.server, back, port=80)
    forgetful_gateway(w, w.server)
    shows(w, 'idle-forgotten', 'half-open')
    bracket(w, 80)
    w.story = lambda packet: Label('half-open', 'keepalive-probe', (('half-open', 'idle-expired'), ('half-open', '-'))) \
        if packet.sender == 'server' and not packet.seg.flags & frames.ACK else None
    for seconds in (2, 4, 5):
        client = call(w, 80)
        w.exchange(client, accept(listener)[0], 2)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2)
    w.sleep(6)
    w.settle()


@situation('half-open', tool='python', needs=('conntrack',), place='near-client', hops=2)
def forgotten_server_speaks_first(w):
    """The client is behind the gateway; the server's next word comes too late for some connections."""
    host = private_host(w)
    forgetful_gateway(w, w.client)
    shows(w, 'idle-forgotten', 'half-open')
    bracket(w, 80)
    listener = serve(w, w.server, 80)
    servers = []
    for _ in range(5):
        client = call(w, node=host)
        server, _ = accept(listener)
        w.exchange(client, server, 2)
        servers.append(server)
    w.story = lambda packet: FORGOTTEN if packet.sender == 'client' and not packet.seg.flags & frames.ACK else None
    began = time.monotonic()
    for silence, server in zip((1.5, 2.4, 3.6, 4.4, 5.5), servers):
        at(began + silence)
        send(server)
    w.settle(0.3)


@situation('?injected', '?half-open', tool='nftables', aside=True, needs=('conntrack',), routed=True, place='middle')
def forgotten_and_rejected(w):
    """A router that forgets and says so: what it does not know it rejects with a reset in the server's name. Who sees the
    answer alone may take it for the server's."""
    node = w.middle
    nft(node, '''table inet wall { chain pass { type filter hook forward priority 0; policy accept;
        ct state established,related accept
        tcp flags & (syn | ack) == ack ct state invalid,new reject with tcp reset
    }
}''')
    forgetful_gateway(w, node)
    w.pattern = lambda reset: 'idle-forgotten/idle-closed/-'
    bracket(w, 80)
    services.nginx(w.server, folder(w), 80, 'keepalive_timeout 60s;')
    socks = [(silence, opened(w, 80, nothing, use_http)) for silence in (1.2, 2.2, 3.8, 5.0)]
    began = time.monotonic()
    for silence, sock in socks:
        at(began + silence)
        use_late(sock, use_http)
    w.settle(0.3)


@situation('half-open', tool='conntrack', needs=('conntrack',), **NEAR)
def not_forgotten_all_at_once(w):
    """An administrator empties the table: a connection that has just spoken is lost as well as a silent one, and longer
    silences had been survived before."""
    back = service_behind(w)
    services.redis(back, folder(w), 6379)
    translate(w, w.server, back, port=6379)
    w.server.sysctl('netfilter/nf_conntrack_tcp_loose', 0)
    forgotten(w)
    none_of_these(w, 'host-restarted')
    socks = [opened(w, 6379, nothing, use_redis) for _ in range(4)]
    w.sleep(4)
    for sock in socks:
        use_redis(sock)
    w.sleep(0.2)
    flush(w.server)
    for sock in socks:
        use_late(sock, use_redis)
        w.sleep(0.05)
    use_redis(call(w, 6379))
    w.settle()


@situation('half-open', tool='kernel', aside=True)
def not_forgotten_crash_after_talk(w):
    """The server's host loses its memory between two requests that follow each other closely; a connection that was
    silent for long is fine before that."""
    listener = serve(w, w.server, 8000)
    pairs = []
    for _ in range(3):
        client = call(w, 8000)
        pairs.append((client, accept(listener)[0]))
        w.exchange(*pairs[-1], 2)
    w.sleep(4)
    for pair in pairs:
        w.exchange(*pair, 2)
    none_of_these(w, 'host-restarted')

    def die():
        for _, server in pairs:
            server.close()

    silently(w, w.server, 'server', die)
    for client, _ in pairs:
        send(client, 50)
        w.sleep(0.02)
    w.settle()


@situation('data-after-close', tool='memcached', needs=('memcached',))
def not_forgotten_fin_lost_on_the_way(w):
    """The service closed after the silence, and said so: it has not forgotten."""
    services.memcached(w.server, folder(w), 11211, '-o', 'idle_timeout=2')
    w.pattern = lambda reset: 'stale-connection/keep-alive-race/-' if reset.label.cause == 'already-reset' else 'stale-connection'
    sock = opened(w, 11211, nothing, use_memcached)
    read_to_end(sock)
    w.sleep(1.5)
    use_late(sock, use_memcached)
    w.settle()


# idle-closed

@situation('abort', tool='stunnel', needs=('stunnel4',))
def idle_closed_stunnel(w):
    """TIMEOUTidle: stunnel resets both of its connections."""
    place = folder(w)
    services.redis(w.server, place, 6379)
    services.stunnel(w.server, place, 6380, f'{w.server_address}:6379', 'TIMEOUTidle = 2')
    shows(w, 'idle-closed', 'abort')
    for _ in range(3):
        sock = call(w, 6380)
        sock.settimeout(12)
        secure = tls(sock)
        use_redis(secure)
        with errors_expected():
            secure.recv(100)
        w.sleep(0.3)
    w.settle()


@situation('abort', tool='socat', aside=True, needs=('socat',))
def idle_closed_socat(w):
    """socat -T 2 with SO_LINGER 0 towards the client."""
    services.redis(w.server, folder(w), 6379)
    kind = 'TCP6' if w.p.family == 6 else 'TCP4'
    address = services.bracketed(w.server_address)
    services.started(w.server, 7000, 'socat', '-T', '2', f'{kind}-LISTEN:7000,bind={address},fork,reuseaddr,linger=0',
                     f'{kind}:{address}:6379')
    w.pattern = lambda reset: 'idle-closed/-'       # a FIN goes right before each reset
    silent_for(w, 7000, prepare=use_redis)


@situation('abort', tool='ruby', aside=True, needs=('ruby',))
def idle_closed_ruby(w):
    place = folder(w)
    script = place.file('server.rb', """
        require 'socket'
        server = TCPServer.new(ARGV[1], ARGV[0].to_i)
        loop do
          Thread.new(server.accept) do |s|
            while s.wait_readable(2)
              s.write(s.readpartial(1000))
            end
            s.setsockopt(Socket::SOL_SOCKET, Socket::SO_LINGER, [1, 0].pack('ii'))
            s.close
          end
        end
        """)
    services.started(w.server, 7000, 'ruby', '-rio/wait', script, '7000', w.server_address)
    shows(w, 'idle-closed', 'abort')
    silent_for(w, 7000, prepare=use_redis)


def device_resets(w, client, server, towards):
    """The middle resets the connection in the name of the other end, towards these ends, at the right numbers."""
    (a, ap), (b, bp) = client.getsockname()[:2], server.getsockname()[:2]
    snd, rcv = numbers(w, client)
    for end in towards:
        src, dst, sport, dport, seq, ack = (b, a, bp, ap, rcv, snd) if end == 'client' else (a, b, ap, bp, snd, rcv)
        name = 'left' if end == 'client' else 'right'
        node, link = (w.middle, name)
        macs = macs_of(w, *((w.client, b) if end == 'client' else (w.server, a)))
        frame = frames.build_tcp(src, dst, sport, dport, seq, ack, frames.RST | frames.ACK, macs=macs[::-1], window=0,
                                 ip_id=w.rng.randrange(1, 65536), ttl=w.rng.choice((61, 125)))
        with node.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind((link, 0))
            raw.send(frame)


def idle_device(w, towards):
    """After 2.5 s of silence each connection is reset by a device on the way."""
    listener = serve(w, w.server, 8000)
    w.pattern = lambda reset: 'idle-closed' if reset.packet.forged and reset.label.cause == 'injected' else 'idle-closed/-'
    for _ in range(3):
        client = call(w, 8000)
        server, _ = accept(listener)
        w.exchange(client, server, 3)
        w.sleep(2.5)
        device_resets(w, client, server, towards)
        w.settle(0.05)


@situation('injected', tool='device', place='same')
def idle_closed_device(w):
    idle_device(w, ('client', 'server'))


@situation('injected', tool='device', aside=True, place='same')
def idle_closed_device_one_end(w):
    """It resets the client only; the server still believes in the connection."""
    idle_device(w, ('client',))


@situation('abort', tool='python')
def not_idle_closed_other_silences(w):
    """Three clients go at three times, each with answers unread: no timer is the same for all."""
    listener = serve(w, w.server, 8000)
    none_of_these(w)
    for silence in (0.4, 4.5, 1.9):
        client = call(w, 8000)
        server, _ = accept(listener)
        w.exchange(client, server, 3)
        w.sleep(silence)
        abort(client)
        w.settle(0.1)


@situation('abort', tool='node', aside=True, needs=('node',))
def not_idle_closed_on_a_request(w):
    """The server resets upon a request that comes after a silence: it is the request that it does not like."""
    services.node_js(w.server, folder(w), 3000, """
        require('net').createServer(s => {
            s.on('error', () => {});
            s.on('data', d => d.includes('bad') ? s.resetAndDestroy() : s.write(d));
        }).listen(+process.argv[2], process.argv[3]);
        """)
    none_of_these(w, 'request-unanswered')
    for silence in (1.3, 3.0, 2.1):
        sock = opened(w, 3000, nothing, use_redis)
        w.sleep(silence)
        send_text(sock, b'bad\r\n')
        w.settle(0.1)


def send_text(sock, words):
    with errors_expected():
        sock.sendall(words)


@situation('abort', tool='python')
def not_idle_closed_once(w):
    """A single connection is ended by its server after a silence, among others that are silent for longer."""
    listener = serve(w, w.server, 8000)
    none_of_these(w)
    pairs = []
    for _ in range(4):
        client = call(w, 8000)
        pairs.append((client, accept(listener)[0]))
        w.exchange(*pairs[-1], 2)
    w.sleep(2.2)
    abort(pairs[1][1])
    w.sleep(2)
    for pair in pairs[:1] + pairs[2:]:
        w.exchange(*pair, 1)
    w.settle()
