/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The objects of the software GPU, and how its engines reach memory. */
#ifndef XENGT_GPU_SOFT_SOFT_H
#define XENGT_GPU_SOFT_SOFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu/dma/dma.h"
#include "gpu/gpu.h"
#include "gpu/soft/cs.h"
#include "gpu/soft/pages.h"

struct soft_client {
    struct gpu_client base;
    struct soft_gpu *gpu;
    struct soft_client *next;
    struct gpu_range ranges[GPU_RANGES];
    uint64_t opened_ns; /* when its TIMESTAMP was 0: no guest sees how long the host is up */
    uint32_t weight;    /* at least one */
    int64_t credit;     /* time that is left of its turn; below 0: what it has had too much of */
    unsigned burst;     /* steps between two looks at the clock */
    bool paused;
    bool busy;     /* an engine may have work; otherwise none has */
    unsigned turn; /* the engine to look at first */
    struct cs_engine engines[GPU_ENGINES];
    struct gpu_stats stats;
    uint8_t scratch[DMA_PAGE_SIZE]; /* what is behind its scratch PTEs */
};

struct soft_gpu {
    struct gpu base;
    struct dma_port *port;
    uint64_t scratch_pte; /* of all clients: their engines have each their own page behind it */
    struct tables tables;
    struct soft_client *clients;
    uint64_t (*clock)(void);
    uint64_t burst_ns;        /* between two looks at it, about */
    struct soft_client *turn; /* whose turn it is; NULL: nobody's yet */
    bool busy;                /* a client may be */
    uint64_t steps;           /* made */
    uint64_t moves;           /* what may have changed memory: steps, and calls of run() */
    struct gpu_stats stats;
};

/* What its TIMESTAMP registers show now. */
uint64_t soft_ticks(const struct soft_client *client);

/*
 * Memory as an engine sees it: addresses in the GGTT, checked against its client's windows, or in
 * the PPGTT of its workload. What is not there stops the engine with a reason.
 */
int mem_read(struct cs_engine *engine, enum mem_space space, uint64_t addr, void *buf,
             uint32_t len);
int mem_write(struct cs_engine *engine, enum mem_space space, uint64_t addr, const void *buf,
              uint32_t len);

/* Within a page on each side. */
int mem_copy(struct cs_engine *engine, enum mem_space space, uint64_t dst, uint64_t src,
             uint32_t len);

/* Commands, from an address to the end of its page. */
int mem_prefetch(struct cs_engine *engine, enum mem_space space, uint64_t addr);

/* How many bytes there are from an address to the end of its page, or back to its start. */
static inline uint32_t mem_to_page_end(uint64_t addr)
{
    return DMA_PAGE_SIZE - (uint32_t)(addr % DMA_PAGE_SIZE);
}

static inline uint32_t mem_to_page_start(uint64_t end)
{
    return (uint32_t)((end - 1) % DMA_PAGE_SIZE) + 1;
}

#endif
