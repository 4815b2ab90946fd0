/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mapper: moves slots through their states around the hypercalls, a batch at a time. */
#ifndef XENGT_LIB_MAPPER_H
#define XENGT_LIB_MAPPER_H

#include "handle.h"

/*
 * Runs fn over the n entries of a call, a batch at a time. err is the caller's; where it is NULL
 * the first failure is returned, and with all_or_nothing the batches behind it are not begun.
 */
typedef void batch_fn(void *call, size_t first, int *err, size_t n);
int in_batches(struct xengt *xg, batch_fn *fn, void *call, int *err, size_t n, bool all_or_nothing);

/* A slot for a gfn, or an offered reference. -ENOSPC: all are in use. -EINVAL: no gfn. */
int mapper_reserve(struct xengt *xg, uint32_t domid, struct xengt_gfn gfn, bool offered,
                   uint32_t *slot);

/*
 * Maps slots that were reserved, at most one batch of one kind, and moves those that succeeded to
 * SLOT_MAPPED. Those whose err is not 0 the caller gives to mapper_drop().
 */
void mapper_map(struct xengt *xg, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                unsigned prot);

/* Frees a slot that was not mapped, or was left again; one of which that is not certain stays. */
void mapper_drop(struct xengt *xg, uint32_t slot);

/* From here on a mapping is not found any more, and is to be given to mapper_unmap(). */
void mapper_leave(struct xengt *xg, uint32_t slot);

/*
 * Unmaps slots, at most one batch. Those Xen let go are free afterwards and err is 0; the rest are
 * leaked.
 */
void mapper_unmap(struct xengt *xg, const uint32_t *slot, int *err, size_t n);

/*
 * The slot of a BFN that is mapped, or SLOT_NONE; and the next one of the same BFN. Only where
 * there is no window can there be more than one: when a page was mapped more than once.
 */
uint32_t mapper_slot(const struct xengt *xg, struct xengt_bfn bfn);
uint32_t mapper_next(const struct xengt *xg, uint32_t slot);
struct xengt_bfn mapper_bfn(const struct xengt *xg, uint32_t slot);

/* A plain mapping of a BFN, one that xengt_unmap() takes; or SLOT_NONE. */
uint32_t mapper_find_plain(const struct xengt *xg, struct xengt_bfn bfn);

#endif
