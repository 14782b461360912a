# SPDX-License-Identifier: GPL-2.0-or-later
"""What applications say before they go: late-close-notify, early-reply, cancelled-download, request-unanswered,
refused-by-tls, wrong-protocol, and their twins. See patterns.py. Must not know what the plugin says.
"""
import os
import signal
import socket
import ssl
import struct

import services
from frames import seq_diff
from lookalikes import abort, accept, call, send, serve
from patterns import errors_expected, none_of_these, origin, situation
from programs import (EARLY, SLOW_NGINX, folder, http_request, late_goodbye, lazy, nothing, opened, query_postgresql, read_http,
                      read_to_end, refused_late, say, say_tls, shows, shows_alert, shows_cancelled, shows_wrong, start_mariadb,
                      start_postgresql, tls, upload, url, use_http, use_late)

PLAIN_TLS = {'maximum_version': ssl.TLSVersion.TLSv1_2}     # its alerts stand in the clear, or at least their type does


# late-close-notify

@situation('data-after-close', tool='lighttpd', needs=('lighttpd', 'haproxy'))
def goodbye_node_client(w):
    """Node.js as the client of a Python server that closes behind its answer."""
    place = folder(w)
    tls_server(w, place, 443, "sock.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\nConnection: close\\r\\n\\r\\nyes')")
    shows_alert(w, 'late-close-notify', 'data-after-close')
    script = place.file('client.js', """
        const tls = require('tls');
        const s = tls.connect({host: process.argv[2], port: 443, rejectUnauthorized: false, maxVersion: process.argv[3]},
                              () => s.write('GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'));
        s.on('data', () => setTimeout(() => s.end(), 200));
        s.on('error', () => {});
        """)
    for version in ('TLSv1.2', 'TLSv1.3'):
        w.client.run('node', script, w.server_address, version)
    w.settle()


def tls_server(w, place, port, act, version='TLSv1_2'):
    """A server in Python that shakes hands, reads once, acts, and is gone."""
    cert, key = services.certificate(place)
    services.python(w.server, place, port, f"""
        import os, socket, ssl, struct, sys, time
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain('{cert}', '{key}')
        listener = socket.create_server((sys.argv[2], int(sys.argv[1])),
                                        family=socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET)
        def farewell(sock):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            sock.setblocking(False)
            try:
                sock.unwrap()
            except OSError:
                pass
        while True:
            plain, _ = listener.accept()
            plain.settimeout(4)
            try:
                sock = context.wrap_socket(plain, server_side=True)
                sock.recv(10000)
                {act}
                sock.close()
            except OSError:
                plain.close()
        """, w.server_address)


@situation('data-after-close', tool='hitch', needs=('hitch', 'haproxy'))
def goodbye_hitch(w):
    place = folder(w)
    services.haproxy(w.server, place, 8000, front='http-request deny deny_status 200')
    services.hitch(w.server, place, 443, f'[{w.server_address}]:8000')
    late_goodbye(w, 443)


@situation('data-after-close', tool='python', aside=True, needs=('openssl',))
def goodbye_s_client(w):
    """openssl s_client says goodbye half a second after the server."""
    place = folder(w)
    tls_server(w, place, 443, "sock.sendall(b'bye\\r\\n')")
    shows_alert(w, 'late-close-notify', 'data-after-close')
    for version in ('-tls1_2', '-tls1_3'):
        client = w.client.popen('sh', '-c', f'(echo hello; sleep 1) | openssl s_client -quiet -no_ign_eof {version} -connect '
                                + origin(w, 443))
        client.wait(10)
    w.settle()


@situation('?data-after-close', '?abort', tool='postgresql', aside=True, needs=('psql',))
def goodbye_psql(w):
    """libpq sends Terminate and its goodbye together; the server has gone at the first of them."""
    place = folder(w)
    cert, key = services.certificate(place)
    own = place.file('pg.key', open(key, encoding='ascii').read(), 0o600)
    services.shutil.chown(own, 'postgres')
    services.postgresql(w.server, place, 5432, 'ssl=on', f'ssl_cert_file={cert}', f'ssl_key_file={own}')
    shows_alert(w, 'late-close-notify', 'data-after-close')
    told = w.pattern
    w.pattern = lambda reset: 'late-close-notify/-' if reset.label.cause == 'abort' else told(reset)
    for _ in range(4):
        w.client.run('psql', '-X', '-q', f'host={w.server_address} user=postgres dbname=postgres sslmode=require', '-c', 'select 1')
    w.settle()


