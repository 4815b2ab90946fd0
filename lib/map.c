/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plain calls: arrays of mappings, by gfn or by a grant that is offered. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <xengt/grant.h>

#include "mapper.h"
#include "room.h"
#include "sized.h"

/* --- mapping ----------------------------------------------------------------------------- */

struct map_call {
    struct xengt *xg;
    uint32_t domid;
    struct target *t; /* NULL: what is offered needs none */
    const struct xengt_gfn *gfn;
    const uint32_t *gref; /* instead of gfn */
    struct xengt_bfn *bfn;
    unsigned prot;
};

/* A slot for an entry. */
static int reserve(const struct map_call *c, size_t i, uint32_t *slot)
{
    struct xengt_gfn what = c->gref ? (struct xengt_gfn){c->gref[i]} : c->gfn[i];
    int ret = room_for(c->xg, c->t);
    return ret ? ret : mapper_reserve(c->xg, c->domid, what, c->gref, slot);
}

static void map_batch(void *arg, size_t first, int *err, size_t n)
{
    struct map_call *c = arg;
    struct batch *b = &c->xg->batch;
    int gone = c->t ? target_check(c->xg, c->t) : 0;
    bool unsure = c->t && !target_is_held(c->xg, c->t);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        err[i] = gone ? gone : reserve(c, first + i, &b->slot[count]);
        if (!err[i]) {
            c->xg->slots.slot[b->slot[count]].raw = 1;
            b->entry[count++] = i;
        }
    }
    mapper_map(c->xg, c->domid, b->slot, b->err, count, c->prot);
    if (unsure) {
        target_confirm(c->xg, c->t, b->slot, b->err, count);
    }
    for (size_t k = 0; k < count; k++) {
        size_t i = b->entry[k];
        err[i] = b->err[k];
        if (err[i]) {
            mapper_drop(c->xg, b->slot[k]);
            continue;
        }
        c->bfn[first + i] = mapper_bfn(c->xg, b->slot[k]);
        if (c->t) {
            c->t->raw++;
        }
    }
}

static int map_all(struct map_call *c, int *err, size_t n)
{
    struct xengt *xg = c->xg;
    if (c->prot != XENGT_PROT_READ && c->prot != XENGT_PROT_RW) {
        return handle_fail(xg, -EINVAL, "prot 0x%x is neither read nor read and write", c->prot);
    }
    if (n && (!c->bfn || (!c->gfn && !c->gref))) {
        return handle_fail(xg, -EINVAL, "no array");
    }
    for (size_t i = 0; i < n; i++) {
        c->bfn[i] = XENGT_BFN_INVALID;
    }
    int ret = in_batches(xg, map_batch, c, err, n, true);
    if (!ret) {
        return 0;
    }
    xengt_unmap(xg, c->bfn, NULL, n); /* those that are invalid are no mappings */
    for (size_t i = 0; i < n; i++) {
        c->bfn[i] = XENGT_BFN_INVALID;
    }
    return handle_fail(xg, ret, "domain %u: %s cannot be mapped: %s", c->domid,
                       c->gref ? "an offered grant" : "a frame", strerror(-ret));
}

int xengt_map(struct xengt *xg, uint32_t domid, const struct xengt_gfn *gfn, struct xengt_bfn *bfn,
              int *err, size_t n, unsigned prot)
{
    struct map_call call = {xg, domid, target_find(xg, domid), gfn, NULL, bfn, prot};
    if (!call.t) {
        return handle_fail(xg, -EPERM, "domain %u is not a target", domid);
    }
    if (prot == XENGT_PROT_READ && !xg->hv->read_only) {
        return handle_fail(xg, -EOPNOTSUPP, "the %s back end cannot map read-only", xg->hv->name);
    }
    return map_all(&call, err, n);
}

