/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MI_MATH: programs of a small 64-bit ALU that works on the general purpose registers. */

#include "gpu/soft/executors.h"
#include "gpu/soft/soft.h"

/* Flags are all ones or all zeros, as they are stored. */
struct alu {
    uint64_t *gpr;
    uint64_t a, b, accu, zero, carry;
};

static uint64_t *source(struct alu *alu, uint32_t operand)
{
    return operand == ALU_SRCA ? &alu->a : &alu->b;
}

static const uint64_t *result(const struct alu *alu, uint32_t operand)
{
    switch (operand) {
    case ALU_ACCU:
        return &alu->accu;
    case ALU_ZF:
        return &alu->zero;
    case ALU_CF:
        return &alu->carry;
    default:
        return &alu->gpr[operand % ALU_GPRS];
    }
}

static void settle(struct alu *alu, uint64_t value, bool carry)
{
    alu->accu = value;
    alu->zero = value == 0 ? UINT64_MAX : 0;
    alu->carry = carry ? UINT64_MAX : 0;
}

static void step(struct alu *alu, uint32_t dw)
{
    uint32_t first = ALU_FIRST(dw);
    uint32_t second = ALU_SECOND(dw);

    switch ((enum alu_opcode)ALU_OPCODE(dw)) {
    case ALU_NOOP:
        break;
    case ALU_LOAD:
        *source(alu, first) = alu->gpr[second % ALU_GPRS];
        break;
    case ALU_LOADINV:
        *source(alu, first) = ~alu->gpr[second % ALU_GPRS];
        break;
    case ALU_LOAD0:
        *source(alu, first) = 0;
        break;
    case ALU_LOAD1:
        *source(alu, first) = UINT64_MAX;
        break;
    case ALU_STORE:
        alu->gpr[first % ALU_GPRS] = *result(alu, second);
        break;
    case ALU_STOREINV:
        alu->gpr[first % ALU_GPRS] = ~*result(alu, second);
        break;
    case ALU_ADD:
        settle(alu, alu->a + alu->b, alu->a + alu->b < alu->a);
        break;
    case ALU_SUB:
        settle(alu, alu->a - alu->b, alu->a < alu->b);
        break;
    case ALU_AND:
        settle(alu, alu->a & alu->b, false);
        break;
    case ALU_OR:
        settle(alu, alu->a | alu->b, false);
        break;
    case ALU_XOR:
        settle(alu, alu->a ^ alu->b, false);
        break;
    }
}

/* Instructions and operands that are none are a fault of the command's form: none comes here. */
int mi_math(struct cs_engine *engine, const uint32_t *dw)
{
    struct alu alu = {.gpr = engine->regs.gpr};

    for (uint32_t i = 1; i < engine->length; i++) {
        step(&alu, dw[i]);
    }
    return CS_DONE;
}
