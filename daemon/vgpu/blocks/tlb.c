/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Translation: TLB invalidations, which are a commit of the GTT; faults; memory types. */
#include "gen/registers.h"
#include "vgpu/blocks/blocks.h"
#include "vgpu/device.h"

/* Reads 0 at once: the invalidation is over when the store is. */
static void write_flush(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)old;
    *vgpu_reg(vgpu, at->offset) = 0;
    if (at->offset == GFX_FLSH_CNTL || now & 1) {
        gtt_commit(vgpu->gtt);
    }
}

static const struct reg rows[] = {
    {GAMW_ECO, 1, 0, 0, 0, NULL, NULL},
    {0x004090, 1, 0, 0, 0, NULL, NULL}, /* GAM_ECOCHK */
    {RING_FAULT, 1, REG_RO, 0, 0, NULL, NULL},
    {PRIVATE_PAT, 2, 0, 0, 0, NULL, NULL},
    {TLB_INVALIDATE, 5, 0, 0, 0, NULL, write_flush},
    {FAULT_DATA, 2, REG_RO, 0, 0, NULL, NULL},
    {GFX_FLSH_CNTL, 1, 0, 0, 0, NULL, write_flush},
};

REG_BLOCK(block_tlb, "translation", rows);
