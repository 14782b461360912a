# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own record: why it sent each reset, and how each socket changed its state.

Reads the tracepoints tcp:tcp_send_reset and sock:inet_sock_set_state through a tracefs instance of its own.
Knows nothing about captures or causes.
"""
import contextlib
import os
import re

TRACEFS = '/sys/kernel/tracing'
EVENTS = ('tcp/tcp_send_reset', 'sock/inet_sock_set_state')

LINE = re.compile(r'\s(?P<time>\d+\.\d+): (?P<event>\w+): (?P<rest>.*)')
RESET = re.compile(r'skbaddr=(?P<skb>\S+) skaddr=\S+ src=(?P<src>\S+) dest=(?P<dst>\S+) '
                   r'state=(?P<state>\S+) reason=(?P<reason>\S+)')
STATE = re.compile(r'family=(?P<family>\S+) protocol=(?P<protocol>\S+) sport=(?P<sport>\d+) dport=(?P<dport>\d+) '
                   r'saddr=(?P<saddr>\S+) daddr=(?P<daddr>\S+) saddrv6=(?P<saddr6>\S+) daddrv6=(?P<daddr6>\S+) '
                   r'oldstate=(?P<old>\S+) newstate=(?P<new>\S+)')


def split_endpoint(text):
    """'192.0.2.1:80' or '[2001:db8::1]:80' as (address, port)."""
    address, _, port = text.rpartition(':')
    return address.strip('[]'), int(port)


class ResetEvent:
    """One reset that the kernel sent. `active`: not the answer to a segment."""

    __slots__ = ('time', 'src', 'dst', 'state', 'reason', 'active', 'used')

    def __init__(self, time, match):
        self.time = time
        self.src, self.dst = split_endpoint(match['src']), split_endpoint(match['dst'])
        self.state = match['state'].removeprefix('TCP_')
        self.reason = match['reason']
        self.active = int(match['skb'].strip('()') or '0', 16) == 0 if match['skb'] != '(null)' else True
        self.used = False


class StateEvent:
    """A socket's change of state."""

    __slots__ = ('time', 'local', 'remote', 'old', 'new')

    def __init__(self, time, match):
        six = match['family'] == 'AF_INET6' and not match['saddr6'].startswith('::ffff:')
        self.time = time
        self.local = (match['saddr6' if six else 'saddr'], int(match['sport']))
        self.remote = (match['daddr6' if six else 'daddr'], int(match['dport']))
        self.old, self.new = match['old'].removeprefix('TCP_'), match['new'].removeprefix('TCP_')


class KernelRecord:
    """A tracefs instance; read() returns and forgets the events since the last call."""

    def __init__(self):
        self.remove_stale()
        self.path = f'{TRACEFS}/instances/rstcause-{os.getpid()}'
        os.mkdir(self.path)
        self.put('buffer_size_kb', '2048')
        self.put('trace_clock', 'mono')
        self.put('trace_options', 'nohash-ptr')
        for event in EVENTS:
            self.put(f'events/{event}/enable', '1')
        self.pipe = os.open(f'{self.path}/trace_pipe', os.O_RDONLY | os.O_NONBLOCK)

    @staticmethod
    def remove_stale():
        for name in os.listdir(f'{TRACEFS}/instances'):
            if name.startswith('rstcause-') and not os.path.exists('/proc/' + name.removeprefix('rstcause-')):
                # Another worker that begins at the same moment may be removing it.
                with contextlib.suppress(OSError):
                    os.rmdir(f'{TRACEFS}/instances/{name}')

    def put(self, name, value):
        with open(f'{self.path}/{name}', 'w', encoding='ascii') as file:
            file.write(value)

    def read(self):
        text = b''
        while True:
            try:
                part = os.read(self.pipe, 65536)
            except BlockingIOError:
                break
            if not part:
                break
            text += part
        resets, states = [], []
        for line in text.decode().splitlines():
            head = LINE.search(line)
            if not head:
                continue
            when = float(head['time'])
            if head['event'] == 'tcp_send_reset' and (match := RESET.match(head['rest'])):
                resets.append(ResetEvent(when, match))
            elif match := STATE.match(head['rest']):
                states.append(StateEvent(when, match))
        return resets, states

    def close(self):
        os.close(self.pipe)
        for event in EVENTS:
            self.put(f'events/{event}/enable', '0')
        os.rmdir(self.path)


def missing_privilege():
    """What keeps the lab from running here, or None."""
    if os.geteuid() != 0:
        return 'not root'
    if not os.path.exists(f'{TRACEFS}/events/tcp/tcp_send_reset'):
        return 'no tracepoint tcp:tcp_send_reset under tracefs (Linux 6.10 or later)'
    if not os.access(f'{TRACEFS}/instances', os.W_OK):
        return 'no write access to tracefs'
    if not os.path.exists('/dev/net/tun'):
        return 'no /dev/net/tun'
    return None
