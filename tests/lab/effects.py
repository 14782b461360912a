# SPDX-License-Identifier: GPL-2.0-or-later
"""What applications got from their calls, and whether the plugin said so beforehand (the field `rstcause.effect`).

Each run has a file of its sockets: who had it, its addresses, whether it is still open, and the errors of its calls.
"""
import collections
import os
import re

SUFFIX = '.sockets.tsv'
COLUMNS = ('host', 'local', 'lport', 'remote', 'rport', 'state', 'errors')
OF_RESETS = {'ECONNREFUSED', 'ECONNRESET', 'EPIPE'}


def write(path, fates):
    with open(path, 'w', encoding='ascii') as file:
        file.write('\t'.join(COLUMNS) + '\n')
        for fate in fates:
            file.write('\t'.join(map(str, fate)) + '\n')


def read(path):
    """Sockets by vantage and addresses; None for a pair that several sockets had, one after the other."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding='ascii') as file:
        rows = [dict(zip(COLUMNS, line.rstrip('\n').split('\t'))) for line in list(file)[1:]]
    sockets = {}
    for row in rows:
        key = tuple(row[name] for name in COLUMNS[:5])
        sockets[key] = None if key in sockets else row
    return sockets


def group_by_socket(verdicts, directory):
    """(socket, the verdicts on the resets that came to it), as captured where the socket is."""
    groups, sockets = collections.defaultdict(list), {}
    for v in verdicts:
        run = v.file.rsplit('.', 2)[0]
        if run not in sockets:
            sockets[run] = read(os.path.join(directory, run + SUFFIX))
        key = (v.vantage, v.truth['dst'], v.truth['dport'], v.truth['src'], v.truth['sport'])
        if not v.copy and sockets[run].get(key):
            groups[run, key].append(v)
    return [(sockets[run][key], group) for (run, key), group in groups.items()]


def expected(effects):
    """The errors of which one must come, empty where none may; from the first reset that has an effect."""
    for effect in effects:
        if effect.startswith('none where it had called close()'):
            return {'ECONNRESET', None}
        named = set(re.findall(r'\bE[A-Z]{4,}\b', effect))
        if not effect.startswith('none'):
            return {effect.split()[0]} & named
    return set()


def judge(verdicts, directory):
    """How many sockets got what was said, how many were compared, and a line for each that did not."""
    right, compared, complaints = 0, 0, []
    for socket, group in group_by_socket(verdicts, directory):
        got = [error for error in socket['errors'].split(',') if error in OF_RESETS]
        wanted = expected([v.got['rstcause.effect'] for v in group])
        if socket['state'] == 'closed' and not got:
            continue    # nobody asked it any more
        compared += 1
        if (got[0] in wanted if got else not wanted or None in wanted):
            right += 1
        else:
            complaints.append(f'{group[0].file} {socket["remote"]}:{socket["rport"]} > {socket["local"]}:{socket["lport"]}: '
                              f'the socket ({socket["state"]}) got {socket["errors"]}, effects are '
                              + '; '.join(f'#{v.frame} {v.got["rstcause"]}: {v.got["rstcause.effect"]}' for v in group))
    return right, compared, complaints
