/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The model: pages with an owner and references, domains that see them through a p2m, the
 * backend's window, and an IOMMU whose IOTLB is only as fresh as its last flush.
 *
 * A page that nobody refers to goes to the front of the free list and is the next to be given
 * away, so that a stale use hits a stranger and not, by luck, nobody.
 */
#include "sim_model.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NO_PAGE     UINT32_MAX
#define OWNER_NONE  UINT32_MAX
#define OWNER_SELF  (UINT32_MAX - 1)
#define DOMAINS_MAX 64u
#define OWN_FRAMES  64u
#define OWN_BASE    UINT64_C(0x1000)
#define IOTLB_SIZE  64u /* a power of two */

struct page {
    uint32_t owner;
    uint32_t refs; /* the owner's allocation counts as one */
    uint32_t next; /* free list */
    void *data;
};

struct domain {
    uint32_t domid;
    char name[64];
    uint8_t handle[16];
    bool pv;
    bool hap;
    bool zombie;
    uint32_t frames;
    uint32_t *p2m; /* gfn -> page; NULL for a zombie */
    uint32_t owned;
};

struct iotlb_entry {
    uint64_t bfn;
    uint32_t page;
};

struct xengt_sim {
    struct page *page;
    uint32_t pages;
    uint32_t pages_room;
    uint32_t free;
    struct domain *domain[DOMAINS_MAX];
    uint32_t next_domid;
    uint32_t *window; /* window_gfn - SIM_WINDOW_BASE -> page + 1 */
    uint32_t own[OWN_FRAMES];
    uint32_t own_count;
    struct iotlb_entry iotlb[IOTLB_SIZE];
    xengt_sim_invalidate_fn *on_invalidate;
    void *on_invalidate_arg;
    xengt_sim_holds_fn *holds;
    void *holds_arg;
    uint64_t fail_in;
    int fail_error;
    struct xengt_sim_stats stats;
    char violation[160];
};

__attribute__((format(printf, 2, 3))) static void violate(struct xengt_sim *sim, const char *format,
                                                          ...)
{
    if (sim->stats.violations++ == 0) {
        va_list ap;
        va_start(ap, format);
        vsnprintf(sim->violation, sizeof(sim->violation), format, ap);
        va_end(ap);
    }
}

/* --- pages -------------------------------------------------------------------------------- */

static uint32_t page_alloc(struct xengt_sim *sim, uint32_t owner)
{
    uint32_t p = sim->free;
    if (p != NO_PAGE) {
        sim->free = sim->page[p].next;
        memset(sim->page[p].data, 0, XENGT_PAGE_SIZE); /* Xen scrubs */
    } else {
        if (sim->pages == sim->pages_room) {
            uint32_t room = sim->pages_room ? sim->pages_room * 2 : 1024;
            struct page *page = realloc(sim->page, room * sizeof(*page));
            if (!page) {
                return NO_PAGE;
            }
            sim->page = page;
            sim->pages_room = room;
        }
        void *data = calloc(1, XENGT_PAGE_SIZE);
        if (!data) {
            return NO_PAGE;
        }
        p = sim->pages++;
        sim->page[p].data = data;
    }
    sim->page[p].owner = owner;
    sim->page[p].refs = 1;
    return p;
}

static struct domain *domain_find(const struct xengt_sim *sim, uint32_t domid)
{
    for (unsigned i = 0; i < DOMAINS_MAX; i++) {
        if (sim->domain[i] && sim->domain[i]->domid == domid) {
            return sim->domain[i];
        }
    }
    return NULL;
}

static void domain_free(struct xengt_sim *sim, struct domain *d)
{
    for (unsigned i = 0; i < DOMAINS_MAX; i++) {
        if (sim->domain[i] == d) {
            sim->domain[i] = NULL;
        }
    }
    free(d->p2m);
    free(d);
}

static void page_put(struct xengt_sim *sim, uint32_t p)
{
    struct page *page = &sim->page[p];
    if (--page->refs) {
        return;
    }
    struct domain *d = domain_find(sim, page->owner);
    page->owner = OWNER_NONE;
    page->next = sim->free;
    sim->free = p;
    if (d && --d->owned == 0 && d->zombie) {
        domain_free(sim, d);
    }
}

/* --- domains ------------------------------------------------------------------------------ */

static uint32_t unused_domid(struct xengt_sim *sim)
{
    do {
        sim->next_domid = sim->next_domid % 0x7fef + 1;
    } while (domain_find(sim, sim->next_domid));
    return sim->next_domid;
}

static struct domain **free_place(struct xengt_sim *sim)
{
    for (unsigned i = 0; i < DOMAINS_MAX; i++) {
        if (!sim->domain[i]) {
            return &sim->domain[i];
        }
    }
    return NULL;
}