@situation('data-after-close', tool='python')
def not_goodbye_hello(w):
    """The server closes before anything is said; a TLS client says its first word into that: a small record, no alert."""
    listener = serve(w, w.server, 443)
    none_of_these(w)
    for _ in range(2):
        sock = call(w, 443)
        server, _ = accept(listener)
        server.close()
        w.settle(0.05)
        with errors_expected():
            tls(sock)
        w.settle(0.05)


@situation('data-after-close', tool='python', aside=True)
def not_goodbye_small_record(w):
    """TLS 1.2: after the server's end comes a record as small as an alert, but of data. That it was idle before makes
    it something else."""
    place = folder(w)
    tls_server(w, place, 443, "sock.sendall(b'yes')\n                time.sleep(2)")
    w.pattern = lambda reset: 'stale-connection/-'
    for _ in range(2):
        sock = tls(call(w, 443), **PLAIN_TLS)
        sock.sendall(b'hello')
        sock.recv(100)
        read_to_end(sock)
        w.sleep(0.3)
        with errors_expected():
            sock.sendall(b'\xc0\0')
        w.settle()


# early-reply

def early_reply(w):
    """Shown where the status line leaves before the whole body has been acknowledged; else the packets admit both."""
    shows(w, 'early-reply', *EARLY)
    plain = w.pattern

    def pattern(reset):
        told = plain(reset)
        return f'{told}/-' if told == 'early-reply' and not body_was_coming(w.log.connection(reset.packet)) else told
    w.pattern = pattern


def body_was_coming(packets):
    """Whether the first status line acknowledges less than head and body of the request."""
    head = next((p for p in packets if p.sender == 'client' and p.seg.length), None)
    reply = next((p for p in packets if p.sender == 'server' and payload(p).startswith(b'HTTP/1.')), None)
    if head is None or reply is None:
        return False
    text, _, _ = payload(head).partition(b'\r\n\r\n')
    length = next(int(line.split(b':')[1]) for line in text.split(b'\r\n') if line.lower().startswith(b'content-length'))
    return seq_diff(reply.seg.ack, head.seg.seq + len(text) + 4 + length) < 0


def payload(packet):
    seg = packet.seg
    at = seg.tcp_offset + (packet.raw[seg.tcp_offset + 12] >> 4) * 4
    return packet.raw[at:at + seg.length]


@situation('?data-after-close', '?abort', tool='asyncio', needs=('curl',))
def early_reply_asyncio(w):
    """asyncio: 401 as soon as the head is in, and close()."""
    place = folder(w)
    services.python(w.server, place, 8000, """
        import asyncio, sys
        async def handle(reader, writer):
            await reader.readuntil(b'\\r\\n\\r\\n')
            writer.write(b'HTTP/1.1 401 Unauthorized\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n')
            await writer.drain()
            writer.close()
        async def serve():
            await (await asyncio.start_server(handle, sys.argv[2], int(sys.argv[1]))).serve_forever()
        asyncio.run(serve())
        """, w.server_address)
    early_reply(w)
    big = place.file('body', 'x' * 3_000_000)
    w.client.run('curl', '-s', '-o', '/dev/null', '-H', 'Expect:', '--data-binary', f'@{big}', url(w, 8000), fail=False)
    upload(w, 8000, size=1_000_000, pause=0.03)


