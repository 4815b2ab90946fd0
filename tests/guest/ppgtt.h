/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PPGTT of four levels in pages of the guest's, kept as i915 keeps its own: tables are made when
 * they are needed, filled with scratch first, and freed when nothing is in them; what is unmapped
 * points to scratch, level for level. Entries can also be written one by one.
 */
#ifndef TESTS_GUEST_PPGTT_H
#define TESTS_GUEST_PPGTT_H

#include "platform.h"

#define PPGTT_LEVELS  4u
#define PPGTT_ENTRIES 512u
#define PPGTT_PRESENT 1ull
#define PPGTT_WRITE   2ull
#define PPGTT_FLAGS   (PPGTT_PRESENT | PPGTT_WRITE)
#define PPGTT_HUGE    (1ull << 7)

/* Level 1 points to pages. */
struct table {
    struct page page;
    uint32_t level;
    uint32_t used;    /* entries that are not scratch */
    struct page list; /* where the children's addresses are kept; level 1 has none */
    struct table **child;
};

struct ppgtt {
    struct table *root;
    uint64_t scratch[PPGTT_LEVELS]; /* what an empty entry of level [0] + 1 holds */
    struct page scratch_page[PPGTT_LEVELS];
};

/* -1: out of memory. The vGPU gets to know it by the announcement, or when it is used. */
int ppgtt_create(struct ppgtt *p);
void ppgtt_announce(const struct ppgtt *p, bool create);

/* Every table of it, and the root, are free for other uses. */
void ppgtt_free(struct ppgtt *p);

/* n pages in a row from va on; their frames one by one. -1: out of memory, and some are mapped. */
int ppgtt_map(struct ppgtt *p, uint64_t va, const uint32_t *gfn, uint32_t n);
void ppgtt_unmap(struct ppgtt *p, uint64_t va, uint32_t n);

/* Other frames for pages that are mapped. */
void ppgtt_repoint(struct ppgtt *p, uint64_t va, const uint32_t *gfn, uint32_t n);

/* The table of a level that leads to va, or NULL, and the place in it. */
struct table *ppgtt_table(struct ppgtt *p, uint64_t va, uint32_t level);
uint32_t ppgtt_index(uint64_t va, uint32_t level);

/* Stores: an entry, half of one. The tables' counts do not follow. */
void table_write64(const struct page *table, uint32_t index, uint64_t entry);
void table_write32(const struct page *table, uint32_t dword, uint32_t half);

/* A table for entries that are written by hand; free ones come from a pool. */
struct table *table_alloc(const struct ppgtt *p, uint32_t level);
void table_free(struct table *t);

static inline uint64_t entry_of(uint64_t gfn)
{
    return gfn << PAGE_SHIFT | PPGTT_FLAGS;
}

#endif
