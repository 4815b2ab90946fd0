/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The DMA port that needs no device: the CPU copies, through a view of each page. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/dma/dma.h"

/*
 * The scratch page is the process's own. Its number is the last one a PTE can hold (bits 45:12):
 * no machine has RAM at the very end of its 46-bit physical address space.
 */
#define SCRATCH_FRAME ((UINT64_C(1) << 34) - 1)

struct cpu_port {
    struct dma_port base;
    dma_view_fn *view;
    void *arg;
    uint8_t scratch[DMA_PAGE_SIZE];
};

static int view_at(struct dma_port *port, uint64_t addr, uint8_t **bytes)
{
    struct cpu_port *cpu = (struct cpu_port *)port;
    void *page = cpu->scratch;
    int ret;

    if (addr / DMA_PAGE_SIZE != SCRATCH_FRAME) {
        ret = cpu->view(cpu->arg, addr / DMA_PAGE_SIZE, &page);
        if (ret) {
            return ret;
        }
    }
    *bytes = (uint8_t *)page + addr % DMA_PAGE_SIZE;
    return 0;
}

static int cpu_read(struct dma_port *port, uint64_t addr, void *buf, size_t len)
{
    uint8_t *bytes;
    int ret = view_at(port, addr, &bytes);

    if (ret == 0) {
        memcpy(buf, bytes, len);
    }
    return ret;
}

static int cpu_write(struct dma_port *port, uint64_t addr, const void *buf, size_t len)
{
    uint8_t *bytes;
    int ret = view_at(port, addr, &bytes);

    if (ret == 0) {
        memcpy(bytes, buf, len);
    }
    return ret;
}

static void cpu_close(struct dma_port *port)
{
    free(port);
}

/* No copy: a view lasts until the next one, so there are never two pages at a time. */
static const struct dma_ops cpu_ops = {
    .name = "cpu",
    .read = cpu_read,
    .write = cpu_write,
    .close = cpu_close,
};

int dma_cpu_open(dma_view_fn *view, void *arg, struct dma_port **out)
{
    struct cpu_port *port = calloc(1, sizeof(*port));

    if (!port) {
        return -ENOMEM;
    }
    port->base.ops = &cpu_ops;
    port->base.scratch = SCRATCH_FRAME * DMA_PAGE_SIZE;
    port->view = view;
    port->arg = arg;
    *out = &port->base;
    return 0;
}
