/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The registers that commands may touch, a row each. */
#include "gen/register_rules.h"

#include <stddef.h>

#include "gen/registers.h"

#define RCS  (1u << GPU_RCS)
#define BCS  (1u << GPU_BCS)
#define VCS  (1u << GPU_VCS0)
#define EACH (RCS | BCS | VCS | 1u << GPU_VECS)

#define ALL    UINT32_MAX
#define FREE   (RULE_OPEN | RULE_LOAD | RULE_STORE)
#define MASKED RULE_MASKED

/* Columns: offset, count, engines, flags, bits. Both by ascending offsets. */
/* clang-format off */

static const struct register_rule of_engines[] = {
    {RING_PSMI_CTL,             1, 0,    MASKED, 0},
    {RING_NOPID,                1, RCS,  RULE_OPEN, 0},
    {RING_MI_MODE,              1, RCS,  MASKED | RULE_LOAD, MI_MODE_ASYNC_FLIP_OFF},
    {RING_INSTPM,               1, RCS,  MASKED | FREE, 0xffff},
    {RING_RESET_CTL,            1, 0,    MASKED, 0},
    {RING_FF_SLICE_CS_CHICKEN1, 2, 0,    MASKED, 0},
    {0x158,                     1, RCS,  RULE_OPEN, 0}, /* BB_OFFSET */
    {RING_SWCTRL,               1, BCS,  MASKED | RULE_OPEN, 0},
    {RING_PREDICATE_RESULT_2,   1, RCS,  FREE, ALL},
    {RING_CTX_CONTROL,          1, 0,    MASKED, 0},
    {RING_GPGPU_DISPATCHED,     2, RCS,  FREE, ALL},
    {RING_MODE,                 1, 0,    MASKED, 0},
    {0x2c8,                    14, RCS,  RULE_OPEN, 0}, /* statistics */
    {RING_STATISTICS,          22, RCS,  FREE, ALL},
    {RING_TIMESTAMP,            2, EACH, RULE_STORE, 0},
    {0x360,                     2, RCS,  RULE_OPEN, 0}, /* of performance counters */
    {RING_CSB_PTR,              1, 0,    MASKED, 0},
    {RING_CTX_TIMESTAMP,        1, EACH, RULE_STORE, 0},
    {0x3bc,                     1, RCS,  RULE_OPEN, 0},
    {RING_PREDICATE_SRC0,       8, RCS,  FREE, ALL},
    {RING_3DPRIM_END,           1, RCS,  FREE, ALL},
    {RING_3DPRIM,               5, RCS,  FREE, ALL},
    {RING_GPGPU_DISPATCH,       3, RCS,  FREE, ALL},
    {RING_GPR,      2 * RING_GPRS, EACH, FREE, ALL},
};

static const struct register_rule of_gpu[] = {
    {SO_NUM_PRIMS,         8, RCS, FREE, ALL},
    {SO_PRIM_STORAGE,      8, RCS, FREE, ALL},
    {SO_WRITE_OFFSET,      4, RCS, FREE, ALL},
    {CACHE_MODE_0,         3, RCS, MASKED | FREE, 0xffff}, /* CACHE_MODE_1, GT_MODE */
    {0x007010,             3, 0,   MASKED, 0},             /* COMMON_SLICE_CHICKEN1 to 3 */
    {L3CNTLREG,            1, RCS, RULE_OPEN, 0},
    {HDC_CHICKEN0,         1, RCS, MASKED | RULE_LOAD, 1 << 14 | 1 << 11 | 1 << 5 | 1 << 4},
    {HDC_CHICKEN0 + 4,     1, 0,   MASKED, 0},
    {0x0091b8,             4, RCS, RULE_OPEN, 0}, /* performance counters */
    {FORCEWAKE_MT,         1, 0,   MASKED, 0},
    {L3SQCREG4,            1, RCS, RULE_LOAD | RULE_STORE, ALL},
    {0x00e100,             1, 0,   MASKED, 0}, /* HALF_SLICE_CHICKEN1 */
    {0x00e180,             1, 0,   MASKED, 0}, /* HALF_SLICE_CHICKEN2 */
    {HALF_SLICE_CHICKEN3,  1, RCS, MASKED | RULE_LOAD, 1 << 8 | 1 << 1},
    {0x00e188,             4, 0,   MASKED, 0}, /* HALF_SLICE_CHICKEN4 to 7 */
    {0x00e400,             2, RCS, RULE_OPEN, 0},
    {ROW_CHICKEN,          1, RCS, MASKED | RULE_LOAD, 1 << 15 | 1 << 8 | 1 << 5},
    {ROW_CHICKEN2,         1, RCS, MASKED | RULE_LOAD, 1 << 0},
    {0x012800,           512, VCS, RULE_OPEN, 0}, /* of the video codec */
};

/* clang-format on */

static const struct register_rule *in_table(const struct register_rule *table, size_t count,
                                            uint32_t offset)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct register_rule *rule = &table[middle];
        if (offset < rule->offset) {
            high = middle;
        } else if (offset >= rule->offset + rule->count * 4) {
            low = middle + 1;
        } else {
            return rule;
        }
    }
    return NULL;
}

static const struct register_rule *of_engine(uint32_t offset)
{
    return in_table(of_engines, sizeof(of_engines) / sizeof(of_engines[0]), offset);
}

static const struct register_rule *of_none(uint32_t offset)
{
    return in_table(of_gpu, sizeof(of_gpu) / sizeof(of_gpu[0]), offset);
}

const struct register_rule *register_rule(enum gpu_engine engine, uint32_t offset)
{
    if (offset % 4) {
        return NULL;
    }
    uint32_t own = offset - engine_info[engine].base;
    const struct register_rule *rule = own < ENGINE_REGS_SIZE ? of_engine(own) : of_none(offset);
    return rule && rule->engines & 1u << engine ? rule : NULL;
}

bool register_is_masked(uint32_t offset)
{
    const struct register_rule *rule = of_none(offset);
    for (int e = 0; e < GPU_ENGINES && !rule; e++) {
        uint32_t own = offset - engine_info[e].base;
        rule = own < ENGINE_REGS_SIZE ? of_engine(own) : NULL;
    }
    return rule && rule->flags & RULE_MASKED;
}

bool register_may_load(enum gpu_engine engine, uint32_t offset, uint32_t value)
{
    const struct register_rule *rule = register_rule(engine, offset);
    if (!rule || !(rule->flags & RULE_LOAD)) {
        return false;
    }
    uint32_t changed = rule->flags & RULE_MASKED ? value >> 16 : value;
    return !(changed & ~rule->bits);
}

bool register_may_load_any(enum gpu_engine engine, uint32_t offset)
{
    const struct register_rule *rule = register_rule(engine, offset);
    uint32_t all = rule && rule->flags & RULE_MASKED ? 0xffff : ALL;
    return rule && rule->flags & RULE_LOAD && rule->bits == all;
}

bool register_may_store(enum gpu_engine engine, uint32_t offset)
{
    const struct register_rule *rule = register_rule(engine, offset);
    return rule && rule->flags & RULE_STORE;
}
