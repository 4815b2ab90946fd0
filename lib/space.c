/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A space's calls: users of mappings that are shared, counted and released late. */
#include "space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mapper.h"
#include "room.h"
#include "sized.h"

/* --- using ------------------------------------------------------------------------------- */

static struct queue *queue_of(struct xengt_space *space, uint32_t s)
{
    return space->xg->slots.slot[s].old ? &space->old : &space->young;
}

/* The last user of a mapping is gone. A stale one nobody can come back to: it is old at once. */
static void defer(struct xengt_space *space, uint32_t s)
{
    struct slot *slot = space->xg->slots.slot;
    slot[s].old = slot[s].generation != space->generation;
    queue_push(slot, queue_of(space, s), s);
    uint32_t waiting = space_deferred(space);
    if (waiting > space->defer_pages) {
        /* A batch at a time: the price of an unmap is in the call, not in the page. */
        uint32_t excess = waiting - space->defer_pages;
        uint32_t n = space->xg->hv->batch / 4;
        room_unmap(space, excess > n ? excess : n);
    }
}

/* Counts a user of a mapping that exists or is on its way. */
static int use(struct xengt_space *space, uint32_t s)
{
    struct slot *slot = &space->xg->slots.slot[s];
    if (slot->users == SLOT_USERS_MAX) {
        return -EDQUOT;
    }
    if (slot->users == 0) {
        queue_remove(space->xg->slots.slot, queue_of(space, s), s);
    }
    slot->users++;
    return 0;
}

/* May the space have another mapping, if need be in place of some that are deferred? */
static int within_quota(struct xengt_space *space)
{
    if (space->target->mapped >= space->quota) {
        room_evict(space);
    }
    return space->target->mapped < space->quota ? 0 : -EDQUOT;
}

static void count_mapping(struct xengt_space *space)
{
    uint32_t mapped = ++space->target->mapped;
    if (mapped > space->high_water) {
        space->high_water = mapped;
        if (mapped > space->gfns.size) {
            gfns_grow(&space->gfns);
        }
    }
}

/* A slot for a gfn that is not mapped. */
static int reserve(struct xengt_space *space, struct xengt_gfn gfn, uint32_t *slot)
{
    struct xengt *xg = space->xg;
    int ret = within_quota(space);
    ret = ret ? ret : room_for(xg, space->target);
    ret = ret ? ret : mapper_reserve(xg, space->target->domid, gfn, false, slot);
    if (ret) {
        return ret;
    }
    xg->slots.slot[*slot].generation = space->generation;
    xg->slots.slot[*slot].users = 1;
    count_mapping(space);
    gfns_insert(&space->gfns, *slot);
    return 0;
}

struct get_call {
    struct xengt_space *space;
    const struct xengt_gfn *gfn;
    struct xengt_bfn *bfn;
};

/*
 * One more user of a gfn, mapped or not. While the hypercall is on its way, prev of a reserved slot
 * says which of the misses it is, so that a gfn that stands twice shares the answer. gone is what
 * Xen says of the target, and asked for at the first miss; 1: not asked yet.
 */
static int want(struct xengt_space *space, struct xengt_gfn gfn, uint32_t *slot, size_t *misses,
                int *gone)
{
    struct xengt *xg = space->xg;
    *slot = gfns_find(&space->gfns, gfn, space->generation);
    if (*slot != SLOT_NONE) {
        int ret = use(space, *slot);
        space->hits += !ret;
        xg->stats.hits += !ret;
        return ret;
    }
    if (*gone > 0) {
        *gone = target_check(xg, space->target);
    }
    int ret = *gone ? *gone : reserve(space, gfn, slot);
    if (!ret) {
        xg->slots.slot[*slot].prev = *misses;
        xg->batch.slot[(*misses)++] = *slot;
    }
    return ret;
}

static void get_batch(void *arg, size_t first, int *err, size_t n)
{
    const struct get_call *c = arg;
    struct xengt_space *space = c->space;
    struct xengt *xg = space->xg;
    struct batch *b = &xg->batch;
    size_t misses = 0;
    int gone = 1;
    bool unsure = !target_is_held(xg, space->target);
    for (size_t i = 0; i < n; i++) {
        err[i] = want(space, c->gfn[first + i], &b->entry[i], &misses, &gone);
    }
    mapper_map(xg, space->target->domid, b->slot, b->err, misses, XENGT_PROT_RW);
    if (unsure) {
        target_confirm(xg, space->target, b->slot, b->err, misses);
    }
    space->map_calls += misses > 0;
    space->gets += n;
    for (size_t i = 0; i < n; i++) {
        uint32_t s = b->entry[i];
        if (!err[i] && slots_state(&xg->slots, s) != SLOT_MAPPED) {
            err[i] = b->err[xg->slots.slot[s].prev];
        }
        if (!err[i]) {
            c->bfn[first + i] = mapper_bfn(xg, s);
        }
        space->failures += err[i] != 0;
    }
    for (size_t k = 0; k < misses; k++) {
        if (b->err[k]) {
            gfns_remove(&space->gfns, b->slot[k]);
            mapper_drop(xg, b->slot[k]);
            space->target->mapped--;
        }
    }
}

