# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest is destroyed while its pages are mapped: xengtd notices and lets go of them.
# timeout: 600
# takes: 8

detached() {
    ! xengt-ctl list | grep -q doomed
}

check "xengtd starts" xengtd_start --dma cpu
check "a guest holds its pages" vgpu_create doomed "hold pages=50" mem=64
guest_unpause doomed
check "after it used them" guest_expect doomed "holding" 30
check "they are mapped" vgpu_stat_is doomed mappings.in_use_pages -ge 100
guest_destroy doomed
check "xengtd has detached the guest" wait_until 10 detached
check "no zombie is left" no_zombies 10
check "nothing is mapped" sh -c "xengt-ctl stats | grep '^library.mapped_pages: 0$'"
check "xengtd ends in order" xengtd_stop
