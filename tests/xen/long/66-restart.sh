# SPDX-License-Identifier: LGPL-2.1-or-later
# xengtd is killed and replaced, by turns, 50 times, under two guests that work: one is Linux with i915.
# needs: i915
# timeout: 3000

restarts=50

# i915 says the one when it was told to note down what the GPU did, the other when it was not.
hang='GPU HANG|Resetting [a-z]*[0-9] '

copies() {
    linux_log linux | grep -c 'KiB copied'
}

linux_hangs() {
    linux_log linux | grep -cE "$hang"
}

copies_on() {
    [ "$(copies)" -gt "$1" ]
}

works_on() {
    vgpu_stat_is bare gtt.commits -gt 2
}

restart() {
    if [ "$1" = clean ]; then
        xengtd_stop || return 1
    else
        kill -KILL "$xengtd_pid"
        wait "$xengtd_pid" 2>/dev/null
    fi
    _copies=$(copies)
    xengtd_start --dma cpu --track-after 2 --lazy-ggtt true || return 1
    [ "$(grep -c 'taken up' /run/xengtd.log)" -eq 2 ] || { cat /run/xengtd.log; return 1; }
    wait_until 120 copies_on $((_copies + 1)) || { echo "i915 does not go on"; return 1; }
    wait_until 120 works_on || { echo "the bare guest does not go on"; return 1; }
    xengt-ctl verify linux && xengt-ctl verify bare
}

check "xengtd starts" xengtd_start --dma cpu --track-after 2 --lazy-ggtt true
check "two guests wait" eval "linux_create linux load,test:outlive=900,hangs,test:store && \
    vgpu_create bare outlive"
guest_unpause linux
guest_unpause bare
check "the bare guest works" guest_expect bare "^works" 200
check "and so does i915" linux_expect linux "KiB copied" 600
unexpected=0
for n in $(seq "$restarts"); do
    before=$(linux_hangs)
    if [ $((n % 2)) -eq 1 ]; then
        check "killed: they are taken up and work on ($n)" restart killed
    else
        check "replaced: they are taken up and work on ($n)" restart clean
        unexpected=$((unexpected + $(linux_hangs) - before))
    fi
done
note "after $restarts restarts: $(linux_hangs) hangs of i915's, $unexpected after a clean one"
check "a clean restart is no hang" test "$unexpected" -eq 0
check "a kill is one hang at most" test "$(linux_hangs)" -le $((restarts / 2))
step_go bare
check "each result of the bare guest was right" guest_expect bare "^PASS outlive" 60
note "$(guest_log "$bare_domid" | grep 'rounds,')"
check "and each of i915" linux_passed linux test:outlive=900 1000
check "which works on" linux_passed linux test:store 60
linux_log linux | grep -oE "($hang).*" | sort -u >/run/hangs.out
while read -r _line; do note "$_line"; done </run/hangs.out
linux_results linux
check "the proofs are clean" sh -c 'xengt-ctl verify linux && xengt-ctl verify bare'
check "they are in no failsafe" sh -c "! xengt-ctl stats linux | grep '^failsafe_reason: [^-]'"
guest_destroy linux
guest_destroy bare
check "no zombies" no_zombies 20
check "nothing is mapped" sh -c "xengt-ctl stats | grep '^library.mapped_pages: 0$'"
check "xengtd ends in order" xengtd_stop
