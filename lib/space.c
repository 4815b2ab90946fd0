/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Spaces. A mapping of a space is in one of three places:
 *   in use      users > 0
 *   deferred    users == 0, in the queue, until it is unmapped or taken back
 *   on its way  SLOT_RESERVED, inside one call of xengt_space_get() only
 * A hash finds it by gfn as long as it is fresh: mapped after the last invalidate. A stale one
 * is found by its BFN only, and is unmapped when its last user goes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mapper.h"

/* First-in first-out, linked through the slots; also left from the middle. */
struct queue {
    uint32_t head;
    uint32_t tail;
    uint32_t count;
};

struct xengt_space {
    struct xengt *xg;
    struct target *target; /* has the count of mappings */
    uint8_t generation;    /* 1..255; a slot of another one is stale */
    bool no_defer;
    uint32_t quota;
    uint32_t defer_pages;
    uint32_t high_water;
    struct queue young; /* deferred since the last expiry */
    struct queue old;   /* deferred before it: the next expiry unmaps them */
    uint32_t *hash;
    uint32_t hash_size; /* a power of two */
    uint64_t gets;
    uint64_t hits;
    uint64_t failures;
    uint64_t map_calls;
    uint64_t unmap_calls;
};

#define HASH_MIN 1024u

/* --- the queue of deferred mappings ------------------------------------------------------ */

static void queue_push(struct slot *slot, struct queue *q, uint32_t s)
{
    slot[s].prev = q->tail;
    slot[s].next = SLOT_NONE;
    if (q->tail == SLOT_NONE) {
        q->head = s;
    } else {
        slot[q->tail].next = s;
    }
    q->tail = s;
    q->count++;
}

static void queue_remove(struct slot *slot, struct queue *q, uint32_t s)
{
    if (slot[s].prev == SLOT_NONE) {
        q->head = slot[s].next;
    } else {
        slot[slot[s].prev].next = slot[s].next;
    }
    if (slot[s].next == SLOT_NONE) {
        q->tail = slot[s].prev;
    } else {
        slot[slot[s].next].prev = slot[s].prev;
    }
    q->count--;
}

static struct queue *queue_of(struct xengt_space *space, uint32_t s)
{
    return space->xg->slots.slot[s].old ? &space->old : &space->young;
}

/* --- the hash ---------------------------------------------------------------------------- */

