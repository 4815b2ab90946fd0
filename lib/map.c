/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine that moves slots through their states around the hypercalls, and the plain array
 * calls above it.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>

#include "private.h"

struct xengt_bfn engine_bfn(const struct xengt *xg, uint32_t slot)
{
    return (struct xengt_bfn){xg->hv->windowed ? xg->hv->window_base + slot
                                               : held_bfn(&xg->slots, slot)};
}

/* The first of a chain that is mapped. */
static uint32_t first_mapped(const struct xengt *xg, uint32_t s)
{
    while (s != SLOT_NONE && slots_state(&xg->slots, s) != SLOT_MAPPED) {
        s = bfns_next(&xg->bfns, s);
    }
    return s;
}

uint32_t engine_slot(const struct xengt *xg, struct xengt_bfn bfn)
{
    if (!xg->hv->windowed) {
        return first_mapped(xg, bfns_first(&xg->bfns, bfn));
    }
    uint64_t s = bfn.v - xg->hv->window_base;
    if (s >= xg->slots.fresh || slots_state(&xg->slots, s) != SLOT_MAPPED) {
        return SLOT_NONE;
    }
    return s;
}

uint32_t engine_next(const struct xengt *xg, uint32_t slot)
{
    return xg->hv->windowed ? SLOT_NONE : first_mapped(xg, bfns_next(&xg->bfns, slot));
}

/* Commits what Xen answered, entry by entry. */
static void mapped(struct xengt *xg, const uint32_t *slot, int *err, size_t n)
{
    xg->stats.map_calls++;
    for (size_t i = 0; i < n; i++) {
        if (err[i]) {
            xg->stats.map_failures++;
            if (err[i] == HV_DOUBT) {
                handle_log(xg, LOG_ERR,
                           "domain %u: whether frame 0x%llx is mapped is not known: "
                           "its slot is leaked",
                           slots_domid(&xg->slots, slot[i]),
                           (unsigned long long)slots_gfn(&xg->slots, slot[i]).v);
                slots_set_state(&xg->slots, slot[i], SLOT_LEAKED);
                err[i] = -EIO;
            }
            continue;
        }
        xg->stats.map_pages++;
        slots_set_state(&xg->slots, slot[i], SLOT_MAPPED);
        if (!xg->hv->windowed) {
            bfns_insert(&xg->bfns, slot[i]);
        }
    }
}

void engine_map(struct xengt *xg, uint32_t domid, const uint32_t *slot, const struct xengt_gfn *gfn,
                int *err, size_t n, unsigned prot)
{
    if (n) {
        xg->hv->ops->map(xg->hv, domid, slot, gfn, err, n, prot);
        mapped(xg, slot, err, n);
    }
}

void engine_map_offered(struct xengt *xg, uint32_t domid, const uint32_t *slot,
                        const uint32_t *gref, int *err, size_t n, unsigned prot)
{
    if (n) {
        xg->hv->ops->map_offered(xg->hv, domid, slot, gref, err, n, prot);
        mapped(xg, slot, err, n);
    }
}

void engine_drop(struct xengt *xg, uint32_t slot)
{
    if (slots_state(&xg->slots, slot) != SLOT_LEAKED) {
        slots_free(&xg->slots, slot);
    }
}

static void drop_view(struct xengt *xg, uint32_t s)
{
    if (xg->views && xg->views[s]) {
        xg->hv->ops->unview(xg->hv, xg->views[s]);
        xg->views[s] = NULL;
    }
}

static void unmapped(struct xengt *xg, const uint32_t *slot, int *err, size_t n)
{
    xg->stats.unmap_calls++;
    for (size_t i = 0; i < n; i++) {
        if (err[i] == 0 || err[i] == -ENOENT) {
            err[i] = 0;
            xg->stats.unmap_pages++;
            slots_free(&xg->slots, slot[i]);
        } else {
            xg->stats.unmap_failures++;
            handle_log(xg, LOG_ERR, "BFN 0x%llx cannot be unmapped and is leaked: %s",
                       (unsigned long long)engine_bfn(xg, slot[i]).v, strerror(-err[i]));
            slots_set_state(&xg->slots, slot[i], SLOT_LEAKED);
        }
    }
}

