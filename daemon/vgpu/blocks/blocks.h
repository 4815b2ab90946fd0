/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The blocks a model can have, each in the file of its name. */
#ifndef XENGT_VGPU_BLOCKS_BLOCKS_H
#define XENGT_VGPU_BLOCKS_BLOCKS_H

#include "vgpu/blocks/rows.h"

/* Of each engine */
extern const struct reg_block block_streamer;
extern const struct reg_block block_ring;
extern const struct reg_block block_elsp;
extern const struct reg_block block_engine_irq;
extern const struct reg_block block_engine_reset;

/* Of the GPU */
extern const struct reg_block block_display;
extern const struct reg_block block_fences;
extern const struct reg_block block_irq;
extern const struct reg_block block_power;
extern const struct reg_block block_pvinfo;
extern const struct reg_block block_render;
extern const struct reg_block block_reset;
extern const struct reg_block block_tlb;

#endif
