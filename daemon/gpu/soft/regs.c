/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registers as commands see them: loads and stores. */

#include "gpu/soft/regs.h"

#include "gen/register_rules.h"
#include "gpu/soft/soft.h"

static uint32_t from_base(const struct cs_engine *engine, uint32_t offset)
{
    return offset - engine_info[engine->id].base;
}

static bool is_open(const struct cs_engine *engine, uint32_t offset)
{
    const struct register_rule *rule = register_rule(engine->id, offset);

    return rule && rule->flags & RULE_OPEN;
}

/* --- storage ----------------------------------------------------------------------------- */

static uint32_t load_stored(const struct registers *regs, uint32_t offset)
{
    for (unsigned i = 0; i < regs->used; i++) {
        if (regs->stored[i].offset == offset) {
            return regs->stored[i].value;
        }
    }
    return 0;
}

static void store(struct registers *regs, uint32_t offset, uint32_t value)
{
    unsigned i = 0;

    while (i < regs->used && regs->stored[i].offset != offset) {
        i++;
    }
    if (i == REG_STORED) {
        return;
    }
    regs->stored[i].offset = offset;
    regs->stored[i].value = value;
    if (i == regs->used) {
        regs->used++;
    }
}

static bool is_gpr(uint32_t own)
{
    return own >= RING_GPR && own < RING_GPR + 8 * RING_GPRS;
}

/* --- access ------------------------------------------------------------------------------ */

uint32_t cs_reg_get(const struct cs_engine *engine, uint32_t own)
{
    if (is_gpr(own)) {
        return (uint32_t)(engine->regs.gpr[(own - RING_GPR) / 8] >> 8 * (own & 4));
    }
    switch (own) {
    case RING_TIMESTAMP:
    case RING_CTX_TIMESTAMP:
        return (uint32_t)soft_ticks(engine->client);
    case RING_TIMESTAMP + 4:
        return (uint32_t)(soft_ticks(engine->client) >> 32);
    default:
        return load_stored(&engine->regs, engine_info[engine->id].base + own);
    }
}

uint64_t cs_reg_get64(const struct cs_engine *engine, uint32_t own)
{
    return (uint64_t)cs_reg_get(engine, own + 4) << 32 | cs_reg_get(engine, own);
}

void cs_reg_set(struct cs_engine *engine, uint32_t own, uint32_t value)
{
    if (is_gpr(own)) {
        uint64_t *gpr = &engine->regs.gpr[(own - RING_GPR) / 8];
        unsigned shift = 8 * (own & 4);

        *gpr = (*gpr & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)value << shift;
        return;
    }
    store(&engine->regs, engine_info[engine->id].base + own, value);
}

uint32_t cs_reg_load(const struct cs_engine *engine, uint32_t offset)
{
    offset &= MI_REGISTER_OFFSET;
    if (from_base(engine, offset) < ENGINE_REGS_SIZE) {
        return cs_reg_get(engine, from_base(engine, offset));
    }
    return load_stored(&engine->regs, offset);
}

void cs_reg_store(struct cs_engine *engine, uint32_t offset, uint32_t value)
{
    offset &= MI_REGISTER_OFFSET;
    if (!cs_privileged(engine) && !is_open(engine, offset)) {
        cs_deny(engine);
        return;
    }
    if (register_is_masked(offset)) {
        uint32_t mask = value >> 16;

        value = (cs_reg_load(engine, offset) & ~mask) | (value & mask);
    }
    if (from_base(engine, offset) < ENGINE_REGS_SIZE) {
        cs_reg_set(engine, from_base(engine, offset), value);
    } else {
        store(&engine->regs, offset, value);
    }
}
