# SPDX-License-Identifier: LGPL-2.1-or-later
"""Build an example as its reader would: with its own Makefile, against an installed library."""

import os
import shutil
import subprocess
from pathlib import Path

from image import ImageError
from programs import compiler


def run(command, **kwargs):
    """Run a command; what it says is shown when it fails."""
    result = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            check=False, **kwargs)
    if result.returncode:
        raise ImageError(f"{' '.join(map(str, command))}\n{result.stdout}")


def example_payload(copy: Path, unpacked, release):
    """What dom0 needs to run it: the program, which lies beside the library it was linked with."""
    shutil.rmtree(copy, ignore_errors=True)
    # By tags: of another release's build there is nothing but what dom0 is given.
    run(["meson", "install", "-C", str(unpacked.programs), "--no-rebuild", "--quiet",
         "--tags", "runtime,devel", "--destdir", str(copy)])
    pc = next(iter(copy.glob("**/libxengt.pc")))
    library = next(iter(copy.glob("**/libxengt.so"))).parent
    source = next(iter(copy.glob("**/doc/xengt/examples/ring-device")))
    env = {**os.environ, "CC": " ".join(compiler(release, unpacked.root)),
           "PKG_CONFIG_PATH": str(pc.parent), "PKG_CONFIG_SYSROOT_DIR": str(copy)}
    run(["make", "-C", str(source), f"OUT={library}", "CFLAGS=-O2 -Werror"], env=env)
    return [(library / "ring-device", "/opt/xengt/ring-device")]
