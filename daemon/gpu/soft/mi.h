/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private to the software GPU: the MI commands that have a file of their own. */
#ifndef XENGT_GPU_SOFT_MI_H
#define XENGT_GPU_SOFT_MI_H

#include <stdint.h>

struct cs_engine;

/* Header bits that most commands have in the same place. */
#define MI_GGTT (1u << 22) /* the address is in the global GTT */

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
int cs_pipe_control(struct cs_engine *engine, const uint32_t *dw);

#endif
