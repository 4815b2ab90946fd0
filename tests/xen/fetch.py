# SPDX-License-Identifier: LGPL-2.1-or-later
"""Download and unpack stock Debian packages of Xen and Linux, without installing any of them.

Installing a hypervisor would change the boot loader of the machine that only wants to run tests,
so the packages are unpacked into the build directory and used from there.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

XEN_VERSION = "4.17"
KERNEL_META_PACKAGE = "linux-image-amd64"
PACKAGES = [
    f"xen-hypervisor-{XEN_VERSION}-amd64",
    f"xen-utils-{XEN_VERSION}",
    f"libxenmisc{XEN_VERSION}",
    "libxencall1",
    "libxendevicemodel1",
    "libxenevtchn1",
    "libxenforeignmemory1",
    "libxengnttab1",
    "libxenhypfs1",
    "libxenstore4",
    "libxentoolcore1",
    "libxentoollog1",
    "libyajl2",
    "libfdt1",
    "libnl-3-200",
    "libnl-route-3-200",
    "libgcc-s1",
    "xenstore-utils",
    "busybox-static",
]


class FetchError(Exception):
    """A failure whose text tells the user what to do."""


def _run(command, **kwargs):
    result = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            check=False, **kwargs)
    if result.returncode != 0:
        last = (result.stdout.strip().splitlines() or ["no output"])[-1]
        raise FetchError(f"{' '.join(command[:2])} failed: {last}")
    return result.stdout


def _kernel_package():
    """The meta package's one real image package, e.g. linux-image-6.1.0-37-amd64."""
    for line in _run(["apt-cache", "depends", KERNEL_META_PACKAGE]).splitlines():
        kind, _, name = line.strip().partition(" ")
        if kind == "Depends:" and name.startswith("linux-image-"):
            return name
    raise FetchError(f"{KERNEL_META_PACKAGE} depends on no kernel image")


def _download(names, folder):
    """apt-get download into folder.

    As root apt wants to drop to the user _apt, warns that this user cannot write to the folder and
    goes on as root; asking for root says the same without the warning.
    """
    options = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    try:
        _run(["apt-get", "-q", *options, "download", *names], cwd=folder)
    except FetchError as error:
        raise FetchError(f"{error} (if apt has no package lists: run apt-get update)") from error


def fetch(xen_dir: Path) -> Path:
    """Return the folder holding the unpacked packages; download them unless that was done."""
    root, debs, stamp = xen_dir / "root", xen_dir / "debs", xen_dir / "root.stamp"
    wanted = "\n".join([KERNEL_META_PACKAGE, *PACKAGES]) + "\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return root

    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if not shutil.which(tool):
            raise FetchError(f"{tool} not found: the Xen tests need Debian's packages")
    try:
        kernel = _kernel_package()
    except FetchError as error:
        raise FetchError("apt knows no kernel package: run apt-get update") from error

    stamp.unlink(missing_ok=True)
    for folder in (root, debs):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    print(f"# downloading Xen {XEN_VERSION} and {kernel} into {debs}", file=sys.stderr)
    _download([kernel, *PACKAGES], debs)
    for deb in sorted(debs.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(deb), str(root)])
    stamp.write_text(wanted)
    return root
