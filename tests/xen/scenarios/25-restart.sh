# SPDX-License-Identifier: LGPL-2.1-or-later
# xengtd is replaced, and killed, under a guest that works: the next one takes it up by itself.
# timeout: 1500
# takes: 40

works_on() {
    vgpu_stat_is "$name" gtt.commits -gt 2
}

hangs() {
    guest_log "$(guest_domid "$name")" | grep -c '^hang'
}

# restart clean|killed OPTION...: what the guest stored before is known to the new one, what it stores
# afterwards, too.
restart() {
    _how=$1
    shift
    if [ "$_how" = clean ]; then
        check "xengtd ends in order under the guest" xengtd_stop
    else
        kill -KILL "$xengtd_pid"
        wait "$xengtd_pid" 2>/dev/null
    fi
    check "another starts ($_how)" xengtd_start --dma cpu --track-after 2 "$@"
    check "it takes the guest up" taken_up "$name"
    check "the guest works on" wait_until 60 works_on
    check "the proof is clean" xengt-ctl verify "$name"
}

# outlives NAME OPTION...: by turns
outlives() {
    name=$1
    shift
    check "a guest has a vGPU" vgpu_create "$name" "outlive"
    guest_unpause "$name"
    check "it works" guest_expect "$name" "^works" 200
    restart clean "$@"
    restart clean "$@"
    check "replaced in order, the engine has not hung" test "$(hangs)" -eq 0
    restart killed "$@"
    restart clean "$@"
    restart killed "$@"
    check "two were killed: the engine has hung twice at most" test "$(hangs)" -le 2
    step_go "$name"
    check "each result was right" guest_expect "$name" "^PASS outlive" 60
    note "$(guest_log "$(guest_domid "$name")" | grep 'rounds,')"
}

check "xengtd starts" xengtd_start --dma cpu --track-after 2
outlives trapped
guest_destroy trapped
check "xengtd ends in order" xengtd_stop
check "xengtd starts with global GTTs in RAM" xengtd_start --dma cpu --track-after 2 --lazy-ggtt true
outlives lazy --lazy-ggtt true

# What is not the guest's; and what cannot be gone on with.
check "xengtd ends in order with a guest attached" xengtd_stop
check "another starts, which would trap" xengtd_start --dma cpu
check "it takes the guest up" taken_up lazy
check "as it was" xengt-ctl verify lazy
check "xengtd ends in order" xengtd_stop
printf '\377' | dd of="/run/xengt/vgpu.$lazy_domid" bs=1 seek=8 conv=notrunc 2>/dev/null
check "another starts, after its file was damaged" xengtd_start --dma cpu
check "the guest's vGPU says why it does not go on" \
    sh -c "xengt-ctl stats lazy | grep 'failsafe_reason: .*another version'"
check "xengtd ends in order" xengtd_stop
guest_destroy lazy
check "a guest that is gone" xengtd_start --dma cpu
check "is not taken up" sh -c "! grep 'taken up' /run/xengtd.log"
check "and leaves no file" sh -c "! ls /run/xengt/vgpu.* /run/xengt/ioreq.*"
check "with nobody there" sh -c "xengt-ctl stats | grep '^library.mapped_pages: 0$'"
kill -HUP "$xengtd_pid"
check "a hang-up is no end" xengt-ctl list
check "and is answered" wait_until 5 grep -q "reload: changed: nothing" /run/xengtd.log
check "xengtd ends in order" xengtd_stop
check "no zombies" no_zombies