int xengt_sim_domain_create(struct xengt_sim *sim, const struct xengt_sim_domain *cfg,
                            uint32_t *domid)
{
    struct domain **place = free_place(sim);
    if (!cfg->name || !cfg->pages || strlen(cfg->name) >= sizeof((*place)->name)) {
        return -EINVAL;
    }
    struct domain *d = place ? calloc(1, sizeof(*d)) : NULL;
    if (!d) {
        return -ENOMEM;
    }
    d->domid = unused_domid(sim);
    d->pv = cfg->pv;
    d->hap = !cfg->no_hap && !cfg->pv;
    d->p2m = malloc(cfg->pages * sizeof(*d->p2m));
    memcpy(d->name, cfg->name, strlen(cfg->name) + 1);
    snprintf((char *)d->handle, sizeof(d->handle), "sim-%llu",
             (unsigned long long)sim->stats.hypercalls + sim->next_domid);
    *place = d;
    for (; d->p2m && d->frames < cfg->pages; d->frames++, d->owned++) {
        d->p2m[d->frames] = page_alloc(sim, d->domid);
        if (d->p2m[d->frames] == NO_PAGE) {
            break;
        }
    }
    *domid = d->domid;
    if (d->frames < cfg->pages) {
        xengt_sim_domain_destroy(sim, *domid);
        return -ENOMEM;
    }
    return 0;
}

int xengt_sim_domain_destroy(struct xengt_sim *sim, uint32_t domid)
{
    struct domain *d = domain_find(sim, domid);
    if (!d || d->zombie) {
        return -ESRCH;
    }
    uint32_t *p2m = d->p2m;
    uint32_t frames = d->frames;
    d->p2m = NULL;
    d->frames = 0;
    d->owned++; /* the domain itself, until this function is done with it */
    for (uint32_t g = 0; g < frames; g++) {
        if (p2m[g] != NO_PAGE) {
            page_put(sim, p2m[g]);
        }
    }
    free(p2m);
    d->zombie = true;
    if (--d->owned == 0) {
        domain_free(sim, d);
    }
    return 0;
}

bool xengt_sim_domain_exists(const struct xengt_sim *sim, uint32_t domid)
{
    return domain_find(sim, domid) != NULL;
}

bool xengt_sim_domain_is_zombie(const struct xengt_sim *sim, uint32_t domid)
{
    const struct domain *d = domain_find(sim, domid);
    return d && d->zombie;
}

const char *xengt_sim_domain_name(const struct xengt_sim *sim, uint32_t domid)
{
    const struct domain *d = domain_find(sim, domid);
    return d ? d->name : NULL;
}

int xengt_sim_domain_find(const struct xengt_sim *sim, const char *name, uint32_t *domid)
{
    for (unsigned i = 0; i < DOMAINS_MAX; i++) {
        const struct domain *d = sim->domain[i];
        if (d && !d->zombie && strcmp(d->name, name) == 0) {
            *domid = d->domid;
            return 0;
        }
    }
    return -ENOENT;
}

int sim_domain_info(const struct xengt_sim *sim, uint32_t domid, struct xengt_target_info *info)
{
    const struct domain *d = domain_find(sim, domid);
    if (!d) {
        return -ESRCH;
    }
    *info = (struct xengt_target_info){
        .domid = domid,
        .hvm = !d->pv,
        .hap = d->hap,
        .dying = d->zombie,
        .pages = d->owned,
        .max_pages = d->frames,
        .vcpus = 1,
    };
    memcpy(info->handle, d->handle, sizeof(info->handle));
    return 0;
}

/* The p2m entry of a frame, or NULL where there can be none. */
static uint32_t *p2m_entry(const struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn)
{
    const struct domain *d = domain_find(sim, domid);
    return d && gfn.v < d->frames ? &d->p2m[gfn.v] : NULL;
}

void *xengt_sim_guest_page(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn)
{
    const uint32_t *entry = p2m_entry(sim, domid, gfn);
    return entry && *entry != NO_PAGE ? sim->page[*entry].data : NULL;
}

int xengt_sim_balloon_out(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn)
{
    uint32_t *entry = p2m_entry(sim, domid, gfn);
    if (!entry || *entry == NO_PAGE) {
        return -EINVAL;
    }
    uint32_t p = *entry;
    *entry = NO_PAGE;
    page_put(sim, p);
    if (sim->on_invalidate) {
        sim->on_invalidate(sim->on_invalidate_arg, domid);
    }
    return 0;
}

int xengt_sim_balloon_in(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn)
{
    uint32_t *entry = p2m_entry(sim, domid, gfn);
    if (!entry || *entry != NO_PAGE) {
        return -EINVAL;
    }
    uint32_t p = page_alloc(sim, domid);
    if (p == NO_PAGE) {
        return -ENOMEM;
    }
    *entry = p;
    domain_find(sim, domid)->owned++;
    return 0;
}

void xengt_sim_on_invalidate(struct xengt_sim *sim, xengt_sim_invalidate_fn *fn, void *arg)
{
    sim->on_invalidate = fn;
    sim->on_invalidate_arg = arg;
}

/* --- hypercalls of the backend ------------------------------------------------------------ */

