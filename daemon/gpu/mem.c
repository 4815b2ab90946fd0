/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way of an engine to memory: window check, translation, DMA, and the counting of it. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "gpu/soft.h"

static bool in_windows(const struct soft_client *client, uint64_t page)
{
    for (unsigned i = 0; i < GPU_RANGES; i++) {
        const struct gpu_range *range = &client->ranges[i];

        if (page >= range->first && page - range->first < range->count) {
            return true;
        }
    }
    return false;
}

static int translate(struct cs_engine *engine, uint64_t addr, uint64_t *bus)
{
    struct soft_client *client = engine->client;
    uint64_t page = addr / DMA_PAGE_SIZE;
    uint64_t pte;

    if (!in_windows(client, page)) {
        return cs_fail(engine, -EPERM, "address 0x%" PRIx64 " outside the windows", addr);
    }
    pte = tables_lookup_ggtt(&client->gpu->tables, page);
    if (!(pte & GPU_PTE_PRESENT)) {
        return cs_fail(engine, -EFAULT, "address 0x%" PRIx64 " not mapped", addr);
    }
    *bus = (pte & GPU_PTE_ADDR_MASK) | addr % DMA_PAGE_SIZE;
    return 0;
}

static void count(struct gpu_stats *stats, bool read, bool write, uint32_t len, int ret)
{
    if (ret) {
        stats->dma_faults++;
        return;
    }
    stats->dma_reads += read;
    stats->dma_writes += write;
    stats->dma_bytes += (uint64_t)len * ((unsigned)read + (unsigned)write);
}

static int finish(struct cs_engine *engine, uint64_t addr, bool read, bool write, uint32_t len,
                  int ret)
{
    count(&engine->client->stats, read, write, len, ret);
    count(&engine->client->gpu->stats, read, write, len, ret);
    if (ret) {
        return cs_fail(engine, ret, "DMA at address 0x%" PRIx64 ": %s", addr, strerror(-ret));
    }
    return 0;
}

int mem_read(struct cs_engine *engine, uint64_t addr, void *buf, uint32_t len)
{
    uint64_t bus = 0;
    int ret = translate(engine, addr, &bus);

    if (ret) {
        return ret;
    }
    ret = dma_read(engine->client->gpu->port, bus, buf, len);
    return finish(engine, addr, true, false, len, ret);
}

int mem_copy(struct cs_engine *engine, uint64_t dst, uint64_t src, uint32_t len)
{
    uint64_t dst_bus = 0, src_bus = 0;
    int ret = translate(engine, src, &src_bus);

    if (ret == 0) {
        ret = translate(engine, dst, &dst_bus);
    }
    if (ret) {
        return ret;
    }
    ret = dma_copy(engine->client->gpu->port, dst_bus, src_bus, len);
    return finish(engine, dst, true, true, len, ret);
}

int mem_write(struct cs_engine *engine, uint64_t addr, const void *buf, uint32_t len)
{
    const uint8_t *bytes = buf;

    while (len > 0) {
        uint32_t part = mem_to_page_end(addr);
        uint64_t bus = 0;
        int ret = translate(engine, addr, &bus);

        if (ret) {
            return ret;
        }
        if (part > len) {
            part = len;
        }
        ret = dma_write(engine->client->gpu->port, bus, bytes, part);
        ret = finish(engine, addr, false, true, part, ret);
        if (ret) {
            return ret;
        }
        addr += part;
        bytes += part;
        len -= part;
    }
    return 0;
}
