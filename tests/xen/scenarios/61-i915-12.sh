# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest that is Debian 12's kernel with its i915, whatever dom0 is: another Xen, another driver, a PV
# dom0. It finds its vGPU, and programs work.
# needs: i915-12
# timeout: 1500
# takes: 60

check "xengtd starts" xengtd_start --dma cpu --lazy-ggtt true
check "a Linux guest waits with its vGPU" linux_create guest load,test:store:copy \
    kernel=/opt/xengt/linux-12 ramdisk=/opt/xengt/i915-12.cpio
guest_unpause guest
check "i915 is loaded, sound and has a device" linux_passed guest load 400
check "it is Debian 12's" linux_expect guest "Linux version 6\.1\." 1
check "programs do their work" linux_passed guest test:store:copy 240
linux_results guest
check "the proof is clean" xengt-ctl verify guest
check "the vGPU is not in failsafe" sh -c "xengt-ctl stats guest | grep '^failsafe_reason: -'"
guest_destroy guest
check "no zombies" no_zombies 20
check "xengtd ends in order" xengtd_stop
