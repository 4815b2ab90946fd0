# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest with page tables of its own: built over 16 MiB (long/20-ppgtt: 64), re-pointed, shared,
# reused as data and as other tables. The GPU copies by them in each state, and they are verified at
# each step.
# timeout: 1500
# takes: 35

check "xengtd starts" xengtd_start --dma cpu --track-after 2
check "tables over 16 MiB" vgpu_steps tables "tables mib=16 part=4" 400
note "16 MiB: $(vgpu_stat tables mappings.map_calls) map hypercalls," \
    "$(vgpu_stat tables access.ioreqs) ioreqs, $(vgpu_stat tables ppgtt.track_calls) of tracking"
guest_destroy tables
check "re-pointed at each level; shared by two roots; reused" \
    vgpu_steps shapes "pprepoint+ppshare+recycle" 400
check "stores into it were trapped" vgpu_stat_is shapes ppgtt.table_writes -gt 0
guest_destroy shapes
check "xengtd ends in order" xengtd_stop
check "no zombies" no_zombies
