# SPDX-License-Identifier: LGPL-2.1-or-later
# Two guests with page tables at once; and page tables in front of real DMA and the IOMMU.
# timeout: 1500
# takes: 95

check "xengtd starts" xengtd_start --dma cpu --track-after 2
check "a guest waits with its vGPU" vgpu_create one "tables+pprepoint mib=8 part=4 steps=1" mem=64
check "another one" vgpu_create two "hammer+ppshare+ppbad rounds=2 stores=100 entries=64 steps=1"
guest_unpause one
guest_unpause two
check "both go through all their states" steps_follow 500 one two
guest_destroy one
guest_destroy two
check "no zombies" no_zombies
check "xengtd ends in order" xengtd_stop

check "xengtd starts with the edu device" xengtd_start --dma edu --track-after 2
iommu_mark
check "blits by page tables, with real DMA" vgpu_steps edu "ppuses" 300
check_iommu_quiet "the IOMMU had nothing to stop"
guest_destroy edu
check "xengtd ends in order" xengtd_stop
check "no zombies" no_zombies
