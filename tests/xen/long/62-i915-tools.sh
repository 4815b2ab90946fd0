# SPDX-License-Identifier: LGPL-2.1-or-later
# Intel's own benchmarks run to their ends on the vGPU.
# needs: i915-tools
# timeout: 1800

# gem_exec_nop submits 1024 requests at least. gem_blt waits for each blit. What gem_wsim plays is what a
# transcoder does with each frame: decode, scale, convert, compose, encode, copy out.
benchmarks="
    gem_exec_nop:-e:bcs
    gem_exec_ctx:-b:switch
    gem_exec_ctx:-b:create:-s
    gem_blt:-S:-t:4:-r:2
    gem_latency:-t:5
    gem_wsim:-r:3:-w:/opt/i915/media.wsim"
words=
for benchmark in $benchmarks; do
    words=$words,bench:$benchmark
done

# Another way to keep page tables, to compare with: run.py --payload FILE:/opt/xengt/xengtd-options
options=$(cat /opt/xengt/xengtd-options 2>/dev/null)

# shellcheck disable=SC2086 # options are words
check "xengtd starts" xengtd_start --dma cpu --lazy-ggtt true $options
check "a Linux guest waits with its vGPU" linux_create tools "load$words" mem=512
guest_unpause tools
check "i915 is loaded" linux_passed tools load 400
for benchmark in $benchmarks; do
    before=$(vgpu_stat tools access.ioreqs)
    check "$(echo "$benchmark" | tr ':' ' ')" linux_passed tools "bench:$benchmark" 600
    note "$(($(vgpu_stat tools access.ioreqs) - before)) ioreqs"
    check "the proof is clean" xengt-ctl verify tools
done
linux_log tools | sed -n '/^RUN bench/,$p' | grep -v '^\[' | while IFS= read -r line; do note "$line"; done
check "nothing is wrong" linux_expect tools "^done" 60
check "the vGPU is not in failsafe" sh -c "xengt-ctl stats tools | grep '^failsafe_reason: -'"
linux_keep tools
guest_destroy tools
check "no zombies" no_zombies 20
check "xengtd ends in order" xengtd_stop
