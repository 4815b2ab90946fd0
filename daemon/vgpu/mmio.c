/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Accesses to GTTMMADR, taken apart into 32-bit registers and entries of the GGTT. What crosses
 * them is done in pieces, as on a bus, the lower one first.
 */
#include "gen/registers.h"
#include "vgpu/device.h"
#include "vgpu/registers.h"
#include "vgpu/submit/engine.h"
#include "vgpu/vgpu.h"

static bool well_formed(uint64_t offset, unsigned size)
{
    return (size == 1 || size == 2 || size == 4 || size == 8) && offset < VGPU_MMIO_SIZE &&
           size <= VGPU_MMIO_SIZE - offset;
}

/* Bytes of an access from an offset on that are in the same dword. */
static unsigned piece_size(uint64_t offset, unsigned size)
{
    unsigned left = 4 - offset % 4;
    return size < left ? size : left;
}

static uint32_t piece_mask(unsigned size)
{
    return size >= 4 ? UINT32_MAX : (1u << size * 8) - 1;
}

/* --- reads ------------------------------------------------------------------------------- */

static uint32_t read_dword(struct vgpu *vgpu, uint32_t offset)
{
    if (offset >= VGPU_GTT_OFFSET) {
        return (uint32_t)gtt_read(vgpu->gtt, offset - VGPU_GTT_OFFSET, 4);
    }
    return offset < VGPU_REGS_SIZE ? reg_read(vgpu, offset) : 0; /* reserved */
}

uint64_t vgpu_mmio_read(struct vgpu *vgpu, uint64_t offset, unsigned size)
{
    vgpu->stats.reads++;
    if (!well_formed(offset, size)) {
        return UINT64_MAX;
    }
    if (offset >= VGPU_GTT_OFFSET && offset % 8 + size <= 8) { /* in one entry */
        return gtt_read(vgpu->gtt, offset - VGPU_GTT_OFFSET, size);
    }
    uint64_t value = 0;
    for (unsigned done = 0, piece; done < size; done += piece) {
        uint32_t at = (uint32_t)offset + done;
        piece = piece_size(at, size - done);
        uint32_t bytes = read_dword(vgpu, at & ~3u) >> at % 4 * 8 & piece_mask(piece);
        value |= (uint64_t)bytes << done * 8;
    }
    return value;
}

/* --- writes ------------------------------------------------------------------------------ */

/* What is not written of an entry's half stays. */
static void write_entry_piece(struct vgpu *vgpu, uint32_t offset, uint32_t value, uint32_t mask)
{
    if (mask != UINT32_MAX) {
        value |= (uint32_t)gtt_read(vgpu->gtt, offset, 4) & ~mask;
    }
    gtt_write(vgpu->gtt, offset, value, 4);
}

/* Bits of a dword: those that the mask has. */
static void write_piece(struct vgpu *vgpu, uint32_t offset, uint32_t value, uint32_t mask)
{
    bool entry = offset >= VGPU_GTT_OFFSET;
    if (offset < VGPU_REGS_SIZE && mask == UINT32_MAX) {
        reg_write(vgpu, offset, value);
    } else if (offset < VGPU_REGS_SIZE) {
        reg_write_part(vgpu, offset, value, mask);
    } else if (entry && !vgpu->failed) {
        write_entry_piece(vgpu, offset - VGPU_GTT_OFFSET, value, mask);
    } else {
        vgpu->stats.unknown++;
    }
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

/* All of it where there is something that has 64 bits; false: it goes in pieces. */
static bool write_whole(struct vgpu *vgpu, uint64_t offset, uint64_t value)
{
    if (offset >= VGPU_GTT_OFFSET && offset % 8 == 0 && !vgpu->failed) {
        return !gtt_write(vgpu->gtt, offset - VGPU_GTT_OFFSET, value, 8);
    }
    if (is_submit_port(vgpu, offset)) { /* one register: the upper half goes there first */
        reg_write(vgpu, (uint32_t)offset, value >> 32);
        reg_write(vgpu, (uint32_t)offset, (uint32_t)value);
        return true;
    }
    return false;
}

static void write_any(struct vgpu *vgpu, uint64_t offset, uint64_t value, unsigned size)
{
    if (!well_formed(offset, size)) {
        vgpu->stats.unknown++;
        return;
    }
    if (size == 8 && write_whole(vgpu, offset, value)) {
        return;
    }
    for (unsigned done = 0, piece; done < size; done += piece) {
        uint32_t at = (uint32_t)offset + done;
        unsigned shift = at % 4 * 8;
        piece = piece_size(at, size - done);
        uint32_t mask = piece_mask(piece) << shift;
        write_piece(vgpu, at & ~3u, (uint32_t)(value >> done * 8) << shift & mask, mask);
    }
}

void vgpu_mmio_write(struct vgpu *vgpu, uint64_t offset, uint64_t value, unsigned size)
{
    vgpu->stats.writes++;
    write_any(vgpu, offset, value, size);
    engines_stop_failed(vgpu);
}
