/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The executors: what the software GPU does for each command. There is no display: its events have
 * always just happened, and what would change it does not. Nothing is drawn, and no cache has
 * anything in it to flush. The head is where the guest's copy of it is kept up to date by whoever
 * runs the ring.
 */
#ifndef XENGT_GPU_SOFT_EXECUTORS_H
#define XENGT_GPU_SOFT_EXECUTORS_H

#include "gpu/soft/cs.h"

/* Each command and its function, which is in a file of what it is about. */
#define EXECUTORS(ROW)                                                    \
    ROW(MI_NOOP, mi_nothing)                                              \
    ROW(MI_SET_PREDICATE, mi_set_predicate)                               \
    ROW(MI_USER_INTERRUPT, mi_user_interrupt)                             \
    ROW(MI_BATCH_BUFFER_END, mi_batch_buffer_end)                         \
    ROW(MI_PREDICATE, mi_predicate)                                       \
    ROW(MI_MATH, mi_math)                                                 \
    ROW(MI_SEMAPHORE_WAIT, mi_semaphore_wait)                             \
    ROW(MI_STORE_DATA_IMM, mi_store_data_imm)                             \
    ROW(MI_STORE_DATA_INDEX, mi_store_data_index)                         \
    ROW(MI_LOAD_REGISTER_IMM, mi_load_register_imm)                       \
    ROW(MI_UPDATE_GTT, mi_update_gtt)                                     \
    ROW(MI_STORE_REGISTER_MEM, mi_store_register_mem)                     \
    ROW(MI_FLUSH_DW, mi_flush_dw)                                         \
    ROW(MI_LOAD_REGISTER_MEM, mi_load_register_mem)                       \
    ROW(MI_LOAD_REGISTER_REG, mi_load_register_reg)                       \
    ROW(MI_COPY_MEM_MEM, mi_copy_mem_mem)                                 \
    ROW(MI_ATOMIC, mi_atomic)                                             \
    ROW(MI_BATCH_BUFFER_START, mi_batch_buffer_start)                     \
    ROW(MI_CONDITIONAL_BATCH_BUFFER_END, mi_conditional_batch_buffer_end) \
    ROW(COLOR_BLT, blt_color)                                             \
    ROW(SRC_COPY_BLT, blt_src_copy)                                       \
    ROW(XY_COLOR_BLT, blt_xy_color)                                       \
    ROW(XY_SRC_COPY_BLT, blt_xy_src_copy)                                 \
    ROW(PIPE_CONTROL, pipe_control)

#define EXECUTOR_DECLARATION(command, function) cs_execute_fn function;
EXECUTORS(EXECUTOR_DECLARATION)

#endif
