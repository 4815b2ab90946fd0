# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests have their vGPU by their own configuration, with plain xl.
# timeout: 1200
# takes: 80

back() { # NAME NODE...: of the backend of its device 0
    _domid=$(guest_domid "$1") || return 1
    xenstore-read "backend/vdispl/$_domid/0/$2"
}

back_is() { # NAME NODE VALUE
    _value=$(back "$1" "$2")
    echo "$2 is '$_value'"
    [ "$_value" = "$3" ]
}

has_type() { # NAME TYPE
    xengt-ctl list | grep -w "$1" | tee /run/list | grep -w "$2" && return 0
    xengt-ctl list
    return 1
}

has_none() { # NAME
    ! xengt-ctl list | grep -w "$1"
}

says() { # REGEX: xengtd's log
    grep -E "$1" /run/xengtd.log && return 0
    cat /run/xengtd.log
    return 1
}

# refused REGEX TYPE: xl fails, before its patience of 10 s is at an end, and the log has the reason.
refused() {
    _begin=$(cut -d. -f1 /proc/uptime)
    guest_create refused "blit pages=1" "vdispl=$2"
    _status=$?
    echo "exit status $_status after $(($(cut -d. -f1 /proc/uptime) - _begin)) s"
    [ "$_status" -ne 0 ] && ! xl domid refused && says "$1"
}

begins_again() { # NAME: as a new domain
    _new=$(xl domid "$1") && [ "$_new" != "$(guest_domid "$1")" ] && eval "$1_domid=\$_new"
}

lists_device() { # NAME REGEX
    xl vdispl-list "$1" >/run/vdispl.out 2>&1
    cat /run/vdispl.out
    grep -Eq "$2" /run/vdispl.out
}

fails() { # COMMAND...
    ! "$@"
}

ended() { # NAME: it may begin again just now
    xl destroy "$1"
    ! xl domid "$1"
}

timed() { # COMMAND...
    _begin=$(cut -d. -f1 /proc/uptime)
    "$@"
    _status=$?
    note "$*: $(($(cut -d. -f1 /proc/uptime) - _begin)) s, status $_status"
    return "$_status"
}

check "xengtd starts" xengtd_start --dma cpu
check "xl create gives a guest its vGPU" timed guest_create web "blit pages=20" vdispl=GVTg_V4_8
check "of the type that it asks for" has_type web GVTg_V4_8
check "and it is found: a blit is right" guest_expect web "^PASS blit" 60
check "xl has waited for it" back_is web state 2
check "what was given is written down" back_is web xengt/type GVTg_V4_8
check "its kernel will see no display" sh -c "xenstore-read /local/domain/$web_domid/device/vdispl/0/state | grep 6"
check "xl vdispl-list shows it" lists_device web "BE-path: /local/domain/0/backend/vdispl/$web_domid/0"
check "and so does its log" says "vdispl device 0 of domain $web_domid is a vGPU: GVTg_V4_8 1920x1080"

check "an unknown type is refused" refused "there is no .*'GVTg_V5_1'.*GVTg_V4_8" GVTg_V5_1

check "xl destroy frees it" timed guest_destroy web
check "xengtd has none of it" wait_until 20 has_none web
check "no zombies" no_zombies 20

check "a guest without one" guest_create late outlive paused
check "gets one by xl vdispl-attach" timed xl vdispl-attach late connectors=custom:1920x1080
check "of that type" has_type late custom
check "a second one is refused" fails xl vdispl-attach late connectors=custom:1920x1080
check "with the reason in the log" says "has a vGPU already, by its device 0"
check "and at the device" sh -c "xenstore-read backend/vdispl/$late_domid/1/xengt/error | grep 'device 0'"
guest_unpause late
check "it works" guest_expect late "^works" 100

kill -KILL "$xengtd_pid"
wait "$xengtd_pid" 2>/dev/null
check "xengtd is killed and started again" xengtd_start --dma cpu
check "it has taken the guest up" taken_up late
check "which xl's device still holds" back_is late state 2
check "its proof is clean" xengt-ctl verify late
check "xl vdispl-detach takes it away" timed xl vdispl-detach late 0
check "it is gone" wait_until 20 has_none late
guest_destroy late

check "a guest that will reboot" guest_create again "blit pages=20 end=reboot" vdispl=custom watched
check "works" guest_expect again "^PASS blit" 60
check "and is a new domain" wait_until 60 begins_again again
check "which has a vGPU, too, and works" guest_expect again "^PASS blit" 60
check "until it is destroyed" wait_until 60 ended again
check "of none of them a node stays" fails xenstore-ls backend/vdispl
check "no zombies" no_zombies 20
check "nothing is mapped" sh -c "xengt-ctl stats | grep '^library.mapped_pages: 0$'"
check "xengtd ends in order" xengtd_stop
