# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machines the Xen tests boot: QEMU with an emulated IOMMU, Xen, and a PVH or PV dom0."""

from dataclasses import dataclass
from pathlib import Path

from releases import DEBIAN_12, DEBIAN_13, Release

# TCG gets rdtscp and AVX/XSAVE wrong for nested guests; without them Xen's guests run reliably.
CPU = "max,vendor=AuthenticAMD,+svm,+npt,-rdtscp,-rdpid,-xsave,-avx,-avx2"
# A PV dom0's kernel dies in its first instructions when these are offered under TCG.
CPU_PV = CPU + ",-smap,-smep,-pcid,-la57"

# What costs time and is not what is tested; a boot takes two thirds of the time without. With smap each
# copy from or to a user ends a block of translated code; la57 is a level more of each walk.
QUICK_CPU = ",-smap,-smep,-la57"
# TCG does a string instruction element by element: to copy by bytes, which kernels prefer where it is
# said to be fast, is eight times the work. Linux as a guest keeps it: it clears page tables that way.
QUICK_COPIES = ",-erms,-fsrm"
QUICK_XEN = "spec-ctrl=no bootscrub=no"
QUICK_LINUX = "mitigations=off init_on_alloc=0 rodata=off lsm=capability cryptomgr.notests"

AMD_IOMMU = ["amd-iommu"]
INTEL_IOMMU = ["intel-iommu,intremap=off,caching-mode=off,aw-bits=48"]
# conring_size: the scenarios read guests' output back from Xen's ring, so nothing may fall out.
XEN_OPTIONS = ("console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all conring_size=2m "
               "dom0_mem=1024M")
DOM0_OPTIONS = "console=hvc0 loglevel=4 panic=1"
# A range beyond all memory, reserved for the window: what newer kernels need.
WINDOW = "memmap=2G$0x4000000000"


def iommu_log(console_log: Path):
    """Where QEMU writes what its IOMMU does."""
    return console_log.with_suffix(".iommu.log")


@dataclass(frozen=True)
class Boot:
    """One way to start the machine."""

    name: str
    cpu: str
    iommu: tuple
    xen_options: str
    counted: bool = False
    dom0_options: str = ""
    release: Release = DEBIAN_12
    quick: bool = True   # not where time is what is looked at

    def qemu_command(self, emulator, xen: Path, kernel: Path, initramfs: Path,
                     console_log: Path):
        """com1 is Xen's console, kept in a file; com2 is the harness's own channel, on stdio.

        One CPU: two boots side by side are done sooner than two CPUs for one.

        counted: time goes by the instructions executed, and not at all while the CPU halts. A driver
        that gives its device 200 ms to answer gives it as much work then on any host, however busy.

        What the emulated IOMMU does is traced into a file: QEMU's AMD IOMMU stops DMA to an address
        whose PTE is 0, but tells nobody (amdvi_page_walk), so that Xen has nothing to log.
        """
        cpu, xen_options, dom0_options = self.cpu, self.xen_options, self.dom0_options
        if self.quick:
            cpu += QUICK_CPU + ("" if self.counted else QUICK_COPIES)
            xen_options += f" {QUICK_XEN}"
            dom0_options += f" {QUICK_LINUX}"
        accel = ["-accel", "tcg,thread=multi"]
        if self.counted:
            accel = ["-accel", "tcg,thread=single", "-icount", "shift=3,sleep=off"]
        return [
            *emulator, *accel,
            "-M", "q35,kernel-irqchip=split", "-smp", "1", "-m", "3072",
            "-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot",
            "-cpu", cpu, "-device", *self.iommu,
            "-device", "edu,dma_mask=0xffffffffff",
            "-trace", "amdvi_translation_result", "-trace", "vtd_dmar_fault",
            "-D", str(iommu_log(console_log)),
            "-serial", f"file:{console_log}",
            "-chardev", "stdio,id=channel,signal=off", "-serial", "chardev:channel",
            "-kernel", str(xen), "-append", f"{XEN_OPTIONS} {xen_options}".rstrip(),
            "-initrd", f"{kernel} {DOM0_OPTIONS} {dom0_options},{initramfs}",
        ]


BOOTS = {boot.name: boot for boot in (
    Boot("pvh-amd", CPU, tuple(AMD_IOMMU), "dom0=pvh"),
    # On this AMD CPU Xen would share the NPT with VT-d and then not flush VT-d's IOTLB.
    Boot("pvh-intel", CPU, tuple(INTEL_IOMMU), "dom0=pvh iommu=no-sharept"),
    Boot("pvh-memmap", CPU, tuple(AMD_IOMMU), "dom0=pvh", dom0_options=WINDOW),
    Boot("pv-relaxed", CPU_PV, tuple(AMD_IOMMU), ""),
    Boot("pv-strict", CPU_PV, tuple(AMD_IOMMU), "dom0-iommu=strict"),
    Boot("i915", CPU, tuple(AMD_IOMMU), "dom0=pvh", counted=True),
    Boot("i915-pv", CPU_PV, tuple(AMD_IOMMU), "dom0-iommu=strict", counted=True),
    Boot("pvh-amd-13", CPU, tuple(AMD_IOMMU), "dom0=pvh", dom0_options=WINDOW, release=DEBIAN_13),
    Boot("pv-strict-13", CPU_PV, tuple(AMD_IOMMU), "dom0-iommu=strict", release=DEBIAN_13),
    Boot("i915-13", CPU, tuple(AMD_IOMMU), "dom0=pvh", counted=True, dom0_options=WINDOW,
         release=DEBIAN_13),
)}
