#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The layers of docs/architecture.md, held against the sources and what was compiled of them.

usage: layers.py [--report] SOURCE BUILD

Fails on an include or a call from one room of the house to another that it does not stand on; on
circles of calls between files other than those that docs/architecture.md explains; on headers that
include each other; and on a file that does not open with a sentence below its licence. --report
prints figures instead, of any tree.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

# Rooms are folders with what is below them, and single modules (a header, its .c file) that others
# stand on. Each with the rooms it includes from and calls.
PUBLIC = "include/xengt"
INTEL = "daemon/gen"
TEXT = "daemon/text"
HISTOGRAM = "daemon/histogram"
ROOMS = {
    PUBLIC: [],
    # the library: what all of it stands on; the seam to the hypervisor; what is above the seam
    "lib/report": ["lib", PUBLIC],  # the handle, whose log and last error it writes
    "lib/state": ["lib/report", PUBLIC],
    "lib/slots": ["lib/state", "lib/report", "lib/hot", PUBLIC],
    "lib/hot": [],  # marks the loops over pages
    "lib/hv/hv": ["lib/report", "lib/slots", PUBLIC],
    "lib/hv/xen": ["lib/hv/hv", "lib/report", "lib/slots", "lib/hot", PUBLIC],
    "lib/hv/sim": ["lib/hv/hv", "lib/report", "lib/slots", PUBLIC],
    "lib/hv": ["lib/hv/hv", "lib/hv/xen", "lib/hv/sim", "lib/report", PUBLIC],
    "lib": ["lib/hv", "lib/hv/hv", "lib/state", "lib/report", "lib/slots", "lib/hot", PUBLIC],
    # the daemon's ground
    TEXT: [],
    HISTOGRAM: [],
    INTEL: [PUBLIC],
    # the seam to the GPU
    "daemon/gpu/gpu": [INTEL],
    "daemon/gpu/dma": [TEXT, PUBLIC],
    "daemon/gpu/soft": ["daemon/gpu/gpu", "daemon/gpu/dma", INTEL, TEXT],
    "daemon/gpu": ["daemon/gpu/gpu", "daemon/gpu/dma", "daemon/gpu/soft", TEXT, PUBLIC],
    # the seam to the guests' machine
    "daemon/host/host": [HISTOGRAM, TEXT],
    "daemon/host/xen": ["daemon/host/host", "daemon/host/domain_arg", HISTOGRAM, TEXT, PUBLIC],
    "daemon/host/domain_arg": [],
    "daemon/host": ["daemon/host/host", "daemon/host/domain_arg", HISTOGRAM, TEXT, PUBLIC],
    # from a guest's PTE up to the administrator
    "daemon/gtt": ["daemon/gpu/gpu", HISTOGRAM, INTEL, TEXT, PUBLIC],
    "daemon/vgpu/budget": [],
    "daemon/vgpu": ["daemon/vgpu/budget", "daemon/gtt", "daemon/gpu/gpu", INTEL, TEXT, PUBLIC],
    "daemon/guests": ["daemon/vgpu", "daemon/vgpu/budget", "daemon/gpu/gpu",
                      "daemon/host/host", "daemon/host/domain_arg", TEXT, PUBLIC],
    "daemon/control": ["daemon/guests", "daemon/vgpu/budget", HISTOGRAM, TEXT],
    "daemon": ["daemon/control", "daemon/guests", "daemon/gpu", "daemon/gpu/gpu", "daemon/host",
               "daemon/host/host", "daemon/host/xen", TEXT, PUBLIC],
    "tools": [TEXT, PUBLIC],
}

# The circles of calls there may be; docs/architecture.md says why of each.
CIRCLES = [
    {"daemon/gpu/soft/blt_step.c", "daemon/gpu/soft/cs.c", "daemon/gpu/soft/mem.c"},
    {"daemon/gtt/gtt.c", "daemon/gtt/spaces.c", "daemon/gtt/sync.c"},
    {"daemon/gtt/spt.c", "daemon/gtt/track.c"},
    {"daemon/vgpu/audit/audit.c", "daemon/vgpu/audit/checks.c"},
    {"daemon/host/xen/ioreq_server.c", "daemon/host/xen/ioreq_track.c"},
]

LICENCE = "/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"
INCLUDE = re.compile(r'^#include [<"]([^>"]+)[>"]', re.MULTILINE)
# A first sentence names the thing; it is no riddle about it.
SENTENCE = re.compile(r"/\*\s+(\* )?(?!(What|Who|It|Where|How|Whether|Which)\b)\w")


def room_of(path):
    """The innermost room that a file stands in."""
    module = Path(path).with_suffix("")
    return next((str(p) for p in (module, *module.parents) if str(p) in ROOMS), "nowhere")