/* Is the page of a slot held by another mapping, too? The slot itself is out of the hash. */
static bool is_shared(const struct xengt *xg, uint32_t s)
{
    uint32_t other = bfns_first(&xg->bfns, engine_bfn(xg, s));
    while (other != SLOT_NONE && slots_domid(&xg->slots, other) != slots_domid(&xg->slots, s)) {
        other = bfns_next(&xg->bfns, other); /* of a domain that is gone: the frame is new */
    }
    return other != SLOT_NONE;
}

/* A slot whose unmap is not Xen's business: the page's one pin stays for the other mapping. */
static void release_shared(struct xengt *xg, uint32_t s)
{
    held_clear(&xg->slots, s);
    slots_free(&xg->slots, s);
    xg->stats.unmap_pages++;
}

/* How an unmap is issued. */
enum route {
    ROUTE_PLAIN,
    ROUTE_OFFERED,
    ROUTE_NONE, /* no hypercall */
};

static enum route route_of(struct xengt *xg, uint32_t s)
{
    if (slots_offered(&xg->slots, s)) {
        return ROUTE_OFFERED;
    }
    return xg->hv->one_pin && is_shared(xg, s) ? ROUTE_NONE : ROUTE_PLAIN;
}

/*
 * A batch that does not go to Xen in one call as it is: picks out the runs that do. Runs are found
 * first, because what was released in one changes what the next may do.
 */
static void unmap_runs(struct xengt *xg, const uint32_t *slot, int *err, size_t n)
{
    for (size_t i = 0; i < n;) {
        if (!xg->hv->windowed) {
            bfns_remove(&xg->bfns, slot[i]);
        }
        enum route route = route_of(xg, slot[i]);
        if (route == ROUTE_NONE) {
            release_shared(xg, slot[i]);
            err[i++] = 0;
            continue;
        }
        size_t end = i + 1;
        while (end < n && slots_offered(&xg->slots, slot[end]) == (route == ROUTE_OFFERED)) {
            if (!xg->hv->windowed) {
                bfns_remove(&xg->bfns, slot[end]);
            }
            if (route_of(xg, slot[end]) != route) {
                bfns_insert(&xg->bfns, slot[end]);
                break;
            }
            end++;
        }
        if (route == ROUTE_OFFERED) {
            xg->hv->ops->unmap_offered(xg->hv, &slot[i], &err[i], end - i);
        } else {
            xg->hv->ops->unmap(xg->hv, &slot[i], &err[i], end - i);
        }
        unmapped(xg, &slot[i], &err[i], end - i);
        i = end;
    }
}

void engine_unmap(struct xengt *xg, const uint32_t *slot, int *err, size_t n)
{
    if (!n) {
        return;
    }
    bool plain = xg->hv->windowed;
    for (size_t i = 0; i < n; i++) {
        drop_view(xg, slot[i]);
        plain = plain && !slots_offered(&xg->slots, slot[i]);
        slots_set_state(&xg->slots, slot[i], SLOT_REMOVING);
    }
    if (plain) {
        xg->hv->ops->unmap(xg->hv, slot, err, n);
        unmapped(xg, slot, err, n);
    } else {
        unmap_runs(xg, slot, err, n);
    }
}

/* One batch of xengt_map(). entry[i] is SLOT_NONE where no slot could be had. */
static void map_batch(struct xengt *xg, struct target *t, const struct xengt_gfn *gfn,
                      struct xengt_bfn *bfn, int *err, size_t n, unsigned prot)
{
    struct batch *b = &xg->batch;
    size_t misses = 0;
    for (size_t i = 0; i < n; i++) {
        bfn[i] = XENGT_BFN_INVALID;
        b->entry[i] = SLOT_NONE;
        if (gfn[i].v > XENGT_GFN_MAX) {
            err[i] = -EINVAL;
            continue;
        }
        uint32_t s = slots_reserve(&xg->slots, t->domid, gfn[i]);
        if (s == SLOT_NONE) {
            spaces_flush(xg);
            s = slots_reserve(&xg->slots, t->domid, gfn[i]);
        }
        if (s == SLOT_NONE) {
            err[i] = -ENOSPC;
            continue;
        }
        xg->slots.slot[s].raw = 1;
        b->entry[i] = misses;
        b->slot[misses] = s;
        b->gfn[misses++] = gfn[i];
    }
    engine_map(xg, t->domid, b->slot, b->gfn, b->err, misses, prot);
    for (size_t i = 0; i < n; i++) {
        if (b->entry[i] == SLOT_NONE) {
            continue;
        }
        uint32_t s = b->slot[b->entry[i]];
        err[i] = b->err[b->entry[i]];
        if (err[i]) {
            engine_drop(xg, s);
        } else {
            bfn[i] = engine_bfn(xg, s);
            t->raw++;
        }
    }
}

