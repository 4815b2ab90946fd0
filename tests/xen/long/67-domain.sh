# SPDX-License-Identifier: LGPL-2.1-or-later
# What an administrator does with xl to a Linux guest whose i915 drives a vGPU: four CPUs, pause, NMI,
# fewer CPUs and more again, a reboot, a crash.
# needs: i915
# timeout: 2400
# takes: 780

work=parallel:store:copy:requests=20

says() { # REGEX
    linux_log linux | grep -E "$1"
}

is_paused() {
    guest_state linux | grep p
}

copies() {
    says 'KiB copied' | wc -l
}

copies_on() { # NUMBER
    [ "$(copies)" -gt "$1" ]
}

has_none() {
    ! xengt-ctl list | grep custom
}

gone() { # NAME
    ! xl domid "$1"
}

another_domid() { # OLD-DOMID
    _new=$(xl domid linux) && [ "$_new" != "$1" ]
}

check "xengtd starts" xengtd_start --dma cpu --lazy-ggtt true
check "a Linux guest with four CPUs waits with its vGPU" linux_create linux \
    "load,$work,test:outlive=40,hangs,cpus:2,parallel:store,cpus:4,parallel:store:copy,sleep:3000" \
    vcpus=4 watched
guest_unpause linux
check "i915 is loaded" linux_passed linux load 400
check "four CPUs use the GPU at once" linux_passed linux "$work" 600
check "as many as that" says '^# on 4 CPUs'
check "the proof is clean" xengt-ctl verify linux

check "it works" wait_until 200 copies_on "$(copies)"
check "xl pause" xl pause linux
check "it is paused" is_paused
check "the proof is clean meanwhile" xengt-ctl verify linux
before=$(copies)
sleep 5
check "xl unpause" xl unpause linux
check "it works on" wait_until 200 copies_on "$before"
check "xl trigger nmi" xl trigger linux nmi
check "Linux has had it" linux_expect linux "NMI" 60
check "each copy was right" linux_passed linux test:outlive=40 600
check "and the GPU has not hung" linux_expect linux "^hangs 0" 60

check "xl vcpu-set takes two CPUs away" xl vcpu-set linux 2
check "they are gone" linux_passed linux cpus:2 200
check "the others use the GPU" linux_passed linux parallel:store 200
check "xl vcpu-set gives them back" xl vcpu-set --ignore-host linux 4
check "they are there" linux_passed linux cpus:4 200
check "and all four use the GPU" linux_passed linux parallel:store:copy 400
check "four, once more" sh -c "[ $(says '^# on 4 CPUs' | wc -l) -eq 2 ]"
check "the proof is clean" xengt-ctl verify linux
linux_results linux

old_domid=$linux_domid
: >/run/console/guest-linux.log
check "xl reboot" xl reboot linux
check "there is a new domain" wait_until 200 another_domid "$old_domid"
check "the vGPU went with the old one" wait_until 20 has_none
check "the new one has none" linux_expect linux "^FAIL load" 400
linux_keep linux
guest_destroy linux

check "a guest that will panic waits with its vGPU" linux_create doomed load,test:store,crash watched
guest_unpause doomed
check "it works" linux_passed doomed test:store 400
check "it panics, and is destroyed" wait_until 200 gone doomed
check "its vGPU is gone" wait_until 20 has_none
check "no zombies" no_zombies 20
check "nothing is mapped" sh -c "xengt-ctl stats | grep '^library.mapped_pages: 0$'"
check "xengtd ends in order" xengtd_stop
