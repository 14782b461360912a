# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes the packets of a capture so that IP and TCP stay plausible: lengths, offsets and checksums fit what was changed.

What a dissector refuses at once tests nothing behind it. Knows headers, no rule and no program. The same chance gives the
same capture.
"""
import struct
from dataclasses import dataclass, replace

from pcap_file import SECOND, Frame

ETHERNET = 1
ETHERNET_HEADER, IPV4_HEADER, IPV6_HEADER, TCP_HEADER = 14, 20, 40, 20
IPV4, IPV6, TCP = 0x0800, 0x86dd, 6
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
USUAL_FLAGS = (0, FIN, SYN, RST, ACK, SYN | ACK, RST | ACK, FIN | ACK, PSH | ACK, FIN | RST | ACK, SYN | RST, FIN | PSH | 32, 255)
STEPS = (-1, 1, 2, -1460, 1460, 65535, 2**31, -2**31)
TIMES = (0, 1, 1000, 50000, 10**6, 2 * 10**8, SECOND, 61 * SECOND, 7200 * SECOND, 2**31 * SECOND)
OPTIONS = (b'\x01', b'\x00', b'\x02\x04\x05\xb4', b'\x03\x03\x07', b'\x03\x03\xff', b'\x04\x02', b'\x05\x0a' + bytes(8),
           b'\x08\x0a' + bytes(8), b'\x1e\x0c\x70\x00' + bytes(8), b'\x1e\x04\x80\x01', b'\x1e\x03\x80', b'\xfd\x02', b'\xfe\x04\xf9\x89',
           b'\x02\x00', b'\x08\x0b', b'\x05\xff', b'\x22\x02', b'\x13\x12' + bytes(16))
PAYLOADS = (b'', b'\0', b'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n', b'GET / HTTP/1.1\r\n\r\n', b'\x15\x03\x03\x00\x02\x01\x00',
            b'\x16\x03\x01\x02\x00\x01', b'SSH-2.0-x\r\n', b'421 4.3.2 closing\r\n', b'BIG-IP: [0x2a:1] {peer} Flow expired (sweeper)',
            b'\xda\x4f\x9c\x5d\xff\x01', b'\x83\x1a\xda\x4f\xa1\x01\x02', b'reason: \xff\x00\x80', b'\xbf' * 40, b'x' * 1448)


@dataclass(frozen=True)
class Packet:
    time: int
    link: bytes   # the Ethernet header
    ip: bytes     # the fixed IP header
    tcp: bytes    # the fixed TCP header
    options: bytes
    payload: bytes
    cut: int = 0   # bytes at the end that were not captured

    @property
    def is_v4(self):
        return len(self.ip) == IPV4_HEADER


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def read_packet(frame):
    """None for what is not TCP in an IP packet without IPv4 options and IPv6 extension headers."""
    data = frame.bytes
    kind = int.from_bytes(data[12:14], 'big')
    header = IPV4_HEADER if kind == IPV4 else IPV6_HEADER
    protocol_at = ETHERNET_HEADER + (9 if kind == IPV4 else 6)
    tcp_at = ETHERNET_HEADER + header
    if kind not in (IPV4, IPV6) or len(data) < tcp_at + TCP_HEADER or data[protocol_at] != TCP or (
            kind == IPV4 and data[ETHERNET_HEADER] != 0x45):
        return None
    tcp_end = tcp_at + TCP_HEADER
    payload_at = tcp_at + (data[tcp_at + 12] >> 4) * 4
    if kind == IPV4:
        end = ETHERNET_HEADER + int.from_bytes(data[16:18], 'big')
    else:
        end = tcp_at + int.from_bytes(data[18:20], 'big')
    return Packet(frame.time, data[:ETHERNET_HEADER], data[ETHERNET_HEADER:tcp_at], data[tcp_at:tcp_end],
                  data[tcp_end:payload_at], data[payload_at:max(end, payload_at)])


def write_packet(packet):
    """The frame, its lengths, offset and checksums right."""
    options = packet.options[:40]
    options += bytes(-len(options) % 4)
    length = TCP_HEADER + len(options) + len(packet.payload)
    tcp = bytearray(packet.tcp)
    tcp[12] = (TCP_HEADER + len(options)) // 4 << 4 | tcp[12] & 15
    tcp[16:18] = bytes(2)
    ip = bytearray(packet.ip)
    if packet.is_v4:
        ip[2:4] = struct.pack('!H', IPV4_HEADER + length)
        ip[10:12] = bytes(2)
        ip[10:12] = struct.pack('!H', checksum(bytes(ip)))
        addresses = ip[12:20]
    else:
        ip[4:6] = struct.pack('!H', length)
        addresses = ip[8:40]
    segment = bytes(tcp) + options + packet.payload
    tcp[16:18] = struct.pack('!H', checksum(bytes(addresses) + struct.pack('!II', TCP, length) + segment))
    data = packet.link + bytes(ip) + bytes(tcp) + options + packet.payload
    return Frame(packet.time, len(data), data[:len(data) - packet.cut] if packet.cut < len(data) else data[:1])


def put(header, at, value):
    return header[:at] + value + header[at + len(value):]


# One change of one packet. 'other' is any packet of the capture.

def change_flags(packet, _other, chance):
    flags = chance.choice(USUAL_FLAGS) if chance.random() < 0.5 else packet.tcp[13] ^ 1 << chance.randrange(8)
    return replace(packet, tcp=put(packet.tcp, 13, bytes([flags])))


def change_number(packet, other, chance):
    at = chance.choice((4, 8))
    number = int.from_bytes(packet.tcp[at:at + 4], 'big')
    number = chance.choice((number + chance.choice(STEPS), int.from_bytes(other.tcp[4:8], 'big'),
                            int.from_bytes(other.tcp[8:12], 'big'), 0, 2**32 - 1, chance.getrandbits(32)))
    return replace(packet, tcp=put(packet.tcp, at, struct.pack('!I', number % 2**32)))


def change_window(packet, _other, chance):
    return replace(packet, tcp=put(packet.tcp, 14, struct.pack('!H', chance.choice((0, 1, 8201, 65535, chance.getrandbits(16))))))


def change_options(packet, other, chance):
    options = chance.choice((b'', other.options, chance.choice(OPTIONS) + packet.options, packet.options[:-chance.randrange(1, 9)],
                             b''.join(chance.choices(OPTIONS, k=3)), chance.randbytes(chance.randrange(41))))
    return replace(packet, options=options)


def change_address(packet, other, chance):
    if packet.is_v4 != other.is_v4:
        return replace(packet, tcp=put(packet.tcp, 0, other.tcp[:4]))
    at, length = (12, 4) if packet.is_v4 else (8, 16)
    source, destination = packet.ip[at:at + length], packet.ip[at + length:at + 2 * length]
    pair = chance.choice((destination + source, source + source, other.ip[at:at + 2 * length]))
    ports = chance.choice((packet.tcp[:4], packet.tcp[2:4] + packet.tcp[:2], other.tcp[:4], bytes(4)))
    return replace(packet, ip=put(packet.ip, at, pair), tcp=put(packet.tcp, 0, ports))


def change_path(packet, _other, chance):
    """TTL or hop limit; IP ID and DF, or flow label."""
    ip = put(packet.ip, 8 if packet.is_v4 else 7, bytes([chance.choice((0, 1, 63, 64, 128, 255, chance.getrandbits(8)))]))
    if packet.is_v4:
        ip = put(ip, 4, struct.pack('!HH', chance.choice((0, 1, 65535, chance.getrandbits(16))), chance.choice((0, 0x4000, 0x8000))))
    else:
        ip = put(ip, 1, chance.randbytes(3))
    return replace(packet, ip=ip)


def change_time(packet, other, chance):
    return replace(packet, time=max(0, chance.choice((packet.time, other.time)) + chance.choice((-1, 1)) * chance.choice(TIMES)))


def change_payload(packet, other, chance):
    payload = chance.choice((other.payload, packet.payload[:chance.randrange(len(packet.payload) + 1)], chance.choice(PAYLOADS),
                             chance.randbytes(chance.choice((1, 8, 100, 1460)))))
    return replace(packet, payload=payload)


def cut(packet, _other, chance):
    return replace(packet, cut=chance.randrange(len(packet.payload) + len(packet.options) + TCP_HEADER + 30))


def become_reset(packet, other, chance):
    """Of its sender's own making, or the answer to another packet."""
    tcp = put(packet.tcp, 13, bytes([chance.choice((RST, RST | ACK))]))
    if chance.random() < 0.5:
        tcp = put(put(tcp, 0, other.tcp[2:4] + other.tcp[:2]), 4, other.tcp[8:12])
    return replace(packet, tcp=tcp, options=b'', payload=b'')


CHANGES = (change_flags, change_number, change_window, change_options, change_address, change_path, change_time, change_payload,
           cut, become_reset)


def move(packets, chance):
    """The order: one goes, comes twice, or changes its place, with its time or without."""
    place, target = chance.randrange(len(packets)), chance.randrange(len(packets))
    kind = chance.randrange(4)
    if kind == 0 and len(packets) > 1:
        del packets[place]
    elif kind == 1:
        packets.insert(target, packets[place])
    elif kind == 2:
        packets.insert(target, packets.pop(place))
    else:
        packets[place], packets[target] = (replace(packets[target], time=packets[place].time),
                                           replace(packets[place], time=packets[target].time))


def mutate(frames, chance):
    """The TCP packets of Ethernet frames with one to some twenty changes; none where there are no such packets."""
    packets = [packet for packet in map(read_packet, frames) if packet]
    for _ in range(chance.choice((1, 1, 2, 3, 5, 8, 20)) if packets else 0):
        if chance.random() < 0.2:
            move(packets, chance)
            continue
        place = chance.randrange(len(packets))
        packets[place] = chance.choice(CHANGES)(packets[place], chance.choice(packets), chance)
    return [write_packet(packet) for packet in packets]
