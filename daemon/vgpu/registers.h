/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The registers that are known, as data: what a store into each does, and what commands may. */
#ifndef XENGT_VGPU_REGISTERS_H
#define XENGT_VGPU_REGISTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vgpu;
struct vgpu_engine;

enum reg_flag {
    REG_RO = 1,     /* the guest's stores are dropped */
    REG_MASKED = 2, /* bits 31:16 of a store say which of the bits 15:0 it changes */
    REG_W1C = 4,    /* bits are cleared by writing 1 */
    REG_LOAD = 8,   /* privileged commands may load it */
    REG_STORE = 16, /* privileged commands may store it to memory */
};

/* Where an access goes. */
struct reg_at {
    uint32_t offset;
    uint32_t index;             /* in the row of registers that the table has one line for */
    struct vgpu_engine *engine; /* NULL: a register of no engine */
};

/* What a read gives; NULL in the table: what is stored. */
typedef uint32_t reg_read_fn(struct vgpu *vgpu, const struct reg_at *at);

/* After a store: old is what the register held, and it holds what flags and mask make of it. */
typedef void reg_write_fn(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now);

struct reg {
    uint32_t offset; /* of an engine's register: relative to its base */
    uint32_t count;  /* registers in a row */
    uint32_t flags;
    uint32_t reset;
    uint32_t fixed; /* bits that no store changes */
    reg_read_fn *read;
    reg_write_fn *write;
};

/* Both in ascending order of offsets, so that a register is found by bisection. */
extern const struct reg gpu_regs[];
extern const size_t gpu_regs_count;
extern const struct reg engine_regs[];
extern const size_t engine_regs_count;

/* The line of a table that describes an offset; NULL: none does. */
const struct reg *reg_find(const struct reg *table, size_t count, uint32_t offset);

uint32_t reg_read(struct vgpu *vgpu, uint32_t offset);
void reg_write(struct vgpu *vgpu, uint32_t offset, uint32_t value);

/* Bits of a store that was narrower than the register: what is not written stays. */
void reg_write_part(struct vgpu *vgpu, uint32_t offset, uint32_t value, uint32_t mask);

/* Every register that is known to what it holds after power-on; those of an engine. */
void reg_reset_all(struct vgpu *vgpu);
void reg_reset_engine(struct vgpu *vgpu, const struct vgpu_engine *engine);

/* May a privileged command of this engine load (REG_LOAD) or store (REG_STORE) the register? */
bool reg_allows(const struct vgpu_engine *engine, uint32_t offset, enum reg_flag use);

#endif
