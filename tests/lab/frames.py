# SPDX-License-Identifier: GPL-2.0-or-later
"""Ethernet, IP and TCP bytes: read a frame's segment, build a frame, write a pcap.

Knows no sockets, no namespaces and nothing about causes.
"""
import socket
import struct

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
ETH_IPV4, ETH_IPV6 = 0x0800, 0x86dd
DLT_EN10MB, DLT_LINUX_SLL2 = 1, 276


def flag_names(flags):
    names = [name for bit, name in ((FIN, 'FIN'), (SYN, 'SYN'), (RST, 'RST'),
                                    (PSH, 'PSH'), (ACK, 'ACK'), (URG, 'URG')) if flags & bit]
    return ','.join(names) or 'none'


def seq_diff(a, b):
    """a - b in sequence space, as a signed number."""
    return ((a - b + 0x80000000) & 0xffffffff) - 0x80000000


class Segment:
    """The TCP segment in an Ethernet frame; built by parse()."""

    __slots__ = ('version', 'src', 'dst', 'sport', 'dport', 'seq', 'ack', 'flags', 'window',
                 'length', 'ttl', 'ip_id', 'dont_fragment', 'options', 'tcp_offset')

    @property
    def end(self):
        """Sequence number after this segment (SYN and FIN count one each)."""
        return (self.seq + self.length + bool(self.flags & SYN) + bool(self.flags & FIN)) & 0xffffffff

    @property
    def wscale(self):
        value = self.options.get(3)
        return value[0] if value else None

    def __str__(self):
        return (f'{self.src}:{self.sport} > {self.dst}:{self.dport} [{flag_names(self.flags)}] '
                f'seq={self.seq} ack={self.ack} len={self.length}')


def parse_options(raw):
    options, i = {}, 0
    while i < len(raw) and raw[i] != 0:
        if raw[i] == 1:
            i += 1
            continue
        if i + 1 >= len(raw) or raw[i + 1] < 2:
            break
        options[raw[i]] = raw[i + 2:i + raw[i + 1]]
        i += raw[i + 1]
    return options


def parse(frame):
    """The Segment in an Ethernet frame, or None where it carries no TCP."""
    kind = struct.unpack_from('!H', frame, 12)[0]
    s = Segment()
    if kind == ETH_IPV4 and frame[23] == 6:
        total, s.ip_id, fragment = struct.unpack_from('!HHH', frame, 16)
        s.version, s.ttl, s.dont_fragment = 4, frame[22], bool(fragment & 0x4000)
        s.src, s.dst = socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34])
        s.tcp_offset = 14 + (frame[14] & 15) * 4
        end = 14 + total
    elif kind == ETH_IPV6 and frame[20] == 6:
        s.version, s.ttl, s.ip_id, s.dont_fragment = 6, frame[21], 0, True
        s.src = socket.inet_ntop(socket.AF_INET6, frame[22:38])
        s.dst = socket.inet_ntop(socket.AF_INET6, frame[38:54])
        s.tcp_offset = 54
        end = 54 + struct.unpack_from('!H', frame, 18)[0]
    else:
        return None
    o = s.tcp_offset
    s.sport, s.dport, s.seq, s.ack, offset_flags, s.window = struct.unpack_from('!HHIIHH', frame, o)
    header = (offset_flags >> 12) * 4
    s.flags = offset_flags & 0x3f
    s.length = end - o - header
    s.options = parse_options(frame[o + 20:o + header])
    return s


def checksum(data):
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff


