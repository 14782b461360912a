# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts with the TCP of others, from Debian's packages: gVisor, an older Linux in user mode, passt.

They stand in for a Host of the bench, as those of stack_hosts.py do, whose words and frames they share. Knows nothing
about causes.
"""
import base64
import functools
import os
import pickle
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

from hosts import CLONE_NEWNET, PR_SET_PDEATHSIG, Agent, Host, check, fork_agent, libc
from stack_hosts import LwipAgent, LwipSocket, SlirpHost, StackHost, text_of

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'stack_sources')
GO_LIBRARIES = '/usr/share/gocode'


def missing_gvisor():
    if not shutil.which('go'):
        return 'no go'
    where = f'{GO_LIBRARIES}/src/gvisor.dev/gvisor/pkg/tcpip'
    return None if os.path.isdir(where) else f'no {where}'


def missing_program(name):
    return None if shutil.which(name) else f'no {name}'


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@functools.cache
def build_gvisor():
    """A descriptor of the program; Go's own cache makes the second time quick."""
    with tempfile.TemporaryDirectory(prefix='rstcause-stack-') as directory:
        program = os.path.join(directory, 'program')
        subprocess.run(['go', 'build', '-p', '2', '-o', program, os.path.join(SOURCES, 'gvisor_host.go')], check=True,
                       env={**os.environ, 'GO111MODULE': 'off', 'GOPATH': GO_LIBRARIES})
        descriptor = os.memfd_create('gvisor')
        with open(program, 'rb') as file:
            os.sendfile(descriptor, file.fileno(), 0, os.path.getsize(program))
    return descriptor


class GvisorSocket(LwipSocket):
    def accept(self):
        return GvisorSocket(self.agent, self.call('accept'))

    def abort(self):
        self.call('abort')


class GvisorAgent(LwipAgent):
    def socket(self):
        return GvisorSocket(self, self.call('socket'))


class GvisorHost(StackHost):
    def boot(self):
        program = build_gvisor()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        peer = self.bench.addresses['server' if self.name == 'client' else 'client']
        argv = ['gvisor_host', str(self.far_end.fileno()), str(theirs.fileno()), text_of(self.mac), text_of(self.peer_mac),
                self.address, peer]
        process = subprocess.Popen(argv, executable=f'/proc/self/fd/{program}', env={'GOMAXPROCS': '2'},
                                   pass_fds=(program, self.far_end.fileno(), theirs.fileno()),
                                   preexec_fn=die_with_parent)
        theirs.close()
        self.keeper = GvisorAgent(self, process.pid, ours)
        process.returncode = 0      # the agent waits for it
        self.agents = [self.keeper]

    def agent(self):
        return self.keeper


class UmlAgent(Agent):
    """The agent inside the guest. Killing it is killing the guest's kernel."""

    def __init__(self, host, process, channel):
        self.rest = b''
        self.process = process
        super().__init__(host, process.pid, channel)

    def on_reply(self):
        data = self.channel.recv(1 << 16)
        if not data:
            self.forget()
        *lines, self.rest = (self.rest + data).split(b'\n')
        for line in lines:
            message = base64.b64decode(line)
            self.replies.append((True, None) if message == b'ready' else pickle.loads(message))

    def begin(self, name, *args):
        self.channel.sendall(base64.b64encode(pickle.dumps((name, args))) + b'\n')
        self.pending += 1

    def kill(self):
        if self.pid:
            self.host.unplug()
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()
            self.pid = 0
        self.forget()


