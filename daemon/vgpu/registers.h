/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Accesses to registers: each finds its row in one of the model's blocks. */
#ifndef XENGT_VGPU_REGISTERS_H
#define XENGT_VGPU_REGISTERS_H

#include "vgpu/blocks/rows.h"

/* The row of a block that describes an offset; NULL: none does. */
const struct reg *reg_find(const struct reg_block *block, uint32_t offset);

/* Finds out which blocks have registers where; before anything else here. */
void reg_init(struct vgpu *vgpu);

uint32_t reg_read(struct vgpu *vgpu, uint32_t offset);
void reg_write(struct vgpu *vgpu, uint32_t offset, uint32_t value);

/* Bits of a store that was narrower than the register: what is not written stays. */
void reg_write_part(struct vgpu *vgpu, uint32_t offset, uint32_t value, uint32_t mask);

/* Every register to what it holds after power-on, 0 if it is not known; those of an engine. */
void reg_reset_all(struct vgpu *vgpu);
void reg_reset_engine(struct vgpu *vgpu, const struct vgpu_engine *engine);

#endif
