# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest with page tables of its own, over 64 MiB: the GPU copies by them, and they are verified at
# each step.
# timeout: 900

check "xengtd starts" xengtd_start --dma cpu --track-after 2
check "tables over 64 MiB" vgpu_steps tables "tables mib=64 part=16" 400 mem=128
note "64 MiB: $(vgpu_stat tables mappings.map_calls) map hypercalls," \
    "$(vgpu_stat tables access.ioreqs) ioreqs, $(vgpu_stat tables ppgtt.track_calls) of tracking"
guest_destroy tables
check "xengtd ends in order" xengtd_stop
check "no zombies" no_zombies
