# SPDX-License-Identifier: LGPL-2.1-or-later
# The second story: Linux with its own driver for Intel's GPUs, unmodified, on the vGPU.
# shellcheck shell=sh
# needs: i915
# timeout: 900

. /xen-tests/story-lib.sh

# linux_says REGEX: the lines of its console that match, as its own words.
linux_says() {
    linux_log linux | grep -E "$1" | sed 's/^\[ *[0-9.]*\] //' | while IFS= read -r line; do
        note "linux says: $line"
    done
}

heading "Debian's kernel in a guest, with Debian's i915"
must "xengtd runs, on stock Xen, in a PVH dom0" xengtd_start --dma cpu --lazy-ggtt true
doing "creating a guest"
must "a guest is created and gets a vGPU" linux_create linux \
    load,test:identity:store:fill:copy:requests=100,irqs,sleep:1000
guest_unpause linux
doing "Linux boots in the guest"
must "Linux is up, and loads i915" linux_expect linux '^RUN load' 300
doing "i915 finds its device"
must "i915 drives the vGPU: it is sound, and programs can use it" linux_passed linux load 120
linux_says '^pci |Virtual GPU for Intel|balloon successfully|Initialized i915'
note "trapped accesses until now: $(vgpu_stat linux access.ioreqs)"
stats linux '^(mappings.(mapped_pages|map_calls)|ppgtt.tables|access.interrupts):'

heading "Programs use it, by i915's ioctls"
doing "stores on four engines, blits, requests from eight contexts"
must "a test program has done its work" linux_passed linux 'test:[^ ]*' 600
must "and interrupts have told it so" linux_passed linux irqs 30
linux_says '^(ok|#) |i915$'
stats linux '^(mappings.(mapped_pages|high_water_pages|map_calls|gets)|gtt.commits|ppgtt.(tables|table_writes)|access.(ioreqs|interrupts)|gpu.(commands|dma_bytes)):'
must "every GPU entry is a mapping of this guest, or scratch" xengt-ctl verify linux

heading "And its end"
must "the guest is destroyed with its pages mapped" guest_destroy linux
must "no zombie remains" no_zombies 30
must "xengtd ends in order" xengtd_stop
tell told
