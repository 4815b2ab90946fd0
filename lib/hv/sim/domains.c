/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The model: pages with an owner and references, domains that see them through a p2m, the
 * backend's window, and an IOMMU whose IOTLB is only as fresh as its last flush.
 *
 * A page that nobody refers to goes to the front of the free list and is the next to be given
 * away, so that a stale use hits a stranger and not, by luck, nobody.
 */
#include "hv/sim/model.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void sim_violate(struct xengt_sim *sim, const char *format, ...)
{
    if (sim->stats.violations++ == 0) {
        va_list ap;
        va_start(ap, format);
        vsnprintf(sim->violation, sizeof(sim->violation), format, ap);
        va_end(ap);
    }
}

/* --- pages ------------------------------------------------------------------------------- */

uint32_t sim_page_alloc(struct xengt_sim *sim, uint32_t owner)
{
    uint32_t p = sim->free;
    if (p != NO_PAGE) {
        if (!sim->page[p].data && !(sim->page[p].data = malloc(XENGT_PAGE_SIZE))) {
            return NO_PAGE; /* it was part of a piece of own memory */
        }
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

struct domain *sim_domain_find(const struct xengt_sim *sim, uint32_t domid)
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
    free(d->dirty);
    free(d);
}

void sim_page_put(struct xengt_sim *sim, uint32_t p)
{
    struct page *page = &sim->page[p];
    if (--page->refs) {
        return;
    }
    struct domain *d = sim_domain_find(sim, page->owner);
    page->owner = OWNER_NONE;
    page->next = sim->free;
    sim->free = p;
    if (d && --d->owned == 0 && d->zombie) {
        domain_free(sim, d);
    }
}

/* --- domains ----------------------------------------------------------------------------- */

static uint32_t unused_domid(struct xengt_sim *sim)
{
    do {
        sim->next_domid = sim->next_domid % 0x7fef + 1;
    } while (sim_domain_find(sim, sim->next_domid));
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
    if (sim_domain_find(sim, cfg->domid)) {
        return -EEXIST;
    }
    struct domain *d = place ? calloc(1, sizeof(*d)) : NULL;
    if (!d) {
        return -ENOMEM;
    }
    d->domid = cfg->domid ? cfg->domid : unused_domid(sim);
    d->unsafe = cfg->altp2m      ? "it has altp2m"
                : cfg->nested    ? "it has nested guests"
                : cfg->on_demand ? "its memory is populated on demand"
                                 : NULL;
    d->pv = cfg->pv;
    d->hap = !cfg->no_hap && !cfg->pv;
    d->p2m = malloc(cfg->pages * sizeof(*d->p2m));
    memcpy(d->name, cfg->name, strlen(cfg->name) + 1);
    snprintf((char *)d->handle, sizeof(d->handle), "sim-%llu", (unsigned long long)++sim->created);
    *place = d;
    for (; d->p2m && d->frames < cfg->pages; d->frames++, d->owned++) {
        d->p2m[d->frames] = sim_page_alloc(sim, d->domid);
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
    struct domain *d = sim_domain_find(sim, domid);
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
            sim_page_put(sim, p2m[g]);
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
    return sim_domain_find(sim, domid) != NULL;
}

bool xengt_sim_domain_is_zombie(const struct xengt_sim *sim, uint32_t domid)
{
    const struct domain *d = sim_domain_find(sim, domid);
    return d && d->zombie;
}

const char *xengt_sim_domain_name(const struct xengt_sim *sim, uint32_t domid)
{
    const struct domain *d = sim_domain_find(sim, domid);
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

void xengt_sim_on_hypercall(struct xengt_sim *sim, xengt_sim_hypercall_fn *fn, void *arg)
{
    sim->on_hypercall = fn;
    sim->on_hypercall_arg = arg;
}

void sim_between(struct xengt_sim *sim)
{
    if (sim->on_hypercall) {
        sim->on_hypercall(sim->on_hypercall_arg);
    }
}

int sim_domain_info(struct xengt_sim *sim, uint32_t domid, struct xengt_target_info *info)
{
    sim_between(sim);
    const struct domain *d = sim_domain_find(sim, domid);
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

const char *sim_unsafe(const struct xengt_sim *sim, uint32_t domid)
{
    const struct domain *d = sim_domain_find(sim, domid);
    return d ? d->unsafe : NULL;
}

int sim_dirty(struct xengt_sim *sim, uint32_t domid, const struct xengt_gfn *gfn, size_t n)
{
    struct domain *d = sim_domain_find(sim, domid);
    if (!d || d->zombie) {
        return -ESRCH;
    }
    if (!d->dirty && !(d->dirty = calloc(d->frames, 1))) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        if (gfn[i].v >= d->frames) {
            return -EINVAL;
        }
        d->dirty[gfn[i].v] = 1;
    }
    return 0;
}

bool xengt_sim_is_dirty(const struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn)
{
    const struct domain *d = sim_domain_find(sim, domid);
    return d && d->dirty && gfn.v < d->frames && d->dirty[gfn.v];
}

int sim_set_target(struct xengt_sim *sim, uint32_t domid, uint32_t target)
{
    struct domain *d = sim_domain_find(sim, domid);
    const struct domain *t = sim_domain_find(sim, target);
    if (!d || !t) {
        return -ESRCH;
    }
    if (d == t || d->target) {
        return -EINVAL;
    }
    if (t->pv) {
        return -EOPNOTSUPP;
    }
    d->target = target;
    return 0;
}

/* The p2m entry of a frame, or NULL where there can be none. */
uint32_t *sim_p2m_entry(const struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn)
{
    const struct domain *d = sim_domain_find(sim, domid);
    return d && gfn.v < d->frames ? &d->p2m[gfn.v] : NULL;
}

void *xengt_sim_guest_page(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn)
{
    const uint32_t *entry = sim_p2m_entry(sim, domid, gfn);
    return entry && *entry != NO_PAGE ? sim->page[*entry].data : NULL;
}

int xengt_sim_balloon_out(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn)
{
    uint32_t *entry = sim_p2m_entry(sim, domid, gfn);
    if (!entry || *entry == NO_PAGE) {
        return -EINVAL;
    }
    uint32_t p = *entry;
    *entry = NO_PAGE;
    sim_page_put(sim, p);
    if (sim->on_invalidate) {
        sim->on_invalidate(sim->on_invalidate_arg, domid);
    }
    return 0;
}

int xengt_sim_balloon_in(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn)
{
    uint32_t *entry = sim_p2m_entry(sim, domid, gfn);
    if (!entry || *entry != NO_PAGE) {
        return -EINVAL;
    }
    uint32_t p = sim_page_alloc(sim, domid);
    if (p == NO_PAGE) {
        return -ENOMEM;
    }
    *entry = p;
    sim_domain_find(sim, domid)->owned++;
    return 0;
}

int xengt_sim_offer(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn, bool read_only,
                    uint32_t *gref)
{
    const uint32_t *entry = sim_p2m_entry(sim, domid, gfn);
    if (!entry || *entry == NO_PAGE) {
        return sim_domain_find(sim, domid) ? -EINVAL : -ESRCH;
    }
    if (sim->grants == GRANTS_MAX) {
        return -ENOSPC;
    }
    *gref = sim->grants;
    sim->grant[sim->grants++] = (struct grant){domid, gfn, read_only};
    return 0;
}

void xengt_sim_on_invalidate(struct xengt_sim *sim, xengt_sim_invalidate_fn *fn, void *arg)
{
    sim->on_invalidate = fn;
    sim->on_invalidate_arg = arg;
}

/* --- life and reports -------------------------------------------------------------------- */

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
