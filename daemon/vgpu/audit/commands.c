/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The privileged commands a guest may use, as data: Intel's Broadwell PRM, vol. 2a. What is not
 * here is unknown and refused; what is forbidden is known to reach what is not the guest's, or to
 * wait for what never comes.
 */
#include "vgpu/audit/audit.h"

#include "vgpu/audit/checks.h"

#define ANY_LENGTH COMMAND_LENGTH_MAX

/* Columns: name, length from and to, bits of its field, forbidden, check. */
/* clang-format off */

const struct command mi_commands_known[64] = {
    [0x00] = {"MI_NOOP", 1, 1, 0, false, NULL},
    [0x01] = {"MI_SET_PREDICATE", 1, 1, 0, false, NULL},
    [0x02] = {"MI_USER_INTERRUPT", 1, 1, 0, false, NULL},
    [0x03] = {"MI_WAIT_FOR_EVENT", 1, 1, 0, true, NULL},
    [0x04] = {"MI_FLUSH", 1, 1, 0, false, NULL},
    [0x05] = {"MI_ARB_CHECK", 1, 1, 0, false, NULL},
    [0x06] = {"MI_RS_CONTROL", 1, 1, 0, false, NULL},
    [0x07] = {"MI_REPORT_HEAD", 1, 1, 0, false, NULL},
    [0x08] = {"MI_ARB_ON_OFF", 1, 1, 0, false, NULL},
    [0x09] = {"MI_URB_ATOMIC_ALLOC", 1, 1, 0, false, NULL},
    [0x0a] = {"MI_BATCH_BUFFER_END", 1, 1, 0, false, NULL},
    [0x0b] = {"MI_SUSPEND_FLUSH", 1, 1, 0, false, NULL},
    [0x0c] = {"MI_PREDICATE", 1, 1, 0, false, NULL},
    [0x0d] = {"MI_TOPOLOGY_FILTER", 1, 1, 0, false, NULL},
    [0x12] = {"MI_LOAD_SCAN_LINES_INCL", 2, 2, 0, true, NULL},
    [0x14] = {"MI_DISPLAY_FLIP", 3, 4, 8, true, NULL},
    [0x18] = {"MI_SET_CONTEXT", 2, 2, 8, true, NULL},
    [0x1a] = {"MI_MATH", 2, 257, 8, false, NULL},
    [0x1b] = {"MI_SEMAPHORE_SIGNAL", 2, 2, 8, true, NULL},
    [0x1c] = {"MI_SEMAPHORE_WAIT", 4, 4, 8, true, NULL},
    [0x20] = {"MI_STORE_DATA_IMM", 4, 1025, 10, false, check_store_data_imm},
    [0x21] = {"MI_STORE_DATA_INDEX", 3, 4, 8, true, NULL},
    [0x22] = {"MI_LOAD_REGISTER_IMM", 3, 257, 8, false, check_load_register_imm},
    [0x23] = {"MI_UPDATE_GTT", 3, 1025, 10, true, NULL},
    [0x24] = {"MI_STORE_REGISTER_MEM", 4, 4, 8, false, check_store_register_mem},
    [0x26] = {"MI_FLUSH_DW", 3, 5, 6, false, check_flush_dw},
    [0x27] = {"MI_CLFLUSH", 3, 1025, 10, true, NULL},
    [0x28] = {"MI_REPORT_PERF_COUNT", 4, 4, 6, true, NULL},
    [0x29] = {"MI_LOAD_REGISTER_MEM", 4, 4, 8, false, check_load_register_mem},
    [0x2a] = {"MI_LOAD_REGISTER_REG", 3, 3, 8, false, check_load_register_reg},
    [0x2e] = {"MI_COPY_MEM_MEM", 5, 5, 8, true, NULL},
    [0x2f] = {"MI_ATOMIC", 3, 11, 8, false, check_atomic},
    [0x31] = {"MI_BATCH_BUFFER_START", 3, 3, 8, false, check_batch_buffer_start},
    [0x36] = {"MI_CONDITIONAL_BATCH_BUFFER_END", 4, 4, 8, true, NULL},
};

static const struct command xy_color_blt = {"XY_COLOR_BLT", 7, 7, 8, false, check_color_blt};
static const struct command xy_src_copy_blt = {"XY_SRC_COPY_BLT", 10, 10, 8, false, check_copy_blt};

/* By the header's upper half, in the order they are looked at. */
static const struct {
    uint16_t first;
    uint16_t last;
    struct command command;
} render_commands[] = {
    {0x6003, 0x6003, {"STATE_PREFETCH", 2, 2, 8, false, check_pipeline}},
    {0x6101, 0x6101, {"STATE_BASE_ADDRESS", 16, 19, 8, false, check_pipeline}},
    {0x6102, 0x6102, {"STATE_SIP", 3, 3, 8, false, check_pipeline}},
    {0x680b, 0x680b, {"3DSTATE_VF_STATISTICS", 1, 1, 0, false, NULL}},
    {0x6904, 0x6904, {"PIPELINE_SELECT", 1, 1, 0, false, NULL}},
    {0x7000, 0x7005, {"MEDIA_STATE", 2, ANY_LENGTH, 16, false, check_pipeline}},
    {0x7100, 0x7105, {"MEDIA_OBJECT", 2, ANY_LENGTH, 16, false, check_pipeline}},
    {0x780b, 0x780b, {"3DSTATE_VF_STATISTICS", 1, 1, 0, false, NULL}},
    {0x7839, 0x783a, {"3DSTATE_DX9_CONSTANTF", 2, ANY_LENGTH, 11, false, check_pipeline}},
    {0x7843, 0x7847, {"3DSTATE_BINDING_TABLE_EDIT", 2, ANY_LENGTH, 9, false, check_pipeline}},
    {0x7800, 0x78ff, {"3DSTATE", 2, ANY_LENGTH, 8, false, check_pipeline}},
    {0x7917, 0x7917, {"3DSTATE_SO_DECL_LIST", 2, ANY_LENGTH, 9, false, check_pipeline}},
    {0x7900, 0x79ff, {"3DSTATE", 2, ANY_LENGTH, 8, false, check_pipeline}},
    {0x7a00, 0x7a00, {"PIPE_CONTROL", 6, 6, 8, false, check_pipe_control}},
    {0x7b00, 0x7b00, {"3DPRIMITIVE", 7, 7, 8, false, check_pipeline}},
};

/* clang-format on */

static const struct command *find_render_command(uint32_t header)
{
    uint32_t key = header >> 16;
    for (size_t i = 0; i < sizeof(render_commands) / sizeof(render_commands[0]); i++) {
        if (key >= render_commands[i].first && key <= render_commands[i].last) {
            return &render_commands[i].command;
        }
    }
    return NULL;
}

static const struct command *find_blit(uint32_t header)
{
    switch (header >> 22 & 127) {
    case 0x50:
        return &xy_color_blt;
    case 0x53:
        return &xy_src_copy_blt;
    default:
        return NULL;
    }
}

const struct command *command_find(enum gpu_engine engine, uint32_t header)
{
    uint32_t type = header >> 29;
    if (type == 0) {
        const struct command *known = &mi_commands_known[MI_OPCODE(header)];
        return known->name ? known : NULL;
    }
    if (type == 2 && engine == GPU_BCS) {
        return find_blit(header);
    }
    return type == 3 && engine == GPU_RCS ? find_render_command(header) : NULL;
}
