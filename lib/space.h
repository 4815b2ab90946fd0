/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A space from within. A mapping of it is in one of three places:
 *   in use      with users
 *   deferred    with none, in the queue, until it is unmapped or taken back
 *   on its way  in the flight of maps, inside one call of xengt_space_get() only
 * The hash finds it by gfn as long as it is fresh: mapped after the last invalidate. A stale one
 * is found by its BFN only, and is the first to be unmapped when its last user has gone.
 */
#ifndef XENGT_LIB_SPACE_H
#define XENGT_LIB_SPACE_H

#include "gfns.h"
#include "handle.h"
#include "queue.h"

struct xengt_space {
    struct xengt *xg;
    struct target *target; /* has the count of mappings */
    uint32_t generation;   /* 1..255, where it stands in a slot's use; another one is stale */
    unsigned prot;         /* of all its mappings */
    bool no_defer;
    bool draining;
    uint32_t drained; /* slots below have been looked at */
    uint32_t quota;
    uint32_t defer_pages;
    unsigned defer_ms;
    uint64_t
        date; /* of the next expiry; 0: nothing is kept, or xengt_expire() has not seen it yet */
    uint32_t high_water;
    struct queue queue;
    struct gfns gfns;
    uint64_t gets;
    uint64_t hits;
    uint64_t failures;
    uint64_t map_calls;
    uint64_t unmap_calls;
};

static inline uint32_t space_deferred(const struct xengt_space *space)
{
    return space->queue.count;
}

#endif
