#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures of both ends, merged: each reset keeps the cause that the capture of one end gives it.

Every pair NAME-client.pcap and NAME-server.pcap in test-captures/ is merged with mergecap, each end an interface of its
own. The reset at one end is judged, the same packet at the other end is its copy, and nothing genuine becomes forged.
"""
import glob
import os
import subprocess
import sys

from capture_test import CAPTURES
from tap import Tap
from workplace import Workplace

FIELDS = ('frame.number', 'tcp.seq_raw', 'tcp.flags', 'rstcause', 'rstcause.detail', 'rstcause.original')


def read_resets(workplace, path):
    argv = ['tshark', '-2', '-r', path, '-Y', 'rstcause', '-T', 'fields']
    for field in FIELDS:
        argv += ['-e', field]
    return [dict(zip(FIELDS, line.split('\t'))) for line in workplace.run(*argv).stdout.splitlines()]


def causes(resets):
    return sorted((reset['tcp.seq_raw'], reset['tcp.flags'], reset['rstcause'])
                  for reset in resets if reset['rstcause.detail'] != 'copy')


def merge(workplace, client, server):
    path = os.path.join(workplace.folder, 'both.pcapng')
    subprocess.run(['mergecap', '-I', 'none', '-w', path, client, server], check=True)
    os.chmod(path, 0o644)
    return path


def test_pair(tap, workplace, client, server):
    name = os.path.basename(client).removesuffix('-client.pcap')
    ends = [causes(read_resets(workplace, workplace.hold(capture))) for capture in (client, server)]
    merged = read_resets(workplace, merge(workplace, client, server))
    # A reset that is lost on the way is at one end only.
    wrong = [reset for reset in causes(merged) if not any(reset in end for end in ends)]
    tap.check(not wrong, f'{name}: each cause is that of one end', f'{wrong}\n{ends}')
    copies = [reset for reset in merged if reset['rstcause.detail'] == 'copy']
    expected = sum(min(ends[0].count(one), ends[1].count(one)) for one in set(ends[0]))
    tap.check(len(merged) - len(copies) == max(len(ends[0]), len(ends[1])) and len(copies) >= expected,
              f'{name}: each reset once, and its copy', f'{merged}\n{ends}')


def main():
    tap = Tap()
    with Workplace() as workplace:
        for client in sorted(glob.glob(os.path.join(CAPTURES, '*-client.pcap'))):
            server = client.removesuffix('client.pcap') + 'server.pcap'
            if os.path.exists(server):
                test_pair(tap, workplace, client, server)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
