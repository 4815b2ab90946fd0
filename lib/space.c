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

/* A batch at a time: the price of an unmap is in the call, not in the page. */
static __attribute__((noinline)) void keep_bound(struct xengt_space *space)
{
    uint32_t excess = space_deferred(space) - space->defer_pages;
    uint32_t n = space->xg->hv->batch / 4;
    room_unmap(space, excess > n ? excess : n);
}

/* The last user of a mapping is gone. A stale one nobody can come back to: it is the next to go. */
static inline __attribute__((always_inline)) void defer(struct xengt_space *space,
                                                        struct slot *slot, uint32_t s)
{
    if ((slot[s].use & USE_GENERATION) == space->generation) {
        queue_push(&space->queue, slot, s);
    } else {
        queue_push_first(&space->queue, slot, s);
    }
    space->xg->undated |= !space->date;
    if (space_deferred(space) > space->defer_pages) {
        keep_bound(space);
    }
}

/* Counts a user of a mapping that exists or is on its way. */
static inline int use(struct xengt_space *space, uint32_t s)
{
    struct slot *slot = space->xg->slots.slot;
    if (slot[s].use & USE_DEFERRED) {
        queue_remove(&space->queue, slot, s);
        space->xg->undated |= !space_deferred(space);
    } else if ((slot[s].use & USE_VALUE) == USE_VALUE) {
        return -EDQUOT;
    }
    slot[s].use++;
    return 0;
}

/* How many mappings the space may have more, if need be in place of some that are deferred. */
static uint32_t within_quota(struct xengt_space *space)
{
    if (space->target->mapped >= space->quota) {
        room_evict(space);
    }
    uint32_t mapped = space->target->mapped;
    return mapped < space->quota ? space->quota - mapped : 0;
}

static void note_high_water(struct xengt_space *space)
{
    uint32_t mapped = space->target->mapped;
    if (mapped > space->high_water) {
        space->high_water = mapped;
        if (gfns_is_full(&space->gfns, mapped)) {
            gfns_grow(&space->gfns);
        }
    }
}

struct get_call {
    struct xengt_space *space;
    const struct xengt_gfn *gfn;
    struct xengt_bfn *bfn;
};

/* What becomes of one batch of them. */
struct get_batch {
    struct xengt_space *space;
    const struct slots *slots;
    struct maps maps;
    uint64_t kind; /* of their records */
    uint32_t use;  /* of their slots: one user */
    bool windowed;
    size_t misses; /* slots of the flight that have records */
    size_t taken;  /* slots of the flight */
    bool asked;    /* whether the target is still what it was: gone is the answer */
    int gone;
};

/*
 * Slots for the next misses, a few at a time: what is given up for them should not be more than
 * they need. Xen is asked for the target at the first.
 */
static int take(struct get_batch *g, size_t n)
{
    struct xengt_space *space = g->space;
    if (!g->asked) {
        g->gone = target_check(space->xg, space->target);
        g->asked = true;
    }
    if (g->gone) {
        return g->gone;
    }
    uint32_t room = within_quota(space);
    if (!room) {
        return -EDQUOT;
    }
    size_t before = g->taken;
    n = n < ROOM_PAGES ? n : ROOM_PAGES;
    int ret = room_take(space->xg, &g->maps, &g->taken, n < room ? n : room);
    space->target->mapped += (uint32_t)(g->taken - before); /* they are its own from now on */
    return ret;
}

/* The record of a mapping that is to be made for the first user of a gfn. */
static inline void begin(const struct get_batch *g, uint32_t s, struct xengt_gfn gfn,
                         uint32_t *bucket)
{
    const struct slots *slots = g->slots;
    struct record *r = &slots->record[s];
    if (g->windowed) {
        record_answer(r, s, g->kind | gfn.v, 0);
    } else {
        record_begin(r, g->kind | gfn.v);
    }
    slots->slot[s] = (struct slot){g->use, *bucket};
    *bucket = s;
}

/* Finds or makes a mapping for each entry: its slot, or why there is none. */
static void find_all(struct get_batch *g, const struct xengt_gfn *gfn, int *err, size_t n)
{
    struct xengt_space *space = g->space;
    const struct gfns gfns = space->gfns; /* it does not grow in here */
    const uint32_t *taken = g->slots->maps->slot;
    uint32_t *entry = space->xg->batch.entry;
    uint64_t gfn_max = space->xg->hv->gfn_max;
    uint32_t generation = space->generation;
    size_t hits = 0;
    size_t misses = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t *bucket = gfns_bucket(&gfns, gfn[i]);
        uint32_t s = gfns_find(g->slots, bucket, gfn[i], generation);
        int ret = 0;
        if (s != SLOT_NONE) {
            ret = use(space, s);
            hits += !ret;
        } else if (gfn[i].v > gfn_max) {
            ret = -EINVAL;
        } else if (misses < g->taken || !(ret = take(g, n - i))) {
            s = taken[misses++];
            begin(g, s, gfn[i], bucket);
        }
        err[i] = ret;
        entry[i] = s;
    }
    g->misses = misses;
    space->hits += hits;
    space->xg->stats.hits += hits;
}

