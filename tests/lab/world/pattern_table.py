#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The situation of each reset in a capture, as the truth of its run has it: a table to stand beside the capture.

  pattern_table.py RUN.POINT.pcap > CAPTURE.patterns.tsv

RUN.truth.tsv is read besides. One line for each reset: frame, and the situations that may be shown, with `-` where none
need be. Knows nothing of the plugin.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import compare      # noqa: E402
import frames       # noqa: E402
import labels       # noqa: E402


def main():
    path = sys.argv[1]
    prefix, point, _ = path.rsplit('.', 2)
    waiting = [row for row in compare.read_truth(f'{prefix}.truth.tsv') if point in row['seen'].split(',')]
    print('frame.number\tpatterns')
    for number, (_, raw) in enumerate(labels.read_pcap(path), 1):
        seg = frames.parse(raw) if len(raw) >= 54 else None
        if seg is None or not seg.flags & frames.RST:
            continue
        key = (seg.src, str(seg.sport), seg.dst, str(seg.dport), str(seg.seq), str(seg.ack), seg.flags)
        row = next(row for row in waiting if compare.truth_key(row) == key)
        waiting.remove(row)
        print(f'{number}\t{row["pattern"]}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
