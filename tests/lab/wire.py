# SPDX-License-Identifier: GPL-2.0-or-later
"""The path between two hosts: a userspace bridge between their TAP links, and its log.

It delays, drops, holds, repeats and forges frames, notes for every frame when it left its host and when it
reached the other, and so is the capture point at either end and in the middle. Everything runs in one
thread: pump.run() moves frames, and agents' answers, until a condition holds.
Knows nothing about the kernel's record or causes.
"""
import heapq
import itertools
import os
import selectors
import time

import frames
from hosts import VNET_HEADER

VANTAGES = ('client', 'middle', 'server')
MOST_DISORDER = 0.002   # seconds: queues of one card, merged by a sniffer, differ by so much
MOST_NESTED = 50    # without delay, each delivered frame is answered from inside its delivery


class Pump:
    """The lab's only event loop."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.heap, self.order = [], itertools.count()

    def watch(self, source, callback):
        self.selector.register(source, selectors.EVENT_READ, callback)

    def unwatch(self, source):
        self.selector.unregister(source)

    def at(self, when, callback):
        heapq.heappush(self.heap, (when, next(self.order), callback))

    def run(self, condition, timeout):
        """Run until condition() or the timeout (seconds); True where the condition held."""
        end = time.monotonic() + timeout
        while True:
            now = time.monotonic()
            while self.heap and self.heap[0][0] <= now:
                heapq.heappop(self.heap)[2]()
            if condition():
                return True
            if now >= end:
                return False
            wake = min(end, self.heap[0][0]) if self.heap else end
            for key, _ in self.selector.select(max(0, wake - now)):
                key.data()


class Packet:
    """A frame on its way. `sender` is the name of the host that sent it, or in whose name it was forged."""

    def __init__(self, sender, raw, vnet=b''):
        self.sender, self.raw, self.vnet = sender, raw, vnet
        self.seg = frames.parse(raw)
        self.sent = self.middle = self.delivered = None
        self.lost = None        # where it got lost: 'at-sender' (no power), 'early' (before the middle), 'late'
        self.forged = False
        self.copy_of = None     # the packet that the network repeated
        self.missed = set()     # capture points that failed to record it

    def seen(self, vantage):
        """When the capture point saw it, or None."""
        if vantage in self.missed or (self.copy_of and vantage == self.sender):
            return None
        if vantage == 'middle':
            return self.middle
        return self.sent if vantage == self.sender else self.delivered


class Wire:
    def __init__(self, pump, rng, *, delay=0.0, loss=0.0, hops=0):
        self.pump, self.rng = pump, rng
        self.delay, self.loss, self.hops = delay, loss, hops
        self.nested = 0         # frames that are being answered while they are delivered
        self.put_off = 0        # frames on their way to the middle, which no later one may overtake
        self.hosts, self.powered = {}, set()
        self.packets = []       # all frames, in the order in which they were sent
        self.records = {vantage: [] for vantage in VANTAGES}
        self.rules = []         # callables (packet) -> None, 'drop', 'drop-late', 'hold', 'copy' or extra delay
        self.held = []
        self.free_at = {}       # per sender: no frame overtakes the one before it
        self.last_activity = time.monotonic()

    def attach(self, host):
        self.hosts[host.name] = host
        self.powered.add(host.name)
        self.pump.watch(host.tap, lambda: self.read(host))

    def cut_power(self, host):
        """From now on nothing that the host sends gets out; its frames are still logged, as lost."""
        self.powered.discard(host.name)

    def detach(self, host):
        """Stop reading the host's link for good."""
        self.read(host)
        self.powered.discard(host.name)
        self.pump.unwatch(host.tap)
        del self.hosts[host.name]

    def read(self, host):
        for _ in range(64):
            try:
                data = os.read(host.tap, 1 << 17)
            except (BlockingIOError, OSError):
                return
            skip = VNET_HEADER if host.offload else 0
            raw = data[skip:]
            if raw[0] & 1 or raw[12:14] not in (b'\x08\x00', b'\x86\xdd'):
                continue
            packet = Packet(host.name, raw, data[:skip])
            packet.sent = self.last_activity = time.monotonic()
            self.packets.append(packet)
            if host.name not in self.powered:
                packet.lost = 'at-sender'
                continue
            self.records[host.name].append((packet.sent, packet))
            self.send(packet)

    def verdict(self, packet):
        for rule in self.rules:
            result = rule(packet)
            if result is not None:
                return result
        if self.loss and self.rng.random() < self.loss:
            return self.rng.choice(('drop', 'drop-late'))
        return None

    def send(self, packet):
        verdict = self.verdict(packet)
        if verdict == 'drop':
            packet.lost = 'early'
        elif verdict == 'hold':
            self.held.append(packet)
        elif verdict == 'copy':
            self.forward(packet)
            self.repeat(packet, after=0.0002)
        elif verdict == 'drop-late':
            packet.lost = 'late'
            self.forward(packet)
        else:
            self.forward(packet, verdict or 0)

    def forward(self, packet, extra=0.0):
        start = max(time.monotonic() + extra, self.free_at.get(packet.sender, 0))
        self.free_at[packet.sender] = start
        if self.delay == 0 and extra == 0 and self.nested < MOST_NESTED and not self.put_off:
            self.nested += 1
            self.pass_middle(packet)
            self.nested -= 1
            return
        self.put_off += 1
        self.pump.at(start + self.delay / 2, lambda: self.pass_put_off(packet))

    def pass_put_off(self, packet):
        self.put_off -= 1
        self.pass_middle(packet)

    def pass_middle(self, packet):
        packet.middle = time.monotonic()
        self.records['middle'].append((packet.middle, packet))
        if packet.lost == 'late':
            return
        if self.delay == 0:
            self.deliver(packet)
        else:
            self.pump.at(packet.middle + self.delay / 2, lambda: self.deliver(packet))

    def deliver(self, packet):
        to = 'server' if packet.sender == 'client' else 'client'
        raw = frames.age_ttl(packet.raw, self.hops) if self.hops and not packet.forged else packet.raw
        packet.delivered = self.last_activity = time.monotonic()
        self.records[to].append((packet.delivered, packet))
        host = self.hosts.get(to)
        if to in self.powered:
            os.write(host.tap, (packet.vnet or bytes(VNET_HEADER if host.offload else 0)) + raw)
            # The kernel has handled the frame by now; what it answered left before anything else arrives.
            self.read(host)

    def release(self, *packets):
        """Send held frames on."""
        for packet in packets:
            self.held.remove(packet)
            self.forward(packet)

    def repeat(self, packet, after=0.0):
        """The network delivers a frame a second time, late."""
        again = Packet(packet.sender, packet.raw, packet.vnet)
        again.copy_of, again.sent = packet, time.monotonic()
        self.packets.append(again)
        self.forward(again, after)
        return again

    def forge(self, sender, raw):
        """A device in the middle of the path sends a frame in the sender's name."""
        packet = Packet(sender, raw)
        packet.forged, packet.sent = True, time.monotonic()
        self.packets.append(packet)
        self.pass_middle(packet)
        return packet

    def idle(self, quiet):
        return not self.pump.heap and time.monotonic() - self.last_activity >= quiet

    def settle(self, quiet=0.06, timeout=10):
        """Run until nothing has moved for `quiet` seconds."""
        self.last_activity = time.monotonic()
        end = self.last_activity + timeout
        while time.monotonic() < end and not self.idle(quiet):
            self.pump.run(lambda: False, 0.01)

    def miss(self, view):
        """What the capture points fail to record: 'mid-stream' the beginning, 'one-sided' what one host sends,
        'lossy' a packet now and then, 'disorder' the order of neighbours."""
        blind_to = self.rng.choice(('client', 'server'))
        start = self.rng.randrange(1, max(2, len(self.packets) // 2))
        for index, packet in enumerate(self.packets):
            for vantage in VANTAGES:
                if (view == 'mid-stream' and index < start or view == 'one-sided' and packet.sender == blind_to
                        or view == 'lossy' and self.rng.random() < 0.03):
                    packet.missed.add(vantage)
        for records in self.records.values() if view == 'disorder' else ():
            for i in range(1, len(records)):
                if records[i][0] - records[i - 1][0] < MOST_DISORDER and self.rng.random() < 0.1:
                    records[i - 1], records[i] = (records[i - 1][0], records[i][1]), (records[i][0], records[i - 1][1])

    def write_captures(self, prefix, wall_offset, vantages=VANTAGES, encapsulation=None):
        """prefix.client.pcap and so on; returns the paths. 'any' is the middle as the `any` device of a router
        shows it: each frame going in and coming out."""
        paths = []
        for vantage in vantages:
            path = f'{prefix}.{vantage}.pcap'
            any_device = vantage == 'any'
            writer = frames.PcapWriter(path, frames.DLT_LINUX_SLL2 if any_device else frames.DLT_EN10MB)
            for when, packet in sorted(self.records['middle' if any_device else vantage], key=lambda r: r[0]):
                if packet.missed & {vantage, 'middle' if any_device else vantage}:
                    continue
                raw = packet.raw
                arrived = vantage != packet.sender and not packet.forged
                if arrived and vantage != 'middle' and not any_device:
                    raw = frames.age_ttl(raw, self.hops)
                if any_device:
                    interfaces = (2, 3) if packet.sender == 'client' else (3, 2)
                    writer.write(when + wall_offset, frames.sll2(raw, interfaces[0], False))
                    writer.write(when + wall_offset + 4e-6, frames.sll2(frames.age_ttl(raw, 1), interfaces[1], True))
                else:
                    writer.write(when + wall_offset, frames.encapsulate(raw, encapsulation) if encapsulation else raw)
            writer.close()
            paths.append(path)
        return paths
