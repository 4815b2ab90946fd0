/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mapper: slots taken, mapped and unmapped, one batch of hypercalls at a time. */
#include "mapper.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "hot.h"

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
        size_t failures = fn(call, done, chunk_err, chunk);
        if (failures && !err && !ret) {
            ret = first_error(chunk_err, chunk);
        }
        done += chunk;
    }
    return ret;
}

int mapper_need_bfns(struct xengt *xg)
{
    return xg->hv->windowed || xg->bfns.head ? 0 : bfns_init(&xg->bfns, &xg->slots, xg->hv->slots);
}

/* --- mapping ----------------------------------------------------------------------------- */

void mapper_untake(struct xengt *xg, size_t count, size_t taken)
{
    while (taken > count) {
        slots_untake(&xg->slots, xg->slots.maps->slot[--taken]);
        xg->slots.used--;
    }
}

/* What Xen did not say of a mapping cannot be undone: its slot is given up. */
static void doubt(struct xengt *xg, uint32_t s)
{
    handle_log(xg, LOG_ERR,
               "domain %u: whether frame 0x%llx is mapped is not known: its slot is leaked",
               slots_domid(&xg->slots, s), (unsigned long long)slots_gfn(&xg->slots, s).v);
    slots_give_up(&xg->slots, s, SLOT_LEAKED);
}

/* What is in a slot that should be empty is somebody else's: it is not touched, nor tried again. */
static void taken(struct xengt *xg, uint32_t s)
{
    handle_log(xg, LOG_ERR,
               "BFN 0x%llx of the window holds something that was not put there by this process: "
               "it is never used again",
               (unsigned long long)mapper_bfn(xg, s).v);
    slots_give_up(&xg->slots, s, SLOT_TAKEN);
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

size_t mapper_map(struct xengt *xg, const struct maps *maps, int *err, size_t n)
{
    const uint32_t *slot = xg->slots.maps->slot;
    const struct hv_ops *ops = xg->hv->ops;
    if (!n) {
        return 0;
    }
    size_t failures = maps->offered
                          ? ops->map_offered(xg->hv, maps->domid, slot, err, n, maps->prot)
                          : ops->map(xg->hv, maps->domid, slot, err, n, maps->prot);
    if (xg->hv->advice[0]) {
        handle_log(xg, LOG_ERR, "%s", xg->hv->advice);
        xg->hv->advice[0] = '\0';
    }
    if (xg->hv->refused_n) {
        retire(xg);
    }
    xg->stats.map_calls++;
    xg->stats.map_pages += n - failures;
    xg->stats.map_failures += failures;
    return failures;
}

static void give_back(struct xengt *xg, uint32_t s)
{
    slots_free(&xg->slots, s);
    xg->slots.used--;
}

/* What is mapped of the flight, and of a domain that is gone or another by now. */
static void take_back(struct xengt *xg, int *err, size_t n, int gone)
{
    struct flight *unmaps = xg->slots.unmaps;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!err[i]) {
            err[i] = gone;
            xg->slots.slot[xg->slots.maps->slot[i]].use = 0;
            unmaps->slot[count++] = xg->slots.maps->slot[i];
        }
    }
    mapper_unmap(xg, xg->batch.unmap_err, count);
}

void mapper_undo(struct xengt *xg, int *err, size_t n, int gone)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t s = xg->slots.maps->slot[i];
        if (!err[i]) {
            continue;
        }
        xg->slots.slot[s].use = 0;
        if (err[i] == HV_DOUBT) {
            doubt(xg, s);
            err[i] = -EIO;
        } else if (err[i] == HV_TAKEN) {
            taken(xg, s);
            err[i] = -EAGAIN;
        } else {
            err[i] = documented(xg, s, err[i]);
            give_back(xg, s);
        }
    }
    if (gone) {
        take_back(xg, err, n, gone);
    }
}

/* --- unmapping --------------------------------------------------------------------------- */

void mapper_drop_view(struct xengt *xg, uint32_t s)
{
    if (xg->views[s]) {
        if (slots_offered(&xg->slots, s)) {
            xg->hv->ops->unview_offered(xg->hv, xg->views[s]);
        } else {
            xg->hv->ops->unview(xg->hv, xg->views[s]);
        }
        xg->views[s] = NULL;
    }
}

