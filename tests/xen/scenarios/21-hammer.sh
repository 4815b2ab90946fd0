# SPDX-License-Identifier: LGPL-2.1-or-later
# Page tables that are stored into: often, then not at all, in halves, in ways no driver does.
# timeout: 1500
# takes: 25

check "xengtd starts" xengtd_start --dma cpu --track-after 2
check "hammered, quiet, and hammered again" vgpu_steps hammer "hammer rounds=12 stores=100 entries=64" 400
check "the table was tracked in between" vgpu_stat_is hammer ppgtt.track_calls -ge 6
check "most of the stores were not trapped" vgpu_stat_is hammer ppgtt.table_writes -lt 600
note "3600 stores: $(vgpu_stat hammer ppgtt.table_writes) trapped," \
    "$(vgpu_stat hammer ppgtt.oos_change) found"
guest_destroy hammer
check "entries in halves, bytes, and across each other" vgpu_steps halves "pphalves+ppodd entries=64" 300
check "odd stores were noticed" vgpu_stat_is halves ppgtt.odd_writes -gt 0
guest_destroy halves
check "xengtd ends in order" xengtd_stop
check "no zombies" no_zombies
