# SPDX-License-Identifier: LGPL-2.1-or-later
# Ten thousand requests over four engines and eight contexts, each of which leaves its mark.
# needs: i915
# timeout: 3000

work=test:requests=10000

check "xengtd starts" xengtd_start --dma cpu --lazy-ggtt true
check "a Linux guest waits with its vGPU" linux_create linux "load,$work,test:store"
guest_unpause linux
check "i915 is loaded, sound and has a device" linux_passed linux load 240
check "all requests are done" linux_passed linux "$work" 2400
check "the proof is clean" xengt-ctl verify linux
check "and work goes on" linux_passed linux test:store 100
linux_results linux
check "the vGPU is not in failsafe" sh -c "xengt-ctl stats linux | grep '^failsafe_reason: -'"
guest_destroy linux
check "no zombies" no_zombies 20
check "xengtd ends in order" xengtd_stop
