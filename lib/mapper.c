/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mapper: slots reserved, mapped and unmapped, one batch of hypercalls at a time. */
#include "mapper.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

struct xengt_bfn mapper_bfn(const struct xengt *xg, uint32_t slot)
{
    return (struct xengt_bfn){xg->hv->windowed ? xg->hv->window_base + slot
                                               : held_bfn(&xg->slots, slot)};
}

uint32_t mapper_slot(const struct xengt *xg, struct xengt_bfn bfn)
{
    if (!xg->hv->windowed) {
        return bfns_first(&xg->bfns, bfn);
    }
    uint64_t s = bfn.v - xg->hv->window_base;
    if (s >= xg->slots.fresh || slots_state(&xg->slots, s) != SLOT_MAPPED) {
        return SLOT_NONE;
    }
    return s;
}

uint32_t mapper_next(const struct xengt *xg, uint32_t slot)
{
    return xg->hv->windowed ? SLOT_NONE : bfns_next(&xg->bfns, slot);
}

uint32_t mapper_find_plain(const struct xengt *xg, struct xengt_bfn bfn)
{
    uint32_t s = mapper_slot(xg, bfn);
    while (s != SLOT_NONE && !xg->slots.slot[s].raw) {
        s = mapper_next(xg, s);
    }
    return s;
}

static int first_error(const int *err, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (err[i]) {
            return err[i];
        }
    }
    return 0;
}

int in_batches(struct xengt *xg, batch_fn *fn, void *call, int *err, size_t n, bool all_or_nothing)
{
    if (xg->logging) {
        return -EDEADLK;
    }
    int ret = 0;
    for (size_t done = 0; done < n && !(ret && all_or_nothing);) {
        size_t chunk = n - done < xg->hv->batch ? n - done : xg->hv->batch;
        int *chunk_err = err ? err + done : xg->batch.entry_err;
        fn(call, done, chunk_err, chunk);
        if (!err && !ret) {
            ret = first_error(chunk_err, chunk);
        }
        done += chunk;
    }
    return ret;
}

/* --- mapping ----------------------------------------------------------------------------- */

int mapper_reserve(struct xengt *xg, uint32_t domid, struct xengt_gfn gfn, bool offered,
                   uint32_t *slot)
{
    *slot = SLOT_NONE;
    if (gfn.v > XENGT_GFN_MAX) {
        return -EINVAL;
    }
    *slot = offered ? slots_reserve_offered(&xg->slots, domid, (uint32_t)gfn.v)
                    : slots_reserve(&xg->slots, domid, gfn);
    return *slot == SLOT_NONE ? -ENOSPC : 0;
}

/* What Xen did not say of a mapping cannot be undone: its slot is given up. */
static void doubt(struct xengt *xg, uint32_t s)
{
    handle_log(xg, LOG_ERR,
               "domain %u: whether frame 0x%llx is mapped is not known: its slot is leaked",
               slots_domid(&xg->slots, s), (unsigned long long)slots_gfn(&xg->slots, s).v);
    slots_set_state(&xg->slots, s, SLOT_LEAKED);
}

/* What is in a slot that should be empty is somebody else's: it is not touched, nor tried again. */
static void taken(struct xengt *xg, uint32_t s)
{
    handle_log(xg, LOG_ERR,
               "BFN 0x%llx of the window holds something that was not put there by this process: "
               "it is never used again",
               (unsigned long long)mapper_bfn(xg, s).v);
    slots_set_state(&xg->slots, s, SLOT_TAKEN);
}

/* An answer as the header has it; what that does not know is logged. */
static int documented(struct xengt *xg, uint32_t s, int err)
{
    switch (err) {
    case -EINVAL:
    case -ENOSPC:
    case -ENOMEM:
    case -ESRCH:
    case -EACCES:
    case -EPERM:
    case -EBUSY:
    case -EOPNOTSUPP:
    case -EIO:
        return err;
    default:
        handle_log(xg, LOG_ERR, "domain %u: frame 0x%llx cannot be mapped: %s",
                   slots_domid(&xg->slots, s), (unsigned long long)slots_gfn(&xg->slots, s).v,
                   strerror(-err));
        return -EIO;
    }
}

/* Pieces of the window that the back end found out must not be used. */
static void retire(struct xengt *xg)
{
    handle_log(xg, LOG_ERR,
               "%u frames of the window from 0x%llx on are RAM of this domain, or a device, or "
               "cannot be told from that: they are not used",
               xg->hv->refused_n, (unsigned long long)mapper_bfn(xg, xg->hv->refused).v);
    slots_retire(&xg->slots, xg->hv->refused, xg->hv->refused_n);
    xg->hv->refused_n = 0;
}

