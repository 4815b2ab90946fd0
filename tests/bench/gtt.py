# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the shadow GTT costs by itself: figures of bench-gtt, and instructions by callgrind."""

import json
import subprocess
from pathlib import Path

import instructions

HEADLINE = 1 << 16  # pages that are mapped
SIZES = [1 << n for n in (12, 14, 16, 18, 20)]
GUESTS = [1, 2, 4, 8]
GUEST_PAGES = 1 << 14  # of each of several guests
CHANGES = ["changed_pte_ns", "changed_pte_instructions", "first_map_ns", "first_map_instructions"]
CLEARS = [
    ("clear_vs_memset", "reset, 4096 mapped"),
    ("clear.mapped512.reset_vs_memset", "reset, 512 mapped"),
    ("clear.empty.reset_vs_memset", "reset, nothing mapped"),
    ("clear.full.reset_vs_memset", "reset, all mapped"),
    ("clear.mapped4096.lazy_vs_memset", "table in RAM zeroed, 4096 mapped"),
    ("clear.full.lazy_vs_memset", "table in RAM zeroed, all mapped"),
    ("clear.mapped4096.each_vs_memset", "each entry stored to, 4096 mapped"),
    ("clear.full.each_vs_memset", "each entry stored to, all mapped"),
]


def _run(program: Path, *arguments):
    """{name: (value, unit)}"""
    result = subprocess.run([str(program), *map(str, arguments)], text=True, capture_output=True,
                            check=False)
    if result.returncode:
        raise instructions.CountError(f"bench-gtt {arguments[0]}: {result.stderr.strip()}")
    lines = map(json.loads, result.stdout.splitlines())
    return {line["gtt"]: (line["value"], line["unit"]) for line in lines}


def _changes(program: Path, guests, pages):
    found = _run(program, "changes", guests, pages)
    counted = instructions.count_marks(program, ["instructions", str(guests), str(pages)])
    return found | {f"{'changed_pte' if mark == 'changed' else mark}_instructions":
                    (value, "instructions") for mark, value in counted.items()}


def add(results, program: Path, quick):
    """All of them."""
    sizes = [size for size in SIZES if size <= HEADLINE] if quick else SIZES
    found = {**_run(program, "unchanged"), **_run(program, "clear"), **_run(program, "memory")}
    for size in sizes:
        one = _changes(program, 1, size)
        found |= {f"n{size}.{name}": value for name, value in one.items()}
        found |= {f"n{size}.random.{name}": value
                  for name, value in _run(program, "changes", 1, size, "random").items()}
        if size == HEADLINE:
            found |= one
    for guests in GUESTS:
        found |= {f"vgpus{guests}.{name}": value
                  for name, value in _changes(program, guests, GUEST_PAGES).items()}
    for name, (value, unit) in found.items():
        results.add(f"gtt.{name}", value, unit)


def _table(results, title, columns, prefix, rows):
    print(f"  {title:36}" + "".join(f"{column:>10}" for column in columns))
    for name in rows:
        values = (results.get("gtt." + prefix.format(column) + name) for column in columns)
        print(f"    {name:34}" + "".join(f"{value:10.1f}" for value in values))


def show(results, quick):
    """The same for people."""
    print("\nthe shadow GTT, over a back end and a GPU that cost nothing")
    sizes = [size for size in SIZES if size <= HEADLINE] if quick else SIZES
    _table(results, "for each PTE; pages mapped", sizes, "n{}.", CHANGES)
    _table(results, "  frames in no order", sizes, "n{}.random.", ["changed_pte_ns"])
    _table(results, f"  vGPUs, {GUEST_PAGES} pages each", GUESTS, "vgpus{}.", CHANGES)
    print(f"  {'a table in which nothing changed':36}"
          f"{results.get('gtt.oos_unchanged_vs_memcmp'):10.2f} times memcmp")
    print("  clearing a window of 1 GiB, by memset of its entries")
    for name, text in CLEARS:
        print(f"    {text:34}{results.get('gtt.' + name):10.1f}")
    for name, text in (("table_bytes", "out of sync, beside shadow and copy"),
                       ("tracked_table_bytes", "tracked, beside the shadow")):
        print(f"  {'a table: bytes ' + text:50}{results.get('gtt.' + name):8.0f}")
