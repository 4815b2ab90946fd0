# SPDX-License-Identifier: LGPL-2.1-or-later
# The demonstration's steps in dom0; demo.py boots the machine and shows what is told here.
# shellcheck shell=sh disable=SC2154 # <name>_domid is set by guest_create
# timeout: 300

. /xen-tests/story-lib.sh

# What waits is paused: a guest that polls would take half of this machine from the others.
stranger_is_intact() {
    guest_unpause stranger
    _before=$(guest_log "$stranger_domid" | grep -c '^intact')
    # It has begun a check when it says so: only the one after that has seen everything.
    _looked_again() { [ "$(guest_log "$stranger_domid" | grep -c '^intact')" -gt $((_before + 1)) ]; }
    wait_until 60 _looked_again || return 1
    xl pause stranger
    ! guest_log "$stranger_domid" | grep CORRUPT
}

# What Xen has logged of DMA to BFN since the mark.
faults() {
    xen_log_since | grep -A 1 "DMAR.*fault addr ${bfn#0x}000"
}

# --- the vGPU ------------------------------------------------------------------------------------

heading "A guest uses its virtual GPU"
must "xengtd runs, on stock Xen, in a PVH dom0" xengtd_start --dma cpu
doing "creating a guest"
must "a guest is created and gets a vGPU" vgpu_create guest "blit pages=300"
guest_unpause guest
guest_says guest "^blitted" 60
must "the GPU copied 300 pages, and the guest compared every byte" guest_expect guest "^PASS blit" 60
xengt-ctl list
stats guest '^(access.ioreqs|gtt.stores|mappings.(mapped_pages|map_calls)|gpu.commands):'
must "pages are mapped by the batch, not one by one" vgpu_stat_is guest mappings.map_calls -le 60
must "every GPU entry is a mapping of this guest, or scratch" xengt-ctl verify guest
guest_destroy guest
must "the guest is destroyed with its pages mapped: no zombie remains" no_zombies 30
must "xengtd ends in order" xengtd_stop

# --- the race ------------------------------------------------------------------------------------

heading "The race: a page changes hands between the guest's request and the DMA"
must "xengtd runs with a device that does real DMA, through the IOMMU" xengtd_start --dma edu
doing "creating a guest"
must "a guest is created, its vGPU is paused: DMA has to wait" \
    eval 'vgpu_create racer race && xengt-ctl pause racer'
guest_unpause racer
guest_says racer "^gave gfn" 60
xl pause racer
entry=$(sed -n 's/.*GTT entry \([0-9]*\).*/\1/p' /run/says.out)
bfn=$(xengt-ctl mappings racer | awk -v entry="$(printf '0x%x' "$entry")" '$1 == entry { print $3 }')
must "the page is out of the guest; Xen keeps it for the GPU as BFN $bfn" test -n "$bfn"
doing "creating a stranger, which fills its memory"
must "a stranger is created" guest_create stranger fill mem=40
guest_says stranger "^filled" 60
xl pause stranger
guest_unpause racer
must "the vGPU is resumed: the DMA runs" xengt-ctl resume racer
doing "DMA by QEMU's edu device, 0.1 s a transfer"
guest_says racer "^the blit landed" 60
must "the guest copied the page back and found its data" guest_expect racer "^PASS race" 60
doing "the stranger looks through its memory"
must "not one byte of the stranger has changed" stranger_is_intact

# --- after the unmap -----------------------------------------------------------------------------

heading "After the unmap: the same DMA once more"
must "the vGPU is detached, its pages are unmapped" xengt-ctl detach racer
xen_log_mark
must "the device writes to BFN $bfn" edu-dma write "$bfn" 0xbd
must "the IOMMU stops it, and Xen logs the fault:" wait_until 20 faults
faults | head -n 2
doing "the stranger looks through its memory"
must "not one byte of the stranger has changed" stranger_is_intact
tell told # without waiting for the clean-up: the machine is only switched off
