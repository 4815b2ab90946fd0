/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The DMA port of the simulator's device. Device to device goes through memory: see dma_copy(). */

#include <errno.h>
#include <stdlib.h>

#include <xengt/sim.h>

#include "gpu/dma/dma.h"

struct sim_port {
    struct dma_port base;
    struct xengt_sim *sim;
};

static int sim_read(struct dma_port *port, uint64_t addr, void *buf, size_t len)
{
    return xengt_sim_dma_read(((struct sim_port *)port)->sim, addr, buf, len);
}

static int sim_write(struct dma_port *port, uint64_t addr, const void *buf, size_t len)
{
    return xengt_sim_dma_write(((struct sim_port *)port)->sim, addr, buf, len);
}

static void sim_close(struct dma_port *port)
{
    free(port);
}

static const struct dma_ops sim_ops = {
    .name = "sim",
    .read = sim_read,
    .write = sim_write,
    .close = sim_close,
};

int dma_sim_open(struct xengt_sim *sim, struct dma_port **out)
{
    struct sim_port *port = calloc(1, sizeof(*port));
    struct xengt_bfn scratch;
    void *page;
    int ret;

    if (!port) {
        return -ENOMEM;
    }
    ret = xengt_sim_own_frame(sim, &scratch, &page);
    if (ret) {
        free(port);
        return ret;
    }
    port->base.ops = &sim_ops;
    port->base.scratch = xengt_bfn_to_addr(scratch);
    port->sim = sim;
    *out = &port->base;
    return 0;
}
