# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian releases whose Xen and Linux the machines boot: what is unpacked of each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    """One release. Programs for it are built in a sysroot of its packages unless it is, as one
    without a suite, what this machine has."""

    name: str
    xen: str             # the version in the names of Xen's packages and folders
    packages: tuple
    suite: str = ""      # as the archive names it; none: fetched as this machine's apt is set up


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
# Where the libraries that programs need are not this machine's.
LIBRARIES_13 = (
    "libbz2-1.0",
    "libc6",
    "libevent-core-2.1-7t64",
    "libjson-c5",
    "liblzma5",
    "liblzo2-2",
    "libuuid1",
    "libzstd1",
    "zlib1g",
)
SYSROOT_13 = (
    "libc6-dev",
    "libcmocka-dev",
    "libcmocka0",
    "libdrm-dev",
    "libevent-dev",
    "libjson-c-dev",
    "libxen-dev",
    "linux-libc-dev",
)

DEBIAN_12 = Release(
    "debian-12", "4.17",
    (*COMMON, "xen-hypervisor-4.17-amd64", "xen-utils-4.17", "libxenmisc4.17"))
DEBIAN_13 = Release(
    "debian-13", "4.20",
    (*COMMON, "xen-hypervisor-4.20-amd64", "xen-utils-4.20", "libxenmisc4.20", *LIBRARIES_13,
     *SYSROOT_13),
    suite="trixie")
RELEASES = {release.name: release for release in (DEBIAN_12, DEBIAN_13)}
