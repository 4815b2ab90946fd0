# SPDX-License-Identifier: LGPL-2.1-or-later
# Debian's kernel finds the vGPU on the PCI bus that xengtd presents, and its own i915 drives it.
# boots: i915
# needs: i915
# timeout: 600

check "xengtd starts" xengtd_start --dma cpu
check "a Linux guest waits with its vGPU" linux_create probe load,irqs
guest_unpause probe
check "Linux is up" linux_expect probe "^RUN load" 120
check "i915 is loaded, sound and has a device" linux_passed probe load 120
check "the PCI functions are found" sh -c "grep -q 'pci 0000:00:00.0 0x8086 0x1237' /run/console/guest-probe.log &&
    grep -q 'pci 0000:00:02.0 0x8086 0x1616 0x038000' /run/console/guest-probe.log"
check "it knows that it is on a vGPU" linux_expect probe "Virtual GPU for Intel GVT-g detected" 1
check "interrupts come" linux_passed probe irqs 20
note "$(linux_log probe | grep i915 | grep MSI)"
note "probe: $(vgpu_stat probe access.ioreqs) ioreqs"
check "it is not in failsafe" sh -c "xengt-ctl stats probe | grep 'failsafe_reason: *\(null\|-\)*$'"
check "the proof is clean" xengt-ctl verify probe
linux_keep probe
guest_destroy probe
check "no zombies" no_zombies 10
check "xengtd ends in order" xengtd_stop
