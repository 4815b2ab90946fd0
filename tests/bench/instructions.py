# SPDX-License-Identifier: LGPL-2.1-or-later
"""Instructions of the library for each mapping, counted by callgrind."""

import subprocess
import tempfile
from pathlib import Path

# Not compressed: every line that names something says its whole name.
CALLGRIND = ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no",
             "--compress-strings=no", "--compress-pos=no"]
# What the library calls of a back end, by the file it is in.
BACKENDS = {"sim_hv.c": {"map", "unmap"}, "bench_space.c": {"bare_map", "bare_unmap"}}
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


def count(program: Path, mappings, variant):
    """{"map": instructions a mapping, "unmap": ...}, the back end's taken off."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [*CALLGRIND, f"--callgrind-out-file={out}", str(program), "instructions",
                   str(mappings), *variant]
        result = subprocess.run(command, text=True, capture_output=True, check=False)
        if result.returncode:
            raise CountError(f"valgrind: {(result.stdout + result.stderr).strip()[-200:]}")
        counted = {}
        for path in Path(folder).iterdir():
            name, total, backend = _read_dump(path)
            if name and backend:
                counted[name] = (total - backend) / mappings
    if set(counted) != {"map", "unmap"}:
        raise CountError("callgrind's output does not name the back end's calls")
    return counted
