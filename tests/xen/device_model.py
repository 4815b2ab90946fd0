# SPDX-License-Identifier: LGPL-2.1-or-later
"""What dom0 needs for HVM guests: QEMU as their device model, firmware, and a kernel that starts soon.

QEMU's own way to start a kernel has the firmware read it from a port, byte by byte, and each goes
from the guest through Xen to QEMU: under emulation that is many minutes. So QEMU's generic loader
lays kernel, initramfs and parameters into the guest's memory, and the first sector of the disk jumps
there, by Linux's 32-bit boot protocol.
"""

import struct
from pathlib import Path

from image import find_one, replace

QEMU = "usr/libexec/xen-qemu-system-i386"
# Where QEMU and libxl look for them.
DATA = ["usr/share/qemu/keymaps/en-us", "usr/share/seabios/bios-256k.bin",
        "usr/share/seabios/vgabios-stdvga.bin"]

# Addresses in the guest; hvm_create() in lib.sh has them, too. The kernel unpacks itself to where it is.
KERNEL, PARAMETERS, COMMAND_LINE, INITRAMFS = 0x4000000, 0xbffe000, 0xbfff000, 0xc000000
# What SeaBIOS says of a guest of 384 MiB; reserved is 2, the ACPI tables are 4. With a VGA, 16 MiB of
# its RAM are the VGA's: they are left out in any case, and so is SeaBIOS's own last page.
MEMORY_MAP = [
    (0x0, 0x9fc00, 1), (0x9fc00, 0xa0000, 2), (0xf0000, 0x100000, 2), (0x100000, 0x16fff000, 1),
    (0xfc000000, 0xfc00b000, 4), (0xfc00b000, 0x100000000, 2),
]


def _parameters(bzimage, initramfs_size):
    """The page that Linux calls boot_params."""
    page = bytearray(4096)
    header_end = 0x202 + bzimage[0x201]
    page[0x1f1:header_end] = bzimage[0x1f1:header_end]
    page[0x210] = 0xff                                           # a loader without a number
    page[0x211] |= 1                                             # loaded high
    struct.pack_into("<II", page, 0x218, INITRAMFS, initramfs_size)
    struct.pack_into("<I", page, 0x228, COMMAND_LINE)
    page[0x1e8] = len(MEMORY_MAP)
    for number, (first, end, kind) in enumerate(MEMORY_MAP):
        struct.pack_into("<QQI", page, 0x2d0 + 20 * number, first, end - first, kind)
    return bytes(page)


def _boot_sector():
    """Into protected mode, with the segments that Linux wants, and there."""
    base = 0x7c00
    real = bytes.fromhex("fa 31c0 8ed8")                         # cli; ds = 0
    real += bytes.fromhex("0f0116") + struct.pack("<H", base + 0x48)  # lgdt
    real += bytes.fromhex("0f20c0 0c01 0f22c0")                  # cr0 |= 1
    real += bytes.fromhex("66ea") + struct.pack("<IH", base + len(real) + 8, 0x10)
    flat = bytes.fromhex("66b81800 8ed8 8ec0 8ee0 8ee8 8ed0")    # data segments = 0x18
    flat += b"\xbe" + struct.pack("<I", PARAMETERS)              # esi
    flat += bytes.fromhex("31ed 31ff 31db")                      # ebp, edi, ebx = 0
    flat += b"\xb8" + struct.pack("<I", KERNEL) + b"\xff\xe0"    # jmp
    code = (real + flat).ljust(0x48, b"\0")
    table = struct.pack("<HIH", 31, base + 0x50, 0)
    table += struct.pack("<QQQQ", 0, 0, 0xcf9a000000ffff, 0xcf92000000ffff)
    return (code + table).ljust(510, b"\0") + b"\x55\xaa"


def device_model_payload(unpacked, release, model_root: Path):
    """(file on the host, path in dom0) of each. unpacked: Xen and Linux of a release; model_root:
    QEMU. The guest is that of guest_payload(), which comes before.
    """
    root, folder = unpacked.root, unpacked.kernel.parent
    bzimage = find_one(root, "boot/vmlinuz-*").read_bytes()
    setup_size = ((bzimage[0x1f1] or 4) + 1) * 512
    made = {
        "hvm-kernel": bzimage[setup_size:],
        "hvm-parameters": _parameters(bzimage, (folder / "guest-i915.cpio").stat().st_size),
        "hvm-sector": _boot_sector(),
    }
    for name, content in made.items():
        replace(folder / name, content)
    hvmloader = f"usr/lib/xen-{release.xen}/boot/hvmloader"
    return [
        *((folder / name, f"/opt/xengt/{name}") for name in made),
        (model_root / QEMU, f"/{QEMU}"),
        *((find_one(model_root, name), f"/{name}") for name in DATA),
        (find_one(root, hvmloader), f"/{hvmloader}"),
        (find_one(root, "lib/modules/*/kernel/drivers/net/tun.ko*"), "/opt/xengt/tun.ko"),
    ]
