/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From BFN to slot on back ends that do not choose the BFN, for what is known by its BFN only: the
 * mappings of spaces, which stand in a device's page tables; and where Xen keeps one pin for each
 * page, all mappings. A page that is mapped by several slots has one BFN, and all of them are found
 * by it.
 */
#ifndef XENGT_LIB_BFNS_H
#define XENGT_LIB_BFNS_H

#include "slots.h"

struct bfns {
    const struct slots *slots;
    uint32_t *head;   /* slot + 1; 0: none */
    uint32_t *next;   /* likewise, by slot */
    uint32_t buckets; /* a power of two */
};

/* For so many mappings at a time; -ENOMEM. */
int bfns_init(struct bfns *bfns, const struct slots *slots, uint32_t mappings);
void bfns_free(struct bfns *bfns);

void bfns_insert(struct bfns *bfns, uint32_t s);
void bfns_remove(struct bfns *bfns, uint32_t s); /* harmless for one that is not in it */

/* The first slot of a BFN, and the one after it; SLOT_NONE at the end. */
uint32_t bfns_first(const struct bfns *bfns, struct xengt_bfn bfn);
uint32_t bfns_next(const struct bfns *bfns, uint32_t s);

#endif
