#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Install into a temporary folder and use that copy as somebody else's program would. TAP.

usage: test_install.py SOURCE BUILD
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from tap import Tap  # noqa: E402  pylint: disable=wrong-import-position

C = ["cc", "-std=c11", "-pedantic-errors", "-Wall", "-Wextra", "-Werror"]
CXX = ["g++", "-std=c++17", "-pedantic-errors", "-Wall", "-Wextra", "-Werror"]
VERSION = re.compile(r"LIBXENGT_1\.\d+")
# What a C++ program would do with every kind of thing the headers hold.
CXX_PROGRAM = """\
#include <xengt/grant.h>
#include <xengt/sim.h>
#include <xengt/space.h>
#include <xengt/target.h>
int main()
{
    xengt_options options = {};
    xengt_bfn bfn = XENGT_BFN_INVALID;
    xengt *xg = nullptr;
    char error[256];
    options.backend = XENGT_BACKEND_SIM;
    options.sim = xengt_sim_new();
    int ret = xengt_open(&xg, &options, error, sizeof(error));
    uint32_t users = bfn.v == ~UINT64_C(0) ? 0 : 1;
    xengt_close(xg);
    xengt_sim_free(options.sim);
    return ret || users;
}
"""


class Copy:
    """What was installed, and where."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.library = next(iter(folder.glob("**/libxengt.so")), None)
        self.headers = sorted(folder.glob("**/include/xengt/*.h"))
        self.pc = next(iter(folder.glob("**/libxengt.pc")), None)

    def pkg_config(self, *what):
        """Flags, for a copy that is not where it says it is."""
        env = {**os.environ, "PKG_CONFIG_PATH": str(self.pc.parent),
               "PKG_CONFIG_SYSROOT_DIR": str(self.folder)}
        return subprocess.run(["pkg-config", *what, "libxengt"], env=env, text=True,
                              capture_output=True, check=True).stdout.split()

    def run_environment(self):
        """To run what was linked with it."""
        return {**os.environ, "LD_LIBRARY_PATH": str(self.library.parent)}


def check_headers(tap, copy, source: Path, folder: Path):
    """Each header by itself, twice, in C and in C++."""
    wanted = sorted(path.name for path in (source / "include/xengt").glob("*.h"))
    tap.check([path.name for path in copy.headers] == wanted, "every public header is installed",
              f"{[path.name for path in copy.headers]}, not {wanted}")
    flags = copy.pkg_config("--cflags")
    for header in copy.headers:
        for compiler, extension, extra in ((C, "c", []), (CXX, "cc", ["-pedantic-errors"])):
            unit = folder / f"header.{extension}"
            unit.write_text(f"#include <xengt/{header.name}>\n" * 2 + "int unit;\n")
            tap.runs(f"{header.name} compiles by itself with {compiler[0]} {compiler[1]}",
                     [*compiler, *extra, *flags, "-fsyntax-only", str(unit)])


def check_programs(tap, copy, folder: Path):
    """The example as it was installed, and a program in C++."""
    example = next(iter(copy.folder.glob("**/doc/xengt/examples/map-page.c")), None)
    if tap.check(example, "the example is installed"):
        program = folder / "map-page"
        tap.runs("it compiles and links through pkg-config",
                 [*C, "-o", str(program), str(example), *copy.pkg_config("--cflags", "--libs")])
        if program.exists():
            result = subprocess.run([str(program)], env=copy.run_environment(), text=True,
                                    capture_output=True, check=False)
            tap.check(result.returncode == 2 and result.stderr.startswith("usage:"),
                      "and runs with the installed library", result.stderr)
    example = next(iter(copy.folder.glob("**/doc/xengt/examples/ring-device")), None)
    if tap.check(example, "the example with a Makefile is installed"):
        env = {**os.environ, "PKG_CONFIG_PATH": str(copy.pc.parent),
               "PKG_CONFIG_SYSROOT_DIR": str(copy.folder)}
        tap.runs("its Makefile builds it against the installed library",
                 ["make", "-C", str(example), f"OUT={folder}", "CFLAGS=-O2 -Werror"], env=env)
    unit, program = folder / "user.cc", folder / "user"
    unit.write_text(CXX_PROGRAM)
    tap.runs("a program in C++ compiles and links",
             [*CXX, "-o", str(program), str(unit), *copy.pkg_config("--cflags", "--libs")])
    tap.runs("and opens and closes a handle", [str(program)], env=copy.run_environment())


def declared_functions(headers):
    """Names of functions the headers declare and do not define."""
    names = set()
    for header in headers:
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        text = re.sub(r"\btypedef\b[^;]*;", "", text)
        names |= set(re.findall(r"\b(xengt_\w+)\s*\([^;{]*\)\s*;", text))
    return names


def check_library(tap, copy):
    """What the shared library shows of itself."""
    listing = tap.runs("the library can be listed",
                       ["nm", "-D", "--defined-only", "--with-symbol-versions", str(copy.library)])
    symbols = [line.split()[-2:] for line in listing.splitlines()]
    exported = {name.partition("@@") for kind, name in symbols if kind != "A"}
    foreign = [name for name, _, version in exported
               if not name.startswith("xengt_") or not VERSION.fullmatch(version)]
    tap.check(exported and not foreign,
              "it exports xengt_ names of version LIBXENGT_1.x and no others", foreign)
    names = {name for name, _, _ in exported}
    wanted = declared_functions(copy.headers)
    tap.check(names == wanted, "namely those that the headers declare",
              f"only exported: {names - wanted}; only declared: {wanted - names}")
    dynamic = tap.runs("its dynamic section can be read", ["readelf", "-d", str(copy.library)])
    tap.check("soname: [libxengt.so.1]" in dynamic, "its soname is libxengt.so.1", dynamic)


def check_pages(tap, copy, source: Path):
    """All manual pages are there, and clean."""
    for page in sorted((source / "docs/man").glob("*.scd")):
        name, section = page.stem, page.stem[-1]
        installed = next(iter(copy.folder.glob(f"**/man/man{section}/{name}")), None)
        if not tap.check(installed and installed.read_text().startswith(".\\\" Generated by scdoc"),
                         f"{name} is installed"):
            continue
        if not shutil.which("man"):
            tap.skip(f"{name} renders", "there is no man here")
            continue
        # -Z: what groff says, before a terminal is asked for.
        result = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z",
                                 str(installed)], text=True, capture_output=True, check=False,
                                env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"})
        tap.check(result.returncode == 0 and not result.stderr, f"{name} renders without a warning",
                  result.stderr)


def check_service(tap, copy, build: Path):
    """The unit starts what was installed; and an administrator's configuration stays."""
    unit = next(iter(copy.folder.glob("**/lib/systemd/system/xengtd.service")), None)
    if not tap.check(unit, "the service is installed"):
        return
    start = re.search(r"^ExecStart=(\S+) --config (\S+)$", unit.read_text(), re.M)
    paths = [copy.folder / name.lstrip("/") for name in start.groups()] if start else []
    tap.check(paths and all(path.is_file() for path in paths),
              "it starts the daemon that is installed, with the configuration that is", paths)
    paths[1].write_text("{}")
    tap.runs("meson installs once more", ["meson", "install", "-C", str(build), "--no-rebuild",
                                          "--quiet", "--destdir", str(copy.folder)])
    tap.check(paths[1].read_text() == "{}", "and leaves the configuration as it is")


