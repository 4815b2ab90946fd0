/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The commands of the engines, one row each: how a command is recognized, how long it is, which
 * engines have it, which of its bits mean something, what privilege it takes, and whether a guest
 * may have it executed with privilege. Who checks a command and who executes it read the same row;
 * what has no row is refused by the one and stops the other.
 *
 * Intel's Broadwell PRM: vol. 2a (commands), vol. 6 ("User Mode Privileged Commands"), vol. 11
 * (blitter). Where the documents leave the width of a length field open, the narrower one stands
 * here and the bits above it must be zero, so that no reading of a command is longer than ours.
 */
#ifndef XENGT_GEN_COMMANDS_H
#define XENGT_GEN_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gen/engines.h"

/* Commands that somebody treats in a way of their own. */
enum command_id {
    CMD_STATE, /* of a pipeline: nothing but its length matters to the command streamer */
    CMD_MI_OTHER,
    CMD_MI_NOOP,
    CMD_MI_SET_PREDICATE,
    CMD_MI_USER_INTERRUPT,
    CMD_MI_BATCH_BUFFER_END,
    CMD_MI_PREDICATE,
    CMD_MI_MATH,
    CMD_MI_SEMAPHORE_WAIT,
    CMD_MI_STORE_DATA_IMM,
    CMD_MI_STORE_DATA_INDEX,
    CMD_MI_LOAD_REGISTER_IMM,
    CMD_MI_UPDATE_GTT,
    CMD_MI_STORE_REGISTER_MEM,
    CMD_MI_FLUSH_DW,
    CMD_MI_LOAD_REGISTER_MEM,
    CMD_MI_LOAD_REGISTER_REG,
    CMD_MI_COPY_MEM_MEM,
    CMD_MI_ATOMIC,
    CMD_MI_BATCH_BUFFER_START,
    CMD_MI_CONDITIONAL_BATCH_BUFFER_END,
    CMD_COLOR_BLT,
    CMD_SRC_COPY_BLT,
    CMD_XY_COLOR_BLT,
    CMD_XY_SRC_COPY_BLT,
    CMD_PIPE_CONTROL,
    COMMAND_IDS,
};

/* From where a guest may have a command executed with privilege; and what else there is to say. */
enum command_flag {
    FROM_RING = 1, /* and from what is run when a context is loaded */
    FROM_BATCH = 2,
    FROM_ANY = FROM_RING | FROM_BATCH,
    UNPREDICATED = 4, /* executed whatever MI_SET_PREDICATE said */
};

struct command {
    const char *name;
    /*
     * Bits that may be set, from the header (there: besides opcode and length) on. What is behind
     * the last dword is like the last ones, as many as repeat says. NULL: not known here.
     */
    const uint32_t *bits;
    enum command_id id;
    uint32_t min, max;   /* dwords */
    uint32_t privileged; /* with any of these bits in its header it needs privilege */
    uint16_t key;        /* of a pipeline's command: bits 31:16 of its header */
    uint8_t length_bits; /* of the header's length field, which counts from 2; 0: one dword */
    uint8_t engines;     /* a bit each */
    uint8_t flags;
    uint8_t bits_count;
    uint8_t repeat;
};

/* NULL: the engine knows no such command. */
const struct command *command_find(enum gpu_engine engine, uint32_t header);

/* In dwords, as the header says; it may be outside the command's bounds. */
uint32_t command_length(const struct command *command, uint32_t header);

static inline bool command_length_ok(const struct command *command, uint32_t length)
{
    return length >= command->min && length <= command->max;
}

/* The first dword that has a bit set which must be zero; length: none has. */
uint32_t command_stray_bits(const struct command *command, const uint32_t *dw, uint32_t length);

/*
 * What is wrong with its form, whoever executes it and wherever its addresses lead; NULL: nothing.
 * Its length is within the bounds.
 */
const char *command_fault(const struct command *command, const uint32_t *dw, uint32_t length);

/* --- fields of commands ------------------------------------------------------------------ */

#define MI_OPCODE(header) ((header) >> 23 & 63)
#define MI_USE_GGTT       (1u << 22) /* the address is in the global GTT */

#define MI_REGISTER_OFFSET 0x7ffffcu /* in a dword that names a register */

#define SDI_QWORDS (1u << 21) /* MI_STORE_DATA_IMM */

#define BBS_SECOND_LEVEL (1u << 22)
#define BBS_PREDICATED   (1u << 15)
#define BBS_PPGTT        (1u << 8)
#define BBS_LENGTH       3u /* dwords */

#define SRM_PREDICATED (1u << 21)