int sim_hypercall(struct xengt_sim *sim, bool maps)
{
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

int sim_add_to_physmap(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn,
                       uint64_t window_gfn)
{
    uint64_t w = window_gfn - SIM_WINDOW_BASE;
    if (w >= SIM_WINDOW_PAGES) {
        violate(sim, "map over frame 0x%llx, which is not the window's",
                (unsigned long long)window_gfn);
        return -EINVAL;
    }
    if (!domain_find(sim, domid)) {
        return -ESRCH;
    }
    const uint32_t *entry = p2m_entry(sim, domid, gfn);
    if (!entry || *entry == NO_PAGE) {
        return -EINVAL;
    }
    if (sim->window[w]) {
        return -ENXIO;
    }
    sim->page[*entry].refs++;
    sim->window[w] = *entry + 1;
    sim->stats.mapped++;
    return 0;
}

static struct iotlb_entry *iotlb_entry(struct xengt_sim *sim, uint64_t bfn)
{
    return &sim->iotlb[bfn & (IOTLB_SIZE - 1)];
}

int sim_remove_from_physmap(struct xengt_sim *sim, uint64_t window_gfn)
{
    uint64_t w = window_gfn - SIM_WINDOW_BASE;
    if (w >= SIM_WINDOW_PAGES) {
        violate(sim, "unmap of frame 0x%llx, which is not the window's",
                (unsigned long long)window_gfn);
        return -EINVAL;
    }
    if (!sim->window[w]) {
        return -ENOENT;
    }
    if (sim->holds && sim->holds(sim->holds_arg, (struct xengt_bfn){window_gfn})) {
        violate(sim, "BFN 0x%llx unmapped while the device can still use it",
                (unsigned long long)window_gfn);
    }
    uint32_t p = sim->window[w] - 1;
    sim->window[w] = 0;
    sim->stats.mapped--;
    struct iotlb_entry *e = iotlb_entry(sim, window_gfn);
    if (e->bfn == window_gfn) {
        e->bfn = 0;
    }
    sim->stats.iotlb_flushes++;
    page_put(sim, p);
    return 0;
}

void *sim_window_page(struct xengt_sim *sim, uint64_t window_gfn)
{
    uint64_t w = window_gfn - SIM_WINDOW_BASE;
    return w < SIM_WINDOW_PAGES && sim->window[w] ? sim->page[sim->window[w] - 1].data : NULL;
}

void xengt_sim_on_unmap(struct xengt_sim *sim, xengt_sim_holds_fn *fn, void *arg)
{
    sim->holds = fn;
    sim->holds_arg = arg;
}

/* --- the device --------------------------------------------------------------------------- */

static uint32_t iommu_walk(const struct xengt_sim *sim, uint64_t bfn)
{
    uint64_t w = bfn - SIM_WINDOW_BASE;
    if (w < SIM_WINDOW_PAGES && sim->window[w]) {
        return sim->window[w] - 1;
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
        violate(sim, "DMA by BFN 0x%llx into a page that is free", (unsigned long long)bfn);
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

int xengt_sim_dma_write(struct xengt_sim *sim, uint64_t addr, const void *buf, size_t len)
{
    void *page = translate(sim, addr, len);
    if (!page) {
        return -EFAULT;
    }
    memcpy(page, buf, len);
    return 0;
}

int xengt_sim_own_frame(struct xengt_sim *sim, struct xengt_bfn *bfn, void **page)
{
    if (sim->own_count == OWN_FRAMES) {
        return -ENOSPC;
    }
    uint32_t p = page_alloc(sim, OWNER_SELF);
    if (p == NO_PAGE) {
        return -ENOMEM;
    }
    *bfn = (struct xengt_bfn){OWN_BASE + sim->own_count};
    *page = sim->page[p].data;
    sim->own[sim->own_count++] = p;
    return 0;
}

/* --- life and reports --------------------------------------------------------------------- */

struct xengt_sim *xengt_sim_new(void)
{
    struct xengt_sim *sim = calloc(1, sizeof(*sim));
    if (!sim) {
        return NULL;
    }
    sim->free = NO_PAGE;
    sim->window = mmap(NULL, SIM_WINDOW_PAGES * sizeof(uint32_t), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (sim->window == MAP_FAILED) {
        free(sim);
        return NULL;
    }
    return sim;
}

void xengt_sim_free(struct xengt_sim *sim)
{
    if (!sim) {
        return;
    }
    for (unsigned i = 0; i < DOMAINS_MAX; i++) {
        if (sim->domain[i]) {
            domain_free(sim, sim->domain[i]);
        }
    }
    for (uint32_t p = 0; p < sim->pages; p++) {
        free(sim->page[p].data);
    }
    free(sim->page);
    munmap(sim->window, SIM_WINDOW_PAGES * sizeof(uint32_t));
    free(sim);
}

void xengt_sim_get_stats(const struct xengt_sim *sim, struct xengt_sim_stats *stats)
{
    *stats = sim->stats;
}

const char *xengt_sim_violation(const struct xengt_sim *sim)
{
    return sim->violation;
}
