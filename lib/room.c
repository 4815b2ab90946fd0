/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Room in the slot table: promises, and the unmapping of what is deferred. */
#include "room.h"

#include <errno.h>

#include "mapper.h"

/* Given up at a time. Fewer would cost a hypercall for each page, more somebody's cache. */
#define EVICT_PAGES 32u

/* --- unmapping --------------------------------------------------------------------------- */

/* Up to max mappings from the head of a queue, in batches. Returns how many. */
static uint32_t unmap_from(struct xengt_space *space, struct queue *q, uint32_t max)
{
    struct xengt *xg = space->xg;
    /* Not xg->batch: a get in the middle of its batch comes here for room. */
    uint32_t slot[64];
    int err[64];
    uint32_t limit = xg->hv->batch < 64 ? xg->hv->batch : 64;
    uint32_t done = 0;
    while (done < max && q->count) {
        uint32_t n = 0;
        for (; n < limit && done + n < max && q->count; n++) {
            slot[n] = q->head;
            queue_remove(xg->slots.slot, q, slot[n]);
            gfns_remove(&space->gfns, slot[n]);
            mapper_leave(xg, slot[n]);
        }
        mapper_unmap(xg, slot, err, n);
        space->unmap_calls++;
        space->target->mapped -= n;
        done += n;
    }
    return done;
}

void room_unmap(struct xengt_space *space, uint32_t max)
{
    uint32_t done = unmap_from(space, &space->old, max);
    unmap_from(space, &space->young, max - done);
}

void room_evict(struct xengt_space *space)
{
    room_unmap(space, EVICT_PAGES);
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

static bool has_room(const struct xengt *xg, const struct target *t)
{
    uint32_t unused = xg->slots.count - xg->slots.used;
    if (t && held_by(t) < t->reserve) {
        return unused > 0;
    }
    /* Most of the time there is more than all promises together. */
    return unused > xg->reserves || unused > promised(xg);
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

int room_for(struct xengt *xg, const struct target *t)
{
    if (has_room(xg, t)) {
        return 0;
    }
    if (t && t->space) {
        room_evict(t->space);
    }
    if (!has_room(xg, t)) {
        take_spare(xg, t, EVICT_PAGES);
    }
    return has_room(xg, t) ? 0 : -ENOSPC;
}

int room_promise(struct xengt *xg, const struct target *t, uint32_t pages)
{
    uint32_t missing = pages > t->raw ? pages - t->raw : 0; /* what it has already is its own */
    for (;;) {
        uint32_t unused = xg->slots.count - xg->slots.used;
        uint32_t taken = promised(xg);
        if (unused >= taken && unused - taken >= missing) {
            return 0;
        }
        uint32_t wanted = missing - (unused > taken ? unused - taken : 0);
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
    unmap_from(space, &space->old, XENGT_EXPIRE_PAGES);
    if (space->old.count) {
        return true;
    }
    space->old = space->young;
    space->young = QUEUE_EMPTY;
    struct slot *slot = space->xg->slots.slot;
    for (uint32_t s = space->old.head; s != SLOT_NONE; s = slot[s].next) {
        slot[s].old = 1;
    }
    return space->old.count > 0;
}
