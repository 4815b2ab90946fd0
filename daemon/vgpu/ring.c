/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An engine's ring buffer registers: how work is handed to the GPU. */
#include "private.h"

#include <xengt/types.h>

static bool in_range(const struct gpu_range *r, uint32_t first, uint32_t count)
{
    return first >= r->first && count <= r->count && first - r->first <= r->count - count;
}

/* The ring as the registers describe it; false, and failsafe, when it makes no sense. */
static bool ring_describe(struct vgpu *vgpu, uint32_t base, struct gpu_ring *ring)
{
    uint32_t pages = RING_CTL_PAGES(*vgpu_reg(vgpu, base + RING_CTL));
    *ring = (struct gpu_ring){
        .start = *vgpu_reg(vgpu, base + RING_START) & RING_START_MASK,
        .size = pages << XENGT_PAGE_SHIFT,
        .head = *vgpu_reg(vgpu, base + RING_HEAD) & RING_HEAD_MASK,
        .tail = *vgpu_reg(vgpu, base + RING_TAIL) & RING_TAIL_MASK,
    };
    uint32_t first = ring->start >> XENGT_PAGE_SHIFT;
    if (!in_range(&vgpu->cfg.mappable, first, pages) &&
        !in_range(&vgpu->cfg.unmappable, first, pages)) {
        vgpu_fail(vgpu, "BCS: ring of %u pages at 0x%x lies outside the vGPU's windows", pages,
                  ring->start);
        return false;
    }
    if (ring->head >= ring->size || ring->tail >= ring->size) {
        vgpu_fail(vgpu, "BCS: head 0x%x or tail 0x%x is beyond the ring's 0x%x bytes", ring->head,
                  ring->tail, ring->size);
        return false;
    }
    return true;
}

static void submit(struct vgpu *vgpu, uint32_t base)
{
    struct gtt_access access = {.kind = GTT_ACCESS_SUBMIT, .engine = GPU_BCS};
    if (!(*vgpu_reg(vgpu, base + RING_CTL) & RING_CTL_VALID) || vgpu->failed ||
        !ring_describe(vgpu, base, &access.ring)) {
        return;
    }
    vgpu->stats.submissions++;
    gtt_forward(vgpu->gtt, &access);
}

uint32_t ring_read(struct vgpu *vgpu, uint32_t offset)
{
    uint32_t base = BCS_RING_BASE;
    bool running = *vgpu_reg(vgpu, base + RING_CTL) & RING_CTL_VALID && !vgpu->failed;
    if (running && (offset == base + RING_HEAD || offset == base + RING_IPEHR)) {
        struct gpu_engine_state state;
        gtt_engine_state(vgpu->gtt, GPU_BCS, &state);
        *vgpu_reg(vgpu, base + RING_HEAD) = state.head;
        *vgpu_reg(vgpu, base + RING_IPEHR) = state.ipehr;
    }
    return *vgpu_reg(vgpu, offset);
}

void ring_write(struct vgpu *vgpu, uint32_t offset, uint32_t value)
{
    uint32_t base = BCS_RING_BASE;
    bool was_valid = *vgpu_reg(vgpu, base + RING_CTL) & RING_CTL_VALID;
    if (offset == base + RING_IPEHR) {
        return; /* read-only */
    }
    *vgpu_reg(vgpu, offset) = value;
    if (offset == base + RING_TAIL) {
        submit(vgpu, base);
    } else if (offset == base + RING_CTL) {
        if (was_valid) {
            gtt_engine_reset(vgpu->gtt, GPU_BCS);
        }
        submit(vgpu, base);
    }
}

void ring_check(struct vgpu *vgpu)
{
    if (vgpu->failed || !(*vgpu_reg(vgpu, BCS_RING_BASE + RING_CTL) & RING_CTL_VALID)) {
        return;
    }
    struct gpu_engine_state state;
    gtt_engine_state(vgpu->gtt, GPU_BCS, &state);
    if (state.error) {
        *vgpu_reg(vgpu, BCS_RING_BASE + RING_HEAD) = state.head;
        *vgpu_reg(vgpu, BCS_RING_BASE + RING_IPEHR) = state.ipehr;
        vgpu_fail(vgpu, "BCS: %s", state.reason);
    }
}
