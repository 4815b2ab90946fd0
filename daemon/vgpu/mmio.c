/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Accesses to GTTMMADR, taken apart into 32-bit registers and entries of the GGTT. */
#include <syslog.h>

#include "private.h"

static void flush_write(struct vgpu *vgpu, uint32_t offset, uint32_t value)
{
    (void)offset;
    (void)value;
    if (!vgpu->failed) {
        gtt_forward(vgpu->gtt, &(struct gtt_access){.kind = GTT_ACCESS_FLUSH});
    }
}

/* Reads 0: the flush is over when the write is. */
static uint32_t flush_read(struct vgpu *vgpu, uint32_t offset)
{
    (void)vgpu;
    (void)offset;
    return 0;
}

/* Registers that are more than storage. first to last, inclusive, in ascending order. */
static const struct reg_handler {
    uint32_t first;
    uint32_t last;
    uint32_t (*read)(struct vgpu *vgpu, uint32_t offset); /* NULL: what is stored */
    void (*write)(struct vgpu *vgpu, uint32_t offset, uint32_t value);
} handlers[] = {
    {BCS_RING_BASE + RING_TAIL, BCS_RING_BASE + RING_CTL, ring_read, ring_write},
    {BCS_RING_BASE + RING_IPEHR, BCS_RING_BASE + RING_IPEHR, ring_read, ring_write},
    {PVINFO_BASE, PVINFO_BASE + PVINFO_SIZE - 4, NULL, pvinfo_write},
    {GFX_FLSH_CNTL, GFX_FLSH_CNTL, flush_read, flush_write},
};

static const struct reg_handler *find_handler(uint32_t offset)
{
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (offset >= handlers[i].first && offset <= handlers[i].last) {
            return &handlers[i];
        }
    }
    return NULL;
}

static uint32_t reg_read(struct vgpu *vgpu, uint32_t offset)
{
    const struct reg_handler *h = find_handler(offset);
    return h && h->read ? h->read(vgpu, offset) : *vgpu_reg(vgpu, offset);
}

static void reg_write(struct vgpu *vgpu, uint32_t offset, uint32_t value)
{
    const struct reg_handler *h = find_handler(offset);
    if (h) {
        h->write(vgpu, offset, value);
        return;
    }
    if (!vgpu->unknown_logged) {
        vgpu->unknown_logged = true;
        vgpu_log(vgpu, LOG_DEBUG, "register 0x%x is storage only, as all unknown ones", offset);
    }
    vgpu->stats.unknown++;
    *vgpu_reg(vgpu, offset) = value;
}

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

/* A byte or a word of a register: the rest keeps what is stored. */
static void reg_write_part(struct vgpu *vgpu, uint32_t offset, uint32_t value, unsigned size)
{
    unsigned shift = (offset & 3) * 8;
    uint32_t mask = ((1u << size * 8) - 1) << shift;
    uint32_t old = *vgpu_reg(vgpu, offset & ~3u);
    reg_write(vgpu, offset & ~3u, (old & ~mask) | (value << shift & mask));
}

void vgpu_mmio_write(struct vgpu *vgpu, uint64_t offset, uint64_t value, unsigned size)
{
    vgpu->stats.writes++;
    bool reserved = offset >= VGPU_REGS_SIZE && offset < VGPU_GTT_OFFSET;
    if (!well_formed(offset, size) || reserved) {
        vgpu->stats.unknown++;
    } else if (offset >= VGPU_GTT_OFFSET) {
        if (vgpu->failed || gtt_write(vgpu->gtt, offset - VGPU_GTT_OFFSET, value, size)) {
            vgpu->stats.unknown++;
        }
    } else if (size == 8) {
        reg_write(vgpu, offset, value);
        reg_write(vgpu, offset + 4, value >> 32);
    } else if (size == 4) {
        reg_write(vgpu, offset, value);
    } else {
        reg_write_part(vgpu, offset, value, size);
    }
}
