#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes test-captures/stated-*.pcap: resets that state their reason, made by hand.

No stack at hand sends these statements, so each packet is put together here. The connections around them
are as plain as they can be. The same bytes come out of every run.
"""

import ipaddress
import os
import socket
import struct
import sys

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
BEGIN = 1767225600.0  # 2026-01-01 00:00:00 UTC

MSS = bytes([2, 4, 5, 180])
SERVER_WINDOW = 65535  # no whole number of segments, as Linux would announce


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Capture:
    """A pcap file of Ethernet frames whose clock moves on with each of them."""

    def __init__(self, name):
        self.name = name
        self.now = BEGIN
        self.records = []

    def add(self, frame):
        seconds = int(self.now)
        self.records.append(
            struct.pack("<IIII", seconds, round((self.now - seconds) * 1e6), len(frame), len(frame)) + frame
        )
        self.now += 0.01

    def wait(self, seconds):
        self.now += seconds

    def write(self, folder):
        header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
        with open(os.path.join(folder, self.name + ".pcap"), "wb") as file:
            file.write(header + b"".join(self.records))


class Endpoint:
    """One end of a connection: what it would send next, and how its stack writes headers."""

    def __init__(self, address, port, sequence, ttl, window):
        self.address = ipaddress.ip_address(address)
        self.port = port
        self.next = sequence
        self.ttl = ttl
        self.window = window
        self.ip_id = sequence & 0xFFFF


class Connection:
    """A TCP connection between a client and a server of the documentation networks."""

    def __init__(self, capture, client_port, server="192.0.2.80", server_port=80, client=None, window=SERVER_WINDOW):
        self.capture = capture
        if client is None:
            client = "2001:db8::7" if ":" in server else "198.51.100.7"
        self.client = Endpoint(client, client_port, 1000 * client_port, 64, 64240)
        self.server = Endpoint(server, server_port, 3000 * client_port, 57, window)

    def send(self, sender, flags, payload=b"", options=b"", window=None, sequence=None, trailer=b""):
        """Sends what comes next, or with a sequence number or window that do not belong to the stream."""
        receiver = self.server if sender is self.client else self.client
        sequence = sender.next if sequence is None else sequence
        acknowledgement = receiver.next if flags & ACK else 0
        options += b"\0" * (-len(options) % 4)
        tcp = struct.pack(
            "!HHIIBBHHH",
            sender.port,
            receiver.port,
            sequence & 0xFFFFFFFF,
            acknowledgement & 0xFFFFFFFF,
            (20 + len(options)) // 4 << 4,
            flags,
            sender.window if window is None else window,
            0,
            0,
        )
        tcp += options + payload
        pseudo = sender.address.packed + receiver.address.packed + struct.pack("!II", len(tcp), socket.IPPROTO_TCP)
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        frame = self.network_header(sender, receiver, len(tcp)) + tcp
        if not flags & RST:
            sender.next += len(payload) + (1 if flags & (SYN | FIN) else 0)
        if not trailer:
            frame += b"\0" * max(0, 60 - len(frame))
        self.capture.add(frame + trailer)

    @staticmethod
    def network_header(sender, receiver, length):
        ethernet = b"\2\0\0\0\0\1\2\0\0\0\0\2"
        if sender.address.version == 6:
            return (
                ethernet
                + b"\x86\xdd"
                + struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_TCP, sender.ttl)
                + sender.address.packed
                + receiver.address.packed
            )
        sender.ip_id = (sender.ip_id + 1) & 0xFFFF
        header = struct.pack(
            "!BBHHHBBH", 0x45, 0, 20 + length, sender.ip_id, 0x4000, sender.ttl, socket.IPPROTO_TCP, 0
        )
        header += sender.address.packed + receiver.address.packed
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        return ethernet + b"\x08\x00" + header

    def syn(self, options=MSS):
        self.send(self.client, SYN, options=options)

    def open(self, syn=MSS, syn_ack=MSS, ack=b""):
        self.syn(syn)
        self.send(self.server, SYN | ACK, options=syn_ack)
        self.send(self.client, ACK, options=ack)
        return self

    def exchange(self):
        """A request and its response, both acknowledged."""
        self.send(self.client, PSH | ACK, b"request 1")
        self.send(self.server, PSH | ACK, b"response 1")
        self.send(self.client, ACK)
        return self

    def refuse(self, payload=b"", **header):
        """The server's answer to the SYN: RFC 9293 section 3.5.2, group 1."""
        self.send(self.server, RST | ACK, payload, sequence=0, **header)

    def abort(self, payload=b"", **header):
        """The server tears the connection down by itself."""
        self.send(self.server, RST | ACK, payload, **header)

    def answer(self, payload=b"", **header):
        """The server's answer to what the client sent last: no ACK flag, at the client's ACK number."""
        self.send(self.server, RST, payload, **header)

    def midstream(self):
        """A client's data in a connection of which the server shows no sign of life."""
        self.send(self.client, PSH | ACK, b"request 2")
        return self