@situation('?data-after-close', '?abort', tool='tinyproxy', needs=('tinyproxy',))
def early_reply_tinyproxy(w):
    """403: this client may not use the proxy."""
    place = folder(w)
    conf = place.file('tinyproxy.conf', f'''
        Port 8888
        Listen {w.server_address}
        Timeout 10
        Allow 203.0.113.1
        LogLevel Critical
        ''')
    services.started(w.server, 8888, 'tinyproxy', '-d', '-c', conf)
    early_reply(w)
    upload(w, 8888, f'http://{origin(w, 80)}/', size=300_000)
    upload(w, 8888, f'http://{origin(w, 80)}/', size=1_500_000)


@situation('?data-after-close', '?abort', tool='squid', aside=True, needs=('squid',))
def early_reply_squid(w):
    place = folder(w)
    services.squid(w.server, place, 3128, 'request_body_max_size 1 KB\n')
    early_reply(w)
    upload(w, 3128, f'http://{origin(w, 80)}/', size=1_500_000)
    upload(w, 3128, f'http://{origin(w, 80)}/', size=300_000)


@situation('?data-after-close', '?abort', tool='ruby', aside=True, needs=('ruby',))
def early_reply_ruby(w):
    """302 to a login page, and close."""
    place = folder(w)
    script = place.file('server.rb', """
        require 'socket'
        server = TCPServer.new(ARGV[1], ARGV[0].to_i)
        loop do
          s = server.accept
          s.readpartial(2000)
          s.write("HTTP/1.1 302 Found\\r\\nLocation: /login\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
          s.close
        end
        """)
    services.started(w.server, 8000, 'ruby', script, '8000', w.server_address)
    early_reply(w)
    upload(w, 8000, size=200_000)
    upload(w, 8000, size=1_500_000)


REPLIES = """
    import socket, struct, sys, time
    listener = socket.create_server((sys.argv[2], int(sys.argv[1])), family=socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET)
    while True:
        sock, _ = listener.accept()
        data = b''
        while len(data) < int(sys.argv[4]):
            part = sock.recv(min(65536, int(sys.argv[4]) - len(data)))
            if not part:
                break
            data += part
        sock.sendall(f'HTTP/1.1 {sys.argv[3]}\\r\\nContent-Length: 2\\r\\n\\r\\nok'.encode())
        time.sleep(float(sys.argv[5]))
        sock.close()
    """


@situation('?data-after-close', 'abort', tool='python')
def not_early_reply_success(w):
    """200 while the body is still coming: the service is content with its beginning. No refusal."""
    services.python(w.server, folder(w), 8000, REPLIES, w.server_address, '200 OK', '100', '0.05')
    none_of_these(w)
    upload(w, 8000, size=400_000)
    upload(w, 8000, size=60_000)


@situation('abort', tool='python', aside=True)
def not_early_reply_all_read(w):
    """500 when all was read; half a second later the service dies with the next request unread."""
    request = http_request('/', 'POST', ('Content-Length: 20000',)) + bytes(20000)
    services.python(w.server, folder(w), 8000, REPLIES, w.server_address, '500 Oops', str(len(request)), '0.8')
    none_of_these(w, 'request-unanswered')
    for _ in range(2):
        sock = call(w, 8000)
        sock.sendall(request)
        read_http(sock)
        w.sleep(0.2)
        sock.sendall(http_request())
        read_to_end(sock)
        w.settle(0.05)


# cancelled-download

@situation('?abort', '?data-after-close', tool='siege', needs=('nginx', 'siege'))
def cancelled_siege(w):
    """siege gives up a slow download when its time is over."""
    place = folder(w)
    services.nginx(w.server, place, 80, SLOW_NGINX)
    shows_cancelled(w)
    siege = w.client.popen('siege', '-q', '-c', '1', '-t', '1S', url(w, 80, '/big.bin'), env={**os.environ, 'HOME': place.path})
    w.sleep(3)
    services.stop(siege, hard=True)
    w.settle(0.4)


@situation('?abort', '?data-after-close', tool='memcached', needs=('memcached',))
def cancelled_memcached(w):
    """A client asks for a hundred big values and leaves at the second."""
    services.memcached(w.server, folder(w), 11211)
    shows_cancelled(w)
    sock = call(w, 11211)
    sock.sendall(b'set big 0 0 500000\r\n' + bytes(500000) + b'\r\n')
    sock.recv(100)
    w.sleep(0.1)
    sock.sendall(b'get' + b' big' * 60 + b'\r\n')
    for _ in range(20):
        sock.recv(30000)
    w.sleep(0.3)
    sock.close()
    w.settle(0.4)


