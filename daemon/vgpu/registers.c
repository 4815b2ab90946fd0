/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads and stores of registers, as the tables say. */
#include "vgpu/registers.h"

#include <syslog.h>

#include "vgpu/device.h"

/* --- finding ----------------------------------------------------------------------------- */

const struct reg *reg_find(const struct reg *table, size_t count, uint32_t offset)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct reg *r = &table[middle];
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

static struct vgpu_engine *engine_at(struct vgpu *vgpu, uint32_t offset)
{
    for (int e = 0; e < GPU_ENGINES; e++) {
        if (offset - vgpu->engine[e].info->base < ENGINE_REGS_SIZE) {
            return &vgpu->engine[e];
        }
    }
    return NULL;
}

/* The line for a register and what handlers want to know of it. */
static const struct reg *find(struct vgpu *vgpu, uint32_t offset, struct reg_at *at)
{
    *at = (struct reg_at){.offset = offset, .engine = engine_at(vgpu, offset)};
    const struct reg *r = NULL;
    if (at->engine) {
        uint32_t relative = offset - at->engine->info->base;
        r = reg_find(engine_regs, engine_regs_count, relative);
        at->index = r ? (relative - r->offset) / 4 : 0;
    } else {
        r = reg_find(gpu_regs, gpu_regs_count, offset);
        at->index = r ? (offset - r->offset) / 4 : 0;
    }
    return r;
}

bool reg_allows(const struct vgpu_engine *engine, uint32_t offset, enum reg_flag use)
{
    const struct reg *r = NULL;
    if (offset % 4) {
        return false;
    }
    if (offset - engine->info->base < ENGINE_REGS_SIZE) {
        r = reg_find(engine_regs, engine_regs_count, offset - engine->info->base);
    } else if (engine->id == GPU_RCS) { /* what is listed of the rest belongs to its pipeline */
        r = reg_find(gpu_regs, gpu_regs_count, offset);
    }
    return r && r->flags & use;
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

static uint32_t combine(const struct reg *r, uint32_t old, uint32_t value)
{
    uint32_t now = value;
    if (r->flags & REG_W1C) {
        now = old & ~value;
    } else if (r->flags & REG_MASKED) {
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
    *reg = combine(r, old, value);
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
    *vgpu_reg(vgpu, offset) = value;
}

/* Where a written 1 means something by itself, the bits that were not written are 0. */
void reg_write_part(struct vgpu *vgpu, uint32_t offset, uint32_t value, uint32_t mask)
{
    struct reg_at at;
    const struct reg *r = vgpu->failed ? NULL : find(vgpu, offset, &at);
    bool keep = !r || !(r->flags & (REG_W1C | REG_MASKED));
    uint32_t rest = keep ? *vgpu_reg(vgpu, offset) & ~mask : 0;
    reg_write(vgpu, offset, rest | (value & mask));
}

/* --- reset ------------------------------------------------------------------------------- */

static void reset_table(struct vgpu *vgpu, const struct reg *table, size_t count, uint32_t base)
{
    for (size_t i = 0; i < count; i++) {
        for (uint32_t n = 0; n < table[i].count; n++) {
            *vgpu_reg(vgpu, base + table[i].offset + n * 4) = table[i].reset;
        }
    }
}

void reg_reset_engine(struct vgpu *vgpu, const struct vgpu_engine *engine)
{
    reset_table(vgpu, engine_regs, engine_regs_count, engine->info->base);
}

void reg_reset_all(struct vgpu *vgpu)
{
    reset_table(vgpu, gpu_regs, gpu_regs_count, 0);
    for (int e = 0; e < GPU_ENGINES; e++) {
        reg_reset_engine(vgpu, &vgpu->engine[e]);
    }
}
