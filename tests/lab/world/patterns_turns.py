# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose turn it was when the connection ended: late-close-notify, request-unanswered, wrong-protocol and their twins once
more, by other clients and servers than in the modules before. See patterns.py.
Must not know what the plugin says.
"""
import services
from lookalikes import accept, by_stray, call, private_host, serve
from patterns import errors_expected, none_of_these, origin, situation
from patterns_tls import PLAIN_TLS, tls_server
from patterns_segments import stray
from programs import (NEAR, folder, http_request, nothing, opened, read_http, read_to_end, refused_late, say, say_tls, shows, shows_alert,
                      shows_wrong, tls, upload, url, use_http)


# late-close-notify

def both_versions(w, client):
    shows_alert(w, 'late-close-notify', 'data-after-close')
    for version in ('1.2', '1.3'):
        client(version)
        w.settle(0.1)


@situation('?data-after-close', '?abort', tool='gnutls', needs=('nginx', 'gnutls-cli'))
def goodbye_gnutls(w):
    """gnutls-cli ends half a second after nginx has closed behind its answer."""
    services.nginx(w.server, folder(w), 443, 'keepalive_timeout 0;', tls=True)

    def client(version):
        priority = f'NORMAL:-VERS-ALL:+VERS-TLS{version}'
        w.client.popen('sh', '-c', f"(printf 'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'; sleep 0.5) | gnutls-cli --insecure --priority "
                       f"{priority} -p 443 '{w.server_address}'").wait(10)

    both_versions(w, client)


@situation('?data-after-close', '?abort', tool='go', needs=('haproxy', 'go'))
def goodbye_go(w):
    """A client in Go reads to the end and closes; HAProxy had closed behind its answer."""
    place = folder(w)
    cert, key = services.certificate(place)
    with open(cert, encoding='ascii') as a, open(key, encoding='ascii') as b:
        both = place.file('both.pem', a.read() + b.read())
    services.haproxy(w.server, place, 443, bind=f'ssl crt {both}', front='http-request deny deny_status 200')
    script = place.file('client.go', '''
        package main

        import (
            "crypto/tls"
            "fmt"
            "io"
            "os"
            "time"
        )

        func main() {
            config := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS13}
            if os.Args[2] == "1.2" {
                config.MaxVersion = tls.VersionTLS12
            }
            c, err := tls.Dial("tcp", os.Args[1], config)
            if err != nil {
                os.Exit(1)
            }
            fmt.Fprint(c, "GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n")
            io.Copy(io.Discard, c)
            time.Sleep(150 * time.Millisecond)
            c.Close()
        }
        ''')
    program = f'{place.path}/client'
    services.subprocess.run(['go', 'build', '-o', program, script], check=True, capture_output=True,
                            env={**services.os.environ, 'GOCACHE': '/tmp/lab-go-cache', 'GO111MODULE': 'off'})
    both_versions(w, lambda version: w.client.run(program, origin(w, 443), version))


@situation('?data-after-close', '?abort', tool='asyncio', needs=('lighttpd',))
def goodbye_asyncio(w):
    """asyncio's streams close when the server has."""
    place = folder(w)
    services.lighttpd(w.server, place, 443, 'server.max-keep-alive-requests = 0', tls=True)
    script = place.file('client.py', """
        import asyncio, ssl, sys
        async def main():
            context = ssl._create_unverified_context()
            if sys.argv[2] == '1.2':
                context.maximum_version = ssl.TLSVersion.TLSv1_2
            reader, writer = await asyncio.open_connection(sys.argv[1], 443, ssl=context)
            writer.write(b'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')
            try:
                while await reader.read(10000):
                    pass
            finally:
                await asyncio.sleep(0.1)
                writer.close()
                await writer.wait_closed()
        asyncio.run(main())
        """)
    both_versions(w, lambda version: w.client.run('python3', script, w.server_address, version, fail=False))


@situation('?data-after-close', '?abort', tool='apache', needs=('/usr/sbin/apache2', 'wget', 'ruby'))
def goodbye_ruby_apache(w):
    """RSA and Ruby's net/http."""
    place = folder(w)
    services.apache(w.server, place, 443, 'KeepAlive Off', tls=True)
    script = place.file('client.rb', """
        require 'net/http'
        require 'openssl'
        http = Net::HTTP.new(ARGV[0], 443)
        http.use_ssl = true
        http.verify_mode = OpenSSL::SSL::VERIFY_NONE
        http.max_version = ARGV[1] == '1.2' ? :TLS1_2 : :TLS1_3
        http.start { |h| h.get('/'); sleep 0.2 }
        """)

    def client(version):
        w.client.run('ruby', script, w.server_address, version, fail=False)
        w.client.run('wget', '-q', '--no-check-certificate', '-O', '/dev/null', url(w, 443, scheme='https'), fail=False)

    both_versions(w, client)


