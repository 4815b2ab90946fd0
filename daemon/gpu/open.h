/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The chooser of the GPU: which one is behind the vGPUs, and how it reaches memory. */
#ifndef XENGT_GPU_OPEN_H
#define XENGT_GPU_OPEN_H

#include <stddef.h>
#include <stdint.h>

struct gpu;
struct xengt;
struct xengt_sim;

/* The software GPU's ports to memory (gpu/dma/dma.h). */
enum gpu_dma {
    GPU_DMA_AUTO, /* sim with the simulator, else cpu */
    GPU_DMA_CPU,
    GPU_DMA_EDU,
    GPU_DMA_SIM,
};

/* All of it stays the caller's and outlives the GPU. */
struct gpu_options {
    const char *name; /* "soft" */
    enum gpu_dma dma;
    uint32_t gtt_entries;    /* a power of two, up to 1 << 20 */
    uint64_t (*clock)(void); /* nanoseconds */
    struct xengt *xengt;     /* its mappings are what the GPU reaches */
    struct xengt_sim *sim;   /* NULL: it is a real Xen */
};

/* -ENOENT: there is no such GPU; -EINVAL, -ENOMEM, and others; error gets one line. */
int gpu_open(const struct gpu_options *options, struct gpu **out, char *error, size_t error_size);

#endif