int raw_first_error(const int *err, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (err[i]) {
            return err[i];
        }
    }
    return 0;
}

void raw_take_back(struct xengt *xg, struct xengt_bfn *bfn, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bfn[i].v != XENGT_BFN_INVALID.v) {
            xengt_unmap(xg, &bfn[i], NULL, 1);
            bfn[i] = XENGT_BFN_INVALID;
        }
    }
}

int xengt_map(struct xengt *xg, uint32_t domid, const struct xengt_gfn *gfn, struct xengt_bfn *bfn,
              int *err, size_t n, unsigned prot)
{
    struct target *t = target_find(xg, domid);
    if (!t) {
        return handle_fail(xg, -EPERM, "domain %u is not a target", domid);
    }
    if (prot != XENGT_PROT_READ && prot != XENGT_PROT_RW) {
        return handle_fail(xg, -EINVAL, "prot 0x%x is neither read nor read and write", prot);
    }
    if (prot == XENGT_PROT_READ && !xg->hv->read_only) {
        return handle_fail(xg, -EOPNOTSUPP, "the %s back end cannot map read-only", xg->hv->name);
    }
    for (size_t done = 0; done < n;) {
        size_t chunk = n - done < xg->hv->batch ? n - done : xg->hv->batch;
        int *chunk_err = err ? err + done : xg->batch.entry_err;
        map_batch(xg, t, gfn + done, bfn + done, chunk_err, chunk, prot);
        done += chunk;
        int ret = err ? 0 : raw_first_error(chunk_err, chunk);
        if (ret) {
            raw_take_back(xg, bfn, done);
            return handle_fail(xg, ret, "domain %u: a frame cannot be mapped: %s", domid,
                               strerror(-ret));
        }
    }
    return 0;
}

/* One batch of xengt_unmap(). A BFN that stands twice is known only the first time. */
static void unmap_batch(struct xengt *xg, const struct xengt_bfn *bfn, int *err, size_t n)
{
    struct batch *b = &xg->batch;
    size_t known = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t s = engine_slot(xg, bfn[i]);
        b->entry[i] = SLOT_NONE;
        err[i] = -ENOENT;
        while (s != SLOT_NONE && !xg->slots.slot[s].raw) {
            s = engine_next(xg, s);
        }
        if (s == SLOT_NONE) {
            continue;
        }
        struct target *t = target_find(xg, slots_domid(&xg->slots, s));
        if (t && !slots_offered(&xg->slots, s)) {
            t->raw--;
        }
        slots_set_state(&xg->slots, s, SLOT_REMOVING);
        b->entry[i] = known;
        b->slot[known++] = s;
    }
    engine_unmap(xg, b->slot, b->err, known);
    for (size_t i = 0; i < n; i++) {
        if (b->entry[i] != SLOT_NONE) {
            err[i] = b->err[b->entry[i]];
        }
    }
}

int xengt_unmap(struct xengt *xg, const struct xengt_bfn *bfn, int *err, size_t n)
{
    int ret = 0;
    for (size_t done = 0; done < n;) {
        size_t chunk = n - done < xg->hv->batch ? n - done : xg->hv->batch;
        int *chunk_err = err ? err + done : xg->batch.entry_err;
        unmap_batch(xg, bfn + done, chunk_err, chunk);
        if (!err && !ret) {
            ret = raw_first_error(chunk_err, chunk);
        }
        done += chunk;
    }
    return ret ? handle_fail(xg, ret, "unmap: %s", strerror(-ret)) : 0;
}

int xengt_view(struct xengt *xg, struct xengt_bfn bfn, void **view)
{
    uint32_t s = engine_slot(xg, bfn);
    if (s == SLOT_NONE) {
        return handle_fail(xg, -ENOENT, "BFN 0x%llx is not mapped", (unsigned long long)bfn.v);
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
