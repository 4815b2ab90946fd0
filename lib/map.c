/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plain calls: arrays of mappings, by gfn or by a grant that is offered. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <xengt/grant.h>

#include "hot.h"
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
    size_t done; /* entries that have been tried */
};

/*
 * Writes what is to be mapped into the records of slots that were taken for it, n entries from the
 * first on, up to one that cannot be. Returns how many.
 */
static HOT_LOOP size_t write_records(const struct map_call *c, size_t first, size_t n)
{
    struct slots *slots = &c->xg->slots;
    const uint32_t *slot = slots->maps->slot;
    uint64_t kind = mapper_kind(&c->maps);
    uint64_t max = c->xg->hv->gfn_max;
    size_t i = 0;
    if (c->gref) {
        for (; i < n; i++) {
            slots_set(slots, slot[i], kind | c->gref[first + i]);
        }
    } else if (c->xg->hv->windowed) {
        for (; i < n && c->gfn[first + i].v <= max; i++) {
            slots_set(slots, slot[i], kind | c->gfn[first + i].v);
        }
    } else {
        const struct xengt_gfn *gfn = &c->gfn[first];
        struct record *record = slots->record;
        HOT_UNROLL
        for (; i < n; i++) {
            if (gfn[i].v > max) {
                break;
            }
            record_begin(&record[slot[i]], kind | gfn[i].v);
        }
    }
    return i;
}

static void fail(struct map_call *c, size_t i)
{
    c->bfn[i] = XENGT_BFN_INVALID;
    c->cookie[i] = XENGT_COOKIE_NONE;
}

/* What became mappings is the caller's. */
static void hand_out(struct map_call *c, size_t first, const int *err, size_t n)
{
    struct xengt *xg = c->xg;
    const uint32_t *slot = xg->slots.maps->slot;
    for (size_t i = 0; i < n; i++) {
        if (err[i]) {
            fail(c, first + i);
            continue;
        }
        c->bfn[first + i] = mapper_bfn(xg, slot[i]);
        c->cookie[first + i] = mapper_name(xg, slot[i]);
        if (xg->hv->one_pin) {
            bfns_insert(&xg->bfns, slot[i]);
        }
    }
}

/* The same where all of them did, and nothing else is to be done. */
static HOT_LOOP void hand_out_all(struct map_call *c, size_t first, size_t n)
{
    const struct slots *slots = &c->xg->slots;
    const uint32_t *slot = slots->maps->slot;
    const struct record *record = slots->record;
    struct xengt_bfn *bfn = &c->bfn[first];
    struct xengt_cookie *cookie = &c->cookie[first];
    struct slot *use = slots->slot;
    uint32_t serial = mapper_serials(c->xg, (uint32_t)n);
    if (c->xg->hv->windowed) {
        uint64_t base = c->xg->hv->window_base;
        for (size_t i = 0; i < n; i++) {
            uint32_t s = slot[i];
            bfn[i].v = base + s;
            cookie[i] = mapper_cookie(s, serial);
            use[s].use = serial++;
        }
        return;
    }
    HOT_UNROLL
    for (size_t i = 0; i < n; i++) {
        uint32_t s = slot[i];
        bfn[i].v = record[s].held & HELD_BFN_MAX;
        cookie[i] = mapper_cookie(s, serial);
        use[s].use = serial++;
    }
}

/* What Xen says of a target of which nothing was held, now that something is. */
static int confirm(struct map_call *c, int *err, size_t n, size_t failures, bool unsure)
{
    int gone = unsure && failures < n ? target_confirm(c->xg, c->maps.t) : 0;
    if (failures || gone) {
        mapper_undo(c->xg, err, n, gone);
    }
    return gone;
}

/*
 * As many entries as there are slots for, up to one that cannot be mapped. Returns how many; of
 * those behind them, *why none of them can be, or 0: it is the next one only.
 */
