# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests whose tables are tracked lose their vGPU, their xengtd, or their life.
# timeout: 1500
# takes: 45

detached() {
    ! xengt-ctl list | grep -q "$1"
}

# survives NAME HOW: its store into a tracked table waits for an answer when xengtd is gone or its vGPU
# is. NAME says what it stores.
survives() {
    name=$1
    check "a guest's tables are tracked" \
        vgpu_create "$name" "survive seconds=4 steps=1 whole=$([ "$name" = whole ] && echo 1 || echo 0)"
    guest_unpause "$name"
    check "it has used them" guest_expect "$name" "^step tables are trapped" 200
    kill -STOP "$xengtd_pid"
    step_go "$name"
    sleep 1
    "$2"
    check "the guest goes on" guest_expect "$name" "^alive" 200
    note "$(guest_log "$(guest_domid "$name")" | grep 'stores in')"
    "$2_again"
    step_go "$name"
    check "and ends in order" guest_expect "$name" "^PASS survive" 30
    guest_destroy "$name"
}

killed() {
    kill -KILL "$xengtd_pid"
    check "xengtd is killed and starts again" xengtd_start --dma cpu --track-after 2
}

killed_again() {
    check "xengtd has taken it up" taken_up "$name"
    check "and knows what it stored" xengt-ctl verify "$name"
}

taken_away() {
    xengt-ctl detach "$name" >/run/detach.out 2>&1 &
    detaching=$!
    sleep 0.5
    kill -CONT "$xengtd_pid"
    check "its vGPU is taken away" wait "$detaching"
}

taken_away_again() {
    check "it gets a vGPU again" xengt-ctl attach "$name"
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

survives words killed
survives whole killed
survives words taken_away
survives whole taken_away
check "xengtd ends in order" xengtd_stop
check "no zombies" no_zombies
