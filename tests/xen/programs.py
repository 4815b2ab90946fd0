# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our programs for a release: the build's own, or made once more in a sysroot of its packages."""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
# What dom0 and its guests are given, by the names of meson's targets.
PRODUCTS = ["xengtd", "xengt-ctl", "xengt-guest", "pv-guest", "driver-guest", "edu-dma",
            "guest-tool", "stale", "lib-test"]
GUEST_PROGRAMS = ["drm-test", "round-trip"]
LIBRARY_FOLDER = "usr/lib/x86_64-linux-gnu"


class BuildError(Exception):
    """The programs do not build for that release."""


def _run(command, log: Path):
    with log.open("a") as out:
        status = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=subprocess.STDOUT)
    if status:
        lines = log.read_text(errors="replace").splitlines()
        wrong = [line for line in lines if "rror:" in line] or lines
        raise BuildError(f"{' '.join(command[:2])} failed: {wrong[-1]} (all of it: {log})")


def _compiler(root: Path):
    """-B: gcc looks for crt1.o where the machine's own libc has it, not where it is in the tree."""
    libraries = root / LIBRARY_FOLDER
    ccache = ["ccache"] if shutil.which("ccache") else []
    return [*ccache, "gcc", f"--sysroot={root}", f"-B{libraries}/", f"-L{libraries}"]


def compiler(release, root: Path):
    """What compiles a program for that release."""
    return ["cc"] if release.native else _compiler(root)


def _sysroot_file(path: Path, root: Path):
    """What tells meson to compile and to link with nothing but that tree's headers and libraries."""
    libraries = root / LIBRARY_FOLDER
    path.write_text(f"[binaries]\nc = {_compiler(root)}\n"
                    f"[properties]\nsys_root = '{root}'\n"
                    f"pkg_config_libdir = '{libraries}/pkgconfig:{root}/usr/share/pkgconfig'\n")


def find_program(builddir: Path, name):
    """A program of this build; None when it was not built. Others lie below: for other releases, for
    packages."""
    found = (path for path in sorted(builddir.glob(f"**/{name}"))
             if path.is_file() and path.relative_to(builddir).parts[0] not in ("xen", "package"))
    return next(found, None)


def products(builddir: Path):
    """Those that are there, with their places in dom0."""
    found = ((find_program(builddir, name), f"/opt/xengt/{name}") for name in PRODUCTS)
    return [(path, place) for path, place in found if path]


def programs(folder: Path, root: Path, release, builddir: Path):
    """Return the build folder whose programs run on that release, up to date."""
    if release.native:
        return builddir
    build, log = folder / "build", folder / "build.log"
    log.unlink(missing_ok=True)
    if not (build / "build.ninja").exists():
        shutil.rmtree(build, ignore_errors=True)
        _sysroot_file(folder / "sysroot.ini", root)
        _run(["meson", "setup", "--native-file", str(folder / "sysroot.ini"), str(build),
              str(SOURCE)], log)
    # meson looks its targets up in what the last configuration knew.
    _run(["ninja", "-C", str(build), "build.ninja"], log)
    _run(["meson", "compile", "-C", str(build), *PRODUCTS, *GUEST_PROGRAMS], log)
    return build
