# SPDX-License-Identifier: GPL-2.0-or-later
"""Forgers that others wrote, driven as people drive them, on connections of real kernels; and scans, whose resets are
genuine.

The forger sits on the middle of the path: a bridge's own interface, or a router. How far that is from either end, the
delay and the IP version come from the parameters; on what traffic it strikes, from the scenario.
Set aside: tcpkill -2 -4 -7 -9; ngrep -K 2 and 5; ettercap on idle and two-way traffic; netwox on dialogues, uploads and
two-way traffic; hping3 dressed, in window and at random; mausezahn bare, packit with ACK; nftables on live connections,
iptables on new ones; nmap -sA -sN -sX; of Scapy's styles those in SCAPY_ASIDE.
Must not know what anybody says about these resets: the labels come from labels.py.
"""
import contextlib
import os
import socket
import subprocess
import threading
import time

import frames
from frames import ACK, RST, seq_diff
from labels import signs_of
from traffic import Traffic
from truth import Label
from world import HERE, scenario

FORGED = ('injected', '?*')
ALL = ('idle', 'pingpong', 'download', 'upload', 'duplex', 'curl')
DEBIAN_PYTHON = '/usr/bin/python3'      # the one that has Debian's Scapy


def register(function, name, tool, aside, needs, expect=FORGED, **more):
    scenario(*expect, family='forgers', tool=tool, aside=aside, needs=needs, name=name, **more)(function)


def end_tool(tool):
    tool.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        tool.wait(3)


# Tools that sniff and strike whatever passes

def strike_passing(w, kind, *argv, ready=None, early=False):
    """Start a tool that resets what it sees. `ready` is what it says when it listens; `early`: before the
    connection, so that it strikes in the handshake."""
    traffic = Traffic(w, kind)
    argv = [word.replace('PORT', str(traffic.port)) for word in argv]
    if early:
        tool = launch(w, argv, ready)
        with contextlib.suppress(OSError):
            traffic.connect()
            traffic.begin()
    else:
        traffic.connect()
        if kind != 'idle':
            traffic.begin()
            w.sleep(w.rng.uniform(0.1, 0.4))
        tool = launch(w, argv, ready)
    if kind == 'idle':
        for who in w.rng.sample(('client', 'server'), 2):
            w.settle(0.2)
            traffic.poke(who)
    traffic.wait_dead(1.5)
    w.sleep(0.6)        # tcpkill and others look only so often
    traffic.poke()
    w.settle(0.3)
    traffic.stop()
    end_tool(tool)


