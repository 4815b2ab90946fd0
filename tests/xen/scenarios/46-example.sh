# SPDX-License-Identifier: LGPL-2.1-or-later
# A device model that is not xengtd, built against the installed library: it serves two guests,
# outlives the one that is destroyed under its DMA, and lets go of it.
# timeout: 1500
# takes: 30
# needs: example

says() { # REGEX SECONDS
    _said() { grep -E "$1" /run/ring-device.log; }
    wait_until "$2" _said "$1" && return 0
    cat /run/ring-device.log
    return 1
}

ring_of() { # NAME
    guest_log "$(guest_domid "$1")" | sed -n 's/^the ring is at //p'
}

is_released() {
    guest-tool zombies "$ZOMBIES_BEFORE" 0 >/run/zombies && kill -0 "$device_pid"
}

guest_create worker "ring" && guest_expect worker "the ring is at" 20
guest_create victim "ringbusy" && guest_expect victim "the ring is at" 20
ring-device "$EDU" "$worker_domid:$(ring_of worker)" "$victim_domid:$(ring_of victim)" \
    >/run/ring-device.log 2>&1 &
device_pid=$!
check "it maps a ring of each guest" says "domain $victim_domid: its ring is at" 20
iommu_mark
check "a guest is served while another one keeps the device busy" guest_expect victim "is busy" 30
check "that guest is destroyed under its DMA" guest_destroy victim
check "it is released" says "domain $victim_domid is gone: released" 20
check "no zombie is left, and the program goes on" wait_until 10 is_released
check "the other guest has got what it wanted" guest_expect worker '^PASS ring$' 40
check_iommu_quiet "the IOMMU had nothing to stop"
guest_destroy worker
check "without guests it ends" says "^ended: no guest is left" 20
check "with nothing left behind" test ! -e /run/xengt/journal
check "no zombies" no_zombies
