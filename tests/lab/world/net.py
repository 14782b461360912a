# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of namespaces: hosts, routers and a bridge in the middle, joined by veth pairs or by slow links.

A node is a network namespace without a name; it ends with this process. A slow link is two TAPs and a process
that moves frames between them after a delay. tcpdump makes the captures, one process for each capture point.
Knows nothing about scenarios, resets or causes.
"""
import contextlib
import ctypes
import fcntl
import heapq
import itertools
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 0x0002, 0x1000
libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f'{what}: {os.strerror(code)}')


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def close_all_but(*fds):
    kept = sorted(fds)
    for low, high in zip(kept, kept[1:] + [4096]):
        os.closerange(low + 1, high)


class Node:
    """A network namespace: a host, a router or a bridge. `addresses` has one for each family, by 4 and 6."""

    def __init__(self, net, name):
        self.net, self.name = net, name
        self.addresses = {}
        self.processes = []
        with open('/proc/thread-self/ns/net', 'rb') as before:
            check(libc.unshare(CLONE_NEWNET), 'unshare')
            self.fd = os.open('/proc/thread-self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
            check(libc.setns(before.fileno(), CLONE_NEWNET), 'setns')
        self.run('ip', 'link', 'set', 'lo', 'up')
        for key, value in (('ipv6/conf/all/accept_dad', 0), ('ipv6/conf/default/accept_dad', 0),
                           ('ipv6/conf/default/accept_ra', 0), ('ipv6/conf/default/router_solicitations', 0),
                           ('ipv4/conf/all/rp_filter', 0), ('ipv4/conf/default/rp_filter', 0),
                           ('ipv4/conf/all/send_redirects', 0), ('ipv4/conf/default/send_redirects', 0)):
            self.sysctl(key, value)

    @property
    def path(self):
        """For commands that take a namespace by path, such as ip link ... netns PATH."""
        return f'/proc/{os.getpid()}/fd/{self.fd}'

    @contextlib.contextmanager
    def inside(self):
        """The calling thread is in this namespace meanwhile; sockets and processes made there stay there."""
        with open('/proc/thread-self/ns/net', 'rb') as before:
            check(libc.setns(self.fd, CLONE_NEWNET), 'setns')
            try:
                yield self
            finally:
                check(libc.setns(before.fileno(), CLONE_NEWNET), 'setns')

    def socket(self, family=None, kind=socket.SOCK_STREAM, protocol=0):
        """A Python socket of this host."""
        with self.inside():
            return socket.socket(family or self.net.family, kind, protocol)

    def run(self, *argv, stdin=None, timeout=30, fail=True):
        """Run a command to its end; its stdout."""
        with self.inside():
            done = subprocess.run(argv, input=stdin, text=True, capture_output=True, timeout=timeout, check=False,
                                  errors='replace')
        if fail and done.returncode:
            raise RuntimeError(f'{self.name}: {" ".join(argv)}: {done.stderr.strip() or done.stdout.strip()}')
        return done.stdout

    def popen(self, *argv, **how):
        """Start a command; it is killed at the end at the latest. Output is thrown away unless asked for."""
        how.setdefault('stdin', subprocess.DEVNULL)
        how.setdefault('stdout', subprocess.DEVNULL)
        how.setdefault('stderr', subprocess.DEVNULL)
        if threading.current_thread() is threading.main_thread():
            how.setdefault('preexec_fn', die_with_parent)
        with self.inside():
            process = subprocess.Popen(argv, **how)
        self.processes.append(process)
        return process

    def sysctl(self, key, value):
        """`key` is a path below /proc/sys/net."""
        with self.inside(), open(f'/proc/sys/net/{key}', 'w', encoding='ascii') as file:
            file.write(str(value))

    def address(self, interface, ipv4, ipv6):
        self.run('ip', '-batch', '-', stdin=f'addr add {ipv4}/24 dev {interface}\n'
                 f'addr add {ipv6}/64 dev {interface} nodad\n')
        self.addresses.setdefault(4, ipv4)
        self.addresses.setdefault(6, ipv6)

    def route(self, to, via):
        self.run('ip', '-6' if ':' in via else '-4', 'route', 'add', to, 'via', via)

    def forward(self):
        """Make it a router."""
        self.sysctl('ipv4/ip_forward', 1)
        self.sysctl('ipv6/conf/all/forwarding', 1)

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        os.close(self.fd)


class Net:
    """All nodes, links and captures of one run. Addresses are this process's own: 10.A.B.0/24, fd00:A:B::/64."""

    def __init__(self, family):
        self.family = socket.AF_INET if family == 4 else socket.AF_INET6
        self.nodes, self.relays, self.captures = {}, [], []
        self.block = (16 + os.getpid() % 200, 1 + os.getpid() // 200 % 25 * 10)     # no 0: IPv6 would write it shorter

    def node(self, name):
        self.nodes[name] = Node(self, name)
        return self.nodes[name]

    def subnet(self, index, host):
        """(IPv4 address, IPv6 address) of a host in the subnet of this number (0 to 9)."""
        a, b = self.block
        return f'10.{a}.{b + index}.{host}', f'fd00:{a:x}:{b + index:x}::{host:x}'

    def subnets(self, index):
        a, b = self.block
        return f'10.{a}.{b + index}.0/24', f'fd00:{a:x}:{b + index:x}::/64'

    def link(self, one, one_name, two, two_name, delay=0.0):
        """Join two nodes by an interface of each. Offloads are off: frames are what a wire would carry."""
        if delay:
            self.slow_link(one, one_name, two, two_name, delay)
        else:
            one.run('ip', 'link', 'add', one_name, 'type', 'veth', 'peer', 'name', two_name, 'netns', two.path)
        for node, name in ((one, one_name), (two, two_name)):
            if not delay:
                node.run('ethtool', '-K', name, 'tx', 'off', 'rx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off')
            node.run('ip', 'link', 'set', name, 'txqueuelen', '10000', 'up')

    def tap(self, node, name):
        """A TAP in a node, for a program that brings its own stack; returns the descriptor."""
        with node.inside():
            fd = os.open('/dev/net/tun', os.O_RDWR | os.O_CLOEXEC)
            fcntl.ioctl(fd, TUNSETIFF, struct.pack('16sH14x', name.encode(), IFF_TAP | IFF_NO_PI))
        return fd

    def slow_link(self, one, one_name, two, two_name, delay):
        fds = (self.tap(one, one_name), self.tap(two, two_name))
        pid = os.fork()
        if pid == 0:
            try:
                die_with_parent()
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                close_all_but(0, 1, 2, *fds)
                relay(*fds, delay)
            finally:
                os._exit(0)
        for fd in fds:
            os.close(fd)
        self.relays.append(pid)

    def bridge(self, node, name, *interfaces):
        node.run('ip', '-batch', '-', stdin=f'link add {name} type bridge mcast_snooping 0\n'
                 + ''.join(f'link set {i} master {name}\n' for i in interfaces) + f'link set {name} up\n')

    def capture(self, node, interface, path, direction='inout', expression='', longest=2048):
        """tcpdump, ready when this returns. `longest` is how much it keeps of a frame; its buffer has slots of that size."""
        process = node.popen('tcpdump', '-i', interface, '-U', '--immediate-mode', '-s', str(longest), '-n', '-B', '32768', '-Z', 'root', '-Q', direction,
                             '--time-stamp-precision=nano', '-w', path, *expression.split(), stderr=subprocess.PIPE)
        text = b''
        while b'listening on' not in text:
            part = process.stderr.readline()
            if not part:
                raise RuntimeError(f'tcpdump on {node.name} {interface}: {text.decode()}')
            text += part
        self.captures.append(process)

    def stop_captures(self):
        """Returns how many packets tcpdump says it missed."""
        time.sleep(0.15)
        missed, self.stopped = 0, time.monotonic()
        for process in self.captures:
            process.send_signal(signal.SIGINT)
        for process in self.captures:
            for line in process.communicate(timeout=10)[1].decode().splitlines():
                if line.endswith('dropped by kernel'):
                    missed += int(line.split()[0])
        self.captures = []
        return missed

    def close(self):
        for pid in self.relays:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for node in self.nodes.values():
            node.close()


def relay(one, two, delay):
    """Move frames between two TAPs, each after the delay, in order."""
    queue, order = [], itertools.count()
    for fd in (one, two):
        os.set_blocking(fd, False)
    other = {one: two, two: one}
    while True:
        wait = max(0.0, queue[0][0] - time.monotonic()) if queue else None
        ready, _, _ = select.select((one, two), (), (), wait)
        now = time.monotonic()
        for fd in ready:
            with contextlib.suppress(BlockingIOError):
                for _ in range(64):
                    heapq.heappush(queue, (now + delay, next(order), other[fd], os.read(fd, 65536)))
        while queue and queue[0][0] <= time.monotonic():
            _, _, fd, frame = heapq.heappop(queue)
            with contextlib.suppress(OSError):
                os.write(fd, frame)


class Path:
    """A client, a server and what lies between: client - routers - middle - routers - server.

    `before` and `after` are the routers on each side of the middle. The middle is a bridge on a segment of its own
    address, or with `routed` itself a router. `delays` are one way, in seconds: client's side and server's side of
    the middle. `middle.watch` is its interface that is captured: br0, or the one towards the client.
    Of a router, if0 is towards the client and if1 towards the server."""

    def __init__(self, net, before=0, after=0, delays=(0.0, 0.0), routed=False):
        self.net, self.before, self.after = net, before, after
        self.client, self.middle = net.node('client'), net.node('middle')
        left = [net.node(f'r{i + 1}') for i in range(before)]
        right = [net.node(f'r{before + i + 1}') for i in range(after)]
        self.server = net.node('server')
        self.routers = left + [self.middle] * routed + right
        chain = [self.client, *self.routers, self.server]
        for router in self.routers:
            router.forward()
        for index, (one, two) in enumerate(zip(chain, chain[1:])):
            self.join(index, one, two, chain, routed, delays)
        self.add_routes(chain)
        self.client.watch = self.server.watch = 'eth0'
        self.middle.watch = 'if0' if routed else 'br0'

    def join(self, index, one, two, chain, routed, delays):
        one_name = 'eth0' if one is chain[0] else 'if1'
        two_name = 'eth0' if two is chain[-1] else 'if0'
        net = self.net
        if not routed and index == self.before:
            net.link(one, one_name, self.middle, 'left', delays[0])
            net.link(self.middle, 'right', two, two_name, delays[1])
            net.bridge(self.middle, 'br0', 'left', 'right')
            self.middle.address('br0', *net.subnet(index, 100))
        else:
            delay = delays[0] if routed and two is self.middle else delays[1] if routed and one is self.middle else 0
            net.link(one, one_name, two, two_name, delay)
        one.address(one_name, *net.subnet(index, 1))
        two.address(two_name, *net.subnet(index, 2))

    def add_routes(self, chain):
        """Each node of the chain knows all subnets; the bridge, too."""
        last = len(chain) - 2
        places = [(node, i - 1, i) for i, node in enumerate(chain)]
        if self.middle not in chain:
            places.append((self.middle, self.before, self.before))
        for node, left, right in places:
            for subnet in range(last + 1):
                if subnet in (left, right):
                    continue
                via = self.net.subnet(left, 1) if subnet < right else self.net.subnet(right, 2)
                for to, gateway in zip(self.net.subnets(subnet), via):
                    node.route(to, gateway)
