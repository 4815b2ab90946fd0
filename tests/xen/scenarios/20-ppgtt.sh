# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest with page tables of its own: built, re-pointed, shared, reused, stored into. The GPU copies
# by them in each state, and they are verified at each step.
# boots: pvh-amd pvh-intel
# timeout: 400

check "xengtd starts" xengtd_start --dma cpu
check "tables over 64 MiB" vgpu_steps tables "tables mib=64" 150 mem=128
note "64 MiB: $(vgpu_stat tables mappings.map_calls) map hypercalls," \
    "$(vgpu_stat tables access.ioreqs) ioreqs, $(vgpu_stat tables ppgtt.track_calls) of tracking"
guest_destroy tables
check "re-pointed at each level; shared by two roots; reused as data and as other tables" \
    vgpu_steps shapes "pprepoint+ppshare+recycle" 150
check "stores into it were trapped" vgpu_stat_is shapes ppgtt.table_writes -gt 0
guest_destroy shapes
check "hammered, quiet, and hammered again" vgpu_steps hammer "hammer rounds=20 stores=300" 150
check "the table was tracked in between" vgpu_stat_is hammer ppgtt.track_calls -ge 6
check "most of the stores were not trapped" vgpu_stat_is hammer ppgtt.table_writes -lt 200
note "18000 stores: $(vgpu_stat hammer ppgtt.table_writes) trapped," \
    "$(vgpu_stat hammer ppgtt.oos_change) found"
guest_destroy hammer
check "entries in halves, bytes, and across each other" vgpu_steps halves "pphalves+ppodd" 100
check "odd stores were noticed" vgpu_stat_is halves ppgtt.odd_writes -gt 0
guest_destroy halves
check "xengtd ends in order" xengtd_stop
check "no zombies" no_zombies
