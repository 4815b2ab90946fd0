/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The model's window, which the backend's hypercalls fill, and the device behind the IOMMU that
 * follows it, whose IOTLB is only as fresh as its last flush.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hv/sim/model.h"

/* --- hypercalls of the backend ----------------------------------------------------------- */

int sim_hypercall(struct xengt_sim *sim, bool maps)
{
    sim_between(sim);
    sim->stats.hypercalls++;
    sim->stats.map_calls += maps;
    sim->stats.unmap_calls += !maps;
    if (sim->fail_in && --sim->fail_in == 0) {
        return sim->fail_error;
    }
    return 0;
}

void xengt_sim_fail_hypercall(struct xengt_sim *sim, uint64_t nth, int error)
{
    sim->fail_in = nth;
    sim->fail_error = error;
}

int sim_claim(struct xengt_sim *sim, const void *owner, uint64_t first, uint64_t n)
{
    struct claim *place = NULL;
    for (unsigned i = 0; i < CLAIMS_MAX; i++) {
        struct claim *c = &sim->claim[i];
        if (!c->owner) {
            place = place ? place : c;
        } else if (c->owner != owner && first < c->first + c->n && c->first < first + n) {
            return -EBUSY;
        }
    }
    if (!place) {
        return -ENOSPC;
    }
    *place = (struct claim){owner, first, n};
    return 0;
}

void sim_claim_drop(struct xengt_sim *sim, const void *owner)
{
    for (unsigned i = 0; i < CLAIMS_MAX; i++) {
        if (sim->claim[i].owner == owner) {
            sim->claim[i].owner = NULL;
        }
    }
}

static bool in_window(struct xengt_sim *sim, uint64_t w, const char *what)
{
    uint64_t frame = w + SIM_WINDOW_BASE;
    if (w >= SIM_WINDOW_PAGES) {
        sim_violate(sim, "%s of frame 0x%llx, which is not the window's", what,
                    (unsigned long long)frame);
    }
    return w < SIM_WINDOW_PAGES;
}

static int map_page(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn,
                    uint64_t window_gfn, uint32_t kind)
{
    uint64_t w = window_gfn - SIM_WINDOW_BASE;
    if (!in_window(sim, w, "map")) {
        return -EINVAL;
    }
    if (!sim_domain_find(sim, domid)) {
        return -ESRCH;
    }
    const uint32_t *entry = sim_p2m_entry(sim, domid, gfn);
    if (!entry || *entry == NO_PAGE) {
        return -EINVAL;
    }
    if (sim->window[w]) {
        return -ENXIO;
    }
    sim->page[*entry].refs++;
    sim->window[w] = (*entry + 1) | kind;
    sim->stats.mapped++;
    return 0;
}

int sim_add_to_physmap(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn,
                       uint64_t window_gfn, bool write)
{
    return map_page(sim, domid, gfn, window_gfn, write ? 0 : WINDOW_READ_ONLY);
}

int sim_map_grant(struct xengt_sim *sim, uint32_t domid, uint32_t gref, bool write,
                  uint64_t window_gfn)
{
    if (!sim_domain_find(sim, domid)) {
        return -ESRCH;
    }
    if (gref >= sim->grants) {
        return -EACCES;
    }
    const struct grant *g = &sim->grant[gref];
    if (g->domid != domid || (g->read_only && write)) {
        return -EACCES;
    }
    return map_page(sim, domid, g->gfn, window_gfn, WINDOW_GRANT | (write ? 0 : WINDOW_READ_ONLY));
}

static struct iotlb_entry *iotlb_entry(struct xengt_sim *sim, uint64_t bfn)
{
    return &sim->iotlb[bfn & (IOTLB_SIZE - 1)];
}

static int unmap_page(struct xengt_sim *sim, uint64_t window_gfn, uint32_t kind)
{
    uint64_t w = window_gfn - SIM_WINDOW_BASE;
    if (!in_window(sim, w, "unmap")) {
        return -EINVAL;
    }
    if (!sim->window[w] || (sim->window[w] & WINDOW_GRANT) != kind) {
        return -ENOENT;
    }
    if (sim->holds && sim->holds(sim->holds_arg, (struct xengt_bfn){window_gfn})) {
        sim_violate(sim, "BFN 0x%llx unmapped while the device can still use it",
                    (unsigned long long)window_gfn);
    }
    uint32_t p = (sim->window[w] & WINDOW_PAGE) - 1;
    sim->window[w] = 0;
    sim->stats.mapped--;
    struct iotlb_entry *e = iotlb_entry(sim, window_gfn);
    if (e->bfn == window_gfn) {
        e->bfn = 0;
    }
    sim->stats.iotlb_flushes++;
    sim_page_put(sim, p);
    return 0;
}

int sim_remove_from_physmap(struct xengt_sim *sim, uint64_t window_gfn)
{
    return unmap_page(sim, window_gfn, 0);
}

int sim_unmap_grant(struct xengt_sim *sim, uint64_t window_gfn)
{
    return unmap_page(sim, window_gfn, WINDOW_GRANT);
}

void *sim_window_page(struct xengt_sim *sim, uint64_t window_gfn)
{
    uint64_t w = window_gfn - SIM_WINDOW_BASE;
    return w < SIM_WINDOW_PAGES && sim->window[w]
               ? sim->page[(sim->window[w] & WINDOW_PAGE) - 1].data
               : NULL;
}

void xengt_sim_on_unmap(struct xengt_sim *sim, xengt_sim_holds_fn *fn, void *arg)
{
    sim->holds = fn;
    sim->holds_arg = arg;
}

/* --- the device -------------------------------------------------------------------------- */

