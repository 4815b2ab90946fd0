/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library by itself against a domain: map a page, write it by the edu device's DMA, unmap it,
 * write again by the same bus address. The page is watched through a CPU mapping of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenforeignmemory.h>
#include <xengt/map.h>
#include <xengt/target.h>

#include "gpu/dma/dma.h"

#define PAGE XENGT_PAGE_SIZE

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "stale: %s: %s\n", what, why);
    return 1;
}

/* Fills a page's worth of bytes at the BFN; an unmapped one swallows them. */
static int write_by_dma(struct dma_port *port, struct xengt_bfn bfn, uint8_t byte)
{
    uint8_t page[PAGE];
    memset(page, byte, sizeof(page));
    return dma_write(port, xengt_bfn_to_addr(bfn), page, sizeof(page));
}

static bool is_filled(const volatile uint8_t *page, uint8_t byte)
{
    for (unsigned i = 0; i < PAGE; i++) {
        if (page[i] != byte) {
            return false;
        }
    }
    return true;
}

static int run(struct xengt *xg, struct dma_port *port, uint32_t domid, struct xengt_gfn gfn,
               volatile uint8_t *page)
{
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    if (xengt_target_add(xg, domid) ||
        xengt_map(xg, domid, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_RW)) {
        return fail("map", xengt_last_error(xg));
    }
    printf("gfn 0x%llx is BFN 0x%llx\n", (unsigned long long)gfn.v, (unsigned long long)bfn.v);
    if (write_by_dma(port, bfn, 0x11) || !is_filled(page, 0x11)) {
        return fail("DMA while mapped", "the page does not hold what was written");
    }
    if (xengt_unmap(xg, &cookie, NULL, 1)) {
        return fail("unmap", xengt_last_error(xg));
    }
    if (write_by_dma(port, bfn, 0x22)) {
        return fail("DMA after the unmap", "the device failed");
    }
    if (!is_filled(page, 0x11)) {
        return fail("DMA after the unmap", "it reached the page");
    }
    puts("nothing landed after the unmap");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: stale DOMID GFN\n", stderr);
        return 2;
    }
    uint32_t domid = strtoul(argv[1], NULL, 0);
    struct xengt_gfn gfn = {strtoull(argv[2], NULL, 0)};
    char error[256];
    struct xengt *xg;
    struct dma_port *port;
    if (xengt_open(&xg, NULL, error, sizeof(error))) {
        return fail("open", error);
    }
    const struct dma_memory own = dma_memory_of(xg);
    if (dma_edu_open(NULL, &own, &port, error, sizeof(error))) {
        return fail("open", error);
    }
    xenforeignmemory_handle *memory = xenforeignmemory_open(NULL, 0);
    xen_pfn_t pfn = gfn.v;
    void *page = memory ? xenforeignmemory_map(memory, domid, PROT_READ, 1, &pfn, NULL) : NULL;
    int ret = page ? run(xg, port, domid, gfn, page) : fail("watch", "the page cannot be mapped");
    if (page) {
        xenforeignmemory_unmap(memory, page, 1);
    }
    xenforeignmemory_close(memory);
    dma_close(port);
    xengt_close(xg);
    return ret;
}