@situation('?abort', '?data-after-close', tool='python', needs=('lighttpd',))
def cancelled_urllib(w):
    """urlopen(), the first kilobytes, and the script ends."""
    place = folder(w)
    services.lighttpd(w.server, place, 80)
    shows_cancelled(w)
    script = place.file('client.py', 'import sys, time, urllib.request\nr = urllib.request.urlopen(sys.argv[1])\nr.read(5000)\n'
                        'time.sleep(0.7)\n')
    w.client.run('python3', script, url(w, 80, '/big.bin'))
    w.settle(0.4)


@situation('?abort', '?data-after-close', tool='h2load', aside=True, needs=('nginx', 'h2load'), delay=0.04)
def cancelled_h2load(w):
    services.nginx(w.server, folder(w), 80)
    shows_cancelled(w)
    client = w.client.popen('h2load', '--h1', '-c', '1', '-n', '3', url(w, 80, '/big.bin'))
    w.sleep(0.6)
    services.stop(client, hard=True)
    w.settle(0.4)


@situation('?abort', '?data-after-close', tool='mariadb', aside=True, needs=('mariadbd',))
def cancelled_mariadb(w):
    """The client is killed in the middle of a big result."""
    services.mariadb(w.server, folder(w), 3306)
    shows_cancelled(w)
    query = 'select repeat("x", 2000) from seq_1_to_300000'
    client = w.client.popen('sh', '-c', f"exec mariadb --no-defaults --skip-ssl -q -h {w.server_address} -ulab mysql -e '{query}' "
                            '| (read l; sleep 20)')
    w.sleep(1.2 + 10 * w.p.delay)
    w.client.run('pkill', '-9', '-P', str(client.pid), 'mariadb', fail=False)
    w.settle(0.5)


@situation('?abort', '?data-after-close', tool='php', aside=True, needs=('php', 'nginx'))
def cancelled_php_client(w):
    place = folder(w)
    services.nginx(w.server, place, 80, SLOW_NGINX)
    shows_cancelled(w)
    script = place.file('client.php', '<?php $f = fopen($argv[1], "r"); fread($f, 8000); usleep(600000); fclose($f);')
    w.client.run('php', script, url(w, 80, '/big.bin'))
    w.settle(0.4)


@situation('abort', tool='nginx', needs=('nginx',))
def not_cancelled_all_was_read(w):
    """The client resets its connection when the download is complete and acknowledged."""
    services.nginx(w.server, folder(w), 80)
    none_of_these(w)
    for _ in range(3):
        sock = opened(w, 80, nothing, use_http)
        w.settle(0.15)
        abort(sock)
        w.settle(0.05)


@situation('abort', tool='python', aside=True)
def not_cancelled_nothing_asked(w):
    """A server that pushes what nobody asked for; its client is killed with some of it unread."""
    listener = serve(w, w.server, 8000)
    none_of_these(w)
    for _ in range(2):
        client = call(w, 8000)
        server, _ = accept(listener)
        for _ in range(4):
            send(server, 700)
            w.sleep(0.02)
        w.settle(0.1)
        client.close()
        w.settle(0.1)


@situation('abort', tool='node', needs=('node',))
def not_cancelled_by_the_server(w):
    """It is the server that destroys the download."""
    services.node_js(w.server, folder(w), 3000, """
        require('http').createServer((q, r) => {
            r.on('error', () => {}); const t = setInterval(() => r.write(Buffer.alloc(3000)), 20);
            setTimeout(() => { clearInterval(t); q.socket.resetAndDestroy(); }, 500);
        }).listen(+process.argv[2], process.argv[3]);
        """)
    none_of_these(w)
    for _ in range(2):
        sock = call(w, 3000)
        sock.sendall(http_request())
        read_to_end(sock)
        w.settle(0.05)


# request-unanswered

