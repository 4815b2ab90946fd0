/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Room in the slot table: promises, and the unmapping of what is deferred. */
#include "room.h"

#include <errno.h>

#include "mapper.h"

/* --- unmapping --------------------------------------------------------------------------- */

void room_unmap(struct xengt_space *space, uint32_t max)
{
    struct xengt *xg = space->xg;
    struct flight *flight = xg->slots.unmaps;
    uint32_t left = max < space->queue.count ? max : space->queue.count;
    while (left) {
        uint32_t n = left < xg->hv->batch ? left : xg->hv->batch;
        queue_pop(&space->queue, flight->slot, n);
        space->xg->undated = true;
        for (uint32_t i = 0; i < n; i++) {
            gfns_remove(&space->gfns, flight->slot[i]);
        }
        mapper_leave_all(xg, flight->slot, n);
        mapper_unmap(xg, xg->batch.unmap_err, n);
        space->unmap_calls++;
        space->target->mapped -= n;
        left -= n;
    }
}

void room_evict(struct xengt_space *space)
{
    room_unmap(space, ROOM_PAGES);
}

/* --- room -------------------------------------------------------------------------------- */

static uint32_t held_by(const struct target *t)
{
    return t->raw + t->mapped;
}

/* Slots that are free and promised to somebody who does not use them yet. */
static uint32_t promised(const struct xengt *xg)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < xg->targets_count; i++) {
        const struct target *t = xg->targets[i];
        sum += t->reserve > held_by(t) ? t->reserve - held_by(t) : 0;
    }
    return sum;
}

static uint32_t unused(const struct xengt *xg)
{
    return xg->slots.used < xg->hv->slots ? xg->hv->slots - xg->slots.used : 0;
}

/* How many a target can have, n at most, as things are. */
static uint32_t room_now(const struct xengt *xg, const struct target *t, uint32_t n)
{
    uint32_t free = unused(xg);
    /* Most of the time there is more than all promises together. */
    if (free >= n && free - n >= xg->reserves) {
        return n;
    }
    uint32_t own = t && held_by(t) < t->reserve ? t->reserve - held_by(t) : 0;
    uint32_t others = promised(xg) - own;
    uint32_t room = free > others ? free - others : 0;
    room = room > own ? room : own;
    room = room < free ? room : free;
    return room < n ? room : n;
}

/* What a target has beyond its promise and does not use. */
static uint32_t spare(const struct target *t)
{
    uint32_t beyond = held_by(t) > t->reserve ? held_by(t) - t->reserve : 0;
    uint32_t deferred = t->space ? space_deferred(t->space) : 0;
    return beyond < deferred ? beyond : deferred;
}

/* Has the target that can spare the most give up some of it, at most max. Returns how many. */
static uint32_t take_spare(struct xengt *xg, const struct target *except, uint32_t max)
{
    const struct target *richest = NULL;
    for (size_t i = 0; i < xg->targets_count; i++) {
        const struct target *t = xg->targets[i];
        if (t != except && spare(t) > (richest ? spare(richest) : 0)) {
            richest = t;
        }
    }
    uint32_t n = richest ? spare(richest) : 0;
    n = n < max ? n : max;
    if (n) {
        room_unmap(richest->space, n);
    }
    return n;
}

/* Gives up some of what a target itself has deferred. False: it has nothing deferred. */
static bool give_up_own(const struct target *t)
{
    if (!t || !t->space || !space_deferred(t->space)) {
        return false;
    }
    room_evict(t->space);
    return true;
}

/*
 * How many slots a target can have more, n at most; if there is none, after something was given up.
 * The target is NULL for a domain that is none. 0: there is none.
 */
static uint32_t room_for(struct xengt *xg, const struct target *t, uint32_t n)
{
    uint32_t room = room_now(xg, t, n);
    if (!room && give_up_own(t)) {
        room = room_now(xg, t, n);
    }
    if (!room && take_spare(xg, t, ROOM_PAGES)) {
        room = room_now(xg, t, n);
    }
    return room;
}

static int take_some(struct xengt *xg, const struct maps *maps, uint32_t *slot, uint32_t n,
                     uint32_t *got)
{
    struct slots *slots = &xg->slots;
    *got = 0;
    if (xg->hv->ops->take) {
        return xg->hv->ops->take(xg->hv, maps->domid, maps->offered, slot, n, got);
    }
    *got = slots_take_some(slots, &slots->pool[0], slot, n);
    return *got ? 0 : -ENOSPC;
}

int room_take(struct xengt *xg, const struct maps *maps, size_t *count, size_t n)
{
    struct flight *flight = xg->slots.maps;
    uint32_t got = 0;
    uint32_t room = room_for(xg, maps->t, (uint32_t)n);
    int ret = room ? take_some(xg, maps, &flight->slot[*count], room, &got) : -ENOSPC;
    if (room && ret == -ENOSPC && give_up_own(maps->t)) {
        ret = take_some(xg, maps, &flight->slot[*count], room, &got);
    }
    xg->slots.used += got;
    *count += got;
    flight_set(flight, *count);
    return ret;
}

int room_take_all(struct xengt *xg, const struct maps *maps, size_t *count, size_t n)
{
    int ret = 0;
    while (*count < n && !ret) {
        ret = room_take(xg, maps, count, n - *count);
    }
    return ret;
}

int room_promise(struct xengt *xg, const struct target *t, uint32_t pages)
{
    uint32_t missing = pages > t->raw ? pages - t->raw : 0; /* what it has already is its own */
    for (;;) {
        uint32_t free = unused(xg);
        uint32_t taken = promised(xg);
        if (free >= taken && free - taken >= missing) {
            return 0;
        }
        uint32_t wanted = missing - (free > taken ? free - taken : 0);
        if (!take_spare(xg, t, wanted)) {
            return -ENOSPC;
        }
    }
}

/* --- what is kept ------------------------------------------------------------------------ */

uint32_t xengt_space_shrink(struct xengt_space *space, uint32_t max)
{
    room_unmap(space, max);
    return space_deferred(space);
}

void xengt_space_flush(struct xengt_space *space)
{
    room_unmap(space, UINT32_MAX);
}

bool xengt_space_expire(struct xengt_space *space)
{
    struct queue *q = &space->queue;
    room_unmap(space, q->old < XENGT_EXPIRE_PAGES ? q->old : XENGT_EXPIRE_PAGES);
    if (!q->old) {
        queue_age(q);
    }
    return q->count > 0;
}
