# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of scenarios. A scenario is a function on a Bench that says beforehand which causes must come out.

That promise is checked against the label of each reset, which comes from the kernel's record and the log of
the wire: two independent accounts of one run.
"""
import dataclasses
import fnmatch
import importlib
import typing

MODULES = ('foundation', 'closing', 'handshake', 'timers', 'probes', 'paths', 'third_party', 'middleboxes', 'lookalikes',
           'proxies', 'stacks', 'translation')

SCENARIOS = {}


@dataclasses.dataclass
class Scenario:
    name: str
    run: typing.Callable
    expect: tuple       # causes of which each must come out, apart from those marked '?'
    group: str
    fixed: dict         # parameters that the scenario does not let the seed choose
    actors: tuple       # who may act
    exclusive: bool     # changes something that all namespaces share


def scenario(*expect, exclusive=False, actors=('client', 'server'), **fixed):
    def register(function):
        name = function.__name__.replace('_', '-')
        SCENARIOS[name] = Scenario(name, function, expect, function.__module__.rpartition('.')[2], fixed,
                                   actors, exclusive)
        return function
    return register


def load():
    for module in MODULES:
        importlib.import_module(f'scenarios.{module}')
    return SCENARIOS


def select(pattern):
    return [s for name, s in load().items() if any(fnmatch.fnmatch(name, p) or fnmatch.fnmatch(s.group, p)
                                                    for p in pattern.split(','))]
