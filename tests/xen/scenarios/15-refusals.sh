# SPDX-License-Identifier: LGPL-2.1-or-later
# What cannot be is said in one line, with exit status 1.
# timeout: 600
# takes: 20

# Debian's Xen is built without shadow paging and so refuses to make a guest without HAP by itself;
# that refusal of ours is tested on the simulator.
pv_domain() {
    printf '%s\n' 'name="pv"' 'type="pv"' 'kernel="/opt/xengt/pv-guest"' 'memory=32' >/run/pv.cfg
    xl create -e -q -p /run/pv.cfg
}

# refused NAME REGEX LINE...: a guest with these lines in its configuration is refused, and has nothing
# of a vGPU then: a second attach says the same. Xen may refuse to make it by itself.
refused() {
    _refused=$1 _why=$2
    shift 2
    {
        printf '%s\n' "name=\"$_refused\"" 'type="pvh"' "kernel=\"$GUEST\"" 'cmdline="wait"' 'memory=32'
        printf '%s\n' "$@"
    } >"/run/$_refused.cfg"
    if ! xl create -e -q -p "/run/$_refused.cfg"; then
        skip "attach: a guest with $1: Xen does not make one here"
        return
    fi
    for _time in first second; do
        check "attach: a guest with $1, the $_time time" \
            fails_with "'$_refused'.*$_why" xengt-ctl attach "$_refused"
    done
    guest_destroy "$_refused"
}

check "without a daemon" exits_with 3 "xengtd is not running|systemctl start" xengt-ctl list
xengt-ctl check >/run/check
check "the check fails, and says how to start it" grep -A1 "^fail  xengtd" /run/check
check "and that the host has what else it needs" sh -c "! grep ^fail /run/check | grep -v xengtd"
check "xengtd starts" xengtd_start --dma cpu
check "the check passes" xengt-ctl check
check "a second xengtd" fails_with "already running|another process" xengtd --dma cpu
check "attach: no such name" fails_with "'nobody'.*no such domain" xengt-ctl attach nobody
check "attach: no such number" fails_with "'4711'.*no such domain" xengt-ctl attach 4711
check "attach: dom0 itself" fails_with "dom0 is no guest; xl list" xengt-ctl attach 0
check "a guest with a vGPU" vgpu_create twice "wait"
check "attach: twice" fails_with "'twice'.*has a vGPU already; detach" xengt-ctl attach twice
check "a PV guest" pv_domain
check "attach: PV" fails_with "'pv'.*PV.*use type=" xengt-ctl attach pv
refused views "altp2m.*remove" 'altp2m="external"'
refused nested "remove nestedhvm" 'nestedhvm=1'
refused demand "on demand.*remove maxmem" 'maxmem=64'
check "nothing of the refused is left" sh -c "xengt-ctl list | grep -c twice | grep -qx 1 &&
    ! xengt-ctl list | grep -E 'views|nested|demand|pv'"
check "detach: not attached" fails_with "'pv'" xengt-ctl detach pv
check "verify: not attached" fails_with "'nobody'" xengt-ctl verify nobody
check "xengtd ends in order" xengtd_stop
check "xengtd without privilege" fails_with "root|privilege" \
    su nobody -s /bin/sh -c "/opt/xengt/xengtd --state-dir /tmp/nobody --socket /tmp/nobody.sock"
for name in twice pv; do guest_destroy $name; done
check "no zombies" no_zombies
