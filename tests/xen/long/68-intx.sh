# SPDX-License-Identifier: LGPL-2.1-or-later
# Linux in a guest of type hvm that is told to use no MSI: i915 hears of the vGPU by its pin, which Xen
# routes as those of QEMU's devices; also after xengtd was killed and replaced.
# needs: i915 qemu
# timeout: 900

export hvm_options="pci=nomsi"

check "there is a disk" eval 'insmod /opt/xengt/tun.ko && hvm_disk pin 64'
check "xengtd starts" xengtd_start --dma cpu --lazy-ggtt true
check "an HVM guest waits" hvm_create pin \
    load,test:store:requests=20,irqs,sleep:20,test:fill,sleep:20,test:copy:requests=10,irqs none
guest_unpause pin
check "i915 is loaded, sound and has a device" linux_passed pin load 600
check "programs do their work" linux_passed pin test:store:requests=20 240
check "interrupts come" linux_passed pin irqs 30
check "by a level of the IO-APIC" sh -c "tr -d '\r' </run/console/guest-pin.log | grep -iE 'ioapic-level.*i915|IO-APIC.*fasteoi.*i915'"
note "$(linux_log pin | grep -iE 'io-?apic.*i915')"
kill -KILL "$xengtd_pid"
wait "$xengtd_pid" 2>/dev/null
check "another xengtd starts" xengtd_start --dma cpu --lazy-ggtt true
check "it takes the guest up" taken_up pin
check "which works on" linux_passed pin test:fill 240
check "xengtd ends in order" xengtd_stop
check "another starts" xengtd_start --dma cpu --lazy-ggtt true
check "and the guest works on" linux_passed pin test:copy:requests=10 240
check "the proof is clean" xengt-ctl verify pin
check "nothing has failed" sh -c "! grep -E '^(FAIL|Bail)' /run/console/guest-pin.log"
linux_results pin
guest_destroy pin
check "no zombies" no_zombies 20
check "xengtd ends in order" xengtd_stop