@situation('abort', tool='memcached', needs=('memcached',))
def unanswered_memcached_stuck(w):
    """It hangs, and somebody kills it: the request lies unread."""
    server = services.memcached(w.server, folder(w), 11211)
    shows(w, 'request-unanswered', 'abort')
    sock = call(w, 11211)
    w.settle(0.1)
    server.send_signal(signal.SIGSTOP)
    sock.sendall(b'get lab\r\n')
    w.sleep(1)
    services.stop(server, hard=True)
    w.settle(0.2)


@situation('abort', tool='php', needs=('php',))
def unanswered_php_busy(w):
    """One request keeps the only process busy, the next waits, and the process is killed."""
    server = services.php(w.server, folder(w), 8000, '<?php sleep(20);')
    shows(w, 'request-unanswered', 'abort')
    busy = call(w, 8000)
    busy.sendall(http_request('/busy'))
    w.sleep(0.4)
    waiting = call(w, 8000)
    waiting.sendall(http_request('/waiting'))
    w.sleep(0.6)
    services.stop(server, hard=True)
    w.settle(0.2)


@situation('abort', tool='puma', aside=True, needs=('puma',))
def unanswered_puma_killed(w):
    """The worker dies at work; the client had sent a second request by then."""
    services.puma(w.server, folder(w), 9292, 'run lambda { |env| sleep 0.8; Process.kill(9, Process.pid) }\n')
    shows(w, 'request-unanswered', 'abort')
    sock = call(w, 9292)
    sock.sendall(http_request())
    w.sleep(0.4)
    sock.sendall(http_request())
    w.sleep(0.6)
    w.settle(0.2)


@situation('abort', tool='socat', aside=True, needs=('socat',))
def unanswered_socat(w):
    """A handler that takes the request and ends without a word; socat resets."""
    kind = 'TCP6' if w.p.family == 6 else 'TCP4'
    address = services.bracketed(w.server_address)
    services.started(w.server, 7000, 'socat', f'{kind}-LISTEN:7000,bind={address},fork,reuseaddr,linger=0', 'EXEC:"sleep 0.6"')
    shows(w, 'request-unanswered', 'abort')
    for _ in range(2):
        sock = call(w, 7000)
        sock.sendall(http_request())
        read_to_end(sock)
        w.settle(0.1)


@situation('abort', tool='mariadb', aside=True, needs=('mariadbd',))
def unanswered_mariadb_killed(w):
    """Killed at work on a query, with the next one unread."""
    server = services.mariadb(w.server, folder(w), 3306)
    shows(w, 'request-unanswered', 'abort')
    sock = opened(w, 3306, start_mariadb, nothing)
    query = b'\3select sleep(5)'
    sock.sendall(struct.pack('<I', len(query)) + query)
    w.sleep(0.4)
    sock.sendall(b'\1\0\0\0\x0e')
    w.sleep(0.4)
    services.stop(server, hard=True)
    w.settle(0.2)


@situation('abort', tool='python')
def not_unanswered_half_an_answer(w):
    """The head of the answer had come, and some of its body."""
    listener = serve(w, w.server, 8000)
    none_of_these(w)
    for size in (10, 4000):
        client = call(w, 8000)
        server, _ = accept(listener)
        client.sendall(http_request())
        server.recv(5000)
        server.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n' + bytes(size))
        w.settle(0.1)
        abort(server)
        w.settle(0.1)


@situation('abort', tool='python', aside=True, needs=('node',))
def not_unanswered_client_gives_up(w):
    """No answer came, but it is the client that resets."""
    services.node_js(w.server, folder(w), 3000, 'require("http").createServer(() => {}).listen(+process.argv[2], process.argv[3]);')
    none_of_these(w)
    for wait in (0.4, 2.5):
        sock = call(w, 3000)
        sock.sendall(http_request())
        w.sleep(wait)
        abort(sock)
        w.settle(0.1)


