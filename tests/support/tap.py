# SPDX-License-Identifier: LGPL-2.1-or-later
"""Test points in TAP, counted, for tests that are programs of their own."""

import subprocess

LINES = 20      # of what explains a failure


class Tap:
    """Counts test points."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def check(self, good, description, why=""):
        """One test point; why is shown when it fails. Returns whether it is good."""
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {description}", flush=True)
        for line in [] if good else str(why).splitlines()[:LINES]:
            print(f"#   {line}")
        return good

    def runs(self, description, command, **kwargs):
        """One test point: the command succeeds and says nothing wrong. Returns its output."""
        try:
            result = subprocess.run(command, text=True, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, check=False, **kwargs)
            good, output = result.returncode == 0, result.stdout
        except FileNotFoundError as error:
            good, output = False, f"{error.filename} is not installed"
        self.check(good, description, f"{' '.join(map(str, command))}\n{output}")
        return output

    def skip(self, description, why):
        """A test point that is none here."""
        self.count += 1
        print(f"ok {self.count} - {description} # SKIP {why}", flush=True)

    def end(self):
        """The plan comes last. Returns the exit status."""
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed else 0
