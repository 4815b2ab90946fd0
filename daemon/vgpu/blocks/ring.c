/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Work handed over by a ring's registers: what lies between head and tail is to be run. */
#include <xengt/types.h>

#include "vgpu/device.h"

bool ring_describe(struct vgpu *vgpu, const struct vgpu_engine *engine, const uint32_t regs[4],
                   struct ring *ring)
{
    uint32_t pages = RING_CTL_PAGES(regs[3]);
    *ring = (struct ring){
        .start = regs[2] & RING_START_MASK,
        .size = pages << XENGT_PAGE_SHIFT,
        .head = regs[1] & RING_HEAD_MASK,
        .tail = regs[0] & RING_TAIL_MASK,
    };
    if (!vgpu_owns(vgpu, ring->start, ring->size)) {
        vgpu_fail(vgpu, "%s: ring of %u pages at 0x%x lies outside the vGPU's windows",
                  engine->info->name, pages, ring->start);
        return false;
    }
    if (ring->head >= ring->size || ring->tail >= ring->size) {
        vgpu_fail(vgpu, "%s: head 0x%x or tail 0x%x is beyond the ring's 0x%x bytes",
                  engine->info->name, ring->head, ring->tail, ring->size);
        return false;
    }
    return true;
}

bool ring_next(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    const uint32_t *regs = engine_reg(vgpu, engine, RING_TAIL); /* tail, head, start, ctl */
    engine->context = (struct vgpu_context){0};
    return regs[3] & RING_CTL_VALID && ring_describe(vgpu, engine, regs, &engine->context.ring) &&
           engine->context.ring.head != engine->context.ring.tail;
}

/* An engine that is busy takes the newest tail when it is through. */
void ring_write_tail(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)old;
    (void)now;
    if (!engine_uses_execlists(vgpu, at->engine)) {
        engine_run(vgpu, at->engine);
    }
}

void ring_write_ctl(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)now;
    if (engine_uses_execlists(vgpu, at->engine)) {
        return;
    }
    if (old & RING_CTL_VALID) {
        engine_stop(vgpu, at->engine);
    }
    engine_run(vgpu, at->engine);
}
