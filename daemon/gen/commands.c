/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of commands: those of the command streamers themselves (MI) and of the blitter (2D). */
#include "gen/commands.h"

#include "gen/command_rows.h"

#define HEADER_TYPE(header)      ((header) >> 29)
#define HEADER_MI                0u
#define HEADER_2D                2u
#define HEADER_PIPELINE          3u
#define HEADER_2D_OPCODE(header) ((header) >> 22 & 127)

#define ADDRESS  0xfffffffcu, 0xffff /* of dwords, in 48 bits */
#define REGISTER MI_REGISTER_OFFSET
#define GGTT     MI_USE_GGTT

/* clang-format off */

/*
 * Not for guests, with privilege: what waits for what may never come or for another guest's
 * display; what reads or writes memory by no address of its own (the status page, the URB, caches);
 * what takes later commands away (predicates in a ring); page tables; other contexts.
 */
static const struct command mi[64] = {
    /* name, bits of length, dwords from, to, engines, flags, privileged if, bits */
    [0x00] = MI(NOOP,            0, 1, 1, ALL_ENGINES, FROM_ANY, 0, BITS(0x3fffff)),
    [0x01] = MI(SET_PREDICATE,   0, 1, 1, ALL_ENGINES, UNPREDICATED, 0, BITS(0xf)),
    [0x02] = MI(USER_INTERRUPT,  0, 1, 1, ALL_ENGINES, FROM_ANY, 0, BITS(0)),
    [0x03] = OTHER(WAIT_FOR_EVENT,   0, 1, 1, RCS | BCS, 0, 0),
    [0x04] = OTHER(FLUSH,            0, 1, 1, ALL_ENGINES, 0, 0),
    [0x05] = OTHER(ARB_CHECK,        0, 1, 1, ALL_ENGINES, FROM_ANY, 0, BITS(0)),
    [0x06] = OTHER(RS_CONTROL,       0, 1, 1, RCS, 0, 0),
    [0x07] = OTHER(REPORT_HEAD,      0, 1, 1, ALL_ENGINES, 0, 0),
    [0x08] = OTHER(ARB_ON_OFF,       0, 1, 1, ALL_ENGINES, FROM_ANY, ALL, BITS(1)),
    [0x09] = OTHER(URB_ATOMIC_ALLOC, 0, 1, 1, RCS, 0, 0),
    [0x0a] = MI(BATCH_BUFFER_END, 0, 1, 1, ALL_ENGINES, FROM_BATCH | UNPREDICATED, 0, BITS(0)),
    [0x0b] = OTHER(SUSPEND_FLUSH,    0, 1, 1, ALL_ENGINES, 0, 0),
    [0x0c] = MI(PREDICATE,       0, 1, 1, RCS, FROM_ANY, 0, BITS(0xdb)),
    [0x0d] = OTHER(TOPOLOGY_FILTER,  0, 1, 1, RCS, 0, 0),
    [0x0e] = OTHER(SET_APPID,        0, 1, 1, ALL_ENGINES, 0, 0),
    [0x0f] = OTHER(RS_CONTEXT,       0, 1, 1, RCS, 0, 0),
    [0x12] = OTHER(LOAD_SCAN_LINES_INCL, 6, 2, 2, RCS | BCS, 0, 0),
    [0x13] = OTHER(LOAD_SCAN_LINES_EXCL, 6, 2, 2, RCS | BCS, 0, 0),
    [0x14] = OTHER(DISPLAY_FLIP,     8, 3, 4, RCS | BCS, 0, ALL),
    [0x18] = OTHER(SET_CONTEXT,      8, 2, 2, RCS, 0, ALL),
    [0x19] = OTHER(URB_CLEAR,        8, 2, 2, RCS, 0, 0),
    [0x1a] = MI(MATH,            6, 2, 65, ALL_ENGINES, FROM_ANY, 0, BITS(0, ALL)),
    [0x1b] = OTHER(SEMAPHORE_SIGNAL, 8, 2, 2, ALL_ENGINES, 0, ALL),
    [0x1c] = MI(SEMAPHORE_WAIT,  8, 4, 4, ALL_ENGINES, 0, GGTT, BITS(0x40f000, ALL, ADDRESS)),
    [0x20] = MI(STORE_DATA_IMM, 10, 4, 1025, ALL_ENGINES, FROM_ANY, GGTT,
                BITS(GGTT | SDI_QWORDS, ADDRESS, ALL)),
    [0x21] = MI(STORE_DATA_INDEX, 8, 3, 4, ALL_ENGINES, 0, ALL, BITS(0x200000, 0xffc, ALL)),
    [0x22] = MI(LOAD_REGISTER_IMM, 8, 3, 257, ALL_ENGINES, FROM_ANY, 0,
                BITS(0x1000, REGISTER, ALL), .repeat = 2),
    [0x23] = MI(UPDATE_GTT,     10, 3, 1025, ALL_ENGINES, 0, ALL, BITS(0, 0xfffff000, ALL)),
    [0x24] = MI(STORE_REGISTER_MEM, 8, 4, 4, ALL_ENGINES, FROM_ANY, GGTT,
                BITS(GGTT | SRM_PREDICATED, REGISTER, ADDRESS)),
    [0x26] = MI(FLUSH_DW,        6, 3, 5, BCS | VCS | VECS, FROM_ANY, 0,
                BITS(0x24c180, ADDRESS, ALL)),
    [0x27] = OTHER(CLFLUSH,         10, 3, 1025, RCS, 0, GGTT),
    [0x28] = OTHER(REPORT_PERF_COUNT, 6, 4, 4, RCS, 0, 0),
    [0x29] = MI(LOAD_REGISTER_MEM, 8, 4, 4, ALL_ENGINES, FROM_ANY, GGTT,
                BITS(GGTT, REGISTER, ADDRESS)),
    [0x2a] = MI(LOAD_REGISTER_REG, 8, 3, 3, ALL_ENGINES, FROM_ANY, 0, BITS(0, REGISTER, REGISTER)),
    [0x2b] = OTHER(RS_STORE_DATA_IMM, 8, 4, 4, RCS, 0, 0),
    [0x2c] = OTHER(LOAD_URB_MEM,     8, 4, 4, RCS, 0, 0),
    [0x2d] = OTHER(STORE_URB_MEM,    8, 4, 4, RCS, 0, 0),
    [0x2e] = MI(COPY_MEM_MEM,    8, 5, 5, ALL_ENGINES, 0, COPY_FROM_GGTT | COPY_TO_GGTT,
                BITS(COPY_FROM_GGTT | COPY_TO_GGTT, ADDRESS, ADDRESS)),
    [0x2f] = MI(ATOMIC,          8, 3, 11, ALL_ENGINES, FROM_ANY, GGTT,
                BITS(0x7fff00, ADDRESS, ALL)),
    [0x31] = MI(BATCH_BUFFER_START, 8, BBS_LENGTH, BBS_LENGTH, ALL_ENGINES, FROM_ANY, 0,
                BITS(BBS_SECOND_LEVEL | BBS_PREDICATED | BBS_PPGTT, ADDRESS)),
    [0x36] = MI(CONDITIONAL_BATCH_BUFFER_END, 8, 4, 4, ALL_ENGINES, 0, GGTT,
                BITS(GGTT | CONDITION_COMPARE, ALL, 0xfffffff8, 0xffff)),
};