def launch(w, argv, ready, timeout=8):
    tool = w.middle.popen(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    seen = threading.Event()

    def read():
        text = b''
        while part := os.read(tool.stdout.fileno(), 4096):
            text = (text + part)[-4096:]
            if ready and ready.encode() in text:
                seen.set()
    threading.Thread(target=read, daemon=True).start()
    if ready:
        seen.wait(timeout)
    else:
        time.sleep(0.4)
    return tool


def add_tcpkill():
    kinds = {1: ('pingpong', 'download'), 2: ('idle', 'upload'), 3: ('idle', 'pingpong', 'download', 'upload', 'duplex', 'curl'),
             4: ('pingpong', 'download'), 5: ('download', 'upload'), 6: ('pingpong', 'idle'), 7: ('duplex', 'curl'),
             8: ('upload', 'pingpong'), 9: ('idle', 'pingpong', 'download', 'upload')}
    for degree, some in kinds.items():
        for kind in some:
            def run(w, degree=degree, kind=kind):
                strike_passing(w, kind, 'tcpkill', '-i', 'br0', f'-{degree}', 'port', 'PORT', ready='listening')
            register(run, f'tcpkill-{degree}-{kind}', 'tcpkill', degree in (2, 4, 7, 9), ('tcpkill',), families=(4,))
    for degree in (3, 4):
        def run_early(w, degree=degree):
            strike_passing(w, 'pingpong', 'tcpkill', '-i', 'br0', f'-{degree}', 'port', 'PORT', ready='listening', early=True)
        register(run_early, f'tcpkill-{degree}-handshake', 'tcpkill', degree == 4, ('tcpkill',), families=(4,))


def add_ngrep():
    for count in (1, 2, 3, 5):
        for kind in ('idle', 'pingpong', 'download', 'upload'):
            def run(w, count=count, kind=kind):
                strike_passing(w, kind, 'ngrep', '-q', '-K', str(count), '-d', 'br0', '', 'port', 'PORT')
            register(run, f'ngrep-{count}-{kind}', 'ngrep', count in (2, 5), ('ngrep',), families=(4,))


def add_netwox():
    for kind in ALL:
        def run(w, kind=kind):
            strike_passing(w, kind, 'netwox', '78', '--device', 'br0', '--filter', 'port PORT')
        register(run, f'netwox-{kind}', 'netwox', kind in ('pingpong', 'upload', 'duplex'), ('netwox',), families=(4,))


def ettercap_filter(w, port):
    """ettercap's own filter language: kill() resets both ends."""
    path = f'{w.directory}/kill'
    with open(path + '.filter', 'w', encoding='ascii') as file:
        file.write(f'if (tcp.src == {port} || tcp.dst == {port}) {{\n  kill();\n}}\n')
    w.middle.run('etterfilter', path + '.filter', '-o', path + '.ef')
    return path + '.ef'


def ettercap(w, kind):
    """On the segment; as a bridge of its own (-B) it passes packets on, and kill() does nothing."""
    traffic = Traffic(w, kind)
    path = ettercap_filter(w, traffic.port)
    traffic.connect()
    if kind != 'idle':
        traffic.begin()
    tool = launch(w, ['ettercap', '-T', '-q', '-z', '-i', 'br0', '-F', path], 'Hit')
    if kind == 'idle':
        traffic.poke(w.rng.choice(('client', 'server')))
    traffic.wait_dead(3)
    w.settle(0.3)
    traffic.poke()
    traffic.stop()
    with contextlib.suppress(OSError):
        tool.stdin.write(b'q')
        tool.stdin.flush()
    end_tool(tool)


def add_ettercap():
    for kind in ALL:
        register(lambda w, kind=kind: ettercap(w, kind), f'ettercap-{kind}', 'ettercap', kind in ('idle', 'duplex'),
                 ('ettercap', 'etterfilter'))


# Tools that send what they are told

class Watch:
    """What an attacker on the middle sees of a connection: the newest numbers of each end."""

    def __init__(self, w, port):
        self.w, self.port = w, port
        self.last, self.next = {}, {}
        with w.middle.inside():
            self.raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.raw.bind((w.middle.watch, 0))
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            seg = frames.parse(self.raw.recv(65536))
            if not seg or self.port not in (seg.sport, seg.dport) or seg.flags & RST:
                continue
            name = 'server' if seg.sport == self.port else 'client'
            self.last[name] = seg
            if name not in self.next or seq_diff(seg.end, self.next[name]) > 0:
                self.next[name] = seg.end


def crafted(w, kind, send, tries=1):
    """send(w, watch, name of the host in whose name) runs the tool."""
    traffic = Traffic(w, kind)
    watch = Watch(w, traffic.port)
    traffic.connect()
    if kind != 'idle':
        traffic.begin()
    w.sleep(w.rng.uniform(0.2, 0.5))
    names = w.rng.choice((('client',), ('server',), ('client', 'server'), ('server', 'client')))
    for name in names:
        for _ in range(tries):
            send(w, watch, name)
    w.settle(0.2)
    traffic.poke()
    w.settle(0.3)
    traffic.stop()


def hping(w, watch, name, *more, seq=None, count=1, offset=0):
    seg = watch.last[name]
    number = (watch.next[name] + offset) & 0xffffffff if seq is None else seq
    w.middle.run('hping3', '-I', 'br0', '-q', '-n', '-c', str(count), '-i', 'u2000', '-a', seg.src, '-s', str(seg.sport), '-k',
                 '-p', str(seg.dport), '-R', '-M', str(number), *more, seg.dst, fail=False, timeout=10)


def hping_exact(w, watch, name):
    hping(w, watch, name)


def hping_exact_ack(w, watch, name):
    peer = 'server' if name == 'client' else 'client'
    hping(w, watch, name, '-A', '-L', str(watch.next[peer]))


def hping_dressed(w, watch, name):
    """TTL and window as the host's."""
    seg = watch.last[name]
    hping(w, watch, name, '-t', str(seg.ttl), '-w', str(seg.window), '-y', '-N', str(seg.ip_id + 1 & 0xffff))


def hping_in_window(w, watch, name):
    hping(w, watch, name, offset=w.rng.randrange(1, 30000))


def hping_sweep(w, watch, name):
    """Steps of a window, from behind the right number to beyond it."""
    for step in range(-3, 4):
        hping(w, watch, name, offset=step * 16384)


def hping_random(w, watch, name):
    hping(w, watch, name, seq=w.rng.randrange(1 << 32))


def add_hping():
    table = {'exact': (hping_exact, 1, False), 'exact-ack': (hping_exact_ack, 1, False), 'sweep': (hping_sweep, 1, False),
             'dressed': (hping_dressed, 1, True), 'in-window': (hping_in_window, 2, True), 'random': (hping_random, 6, True)}
    for style, (send, tries, aside) in table.items():
        for kind in ('idle', 'pingpong', 'download') if 'exact' in style else ('idle', 'upload'):
            register(lambda w, kind=kind, send=send, tries=tries: crafted(w, kind, send, tries), f'hping3-{style}-{kind}',
                     'hping3', aside, ('hping3',), families=(4,))


def mausezahn(w, watch, name, bare):
    seg, peer = watch.last[name], 'server' if name == 'client' else 'client'
    ack = '' if bare else f',a={watch.next[peer]}'
    flags = 'rst' if bare else 'rst|ack'
    mac_of = seg_mac(w, name)
    w.middle.run('mausezahn', 'br0', '-c', '1', '-b', mac_of, '-A', seg.src, '-B', seg.dst, '-t', 'tcp',
                 f'sp={seg.sport},dp={seg.dport},s={watch.next[name]}{ack},flags={flags}', fail=False, timeout=10)


def seg_mac(w, name):
    """The link address on the segment of the middle towards the other end of `name`."""
    other = w.server_address if name == 'client' else w.client_address
    route = w.middle.run('ip', 'route', 'get', other).split()
    hop = route[route.index('via') + 1] if 'via' in route else other
    with w.middle.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.sendto(b'', (hop, 9))
    w.settle(0.1)
    neigh = w.middle.run('ip', 'neigh', 'show', hop).split()
    return neigh[neigh.index('lladdr') + 1]


def packit(w, watch, name, bare):
    seg, peer = watch.last[name], 'server' if name == 'client' else 'client'
    flags = ['-F', 'R'] if bare else ['-F', 'RA', '-a', str(watch.next[peer])]
    w.middle.run('packit', '-m', 'inject', '-i', 'br0', '-c', '1', '-t', 'TCP', '-s', seg.src, '-d', seg.dst,
                 '-S', str(seg.sport), '-D', str(seg.dport), '-q', str(watch.next[name]), *flags, fail=False, timeout=10)


def add_others():
    for tool, send in (('mausezahn', mausezahn), ('packit', packit)):
        for bare in (True, False):
            aside = bare == (tool == 'mausezahn')
            for kind in ('idle', 'pingpong'):
                register(lambda w, kind=kind, send=send, bare=bare: crafted(w, kind, lambda *a: send(*a, bare)),
                         f'{tool}-{"bare" if bare else "ack"}-{kind}', tool, aside, (tool,), families=(4,))


# Scapy

SCAPY_ASIDE = {'plain-ack', 'bare-random-df', 'bare-window-0', 'three-random', 'one-and-three', 'bezeqint', 'id-256',
               'id-minus-26', 'seq-zero', 'ttl-copied', 'in-window', 'exact-answer', 'copy'}
SCAPY = {
    'plain-bare': ('idle', 'pingpong', 'download', 'upload'), 'plain-ack': ('idle', 'pingpong', 'download', 'curl'),
    'plain-volley': ('pingpong', 'upload'), 'bare-random': ('idle', 'pingpong', 'download', 'curl'),
    'bare-random-df': ('idle', 'pingpong', 'upload'), 'bare-window-0': ('pingpong', 'download', 'idle'),
    'bare-window-0-df': ('idle', 'pingpong', 'upload'), 'bare-window-copied': ('pingpong', 'duplex'),
    'three': ('pingpong', 'download', 'curl', 'idle'), 'three-random': ('pingpong', 'upload', 'idle'),
    'three-same-id': ('pingpong', 'download'), 'one-and-three': ('pingpong', 'curl', 'duplex'),
    'sandvine': ('upload', 'duplex', 'idle'), 'bezeqint': ('pingpong', 'idle'), 'id-64': ('pingpong', 'download'),
    'id-256': ('pingpong', 'upload'), 'id-minus-26': ('pingpong', 'download'), 'seq-1460': ('pingpong', 'download'),
    'rst-ack-ece': ('pingpong', 'idle'), 'seq-zero': ('pingpong', 'idle'), 'copy': ('pingpong', 'upload'),
    'ttl-copied': ('pingpong', 'idle'), 'ttl-near': ('idle', 'pingpong'), 'exact-answer': ('idle', 'pingpong'),
    'exact-abort': ('idle', 'pingpong'), 'in-window': ('idle', 'pingpong'), 'sweep': ('idle', 'pingpong'),
}


def scapy(w, kind, style):
    traffic = Traffic(w, kind)
    directions = w.rng.choice(('client', 'server', 'both', 'both'))
    when = 'idle' if kind == 'idle' else str(w.rng.randrange(2, 40))
    argv = [DEBIAN_PYTHON, f'{HERE}/scapy_forger.py', 'br0', str(traffic.port), style, directions, when,
            str(w.rng.randrange(1 << 30))]
    if kind == 'idle' or kind == 'curl':
        tool = launch(w, argv, 'ready')
        traffic.connect().begin()
    else:
        traffic.connect()
        tool = launch(w, argv, 'ready')
        traffic.begin()
    if kind == 'idle':
        w.sleep(w.rng.uniform(0.1, 1.0))
        tool.stdin.write(b'now\n')
        tool.stdin.flush()
        w.sleep(0.15)
    else:
        traffic.wait_dead(2)
    w.settle(0.3)
    traffic.poke()
    w.settle(0.2)
    traffic.stop()
    end_tool(tool)


def add_scapy():
    for style, kinds in SCAPY.items():
        for kind in kinds:
            register(lambda w, kind=kind, style=style: scapy(w, kind, style), f'scapy-{style}-{kind}', 'scapy',
                     style in SCAPY_ASIDE, ('/usr/lib/python3/dist-packages/scapy/all.py',))


# Firewalls on a router

def rejects(w):
    """What a router's REJECT says: to a SYN it is a refusal, which only another TTL gives away where the host shows its own;
    in mid-connection it has the form of a Linux answer, and another's TTL."""
    def story(packet):
        if not packet.forged or not packet.seg.flags & RST:
            return None
        log = story.log
        points = [p for p in ('client', 'middle', 'server') if packet.seen(p) is not None]
        if packet.seg.flags & ACK and packet.seg.seq == 0:
            own = {point: {p.segs[point].ttl for p in log.packets if p.sender == packet.sender and not p.forged
                           and p.seg.src == packet.seg.src and p.seen(point) is not None} for point in points}
            same = [p for p in points if not own[p] or packet.segs[p].ttl in own[p]]
            return Label('firewall-reject', '-', tuple(('closed-port', f'-@{p}') for p in same))
        signs = [('injected', f'{sign}@{p}') for p in points for sign in sorted(set(signs_of(packet, p, log)))]
        earlier = any(p.seg.flags & RST and p.sent < packet.sent for p in log.connection(packet))
        return Label('injected', '-', (*signs, ('half-open', 'data'), ('half-open', '-'), ('half-open', 'keepalive-probe'))
                     + ((('already-reset', '-'),) if earlier else ()))
    w.story = story


def nft(w, rule):
    w.middle.run('nft', '-f', '-', stdin=f'''
table inet world {{
  chain forward {{
    type filter hook forward priority 0; policy accept;
    {rule}
  }}
}}''')


def iptables(w, *rule):
    command = 'ip6tables' if w.p.family == 6 else 'iptables'
    w.middle.run(command, '-w', '-I', 'FORWARD', '-p', 'tcp', *rule, '-j', 'REJECT', '--reject-with', 'tcp-reset')


def refused(w, forbid, known):
    """New connections are refused; `known`: another port of the same host is open, so that it shows its TTL."""
    rejects(w)
    port = w.rng.randrange(2000, 9000)
    forbid(w, port)
    if known:
        a, b = w.pair()
        w.exchange(a, b, 2)
    for _ in range(2):
        sock = w.client.socket(w.family)
        sock.settimeout(3)
        with contextlib.suppress(OSError):
            sock.connect((w.server_address, port))
        sock.close()
    if known:
        for sock in (a, b):
            sock.close()
            w.settle(0.05)


def cut(w, forbid, kind, direction):
    """A live connection meets a new rule, on what one end sends or both."""
    rejects(w)
    traffic = Traffic(w, kind)
    traffic.connect()
    if kind != 'idle':
        traffic.begin()
        w.sleep(w.rng.uniform(0.1, 0.3))
    forbid(w, traffic.port, direction)
    if kind == 'idle':
        traffic.poke(w.rng.choice(('client', 'server')))
        w.settle(0.2)
        traffic.poke()
    traffic.wait_dead(2)
    w.settle(0.3)
    traffic.stop()


def nft_new(w, port):
    nft(w, f'tcp dport {port} ct state new reject with tcp reset' if w.rng.randint(0, 1)
        else f'tcp dport {port} reject with tcp reset')


def nft_live(w, port, direction):
    nft(w, {'up': f'tcp dport {port}', 'down': f'tcp sport {port}', 'both': f'th dport {port}'}[direction]
        + ' reject with tcp reset' + (f'\n    tcp sport {port} reject with tcp reset' if direction == 'both' else ''))


def iptables_new(w, port):
    iptables(w, '--dport', str(port))


def iptables_live(w, port, direction):
    for flag in {'up': ('--dport',), 'down': ('--sport',), 'both': ('--dport', '--sport')}[direction]:
        iptables(w, flag, str(port))


def add_firewalls():
    for tool, new, live in (('nft', nft_new, nft_live), ('iptables', iptables_new, iptables_live)):
        for known in (True, False):
            register(lambda w, new=new, known=known: refused(w, new, known), f'{tool}-new{"-known" if known else ""}', tool,
                     tool == 'iptables', (tool,), ('firewall-reject', '?*'), routed=True)
        for kind, direction in (('idle', 'up'), ('pingpong', 'both'), ('download', 'down'), ('upload', 'up'), ('download', 'up')):
            register(lambda w, live=live, kind=kind, direction=direction: cut(w, live, kind, direction),
                     f'{tool}-live-{kind}-{direction}', tool, tool == 'nft', (tool,), routed=True)


# Scans: all resets are genuine

def scan(w, how):
    ports = sorted(w.rng.sample(range(2000, 9000), 12))
    listeners = [w.listen(port) for port in ports[::4]]
    if how in ('-sS', '-sA', '-sM', '-sW'):
        w.note('client', 'scan')
    if how == '-sT':
        w.aborts('linger')      # nmap's connect scan sets SO_LINGER 0 on its sockets
    six = ('-6',) if w.p.family == 6 else ()
    w.client.run('nmap', '-n', '-Pn', *six, how, '-T4', '--max-retries', '1', '-p', ','.join(map(str, ports)), w.server_address,
                 timeout=60)
    w.settle(0.2)
    for listener in listeners:
        listener.close()


def add_scans():
    for how in ('-sS', '-sT', '-sA', '-sF', '-sN', '-sX', '-sM', '-sW'):
        register(lambda w, how=how: scan(w, how), f'nmap{how}', 'nmap', how in ('-sA', '-sN', '-sX'), ('nmap',), ('?*',))


for add in (add_tcpkill, add_ngrep, add_netwox, add_ettercap, add_hping, add_others, add_scapy, add_firewalls, add_scans):
    add()
