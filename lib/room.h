/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Room in the slot table: who may take a slot, and what is given up for it. Slots that were
 * promised to a target and that it does not use yet are nobody else's. What is given up is only
 * ever deferred: one's own first, and of others what they have beyond their promise; each time a
 * small number, so that one miss costs no guest its cache and nobody a long wait.
 */
#ifndef XENGT_LIB_ROOM_H
#define XENGT_LIB_ROOM_H

#include "mapper.h"
#include "space.h"

/* Given up at a time. Fewer would cost a hypercall for each page, more somebody's cache. */
#define ROOM_PAGES 32u

/*
 * Takes up to n slots more for the flight of maps, which has *count, if need be after something was
 * given up for them. They are in flight, and their records are the caller's to write. 0, or why
 * there is none.
 */
int room_take(struct xengt *xg, const struct maps *maps, size_t *count, size_t n);

/* The same until there are so many; those before a failure stay. */
int room_take_all(struct xengt *xg, const struct maps *maps, size_t *count, size_t n);

/*
 * Can so many slots more be promised to a target, if need be after others gave up what is beyond
 * their promise? 0 or -ENOSPC.
 */
int room_promise(struct xengt *xg, const struct target *t, uint32_t pages);

/* Unmaps up to max deferred mappings of a space, the oldest first. */
void room_unmap(struct xengt_space *space, uint32_t max);

/* Unmaps a few of them. */
void room_evict(struct xengt_space *space);

#endif
