# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts whose TCP is not this kernel's: lwIP, and libslirp's translation behind which this kernel answers.

They stand in for a Host of the bench. Their programs are built from stacks/ when they are first needed. Knows
nothing about causes.
"""
import functools
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

from frames import checksum
from hosts import CLONE_NEWNET, PR_SET_PDEATHSIG, Agent, Host, check, fork_agent, libc

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'stacks')
LWIP = ('lwip_host.c', '/usr/include/lwip/lwip/tcpip.h', ('-I/usr/include/lwip', '-llwip', '-lpthread'))
SLIRP = ('slirp_host.c', '/usr/include/slirp/libslirp.h', ('-I/usr/include/glib-2.0', '-lslirp'))


def missing(stack):
    """What keeps this stack from being built here, or None."""
    if not shutil.which('gcc'):
        return 'no gcc'
    return None if os.path.exists(stack[1]) else f'no {stack[1]}'


@functools.cache
def build(stack):
    """A descriptor of the stack's program, built once a process. It has no name that could be left behind."""
    source, _, flags = stack
    with tempfile.TemporaryDirectory(prefix='rstcause-stack-') as directory:
        program = os.path.join(directory, 'program')
        subprocess.run(['gcc', '-std=gnu11', '-O1', '-o', program, os.path.join(SOURCES, source), *flags], check=True)
        descriptor = os.memfd_create(source)
        with open(program, 'rb') as file:
            os.sendfile(descriptor, file.fileno(), 0, os.path.getsize(program))
    return descriptor


def frame_pipe():
    """Two ends that carry frames as messages. Ours never says that the other is gone, as a link does not."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
    ours.setblocking(False)
    return ours, theirs


def text_of(mac):
    return ':'.join(f'{b:02x}' for b in mac)


class StackHost:
    """What the wire and the bench need of a host."""

    def __init__(self, bench, name):
        self.bench, self.pump, self.name = bench, bench.pump, name
        self.address, self.mac = bench.addresses[name], bench.macs[name]
        self.peer_mac = bench.macs['server' if name == 'client' else 'client']
        self.family, self.offload = bench.family, False
        self.link, self.far_end = frame_pipe()
        self.tap = self.link.fileno()
        self.agents = []
        self.keeper = None

    def shut_down(self):
        for agent in self.agents:
            agent.kill()
        self.agents = []
        self.link.close()
        self.far_end.close()


class LwipSocket:
    """A socket of lwIP, with the calls that the bench knows. Payload is what its length says."""

    def __init__(self, agent, number):
        self.agent, self.number = agent, number

    def call(self, name, *args, timeout=20):
        return self.agent.call(name, self.number, *args, timeout=timeout)

    def setsockopt(self, level, option, value):
        if option != socket.SO_REUSEADDR or level != socket.SOL_SOCKET:
            self.call('option', level, option, value)

    def bind(self, endpoint):
        self.call('bind', *endpoint[:2])

    def listen(self, backlog):
        self.call('listen', backlog)

    def accept(self):
        return LwipSocket(self.agent, self.call('accept'))

    def connect(self, endpoint):
        self.call('connect', *endpoint[:2])

    def connect_ex(self, endpoint):
        try:
            self.connect(endpoint)
        except OSError as error:
            return error.errno
        return 0

    def setblocking(self, flag):
        assert not flag
        self.call('nonblock')

    def sendall(self, data):
        self.call('send', len(data))

    def recv(self, count):
        return b'x' * self.call('recv', count)

    def shutdown(self, how):
        self.call('shutdown', how)

    def linger(self, seconds):
        self.call('linger', seconds)

    def close(self):
        self.call('close')


class LwipAgent(Agent):
    """The process that is the host. All sockets are its."""

    def on_reply(self):
        data = self.channel.recv(1 << 16)
        if data:
            self.replies.append(int(data))
        else:
            self.forget()

    def begin(self, name, *args):
        self.channel.send(' '.join(map(str, (name, *args))).encode())
        self.pending += 1

    def finish(self, timeout=20):
        self.host.pump.run(lambda: self.replies or not self.alive, timeout)
        if not self.replies:
            raise TimeoutError(f'lwIP on {self.host.name} gives no answer')
        self.pending -= 1
        result = self.replies.pop(0)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result

    def fates(self):
        """lwIP is asked for its resets, not for what its applications see."""
        return []

    def socket(self):
        return LwipSocket(self, self.call('socket', int(self.host.family)))


class LwipHost(StackHost):
    def boot(self):
        program = build(LWIP)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        argv = ['lwip_host', str(self.far_end.fileno()), str(theirs.fileno()), text_of(self.mac), text_of(self.peer_mac),
                self.address]
        process = subprocess.Popen(argv, executable=f'/proc/self/fd/{program}',
                                   pass_fds=(program, self.far_end.fileno(), theirs.fileno()),
                                   preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        theirs.close()
        self.keeper = LwipAgent(self, process.pid, ours)
        process.returncode = 0      # the agent waits for it
        self.agents = [self.keeper]

    def agent(self):
        return self.keeper


class SlirpHost(StackHost):
    """libslirp, as the network of virtual machines has it: the other host's connections to this address end at
    sockets of the loopback interface in a namespace. `network` is its agents' Host."""

    def boot(self):
        program = build(SLIRP)
        self.network = Host(self.pump, self.name, self.family, self.address, '', mac=self.mac, peer_mac=self.peer_mac)

        def unshare(_channel):
            check(libc.unshare(CLONE_NEWNET), 'unshare')

        self.keeper = self.network.keeper = Agent(self, *fork_agent(unshare))
        self.network.agents = self.agents = [self.keeper]
        self.keeper.call('run', ['ip', 'link', 'set', 'lo', 'up'])
        far_end, keeper_pid = self.far_end.fileno(), self.keeper.pid

        def enter(_channel):
            with open(f'/proc/{keeper_pid}/ns/net', 'rb') as ns:
                check(libc.setns(ns.fileno(), CLONE_NEWNET), 'setns')
            os.set_inheritable(far_end, True)
            os.execve(program, ['slirp_host', str(far_end), self.address], os.environ)

        self.agents.append(Agent(self, *fork_agent(enter, keep_fds=(far_end, program))))
        os.write(self.tap, self.introduction())

    def introduction(self):
        """The peer's frame that tells who has its address, for nobody asks on this wire: a gratuitous ARP, or a
        neighbour advertisement."""
        peer = socket.inet_pton(self.family, self.bench.addresses['server' if self.name == 'client' else 'client'])
        if self.family == socket.AF_INET:
            return b'\xff' * 6 + self.peer_mac + struct.pack('!HHHBBH', 0x0806, 1, 0x0800, 6, 4, 1) + \
                self.peer_mac + peer + bytes(6) + peer
        own = socket.inet_pton(self.family, self.address)
        message = struct.pack('!BBHI', 136, 0, 0, 0x60000000) + peer + b'\2\1' + self.peer_mac
        total = checksum(peer + own + struct.pack('!II', len(message), 58) + message)
        return self.mac + self.peer_mac + struct.pack('!HIHBB', 0x86dd, 0x60000000, len(message), 58, 255) + \
            peer + own + message[:2] + struct.pack('!H', total) + message[4:]

    def agent(self):
        return self.network.agent()


def take_place(bench, kind, name):
    """A host of this kind comes in the place of the bench's."""
    old = bench.host(name)
    if name in bench.wire.hosts:
        bench.wire.detach(old)
        old.shut_down()
    host = kind(bench, name)
    setattr(bench, name, host)
    host.boot()
    bench.wire.attach(host)
    return host
