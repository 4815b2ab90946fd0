/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From GFN to slot: the hash of a space. Its chains run through the slots. A guest chooses which
 * of its frames are mapped, so where they fall is decided by a random key, which it does not know.
 */
#ifndef XENGT_LIB_GFNS_H
#define XENGT_LIB_GFNS_H

#include "slots.h"

struct gfns {
    const struct slots *slots;
    uint64_t key; /* odd */
    uint32_t *head;
    uint32_t size;  /* a power of two */
    uint32_t load;  /* mappings for each place in head, at most */
    unsigned shift; /* of a product's upper bits to a place in head */
};

/* A key, as good as a random number is. */
uint64_t gfns_key(uint64_t random);

int gfns_init(struct gfns *gfns, const struct slots *slots, uint64_t key,
              uint32_t load); /* -ENOMEM */
void gfns_free(struct gfns *gfns);

/* For so many mappings. Without memory for it the chains get longer, and that is all. */
void gfns_grow(struct gfns *gfns);
static inline bool gfns_is_full(const struct gfns *gfns, uint32_t mapped)
{
    return mapped > gfns->size * gfns->load;
}

static inline uint32_t *gfns_bucket(const struct gfns *gfns, struct xengt_gfn gfn)
{
    return &gfns->head[gfn.v * gfns->key >> gfns->shift];
}

/* At the head of a chain, which is that of its gfn. */
static inline void gfns_insert(struct slot *slot, uint32_t *head, uint32_t s)
{
    slot[s].next = *head;
    *head = s;
}

/* Harmless for a slot that is not in it. */
static inline void gfns_remove(struct gfns *gfns, uint32_t s)
{
    struct slot *slot = gfns->slots->slot;
    uint32_t *link = gfns_bucket(gfns, slots_gfn(gfns->slots, s));
    while (*link != SLOT_NONE && *link != s) {
        link = &slot[*link].next;
    }
    if (*link == s) {
        *link = slot[s].next;
    }
}

/*
 * The mapping of a gfn that is of this generation, in a chain from its head on, or SLOT_NONE. A
 * stale one that is met on the way leaves the hash.
 */
static inline uint32_t gfns_find(const struct slots *slots, uint32_t *link, struct xengt_gfn gfn,
                                 uint32_t generation)
{
    struct slot *slot = slots->slot;
    while (*link != SLOT_NONE) {
        uint32_t s = *link;
        if (slots_gfn(slots, s).v != gfn.v) {
            link = &slot[s].next;
        } else if ((slot[s].use & USE_GENERATION) == generation) {
            return s;
        } else {
            *link = slot[s].next;
        }
    }
    return SLOT_NONE;
}

#endif
