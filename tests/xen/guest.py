# SPDX-License-Identifier: LGPL-2.1-or-later
"""Build the initramfs of a guest that is Linux with its own, unmodified i915."""

import re
from dataclasses import dataclass
from pathlib import Path

from fetch import fetch_i915_tools
from image import (SYSTEM_LIBRARIES, Cpio, add_program, find_one, library_folders, module_name,
                   read_module, replace)
from programs import GUEST_PROGRAMS, find_program
from releases import DEBIAN_12, Release

HERE = Path(__file__).resolve().parent
FOLDERS = ["bin", "dev", "lib/modules", "opt/i915", "proc", "sys", "tmp"]
BENCHMARKS = "usr/libexec/igt-gpu-tools/benchmarks"
# Drivers of what QEMU shows an HVM guest: its disk and its network.
QEMU_MODULES = ["ata_piix", "sd_mod", "e1000"]
# What scenarios run of intel-gpu-tools.
TOOLS = ["gem_blt", "gem_busy", "gem_create", "gem_exec_ctx", "gem_exec_nop", "gem_exec_reloc",
         "gem_latency", "gem_wsim"]


def _dependencies(module: Path):
    """What a module needs loaded before, as it says itself."""
    depends = re.search(rb"\0depends=([^\0]*)\0", read_module(module))
    return [name for name in (depends[1].decode() if depends else "").split(",") if name]


def _load_order(root: Path, name):
    """A module's file, after those of all it depends on."""
    by_name = {module_name(path).replace("-", "_"): path
               for path in root.glob("lib/modules/*/kernel/**/*.ko*")}
    order = []

    def add(module):
        for dependency in _dependencies(by_name[module]):
            add(dependency.replace("-", "_"))
        if by_name[module] not in order:
            order.append(by_name[module])

    add(name)
    return order


def _add_modules(archive, root: Path, folder, names):
    order = []
    for name in names:
        order += [path for path in _load_order(root, name) if path not in order]
    for number, path in enumerate(order):
        archive.file(f"{folder}/{number:02}-{module_name(path)}.ko", read_module(path), 0o644)


def _build_guest(root: Path, programs):
    archive = Cpio()
    for folder in FOLDERS:
        archive.folder(folder)
    archive.file("init", (HERE.parent / "i915/init.sh").read_bytes())
    archive.file("bin/busybox", find_one(root, "bin/busybox").read_bytes())
    archive.link("bin/sh", "busybox")
    for program in programs:
        archive.file(f"opt/i915/{program.name}", program.read_bytes())
    _add_modules(archive, root, "lib/modules", ["i915"])
    _add_modules(archive, root, "lib/qemu", QEMU_MODULES)
    return archive.finish()


def _build_tools(tools_root: Path):
    archive, search = Cpio(), [*library_folders(tools_root), *SYSTEM_LIBRARIES]
    for tool in TOOLS:
        add_program(archive, tools_root / BENCHMARKS / tool, f"{BENCHMARKS}/{tool}", search)
    archive.file("opt/i915/media.wsim", (HERE.parent / "i915/media.wsim").read_bytes())
    return archive.finish()


@dataclass(frozen=True)
class Guest:
    """A guest that is Linux with its own i915: /opt/xengt/linux* and /opt/xengt/i915*.cpio."""

    suffix: str = ""
    release: Release = None  # none: dom0's own
    tools: bool = False      # with intel-gpu-tools in its image


# What a scenario may say that it needs.
GUESTS = {
    "i915": Guest(),
    "i915-tools": Guest(tools=True),
    "i915-12": Guest("-12", DEBIAN_12),
}


def guest_payload(guest: Guest, unpacked, xen_dir: Path):
    """What dom0 needs to start it, of that unpacked release."""
    image = _build_guest(unpacked.root, [find_program(unpacked.programs, name) for name in GUEST_PROGRAMS])
    if guest.tools:
        image += _build_tools(fetch_i915_tools(xen_dir))
    path = unpacked.kernel.with_name("guest-i915-tools.cpio" if guest.tools else "guest-i915.cpio")
    replace(path, image)
    return [(unpacked.kernel, f"/opt/xengt/linux{guest.suffix}"),
            (path, f"/opt/xengt/i915{guest.suffix}.cpio")]
