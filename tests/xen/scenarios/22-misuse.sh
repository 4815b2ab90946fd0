# SPDX-License-Identifier: LGPL-2.1-or-later
# Page tables that make no sense. What is right goes on; what cannot is the guest's own failsafe.
# timeout: 1500
# takes: 50

# fails_safe NAME "CASE" REGEX: the guest lives, its vGPU does not, and says why.
fails_safe() {
    vgpu_run "$1" "$2" 60 || return 1
    xengt-ctl stats "$1" | grep 'failsafe_reason' | grep -E "$3" || {
        xengt-ctl stats "$1" | grep -E 'state|failsafe'
        return 1
    }
    xengt-ctl verify "$1"
}

check "xengtd starts" xengtd_start --dma cpu --track-after 2
check "entries that point nowhere, large pages, loops, pages with many uses" \
    vgpu_steps bad "ppbad+pphuge+pploops+ppuses" 400
check "frames that are no RAM became scratch" vgpu_stat_is bad gtt.map_failures -gt 0
check "tables that are no RAM were noticed" vgpu_stat_is bad ppgtt.bad_tables -gt 0
guest_destroy bad
check "pages and tables given back, roots destroyed too often, a GGTT cleared without a flush" \
    vgpu_steps gone "ppballoon+ppnotify+ggttclear entries=800" 300
guest_destroy gone
check "a root beyond the memory" fails_safe noroot ppnoroot "not in the guest's memory"
check "a root that is no page" fails_safe oddroot ppoddroot "no root of a PPGTT"
check "a driver that refuses" fails_safe refuses pvrefusal "insufficient"
check "xengtd ends in order" xengtd_stop
for name in noroot oddroot refuses; do guest_destroy $name; done
check "no zombies" no_zombies
