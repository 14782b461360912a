#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same packets carried in other ways, in parts, or among many others: however its packet comes, each reset has the
same verdict, and what only quotes a packet has none.
"""
import os
import struct
import sys

from tap import Tap
from workplace import REPOSITORY, Workplace

ETHERNET, WLAN = 1, 105   # link types of a pcap file
TCP, UDP = 6, 17
MANY = 600
NAMES = ('client-loses-power-v4-client', 'abort-with-data-in-flight-v6-server', 'closed-port-v4-client')
STATION, OTHER = b'\x02\0\0\0\0\1', b'\x02\0\0\0\0\2'
FIELDS = ('rstcause', 'rstcause.detail', 'rstcause.confidence', 'rstcause.sender', 'rstcause.trigger', 'rstcause.explanation', 'rstcause.evidence')


def read_packets(name):
    """Time and IP packet of each frame of a capture of ours."""
    with open(os.path.join(REPOSITORY, 'test-captures', f'{name}.pcap'), 'rb') as file:
        data = file.read()
    packets, at = [], 24
    while at < len(data):
        seconds, fraction, length, _ = struct.unpack_from('<IIII', data, at)
        packets.append((seconds, fraction, data[at + 16 + 14:at + 16 + length]))
        at += 16 + length
    return packets, data[:4]


def wrap_all(packets, wrap):
    return [(seconds, fraction, wrap(packet)) for seconds, fraction, packet in packets]


def write_capture(path, frames, magic, link):
    with open(path, 'wb') as file:
        file.write(magic + struct.pack('<HHiIII', 2, 4, 0, 0, 65535, link))
        for seconds, fraction, frame in frames:
            file.write(struct.pack('<IIII', seconds, fraction, len(frame), len(frame)) + frame)
    os.chmod(path, 0o644)


def ether_type(packet):
    return b'\x08\x00' if packet[0] >> 4 == 4 else b'\x86\xdd'


def wrap_in_ethernet(packet):
    return STATION + OTHER + ether_type(packet) + packet


def wrap_in_amt(packet):
    """In UDP from a relay (RFC 7450): 6 is AMT's message "multicast data"."""
    return wrap_in_ethernet(make_ipv4(UDP, struct.pack('>HHHH', 2268, 50000, 10 + len(packet), 0) + b'\x06\0' + packet))


def wrap_with_options(packet):
    """Four NOP options in IPv4, a hop-by-hop header filled up by PadN in IPv6 (RFC 8200 sections 4.2 and 4.3)."""
    if packet[0] >> 4 == 4:
        longer = struct.pack('>BBH', 0x46, packet[1], int.from_bytes(packet[2:4], 'big') + 4) + packet[4:20]
        return wrap_in_ethernet(longer + b'\x01' * 4 + packet[20:])
    extension = bytes((packet[6], 0, 1, 4, 0, 0, 0, 0))
    longer = packet[:4] + struct.pack('>HB', int.from_bytes(packet[4:6], 'big') + len(extension), 0) + packet[7:40]
    return wrap_in_ethernet(longer + extension + packet[40:])


def wrap_in_vlans(packet):
    """A service tag and a customer tag (IEEE 802.1ad)."""
    return STATION + OTHER + b'\x88\xa8\0\x64\x81\0\0\xc8' + ether_type(packet) + packet


def wrap_in_pppoe(packet):
    ppp = (b'\0\x21' if packet[0] >> 4 == 4 else b'\0\x57') + packet
    return STATION + OTHER + b'\x88\x64' + struct.pack('>BBHH', 0x11, 0, 7, len(ppp)) + ppp


def make_ipv4(protocol, body, flags=0, number=0):
    return struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(body), number, flags, 64, protocol, 0, bytes((192, 0, 2, 1)),
                       bytes((192, 0, 2, 2))) + body


def make_udp(port, body):
    return struct.pack('>HHHH', 50000, port, 8 + len(body), 0) + body


def wrap_in_gre(packet):
    """With a key, so that the packet begins where an ICMP error's quotation does."""
    return wrap_in_ethernet(make_ipv4(47, b'\x20\0' + ether_type(packet) + bytes(4) + packet))


def wrap_in_vxlan(packet):
    return wrap_in_ethernet(make_ipv4(UDP, make_udp(4789, b'\x08\0\0\0\0\0\x2a\0' + wrap_in_ethernet(packet))))