@situation('abort', tool='python')
def not_unanswered_nothing_asked(w):
    """The server greets, and resets a client that never said a word."""
    listener = serve(w, w.server, 8000)
    none_of_these(w)
    for _ in range(2):
        call(w, 8000)
        server, _ = accept(listener)
        server.sendall(b'220 ready\r\n')
        w.settle(0.3)
        abort(server)
        w.settle(0.1)


# refused-by-tls

@situation('?abort', '?data-after-close', tool='ruby', needs=('hitch', 'haproxy', 'ruby'))
def refused_authority_ruby(w):
    """Ruby does not know who signed the certificate, and leaves the rest of the server's words unread."""
    place = folder(w)
    services.haproxy(w.server, place, 8000, front='http-request deny deny_status 200')
    services.hitch(w.server, place, 443, f'[{w.server_address}]:8000')
    shows_alert(w, 'refused-by-tls', 'abort', 'data-after-close')
    script = place.file('client.rb', """
        require 'openssl'
        require 'socket'
        context = OpenSSL::SSL::SSLContext.new
        context.set_params
        context.max_version = ARGV[1] if ARGV[1]
        socket = OpenSSL::SSL::SSLSocket.new(TCPSocket.new(ARGV[0], 443), context)
        begin
          socket.connect
        rescue OpenSSL::SSL::SSLError, SystemCallError
        end
        """)
    for version in (['TLS1_2'], ['TLS1_2'], []):
        w.client.run('ruby', script, w.server_address, *version, fail=False)
    w.settle()


@situation('?abort', '?data-after-close', tool='python', needs=('nginx',))
def refused_name_python(w):
    """The certificate is trusted, but bears another name."""
    place = folder(w)
    services.nginx(w.server, place, 443, tls=True)
    cert, _ = services.certificate(place)
    shows_alert(w, 'refused-by-tls', 'abort', 'data-after-close')
    for how in (PLAIN_TLS, PLAIN_TLS, {}):
        context = ssl.create_default_context(cafile=cert)
        for name, value in how.items():
            setattr(context, name, value)
        with errors_expected():
            context.wrap_socket(call(w, 443), server_hostname='shop.example.net').close()
    w.settle()


@situation('?abort', '?data-after-close', tool='stunnel', aside=True, needs=('stunnel4', 'redis-server'))
def refused_client_certificate_stunnel(w):
    """stunnel wants a certificate of its clients."""
    place = folder(w)
    cert, _ = services.certificate(place)
    services.redis(w.server, place, 6379)
    services.stunnel(w.server, place, 443, f'{w.server_address}:6379', 'verifyChain = yes', f'CAfile = {cert}')
    refused_late(w, 443)


@situation('?abort', '?data-after-close', tool='php', aside=True, needs=('php', 'haproxy'))
def refused_authority_php(w):
    place = folder(w)
    cert, key = services.certificate(place)
    with open(cert, encoding='ascii') as a, open(key, encoding='ascii') as b:
        both = place.file('both.pem', a.read() + b.read())
    services.haproxy(w.server, place, 443, bind=f'ssl crt {both} ssl-max-ver TLSv1.2', front='http-request deny deny_status 200')
    shows_alert(w, 'refused-by-tls', 'abort', 'data-after-close')
    script = place.file('client.php', '<?php @file_get_contents($argv[1]);')
    for _ in range(3):
        w.client.run('php', script, url(w, 443, scheme='https'), fail=False)
    w.settle()


@situation('abort', tool='python')
def not_refused_crash_in_handshake(w):
    """The server resets upon the client's hello without an alert: nobody has refused anything in words."""
    listener = serve(w, w.server, 443)
    none_of_these(w, 'wrong-protocol', 'request-unanswered')
    for _ in range(2):
        sock = call(w, 443)
        server, _ = accept(listener)

        def crash(server=server):
            server.recv(5000)
            w.sleep(0.2)
            abort(server)

        thread = w.background(crash)
        with errors_expected():
            tls(sock)
        thread.join(5)
        w.settle(0.05)