static uint32_t iommu_walk(const struct xengt_sim *sim, uint64_t bfn)
{
    uint64_t w = bfn - SIM_WINDOW_BASE;
    if (w < SIM_WINDOW_PAGES && sim->window[w]) {
        return (sim->window[w] & WINDOW_PAGE) - 1;
    }
    uint64_t own = bfn - OWN_BASE;
    return own < sim->own_count ? sim->own[own] : NO_PAGE;
}

/* The IOTLB answers first, whether or not the tables have changed since. */
static void *translate(struct xengt_sim *sim, uint64_t addr, size_t len)
{
    uint64_t bfn = addr >> XENGT_PAGE_SHIFT;
    size_t offset = addr & (XENGT_PAGE_SIZE - 1);
    if (len > XENGT_PAGE_SIZE - offset) {
        return NULL;
    }
    struct iotlb_entry *e = iotlb_entry(sim, bfn);
    if (!bfn || e->bfn != bfn) {
        uint32_t p = iommu_walk(sim, bfn);
        if (p == NO_PAGE) {
            sim->stats.iommu_faults++;
            return NULL;
        }
        *e = (struct iotlb_entry){bfn, p};
    }
    const struct page *page = &sim->page[e->page];
    if (page->refs == 0) {
        sim_violate(sim, "DMA by BFN 0x%llx into a page that is free", (unsigned long long)bfn);
    }
    return (char *)page->data + offset;
}

int xengt_sim_dma_read(struct xengt_sim *sim, uint64_t addr, void *buf, size_t len)
{
    const void *page = translate(sim, addr, len);
    if (!page) {
        return -EFAULT;
    }
    memcpy(buf, page, len);
    return 0;
}

static bool is_read_only(const struct xengt_sim *sim, uint64_t bfn)
{
    uint64_t w = bfn - SIM_WINDOW_BASE;
    return w < SIM_WINDOW_PAGES && sim->window[w] & WINDOW_READ_ONLY;
}

int xengt_sim_dma_write(struct xengt_sim *sim, uint64_t addr, const void *buf, size_t len)
{
    if (is_read_only(sim, addr >> XENGT_PAGE_SHIFT)) {
        sim->stats.iommu_faults++;
        return -EFAULT;
    }
    void *page = translate(sim, addr, len);
    if (!page) {
        return -EFAULT;
    }
    memcpy(page, buf, len);
    return 0;
}

/* --- the backend's own memory ------------------------------------------------------------ */

/* The first of n frames that are free, one after the other; or OWN_FRAMES. */
static uint32_t own_room(const struct xengt_sim *sim, uint32_t n)
{
    uint32_t run = 0;
    for (uint32_t i = 0; i < OWN_FRAMES; i++) {
        run = i >= sim->own_count || sim->own[i] == NO_PAGE ? run + 1 : 0;
        if (run == n) {
            return i + 1 - n;
        }
    }
    return OWN_FRAMES;
}

/* What the CPU sees as one piece is allocated as one, in place of its pages' own memory. */
static void own_place(struct xengt_sim *sim, uint32_t i, uint32_t p, void *data)
{
    free(sim->page[p].data);
    sim->page[p].data = data;
    while (sim->own_count <= i) {
        sim->own[sim->own_count++] = NO_PAGE;
    }
    sim->own[i] = p;
}

int sim_own_alloc(struct xengt_sim *sim, uint32_t n, uint64_t *first, void **cpu)
{
    uint32_t at = own_room(sim, n);
    if (at == OWN_FRAMES) {
        return -ENOSPC;
    }
    char *data = aligned_alloc(XENGT_PAGE_SIZE, (size_t)n * XENGT_PAGE_SIZE);
    if (!data) {
        return -ENOMEM;
    }
    memset(data, 0, (size_t)n * XENGT_PAGE_SIZE);
    *first = OWN_BASE + at;
    *cpu = data;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t p = sim_page_alloc(sim, OWNER_SELF);
        if (p == NO_PAGE) {
            sim_own_free(sim, *first, i);
            free(i ? NULL : data);
            return -ENOMEM;
        }
        own_place(sim, at + i, p, data + (size_t)i * XENGT_PAGE_SIZE);
    }
    return 0;
}

void sim_own_free(struct xengt_sim *sim, uint64_t first, uint32_t n)
{
    void *data = n ? sim->page[sim->own[first - OWN_BASE]].data : NULL;
    for (uint64_t bfn = first; bfn < first + n; bfn++) {
        if (sim->holds && sim->holds(sim->holds_arg, (struct xengt_bfn){bfn})) {
            sim_violate(sim, "own memory at BFN 0x%llx freed while the device can still use it",
                        (unsigned long long)bfn);
        }
        uint32_t p = sim->own[bfn - OWN_BASE];
        sim->own[bfn - OWN_BASE] = NO_PAGE;
        sim->page[p].data = NULL;
        if (iotlb_entry(sim, bfn)->bfn == bfn) {
            iotlb_entry(sim, bfn)->bfn = 0;
        }
        sim_page_put(sim, p);
    }
    free(data);
}

int xengt_sim_own_frame(struct xengt_sim *sim, struct xengt_bfn *bfn, void **page)
{
    uint32_t at = own_room(sim, 1);
    uint32_t p = at == OWN_FRAMES ? NO_PAGE : sim_page_alloc(sim, OWNER_SELF);
    if (p == NO_PAGE) {
        return at == OWN_FRAMES ? -ENOSPC : -ENOMEM;
    }
    if (at == sim->own_count) {
        sim->own_count++;
    }
    *bfn = (struct xengt_bfn){OWN_BASE + at};
    *page = sim->page[p].data;
    sim->own[at] = p;
    return 0;
}
