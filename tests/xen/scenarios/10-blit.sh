# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests use their vGPU; the GPU reaches their memory by CPU mappings of the frames.
# timeout: 1500
# takes: 35

check "xengtd starts" xengtd_start --dma cpu
check "a blit of 300 pages is right byte for byte" vgpu_run blit "blit pages=300" 40 mem=64
# Four, on a host that keeps up; a guest that stalls for longer than the settle time makes more.
check "its 603 pages took at most 60 map hypercalls" \
    vgpu_stat_is blit mappings.map_calls -le 60
note "300-page blit: $(vgpu_stat blit mappings.map_calls) map hypercalls," \
    "$(vgpu_stat blit access.ioreqs) ioreqs, $(vgpu_stat blit gtt.commits) commits"
check "its GTT holds 603 pages" vgpu_stat_is blit gtt.present_entries -eq 603
check "the proof is clean" xengt-ctl verify blit
check "a second guest has its own vGPU: registers, re-pointing, halves, bad frames" \
    vgpu_run other "probe+repoint+halves+badgfn" 40
check "four entries are scratch" vgpu_stat_is other gtt.scratch_entries -eq 4
check "four frames were refused" vgpu_stat_is other gtt.map_failures -eq 4
check "both proofs are clean" sh -c 'xengt-ctl verify blit && xengt-ctl verify other'
check "a guest is detached" xengt-ctl detach blit
check "a command no GPU knows is the guest's own problem" vgpu_run bad "badcommand" 20
check "its vGPU says why it failed" sh -c "xengt-ctl stats bad | grep 'failsafe_reason: .*unknown'"
check "xengtd ends in order with guests attached" xengtd_stop
guest_destroy blit
guest_destroy other
guest_destroy bad
check "no zombies" no_zombies