#define BLT_HEADER (BLT_WRITE_RGBA | BLT_TILED_DST)
#define BR13       0x03ffffffu

static const struct command blitter[128] = {
    [0x40] = BLT(COLOR_BLT,       5, 6,   0),
    [0x43] = BLT(SRC_COPY_BLT,    6, 8,   0),
    [0x50] = BLT(XY_COLOR_BLT,    7, 7,   FROM_ANY,
                 BITS(BLT_HEADER, BR13, ALL, ALL, ALL, 0xffff, ALL)),
    [0x53] = BLT(XY_SRC_COPY_BLT, 10, 10, FROM_ANY,
                 BITS(BLT_HEADER | BLT_TILED_SRC, BR13, ALL, ALL, ALL, 0xffff, ALL, 0xffff, ALL,
                      0xffff)),
};

/* clang-format on */

static const struct command *in_rows(const struct command_rows *rows, uint32_t key)
{
    size_t low = 0;
    size_t high = rows->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rows->row[middle].key == key) {
            return &rows->row[middle];
        }
        if (rows->row[middle].key < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct command *command_find(enum gpu_engine engine, uint32_t header)
{
    const struct command *command = NULL;
    if (HEADER_TYPE(header) == HEADER_MI) {
        command = &mi[MI_OPCODE(header)];
    } else if (HEADER_TYPE(header) == HEADER_2D) {
        command = &blitter[HEADER_2D_OPCODE(header)];
    } else if (HEADER_TYPE(header) == HEADER_PIPELINE) {
        command = in_rows(&command_rows[engine], header >> 16);
    }
    return command && command->engines & 1u << engine ? command : NULL;
}

uint32_t command_length(const struct command *command, uint32_t header)
{
    uint32_t bits = command->length_bits;
    return bits ? (header & ((1u << bits) - 1)) + 2 : 1;
}

/* Bits of the header that are its opcode or its length. */
static uint32_t header_bits(const struct command *command, uint32_t header)
{
    static const uint32_t opcode[] = {
        [HEADER_MI] = 0xff800000, [HEADER_2D] = 0xffc00000, [HEADER_PIPELINE] = 0xffff0000};
    return opcode[HEADER_TYPE(header)] | ((1u << command->length_bits) - 1);
}

uint32_t command_stray_bits(const struct command *command, const uint32_t *dw, uint32_t length)
{
    uint32_t last = command->bits_count;
    uint32_t repeat = command->repeat ? command->repeat : 1;
    if (dw[0] & ~(command->bits[0] | header_bits(command, dw[0]))) {
        return 0;
    }
    for (uint32_t i = 1; i < length; i++) {
        uint32_t n = i < last ? i : last - repeat + (i - last) % repeat;
        if (dw[i] & ~command->bits[n]) {
            return i;
        }
    }
    return length;
}
