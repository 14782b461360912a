# SPDX-License-Identifier: GPL-2.0-or-later
"""The init of a User Mode Linux guest: sets its one link up, then carries out socket calls that come over its first
serial line, one pickled request a line.

Knows nothing about the lab but the agent's calls in hosts.py.

uml_agent.py ADDRESS PEER-ADDRESS MAC PEER-MAC NAME=VALUE...
"""
import base64
import ctypes
import os
import sys
import termios
import tty

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

import hosts        # noqa: E402


FINIT_MODULE = 313      # the system call of x86-64


def load(module):
    path = f'/usr/lib/uml/modules/{os.uname().release}/kernel/{module}.ko'
    if not os.path.exists(path):
        return      # built in
    fd = os.open(path, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).syscall(FINIT_MODULE, fd, b'', 0):
        raise OSError(ctypes.get_errno(), path)
    os.close(fd)


class SerialLine:
    """The agent's channel: messages as lines of base64."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd, termios.TCSANOW)
        self.rest = b''

    def recv(self, _most):
        while b'\n' not in self.rest:
            self.rest += os.read(self.fd, 4096)
        line, _, self.rest = self.rest.partition(b'\n')
        return base64.b64decode(line)

    def send(self, data):
        line = base64.b64encode(data) + b'\n'
        while line:
            line = line[os.write(self.fd, line):]


def set_up(program, address, peer, mac, peer_mac, sysctls):
    program.do_run(['/bin/mount', '-t', 'proc', 'proc', '/proc'])
    load('lib/crc-ccitt')
    load('net/ipv6/ipv6')
    for setting in ('net/ipv6/conf/vec0/accept_ra=0', 'net/ipv6/conf/vec0/accept_dad=0',
                    'net/ipv6/conf/vec0/router_solicitations=0', *sysctls):
        program.do_sysctl(*setting.split('=', 1))
    bits = '128 nodad' if ':' in address else '32'
    program.do_run(['/sbin/ip', '-batch', '-'], f'''
link set lo up
link set vec0 address {mac}
link set vec0 up
addr add {address}/{bits} dev vec0
route add {peer} dev vec0
neigh add {peer} lladdr {peer_mac} dev vec0 nud permanent
''')


def main():
    address, peer, mac, peer_mac, *rest = sys.argv[1:]
    os.environ['PATH'] = '/usr/sbin:/usr/bin:/sbin:/bin'
    program = hosts.Program()
    set_up(program, address, peer, mac, peer_mac, [word for word in rest if word.startswith('net/')])
    line = SerialLine('/dev/ttyS0')
    line.send(b'ready')
    program.serve(line)


main()
