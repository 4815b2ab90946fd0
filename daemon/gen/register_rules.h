/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules of registers, besides their offsets: how a store changes it, and what commands
 * may do with it. Intel's Broadwell PRM, vol. 2c (registers), vol. 6 ("User Mode Privileged
 * Commands": which registers batches in a PPGTT may load).
 *
 * What a guest may load with privilege is what its batches may load without, and so gain nothing
 * by, and what Linux loads when it makes a context (i915, gt/intel_workarounds.c and
 * gt/intel_lrc.c): of those registers the bits that it changes. All of the latter are GVT-g's to
 * load, too (Linux, gvt/handlers.c, F_CMD_ACCESS).
 */
#ifndef XENGT_GEN_REGISTER_RULES_H
#define XENGT_GEN_REGISTER_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "gen/engines.h"

enum register_flag {
    RULE_MASKED = 1, /* bits 31:16 of a store say which of the bits 15:0 it changes */
    RULE_OPEN = 2,   /* batches without privilege may load it */
    RULE_LOAD = 4,   /* a guest may load it with privilege */
    RULE_STORE = 8,  /* a guest may have it stored to memory with privilege */
};

struct register_rule {
    uint32_t offset; /* of an engine's own register: relative to its base */
    uint32_t count;  /* registers in a row */
    uint8_t engines; /* whose commands the flags besides RULE_MASKED are for, a bit each */
    uint8_t flags;
    uint32_t bits; /* that a guest may change by loading it with privilege */
};

/* The rule for what this engine's commands do with a register; NULL: there is none. */
const struct register_rule *register_rule(enum gpu_engine engine, uint32_t offset);

/* Whoever stores into it. */
bool register_is_masked(uint32_t offset);

/* May a guest have this value loaded with privilege? */
bool register_may_load(enum gpu_engine engine, uint32_t offset, uint32_t value);

/* And one that nobody has seen: from memory, or from another register. */
bool register_may_load_any(enum gpu_engine engine, uint32_t offset);

bool register_may_store(enum gpu_engine engine, uint32_t offset);

#endif
