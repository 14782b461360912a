# SPDX-License-Identifier: GPL-2.0-or-later
"""A bench: client and server host with the wire between them, set up by parameters, for one scenario.

What a scenario calls. It also keeps the scenario's own event log (who lost power, who scanned), which is
part of the truth. Knows nothing about how the truth becomes labels.
"""
import dataclasses
import random
import socket
import time

import frames
from hosts import Host
from wire import Pump, Wire


VIEWS = ('mid-stream', 'one-sided', 'lossy', 'disorder')
CAPTURES = ('any', 'vlan', 'qinq', 'mpls', 'pppoe', 'gre', 'vxlan')


@dataclasses.dataclass
class Params:
    """What is drawn from the seed."""

    family: int = 4
    delay: float = 0.005        # seconds, one way
    loss: float = 0.0
    size: int = 100             # bytes of payload
    timestamps: int = 1
    wscale: int = 1
    sack: int = 1
    actor: str = 'server'       # who closes, dies or aborts
    offload: bool = False       # TSO-sized frames
    hops: int = 3               # routers on the path
    view: str = 'full'          # what the capture points fail to record, see Wire.miss()
    capture: str = 'plain'      # an encapsulation around all captures, or 'any': one more, of a router's any device
    seed: int = 0

    @classmethod
    def draw(cls, seed, family, views=('full',)):
        rng = random.Random(seed)
        return cls(family=family, delay=rng.choice((0, 0.0005, rng.uniform(0.001, 0.03), rng.uniform(0.03, 0.2))),
                   loss=rng.choice((0, 0, 0, 0.01, 0.05)), size=int(2 ** rng.uniform(0, 20)),
                   timestamps=rng.randint(0, 1), wscale=rng.randint(0, 1), sack=rng.randint(0, 1),
                   actor=rng.choice(('client', 'server')), offload=bool(rng.randint(0, 1)),
                   hops=rng.randint(0, 20),
                   capture=rng.choice(('plain',) * len(CAPTURES) + CAPTURES), view=rng.choice(views), seed=seed)

    def __str__(self):
        return ' '.join(f'{name}={value}' for name, value in dataclasses.asdict(self).items())


@dataclasses.dataclass
class Event:
    """Something that happened to a host, not on the wire."""

    time: float
    host: str
    what: str       # 'power-lost', 'scan', ...