def wrap_in_ip(packet):
    return wrap_in_ethernet(make_ipv4(4 if packet[0] >> 4 == 4 else 41, packet))


def wrap_in_mpls(packet):
    return STATION + OTHER + b'\x88\x47' + b'\0\x01\x01\x40' + packet


def wrap_with_authentication(packet):
    """An authentication header (RFC 4302), in transport mode."""
    header = bytes((TCP, 4)) + bytes(6) + bytes(4) + bytes(12)
    if packet[0] >> 4 == 4:
        longer = packet[:2] + struct.pack('>H', int.from_bytes(packet[2:4], 'big') + len(header)) + packet[4:9]
        return wrap_in_ethernet(longer + b'\x33' + packet[10:20] + header + packet[20:])
    longer = packet[:4] + struct.pack('>HB', int.from_bytes(packet[4:6], 'big') + len(header), 51) + packet[7:40]
    return wrap_in_ethernet(longer + header + packet[40:])


class OpenFlow:
    """A switch's connection to its controller, which carries each packet in a message "packet in" (OpenFlow 1.0): the
    frame has two TCP headers then."""

    def __init__(self):
        self.sequence = 1

    def __call__(self, packet):
        frame = wrap_in_ethernet(packet)
        body = struct.pack('>BBHIIHHBB', 1, 10, 18 + len(frame), 0, 0, len(frame), 1, 0, 0) + frame
        tcp = struct.pack('>HHIIBBHHH', 50001, 6653, self.sequence, 1, 5 << 4, 0x18, 502, 0, 0)
        self.sequence += len(body)
        return wrap_in_ethernet(make_ipv4(TCP, tcp + body))


def quote(packet):
    """An ICMP error from a host on the way: "destination unreachable" and the beginning of the packet."""
    return wrap_in_ethernet(make_ipv4(1, b'\x03\x01\0\0\0\0\0\0' + packet[:60]))


def cut(packet, number):
    """The two fragments of a packet; the first one has eight bytes of TCP."""
    if packet[0] >> 4 == 4:
        first = packet[:2] + struct.pack('>HHH', 28, number, 0x2000) + packet[8:28]
        second = packet[:2] + struct.pack('>HHH', len(packet) - 8, number, 1) + packet[8:20] + packet[28:]
        return first, second
    def part(offset_and_more, body):
        header = struct.pack('>BBHI', TCP, 0, offset_and_more, number)
        return packet[:4] + struct.pack('>HB', 8 + len(body), 44) + packet[7:40] + header + body
    return part(1, packet[40:48]), part(8, packet[48:])


def logical_link(packet):
    return b'\xaa\xaa\x03\0\0\0' + ether_type(packet) + packet


def wlan_header(qos_control):
    return b'\x88\x01\0\0' + OTHER + STATION + OTHER + b'\0\0' + qos_control


def wrap_in_a_msdu(packet):
    """In QoS data to the access point, whose QoS control has the bit "A-MSDU present"."""
    body = logical_link(packet)
    return wlan_header(b'\x80\0') + OTHER + STATION + struct.pack('>H', len(body)) + body


def wrap_in_second_msdu(packet):
    """Behind another one, filled up to four bytes."""
    def subframe(body):
        return OTHER + STATION + struct.pack('>H', len(body)) + body
    first = subframe(logical_link(make_other(1, UDP)))
    return wlan_header(b'\x80\0') + first + bytes(-len(first) % 4) + subframe(logical_link(packet))


def wrap_in_msdu(packet):
    return wlan_header(b'\0\0') + logical_link(packet)


def read_resets(workplace, path, *options):
    fields = sum((['-e', field] for field in ('frame.number', *FIELDS)), [])
    done = workplace.run('tshark', '-r', path, *options, '-Y', 'rstcause', '-T', 'fields', *fields)
    return [line.split('\t') for line in done.stdout.splitlines()]


ETHERNET_WRAPS = (
    ('in VLANs', wrap_in_vlans), ('in PPPoE', wrap_in_pppoe), ('in MPLS', wrap_in_mpls), ('in GRE', wrap_in_gre),
    ('in VXLAN', wrap_in_vxlan), ('in IPv4', wrap_in_ip), ('in AMT', wrap_in_amt),
    ('with options of IP', wrap_with_options), ('with an authentication header', wrap_with_authentication),
)


