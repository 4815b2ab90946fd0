/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resets of engines: asked for, ready at once, done when the store is. */
#include "gen/registers.h"
#include "vgpu/blocks/blocks.h"
#include "vgpu/device.h"
#include "vgpu/registers.h"
#include "vgpu/submit/engine.h"

/* A bit for each engine and one for all of them. */
static void write_gdrst(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)old;
    *vgpu_reg(vgpu, at->offset) = 0;
    for (int e = 0; e < GPU_ENGINES; e++) {
        struct vgpu_engine *engine = &vgpu->engine[e];
        if (now & (GDRST_FULL | engine->info->reset_bit)) {
            engine_stop(vgpu, engine);
            reg_reset_engine(vgpu, engine);
        }
    }
    vgpu->stats.resets += now != 0;
}

/* Ready to be reset as soon as it is asked. */
static void write_reset_ctl(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)old;
    bool ready = now & RESET_CTL_REQUEST;
    *vgpu_reg(vgpu, at->offset) = (now & ~RESET_CTL_READY) | (ready ? RESET_CTL_READY : 0);
}

static const struct reg engine_rows[] = {
    {RING_RESET_CTL, 1, 0, 0, RESET_CTL_READY, NULL, write_reset_ctl},
};

static const struct reg rows[] = {
    {GDRST, 1, 0, 0, 0, NULL, write_gdrst},
};

REG_BLOCK_OF_ENGINE(block_engine_reset, "engine reset", engine_rows);
REG_BLOCK(block_reset, "reset", rows);
