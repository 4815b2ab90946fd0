#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples of docs/control.md, said to an xengtd on the simulator: it answers as it is written.

In the manual … stands for anything, and for whatever else there is in an object. TAP.

usage: manual.py SOURCE BUILD
"""

import re
import sys
from pathlib import Path

from rig import Connection, Daemon, Tap

ANYTHING = "…"


def examples(text):
    """(request, [answers and what comes unasked]) of each example, in their order."""
    found = []
    for mark, line in re.findall(r"^    ([→←]) (.*)$", text, re.M):
        if mark == "→":
            found.append((line, []))
        else:
            found[-1][1].append(line)
    return found


def pattern_of(line):
    """A regular expression for an answer as json.dumps() without spaces writes it."""
    line = re.sub(rf",\s*{ANYTHING}", ANYTHING, line)
    return re.compile(".*".join(re.escape(part) for part in line.split(ANYTHING)))


def main():
    """Returns the exit status."""
    source, build = Path(sys.argv[1]), Path(sys.argv[2])
    tap = Tap()
    found = examples((source / "docs/control.md").read_text(encoding="utf-8"))
    with Daemon(build, "web", "twin", "twin") as daemon:
        connection = Connection(daemon.path)
        for request, answers in found:
            connection.socket.sendall(request.encode() + b"\n")
            for answer in answers:
                line = connection.lines.readline().rstrip("\n")
                tap.check(pattern_of(answer).fullmatch(line), f"{request} is answered as written",
                          f"{line}\nand not\n{answer}")
        connection.close()
    tap.check(len(found) > 8, "the manual has examples", len(found))
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
