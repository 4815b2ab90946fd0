# SPDX-License-Identifier: LGPL-2.1-or-later
# As many vGPUs of GVT-g's smallest type at once as the GPU has room for.
# timeout: 900
# takes: 40

check "dom0 goes before guests" dom0_first
check "xengtd starts" xengtd_start --dma cpu
# shellcheck disable=SC2034 # of each_guest
guests="many1 many2 many3 many4 many5 many6 many7 many8"
check "eight guests wait with a GVTg_V4_8 each" each_guest attached_as GVTg_V4_8 "blit pages=20"
check "there is no room for a ninth" fails_with "no room for GVTg_V4_8" \
    attached_as GVTg_V4_8 "hello" ninth
guest_destroy ninth
check "they begin" each_guest guest_unpause
check "each blit is right" each_guest ended_well "blit"
check "each proof is clean" each_guest xengt-ctl verify
check "one is detached" xengt-ctl detach many3
check "and one is destroyed" guest_destroy many5
check "which makes room for another" attached_as GVTg_V4_8 "blit pages=20" ninth
guest_unpause ninth
check "whose blit is right" ended_well "blit" ninth
# shellcheck disable=SC2034 # of each_guest
guests="many1 many2 many4 many6 many7 many8 ninth"
check "each proof is still clean" each_guest xengt-ctl verify
each_guest guest_destroy
guest_destroy many3
check "no zombies" no_zombies 20
check "nothing is mapped" sh -c "xengt-ctl stats | grep '^library.mapped_pages: 0$'"
check "xengtd ends in order" xengtd_stop
dom0_as_others
