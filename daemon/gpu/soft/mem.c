/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way of an engine to memory: the check of what it may reach, translation, DMA, and the
 * counting of it. Every translation is the TLB's.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "gpu/soft/soft.h"

/* Addresses of a PPGTT are canonical: the bits above repeat the highest of these. */
#define PPGTT_ADDRESS_MASK ((UINT64_C(1) << 48) - 1)

enum direction {
    READ,
    WRITE,
};

/* --- translation ------------------------------------------------------------------------- */

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

static int lookup_ggtt(struct cs_engine *engine, uint64_t addr, uint64_t *pte)
{
    struct soft_client *client = engine->client;

    if (!in_windows(client, addr / DMA_PAGE_SIZE)) {
        return cs_fail(engine, -EPERM, "address 0x%" PRIx64 " outside the windows", addr);
    }
    *pte = tables_lookup_ggtt(&client->gpu->tables, addr / DMA_PAGE_SIZE);
    return 0;
}

static int lookup_ppgtt(struct cs_engine *engine, uint64_t addr, uint64_t *pte)
{
    const struct workload *work = engine->work;
    uint64_t page = (addr & PPGTT_ADDRESS_MASK) / DMA_PAGE_SIZE;

    if (!work || work->root.levels == 0) {
        return cs_fail(engine, -EINVAL, "address 0x%" PRIx64 " in a PPGTT, and there is none",
                       addr);
    }
    *pte = tables_lookup_ppgtt(&engine->client->gpu->tables, &work->root, page);
    return 0;
}

/* A store to a page that is read-only in its PPGTT: the GPU drops it and goes on. */
#define DROPPED 1

/* The bus address behind an address. */
static int translate(struct cs_engine *engine, enum mem_space space, uint64_t addr,
                     enum direction direction, uint64_t *bus)
{
    uint64_t pte = 0;
    int ret =
        space == MEM_GGTT ? lookup_ggtt(engine, addr, &pte) : lookup_ppgtt(engine, addr, &pte);

    if (ret) {
        return ret;
    }
    if (!(pte & GPU_PTE_PRESENT)) {
        return cs_fail(engine, -EFAULT, "address 0x%" PRIx64 " not mapped%s", addr,
                       space == MEM_GGTT ? "" : " in the PPGTT");
    }
    if (direction == WRITE && space == MEM_PPGTT && !(pte & GPU_PTE_WRITABLE)) {
        cs_deny(engine);
        return DROPPED;
    }
    *bus = (pte & GPU_PTE_ADDR_MASK) | addr % DMA_PAGE_SIZE;
    return 0;
}

/* --- the port, and the scratch page before it -------------------------------------------- */

/*
 * Behind a scratch PTE stands a page of the client's own, in the GPU's memory: no transfer comes to
 * the port, and what a client leaves there no other one finds.
 */
static uint8_t *scratch_at(const struct cs_engine *engine, uint64_t bus)
{
    struct soft_client *client = engine->client;
    uint64_t page = client->gpu->scratch_pte & GPU_PTE_ADDR_MASK;

    return (bus & GPU_PTE_ADDR_MASK) == page ? client->scratch + bus % DMA_PAGE_SIZE : NULL;
}

static int bus_read(const struct cs_engine *engine, uint64_t bus, void *buf, uint32_t len)
{
    const uint8_t *scratch = scratch_at(engine, bus);

    if (!scratch) {
        return dma_read(engine->client->gpu->port, bus, buf, len);
    }
    memcpy(buf, scratch, len);
    return 0;
}

static int bus_write(const struct cs_engine *engine, uint64_t bus, const void *buf, uint32_t len)
{
    uint8_t *scratch = scratch_at(engine, bus);

    if (!scratch) {
        return dma_write(engine->client->gpu->port, bus, buf, len);
    }
    memcpy(scratch, buf, len);
    return 0;
}

static int bus_copy(const struct cs_engine *engine, uint64_t dst, uint64_t src, uint32_t len)
{
    uint8_t buf[DMA_PAGE_SIZE];
    int ret;

    if (!scratch_at(engine, dst) && !scratch_at(engine, src)) {
        return dma_copy(engine->client->gpu->port, dst, src, len);
    }
    ret = bus_read(engine, src, buf, len);
    return ret ? ret : bus_write(engine, dst, buf, len);
}

/* --- transfers --------------------------------------------------------------------------- */

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

/* An engine sees its own stores, also among the commands to come. */
static void written(struct cs_engine *engine, uint64_t bus)
{
    if (engine->prefetch.bus / DMA_PAGE_SIZE == bus / DMA_PAGE_SIZE) {
        cs_drop_prefetch(engine);
    }
}

static int read_part(struct cs_engine *engine, enum mem_space space, uint64_t addr, void *buf,
                     uint32_t len)
{
    uint64_t bus = 0;
    int ret = translate(engine, space, addr, READ, &bus);

    if (ret) {
        return ret;
    }
    ret = bus_read(engine, bus, buf, len);
    return finish(engine, addr, true, false, len, ret);
}

static int write_part(struct cs_engine *engine, enum mem_space space, uint64_t addr,
                      const void *buf, uint32_t len)
{
    uint64_t bus = 0;
    int ret = translate(engine, space, addr, WRITE, &bus);

    if (ret) {
        return ret == DROPPED ? 0 : ret;
    }
    written(engine, bus);
    ret = bus_write(engine, bus, buf, len);
    return finish(engine, addr, false, true, len, ret);
}

int mem_copy(struct cs_engine *engine, enum mem_space space, uint64_t dst, uint64_t src,
             uint32_t len)
{
    uint64_t dst_bus = 0, src_bus = 0;
    int ret = translate(engine, space, src, READ, &src_bus);

    if (ret == 0) {
        ret = translate(engine, space, dst, WRITE, &dst_bus);
    }
    if (ret) {
        return ret == DROPPED ? 0 : ret;
    }
    written(engine, dst_bus);
    ret = bus_copy(engine, dst_bus, src_bus, len);
    return finish(engine, dst, true, true, len, ret);
}

int mem_prefetch(struct cs_engine *engine, enum mem_space space, uint64_t addr)
{
    struct cs_prefetch *window = &engine->prefetch;
    uint32_t len = mem_to_page_end(addr);
    int ret = translate(engine, space, addr, READ, &window->bus);

    window->len = 0;
    if (ret) {
        return ret;
    }
    ret = bus_read(engine, window->bus, window->bytes, len);
    ret = finish(engine, addr, true, false, len, ret);
    if (ret == 0) {
        window->start = addr;
        window->len = len;
    }
    return ret;
}

int mem_read(struct cs_engine *engine, enum mem_space space, uint64_t addr, void *buf, uint32_t len)
{
    uint8_t *bytes = buf;

    while (len > 0) {
        uint32_t part = mem_to_page_end(addr) < len ? mem_to_page_end(addr) : len;
        int ret = read_part(engine, space, addr, bytes, part);

        if (ret) {
            return ret;
        }
        addr += part;
        bytes += part;
        len -= part;
    }
    return 0;
}

int mem_write(struct cs_engine *engine, enum mem_space space, uint64_t addr, const void *buf,
              uint32_t len)
{
    const uint8_t *bytes = buf;

    while (len > 0) {
        uint32_t part = mem_to_page_end(addr) < len ? mem_to_page_end(addr) : len;
        int ret = write_part(engine, space, addr, bytes, part);

        if (ret) {
            return ret;
        }
        addr += part;
        bytes += part;
        len -= part;
    }
    return 0;
}