@situation('?data-after-close', '?abort', tool='stunnel', needs=('stunnel4', 'nginx'))
def goodbye_stunnel_client(w):
    """stunnel as the client of a server that closes at once; its own client lingers."""
    place = folder(w)
    tls_server(w, place, 443, "sock.sendall(b'bye\\r\\n')")
    conf = place.file('client.conf', f'foreground = quiet\npid =\n[c]\nclient = yes\naccept = {services.address_of(w.client)}:7000\n'
                      f'connect = {w.server_address}:443\n')
    services.started(w.client, 7000, 'stunnel4', conf)
    shows_alert(w, 'late-close-notify', 'data-after-close')
    for _ in range(2):
        sock = w.client.socket(w.family)
        sock.connect((services.address_of(w.client), 7000))
        sock.sendall(b'hello\r\n')
        w.sleep(0.4)
        sock.close()
        w.settle(0.1)


def small_records(w, how, words, pause):
    sock = tls(call(w, 443), **how)
    sock.sendall(b'hello there, are you well?')
    sock.recv(100)
    with errors_expected():
        sock.recv(100)
    w.sleep(pause)
    with errors_expected():
        sock.sendall(words)
    w.settle(0.05)


@situation('?data-after-close', tool='python')
def not_goodbye_small_words(w):
    """Words of two or three bytes in records as long as an alert's, over a connection that had ended a while before. The server
    says goodbye: OpenSSL 3 answers a FIN without close_notify with an alert, and sends nothing more."""
    place = folder(w)
    tls_server(w, place, 443, "sock.sendall(b'fine'); time.sleep(0.4); "
               "exec('try: sock.setblocking(False); sock.unwrap()\\nexcept OSError: pass')")
    w.pattern = lambda reset: 'stale-connection/-'
    for how, words in ((PLAIN_TLS, b'\xc0\0'), ({}, b'\xc0\0'), ({}, b'ok'), (PLAIN_TLS, b'bye')):
        small_records(w, how, words, 1.3)


@situation('?data-after-close', '?abort', tool='nginx', needs=('nginx', 'curl', 'gnutls-cli'))
def not_goodbye_refused_certificate(w):
    """The server wants a certificate, TLS 1.3 hides how it says no; the client then takes its leave."""
    place = folder(w)
    cert, key = services.certificate(place)
    services.started(w.server, 443, 'openssl', 's_server', '-quiet', '-accept', f'{services.bracketed(w.server_address)}:443', '-cert', cert,
                     '-key', key, '-Verify', '1', '-verify_return_error', '-naccept', '20', stdin=services.subprocess.PIPE)
    shows_alert(w, 'refused-by-tls', 'abort', 'data-after-close')
    for _ in range(2):
        w.client.run('curl', '-sk', '-m', '3', url(w, 443, scheme='https'), fail=False)
        w.client.popen('sh', '-c', f"(sleep 0.5; echo hello; sleep 0.3) | gnutls-cli --insecure -p 443 '{w.server_address}'").wait(10)
    w.settle()


def goodbyes_instead(w, act, pattern):
    """The server reads a request and acts; the client says goodbye when it sees the end."""
    tls_server(w, folder(w), 443, act)
    w.pattern = pattern
    for how in (PLAIN_TLS, {}):
        sock = tls(call(w, 443), **how)
        sock.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        w.sleep(0.7)
        with errors_expected():
            sock.settimeout(0.2)
            sock.unwrap()
        w.settle(0.1)


@situation('data-after-close', tool='python')
def not_goodbye_unanswered(w):
    """The server closes without a word on a request; the client's goodbye meets nobody. Not harmless: it got no answer."""
    goodbyes_instead(w, 'time.sleep(0.3)', lambda reset: '-/request-unanswered')


# request-unanswered

CLOSES = """
    const net = require('net');
    net.createServer(s => {{ s.on('error', () => {{}}); {act} }}).listen(+process.argv[2], process.argv[3]);
    """


def node_server(w, port, act):
    services.node_js(w.server, folder(w), port, CLOSES.format(act=act))


@situation('abort', tool='node', needs=('node', 'curl'))
def unanswered_node_after_one(w):
    """The first request is answered, the second is not."""
    services.node_js(w.server, folder(w), 3000, """
        let n = 0;
        require('http').createServer((q, r) => {
            if (q.url == '/fine') { r.end('fine'); return; }
            q.resume();
            q.on('end', () => setTimeout(() => q.socket.resetAndDestroy(), 300));
        }).listen(+process.argv[2], process.argv[3]);
        """)
    shows(w, 'request-unanswered', 'abort')
    for method, body in (('GET', b''), ('POST', b'x' * 30_000)):
        sock = call(w, 3000)
        sock.sendall(http_request('/fine'))
        read_http(sock)
        w.sleep(0.1)
        sock.sendall(http_request('/bad', method, (f'Content-Length: {len(body)}',) if body else ()) + body)
        read_to_end(sock)
        w.settle(0.1)


