/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Accesses to GTTMMADR, taken apart into 32-bit registers and entries of the GGTT. */
#include "gen/registers.h"
#include "vgpu/device.h"
#include "vgpu/registers.h"
#include "vgpu/submit/engine.h"

/* An access of 1, 2, 4 or 8 bytes that is aligned to its size: others cross registers. */
static bool well_formed(uint64_t offset, unsigned size)
{
    return (size == 1 || size == 2 || size == 4 || size == 8) && offset < VGPU_MMIO_SIZE &&
           offset % size == 0;
}

uint64_t vgpu_mmio_read(struct vgpu *vgpu, uint64_t offset, unsigned size)
{
    vgpu->stats.reads++;
    if (!well_formed(offset, size)) {
        return UINT64_MAX;
    }
    if (offset >= VGPU_GTT_OFFSET) {
        return gtt_read(vgpu->gtt, offset - VGPU_GTT_OFFSET, size);
    }
    if (offset >= VGPU_REGS_SIZE) {
        return 0; /* reserved */
    }
    if (size == 8) {
        uint64_t low = reg_read(vgpu, offset);
        return low | (uint64_t)reg_read(vgpu, offset + 4) << 32;
    }
    uint32_t value = reg_read(vgpu, offset & ~3u) >> (offset & 3) * 8;
    return size == 4 ? value : value & ((1u << size * 8) - 1);
}

static bool is_submit_port(const struct vgpu *vgpu, uint64_t offset)
{
    for (int e = 0; e < GPU_ENGINES; e++) {
        if (offset == vgpu->engine[e].info->base + RING_ELSP) {
            return true;
        }
    }
    return false;
}

/* The submit port is one register: both halves of a descriptor go there, the upper one first. */
static void write_pair(struct vgpu *vgpu, uint32_t offset, uint64_t value)
{
    if (is_submit_port(vgpu, offset)) {
        reg_write(vgpu, offset, value >> 32);
        reg_write(vgpu, offset, (uint32_t)value);
    } else {
        reg_write(vgpu, offset, (uint32_t)value);
        reg_write(vgpu, offset + 4, value >> 32);
    }
}

static void write_any(struct vgpu *vgpu, uint64_t offset, uint64_t value, unsigned size)
{
    bool reserved = offset >= VGPU_REGS_SIZE && offset < VGPU_GTT_OFFSET;
    if (!well_formed(offset, size) || reserved) {
        vgpu->stats.unknown++;
    } else if (offset >= VGPU_GTT_OFFSET) {
        if (vgpu->failed || gtt_write(vgpu->gtt, offset - VGPU_GTT_OFFSET, value, size)) {
            vgpu->stats.unknown++;
        }
    } else if (size == 8) {
        write_pair(vgpu, offset, value);
    } else if (size == 4) {
        reg_write(vgpu, offset, value);
    } else {
        unsigned shift = (offset & 3) * 8;
        uint32_t mask = ((1u << size * 8) - 1) << shift;
        reg_write_part(vgpu, offset & ~3u, (uint32_t)value << shift, mask);
    }
}

void vgpu_mmio_write(struct vgpu *vgpu, uint64_t offset, uint64_t value, unsigned size)
{
    vgpu->stats.writes++;
    write_any(vgpu, offset, value, size);
    engines_stop_failed(vgpu);
}
