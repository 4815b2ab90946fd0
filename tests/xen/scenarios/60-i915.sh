# SPDX-License-Identifier: LGPL-2.1-or-later
# Debian's kernel finds the vGPU on the PCI bus that xengtd presents; its own i915 drives it, a program
# submits work on all engines, a hang is reset, and i915 goes out and in again.
# needs: i915
# timeout: 1500
# takes: 150

# More of it: run.py --payload FILE:/opt/xengt/i915-rounds, a file that holds a number.
rounds=$(cat /opt/xengt/i915-rounds 2>/dev/null || echo 1)
work=test:identity:store:pinned:fill:copy:userptr:requests=$((60 * rounds))
reloads=$(yes reload | head -n "$rounds" | tr '\n' ',')

says() {
    linux_log linux | grep -E "$1"
}

check "xengtd starts" xengtd_start --dma cpu --lazy-ggtt true
check "a Linux guest waits with its vGPU" linux_create linux \
    "load,irqs,$work,test:hang,${reloads}test:store"
guest_unpause linux
check "Linux is up" linux_expect linux "^RUN load" 300
check "i915 is loaded, sound and has a device" linux_passed linux load 240
note "i915's probe made $(vgpu_stat linux access.ioreqs) ioreqs"
check "the bridge is found" says "^pci 0000:00:00.0 0x8086 0x1237 0x060000"
check "the vGPU is found" says "^pci 0000:00:02.0 0x8086 0x1616 0x038000"
check "i915 knows that it is virtual" says "Virtual GPU for Intel GVT-g detected"
check "interrupts come" linux_passed linux irqs 30
note "$(says 'PCI-MSI.*i915')"
check "programs do their work" linux_passed linux "$work" $((240 * rounds))
check "the proof is clean" xengt-ctl verify linux
check "a hang is reset" linux_passed linux test:hang 240
check "i915 goes out and in again" linux_passed linux reload 240
check "and works" linux_passed linux test:store $((60 * rounds))
check "the proof is clean after all" xengt-ctl verify linux
check "nothing has failed" sh -c "! grep -E '^(FAIL|Bail)' /run/console/guest-linux.log"
linux_results linux
check "the vGPU is not in failsafe" sh -c "xengt-ctl stats linux | grep '^failsafe_reason: -'"
guest_destroy linux
check "no zombies" no_zombies 20
check "xengtd ends in order" xengtd_stop