void mapper_map(struct xengt *xg, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                unsigned prot)
{
    if (!n) {
        return;
    }
    if (slots_offered(&xg->slots, slot[0])) {
        xg->hv->ops->map_offered(xg->hv, domid, slot, err, n, prot);
    } else {
        xg->hv->ops->map(xg->hv, domid, slot, err, n, prot);
    }
    xg->stats.map_calls++;
    if (xg->hv->advice[0]) {
        handle_log(xg, LOG_ERR, "%s", xg->hv->advice);
        xg->hv->advice[0] = '\0';
    }
    if (xg->hv->refused_n) {
        retire(xg);
    }
    for (size_t i = 0; i < n; i++) {
        if (!err[i]) {
            xg->stats.map_pages++;
            slots_set_state(&xg->slots, slot[i], SLOT_MAPPED);
            if (!xg->hv->windowed) {
                bfns_insert(&xg->bfns, slot[i]);
            }
            continue;
        }
        xg->stats.map_failures++;
        if (err[i] == HV_DOUBT) {
            doubt(xg, slot[i]);
            err[i] = -EIO;
        } else if (err[i] == HV_TAKEN) {
            taken(xg, slot[i]);
            err[i] = -EAGAIN;
        } else {
            err[i] = documented(xg, slot[i], err[i]);
        }
    }
}

void mapper_drop(struct xengt *xg, uint32_t slot)
{
    int err;
    switch (slots_state(&xg->slots, slot)) {
    case SLOT_RESERVED:
        slots_free(&xg->slots, slot);
        break;
    case SLOT_REMOVING: /* it was taken back */
        mapper_unmap(xg, &slot, &err, 1);
        break;
    default:
        break;
    }
}

/* --- unmapping --------------------------------------------------------------------------- */

void mapper_leave(struct xengt *xg, uint32_t slot)
{
    if (xg->views && xg->views[slot]) {
        xg->hv->ops->unview(xg->hv, xg->views[slot]);
        xg->views[slot] = NULL;
    }
    if (!xg->hv->windowed) {
        bfns_remove(&xg->bfns, slot);
    }
    slots_set_state(&xg->slots, slot, SLOT_REMOVING);
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
                       (unsigned long long)mapper_bfn(xg, slot[i]).v, strerror(-err[i]));
            slots_set_state(&xg->slots, slot[i], SLOT_LEAKED);
        }
    }
}

/*
 * Does another mapping need the one pin that Xen has on the page of a slot? Not one that is on its
 * way out, too: of those the first to go drops the pin, and Xen says to the rest that it is gone.
 */
static bool is_shared(const struct xengt *xg, uint32_t s)
{
    uint32_t other = bfns_first(&xg->bfns, mapper_bfn(xg, s));
    while (other != SLOT_NONE && slots_domid(&xg->slots, other) != slots_domid(&xg->slots, s)) {
        other = bfns_next(&xg->bfns, other); /* of a domain that is gone: the frame is new */
    }
    return other != SLOT_NONE;
}

/* How an unmap is issued. */
enum route {
    ROUTE_PLAIN,
    ROUTE_OFFERED,
    ROUTE_NONE, /* no hypercall: the pin stays for the other mapping */
};

static enum route route_of(const struct xengt *xg, uint32_t s)
{
    if (slots_offered(&xg->slots, s)) {
        return ROUTE_OFFERED;
    }
    return xg->hv->one_pin && is_shared(xg, s) ? ROUTE_NONE : ROUTE_PLAIN;
}

void mapper_unmap(struct xengt *xg, const uint32_t *slot, int *err, size_t n)
{
    for (size_t i = 0, end; i < n; i = end) {
        enum route route = route_of(xg, slot[i]);
        for (end = i + 1; end < n && route_of(xg, slot[end]) == route;) {
            end++;
        }
        if (route == ROUTE_PLAIN) {
            xg->hv->ops->unmap(xg->hv, &slot[i], &err[i], end - i);
        } else if (route == ROUTE_OFFERED) {
            xg->hv->ops->unmap_offered(xg->hv, &slot[i], &err[i], end - i);
        }
        for (size_t k = i; route == ROUTE_NONE && k < end; k++) {
            held_clear(&xg->slots, slot[k]);
            err[k] = 0;
        }
        unmapped(xg, &slot[i], &err[i], end - i);
    }
}
