# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers from Debian, each started as a plain program in a node, with its configuration in a temporary folder.

Every function returns the process once something listens at the port. Nothing is ever a system service.
Knows nothing about scenarios, resets or causes.
"""
import contextlib
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import textwrap
import time

READY = 15      # seconds that a server may take
NO_AIO = '--innodb-use-native-aio=0'     # the kernel has contexts for two or three MariaDBs at once


def bracketed(address):
    return f'[{address}]' if ':' in address else address


def address_of(node):
    """Services listen at one address: the kernel's record knows a listener by its own address only."""
    return node.addresses[6 if node.net.family == socket.AF_INET6 else 4]


def await_port(node, port, seconds=READY):
    end = time.monotonic() + seconds
    while f':{port} ' not in node.run('ss', '-Hltn'):
        if time.monotonic() > end:
            raise TimeoutError(f'nothing listens at port {port} of {node.name}')
        time.sleep(0.05)


class Folder:
    """Temporary folder of a run, world-readable, since many servers change their user."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix='lab-world-')
        os.chmod(self.path, 0o755)

    def file(self, name, text='', mode=0o644):
        path = os.path.join(self.path, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(textwrap.dedent(text))
        os.chmod(path, mode)
        return path

    def folder(self, name, owner=None):
        path = os.path.join(self.path, name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o755)
        if owner:
            shutil.chown(path, owner)
        return path

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


def started(node, port, *argv, **how):
    process = node.popen(*argv, **how)
    await_port(node, port)
    return process


def big_file(folder, size):
    root = folder.folder('www')
    with open(os.path.join(root, 'big.bin'), 'wb') as file:
        file.truncate(size)
    with open(os.path.join(root, 'index.html'), 'w', encoding='ascii') as file:
        file.write('<html>hello</html>\n' * 20)
    return root


def certificate(folder, name='www.example.org'):
    """A self-signed certificate: (certificate file, key file)."""
    cert, key = (os.path.join(folder.path, f'{name}.{kind}') for kind in ('crt', 'key'))
    if not os.path.exists(cert):
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                        '-days', '30', '-subj', f'/CN={name}', '-addext', f'subjectAltName=DNS:{name}', '-keyout', key,
                        '-out', cert], check=True, capture_output=True)
        os.chmod(key, 0o644)
    return cert, key


def nginx(node, folder, port, http='', server='', tls=False):
    root = big_file(folder, 30_000_000)
    os.chmod(root, 0o755)
    ssl = ''
    if tls:
        cert, key = certificate(folder)
        ssl = f'ssl_certificate {cert}; ssl_certificate_key {key};'
    kind = ' ssl' if tls else ''
    name = f'nginx-{port}'
    temp = folder.folder(name)
    paths = ' '.join(f'{what}_temp_path {temp}/{what};' for what in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
    conf = folder.file(f'{name}.conf', f'''
        daemon off; worker_processes 1; user root; pid {temp}/pid; error_log {temp}/error.log;
        events {{ worker_connections 2000; }}
        http {{
            access_log off; {paths} {http}
            types {{ text/html html; }}
            server {{ listen {bracketed(address_of(node))}:{port}{kind}; root {root}; {ssl} {server} }}
        }}
        ''')
    return started(node, port, 'nginx', '-e', f'{temp}/error.log', '-c', conf)


def apache(node, folder, port, extra='', tls=False):
    root = big_file(folder, 30_000_000)
    temp = folder.folder(f'apache-{port}')
    modules = {'mpm_event': 'mpm_event', 'authz_core': 'authz_core', 'reqtimeout': 'reqtimeout'}
    ssl = ''
    if tls:
        cert, key = certificate(folder)
        modules.update(ssl='ssl', socache_shmcb='socache_shmcb')
        ssl = f'SSLEngine on\nSSLCertificateFile {cert}\nSSLCertificateKeyFile {key}'
    loads = '\n'.join(f'LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so' for m in modules)
    conf = os.path.join(temp, 'httpd.conf')
    with open(conf, 'w', encoding='ascii') as file:
        file.write(f'{loads}\nServerRoot {temp}\nServerName www.example.org\nPidFile {temp}/pid\nErrorLog {temp}/error.log\n'
                   f'DefaultRuntimeDir {temp}\nMutex fcntl:{temp}\n'
                   f'DocumentRoot {root}\nListen {bracketed(address_of(node))}:{port}\nUser www-data\nGroup www-data\n'
                   f'StartServers 1\nServerLimit 2\nThreadsPerChild 16\nMaxRequestWorkers 32\n'
                   f'<Directory {root}>\nRequire all granted\n</Directory>\n{ssl}\n{extra}\n')
    return started(node, port, 'apache2', '-f', conf, '-DFOREGROUND')


def haproxy(node, folder, port, front='', backend='', server='', mode='http', timeouts=('30s', '30s', '30s'), bind=''):
    """`timeouts`: client, server, http-keep-alive."""
    conf = folder.file(f'haproxy-{port}.cfg', f'''
        global
            maxconn 1000
            nbthread 1
        defaults
            mode {mode}
            timeout connect 2s
            timeout client {timeouts[0]}
            timeout server {timeouts[1]}
            timeout http-keep-alive {timeouts[2]}
            retries 0
        frontend here
            bind {bracketed(address_of(node))}:{port} {bind}
            {front}
            default_backend there
        backend there
            {backend}
            {server}
        ''')
    return started(node, port, 'haproxy', '-q', '-db', '-f', conf)


def node_js(node, folder, port, script):
    """A script that is to listen on port process.argv[2] of process.argv[3]."""
    return started(node, port, 'node', folder.file(f'server-{port}.js', script), str(port), address_of(node), cwd=folder.path)


def python(node, folder, port, script, *arguments):
    """A Python script that is to listen on sys.argv[1]."""
    path = folder.file(f'server-{port}.py', script)
    return started(node, port, 'python3', path, str(port), *arguments, cwd=folder.path)


def http_server(node, folder, port, *arguments):
    """python3 -m http.server."""
    root = big_file(folder, 30_000_000)
    return started(node, port, 'python3', '-m', 'http.server', str(port), '--bind', address_of(node), '--directory', root, *arguments)


def postgres_bin(name):
    return sorted(glob.glob(f'/usr/lib/postgresql/*/bin/{name}'))[-1]


def postgresql(node, folder, port, *settings):
    data = folder.folder('pgdata', 'postgres')
    os.chmod(data, 0o700)
    if not os.listdir(data):
        subprocess.run(['runuser', '-u', 'postgres', '--', postgres_bin('initdb'), '-D', data, '-A', 'trust', '-N',
                        '--no-instructions'], check=True, capture_output=True, cwd='/')
        with open(f'{data}/pg_hba.conf', 'a', encoding='ascii') as file:
            file.write('host all all 0.0.0.0/0 trust\nhost all all ::/0 trust\n')
    options = [word for s in (f'listen_addresses={address_of(node)}', 'unix_socket_directories=', 'shared_buffers=16MB', 'fsync=off',
                              *settings) for word in ('-c', s)]
    process = started(node, port, 'runuser', '-u', 'postgres', '--', postgres_bin('postgres'), '-D', data, '-p', str(port),
                      *options, cwd='/')
    time.sleep(0.7)     # it listens before it takes anybody in
    return process


def redis(node, folder, port, *settings):
    return started(node, port, 'redis-server', '--port', str(port), '--protected-mode', 'no', '--save', '', '--bind',
                   address_of(node), '--dir', folder.path, *settings)


def mariadb(node, folder, port, *settings):
    data = folder.folder('mysql')
    if not os.path.isdir(f'{data}/mysql'):
        subprocess.run(['mariadb-install-db', '--no-defaults', f'--datadir={data}', '--user=root',
                        '--auth-root-authentication-method=normal', '--skip-test-db', NO_AIO], check=True, capture_output=True)
    process = started(node, port, 'mariadbd', '--no-defaults', '--user=root', f'--datadir={data}', f'--port={port}',
                      f'--bind-address={address_of(node)}', f'--socket={data}/sock', '--skip-name-resolve', '--innodb-buffer-pool-size=8M', NO_AIO,
                      *settings)
    subprocess.run(['mariadb', '--no-defaults', f'--socket={data}/sock', '-uroot', '-e',
                    "create user if not exists lab@'%'; grant all on *.* to lab@'%'"], check=True, capture_output=True)
    return process


def squid(node, folder, port, extra=''):
    temp = folder.folder('squid', 'proxy')
    os.chmod(temp, 0o777)
    conf = folder.file('squid.conf', f'''
        http_port {bracketed(address_of(node))}:{port}
        http_access allow all
        cache deny all
        access_log none
        cache_log {temp}/cache.log
        pid_filename {temp}/pid
        coredump_dir {temp}
        logfile_rotate 0
        netdb_filename none
        pinger_enable off
        shutdown_lifetime 0 seconds
        ''' + extra)
    return started(node, port, 'squid', '-N', '-f', conf)


def sshd(node, folder, port, *settings):
    os.makedirs('/run/sshd', exist_ok=True)
    key = os.path.join(folder.path, 'host_key')
    if not os.path.exists(key):
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key], check=True)
    conf = folder.file('sshd_config', f'Port {port}\nListenAddress {address_of(node)}\nHostKey {key}\nPidFile none\nUsePAM no\nPasswordAuthentication no\n'
                       f'StrictModes no\nAuthorizedKeysFile {folder.path}/authorized\n' + '\n'.join(settings) + '\n')
    return started(node, port, '/usr/sbin/sshd', '-D', '-f', conf)


def lighttpd(node, folder, port, extra='', tls=False):
    root = big_file(folder, 30_000_000)
    temp = folder.folder(f'lighttpd-{port}')
    os.chmod(temp, 0o777)
    ssl = ''
    if tls:
        cert, key = certificate(folder)
        ssl = f'server.modules += ("mod_openssl")\nssl.engine = "enable"\nssl.pemfile = "{cert}"\nssl.privkey = "{key}"'
    conf = folder.file(f'lighttpd-{port}.conf', f'''
        server.document-root = "{root}"
        server.bind = "{bracketed(address_of(node))}"
        server.port = {port}
        server.modules = ("mod_access")
        server.errorlog = "{temp}/error.log"
        server.upload-dirs = ("{temp}")
        mimetype.assign = (".html" => "text/html", ".bin" => "application/octet-stream")
        ''' + textwrap.dedent(extra) + '\n' + ssl + '\n')
    return started(node, port, 'lighttpd', '-D', '-f', conf)


def memcached(node, _folder, port, *settings):
    return started(node, port, 'memcached', '-u', 'root', '-l', bracketed(address_of(node)), '-p', str(port), '-U', '0', '-m', '32',
                   '-t', '1', *settings)


def puma(node, folder, port, application, *settings):
    """A Rack application in Ruby."""
    rack = folder.file('config.ru', application)
    conf = folder.file('puma.rb', '\n'.join((f"bind 'tcp://{bracketed(address_of(node))}:{port}'", 'threads 1, 8', 'quiet',
                                             *settings)) + '\n')
    return started(node, port, 'puma', '-C', conf, rack, cwd=folder.path)


def php(node, folder, port, script):
    """The server of PHP's command line; it hands each request to the script."""
    path = folder.file('router.php', script)
    return started(node, port, 'php', '-q', '-S', f'{bracketed(address_of(node))}:{port}', path, cwd=folder.path)


