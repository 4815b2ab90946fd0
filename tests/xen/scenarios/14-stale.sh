# SPDX-License-Identifier: LGPL-2.1-or-later
# The library by itself: DMA by a BFN works while it is mapped and is stopped when it is not.
# timeout: 600
# takes: 10

check "a guest waits" guest_create target "wait"
check "it is up" guest_expect target "waiting" 20
iommu_mark
check "DMA lands while mapped, and not after the unmap" stale "$target_domid" 0x1800
check_iommu_fault "$(sed -n 's/^gfn .* is BFN //p' /run/check.out)" "the IOMMU stopped the second one"
guest_destroy target
check "no zombies" no_zombies
