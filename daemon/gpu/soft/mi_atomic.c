/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MI_ATOMIC: an operation on a dword or a qword in memory. Steps of engines do not overlap, so
 * that the read and the write of one step are atomic among the GPU's; guests' processors are not
 * kept out.
 */

#include "gpu/soft/executors.h"
#include "gpu/soft/soft.h"

/* Which GPRs operands are in. */
#define GPR_FIRST  0u
#define GPR_SECOND 2u
#define GPR_RETURN 4u

struct operands {
    uint64_t old, first, second;
};

static int64_t to_signed(uint64_t value, uint32_t size)
{
    return size == 4 ? (int32_t)value : (int64_t)value;
}

/* The new value; only its low bytes are used. */
static uint64_t apply(enum atomic_operation operation, const struct operands *o, uint32_t size)
{
    bool greater = to_signed(o->old, size) > to_signed(o->first, size);

    switch (operation) {
    case ATOMIC_AND:
        return o->old & o->first;
    case ATOMIC_OR:
        return o->old | o->first;
    case ATOMIC_XOR:
        return o->old ^ o->first;
    case ATOMIC_MOVE:
        return o->first;
    case ATOMIC_INC:
        return o->old + 1;
    case ATOMIC_DEC:
    case ATOMIC_PREDEC:
        return o->old - 1;
    case ATOMIC_ADD:
        return o->old + o->first;
    case ATOMIC_SUB:
        return o->old - o->first;
    case ATOMIC_REVERSE_SUB:
        return o->first - o->old;
    case ATOMIC_MAX:
        return greater ? o->old : o->first;
    case ATOMIC_MIN:
        return greater ? o->first : o->old;
    case ATOMIC_UNSIGNED_MAX:
        return o->old > o->first ? o->old : o->first;
    case ATOMIC_UNSIGNED_MIN:
        return o->old > o->first ? o->first : o->old;
    case ATOMIC_COMPARE_WRITE:
        return o->old == o->first ? o->second : o->old;
    }
    return o->old;
}

static void load_operands(const struct cs_engine *engine, const uint32_t *dw, uint32_t size,
                          struct operands *o)
{
    if (dw[0] & ATOMIC_INLINE) {
        /* The dwords of the two take turns. */
        o->first = (uint64_t)dw[5] << 32 | dw[3];
        o->second = (uint64_t)dw[6] << 32 | dw[4];
    } else {
        o->first = engine->regs.gpr[GPR_FIRST];
        o->second = engine->regs.gpr[GPR_SECOND];
    }
    if (size == 4) {
        o->first = (uint32_t)o->first;
        o->second = (uint32_t)o->second;
    }
}

int mi_atomic(struct cs_engine *engine, const uint32_t *dw)
{
    enum mem_space space = dw[0] & MI_USE_GGTT ? MEM_GGTT : MEM_PPGTT;
    uint32_t opcode = ATOMIC_OPCODE(dw[0]);
    uint32_t size = opcode & ATOMIC_QWORD ? 8 : 4;
    uint32_t operation = opcode & ~ATOMIC_QWORD;
    uint64_t address = cs_address(dw + 1, ~(size - 1));
    struct operands o = {0};
    uint64_t value;
    int ret;

    ret = mem_read(engine, space, address, &o.old, size);
    if (ret) {
        return ret;
    }
    load_operands(engine, dw, size, &o);
    value = apply((enum atomic_operation)operation, &o, size);
    if (dw[0] & ATOMIC_RETURN) {
        engine->regs.gpr[GPR_RETURN] = operation == ATOMIC_PREDEC ? value : o.old;
    }
    return mem_write(engine, space, address, &value, size);
}
