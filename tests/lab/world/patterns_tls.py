# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said in TLS at the end: late-close-notify, refused-by-tls, and their twins. See patterns.py.
Must not know what the plugin says.
"""
import ssl

import services
from lookalikes import abort, accept, call, serve
from patterns import errors_expected, none_of_these, origin, situation
from programs import folder, late_goodbye, read_to_end, refused_late, shows_alert, tls, url

PLAIN_TLS = {'maximum_version': ssl.TLSVersion.TLSv1_2}     # its alerts stand in the clear, or at least their type does


# late-close-notify

@situation('data-after-close', tool='node', needs=('node',))
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
