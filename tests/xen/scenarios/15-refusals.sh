# SPDX-License-Identifier: LGPL-2.1-or-later
# What cannot be is said in one line, with exit status 1.
# boots: pvh-amd
# timeout: 90

# A domain of another kind than guest_create makes, never started.
odd_domain() {
    printf '%s\n' "name=\"$1\"" "$2" "kernel=\"$3\"" "memory=32" $4 >"/run/$1.cfg"
    xl create -e -q -p "/run/$1.cfg"
}

check "without a daemon" fails_with "xengtd is not running|systemctl start" xengt-ctl list
check "xengtd starts" xengtd_start --dma cpu
check "a second xengtd" fails_with "already running|another process" xengtd --dma cpu
check "attach: no such name" fails_with "'nobody'.*no such domain" xengt-ctl attach nobody
check "attach: no such number" fails_with "'4711'.*no such domain" xengt-ctl attach 4711
check "attach: dom0 itself" fails_with "'0'|Domain-0" xengt-ctl attach 0
check "a guest with a vGPU" vgpu_create twice "wait"
check "attach: twice" fails_with "'twice'.*has a vGPU already" xengt-ctl attach twice
check "a guest without HAP" odd_domain nohap 'type="pvh"' "$GUEST" hap=0
check "attach: no HAP" fails_with "'nohap'.*hap=0" xengt-ctl attach nohap
check "a PV guest" odd_domain pv 'type="pv"' /opt/xengt/pv-guest ""
check "attach: PV" fails_with "'pv'.*PV" xengt-ctl attach pv
check "detach: not attached" fails_with "'nohap'" xengt-ctl detach nohap
check "verify: not attached" fails_with "'nobody'" xengt-ctl verify nobody
check "xengtd ends in order" xengtd_stop
check "xengtd without privilege" fails_with "root|privilege" \
    start-stop-daemon -S -c 65534:65534 -x /opt/xengt/xengtd -- --dma cpu --state-dir /tmp/nobody --socket /tmp/nobody.sock
for name in twice nohap pv; do guest_destroy $name; done
check "no zombies" no_zombies
