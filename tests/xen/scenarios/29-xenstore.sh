# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests do not notice that xenstored hangs, or has ended. One that is started again knows nothing of
# what there was.
# timeout: 900
# takes: 80

commits() {
    vgpu_stat "$1" gtt.commits
}

works_on() { # NAME
    _before=$(commits "$1")
    wait_until 60 vgpu_stat_is "$1" gtt.commits -gt "$((_before + 2))"
}

says() { # TIMES REGEX: xengtd's log
    [ "$(grep -Ec "$2" /run/xengtd.log)" -eq "$1" ] && return 0
    cat /run/xengtd.log
    return 1
}

has_none() { # DOMID
    ! xengt-ctl list | grep -w "$1"
}

xenstored_pid=$(cat /run/xenstored.pid)

check "xengtd starts" xengtd_start --dma cpu --track-after 2 --lazy-ggtt true
check "two guests have vGPUs" eval 'vgpu_create web outlive && vgpu_create mail outlive'
guest_unpause web
guest_unpause mail
check "one works" guest_expect web "^works" 100
check "and the other" guest_expect mail "^works" 100

kill -STOP "$xenstored_pid"
check "xenstored hangs: a guest works on" works_on "$web_domid"
check "which is known by its name as before" xengt-ctl verify web
check "a name that nobody has is no reason to wait" fails_with "." xengt-ctl attach nobody
check "one line says so" wait_until 20 says 1 "xenstored has not answered for"
check "a domain is destroyed meanwhile" guest-tool destroy "$mail_domid"
check "which is noticed" wait_until 20 has_none "$mail_domid"
check "the other works on" works_on "$web_domid"
kill -CONT "$xenstored_pid"
check "xenstored is back: another line says so" wait_until 20 says 1 "xenstored answers again"
check "and it was said once that it hung" says 1 "xenstored has not"
check "a new guest is found by its name" vgpu_run new "blit pages=20" 60
guest_destroy new

kill -KILL "$xenstored_pid"
check "xenstored is killed: one line says so" wait_until 20 says 1 "xenstored is not reachable"
check "the guest works on" works_on "$web_domid"
kill -KILL "$xengtd_pid"
wait "$xengtd_pid" 2>/dev/null
check "xengtd is killed, too, and started again without a xenstored" xengtd_start --dma cpu --track-after 2 --lazy-ggtt true
check "it has taken up the guest" says 1 "vGPU 1 taken up"
check "whose proof is clean" xengt-ctl verify "$web_domid"
check "and which works on" works_on "$web_domid"
check "it is destroyed" guest-tool destroy "$web_domid"
check "which is noticed" wait_until 20 has_none "$web_domid"
xenstored --pid-file /run/xenstored.pid
xen-init-dom0 >/dev/null
xenconsoled --pid-file=/run/xenconsoled.pid --log=guest --log-dir=/run/console # ended with the other
check "xenstored is started again: a line says so" wait_until 30 says 1 "xenstored answers again"
check "a new guest has its vGPU by its configuration" guest_create newer "blit pages=20" vdispl=custom
check "and works" guest_expect newer "^PASS blit" 60
guest_destroy newer
check "nothing is mapped" sh -c "xengt-ctl stats | grep '^library.mapped_pages: 0$'"
check "xengtd ends in order" xengtd_stop