def varnish(node, folder, port, backend, *parameters):
    """`backend` is host and port of the origin."""
    temp = folder.folder('varnish')
    host, _, back = backend.rpartition(':')
    vcl = folder.file('default.vcl', f'''
        vcl 4.1;
        backend default {{ .host = "{host.strip('[]')}"; .port = "{back}"; }}
        ''')
    words = [word for p in parameters for word in ('-p', p)]
    return started(node, port, 'varnishd', '-j', 'none', '-F', '-n', temp, '-a', f'{bracketed(address_of(node))}:{port}', '-f', vcl,
                   '-T', 'none', '-s', 'malloc,32m', *words)


def stunnel(node, folder, port, backend, *settings):
    """TLS in front of `backend` (host and port)."""
    cert, key = certificate(folder)
    conf = folder.file(f'stunnel-{port}.conf', '\n'.join((
        'foreground = quiet', 'pid =', 'debug = 3', '[service]', f'accept = {address_of(node)}:{port}', f'connect = {backend}',
        f'cert = {cert}', f'key = {key}', *settings)) + '\n')
    return started(node, port, 'stunnel4', conf)


def hitch(node, folder, port, backend):
    """TLS in front of `backend` (host and port)."""
    cert, key = certificate(folder)
    with open(cert, encoding='ascii') as a, open(key, encoding='ascii') as b:
        both = folder.file('hitch.pem', b.read() + a.read())
    return started(node, port, 'hitch', '--user=nobody', f'--frontend=[{address_of(node)}]:{port}', f'--backend={backend}', both)


def mosquitto(node, folder, port):
    conf = folder.file('mosquitto.conf', f'listener {port} {address_of(node)}\nallow_anonymous true\nuser root\n')
    return started(node, port, 'mosquitto', '-c', conf)


def beanstalkd(node, _folder, port):
    return started(node, port, 'beanstalkd', '-l', address_of(node), '-p', str(port))


def openssl_server(node, folder, port, *settings):
    cert, key = certificate(folder)
    return started(node, port, 'openssl', 's_server', '-quiet', '-accept', f'{bracketed(address_of(node))}:{port}', '-cert', cert,
                   '-key', key, *settings, stdin=subprocess.PIPE)


def stop(process, hard=False, seconds=5):
    """End a server in order, or as a crash would."""
    if process.poll() is None:
        process.kill() if hard else process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    if process.poll() is None:
        process.kill()
        process.wait()


def sweep(nodes):
    """End whatever still lives in these namespaces: workers whose master is gone, sessions of their own."""
    inodes = {os.fstat(node.fd).st_ino for node in nodes}
    for name in os.listdir('/proc'):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                if os.stat(f'/proc/{name}/ns/net').st_ino in inodes:
                    os.kill(int(name), signal.SIGKILL)