@situation('abort', tool='go', needs=('go',))
def unanswered_go(w):
    """A handler in Go takes the connection over and gives it up with a reset."""
    place = folder(w)
    script = place.file('server.go', '''
        package main

        import (
            "io"
            "net"
            "net/http"
            "os"
            "time"
        )

        func main() {
            http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
                io.Copy(io.Discard, r.Body)
                time.Sleep(250 * time.Millisecond)
                c, _, _ := w.(http.Hijacker).Hijack()
                c.(*net.TCPConn).SetLinger(0)
                c.Close()
            })
            http.ListenAndServe(os.Args[1], nil)
        }
        ''')
    program = f'{place.path}/server'
    services.subprocess.run(['go', 'build', '-o', program, script], check=True, capture_output=True,
                            env={**services.os.environ, 'GOCACHE': '/tmp/lab-go-cache', 'GO111MODULE': 'off'})
    services.started(w.server, 8000, program, origin(w, 8000))
    shows(w, 'request-unanswered', 'abort')
    for size in (0, 900, 20_000):
        sock = call(w, 8000)
        sock.sendall(http_request('/', 'POST', (f'Content-Length: {size}',)) + b'x' * size)
        read_to_end(sock)
        w.settle(0.1)


@situation('abort', tool='socat', needs=('socat',))
def unanswered_socat_shutdown(w):
    """It shuts down, then closes with SO_LINGER 0: a FIN right before the reset."""
    kind = 'TCP6' if w.p.family == 6 else 'TCP4'
    services.started(w.server, 7000, 'socat', f'{kind}-LISTEN:7000,bind={services.bracketed(w.server_address)},fork,reuseaddr,linger=0',
                     'EXEC:"sh -c \'read x; sleep 0.7\'"')
    shows(w, 'request-unanswered', 'abort')
    for words in (http_request(), b'PING\r\n'):
        sock = call(w, 7000)
        sock.sendall(words)
        read_to_end(sock)
        w.settle(0.1)


@situation('abort', tool='redis', needs=('redis-server',))
def unanswered_redis_killed(w):
    """Stopped, asked twice by one client, and killed with the questions unread."""
    server = services.redis(w.server, folder(w), 6379)
    shows(w, 'request-unanswered', 'abort')
    sock = call(w, 6379)
    sock.sendall(b'PING\r\n')
    sock.recv(100)
    server.send_signal(services.signal.SIGSTOP)
    sock.sendall(b'GET one\r\n')
    w.sleep(0.7)
    sock.sendall(b'GET two\r\n')
    w.sleep(0.7)
    services.stop(server, hard=True)
    w.settle(0.2)


@situation('abort', tool='python')
def unanswered_tls(w):
    """A request in TLS, taken in, and a reset of the application."""
    tls_server(w, folder(w), 443, "sock.sendall(b'hello'); sock.recv(9000); time.sleep(0.4); "
               "sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))")
    shows(w, 'request-unanswered', 'abort')
    for how in (PLAIN_TLS, {}):
        sock = tls(call(w, 443), **how)
        sock.sendall(b'who are you?')
        sock.recv(100)
        w.sleep(0.2)
        sock.sendall(http_request())
        with errors_expected():
            sock.recv(100)
        w.settle(0.1)


@situation('abort', tool='node', needs=('node',))
def not_unanswered_stream(w):
    """A log shipper: the protocol has no answers, and the receiver gives up in the middle."""
    node_server(w, 5140, 'let n = 0; s.on("data", d => { n += d.length; if (n > 2500) setTimeout(() => s.resetAndDestroy(), 100); });')
    none_of_these(w)
    for _ in range(2):
        sock = call(w, 5140)
        with errors_expected():
            for _ in range(8):
                sock.sendall(b'<34>Oct 11 22:14:15 host app: something happened\n' * 10)
                w.sleep(0.3)
        w.settle(0.1)


@situation('abort', tool='node', needs=('node',))
def not_unanswered_upload(w):
    """An upload, and a receiver that ends it in the middle: the request was not in yet."""
    node_server(w, 8000, 'let n = 0; s.on("data", d => { n += d.length; if (n > 400000) s.resetAndDestroy(); });')
    none_of_these(w)
    upload(w, 8000, size=4_000_000, pause=0.02)
    sock = call(w, 8000)
    with errors_expected():
        for _ in range(100):
            sock.sendall(b'x' * 40_000)
            w.sleep(0.02)
    w.settle(0.2)


