#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A forger with Scapy, as people write them: sniffs on an interface and resets a connection in a given style.

  scapy_forger.py INTERFACE PORT STYLE DIRECTIONS WHEN SEED

DIRECTIONS is client (what comes to the client, in the server's name), server or both. WHEN is a number (it strikes at
the data segment of that number that it sees) or idle (it strikes when its standard input says so). Says `ready` when it
sniffs. The styles are those of the literature: Weaver, Sommer, Paxson (NDSS 2009), Wang et al. (IMC 2017), Bock et al.
(2021), and what tutorials show. Uses Debian's python3-scapy.
"""
import random
import sys
import threading

from scapy.all import IP, TCP, Ether, IPv6, conf, sniff

interface, port, style, directions, when, seed = sys.argv[1:]
port, rng = int(port), random.Random(int(seed))
conf.verb = 0
last = {}       # the newest packet of 'client' and 'server'
numbers = {}    # the next sequence number of each
state = {'data': 0, 'done': False, 'ttl': rng.randrange(30, 220), 'window': rng.randrange(1000, 60000)}
wire = conf.L2socket(iface=interface)


def ip_of(packet):
    return packet[IP] if IP in packet else packet[IPv6]


def payload_length(packet):
    ip = ip_of(packet)
    total = ip.len - ip.ihl * 4 if IP in packet else ip.plen
    return total - packet[TCP].dataofs * 4


def reset(name, offset=0, flags='R', ttl=None, ip_id=None, df=False, window=0, ack=None, options=(), seq=None):
    """A reset in the name of this host."""
    peer = 'server' if name == 'client' else 'client'
    mine, theirs = last[name], last[peer]
    number = numbers[name] if seq is None else seq
    mac = {'src': mine[Ether].src, 'dst': mine[Ether].dst}
    if IP in mine:
        ip = IP(src=mine[IP].src, dst=mine[IP].dst, ttl=ttl or 64, id=1 if ip_id is None else ip_id & 0xffff,
                flags='DF' if df else 0)
    else:
        ip = IPv6(src=mine[IPv6].src, dst=mine[IPv6].dst, hlim=ttl or 64)
    tcp = TCP(sport=mine[TCP].sport, dport=mine[TCP].dport, seq=(number + offset) & 0xffffffff,
              ack=ack if ack is not None else numbers[peer] if 'A' in flags else 0, flags=flags, window=window,
              options=list(options))
    wire.send(Ether(**mac) / ip / tcp)
    return theirs


def own_ttl(name):
    ip = ip_of(last[name])
    return ip.ttl if IP in last[name] else ip.hlim


def own_id(name):
    return last[name][IP].id if IP in last[name] else 0


def timestamps(name):
    peer = 'server' if name == 'client' else 'client'
    mine = dict(o for o in last[name][TCP].options if o[0] == 'Timestamp')
    theirs = dict(o for o in last[peer][TCP].options if o[0] == 'Timestamp')
    if not mine or not theirs:
        return []
    return [('NOP', None), ('NOP', None), ('Timestamp', (mine['Timestamp'][0], theirs['Timestamp'][0]))]


def cyclic():
    """The second kind of device of China: TTL and window go up with each packet."""
    state['ttl'] = state['ttl'] % 255 + 1
    state['window'] = (state['window'] + 79) & 0xffff
    return {'ttl': state['ttl'], 'window': state['window'], 'ip_id': rng.randrange(65536)}


STYLES = {
    # Tutorials
    'plain-bare': lambda n: reset(n, window=8192),
    'plain-ack': lambda n: reset(n, flags='RA', window=8192),
    'plain-volley': lambda n: [reset(n, offset=i * rng.randrange(200, 1500), window=8192) for i in range(5)],
    # One bare reset, everything random; DF set and clear
    'bare-random': lambda n: reset(n, ttl=rng.randrange(40, 250), ip_id=rng.randrange(65536), window=rng.randrange(65536)),
    'bare-random-df': lambda n: reset(n, ttl=rng.randrange(40, 250), ip_id=rng.randrange(65536), df=True,
                                      window=rng.randrange(65536)),
    'bare-window-0': lambda n: reset(n, ttl=rng.randrange(40, 250), ip_id=rng.randrange(65536)),
    'bare-window-0-df': lambda n: reset(n, ttl=rng.randrange(40, 250), ip_id=rng.randrange(1, 65536), df=True),
    'bare-window-copied': lambda n: reset(n, ttl=own_ttl(n), ip_id=rng.randrange(65536), window=last[n][TCP].window),
    # Three RST,ACK
    'three': lambda n: [reset(n, offset=o, flags='RA', **cyclic()) for o in (0, 1460, 4380)],
    'three-random': lambda n: [reset(n, offset=o, flags='RA', ttl=rng.randrange(40, 250), ip_id=rng.randrange(65536),
                                     window=rng.randrange(65536)) for o in (0, 1460, 4380)],
    'three-same-id': lambda n: [reset(n, offset=o, flags='RA', ttl=own_ttl(n), ip_id=own_id(n), df=True,
                                      window=last[n][TCP].window) for o in (0, 1460, 4380)],
    'one-and-three': lambda n: [reset(n, ttl=rng.randrange(40, 250), ip_id=rng.randrange(65536), window=rng.randrange(65536))]
    + [reset(n, offset=o, flags='RA', **cyclic()) for o in (0, 1460, 4380)],
    # The devices that Weaver et al. tell apart
    'sandvine': lambda n: [reset(n, offset=o, ttl=own_ttl(n), ip_id=own_id(n) + i, window=0)
                           for i, o in ((4, 0), (5, 12503))],
    'bezeqint': lambda n: reset(n, flags='RA', ip_id=16448, ttl=rng.randrange(40, 250), df=True),
    'id-64': lambda n: [reset(n, offset=o, ip_id=64, ttl=rng.randrange(40, 250)) for o in (0, 1460)],
    'id-256': lambda n: reset(n, ip_id=256, flags='RA', ttl=rng.randrange(40, 250)),
    'id-minus-26': lambda n: reset(n, ip_id=own_id(n) - 26, ttl=own_ttl(n), df=True),
    'seq-1460': lambda n: [reset(n, offset=i * 1460, flags='RA', ip_id=own_id(n), ttl=own_ttl(n)) for i in range(4)],
    'rst-ack-ece': lambda n: reset(n, flags='RAE', ip_id=rng.randrange(65536), ttl=rng.randrange(40, 250)),
    'seq-zero': lambda n: [reset(n, seq=0, ip_id=rng.randrange(65536)), reset(n, ip_id=rng.randrange(65536))],
    # Careful ones
    'copy': lambda n: reset(n, flags='RA', ttl=own_ttl(n), ip_id=own_id(n), df=True, window=last[n][TCP].window,
                            options=timestamps(n)),
    'ttl-copied': lambda n: reset(n, flags='RA', ttl=own_ttl(n), ip_id=rng.randrange(65536), df=True),
    'ttl-near': lambda n: reset(n, ttl=own_ttl(n) + rng.choice((-1, 1)), ip_id=0, df=True),
    'exact-answer': lambda n: reset(n, ttl=own_ttl(n), ip_id=0, df=True),
    'exact-abort': lambda n: reset(n, flags='RA', ttl=own_ttl(n), ip_id=own_id(n) + 1, df=True, window=last[n][TCP].window,
                                   options=timestamps(n)),
    'in-window': lambda n: reset(n, offset=rng.randrange(500, 20000), ttl=own_ttl(n), ip_id=0, df=True),
    'sweep': lambda n: [reset(n, offset=rng.randrange(1 << 31), ttl=64, ip_id=rng.randrange(65536)) for _ in range(12)]
    + [reset(n, ip_id=rng.randrange(65536))],
}


def strike():
    if state['done'] or len(last) < 2:
        return
    state['done'] = True
    names = {'client': ['server'], 'server': ['client'], 'both': ['server', 'client']}[directions]
    for name in names:
        STYLES[style](name)
    print('struck', flush=True)


def see(packet):
    if TCP not in packet or state['done']:
        return
    tcp = packet[TCP]
    name = 'server' if tcp.sport == port else 'client'
    length = payload_length(packet)
    last[name] = packet
    end = (tcp.seq + length + bool(tcp.flags & 3)) & 0xffffffff
    if name not in numbers or (end - numbers[name]) & 0xffffffff < 1 << 31:
        numbers[name] = end
    if length:
        state['data'] += 1
        if when != 'idle' and state['data'] >= int(when):
            strike()


def wait_for_word():
    if sys.stdin.readline():
        strike()


if when == 'idle':
    threading.Thread(target=wait_for_word, daemon=True).start()
sniff(iface=interface, filter=f'tcp port {port}', prn=see, store=False, timeout=20,
      started_callback=lambda: print('ready', flush=True))
