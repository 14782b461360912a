# SPDX-License-Identifier: GPL-2.0-or-later
"""Who speaks another language than the service: wrong-protocol, and its twins. See patterns.py.
Must not know what the plugin says.
"""
import services
from lookalikes import abort, call
from patterns import none_of_these, situation
from patterns_tls import PLAIN_TLS
from programs import folder, http_request, nothing, opened, say, say_tls, shows_wrong, tls, url, use_http


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
