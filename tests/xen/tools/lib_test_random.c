/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random maps and unmaps of two guests that balloon and die, against a plain table of what must be
 * mapped. Each page that a guest ever has carries a number of its own, so that a mapping of a wrong
 * page is seen: by the CPU where the guest still has that page at that frame, and by DMA, where
 * there is a device for it, also where it does not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>

#include <xengt/space.h>
#include <xengt/target.h>

#include "lib_test.h"

#define GUESTS     2
#define FIRST_GFN  0x1000u
#define GFNS       512u
#define BATCH      32u
#define LIVE       1024u
#define LIFE       400u /* operations between two deaths */
#define DMA_EVERY  150u /* operations; a transfer takes QEMU's device a tenth of a second */
#define DMA_GFN    (FIRST_GFN + GFNS) /* where DMA goes to; not one of those that are mapped */
#define WAIT_STEPS 50u

struct live {
    struct xengt_bfn bfn;
    struct xengt_cookie cookie; /* of a plain one */
    unsigned gfn;               /* counted from FIRST_GFN */
    unsigned guest;
    uint64_t number; /* of the page, when it was mapped */
    bool space;      /* got from the space, not by a plain map */
};

struct guest {
    uint32_t domid;
    struct xengt_space *space;
    uint64_t number[GFNS]; /* 0: ballooned out */
};

struct world {
    struct test *t;
    xc_interface *xc;
    xenforeignmemory_handle *memory;
    const char *again; /* command that destroys a guest, or creates it anew and prints its domid */
    struct guest guest[GUESTS];
    struct live live[LIVE];
    unsigned count;
    uint64_t next_number;
    unsigned wrong;
    unsigned ballooned;
    unsigned kept_out; /* could not come back: old pages of the guest are mapped */
    unsigned transfers;
    unsigned deaths;
};

static void wrong(struct world *w, const struct live *l, const char *what)
{
    w->wrong++;
    printf("# guest %u, gfn 0x%x, BFN 0x%llx: %s\n", l->guest, FIRST_GFN + l->gfn,
           (unsigned long long)l->bfn.v, what);
}

/* --- the guests -------------------------------------------------------------------------- */

/* Gives n pages of a guest their numbers. */
static int stamp(struct world *w, struct guest *g, unsigned first, unsigned n)
{
    xen_pfn_t pfn[GFNS];
    int err[GFNS];
    for (unsigned i = 0; i < n; i++) {
        pfn[i] = FIRST_GFN + first + i;
    }
    char *pages = xenforeignmemory_map(w->memory, g->domid, PROT_READ | PROT_WRITE, n, pfn, err);
    if (!pages) {
        return -errno;
    }
    for (unsigned i = 0; i < n; i++) {
        g->number[first + i] = ++w->next_number;
        *(uint64_t *)(pages + (size_t)i * XENGT_PAGE_SIZE) = w->next_number;
    }
    xenforeignmemory_unmap(w->memory, pages, n);
    return 0;
}

static int be_target(struct world *w, struct guest *g)
{
    int ret = stamp(w, g, 0, GFNS);
    ret = ret ? ret : xengt_target_add(w->t->xg, g->domid);
    return ret ? ret : xengt_space_open(w->t->xg, g->domid, NULL, &g->space);
}

/* In a row: what is out comes back with another page. */
static void balloon(struct world *w)
{
    struct guest *g = &w->guest[rand() % GUESTS];
    unsigned gfn = (unsigned)rand() % GFNS;
    xen_pfn_t pfn = FIRST_GFN + gfn;
    if (g->number[gfn]) {
        if (xc_domain_decrease_reservation_exact(w->xc, g->domid, 1, 0, &pfn)) {
            w->wrong++;
            printf("# gfn 0x%lx cannot be ballooned out: %s\n", pfn, strerror(errno));
            return;
        }
        g->number[gfn] = 0;
        xengt_space_invalidate(g->space);
    } else if (xc_domain_populate_physmap_exact(w->xc, g->domid, 1, 0, 0, &pfn)) {
        w->kept_out++;
        return;
    } else if (stamp(w, g, gfn, 1)) {
        w->wrong++;
    }
    w->ballooned++;
}