def check_metrics(tap, copy):
    """The unit that writes metrics calls what was installed; what goes with it is there."""
    units = {unit.name: unit for unit in copy.folder.glob("**/lib/systemd/system/xengt-metrics.*")}
    tap.check(set(units) == {"xengt-metrics.service", "xengt-metrics.timer"},
              "the units for node_exporter are installed", units)
    called = re.search(r'"(\S+)" metrics', units["xengt-metrics.service"].read_text())
    tap.check(called and (copy.folder / called[1].lstrip("/")).is_file(),
              "and call the xengt-ctl that is", called)
    tap.check(list(copy.folder.glob("**/share/xengt/grafana-dashboard.json")),
              "a dashboard is installed")


def main():
    """Returns the exit status."""
    source, build = Path(sys.argv[1]), Path(sys.argv[2])
    tap = Tap()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tap.runs("meson installs", ["meson", "install", "-C", str(build), "--no-rebuild", "--quiet",
                                    "--destdir", str(folder / "copy")])
        copy = Copy(folder / "copy")
        if tap.check(copy.library and copy.pc, "the library and its .pc file are there"):
            check_headers(tap, copy, source, folder)
            check_programs(tap, copy, folder)
            check_library(tap, copy)
            check_pages(tap, copy, source)
            check_service(tap, copy, build)
            check_metrics(tap, copy)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
