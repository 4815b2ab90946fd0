# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests whose tables are tracked lose their vGPU, their xengtd, or their life.
# boots: pvh-intel
# timeout: 800

detached() {
    ! xengt-ctl list | grep -q "$1"
}

check "xengtd starts" xengtd_start --dma cpu --track-after 2
check "a guest holds its tables" vgpu_create doomed pphold
guest_unpause doomed
check "after it used them" guest_expect doomed "holding" 200
check "they are tracked" vgpu_stat_is doomed ppgtt.track_calls -gt 0
guest_destroy doomed
check "xengtd has detached the guest" wait_until 20 detached doomed
check "no zombie is left" no_zombies 20
check "nothing is mapped" sh -c "xengt-ctl stats | grep '^library.mapped_pages: 0$'"

check "a guest with tracked tables" vgpu_create former "former stores=200000 steps=1"
guest_unpause former
check "has used them" guest_expect former "^step tables are trapped" 200
check "it is detached" xengt-ctl detach former
step_go former
check "its stores go through at full speed" guest_expect former "^PASS former" 200
note "$(guest_log "$former_domid" | grep 'former tables took')"
guest_destroy former

check "a guest stores into tracked tables" vgpu_create alive "survive seconds=8 steps=1"
guest_unpause alive
check "has used them" guest_expect alive "^step tables are trapped" 200
step_go alive
kill -KILL "$xengtd_pid"
check "xengtd is killed and starts again" xengtd_start --dma cpu --track-after 2
check "the guest goes on" guest_expect alive "^alive" 200
note "$(guest_log "$alive_domid" | grep 'stores in')"
check "it gets a vGPU again" xengt-ctl attach alive
step_go alive
check "and ends in order" guest_expect alive "^PASS survive" 30
check "xengtd ends in order" xengtd_stop
guest_destroy alive
check "no zombies" no_zombies