/* --- mapping and unmapping --------------------------------------------------------------- */

static void check_view(struct world *w, const struct live *l)
{
    void *view;
    if (w->guest[l->guest].number[l->gfn] != l->number) {
        return; /* the CPU sees what the guest has there now */
    }
    int ret = l->space ? xengt_view(w->t->xg, l->bfn, &view)
                       : xengt_view_mapping(w->t->xg, l->cookie, &view);
    if (ret) {
        wrong(w, l, xengt_last_error(w->t->xg));
    } else if (*(uint64_t *)view != l->number) {
        wrong(w, l, "the page of another");
    }
}

/* Some entries are beyond the guest's memory and must fail, each by itself. */
static void map_some(struct world *w)
{
    struct xengt_gfn gfn[BATCH];
    struct xengt_bfn bfn[BATCH];
    struct xengt_cookie cookie[BATCH] = {{0}};
    int err[BATCH];
    unsigned d = (unsigned)rand() % GUESTS;
    const struct guest *g = &w->guest[d];
    bool space = rand() % 2;
    unsigned n = 1 + (unsigned)rand() % BATCH;
    for (unsigned i = 0; i < n; i++) {
        gfn[i].v = rand() % 16 ? FIRST_GFN + (unsigned)rand() % GFNS : GFN_BEYOND + i;
    }
    if (w->count + n > LIVE) {
        return;
    }
    int ret = space ? xengt_space_get(g->space, gfn, bfn, err, n)
                    : xengt_map(w->t->xg, g->domid, gfn, bfn, cookie, err, n, XENGT_PROT_RW);
    w->wrong += ret != 0;
    for (unsigned i = 0; !ret && i < n; i++) {
        unsigned at = (unsigned)(gfn[i].v - FIRST_GFN);
        struct live l = {bfn[i], cookie[i], at, d, at < GFNS ? g->number[at] : 0, space};
        if (err[i] != (l.number ? 0 : -EINVAL)) {
            wrong(w, &l, strerror(-err[i]));
        }
        if (!err[i]) {
            w->live[w->count++] = l;
            if (rand() % 8 == 0) {
                check_view(w, &l);
            }
        }
    }
}

static void unmap_one(struct world *w, unsigned i)
{
    struct live *l = &w->live[i];
    int ret = l->space ? xengt_space_put(w->guest[l->guest].space, &l->bfn, 1)
                       : xengt_unmap(w->t->xg, &l->cookie, NULL, 1);
    if (ret) {
        wrong(w, l, xengt_last_error(w->t->xg));
    }
    w->live[i] = w->live[--w->count];
}

static void unmap_some(struct world *w)
{
    for (unsigned n = (unsigned)rand() % (BATCH * 3 / 4); n && w->count; n--) {
        unmap_one(w, (unsigned)rand() % w->count);
    }
}

/* A device reads what is mapped, which may be a page that the guest has given up. */
static void check_by_dma(struct world *w)
{
    struct guest *g = &w->guest[rand() % GUESTS];
    struct xengt_gfn gfn = {DMA_GFN};
    struct xengt_bfn to;
    struct xengt_cookie to_cookie;
    void *view;
    if (!w->t->edu || !w->count) {
        return;
    }
    const struct live *l = &w->live[(unsigned)rand() % w->count];
    if (xengt_map(w->t->xg, g->domid, &gfn, &to, &to_cookie, NULL, 1, XENGT_PROT_RW) ||
        xengt_view_mapping(w->t->xg, to_cookie, &view)) {
        wrong(w, l, "nowhere to copy it to");
        return;
    }
    volatile uint64_t *copy = view;
    *copy = 0;
    __sync_synchronize();
    int ret = edu_copy(w->t->edu, xengt_bfn_to_addr(l->bfn), xengt_bfn_to_addr(to), 8);
    __sync_synchronize();
    if (ret || *copy != l->number) {
        wrong(w, l, "DMA reads something else");
    }
    w->transfers++;
    w->wrong += xengt_unmap(w->t->xg, &to_cookie, NULL, 1) != 0;
}

