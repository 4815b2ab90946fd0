# SPDX-License-Identifier: LGPL-2.1-or-later
"""What guests have of each other: how long a request waits for others, how even the GPU's time is."""

import json
import subprocess
from pathlib import Path

SECONDS, SECONDS_QUICK = 5, 1
# Ours to keep: a request waits at most so long for four hostile guests; shares are so exact.
AIMS = {"worst_wait_ms": 5, "share_error": 0.1}


def add(results, program: Path, quick):
    """Run bench-isolation."""
    result = subprocess.run([str(program), str(SECONDS_QUICK if quick else SECONDS)], text=True,
                            stdout=subprocess.PIPE, check=True)
    for line in result.stdout.splitlines():
        found = json.loads(line)
        results.add(f"isolation.{found['name']}", found["value"], found["unit"])


def show(results):
    """The same for people."""
    print("\nfour hostile guests, and what another one has of them; on the simulator")
    for key, text in (("worst_wait_ms", "ms, the longest wait of a request"),
                      ("mean_wait_ms", "ms, on average"),
                      ("share_error", "from its share of the GPU, at most")):
        aim = f"   (aim: {AIMS[key]})" if key in AIMS else ""
        print(f"  {text:40}{results.get(f'isolation.{key}'):10.3f}{aim}")
