#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same packets carried in other ways, or among many others: below the top of Wireshark's tree, too, each reset has
its verdict.

AMT (RFC 7450) and an A-MSDU (IEEE 802.11 section 9.3.2.2) are dissectors that put the packet that they carry into
their own subtree, where a protocol's node is only if somebody wants it.
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
FIELDS = ('rstcause', 'rstcause.confidence', 'rstcause.sender', 'rstcause.trigger', 'rstcause.explanation', 'rstcause.evidence')


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
    """In UDP from a relay: 6 is AMT's message "multicast data"."""
    amt = b'\x06\0' + packet
    udp = struct.pack('>HHHH', 2268, 50000, 8 + len(amt), 0) + amt
    return wrap_in_ethernet(struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes((192, 0, 2, 1)),
                                        bytes((192, 0, 2, 2))) + udp)


def wrap_with_options(packet):
    """Four NOP options in IPv4, a hop-by-hop header filled up by PadN in IPv6 (RFC 8200 sections 4.2 and 4.3)."""
    if packet[0] >> 4 == 4:
        longer = struct.pack('>BBH', 0x46, packet[1], int.from_bytes(packet[2:4], 'big') + 4) + packet[4:20]
        return wrap_in_ethernet(longer + b'\x01' * 4 + packet[20:])
    extension = bytes((packet[6], 0, 1, 4, 0, 0, 0, 0))
    longer = packet[:4] + struct.pack('>HB', int.from_bytes(packet[4:6], 'big') + len(extension), 0) + packet[7:40]
    return wrap_in_ethernet(longer + extension + packet[40:])


def logical_link(packet):
    return b'\xaa\xaa\x03\0\0\0' + ether_type(packet) + packet


def wlan_header(qos_control):
    return b'\x88\x01\0\0' + OTHER + STATION + OTHER + b'\0\0' + qos_control


def wrap_in_a_msdu(packet):
    """In QoS data to the access point, whose QoS control has the bit "A-MSDU present"."""
    body = logical_link(packet)
    return wlan_header(b'\x80\0') + OTHER + STATION + struct.pack('>H', len(body)) + body


def wrap_in_msdu(packet):
    return wlan_header(b'\0\0') + logical_link(packet)


def read_resets(workplace, path, *options):
    fields = sum((['-e', field] for field in ('frame.number', *FIELDS)), [])
    done = workplace.run('tshark', '-r', path, *options, '-Y', 'rstcause', '-T', 'fields', *fields)
    return [line.split('\t') for line in done.stdout.splitlines()]


def check_wrapped(tap, workplace, name):
    packets, magic = read_packets(name)
    plain = os.path.join(workplace.folder, 'plain.pcap')
    write_capture(plain, wrap_all(packets, wrap_in_ethernet), magic, ETHERNET)
    expected = read_resets(workplace, plain)
    for title, wrap, link in (('in AMT', wrap_in_amt, ETHERNET), ('in an A-MSDU', wrap_in_a_msdu, WLAN),
                              ('with options of IP', wrap_with_options, ETHERNET)):
        path = os.path.join(workplace.folder, 'wrapped.pcap')
        write_capture(path, wrap_all(packets, wrap), magic, link)
        for options in ((), ('-2',)):
            found = read_resets(workplace, path, *options)
            tap.check(expected and found == expected, ' '.join((name, title, *options)),
                      f'{found}, not {expected}')


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


def check_mixed(tap, workplace, title, names, wraps, link):
    """Two captures, one after the other, each carried in a way of its own."""
    (first, magic), (second, _) = map(read_packets, names)
    path = os.path.join(workplace.folder, 'mixed.pcap')
    write_capture(path, wrap_all(first, wraps[0]) + wrap_all(second, wraps[1]), magic, link)
    causes = [reset[1] for reset in read_resets(workplace, path)]
    tap.check(sorted(causes) == ['closed-port', 'half-open'], title, str(causes))


def main():
    tap = Tap()
    with Workplace() as workplace:
        for name in NAMES:
            check_wrapped(tap, workplace, name)
            check_among_others(tap, workplace, name)
        half_open, closed_port = 'client-loses-power-v4-client', 'closed-port-v4-client'
        # The first packet below the top after others at the top is lost, a SYN that is not needed here, but no later one
        check_mixed(tap, workplace, 'in AMT after others that are not', (closed_port, half_open),
                    (wrap_in_ethernet, wrap_in_amt), ETHERNET)
        # In Wi-Fi the two alternate, and none is lost: not the SYN, either.
        check_mixed(tap, workplace, 'in an A-MSDU after others that are not', (half_open, closed_port),
                    (wrap_in_msdu, wrap_in_a_msdu), WLAN)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
