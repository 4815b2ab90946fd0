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

#include "gen/registers.h"

struct cs_engine;

#define REG_STORED 96u /* far more than any driver uses */

/* Valid up to used; what was never written reads as 0. What finds no room is forgotten. */
struct registers {
    uint64_t gpr[RING_GPRS];
    unsigned used;
    struct {
        uint32_t offset;
        uint32_t value;
    } stored[REG_STORED];
};

/* By a command: offset as in its dword. A store that needs privilege is denied without. */
uint32_t cs_reg_load(const struct cs_engine *engine, uint32_t offset);
void cs_reg_store(struct cs_engine *engine, uint32_t offset, uint32_t value);

/* By the engine itself: offset from its base. */
uint32_t cs_reg_get(const struct cs_engine *engine, uint32_t offset);
uint64_t cs_reg_get64(const struct cs_engine *engine, uint32_t offset);
void cs_reg_set(struct cs_engine *engine, uint32_t offset, uint32_t value);

#endif
