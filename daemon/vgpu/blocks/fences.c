/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fences: as many as the vGPU was given, two registers each. */
#include "gen/registers.h"
#include "vgpu/blocks/blocks.h"
#include "vgpu/device.h"
#include "vgpu/failsafe.h"

static bool fence_exists(const struct vgpu *vgpu, const struct reg_at *at)
{
    return at->index / 2 < vgpu->cfg.fences;
}

static uint32_t read_fence(struct vgpu *vgpu, const struct reg_at *at)
{
    return fence_exists(vgpu, at) ? *vgpu_reg(vgpu, at->offset) : 0;
}

/* A driver that knows of the vGPU knows how many fences it has. */
static void write_fence(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)now;
    if (fence_exists(vgpu, at)) {
        return;
    }
    *vgpu_reg(vgpu, at->offset) = old;
    vgpu->stats.dropped++;
    if (!vgpu->kept->pv_aware) {
        vgpu_fail(vgpu, "fence %u of %u: the guest's driver does not know that it has a vGPU",
                  at->index / 2, vgpu->cfg.fences);
    }
}

static const struct reg rows[] = {
    {FENCES, 2 * FENCES_MAX, 0, 0, 0, read_fence, write_fence},
};

REG_BLOCK(block_fences, "fences", rows);
