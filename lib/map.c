/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plain calls: arrays of mappings, by gfn or by a grant that is offered. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <xengt/grant.h>

#include "mapper.h"
#include "offers.h"
#include "room.h"
#include "sized.h"

/* --- mapping ----------------------------------------------------------------------------- */

struct map_call {
    struct xengt *xg;
    struct maps maps;
    const struct xengt_gfn *gfn;
    const uint32_t *gref; /* instead of gfn */
    struct xengt_bfn *bfn;
    struct xengt_cookie *cookie;
};

/* Writes what is to be mapped into records: n entries from the first on. */
static void write_records(const struct map_call *c, size_t first, size_t n)
{
    struct slots *slots = &c->xg->slots;
    const uint32_t *slot = slots->maps->slot;
    uint64_t kind = mapper_kind(&c->maps);
    for (size_t i = 0; i < n; i++) {
        uint64_t gfn = c->gref ? c->gref[first + i] : c->gfn[first + i].v;
        slots_set(slots, slot[i], kind | gfn);
    }
}

/* What became mappings is the caller's. */
static void hand_out(struct map_call *c, size_t first, const int *err, size_t n)
{
    struct xengt *xg = c->xg;
    const uint32_t *slot = xg->slots.maps->slot;
    for (size_t i = 0; i < n; i++) {
        if (err[i]) {
            continue;
        }
        c->bfn[first + i] = mapper_bfn(xg, slot[i]);
        c->cookie[first + i] = mapper_name(xg, slot[i]);
        if (xg->hv->one_pin) {
            bfns_insert(&xg->bfns, slot[i]);
        }
    }
}

/* Entries all of which can be mapped, as far as we can see. */
static void map_run(struct map_call *c, size_t first, int *err, size_t n)
{
    struct xengt *xg = c->xg;
    struct target *t = c->maps.t;
    size_t count = 0;
    bool unsure = t && !target_is_held(xg, t);
    size_t allowed = c->gref ? offers_room(xg, c->maps.domid, n) : n;
    int ret = unsure ? target_check(xg, t) : 0;
    ret = ret ? ret : mapper_take_all(xg, &c->maps, &count, allowed);
    for (size_t i = count; i < n; i++) {
        err[i] = ret ? ret : -EDQUOT;
    }
    write_records(c, first, count);
    size_t failures = mapper_map(xg, &c->maps, err, count);
    int gone = unsure && failures < count ? target_confirm(xg, t) : 0;
    if (failures || gone) {
        mapper_undo(xg, err, count, gone);
    }
    if (!gone) {
        hand_out(c, first, err, count);
        if (t) {
            t->raw += (uint32_t)(count - failures);
        } else {
            offers_count(xg, c->maps.domid, (uint32_t)(count - failures));
        }
    }
    flight_set(xg->slots.maps, 0);
}

static bool is_gfn(const struct map_call *c, size_t i)
{
    return c->gref || c->gfn[i].v <= XENGT_GFN_MAX;
}

static void map_batch(void *arg, size_t first, int *err, size_t n)
{
    struct map_call *c = arg;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && is_gfn(c, first + end);) {
            end++;
        }
        if (end > i) {
            map_run(c, first + i, err + i, end - i);
        } else {
            err[end++] = -EINVAL;
        }
    }
}

static void invalidate(const struct map_call *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        c->bfn[i] = XENGT_BFN_INVALID;
        c->cookie[i] = XENGT_COOKIE_NONE;
    }
}

static int map_all(struct map_call *c, int *err, size_t n)
{
    struct xengt *xg = c->xg;
    unsigned prot = c->maps.prot;
    if (prot != XENGT_PROT_READ && prot != XENGT_PROT_RW) {
        return handle_fail(xg, -EINVAL, "prot 0x%x is neither read nor read and write", prot);
    }
    if (n && (!c->bfn || !c->cookie || (!c->gfn && !c->gref))) {
        return handle_fail(xg, -EINVAL, "no array");
    }
    invalidate(c, n);
    int ret = in_batches(xg, map_batch, c, err, n, true);
    if (!ret) {
        return 0;
    }
    xengt_unmap(xg, c->cookie, NULL, n); /* those that are none are no mappings */
    invalidate(c, n);
    return handle_fail(xg, ret, "domain %u: %s cannot be mapped: %s", c->maps.domid,
                       c->gref ? "an offered grant" : "a frame", strerror(-ret));
}

int xengt_map(struct xengt *xg, uint32_t domid, const struct xengt_gfn *gfn, struct xengt_bfn *bfn,
              struct xengt_cookie *cookie, int *err, size_t n, unsigned prot)
{
    struct map_call call = {xg,    {domid, target_find(xg, domid), false, prot}, gfn, NULL, bfn,
                            cookie};
    if (!call.maps.t) {
        return handle_fail(xg, -EPERM, "domain %u is not a target", domid);
    }
    if (prot == XENGT_PROT_READ && !xg->hv->read_only) {
        return handle_fail(xg, -EOPNOTSUPP, "the %s back end cannot map read-only", xg->hv->name);
    }
    return map_all(&call, err, n);
}

int xengt_map_offered(struct xengt *xg, uint32_t domid, const uint32_t *gref, struct xengt_bfn *bfn,
                      struct xengt_cookie *cookie, int *err, size_t n, unsigned prot)
{
    struct map_call call = {xg, {domid, NULL, true, prot}, NULL, gref, bfn, cookie};
    if (!xg->hv->ops->map_offered) {
        return handle_fail(xg, -EOPNOTSUPP, "the %s back end cannot map by grant reference",
                           xg->hv->name);
    }
    if (!is_domid(domid)) {
        return handle_fail(xg, -ESRCH, "no domain has this number");
    }
    /* Xen would move the page into the window, away from where this domain's kernel has it. */
    if (domid == xg->hv->self) {
        return handle_fail(xg, -EINVAL, "domain %u is this one: nothing can be offered to itself",
                           domid);
    }
    return map_all(&call, err, n);
}

