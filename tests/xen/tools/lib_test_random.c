/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random maps and unmaps on two guests against a plain table of what must be mapped. Each page of
 * the guests has a mark, so that a mapping of a wrong page is seen. In the middle one guest is
 * destroyed, with pages of it mapped.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenforeignmemory.h>

#include <xengt/space.h>
#include <xengt/target.h>

#include "lib_test.h"

#define FIRST_GFN 0x1000u
#define GFNS      512u
#define BATCH     32u
#define LIVE      1024u

struct live {
    struct xengt_bfn bfn;
    uint64_t gfn;
    uint32_t domid;
    bool space; /* got from the space, not by a plain map */
};

struct world {
    struct test *t;
    uint32_t domid[2];
    struct xengt_space *space[2];
    bool dead[2];
    struct live live[LIVE];
    unsigned count;
    unsigned wrong;
};

static uint64_t mark_of(uint32_t domid, uint64_t gfn)
{
    return UINT64_C(0x7865000000000000) | (uint64_t)domid << 32 | gfn;
}

static int mark_pages(uint32_t domid)
{
    xenforeignmemory_handle *memory = xenforeignmemory_open(NULL, 0);
    xen_pfn_t pfn[GFNS];
    int err[GFNS];
    for (unsigned i = 0; i < GFNS; i++) {
        pfn[i] = FIRST_GFN + i;
    }
    char *pages = xenforeignmemory_map(memory, domid, PROT_READ | PROT_WRITE, GFNS, pfn, err);
    for (unsigned i = 0; pages && i < GFNS; i++) {
        *(uint64_t *)(pages + (size_t)i * XENGT_PAGE_SIZE) = mark_of(domid, pfn[i]);
    }
    if (pages) {
        xenforeignmemory_unmap(memory, pages, GFNS);
    }
    xenforeignmemory_close(memory);
    return pages ? 0 : -EIO;
}

static void check_mark(struct world *w, const struct live *l)
{
    void *view;
    if (xengt_view(w->t->xg, l->bfn, &view)) {
        w->wrong++;
        printf("# no view of BFN 0x%llx: %s\n", (unsigned long long)l->bfn.v,
               xengt_last_error(w->t->xg));
    } else if (*(uint64_t *)view != mark_of(l->domid, l->gfn)) {
        w->wrong++;
        printf("# BFN 0x%llx is not gfn 0x%llx of domain %u\n", (unsigned long long)l->bfn.v,
               (unsigned long long)l->gfn, l->domid);
    }
}

/* Some entries are beyond the guest's memory and must fail, each by itself. */
static void map_some(struct world *w)
{
    struct xengt_gfn gfn[BATCH];
    struct xengt_bfn bfn[BATCH];
    int err[BATCH];
    unsigned d = (unsigned)rand() % 2;
    bool space = rand() % 2;
    unsigned n = 1 + (unsigned)rand() % BATCH;
    for (unsigned i = 0; i < n; i++) {
        gfn[i].v = rand() % 16 ? FIRST_GFN + (unsigned)rand() % GFNS : GFN_BEYOND + i;
    }
    if (w->count + n > LIVE) {
        return;
    }
    int ret = space ? xengt_space_get(w->space[d], gfn, bfn, err, n)
                    : xengt_map(w->t->xg, w->domid[d], gfn, bfn, err, n, XENGT_PROT_RW);
    w->wrong += ret != 0;
    for (unsigned i = 0; !ret && i < n; i++) {
        bool good = gfn[i].v < GFN_BEYOND && !w->dead[d];
        /* A space may still have a dead guest's page: it was invalidated, so it may not. */
        if ((err[i] == 0) != good) {
            w->wrong++;
            printf("# gfn 0x%llx of domain %u gives %d\n", (unsigned long long)gfn[i].v,
                   w->domid[d], err[i]);
        }
        if (!err[i]) {
            w->live[w->count] = (struct live){bfn[i], gfn[i].v, w->domid[d], space};
            if (!w->dead[d] && rand() % 8 == 0) {
                check_mark(w, &w->live[w->count]);
            }
            w->count++;
        }
    }
}

static void unmap_one(struct world *w, unsigned i)
{
    struct live *l = &w->live[i];
    unsigned d = l->domid == w->domid[1];
    int ret = l->space ? xengt_space_put(w->space[d], &l->bfn, 1)
                       : xengt_unmap(w->t->xg, &l->bfn, NULL, 1);
    if (ret) {
        w->wrong++;
        printf("# unmap of BFN 0x%llx gives %d: %s\n", (unsigned long long)l->bfn.v, ret,
               xengt_last_error(w->t->xg));
    }
    w->live[i] = w->live[--w->count];
}

static void unmap_some(struct world *w)
{
    for (unsigned n = (unsigned)rand() % (BATCH * 3 / 4); n && w->count; n--) {
        unmap_one(w, (unsigned)rand() % w->count);
    }
}

static void one_operation(struct world *w)
{
    switch (rand() % 16) {
    case 0:
        xengt_space_expire(w->space[rand() % 2]);
        break;
    case 1:
        xengt_space_invalidate(w->space[rand() % 2]);
        break;
    case 2:
        xengt_space_flush(w->space[rand() % 2]);
        break;
    default:
        if (rand() % 2) {
            map_some(w);
        } else {
            unmap_some(w);
        }
    }
}

static void kill_first(struct world *w, const char *command)
{
    expect(w->t, system(command) == 0, "%s", command);
    w->dead[0] = true;
    xengt_space_invalidate(w->space[0]);
}

static bool begin(struct world *w)
{
    for (int d = 0; d < 2; d++) {
        if (mark_pages(w->domid[d]) || xengt_target_add(w->t->xg, w->domid[d]) ||
            xengt_space_open(w->t->xg, w->domid[d], NULL, &w->space[d])) {
            return false;
        }
    }
    return true;
}

void test_random(struct test *t, const uint32_t domid[2], unsigned operations,
                 const char *destroy_first)
{
    struct world *w = calloc(1, sizeof(*w));
    w->t = t;
    memcpy(w->domid, domid, sizeof(w->domid));
    srand(operations);
    if (expect(t, begin(w), "two guests are targets")) {
        for (unsigned i = 0; i < operations; i++) {
            if (i == operations / 2) {
                kill_first(w, destroy_first);
            }
            one_operation(w);
        }
        printf("# %u mappings in use at the end\n", w->count);
        while (w->count) {
            unmap_one(w, w->count - 1);
        }
        expect(t, w->wrong == 0, "%u random operations: %u wrong", operations, w->wrong);
        for (int d = 0; d < 2; d++) {
            xengt_space_close(w->space[d]);
            expect(t, xengt_target_remove(t->xg, domid[d]) == 0, "guest %d is released", d);
        }
    }
    free(w);
}