/*
 * Those that failed: a gfn may stand more than once, so the slot says which of the misses it was,
 * as if that were its place in the queue.
 */
static void fail_some(struct get_batch *g, int *err, size_t n, int gone)
{
    struct xengt_space *space = g->space;
    struct xengt *xg = space->xg;
    const uint32_t *slot = xg->slots.maps->slot;
    struct slot *all = xg->slots.slot;
    int *answer = xg->batch.err;
    for (size_t k = 0; k < g->misses; k++) {
        if (answer[k] || gone) {
            gfns_remove(&space->gfns, slot[k]);
            all[slot[k]].next = (uint32_t)k;
            all[slot[k]].use = USE_SPACE | USE_DEFERRED;
            space->target->mapped--;
        }
    }
    uint32_t failed = 0;
    for (size_t i = 0; i < n; i++) {
        /* What is in use here is not in the queue. */
        if (!err[i] && all[xg->batch.entry[i]].use & USE_DEFERRED) {
            failed++;
            err[i] = (int)all[xg->batch.entry[i]].next + 1;
        }
    }
    mapper_undo(xg, answer, g->misses, gone);
    for (size_t i = 0; i < n && failed; i++) {
        if (err[i] > 0) {
            err[i] = answer[err[i] - 1];
        }
    }
}

static void make_found(struct get_batch *g)
{
    struct xengt *xg = g->space->xg;
    for (size_t k = 0; !xg->hv->windowed && k < g->misses; k++) {
        if (!xg->batch.err[k]) {
            bfns_insert(&xg->bfns, xg->slots.maps->slot[k]);
        }
    }
}

/* Maps what is to be mapped of a batch. */
static void map_misses(struct get_batch *g, bool unsure, int *err, size_t n)
{
    struct xengt_space *space = g->space;
    struct xengt *xg = space->xg;
    mapper_untake(xg, g->misses, g->taken);
    space->target->mapped -= (uint32_t)(g->taken - g->misses);
    size_t failures = mapper_map(xg, &g->maps, xg->batch.err, g->misses);
    int gone = unsure && failures < g->misses ? target_confirm(xg, space->target) : 0;
    if (failures || gone) {
        fail_some(g, err, n, gone);
    }
    make_found(g);
    note_high_water(space);
    space->map_calls += g->misses > 0;
    flight_set(xg->slots.maps, 0);
}

static size_t get_batch(void *arg, size_t first, int *err, size_t n)
{
    const struct get_call *c = arg;
    struct xengt_space *space = c->space;
    struct xengt *xg = space->xg;
    struct get_batch g = {
        .space = space,
        .slots = &xg->slots,
        .maps = {space->target->domid, space->target, false, space->prot},
        .windowed = xg->hv->windowed,
    };
    g.kind = mapper_kind(&g.maps);
    g.use = USE_SPACE | space->generation | 1;
    bool unsure = !target_is_held(xg, space->target);
    find_all(&g, &c->gfn[first], err, n);
    if (g.taken) {
        map_misses(&g, unsure, err, n);
    }
    size_t failures = 0;
    uint64_t base = xg->hv->window_base;
    const uint32_t *entry = xg->batch.entry;
    struct xengt_bfn *bfn = &c->bfn[first];
    for (size_t i = 0; i < n; i++) {
        if (err[i]) {
            failures++;
        } else {
            bfn[i].v = g.windowed ? base + entry[i] : slots_bfn(&xg->slots, entry[i]);
        }
    }
    space->gets += n;
    space->failures += failures;
    return failures;
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

static inline bool is_own(const struct xengt_space *space, uint32_t s)
{
    const struct slots *slots = &space->xg->slots;
    return slots->slot[s].use & USE_SPACE && slots_domid(slots, s) == space->target->domid;
}

static inline uint32_t users_of(uint32_t use)
{
    return (use & (USE_SPACE | USE_DEFERRED)) == USE_SPACE ? use & USE_VALUE : 0;
}

/*
 * The slot of a BFN of this space that has users, or SLOT_NONE. Where the BFN is the page itself, a
 * stale mapping and a fresh one can share it.
 */
static uint32_t used_slot(const struct xengt_space *space, struct xengt_bfn bfn)
{
    uint32_t s = mapper_slot(space->xg, bfn);
    while (s != SLOT_NONE && !(is_own(space, s) && users_of(space->xg->slots.slot[s].use))) {
        s = mapper_next(space->xg, s);
    }
    return s;
}

uint32_t xengt_space_users(const struct xengt_space *space, struct xengt_bfn bfn)
{
    uint32_t users = 0;
    for (uint32_t s = mapper_slot(space->xg, bfn); s != SLOT_NONE; s = mapper_next(space->xg, s)) {
        users += is_own(space, s) ? users_of(space->xg->slots.slot[s].use) : 0;
    }
    return users;
}

uint32_t xengt_space_mappings(const struct xengt_space *space, struct xengt_bfn bfn)
{
    uint32_t mappings = 0;
    for (uint32_t s = mapper_slot(space->xg, bfn); s != SLOT_NONE; s = mapper_next(space->xg, s)) {
        mappings += is_own(space, s) && users_of(space->xg->slots.slot[s].use);
    }
    return mappings;
}

/* One user less of each. Returns how many are of no mapping that has users. */
static size_t put(struct xengt_space *space, const struct xengt_bfn *bfn, size_t n)
{
    struct slot *slot = space->xg->slots.slot;
    size_t unknown = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t s = used_slot(space, bfn[i]);
        if (s == SLOT_NONE) {
            unknown++;
        } else if (!(--slot[s].use & USE_VALUE)) {
            defer(space, slot, s);
        }
    }
    return unknown;
}