int xengt_space_get(struct xengt_space *space, const struct xengt_gfn *gfn, struct xengt_bfn *bfn,
                    int *err, size_t n)
{
    struct get_call call = {space, gfn, bfn};
    if (n && (!gfn || !bfn)) {
        return handle_fail(space->xg, -EINVAL, "no array");
    }
    if (space->draining) {
        return handle_fail(space->xg, -ESHUTDOWN, "the space is being closed");
    }
    for (size_t i = 0; i < n; i++) {
        bfn[i] = XENGT_BFN_INVALID;
    }
    int ret = in_batches(space->xg, get_batch, &call, err, n, true);
    if (!ret) {
        return 0;
    }
    xengt_space_put(space, bfn, n); /* those that are invalid are no mappings */
    for (size_t i = 0; i < n; i++) {
        bfn[i] = XENGT_BFN_INVALID;
    }
    return handle_fail(space->xg, ret, "domain %u: a frame cannot be mapped: %s",
                       space->target->domid, strerror(-ret));
}

static bool is_own(const struct xengt_space *space, uint32_t s)
{
    const struct slots *slots = &space->xg->slots;
    return !slots->slot[s].raw && slots_domid(slots, s) == space->target->domid;
}

/*
 * The slot of a BFN of this space, or SLOT_NONE. Where the BFN is the page itself, a stale mapping
 * and a fresh one can share it; then it is the one that has users.
 */
static uint32_t own_slot(const struct xengt_space *space, struct xengt_bfn bfn)
{
    uint32_t found = SLOT_NONE;
    for (uint32_t s = mapper_slot(space->xg, bfn); s != SLOT_NONE; s = mapper_next(space->xg, s)) {
        if (is_own(space, s)) {
            found = s;
            if (space->xg->slots.slot[s].users) {
                break;
            }
        }
    }
    return found;
}

uint32_t xengt_space_users(const struct xengt_space *space, struct xengt_bfn bfn)
{
    uint32_t users = 0;
    for (uint32_t s = mapper_slot(space->xg, bfn); s != SLOT_NONE; s = mapper_next(space->xg, s)) {
        users += is_own(space, s) ? space->xg->slots.slot[s].users : 0;
    }
    return users;
}

int xengt_space_put(struct xengt_space *space, const struct xengt_bfn *bfn, size_t n)
{
    size_t unknown = 0;
    if (n && !bfn) {
        return handle_fail(space->xg, -EINVAL, "no array");
    }
    if (space->xg->logging) {
        return handle_fail(space->xg, -EDEADLK, "from within the log");
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t s = own_slot(space, bfn[i]);
        if (s == SLOT_NONE || space->xg->slots.slot[s].users == 0) {
            unknown++;
            continue;
        }
        uint32_t users = space->xg->slots.slot[s].users - 1;
        space->xg->slots.slot[s].users = users;
        if (!users) {
            defer(space, s);
        }
    }
    if (space->no_defer) {
        xengt_space_flush(space);
    }
    return unknown ? handle_fail(space->xg, -ENOENT, "%zu of %zu BFNs were not in use", unknown, n)
                   : 0;
}

static int adopt(struct xengt_space *space, struct xengt_bfn bfn)
{
    struct xengt *xg = space->xg;
    uint32_t s = mapper_find_plain(xg, bfn);
    if (s == SLOT_NONE || slots_domid(&xg->slots, s) != space->target->domid ||
        slots_offered(&xg->slots, s)) {
        return -ENOENT;
    }
    if (within_quota(space)) {
        return -EDQUOT;
    }
    xg->slots.slot[s].raw = 0;
    xg->slots.slot[s].users = 1;
    xg->slots.slot[s].generation = 0; /* stale: nobody listened to what the guest did since */
    space->target->raw--;
    count_mapping(space);
    return 0;
}

int xengt_space_adopt(struct xengt_space *space, const struct xengt_bfn *bfn, int *err, size_t n)
{
    if (n && (!bfn || !err)) {
        return handle_fail(space->xg, -EINVAL, "no array");
    }
    if (space->draining) {
        return handle_fail(space->xg, -ESHUTDOWN, "the space is being closed");
    }
    for (size_t i = 0; i < n; i++) {
        err[i] = adopt(space, bfn[i]);
    }
    return 0;
}

