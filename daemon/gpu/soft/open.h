/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The software GPU: a gen8 command streamer in the process. */
#ifndef XENGT_GPU_SOFT_OPEN_H
#define XENGT_GPU_SOFT_OPEN_H

#include <stdbool.h>
#include <stdint.h>

struct dma_port;
struct gpu;

struct gpu_soft_options {
    uint32_t gtt_entries;    /* a power of two, up to 1 << 20 */
    bool eager;              /* as early as hardware may: translations are fetched again right
                                after an invalidate, work starts within its submission. Makes a
                                mistake of order visible instead of lucky. */
    uint64_t (*clock)(void); /* nanoseconds. NULL: time is work that was done, a unit each step and
                                each 64 bytes moved, the same in every run: for tests */
};

/* The port becomes the GPU's and is closed with it, also when this fails. -EINVAL, -ENOMEM. */
int gpu_soft_open(struct dma_port *port, const struct gpu_soft_options *options, struct gpu **out);

#endif
