/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The libraries: libxengt, libxenforeignmemory, libxengnttab. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xenforeignmemory.h>
#include <xengnttab.h>

#include <xengt/grant.h>

#include "bench_lib.h"

/* --- libxengt ---------------------------------------------------------------------------- */

struct own {
    struct bench *b;
    struct xengt_gfn gfn[PAGES];
    struct xengt_bfn bfn[PAGES];
    struct xengt_cookie cookie[PAGES];
    int err[PAGES];
    uint32_t ref[PAGES]; /* grants that are offered */
    xenforeignmemory_resource_handle *table_handle;
};

static void *xengt_method_open(struct bench *b, const char **why)
{
    struct own *o = calloc(1, sizeof(*o));
    if (!o) {
        *why = "no memory";
        return NULL;
    }
    o->b = b;
    for (unsigned i = 0; i < PAGES; i++) {
        o->gfn[i].v = FIRST_GFN + i;
        o->ref[i] = OFFERS_FRAME * TABLE_ENTRIES + i;
    }
    return o;
}

static int xengt_method_map(void *state, size_t i, size_t n)
{
    struct own *o = state;
    return xengt_map(o->b->xg, o->b->domid, &o->gfn[i], &o->bfn[i], &o->cookie[i], NULL, n,
                     XENGT_PROT_RW);
}

static int xengt_method_unmap(void *state, size_t i, size_t n)
{
    struct own *o = state;
    return xengt_unmap(o->b->xg, &o->cookie[i], NULL, n);
}

static void xengt_method_close(void *state)
{
    struct own *o = state;
    if (o->table_handle) {
        xenforeignmemory_unmap_resource(o->b->memory, o->table_handle);
    }
    free(o);
}

const struct method method_xengt = {"xengt", xengt_method_open, xengt_method_map,
                                    xengt_method_unmap, xengt_method_close};

/* The guest is paused and offers nothing: what it would have written is written for it. */
static void *offered_open(struct bench *b, const char **why)
{
    struct own *o = xengt_method_open(b, why);
    if (!o) {
        return NULL;
    }
    void *table = table_map(b, OFFERS_FRAME, &o->table_handle);
    if (!table) {
        *why = "the guest's grant table cannot be mapped";
        xengt_method_close(o);
        return NULL;
    }
    table_offer(table);
    return o;
}

static int offered_map(void *state, size_t i, size_t n)
{
    struct own *o = state;
    return xengt_map_offered(o->b->xg, o->b->domid, &o->ref[i], &o->bfn[i], &o->cookie[i], NULL, n,
                             XENGT_PROT_RW);
}

const struct method method_offered = {"xengt-offered", offered_open, offered_map,
                                      xengt_method_unmap, xengt_method_close};

/* --- libxenforeignmemory ----------------------------------------------------------------- */

struct foreign {
    struct bench *b;
    xen_pfn_t pfn[PAGES];
    int err[PAGES];
    void *pages[PAGES]; /* by the first page of each call */
};

static void *foreign_open(struct bench *b, const char **why)
{
    struct foreign *f = calloc(1, sizeof(*f));
    if (!f) {
        *why = "no memory";
        return NULL;
    }
    f->b = b;
    for (unsigned i = 0; i < PAGES; i++) {
        f->pfn[i] = FIRST_GFN + i;
    }
    return f;
}

static int foreign_map(void *state, size_t i, size_t n)
{
    struct foreign *f = state;
    f->pages[i] = xenforeignmemory_map(f->b->memory, f->b->domid, PROT_READ | PROT_WRITE, n,
                                       &f->pfn[i], &f->err[i]);
    if (!f->pages[i]) {
        return -errno;
    }
    for (size_t k = 0; k < n; k++) {
        if (f->err[i + k]) {
            return f->err[i + k];
        }
    }
    return 0;
}

static int foreign_unmap(void *state, size_t i, size_t n)
{
    struct foreign *f = state;
    return xenforeignmemory_unmap(f->b->memory, f->pages[i], n) ? -errno : 0;
}

const struct method method_foreign = {"foreignmemory", foreign_open, foreign_map, foreign_unmap,
                                      free};

/* --- libxengnttab ------------------------------------------------------------------------ */

struct gnttab {
    struct bench *b;
    xengnttab_handle *handle;
    xenforeignmemory_resource_handle *table_handle;
    uint32_t ref[PAGES];
    void *pages[PAGES];
};

static void gnttab_close(void *state)
{
    struct gnttab *g = state;
    if (g->handle) {
        xengnttab_close(g->handle);
    }
    if (g->table_handle) {
        xenforeignmemory_unmap_resource(g->b->memory, g->table_handle);
    }
    free(g);
}

static void *gnttab_open(struct bench *b, const char **why)
{
    struct gnttab *g = calloc(1, sizeof(*g));
    if (!g) {
        *why = "no memory";
        return NULL;
    }
    g->b = b;
    g->handle = xengnttab_open(NULL, 0);
    void *table = table_map(b, OFFERS_FRAME, &g->table_handle);
    if (!g->handle || !table) {
        *why = g->handle ? "the guest's grant table cannot be mapped" : "no /dev/xen/gntdev";
        gnttab_close(g);
        return NULL;
    }
    table_offer(table);
    for (unsigned i = 0; i < PAGES; i++) {
        g->ref[i] = OFFERS_FRAME * TABLE_ENTRIES + i;
    }
    return g;
}

static int gnttab_map(void *state, size_t i, size_t n)
{
    struct gnttab *g = state;
    g->pages[i] = xengnttab_map_domain_grant_refs(g->handle, n, g->b->domid, &g->ref[i],
                                                  PROT_READ | PROT_WRITE);
    return g->pages[i] ? 0 : -errno;
}

static int gnttab_unmap(void *state, size_t i, size_t n)
{
    struct gnttab *g = state;
    return xengnttab_unmap(g->handle, g->pages[i], n) ? -errno : 0;
}

const struct method method_gnttab = {"gnttab", gnttab_open, gnttab_map, gnttab_unmap, gnttab_close};