/* The same where there is a window, in which a BFN is a slot's number. */
static size_t put_in_window(struct xengt_space *space, const struct xengt_bfn *bfn, size_t n)
{
    struct slot *slot = space->xg->slots.slot;
    const struct record *record = space->xg->slots.record;
    uint64_t base = space->xg->hv->window_base;
    uint32_t count = space->xg->slots.count;
    uint64_t kind =
        record_kind(space->target->domid, SLOT_MAPPED, false, !(space->prot & XENGT_PROT_WRITE));
    size_t unknown = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t s = bfn[i].v - base;
        if (s >= count || (record[s].what & RECORD_KIND_MASK) != kind || !users_of(slot[s].use)) {
            unknown++;
            continue;
        }
        uint32_t use = slot[s].use - 1;
        slot[s].use = use;
        if (!(use & USE_VALUE)) {
            defer(space, slot, (uint32_t)s);
        }
    }
    return unknown;
}

int xengt_space_put(struct xengt_space *space, const struct xengt_bfn *bfn, size_t n)
{
    if (n && !bfn) {
        return handle_fail(space->xg, -EINVAL, "no array");
    }
    if (space->xg->logging) {
        return handle_fail(space->xg, -EDEADLK, "from within the log");
    }
    size_t unknown = space->xg->hv->windowed ? put_in_window(space, bfn, n) : put(space, bfn, n);
    if (space->no_defer) {
        xengt_space_flush(space);
    }
    return unknown ? handle_fail(space->xg, -ENOENT, "%zu of %zu BFNs were not in use", unknown, n)
                   : 0;
}

static unsigned prot_of(const struct slots *slots, uint32_t s)
{
    return slots_read_only(slots, s) ? XENGT_PROT_READ : XENGT_PROT_RW;
}

static int adopt(struct xengt_space *space, struct xengt_cookie cookie)
{
    struct xengt *xg = space->xg;
    uint32_t s = mapper_find(xg, cookie);
    if (s == SLOT_NONE || slots_domid(&xg->slots, s) != space->target->domid ||
        slots_offered(&xg->slots, s) || prot_of(&xg->slots, s) != space->prot) {
        return -ENOENT;
    }
    if (!within_quota(space)) {
        return -EDQUOT;
    }
    /* Stale, of no generation: nobody listened to what the guest did since. */
    xg->slots.slot[s].use = USE_SPACE | 1;
    if (!xg->hv->windowed && !xg->hv->one_pin) {
        bfns_insert(&xg->bfns, s);
    }
    space->target->raw--;
    space->target->mapped++;
    note_high_water(space);
    return 0;
}

int xengt_space_adopt(struct xengt_space *space, const struct xengt_cookie *cookie, int *err,
                      size_t n)
{
    if (n && (!cookie || !err)) {
        return handle_fail(space->xg, -EINVAL, "no array");
    }
    if (space->draining) {
        return handle_fail(space->xg, -ESHUTDOWN, "the space is being closed");
    }
    for (size_t i = 0; i < n; i++) {
        err[i] = adopt(space, cookie[i]);
    }
    return 0;
}