/*
 * Slots are stale when their generation is not the space's. One byte of it wraps: then all that
 * exists is marked stale the long way, once in 255 times.
 */
void xengt_space_invalidate(struct xengt_space *space)
{
    if (++space->generation) {
        return;
    }
    space->generation = 1;
    struct slots *slots = &space->xg->slots;
    for (uint32_t s = 0; s < slots->fresh; s++) {
        if (slots_state(slots, s) == SLOT_MAPPED && slots_domid(slots, s) == space->target->domid) {
            slots->slot[s].generation = 0;
        }
    }
}

/* --- life -------------------------------------------------------------------------------- */

/* Why there can be no space of a target with these options, or 0. */
static int refuse(struct xengt *xg, const struct target *t,
                  const struct xengt_space_options *options)
{
    if (t->space) {
        return handle_fail(xg, -EBUSY, "domain %u: its space is open already", t->domid);
    }
    if (options->quota && options->reserve > options->quota) {
        return handle_fail(xg, -EINVAL, "a reserve of %u pages is more than the quota of %u",
                           options->reserve, options->quota);
    }
    if (room_promise(xg, t, options->reserve)) {
        return handle_fail(xg, -ENOSPC,
                           "domain %u cannot be promised %u pages: of %u there are %u promised "
                           "to others, and more than that may be in use",
                           t->domid, options->reserve, xg->slots.count, xg->reserves);
    }
    return 0;
}

int xengt_space_open_sized(struct xengt *xg, uint32_t domid,
                           const struct xengt_space_options *theirs, size_t options_size,
                           struct xengt_space **out)
{
    struct xengt_space_options known = {0};
    const struct xengt_space_options *options = &known;
    *out = NULL;
    if (theirs && !sized_read(&known, sizeof(known), theirs, options_size)) {
        return handle_fail(xg, -EINVAL, "an option that this version of libxengt does not know");
    }
    struct target *t = target_find(xg, domid);
    if (!t) {
        return handle_fail(xg, -EPERM, "domain %u is not a target", domid);
    }
    int ret = refuse(xg, t, options);
    if (ret) {
        return ret;
    }
    struct xengt_space *space = calloc(1, sizeof(*space));
    if (!space || gfns_init(&space->gfns, &xg->slots, xg->hash_key)) {
        free(space);
        return handle_fail(xg, -ENOMEM, "out of memory");
    }
    space->xg = xg;
    space->target = t;
    space->generation = 1;
    space->no_defer = options->no_defer;
    space->quota = options->quota ? options->quota : UINT32_MAX;
    space->defer_pages = options->defer_pages ? options->defer_pages : XENGT_DEFER_PAGES_DEFAULT;
    space->young = QUEUE_EMPTY;
    space->old = QUEUE_EMPTY;
    t->space = space;
    t->reserve = options->reserve;
    xg->reserves += options->reserve;
    *out = space;
    return 0;
}

/*
 * Defers mappings that are in use, whoever uses them, until max are or so many slots have been
 * looked at that it is enough for once.
 */
static void take_from_users(struct xengt_space *space, uint32_t max)
{
    struct slots *slots = &space->xg->slots;
    uint64_t end = space->drained + (uint64_t)max * 64;
    uint32_t n = 0;
    uint32_t s = space->drained;
    for (; n < max && s < end && s < slots->fresh; s++) {
        if (slots_state(slots, s) == SLOT_MAPPED && is_own(space, s) && slots->slot[s].users) {
            slots->slot[s].users = 0;
            slots->slot[s].old = 0;
            queue_push(slots->slot, &space->young, s);
            n++;
        }
    }
    space->drained = s;
}

uint32_t xengt_space_drain(struct xengt_space *space, uint32_t max)
{
    space->draining = true;
    if (!space_deferred(space)) {
        take_from_users(space, max);
    }
    room_unmap(space, max);
    return space->target->mapped;
}

void xengt_space_close(struct xengt_space *space)
{
    if (!space) {
        return;
    }
    while (xengt_space_drain(space, UINT32_MAX)) {
    }
    space->xg->reserves -= space->target->reserve;
    space->target->reserve = 0;
    space->target->space = NULL;
    gfns_free(&space->gfns);
    free(space);
}

void xengt_space_get_stats_sized(const struct xengt_space *space, struct xengt_space_stats *stats,
                                 size_t size)
{
    uint32_t deferred = space_deferred(space);
    const struct xengt_space_stats all = {
        .mapped = space->target->mapped,
        .in_use = space->target->mapped - deferred,
        .deferred = deferred,
        .high_water = space->high_water,
        .gets = space->gets,
        .hits = space->hits,
        .failures = space->failures,
        .map_calls = space->map_calls,
        .unmap_calls = space->unmap_calls,
    };
    sized_write(stats, size, &all, sizeof(all));
}