class Bench:
    def __init__(self, params, slot=0):
        self.p = params
        self.rng = random.Random(params.seed)
        self.pump = Pump()
        self.wire = Wire(self.pump, self.rng, delay=params.delay, loss=params.loss, hops=params.hops)
        self.family = socket.AF_INET if params.family == 4 else socket.AF_INET6
        if params.family == 4:
            self.addresses = {'client': f'192.0.2.{10 + slot}', 'server': f'198.51.100.{10 + slot}'}
        else:
            self.addresses = {'client': f'2001:db8:1::{10 + slot:x}', 'server': f'2001:db8:2::{10 + slot:x}'}
        self.macs = {'client': bytes((2, 0, 0xc0, 0, 2, 10 + slot)), 'server': bytes((2, 0, 0xc6, 0x33, 0x64, 10 + slot))}
        self.events = []
        self.dropped = []       # for scenarios' rules of the wire
        self.abort_detail = None    # where the scenario knows it better than the kernel's reason
        self.timer_resets = False
        self.port = self.rng.randrange(20000, 30000)
        self.server_port = 6666
        self.client = self.server = None

    def __enter__(self):
        try:
            self.client = self.make_host('client')
            self.server = self.make_host('server')
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for host in (self.client, self.server):
            if host and host.keeper:
                if host.name in self.wire.hosts:
                    self.wire.detach(host)
                host.shut_down()
        self.pump.selector.close()

    def make_host(self, name):
        peer = 'server' if name == 'client' else 'client'
        p = self.p
        host = Host(self.pump, name, self.family, self.addresses[name], self.addresses[peer],
                    mac=self.macs[name], peer_mac=self.macs[peer], offload=p.offload,
                    sysctls={'net/ipv4/tcp_timestamps': p.timestamps, 'net/ipv4/tcp_window_scaling': p.wscale,
                             'net/ipv4/tcp_sack': p.sack})
        host.boot()
        self.wire.attach(host)
        return host

    def host(self, name):
        return self.client if name == 'client' else self.server

    # What scenarios do

    def note(self, host, what):
        self.events.append(Event(time.monotonic(), host.name, what))

    def aborts(self, detail):
        """The finer cause of the aborts of this scenario; Linux gives most of them the reason TCP_STATE."""
        self.abort_detail = detail

    def gives_up_retransmitting(self):
        """The resets of this scenario come from the retransmission timer, whatever reason Linux gives them."""
        self.timer_resets = True

    def settle(self, quiet=None, timeout=10):
        self.wire.settle(quiet or 0.06 + 2 * self.p.delay + (0.3 if self.wire.loss else 0), timeout)

    def wait(self, condition, timeout=10):
        """Run the wire until the condition holds; an error where it does not."""
        if not self.pump.run(condition, timeout):
            raise TimeoutError('the scenario waited in vain')

    def sleep(self, seconds):
        self.pump.run(lambda: False, seconds)

    def payload(self, most=None):
        return b'x' * min(self.p.size, most or self.p.size)

    def listen(self, agent=None, port=None, backlog=16, before=None):
        listener = (agent or self.server.agent()).socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if before:
            before(listener)
        listener.bind((self.addresses['server'], port or self.server_port))
        listener.listen(backlog)
        return listener

    def next_port(self):
        self.port += 1
        return self.port

    def client_socket(self, agent=None, port=None):
        sock = (agent or self.client.agent()).socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((self.addresses['client'], port or self.next_port()))
        return sock

    def server_endpoint(self, port=None):
        return (self.addresses['server'], port or self.server_port)

    def connect(self, listener, client_agent=None, port=None, before=None):
        """A connection through the listener: (client socket, server socket)."""
        sock = self.client_socket(client_agent, port)
        if before:
            before(sock)
        sock.connect(self.server_endpoint())
        return sock, listener.accept()

    def pair(self, before=None, before_listen=None):
        """A connection as (actor, other): the actor is the end that the parameters chose to act."""
        client, server = self.connect(self.listen(before=before_listen), before=before)
        return (client, server) if self.p.actor == 'client' else (server, client)

    def deliver(self, sock, data):
        """Send, and wait until all of it has arrived and was acknowledged."""
        sock.sendall(data)
        self.settle()

    def exchange(self, one, two):
        """A short dialogue that both ends have read to the end."""
        for a, b in ((one, two), (two, one)):
            a.sendall(b'hello')
            b.recv(100)
        self.settle()

    def lose_power(self, host):
        """The host is gone in an instant: nothing of its dying sockets gets out."""
        self.wire.cut_power(host)
        self.note(host, 'power-lost')
        for agent in host.agents:
            agent.kill()
        self.wire.detach(host)
        host.shut_down()

    def return_power(self, name):
        """The host is back, with the same addresses and no memory."""
        setattr(self, name, self.make_host(name))
        return self.host(name)

    def raw_frame(self, sender, sport, dport, seq, ack, flags, **more):
        peer = 'server' if sender == 'client' else 'client'
        return frames.build_tcp(self.addresses[sender], self.addresses[peer], sport, dport, seq, ack, flags,
                                macs=(self.macs[sender], self.macs[peer]), **more)

    def fates(self):
        """(host, local address, port, remote address, port, open or closed, errors) of the applications' sockets."""
        return [(name, *fate) for name in ('client', 'server') for agent in self.host(name).agents
                for fate in agent.fates()]

    def segments(self, sender=None, flags=0):
        """The TCP packets so far that have these flags."""
        return [p for p in self.wire.packets if p.seg and p.lost != 'at-sender' and p.seg.flags & flags == flags
                and sender in (None, p.sender)]
