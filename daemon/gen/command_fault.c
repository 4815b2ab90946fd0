/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faults of form: what no command may say, whoever executes it and wherever its addresses lead. */
#include "gen/commands.h"

static const char *of_store_data(const uint32_t *dw, uint32_t length)
{
    return dw[0] & SDI_QWORDS && length % 2 == 0 ? "half a quadword to store" : NULL;
}

static const char *of_load_register_imm(uint32_t length)
{
    return length % 2 == 0 ? "a register without a value" : NULL;
}

static const char *of_flush_dw(const uint32_t *dw, uint32_t length)
{
    if (POST_SYNC(dw[0]) == POST_SYNC_DEPTH_COUNT) {
        return "no such post-sync operation";
    }
    return POST_SYNC(dw[0]) != POST_SYNC_NONE && length < 4 ? "no data to store" : NULL;
}

static const char *of_atomic(const uint32_t *dw, uint32_t length)
{
    uint32_t opcode = ATOMIC_OPCODE(dw[0]);
    uint32_t operation = opcode & ~ATOMIC_QWORD;
    if (operation < ATOMIC_AND || operation > ATOMIC_PREDEC) {
        return "no such operation";
    }
    return length != (dw[0] & ATOMIC_INLINE ? ATOMIC_INLINE_LENGTH : ATOMIC_LENGTH)
               ? "as many dwords as no operation has"
               : NULL;
}

static const char *of_set_predicate(const uint32_t *dw)
{
    uint32_t mode = SET_PREDICATE_MODE(dw[0]);
    return mode > SET_PREDICATE_RESULT_SET && mode != SET_PREDICATE_ON ? "no such mode" : NULL;
}

/* --- MI_MATH ----------------------------------------------------------------------------- */

static bool is_gpr(uint32_t operand)
{
    return operand < ALU_GPRS;
}

static bool alu_knows(uint32_t dw)
{
    uint32_t first = ALU_FIRST(dw), second = ALU_SECOND(dw);
    switch (ALU_OPCODE(dw)) {
    case ALU_NOOP:
    case ALU_ADD:
    case ALU_SUB:
    case ALU_AND:
    case ALU_OR:
    case ALU_XOR:
        return true;
    case ALU_LOAD:
    case ALU_LOADINV:
        return (first == ALU_SRCA || first == ALU_SRCB) && is_gpr(second);
    case ALU_LOAD0:
    case ALU_LOAD1:
        return first == ALU_SRCA || first == ALU_SRCB;
    case ALU_STORE:
    case ALU_STOREINV:
        return is_gpr(first) &&
               (is_gpr(second) || second == ALU_ACCU || second == ALU_ZF || second == ALU_CF);
    default:
        return false;
    }
}

static const char *of_math(const uint32_t *dw, uint32_t length)
{
    for (uint32_t i = 1; i < length; i++) {
        if (!alu_knows(dw[i])) {
            return "no such ALU instruction";
        }
    }
    return NULL;
}

/* --- blits ------------------------------------------------------------------------------- */

static const char *of_tiled_pitch(uint32_t pitch)
{
    int16_t dwords = (int16_t)pitch;
    return dwords <= 0 || dwords * 4 % TILE_ROW_BYTES ? "a tiled surface's pitch of no whole tiles"
                                                      : NULL;
}

/* Drawn is with all bytes of a pixel, everywhere: no driver needs more of the blitter. */
static const char *of_blit(const uint32_t *dw, uint32_t rop)
{
    if (BR13_DEPTH(dw[1]) == BR13_DEPTH_32 && (dw[0] & BLT_WRITE_RGBA) != BLT_WRITE_RGBA) {
        return "not all bytes of a pixel enabled";
    }
    if (dw[1] & BR13_CLIPPING) {
        return "clipping";
    }
    return BR13_ROP(dw[1]) != rop ? "no such raster operation" : NULL;
}

static const char *of_xy_blit(const uint32_t *dw, uint32_t rop)
{
    const char *fault = of_blit(dw, rop);
    return fault || !(dw[0] & BLT_TILED_DST) ? fault : of_tiled_pitch(dw[1]);
}

static const char *of_xy_copy(const uint32_t *dw)
{
    const char *fault = of_xy_blit(dw, ROP_COPY);
    return fault || !(dw[0] & BLT_TILED_SRC) ? fault : of_tiled_pitch(dw[7]);
}

static const char *of_copy(const uint32_t *dw, uint32_t length)
{
    return length == 7 ? "as many dwords as no address has" : of_blit(dw, ROP_COPY);
}

/* --- all of them ------------------------------------------------------------------------- */

const char *command_fault(const struct command *command, const uint32_t *dw, uint32_t length)
{
    switch (command->id) {
    case CMD_MI_SET_PREDICATE:
        return of_set_predicate(dw);
    case CMD_MI_STORE_DATA_IMM:
        return of_store_data(dw, length);
    case CMD_MI_LOAD_REGISTER_IMM:
        return of_load_register_imm(length);
    case CMD_MI_FLUSH_DW:
        return of_flush_dw(dw, length);
    case CMD_MI_ATOMIC:
        return of_atomic(dw, length);
    case CMD_MI_MATH:
        return of_math(dw, length);
    case CMD_MI_SEMAPHORE_WAIT:
        return SEMAPHORE_OPERATION(dw[0]) > SEMAPHORE_NOT_EQUAL ? "no such comparison" : NULL;
    case CMD_COLOR_BLT:
        return of_blit(dw, ROP_COLOUR);
    case CMD_SRC_COPY_BLT:
        return of_copy(dw, length);
    case CMD_XY_COLOR_BLT:
        return of_xy_blit(dw, ROP_COLOUR);
    case CMD_XY_SRC_COPY_BLT:
        return of_xy_copy(dw);
    default:
        return NULL;
    }
}