def write_plain(workplace, name):
    """The path of a capture without any wrapping, and its packets."""
    packets, magic = read_packets(name)
    path = os.path.join(workplace.folder, 'plain.pcap')
    write_capture(path, wrap_all(packets, wrap_in_ethernet), magic, ETHERNET)
    return path, packets, magic


def check_frames(tap, workplace, title, frames, magic, link, expected):
    path = os.path.join(workplace.folder, 'wrapped.pcap')
    write_capture(path, frames, magic, link)
    for options in ((), ('-2',)):
        found = read_resets(workplace, path, *options)
        tap.check(expected and found == expected, ' '.join((title, *options)), f'{found}, not {expected}')


def check_wrapped(tap, workplace, name):
    plain, packets, magic = write_plain(workplace, name)
    expected = read_resets(workplace, plain)
    for title, wrap, link in (*((title, wrap, ETHERNET) for title, wrap in ETHERNET_WRAPS),
                              ('in another TCP connection', OpenFlow(), ETHERNET),
                              ('in an A-MSDU', wrap_in_a_msdu, WLAN),
                              ('behind another in an A-MSDU', wrap_in_second_msdu, WLAN)):
        check_frames(tap, workplace, f'{name} {title}', wrap_all(packets, wrap), magic, link, expected)
    # No frame is like the one before.
    wraps = [wrap for _, wrap in ETHERNET_WRAPS]
    mixed = [(seconds, fraction, wraps[number % len(wraps)](packet))
             for number, (seconds, fraction, packet) in enumerate(packets)]
    check_frames(tap, workplace, f'{name}, each packet in another way', mixed, magic, ETHERNET, expected)


def check_fragments(tap, workplace, name):
    """In the place of each first fragment to come, the reference has a datagram: so the frames have the same numbers."""
    packets, magic = read_packets(name)
    reference, forwards, backwards, in_tunnel = [], [], [], []
    for number, (seconds, fraction, packet) in enumerate(packets):
        first, second = cut(packet, 1000 + number)
        # The engine is shown the IP ID of what is whole.
        if packet[0] >> 4 == 4:
            packet = packet[:4] + struct.pack('>H', 1000 + number) + packet[6:]
        # The tunnel's packet is cut.
        carried = packet + bytes(-len(packet) % 8)
        for frames, pair in ((reference, (make_other(number, UDP), packet)), (forwards, (first, second)),
                             (backwards, (second, first)),
                             (in_tunnel, (make_ipv4(4 if packet[0] >> 4 == 4 else 41, carried[:32], 0x2000, number),
                                          make_ipv4(4 if packet[0] >> 4 == 4 else 41, packet[32:], 4, number)))):
            frames += [(seconds, fraction, wrap_in_ethernet(each)) for each in pair]
    path = os.path.join(workplace.folder, 'reference.pcap')
    write_capture(path, reference, magic, ETHERNET)
    expected = read_resets(workplace, path)
    for title, frames in (('in fragments', forwards), ('in fragments, the first one last', backwards),
                          ('in a fragmented tunnel', in_tunnel)):
        check_frames(tap, workplace, f'{name} {title}', frames, magic, ETHERNET, expected)


def check_quoted(tap, workplace, name):
    """After packets in GRE, whose place is that of a quotation."""
    _, packets, magic = write_plain(workplace, name)
    path = os.path.join(workplace.folder, 'quoted.pcap')
    frames = []
    for seconds, fraction, packet in packets:
        frames += [(seconds, fraction, wrap_in_gre(packet)), (seconds, fraction, quote(packet))]
    write_capture(path, frames, magic, ETHERNET)
    count = len(read_resets(workplace, path))
    write_capture(path, wrap_all(packets, wrap_in_gre), magic, ETHERNET)
    expected = len(read_resets(workplace, path))
    tap.check(count == expected > 0, f'{name} quoted by ICMP errors', f'{count} verdicts, not {expected}')


