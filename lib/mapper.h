/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mapper: slots taken, mapped and unmapped around the hypercalls, a batch at a time. What it
 * works on are the flights of the slot table: an array of slots, and an array of answers beside it.
 */
#ifndef XENGT_LIB_MAPPER_H
#define XENGT_LIB_MAPPER_H

#include "handle.h"

/*
 * Runs fn over the n entries of a call, a batch at a time; it returns how many failed. err is the
 * caller's; where it is NULL the first failure is returned, and with all_or_nothing the batches
 * behind it are not begun.
 */
typedef size_t batch_fn(void *call, size_t first, int *err, size_t n);
int in_batches(struct xengt *xg, batch_fn *fn, void *call, int *err, size_t n, bool all_or_nothing);

/* --- mapping ----------------------------------------------------------------------------- */

/* Whose mappings are to be made, and how. */
struct maps {
    uint32_t domid;
    struct target *t; /* NULL: what is offered needs none */
    bool offered;
    unsigned prot;
};

/* Makes the hash of BFNs, if it is not there already. -ENOMEM. */
int mapper_need_bfns(struct xengt *xg);

/* Gives back the last of the flight of maps, which have no records. */
void mapper_untake(struct xengt *xg, size_t count, size_t taken);

/* What a record says of a mapping besides its gfn. */
static inline uint64_t mapper_kind(const struct maps *maps)
{
    return record_kind(maps->domid, SLOT_MAPPED, maps->offered, !(maps->prot & XENGT_PROT_WRITE));
}

/* Maps the first n slots of the flight. How many failed; their err is for mapper_undo(). */
size_t mapper_map(struct xengt *xg, const struct maps *maps, int *err, size_t n);

/*
 * What did not become a mapping: gives back the slots of the flight whose err is not 0, and makes
 * that an answer as the header has it. gone is not 0: what was mapped is unmapped, too, and that is
 * the answer. Nothing finds these slots any more.
 */
void mapper_undo(struct xengt *xg, int *err, size_t n, int gone);

/* --- unmapping --------------------------------------------------------------------------- */

void mapper_drop_view(struct xengt *xg, uint32_t s);

/* Has a BFN of a mapping, and it alone, to find it by? */
static inline bool mapper_has_bfn(const struct xengt *xg, uint32_t s)
{
    return xg->bfns.head && (xg->hv->one_pin || xg->slots.slot[s].use & USE_SPACE);
}

/* From here on a mapping is not found any more, and is to be given to mapper_unmap(). */
static inline void mapper_leave(struct xengt *xg, uint32_t s)
{
    if (xg->views) {
        mapper_drop_view(xg, s);
    }
    if (mapper_has_bfn(xg, s)) {
        bfns_remove(&xg->bfns, s);
    }
    xg->slots.slot[s].use = 0;
}

static inline void mapper_leave_all(struct xengt *xg, const uint32_t *slot, size_t n)
{
    if (xg->views || xg->bfns.head) {
        for (size_t i = 0; i < n; i++) {
            mapper_leave(xg, slot[i]);
        }
        return;
    }
    struct slot *use = xg->slots.slot;
    for (size_t i = 0; i < n; i++) {
        use[slot[i]].use = 0;
    }
}

/*
 * Unmaps the first n slots of the flight of unmaps, all of one kind. Those Xen let go are free
 * afterwards and err is 0; the rest are leaked, and their number returned.
 */
size_t mapper_unmap(struct xengt *xg, int *err, size_t n);

/*
 * The next slots from *s on of which fn says so, left, in the flight of unmaps: at most a batch,
 * and of one kind. *s is where to go on, SLOT_NONE at the end. Returns how many.
 */
size_t mapper_gather(struct xengt *xg, uint32_t *s, bool (*fn)(const struct xengt *xg, uint32_t s));

/* --- finding ----------------------------------------------------------------------------- */

static inline struct xengt_bfn mapper_bfn(const struct xengt *xg, uint32_t s)
{
    return (struct xengt_bfn){xg->hv->windowed ? xg->hv->window_base + s
                                               : slots_bfn(&xg->slots, s)};
}

/*
 * The slot of a BFN that is mapped, or SLOT_NONE; and the next one of the same BFN. Only where
 * there is no window can there be more than one: when a page was mapped more than once; and there
 * the plain mappings of the grant back end are not found.
 */
static inline uint32_t mapper_slot(const struct xengt *xg, struct xengt_bfn bfn)
{
    if (!xg->hv->windowed) {
        return xg->bfns.head ? bfns_first(&xg->bfns, bfn) : SLOT_NONE;
    }
    uint64_t s = bfn.v - xg->hv->window_base;
    return s < xg->slots.count && slots_state(&xg->slots, s) == SLOT_MAPPED ? s : SLOT_NONE;
}

static inline uint32_t mapper_next(const struct xengt *xg, uint32_t s)
{
    return xg->hv->windowed ? SLOT_NONE : bfns_next(&xg->bfns, s);
}

/*
 * Does a cookie name a plain mapping? Its slot is in the lower half, its serial number above; the
 * uppermost bit never is in one. That the slot is not free, where 0 would be the number, is for the
 * caller to see.
 */
static inline bool mapper_may_name(const struct slot *slot, uint32_t count,
                                   struct xengt_cookie cookie)
{
    uint32_t s = (uint32_t)cookie.v;
    return s < count && slot[s].use == (uint32_t)(cookie.v << 1 >> 33);
}

/* The slot of that mapping, or SLOT_NONE. */
static inline uint32_t mapper_find(const struct xengt *xg, struct xengt_cookie cookie)
{
    uint32_t s = (uint32_t)cookie.v;
    const struct slot *slot = xg->slots.slot;
    return mapper_may_name(slot, xg->slots.count, cookie) && slot[s].use ? s : SLOT_NONE;
}

static inline struct xengt_cookie mapper_cookie(uint32_t s, uint32_t serial)
{
    return (struct xengt_cookie){(uint64_t)serial << 32 | s};
}

/* The first of so many serial numbers in a row, for plain mappings. */
static inline uint32_t mapper_serials(struct xengt *xg, uint32_t n)
{
    uint32_t first = (xg->slots.serial & USE_SERIAL) + 1;
    if (first > USE_SERIAL - n) {
        first = 1;
    }
    xg->slots.serial = first + n - 1;
    return first;
}

/* Makes a mapping a plain one; and what names it. */
static inline struct xengt_cookie mapper_name(struct xengt *xg, uint32_t s)
{
    uint32_t serial = mapper_serials(xg, 1);
    xg->slots.slot[s].use = serial;
    return mapper_cookie(s, serial);
}

#endif