int xengt_map_offered(struct xengt *xg, uint32_t domid, const uint32_t *gref, struct xengt_bfn *bfn,
                      int *err, size_t n, unsigned prot)
{
    struct map_call call = {xg, domid, NULL, NULL, gref, bfn, prot};
    if (!xg->hv->ops->map_offered) {
        return handle_fail(xg, -EOPNOTSUPP, "the %s back end cannot map by grant reference",
                           xg->hv->name);
    }
    if (!is_domid(domid)) {
        return handle_fail(xg, -ESRCH, "no domain has this number");
    }
    return map_all(&call, err, n);
}

/* --- unmapping --------------------------------------------------------------------------- */

struct unmap_call {
    struct xengt *xg;
    const struct xengt_bfn *bfn;
};

/* A BFN that stands twice is known only the first time. */
static void unmap_batch(void *arg, size_t first, int *err, size_t n)
{
    const struct unmap_call *c = arg;
    struct xengt *xg = c->xg;
    struct batch *b = &xg->batch;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t s = mapper_find_plain(xg, c->bfn[first + i]);
        err[i] = -ENOENT;
        if (s != SLOT_NONE) {
            struct target *t = target_find(xg, slots_domid(&xg->slots, s));
            if (t && !slots_offered(&xg->slots, s)) {
                t->raw--;
            }
            mapper_leave(xg, s);
            b->entry[count] = i;
            b->slot[count++] = s;
        }
    }
    mapper_unmap(xg, b->slot, b->err, count);
    for (size_t k = 0; k < count; k++) {
        err[b->entry[k]] = b->err[k];
    }
}

int xengt_unmap(struct xengt *xg, const struct xengt_bfn *bfn, int *err, size_t n)
{
    struct unmap_call call = {xg, bfn};
    if (n && !bfn) {
        return handle_fail(xg, -EINVAL, "no array");
    }
    int ret = in_batches(xg, unmap_batch, &call, err, n, false);
    return ret ? handle_fail(xg, ret, "unmap: %s", strerror(-ret)) : 0;
}

/* ------------------------------------------------------------------------------------------ */

size_t xengt_mappings_sized(const struct xengt *xg, struct xengt_mapping *list, size_t n,
                            size_t size)
{
    const struct slots *slots = &xg->slots;
    size_t count = 0;
    n = list ? n : 0;
    for (uint32_t s = 0; s < slots->fresh; s++) {
        if (slots_state(slots, s) != SLOT_MAPPED || !slots->slot[s].raw) {
            continue;
        }
        if (count < n) {
            const struct xengt_mapping one = {
                .domid = slots_domid(slots, s),
                .offered = slots_offered(slots, s),
                .gfn = slots_gfn(slots, s),
                .bfn = mapper_bfn(xg, s),
            };
            sized_write((char *)list + count * size, size, &one, sizeof(one));
        }
        count++;
    }
    return count;
}

int xengt_view(struct xengt *xg, struct xengt_bfn bfn, void **view)
{
    uint32_t s = mapper_slot(xg, bfn);
    if (s == SLOT_NONE) {
        return handle_fail(xg, -ENOENT, "BFN 0x%llx is not mapped", (unsigned long long)bfn.v);
    }
    if (slots_offered(&xg->slots, s)) {
        return handle_fail(xg, -EOPNOTSUPP,
                           "BFN 0x%llx is of an offered grant: its gfn is the "
                           "guest's secret",
                           (unsigned long long)bfn.v);
    }
    if (!xg->views) {
        void *views = mmap(NULL, xg->slots.count * sizeof(void *), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (views == MAP_FAILED) {
            return handle_fail(xg, -ENOMEM, "out of memory");
        }
        xg->views = views;
    }
    if (!xg->views[s]) {
        int ret = xg->hv->ops->view(xg->hv, slots_domid(&xg->slots, s), slots_gfn(&xg->slots, s), s,
                                    &xg->views[s]);
        if (ret) {
            return handle_fail(xg, ret, "BFN 0x%llx: no CPU pointer to it: %s",
                               (unsigned long long)bfn.v, strerror(-ret));
        }
    }
    *view = xg->views[s];
    return 0;
}
