/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads and stores of registers, as the rows of the model's blocks say. */
#include "vgpu/registers.h"

#include <string.h>
#include <syslog.h>

#include "gen/register_rules.h"
#include "vgpu/device.h"
#include "vgpu/failsafe.h"
#include "vgpu/models.h"

/* --- finding ----------------------------------------------------------------------------- */

const struct reg *reg_find(const struct reg_block *block, uint32_t offset)
{
    size_t low = 0;
    size_t high = block->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct reg *r = &block->reg[middle];
        if (offset < r->offset) {
            high = middle;
        } else if (offset >= r->offset + r->count * 4) {
            low = middle + 1;
        } else {
            return r;
        }
    }
    return NULL;
}

static void note_block(struct vgpu *vgpu, unsigned number, uint32_t base)
{
    const struct reg_block *block = vgpu->model->block[number];
    for (size_t i = 0; i < block->count; i++) {
        const struct reg *r = &block->reg[i];
        uint32_t first = base + r->offset;
        uint32_t last = first + r->count * 4 - 1;
        for (uint32_t page = first / VGPU_REG_PAGE; page <= last / VGPU_REG_PAGE; page++) {
            vgpu->blocks[page] |= 1u << number;
        }
    }
}

void reg_init(struct vgpu *vgpu)
{
    for (unsigned n = 0; vgpu->model->block[n]; n++) {
        if (!vgpu->model->block[n]->of_engine) {
            note_block(vgpu, n, 0);
            continue;
        }
        for (int e = 0; e < GPU_ENGINES; e++) {
            note_block(vgpu, n, vgpu->model->engine[e].base);
        }
    }
}

/* Of the blocks that have registers in a page, mostly one, the row that describes an offset. */
static const struct reg *find_in_page(const struct vgpu *vgpu, uint32_t page, bool of_engine,
                                      uint32_t offset)
{
    for (uint32_t left = vgpu->blocks[page]; left; left &= left - 1) {
        const struct reg_block *block = vgpu->model->block[__builtin_ctz(left)];
        const struct reg *r = block->of_engine == of_engine ? reg_find(block, offset) : NULL;
        if (r) {
            return r;
        }
    }
    return NULL;
}

static struct vgpu_engine *engine_at(struct vgpu *vgpu, uint32_t offset)
{
    for (int e = 0; e < GPU_ENGINES; e++) {
        if (offset - vgpu->engine[e].info->base < ENGINE_REGS_SIZE) {
            return &vgpu->engine[e];
        }
    }
    return NULL;
}

/* The row of a register and what handlers want to know of it. */
static const struct reg *find(struct vgpu *vgpu, uint32_t offset, struct reg_at *at)
{
    struct vgpu_engine *engine = engine_at(vgpu, offset);
    uint32_t relative = engine ? offset - engine->info->base : offset;
    const struct reg *r = find_in_page(vgpu, offset / VGPU_REG_PAGE, engine, relative);
    *at = (struct reg_at){
        .offset = offset,
        .index = r ? (relative - r->offset) / 4 : 0,
        .engine = engine,
    };
    return r;
}

/* --- what is not known ------------------------------------------------------------------- */

/* Parts of the register file, so that the log names one unknown register of each. */
static const struct {
    const char *name;
    uint32_t end;
} kinds[REGISTER_KINDS] = {
    {"GT", 0x40000},
    {"display", 0x100000},
    {"memory controller", VGPU_REGS_SIZE},
};

static void count_unknown(struct vgpu *vgpu, uint32_t offset)
{
    unsigned kind = 0;
    while (offset >= kinds[kind].end) {
        kind++;
    }
    vgpu->stats.unknown++;
    if (!vgpu->unknown_logged[kind]) {
        vgpu->unknown_logged[kind] = true;
        vgpu_log(vgpu, LOG_DEBUG, "%s register 0x%x is storage only, as all unknown ones",
                 kinds[kind].name, offset);
    }
}

