# SPDX-License-Identifier: LGPL-2.1-or-later
# What an administrator does to a domain with xl, and what becomes of its vGPU.
# timeout: 1500
# takes: 70

commits() {
    vgpu_stat "$1" gtt.commits
}

works_on() { # NAME
    _before=$(commits "$1")
    wait_until 60 vgpu_stat_is "$1" gtt.commits -gt "$((_before + 2))"
}

stands_still() { # NAME
    _before=$(commits "$1")
    sleep 1
    vgpu_stat_is "$1" gtt.commits -eq "$_before"
}

is_paused() { # NAME
    guest_state "$1" | grep p
}

lists() { # NAME
    xengt-ctl list >/run/list
    cat /run/list
    grep -qw "$1" /run/list
}

has_none() { # NAME
    ! lists "$1"
}

begins_again() { # NAME: as a new domain
    _new=$(xl domid "$1") && [ "$_new" != "$(guest_domid "$1")" ] && eval "$1_domid=\$_new"
}

gone() { # NAME
    ! xl domid "$1"
}

# Xen's tools ask the guest to suspend itself, and wait for a minute.
save_is_refused() {
    wait "$save_pid"
    _status=$?
    cat /run/save.out
    [ "$_status" -ne 0 ] && grep "didn't acknowledge suspend" /run/save.out
}

check "xengtd starts" xengtd_start --dma cpu --track-after 2 --lazy-ggtt true
check "a guest to be saved has a vGPU" vgpu_create saved outlive
guest_unpause saved
check "it works" guest_expect saved "^works" 100
xl save saved /run/saved >/run/save.out 2>&1 &
save_pid=$!

check "a guest works" eval 'vgpu_create web outlive && guest_unpause web && guest_expect web "^works" 100'

check "xl pause" xl pause web
check "it is paused" is_paused web
check "and its vGPU stands still" wait_until 20 stands_still web
check "the proof is clean meanwhile" xengt-ctl verify web
check "xl unpause" xl unpause web
check "it works on" works_on web

check "xl rename" xl rename web shop
check "it is listed by its new name" wait_until 20 lists shop
check "and asked for by it" xengt-ctl verify shop
check "and by its domid" xengt-ctl verify "$web_domid"
check "the old name is nobody's" fails_with "has no vGPU" xengt-ctl stats web
# shellcheck disable=SC2034 # guest_expect takes it
shop_domid=$web_domid
check "and then another guest's" vgpu_create web "blit pages=20"
check "whose vGPU is its own" sh -c "xengt-ctl stats web | grep '^domid: $web_domid'"
guest_destroy web
check "it works on, and is still there" works_on shop

check "xl trigger nmi reaches the guest" xl trigger shop nmi
check "each of its results was right" guest_expect shop "^PASS outlive" 60
guest_destroy shop

check "a guest that will reboot" vgpu_create again "blit pages=20 end=reboot" watched
guest_unpause again
check "works" guest_expect again "^PASS blit" 60
check "and is a new domain" wait_until 60 begins_again again
check "whose predecessor's vGPU is gone" wait_until 20 has_none again
check "and which has none" guest_expect again "is there a vGPU" 60
guest_destroy again

check "a guest that will crash" vgpu_create crash "blit pages=20 end=crash" watched
guest_unpause crash
check "works" guest_expect crash "^PASS blit" 60
check "and is destroyed" wait_until 60 gone crash
check "its vGPU is gone" wait_until 20 has_none crash
check "no zombies" no_zombies 20

check "xl save gives up: the guest does not answer it" save_is_refused
check "its vGPU is still there, and its proof clean" xengt-ctl verify saved
check "and it works on" works_on saved
guest_destroy saved
check "no zombies" no_zombies 20
check "nothing is mapped" sh -c "xengt-ctl stats | grep '^library.mapped_pages: 0$'"
check "xengtd ends in order" xengtd_stop