#define COPY_FROM_GGTT (1u << 22)
#define COPY_TO_GGTT   (1u << 21)

#define CONDITION_COMPARE (1u << 21)

#define SEMAPHORE_OPERATION(header) ((header) >> 12 & 7)
enum semaphore_operation {
    SEMAPHORE_GREATER, /* the value in memory is greater than the command's */
    SEMAPHORE_GREATER_EQUAL,
    SEMAPHORE_LESS,
    SEMAPHORE_LESS_EQUAL,
    SEMAPHORE_EQUAL,
    SEMAPHORE_NOT_EQUAL,
};

#define SET_PREDICATE_MODE(header) ((header)&15)
enum set_predicate_mode {
    SET_PREDICATE_OFF,
    SET_PREDICATE_RESULT_2_CLEAR, /* nothing is executed while the result is 0 */
    SET_PREDICATE_RESULT_2_SET,
    SET_PREDICATE_RESULT_CLEAR,
    SET_PREDICATE_RESULT_SET,
    SET_PREDICATE_ON = 15,
};

/* MI_FLUSH_DW: header; address. */
#define FLUSH_STORE_INDEX (1u << 21)
#define FLUSH_NOTIFY      (1u << 8)
#define FLUSH_USE_GGTT    (1u << 2)

/* PIPE_CONTROL: the dword behind the header. */
#define PIPE_USE_GGTT    (1u << 24)
#define PIPE_LOAD        (1u << 23) /* of a register, by its address */
#define PIPE_STORE_INDEX (1u << 21)
#define PIPE_NOTIFY      (1u << 8)

/* Bits 15:14 of either. */
#define POST_SYNC(flags) ((enum post_sync)((flags) >> 14 & 3))
enum post_sync {
    POST_SYNC_NONE,
    POST_SYNC_IMMEDIATE,
    POST_SYNC_DEPTH_COUNT, /* of PIPE_CONTROL */
    POST_SYNC_TIMESTAMP,
};
#define POST_SYNC_INDEX 0xff8u /* qwords of the status page */
#define POST_SYNC_SIZE  8u     /* bytes */

/* MI_ATOMIC. */
#define ATOMIC_RETURN            (1u << 16) /* what was there goes into a register */
#define ATOMIC_INLINE            (1u << 18) /* operands in the command, otherwise in registers */
#define ATOMIC_INLINE_LENGTH     11u
#define ATOMIC_LENGTH            3u
#define ATOMIC_OPCODE(header)    ((header) >> 8 & 0xff)
#define ATOMIC_DATA_SIZE(header) ((header) >> 19 & 3)
#define ATOMIC_SIZE_DWORD        0u
#define ATOMIC_SIZE_QWORD        1u
#define ATOMIC_QWORD             0x20u /* in the opcode */
enum atomic_operation {
    ATOMIC_AND = 1,
    ATOMIC_OR,
    ATOMIC_XOR,
    ATOMIC_MOVE,
    ATOMIC_INC,
    ATOMIC_DEC,
    ATOMIC_ADD,
    ATOMIC_SUB,
    ATOMIC_REVERSE_SUB,
    ATOMIC_MAX,
    ATOMIC_MIN,
    ATOMIC_UNSIGNED_MAX,
    ATOMIC_UNSIGNED_MIN,
    ATOMIC_COMPARE_WRITE,
    ATOMIC_PREDEC,
};

/* MI_MATH: an instruction of its ALU. */
#define ALU_OPCODE(dw) ((dw) >> 20)
#define ALU_FIRST(dw)  ((dw) >> 10 & 0x3ff)
#define ALU_SECOND(dw) ((dw)&0x3ff)
#define ALU_GPRS       16u /* operands below are general purpose registers */
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
enum alu_operand {
    ALU_SRCA = 0x20,
    ALU_SRCB = 0x21,
    ALU_ACCU = 0x31,
    ALU_ZF = 0x32,
    ALU_CF = 0x33,
};

/* Blits: header; the dword behind it (BR13). */
#define BLT_WRITE_RGBA (3u << 20) /* of 32-bit pixels: which bytes are written */
#define BLT_TILED_SRC  (1u << 15)
#define BLT_TILED_DST  (1u << 11)
#define BR13_CLIPPING  (1u << 30)
#define BR13_DEPTH(dw) ((dw) >> 24 & 3)
#define BR13_DEPTH_32  3u
#define BR13_ROP(dw)   ((dw) >> 16 & 0xff)
#define ROP_COPY       0xccu
#define ROP_COLOUR     0xf0u
#define TILE_ROW_BYTES 512 /* of an X tile */

#endif
