# SPDX-License-Identifier: LGPL-2.1-or-later
"""Instructions for each mapping or PTE, counted by callgrind."""

import json
import subprocess
import tempfile
from pathlib import Path

# Not compressed: every line that names something says its whole name.
CALLGRIND = ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no",
             "--compress-strings=no", "--compress-pos=no"]
# What the library calls of a back end, by the file it is in.
BACKENDS = {"backend.c": {"map", "unmap"}, "bench_space.c": {"bare_map", "bare_unmap"},
            "bench_map.c": {"fake_call"}}
MARK = "desc: Trigger: Client Request: "


class CountError(Exception):
    """Callgrind did not say what is wanted of it."""


def _read_dump(path: Path):
    """(which dump it is, all instructions, those of the back end with all that it calls)."""
    name, total, backend, calls = None, None, 0, False
    file, callee_file, callee = "", "", ""
    for line in path.read_text().splitlines():
        key, _, value = line.partition("=")
        if line.startswith(MARK):
            name = line[len(MARK):]
        elif line.startswith("totals:"):
            total = int(line.split()[1])
        elif key == "fl":
            file = callee_file = Path(value).name
        elif key in ("cfi", "cfl"):
            callee_file = Path(value).name
        elif key == "cfn":
            callee = value
        elif key == "calls":
            calls = True
        elif calls:
            # The line after "calls=": where from, and what all of these calls have cost.
            if callee in BACKENDS.get(callee_file, ()):
                backend += int(line.split()[1])
            calls, callee_file = False, file
    return name, total, backend


def _run(program: Path, arguments):
    """(what the program printed, [what _read_dump() says of each dump])."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [*CALLGRIND, f"--callgrind-out-file={out}", str(program), *arguments]
        result = subprocess.run(command, text=True, capture_output=True, check=False)
        if result.returncode:
            raise CountError(f"valgrind: {(result.stdout + result.stderr).strip()[-200:]}")
        return result.stdout, [_read_dump(path) for path in Path(folder).iterdir()]


def count(program: Path, mappings, variant):
    """{"map": instructions a mapping, "unmap": ...}, the back end's taken off."""
    _, dumps = _run(program, ["instructions", str(mappings), *variant])
    counted = {}
    for name, total, backend in dumps:
        if name and backend:
            counted[name] = counted.get(name, 0) + (total - backend) / mappings
    if set(counted) != {"map", "unmap"}:
        raise CountError("callgrind's output does not name the back end's calls")
    return counted


def count_marks(program: Path, arguments):
    """{mark: instructions for each PTE}: the program says which marks, and of how many PTEs."""
    text, dumps = _run(program, arguments)
    totals = {name: total for name, total, _ in dumps}
    counted = {}
    for line in map(json.loads, text.splitlines()):
        if line["mark"] not in totals:
            raise CountError(f"callgrind's output has no {line['mark']}")
        counted[line["mark"]] = totals[line["mark"]] / line["n"]
    return counted
