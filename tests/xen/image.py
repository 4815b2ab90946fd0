# SPDX-License-Identifier: LGPL-2.1-or-later
"""Build dom0's initramfs: a cached base (Xen's tools, busybox, modules) and a payload per run.

Both are uncompressed cpio archives; the kernel accepts them one after the other. Compressing would
cost more time to undo under emulation than it saves in loading.
"""

import gzip
import lzma
import os
import re
import shutil
import stat
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fetch import fetch
from programs import programs
from releases import Release

# In the order they are loaded.
MODULES = ["xen-privcmd", "xenfs", "xen-evtchn", "xen-gntdev", "xen-gntalloc"]
XEN_PROGRAMS = ["xl", "xenstored", "xenconsoled", "xen-init-dom0", "xen-hvmctx", "xenstore-control",
                "libxl-save-helper"]
# Names of the one xenstore client.
XENSTORE_VERBS = ["chmod", "exists", "list", "ls", "read", "rm", "watch", "write"]
FOLDERS = ["bin", "dev", "etc/xen", "lib/modules", "opt/xengt", "proc", "run", "sys", "tmp",
           "var/lib/xen", "var/lib/xenstored", "var/log/xen"]
LIBRARY_FOLDER = "usr/lib/x86_64-linux-gnu"
SYSTEM_LIBRARIES = [Path("/usr/lib/x86_64-linux-gnu"), Path("/lib/x86_64-linux-gnu"),
                    Path("/lib64")]
ZSTD_MAGIC = bytes.fromhex("28b52ffd")


class ImageError(Exception):
    """Something the image needs is missing."""


class Cpio:
    """A newc cpio archive written in memory."""

    def __init__(self):
        self._data = bytearray()
        self._inode = 0
        self._names = set()

    def _entry(self, name, mode, content=b""):
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = [self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0]
        self._data += b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        self._data += b"\0" * (-len(self._data) % 4) + content
        self._data += b"\0" * (-len(self._data) % 4)

    def folder(self, name):
        """Add a folder and those above it, once."""
        parts = name.strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            if path not in self._names:
                self._names.add(path)
                self._entry(path, stat.S_IFDIR | 0o755)

    def _add(self, name, mode, content):
        name = name.strip("/")
        if name in self._names:
            return
        if "/" in name:
            self.folder(name.rsplit("/", 1)[0])
        self._names.add(name)
        self._entry(name, mode, content)

    def file(self, name, content, mode=0o755):
        """Add a file unless the archive has one of that name."""
        self._add(name, stat.S_IFREG | mode, content)

    def link(self, name, target):
        """Add a symbolic link unless the archive has something of that name."""
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def finish(self):
        """The complete archive, padded so that another may follow."""
        self._entry("TRAILER!!!", 0)
        self._data += b"\0" * (-len(self._data) % 512)
        return bytes(self._data)


def _needed(elf: Path):
    """The names of the libraries that an ELF file is linked to; none for a static one."""
    result = subprocess.run(["objdump", "-p", str(elf)], text=True, capture_output=True,
                            check=False)
    return re.findall(r"^  NEEDED +(\S+)$", result.stdout, re.M)


def needed_libraries(program: Path, search):
    """Paths of the shared libraries of an ELF file, and of those that these need. The loader is
    one: libc is linked to it. Not by ldd, which would run the loader of this machine.
    """
    found, wanted = {}, _needed(program)
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        path = next((folder / name for folder in search if (folder / name).exists()), None)
        if not path:
            raise ImageError(f"{program}: library {name} not found")
        found[name] = path
        wanted += _needed(path)
    return found.values()


def add_program(archive, program: Path, name, search):
    """Add a program and the libraries it needs."""
    archive.file(name, program.read_bytes())
    for library in needed_libraries(program, search):
        is_loader = library.name.startswith("ld-linux")
        target = f"lib64/{library.name}" if is_loader else f"{LIBRARY_FOLDER}/{library.name}"
        archive.file(target, library.read_bytes())


def find_one(root: Path, pattern):
    """The file of the unpacked packages that a pattern names."""
    found = sorted(root.glob(pattern))
    if not found:
        raise ImageError(f"{pattern} is in none of the downloaded packages")
    return found[0]


def library_folders(root: Path):
    """Where unpacked packages have their libraries."""
    return [root / LIBRARY_FOLDER, root / "lib/x86_64-linux-gnu"]


def read_module(path: Path):
    """A module as insmod of busybox wants it: unpacked."""
    content = path.read_bytes()
    return lzma.decompress(content) if path.suffix == ".xz" else content


