/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The executors: what the software GPU does for each command. There is no display: its events have
 * always just happened, and what would change it does not. Nothing is drawn, and no cache has
 * anything in it to flush. The head is where the guest's copy of it is kept up to date by whoever
 * runs the ring.
 */
#include "gpu/soft/blt.h"
#include "gpu/soft/cs.h"
#include "gpu/soft/mi.h"

cs_execute_fn *const cs_executors[COMMAND_IDS] = {
    [CMD_MI_NOOP] = mi_nothing,
    [CMD_MI_SET_PREDICATE] = mi_set_predicate,
    [CMD_MI_USER_INTERRUPT] = mi_user_interrupt,
    [CMD_MI_BATCH_BUFFER_END] = mi_batch_buffer_end,
    [CMD_MI_PREDICATE] = mi_predicate,
    [CMD_MI_MATH] = mi_math,
    [CMD_MI_SEMAPHORE_WAIT] = mi_semaphore_wait,
    [CMD_MI_STORE_DATA_IMM] = mi_store_data_imm,
    [CMD_MI_STORE_DATA_INDEX] = mi_store_data_index,
    [CMD_MI_LOAD_REGISTER_IMM] = mi_load_register_imm,
    [CMD_MI_UPDATE_GTT] = mi_update_gtt,
    [CMD_MI_STORE_REGISTER_MEM] = mi_store_register_mem,
    [CMD_MI_FLUSH_DW] = mi_flush_dw,
    [CMD_MI_LOAD_REGISTER_MEM] = mi_load_register_mem,
    [CMD_MI_LOAD_REGISTER_REG] = mi_load_register_reg,
    [CMD_MI_COPY_MEM_MEM] = mi_copy_mem_mem,
    [CMD_MI_ATOMIC] = mi_atomic,
    [CMD_MI_BATCH_BUFFER_START] = mi_batch_buffer_start,
    [CMD_MI_CONDITIONAL_BATCH_BUFFER_END] = mi_conditional_batch_buffer_end,
    [CMD_COLOR_BLT] = blt_color,
    [CMD_SRC_COPY_BLT] = blt_src_copy,
    [CMD_XY_COLOR_BLT] = blt_xy_color,
    [CMD_XY_SRC_COPY_BLT] = blt_xy_src_copy,
    [CMD_PIPE_CONTROL] = pipe_control,
};
