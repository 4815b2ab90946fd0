# SPDX-License-Identifier: LGPL-2.1-or-later
# Fifteen guests at once, each with a small vGPU, that work by page tables of their own: one is destroyed
# while the others work, and another one comes.
# timeout: 3000

works_on() { # NAME
    _commits=$(vgpu_stat "$1" gtt.commits)
    wait_until 100 vgpu_stat_is "$1" gtt.commits -gt "$((_commits + 2))"
}

vgpus_are() { # NUMBER
    xengt-ctl list >/run/list
    cat /run/list
    [ "$(grep -c custom /run/list)" -eq "$1" ]
}

says_works() { # NAME
    guest_expect "$1" "^works" 300
}

check "dom0 goes before guests" dom0_first
check "xengtd starts" xengtd_start --dma cpu --mappable-mib 32 --unmappable-mib 64
guests=$(for n in $(seq 15); do echo "many$n"; done)
check "fifteen guests wait with a small vGPU each" each_guest attached_as custom "outlive rounds=2"
check "there are fifteen" vgpus_are 15
check "they begin" each_guest guest_unpause
check "all work" each_guest says_works
check "each proof is clean" each_guest xengt-ctl verify
check "all work on" each_guest works_on
guest_destroy many7
check "one is destroyed and let go of" wait_until 20 vgpus_are 14
check "without a zombie" no_zombies 20
check "another comes" attached_as custom "blit pages=20" another
guest_unpause another
check "and is right" ended_well "blit" another
guests=$(echo "$guests" | grep -vx many7)
check "the others work on" each_guest works_on
check "each proof is clean" each_guest xengt-ctl verify
check "they are told that it is enough" each_guest step_go
check "each result was right" each_guest ended_well "outlive"
each_guest guest_destroy
guest_destroy another
check "no zombies" no_zombies 20
check "nothing is mapped" sh -c "xengt-ctl stats | grep '^library.mapped_pages: 0$'"
check "xengtd ends in order" xengtd_stop
dom0_as_others
