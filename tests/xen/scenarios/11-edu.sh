# SPDX-License-Identifier: LGPL-2.1-or-later
# The same with real DMA: a PCI device moves the bytes, its addresses go through the IOMMU.
# timeout: 1500
# takes: 25

check "xengtd starts with the edu device" xengtd_start --dma edu
iommu_mark
check "a blit of 20 pages by DMA is right byte for byte" vgpu_run twenty "blit pages=20" 60
check "a blit of 1 page, and an entry re-pointed" vgpu_run one "blit+repoint pages=1" 40
check_iommu_quiet "the IOMMU had nothing to stop"
check "the proof is clean" xengt-ctl verify twenty
check "xengtd ends in order" xengtd_stop
guest_destroy twenty
guest_destroy one
check "no zombies" no_zombies
