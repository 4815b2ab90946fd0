# SPDX-License-Identifier: LGPL-2.1-or-later
"""Download and unpack stock Debian packages of Xen and Linux, without installing any of them.

Installing a hypervisor would change the boot loader of the machine that only wants to run tests,
so the packages are unpacked into the build directory and used from there.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from releases import DEBIAN_12, OTHER

# Packages that only name the newest one of a kind.
META_PACKAGES = ["linux-image-amd64"]

# QEMU as the device model of HVM guests, with what it is linked to. In Debian 13 libraries whose
# interface has times in it have other names.
DEVICE_MODEL = [
    "qemu-system-xen",
    "qemu-system-data",
    "seabios",
    "libatomic1",
    "libblkid1",
    "libcap2",
    "libdrm2",
    "libdw1{t64}",
    "libelf1{t64}",
    "libffi8",
    "libglib2.0-0{t64}",
    "libgstreamer-plugins-base1.0-0",
    "libgstreamer1.0-0",
    "libjpeg62-turbo",
    "liblz4-1",
    "libmount1",
    "libopus0",
    "liborc-0.4-0{t64}",
    "libpcre2-8-0",
    "libpixman-1-0",
    "libsasl2-2",
    "libselinux1",
    "libspice-server1",
    "libssl3{t64}",
    "libstdc++6",
    "libudev1",
    "libunwind8",
    "libusb-1.0-0",
    "libxxhash0",
    "zlib1g",
]

# Intel's tools and benchmarks, of Debian 12, with every library that they are linked to.
I915_TOOLS = [
    "intel-gpu-tools",
    "libbrotli1",
    "libbsd0",
    "libbz2-1.0",
    "libc6",
    "libcairo2",
    "libcap2",
    "libdrm-amdgpu1",
    "libdrm-nouveau2",
    "libdrm2",
    "libdw1",
    "libelf1",
    "libexpat1",
    "libfontconfig1",
    "libfreetype6",
    "libgcrypt20",
    "libglib2.0-0",
    "libgpg-error0",
    "libkmod2",
    "liblz4-1",
    "liblzma5",
    "libmd0",
    "libpciaccess0",
    "libpcre2-8-0",
    "libpixman-1-0",
    "libpng16-16",
    "libproc2-0",
    "libssl3",
    "libsystemd0",
    "libudev1",
    "libunwind8",
    "libx11-6",
    "libxau6",
    "libxcb-render0",
    "libxcb-shm0",
    "libxcb1",
    "libxdmcp6",
    "libxext6",
    "libxrender1",
    "libzstd1",
    "zlib1g",
]

# Another Xen than this machine's, whose headers alone are wanted.
HEADERS = ["libxen-dev"]
ARCHIVE = "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Since Debian 12 these are links into usr/, and packages have nothing there but by old habit.
MERGED = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin"}


class FetchError(Exception):
    """A failure whose text tells the user what to do."""


class Unavailable(FetchError):
    """A release is out of reach, or does not run here: what needs it cannot be tested."""


@contextlib.contextmanager
def locked(folder: Path):
    """What is in this folder is fetched and built by one process at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command, **kwargs):
    result = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            check=False, **kwargs)
    if result.returncode != 0:
        last = (result.stdout.strip().splitlines() or ["no output"])[-1]
        raise FetchError(f"{' '.join(command[:2])} failed: {last}")
    return result.stdout


def _apt_get(*words, **kwargs):
    """As root apt wants to drop to the user _apt, warns that this user cannot write to the folder
    and goes on as root; asking for root says the same without the warning.
    """
    options = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    _run(["apt-get", "-q", *options, *words], **kwargs)


def _other_release(folder: Path, suite):
    """apt's options for a suite that this machine does not use: lists and all below folder."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {ARCHIVE} {suite} main\n")
    settings = {
        "Dir::State": folder,
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Acquire::Retries": 1,
        "Acquire::http::Timeout": 20,
        "APT::Update::Error-Mode": "any",
    }
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    try:
        _apt_get(*options, "update")
    except FetchError as error:
        raise Unavailable(f"{suite} of {ARCHIVE} cannot be had: {error}") from error
    return options


def _resolve(package, options):
    """A meta package's one real package, e.g. linux-image-6.1.0-37-amd64."""
    if package not in META_PACKAGES:
        return package
    with contextlib.suppress(FetchError):
        for line in _run(["apt-cache", *options, "depends", package]).splitlines():
            kind, _, name = line.strip().partition(" ")
            if kind == "Depends:" and name.startswith(package.split("-", maxsplit=1)[0]):
                return name
    raise FetchError(f"apt knows no package of {package}: run apt-get update")


def _download(packages, folder, options):
    """apt-get download into folder."""
    names = [_resolve(package, options) for package in packages]
    print(f"# downloading {names[0]} and {len(names) - 1} others into {folder}", file=sys.stderr)
    try:
        _apt_get(*options, "download", *names, cwd=folder)
    except FetchError as error:
        raise FetchError(f"{error} (if apt has no package lists: run apt-get update)") from error


def _stay_within(root: Path):
    """A link to an absolute path leads out of the tree, to this machine's own files."""
    for link in (path for path in root.rglob("*") if path.is_symlink()):
        target = os.readlink(link)
        if target.startswith("/"):
            link.unlink()
            link.symlink_to(os.path.relpath(root / target[1:], link.parent))


def _unpack(folder: Path, packages, suite=""):
    """Return the tree of these packages, of another suite than this machine's if one is named;
    download them unless that was done.
    """
    root, debs, stamp = folder / "root", folder / "debs", folder / "root.stamp"
    wanted = "\n".join(packages) + "\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return root

    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if not shutil.which(tool):
            raise FetchError(f"{tool} not found: the Xen tests need Debian's packages")
    stamp.unlink(missing_ok=True)
    for path in (root, debs):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    _download(packages, debs, _other_release(folder / "apt", suite) if suite else [])
    for deb in sorted(debs.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(deb), str(root)])
    for name, target in MERGED.items():
        if (root / target).is_dir() and not (root / name).exists():
            (root / name).symlink_to(target)
    _stay_within(root)
    stamp.write_text(wanted)
    return root


def fetch(folder: Path, release) -> Path:
    """Xen and Linux of a release, and what programs for it are built with."""
    return _unpack(folder, release.packages, release.source)


def fetch_device_model(xen_dir: Path, release) -> Path:
    """QEMU for HVM guests; Xen's libraries, which it needs besides, are in fetch()'s folder."""
    folder = xen_dir / f"device-model-{release.suite}"
    t64 = "" if release == DEBIAN_12 else "t64"
    with locked(folder):
        return _unpack(folder, [name.format(t64=t64) for name in DEVICE_MODEL], release.source)


def fetch_i915_tools(xen_dir: Path) -> Path:
    """What runs on i915 in a guest."""
    folder = xen_dir / "i915-tools"
    with locked(folder):
        return _unpack(folder, I915_TOOLS, DEBIAN_12.source)


def fetch_headers(xen_dir: Path) -> Path:
    """The headers of the other release's Xen."""
    folder = xen_dir / f"headers-{OTHER.suite}"
    with locked(folder):
        return _unpack(folder, HEADERS, OTHER.suite)
