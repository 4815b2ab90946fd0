# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian releases whose Xen and Linux the machines boot: what is unpacked of each."""

import platform
from dataclasses import dataclass


def _this_machine():
    found = platform.freedesktop_os_release()
    return f"{found.get('ID')}-{found.get('VERSION_ID')}"


@dataclass(frozen=True)
class Release:
    """One release. Programs for it are built in a sysroot of its packages unless it is what this
    machine has."""

    name: str
    xen: str             # the version in the names of Xen's packages and folders
    suite: str           # as the archive names it
    sysroot: tuple       # packages that are this machine's own where it has this release

    @property
    def native(self):
        """It is this machine's."""
        return self.name == _this_machine()

    @property
    def source(self):
        """The suite to fetch from; none: as this machine's apt is set up."""
        return "" if self.native else self.suite

    @property
    def packages(self):
        """All that is unpacked of it."""
        xen = (f"xen-hypervisor-{self.xen}-amd64", f"xen-utils-{self.xen}", f"libxenmisc{self.xen}")
        return (*COMMON, *xen, *(() if self.native else self.sysroot))


COMMON = (
    "linux-image-amd64",
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
)
# What programs are linked to and built with; where two releases differ, their names do.
LIBRARIES = (
    "libbz2-1.0",
    "libc6",
    "{libevent}",
    "libinih1",
    "libjson-c5",
    "liblzma5",
    "liblzo2-2",
    "libuuid1",
    "libzstd1",
    "zlib1g",
    "libc6-dev",
    "libcmocka-dev",
    "libcmocka0",
    "libdrm-dev",
    "libevent-dev",
    "libinih-dev",
    "libjson-c-dev",
    "libseccomp-dev",
    "libseccomp2",
    "libxen-dev",
    "linux-libc-dev",
)


def _sysroot(**names):
    return tuple(package.format(**names) for package in LIBRARIES)


DEBIAN_12 = Release("debian-12", "4.17", "bookworm", _sysroot(libevent="libevent-core-2.1-7"))
DEBIAN_13 = Release("debian-13", "4.20", "trixie", _sysroot(libevent="libevent-core-2.1-7t64"))
RELEASES = {release.name: release for release in (DEBIAN_12, DEBIAN_13)}
# The other one, for what is held against a Xen that is not this machine's.
OTHER = next(release for release in reversed(RELEASES.values()) if not release.native)
