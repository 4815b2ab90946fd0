/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vgpu/ticks.h"

#include <time.h>

#include "gen/clock.h"

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t vgpu_ticks(struct vgpu *vgpu)
{
    (void)vgpu;
    return clock_ticks(now_ns());
}