static void leak(struct xengt *xg, uint32_t s, int err)
{
    xg->stats.unmap_failures++;
    handle_log(xg, LOG_ERR, "BFN 0x%llx cannot be unmapped and is leaked: %s",
               (unsigned long long)mapper_bfn(xg, s).v, strerror(-err));
    slots_give_up(&xg->slots, s, SLOT_LEAKED);
    xg->slots.slot[s].use = 0;
}

/* Xen let go of slots that are of one pool, as those of one domain are. */
static HOT_LOOP void free_run(struct xengt *xg, const uint32_t *slot, size_t n)
{
    struct record *record = xg->slots.record;
    struct pool *pool = slots_pool(&xg->slots, slot[0]);
    uint32_t free = pool->free;
    if (xg->hv->keeps_past) {
        HOT_UNROLL
        for (size_t i = n; i-- > 0;) {
            struct record *r = &record[slot[i]];
            record_free(r, record_past(r->what), free);
            free = slot[i];
        }
    } else {
        for (size_t i = n; i-- > 0;) {
            record_free(&record[slot[i]], 0, free);
            free = slot[i];
        }
    }
    pool->free = free;
}

static void free_slots(struct xengt *xg, const uint32_t *slot, size_t n)
{
    if (n && !slots_offered(&xg->slots, slot[0])) {
        free_run(xg, slot, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        slots_free(&xg->slots, slot[i]);
    }
}

/* Xen has answered for the flight. Returns how many it did not let go. */
static size_t unmapped(struct xengt *xg, const uint32_t *slot, int *err, size_t n, size_t failures)
{
    size_t leaks = 0;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = failures ? i : n; end < n && (!err[end] || err[end] == -ENOENT);) {
            err[end++] = 0;
        }
        free_slots(xg, &slot[i], end - i);
        if (end < n) {
            leak(xg, slot[end], err[end]);
            leaks++;
            end++;
        }
    }
    xg->slots.used -= (uint32_t)(n - leaks);
    xg->stats.unmap_pages += n - leaks;
    return leaks;
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

/* The pin of a page that is shared stays for the other mapping: no hypercall. */
static size_t unmap_pins(struct xengt *xg, const uint32_t *slot, int *err, size_t n)
{
    size_t failures = 0;
    for (size_t i = 0, end; i < n; i = end) {
        bool shared = is_shared(xg, slot[i]);
        for (end = i; end < n && is_shared(xg, slot[end]) == shared; end++) {
            err[end] = 0;
        }
        if (!shared) {
            failures += xg->hv->ops->unmap(xg->hv, &slot[i], &err[i], end - i);
        }
    }
    return failures;
}

size_t mapper_unmap(struct xengt *xg, int *err, size_t n)
{
    struct flight *flight = xg->slots.unmaps;
    const struct hv_ops *ops = xg->hv->ops;
    size_t failures;
    if (!n) {
        return 0;
    }
    flight_set(flight, n);
    if (slots_offered(&xg->slots, flight->slot[0])) {
        failures = ops->unmap_offered(xg->hv, flight->slot, err, n);
    } else if (xg->hv->one_pin) {
        failures = unmap_pins(xg, flight->slot, err, n);
    } else {
        failures = ops->unmap(xg->hv, flight->slot, err, n);
    }
    xg->stats.unmap_calls++;
    failures = unmapped(xg, flight->slot, err, n, failures);
    flight_set(flight, 0);
    return failures;
}

size_t mapper_gather(struct xengt *xg, uint32_t *s, bool (*fn)(const struct xengt *xg, uint32_t s))
{
    struct slots *slots = &xg->slots;
    uint64_t kind = 0;
    size_t n = 0;
    for (; n < xg->hv->batch && (*s = slots_next(slots, *s)) != SLOT_NONE; ++*s) {
        if (!fn(xg, *s)) {
            continue;
        }
        if (n && (slots_kind_of(slots, *s) != kind ||
                  slots_pool(slots, *s) != slots_pool(slots, slots->unmaps->slot[0]))) {
            break;
        }
        kind = slots_kind_of(slots, *s);
        slots->unmaps->slot[n++] = *s;
        mapper_leave(xg, *s);
    }
    return n;
}
