# SPDX-License-Identifier: GPL-2.0-or-later
"""Test results in the Test Anything Protocol: one line per test, read by tests/run."""


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def _print(self, word, name, note=''):
        self.count += 1
        print(f'{word} {self.count} - {name}{note}', flush=True)

    def check(self, passed, name, why=''):
        """One test. 'why' is shown where it failed."""
        if passed:
            self._print('ok', name)
            return
        self.failed += 1
        self._print('not ok', name)
        for line in why.splitlines():
            print(f'# {line}', flush=True)

    def skip(self, name, reason):
        self._print('ok', name, f' # SKIP {reason}')

    def end(self):
        """Prints the plan. Returns the exit status."""
        print(f'1..{self.count}', flush=True)
        return 1 if self.failed else 0
