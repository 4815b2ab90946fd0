/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Work handed over by a ring's registers: what lies between head and tail is to be run. */
#include "gen/registers.h"
#include "vgpu/blocks/blocks.h"
#include "vgpu/device.h"
#include "vgpu/submit/engine.h"

/* An engine that is busy takes the newest tail when it is through. */
static void write_tail(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)old;
    (void)now;
    if (!engine_uses_execlists(vgpu, at->engine)) {
        engine_run(vgpu, at->engine);
    }
}

/* Batches have addresses of their own; while one runs, the ring stands where it started. */
static uint32_t read_head(struct vgpu *vgpu, const struct reg_at *at)
{
    const struct ring *ring = &at->engine->context.ring;
    if (at->engine->state != ENGINE_IDLE) {
        struct gpu_engine_state state;
        gtt_engine_state(vgpu->gtt, at->engine->id, &state);
        uint64_t in_ring = state.acthd - ring->start;
        if (in_ring < 2 * (uint64_t)ring->size) { /* commands behind the ring's end are its first */
            return in_ring % ring->size;
        }
    }
    return *vgpu_reg(vgpu, at->offset);
}

static void write_ctl(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
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

static const struct reg rows[] = {
    {RING_TAIL, 1, 0, 0, 0, NULL, write_tail},
    {RING_HEAD, 1, 0, 0, 0, read_head, NULL},
    {RING_START, 1, 0, 0, 0, NULL, NULL},
    {RING_CTL, 1, 0, 0, 0, NULL, write_ctl},
};

REG_BLOCK_OF_ENGINE(block_ring, "ring", rows);
