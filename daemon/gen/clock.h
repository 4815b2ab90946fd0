/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The GPU's clock: what TIMESTAMP registers and timestamp writes count, units of 80 ns in 36 bits.
 * Intel's Broadwell PRM, vol. 2c, "TIMESTAMP"; the unit: Linux, intel_gt_clock_utils.c, gen8.
 */
#ifndef XENGT_GEN_CLOCK_H
#define XENGT_GEN_CLOCK_H

#include <stdint.h>

#define CLOCK_TICK_NS 80u
#define CLOCK_MASK    ((UINT64_C(1) << 36) - 1)

/* What the clock shows after so many nanoseconds. */
static inline uint64_t clock_ticks(uint64_t ns)
{
    return ns / CLOCK_TICK_NS & CLOCK_MASK;
}

#endif
