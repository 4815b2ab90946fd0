/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engines of a Broadwell GT2: register bases, bits of resets and interrupts. */
#include "gen/engines.h"

const struct engine_info engine_info[GPU_ENGINES] = {
    [GPU_RCS] = {"RCS", 0x2000, .reset_bit = 1 << 1, .irq_bank = 0, 0, .irq_master = 1 << 0},
    [GPU_BCS] = {"BCS", 0x22000, .reset_bit = 1 << 3, .irq_bank = 0, 16, .irq_master = 1 << 1},
    [GPU_VCS0] = {"VCS0", 0x12000, .reset_bit = 1 << 2, .irq_bank = 1, 0, .irq_master = 1 << 2},
    [GPU_VECS] = {"VECS", 0x1a000, .reset_bit = 1 << 4, .irq_bank = 3, 0, .irq_master = 1 << 6},
};