def module_name(path: Path):
    """Its name, whatever it is packed with."""
    return path.name.partition(".ko")[0]


def _build_base(unpacked, release: Release):
    archive, root = Cpio(), unpacked.root
    for folder in FOLDERS:
        archive.folder(folder)
    archive.link("var/run", "/run")
    archive.link("var/lock", "/run/lock")
    archive.file("etc/xen/xl.conf", b"", 0o644)
    archive.file("etc/passwd", b"root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n", 0o644)
    archive.file("etc/group", b"root:x:0:\nnogroup:x:65534:\n", 0o644)
    archive.file("bin/busybox", find_one(root, "bin/busybox").read_bytes())
    archive.link("bin/sh", "busybox")
    xen_bin = f"usr/lib/xen-{release.xen}/bin"
    for program in XEN_PROGRAMS:
        # Where libxl's compiled-in paths expect them; PATH names this folder too.
        add_program(archive, root / xen_bin / program, f"{xen_bin}/{program}", unpacked.search)
    add_program(archive, root / "usr/bin/xenstore", "bin/xenstore", unpacked.search)
    for verb in XENSTORE_VERBS:
        archive.link(f"bin/xenstore-{verb}", "xenstore")
    # Loaded by dlopen when a thread is cancelled, so nothing is linked to it.
    libgcc = find_one(root, "**/libgcc_s.so.1")
    archive.file(f"{LIBRARY_FOLDER}/{libgcc.name}", libgcc.read_bytes())
    for number, module in enumerate(MODULES):
        path = find_one(root, f"lib/modules/*/kernel/**/{module}.ko*")
        archive.file(f"lib/modules/{number}-{module}.ko", read_module(path), 0o644)
    return archive.finish()


def replace(path: Path, content, mode=0o644):
    """Write a file, whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.chmod(mode)
    temporary.replace(path)


def _vmlinux(bzimage):
    """The ELF kernel inside a bzImage: Xen would need seconds to unpack it under emulation."""
    # Linux's boot protocol: sectors of set-up code, then the payload's offset and length.
    setup_size = ((bzimage[0x1f1] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", bzimage, 0x248)
    # Behind the compressed stream stand four bytes more, the length of what it holds.
    payload = bzimage[setup_size + offset:setup_size + offset + length - 4]
    if payload.startswith(ZSTD_MAGIC):
        return subprocess.run(["zstd", "-dcq"], input=payload, check=True,
                              stdout=subprocess.PIPE).stdout
    return lzma.decompress(payload)


@dataclass
class Unpacked:
    """A release, ready to be booted: the tree of its packages and what is made of them."""

    root: Path
    xen: Path
    kernel: Path
    base: Path           # the archive that each dom0 begins with
    programs: Path       # the build folder of ours
    search: list         # where the libraries of all of these are


def prepare(folder: Path, release: Release, builddir: Path):
    """Fetch and build what is missing or out of date; the folder is locked by the caller."""
    root = fetch(folder, release)
    build = programs(folder, root, release, builddir)
    search = [build / "lib", *library_folders(root)]
    if release.native:
        search += SYSTEM_LIBRARIES
    unpacked = Unpacked(root, folder / "xen.elf", folder / "vmlinux", folder / "base.cpio", build,
                        search)
    newest = max((folder / "root.stamp").stat().st_mtime, Path(__file__).stat().st_mtime)
    if not unpacked.base.exists() or unpacked.base.stat().st_mtime < newest:
        compressed = find_one(root, f"boot/xen-{release.xen}-amd64.gz")
        replace(unpacked.xen, gzip.decompress(compressed.read_bytes()))
        replace(unpacked.kernel, _vmlinux(find_one(root, "boot/vmlinuz-*").read_bytes()))
        replace(unpacked.base, _build_base(unpacked, release))
    return unpacked


def build_initramfs(path: Path, unpacked: Unpacked, payload, folders=()):
    """Write base and payload, a list of (file on the host, absolute path in dom0), to path. Libraries
    of programs in it are looked for in these folders, too.
    """
    archive = Cpio()
    search = [*unpacked.search, *folders]
    for source, name in payload:
        content = source.read_bytes()
        if content.startswith(b"\x7fELF"):
            add_program(archive, source, name, [source.parent, *search])
        else:
            archive.file(name, content)
    with path.open("wb") as out:
        with unpacked.base.open("rb") as base_file:
            shutil.copyfileobj(base_file, out)
        out.write(archive.finish())