class UmlHost(StackHost):
    """A guest of User Mode Linux, with this machine's files, read only. Its network card is a Unix socket."""

    def boot(self):
        p = self.bench.p
        sysctls = (f'net/ipv4/tcp_timestamps={p.timestamps}', f'net/ipv4/tcp_window_scaling={p.wscale}',
                   f'net/ipv4/tcp_sack={p.sack}')
        peer = self.bench.addresses['server' if self.name == 'client' else 'client']
        line, far_line = socket.socketpair()
        self.directory = tempfile.mkdtemp(prefix='rstcause-uml-')
        card = os.path.join(self.directory, 'card')
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as plug:
            plug.bind(card)
            plug.listen(1)
            process = subprocess.Popen(
                ['linux.uml', 'mem=64M', 'root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro', 'quiet', 'loglevel=0',
                 'init=' + sys.executable, f'vec0:transport=bess,dst={card}', 'con=null', 'con0=null,null',
                 f'ssl0=fd:{far_line.fileno()}', 'uml_dir=' + self.directory, '--', os.path.join(SOURCES, 'uml_agent.py'),
                 self.address, peer, text_of(self.mac), text_of(self.peer_mac), *sysctls],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                pass_fds=(far_line.fileno(),), preexec_fn=die_with_parent, env={**os.environ, 'TMPDIR': '/dev/shm'})
            far_line.close()
            # What else goes on meanwhile, goes on.
            self.pump.watch(plug, lambda: None)
            there = self.pump.run(lambda: select.select([plug], [], [], 0)[0], 20)
            self.pump.unwatch(plug)
            if not there:
                raise TimeoutError('User Mode Linux does not start')
            self.link, _ = plug.accept()
        self.link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        self.link.setblocking(False)
        self.tap = self.link.fileno()
        self.keeper = UmlAgent(self, process, line)
        self.agents = [self.keeper]
        self.keeper.pending += 1
        self.keeper.finish()

    def unplug(self):
        """The link of a host that is gone is silent, not at its end."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as silent:
            silent.setblocking(False)
            os.dup2(silent.fileno(), self.tap, inheritable=False)

    def agent(self):
        return self.keeper

    def shut_down(self):
        super().shut_down()
        shutil.rmtree(self.directory, ignore_errors=True)


def relay(frames, stream, neighbour=None):
    """Between one frame a message and QEMU's framing: a length of four bytes before each frame. Who asks on the stream who
    has an address hears that it is the neighbour, a MAC address."""
    def from_stream():
        with stream.makefile('rb') as file:
            while len(head := file.read(4)) == 4:
                frame = file.read(int.from_bytes(head, 'big'))
                if neighbour and frame[12:14] == b'\x08\x06':
                    if frame[20:22] == b'\0\1' and frame[28:32] != frame[38:42]:
                        reply = frame[6:12] + neighbour + frame[12:20] + b'\0\2' + neighbour + frame[38:42] + frame[22:32]
                        stream.sendall(len(reply).to_bytes(4, 'big') + reply)
                    continue
                try:
                    frames.send(frame)
                except OSError:
                    return
        os._exit(0)

    threading.Thread(target=from_stream, daemon=True).start()
    while frame := frames.recv(1 << 17):
        stream.sendall(len(frame).to_bytes(4, 'big') + frame)


def start_relay(host, stream, neighbour=None):
    """A process for it, among the host's own."""
    def enter(_channel):
        relay(host.far_end, stream, neighbour)
        os._exit(0)
    host.agents.append(Agent(host, *fork_agent(enter, keep_fds=(host.far_end.fileno(), stream.fileno()))))


