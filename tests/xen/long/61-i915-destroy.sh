# SPDX-License-Identifier: LGPL-2.1-or-later
# Two guests with i915 at once: one is destroyed under load, and then xengtd is killed under the other.
# needs: i915
# timeout: 1500

detached() {
    ! xengt-ctl list | grep -q doomed
}

beats() {
    linux_log other | grep -c '^beat'
}

beats_on() {
    [ "$(beats)" -gt "$1" ]
}

check "xengtd starts" xengtd_start --dma cpu --track-after 2 --lazy-ggtt true
check "two Linux guests wait" eval \
    'linux_create doomed load,test:load && linux_create other beat,load,test:copy,test:load'
guest_unpause doomed
check "one is under load" linux_expect doomed "^# under load" 600
guest_unpause other
check "and so is the other" linux_expect other "^# under load" 600
check "both proofs are clean" sh -c 'xengt-ctl verify doomed && xengt-ctl verify other'
guest_destroy doomed
check "one is destroyed, and detached" wait_until 20 detached
check "no zombie is left" no_zombies 20
check "the other goes on" linux_expect other "^# under load" 1
check "its proof is clean" xengt-ctl verify other
note "tables of other: $(vgpu_stat other ppgtt.tables), stores trapped: $(vgpu_stat other ppgtt.table_writes)"

kill -KILL "$xengtd_pid"
wait "$xengtd_pid"
check "xengtd is killed, and starts again" xengtd_start --dma cpu --track-after 2 --lazy-ggtt true
check "it takes the other up" taken_up other
_beats=$(beats)
check "the other's CPU goes on, with the pages that were tracked" wait_until 60 beats_on $((_beats + 2))
linux_keep other
guest_destroy other
check "no zombies" no_zombies 20
check "xengtd ends in order" xengtd_stop
