/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The DMA ports' memory: what the library says that devices reach. */

#include <errno.h>

#include <xengt/dma.h>

#include "gpu/dma/dma.h"

#define PAGES_MAX 8

static int memory_alloc(void *arg, void **cpu, uint64_t *frame, size_t n)
{
    struct xengt_bfn bfn[PAGES_MAX];
    int ret = n <= PAGES_MAX ? xengt_dma_alloc(arg, cpu, bfn, n) : -ENOMEM;

    for (size_t i = 0; ret == 0 && i < n; i++) {
        frame[i] = bfn[i].v;
    }
    return ret;
}

static int memory_check(void *arg, const void *cpu)
{
    return xengt_dma_check(arg, cpu);
}

static void memory_free(void *arg, void *cpu)
{
    xengt_dma_free(arg, cpu);
}

struct dma_memory dma_memory_of(struct xengt *xengt)
{
    return (struct dma_memory){xengt, memory_alloc, memory_check, memory_free};
}
