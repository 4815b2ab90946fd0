/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The MI commands of the software GPU, and PIPE_CONTROL. */
#ifndef XENGT_GPU_SOFT_MI_H
#define XENGT_GPU_SOFT_MI_H

#include <stdint.h>

struct cs_engine;

/* mi.c */
int mi_nothing(struct cs_engine *engine, const uint32_t *dw);
int mi_user_interrupt(struct cs_engine *engine, const uint32_t *dw);
int mi_update_gtt(struct cs_engine *engine, const uint32_t *dw);
int mi_batch_buffer_start(struct cs_engine *engine, const uint32_t *dw);
int mi_batch_buffer_end(struct cs_engine *engine, const uint32_t *dw);
int mi_set_predicate(struct cs_engine *engine, const uint32_t *dw);
int mi_predicate(struct cs_engine *engine, const uint32_t *dw);
int mi_conditional_batch_buffer_end(struct cs_engine *engine, const uint32_t *dw);
int mi_semaphore_wait(struct cs_engine *engine, const uint32_t *dw);

/* mi_memory.c: between memory, registers and the command itself. */
int mi_store_data_imm(struct cs_engine *engine, const uint32_t *dw);
int mi_store_data_index(struct cs_engine *engine, const uint32_t *dw);
int mi_load_register_imm(struct cs_engine *engine, const uint32_t *dw);
int mi_load_register_mem(struct cs_engine *engine, const uint32_t *dw);
int mi_load_register_reg(struct cs_engine *engine, const uint32_t *dw);
int mi_store_register_mem(struct cs_engine *engine, const uint32_t *dw);
int mi_copy_mem_mem(struct cs_engine *engine, const uint32_t *dw);

/* mi_atomic.c */
int mi_atomic(struct cs_engine *engine, const uint32_t *dw);

/* mi_math.c */
int mi_math(struct cs_engine *engine, const uint32_t *dw);

/* flush.c */
int mi_flush_dw(struct cs_engine *engine, const uint32_t *dw);
int pipe_control(struct cs_engine *engine, const uint32_t *dw);

#endif
