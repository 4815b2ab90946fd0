/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All DMA ports' common part: the bounds of an access, and a copy for those without. */

#include "gpu/dma/dma.h"

#include <errno.h>
#include <stdbool.h>

static bool crosses_page(uint64_t addr, size_t len)
{
    return len > DMA_PAGE_SIZE - addr % DMA_PAGE_SIZE;
}

int dma_read(struct dma_port *port, uint64_t addr, void *buf, size_t len)
{
    if (crosses_page(addr, len)) {
        return -EINVAL;
    }
    if (len == 0) {
        return 0;
    }
    return port->ops->read(port, addr, buf, len);
}

int dma_write(struct dma_port *port, uint64_t addr, const void *buf, size_t len)
{
    if (crosses_page(addr, len)) {
        return -EINVAL;
    }
    if (len == 0) {
        return 0;
    }
    return port->ops->write(port, addr, buf, len);
}

int dma_copy(struct dma_port *port, uint64_t dst, uint64_t src, size_t len)
{
    uint8_t page[DMA_PAGE_SIZE];
    int ret;

    if (crosses_page(dst, len) || crosses_page(src, len)) {
        return -EINVAL;
    }
    if (len == 0) {
        return 0;
    }
    if (port->ops->copy) {
        return port->ops->copy(port, dst, src, len);
    }

    ret = port->ops->read(port, src, page, len);
    if (ret) {
        return ret;
    }
    return port->ops->write(port, dst, page, len);
}

void dma_close(struct dma_port *port)
{
    if (port) {
        port->ops->close(port);
    }
}
