# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts: a network namespace with one TAP link, and processes ("agents") that live in it.

An agent is a real child process that carries out socket calls on request, so that killing it is a real
SIGKILL. Namespaces have no name: they end with their last process, whatever happens to the lab itself.
Knows nothing about the wire between hosts, captures or causes.
"""
import collections
import contextlib
import ctypes
import errno
import fcntl
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import traceback

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
TUNSETIFF, TUNSETOFFLOAD = 0x400454ca, 0x400454d0
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 = 1, 2, 4
VNET_HEADER = 10

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f'{what}: {os.strerror(code)}')


def open_tap(name, offload):
    """A TAP device in the caller's namespace. With `offload` it hands out TSO-sized frames, each behind
    a virtio header, as the driver of a modern network card does."""
    fd = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    flags = IFF_TAP | IFF_NO_PI | (IFF_VNET_HDR if offload else 0)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack('16sH14x', name.encode(), flags))
    if offload:
        fcntl.ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
    return fd


class Program:
    """The inside of an agent: sockets by number, and the calls on them."""

    def __init__(self):
        self.sockets = {}
        self.pairs = {}         # local and remote address of each socket that was connected, while it is
        self.errors = collections.defaultdict(list)

    def keep(self, number, sock):
        self.sockets[number] = sock

    @contextlib.contextmanager
    def noting_errors(self, number):
        try:
            yield self.sockets[number]
        except OSError as error:
            self.errors[number].append(error.errno)
            raise

    def do_socket(self, number, family, kind=socket.SOCK_STREAM, protocol=0):
        self.keep(number, socket.socket(family, kind, protocol))

    def do_accept(self, number, child):
        sock, peer = self.sockets[number].accept()
        self.keep(child, sock)
        self.pairs[child] = (sock.getsockname()[:2], peer[:2])
        return peer

    def do_on(self, number, method, *args):
        with self.noting_errors(number) as sock:
            if method in ('connect', 'connect_ex'):
                self.pairs[number] = (sock.getsockname()[:2], args[0][:2])
            result = getattr(sock, method)(*args)
            if method == 'connect_ex' and result:
                self.errors[number].append(result)
            return None if isinstance(result, socket.socket) else result

    def do_drain(self, number):
        """Read until the peer has closed; the number of bytes."""
        total = 0
        with self.noting_errors(number) as sock:
            while data := sock.recv(1 << 20):
                total += len(data)
        return total

    def do_fates(self):
        """Of each socket that was connected, as text: local and remote address and port, the errors that its calls
        returned so far, and the one that waits for the next call. One that is closed tells no more."""
        fates = []
        for number, pair in self.pairs.items():
            errors, sock = self.errors[number], self.sockets[number]
            is_open = sock.fileno() >= 0
            if is_open and (waiting := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                errors = [*errors, waiting]
            fates.append((*pair[0], *pair[1], 'open' if is_open else 'closed',
                          ','.join(errno.errorcode[error] for error in errors) or '-'))
        return fates

    def do_disconnect(self, number):
        """connect(AF_UNSPEC), which Python cannot say."""
        self.pairs.pop(number, None)
        check(libc.connect(self.sockets[number].fileno(), struct.pack('H14x', socket.AF_UNSPEC), 16), 'connect')

    def do_sysctl(self, name, value):
        with open('/proc/sys/' + name, 'w', encoding='ascii') as file:
            file.write(str(value))

    def do_run(self, argv, stdin=''):
        done = subprocess.run(argv, input=stdin, text=True, capture_output=True, check=False)
        if done.returncode:
            raise OSError(errno.EINVAL, f'{argv}: {done.stderr.strip()}')
        return done.stdout

    def do_frames(self, interface, frames):
        """Send raw frames out of this host, as a scanner does."""
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind((interface, 0))
            for frame in frames:
                raw.send(frame)

    def serve(self, channel):
        while True:
            request = channel.recv(1 << 22)
            if not request:
                return
            name, args = pickle.loads(request)
            try:
                reply = (True, getattr(self, 'do_' + name)(*args))
            except OSError as error:
                reply = (False, error)
            channel.send(pickle.dumps(reply))


def fork_agent(enter, keep_fds=()):
    """Fork a process that first calls `enter(channel)` and then serves. Returns (pid, channel)."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
    pid = os.fork()
    if pid:
        theirs.close()
        return pid, ours
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        kept = sorted({0, 1, 2, theirs.fileno(), *keep_fds})
        # A TAP descriptor that a child inherits would keep a host alive that has lost its power.
        for low, high in zip(kept, kept[1:] + [4096]):
            os.closerange(low + 1, high)
        enter(theirs)
        Program().serve(theirs)
    except BaseException:
        traceback.print_exc(file=sys.stderr)
        os._exit(1)
    os._exit(0)