/* --- unmapping --------------------------------------------------------------------------- */

struct unmap_call {
    struct xengt *xg;
    const struct xengt_cookie *cookie;
};

/* Mappings that follow each other and are of one kind, put into the flight; how many. */
static size_t leave_run(struct xengt *xg, const struct xengt_cookie *cookie, size_t n)
{
    struct slots *slots = &xg->slots;
    uint64_t kind = 0;
    size_t count = 0;
    for (; count < n; count++) {
        uint32_t s = mapper_named(xg, cookie[count]);
        if (s == SLOT_NONE || (count && slots_kind_of(slots, s) != kind)) {
            break;
        }
        kind = slots_kind_of(slots, s);
        slots->unmaps->slot[count] = s;
        mapper_leave(xg, s);
    }
    return count;
}

/* A cookie that stands twice is known only the first time. */
static void unmap_batch(void *arg, size_t first, int *err, size_t n)
{
    const struct unmap_call *c = arg;
    struct slots *slots = &c->xg->slots;
    for (size_t i = 0; i < n;) {
        size_t run = leave_run(c->xg, &c->cookie[first + i], n - i);
        if (!run) {
            err[i++] = -ENOENT;
            continue;
        }
        uint32_t s = slots->unmaps->slot[0];
        uint32_t domid = slots_domid(slots, s);
        struct target *t = slots_offered(slots, s) ? NULL : target_find(c->xg, domid);
        if (slots_offered(slots, s)) {
            offers_discount(c->xg, domid, (uint32_t)run);
        } else if (t) {
            t->raw -= (uint32_t)run;
        }
        mapper_unmap(c->xg, err + i, run);
        i += run;
    }
}

int xengt_unmap(struct xengt *xg, const struct xengt_cookie *cookie, int *err, size_t n)
{
    struct unmap_call call = {xg, cookie};
    if (n && !cookie) {
        return handle_fail(xg, -EINVAL, "no array");
    }
    int ret = in_batches(xg, unmap_batch, &call, err, n, false);
    return ret ? handle_fail(xg, ret, "unmap: %s", strerror(-ret)) : 0;
}

/* --- what there is ----------------------------------------------------------------------- */

size_t xengt_mappings_sized(const struct xengt *xg, struct xengt_mapping *list, size_t n,
                            size_t size)
{
    const struct slots *slots = &xg->slots;
    size_t count = 0;
    n = list ? n : 0;
    for (uint32_t s = 0; (s = slots_next(slots, s)) != SLOT_NONE; s++) {
        uint32_t serial = slots->slot[s].use;
        if (!serial || serial & USE_SPACE) {
            continue;
        }
        if (count < n) {
            const struct xengt_mapping one = {
                .domid = slots_domid(slots, s),
                .offered = slots_offered(slots, s),
                .prot = slots_read_only(slots, s) ? XENGT_PROT_READ : XENGT_PROT_RW,
                .gfn = slots_gfn(slots, s),
                .bfn = mapper_bfn(xg, s),
                .cookie = {(uint64_t)serial << 32 | s},
            };
            sized_write((char *)list + count * size, size, &one, sizeof(one));
        }
        count++;
    }
    return count;
}

/* Room for a pointer to each page. */
static int make_views(struct xengt *xg)
{
    if (xg->views) {
        return 0;
    }
    void *views = mmap(NULL, xg->slots.count * sizeof(void *), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (views == MAP_FAILED) {
        return handle_fail(xg, -ENOMEM, "out of memory");
    }
    xg->views = views;
    return 0;
}

static int make_view(struct xengt *xg, uint32_t s)
{
    struct hv *hv = xg->hv;
    uint32_t domid = slots_domid(&xg->slots, s);
    struct xengt_gfn gfn = slots_gfn(&xg->slots, s);
    unsigned prot = slots_read_only(&xg->slots, s) ? XENGT_PROT_READ : XENGT_PROT_RW;
    return slots_offered(&xg->slots, s)
               ? hv->ops->view_offered(hv, domid, (uint32_t)gfn.v, s, prot, &xg->views[s])
               : hv->ops->view(hv, domid, gfn, s, &xg->views[s]);
}

static int view_slot(struct xengt *xg, uint32_t s, void **view)
{
    unsigned long long bfn = mapper_bfn(xg, s).v;
    int ret = make_views(xg);
    if (ret) {
        return ret;
    }
    if (!xg->views[s]) {
        ret = make_view(xg, s);
        if (ret) {
            return handle_fail(xg, ret, "BFN 0x%llx: no CPU pointer to it: %s", bfn,
                               strerror(-ret));
        }
    }
    *view = xg->views[s];
    return 0;
}

int xengt_view(struct xengt *xg, struct xengt_bfn bfn, void **view)
{
    uint32_t s = mapper_slot(xg, bfn);
    if (s == SLOT_NONE) {
        return handle_fail(xg, -ENOENT, "BFN 0x%llx is not mapped", (unsigned long long)bfn.v);
    }
    return view_slot(xg, s, view);
}

int xengt_view_mapping(struct xengt *xg, struct xengt_cookie cookie, void **view)
{
    uint32_t s = mapper_named(xg, cookie);
    if (s == SLOT_NONE) {
        return handle_fail(xg, -ENOENT, "no mapping has cookie 0x%llx",
                           (unsigned long long)cookie.v);
    }
    return view_slot(xg, s, view);
}