def compact(code, enterprise=0, magic=0x33AA):
    return struct.pack("!HHI", magic, code, enterprise)


def make_diagnostic():
    """The 8 bytes of draft-ietf-tcpm-rst-diagnostic-payload-00 and later."""
    capture = Capture("stated-diagnostic")
    Connection(capture, 40001).midstream().answer(compact(2))

    closed = Connection(capture, 40002).open().exchange()
    closed.send(closed.server, FIN | ACK)
    closed.midstream().answer(compact(3))

    Connection(capture, 40003).open().exchange().abort(compact(4))
    Connection(capture, 40004, "2001:db8::80").open().exchange().abort(compact(4))

    idle = Connection(capture, 40005).open().exchange()
    capture.wait(3600)
    idle.midstream().answer(compact(14))

    Connection(capture, 40006).open().exchange().abort(compact(1234, 32473))
    Connection(capture, 40007).open().exchange().abort(compact(10))
    # Malformed: value 0 is reserved, and the payload is not 8 bytes long.
    Connection(capture, 40008).open().exchange().abort(compact(0))
    Connection(capture, 40009).open().exchange().abort(compact(4) + b"\0")
    # What is stated contradicts what is seen: nothing was there to abort.
    contradiction = Connection(capture, 40010, server_port=81)
    contradiction.syn()
    contradiction.refuse(compact(4))
    # The layout with a description instead of a code, draft-boucadair-tcpm-rst-diagnostic-payload-14 to -16.
    Connection(capture, 40011).open().exchange().abort(b"\xf3\x17" + "no backend left".encode())
    # Another magic number.
    Connection(capture, 40012).open().exchange().abort(compact(4, magic=9876))
    return capture


def make_cbor():
    """The CBOR sequence of draft-boucadair-tcpm-rst-diagnostic-payload-00 to -12."""
    capture = Capture("stated-cbor")
    magic = b"\x19\x30\x39"  # 12345
    description = "brief human-readable description"
    Connection(capture, 41001).midstream().answer(magic + b"\xa1\x01\x02")
    Connection(capture, 41002).open().exchange().abort(magic + b"\xa1\x01\x04")
    Connection(capture, 41003, "2001:db8::80").open().exchange().abort(
        magic + b"\xa1\x03\x78" + bytes([len(description)]) + description.encode()
    )
    Connection(capture, 41004).open().exchange().abort(magic + b"\xa2\x01\x19\x04\xd2\x02\x19\x7e\xd9")
    # Indefinite lengths, a tag, an unknown key.
    Connection(capture, 41005).open().exchange().abort(
        b"\xd9\xd9\xf7" + magic + b"\xbf\x01\x0a\x07\x82\x81\x20\xf5\x03\x7f\x63out\x63 of\x68 sockets\xff\xff"
    )
    # Control characters and a change of direction in the description.
    evil = "a\x1b[31mb\u202ec\r\nd".encode()
    Connection(capture, 41006).open().exchange().abort(magic + b"\xa1\x03" + bytes([0x60 + len(evil)]) + evil)
    # Damaged: a map that breaks off, a length that lies, nesting without end.
    Connection(capture, 41007).open().exchange().abort(magic + b"\xa2\x01\x04")
    Connection(capture, 41008).open().exchange().abort(magic + b"\xa1\x03\x7b" + b"\xff" * 8 + b"cut")
    Connection(capture, 41009).open().exchange().abort(magic + b"\xa2\x01\x04\x09" + b"\x81" * 500)
    # Another magic number.
    Connection(capture, 41010).open().exchange().abort(b"\x19\x26\x94\xa1\x01\x04")
    return capture


def f5_trailer(reason, code=0x2409A71, line=704):
    """The medium trailer, version 1, that BIG-IP adds to frames in its own captures; checked by Wireshark."""
    cause = b"\0" + code.to_bytes(6, "big") + line.to_bytes(2, "big") + reason.encode()
    flows = bytes(26)  # flow, peer flow, flags, type, unit, reserved
    body = b"\1" + flows + bytes([len(cause)]) + cause
    return bytes([2, len(body)]) + body


