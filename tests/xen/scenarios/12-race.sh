# SPDX-License-Identifier: LGPL-2.1-or-later
# A page is ballooned out between the moment the GPU may use it and the moment it does, and the
# host's memory goes to somebody else. Nothing of the stranger's may change.
# timeout: 1500
# takes: 20

stranger_is_intact() {
    guest_log "$stranger_domid" | grep CORRUPT && return 1
    _count=$(guest_log "$stranger_domid" | grep -c intact)
    # It has begun a check when it says so: the one after that has seen everything.
    _later() { [ "$(guest_log "$stranger_domid" | grep -c intact)" -gt $((_count + 1)) ]; }
    wait_until 20 _later
}

check "xengtd starts with the edu device" xengtd_start --dma edu
check "a guest waits with its vGPU" vgpu_create victim "race"
check "its vGPU is paused" xengt-ctl pause victim
guest_unpause victim
check "the guest gives its page away while the blit waits" \
    guest_expect victim "blit is waiting" 20
bfn=$(xengt-ctl mappings victim | awk '$1 == 4 { print $3 }')
check "a stranger comes" guest_create stranger "fill" mem=64
check "the stranger has filled it" guest_expect stranger "filled" 20
check "the blit is let go" xengt-ctl resume victim
check "it landed in the page that was kept" guest_expect victim "landed in the page that was kept" 30
check "the guest is content" guest_expect victim "^PASS race" 10
check "not a byte of the stranger's changed" stranger_is_intact
check "the guest is detached" xengt-ctl detach victim
iommu_mark
check "the same DMA again, to BFN $bfn" edu-dma write "$bfn" 0xbd
check_iommu_fault "$bfn" "is stopped by the IOMMU"
check "and not a byte of the stranger's changed" stranger_is_intact
check "xengtd ends in order" xengtd_stop
guest_destroy victim
guest_destroy stranger
check "no zombies" no_zombies
