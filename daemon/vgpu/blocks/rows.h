/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registers as data: a block is a part of the device with its registers in rows. */
#ifndef XENGT_VGPU_BLOCKS_ROWS_H
#define XENGT_VGPU_BLOCKS_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vgpu;
struct vgpu_engine;

enum reg_flag {
    REG_RO = 1,  /* the guest's stores are dropped */
    REG_W1C = 2, /* bits are cleared by writing 1 */
};

/* Where an access goes. */
struct reg_at {
    uint32_t offset;
    uint32_t index;             /* among the registers of its row */
    struct vgpu_engine *engine; /* NULL: a register of no engine */
};

/* What a read gives; NULL in a row: what is stored. */
typedef uint32_t reg_read_fn(struct vgpu *vgpu, const struct reg_at *at);

/* After a store: old is what the register held, and it holds what flags and mask make of it. */
typedef void reg_write_fn(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now);

/* A row: count registers, one behind the other, that are alike. Without flags and handlers it is
 * storage: a driver writes it, and nothing here depends on it. */
struct reg {
    uint32_t offset; /* of an engine's register: relative to its base */
    uint32_t count;
    uint32_t flags;
    uint32_t reset;
    uint32_t fixed; /* bits that no store changes */
    reg_read_fn *read;
    reg_write_fn *write;
};

/* Rows in ascending order of offsets, so that one is found by bisection. */
struct reg_block {
    const char *name;
    const struct reg *reg;
    size_t count;
    bool of_engine; /* each engine has these */
};

/* A block in a file of its own: REG_BLOCK(block_x, "x", rows) */
#define REG_BLOCK(block, title, rows) \
    const struct reg_block block = {title, rows, sizeof(rows) / sizeof((rows)[0]), false}
#define REG_BLOCK_OF_ENGINE(block, title, rows) \
    const struct reg_block block = {title, rows, sizeof(rows) / sizeof((rows)[0]), true}

#endif
