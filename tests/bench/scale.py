# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a request costs when there are many vGPUs: instructions of the daemon, on the simulator."""

from pathlib import Path

import instructions

GUESTS = [1, 2, 4, 8, 15]
AIM = 1.15  # of cost_per_request: that of one among 15, by that of one alone
MARKS = {"request": "of a driver's mix", "read": "a register is read"}


def add(results, program: Path):
    """Run bench-scale."""
    for guests in GUESTS:
        for mark, value in instructions.count_marks(program, [str(guests)]).items():
            results.add(f"scale.vgpus{guests}.{mark}_instructions", value, "instructions")
    for mark, name in (("request", "cost_per_request"), ("read", "cost_per_read")):
        one, many = (results.get(f"scale.vgpus{guests}.{mark}_instructions")
                     for guests in (GUESTS[0], GUESTS[-1]))
        results.add(f"scale.{name}", many / one, "ratio")


def show(results):
    """The same for people."""
    print("\ninstructions for a request, of vGPUs that ask by turns; on the simulator")
    print(f"  {'vGPUs':34}" + "".join(f"{guests:>10}" for guests in GUESTS))
    for mark, text in MARKS.items():
        values = (results.get(f"scale.vgpus{guests}.{mark}_instructions") for guests in GUESTS)
        print(f"  {text:34}" + "".join(f"{value:10.0f}" for value in values))
    print(f"  {'one of 15, by one alone':34}{results.get('scale.cost_per_request'):10.2f}"
          f"   (aim: {AIM})")
