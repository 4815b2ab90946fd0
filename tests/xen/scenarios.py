# SPDX-License-Identifier: LGPL-2.1-or-later
"""The scenarios: which there are, what each says of itself, where each runs (the file matrix)."""

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path

from boots import BOOTS
from image import ImageError

HERE = Path(__file__).resolve().parent
MATRIX = HERE / "matrix"
BY_HAND = "long/"        # how the names of those begin that are not part of the tests
UP_SECONDS = 25          # what a boot usually takes


@dataclass
class Scenario:
    """A scenario file and what its header comments say."""

    path: Path
    limit: int
    takes: int           # seconds, measured on two idle cores: for the order of work only
    needs: tuple = ()    # guests that are Linux: see guest.py

    @property
    def name(self):
        """How results name it."""
        by_hand = self.path.is_relative_to(HERE / BY_HAND)
        return BY_HAND.replace("/", "-") + self.path.stem if by_hand else self.path.stem


def read_scenario(path: Path):
    """Parse the header of a scenario file."""
    text = path.read_text()
    limit = re.search(r"^# timeout: *(\d+)$", text, re.M)
    if not limit:
        raise ImageError(f"{path}: needs the line '# timeout: SECONDS'")
    takes = re.search(r"^# takes: *(\d+)$", text, re.M)
    needs = re.search(r"^# needs: *(.+)$", text, re.M)
    return Scenario(path, int(limit[1]), int(takes[1]) if takes else 10,
                    tuple(needs[1].split()) if needs else ())


def _file(name):
    folder = HERE if name.startswith(BY_HAND) else HERE / "scenarios"
    return folder / f"{name}.sh"


def matrix():
    """Scenarios' names, each with its boots. Each scenario must be there, and nothing else."""
    rows = {}
    for line in MATRIX.read_text().splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        name, boots = words[0], words[1:]
        unknown = set(boots) - set(BOOTS)
        if unknown or not boots or name in rows or not _file(name).is_file():
            raise ImageError(f"{MATRIX}: {line.strip()}: not a scenario and its boots, once")
        rows[name] = boots
    there = {path.stem for path in HERE.glob("scenarios/*.sh")}
    there |= {BY_HAND + path.stem for path in HERE.glob(f"{BY_HAND}*.sh")}
    if there - set(rows):
        raise ImageError(f"{MATRIX}: nothing of {' '.join(sorted(there - set(rows)))}")
    return rows


def _matches(name, glob):
    return name.startswith(BY_HAND) == glob.startswith(BY_HAND) and fnmatch.fnmatch(name, glob)


def choose(boot, globs):
    """The scenarios of a boot whose names match one of these; "long/..." for those by hand."""
    chosen = [read_scenario(_file(name)) for name, boots in sorted(matrix().items())
              if boot in boots and any(_matches(name, glob) for glob in globs)]
    if not chosen:
        raise ImageError(f"no scenario matches '{' '.join(globs)}' on {boot}")
    return chosen


def suites(limit):
    """The machines to start so that every scenario runs on each of its boots: (label, boot,
    scenarios, seconds), each about `limit` seconds at most, so that lanes come out even."""
    rows = matrix()
    for boot in BOOTS:
        found = [read_scenario(_file(name)) for name, boots in rows.items()
                 if boot in boots and not name.startswith(BY_HAND)]
        shards = [[UP_SECONDS, []] for _ in range(1 + sum(s.takes for s in found) // limit)]
        for scenario in sorted(found, key=lambda s: -s.takes):
            shard = min(shards, key=lambda s: s[0])
            shard[0] += scenario.takes
            shard[1].append(scenario.name)
        for n, (seconds, names) in enumerate(shards):
            yield f"{boot}.{n + 1}" if len(shards) > 1 else boot, boot, sorted(names), seconds