def build_tcp(src, dst, sport, dport, seq, ack, flags, *, macs, window=0, payload=b'', options=b'',
              ttl=64, ip_id=0, dont_fragment=True):
    """An Ethernet frame with this segment and right checksums. `macs` is (source, destination)."""
    version6 = ':' in src
    family = socket.AF_INET6 if version6 else socket.AF_INET
    a, b = socket.inet_pton(family, src), socket.inet_pton(family, dst)
    options += b'\1' * (-len(options) % 4)
    header = struct.pack('!HHIIHHHH', sport, dport, seq & 0xffffffff, ack & 0xffffffff,
                         (20 + len(options)) // 4 << 12 | flags, window, 0, 0) + options
    size = len(header) + len(payload)
    pseudo = a + b + (struct.pack('!IHBB', size, 0, 0, 6) if version6 else struct.pack('!BBH', 0, 6, size))
    tcp = header[:16] + struct.pack('!H', checksum(pseudo + header + payload)) + header[18:] + payload
    if version6:
        ip = struct.pack('!IHBB', 0x60000000, size, 6, ttl) + a + b
    else:
        ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + size, ip_id, 0x4000 * dont_fragment, ttl, 6, 0, a, b)
        ip = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:]
    return macs[1] + macs[0] + struct.pack('!H', ETH_IPV6 if version6 else ETH_IPV4) + ip + tcp


def age_ttl(frame, hops):
    """The frame after `hops` routers."""
    frame = bytearray(frame)
    kind = struct.unpack_from('!H', frame, 12)[0]
    if kind == ETH_IPV4:
        frame[22] = max(1, frame[22] - hops)
        frame[24:26] = b'\0\0'
        struct.pack_into('!H', frame, 24, checksum(bytes(frame[14:14 + (frame[14] & 15) * 4])))
    elif kind == ETH_IPV6:
        frame[21] = max(1, frame[21] - hops)
    return bytes(frame)


OUTER_MACS = bytes.fromhex('0200c0000064') + bytes.fromhex('0200c0000065')


def outer_ipv4(protocol, inner):
    """The inner bytes behind the IPv4 header of a tunnel between two documentation addresses."""
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(inner), 0, 0x4000, 64, protocol, 0,
                     socket.inet_aton('203.0.113.1'), socket.inet_aton('203.0.113.2'))
    ip = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:]
    return OUTER_MACS + struct.pack('!H', ETH_IPV4) + ip + inner


def encapsulate(frame, how):
    """The frame as a capture point inside this encapsulation sees it."""
    if how == 'vlan':
        return frame[:12] + struct.pack('!HH', 0x8100, 7) + frame[12:]
    if how == 'qinq':
        return frame[:12] + struct.pack('!HHHH', 0x88a8, 100, 0x8100, 7) + frame[12:]
    if how == 'mpls':
        return frame[:12] + struct.pack('!HI', 0x8847, 16 << 12 | 0x100 | 64) + frame[14:]
    if how == 'pppoe':
        kind = struct.unpack_from('!H', frame, 12)[0]
        protocol = {ETH_IPV4: 0x21, ETH_IPV6: 0x57}[kind]
        body = frame[14:]
        return frame[:12] + struct.pack('!HBBHHH', 0x8864, 0x11, 0, 1, len(body) + 2, protocol) + body
    if how == 'gre':
        return outer_ipv4(47, struct.pack('!H', 0) + frame[12:])
    if how == 'vxlan':
        vxlan = struct.pack('!II', 0x08000000, 4 << 8) + frame
        return outer_ipv4(17, struct.pack('!HHHH', 49152, 4789, 8 + len(vxlan), 0) + vxlan)
    raise ValueError(how)


class PcapWriter:
    """A capture file with nanosecond times."""

    def __init__(self, path, linktype=DLT_EN10MB):
        self.file = open(path, 'wb')
        self.file.write(struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 262144, linktype))

    def write(self, when, frame):
        seconds, nanoseconds = divmod(int(when * 1e9), 1_000_000_000)
        self.file.write(struct.pack('<IIII', seconds, nanoseconds, len(frame), len(frame)) + frame)

    def close(self):
        self.file.close()


def sll2(frame, interface, outgoing):
    """The frame with the header that the `any` device of Linux puts before it."""
    return frame[12:14] + struct.pack('!HIHBB', 0, interface, 1, 4 if outgoing else 0, 6) + frame[6:12] + b'\0\0' + frame[14:]
