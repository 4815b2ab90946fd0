# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest gives memory away and gets it back while it blits, and then reboots.
# needs: i915
# timeout: 1500

# Memory goes and comes while the guest works; its vGPU is verified each time.
breathe() {
    for _mib in 470 512 460 512; do
        xl mem-set linux "$_mib" || return 1
        wait_until 120 _has_memory "$_mib" || return 1
        xengt-ctl verify linux || return 1
    done
}

_has_memory() { # MIB; the GGTT is 8 MiB more
    _now=$(xl list linux | awk 'NR == 2 { print $3 }')
    echo "linux has $_now MiB"
    [ "$_now" -ge $(($1 - 4)) ] && [ "$_now" -le $(($1 + 12)) ]
}

check "xengtd starts" xengtd_start --dma cpu --lazy-ggtt true
check "a Linux guest waits with its vGPU" linux_create linux load,test:load=40,reboot mem=512
guest_unpause linux
check "it is under load" linux_expect linux "^# under load" 400
check "it gives memory away and gets it back, four times" breathe
check "each copy was right" linux_passed linux "test:load=40" 400
linux_results linux
check "it reboots" guest_wait linux 60
guest_destroy linux
check "the new domain gets its vGPU" linux_create linux load,test:store
guest_unpause linux
check "which works as before" linux_passed linux test:store 400
check "the proof is clean" xengt-ctl verify linux
linux_keep linux
guest_destroy linux
check "no zombies" no_zombies 20
check "xengtd ends in order" xengtd_stop
