# SPDX-License-Identifier: GPL-2.0-or-later
"""What the modules patterns_* share: the situations that an engineer has a name for (column `pattern`), made by programs
that programs.py does not use in that place, and their twins, which look alike and are something else.

A twin's function is called not_<situation>_<what it is>; its resets have `-`, or the names that fit besides where the
packets admit it. The column says what the scenario did; where a race decides, the clocks at both links say who won.
patterns_idle and patterns_forgotten have what silence does to connections, patterns_tls and patterns_words what is said
before the end, patterns_protocols who says it in the wrong language, patterns_segments what single segments show,
patterns_many what several connections show together.
Must not know what the plugin says.

Half is set aside. Of each situation the programs of one half differ from those of the other:
  situation           open                                    aside
  keep-alive-race     http.server, nginx as a proxy           puma, varnish, HAProxy as a proxy
  stale-connection    http.client at lighttpd, psql           pgbouncer, memcached, http.client at puma
  idle-forgotten      memcached, MariaDB, server speaks first ssh, probes, mosquitto, a router that rejects
  idle-closed         stunnel, a device that resets both ends socat, Ruby, a device that resets one end
  late-close-notify   Node.js' client, hitch                  openssl s_client, psql
  early-reply         asyncio, tinyproxy                      squid, Ruby
  cancelled-download  siege, memcached, urllib                h2load, MariaDB, PHP
  request-unanswered  memcached stopped, PHP dies             puma dies, socat, MariaDB killed
  refused-by-tls      Ruby at hitch, Python at nginx (name)   stunnel (client's certificate), PHP at HAProxy
  wrong-protocol      TLS to memcached, HTTP to stunnel       HTTP to mosquitto, to vsftpd
  health-check        Node.js, HAProxy at memcached           Python with kubelet's habits, HAProxy at lighttpd
  slow-reader         lighttpd, PostgreSQL                    Ruby, stunnel
  stray-segment       MASQUERADE of iptables                  two connections
  backlog-overflow    lighttpd stopped                        memcached stopped, Ruby
  host-restarted      memcached, lighttpd as a service        mosquitto, beanstalkd
  mass-abort          siege, a pool in Python                 h2load, Node.js
  port-scan           curl in a loop, nmap -F                 nmap -sN, Node.js
Of the twins every second one of a situation, in the order in which they stand, is set aside.
"""
import contextlib
import functools
import time

import services
from frames import RST
from programs import closing_twice
from world import scenario


def situation(*expect, tool, aside=False, **fixed):
    """Register a scenario of this family. Besides the promised causes stragglers may come out."""
    def register(function):
        @functools.wraps(function)
        def run(w):
            function(w)
            w.pattern = closing_twice(w, w.pattern or (lambda reset: '-'))
        return scenario(*expect, '?already-reset', '?half-open', family='patterns', tool=tool, aside=aside, **fixed)(run)
    return register


def none_of_these(w, *also):
    """A twin: no situation is shown, or one of these at most."""
    w.pattern = lambda reset: '/'.join(('-', *also))


def origin(w, port):
    """Address and port of the server, as configurations want it."""
    return f'{services.bracketed(w.server_address)}:{port}'


def silence_before_end(packets, point='client'):
    """(longest gap between two packets that this point saw, whether a reset came after it) or None."""
    seen = sorted((p for p in packets if p.seen(point) is not None), key=lambda p: p.at[point])
    gaps = [(b.at[point] - a.at[point], i + 1) for i, (a, b) in enumerate(zip(seen, seen[1:]))]
    if not gaps:
        return None
    longest, after = max(gaps)
    return longest, any(p.seg.flags & RST for p in seen[after:])


def bracket(w, port):
    """Remark: the longest silence that a connection to this port survived, and the shortest that one did not."""
    def remark(log):
        found = [silence_before_end(packets) for key, packets in log.pairs.items() if any(p == port for _, p in key)]
        survived = [gap for gap, ended in filter(None, found) if not ended]
        lost = [gap for gap, ended in filter(None, found) if ended]
        return f'survived={max(survived, default=0):.3f} forgotten={min(lost, default=0):.3f}'
    w.remark = remark


def at(moment):
    """Wait until then (monotonic clock)."""
    time.sleep(max(0.0, moment - time.monotonic()))


@contextlib.contextmanager
def errors_expected():
    with contextlib.suppress(OSError, EOFError):
        yield
