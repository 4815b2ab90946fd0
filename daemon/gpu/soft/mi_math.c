/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MI_MATH: programs of a small 64-bit ALU that works on the general purpose registers. */

#include <errno.h>

#include "gpu/soft/mi.h"
#include "gpu/soft/soft.h"

#define ALU_OPCODE(dw) ((dw) >> 20)
#define ALU_FIRST(dw)  ((dw) >> 10 & 0x3ff)
#define ALU_SECOND(dw) ((dw)&0x3ff)

enum alu_opcode {
    ALU_NOOP = 0x000,
    ALU_LOAD = 0x080,
    ALU_LOAD0 = 0x081,
    ALU_ADD = 0x100,
    ALU_SUB = 0x101,
    ALU_AND = 0x102,
    ALU_OR = 0x103,
    ALU_XOR = 0x104,
    ALU_STORE = 0x180,
    ALU_LOADINV = 0x480,
    ALU_LOAD1 = 0x481,
    ALU_STOREINV = 0x580,
};

/* Operands: R0 to R15, and the ALU's own, which live for one command. */
enum alu_operand {
    ALU_SRCA = 0x20,
    ALU_SRCB = 0x21,
    ALU_ACCU = 0x31,
    ALU_ZF = 0x32,
    ALU_CF = 0x33,
};

/* Flags are all ones or all zeros, as they are stored. */
struct alu {
    uint64_t *gpr;
    uint64_t a, b, accu, zero, carry;
};

static uint64_t *source(struct alu *alu, uint32_t operand)
{
    switch (operand) {
    case ALU_SRCA:
        return &alu->a;
    case ALU_SRCB:
        return &alu->b;
    default:
        return NULL;
    }
}

static uint64_t *gpr(struct alu *alu, uint32_t operand)
{
    return operand < RING_GPRS ? &alu->gpr[operand] : NULL;
}

static uint64_t *result(struct alu *alu, uint32_t operand)
{
    switch (operand) {
    case ALU_ACCU:
        return &alu->accu;
    case ALU_ZF:
        return &alu->zero;
    case ALU_CF:
        return &alu->carry;
    default:
        return gpr(alu, operand);
    }
}

static void settle(struct alu *alu, uint64_t value, bool carry)
{
    alu->accu = value;
    alu->zero = value == 0 ? UINT64_MAX : 0;
    alu->carry = carry ? UINT64_MAX : 0;
}

/* False: there is no such operand. */
static bool move(uint64_t *to, const uint64_t *from, bool invert)
{
    if (!to || !from) {
        return false;
    }
    *to = invert ? ~*from : *from;
    return true;
}

/* False: there is no such instruction. */
static bool step(struct alu *alu, uint32_t dw)
{
    static const uint64_t nought;
    uint32_t opcode = ALU_OPCODE(dw);

    switch (opcode) {
    case ALU_NOOP:
        return true;
    case ALU_LOAD:
    case ALU_LOADINV:
        return move(source(alu, ALU_FIRST(dw)), gpr(alu, ALU_SECOND(dw)), opcode == ALU_LOADINV);
    case ALU_LOAD0:
    case ALU_LOAD1:
        return move(source(alu, ALU_FIRST(dw)), &nought, opcode == ALU_LOAD1);
    case ALU_STORE:
    case ALU_STOREINV:
        return move(gpr(alu, ALU_FIRST(dw)), result(alu, ALU_SECOND(dw)), opcode == ALU_STOREINV);
    case ALU_ADD:
        settle(alu, alu->a + alu->b, alu->a + alu->b < alu->a);
        return true;
    case ALU_SUB:
        settle(alu, alu->a - alu->b, alu->a < alu->b);
        return true;
    case ALU_AND:
        settle(alu, alu->a & alu->b, false);
        return true;
    case ALU_OR:
        settle(alu, alu->a | alu->b, false);
        return true;
    case ALU_XOR:
        settle(alu, alu->a ^ alu->b, false);
        return true;
    default:
        return false;
    }
}

int mi_math(struct cs_engine *engine, const uint32_t *dw)
{
    struct alu alu = {.gpr = engine->regs.gpr};

    for (uint32_t i = 1; i < engine->length; i++) {
        if (!step(&alu, dw[i])) {
            return cs_fail(engine, -EINVAL, "no ALU instruction 0x%08x", dw[i]);
        }
    }
    return CS_DONE;
}