@situation('abort', tool='python', aside=True)
def not_refused_goodbye_and_reset(w):
    """After a good dialogue the server says goodbye in TLS, which is an alert, too, and resets."""
    tls_server(w, folder(w), 443, "sock.sendall(b'yes'); time.sleep(0.3); farewell(sock)")
    none_of_these(w, 'late-close-notify')
    for how in (PLAIN_TLS, {}):
        sock = tls(call(w, 443), **how)
        sock.sendall(b'hello')
        with errors_expected():
            while sock.recv(100):
                pass
        w.settle(0.4)


# wrong-protocol

@situation('?abort', '?data-after-close', tool='memcached', needs=('memcached', 'curl'))
def wrong_tls_to_memcached(w):
    services.memcached(w.server, folder(w), 11211)
    shows_wrong(w)
    for _ in range(2):
        say_tls(w, 11211)
    say(w, 11211, http_request('/', 'POST', ('Content-Length: 3000',)) + b'x' * 3000, (b'y' * 500,))
    w.settle(0.2)


@situation('?abort', '?data-after-close', tool='stunnel', needs=('stunnel4', 'curl'))
def wrong_http_to_stunnel(w):
    place = folder(w)
    services.redis(w.server, place, 6379)
    services.stunnel(w.server, place, 443, f'{w.server_address}:6379')
    shows_wrong(w)
    say(w, 443, http_request())
    w.client.run('curl', '-s', '-m', '2', url(w, 443), fail=False)
    w.settle(0.2)


@situation('?abort', '?data-after-close', tool='mosquitto', aside=True, needs=('mosquitto', 'curl'))
def wrong_http_to_mosquitto(w):
    services.mosquitto(w.server, folder(w), 1883)
    shows_wrong(w)
    say(w, 1883, http_request())
    say(w, 1883, http_request('/', 'POST', ('Content-Length: 30000',)) + b'x' * 30000)
    w.client.run('curl', '-s', '-m', '2', url(w, 1883), fail=False)
    say_tls(w, 1883)
    w.settle(0.2)


@situation('?abort', '?data-after-close', tool='vsftpd', aside=True, needs=('vsftpd', 'curl'))
def wrong_http_to_vsftpd(w):
    """A banner, and an answer to each line of the request."""
    place = folder(w)
    empty = place.folder('empty')
    conf = place.file('vsftpd.conf', f"""
        listen{'_ipv6' if w.p.family == 6 else ''}=YES
        listen{'' if w.p.family == 6 else '_ipv6'}=NO
        listen_address{'6' if w.p.family == 6 else ''}={w.server_address}
        listen_port=21
        background=NO
        anonymous_enable=YES
        secure_chroot_dir={empty}
        seccomp_sandbox=NO
        """)
    services.started(w.server, 21, 'vsftpd', conf)
    shows_wrong(w)
    say(w, 21, http_request())
    say(w, 21, http_request('/', 'POST', ('Content-Length: 9000',)) + b'x' * 9000)
    say_tls(w, 21)
    w.settle(0.2)


@situation('abort', tool='nginx', needs=('nginx',))
def not_wrong_http_on_22(w):
    """nginx at the port where others have sshd: right language, odd port. The client resets when it has had enough."""
    services.nginx(w.server, folder(w), 22)
    none_of_these(w)
    for _ in range(2):
        sock = opened(w, 22, nothing, use_http)
        w.settle(0.1)
        abort(sock)


@situation('abort', tool='nginx', aside=True, needs=('nginx',))
def not_wrong_tls_on_80(w):
    """TLS at port 80, understood by both."""
    services.nginx(w.server, folder(w), 80, tls=True)
    none_of_these(w)
    for how in (PLAIN_TLS, {}):
        sock = tls(call(w, 80), **how)
        use_http(sock)
        w.settle(0.1)
        abort(sock)
        w.settle(0.1)


@situation('abort', tool='sshd', needs=('/usr/sbin/sshd',))
def not_wrong_ssh_on_443(w):
    """sshd at port 443; a client that speaks SSH goes with its words unread."""
    services.sshd(w.server, folder(w), 443)
    none_of_these(w)
    sock = call(w, 443)
    sock.sendall(b'SSH-2.0-lab\r\n')
    w.sleep(0.6)
    sock.close()
    w.settle()
