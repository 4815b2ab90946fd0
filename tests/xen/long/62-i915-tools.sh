# SPDX-License-Identifier: LGPL-2.1-or-later
# Intel's own benchmarks run to their ends on the vGPU.
# boots: i915
# needs: i915-tools
# timeout: 1500

check "xengtd starts" xengtd_start --dma cpu --lazy-ggtt true
check "a Linux guest waits with its vGPU" linux_create tools \
    load,bench:gem_exec_nop:-e:bcs:-r:2,bench:gem_blt:-r:2,bench:gem_exec_ctx:-r:2 mem=512
guest_unpause tools
check "i915 is loaded" linux_passed tools load 400
check "gem_exec_nop" linux_passed tools "bench:gem_exec_nop[^ ]*" 200
check "gem_blt" linux_passed tools "bench:gem_blt[^ ]*" 200
check "gem_exec_ctx" linux_passed tools "bench:gem_exec_ctx[^ ]*" 200
check "nothing is wrong" linux_expect tools "^done" 60
linux_log tools | sed -n '/^RUN bench/,$p' | grep -v '^\[' | while IFS= read -r line; do note "$line"; done
check "the proof is clean" xengt-ctl verify tools
linux_keep tools
guest_destroy tools
check "no zombies" no_zombies 20
check "xengtd ends in order" xengtd_stop