static size_t map_run(struct map_call *c, size_t first, int *err, size_t n, size_t *failed,
                      int *why)
{
    struct xengt *xg = c->xg;
    struct target *t = c->maps.t;
    size_t taken = 0;
    bool unsure = t && !target_is_held(xg, t);
    size_t allowed = c->gref ? offers_room(xg, c->maps.domid, n) : n;
    int ret = unsure ? target_check(xg, t) : 0;
    ret = ret ? ret : room_take_all(xg, &c->maps, &taken, allowed);
    size_t count = write_records(c, first, taken);
    *why = count < taken ? 0 : ret ? ret : -EDQUOT; /* of offers */
    mapper_untake(xg, count, taken);
    size_t failures = mapper_map(xg, &c->maps, err, count);
    if (confirm(c, err, count, failures, unsure)) {
        failures = count;
    }
    if (failures || xg->hv->one_pin) {
        hand_out(c, first, err, count);
    } else {
        hand_out_all(c, first, count);
    }
    if (t) {
        t->raw += (uint32_t)(count - failures);
    } else {
        offers_count(xg, c->maps.domid, (uint32_t)(count - failures));
    }
    flight_set(xg->slots.maps, 0);
    *failed += failures;
    return count;
}

static size_t map_batch(void *arg, size_t first, int *err, size_t n)
{
    struct map_call *c = arg;
    size_t failures = 0;
    for (size_t i = 0; i < n;) {
        int why;
        i += map_run(c, first + i, err + i, n - i, &failures, &why);
        for (size_t end = i < n && !why ? i + 1 : n; i < end; i++) {
            fail(c, first + i);
            err[i] = why ? why : -EINVAL;
            failures++;
        }
    }
    c->done = first + n;
    return failures;
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
    int ret = in_batches(xg, map_batch, c, err, n, true);
    if (!ret) {
        return 0;
    }
    xengt_unmap(xg, c->cookie, NULL, c->done); /* those that are none are no mappings */
    for (size_t i = 0; i < n; i++) {
        fail(c, i);
    }
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
    struct map_call call = {xg, {domid, NULL, true, prot}, NULL, gref, bfn, cookie, 0};
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
static HOT_LOOP size_t leave_run(struct xengt *xg, const struct xengt_cookie *cookie, size_t n)
{
    const struct slots *slots = &xg->slots;
    const struct record *record = slots->record;
    struct slot *slot = slots->slot;
    uint32_t *out = slots->unmaps->slot;
    uint32_t slot_count = slots->count;
    uint32_t first = mapper_find(xg, cookie[0]);
    size_t count = 0;
    if (first == SLOT_NONE) {
        return 0;
    }
    uint64_t kind = slots_kind_of(slots, first); /* a slot that is free is of none */
    HOT_UNROLL
    for (; count < n; count++) {
        uint32_t s = (uint32_t)cookie[count].v;
        if (!mapper_may_name(slot, slot_count, cookie[count]) ||
            (record[s].what & RECORD_KIND_MASK) != kind) {
            break;
        }
        out[count] = s;
        slot[s].use = USE_SPACE; /* which no cookie names, not even none */
    }
    for (size_t i = 0; i < count && (xg->views || xg->hv->one_pin); i++) {
        mapper_leave(xg, out[i]);
    }
    return count;
}

/* A cookie that stands twice is known only the first time. */
static size_t unmap_batch(void *arg, size_t first, int *err, size_t n)
{
    const struct unmap_call *c = arg;
    const struct slots *slots = &c->xg->slots;
    size_t failures = 0;
    for (size_t i = 0; i < n;) {
        size_t run = leave_run(c->xg, &c->cookie[first + i], n - i);
        if (!run) {
            err[i++] = -ENOENT;
            failures++;
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
        failures += mapper_unmap(c->xg, err + i, run);
        i += run;
    }
    return failures;
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
                .cookie = mapper_cookie(s, serial),
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
    uint32_t s = mapper_find(xg, cookie);
    if (s == SLOT_NONE) {
        return handle_fail(xg, -ENOENT, "no mapping has cookie 0x%llx",
                           (unsigned long long)cookie.v);
    }
    return view_slot(xg, s, view);
}
