/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The registers that an engine's commands load and store: those the command streamer works with,
 * and storage for what drivers keep in others. They belong to the context in work, and have
 * nothing to do with the registers a guest reaches by MMIO.
 */
#ifndef XENGT_GPU_SOFT_REGS_H
#define XENGT_GPU_SOFT_REGS_H

#include <stdbool.h>
#include <stdint.h>

struct cs_engine;

#define REG_OFFSET_MASK 0x7ffffcu /* in a dword of a command */

/* Offsets from the engine's base. */
#define REG_PREDICATE_RESULT_2 0x214u
#define REG_TIMESTAMP          0x358u
#define REG_CTX_TIMESTAMP      0x3a8u
#define REG_PREDICATE_SRC0     0x400u /* 64 bits, as are the next two */
#define REG_PREDICATE_SRC1     0x408u
#define REG_PREDICATE_DATA     0x410u
#define REG_PREDICATE_RESULT   0x418u
#define REG_PREDICATE_RESULT_1 0x41cu
#define REG_GPR                0x600u
#define REG_BCS_SWCTRL         0x200u

#define REG_GPRS   16u
#define REG_STORED 96u /* far more than any driver uses */

/* Valid up to used; what was never written reads as 0. What finds no room is forgotten. */
struct registers {
    uint64_t gpr[REG_GPRS];
    unsigned used;
    struct {
        uint32_t offset;
        uint32_t value;
    } stored[REG_STORED];
};

/* What TIMESTAMP registers count: 80 ns, in 36 bits. */
uint64_t gpu_timestamp(void);

/* By a command: offset as in its dword. A store that needs privilege is denied without. */
uint32_t cs_reg_load(const struct cs_engine *engine, uint32_t offset);
void cs_reg_store(struct cs_engine *engine, uint32_t offset, uint32_t value);

/* By the engine itself: offset from its base. */
uint32_t cs_reg_get(const struct cs_engine *engine, uint32_t offset);
uint64_t cs_reg_get64(const struct cs_engine *engine, uint32_t offset);
void cs_reg_set(struct cs_engine *engine, uint32_t offset, uint32_t value);

#endif