def sources(root, folders=("include", "lib", "daemon", "tools")):
    """The text of each file, by its path in the tree."""
    files = [path for folder in folders for path in sorted((root / folder).rglob("*.[ch]"))]
    return {str(path.relative_to(root)): path.read_text() for path in files}


def includes(texts):
    """Pairs of a file and a header of ours that it includes."""
    for name, text in texts.items():
        for header in INCLUDE.findall(text):
            for folder in (Path(name).parent, Path("include"), Path("daemon"), Path("lib")):
                if str(folder / header) in texts:
                    yield name, str(folder / header)
                    break


def objects(root, build):
    """The object that the product has of each source file."""
    found = {}
    for unit in json.loads((build / "compile_commands.json").read_text()):
        source = (Path(unit["directory"]) / unit["file"]).resolve()
        output = Path(unit["output"])
        if output.parts[0] in ("lib", "daemon", "tools") and root in source.parents:
            found.setdefault(str(source.relative_to(root)), build / output)
    return found


def references(units, kinds):
    """(file, file, symbol): the first needs what the second defines. kinds: nm's letters."""
    defined, needed = {}, []
    for name, unit in units.items():
        listing = subprocess.run(["nm", "-P", str(unit)], capture_output=True, text=True,
                                 check=True).stdout
        for symbol, kind in (line.split()[:2] for line in listing.splitlines()):
            if kind == "U":
                needed.append((name, symbol))
            elif kind in kinds:
                defined[symbol] = name
    return [(name, defined[symbol], symbol) for name, symbol in needed if symbol in defined]


CALLS, ALL = "TW", "TWDBRVC"


def circles(pairs):
    """Strongly connected components of more than one file (Tarjan), the largest first."""
    graph = defaultdict(set)
    for a, b in pairs:
        graph[a].add(b)
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(set(stack[at:]))
            del stack[at:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return sorted(found, key=lambda circle: (-len(circle), sorted(circle)))


def opens_with_a_sentence(text):
    """Whether the thing is named right below the licence."""
    return text.startswith(LICENCE) and SENTENCE.match(text, len(LICENCE))


def complaints(root, build):
    """What is wrong, a line each."""
    texts, units = sources(root), objects(root, build)
    edges = [(a, b, "includes it") for a, b in includes(texts)]
    for a, b, symbol in references(units, ALL):
        # The library's own names are its interface's, whatever file they are in.
        edges.append((a, PUBLIC if symbol.startswith("xengt_") else b, f"uses {symbol}"))
    for a, b, why in sorted(edges):
        above, below = room_of(a), room_of(b + "/x" if b == PUBLIC else b)
        if above != below and below not in ROOMS.get(above, []):
            yield f"{a} -> {b}: {above} does not stand on {below} ({why})"
    for a in texts.keys() - units.keys():
        if a.endswith(".c"):
            yield f"{a}: no object of it in {build}"
    for circle in circles((a, b) for a, b in includes(texts)):
        yield f"headers include each other: {' '.join(sorted(circle))}"
    page = (root / "docs/architecture.md").read_text()
    for circle in circles((a, b) for a, b, _ in references(units, CALLS)):
        if not any(circle <= allowed for allowed in CIRCLES):
            yield f"files call each other: {' '.join(sorted(circle))}"
    for name in sorted(set().union(*CIRCLES)):
        if f"`{Path(name).name}`" not in page:
            yield f"docs/architecture.md does not explain the circle of {name}"
    for name, text in sources(root, ("include", "lib", "daemon", "tools", "tests",
                                     "examples")).items():
        if not opens_with_a_sentence(text):
            yield f"{name}: no sentence below the licence that names what it is"


def report(root, build):
    """The figures of a tree, whatever its rooms."""
    texts, units = sources(root), objects(root, build)
    for kinds, what in ((CALLS, "calls"), (ALL, "calls and tables")):
        found = circles((a, b) for a, b, _ in references(units, kinds))
        sizes = " ".join(str(len(circle)) for circle in found)
        print(f"files in circles of {what}: {sum(map(len, found))} ({sizes})")
        for circle in found:
            print("   ", " ".join(sorted(circle)))
    lines, name = max((text.count("\n"), name) for name, text in texts.items())
    print(f"files: {len(texts)}; the largest: {name}, {lines} lines")
    mute = [name for name, text in texts.items() if not text.startswith(LICENCE + "/*")]
    print(f"files without a sentence: {len(mute)}")
    riddles = [name for name, text in texts.items()
               if name not in mute and not opens_with_a_sentence(text)]
    print(f"files that open with a riddle: {len(riddles)}")
    for name in mute + riddles:
        print("   ", name)


def main():
    """Returns the exit status."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--report"]
    root, build = (Path(argument).resolve() for argument in arguments)
    sys.setrecursionlimit(10000)
    if "--report" in sys.argv:
        report(root, build)
        return 0
    wrong = list(complaints(root, build))
    for line in wrong:
        print(f"layers: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