/*
 * Slots are stale when their generation is not the space's. One byte of it wraps: then all that
 * exists is marked stale the long way, once in 255 times.
 */
void xengt_space_invalidate(struct xengt_space *space)
{
    space->generation = (space->generation + USE_GENERATION_ONE) & USE_GENERATION;
    if (space->generation) {
        return;
    }
    space->generation = USE_GENERATION_ONE;
    struct slots *slots = &space->xg->slots;
    for (uint32_t s = 0; (s = slots_next(slots, s)) != SLOT_NONE; s++) {
        if (is_own(space, s)) {
            slots->slot[s].use &= ~USE_GENERATION;
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
    if (options->prot && options->prot != XENGT_PROT_READ && options->prot != XENGT_PROT_RW) {
        return handle_fail(xg, -EINVAL, "prot 0x%x is neither read nor read and write",
                           options->prot);
    }
    if (options->prot == XENGT_PROT_READ && !xg->hv->read_only) {
        return handle_fail(xg, -EOPNOTSUPP, "the %s back end cannot map read-only", xg->hv->name);
    }
    if (options->quota && options->reserve > options->quota) {
        return handle_fail(xg, -EINVAL, "a reserve of %u pages is more than the quota of %u",
                           options->reserve, options->quota);
    }
    if (room_promise(xg, t, options->reserve)) {
        return handle_fail(xg, -ENOSPC,
                           "domain %u cannot be promised %u pages: of %u there are %u promised "
                           "to others, and more than that may be in use",
                           t->domid, options->reserve, xg->hv->slots, xg->reserves);
    }
    return 0;
}

static int space_init(struct xengt_space *space, struct xengt *xg, struct target *t,
                      const struct xengt_space_options *options)
{
    uint32_t defer_pages = options->defer_pages ? options->defer_pages : XENGT_DEFER_PAGES_DEFAULT;
    defer_pages = defer_pages < xg->hv->slots ? defer_pages : xg->hv->slots;
    space->xg = xg;
    space->target = t;
    space->generation = USE_GENERATION_ONE;
    space->prot = options->prot ? options->prot : XENGT_PROT_RW;
    space->no_defer = options->no_defer;
    space->quota = options->quota ? options->quota : UINT32_MAX;
    space->defer_pages = defer_pages < QUEUE_MAX ? defer_pages : QUEUE_MAX - 1;
    space->defer_ms = options->defer_ms ? options->defer_ms : XENGT_DEFER_MS_DEFAULT;
    /* Where there is a hash of BFNs, too, the other one is denser. */
    int ret = gfns_init(&space->gfns, &xg->slots, xg->hash_key, xg->hv->windowed ? 1 : 2);
    ret = ret ? ret : queue_init(&space->queue, space->defer_pages + 1);
    return ret ? ret : mapper_need_bfns(xg);
}

static void space_free(struct xengt_space *space)
{
    if (space) {
        gfns_free(&space->gfns);
        queue_fini(&space->queue);
        free(space);
    }
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
    if (!space || space_init(space, xg, t, options)) {
        space_free(space);
        return handle_fail(xg, -ENOMEM, "out of memory");
    }
    t->space = space;
    t->reserve = options->reserve;
    xg->reserves += options->reserve;
    *out = space;
    return 0;
}

/*
 * Unmaps mappings that are in use, whoever uses them, until max are or so many slots have been
 * looked at that it is enough for once.
 */
static void take_from_users(struct xengt_space *space, uint32_t max)
{
    struct xengt *xg = space->xg;
    struct flight *flight = xg->slots.unmaps;
    uint32_t room = max < xg->hv->batch ? max : xg->hv->batch;
    uint64_t looks = (uint64_t)max * 64;
    uint32_t n = 0;
    uint32_t s = space->drained;
    for (; n < room && looks && (s = slots_next(&xg->slots, s)) != SLOT_NONE; s++, looks--) {
        if (is_own(space, s)) {
            flight->slot[n++] = s;
            gfns_remove(&space->gfns, s);
            mapper_leave(xg, s);
        }
    }
    space->drained = s;
    mapper_unmap(xg, xg->batch.unmap_err, n);
    space->unmap_calls += n > 0;
    space->target->mapped -= n;
}

uint32_t xengt_space_drain(struct xengt_space *space, uint32_t max)
{
    space->draining = true;
    if (space_deferred(space)) {
        room_unmap(space, max);
    } else {
        take_from_users(space, max);
    }
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
    space_free(space);
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
