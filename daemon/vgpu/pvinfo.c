/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The PVINFO page: what a guest driver learns about its vGPU, and tells it. */
#include "private.h"

#include <xengt/types.h>

void pvinfo_init(struct vgpu *vgpu)
{
    const struct vgpu_config *c = &vgpu->cfg;
    const struct {
        uint32_t offset;
        uint32_t value;
    } values[] = {
        {PVINFO_MAGIC, (uint32_t)PVINFO_MAGIC_VALUE},
        {PVINFO_MAGIC + 4, PVINFO_MAGIC_VALUE >> 32},
        {PVINFO_VERSION, PVINFO_VERSION_1_0},
        {PVINFO_VGT_ID, c->id},
        {PVINFO_CAPS, 0},
        {PVINFO_MAPPABLE_BASE, c->mappable.first << XENGT_PAGE_SHIFT},
        {PVINFO_MAPPABLE_SIZE, c->mappable.count << XENGT_PAGE_SHIFT},
        {PVINFO_UNMAPPABLE_BASE, c->unmappable.first << XENGT_PAGE_SHIFT},
        {PVINFO_UNMAPPABLE_SIZE, c->unmappable.count << XENGT_PAGE_SHIFT},
        {PVINFO_FENCES, c->fences},
        {PVINFO_CURSOR_HOT, UINT32_MAX},
        {PVINFO_CURSOR_HOT + 4, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        *vgpu_reg(vgpu, PVINFO_BASE + values[i].offset) = values[i].value;
    }
}

/* What the guest may write is kept; the description of its vGPU it may not change. */
void pvinfo_write(struct vgpu *vgpu, uint32_t offset, uint32_t value)
{
    uint32_t at = offset - PVINFO_BASE;
    if (at >= PVINFO_INSUFFICIENT && at < PVINFO_INSUFFICIENT_END) {
        vgpu_fail(vgpu, "the guest's driver found the vGPU's resources insufficient");
    } else if (at >= PVINFO_DISPLAY_READY && at < PVINFO_CTX_DESC_END) {
        *vgpu_reg(vgpu, offset) = value;
    } else {
        vgpu->stats.unknown++;
    }
}
