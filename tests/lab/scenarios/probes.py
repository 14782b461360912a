# SPDX-License-Identifier: GPL-2.0-or-later
"""Segments that no TCP of the host made: scanners, stray packets, backscatter."""
from frames import ACK, FIN, PSH, SYN, URG
from . import scenario


def probe(b, flags, port, *, seq=None, ack=0, payload=b''):
    """Send one raw segment from the client; returns its source port."""
    source = b.next_port()
    frame = b.raw_frame('client', source, port, b.rng.getrandbits(32) if seq is None else seq, ack, flags,
                        window=1024, payload=payload, ttl=b.rng.randrange(38, 60), ip_id=b.rng.getrandbits(16))
    b.client.keeper.call('frames', 'tap0', [frame])
    b.settle()
    return source


@scenario('closed-port', actors=('client',))
def fin_probe(b):
    probe(b, FIN, 7001)


@scenario('closed-port', actors=('client',))
def null_probe(b):
    probe(b, 0, 7002)


@scenario('closed-port', actors=('client',))
def xmas_probe(b):
    probe(b, FIN | PSH | URG, 7003)


@scenario('closed-port', actors=('client',))
def maimon_probe(b):
    probe(b, FIN | ACK, 7004, ack=b.rng.getrandbits(32))


@scenario('closed-port', actors=('client',))
def ack_probe_closed(b):
    probe(b, ACK, 7005, ack=b.rng.getrandbits(32))


@scenario('unacceptable-ack', actors=('client',))
def ack_probe_open(b):
    b.listen()
    probe(b, ACK, b.server_port, ack=b.rng.getrandbits(32))


@scenario(actors=('client',))
def stealth_probes_open(b):
    """FIN, NULL and Xmas probes to a listening port: silence."""
    b.listen()
    for flags in (FIN, 0, FIN | PSH | URG):
        probe(b, flags, b.server_port)


@scenario('closed-port', actors=('client',))
def stealth_scan(b):
    """FIN probes over a range of ports."""
    for port in range(7000, 7006):
        probe(b, FIN, port)


@scenario('closed-port', 'handshake-abandoned', actors=('client',))
def syn_scan(b):
    """Raw SYNs to a range of ports; the scanner's kernel resets the SYN/ACK of the open ones."""
    b.note(b.client, 'scan')
    for port in (7001, 7003):
        b.listen(port=port)
    for port in range(7000, 7005):
        probe(b, SYN, port)


@scenario('closed-port', 'handshake-abandoned', actors=('client',))
def syn_scan_at_once(b):
    """The same without waiting for answers."""
    b.note(b.client, 'scan')
    b.listen(port=7002)
    source = b.next_port()
    seq = b.rng.getrandbits(32)
    b.client.keeper.call('frames', 'tap0', [b.raw_frame('client', source, port, seq, 0, SYN, window=1024)
                                            for port in range(7000, 7006)])
    b.settle()


@scenario('closed-port', actors=('client',))
def connect_scan(b):
    """connect() to port after port, as a scanner without privileges does it."""
    for port in range(7000, 7004):
        sock = b.client_socket()
        sock.setblocking(False)
        sock.connect_ex(b.server_endpoint(port))
    b.settle()


@scenario('closed-port', actors=('client',))
def syn_with_data_probe(b):
    probe(b, SYN, 7006, payload=b.payload(300))


@scenario('unacceptable-ack', actors=('client',))
def backscatter(b):
    """A SYN/ACK that answers a SYN which this host never sent."""
    probe(b, SYN | ACK, 7007, ack=b.rng.getrandbits(32))


@scenario('closed-port', actors=('client',))
def syn_retried_by_scanner(b):
    """The same SYN twice: the second refusal is a repeat or a refusal, as you like."""
    source, seq = b.next_port(), b.rng.getrandbits(32)
    for _ in range(2):
        b.client.keeper.call('frames', 'tap0', [b.raw_frame('client', source, 7008, seq, 0, SYN, window=1024)])
        b.settle()