class Agent:
    """The lab's handle on one process in a host. `pump(condition)` runs the wire until it holds."""

    def __init__(self, host, pid, channel):
        self.host, self.pid, self.channel = host, pid, channel
        self.alive, self.replies, self.pending, self.next_number = True, [], 0, 0
        host.pump.watch(channel, self.on_reply)

    def on_reply(self):
        data = self.channel.recv(1 << 22)
        if data:
            self.replies.append(pickle.loads(data))
        else:
            self.forget()

    def begin(self, name, *args):
        """Start a call; finish() waits for its result."""
        self.channel.send(pickle.dumps((name, args)))
        self.pending += 1

    def finish(self, timeout=20):
        self.host.pump.run(lambda: self.replies or not self.alive, timeout)
        if not self.replies:
            raise TimeoutError(f'agent on {self.host.name} gives no answer')
        self.pending -= 1
        ok, value = self.replies.pop(0)
        if not ok:
            raise value
        return value

    def call(self, name, *args, timeout=20):
        self.begin(name, *args)
        return self.finish(timeout)

    def fates(self):
        """What became of its sockets; none of a process that is gone or waits in a call."""
        self.host.pump.run(lambda: len(self.replies) >= self.pending or not self.alive, 0.1)
        if not self.alive or len(self.replies) < self.pending:
            return []
        self.replies, self.pending = [], 0
        return self.call('fates')

    def socket(self, family=None, kind=socket.SOCK_STREAM, protocol=0):
        self.next_number += 1
        self.call('socket', self.next_number, family or self.host.family, kind, protocol)
        return Sock(self, self.next_number)

    def forget(self):
        if self.alive:
            self.alive = False
            self.host.pump.unwatch(self.channel)
            self.channel.close()

    def kill(self):
        """SIGKILL: the kernel closes what the process had open."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
        self.forget()


class Sock:
    """A socket inside an agent. Its methods are those of Python's socket."""

    def __init__(self, agent, number):
        self.agent, self.number = agent, number

    def __getattr__(self, method):
        return lambda *args, timeout=20: self.agent.call('on', self.number, method, *args, timeout=timeout)

    def begin(self, method, *args):
        self.agent.begin('on', self.number, method, *args)

    def finish(self, timeout=20):
        return self.agent.finish(timeout)

    def accept(self, timeout=20):
        self.agent.next_number += 1
        child = Sock(self.agent, self.agent.next_number)
        self.agent.call('accept', self.number, child.number, timeout=timeout)
        return child

    def begin_drain(self):
        self.agent.begin('drain', self.number)

    def linger(self, seconds):
        self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, seconds))


class Host:
    """One machine: namespace, TAP link, addresses, agents."""

    def __init__(self, pump, name, family, address, peer, *, mac, peer_mac, offload=False, sysctls=()):
        self.pump, self.name, self.family = pump, name, family
        self.address, self.peer, self.mac, self.peer_mac = address, peer, mac, peer_mac
        self.offload, self.sysctls = offload, dict(sysctls)
        self.agents, self.tap = [], None
        self.keeper = None

    def boot(self):
        def enter(channel):
            check(libc.unshare(CLONE_NEWNET), 'unshare')
            fd = open_tap('tap0', self.offload)
            socket.send_fds(channel, [b'tap'], [fd])
            os.close(fd)

        pid, channel = fork_agent(enter)
        message, fds, _, _ = socket.recv_fds(channel, 16, 1)
        if not fds:
            raise OSError(errno.EPERM, 'cannot make a network namespace with a TAP device')
        self.tap = fds[0]
        os.set_blocking(self.tap, False)
        self.keeper = Agent(self, pid, channel)
        self.agents = [self.keeper]
        self.configure()

    def configure(self):
        plain = 'net/ipv6/conf/tap0/'
        for name, value in {plain + 'accept_ra': 0, plain + 'router_solicitations': 0,
                            plain + 'accept_dad': 0, plain + 'addr_gen_mode': 1, **self.sysctls}.items():
            self.keeper.call('sysctl', name, value)
        mac, peer_mac = (':'.join(f'{b:02x}' for b in m) for m in (self.mac, self.peer_mac))
        six = self.family == socket.AF_INET6
        bits = '128 nodad' if six else '32'
        self.keeper.call('run', ['ip', '-batch', '-'], f'''
link set lo up
link set tap0 address {mac}
link set tap0 txqueuelen 10000 up
addr add {self.address}/{bits} dev tap0
route add {self.peer} dev tap0
neigh add {self.peer} lladdr {peer_mac} dev tap0 nud permanent
''')

    def sysctl(self, name, value):
        self.keeper.call('sysctl', name, value)

    def agent(self):
        keeper_pid = self.keeper.pid

        def enter(_channel):
            with open(f'/proc/{keeper_pid}/ns/net', 'rb') as ns:
                check(libc.setns(ns.fileno(), CLONE_NEWNET), 'setns')

        agent = Agent(self, *fork_agent(enter))
        self.agents.append(agent)
        return agent

    def shut_down(self):
        """End all processes and the link. What the dying sockets send is nobody's business any more:
        detach the link from the wire first."""
        for agent in self.agents:
            agent.kill()
        self.agents = []
        if self.tap is not None:
            os.close(self.tap)
            self.tap = None