def make_f5():
    """F5 BIG-IP: text in the payload, and the trailer of its own captures."""
    capture = Capture("stated-f5")
    Connection(capture, 42001, server_port=443).midstream().answer(b"BIG-IP: [0x2664c65:2574] No flow found for ACK")

    refused = Connection(capture, 42002, server_port=8443)
    refused.syn()
    refused.refuse(b"BIG-IP: [0x235ef8f:2618] No local listener")

    Connection(capture, 42003).open().answer(b"BIG-IP: [0x34315a9:136] No pool member available")

    Connection(capture, 42004).open().exchange().abort(b"BIG-IP: [0x11c5672:3045] {peer} TCP RST from remote system")

    expired = Connection(capture, 42005).open().exchange()
    capture.wait(300)
    expired.abort(b"BIG-IP: [0x2409a71:704] Flow expired (sweeper)")

    noted = Connection(capture, 42006).open().exchange()
    capture.wait(300)
    noted.abort(trailer=f5_trailer("Flow expired (sweeper)"))

    Connection(capture, 42007).open().exchange().abort(b"BIG-IP: [0x2664c65:2574] Policy action")
    return capture


def make_text():
    """Text in the payload (RFC 9293 SHLD-2), and payloads that are no statement."""
    capture = Capture("stated-text")
    refused = Connection(capture, 43001)
    refused.syn()
    refused.refuse(b"Go away, we're not home")
    Connection(capture, 43002).open().exchange().abort(b"tcp_close, during connect\0")
    Connection(capture, 43003, "2001:db8::80").open().exchange().abort("système arrêté pour entretien".encode())

    # The RST bit in a damaged segment: the stream goes on as if nothing had happened.
    damaged = Connection(capture, 43004).open()
    damaged.send(damaged.client, PSH | ACK, b"GET /1 HTTP/1.1\r\nHost: example.net\r\n\r\n")
    damaged.send(damaged.server, PSH | ACK, b"HTTP/1.1 200 OK\r\n")
    line = b"Content-Type: text/plain\r\n"
    damaged.send(damaged.server, RST | PSH | ACK, line)
    damaged.server.next += len(line)
    damaged.send(damaged.client, ACK)
    damaged.send(damaged.server, PSH | ACK, b"Content-Length: 2\r\n\r\nok")
    damaged.send(damaged.client, ACK)

    # Leftover bytes.
    Connection(capture, 43005).open().exchange().abort(bytes(range(0x80, 0xB0)))
    Connection(capture, 43006).open().exchange().abort(b"\0" * 6)
    return capture


def mptcp(subtype, low, rest):
    return bytes([30, 3 + len(rest), subtype << 4 | low]) + rest


def make_mptcp():
    """MP_TCPRST and MP_FASTCLOSE, RFC 8684 sections 3.5 and 3.6."""
    capture = Capture("stated-mptcp")
    client_key, server_key = b"CLIENTKY", b"SERVERKY"
    capable = {
        "syn": MSS + mptcp(0, 1, b"\1"),
        "syn_ack": MSS + mptcp(0, 1, b"\1" + server_key),
        "ack": mptcp(0, 1, b"\1" + server_key + client_key),
    }
    port = 44001
    for reason, flags in ((0, 0), (2, 1), (3, 0), (4, 1), (5, 1), (6, 0xF)):
        options = mptcp(8, flags, bytes([reason]))
        Connection(capture, port).open(**capable).exchange().abort(options=options)
        port += 1
    Connection(capture, port).open(**capable).exchange().abort(options=mptcp(7, 0, b"\0" + client_key))
    Connection(capture, port + 1, "2001:db8::80").open(**capable).exchange().abort(
        options=mptcp(7, 0, b"\0" + client_key) + mptcp(8, 1, b"\1")
    )
    return capture


def make_netscaler():
    """Citrix NetScaler's reset codes in the window field; its SYN/ACKs carry the window 8190."""
    capture = Capture("stated-netscaler")
    server = {"server": "192.0.2.90", "window": 8190}
    idle = Connection(capture, 45001, **server).open().exchange()
    capture.wait(180)
    idle.abort(window=9300)
    Connection(capture, 45002, **server).open().exchange().abort(window=9811)
    Connection(capture, 45003, **server).open().exchange().abort(window=9700)
    stray = Connection(capture, 45004, **server)
    stray.midstream().answer(window=8201)
    refused = Connection(capture, 45005, server_port=81, **server)
    refused.syn()
    refused.refuse(window=8212)

    # Another host whose window happens to be one of the codes: it says nothing.
    Connection(capture, 45006, window=9300).open().exchange().abort()
    return capture


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "test-captures")
    for make in (make_diagnostic, make_cbor, make_f5, make_text, make_mptcp, make_netscaler):
        make().write(folder)


if __name__ == "__main__":
    main()
