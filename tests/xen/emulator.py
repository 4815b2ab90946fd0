# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QEMU that the machines run on: the system's own, with one mistake of its emulated SVM mended.

When VMRUN injects an interrupt, QEMU's helper_vmrun() delivers it, and leaves its vector in
CPUState.exception_index all the same. What normally follows clears that: an exception, another
interrupt, a VMEXIT. But when the CPU has to leave its loop for another reason - a timer is due while
time goes by the instructions executed, or another CPU asks for a TLB flush -, cpu_handle_exception()
takes it for an exception to be delivered still, and the guest gets its interrupt once more, also
where it has forbidden them. Seen on the boot i915 with "-d int": 11 times in 50 seconds. Most do no
harm, but one in a lock's hands or in entry code is the end: a guest that waits for itself, or dom0's
kernel in endless faults.

A copy of the system's QEMU in the build folder has that one store replaced by nothing.

QEMU 10's SVM tells Xen of a guest's read of CR2 as one of CR0. Xen 4.17 believes it, so that a PVH dom0
halts at its first page fault; 4.20 works. There is no remedy: those boots are skipped.
"""

import re
import shutil
import subprocess
from pathlib import Path

from fetch import Unavailable
from image import ImageError, replace

NAME = "qemu-system-x86_64"
STORE = 6          # bytes of the instruction
NOTHING = bytes.fromhex("660f1f440000")
# In helper_vmrun(), where the event is an external interrupt:
#   mov %esi,exception_index; movl $0,exception_is_int; movq $-1,exception_next_eip; ...
#   mov $1,%edx; mov %rbx,%rdi; call do_interrupt_x86_hardirq
PLACE = re.compile(rb"\x89\xb3..\xff\xff"
                   rb"\xc7\x83....\x00{4}"
                   rb"\x48\xc7\x83....\xff{4}"
                   rb".{0,24}?\xba\x01\x00\x00\x00\x48\x89\xdf\xe8", re.DOTALL)


def _mend(program: Path, copy: Path):
    """False when this QEMU does not look like those that are known."""
    code = program.read_bytes()
    places = [match.start() for match in PLACE.finditer(code)]
    if len(places) != 1:
        return False
    start = places[0]
    replace(copy, code[:start] + NOTHING + code[start + STORE:], 0o755)
    return True


def _surroundings(program: Path):
    """What QEMU finds by where it lies: its firmware, its modules."""
    folders = subprocess.run([program, "-L", "help"], check=True, capture_output=True,
                             text=True).stdout.split()
    modules = next(Path("/usr/lib").glob("*/qemu/accel-tcg-x86_64.so"), None)
    environment = ["env", f"QEMU_MODULE_DIR={modules.parent}"] if modules else []
    return environment, [word for folder in folders for word in ("-L", folder)]


def _found():
    found = shutil.which(NAME)
    if not found:
        raise ImageError(f"{NAME} is missing; ./dev setup installs it")
    return found


def check_emulator(release):
    """Raises Unavailable where that release's Xen does not run on this QEMU."""
    text = subprocess.run([_found(), "--version"], check=True, capture_output=True, text=True).stdout
    version = re.search(r"version (\d+)\.\S+", text)
    if release.xen == "4.17" and version and int(version[1]) >= 10:
        raise Unavailable(f"Xen 4.17 does not run on QEMU 10 and later, and this is {version[0]} "
                          "(tests/xen/emulator.py)")


def emulator(xen_dir: Path):
    """The beginning of the command line."""
    found = _found()
    program, copy = Path(found).resolve(), xen_dir / NAME
    if not _mend(program, copy):
        print(f"# {program} is not a QEMU whose SVM is known: boots may break now and then "
              "(tests/xen/emulator.py)", flush=True)
        return [found]
    environment, folders = _surroundings(program)
    return [*environment, str(copy), *folders]