static uint32_t hash_bucket(const struct xengt_space *space, struct xengt_gfn gfn)
{
    return (gfn.v * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (space->hash_size - 1);
}

static void hash_insert(struct xengt_space *space, uint32_t s)
{
    uint32_t *head = &space->hash[hash_bucket(space, slots_gfn(&space->xg->slots, s))];
    space->xg->slots.slot[s].hash_next = *head;
    *head = s;
}

/* Harmless for a slot that is not in it. */
static void hash_remove(struct xengt_space *space, uint32_t s)
{
    struct slot *slot = space->xg->slots.slot;
    uint32_t *link = &space->hash[hash_bucket(space, slots_gfn(&space->xg->slots, s))];
    while (*link != SLOT_NONE && *link != s) {
        link = &slot[*link].hash_next;
    }
    if (*link == s) {
        *link = slot[s].hash_next;
    }
}

/* The fresh mapping of a gfn. A stale one that is met on the way leaves the hash. */
static uint32_t hash_find(struct xengt_space *space, struct xengt_gfn gfn)
{
    struct slots *slots = &space->xg->slots;
    uint32_t *link = &space->hash[hash_bucket(space, gfn)];
    while (*link != SLOT_NONE) {
        uint32_t s = *link;
        if (slots_gfn(slots, s).v == gfn.v) {
            if (slots->slot[s].generation == space->generation) {
                return s;
            }
            *link = slots->slot[s].hash_next;
            continue;
        }
        link = &slots->slot[s].hash_next;
    }
    return SLOT_NONE;
}

/* Grows with the mappings. Without memory for it the chains get longer, and that is all. */
static void hash_grow(struct xengt_space *space)
{
    uint32_t size = space->hash_size * 2;
    uint32_t *hash = malloc(size * sizeof(*hash));
    if (!hash) {
        return;
    }
    memset(hash, 0xff, size * sizeof(*hash));
    uint32_t *old = space->hash;
    uint32_t old_size = space->hash_size;
    space->hash = hash;
    space->hash_size = size;
    for (uint32_t b = 0; b < old_size; b++) {
        for (uint32_t s = old[b]; s != SLOT_NONE;) {
            uint32_t next = space->xg->slots.slot[s].hash_next;
            hash_insert(space, s);
            s = next;
        }
    }
    free(old);
}

/* --- unmapping --------------------------------------------------------------------------- */

/* Unmaps up to max mappings from the head of a queue, in batches. */
static void unmap_from(struct xengt_space *space, struct queue *q, uint32_t max)
{
    struct xengt *xg = space->xg;
    /* Not xg->batch: a get in the middle of its batch comes here for room. */
    uint32_t slot[64];
    int err[64];
    uint32_t limit = xg->hv->batch < 64 ? xg->hv->batch : 64;
    while (max && q->count) {
        uint32_t n = 0;
        for (; n < limit && n < max && q->count; n++) {
            slot[n] = q->head;
            queue_remove(xg->slots.slot, q, slot[n]);
            hash_remove(space, slot[n]);
            mapper_leave(xg, slot[n]);
        }
        mapper_unmap(xg, slot, err, n);
        space->unmap_calls++;
        space->target->mapped -= n;
        max -= n;
    }
}

void xengt_space_flush(struct xengt_space *space)
{
    unmap_from(space, &space->old, UINT32_MAX);
    unmap_from(space, &space->young, UINT32_MAX);
}

void spaces_flush(struct xengt *xg)
{
    for (size_t i = 0; i < xg->targets_count; i++) {
        if (xg->targets[i]->space) {
            xengt_space_flush(xg->targets[i]->space);
        }
    }
}

bool xengt_space_expire(struct xengt_space *space)
{
    unmap_from(space, &space->old, UINT32_MAX);
    space->old = space->young;
    space->young = (struct queue){SLOT_NONE, SLOT_NONE, 0};
    struct slot *slot = space->xg->slots.slot;
    for (uint32_t s = space->old.head; s != SLOT_NONE; s = slot[s].next) {
        slot[s].old = 1;
    }
    return space->old.count > 0;
}

/* The last user of a mapping is gone. */
static void defer(struct xengt_space *space, uint32_t s)
{
    space->xg->slots.slot[s].old = 0;
    queue_push(space->xg->slots.slot, &space->young, s);
    uint32_t waiting = space->young.count + space->old.count;
    if (waiting > space->defer_pages) {
        /* A batch at a time: the price of an unmap is in the call, not in the page. */
        uint32_t excess = waiting - space->defer_pages;
        uint32_t n = excess > space->xg->hv->batch / 4 ? excess : space->xg->hv->batch / 4;
        uint32_t from_old = n < space->old.count ? n : space->old.count;
        unmap_from(space, &space->old, from_old);
        unmap_from(space, &space->young, n - from_old);
    }
}

/* --- using ------------------------------------------------------------------------------- */

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

/* Makes room for another mapping; false: the quota is reached. */
static bool within_quota(struct xengt_space *space)
{
    if (space->target->mapped >= space->quota) {
        xengt_space_flush(space);
    }
    return space->target->mapped < space->quota;
}

static void count_mapping(struct xengt_space *space)
{
    space->target->mapped++;
    if (space->target->mapped > space->high_water) {
        space->high_water = space->target->mapped;
    }
    if (space->target->mapped > space->hash_size) {
        hash_grow(space);
    }
}

/* A slot for a gfn that is not mapped. */
static int reserve(struct xengt_space *space, struct xengt_gfn gfn, uint32_t *slot)
{
    struct xengt *xg = space->xg;
    if (!within_quota(space)) {
        return -EDQUOT;
    }
    int ret = mapper_reserve(xg, space->target->domid, gfn, false, slot);
    if (ret == -ENOSPC) {
        spaces_flush(xg);
        ret = mapper_reserve(xg, space->target->domid, gfn, false, slot);
    }
    if (ret) {
        return ret;
    }
    xg->slots.slot[*slot].generation = space->generation;
    xg->slots.slot[*slot].users = 1;
    count_mapping(space);
    hash_insert(space, *slot);
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
    *slot = hash_find(space, gfn);
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
    for (size_t i = 0; i < n; i++) {
        err[i] = want(space, c->gfn[first + i], &b->entry[i], &misses, &gone);
    }
    mapper_map(xg, space->target->domid, b->slot, b->err, misses, XENGT_PROT_RW);
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
            hash_remove(space, b->slot[k]);
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
    if (!within_quota(space)) {
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

int xengt_space_open(struct xengt *xg, uint32_t domid, const struct xengt_space_options *options,
                     struct xengt_space **out)
{
    static const struct xengt_space_options defaults = {0};
    if (!options) {
        options = &defaults;
    }
    *out = NULL;
    struct target *t = target_find(xg, domid);
    if (!t) {
        return handle_fail(xg, -EPERM, "domain %u is not a target", domid);
    }
    if (t->space) {
        return handle_fail(xg, -EBUSY, "domain %u: its space is open already", domid);
    }
    struct xengt_space *space = calloc(1, sizeof(*space));
    uint32_t *hash = malloc(HASH_MIN * sizeof(*hash));
    if (!space || !hash) {
        free(space);
        free(hash);
        return handle_fail(xg, -ENOMEM, "out of memory");
    }
    memset(hash, 0xff, HASH_MIN * sizeof(*hash));
    *space = (struct xengt_space){
        .xg = xg,
        .target = t,
        .generation = 1,
        .no_defer = options->no_defer,
        .quota = options->quota ? options->quota : UINT32_MAX,
        .defer_pages = options->defer_pages ? options->defer_pages : XENGT_DEFER_PAGES_DEFAULT,
        .young = {SLOT_NONE, SLOT_NONE, 0},
        .old = {SLOT_NONE, SLOT_NONE, 0},
        .hash = hash,
        .hash_size = HASH_MIN,
    };
    t->space = space;
    *out = space;
    return 0;
}

void xengt_space_close(struct xengt_space *space)
{
    if (!space) {
        return;
    }
    struct slots *slots = &space->xg->slots;
    for (uint32_t s = 0; space->target->mapped && s < slots->fresh; s++) {
        if (slots_state(slots, s) == SLOT_MAPPED && slots_domid(slots, s) == space->target->domid &&
            !slots->slot[s].raw && slots->slot[s].users) {
            slots->slot[s].users = 0;
            slots->slot[s].old = 0;
            queue_push(slots->slot, &space->young, s);
        }
    }
    xengt_space_flush(space);
    space->target->space = NULL;
    free(space->hash);
    free(space);
}

void xengt_space_get_stats(const struct xengt_space *space, struct xengt_space_stats *stats)
{
    uint32_t deferred = space->young.count + space->old.count;
    *stats = (struct xengt_space_stats){
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
}