/* --- death ------------------------------------------------------------------------------- */

/* What the command prints for a guest. */
static unsigned long run(const struct world *w, const char *what, unsigned guest)
{
    char command[256];
    char line[32] = "";
    snprintf(command, sizeof(command), "%s %s %u", w->again, what, guest);
    FILE *f = popen(command, "re");
    if (!f) {
        return 0;
    }
    if (!fgets(line, sizeof(line), f)) {
        line[0] = '\0';
    }
    return pclose(f) ? 0 : strtoul(line, NULL, 10);
}

static bool is_gone(struct world *w, uint32_t domid)
{
    struct xengt_target_info info;
    for (unsigned i = 0; i < WAIT_STEPS; i++) {
        if (xengt_domain_info(w->t->xg, domid, &info) == -ESRCH) {
            return true;
        }
        usleep(100000);
    }
    return false;
}

static void die(struct world *w)
{
    unsigned d = (unsigned)rand() % GUESTS;
    struct guest *g = &w->guest[d];
    uint32_t dead;
    struct live none = {.guest = d};
    run(w, "destroy", d);
    if (xengt_target_dead(w->t->xg, &dead, 1) != 1 || dead != g->domid) {
        wrong(w, &none, "its death is not noticed");
    }
    for (unsigned i = w->count; i-- > 0;) {
        if (w->live[i].guest == d) {
            unmap_one(w, i);
        }
    }
    xengt_space_close(g->space);
    if (xengt_target_remove(w->t->xg, g->domid) || !is_gone(w, g->domid)) {
        wrong(w, &none, "it stays, half dead");
    }
    g->domid = (uint32_t)run(w, "create", d);
    if (!g->domid || be_target(w, g)) {
        wrong(w, &none, "it cannot be had anew");
    }
    w->deaths++;
}

/* ------------------------------------------------------------------------------------------ */

static void one_operation(struct world *w)
{
    switch (rand() % 20) {
    case 0:
        xengt_space_expire(w->guest[rand() % GUESTS].space);
        break;
    case 1:
        xengt_space_invalidate(w->guest[rand() % GUESTS].space);
        break;
    case 2:
        xengt_space_flush(w->guest[rand() % GUESTS].space);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        balloon(w);
        break;
    default:
        if (rand() % 2) {
            map_some(w);
        } else {
            unmap_some(w);
        }
    }
}

static void operate(struct world *w, unsigned operations)
{
    for (unsigned i = 1; i <= operations; i++) {
        if (i % LIFE == 0) {
            die(w);
        } else if (i % DMA_EVERY == 0) {
            check_by_dma(w);
        } else {
            one_operation(w);
        }
    }
    printf("# %u deaths, %u frames ballooned, %u times not back for want of room, %u transfers; "
           "%u mappings in use at the end\n",
           w->deaths, w->ballooned, w->kept_out, w->transfers, w->count);
    while (w->count) {
        unmap_one(w, w->count - 1);
    }
}

void test_random(struct test *t, const uint32_t domid[2], unsigned operations, const char *again)
{
    struct world *w = calloc(1, sizeof(*w));
    int ret = 0;
    w->t = t;
    w->again = again;
    w->xc = xc_interface_open(NULL, NULL, 0);
    w->memory = xenforeignmemory_open(NULL, 0);
    for (int d = 0; d < GUESTS && !ret; d++) {
        w->guest[d].domid = domid[d];
        ret = be_target(w, &w->guest[d]);
    }
    srand(operations);
    if (expect(t, !ret, "two guests are targets")) {
        operate(w, operations);
        expect(t, w->wrong == 0, "%u random operations: %u wrong", operations, w->wrong);
        for (int d = 0; d < GUESTS; d++) {
            xengt_space_close(w->guest[d].space);
            expect(t, xengt_target_remove(t->xg, w->guest[d].domid) == 0, "guest %d is released",
                   d);
        }
    }
    xenforeignmemory_close(w->memory);
    xc_interface_close(w->xc);
    free(w);
}
