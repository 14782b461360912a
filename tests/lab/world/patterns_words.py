# SPDX-License-Identifier: GPL-2.0-or-later
"""What applications say, or do not say, before they go: early-reply, cancelled-download, request-unanswered, and
their twins. See patterns.py.
Must not know what the plugin says.
"""
import os
import signal
import struct

import services
from frames import seq_diff
from lookalikes import abort, accept, call, send, serve
from patterns import none_of_these, origin, situation
from programs import (EARLY, SLOW_NGINX, folder, http_request, nothing, opened, read_http, read_to_end, shows, shows_cancelled,
                      start_mariadb, upload, url, use_http)
from situations import payload


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

@situation('?abort', '?data-after-close', tool='siege', needs=('nginx', 'siege'), delay=0.04)
def cancelled_siege(w):
    """siege gives up a download when its time is over."""
    place = folder(w)
    services.nginx(w.server, place, 80)
    shows_cancelled(w)
    siege = w.client.popen('siege', '-q', '-b', '-c', '1', '-t', '2S', url(w, 80, '/big.bin'), env={**os.environ, 'HOME': place.path})
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
    services.puma(w.server, folder(w), 9292, 'run lambda { |env| sleep 1.6; Process.kill(9, Process.pid) }\n')
    shows(w, 'request-unanswered', 'abort')
    sock = call(w, 9292)
    sock.sendall(http_request())
    w.sleep(1)
    sock.sendall(http_request())
    w.sleep(1)
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