def make_other(number, protocol):
    """A TCP segment or a UDP datagram, of hosts and ports that no capture has."""
    tcp = struct.pack('>HHIIBBHHH', 40000, 6000, number * 8, 1, 5 << 4, 0x18, 502, 0, 0)
    udp = struct.pack('>HHHH', 40000, 6000, 16, 0)
    body = (tcp if protocol == TCP else udp) + bytes(8)
    return struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(body), number & 0xffff, 0x4000, 64, protocol, 0,
                       bytes((198, 51, 100, 1)), bytes((198, 51, 100, 2))) + body


def check_among_others(tap, workplace, name):
    """More segments of another connection than the glue keeps; datagrams in their place must make no difference."""
    packets, magic = read_packets(name)
    found = {}
    for protocol in (TCP, UDP):
        path = os.path.join(workplace.folder, 'among.pcap')
        frames = [(seconds, fraction, wrap_in_ethernet(each))
                  for at, (seconds, fraction, packet) in enumerate(packets)
                  for each in [packet] + [make_other(at * MANY + number, protocol) for number in range(MANY)]]
        write_capture(path, frames, magic, ETHERNET)
        found[protocol] = read_resets(workplace, path)
    tap.check(found[UDP] and found[TCP] == found[UDP], f'{name} among {MANY} others after each packet',
              f'{found[TCP]}, not {found[UDP]}')


def write_sections(path, sections, magic):
    """A pcapng file with a section for each list of frames, all on the section's interface 0."""
    nanoseconds = magic == b'\x4d\x3c\xb2\xa1'
    def block(kind, body):
        body += bytes(-len(body) % 4)
        return struct.pack('<II', kind, 12 + len(body)) + body + struct.pack('<I', 12 + len(body))
    with open(path, 'wb') as file:
        for frames in sections:
            file.write(block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1)))
            file.write(block(1, struct.pack('<HHI', ETHERNET, 0, 0) + b'\x09\0\x01\0\x09\0\0\0' + bytes(4)))
            for seconds, fraction, frame in frames:
                time = seconds * 10**9 + fraction * (1 if nanoseconds else 1000)
                file.write(block(6, struct.pack('<IIIII', 0, time >> 32, time & 0xffffffff, len(frame), len(frame)) +
                                 frame))
    os.chmod(path, 0o644)


def check_mixed(tap, workplace, title, names, wraps, link):
    """Two captures, one after the other, each carried in a way of its own."""
    (first, magic), (second, _) = map(read_packets, names)
    path = os.path.join(workplace.folder, 'mixed.pcap')
    write_capture(path, wrap_all(first, wraps[0]) + wrap_all(second, wraps[1]), magic, link)
    causes = [reset[1] for reset in read_resets(workplace, path)]
    tap.check(sorted(causes) == ['closed-port', 'half-open'], title, str(causes))


def check_sections(tap, workplace, name):
    """The last reset again, as a capture on another interface has it: interface 0 of another section is another one."""
    packets, magic = read_packets(name)
    frames = wrap_all(packets, wrap_in_ethernet)
    resets = [at for at, (_, _, packet) in enumerate(packets) if packet[6] == TCP and packet[40 + 13] & 4]
    until, again = frames[:resets[-1] + 1], frames[resets[-1]:resets[-1] + 1]
    path = os.path.join(workplace.folder, 'sections.pcapng')
    for title, sections, is_copy in (('one section', (until + again,), False), ('two sections', (until, again), True)):
        write_sections(path, sections, magic)
        details = [reset[2] for reset in read_resets(workplace, path)]
        tap.check(len(details) > 1 and (details[-1] == 'copy') == is_copy, f'{name} in {title}', str(details))


def main():
    tap = Tap()
    with Workplace() as workplace:
        for name in NAMES:
            check_wrapped(tap, workplace, name)
            check_fragments(tap, workplace, name)
            check_quoted(tap, workplace, name)
            check_among_others(tap, workplace, name)
        half_open, closed_port = 'client-loses-power-v4-client', 'closed-port-v4-client'
        check_mixed(tap, workplace, 'in AMT after others that are not', (closed_port, half_open),
                    (wrap_in_ethernet, wrap_in_amt), ETHERNET)
        check_mixed(tap, workplace, 'in an A-MSDU after others that are not', (half_open, closed_port),
                    (wrap_in_msdu, wrap_in_a_msdu), WLAN)
        check_sections(tap, workplace, 'client-loses-power-v6-client')
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
