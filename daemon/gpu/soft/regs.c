/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Offsets: Intel's Broadwell PRM, vol. 2c; Linux' i915_reg.h and intel_engine_regs.h. */

#include "gpu/soft/regs.h"

#include <stddef.h>
#include <time.h>

#include "gen/clock.h"
#include "gpu/soft/soft.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct span {
    uint32_t first, last;
};

/* What a batch without privilege may write. First those of every engine, from its base. */
static const struct span open_to_all[] = {
    {RING_PREDICATE_SRC0, RING_PREDICATE_RESULT_1},
    {RING_GPR, RING_GPR + 8 * RING_GPRS - 4},
};

/* The blitter's, from its base. */
static const struct span open_to_blits[] = {
    {RING_SWCTRL, RING_SWCTRL},
};

/* The render engine's and its pipeline's, by their offsets. */
static const struct span open_to_render[] = {
    {0x20c0, 0x20c0}, /* INSTPM */
    {0x2214, 0x2214}, /* MI_PREDICATE_RESULT_2 */
    {0x2290, 0x2294}, /* GPGPU_THREADS_DISPATCHED */
    {0x2300, 0x2357}, /* statistics */
    {0x2420, 0x2443}, /* 3DPRIM_* */
    {0x2500, 0x250b}, /* GPGPU_DISPATCHDIM* */
    {0x5200, 0x521f}, /* SO_NUM_PRIMS_WRITTEN */
    {0x5240, 0x525f}, /* SO_PRIM_STORAGE_NEEDED */
    {0x5280, 0x528f}, /* SO_WRITE_OFFSET */
    {0x7000, 0x700b}, /* CACHE_MODE_0, CACHE_MODE_1, GT_MODE */
    {0x7034, 0x7034}, /* L3CNTLREG */
};

/* The high half of what is written to these says which bits of the low half are meant. */
static const struct span masked_by_base[] = {
    {RING_MI_MODE, RING_MI_MODE},         {RING_INSTPM, RING_INSTPM},
    {RING_SWCTRL, RING_SWCTRL}, /* of the blitter; elsewhere there is none */
    {RING_CTX_CONTROL, RING_CTX_CONTROL}, {RING_MODE, RING_MODE},
};

static const struct span masked[] = {
    {0x20e0, 0x20e4}, /* FF_SLICE_CS_CHICKEN1, 2 */
    {0x7000, 0x7008}, /* CACHE_MODE_0, CACHE_MODE_1, GT_MODE */
    {0x7010, 0x7018}, /* COMMON_SLICE_CHICKEN1, 2, 3 */
    {0x7300, 0x7304}, /* HDC_CHICKEN0, 1 */
    {0xe100, 0xe100}, /* HALF_SLICE_CHICKEN1 */
    {0xe180, 0xe194}, /* HALF_SLICE_CHICKEN2 to 7 */
    {0xe4f0, 0xe4f4}, /* ROW_CHICKEN, 2 */
};

static bool within(const struct span *spans, size_t n, uint32_t offset)
{
    for (size_t i = 0; i < n; i++) {
        if (offset >= spans[i].first && offset <= spans[i].last) {
            return true;
        }
    }
    return false;
}

static uint32_t from_base(const struct cs_engine *engine, uint32_t offset)
{
    return offset - engine_info[engine->id].base;
}

static bool is_open(const struct cs_engine *engine, uint32_t offset)
{
    uint32_t own = from_base(engine, offset);

    return within(open_to_all, ARRAY_SIZE(open_to_all), own) ||
           (engine->id == GPU_BCS && within(open_to_blits, ARRAY_SIZE(open_to_blits), own)) ||
           (engine->id == GPU_RCS && within(open_to_render, ARRAY_SIZE(open_to_render), offset));
}

static bool is_masked(const struct cs_engine *engine, uint32_t offset)
{
    return within(masked, ARRAY_SIZE(masked), offset) ||
           within(masked_by_base, ARRAY_SIZE(masked_by_base), from_base(engine, offset));
}

/* --- the clock --------------------------------------------------------------------------- */

uint64_t gpu_timestamp(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return clock_ticks((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
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
        return (uint32_t)gpu_timestamp();
    case RING_TIMESTAMP + 4:
        return (uint32_t)(gpu_timestamp() >> 32);
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
    if (is_masked(engine, offset)) {
        uint32_t mask = value >> 16;

        value = (cs_reg_load(engine, offset) & ~mask) | (value & mask);
    }
    if (from_base(engine, offset) < ENGINE_REGS_SIZE) {
        cs_reg_set(engine, from_base(engine, offset), value);
    } else {
        store(&engine->regs, offset, value);
    }
}
