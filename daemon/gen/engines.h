/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engines: where their registers lie, what resets them, how they interrupt. Intel's Broadwell
 * PRM, vol. 2c ("GDRST", "GT Interrupt 0 to 3", "Master Interrupt Control").
 */
#ifndef XENGT_GEN_ENGINES_H
#define XENGT_GEN_ENGINES_H

#include <stdint.h>

enum gpu_engine {
    GPU_RCS,
    GPU_BCS,
    GPU_VCS0,
    GPU_VECS,
    GPU_ENGINES,
};

struct engine_info {
    const char *name;
    uint32_t base;
    uint32_t reset_bit; /* in GDRST */
    unsigned irq_bank;  /* of the GT's interrupt registers */
    unsigned irq_shift; /* its half of the bank */
    uint32_t irq_master;
};
extern const struct engine_info engine_info[GPU_ENGINES];

/* Bits of an engine's half of its interrupt bank. */
enum engine_event {
    EVENT_USER = 0,
    EVENT_ERROR = 3,
    EVENT_NOTIFY = 4,
    EVENT_CONTEXT_SWITCH = 8,
};

#endif
