/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* BAR2: the CPU's way to what the global GTT maps. */
#include "vgpu/device.h"
#include "vgpu/vgpu.h"

/* At any offset; what is no memory ends it. */
static bool well_formed(unsigned size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

uint64_t vgpu_aperture_read(struct vgpu *vgpu, uint64_t offset, unsigned size)
{
    uint64_t value = 0;
    vgpu->stats.aperture_reads++;
    if (!well_formed(size) || gtt_memory_read(vgpu->gtt, offset, &value, size)) {
        return UINT64_MAX;
    }
    return value;
}

void vgpu_aperture_write(struct vgpu *vgpu, uint64_t offset, uint64_t value, unsigned size)
{
    vgpu->stats.aperture_writes++;
    if (!well_formed(size) || gtt_memory_write(vgpu->gtt, offset, &value, size)) {
        vgpu->stats.dropped++;
    }
}
