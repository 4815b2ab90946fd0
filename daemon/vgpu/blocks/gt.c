/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registers of the whole GPU that do something. All of it is done when the store is. */
#include <time.h>

#include "gen/clock.h"
#include "vgpu/device.h"

uint64_t vgpu_ticks(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return clock_ticks((uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec);
}

uint32_t gt_read_timestamp(struct vgpu *vgpu, const struct reg_at *at)
{
    (void)vgpu;
    return at->index ? vgpu_ticks() >> 32 : (uint32_t)vgpu_ticks();
}

/* Reads 0 at once: the invalidation is over when the store is. */
void gt_write_flush(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)old;
    *vgpu_reg(vgpu, at->offset) = 0;
    if (at->offset == GFX_FLSH_CNTL || now & 1) {
        gtt_commit(vgpu->gtt);
    }
}

/* A bit for each engine and one for all of them. */
void gt_write_reset(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)old;
    *vgpu_reg(vgpu, at->offset) = 0;
    for (int e = 0; e < GPU_ENGINES; e++) {
        if (now & (GDRST_FULL | engine_info[e].reset_bit)) {
            engine_reset(vgpu, &vgpu->engine[e]);
        }
    }
    vgpu->stats.resets += now != 0;
}

void gt_write_forcewake(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)at;
    (void)old;
    *vgpu_reg(vgpu, FORCEWAKE_ACK) = now;
}

/* The power control unit's answer to everything: done, no error. */
void gt_write_pcode(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)old;
    if (now & PCODE_BUSY) {
        *vgpu_reg(vgpu, at->offset) = 0;
    }
}

void gt_write_power_well(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)old;
    uint32_t requests = now & POWER_WELL_REQUESTS;
    *vgpu_reg(vgpu, at->offset) = requests | requests >> 1;
}

/* --- fences ------------------------------------------------------------------------------ */

static bool fence_exists(const struct vgpu *vgpu, const struct reg_at *at)
{
    return at->index / 2 < vgpu->cfg.fences;
}

uint32_t gt_read_fence(struct vgpu *vgpu, const struct reg_at *at)
{
    return fence_exists(vgpu, at) ? *vgpu_reg(vgpu, at->offset) : 0;
}

/* A driver that knows of the vGPU knows how many fences it has. */
void gt_write_fence(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)now;
    if (fence_exists(vgpu, at)) {
        return;
    }
    *vgpu_reg(vgpu, at->offset) = old;
    vgpu->stats.dropped++;
    if (!vgpu->pv_aware) {
        vgpu_fail(vgpu, "fence %u of %u: the guest's driver does not know that it has a vGPU",
                  at->index / 2, vgpu->cfg.fences);
    }
}