class PasstHost(SlirpHost):
    """passt, as the network of a virtual machine has it: the other host is the machine, and its connections to this
    address end at sockets of the loopback interface in a namespace. `forward` is a port of the loopback interface
    whose connections go to the machine."""

    forward = 5555

    def boot(self):
        self.network = Host(self.pump, self.name, self.family, self.address, '', mac=self.mac, peer_mac=self.peer_mac)
        peer = self.bench.addresses['server' if self.name == 'client' else 'client']

        def unshare(_channel):
            check(libc.unshare(CLONE_NEWNET), 'unshare')

        self.keeper = self.network.keeper = Agent(self, *fork_agent(unshare))
        self.network.agents = self.agents = [self.keeper]
        six = self.family == socket.AF_INET6
        self.keeper.call('run', ['ip', '-batch', '-'], f'''
link set lo up
link add up0 type veth peer name up1
link set up1 up
link set up0 up
{'addr add 2001:db8:ffff::2/64 dev up0 nodad' if six else 'addr add 203.0.113.2/24 dev up0'}
{'route add default via 2001:db8:ffff::1 dev up0' if six else 'route add default via 203.0.113.1 dev up0'}
''')
        stream, far_stream = socket.socketpair()
        keeper_pid = self.keeper.pid

        def enter(_channel):
            with open(f'/proc/{keeper_pid}/ns/net', 'rb') as ns:
                check(libc.setns(ns.fileno(), CLONE_NEWNET), 'setns')
            os.set_inheritable(far_stream.fileno(), True)
            quiet = os.open(os.devnull, os.O_RDWR)
            for fd in (1, 2):
                os.dup2(quiet, fd)
            os.execvp('passt', ['passt', '-f', '-q', '-F', str(far_stream.fileno()), '-6' if six else '-4', '-a', peer,
                                '-g', self.address, '-M', text_of(self.mac), '-m', '1500', '--runas', '0',
                                '-t', f'{self.forward}:{self.bench.server_port}', '--no-dhcp', '--no-ra', '--no-dhcpv6',
                                '-l', os.devnull])

        self.agents.append(Agent(self, *fork_agent(enter, keep_fds=(far_stream.fileno(),))))
        far_stream.close()
        start_relay(self, stream)
        stream.close()
        os.write(self.tap, self.introduction())


class OvmfHost(StackHost):
    """A virtual machine whose firmware, OVMF, runs `commands` in its UEFI shell: `http` is a client of its TCP. IPv4 only.
    Software emulation: it takes its time."""

    commands = ()
    console = os.devnull

    def boot(self):
        self.directory = tempfile.mkdtemp(prefix='rstcause-ovmf-')
        peer = self.bench.addresses['server' if self.name == 'client' else 'client']
        with open(os.path.join(self.directory, 'startup.nsh'), 'w', encoding='ascii') as file:
            gateway = self.address.rpartition('.')[0] + '.1'
            file.write('\r\n'.join(('@echo -on', 'connect -r', f'ifconfig -s eth0 static {self.address} 255.255.255.0 {gateway}',
                                    *(command.format(peer=peer) for command in self.commands), 'reset -s', '')))
        stream, far_stream = socket.socketpair()
        process = subprocess.Popen(
            ['qemu-system-x86_64', '-machine', 'q35', '-m', '256', '-display', 'none', '-nodefaults', '-no-reboot',
             '-drive', 'if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE.fd',
             '-drive', 'if=pflash,format=raw,snapshot=on,file=/usr/share/OVMF/OVMF_VARS.fd',
             '-drive', f'if=none,id=d,format=raw,file=fat:rw:{self.directory}', '-device', 'virtio-blk-pci,drive=d,bootindex=1',
             '-fw_cfg', 'name=opt/org.tianocore/IPv4PXESupport,string=n',
             '-fw_cfg', 'name=opt/org.tianocore/IPv6PXESupport,string=n',
             '-netdev', f'socket,id=n,fd={far_stream.fileno()}',
             '-device', f'virtio-net-pci,netdev=n,romfile=,mac={text_of(self.mac)}', '-serial', f'file:{self.console}'],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(far_stream.fileno(),), preexec_fn=die_with_parent)
        far_stream.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.keeper = Agent(self, process.pid, ours)
        self.plug = theirs      # the agent's channel; nobody answers on it
        process.returncode = 0
        self.agents = [self.keeper]
        start_relay(self, stream, self.peer_mac)
        stream.close()

    def agent(self):
        return self.keeper

    def shut_down(self):
        super().shut_down()
        shutil.rmtree(self.directory, ignore_errors=True)
