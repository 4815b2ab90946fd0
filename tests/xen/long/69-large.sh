# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest that has RAM where the registers usually are, as those of more than 3 GiB do, which this machine
# is too small for: its vGPU is beyond its RAM, above 4 GiB, and i915 works there.
# needs: i915
# timeout: 900

check "xengtd starts" xengtd_start --dma cpu --lazy-ggtt true --mmio-base 0x10000000
check "a guest of 384 MiB waits with its vGPU" linux_create large load,test:store:fill:copy,reload,test:store
guest_unpause large
check "i915 is loaded, sound and has a device" linux_passed large load 600
check "its registers are above 4 GiB" \
    sh -c "tr -d '\r' </run/console/guest-large.log | grep -E '00:02.0: .*BAR 0 .*0x[0-9a-f]{9,}|00:02.0: reg 0x10: .*0x[0-9a-f]{9,}'"
check "programs do their work" linux_passed large test:store:fill:copy 240
check "i915 goes out and in again" linux_passed large reload 240
check "and works" linux_passed large test:store 60
check "the proof is clean" xengt-ctl verify large
linux_results large
guest_destroy large
check "no zombies" no_zombies 20
check "xengtd ends in order" xengtd_stop