@situation('?abort', '?data-after-close', tool='mqtt', needs=('node',))
def not_unanswered_quits(w):
    """The client says that it goes, and the server tears down on that."""
    node_server(w, 1883, 's.on("data", d => { if (d[0] == 0x10) s.write(Buffer.from([0x20, 2, 0, 0])); '
                'if (d[0] == 0xe0) s.resetAndDestroy(); });')
    none_of_these(w)
    for _ in range(2):
        sock = call(w, 1883)
        sock.sendall(b'\x10\x10\0\4MQTT\4\2\0\x3c\0\4lab1')
        sock.recv(10)
        w.sleep(0.2)
        sock.sendall(b'\xe0\0')
        sock.shutdown(services.socket.SHUT_WR)
        w.settle(0.2)


# wrong-protocol

@situation('?abort', '?data-after-close', tool='mysql', needs=('mariadbd', 'redis-server', 'memcached', 'beanstalkd', 'curl'))
def wrong_http_to_stores(w):
    """HTTP to services that close without a word, or with one in their own language."""
    place = folder(w)
    services.redis(w.server, place, 6379)
    services.beanstalkd(w.server, place, 11300)
    shows_wrong(w)
    say(w, 6379, http_request('/', 'PUT', ('Content-Length: 5000',)) + b'x' * 5000, (b'y' * 900,))
    w.client.run('curl', '-s', '-m', '2', '-d', 'a' * 60_000, url(w, 6379), fail=False)
    w.client.run('curl', '-s', '-m', '2', '-d', 'a' * 60_000, url(w, 11300), fail=False)
    w.settle(0.2)


@situation('?abort', '?data-after-close', tool='mqtt', needs=('mosquitto', 'node', 'curl'))
def wrong_to_mqtt(w):
    """A Node.js client takes an MQTT broker for a web server, with TLS and without."""
    services.mosquitto(w.server, folder(w), 1883)
    shows_wrong(w)
    script = folder(w).file('client.js', """
        for (const [kind, options] of [['http', {}], ['https', {rejectUnauthorized: false}]])
            for (const size of [0, 9000]) {
                const q = require(kind).request({host: process.argv[2], port: 1883, method: 'POST', ...options}, () => {});
                q.on('error', () => {}); q.end(Buffer.alloc(size));
            }
        setTimeout(() => process.exit(), 1500);
        """)
    w.client.run('node', script, w.server_address)
    w.settle(0.2)


@situation('?abort', '?data-after-close', tool='openssl', needs=('openssl', 'socat'))
def wrong_http_to_s_server(w):
    """Plain HTTP to openssl s_server on a port of no name, which TLS clients used before."""
    services.openssl_server(w.server, folder(w), 4433)
    shows_wrong(w)
    for size in (0, 30_000):
        say(w, 4433, http_request('/', 'POST', (f'Content-Length: {size}',)) + b'x' * size)
    w.settle(0.2)


@situation('abort', tool='node', needs=('node',))
def not_wrong_own_protocol(w):
    """A protocol of its own: small binary words from both sides; then the server resets upon one of them."""
    node_server(w, 9000, 's.on("data", d => { if (d[0] == 1) s.write(Buffer.from([0, 1, 2, 3])); else s.resetAndDestroy(); });')
    none_of_these(w, 'request-unanswered')
    for _ in range(2):
        sock = call(w, 9000)
        for first in (1, 1, 2):
            sock.sendall(bytes((first, 0, 0, 7)) + b'seven77')
            if first == 1:
                sock.recv(10)
            w.sleep(0.1)
        w.settle(0.1)


@situation('?abort', '?data-after-close', tool='node', needs=('node',))
def not_wrong_http_refused_silently(w):
    """A web server that lets some clients in and drops others without a word."""
    services.node_js(w.server, folder(w), 3000, """
        require('http').createServer((q, r) => { q.url == '/fine' ? r.end('fine') : q.socket.resetAndDestroy(); })
            .listen(+process.argv[2], process.argv[3]);
        """)
    none_of_these(w, 'request-unanswered')
    for path in ('/fine', '/bad', '/bad'):
        sock = call(w, 3000)
        sock.sendall(http_request(path))
        with errors_expected():
            read_http(sock)
        w.settle(0.05)


# stray-segment

@situation('half-open', tool='nftables', **NEAR)
def stray_burst(w):
    """Old and far segments of two connections in bursts of one to three, and the client goes on with a dialogue."""
    host = private_host(w)
    by_stray(w)
    listener = serve(w, w.server, 80)
    for count in (1, 2, 3):
        stray(w, host, listener, segments=count)