/* --- accesses ---------------------------------------------------------------------------- */

uint32_t reg_read(struct vgpu *vgpu, uint32_t offset)
{
    struct reg_at at;
    const struct reg *r = vgpu->failed ? NULL : find(vgpu, offset, &at);
    return r && r->read ? r->read(vgpu, &at) : *vgpu_reg(vgpu, offset);
}

static uint32_t combine(const struct reg *r, uint32_t offset, uint32_t old, uint32_t value)
{
    uint32_t now = value;
    if (r->flags & REG_W1C) {
        now = old & ~value;
    } else if (register_is_masked(offset)) {
        uint32_t changed = value >> 16;
        now = (old & ~changed) | (value & changed);
    }
    return (now & ~r->fixed) | (old & r->fixed);
}

static void store(struct vgpu *vgpu, const struct reg *r, const struct reg_at *at, uint32_t value)
{
    uint32_t *reg = vgpu_reg(vgpu, at->offset);
    uint32_t old = *reg;
    if (r->flags & REG_RO) {
        vgpu->stats.dropped++;
        return;
    }
    *reg = combine(r, at->offset, old, value);
    if (r->write) {
        r->write(vgpu, at, old, *reg);
    }
}

void reg_write(struct vgpu *vgpu, uint32_t offset, uint32_t value)
{
    struct reg_at at;
    const struct reg *r = vgpu->failed ? NULL : find(vgpu, offset, &at);
    if (r) {
        store(vgpu, r, &at, value);
        return;
    }
    if (!vgpu->failed) {
        count_unknown(vgpu, offset);
    }
    vgpu->kept->stored[offset / VGPU_REG_PAGE] = true;
    *vgpu_reg(vgpu, offset) = value;
}

/* Where a written 1 means something by itself, the bits that were not written are 0. */
void reg_write_part(struct vgpu *vgpu, uint32_t offset, uint32_t value, uint32_t mask)
{
    struct reg_at at;
    const struct reg *r = vgpu->failed ? NULL : find(vgpu, offset, &at);
    bool keep = !r || (!(r->flags & REG_W1C) && !register_is_masked(offset));
    uint32_t rest = keep ? *vgpu_reg(vgpu, offset) & ~mask : 0;
    reg_write(vgpu, offset, rest | (value & mask));
}

/* --- reset ------------------------------------------------------------------------------- */

static void reset_block(struct vgpu *vgpu, const struct reg_block *block, uint32_t base)
{
    for (size_t i = 0; i < block->count; i++) {
        const struct reg *r = &block->reg[i];
        for (uint32_t n = 0; n < r->count; n++) {
            *vgpu_reg(vgpu, base + r->offset + n * 4) = r->reset;
        }
    }
}

static void reset_blocks(struct vgpu *vgpu, bool of_engine, uint32_t base)
{
    for (unsigned n = 0; vgpu->model->block[n]; n++) {
        if (vgpu->model->block[n]->of_engine == of_engine) {
            reset_block(vgpu, vgpu->model->block[n], base);
        }
    }
}

void reg_reset_engine(struct vgpu *vgpu, const struct vgpu_engine *engine)
{
    reset_blocks(vgpu, true, engine->info->base);
}

/* What costs is what the guest has stored. */
static void forget_stored(struct vgpu *vgpu)
{
    for (uint32_t page = 0; page < VGPU_REG_PAGES; page++) {
        if (vgpu->kept->stored[page]) {
            vgpu->kept->stored[page] = false;
            memset(vgpu_reg(vgpu, page * VGPU_REG_PAGE), 0, VGPU_REG_PAGE);
        }
    }
}

void reg_reset_all(struct vgpu *vgpu)
{
    forget_stored(vgpu);
    reset_blocks(vgpu, false, 0);
    for (int e = 0; e < GPU_ENGINES; e++) {
        reg_reset_engine(vgpu, &vgpu->engine[e]);
    }
}
