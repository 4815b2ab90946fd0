# SPDX-License-Identifier: LGPL-2.1-or-later
"""What dom0 needs for HVM guests: QEMU as their device model, firmware, a kernel to unpack itself."""

from pathlib import Path

from fetch import XEN_VERSION
from image import find_one

QEMU = "usr/libexec/xen-qemu-system-i386"
# Where QEMU and libxl look for them.
DATA = ["usr/share/qemu/linuxboot.bin", "usr/share/qemu/linuxboot_dma.bin",
        "usr/share/qemu/keymaps/en-us", "usr/share/seabios/bios-256k.bin",
        "usr/share/seabios/vgabios-stdvga.bin"]


def device_model_payload(root: Path, model_root: Path):
    """(file on the host, path in dom0) of each. root: Xen and Linux, model_root: QEMU."""
    hvmloader = f"usr/lib/xen-{XEN_VERSION}/boot/hvmloader"
    return [
        (model_root / QEMU, f"/{QEMU}"),
        *((find_one(model_root, name), f"/{name}") for name in DATA),
        (find_one(root, hvmloader), f"/{hvmloader}"),
        (find_one(root, "boot/vmlinuz-*"), "/opt/xengt/vmlinuz"),
        (find_one(root, "lib/modules/*/kernel/drivers/net/tun.ko"), "/opt/xengt/tun.ko"),
    ]
