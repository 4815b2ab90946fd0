# SPDX-License-Identifier: LGPL-2.1-or-later
# A PVH domain that is not dom0 as the backend of another: what Xen allows it, with and without a right
# over that one, and what it refuses. docs/driver-domain.md has the table.
# timeout: 600
# takes: 30

# Negative answers are errno values: 1 EPERM, 6 ENXIO, 13 EACCES.
answers() { # DOMAIN OPERATION RESULT
    guest_log "$(guest_domid "$1")" | grep "^$2 " | grep -Fx "$2 $3" && return 0
    guest_log "$(guest_domid "$1")" | tail -n 12
    return 1
}

try_driver() { # NAME
    guest_unpause "$1"
    guest_expect "$1" '^PASS driver' 30 || return 1
    guest_log "$(guest_domid "$1")" | while IFS= read -r _line; do note "$1: $_line"; done
}

driver_create() { # NAME
    guest_create "$1" "driver target=$target_domid" kernel=/opt/xengt/driver-guest paused
}

minor=$(xl info | sed -n 's/^xen_minor *: //p')
check "a target" guest_create target wait paused
check "a domain without a right" driver_create stranger
check "tries" try_driver stranger
check "it may not map" answers stranger map -1
check "it may not be a device model" answers stranger server-create -1
check "it may not interrupt" answers stranger msi -1

check "a domain that dom0 gives the right" driver_create driver
check "which is done" lib-test rights /run/lib-test "$target_domid" 0 "$driver_domid"
check "tries, too" try_driver driver
if [ "$minor" -lt 19 ]; then
    check "before Xen 4.19 it may not map" answers driver map -1
else
    check "it may map" answers driver map 0
    check "what is occupied is not replaced" answers driver map-occupied -6
    check "a frame may be mapped twice" answers driver map-again 0
    check "and is the same page" answers driver same-page 1
    check "it is taken back" answers driver unmap 0
    check "and the other" answers driver unmap-again 0
fi
check "it may be a device model" answers driver server-create 0
check "with a range" answers driver server-range 0
if [ "$minor" -lt 19 ]; then
    check "but its requests it may not map" answers driver server-frame -13
else
    check "whose requests it maps" answers driver server-frame 0
    check "and lets go of" answers driver server-frame-release 0
fi
check "that answers" answers driver server-enable 0
check "until it ends" answers driver server-destroy 0
check "it may interrupt" answers driver msi 0
for call in server-function server-mem-type set-mem-type set-mem-type-back hvm-param maximum-gpfn; do
    check "it may: $call" answers driver $call 0
done
for call in populate decrease; do # the answer is how many
    check "it may: $call" answers driver $call 1
done
for call in getdomaininfolist get-cpu-policy get-paging-mempool pausedomain get-pod-target max-mem; do
    check "it may not: $call" answers driver $call -1
done
check "it is told of its target, of no other" eval \
    'answers driver getdomaininfo 0 && answers stranger getdomaininfo -1'
for name in stranger driver target; do guest_destroy $name; done
check "no zombies" no_zombies
