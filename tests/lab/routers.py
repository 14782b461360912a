# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux router before one of the hosts, so that the wire sees what a real middlebox makes of its traffic.

The host of the bench becomes the router: it keeps the link to the wire, and the machine that talks lives in a
namespace behind it. Also programs that run in a host until it ends. Knows nothing about causes.
"""
import os
import socket

from hosts import CLONE_NEWNET, Agent, Host, check, fork_agent, libc

ROUTER_MAC, INNER_MAC = '02:00:cb:00:71:01', '02:00:cb:00:71:02'
INNER_ADDRESS = {socket.AF_INET: '10.1.2.3', socket.AF_INET6: 'fd00:1:2::3'}


class InnerHost(Host):
    """The machine behind the router. It shares the router's list of processes, and so its end."""

    def __init__(self, router, address):
        super().__init__(router.pump, router.name, router.family, address, router.peer, mac=b'', peer_mac=b'')
        self.router, self.agents = router, router.agents

    def boot(self):
        def enter(_channel):
            check(libc.unshare(CLONE_NEWNET), 'unshare')

        self.keeper = Agent(self, *fork_agent(enter))
        self.agents.append(self.keeper)
        self.keeper.call('run', ['true'])       # by now it has its namespace
        six = self.family == socket.AF_INET6
        bits = '128 nodad' if six else '32'
        self.router.keeper.call('run', ['ip', '-batch', '-'], f'''
link add inner type veth peer name uplink netns {self.keeper.pid}
link set inner address {ROUTER_MAC} up
route add {self.address} dev inner
neigh add {self.address} lladdr {INNER_MAC} dev inner nud permanent
''')
        self.keeper.call('run', ['ip', '-batch', '-'], f'''
link set lo up
link set uplink address {INNER_MAC} up
addr add {self.address}/{bits} dev uplink
route add {self.peer} dev uplink
neigh add {self.peer} lladdr {ROUTER_MAC} dev uplink nud permanent
''')


class Router:
    """The router before a host of the bench: `inner` is the machine behind it, `host` the router's own system.

    Seen from the wire, the machine is `ttl`, the router `own_ttl` away. `translate`: the machine has a private
    address, and the router lends it its own; otherwise the machine has the address that the bench knows."""

    def __init__(self, bench, name, translate=False):
        self.bench, self.host = bench, bench.host(name)
        self.six = bench.p.family == 6
        self.own_ttl = 64 - bench.rng.randrange(0, 12)
        self.ttl = self.own_ttl - bench.rng.randrange(1, 8)
        address = bench.addresses[name]
        if not translate:
            # With its last address a link loses its routes and neighbours, too.
            peer_mac = ':'.join(f'{b:02x}' for b in self.host.peer_mac)
            self.host.keeper.call('run', ['ip', '-batch', '-'], f'''
addr flush dev tap0 scope global
route replace {self.host.peer} dev tap0
neigh replace {self.host.peer} lladdr {peer_mac} dev tap0 nud permanent
''')
        self.inner = InnerHost(self.host, INNER_ADDRESS[bench.family] if translate else address)
        self.host.sysctl('net/ipv4/ip_forward', 1)
        self.host.sysctl('net/ipv6/conf/all/forwarding', 1)
        self.inner.boot()
        field = 'ip6 hoplimit' if self.six else 'ip ttl'
        self.nft(f'''
table inet distance {{
    chain pass {{ type filter hook forward priority 300; oifname "tap0" {field} set {self.ttl}; }}
    chain own {{ type filter hook output priority 300; oifname "tap0" {field} set {self.own_ttl}; }}
}}''')
        if translate:
            kind = 'ip6' if self.six else 'ip'
            self.nft(f'''
table {kind} translation {{
    chain out {{ type nat hook postrouting priority 100; oifname "tap0" masquerade; }}
}}''')

    def nft(self, rules):
        self.host.keeper.call('run', ['nft', '-f', '-'], rules)

    def filter(self, rule, hook='forward'):
        """One rule of a firewall, in the words of nftables."""
        self.nft(f'table inet filter {{ chain {hook} {{ type filter hook {hook} priority 0; {rule}; }}\n}}')

    def iptables(self, *rule):
        self.host.keeper.call('run', ['ip6tables' if self.six else 'iptables', *rule])

    def client_socket(self, agent=None):
        """A socket of the machine behind a router that is the client's."""
        sock = (agent or self.inner.agent()).socket()
        sock.bind((self.inner.address, self.bench.next_port()))
        return sock

    def connect(self):
        """A connection of the bench's two ends, one of them behind the router: (inner socket, other socket)."""
        bench = self.bench
        if self.host.name == 'server':
            listener = bench.listen(agent=self.inner.agent())
            client = bench.client_socket()
            client.connect(bench.server_endpoint())
            return listener.accept(), client
        listener = bench.listen()
        client = self.client_socket()
        client.connect(bench.server_endpoint())
        return client, listener.accept()

    def is_own(self, packet):
        """Whether the router itself made this packet."""
        return bool(packet.seg) and packet.sender == self.host.name and packet.seg.ttl == self.own_ttl


def start_program(host, argv):
    """A program that runs in a host for as long as the host does."""
    keeper_pid = host.keeper.pid

    def enter(_channel):
        with open(f'/proc/{keeper_pid}/ns/net', 'rb') as ns:
            check(libc.setns(ns.fileno(), CLONE_NEWNET), 'setns')
        os.execvp(argv[0], argv)

    agent = Agent(host, *fork_agent(enter))
    host.agents.append(agent)
    return agent
